//! What has happened to a Webhook and to its deliveries.
//!
//! Deliveries and their answers are events because nothing else tells of them. What a receiver
//! answers is kept as a status code or one word; its body is not.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::ids::{VerificationId, WebhookId};
use crate::tenant::TenantId;
use crate::webhook::transition::Transition;

/// Somebody wants to be told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct WebhookCreated {
    /// Its id.
    pub webhook: WebhookId,
    /// Of whose verifications it hears.
    pub tenant: TenantId,
    /// Where messages go.
    pub url: String,
    /// For people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Of what it hears.
    pub types: BTreeSet<Transition>,
    /// It hears of what happens after this position of the log.
    pub since: u64,
    /// When.
    pub created_at: DateTime<Utc>,
}

/// Its settings were changed; what is absent stayed as it was.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct WebhookChanged {
    /// Where messages go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Of what it hears.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub types: Option<BTreeSet<Transition>>,
    /// Of types that are new it hears what happens after this position of the log.
    pub since: u64,
}

/// It has a new secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct WebhookSecretRotated {
    /// Which secret it is: the first, at creation, was 1.
    pub number: u64,
    /// Until then messages are signed with the former one as well.
    pub previous_valid_until: DateTime<Utc>,
}

/// It is told again, also of what happened meanwhile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct WebhookEnabled {
    /// When.
    pub at: DateTime<Utc>,
}

/// It is not told until it is enabled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct WebhookDisabled {
    /// Why.
    pub why: WhyDisabled,
    /// When.
    pub at: DateTime<Utc>,
}

/// Why a webhook is not told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum WhyDisabled {
    /// The receiver answered 410.
    Gone,
    /// A whole schedule of tries went by without one delivery.
    Failing,
    /// Somebody asked for it.
    Operator,
}

/// It is gone for good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct WebhookDeleted {
    /// When.
    pub at: DateTime<Utc>,
}

/// How far its deliveries have come, so that a restart need not read the log from the beginning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct WebhookCheckpointed {
    /// Every transition up to here is delivered or given up, but for those below.
    pub scanned: u64,
    /// Positions of transitions that are still to be delivered.
    pub outstanding: BTreeSet<u64>,
    /// When something was delivered last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivered_at: Option<DateTime<Utc>>,
}

/// A delivery was tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct WebhookDelivered {
    /// To which webhook.
    pub webhook: WebhookId,
    /// Of which verification.
    pub verification: VerificationId,
    /// Of which transition: its position in the log.
    pub position: u64,
    /// Which kind that is.
    pub transition: Transition,
    /// The first is 1.
    pub attempt: u32,
    /// What came back.
    #[serde(flatten)]
    pub answer: Answer,
    /// How long that took.
    pub duration_ms: u64,
    /// When the first try of this transition was made.
    pub first_at: DateTime<Utc>,
    /// When this try was made.
    pub at: DateTime<Utc>,
    /// What it came to.
    pub outcome: DeliveryOutcome,
    /// When the next try is due, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<DateTime<Utc>>,
}

/// What came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Answer {
    /// The receiver answered with this HTTP status.
    #[serde(rename = "status")]
    Status(u16),
    /// It did not answer.
    #[serde(rename = "error")]
    Error(NoAnswer),
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum NoAnswer {
    /// Its address is one that webhooks may not reach.
    Refused,
    /// Its name has no address.
    Unresolved,
    /// No connection, or TLS failed.
    Unreachable,
    /// It took too long.
    TimedOut,
    /// The connection broke before an answer.
    Broken,
}

/// What a try came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum DeliveryOutcome {
    /// The receiver has it.
    Delivered,
    /// It will be tried again.
    Failed,
    /// It was the last try.
    GivenUp,
}

impl Answer {
    /// Whether the receiver has taken the message.
    #[must_use]
    pub fn is_taken(self) -> bool {
        matches!(self, Self::Status(200..=299))
    }
}
