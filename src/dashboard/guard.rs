//! What stands around every page, from the outside in: the name that is asked for, the bound on
//! requests at once, forms from elsewhere, who it is, the time limit, panics, and the headers that
//! keep browsers from doing what a page does not want.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Redirect, Response};
use futures::FutureExt as _;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, COOKIE, HeaderName, HeaderValue, REFERRER_POLICY,
    SET_COOKIE, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{HeaderMap, Method, Uri};

use crate::caller::Caller;
use crate::dashboard::Dashboard;
use crate::fault::Fault;
use crate::live;
use crate::session::Session;

/// Longest that a page may take.
const TIME_MAX: Duration = Duration::from_secs(15);
/// Nothing comes from elsewhere, nothing stands in the page itself, nobody puts a frame around it.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
     form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
);
const PERMISSIONS: (HeaderName, HeaderValue) = (
    HeaderName::from_static("permissions-policy"),
    HeaderValue::from_static("camera=(), geolocation=(), microphone=(), payment=()"),
);
const OPENER: (HeaderName, HeaderValue) = (
    HeaderName::from_static("cross-origin-opener-policy"),
    HeaderValue::from_static("same-origin"),
);
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// Names of the cookie: a browser keeps the first from anybody but this very host, and needs TLS.
const COOKIE_SECURE: &str = "__Host-ccd402";
const COOKIE_PLAIN: &str = "ccd402";

/// Serves a request within the limits.
pub(crate) async fn guard(
    State(dashboard): State<Arc<Dashboard>>,
    request: Request,
    next: Next,
) -> Response {
    let path = request.uri().path().to_owned();
    let host = dashboard.names.host(request.headers()).unwrap_or_default().to_owned();
    let shown = within_limits(&dashboard, request, next).await;
    let mut response = shown.unwrap_or_else(|fault| fault.into_response());
    if let Some(fault) = response.extensions_mut().remove::<Fault>() {
        response = fault.page(&dashboard.base(&host));
    }
    let status = response.status();
    tracing::debug!(http.path = path, http.status = status.as_u16(), "a page was shown");
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, POLICY);
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    // With none at all browsers would not say where our own forms come from.
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(PERMISSIONS.0, PERMISSIONS.1);
    headers.insert(OPENER.0, OPENER.1);
    headers.entry(CACHE_CONTROL).or_insert(NO_STORE);
    response
}

async fn within_limits(
    dashboard: &Dashboard,
    mut request: Request,
    next: Next,
) -> Result<Response, Fault> {
    let host = dashboard.names.host(request.headers()).ok_or(Fault::NotOurName)?.to_owned();
    let base = dashboard.base(&host);
    let busy = Fault::Unavailable("Too much is asked at once. Try again in a moment.");
    let _permit = dashboard.requests.try_acquire().map_err(|_| busy)?;
    let is_form = !matches!(*request.method(), Method::GET | Method::HEAD);
    if is_form && !dashboard.names.is_own_form(request.headers()) {
        return Err(Fault::NotOurForm);
    }
    let caller = caller(dashboard, request.headers(), &base);
    let renewed = caller.as_ref().and_then(|caller| caller.session?.refreshed(dashboard.now()));
    match caller {
        Some(caller) => {
            request.extensions_mut().insert(caller);
        }
        None if !is_open(request.uri().path()) => {
            return Ok(to_sign_in(&base, request.uri(), is_form));
        }
        None => {}
    }
    request.extensions_mut().insert(Base(base));
    let serving = AssertUnwindSafe(next.run(request)).catch_unwind();
    let mut response = match tokio::time::timeout(TIME_MAX, serving).await {
        Ok(Ok(response)) => response,
        Ok(Err(_)) => {
            tracing::error!("a page panicked");
            return Err(Fault::Broken);
        }
        Err(_) => return Err(Fault::Unavailable("This took too long. Try again in a moment.")),
    };
    if let Some(session) = renewed.filter(|_| !response.headers().contains_key(SET_COOKIE)) {
        response.headers_mut().insert(SET_COOKIE, cookie(dashboard, Some(&session)));
    }
    Ok(response)
}

/// What every link begins with, for pages that need no caller.
#[derive(Clone)]
pub(crate) struct Base(pub(crate) String);

/// What is shown to who has not signed in.
fn is_open(path: &str) -> bool {
    path == "/dashboard/sign-in" || path.starts_with("/dashboard/assets/")
}

fn to_sign_in(base: &str, uri: &Uri, is_form: bool) -> Response {
    // Live pages are asked for by the script, which loads the page again then.
    if uri.path().ends_with("/live") {
        return live::over();
    }
    let wanted = uri.path_and_query().map_or("", |wanted| wanted.as_str());
    let to = match wanted.strip_prefix("/dashboard") {
        Some(rest) if !is_form && !rest.is_empty() => {
            let rest: String = rest.bytes().map(escaped).collect();
            format!("{base}/sign-in?to={rest}")
        }
        _ => format!("{base}/sign-in"),
    };
    Redirect::to(&to).into_response()
}

/// A byte of a URL as a value in the query of another.
fn escaped(byte: u8) -> String {
    match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    }
}

/// Who it is: by the cookie, and where there is none whoever needs no key.
fn caller(dashboard: &Dashboard, headers: &HeaderMap, base: &str) -> Option<Caller> {
    let shown = cookies(headers).find(|(name, _)| *name == cookie_name(dashboard));
    let Some((_, cookie)) = shown else {
        let base = base.to_owned();
        return (!dashboard.options.require_keys).then(|| Caller::without_key(base));
    };
    // Who was somebody is not served as nobody when that is over.
    let session = dashboard.sealer.open(cookie, dashboard.now())?;
    let key = dashboard.keys.good(session.key).ok()?;
    Some(Caller::with(&key, session, base.to_owned()))
}

fn cookies(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    let values = headers.get_all(COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='))
}

fn cookie_name(dashboard: &Dashboard) -> &'static str {
    if dashboard.options.is_secure { COOKIE_SECURE } else { COOKIE_PLAIN }
}

/// The header that sets the session's cookie; without a session it takes it away.
pub(crate) fn cookie(dashboard: &Dashboard, session: Option<&Session>) -> HeaderValue {
    let name = cookie_name(dashboard);
    let secure = if dashboard.options.is_secure { "; Secure" } else { "" };
    let (value, age) = match session {
        Some(session) => (dashboard.sealer.seal(session), ""),
        None => (String::new(), "; Max-Age=0"),
    };
    let text = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax{secure}{age}");
    HeaderValue::from_str(&text).expect("base64 is of header characters")
}
