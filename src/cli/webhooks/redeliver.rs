//! `ccd402 webhooks redeliver`: sends events again, one after the other, in order.

use std::collections::BTreeSet;
use std::process::ExitCode;

use ccd402_domain::ids::{VerificationId, WebhookId};
use ccd402_domain::webhook::event::DeliveryOutcome;
use clap::{ArgGroup, Args as ClapArgs};
use reqwest::Method;

use super::At;
use super::deliveries::Pages;
use super::shown::Delivery;
use crate::cli::remote::{NO_BODY, Server};
use crate::output::Output;

/// Send events to a webhook again, now: one, those of a verification, or all that were given up.
///
/// A message that is sent again has the id of the first, so that a receiver that knows it can leave
/// it out. It goes on in the order in which things happened, and stops where one is not taken
/// (exit code 1): mend the receiver, and run it again.
///
/// Example: ccd402 webhooks redeliver 019aa9f2-53f8-7c3a-8d43-1d2f0c4b9e11 --given-up
#[derive(Debug, ClapArgs)]
#[command(group = ArgGroup::new("what").required(true))]
pub(super) struct Args {
    /// Id of the webhook, as the list shows it
    #[arg(value_name = "ID")]
    id: WebhookId,
    /// The event at this position, as deliveries and messages show it
    #[arg(long, value_name = "N", group = "what")]
    position: Option<u64>,
    /// All events of this verification that were sent before
    #[arg(long, value_name = "ID", group = "what")]
    verification: Option<VerificationId>,
    /// All events that were given up and never delivered
    #[arg(long, group = "what")]
    given_up: bool,
    #[command(flatten)]
    at: At,
}

pub(super) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let (server, output) = args.at.open()?;
    let positions = match args.position {
        Some(position) => vec![position],
        None => positions(&server, Pages::of(args.id, args.verification), args.given_up).await?,
    };
    if positions.is_empty() && output == Output::Text {
        output.print("There is nothing to send again.", &());
    }
    for position in positions {
        let path = format!("/v1/webhooks/{}/deliveries/{position}/redeliver", args.id);
        let tried: Delivery = server.ask(Method::POST, &path, NO_BODY).await?;
        output.print(&tried.line(), &tried);
        if !tried.is_delivered() {
            return Ok(ExitCode::from(1));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Positions that were tried, in order; only those that were given up, if so wished.
async fn positions(
    server: &Server,
    mut pages: Pages,
    only_given_up: bool,
) -> anyhow::Result<Vec<u64>> {
    let (mut tried, mut given_up, mut delivered) = Default::default();
    while let Some(page) = pages.next(server).await? {
        for Delivery { position, outcome, .. } in page {
            let into: &mut BTreeSet<u64> = match outcome {
                DeliveryOutcome::Failed => &mut tried,
                DeliveryOutcome::GivenUp => &mut given_up,
                DeliveryOutcome::Delivered => &mut delivered,
            };
            into.insert(position);
        }
    }
    if only_given_up {
        return Ok(given_up.difference(&delivered).copied().collect());
    }
    Ok(tried
        .into_iter()
        .chain(given_up)
        .chain(delivered)
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect())
}
