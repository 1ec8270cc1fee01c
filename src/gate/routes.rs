//! What costs how much: patterns of paths, methods, prices, and what must be proven.
//!
//! Patterns read paths more generously than servers do (case and a trailing slash do not matter),
//! so that a route gates more rather than less. Which spellings of a path are refused outright is
//! `target`'s business.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use ccd402_domain::account::AccountAddress;
use ccd402_domain::preset::Preset;
use chrono::NaiveDate;
use http::Method;

use crate::error::Error;
use crate::price::Pricing;
use crate::ways::{Flow, Way};

/// Most routes of one gate.
pub const ROUTES_MAX: usize = 1_024;
/// How long a challenge is open where a route does not say.
pub const CHALLENGE_LIFE_DEFAULT: Duration = Duration::from_secs(300);
/// Shortest life of a challenge.
pub const CHALLENGE_LIFE_MIN: Duration = Duration::from_secs(1);
/// Longest life of a challenge, as the facilitator limits it.
pub const CHALLENGE_LIFE_MAX: Duration = Duration::from_secs(24 * 60 * 60);
/// Longest description or media type, so that the header of a 402 stays small.
const TEXT_BYTES_MAX: usize = 512;

/// Paths: exact (`/report`), or all that begin so (`/articles/*`, `/report*`).
///
/// `/articles/*` also gates `/articles` itself; `/*` gates everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    stem: String,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Exact,
    Below,
    Prefix,
}

/// One thing for sale.
#[derive(Debug, Clone)]
pub struct Route {
    /// Which paths.
    pub pattern: Pattern,
    /// Which methods; see [`Route::methods_default`].
    pub methods: Vec<Method>,
    /// For how much: one price, several, or a function that finds them.
    pub price: Pricing,
    /// How it may be paid; see [`Route::ways_default`].
    pub ways: Vec<Way>,
    /// When a sponsored payment is settled.
    pub flow: Flow,
    /// Who is paid.
    pub pay_to: AccountAddress,
    /// What payers must prove.
    pub identity: Preset,
    /// What it is, for people.
    pub description: Option<String>,
    /// Media type of the content.
    pub mime_type: Option<String>,
    /// How long a payer may take, in whole seconds: 1 s to 24 h.
    pub challenge_life: Duration,
    /// Whether facilitators may tell strangers that it is for sale, once somebody has paid for it: its
    /// URL without the query, its description and terms. Paths that are secrets are not for that.
    /// Nothing is told by a gate without a public URL, because whoever asks could name it as he likes.
    pub discoverable: bool,
}

/// All routes; the first that matches counts.
#[derive(Debug, Clone)]
pub struct Routes(Vec<Route>);

impl Pattern {
    /// Whether it covers a path that was decoded and lowered (see `target`).
    pub(crate) fn covers(&self, path: &str) -> bool {
        let below = |path: &str| path.strip_prefix(&self.stem).map(str::to_owned);
        match self.kind {
            Kind::Exact => path == self.stem,
            Kind::Prefix => path.starts_with(&self.stem),
            Kind::Below => below(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')),
        }
    }
}

impl FromStr for Pattern {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = |reason| Error::Pattern { pattern: text.to_owned(), reason };
        if !text.starts_with('/') {
            return Err(wrong("it must begin with '/'"));
        }
        let (stem, kind) = match (text.strip_suffix("/*"), text.strip_suffix('*')) {
            (Some(stem), _) => (stem, Kind::Below),
            (None, Some(stem)) => (stem, Kind::Prefix),
            (None, None) => (text.strip_suffix('/').unwrap_or(text), Kind::Exact),
        };
        if stem.contains('*') {
            return Err(wrong("'*' may only be its last letter"));
        }
        if stem.contains(['%', '?', '#', ';', '\\']) || stem.chars().any(char::is_control) {
            return Err(wrong("write the path decoded, without query and parameters"));
        }
        if stem.split('/').skip(1).any(|segment| matches!(segment, "" | "." | "..")) {
            return Err(wrong("it must have no empty segment, no '.' and no '..'"));
        }
        Ok(Self { text: text.to_owned(), stem: stem.to_ascii_lowercase(), kind })
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Route {
    /// A route with the defaults: for GET and HEAD, paid in every way, without a proof.
    #[must_use]
    pub fn new(pattern: Pattern, price: impl Into<Pricing>, pay_to: AccountAddress) -> Self {
        Self {
            pattern,
            methods: Self::methods_default(),
            price: price.into(),
            ways: Self::ways_default(),
            flow: Flow::default(),
            pay_to,
            identity: Preset::default(),
            description: None,
            mime_type: None,
            challenge_life: CHALLENGE_LIFE_DEFAULT,
            discoverable: false,
        }
    }

    /// Sponsored and by hash. The first is left out where the facilitator does not sponsor, or where
    /// the route asks for a proof.
    #[must_use]
    pub fn ways_default() -> Vec<Way> {
        vec![Way::Sponsored, Way::Hash]
    }

    /// Whether a sponsored payment may be offered: it carries no identity proof.
    pub(crate) fn may_be_sponsored(&self) -> bool {
        self.ways.contains(&Way::Sponsored) && self.identity.is_empty()
    }

    /// GET and HEAD: a HEAD tells too much of what a GET costs.
    #[must_use]
    pub fn methods_default() -> Vec<Method> {
        vec![Method::GET, Method::HEAD]
    }

    fn check(&self) -> Result<(), String> {
        let text = [&self.description, &self.mime_type];
        if self.methods.is_empty() {
            return Err("it has no methods".to_owned());
        }
        if self.methods.iter().any(|method| method.as_str() != method.as_str().to_uppercase()) {
            return Err("methods are written in capital letters".to_owned());
        }
        self.price.check()?;
        if !self.ways.contains(&Way::Hash) && !self.may_be_sponsored() {
            return Err(match self.ways.is_empty() {
                true => "it has no way of paying".to_owned(),
                false => "a sponsored payment carries no identity proof: add the way `hash`".into(),
            });
        }
        if !(CHALLENGE_LIFE_MIN..=CHALLENGE_LIFE_MAX).contains(&self.challenge_life) {
            return Err("the challenge's life is not 1 s to 24 h".to_owned());
        }
        if text.into_iter().flatten().any(|text| text.len() > TEXT_BYTES_MAX) {
            return Err(format!("a text is longer than {TEXT_BYTES_MAX} bytes"));
        }
        let some_day = NaiveDate::from_ymd_opt(2026, 1, 1).expect("the date exists");
        match self.identity.requirement(some_day) {
            Ok(Some(required)) if !required.is_within_bounds() => {
                Err("it asks for too much to be proven".to_owned())
            }
            Ok(_) => Ok(()),
            Err(error) => Err(error.to_string()),
        }
    }
}

impl Routes {
    /// The routes in the order in which they are tried.
    ///
    /// # Errors
    /// Where there are none or too many, or one of them makes no sense.
    pub fn new(routes: Vec<Route>) -> Result<Self, Error> {
        if !(1..=ROUTES_MAX).contains(&routes.len()) {
            return Err(Error::RouteCount(routes.len()));
        }
        for route in &routes {
            let pattern = route.pattern.to_string();
            route.check().map_err(|reason| Error::Route { pattern, reason })?;
        }
        Ok(Self(routes))
    }

    /// Whether any of them is for strangers to find.
    #[must_use]
    pub fn are_discoverable(&self) -> bool {
        self.0.iter().any(|route| route.discoverable)
    }

    /// Hides all of them from strangers.
    pub(crate) fn hide(&mut self) {
        self.0.iter_mut().for_each(|route| route.discoverable = false);
    }

    /// Number of the first route for this method and path, and the route.
    pub(crate) fn select(&self, method: &str, path: &str) -> Option<(usize, &Route)> {
        let is_for = |method: &str, route: &Route| {
            route.methods.iter().any(|own| own.as_str().eq_ignore_ascii_case(method))
        };
        self.0
            .iter()
            .enumerate()
            .find(|(_, route)| is_for(method, route) && route.pattern.covers(path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> Pattern {
        text.parse().unwrap()
    }

    #[test]
    fn patterns_cover_what_they_say() {
        let rows = [
            ("/report", "/report", true),
            ("/report/", "/report", true),
            ("/Report", "/report", true),
            ("/report", "/reports", false),
            ("/report", "/report/x", false),
            ("/report*", "/report.json", true),
            ("/report*", "/report/x", true),
            ("/articles/*", "/articles/1/2", true),
            ("/articles/*", "/articles", true),
            ("/articles/*", "/articlesx", false),
            ("/*", "", true),
            ("/*", "/a", true),
            ("/", "", true),
            ("/", "/a", false),
        ];
        for (text, path, covered) in rows {
            assert_eq!(pattern(text).covers(path), covered, "{text} {path}");
        }
    }

    #[test]
    fn unclear_patterns_are_refused() {
        for text in ["", "report", "/a*b", "/a/*/b", "/a//b", "/a/../b", "/%61", "/a?b", "/a;b"] {
            assert!(text.parse::<Pattern>().is_err(), "{text}");
        }
    }
}
