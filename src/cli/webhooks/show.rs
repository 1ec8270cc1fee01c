//! `ccd402 webhooks show`: one webhook, all of it but the secret.

use std::process::ExitCode;

use ccd402_domain::ids::WebhookId;
use clap::Args as ClapArgs;
use reqwest::Method;

use super::At;
use super::shown::Shown;
use crate::cli::remote::NO_BODY;

/// Show a webhook: where it goes, of what it hears, whether it is told.
///
/// Example: ccd402 webhooks show 019aa9f2-53f8-7c3a-8d43-1d2f0c4b9e11
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
    let path = format!("/v1/webhooks/{}", args.id);
    let shown: Shown = server.ask(Method::GET, &path, NO_BODY).await?;
    output.print(&shown.page(), &shown);
    Ok(ExitCode::SUCCESS)
}
