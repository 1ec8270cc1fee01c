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
pub struct Resource {
    /// HTTP method, upper case.
    pub method: String,
    /// Absolute URL as the gate names it.
    pub url: String,
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
    let json = serde_json_canonicalizer::to_vec(&preimage)
        .expect("JSON that was parsed can be written out canonically");
    Digest::from_bytes(Sha256::new().chain_update(DOMAIN).chain_update(json).finalize().into())
}

#[cfg(test)]
mod tests {
    use super::*;

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
