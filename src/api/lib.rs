//! The facilitator's HTTP API: routes, layers, limits and problem details.
