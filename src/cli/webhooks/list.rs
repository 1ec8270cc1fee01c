//! `ccd402 webhooks list`: the webhooks that there are, one a line.

use std::process::ExitCode;

use ccd402_domain::ids::WebhookId;
use clap::Args as ClapArgs;
use reqwest::Method;
use serde::Deserialize;

use super::At;
use super::shown::Shown;
use crate::cli::remote::NO_BODY;
use crate::output::Output;

/// List webhooks, without their secrets.
///
/// Example: ccd402 webhooks list --json
#[derive(Debug, ClapArgs)]
pub(super) struct Args {
    #[command(flatten)]
    at: At,
}

#[derive(Deserialize)]
struct Page {
    webhooks: Vec<Shown>,
    next: Option<WebhookId>,
}

pub(super) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let (server, output) = args.at.open()?;
    let mut path = "/v1/webhooks".to_owned();
    let mut is_empty = true;
    loop {
        let page: Page = server.ask(Method::GET, &path, NO_BODY).await?;
        for webhook in &page.webhooks {
            output.print(&webhook.line(), webhook);
            is_empty = false;
        }
        let Some(next) = page.next else { break };
        path = format!("/v1/webhooks?after={next}");
    }
    if is_empty && output == Output::Text {
        output.print("There is no webhook; `ccd402 webhooks create URL` makes one.", &());
    }
    Ok(ExitCode::SUCCESS)
}
