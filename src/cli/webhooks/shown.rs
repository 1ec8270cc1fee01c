//! Webhooks and deliveries as they are printed, and as the API sends them.

use ccd402_domain::ids::{VerificationId, WebhookId};
use ccd402_domain::webhook::event::{Answer, DeliveryOutcome, WhyDisabled};
use ccd402_domain::webhook::transition::Transition;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// A webhook without its secret.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Shown {
    pub(super) id: WebhookId,
    tenant: String,
    url: String,
    description: String,
    types: Vec<Transition>,
    status: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    disabled: Option<Disabled>,
    since: u64,
    secret_number: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    former_secret_until: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Disabled {
    why: WhyDisabled,
    at: DateTime<Utc>,
}

/// A webhook with a secret that was made just now. Not `Debug`.
#[derive(Serialize, Deserialize)]
pub(super) struct WithSecret {
    #[serde(flatten)]
    shown: Shown,
    secret: String,
}

/// One try.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Delivery {
    pub(super) position: u64,
    pub(super) verification: VerificationId,
    r#type: Transition,
    attempt: u32,
    #[serde(flatten)]
    answer: Answer,
    duration_ms: u64,
    at: DateTime<Utc>,
    pub(super) outcome: DeliveryOutcome,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retry_at: Option<DateTime<Utc>>,
}

impl Shown {
    /// On one line, for a list.
    pub(super) fn line(&self) -> String {
        let Self { id, tenant, url, .. } = self;
        format!("{id}  {tenant:12}  {:24}  {url}", self.standing())
    }

    /// All of it.
    pub(super) fn page(&self) -> String {
        let types: Vec<_> = self.types.iter().map(|each| each.as_str()).collect();
        let secret = match self.former_secret_until {
            Some(until) => format!("; the one before signs until {}", shortly(until)),
            None => String::new(),
        };
        let mut lines = vec![
            format!("webhook   {}", self.id),
            format!("tenant    {}", self.tenant),
            format!("url       {}", self.url),
            format!("hears of  {}", types.join(", ")),
            format!("status    {}", self.standing()),
            format!("secret    number {}{secret}", self.secret_number),
            format!("made      {}, at position {}", shortly(self.created_at), self.since),
        ];
        if !self.description.is_empty() {
            lines.insert(3, format!("for       {}", self.description));
        }
        lines.join("\n")
    }

    fn standing(&self) -> String {
        let Some(Disabled { why, at }) = &self.disabled else { return self.status.clone() };
        let why = match why {
            WhyDisabled::Gone => "answered 410",
            WhyDisabled::Failing => "took nothing",
            WhyDisabled::Operator => "by hand",
        };
        format!("disabled {}: {why}", shortly(*at))
    }
}

impl WithSecret {
    /// The secret first: it is not shown again.
    pub(super) fn page(&self) -> String {
        format!("{}\n\nKeep it: it is not shown again.\n{}", self.secret, self.shown.page())
    }
}

impl Delivery {
    /// On one line.
    pub(super) fn line(&self) -> String {
        let Self { position, verification, r#type, attempt, duration_ms, .. } = self;
        let outcome = match (self.outcome, self.retry_at) {
            (DeliveryOutcome::Delivered, _) => "delivered".to_owned(),
            (DeliveryOutcome::GivenUp, _) => "given up".to_owned(),
            (DeliveryOutcome::Failed, None) => "failed".to_owned(),
            (DeliveryOutcome::Failed, Some(at)) => format!("failed, again {}", shortly(at)),
        };
        let (at, answer) = (shortly(self.at), said(self.answer));
        format!(
            "{position:>8}  {verification}  {type:22}  try {attempt:<2}  {at}  {answer:>11}  \
             {duration_ms:>5} ms  {outcome}"
        )
    }

    pub(super) fn is_delivered(&self) -> bool {
        self.outcome == DeliveryOutcome::Delivered
    }
}

/// An answer as people read it.
pub(super) fn said(answer: Answer) -> String {
    match answer {
        Answer::Status(status) => status.to_string(),
        Answer::Error(error) => {
            let word = serde_json::to_value(error).expect("a word has JSON");
            word.as_str().unwrap_or("no answer").replace('_', " ")
        }
    }
}

fn shortly(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}
