//! `GET /supported`: the ways to pay that this facilitator verifies, in both versions.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use ccd402_protocol::facilitator::{SupportedKind, SupportedResponse};
use ccd402_protocol::identity::EXTENSION;
use ccd402_protocol::network::NetworkId;
use ccd402_protocol::requirements::{FLOW_UPFRONT, METHOD_TRANSACTION_HASH, SCHEME_EXACT};
use ccd402_protocol::version::X402Version;
use http::header::CONTENT_TYPE;
use serde_json::Map;

use crate::api::Api;
use crate::reply;

/// Every Concordium network, as the key of `signers` wants it.
const EVERY_NETWORK: &str = "ccd:*";

pub(crate) async fn supported(State(api): State<Arc<Api>>) -> Response {
    ([(CONTENT_TYPE, reply::JSON)], api.supported.clone()).into_response()
}

/// The body, which is the same for the life of the process.
pub(crate) fn body(network: &NetworkId) -> Bytes {
    let extra = Map::from_iter([
        ("assetTransferMethod".to_owned(), METHOD_TRANSACTION_HASH.into()),
        ("paymentFlow".to_owned(), FLOW_UPFRONT.into()),
    ]);
    let kind = |x402_version, network: &str| SupportedKind {
        x402_version,
        scheme: SCHEME_EXACT.to_owned(),
        network: network.to_owned(),
        extra: Some(extra.clone()),
    };
    reply::bytes(&SupportedResponse {
        kinds: vec![
            kind(X402Version::V1, network.v1_name()),
            kind(X402Version::V2, network.as_str()),
        ],
        extensions: vec![EXTENSION.to_owned()],
        // Nobody here signs for payers: they send their transfers themselves.
        signers: BTreeMap::from([(EVERY_NETWORK.to_owned(), Vec::new())]),
    })
}
