//! `ccd402 webhooks create`: makes a webhook, and prints its secret.

use std::process::ExitCode;

use ccd402_domain::webhook::transition::Transition;
use clap::Args as ClapArgs;
use reqwest::Method;
use serde_json::json;

use super::shown::WithSecret;
use super::{At, transition};

/// Make a webhook and print its secret: the only time that it is shown.
///
/// It is told of what happens from now on: by default of all that happens to what was handed in
/// (confirmed, failed, reserved, released, consumed). The URL must be reachable from the internet,
/// unless the operator allows its network (serve --webhook-allow).
///
/// Example: ccd402 webhooks create https://shop.example/hooks/ccd402 --type confirmed,failed
#[derive(Debug, ClapArgs)]
pub(super) struct Args {
    /// Where messages go, http or https
    #[arg(value_name = "URL")]
    to: String,
    /// What you call it
    #[arg(long, value_name = "TEXT", default_value = "")]
    description: String,
    /// Of what it hears: requested, confirmed, failed, reserved, released, consumed
    #[arg(long = "type", value_name = "TYPES", value_delimiter = ',', value_parser = transition)]
    types: Vec<Transition>,
    #[command(flatten)]
    at: At,
}

pub(super) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let (server, output) = args.at.open()?;
    let mut body = json!({ "url": args.to, "description": args.description });
    if !args.types.is_empty() {
        body["types"] = json!(args.types);
    }
    let made: WithSecret = server.ask(Method::POST, "/v1/webhooks", Some(&body)).await?;
    output.print(&made.page(), &made);
    Ok(ExitCode::SUCCESS)
}
