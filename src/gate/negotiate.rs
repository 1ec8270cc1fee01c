//! Whether a visitor would rather read a page than JSON (RFC 9110, section 12.5.1).
//!
//! Only who names HTML, or texts, gets it: programs that accept everything get the JSON that they can read.

use http::header::ACCEPT;
use http::{HeaderMap, Method};

/// Most media ranges that are looked at.
const RANGES_MAX: usize = 64;

/// Whether the answer to this request should be a page.
pub(crate) fn wants_page(method: &Method, headers: &HeaderMap) -> bool {
    if *method != Method::GET && *method != Method::HEAD {
        return false;
    }
    let (mut html, mut json) = (Weight::default(), Weight::default());
    let values = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    for range in values.flat_map(|value| value.split(',')).take(RANGES_MAX) {
        let mut parts = range.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default().to_ascii_lowercase();
        let weight = weight(parts);
        match name.as_str() {
            "text/html" => html.say(3, weight),
            "text/*" => html.say(2, weight),
            "application/json" => json.say(3, weight),
            "application/*" => json.say(2, weight),
            "*/*" => json.say(1, weight),
            _ => {}
        }
    }
    html.thousandths > 0 && html.thousandths > json.thousandths
}

/// How much something is wanted, by the most exact range that names it.
#[derive(Debug, Clone, Copy, Default)]
struct Weight {
    exactness: u8,
    thousandths: u16,
}

impl Weight {
    fn say(&mut self, exactness: u8, thousandths: u16) {
        if exactness >= self.exactness {
            *self = Self { exactness, thousandths };
        }
    }
}

/// `q` in thousandths; 1 where it is not said, 0 where it is no number.
fn weight<'a>(mut parameters: impl Iterator<Item = &'a str>) -> u16 {
    let q = parameters.find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("q").then_some(value.trim())
    });
    let Some(q) = q else { return 1_000 };
    let q: f32 = q.parse().unwrap_or(0.0);
    if !(0.0..=1.0).contains(&q) {
        return 0;
    }
    (q * 1_000.0).round() as u16
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn browsers_get_a_page_and_programs_get_json() {
        let rows = [
            // Chrome, Firefox, Safari.
            ("text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8", true),
            ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", true),
            ("TEXT/HTML; q=0.9, */*;q=0.1", true),
            ("text/html", true),
            ("text/html;level=1", true),
            // curl, fetch, requests, and whoever says nothing.
            ("*/*", false),
            ("", false),
            ("application/json", false),
            ("application/json, text/plain, */*", false),
            ("text/html, application/json", false),
            ("text/html;q=0.5, application/json", false),
            ("text/html;q=0", false),
            ("text/html;q=many", false),
            ("text/html;q=-1", false),
            ("text/*", true),
            ("text/*, text/html;q=0", false),
            ("text/*;q=0.5, application/*", false),
        ];
        for (accept, expected) in rows {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, HeaderValue::from_static(accept));
            assert_eq!(wants_page(&Method::GET, &headers), expected, "{accept}");
            assert!(!wants_page(&Method::POST, &headers), "{accept}");
        }
        assert!(!wants_page(&Method::GET, &HeaderMap::new()));
    }
}
