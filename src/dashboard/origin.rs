//! Whether a request is meant for this server, and whether a form was sent from a page of its own.
//!
//! A name that an attacker points at this machine (DNS rebinding) is none of ours, and so is the
//! origin of a page that posts here from elsewhere. No browser lets a page choose these headers.

use std::net::IpAddr;

use http::header::{HOST, ORIGIN};
use http::{HeaderMap, Uri};

/// Under which names this server is reached.
pub(crate) struct Names {
    /// Scheme and authority of the public URL.
    public: Option<(String, String)>,
    is_local: bool,
}

impl Names {
    pub(crate) fn new(public_url: Option<&str>, is_local: bool) -> Self {
        let uri: Option<Uri> = public_url.and_then(|url| url.parse().ok());
        let public = uri.and_then(|uri| {
            Some((uri.scheme_str()?.to_owned(), uri.authority()?.as_str().to_ascii_lowercase()))
        });
        Self { public, is_local }
    }

    /// The authority that a request names, if it is one of ours. Elsewhere than on loopback without a
    /// public URL every name is: who is served there holds a key, and no other name has its cookie.
    pub(crate) fn host<'a>(&self, headers: &'a HeaderMap) -> Option<&'a str> {
        let mut hosts = headers.get_all(HOST).iter();
        let host = hosts.next()?.to_str().ok().filter(|_| hosts.next().is_none())?;
        let is_ours = self.is_public(host)
            || (self.is_local && is_loopback(host))
            || (!self.is_local && self.public.is_none());
        is_ours.then_some(host)
    }

    /// Whether it is the host of the public URL.
    pub(crate) fn is_public(&self, host: &str) -> bool {
        self.public.as_ref().is_some_and(|(_, authority)| authority.eq_ignore_ascii_case(host))
    }

    /// Whether a form comes from a page of this server, as its browser says.
    pub(crate) fn is_own_form(&self, headers: &HeaderMap) -> bool {
        let Some(origin) = headers.get(ORIGIN).and_then(|origin| origin.to_str().ok()) else {
            return false;
        };
        let Some((scheme, authority)) = origin.split_once("://") else { return false };
        let is_public = self
            .public
            .as_ref()
            .is_some_and(|(ours, at)| ours == scheme && at.eq_ignore_ascii_case(authority));
        let is_same = self.host(headers).is_some_and(|host| host.eq_ignore_ascii_case(authority));
        is_public || (is_same && matches!(scheme, "http" | "https"))
    }
}

/// Whether an authority names this machine whatever a name server says.
fn is_loopback(authority: &str) -> bool {
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    };
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(host: &str, origin: Option<&str>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_str(host).unwrap());
        if let Some(origin) = origin {
            headers.insert(ORIGIN, HeaderValue::from_str(origin).unwrap());
        }
        headers
    }

    #[test]
    fn only_our_names_are_served() {
        let local = Names::new(None, true);
        let proxied = Names::new(Some("https://pay.example.com/x402"), true);
        let open = Names::new(None, false);
        let rows = [
            ("127.0.0.1:4020", true, true, true),
            ("localhost:4020", true, true, true),
            ("LOCALHOST", true, true, true),
            ("[::1]:4020", true, true, true),
            ("127.9.9.9", true, true, true),
            ("pay.example.com", false, true, true),
            ("evil.example.com:4020", false, false, true),
            ("localhost.evil.example.com", false, false, true),
            ("127.0.0.1.evil.example.com:4020", false, false, true),
            ("0.0.0.0:4020", false, false, true),
        ];
        for (host, on_loopback, behind_proxy, anywhere) in rows {
            let headers = headers(host, None);
            assert_eq!(local.host(&headers).is_some(), on_loopback, "{host}");
            assert_eq!(proxied.host(&headers).is_some(), behind_proxy, "{host}");
            assert_eq!(open.host(&headers).is_some(), anywhere, "{host}");
        }
        assert_eq!(local.host(&HeaderMap::new()), None);
        let mut twice = headers("localhost", None);
        twice.append(HOST, HeaderValue::from_static("localhost"));
        assert_eq!(local.host(&twice), None);
    }

    #[test]
    fn forms_come_from_our_own_pages() {
        let local = Names::new(None, true);
        let proxied = Names::new(Some("https://pay.example.com"), true);
        let rows = [
            (Some("http://127.0.0.1:4020"), true),
            (Some("http://127.0.0.1:4021"), false),
            (Some("http://localhost:4020"), false),
            (Some("https://evil.example.com"), false),
            (Some("null"), false),
            (None, false),
        ];
        for (origin, is_own) in rows {
            let headers = headers("127.0.0.1:4020", origin);
            assert_eq!(local.is_own_form(&headers), is_own, "{origin:?}");
        }
        // A proxy that names us by our address.
        let by_proxy = headers("127.0.0.1:4020", Some("https://pay.example.com"));
        assert!(proxied.is_own_form(&by_proxy) && !local.is_own_form(&by_proxy));
    }
}
