//! What a request really asks for, and whether every server would read it so.
//!
//! The gate decides by method and path; the server behind it reads them again. Where the two could
//! disagree, somebody would get content without paying. So a path that servers read in more than
//! one way is refused for every route, paid or not: dot segments, empty segments, parameters
//! (`;`), backslashes, and encoded forms of these, of `/`, `?`, `#` and of control characters. What
//! is left (`%20`, `%C3%A9`, `%72`) is compared both as it came and decoded.

use http::{HeaderMap, Method, Uri};

use crate::routes::{Route, Routes};

/// Headers that make some servers read another path than the request line's.
const PATH_OVERRIDES: [&str; 2] = ["x-original-url", "x-rewrite-url"];
/// Headers that make some servers read another method than the request line's.
const METHOD_OVERRIDES: [&str; 3] =
    ["x-http-method-override", "x-http-method", "x-method-override"];

/// A request that servers could read in more than one way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ambiguous;

/// The route that must be paid for; `None` where the request costs nothing.
///
/// # Errors
/// [`Ambiguous`] where a server might read the request as something that costs.
pub(crate) fn select<'a>(
    routes: &'a Routes,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
) -> Result<Option<&'a Route>, Ambiguous> {
    let (literal, decoded) = readings(method, uri.path())?;
    let meant = routes.select(method.as_str(), &decoded);
    let number = |found: Option<(usize, &Route)>| found.map(|(number, _)| number);
    let mut others = vec![number(routes.select(method.as_str(), &literal))];
    for name in METHOD_OVERRIDES {
        for value in headers.get_all(name) {
            let method = value.to_str().map_err(|_| Ambiguous)?.trim();
            others.push(number(routes.select(method, &decoded)));
        }
    }
    let agree = others.into_iter().all(|other| other == number(meant));
    let is_upper = !method.as_str().bytes().any(|byte| byte.is_ascii_lowercase());
    if !agree || (meant.is_some() && !is_upper) || path_is_overridden(uri, headers) {
        return Err(Ambiguous);
    }
    Ok(meant.map(|(_, route)| route))
}

/// The path as it came and decoded, both lowered and without a trailing slash.
fn readings(method: &Method, path: &str) -> Result<(String, String), Ambiguous> {
    if method == Method::OPTIONS && path == "*" {
        return Ok(("*".to_owned(), "*".to_owned()));
    }
    if !path.starts_with('/') || !path.is_ascii() {
        return Err(Ambiguous);
    }
    let decoded = decode(path)?;
    let is_odd = |c: char| c.is_control() || matches!(c, '\\' | ';' | '?' | '#');
    if decoded.contains(is_odd) || is_encoded_twice(&decoded) {
        return Err(Ambiguous);
    }
    // An encoded '/' makes more segments than there were.
    if decoded.matches('/').count() != path.matches('/').count() {
        return Err(Ambiguous);
    }
    let trimmed = decoded.strip_suffix('/').unwrap_or(&decoded);
    if trimmed.split('/').skip(1).any(|segment| matches!(segment.trim(), "" | "." | "..")) {
        return Err(Ambiguous);
    }
    let literal = path.strip_suffix('/').unwrap_or(path);
    Ok((literal.to_ascii_lowercase(), trimmed.to_ascii_lowercase()))
}

/// Decodes percent signs once.
fn decode(path: &str) -> Result<String, Ambiguous> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        let is_encoded = byte == b'%';
        bytes.push(if is_encoded {
            tail.get(..2).and_then(hex_byte).ok_or(Ambiguous)?
        } else {
            byte
        });
        rest = if is_encoded { &tail[2..] } else { tail };
    }
    String::from_utf8(bytes).map_err(|_| Ambiguous)
}

/// Whether a server that decodes twice would read something else.
fn is_encoded_twice(decoded: &str) -> bool {
    decoded.as_bytes().windows(3).any(|three| three[0] == b'%' && hex_byte(&three[1..]).is_some())
}

fn hex_byte(digits: &[u8]) -> Option<u8> {
    let mut byte = [0];
    hex::decode_to_slice(digits, &mut byte).ok()?;
    Some(byte[0])
}

/// A front server may repeat the request's own path there; any other is meant to deceive.
fn path_is_overridden(uri: &Uri, headers: &HeaderMap) -> bool {
    let own = uri.path_and_query().map_or("", |own| own.as_str());
    PATH_OVERRIDES
        .iter()
        .flat_map(|name| headers.get_all(*name))
        .any(|value| value.as_bytes() != own.as_bytes())
}

#[cfg(test)]
mod tests {
    use ccd402_domain::account::AccountAddress;
    use proptest::prelude::*;

    use super::*;
    use crate::price::Price;

    fn route(pattern: &str, price: &str) -> Route {
        let pay_to = AccountAddress::from_bytes([7; 32]);
        Route::new(pattern.parse().unwrap(), Price::parse(price, None).unwrap(), pay_to)
    }

    fn routes() -> Routes {
        let paid = [("/cheap/*", "1 CCD"), ("/report", "2 CCD"), ("/api/*", "3 CCD")];
        Routes::new(paid.map(|(pattern, price)| route(pattern, price)).to_vec()).unwrap()
    }

    /// `Ok(Some(pattern))` costs, `Ok(None)` does not, `Err` is refused.
    fn read(
        method: &str,
        uri: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Option<String>, Ambiguous> {
        let headers =
            headers.iter().map(|(name, value)| ((*name).parse().unwrap(), value.parse().unwrap()));
        let headers: HeaderMap = headers.collect();
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let found = select(&routes(), &method, &uri.parse().unwrap(), &headers)?
            .map(|route| route.pattern.to_string());
        Ok(found)
    }

    fn costs(pattern: &str) -> Result<Option<String>, Ambiguous> {
        Ok(Some(pattern.to_owned()))
    }

    #[test]
    fn plain_paths_cost_what_their_route_says() {
        let rows = [
            ("GET", "/report", "/report"),
            ("HEAD", "/report", "/report"),
            ("GET", "/report?x=/../", "/report"),
            ("GET", "/report/", "/report"),
            ("GET", "/REPORT", "/report"),
            ("GET", "http://elsewhere.example/report", "/report"),
            ("GET", "/api/caf%C3%A9%20100%25", "/api/*"),
            ("GET", "/api/%7Euser", "/api/*"),
        ];
        for (method, uri, pattern) in rows {
            assert_eq!(read(method, uri, &[]), costs(pattern), "{method} {uri}");
        }
    }

    #[test]
    fn what_no_route_covers_costs_nothing() {
        for (method, uri) in [
            ("GET", "/"),
            ("GET", "/reports"),
            ("POST", "/report"),
            ("OPTIONS", "/report"),
            ("OPTIONS", "*"),
            ("get", "/free"),
            ("GET", "/free%20of%20charge"),
        ] {
            assert_eq!(read(method, uri, &[]), Ok(None), "{method} {uri}");
        }
    }

    #[test]
    fn spellings_that_servers_read_differently_are_refused() {
        let paths = [
            "//report",
            "/free//report",
            "/./report",
            "/free/../report",
            "/free/%2e%2e/report",
            "/free/%2E./report",
            "/free/..%2freport",
            "/free%2f..%2freport",
            "/%2freport",
            "/api%2fkeys",
            "/rep%6frt",
            "/%72eport",
            "/%2572eport",
            "/report%252f",
            "/report;x=1",
            "/free/..;/report",
            "/report%3b",
            "/free/..%5creport",
            "/%5creport",
            "/report%00",
            "/report%0a",
            "/report%3f",
            "/report%23",
            "/report%zz",
            "/report%",
            "/report%c0%af",
            "/report//",
            "/cheap/../api/keys",
            "/cheap/%2e%2e/api/keys",
            "/%61pi/keys",
            "/free/%20/report",
            "/.",
            "/..",
            "/api/..%20/x",
        ];
        for path in paths {
            assert_eq!(read("GET", path, &[]), Err(Ambiguous), "{path}");
        }
        for method in ["get", "Get", "head"] {
            assert_eq!(read(method, "/report", &[]), Err(Ambiguous), "{method}");
        }
    }

    #[test]
    fn headers_that_override_the_request_line_do_not_help() {
        for name in METHOD_OVERRIDES {
            assert_eq!(read("POST", "/report", &[(name, "GET")]), Err(Ambiguous), "{name}");
            assert_eq!(read("POST", "/report", &[(name, "get")]), Err(Ambiguous), "{name}");
            assert_eq!(read("POST", "/free", &[(name, "PUT")]), Ok(None), "{name}");
        }
        for name in PATH_OVERRIDES {
            assert_eq!(read("GET", "/free", &[(name, "/report")]), Err(Ambiguous), "{name}");
            assert_eq!(read("GET", "/free?a", &[(name, "/free?a")]), Ok(None), "{name}");
        }
    }

    proptest! {
        /// Whatever a path looks like: where a thorough reading of it lands on a paid path, it
        /// costs or is refused.
        #[test]
        fn no_spelling_of_a_paid_path_is_free(
            pieces in proptest::collection::vec(
                prop_oneof![
                    Just("/"), Just("%2f"), Just("."), Just(".."), Just("%2e"), Just("r"),
                    Just("eport"), Just("%72"), Just("report"), Just("free"), Just("%5c"),
                    Just(";x"), Just("%25"), Just("2e"), Just("R"),
                ],
                0..8,
            ),
        ) {
            let path = format!("/{}", pieces.concat());
            if thorough(&path) == "/report" {
                prop_assert_ne!(read("GET", &path, &[]), Ok(None), "{}", path);
            }
        }
    }

    /// The reading of a server that decodes twice, drops parameters and resolves dots.
    fn thorough(path: &str) -> String {
        let once = decode(path).unwrap_or_else(|_| path.to_owned());
        let twice = decode(&once).unwrap_or(once);
        let mut segments: Vec<&str> = Vec::new();
        let lowered = twice.to_ascii_lowercase().replace('\\', "/");
        for segment in lowered.split('/').map(|text| text.split(';').next().unwrap()) {
            match segment {
                "" | "." => {}
                ".." => drop(segments.pop()),
                other => segments.push(other),
            }
        }
        format!("/{}", segments.join("/"))
    }
}
