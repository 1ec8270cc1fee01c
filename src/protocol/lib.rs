//! Wire types of x402 v1 and v2, headers, network ids and reason codes; no IO, no rules.
