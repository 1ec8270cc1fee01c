//! The command line: one file a command.
//!
//! Exit codes: 0 done, 1 refused or failed, 2 wrong usage.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// x402 Verify & Pay on Concordium: facilitator, gate, payer and a simulated chain.
///
/// Settings come from flags, then CCD402_* variables, then the TOML file (--config), then defaults.
/// Logs go to stderr (CCD402_LOG filters them), results to stdout.
#[derive(Debug, Parser)]
#[command(name = "ccd402", version, propagate_version = true, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {}

/// Runs a command to its end.
#[must_use]
pub fn run(cli: Cli) -> ExitCode {
    match cli.command {}
}

/// Prints what went wrong, with its causes, and fails.
fn report(error: &anyhow::Error) -> ExitCode {
    eprintln!("error: {error:#}");
    ExitCode::from(1)
}
