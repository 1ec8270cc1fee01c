//! Ports and use cases: the only crate that knows the order of steps.
