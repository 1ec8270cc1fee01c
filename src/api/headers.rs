//! What callers say beside the body: `Idempotency-Key`, `Prefer: wait=N`, `?wait=`.

use std::time::Duration;

use ccd402_app::idempotency::IdempotencyKey;
use ccd402_protocol::identifier::{self, PAYMENT_IDENTIFIER};
use http::{HeaderMap, HeaderName, Uri};

use crate::problem::Problem;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const PREFER: HeaderName = HeaderName::from_static("prefer");

/// The caller's Idempotency-Key.
///
/// # Errors
/// Where there are several, or it is not one: a key that is ignored protects nobody.
pub(crate) fn idempotency_key(headers: &HeaderMap) -> Result<Option<IdempotencyKey>, Problem> {
    let mut keys = headers.get_all(IDEMPOTENCY_KEY).iter();
    let Some(key) = keys.next() else { return Ok(None) };
    if keys.next().is_some() {
        return Err(Problem::malformed("there is more than one Idempotency-Key"));
    }
    let parsed = key.to_str().ok().and_then(|key| key.parse().ok());
    let detail = "an Idempotency-Key is 1 to 255 visible ASCII characters";
    parsed.map(Some).ok_or_else(|| Problem::malformed(detail))
}

/// The key of a payment: the caller's, or where it has none the payer's `payment-identifier`.
///
/// # Errors
/// Where the payer's is required and missing, or malformed.
pub(crate) fn payment_key(
    key: Option<IdempotencyKey>,
    body: &[u8],
) -> Result<Option<IdempotencyKey>, Problem> {
    if key.is_some() {
        return Ok(key);
    }
    let identifier = identifier::of(body).map_err(|bad| Problem::malformed(bad.explanation()))?;
    let key = |id| format!("{PAYMENT_IDENTIFIER}:{id}").parse().ok();
    Ok(identifier.and_then(key))
}

/// The wait that the caller prefers, in whole seconds (RFC 7240, section 4.3).
///
/// A preference that is not understood is ignored, as the RFC says (section 2).
pub(crate) fn preferred_wait(headers: &HeaderMap) -> Option<Duration> {
    headers
        .get_all(PREFER)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|preference| preference.split(';').next()?.split_once('='))
        .find(|(name, _)| name.trim().eq_ignore_ascii_case("wait"))
        .and_then(|(_, seconds)| seconds.trim().trim_matches('"').parse().ok())
        .map(Duration::from_secs)
}

/// `?wait=30s` or `?wait=30`; no wait where it is not asked for.
///
/// # Errors
/// Where it is no duration.
pub(crate) fn query_wait(uri: &Uri) -> Result<Duration, Problem> {
    let mut pairs = uri.query().unwrap_or_default().split('&');
    let Some(text) = pairs.find_map(|pair| pair.strip_prefix("wait=")) else {
        return Ok(Duration::ZERO);
    };
    let seconds = text.parse().map(Duration::from_secs).ok();
    seconds
        .or_else(|| humantime::parse_duration(text).ok())
        .ok_or_else(|| Problem::malformed("wait is a duration such as 30s, or a number of seconds"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_preferred_wait_is_found_among_others() {
        let wait = |text: &str| {
            let headers = HeaderMap::from_iter([(PREFER, text.parse().unwrap())]);
            preferred_wait(&headers).map(|wait| wait.as_secs())
        };
        assert_eq!(wait("wait=5"), Some(5));
        assert_eq!(wait("respond-async, Wait = 10; foo=bar"), Some(10));
        assert_eq!(wait("wait=\"7\""), Some(7));
        assert_eq!(wait("wait=soon"), None);
        assert_eq!(wait("waiter=5"), None);
    }

    #[test]
    fn the_wait_of_a_query_is_a_duration_or_seconds() {
        let wait = |query: &str| query_wait(&format!("/v1/x?{query}").parse().unwrap()).ok();
        assert_eq!(wait("wait=30s"), Some(Duration::from_secs(30)));
        assert_eq!(wait("a=b&wait=1500ms"), Some(Duration::from_millis(1_500)));
        assert_eq!(wait("wait=2"), Some(Duration::from_secs(2)));
        assert_eq!(wait("a=b"), Some(Duration::ZERO));
        assert_eq!(wait("wait=soon"), None);
        assert_eq!(wait("wait=-1"), None);
    }
}
