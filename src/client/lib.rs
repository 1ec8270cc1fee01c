//! The facilitator's HTTP client, and the payer that answers a 402.
