//! Whether a request may be served: by its key, and by how much that key calls.
//!
//! The key comes as `Authorization: Bearer <key>`, and in no other way. What a key may do is asked by
//! the routes, of the [`Caller`].

use axum::extract::Request;
use ccd402_app::keys::Keys;
use ccd402_domain::key::text::KeyText;
use ccd402_protocol::code::ReasonCode;
use http::header::AUTHORIZATION;
use http::{HeaderMap, StatusCode};

use crate::caller::Caller;
use crate::meter::InFlight;
use crate::problem::Problem;
use crate::rates::Rates;

/// Routes that everybody may call: probes, and what is the same for all.
const OPEN: &[&str] = &[
    "/health",
    "/livez",
    "/readyz",
    "/supported",
    // What is listed there asked to be found by strangers.
    "/discovery/resources",
    "/errors/{code}",
    "/openapi.json",
    "/docs",
    "/docs/",
    "/docs/{file}",
];

/// Who may call, and how much.
pub(crate) struct Access {
    pub(crate) keys: Keys,
    are_keys_required: bool,
    rates: Rates,
}

/// A request that may be served; it counts as in flight until this is dropped.
pub(crate) struct Admitted {
    /// None on a route that everybody may call.
    pub(crate) caller: Option<Caller>,
    _in_flight: Option<InFlight>,
}

impl Admitted {
    fn anybody() -> Self {
        Self { caller: None, _in_flight: None }
    }
}

impl Access {
    pub(crate) fn new(keys: Keys, are_keys_required: bool, rates: Rates) -> Self {
        Self { keys, are_keys_required, rates }
    }

    /// Looks at a request to a route; `None` is no route at all.
    ///
    /// # Errors
    /// 401 where a key is missing or not good, 429 where it calls too much.
    pub(crate) fn admit(
        &self,
        route: Option<&str>,
        request: &Request,
    ) -> Result<Admitted, Problem> {
        if route.is_none_or(|route| OPEN.contains(&route)) {
            return Ok(Admitted::anybody());
        }
        let Some(text) = presented(request.headers())? else {
            if self.are_keys_required {
                return Err(unauthorized(ReasonCode::KeyRequired));
            }
            return Ok(Admitted { caller: Some(Caller::without_key()), _in_flight: None });
        };
        let key = self.keys.admit(&text).map_err(unauthorized)?;
        let in_flight = self.rates.0.enter(key.id(), key.created.limits)?;
        Ok(Admitted { caller: Some(Caller::with(&key)), _in_flight: Some(in_flight) })
    }

    /// Counts a caller's request as that many. Who needs no key is not counted.
    ///
    /// # Errors
    /// 429 or 413 where so many are too many.
    pub(crate) fn counts_as(&self, caller: &Caller, requests: usize) -> Result<(), Problem> {
        caller.key.map_or(Ok(()), |key| self.rates.0.counts_as(key, requests))
    }
}

/// The key that a request presents.
///
/// # Errors
/// 401 where something else is presented: who means to be somebody must not be served as nobody.
fn presented(headers: &HeaderMap) -> Result<Option<KeyText>, Problem> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let text = value.to_str().ok().filter(|_| values.next().is_none());
    let key = text.and_then(|text| text.split_once(' ')).and_then(|(scheme, key)| {
        scheme.eq_ignore_ascii_case("bearer").then(|| key.trim().parse().ok()).flatten()
    });
    key.map(Some).ok_or_else(|| unauthorized(ReasonCode::KeyInvalid))
}

fn unauthorized(code: ReasonCode) -> Problem {
    Problem::of(StatusCode::UNAUTHORIZED, code)
}
