//! `ccd402 replay`: folds the event log again, from its first event: into the read model, into a
//! file of the past, or to prove that nothing has changed by it.

mod diff;
mod past;
mod place;
mod rebuild;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;
use clap::Args as ClapArgs;

use self::past::Until;
use crate::cli::events::source::Where;
use crate::output::Output;
use crate::shutdown;

/// Build the read model again from the event log, or look at the past.
///
/// Lists and statistics are read from a file, or rows of a database, made from the log. Without more
/// words they are built again beside those that are read, and put in their place: of a running
/// facilitator (--url, by default the one on this machine), in the data directory of one that is
/// stopped (--data-dir), or in a database on which none works (--database-url; --diff and --out go
/// beside those that do).
/// Ctrl-C is safe: what is half built is removed, and what was there stays. A facilitator that runs
/// goes on building.
///
/// Example: ccd402 replay --diff
#[derive(Debug, ClapArgs)]
pub struct Args {
    #[command(flatten)]
    of: Where,
    /// Change nothing: replay beside what is read, compare all rows, and exit with 1 where one differs
    #[arg(long, conflicts_with_all = ["until", "out"])]
    diff: bool,
    /// Replay no further than this: a position, or a time such as 2026-11-22T15:00:00Z
    #[arg(long, value_name = "N|TIME", requires = "out")]
    until: Option<Until>,
    /// SQLite file to write instead of the read model; it must not be there yet
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Print one JSON object when done
    #[arg(long)]
    json: bool,
}

/// Runs the command.
///
/// # Errors
/// Where the log cannot be read, or nothing can be built or compared.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let output = Output::from_flag(args.json);
    match args.out {
        Some(out) => {
            let past = past::run(args.of, args.until, out, output);
            until_interrupted(Box::pin(past)).await
        }
        None if args.diff => diff::run(args.of, output).await,
        None => rebuild::run(args.of, output).await,
    }
}

/// Runs something that removes what it has half built when it is dropped.
async fn until_interrupted<R>(run: impl Future<Output = anyhow::Result<R>>) -> anyhow::Result<R> {
    tokio::select! {
        ended = run => ended,
        () = shutdown::requested() => bail!("interrupted; what was half built is removed"),
    }
}
