//! `ccd402 webhooks change`: other settings for a webhook, or switching it off and on.

use std::process::ExitCode;

use ccd402_domain::ids::WebhookId;
use ccd402_domain::webhook::transition::Transition;
use clap::{ArgGroup, Args as ClapArgs};
use reqwest::Method;
use serde::Serialize;

use super::shown::Shown;
use super::{At, transition};

/// Change a webhook, or switch it off and on; what is not said stays.
///
/// What happens while it is disabled is told once it is enabled again. A webhook is disabled by
/// itself when its receiver answers 410, or takes nothing for a whole schedule of tries.
///
/// Example: ccd402 webhooks change 019aa9f2-53f8-7c3a-8d43-1d2f0c4b9e11 --enable
#[derive(Debug, ClapArgs)]
#[command(group = ArgGroup::new("change").required(true).multiple(true))]
pub(super) struct Args {
    /// Id of the webhook, as the list shows it
    #[arg(value_name = "ID")]
    id: WebhookId,
    /// Where messages go from now on
    #[arg(long, value_name = "URL", group = "change")]
    to: Option<String>,
    /// What you call it
    #[arg(long, value_name = "TEXT", group = "change")]
    description: Option<String>,
    /// Of what it hears, all of it; of what is new among them, from now on
    #[arg(long = "type", value_name = "TYPES", value_delimiter = ',', value_parser = transition,
        group = "change")]
    types: Vec<Transition>,
    /// Tell it, also of what happened meanwhile
    #[arg(long, group = "change", conflicts_with = "disable")]
    enable: bool,
    /// Tell it nothing until it is enabled
    #[arg(long, group = "change")]
    disable: bool,
    #[command(flatten)]
    at: At,
}

/// What the API is sent.
#[derive(Serialize)]
struct Changes {
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    types: Vec<Transition>,
    #[serde(skip_serializing_if = "Option::is_none")]
    enabled: Option<bool>,
}

pub(super) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let Args { id, to: url, description, types, enable, disable, at } = args;
    let (server, output) = at.open()?;
    let enabled = (enable || disable).then_some(enable);
    let changes = Changes { url, description, types, enabled };
    let path = format!("/v1/webhooks/{id}");
    let shown: Shown = server.ask(Method::PATCH, &path, Some(&changes)).await?;
    output.print(&shown.page(), &shown);
    Ok(ExitCode::SUCCESS)
}
