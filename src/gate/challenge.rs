//! The gate's seal: what makes an offer recognisable as its own, without keeping it.
//!
//! HMAC-SHA-256( secret, "ccd402/challenge/v1" || nonce || window || JCS({method, requirements,
//! resource}) ), the requirements without the challenge itself. Whoever shows an offer with a good
//! seal shows exactly what was offered, for exactly that request, however prices changed since.
//! When a challenge has expired is the facilitator's business.

use ccd402_domain::binding::Resource;
use ccd402_domain::challenge::{Challenge, NONCE_BYTES, Window};
use hmac::{Hmac, Mac as _};
use serde::Serialize;
use serde_json::Value;
use sha2::Sha256;

use crate::secret::Secret;

const DOMAIN: &[u8] = b"ccd402/challenge/v1";

/// Makes and checks the seals of one secret.
#[derive(Clone)]
pub struct Sealer {
    keyed: Hmac<Sha256>,
}

#[derive(Serialize)]
struct Sealed<'a> {
    method: &'a str,
    requirements: &'a Value,
    resource: &'a str,
}

impl Sealer {
    /// A sealer with this secret.
    #[must_use]
    pub fn new(secret: &Secret) -> Self {
        let keyed = Hmac::new_from_slice(secret.bytes()).expect("HMAC takes keys of every length");
        Self { keyed }
    }

    /// Puts a challenge into `extra.challenge` of an offer: fresh bytes, the window, the seal over
    /// them and over the offer. `None` where the offer is no object with an `extra`.
    #[must_use]
    pub fn seal(
        &self,
        mut offer: Value,
        resource: &Resource,
        window: Window,
        nonce: [u8; NONCE_BYTES],
    ) -> Option<Value> {
        let mac = self.mac(&offer, resource, &Challenge::sealed_bytes(&nonce, window))?;
        let challenge = Challenge { nonce, window, seal: mac.finalize().into_bytes().into() };
        let extra = offer.get_mut("extra")?.as_object_mut()?;
        extra.insert("challenge".to_owned(), Value::String(challenge.to_string()));
        Some(offer)
    }

    /// Whether this secret sealed this very offer for this very request. In constant time.
    #[must_use]
    pub fn is_ours(&self, offer: &Value, resource: &Resource) -> bool {
        self.check(offer, resource).is_some()
    }

    fn check(&self, offer: &Value, resource: &Resource) -> Option<()> {
        let mut bare = offer.clone();
        let removed = bare.get_mut("extra")?.as_object_mut()?.remove("challenge")?;
        let challenge: Challenge = removed.as_str()?.parse().ok()?;
        let sealed = Challenge::sealed_bytes(&challenge.nonce, challenge.window);
        self.mac(&bare, resource, &sealed)?.verify_slice(&challenge.seal).ok()
    }

    /// `None` for numbers that have no canonical form: no offer of ours holds one.
    fn mac(&self, bare: &Value, resource: &Resource, sealed: &[u8]) -> Option<Hmac<Sha256>> {
        let offer =
            Sealed { method: &resource.method, requirements: bare, resource: &resource.url };
        let json = serde_json_canonicalizer::to_vec(&offer).ok()?;
        let mut mac = self.keyed.clone();
        mac.update(DOMAIN);
        mac.update(sealed);
        mac.update(&json);
        Some(mac)
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use serde_json::json;

    use super::*;

    fn sealer(byte: u8) -> Sealer {
        Sealer::new(&Secret::new(vec![byte; 32]).unwrap())
    }

    fn resource() -> Resource {
        Resource { method: "GET".into(), url: "https://example.com/report".into() }
    }

    fn sealed() -> Value {
        let at = |seconds| DateTime::from_timestamp(seconds, 0).unwrap();
        let window = Window { opens_at: at(1_000), closes_at: at(1_300) };
        let offer = json!({ "amount": "5", "payTo": "x", "extra": { "decimals": 6 } });
        sealer(1).seal(offer, &resource(), window, [9; NONCE_BYTES]).unwrap()
    }

    #[test]
    fn an_offer_of_ours_is_recognised() {
        assert!(sealer(1).is_ours(&sealed(), &resource()));
    }

    #[test]
    fn every_change_breaks_the_seal() {
        let changes: &[fn(&mut Value)] = &[
            |offer| offer["amount"] = json!("4"),
            |offer| offer["payTo"] = json!("y"),
            |offer| offer["extra"]["decimals"] = json!(5),
            |offer| offer["extra"]["more"] = json!(true),
            |offer| offer["more"] = json!(null),
            |offer| offer["extra"]["decimals"] = serde_json::from_str("1e999").unwrap(),
            |offer| drop(offer["extra"].as_object_mut().unwrap().remove("challenge")),
            |offer| offer["extra"] = json!("text"),
            |offer| *offer = json!(null),
        ];
        for (row, change) in changes.iter().enumerate() {
            let mut offer = sealed();
            change(&mut offer);
            assert!(!sealer(1).is_ours(&offer, &resource()), "row {row}");
        }
    }

    #[test]
    fn every_byte_of_the_challenge_counts() {
        let text = sealed()["extra"]["challenge"].as_str().unwrap().to_owned();
        for index in 0..text.len() {
            let mut changed = text.clone().into_bytes();
            changed[index] = if changed[index] == b'A' { b'B' } else { b'A' };
            let mut offer = sealed();
            offer["extra"]["challenge"] = json!(String::from_utf8(changed).unwrap());
            assert!(!sealer(1).is_ours(&offer, &resource()), "byte {index}");
        }
    }

    #[test]
    fn other_requests_and_other_secrets_are_told_apart() {
        let post = Resource { method: "POST".into(), ..resource() };
        let elsewhere = Resource { url: "https://example.com/report?x=1".into(), ..resource() };
        assert!(!sealer(1).is_ours(&sealed(), &post));
        assert!(!sealer(1).is_ours(&sealed(), &elsewhere));
        assert!(!sealer(2).is_ours(&sealed(), &resource()));
    }
}
