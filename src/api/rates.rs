//! How much keys call, for processes that tell each other: then a key's rate is bounded over all of
//! them, but for what is called between two words. How they tell is not decided here.

use std::sync::Arc;

use ccd402_domain::ids::KeyId;

use crate::meter::Meters;

/// What the keys of a process are counted for. Clones share it.
#[derive(Clone, Default)]
pub struct Rates(pub(crate) Arc<Meters>);

impl Rates {
    /// The requests that each key was counted for since the last time.
    #[must_use]
    pub fn take_counted(&self) -> Vec<(KeyId, u32)> {
        self.0.take_counted()
    }

    /// Another process has counted a key for so many requests.
    pub fn charge(&self, key: KeyId, requests: u32) {
        self.0.charge(key, requests);
    }
}
