//! What a facilitator answers, as far as `top` shows it. Nothing is counted here.

use std::collections::BTreeMap;

use ccd402_domain::transaction::BlockRef;
use ccd402_domain::verification::event::VerificationRequested;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

/// Where a verification stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Status {
    Pending,
    Confirmed,
    Failed,
}

/// Of `/health`.
#[derive(Debug, Deserialize)]
pub(super) struct Health {
    pub(super) status: String,
}

/// Of `/readyz`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ready {
    pub(super) status: String,
    pub(super) parts: BTreeMap<String, String>,
}

/// Of `/v1/stats`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Stats {
    pub(super) as_of: u64,
    pub(super) totals: Vec<Group>,
    pub(super) by_time: Table,
    pub(super) refusals: Vec<Refusals>,
    pub(super) finality: Finality,
    pub(super) lag: Option<Lag>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Table {
    pub(super) groups: Vec<Group>,
}

/// How many stand at one status in one asset; of a step of time where it begins at one.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Group {
    pub(super) network: String,
    pub(super) asset: String,
    pub(super) status: Status,
    pub(super) count: u64,
    /// In smallest units.
    pub(super) amount: String,
    #[serde(default)]
    pub(super) begins: Option<DateTime<Utc>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Refusals {
    pub(super) code: String,
    pub(super) count: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Finality {
    pub(super) count: u64,
    pub(super) p50_ms: u64,
    pub(super) p90_ms: u64,
    pub(super) p99_ms: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Lag {
    pub(super) events: u64,
    #[serde(default)]
    pub(super) jobs_waiting: Option<u64>,
    #[serde(default)]
    pub(super) jobs_dead: Option<u64>,
}

/// Of `/v1/jobs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Jobs {
    pub(super) waiting: u64,
    pub(super) dead: u64,
    pub(super) oldest_due_seconds: u64,
}

/// Of `/v1/verifications`.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Page {
    pub(super) verifications: Vec<Row>,
}

/// A verification in the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Row {
    pub(super) id: Uuid,
    pub(super) status: Status,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<Reason>,
    pub(super) payment: Payment,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) block: Option<Block>,
    /// Absent where only the stream has told of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) usage: Option<String>,
    pub(super) requested_at: DateTime<Utc>,
    pub(super) tenant: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) decided_at: Option<DateTime<Utc>>,
    /// Position of its newest event.
    pub(super) changed: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Reason {
    pub(super) code: String,
    pub(super) detail: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Payment {
    pub(super) network: String,
    pub(super) transaction: String,
    pub(super) payer: String,
    pub(super) pay_to: String,
    pub(super) asset: String,
    /// In smallest units.
    pub(super) amount: String,
    pub(super) resource: Resource,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Resource {
    pub(super) method: String,
    pub(super) url: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Block {
    pub(super) height: u64,
    pub(super) hash: String,
    pub(super) time: DateTime<Utc>,
}

/// Of `/v1/assets/{asset}`.
#[derive(Debug, Deserialize)]
pub(super) struct Asset {
    pub(super) decimals: u8,
}

/// Of `/v1/stream`; its data is of the type that it names.
#[derive(Debug, Deserialize)]
pub(super) struct Told {
    pub(super) position: u64,
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) time: DateTime<Utc>,
    pub(super) data: Box<RawValue>,
}

/// A line of `/v1/events`.
#[derive(Debug, Deserialize)]
pub(super) struct Line {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) data: Box<RawValue>,
}

impl Row {
    /// As it stands when it was handed in.
    pub(super) fn requested(requested: &VerificationRequested, position: u64) -> Self {
        let payment = &requested.payment;
        Self {
            id: requested.verification.0,
            status: Status::Pending,
            reason: None,
            payment: Payment {
                network: payment.network.as_str().to_owned(),
                transaction: payment.transaction.to_string(),
                payer: payment.payer.to_string(),
                pay_to: payment.pay_to.to_string(),
                asset: payment.asset.to_string(),
                amount: payment.amount.to_string(),
                resource: Resource {
                    method: payment.resource.method.clone(),
                    url: payment.resource.url.clone(),
                },
            },
            block: None,
            usage: None,
            requested_at: requested.requested_at,
            tenant: requested.tenant.to_string(),
            decided_at: None,
            changed: position,
        }
    }
}

impl From<BlockRef> for Block {
    fn from(block: BlockRef) -> Self {
        Self { height: block.height, hash: block.hash.to_string(), time: block.time }
    }
}

impl Status {
    pub(super) const ALL: [Self; 3] = [Self::Pending, Self::Confirmed, Self::Failed];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Confirmed => "confirmed",
            Self::Failed => "failed",
        }
    }
}
