//! `GET /v1/verifications`: verifications by filter, newest first, a page at a time.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use ccd402_app::list::{Listed, Query as Asking};
use http::{StatusCode, Uri};

use crate::api::Api;
use crate::caller::Caller;
use crate::filter::Asked;
use crate::problem::Problem;
use crate::query::Query;
use crate::reply;
use crate::wire::list::{Item, VerificationPage};

/// Verifications of a page where nothing is said.
pub(crate) const LIMIT_DEFAULT: usize = 50;

pub(crate) async fn list(
    State(api): State<Arc<Api>>,
    caller: Caller,
    uri: Uri,
) -> Result<Response, Problem> {
    let mut query = Query::of(&uri)?;
    let Asked { filter, min_position } = Asked::take(&mut query, &caller)?;
    let cursor = query.take("cursor")?;
    let limit = query.take("limit")?.unwrap_or(LIMIT_DEFAULT);
    query.end()?;
    let asking = Asking { filter, cursor, limit, min_position };
    let listed = api.reads.list(&asking).await.map_err(|error| api.fault(error))?;
    let Listed { as_of, rows, next } = listed;
    let urls: Vec<_> = rows.iter().map(|row| api.status_url(row.id)).collect();
    let verifications = rows.iter().zip(&urls).map(|(row, url)| Item::of(row, url)).collect();
    Ok(reply::json(StatusCode::OK, &VerificationPage { as_of, verifications, next }))
}
