//! `GET /discovery/resources`: what is for sale behind this facilitator, for strangers to find.
//!
//! Everybody may ask, and whose a resource is is not told: who is listed asked to be found, and the
//! URL says who sells.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use ccd402_app::ports::read_model::Shelf;
use ccd402_protocol::bazaar::HTTP;
use http::{StatusCode, Uri};

use crate::api::Api;
use crate::problem::Problem;
use crate::query::Query;
use crate::reply;
use crate::wire::discovery::DiscoveredResources;

/// Resources of a page where nothing is said, as x402 has it.
pub(crate) const LIMIT_DEFAULT: usize = 20;

pub(crate) async fn resources(State(api): State<Arc<Api>>, uri: Uri) -> Result<Response, Problem> {
    let mut query = Query::of(&uri)?;
    let kind = query.take::<String>("type")?;
    let limit = query.take("limit")?.unwrap_or(LIMIT_DEFAULT);
    let offset = query.take("offset")?.unwrap_or(0);
    query.end()?;
    let mut shelf = api.reads.discover(offset, limit).await.map_err(|error| api.fault(error))?;
    // x402 knows other types; none of them is listed here.
    if kind.is_some_and(|kind| kind != HTTP) {
        shelf = Shelf { resources: Vec::new(), total: 0, ..shelf };
    }
    Ok(reply::json(StatusCode::OK, &DiscoveredResources::of(&shelf, offset, limit)))
}
