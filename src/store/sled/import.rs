//! Takes exported lines into the log of a directory at rest: the same lines, with the same hashes.
//!
//! Only lines that continue what is there are taken, each checked before it is written. Proofs that
//! are kept beside a log are in no export. There is no writer here, and nobody else may have the
//! directory open. Everything blocks.

use ccd402_app::ports::log::Position;
use ccd402_domain::ids::Digest;

use super::open::{self, Ground, Mark};
use super::syncer::Sync;
use super::{Files, Options};
use crate::draft::{Draft, Tip};
use crate::envelope::{self, Chain};
use crate::error::Error;
use crate::read;

/// A log that is being filled.
pub struct Import {
    files: Files,
    tip: Tip,
    mark: Mark,
    sync: Sync,
}

impl Import {
    /// Opens the directory, or begins a log there.
    ///
    /// # Errors
    /// Where somebody has it open, or it is damaged.
    pub fn open(options: &Options) -> Result<Self, Error> {
        Error::catch(|| {
            let Ground { dir, files, tip, mark, .. } = open::ground(options)?;
            let sync = open::sync_data(&dir)?;
            Ok(Self { files, tip, mark, sync })
        })
    }

    /// The last position that is there.
    #[must_use]
    pub fn position(&self) -> Position {
        self.tip.position
    }

    /// The hash of the line there.
    #[must_use]
    pub fn hash(&self) -> Digest {
        self.tip.hash
    }

    /// Takes the next lines, without their line feeds: all of them, durably, or none. Lines that are
    /// there already are compared with what is there.
    ///
    /// # Errors
    /// Names the position of the first line that was changed, does not follow, or differs.
    pub fn take(&mut self, lines: Vec<Vec<u8>>) -> Result<(), Error> {
        Error::catch(|| {
            let db = &*self.files.db;
            let mut draft = Draft::new(db, self.tip, lines.len());
            for line in lines {
                let position = envelope::position_of(draft.tip().position + 1, &line)?;
                if position > self.tip.position {
                    adopt(&mut draft, line)?;
                } else if read::line(db, position)? != line {
                    return Err(Error::damaged(position, "the log holds another event there"));
                }
            }
            if draft.is_empty() {
                return Ok(());
            }
            let tip = draft.tip();
            self.files.db.apply_batch(draft.into_batch())?;
            self.files.db.flush()?;
            (self.sync)().map_err(Error::io(self.mark.dir()))?;
            self.tip = tip;
            self.mark.set(tip.position)
        })
    }
}

fn adopt(draft: &mut Draft<'_, ::sled::Tree>, line: Vec<u8>) -> Result<(), Error> {
    let tip = draft.tip();
    let mut chain = Chain::after(tip.position, tip.hash);
    chain.check(&line)?;
    let read = envelope::read(chain.position(), &line)?;
    draft.adopt(line, read)
}
