//! `GET /v1/assets/{asset}`: how the chain spells an asset, and how many decimals its amounts have.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use ccd402_domain::asset::Asset;
use ccd402_protocol::code::ReasonCode;
use ccd402_protocol::facilitator::AssetResponse;
use http::StatusCode;

use crate::api::Api;
use crate::caller::Caller;
use crate::problem::Problem;
use crate::reply;

/// Asks for a caller, because an asset that nobody has asked for yet costs a call of a node.
pub(crate) async fn show(
    State(api): State<Arc<Api>>,
    Path(asset): Path<String>,
    _: Caller,
) -> Result<Response, Problem> {
    let asset: Asset = asset.parse().map_err(|_| not_found())?;
    let found = api.facilitator.asset(&asset).await.map_err(|error| api.fault(error))?;
    let info = found.ok_or_else(not_found)?;
    let answer = AssetResponse {
        network: api.facilitator.chain().network().to_string(),
        asset: info.asset.to_string(),
        decimals: info.decimals,
    };
    Ok(reply::json(StatusCode::OK, &answer))
}

fn not_found() -> Problem {
    Problem::of(StatusCode::NOT_FOUND, ReasonCode::AssetNotFound)
}
