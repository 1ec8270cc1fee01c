//! `ccd402 webhooks rotate-secret`: a new secret for a webhook.

use std::process::ExitCode;

use ccd402_domain::ids::WebhookId;
use clap::Args as ClapArgs;
use reqwest::Method;

use super::At;
use super::shown::WithSecret;
use crate::cli::remote::NO_BODY;

/// Give a webhook a new secret and print it: the only time that it is shown.
///
/// For 24 hours messages are signed with the former one as well, so that the receiver can be given
/// the new one meanwhile without missing anything.
///
/// Example: ccd402 webhooks rotate-secret 019aa9f2-53f8-7c3a-8d43-1d2f0c4b9e11
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
    let path = format!("/v1/webhooks/{}/rotate-secret", args.id);
    let rotated: WithSecret = server.ask(Method::POST, &path, NO_BODY).await?;
    output.print(&rotated.page(), &rotated);
    Ok(ExitCode::SUCCESS)
}
