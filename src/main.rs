//! The binary `ccd402`. Everything is in the library, so that tests can run it too.

use std::process::ExitCode;

use clap::Parser;

/// An append is made by one thread and freed by another: the system's allocator makes them wait for
/// each other.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    ccd402::cli::run(ccd402::cli::Cli::parse())
}
