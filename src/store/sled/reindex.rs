//! Rebuilds what is derived from events: places in streams, claims, who waits.
//!
//! Attachments are not derived from events and stay as they are.

use ::sled::{Batch, Db};
use ccd402_app::ports::log::{Position, READ_EVENTS_MAX};
use sha2::{Digest as _, Sha256};

use crate::draft::{Draft, Tip};
use crate::error::Error;
use crate::index::IndexChange;
use crate::keys;
use crate::read;
use crate::table::Table as _;

/// Changes with the layout of the indexes; a log with another one is rebuilt.
const VERSION: &[u8] = b"2";
/// Keys that are removed at a time.
const REMOVED_MAX: usize = 4_096;

/// Whether the indexes have the layout of this software.
pub(super) fn is_current(db: &Db) -> Result<bool, Error> {
    Ok(db.value(keys::INDEX_VERSION)?.is_some_and(|version| version == VERSION))
}

/// Rebuilds all indexes; whether they agreed before. `None` where the log was empty.
///
/// Interrupted, it is done again at the next opening: the version is written last. The caller
/// makes it durable.
pub(super) fn rebuild(db: &Db, head: Position) -> Result<Option<bool>, Error> {
    let before = digest(db)?;
    db.remove(keys::INDEX_VERSION)?;
    db.flush()?;
    for prefix in keys::INDEX_PREFIXES {
        remove_all(db, prefix)?;
    }
    let mut tip = Tip::empty();
    while tip.position < head {
        let events = read::all(&**db, head, tip.position, READ_EVENTS_MAX)?;
        let mut draft = Draft::new(&**db, tip, events.len());
        for event in &events {
            let place = (keys::stream(&event.stream, event.version), event.position);
            draft
                .reindex(place, IndexChange::of(&event.event))?
                .map_err(|conflict| Error::damaged(event.position, conflict.to_string()))?;
        }
        tip = Tip { position: tip.position + events.len() as u64, ..draft.tip() };
        db.apply_batch(draft.into_batch())?;
    }
    let agreed = (head > 0).then_some(before == digest(db)?);
    db.insert(keys::INDEX_VERSION, VERSION)?;
    db.flush()?;
    if agreed == Some(false) {
        tracing::warn!(position = head, "The indexes of the log were rebuilt from its events.");
    }
    Ok(agreed)
}

fn remove_all(db: &Db, prefix: &[u8]) -> Result<(), Error> {
    loop {
        let mut batch = Batch::default();
        let mut count = 0;
        for entry in db.entries(keys::prefixed(prefix)).take(REMOVED_MAX) {
            batch.remove(entry?.0);
            count += 1;
        }
        if count == 0 {
            return Ok(());
        }
        db.apply_batch(batch)?;
    }
}

fn digest(db: &Db) -> Result<[u8; 32], Error> {
    let mut hasher = Sha256::new();
    for prefix in keys::INDEX_PREFIXES {
        for entry in db.entries(keys::prefixed(prefix)) {
            let (key, value) = entry?;
            for part in [&key, &value] {
                hasher.update((part.len() as u64).to_be_bytes());
                hasher.update(part);
            }
        }
    }
    Ok(hasher.finalize().into())
}
