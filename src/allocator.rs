//! The allocator of the program, and of the C libraries in it: jemalloc (ADR 0020).
//!
//! How it behaves is built in: see `.cargo/config.toml`. Without the feature `jemalloc` it is the
//! system's.

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;
