//! `ccd402 webhooks delete`: a webhook is gone.

use std::process::ExitCode;

use ccd402_domain::ids::WebhookId;
use clap::Args as ClapArgs;
use reqwest::Method;
use serde_json::json;

use super::At;
use crate::cli::remote::NO_BODY;

/// Delete a webhook for good; to stop it for a while, use change --disable.
///
/// Example: ccd402 webhooks delete 019aa9f2-53f8-7c3a-8d43-1d2f0c4b9e11
#[derive(Debug, ClapArgs)]
pub(super) struct Args {
    /// Id of the webhook, as the list shows it
    #[arg(value_name = "ID")]
    id: WebhookId,
    #[command(flatten)]
    at: At,
}

pub(super) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let (server, output) = args.at.open()?;
    let id = args.id;
    server.say(Method::DELETE, &format!("/v1/webhooks/{id}"), NO_BODY).await?;
    output.print(&format!("deleted: {id}"), &json!({ "event": "deleted", "id": id }));
    Ok(ExitCode::SUCCESS)
}
