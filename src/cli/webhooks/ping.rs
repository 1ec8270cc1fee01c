//! `ccd402 webhooks ping`: tries the way to a receiver.

use std::process::ExitCode;

use ccd402_domain::ids::WebhookId;
use ccd402_domain::webhook::event::Answer;
use clap::Args as ClapArgs;
use reqwest::Method;
use serde::{Deserialize, Serialize};

use super::At;
use super::shown::said;
use crate::cli::remote::NO_BODY;

/// Send a signed message that tells of nothing, and say what came back.
///
/// Also to a webhook that is disabled. Exit code 1 where the receiver does not take it.
///
/// Example: ccd402 webhooks ping 019aa9f2-53f8-7c3a-8d43-1d2f0c4b9e11
#[derive(Debug, ClapArgs)]
pub(super) struct Args {
    /// Id of the webhook, as the list shows it
    #[arg(value_name = "ID")]
    id: WebhookId,
    #[command(flatten)]
    at: At,
}

/// What came back.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Came {
    #[serde(flatten)]
    answer: Answer,
    taken: bool,
    duration_ms: u64,
}

pub(super) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let (server, output) = args.at.open()?;
    let path = format!("/v1/webhooks/{}/ping", args.id);
    let came: Came = server.ask(Method::POST, &path, NO_BODY).await?;
    let verdict = if came.taken { "taken" } else { "not taken" };
    let text = format!("{verdict}: {} after {} ms", said(came.answer), came.duration_ms);
    output.print(&text, &came);
    Ok(if came.taken { ExitCode::SUCCESS } else { ExitCode::from(1) })
}
