//! The extension `payment-identifier` of x402 v2: the payer's own key for a payment, under which a
//! repeat hears the stored answer. What is stored is the caller's business.

use memchr::memmem;
use serde::Deserialize;

/// The extension's name in `extensions`.
pub const PAYMENT_IDENTIFIER: &str = "payment-identifier";

/// Shortest and longest id.
const ID_CHARS: std::ops::RangeInclusive<usize> = 16..=128;

/// A payment that names its identifier wrongly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadIdentifier {
    /// The server wants one.
    Missing,
    /// Not as the extension's specification has it.
    NotOne,
}

impl BadIdentifier {
    /// What is wrong, and what to do.
    #[must_use]
    pub fn explanation(self) -> &'static str {
        match self {
            Self::Missing => {
                "a payment identifier is required: say extensions.payment-identifier.info.id"
            }
            Self::NotOne => {
                "a payment identifier is 16 to 128 letters, digits, hyphens and underscores"
            }
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    payment_payload: Payload,
}

#[derive(Deserialize)]
struct Payload {
    #[serde(default)]
    extensions: Option<Extensions>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Extensions {
    #[serde(default)]
    payment_identifier: Option<Extension>,
}

#[derive(Deserialize)]
struct Extension {
    info: Info,
}

#[derive(Deserialize)]
struct Info {
    #[serde(default)]
    required: bool,
    #[serde(default)]
    id: Option<String>,
}

/// The identifier of the payment in a VerifyRequest; none where it carries none.
///
/// # Errors
/// Where one is required and missing, or is none.
pub fn of(body: &[u8]) -> Result<Option<String>, BadIdentifier> {
    // Most payments carry none: they are not read once more for it.
    if memmem::find(body, PAYMENT_IDENTIFIER.as_bytes()).is_none() {
        return Ok(None);
    }
    // What is no request at all is refused by whoever reads all of it.
    let Ok(request) = serde_json::from_slice::<Request>(body) else { return Ok(None) };
    let extension = request.payment_payload.extensions.and_then(|all| all.payment_identifier);
    let Some(Extension { info }) = extension else { return Ok(None) };
    match info.id {
        None if info.required => Err(BadIdentifier::Missing),
        None => Ok(None),
        Some(id) if is_id(&id) => Ok(Some(id)),
        Some(_) => Err(BadIdentifier::NotOne),
    }
}

fn is_id(text: &str) -> bool {
    let is_allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    ID_CHARS.contains(&text.len()) && text.bytes().all(is_allowed)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(info: &Value) -> Result<Option<String>, BadIdentifier> {
        let extensions = json!({ "payment-identifier": { "info": info, "schema": {} } });
        let body = json!({ "x402Version": 2, "paymentPayload": { "extensions": extensions } });
        of(body.to_string().as_bytes())
    }

    #[test]
    fn an_identifier_is_read_where_it_is_one() {
        let id = "pay_7d5d747be160e280";
        assert_eq!(read(&json!({ "required": false, "id": id })), Ok(Some(id.to_owned())));
        assert_eq!(read(&json!({ "required": false })), Ok(None));
        assert_eq!(read(&json!({ "required": true })), Err(BadIdentifier::Missing));
        for bad in ["too-short", "has spaces in it ok", &"x".repeat(129)] {
            assert_eq!(read(&json!({ "id": bad })), Err(BadIdentifier::NotOne), "{bad}");
        }
    }

    #[test]
    fn what_carries_none_has_none() {
        for body in ["", "{}", r#"{"paymentPayload":{}}"#, r#"{"payment-identifier":1}"#] {
            assert_eq!(of(body.as_bytes()), Ok(None), "{body}");
        }
    }
}
