//! `ccd402 webhooks deliveries`: what was sent to a webhook, and what it answered.

use std::process::ExitCode;

use ccd402_domain::ids::{VerificationId, WebhookId};
use clap::{Args as ClapArgs, ValueEnum};
use reqwest::Method;
use serde::Deserialize;

use super::At;
use super::shown::Delivery;
use crate::cli::remote::{NO_BODY, Server};

/// List what was sent to a webhook, and what it answered, a try a line.
///
/// In the order of verifications, and within one as it happened.
///
/// Example: ccd402 webhooks deliveries 019aa9f2-53f8-7c3a-8d43-1d2f0c4b9e11 --outcome given-up
#[derive(Debug, ClapArgs)]
pub(super) struct Args {
    /// Id of the webhook, as the list shows it
    #[arg(value_name = "ID")]
    id: WebhookId,
    /// Only of this verification
    #[arg(long, value_name = "ID")]
    verification: Option<VerificationId>,
    /// Only tries that came to this
    #[arg(long, value_name = "OUTCOME")]
    outcome: Option<Outcome>,
    /// Most tries that are listed
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    limit: usize,
    #[command(flatten)]
    at: At,
}

/// What a try came to.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Outcome {
    /// The receiver has taken it.
    Delivered,
    /// It is tried again.
    Failed,
    /// It was the last try by itself.
    GivenUp,
}

/// A webhook's tries, in pages.
pub(super) struct Pages {
    path: String,
    next: Option<String>,
}

#[derive(Deserialize)]
struct Page {
    deliveries: Vec<Delivery>,
    next: Option<VerificationId>,
}

impl Pages {
    /// All tries of a webhook, or of one verification.
    pub(super) fn of(id: WebhookId, verification: Option<VerificationId>) -> Self {
        let verification = verification.map(|id| format!("verification={id}&")).unwrap_or_default();
        let path = format!("/v1/webhooks/{id}/deliveries?{verification}");
        Self { next: Some(path.clone()), path }
    }

    fn with(mut self, outcome: Option<Outcome>) -> Self {
        let word = match outcome {
            None => return self,
            Some(Outcome::Delivered) => "delivered",
            Some(Outcome::Failed) => "failed",
            Some(Outcome::GivenUp) => "given_up",
        };
        self.path = format!("{}outcome={word}&", self.path);
        self.next = Some(self.path.clone());
        self
    }

    /// The next page, which may be empty; none after the last.
    pub(super) async fn next(&mut self, server: &Server) -> anyhow::Result<Option<Vec<Delivery>>> {
        let Some(path) = self.next.take() else { return Ok(None) };
        let page: Page = server.ask(Method::GET, &path, NO_BODY).await?;
        self.next = page.next.map(|next| format!("{}after={next}", self.path));
        Ok(Some(page.deliveries))
    }
}

pub(super) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let (server, output) = args.at.open()?;
    let mut pages = Pages::of(args.id, args.verification).with(args.outcome);
    let mut left = args.limit;
    while let Some(page) = pages.next(&server).await? {
        for delivery in &page {
            if left == 0 {
                eprintln!("there is more: --limit lists more, --verification less");
                return Ok(ExitCode::SUCCESS);
            }
            output.print(&delivery.line(), delivery);
            left -= 1;
        }
    }
    Ok(ExitCode::SUCCESS)
}
