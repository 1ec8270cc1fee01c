//! The id of a request: the caller's own where it is sane, else a fresh UUIDv7.

use http::{HeaderMap, HeaderName, HeaderValue};
use uuid::Uuid;
use uuid::fmt::Hyphenated;

/// The header that carries it, in both directions.
pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Longest id that is taken over.
const BYTES_MAX: usize = 64;

/// The id of a request.
pub(crate) struct RequestId(HeaderValue);

impl RequestId {
    /// The caller's id, or a fresh one.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        match headers.get(X_REQUEST_ID) {
            Some(id) if is_sane(id.as_bytes()) => Self(id.clone()),
            _ => Self::fresh(),
        }
    }

    fn fresh() -> Self {
        let mut text = [0; Hyphenated::LENGTH];
        let text = Uuid::now_v7().hyphenated().encode_lower(&mut text);
        Self(HeaderValue::from_str(text).expect("a UUID is hex digits and hyphens"))
    }

    /// As text.
    pub(crate) fn as_str(&self) -> &str {
        self.0.to_str().expect("a sane id is ASCII")
    }

    /// As a header.
    pub(crate) fn into_header(self) -> HeaderValue {
        self.0
    }
}

/// Nothing that could break a log line or a JSON text.
fn is_sane(id: &[u8]) -> bool {
    let is_allowed = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':');
    (1..=BYTES_MAX).contains(&id.len()) && id.iter().all(is_allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sane_ids_are_taken_over() {
        let of = |text: &'static str| {
            let headers = HeaderMap::from_iter([(X_REQUEST_ID, HeaderValue::from_static(text))]);
            RequestId::of(&headers).as_str().to_owned()
        };
        assert_eq!(of("trace-1:a_b.c"), "trace-1:a_b.c");
        for text in ["", "a b", "\"", "<script>"] {
            assert_eq!(of(text).parse::<Uuid>().unwrap().get_version_num(), 7, "{text}");
        }
    }
}
