//! The body of a 402 for people: what it costs, what must be proven, until when, and how to pay.
//!
//! One HTML document with everything in it. It runs no script and fetches nothing, and says so in its
//! Content-Security-Policy. It cannot pay: wallets and `ccd402 pay` do.

use std::sync::LazyLock;

use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ccd402_domain::preset::Preset;
use ccd402_protocol::code::ReasonCode;
use ccd402_protocol::network::NetworkId;
use chrono::SecondsFormat;
use http::header::{
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderValue, Response, StatusCode};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest as _, Sha256};

use crate::offer::{Offers, Sale};
use crate::ways::Way;

mod command;
mod qr;

const STYLE: &str = include_str!("page/style.css");

/// Nothing but the one style sheet: no script, no request, no frame around it.
static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let hash = STANDARD.encode(Sha256::digest(STYLE));
    let text = format!(
        "default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'"
    );
    HeaderValue::from_str(&text).expect("base64 is of header characters")
});

/// What the page is about, besides the offers.
pub(crate) struct Page<'a> {
    /// What is sold.
    pub(crate) sale: Sale<'a>,
    /// Where it is paid.
    pub(crate) network: &'a NetworkId,
}

impl Page<'_> {
    /// The 402, but for the headers that it has in every shape.
    pub(crate) fn response(&self, offers: &Offers, refusal: Option<&str>) -> Response<Body> {
        let page = self.document(offers, refusal).into_string();
        let mut response = Response::new(Body::from(page));
        *response.status_mut() = StatusCode::PAYMENT_REQUIRED;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        headers.insert(CONTENT_SECURITY_POLICY, POLICY.clone());
        headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        response
    }

    fn document(&self, offers: &Offers, refusal: Option<&str>) -> Markup {
        html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    meta name="robots" content="noindex";
                    title { "Payment required" @if let Some(sold) = &self.sale.route.description { ": " (sold) } }
                    // Keeps browsers from asking for one, which this policy would not allow.
                    link rel="icon" href="data:,";
                    style { (PreEscaped(STYLE)) }
                }
                body {
                    main { (self.content(offers, refusal)) }
                }
            }
        }
    }

    fn content(&self, offers: &Offers, refusal: Option<&str>) -> Markup {
        let Sale { route, resource } = self.sale;
        html! {
            h1 { "Payment required" }
            @if let Some(code) = refusal {
                p.refusal role="alert" { "The payment was not taken: " (title(code)) "." }
            }
            p { (route.description.as_deref().unwrap_or("This page costs something.")) }
            ul.prices aria-label="Prices" {
                @for price in &offers.prices { li { (price) } }
            }
            @if offers.prices.len() > 1 { p { "Any one of these prices is enough." } }
            dl {
                dt { "Address" } dd { code { (resource.url) } }
                dt { "Paid to" } dd { code { (route.pay_to) } }
                dt { "Network" } dd { (self.network.v1_name()) }
                dt { "Fee" } dd { (fee(&offers.ways)) }
                (demands(&route.identity))
                dt { "Open until" }
                dd {
                    time datetime=(offers.closes_at.to_rfc3339_opts(SecondsFormat::Secs, true)) {
                        (offers.closes_at.format("%Y-%m-%d %H:%M:%S UTC"))
                    }
                    "; load this page again for a new offer"
                }
            }
            h2 { "How to pay" }
            p { "On a command line, with a Concordium wallet file:" }
            pre tabindex="0" { code { (command::pay(&resource.method, &resource.url)) } }
            p {
                "It asks before it pays. Say with " code { "--wallet" } " and " code { "--node" }
                " which wallet file and which node to use. Other x402 clients find the same offers in "
                "this answer's " code { "PAYMENT-REQUIRED" } " header."
            }
            @if let Some(code) = qr::code(&resource.url) {
                p { "Or take the address elsewhere:" }
                (code)
            }
        }
    }
}

fn fee(ways: &[Way]) -> &'static str {
    match (ways.contains(&Way::Sponsored), ways.contains(&Way::Hash)) {
        (true, true) => "none where the payment is sponsored; else the transfer's own, in CCD",
        (true, false) => "none, the payment is sponsored",
        (false, _) => "the transfer's own, in CCD",
    }
}

/// What must be proven. Nobody learns more than that it is so.
fn demands(identity: &Preset) -> Markup {
    let lists = [
        ("nationality is one of", &identity.nationality_in),
        ("nationality is none of", &identity.nationality_not_in),
        ("country of residence is one of", &identity.residence_in),
        ("country of residence is none of", &identity.residence_not_in),
    ];
    html! {
        @if !identity.is_empty() {
            dt { "You prove" }
            dd {
                ul {
                    @if let Some(years) = identity.min_age {
                        li { "that you are at least " (years) " years old" }
                    }
                    @for (what, countries) in lists.iter().filter(|(_, all)| !all.is_empty()) {
                        li { "that your " (what) " " (countries.join(", ")) }
                    }
                    @if !identity.issuers.is_empty() {
                        li { "with an identity that " (providers(&identity.issuers)) " issued" }
                    }
                }
                "with a zero-knowledge proof, which tells nothing else about you"
            }
        }
    }
}

/// Providers have names on chain, which a gate never sees.
fn providers(issuers: &[u32]) -> String {
    let numbers: Vec<_> = issuers.iter().map(ToString::to_string).collect();
    let what =
        if issuers.len() == 1 { "identity provider" } else { "one of the identity providers" };
    format!("{what} {}", numbers.join(", "))
}

/// A code in words, where it is one of ours.
fn title(code: &str) -> String {
    let known: Option<ReasonCode> = code.parse().ok();
    known.map_or_else(|| code.to_owned(), |known| format!("{} ({code})", known.title()))
}
