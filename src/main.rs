//! The binary `ccd402`. Everything is in the library, so that tests can run it too.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    ccd402::cli::run(ccd402::cli::Cli::parse())
}
