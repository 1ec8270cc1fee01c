//! The text of a key, `ccd402_<id>_<secret>`: what its holder sends.
//!
//! The id is 32 hex digits, the secret 256 random bits in base64url. Whoever has the text has the
//! key: it is shown once, by [`KeyText::reveal`], and `Debug` hides it.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::ids::{Digest, KeyId};

/// How every key begins, so that it is found where it does not belong.
const BEGINNING: &str = "ccd402_";
const ID_DIGITS: usize = 32;
const SECRET_BYTES: usize = 32;
/// Digits of the id that are shown in lists.
const SHOWN_DIGITS: usize = 16;

/// A key with its secret.
#[derive(Clone)]
pub struct KeyText {
    id: KeyId,
    secret: [u8; SECRET_BYTES],
}

/// A text that is no key. Says nothing about it: it may be one that was mistyped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a key: keys are ccd402_<id>_<secret>")]
pub struct NotAKeyText;

impl KeyText {
    /// A key of a fresh id and fresh random bytes.
    #[must_use]
    pub fn new(id: KeyId, secret: [u8; SECRET_BYTES]) -> Self {
        Self { id, secret }
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// SHA-256 of the secret: what is kept.
    #[must_use]
    pub fn hash(&self) -> Digest {
        Digest::from_bytes(Sha256::digest(self.secret).into())
    }

    /// How the text begins, for lists.
    #[must_use]
    pub fn prefix(&self) -> String {
        let mut prefix = format!("{BEGINNING}{}", self.id.0.simple());
        prefix.truncate(BEGINNING.len() + SHOWN_DIGITS);
        prefix
    }

    /// The whole text, secret included: for its holder's eyes.
    #[must_use]
    pub fn reveal(&self) -> String {
        format!("{BEGINNING}{}_{}", self.id.0.simple(), URL_SAFE_NO_PAD.encode(self.secret))
    }
}

impl FromStr for KeyText {
    type Err = NotAKeyText;

    fn from_str(text: &str) -> Result<Self, NotAKeyText> {
        let rest = text.strip_prefix(BEGINNING).ok_or(NotAKeyText)?;
        let (id, secret) = rest.split_at_checked(ID_DIGITS).ok_or(NotAKeyText)?;
        let id = Uuid::try_parse(id).map_err(|_| NotAKeyText)?;
        let secret = secret.strip_prefix('_').ok_or(NotAKeyText)?;
        let mut bytes = [0; SECRET_BYTES];
        match URL_SAFE_NO_PAD.decode_slice(secret, &mut bytes) {
            Ok(SECRET_BYTES) => Ok(Self { id: KeyId(id), secret: bytes }),
            _ => Err(NotAKeyText),
        }
    }
}

impl fmt::Debug for KeyText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyText").field("id", &self.id).finish_non_exhaustive()
    }
}
