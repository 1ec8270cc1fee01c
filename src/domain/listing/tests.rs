//! What is noted, from whom, and how much of it.

use serde_json::{Value, json};

use super::*;
use crate::sample::{Request, URL};

fn bazaar(method: &str) -> Value {
    let extension = ccd402_protocol::bazaar::extension(method, None).unwrap();
    json!({ "bazaar": extension })
}

fn v1() -> Request {
    let output_schema = ccd402_protocol::bazaar::output_schema("GET");
    Request::v1().offer("/outputSchema", output_schema)
}

fn v2() -> Request {
    Request::v2().with("/paymentPayload/extensions", bazaar("GET"))
}

fn noted(request: &Request) -> Option<Listing> {
    Listing::read(&request.presented())
}

fn at_url(url: &str) -> Request {
    v2().offer("/extra/resource", json!(url)).with("/paymentPayload/resource/url", json!(url))
}

#[test]
fn both_versions_note_the_same() {
    let described = |request: Request, pointer: &str| {
        let request = request.with(&format!("{pointer}/description"), json!("Weather, hourly"));
        noted(&request.with(&format!("{pointer}/mimeType"), json!("text/plain"))).unwrap()
    };
    let one = described(v1(), "/paymentRequirements");
    let two = described(v2(), "/paymentPayload/resource");
    assert_eq!(one, Listing { x402_version: X402Version::V1, ..two.clone() });
    let expected = Listing {
        url: URL.into(),
        method: "GET".into(),
        description: Some("Weather, hourly".into()),
        mime_type: Some("text/plain".into()),
        x402_version: X402Version::V2,
        max_timeout_seconds: 300,
    };
    assert_eq!(two, expected);
}

#[test]
fn who_did_not_ask_for_it_is_not_noted() {
    assert_eq!(noted(&Request::v1()), None);
    assert_eq!(noted(&Request::v2()), None);
    let hidden = json!({ "input": { "type": "http", "method": "GET", "discoverable": false } });
    assert_eq!(noted(&v1().offer("/outputSchema", hidden)), None);
}

#[test]
fn a_resource_that_the_payer_alone_names_is_not_noted() {
    assert_eq!(noted(&v2().offer("/extra/resource", Value::Null)), None);
}

#[test]
fn the_url_is_one_of_the_web_without_its_query() {
    let rows = [
        ("https://a.example/x?b=1#c", Some("https://a.example/x")),
        ("HTTP://a.example?b", Some("HTTP://a.example")),
        ("https://a.example/x#?", Some("https://a.example/x")),
        ("https://a.example:4021/%2e%2e/x;y=1", Some("https://a.example:4021/%2e%2e/x;y=1")),
        ("ftp://a.example/x", None),
        ("javascript:alert(1)", None),
        ("javascript://https://a.example", None),
        ("https://", None),
        ("https://?x", None),
        ("/x", None),
        ("https://bank.example@evil.example/", None),
        ("https://a.example/<script>", None),
        ("https://a.example/\"x", None),
        ("https://a.example\\@b", None),
        ("https://a.example/ü", None),
        ("https://a.example/\n", None),
    ];
    for (url, expected) in rows {
        assert_eq!(noted(&at_url(url)).map(|listing| listing.url).as_deref(), expected, "{url}");
    }
}

#[test]
fn the_method_is_the_one_that_the_seller_names() {
    let method = |request: Request| noted(&request).map(|listing| listing.method);
    let declared = |method: Value| {
        let unsaid = v2().offer("/extra/method", Value::Null);
        unsaid.with("/paymentPayload/extensions/bazaar/info/input/method", method)
    };
    assert_eq!(method(v2().offer("/extra/method", json!("POST"))).as_deref(), Some("POST"));
    assert_eq!(method(v2().offer("/extra/method", json!("HEAD"))).as_deref(), Some("GET"));
    assert_eq!(method(declared(json!("PUT"))).as_deref(), Some("PUT"));
    assert_eq!(method(declared(Value::Null)).as_deref(), Some("GET"));
    assert_eq!(method(declared(json!("<b>"))), None);
}

#[test]
fn hostile_texts_are_bounded_and_plain() {
    let described = |text: &str| {
        let request = v2().with("/paymentPayload/resource/description", json!(text));
        noted(&request).unwrap().description
    };
    assert_eq!(described(&"ä".repeat(100_000)), Some("ä".repeat(DESCRIPTION_CHARS_MAX)));
    let turned = described(" one\u{202e}\ntwo\0\u{2066} ");
    assert_eq!(turned.as_deref(), Some("one two"));
    assert_eq!(described("\u{202e}\t\n"), None);
    let typed = |text: &str| {
        let request = v2().with("/paymentPayload/resource/mimeType", json!(text));
        noted(&request).unwrap().mime_type
    };
    assert_eq!(typed("text/plain; charset=utf-8").as_deref(), Some("text/plain; charset=utf-8"));
    let long = "x/".repeat(MIME_TYPE_BYTES_MAX);
    for bad in ["", "text", "text/\nhtml", "text/ü", long.as_str()] {
        assert_eq!(typed(bad), None, "{bad:?}");
    }
}
