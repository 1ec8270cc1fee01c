//! The JSON of `/v1`: the wire names of what the domain knows. Proofs and reservation ids have
//! none.

pub(crate) mod check;
pub(crate) mod discovery;
pub(crate) mod event;
pub(crate) mod jobs;
pub(crate) mod keys;
pub(crate) mod list;
pub(crate) mod projections;
pub(crate) mod stats;
pub(crate) mod webhooks;

use ccd402_app::ports::log::Position;
use ccd402_domain::ids::VerificationId;
use ccd402_domain::rejection::Rejection;
use ccd402_domain::transaction::BlockRef;
use ccd402_domain::verification::state::{self, Outcome};
use ccd402_protocol::code::ReasonCode;
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A submission that was taken in just now.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Accepted<'a> {
    pub(crate) id: VerificationId,
    pub(crate) status: &'static str,
    pub(crate) status_url: &'a str,
}

/// A batch that was looked at: an answer for each item, in the order of the items.
#[derive(Default, Serialize, JsonSchema)]
pub(crate) struct Batch {
    pub(crate) accepted: usize,
    pub(crate) repeated: usize,
    pub(crate) refused: usize,
    pub(crate) results: Vec<BatchItem>,
}

/// What became of one item.
#[derive(Serialize, JsonSchema)]
pub(crate) struct BatchItem {
    /// Its place in the batch; the first is 0.
    pub(crate) index: usize,
    #[serde(flatten)]
    pub(crate) answer: ItemAnswer,
}

/// How an item is answered.
#[derive(Serialize, JsonSchema)]
#[serde(tag = "status", rename_all = "lowercase", rename_all_fields = "camelCase")]
pub(crate) enum ItemAnswer {
    /// Taken in just now.
    Accepted { id: VerificationId, status_url: String },
    /// Taken in before, under the same key.
    Repeated { id: VerificationId, status_url: String },
    /// Not taken in.
    Refused { code: ReasonCode, detail: String },
}

/// A verification.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Verification<'a> {
    id: VerificationId,
    #[schemars(extend("enum" = [PENDING, "confirmed", "failed"]))]
    status: &'static str,
    status_url: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<Reason<'a>>,
    payment: Payment<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    block: Option<Block>,
    #[schemars(extend("enum" = ["free", "reserved", "used"]))]
    usage: &'static str,
    version: u64,
    requested_at: DateTime<Utc>,
}

/// A verification that was asked for, and up to which event it is told.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Shown<'a> {
    /// Everything of it up to this position of the log is in it.
    pub(crate) as_of: Position,
    #[serde(flatten)]
    pub(crate) verification: Verification<'a>,
}

#[derive(Serialize, JsonSchema)]
struct Reason<'a> {
    code: ReasonCode,
    title: &'static str,
    detail: &'a str,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Payment<'a> {
    network: &'a str,
    transaction: String,
    payer: String,
    pay_to: String,
    asset: String,
    amount: String,
    resource: Resource<'a>,
}

#[derive(Serialize, JsonSchema)]
struct Resource<'a> {
    method: &'a str,
    url: &'a str,
}

#[derive(Serialize, JsonSchema)]
struct Block {
    height: u64,
    hash: String,
    time: DateTime<Utc>,
}

/// Body of a release.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Release {
    pub(crate) reservation: uuid::Uuid,
}

/// The status of what is not decided yet.
pub(crate) const PENDING: &str = "pending";

impl<'a> Verification<'a> {
    /// A verification as it stands at a time; lapsed reservations are none.
    pub(crate) fn of(
        state: &'a state::Verification,
        status_url: &'a str,
        now: DateTime<Utc>,
    ) -> Self {
        let (status, block, rejection) = match &state.outcome {
            Outcome::Pending { transfer } => (PENDING, *transfer, None),
            Outcome::Confirmed { block } => ("confirmed", Some(*block), None),
            Outcome::Failed(rejection) => ("failed", None, Some(rejection)),
        };
        Self {
            id: state.id,
            status,
            status_url,
            reason: rejection.map(Reason::of),
            payment: Payment::of(&state.payment),
            block: block.map(Block::of),
            usage: usage(&state.usage, now),
            version: state.version,
            requested_at: state.requested_at,
        }
    }
}

impl<'a> Reason<'a> {
    fn of(rejection: &'a Rejection) -> Self {
        Self { code: rejection.code, title: rejection.code.title(), detail: &rejection.detail }
    }
}

impl<'a> Payment<'a> {
    fn of(payment: &'a ccd402_domain::payment::Payment) -> Self {
        Self {
            network: payment.network.as_str(),
            transaction: payment.transaction.to_string(),
            payer: payment.payer.to_string(),
            pay_to: payment.pay_to.to_string(),
            asset: payment.asset.to_string(),
            amount: payment.amount.to_string(),
            resource: Resource { method: &payment.resource.method, url: &payment.resource.url },
        }
    }
}

impl Block {
    fn of(block: BlockRef) -> Self {
        Self { height: block.height, hash: block.hash.to_string(), time: block.time }
    }
}

fn usage(usage: &state::Usage, now: DateTime<Utc>) -> &'static str {
    let is_held = usage.reserved.is_some_and(|reservation| now < reservation.until);
    match usage {
        state::Usage { settled: true, .. } | state::Usage { verified: true, .. } => "used",
        _ if is_held => "reserved",
        _ => "free",
    }
}
