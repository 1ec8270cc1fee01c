//! `ccd402 events verify`: proves that no event was changed, taken away or put in.

use std::process::ExitCode;

use anyhow::bail;
use ccd402_app::ports::log::{CheckError, EventLog, Position, READ_EVENTS_MAX};
use ccd402_domain::ids::Digest;
use clap::Args as ClapArgs;
use indicatif::ProgressBar;
use serde::Deserialize;
use serde_json::json;

use super::source::{Source, Where, progress};
use crate::cli::remote::{Lines, Server};
use crate::output::Output;

/// Check the hash chain over the whole log.
///
/// Every line's hash is made anew and compared, and so is each link to the line before. Exit code 1
/// and the position where something is wrong. The last hash stands for the whole log: keep it
/// elsewhere, and nobody can change history unseen.
///
/// Example: ccd402 events verify --data-dir ccd402-data
#[derive(Debug, ClapArgs)]
pub(super) struct Args {
    #[command(flatten)]
    of: Where,
    /// Take everything up to this position for good
    #[arg(long, value_name = "N", default_value_t = 0)]
    after: Position,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// How a check ended.
enum Outcome {
    Whole(Position, Digest),
    Damaged(Position, String),
}

/// A line of the server's answer.
#[derive(Deserialize)]
#[serde(tag = "status", rename_all = "lowercase")]
enum Step {
    Checked { position: Position },
    Whole { position: Position, hash: Digest },
    Damaged { position: Position, reason: String },
    Unreadable { reason: String },
}

pub(super) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let source = args.of.open().await?;
    let bar = progress(source.head().await?);
    let outcome = match &source {
        Source::Log(log) => check(&*log.port(), args.after, &bar).await?,
        Source::Server(server) => ask(server, args.after, &bar).await?,
    };
    bar.finish_and_clear();
    source.close().await;
    let output = Output::from_flag(args.json);
    match outcome {
        Outcome::Whole(position, hash) => {
            let text = format!("whole: {position} events, the last hash is {hash}");
            output.print(&text, &json!({ "whole": true, "position": position, "hash": hash }));
            Ok(ExitCode::SUCCESS)
        }
        Outcome::Damaged(position, reason) => {
            let text = format!("damaged at position {position}: {reason}");
            let value = json!({ "whole": false, "position": position, "reason": reason });
            output.print(&text, &value);
            Ok(ExitCode::from(1))
        }
    }
}

async fn check(log: &dyn EventLog, after: Position, bar: &ProgressBar) -> anyhow::Result<Outcome> {
    let head = *log.head().borrow();
    let mut position = after;
    loop {
        match log.check(position, READ_EVENTS_MAX).await {
            Ok(checked) if checked.position >= head => {
                return Ok(Outcome::Whole(checked.position, checked.hash));
            }
            Ok(checked) => {
                position = checked.position;
                bar.set_position(position);
            }
            Err(CheckError::Damaged { position, reason }) => {
                return Ok(Outcome::Damaged(position, reason));
            }
            Err(error @ CheckError::Read(_)) => return Err(error.into()),
        }
    }
}

async fn ask(server: &Server, after: Position, bar: &ProgressBar) -> anyhow::Result<Outcome> {
    let mut steps =
        server.post(&format!("/v1/events:verify?after={after}")).await.map(Lines::from)?;
    while let Some(step) = steps.next().await? {
        match step {
            Step::Checked { position } => bar.set_position(position),
            Step::Whole { position, hash } => return Ok(Outcome::Whole(position, hash)),
            Step::Damaged { position, reason } => return Ok(Outcome::Damaged(position, reason)),
            Step::Unreadable { reason } => bail!(reason),
        }
    }
    bail!("the server did not say how the check ended")
}
