//! `POST /settle`: as `/verify`, and uses the payment up. Names transaction and network always.

use std::borrow::Cow;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use ccd402_app::answer::Answer;
use ccd402_app::verify::Call;
use ccd402_domain::ids::TransactionHash;
use ccd402_domain::key::scope::Scope;
use ccd402_protocol::facilitator::SettleResponse;
use http::StatusCode;
use serde::Deserialize;

use crate::api::Api;
use crate::caller::Caller;
use crate::problem::{Named, Problem};
use crate::routes::verify::{extra, no_conflict};
use crate::{body, headers, reply};

/// Longest name of a network that is echoed.
const NETWORK_BYTES_MAX: usize = 64;

/// What a request names, read for the echo alone: a request may be refused for any other field.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire<'a> {
    #[serde(borrow)]
    payment_requirements: WireRequirements<'a>,
    #[serde(borrow)]
    payment_payload: WirePayload<'a>,
}

#[derive(Deserialize)]
struct WireRequirements<'a> {
    #[serde(borrow)]
    network: Cow<'a, str>,
}

#[derive(Deserialize)]
struct WirePayload<'a> {
    #[serde(borrow)]
    payload: WireTransfer<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireTransfer<'a> {
    /// Absent in a sponsored payment, which has no hash before it is signed.
    #[serde(borrow, default)]
    tx_hash: Cow<'a, str>,
}

pub(crate) async fn settle(
    State(api): State<Arc<Api>>,
    caller: Caller,
    request: Request,
) -> Result<Response, Problem> {
    caller.must(Scope::Submit)?;
    let key = headers::idempotency_key(request.headers())?;
    let asked = headers::preferred_wait(request.headers()).unwrap_or(api.options.wait_default);
    let body = body::read(&api, request).await?;
    let key = headers::payment_key(key, &body)?;
    let wait = api.wait(asked);
    let call = Call { tenant: &caller.tenant, body: &body, key: key.as_ref(), wait: wait.duration };
    let settled = api.facilitator.settle(call).await;
    let settled = settled.map_err(|error| api.fault(error));
    match settled.and_then(|answer| no_conflict(&answer).map(|()| answer)) {
        Ok(answer) => Ok(reply::json(StatusCode::OK, &response(&api, named(&body), answer))),
        Err(problem) => Err(problem.naming(named(&body))),
    }
}

fn response(api: &Api, named: Named, answer: Answer) -> SettleResponse {
    let rejection = answer.result.err();
    let success = rejection.is_none();
    let (error_reason, error_message) =
        rejection.map(|rejection| (rejection.code.to_string(), rejection.detail)).unzip();
    let subject = answer.subject.as_ref();
    SettleResponse {
        success,
        error_reason,
        error_message,
        payer: subject.map(|subject| subject.payer.to_string()),
        transaction: subject.map_or(named.transaction, |subject| subject.transaction.to_string()),
        network: named.network,
        amount: subject.map(|subject| subject.amount.to_string()),
        extra: subject.map(|subject| extra(api, subject, None)),
    }
}

/// Network and transaction as the request names them; empty where it does not.
fn named(body: &[u8]) -> Named {
    let Ok(wire) = serde_json::from_slice::<Wire<'_>>(body) else { return Named::default() };
    let network = Some(wire.payment_requirements.network)
        .filter(|name| name.len() <= NETWORK_BYTES_MAX)
        .unwrap_or_default();
    let hash = wire.payment_payload.payload.tx_hash.parse::<TransactionHash>();
    let transaction = hash.map(|hash| hash.to_string()).unwrap_or_default();
    Named { network: network.into_owned(), transaction }
}
