//! Why a page cannot be shown, as the person who wanted it is told. Internals are logged, not shown.

use askama::Template;
use axum::response::{IntoResponse, Response};
use ccd402_app::error::Error;
use ccd402_app::ports::chain::ChainError;
use ccd402_app::ports::queue::QueueError;
use ccd402_app::ports::read_model::ReadModelError;
use ccd402_domain::key::scope::Scope;
use ccd402_domain::rejection::Rejection;
use http::StatusCode;

use crate::assets::{NAMES, Names};
use crate::page::html;

/// Longest part of an explanation that is passed on.
const DETAIL_CHARS_MAX: usize = 300;

/// Why a page cannot be shown.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    /// Nobody is signed in.
    SignedOut,
    /// The key does not allow it.
    Forbidden(Scope),
    /// There is no such thing within the caller's reach.
    NotFound,
    /// What was asked makes no sense.
    Malformed(String),
    /// A form that was not sent from this page, or too late.
    NotOurForm,
    /// The request names a server that this is not.
    NotOurName,
    /// Not now; what to do about it.
    Unavailable(&'static str),
    /// What was to be done cannot be done.
    Refused(Rejection),
    /// Ours.
    Broken,
}

/// A page without anything that only a signed-in caller may see.
#[derive(Template)]
#[template(path = "fault.html")]
struct Page<'a> {
    base: &'a str,
    names: &'static Names,
    title: &'a str,
    detail: &'a str,
    status: u16,
}

impl Fault {
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::SignedOut => StatusCode::UNAUTHORIZED,
            Self::Forbidden(_) | Self::NotOurForm => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Malformed(_) => StatusCode::BAD_REQUEST,
            Self::NotOurName => StatusCode::MISDIRECTED_REQUEST,
            Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Refused(_) => StatusCode::CONFLICT,
            Self::Broken => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// Its page.
    pub(crate) fn page(&self, base: &str) -> Response {
        let (title, detail) = self.words();
        let status = self.status();
        let page = Page { base, names: &NAMES, title, detail: &detail, status: status.as_u16() };
        html(status, &page)
    }

    fn words(&self) -> (&'static str, String) {
        match self {
            Self::SignedOut => ("You are not signed in", "Sign in to go on.".to_owned()),
            Self::Forbidden(scope) => {
                ("Your key does not allow this", format!("It needs the scope “{scope}”."))
            }
            Self::NotFound => ("There is nothing here", String::new()),
            Self::Malformed(detail) => ("This cannot be understood", detail.clone()),
            Self::NotOurForm => (
                "This form cannot be taken",
                "It was not sent from a page of this dashboard, or the session has ended since. \
                 Go back, load the page again, and send it once more."
                    .to_owned(),
            ),
            Self::NotOurName => (
                "This is not the server you mean",
                "The dashboard is served under its own name alone. If a proxy stands in front, \
                 start the facilitator with --public-url."
                    .to_owned(),
            ),
            Self::Unavailable(detail) => ("Not now", (*detail).to_owned()),
            Self::Refused(rejection) => {
                let detail = format!("{}. {}", rejection.code.title(), rejection.detail);
                ("This was not done", detail)
            }
            Self::Broken => ("This failed", "The fault is ours; it is in the log.".to_owned()),
        }
    }
}

/// Drawn by the guard, which knows where we are.
impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        match &error {
            Error::Malformed(detail) => {
                Self::Malformed(detail.chars().take(DETAIL_CHARS_MAX).collect())
            }
            Error::Behind | Error::ReadModel(ReadModelError::Building) => Self::Unavailable(
                "What is listed is being built from the event log. Try again in a moment.",
            ),
            Error::ReadModel(ReadModelError::TooLarge) => Self::Unavailable(
                "This takes too long to count. Ask for a shorter time, or filter more.",
            ),
            Error::Overloaded
            | Error::TooManyWaiting
            | Error::Contended
            | Error::ReadModel(ReadModelError::Busy)
            | Error::Chain(ChainError::Busy) => {
                Self::Unavailable("Too much is asked at once. Try again in a moment.")
            }
            Error::Chain(ChainError::Unavailable(_)) => {
                Self::Unavailable("No Concordium node answers. Try again in a moment.")
            }
            Error::Append(_) | Error::Read(_) => {
                tracing::error!(%error, "a page cannot be shown without the log");
                Self::Unavailable("The event log cannot be used.")
            }
            Error::Chain(_) | Error::BrokenHistory(_) | Error::Event(_) | Error::ReadModel(_) => {
                tracing::error!(%error, "a page cannot be shown because of a fault");
                Self::Broken
            }
        }
    }
}

impl From<QueueError> for Fault {
    fn from(error: QueueError) -> Self {
        tracing::warn!(%error, "a page cannot be shown without the job queue");
        Self::Unavailable("The job queue cannot be used.")
    }
}
