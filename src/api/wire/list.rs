//! The JSON of lists of verifications: rows of the read model.
//!
//! Nothing in it depends on the time at which it is asked for: whether a reservation has lapsed is
//! for who reads it, who is told until when it may last.

use ccd402_app::ports::log::Position;
use ccd402_app::projections::verifications::{Outcome, Row, Usage};
use ccd402_domain::tenant::TenantId;
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use super::{Block, PENDING, Payment, Reason, Resource, Verification};

/// A page of verifications, newest first.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct VerificationPage<'a> {
    /// Everything up to this position of the log is in it.
    pub(crate) as_of: Position,
    pub(crate) verifications: Vec<Item<'a>>,
    /// For `?cursor=`; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next: Option<String>,
}

/// A verification in a list.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Item<'a> {
    /// Its usage is as its events say: `reserved` also after the reservation has lapsed.
    #[serde(flatten)]
    verification: Verification<'a>,
    tenant: &'a TenantId,
    /// When it was confirmed or failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    decided_at: Option<DateTime<Utc>>,
    /// Until when it is reserved, at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    reserved_until: Option<DateTime<Utc>>,
    /// Position of its newest event.
    changed: Position,
}

impl<'a> Item<'a> {
    /// A row.
    pub(crate) fn of(row: &'a Row, status_url: &'a str) -> Self {
        let standing = &row.standing;
        let (status, block, rejection, decided_at) = match &standing.outcome {
            Outcome::Pending { transfer } => (PENDING, *transfer, None, None),
            Outcome::Confirmed { block, at } => ("confirmed", Some(*block), None, Some(*at)),
            Outcome::Failed { rejection, at } => ("failed", None, Some(rejection), Some(*at)),
        };
        let (usage, reserved_until) = match standing.usage {
            Usage::Free => ("free", None),
            Usage::Reserved { until } => ("reserved", Some(until)),
            Usage::Used => ("used", None),
        };
        let verification = Verification {
            id: row.id,
            status,
            status_url,
            reason: rejection.map(Reason::of),
            payment: payment(row),
            block: block.map(Block::of),
            usage,
            version: standing.version,
            requested_at: row.requested_at,
        };
        let tenant = &row.tenant;
        Self { verification, tenant, decided_at, reserved_until, changed: standing.changed }
    }
}

fn payment(row: &Row) -> Payment<'_> {
    Payment {
        network: row.network.as_str(),
        transaction: row.transaction.to_string(),
        payer: row.payer.to_string(),
        pay_to: row.pay_to.to_string(),
        asset: row.asset.to_string(),
        amount: row.amount.to_string(),
        resource: Resource { method: &row.resource.method, url: &row.resource.url },
    }
}
