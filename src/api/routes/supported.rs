//! `GET /supported`: the ways to pay that this facilitator verifies, in both versions.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use ccd402_protocol::bazaar::BAZAAR;
use ccd402_protocol::facilitator::{SupportedKind, SupportedResponse};
use ccd402_protocol::identifier::PAYMENT_IDENTIFIER;
use ccd402_protocol::identity::EXTENSION;
use ccd402_protocol::network::NetworkId;
use ccd402_protocol::requirements::{FLOW_UPFRONT, METHOD_TRANSACTION_HASH, SCHEME_EXACT};
use ccd402_protocol::version::X402Version;
use http::header::CONTENT_TYPE;
use serde_json::{Map, Value};

use crate::api::Api;
use crate::reply;

/// Every Concordium network, as the key of `signers` wants it.
const EVERY_NETWORK: &str = "ccd:*";

pub(crate) async fn supported(State(api): State<Arc<Api>>) -> Response {
    ([(CONTENT_TYPE, reply::JSON)], api.supported.clone()).into_response()
}

/// The body, which is the same for the life of the process.
pub(crate) fn body(network: &NetworkId, fee_payers: Vec<String>) -> Bytes {
    let by_hash = Map::from_iter([
        ("assetTransferMethod".to_owned(), METHOD_TRANSACTION_HASH.into()),
        ("paymentFlow".to_owned(), FLOW_UPFRONT.into()),
    ]);
    // One fee payer is enough to make an offer with; `signers` names all of them.
    let sponsored = fee_payers
        .first()
        .map(|payer| Map::from_iter([("feePayer".to_owned(), payer.as_str().into())]));
    let kind = |x402_version, network: &str, extra: &Map<String, Value>| SupportedKind {
        x402_version,
        scheme: SCHEME_EXACT.to_owned(),
        network: network.to_owned(),
        extra: Some(extra.clone()),
    };
    let kinds = sponsored.iter().chain([&by_hash]).flat_map(|extra| {
        [
            kind(X402Version::V1, network.v1_name(), extra),
            kind(X402Version::V2, network.as_str(), extra),
        ]
    });
    reply::bytes(&SupportedResponse {
        kinds: kinds.collect(),
        extensions: [EXTENSION, PAYMENT_IDENTIFIER, BAZAAR].map(str::to_owned).to_vec(),
        signers: BTreeMap::from([(EVERY_NETWORK.to_owned(), fee_payers)]),
    })
}
