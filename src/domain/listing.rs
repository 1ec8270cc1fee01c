//! What is noted of a resource whose seller wants strangers to find it, when a payment for it is
//! handed in. It is shown once the payment is confirmed, and decides nothing.
//!
//! The payer may have written the texts: they are bounded and shown, never trusted. The URL must be
//! one that the seller's own requirements name.

use ccd402_protocol::bazaar::Declaration;
use ccd402_protocol::presented::PresentedPayment;
use ccd402_protocol::version::X402Version;
use serde::{Deserialize, Serialize};

use crate::offer;

/// Longest description that is noted.
const DESCRIPTION_CHARS_MAX: usize = 500;
/// Longest media type that is noted.
const MIME_TYPE_BYTES_MAX: usize = 100;

/// What is noted of a resource for a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Listing {
    /// Its URL without query and fragment: these say who asked and for what, and a thousand of them
    /// are still one resource.
    pub url: String,
    /// HTTP method; `GET` for a HEAD, which is told what a GET costs.
    pub method: String,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Media type of the content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mime_type: Option<String>,
    /// The version of x402 in which it was paid.
    pub x402_version: X402Version,
    /// How long its payers may take.
    pub max_timeout_seconds: u64,
}

impl Listing {
    /// What is noted of the resource of a payment; none where its seller did not ask for it, or where
    /// its requirements name no resource on the web.
    #[must_use]
    pub fn read<P>(presented: &PresentedPayment<P>) -> Option<Self> {
        let Declaration { method, description, mime_type } = presented.declared.as_ref()?;
        let fields = presented.requirements.fields();
        // What the payer alone names is no word of the seller's.
        let url = fields.resource.as_ref().or(fields.extra.resource.as_ref())?;
        let by_seller = fields.extra.method.as_ref().or(method.as_ref());
        let method = by_seller.map_or("GET", String::as_str);
        let method = if method == "HEAD" { "GET" } else { method };
        Some(Self {
            url: without_query(url)?.to_owned(),
            method: offer::is_method(method).then(|| method.to_owned())?,
            description: description.as_deref().and_then(shown),
            mime_type: mime_type.clone().filter(|text| is_mime_type(text)),
            x402_version: presented.version,
            max_timeout_seconds: fields.max_timeout_seconds,
        })
    }
}

/// A URL of the web without query and fragment, if it is one.
fn without_query(url: &str) -> Option<&str> {
    let bare = url.split(['?', '#']).next()?;
    let (scheme, rest) = bare.split_once("://")?;
    let host = rest.split('/').next()?;
    let is_web = scheme.eq_ignore_ascii_case("https") || scheme.eq_ignore_ascii_case("http");
    // A name and password before the host would not be the host that people see.
    let is_plain = !host.is_empty() && !host.contains('@');
    let is_text = bare.chars().all(|c| c.is_ascii_graphic() && !"\"<>\\^`{|}".contains(c));
    (is_web && is_plain && is_text).then_some(bare)
}

/// A text for people in one line, without what would change how the text around it reads.
fn shown(text: &str) -> Option<String> {
    let is_turn = |c| matches!(c, '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let plain = text.chars().filter(|c| !is_turn(*c)).map(|c| if c.is_control() { ' ' } else { c });
    let plain: String = plain.take(DESCRIPTION_CHARS_MAX).collect();
    let plain = plain.trim();
    (!plain.is_empty()).then(|| plain.to_owned())
}

fn is_mime_type(text: &str) -> bool {
    text.len() <= MIME_TYPE_BYTES_MAX
        && text.contains('/')
        && text.bytes().all(|b| b == b' ' || b.is_ascii_graphic())
}

#[cfg(test)]
mod tests;
