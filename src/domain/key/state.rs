//! What is known of a Key: the fold of its events.

use ccd402_protocol::code::ReasonCode;
use chrono::{DateTime, Utc};

use crate::event::Event;
use crate::ids::KeyId;
use crate::key::event::KeyCreated;
use crate::verification::state::BrokenHistory;

/// A Key as its events tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Events so far: the version to expect when appending.
    pub version: u64,
    /// What it is.
    pub created: KeyCreated,
    /// Since when it is good for nothing.
    pub revoked_at: Option<DateTime<Utc>>,
}

impl Key {
    /// Folds a stream; `None` where it is empty.
    ///
    /// # Errors
    /// Where an event cannot follow those before it.
    pub fn fold<'a>(
        events: impl IntoIterator<Item = &'a Event>,
    ) -> Result<Option<Self>, BrokenHistory> {
        events.into_iter().try_fold(None, |state, event| evolve(state, event).map(Some))
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> KeyId {
        self.created.key
    }

    /// Whether it is good at a time.
    ///
    /// # Errors
    /// Why it is not.
    pub fn must_be_good(&self, now: DateTime<Utc>) -> Result<(), ReasonCode> {
        if self.revoked_at.is_some() {
            return Err(ReasonCode::KeyRevoked);
        }
        match self.created.expires_at {
            Some(expires_at) if expires_at <= now => Err(ReasonCode::KeyExpired),
            _ => Ok(()),
        }
    }
}

/// The state after one more event.
///
/// # Errors
/// Where the event cannot follow: history must not be guessed at.
pub fn evolve(state: Option<Key>, event: &Event) -> Result<Key, BrokenHistory> {
    let version = state.as_ref().map_or(1, |state| state.version + 1);
    match (state, event) {
        (None, Event::KeyCreated(created)) => {
            Ok(Key { version, created: created.clone(), revoked_at: None })
        }
        (Some(key), Event::KeyRevoked(revoked))
            if key.revoked_at.is_none() && revoked.key == key.id() =>
        {
            Ok(Key { version, revoked_at: Some(revoked.revoked_at), ..key })
        }
        _ => Err(BrokenHistory { event: event.name(), version }),
    }
}
