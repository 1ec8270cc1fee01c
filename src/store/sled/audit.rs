//! Checks the hash chain at a start: what was written since it was checked last.
//!
//! How far that is, is kept in a file beside sled's: a position and the hash of its line, which
//! stands for all lines before it. Checking everything at each start would take minutes for a long
//! log; that is done while the server runs, and by `ccd402 events verify`.

use std::fs;
use std::path::{Path, PathBuf};

use ccd402_app::ports::log::Position;
use ccd402_domain::ids::Digest;

use super::SledLog;
use crate::envelope::{self, Chain};
use crate::error::Error;
use crate::{check, read};

/// A line of the log that was found good, with all that come before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Verified {
    position: Position,
    hash: Digest,
}

impl SledLog {
    /// Checks every line since the one that was found good last, and that this one still is; then
    /// remembers how far everything is good.
    ///
    /// # Errors
    /// Names the first bad position.
    pub async fn verify_new(&self) -> Result<Chain, Error> {
        let path = self.shared.dir.join("verified");
        let before = Verified::read(&path)?;
        let chain = self
            .read_blocking(move |db, head| {
                let Some(before) = before else { return check::verify(&**db, 0..head) };
                if before.position > head {
                    return Err(Error::damaged(head + 1, "it was checked before, and is gone"));
                }
                let line = read::line(&**db, before.position)?;
                if envelope::hash_at(before.position, &line)? != before.hash {
                    let reason = "it is not the line that was checked before";
                    return Err(Error::damaged(before.position, reason));
                }
                check::verify(&**db, before.position - 1..head)
            })
            .await?;
        let verified = Verified { position: chain.position(), hash: chain.hash() };
        verified.write(&path)?;
        Ok(chain)
    }
}

impl Verified {
    /// `None` where nothing was checked yet, or the file says nothing that can be read.
    fn read(path: &Path) -> Result<Option<Self>, Error> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::io(path)(error)),
        };
        let read = text.trim().split_once(' ').and_then(|(position, hash)| {
            Some(Self { position: position.parse().ok()?, hash: hash.parse().ok()? })
        });
        Ok(read.filter(|read| read.position > 0))
    }

    /// Whole or not at all; lost, it costs the next start some time.
    fn write(self, path: &Path) -> Result<(), Error> {
        let beside: PathBuf = path.with_extension("new");
        let text = format!("{} {}\n", self.position, self.hash);
        fs::write(&beside, text).and_then(|()| fs::rename(&beside, path)).map_err(Error::io(path))
    }
}
