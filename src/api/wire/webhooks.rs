//! The JSON of `/v1/webhooks`, and of the messages that webhooks are sent. A secret is in the answers
//! to its making alone.

use std::collections::BTreeSet;
use std::time::Duration;

use ccd402_app::ports::log::Position;
use ccd402_app::webhooks::create;
use ccd402_app::webhooks::manage::NewSettings;
use ccd402_app::webhooks::ping::Came;
use ccd402_app::webhooks::secret::ShownSecret;
use ccd402_domain::ids::{VerificationId, WebhookId};
use ccd402_domain::tenant::TenantId;
use ccd402_domain::webhook::event::{Answer, DeliveryOutcome, WebhookDelivered, WhyDisabled};
use ccd402_domain::webhook::state::{Status, Webhook};
use ccd402_domain::webhook::transition::Transition;
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::wire::Verification;

/// Body of `POST /v1/webhooks`.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NewWebhook {
    /// Where messages go: `https`, or `http`, reachable from the internet.
    url: String,
    /// For people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    description: String,
    /// Of what it hears; where absent, of all that happens to what was handed in.
    #[serde(default = "Transition::by_default", skip_serializing_if = "BTreeSet::is_empty")]
    types: BTreeSet<Transition>,
}

/// Body of `PATCH /v1/webhooks/{id}`: what is absent stays.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct WebhookChanges {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    types: Option<BTreeSet<Transition>>,
    /// Whether it is told; what happened while it was not is told when it is again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    enabled: Option<bool>,
}

/// A webhook, without its secret.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ShownWebhook<'a> {
    id: WebhookId,
    tenant: &'a TenantId,
    url: &'a str,
    description: &'a str,
    types: BTreeSet<Transition>,
    #[schemars(extend("enum" = ["enabled", "disabled"]))]
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    disabled: Option<Disabled>,
    /// It hears of what happened after this position of the log.
    since: Position,
    /// Which secret signs: the first is 1.
    secret_number: u64,
    /// Until then the secret before it signs as well.
    #[serde(skip_serializing_if = "Option::is_none")]
    former_secret_until: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
}

/// Why a webhook is not told, and since when.
#[derive(Serialize, JsonSchema)]
struct Disabled {
    why: WhyDisabled,
    at: DateTime<Utc>,
}

/// A webhook with a secret that was made just now.
#[derive(Serialize, JsonSchema)]
pub(crate) struct WebhookWithSecret<'a> {
    #[serde(flatten)]
    shown: ShownWebhook<'a>,
    /// `whsec_` and the secret in Base64.
    secret: &'a str,
}

/// A page of webhooks, in the order of their ids.
#[derive(Serialize, JsonSchema)]
pub(crate) struct WebhookPage<'a> {
    pub(crate) webhooks: Vec<ShownWebhook<'a>>,
    /// For `?after=`; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next: Option<WebhookId>,
}

/// What a receiver answered to a ping: a status, or why there is none.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Pinged {
    #[serde(flatten)]
    answer: Answer,
    /// Whether the receiver has taken it: a status from 200 to 299.
    taken: bool,
    duration_ms: u64,
}

/// One try of telling a webhook of one event, with what the receiver answered: a status, or why
/// there is none.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Delivery {
    /// Of which event: its position in the log.
    position: Position,
    verification: VerificationId,
    r#type: Transition,
    /// The first is 1.
    attempt: u32,
    #[serde(flatten)]
    answer: Answer,
    duration_ms: u64,
    at: DateTime<Utc>,
    outcome: DeliveryOutcome,
    /// When the next try is due, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_at: Option<DateTime<Utc>>,
}

/// A page of tries, in the order of verifications, and within one as they happened.
#[derive(Serialize, JsonSchema)]
pub(crate) struct DeliveryPage {
    pub(crate) deliveries: Vec<Delivery>,
    /// For `?after=`; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next: Option<VerificationId>,
}

/// What a webhook is sent.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Message<'a> {
    pub(crate) r#type: Transition,
    /// When it happened.
    pub(crate) timestamp: DateTime<Utc>,
    pub(crate) data: Data<'a>,
}

/// The verification as it was after what happened, and where that stands in the log.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Data<'a> {
    /// Grows with time: what has the higher position happened later.
    pub(crate) position: Position,
    pub(crate) verification: Verification<'a>,
}

/// What a webhook is sent to try the way.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Ping {
    #[schemars(extend("const" = PING))]
    r#type: &'static str,
    timestamp: DateTime<Utc>,
    data: Nothing,
}

#[derive(Serialize, JsonSchema)]
struct Nothing {}

/// The type of a message that only tries the way.
const PING: &str = "webhook.ping";

impl NewWebhook {
    /// What the use case wants to know.
    pub(crate) fn asked(self) -> create::NewWebhook {
        let Self { url, description, types } = self;
        create::NewWebhook { url, description, types }
    }
}

impl WebhookChanges {
    /// What the use case wants to know.
    pub(crate) fn asked(self) -> NewSettings {
        let Self { url, description, types, enabled } = self;
        NewSettings { url, description, types, is_enabled: enabled }
    }
}

impl<'a> ShownWebhook<'a> {
    /// A webhook as it stands at a time.
    pub(crate) fn of(webhook: &'a Webhook, now: DateTime<Utc>) -> Self {
        let disabled = match webhook.status {
            Status::Disabled { why, at } => Some(Disabled { why, at }),
            Status::Enabled | Status::Deleted => None,
        };
        Self {
            id: webhook.id,
            tenant: &webhook.tenant,
            url: &webhook.url,
            description: &webhook.description,
            types: webhook.types.keys().copied().collect(),
            status: if disabled.is_some() { "disabled" } else { "enabled" },
            disabled,
            since: webhook.since,
            secret_number: webhook.secrets.number,
            former_secret_until: webhook.secrets.former_at(now).map(|one| one.valid_until).max(),
            created_at: webhook.created_at,
        }
    }

    /// With the secret that was made just now.
    pub(crate) fn with(self, secret: &'a ShownSecret) -> WebhookWithSecret<'a> {
        WebhookWithSecret { shown: self, secret: secret.as_str() }
    }
}

impl Pinged {
    /// What came back.
    pub(crate) fn of(came: Came) -> Self {
        let Came { answer, duration } = came;
        Self { answer, taken: answer.is_taken(), duration_ms: millis(duration) }
    }
}

impl Delivery {
    /// A try as the log tells it.
    pub(crate) fn of(tried: &WebhookDelivered) -> Self {
        Self {
            position: tried.position,
            verification: tried.verification,
            r#type: tried.transition,
            attempt: tried.attempt,
            answer: tried.answer,
            duration_ms: tried.duration_ms,
            at: tried.at,
            outcome: tried.outcome,
            retry_at: tried.retry_at,
        }
    }
}

impl Ping {
    /// One that is sent at a time.
    pub(crate) fn at(now: DateTime<Utc>) -> Self {
        Self { r#type: PING, timestamp: now, data: Nothing {} }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
