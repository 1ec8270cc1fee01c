//! `ccd402 events`: looks at the event log, proves it, takes it out and in.

mod export;
mod import;
mod line;
mod list;
mod show;
pub(super) mod source;
mod tail;
mod verify;

use std::process::ExitCode;

use clap::{Args as ClapArgs, Subcommand};

/// Look at the event log, prove that it is whole, export and import it.
///
/// The log is asked of a running facilitator (--url, by default the one on this machine), or read
/// from the data directory of one that is stopped (--data-dir). Everything that the facilitator
/// knows is in it: one line of JSON an event, chained by SHA-256.
#[derive(Debug, ClapArgs)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(list::Args),
    Show(show::Args),
    Tail(tail::Args),
    Verify(verify::Args),
    Export(export::Args),
    Import(import::Args),
}

/// Runs the command.
///
/// # Errors
/// Where the log cannot be read, or is not what it should be.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    match args.command {
        Command::List(args) => list::run(args).await,
        Command::Show(args) => show::run(args).await,
        Command::Tail(args) => tail::run(args).await,
        Command::Verify(args) => verify::run(args).await,
        Command::Export(args) => export::run(args).await,
        Command::Import(args) => import::run(args).await,
    }
}
