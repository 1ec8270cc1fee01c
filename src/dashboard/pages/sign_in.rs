//! Signing in with an API key, and out again.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Extension, Form, Query, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use ccd402_domain::key::scope::Scope;
use ccd402_domain::key::state::Key;
use ccd402_domain::key::text::KeyText;
use ccd402_protocol::code::ReasonCode;
use http::StatusCode;
use http::header::SET_COOKIE;
use serde::Deserialize;

use crate::assets::{NAMES, Names};
use crate::caller::Caller;
use crate::dashboard::Dashboard;
use crate::fault::Fault;
use crate::guard::{Base, cookie};
use crate::page::html;
use crate::session::Session;

/// Longest path to go to afterwards.
const PATH_BYTES_MAX: usize = 2_048;

#[derive(Template)]
#[template(path = "sign_in.html")]
struct Page<'a> {
    base: &'a str,
    names: &'static Names,
    to: &'a str,
    refused: &'a str,
}

/// Where to go afterwards.
#[derive(Deserialize)]
pub(crate) struct Wanted {
    #[serde(default)]
    to: String,
}

/// What is filled in.
#[derive(Deserialize)]
pub(crate) struct Filled {
    key: String,
    #[serde(default)]
    to: String,
}

/// What a form in a session holds.
#[derive(Deserialize)]
pub(crate) struct Token {
    token: String,
}

impl Token {
    /// Refuses a form that was not made for this session.
    ///
    /// # Errors
    /// Where it was not.
    pub(crate) fn must_be_of(&self, dashboard: &Dashboard, caller: &Caller) -> Result<(), Fault> {
        if dashboard.sealer.is_token(caller.session.as_ref(), &self.token) {
            return Ok(());
        }
        Err(Fault::NotOurForm)
    }
}

/// `GET /dashboard/sign-in`.
pub(crate) async fn form(
    Extension(Base(base)): Extension<Base>,
    Query(Wanted { to }): Query<Wanted>,
) -> Response {
    html(StatusCode::OK, &Page { base: &base, names: &NAMES, to: &to, refused: "" })
}

/// `POST /dashboard/sign-in`.
pub(crate) async fn sign_in(
    State(dashboard): State<Arc<Dashboard>>,
    Extension(Base(base)): Extension<Base>,
    Form(Filled { key, to }): Form<Filled>,
) -> Response {
    let refused =
        |status, refused| html(status, &Page { base: &base, names: &NAMES, to: &to, refused });
    let text = key.trim().parse::<KeyText>().ok();
    let known = text.as_ref().map(KeyText::id).filter(|id| dashboard.keys.show(*id).is_some());
    if !dashboard.attempts.may_try(known) {
        let words = "Too many attempts have failed. Wait a minute, then try again.";
        return refused(StatusCode::TOO_MANY_REQUESTS, words);
    }
    let admitted = text.ok_or(ReasonCode::KeyInvalid).and_then(|text| dashboard.keys.admit(&text));
    match admitted {
        Ok(key) if may_look(&key) => {
            let session = Session::begin(key.id(), dashboard.now());
            tracing::info!(key.id = %key.id(), "signed in to the dashboard");
            let to = format!("{base}{}", within(&to));
            ([(SET_COOKIE, cookie(&dashboard, Some(&session)))], Redirect::to(&to)).into_response()
        }
        Ok(_) => {
            let words =
                "This key may not look at anything: it needs the scope “read” or “operate”.";
            refused(StatusCode::FORBIDDEN, words)
        }
        Err(code) => {
            dashboard.attempts.failed(known);
            let words = match code {
                ReasonCode::KeyRevoked => "This key was taken back.",
                ReasonCode::KeyExpired => "This key has expired.",
                _ => "This is not a key of this facilitator.",
            };
            refused(StatusCode::UNAUTHORIZED, words)
        }
    }
}

/// `POST /dashboard/sign-out`.
pub(crate) async fn sign_out(
    State(dashboard): State<Arc<Dashboard>>,
    caller: Caller,
    Form(token): Form<Token>,
) -> Result<Response, Fault> {
    token.must_be_of(&dashboard, &caller)?;
    let to = format!("{}/sign-in", caller.base);
    Ok(([(SET_COOKIE, cookie(&dashboard, None))], Redirect::to(&to)).into_response())
}

fn may_look(key: &Key) -> bool {
    let scopes = key.created.scopes;
    scopes.include(Scope::Read) || scopes.include(Scope::Operate)
}

/// A path of the dashboard, and nothing that leads away from it.
fn within(to: &str) -> &str {
    let is_plain =
        |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'\\' | b'"' | b'<' | b'>');
    let is_path = to.is_empty() || to.starts_with(['/', '?']);
    let is_good = to.len() <= PATH_BYTES_MAX
        && is_path
        && to.bytes().all(is_plain)
        && !to.contains("..")
        && !to.contains("//")
        && !to.starts_with("/sign-");
    if is_good { to } else { "" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_led_away_after_signing_in() {
        for good in ["", "/verifications?status=failed&payer=3abc", "/verifications/0190-aa"] {
            assert_eq!(within(good), good);
        }
        for bad in [
            "//evil.example.com",
            "https://evil",
            "/../v1",
            "/a\r\nset-cookie: a=b",
            "\\evil",
            "/sign-out",
            "@evil",
        ] {
            assert_eq!(within(bad), "", "{bad}");
        }
    }
}
