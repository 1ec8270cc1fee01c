//! Secrets of webhooks: derived from one key of the installation, so that none is ever stored.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ccd402_domain::ids::WebhookId;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;

use crate::ports::webhooks::SigningSecret;

/// What the text of a secret begins with, as the Standard Webhooks specification says.
const PREFIX: &str = "whsec_";
/// Keeps these secrets apart from whatever else is derived from the key.
const PURPOSE: &[u8] = b"webhook";

/// The key of the installation.
#[derive(Clone)]
pub struct SecretKey([u8; 32]);

impl SecretKey {
    /// A key of random bytes.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// A key for another purpose: HMAC-SHA256 over its name.
    #[must_use]
    pub fn derived(&self, purpose: &[u8]) -> [u8; 32] {
        self.mac(&[b"derived/", purpose])
    }

    /// The secret of a webhook by its number: HMAC-SHA256 over purpose, id and number.
    #[must_use]
    pub fn secret(&self, webhook: WebhookId, number: u64) -> SigningSecret {
        SigningSecret(self.mac(&[PURPOSE, webhook.0.as_bytes(), &number.to_be_bytes()]).to_vec())
    }

    /// Tells this key from others without telling it.
    #[must_use]
    pub fn fingerprint(&self) -> [u8; 32] {
        self.derived(b"fingerprint")
    }

    fn mac(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of any length");
        parts.iter().for_each(|part| mac.update(part));
        mac.finalize().into_bytes().into()
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(hidden)")
    }
}

/// A secret as its owner is shown it, once.
#[derive(Clone, PartialEq, Eq)]
pub struct ShownSecret(String);

impl ShownSecret {
    pub(crate) fn of(secret: &SigningSecret) -> Self {
        Self(format!("{PREFIX}{}", STANDARD.encode(&secret.0)))
    }

    /// `whsec_` and the secret in Base64.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ShownSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ShownSecret(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn each_webhook_and_each_rotation_has_a_secret_of_its_own() {
        let key = SecretKey::new([1; 32]);
        let of = |id, number| key.secret(WebhookId(Uuid::from_u128(id)), number);
        assert_eq!(of(1, 1), of(1, 1));
        assert_ne!(of(1, 1), of(1, 2));
        assert_ne!(of(1, 1), of(2, 1));
        let other = SecretKey::new([2; 32]);
        assert_ne!(of(1, 1), other.secret(WebhookId(Uuid::from_u128(1)), 1));
        assert_eq!(ShownSecret::of(&of(1, 1)).as_str().len(), PREFIX.len() + 44);
    }

    #[test]
    fn none_of_it_is_printed() {
        let key = SecretKey::new([1; 32]);
        let secret = key.secret(WebhookId(Uuid::from_u128(1)), 1);
        let shown = ShownSecret::of(&secret);
        let printed = format!("{key:?} {secret:?} {shown:?}");
        assert_eq!(printed, "SecretKey(hidden) SigningSecret(hidden) ShownSecret(hidden)");
    }
}
