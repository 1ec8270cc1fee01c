//! The dashboard beside the API, in one server; browsers that ask for nothing in particular are led to
//! it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Redirect, Response};
use ccd402_api::options::Options as ApiOptions;
use ccd402_api::parts::Parts as ApiParts;
use ccd402_app::operate::Operations;
use ccd402_app::past::Pasts;
use ccd402_dashboard::options::{Options, explorer_of};
use ccd402_dashboard::parts::Parts;
use ccd402_store::sqlite::SqliteArchive;
use http::Method;
use http::header::ACCEPT;

use crate::compose::access::Access;

/// What the dashboard is told besides what the API is told.
pub(crate) struct Setting {
    pub(crate) listen: SocketAddr,
    pub(crate) access: Access,
    /// URL of a transaction in an explorer, instead of the network's own.
    pub(crate) explorer: Option<String>,
    /// Where the past is kept.
    pub(crate) data_dir: PathBuf,
    /// Seals sessions.
    pub(crate) seal: [u8; 32],
}

/// API and dashboard.
pub(crate) fn router(parts: ApiParts, api: ApiOptions, setting: Setting) -> Router {
    let facilitator = Arc::clone(&parts.facilitator);
    let (log, clock) = (Arc::clone(facilitator.log()), Arc::clone(facilitator.clock()));
    let readiness = parts.readiness.clone();
    let explorer = setting.explorer.or_else(|| explorer_of(facilitator.chain().network()));
    let archive = SqliteArchive::new(&setting.data_dir);
    let options = Options {
        public_url: api.public_url.as_ref().map(ToString::to_string),
        is_local: setting.listen.ip().is_loopback(),
        require_keys: api.require_keys,
        is_secure: setting.access.behind_tls_proxy,
        explorer,
        stopping: api.stopping.clone(),
        ..Options::default()
    };
    let pages = Parts {
        operations: Operations::new(log, clock, Arc::clone(&parts.jobs)),
        facilitator,
        reads: Arc::clone(&parts.reads),
        keys: parts.keys.clone(),
        webhooks: Arc::clone(&parts.webhooks),
        pasts: Pasts::new(Arc::clone(parts.facilitator.log()), Arc::new(archive)),
        standing: Arc::new(move || readiness.check().parts.into_iter().collect()),
        seal: setting.seal,
    };
    ccd402_api::router(parts, api)
        .merge(ccd402_dashboard::router(pages, options))
        .layer(middleware::from_fn(lead_browsers))
}

/// `GET /` of a browser is led to the dashboard; programs hear what the API says.
async fn lead_browsers(request: Request, next: Next) -> Response {
    let accepts = request.headers().get(ACCEPT).and_then(|accept| accept.to_str().ok());
    let is_browser = accepts.is_some_and(|accept| accept.contains("text/html"));
    if request.uri().path() == "/" && request.method() == Method::GET && is_browser {
        return Redirect::to("dashboard").into_response();
    }
    next.run(request).await
}
