//! The shell of every page: where it is, who looks, and its links.

use askama::Template;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderValue};

use crate::assets::{NAMES, Names};
use crate::caller::Caller;
use crate::dashboard::Dashboard;
use crate::fault::Fault;
use crate::scene::Scene;
use crate::shown::{Time, count};

const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");

/// A part of the dashboard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Section {
    Overview,
    Verifications,
    Leaders,
    Past,
    Operations,
}

/// A time in the past.
pub(crate) struct Then {
    pub(crate) position: String,
    pub(crate) time: Time,
}

/// What surrounds a page's own content.
pub(crate) struct Shell {
    pub(crate) title: String,
    pub(crate) section: Section,
    /// What every link begins with.
    pub(crate) base: String,
    /// The same within the past that is shown.
    pub(crate) root: String,
    /// When the page is of, where that is the past.
    pub(crate) past: Option<Then>,
    /// Who has signed in, if anybody.
    pub(crate) who: Option<String>,
    pub(crate) tenant: String,
    pub(crate) is_operator: bool,
    pub(crate) token: String,
    pub(crate) network: String,
    /// Where the page hears what changes; it changes by itself where that is there.
    pub(crate) live: Option<String>,
    pub(crate) names: &'static Names,
}

impl Shell {
    pub(crate) fn of(
        dashboard: &Dashboard,
        caller: &Caller,
        scene: &Scene,
        (section, title): (Section, &str),
    ) -> Self {
        Self {
            title: title.to_owned(),
            section,
            base: caller.base.clone(),
            root: scene.root.clone(),
            past: scene.until.map(|until| Then {
                position: count(until),
                time: Time::of(scene.now, Some(dashboard.now())),
            }),
            who: caller.session.map(|_| caller.name.clone()),
            tenant: caller.tenant.as_str().to_owned(),
            is_operator: caller.is_operator(),
            token: dashboard.sealer.token(caller.session.as_ref()),
            network: network_name(dashboard),
            live: None,
            names: &NAMES,
        }
    }

    /// What links to the API begin with.
    pub(crate) fn api(&self) -> &str {
        self.base.strip_suffix("/dashboard").unwrap_or_default()
    }

    /// Marks where the page is, for the navigation.
    pub(crate) fn is_at(&self, section: Section) -> bool {
        self.section == section
    }
}

fn network_name(dashboard: &Dashboard) -> String {
    let network = dashboard.facilitator.chain().network();
    match network.v1_name() {
        name if name.starts_with("ccd:") => format!("{}…", &name[..name.len().min(12)]),
        name => name.to_owned(),
    }
}

/// A template as a response.
pub(crate) fn html(status: StatusCode, page: &impl Template) -> Response {
    match page.render() {
        Ok(text) => (status, [(CONTENT_TYPE, HTML)], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page cannot be drawn");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// A page as it is.
pub(crate) fn shown(page: &impl Template) -> Response {
    html(StatusCode::OK, page)
}

/// A part of a page as text.
///
/// # Errors
/// Where it cannot be drawn.
pub(crate) fn drawn(part: &impl Template) -> Result<String, Fault> {
    part.render().map_err(|error| {
        tracing::error!(%error, "a part of a page cannot be drawn");
        Fault::Broken
    })
}
