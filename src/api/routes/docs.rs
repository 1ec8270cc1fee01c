//! `GET /openapi.json`, and `GET /docs`: the API as a document, and as pages that call it. The pages
//! come from this binary and load nothing from elsewhere.

use std::sync::{Arc, LazyLock};

use axum::extract::Path;
use axum::response::{IntoResponse, Redirect, Response};
use bytes::Bytes;
use ccd402_protocol::code::ReasonCode;
use http::StatusCode;
use http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use utoipa_swagger_ui::{Config, serve};

use crate::openapi;
use crate::problem::Problem;
use crate::reply;

static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| reply::bytes(&openapi::document()));
static PAGES: LazyLock<Arc<Config<'static>>> =
    LazyLock::new(|| Arc::new(Config::from("/openapi.json").try_it_out_enabled(true)));

/// Swagger UI styles its elements one by one and draws its icons from data URLs.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
    img-src 'self' data:; connect-src 'self'; base-uri 'none'; frame-ancestors 'none'";

pub(crate) async fn document() -> Response {
    ([(CONTENT_TYPE, reply::JSON)], DOCUMENT.clone()).into_response()
}

pub(crate) async fn index() -> Redirect {
    Redirect::permanent("/docs/")
}

pub(crate) async fn front() -> Result<Response, Problem> {
    page("index.html")
}

pub(crate) async fn file(Path(name): Path<String>) -> Result<Response, Problem> {
    page(&name)
}

fn page(name: &str) -> Result<Response, Problem> {
    let served = serve(name, Arc::clone(&PAGES)).map_err(|error| {
        tracing::error!(%error, "a page of the documentation cannot be made");
        Problem::internal()
    })?;
    let not_found = || Problem::of(StatusCode::NOT_FOUND, ReasonCode::RouteNotFound);
    let file = served.ok_or_else(not_found)?;
    let headers = [(CONTENT_TYPE, file.content_type), (CONTENT_SECURITY_POLICY, POLICY.to_owned())];
    Ok((headers, Bytes::from(file.bytes.into_owned())).into_response())
}
