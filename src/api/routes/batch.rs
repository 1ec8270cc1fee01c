//! `POST /v1/verifications` with a JSON array or NDJSON: many payments taken in at once, 202 with an
//! answer for each.
//!
//! An `Idempotency-Key` belongs to each item together with the item's bytes, so that a repeat is
//! recognised item by item.

use axum::response::Response;
use ccd402_app::batch::{BATCH_ITEMS_MAX, Item};
use ccd402_app::idempotency::IdempotencyKey;
use ccd402_protocol::code::ReasonCode;
use http::StatusCode;

use crate::api::Api;
use crate::caller::Caller;
use crate::problem::Problem;
use crate::reply;
use crate::wire::{Batch, BatchItem, ItemAnswer};

/// Takes the items of a batch in.
///
/// # Errors
/// Where there are none or too many, for all or for this caller, or none can be taken in now.
pub(crate) async fn submit(
    api: &Api,
    caller: &Caller,
    items: &[&[u8]],
    key: Option<&IdempotencyKey>,
) -> Result<Response, Problem> {
    if items.is_empty() {
        return Err(Problem::malformed("the batch is empty"));
    }
    if items.len() > BATCH_ITEMS_MAX {
        let detail = format!("a batch has at most {BATCH_ITEMS_MAX} items");
        let status = StatusCode::PAYLOAD_TOO_LARGE;
        return Err(Problem::new(status, ReasonCode::RequestTooLarge, detail));
    }
    api.access.counts_as(caller, items.len())?;
    let answers = api.facilitator.submit_batch(&caller.tenant, items, key).await;
    let mut batch = Batch::default();
    for (index, item) in answers.map_err(|error| api.fault(error))?.into_iter().enumerate() {
        let answer = match item {
            Item::Accepted(id) => {
                batch.accepted += 1;
                ItemAnswer::Accepted { id, status_url: api.status_url(id) }
            }
            Item::Repeated(id) => {
                batch.repeated += 1;
                ItemAnswer::Repeated { id, status_url: api.status_url(id) }
            }
            Item::Refused(rejection) => {
                batch.refused += 1;
                ItemAnswer::Refused { code: rejection.code, detail: rejection.detail }
            }
        };
        batch.results.push(BatchItem { index, answer });
    }
    Ok(reply::json(StatusCode::ACCEPTED, &batch))
}
