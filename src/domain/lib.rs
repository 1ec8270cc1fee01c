//! The pure heart: amounts, ids, the binding digest, payment rules and the Verification aggregate.
