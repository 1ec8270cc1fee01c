//! What the API allows: waits and limits. Where it listens is `server`'s business.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

/// Limits of the routes.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where callers reach this API, for `Location` and `statusUrl`; relative paths where absent.
    pub public_url: Option<PublicUrl>,
    /// Whether every request needs an API key; otherwise one that is presented counts.
    pub require_keys: bool,
    /// How long `/verify` and `/settle` wait for finality where the caller does not say.
    pub wait_default: Duration,
    /// Longest wait of one request. The official SDKs give up after 90 s.
    pub wait_max: Duration,
    /// Most requests that wait at once; one more is answered without waiting. Less than
    /// `requests_max`, so that those who wait never keep out those who do not.
    pub waits_max: usize,
    /// Most requests at once; one more is refused with `overloaded`.
    pub requests_max: usize,
    /// Largest sum of request line and headers.
    pub header_bytes_max: usize,
    /// Largest body. A presentation of several statements takes 10 KiB.
    pub body_bytes_max: usize,
    /// Largest body of a batch.
    pub batch_bytes_max: usize,
    /// Most batches at once; one more is refused with `overloaded`. Each may hold its body and what
    /// was made of it in memory.
    pub batches_max: usize,
    /// Most event streams at once; one more is refused with `overloaded`.
    pub streams_max: usize,
    /// Most of them of one tenant.
    pub streams_per_tenant_max: usize,
    /// How long a stream lasts; its reader comes back and reads on.
    pub stream_life: Duration,
    /// Ends event streams, which never end by themselves, when the server stops.
    pub stopping: CancellationToken,
    /// How long a caller may take to send its body. With `wait_max` and 5 s more, the longest that
    /// a request is worked on.
    pub body_timeout: Duration,
    /// `/health` is not ok when the follower has seen no block for this long.
    pub block_age_max: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            public_url: None,
            require_keys: false,
            wait_default: Duration::from_secs(30),
            wait_max: Duration::from_secs(80),
            waits_max: 8_192,
            requests_max: 16_384,
            header_bytes_max: 8 * 1024,
            body_bytes_max: 64 * 1024,
            batch_bytes_max: 8 * 1024 * 1024,
            batches_max: 32,
            streams_max: 1_024,
            streams_per_tenant_max: 64,
            stream_life: Duration::from_secs(15 * 60),
            stopping: CancellationToken::new(),
            body_timeout: Duration::from_secs(10),
            block_age_max: Duration::from_secs(60),
        }
    }
}

/// An absolute `http` or `https` URL without query and fragment, kept without its last slash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl(String);

/// A text that is no such URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a public URL: use http:// or https://, a host, and perhaps a path")]
pub struct NotAPublicUrl;

impl FromStr for PublicUrl {
    type Err = NotAPublicUrl;

    fn from_str(text: &str) -> Result<Self, NotAPublicUrl> {
        let uri: http::Uri = text.parse().map_err(|_| NotAPublicUrl)?;
        let is_web = matches!(uri.scheme_str(), Some("http" | "https"));
        let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic());
        if !is_web || !is_plain || uri.host().is_none_or(str::is_empty) || text.contains(['?', '#'])
        {
            return Err(NotAPublicUrl);
        }
        Ok(Self(text.trim_end_matches('/').to_owned()))
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_absolute_web_urls_are_public() {
        for text in [
            "",
            "/v1",
            "example.com",
            "ftp://example.com",
            "https://",
            "https://a/?b",
            "https://a/ä",
        ] {
            assert_eq!(text.parse::<PublicUrl>(), Err(NotAPublicUrl), "{text}");
        }
        let url: PublicUrl = "https://pay.example.com/x402/".parse().unwrap();
        assert_eq!(url.to_string(), "https://pay.example.com/x402");
    }
}
