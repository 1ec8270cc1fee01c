//! The binding digest: what ties one payment to one request.
//!
//! SHA-256( "ccd402/binding/v1" || JCS({method, requirements, resource}) ), JCS as in RFC 8785. The
//! requirements are the chosen offer as it came, challenge included, so the digest commits to payTo,
//! amount, asset, network, resource, and to what must be proven.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::ids::Digest;

const DOMAIN: &[u8] = b"ccd402/binding/v1";

/// What is paid for: one method on one URL.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Resource {
    /// HTTP method, upper case.
    pub method: String,
    /// Absolute URL as the gate names it.
    pub url: String,
}

impl Resource {
    /// Stands for a resource that nobody has named, as x402 allows where a payment is sponsored.
    #[must_use]
    pub fn unnamed() -> Self {
        Self { method: "GET".to_owned(), url: "urn:x402:unnamed".to_owned() }
    }
}

#[derive(Serialize)]
struct Preimage<'a> {
    method: &'a str,
    requirements: &'a Value,
    resource: &'a str,
}

/// The digest of an offer for a resource.
///
/// # Panics
/// Where a number has no double, such as `1e400`. An offer that was decoded holds none.
#[must_use]
pub fn digest(resource: &Resource, requirements: &Value) -> Digest {
    let preimage = Preimage { method: &resource.method, requirements, resource: &resource.url };
    let json = if is_plain(requirements) {
        serde_json::to_vec(&preimage)
    } else {
        serde_json_canonicalizer::to_vec(&preimage)
    };
    let json = json.expect("JSON that was parsed can be written out canonically");
    Digest::from_bytes(Sha256::new().chain_update(DOMAIN).chain_update(json).finalize().into())
}

/// Whether serde_json writes it as RFC 8785 does, in a tenth of the time. Offers are like that, save
/// those that somebody made to be otherwise: it sorts names by code points, not by UTF-16, and it
/// writes numbers as they came.
fn is_plain(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(_) | Value::String(_) => true,
        Value::Number(number) => is_plain_number(number.as_str()),
        Value::Array(items) => items.iter().all(is_plain),
        Value::Object(members) => {
            members.iter().all(|(name, value)| name.is_ascii() && is_plain(value))
        }
    }
}

/// Whole, without a sign, and exact in a double.
fn is_plain_number(digits: &str) -> bool {
    digits.len() <= 15
        && digits.bytes().all(|b| b.is_ascii_digit())
        && (digits == "0" || !digits.starts_with('0'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u16>().prop_map(Value::from),
            (-1e30_f64..1e30).prop_map(Value::from),
            any::<String>().prop_map(Value::from),
            "[\\x00-\\x7f]{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            let name = prop_oneof![any::<String>(), "[\\x00-\\x7f]{0,4}"];
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(name, inner, 0..4)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_plain_is_written_as_the_canonical_writer_does(value in json()) {
            if is_plain(&value) {
                let canonical = serde_json_canonicalizer::to_vec(&value).unwrap();
                prop_assert_eq!(serde_json::to_vec(&value).unwrap(), canonical);
            }
        }
    }

    #[test]
    fn an_offer_is_plain_and_what_the_two_write_differently_is_not() {
        let offer =
            r#"{"amount":"1","maxTimeoutSeconds":60,"extra":{"name":"\u20ac","list":[0,null]}}"#;
        assert!(is_plain(&serde_json::from_str(offer).unwrap()));
        for other in ["1.0", "-0", "1e3", "9007199254740993", r#"{"\u20ac":1}"#, "[[1.5]]"] {
            assert!(!is_plain(&serde_json::from_str(other).unwrap()), "{other}");
        }
    }

    fn resource() -> Resource {
        Resource { method: "GET".into(), url: "https://example.com/report".into() }
    }

    #[test]
    fn the_order_of_fields_and_the_white_space_do_not_matter() {
        let one: Value = serde_json::from_str(r#"{"amount":"1","maxTimeoutSeconds":60}"#).unwrap();
        let two: Value =
            serde_json::from_str(r#"{ "maxTimeoutSeconds": 60, "amount": "1" }"#).unwrap();
        assert_eq!(digest(&resource(), &one), digest(&resource(), &two));
    }

    #[test]
    fn the_digest_is_the_one_that_anyone_can_compute() {
        let requirements: Value =
            serde_json::from_str(r#"{"amount":"1","maxTimeoutSeconds":60}"#).unwrap();
        let preimage = concat!(
            "ccd402/binding/v1",
            r#"{"method":"GET","requirements":{"amount":"1","maxTimeoutSeconds":60},"#,
            r#""resource":"https://example.com/report"}"#
        );
        let expected = Digest::from_bytes(Sha256::digest(preimage).into());
        assert_eq!(digest(&resource(), &requirements), expected);
    }

    #[test]
    fn numbers_and_names_are_written_as_rfc_8785_says() {
        let requirements: Value = serde_json::from_str(
            r#"{"\u20ac":1.0,"\ud83d\ude00":1e3,"\ufb33":1e21,"a":0.002,"1":-0,"b":333333333.33333329}"#,
        )
        .unwrap();
        let preimage = concat!(
            "ccd402/binding/v1",
            "{\"method\":\"GET\",\"requirements\":{\"1\":0,\"a\":0.002,\"b\":333333333.3333333,",
            "\"\u{20ac}\":1,\"\u{1f600}\":1000,\"\u{fb33}\":1e+21},",
            "\"resource\":\"https://example.com/report\"}"
        );
        let expected = Digest::from_bytes(Sha256::digest(preimage).into());
        assert_eq!(digest(&resource(), &requirements), expected);
    }

    #[test]
    fn every_part_is_committed_to() {
        let requirements = serde_json::json!({ "amount": "1" });
        let base = digest(&resource(), &requirements);
        let other_method = Resource { method: "POST".into(), ..resource() };
        let other_url = Resource { url: "https://example.com/other".into(), ..resource() };
        assert_ne!(digest(&other_method, &requirements), base);
        assert_ne!(digest(&other_url, &requirements), base);
        assert_ne!(digest(&resource(), &serde_json::json!({ "amount": "2" })), base);
    }
}
