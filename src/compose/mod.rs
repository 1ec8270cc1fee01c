//! Puts the parts together: ports to adapters, use cases to servers.
