//! When to try again: what `Retry-After` says, and backoff where it says nothing.

use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::header::{HeaderMap, RETRY_AFTER};

/// Longest wait that somebody else may ask for.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(300);

/// What `Retry-After` asks for, in seconds or as a date, bounded.
pub(crate) fn after(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let at = DateTime::parse_from_rfc2822(text).ok()?;
            (at.with_timezone(&Utc) - now).to_std().unwrap_or_default()
        }
    };
    Some(wait.min(RETRY_AFTER_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(text: &str) -> Option<Duration> {
        let now = DateTime::from_timestamp(1_445_412_470, 0).unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, text.parse().unwrap());
        after(&headers, now)
    }

    #[test]
    fn seconds_and_dates_are_read_and_bounded() {
        let cases = [
            ("0", Some(0)),
            ("7", Some(7)),
            ("4000000000", Some(300)),
            ("Wed, 21 Oct 2015 07:28:00 GMT", Some(10)),
            ("Wed, 21 Oct 2015 07:27:00 GMT", Some(0)),
            ("-1", None),
            ("soon", None),
        ];
        for (text, seconds) in cases {
            assert_eq!(asked(text), seconds.map(Duration::from_secs), "{text}");
        }
    }
}
