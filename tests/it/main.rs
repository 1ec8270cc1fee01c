//! Integration tests: through HTTP, on port 0, against the simulated chain.

mod workspace;
