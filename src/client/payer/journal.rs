//! The payer's memory: one JSON file a payment, in a directory that belongs to one wallet.
//!
//! A file is whole or not there: it is written beside its name, synced, renamed, and the directory
//! is synced. A file that cannot be read stops the payer, because it may be an unfinished payment.
//! One run at a time holds the wallet's lock: it decides what is signed. Whoever works on a payment
//! holds that payment's own lock, and writes to its record; a payment that is open and whose lock is
//! free was left behind. Nothing here knows what a payment's states mean.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ccd402_domain::account::AccountAddress;
use ccd402_domain::binding::Resource;

use crate::payer::record::{Id, Record};

/// Closed records that are kept as receipts.
pub const RECEIPTS_MAX: usize = 100;
/// Records, open and closed, that a journal may hold; more and something is amiss.
pub const RECORDS_MAX: usize = 1_000;
/// Longest record: an offer, a payment header, a signed transfer.
const RECORD_BYTES_MAX: u64 = 512 * 1024;

const LOCK: &str = "lock";
const SUFFIX_LOCK: &str = ".lock";
const SUFFIX: &str = ".json";
const SUFFIX_HALF_WRITTEN: &str = ".new";

/// A directory of records.
#[derive(Debug, Clone)]
pub struct Journal {
    directory: PathBuf,
}

/// Held by the one run that may sign; given back when it is dropped, with all its clones, or the
/// process ends.
#[derive(Debug, Clone)]
pub struct Lock {
    _file: Arc<File>,
}

/// Held by the one run that works on a payment; given back in the same way.
#[derive(Debug, Clone)]
pub struct Claim {
    _file: Arc<File>,
}

/// The journal cannot be used, so nothing may be paid.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file system failed.
    #[error("the journal of payments cannot be used: {path}: {source}")]
    Io {
        /// Where.
        path: PathBuf,
        /// How.
        source: io::Error,
    },
    /// A record that cannot be read: it may be an unfinished payment.
    #[error(
        "the record of a payment cannot be read: {path}: {reason}; it may be unfinished: look at \
         it and move it away"
    )]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// Too many payments were never finished.
    #[error("the journal {0} holds more than {RECORDS_MAX} records; move some away")]
    Full(PathBuf),
}

impl Journal {
    /// Opens the journal in this directory, which is made where it is missing (mode 0700).
    ///
    /// # Errors
    /// Where the directory cannot be made.
    pub fn open(directory: impl Into<PathBuf>) -> Result<Self, Error> {
        let directory = directory.into();
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&directory);
        made.and_then(|()| sync(&directory.join(".."))).map_err(|e| failed(&directory, e))?;
        Ok(Self { directory })
    }

    /// Takes the wallet's lock; `None` while another run holds it.
    ///
    /// # Errors
    /// Where the file system fails.
    pub fn try_lock(&self) -> Result<Option<Lock>, Error> {
        let Some(file) = locked(&self.directory.join(LOCK))? else { return Ok(None) };
        self.sweep()?;
        Ok(Some(Lock { _file: Arc::new(file) }))
    }

    /// Takes a payment's lock; `None` while another run works on it. The wallet's lock must be
    /// held: what is claimed and what is left behind changes only under it.
    ///
    /// # Errors
    /// Where the file system fails.
    pub fn claim(&self, _wallet: &Lock, id: &Id) -> Result<Option<Claim>, Error> {
        Ok(locked(&self.path(id, SUFFIX_LOCK))?.map(|file| Claim { _file: Arc::new(file) }))
    }

    /// The payment for this resource by this account that was left behind, the oldest first.
    ///
    /// # Errors
    /// Where any record cannot be read.
    pub fn take_up(
        &self,
        wallet: &Lock,
        resource: &Resource,
        payer: &AccountAddress,
    ) -> Result<Option<(Record, Claim)>, Error> {
        let is_wanted = |record: &Record| {
            record.is_open() && record.resource == *resource && record.payer.is_alias_of(payer)
        };
        let mut records: Vec<_> = self.records()?.into_iter().filter(is_wanted).collect();
        records.sort_by_key(|record| record.created_at);
        for record in records {
            if let Some(taken) = self.take(wallet, &record.id())? {
                return Ok(Some(taken));
            }
        }
        Ok(None)
    }

    /// An open payment with its lock; `None` while another run works on it, and once it is closed.
    ///
    /// # Errors
    /// Where its record cannot be read.
    pub fn take(&self, wallet: &Lock, id: &Id) -> Result<Option<(Record, Claim)>, Error> {
        let Some(claim) = self.claim(wallet, id)? else { return Ok(None) };
        // Read now: whoever worked on it may have closed it a moment ago.
        match read(&self.path(id, SUFFIX))? {
            Some(record) if record.is_open() => Ok(Some((record, claim))),
            _ => self.unlock(id).map(|()| None),
        }
    }

    /// Whether nobody works on an open payment.
    ///
    /// # Errors
    /// Where the file system fails.
    pub fn is_left_behind(&self, _wallet: &Lock, record: &Record) -> Result<bool, Error> {
        Ok(record.is_open() && !self.is_claimed(&self.path(&record.id(), SUFFIX_LOCK))?)
    }

    /// Every record, in no order.
    ///
    /// # Errors
    /// Where any record cannot be read.
    pub fn records(&self) -> Result<Vec<Record>, Error> {
        // One that is gone meanwhile was an old receipt.
        self.paths(SUFFIX)?.iter().filter_map(|path| read(path).transpose()).collect()
    }

    /// Writes a record durably, in place of its earlier state. Closing one drops the oldest
    /// receipts beyond [`RECEIPTS_MAX`].
    ///
    /// # Errors
    /// Where it is not on disk; what should have followed must then not be done.
    pub fn write(&self, record: &Record) -> Result<(), Error> {
        let path = self.path(&record.id(), SUFFIX);
        let beside = self.path(&record.id(), SUFFIX_HALF_WRITTEN);
        let json = serde_json::to_vec_pretty(record).expect("a record has JSON");
        write_synced(&beside, &json).map_err(|error| failed(&beside, error))?;
        fs::rename(&beside, &path).map_err(|error| failed(&path, error))?;
        sync(&self.directory).map_err(|error| failed(&self.directory, error))?;
        if record.is_open() {
            return Ok(());
        }
        self.unlock(&record.id())?;
        self.prune()
    }

    fn path(&self, id: &Id, suffix: &str) -> PathBuf {
        let name = match id {
            Id::Hash(hash) => hash.to_string(),
            Id::Digest(digest) => digest.to_string(),
        };
        self.directory.join(format!("{name}{suffix}"))
    }

    /// Removes the lock file of a payment that is closed. Whoever holds it still does.
    fn unlock(&self, id: &Id) -> Result<(), Error> {
        removed(&self.path(id, SUFFIX_LOCK))
    }

    fn is_claimed(&self, lock: &Path) -> Result<bool, Error> {
        Ok(lock.exists() && locked(lock)?.is_none())
    }

    /// Removes what a run that was killed had half written; nothing was done on the strength of it.
    /// What is claimed may be half written at this moment.
    fn sweep(&self) -> Result<(), Error> {
        for path in self.paths(SUFFIX_HALF_WRITTEN)? {
            if !self.is_claimed(&path.with_extension(&SUFFIX_LOCK[1..]))? {
                removed(&path)?;
            }
        }
        // Under the wallet's lock nobody is between claiming a payment and writing it down.
        for path in self.paths(SUFFIX_LOCK)? {
            if !path.with_extension(&SUFFIX[1..]).exists() {
                removed(&path)?;
            }
        }
        Ok(())
    }

    fn paths(&self, suffix: &str) -> Result<Vec<PathBuf>, Error> {
        let entries = fs::read_dir(&self.directory).map_err(|e| failed(&self.directory, e))?;
        let mut paths = Vec::new();
        for entry in entries {
            let path = entry.map_err(|error| failed(&self.directory, error))?.path();
            if path.to_string_lossy().ends_with(suffix) {
                paths.push(path);
            }
            if paths.len() > RECORDS_MAX {
                return Err(Error::Full(self.directory.clone()));
            }
        }
        Ok(paths)
    }

    fn prune(&self) -> Result<(), Error> {
        let mut closed: Vec<_> =
            self.records()?.into_iter().filter(|record| !record.is_open()).collect();
        closed.sort_by_key(|record| std::cmp::Reverse(record.created_at));
        for record in closed.iter().skip(RECEIPTS_MAX) {
            removed(&self.path(&record.id(), SUFFIX))?;
        }
        Ok(())
    }
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(0o600);
    options
}

fn sync(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = private().write(true).create(true).truncate(true).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// The file, locked; `None` while somebody else has it locked.
fn locked(path: &Path) -> Result<Option<File>, Error> {
    let file = private().write(true).create(true).truncate(false).open(path);
    let file = file.map_err(|error| failed(path, error))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(failed(path, error)),
    }
}

/// Removes a file, unless somebody else did so first.
fn removed(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(path, error)),
        _ => Ok(()),
    }
}

/// The record in a file; `None` where there is no such file.
fn read(path: &Path) -> Result<Option<Record>, Error> {
    let mut json = Vec::new();
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(path, error)),
    };
    // One byte more than allowed, so that a longer file is seen to be one.
    let mut bounded = file.take(RECORD_BYTES_MAX + 1);
    bounded.read_to_end(&mut json).map_err(|error| failed(path, error))?;
    let unreadable = |reason: String| Error::Unreadable { path: path.to_owned(), reason };
    if json.len() as u64 > RECORD_BYTES_MAX {
        return Err(unreadable("it is too long".to_owned()));
    }
    serde_json::from_slice(&json).map(Some).map_err(|error| unreadable(error.to_string()))
}

fn failed(path: &Path, source: io::Error) -> Error {
    Error::Io { path: path.to_owned(), source }
}
