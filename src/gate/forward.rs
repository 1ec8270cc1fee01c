//! Headers on their way through the proxy: what belongs to one hop stays there, what the upstream
//! must know is added.

use std::net::IpAddr;

use http::header::{
    CONNECTION, EXPECT, FORWARDED, HOST, HeaderName, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE,
    TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderValue};

use crate::layer::{PAYER, VERIFICATION};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Headers of one hop (RFC 9110, section 7.6.1), besides those that `Connection` names.
const HOP_BY_HOP: [HeaderName; 9] = [
    CONNECTION,
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];
/// What `Connection` may not make us drop: the upstream relies on them.
const KEPT: [HeaderName; 4] = [HOST, PAYER, VERIFICATION, http::header::CONTENT_LENGTH];

/// How the request reached the gate.
pub(crate) struct Hop<'a> {
    /// Who is at the other end of the connection.
    pub(crate) peer: Option<IpAddr>,
    /// Scheme by which the world reaches the gate.
    pub(crate) scheme: &'static str,
    /// The upstream's own name.
    pub(crate) upstream_host: &'a HeaderValue,
}

/// Removes what belongs to one connection only.
pub(crate) fn remove_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .filter(|name| !KEPT.contains(name))
        .collect();
    for name in named.iter().chain(&HOP_BY_HOP) {
        headers.remove(name);
    }
}

/// Makes a client's headers those of the upstream's request.
///
/// `Host` becomes the upstream's, the client's goes to `X-Forwarded-Host`; the peer's address is
/// added to `X-Forwarded-For`; `X-Forwarded-Proto` is set; `Forwarded`, which nobody checked, goes.
pub(crate) fn prepare(headers: &mut HeaderMap, hop: &Hop<'_>) {
    remove_hop_by_hop(headers);
    headers.remove(EXPECT);
    headers.remove(FORWARDED);
    headers.remove(X_FORWARDED_HOST);
    if let Some(host) = headers.insert(HOST, hop.upstream_host.clone()) {
        headers.insert(X_FORWARDED_HOST, host);
    }
    headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static(hop.scheme));
    if let Some(peer) = hop.peer {
        let before = headers.get_all(X_FORWARDED_FOR).iter().filter_map(|v| v.to_str().ok());
        let chain: Vec<String> = before.map(str::to_owned).chain([peer.to_string()]).collect();
        if let Ok(value) = HeaderValue::from_str(&chain.join(", ")) {
            headers.insert(X_FORWARDED_FOR, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(rows: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in rows {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn headers_of_one_hop_stay_there() {
        let mut headers = headers(&[
            ("connection", "close, x-secret"),
            ("connection", "x-ccd402-payer, host"),
            ("x-secret", "1"),
            ("x-ccd402-payer", "3abc"),
            ("host", "example.com"),
            ("keep-alive", "timeout=5"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "websocket"),
            ("te", "trailers"),
            ("proxy-authorization", "Basic x"),
            ("accept", "*/*"),
        ]);
        remove_hop_by_hop(&mut headers);
        let mut names: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["accept", "host", "x-ccd402-payer"]);
    }

    #[test]
    fn the_upstream_learns_where_the_request_came_from() {
        let mut headers = headers(&[
            ("host", "shop.example"),
            ("forwarded", "for=1.2.3.4"),
            ("x-forwarded-for", "9.9.9.9"),
            ("x-forwarded-host", "forged.example"),
            ("x-forwarded-proto", "ftp"),
        ]);
        let upstream_host = HeaderValue::from_static("127.0.0.1:8000");
        let peer = Some("192.0.2.1".parse().unwrap());
        prepare(&mut headers, &Hop { peer, scheme: "https", upstream_host: &upstream_host });
        assert_eq!(headers["host"], "127.0.0.1:8000");
        assert_eq!(headers["x-forwarded-host"], "shop.example");
        assert_eq!(headers["x-forwarded-for"], "9.9.9.9, 192.0.2.1");
        assert_eq!(headers["x-forwarded-proto"], "https");
        assert!(!headers.contains_key("forwarded"));
    }
}
