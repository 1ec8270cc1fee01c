//! `ccd402 events show`: one event, or all of a verification, in full.

use std::process::ExitCode;

use anyhow::{bail, ensure};
use ccd402_app::ports::log::{Position, StreamId};
use ccd402_domain::ids::VerificationId;
use clap::Args as ClapArgs;
use serde_json::Value;

use super::source::{Source, Where};
use crate::output::Output;

/// Show one event, or everything that happened to a verification.
///
/// Example: ccd402 events show 17 --data-dir ccd402-data
#[derive(Debug, ClapArgs)]
pub(super) struct Args {
    /// Position of an event, or id of a verification
    #[arg(value_name = "POSITION|ID")]
    what: String,
    #[command(flatten)]
    of: Where,
    /// Print one line of JSON an event
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let source = args.of.open().await?;
    let events = if let Ok(position) = args.what.parse::<Position>() {
        vec![at(&source, position).await?]
    } else if let Ok(id) = args.what.parse::<VerificationId>() {
        of_verification(&source, id).await?
    } else {
        bail!("{:?} is neither a position nor the id of a verification", args.what);
    };
    source.close().await;
    let output = Output::from_flag(args.json);
    for event in events {
        output.print(&serde_json::to_string_pretty(&event)?, &event);
    }
    Ok(ExitCode::SUCCESS)
}

async fn at(source: &Source, position: Position) -> anyhow::Result<Value> {
    ensure!(position > 0, "positions begin at 1");
    let page = source.page(position - 1, 1).await?;
    match page.lines.first() {
        Some(line) => Ok(serde_json::from_slice(line)?),
        None => bail!("there is no event at {position}: the log ends at {}", page.head),
    }
}

async fn of_verification(source: &Source, id: VerificationId) -> anyhow::Result<Vec<Value>> {
    match source {
        Source::Server(server) => {
            let path = format!("/v1/verifications/{id}/events");
            let mut history: Value = server.get(&path).await?.json().await?;
            Ok(serde_json::from_value(history["events"].take())?)
        }
        Source::Log(log) => {
            let recorded = log.port().read_stream(&StreamId::verification(id), 0).await?;
            ensure!(!recorded.is_empty(), "there is no verification {id}");
            let mut events = Vec::with_capacity(recorded.len());
            for one in recorded {
                events.push(at(source, one.position).await?);
            }
            Ok(events)
        }
    }
}
