//! The payer's memory: one JSON file a payment, in a directory that belongs to one wallet.
//!
//! A file is whole or not there: it is written beside its name, synced, renamed, and the directory
//! is synced. A file that cannot be read stops the payer, because it may be an unfinished payment.
//! One run at a time holds the lock. Nothing here knows what a payment's states mean.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use ccd402_domain::account::AccountAddress;
use ccd402_domain::binding::Resource;

use crate::payer::record::{Record, VERSION};

/// Closed records that are kept as receipts.
pub const RECEIPTS_MAX: usize = 100;
/// Records, open and closed, that a journal may hold; more and something is amiss.
pub const RECORDS_MAX: usize = 1_000;
/// Longest record: an offer, a payment header, a signed transfer.
const RECORD_BYTES_MAX: u64 = 512 * 1024;

const LOCK: &str = "lock";
const SUFFIX: &str = ".json";
const SUFFIX_HALF_WRITTEN: &str = ".new";

/// A directory of records.
#[derive(Debug, Clone)]
pub struct Journal {
    directory: PathBuf,
}

/// Held by the one run that may pay; given back when it is dropped or the process ends.
#[derive(Debug)]
pub struct Lock {
    _file: File,
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

    /// Takes the lock; `None` while another run holds it.
    ///
    /// # Errors
    /// Where the file system fails.
    pub fn try_lock(&self) -> Result<Option<Lock>, Error> {
        let path = self.directory.join(LOCK);
        let file = private().write(true).create(true).truncate(false).open(&path);
        let file = file.map_err(|error| failed(&path, error))?;
        match file.try_lock() {
            Ok(()) => {
                self.sweep()?;
                Ok(Some(Lock { _file: file }))
            }
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(failed(&path, error)),
        }
    }

    /// The payment for this resource by this account that was not finished, the oldest first.
    ///
    /// # Errors
    /// Where any record cannot be read.
    pub fn find_open(
        &self,
        resource: &Resource,
        payer: &AccountAddress,
    ) -> Result<Option<Record>, Error> {
        let is_wanted = |record: &Record| {
            record.is_open() && record.resource == *resource && record.payer.is_alias_of(payer)
        };
        let records = self.records()?.into_iter().filter(is_wanted);
        Ok(records.min_by_key(|record| record.created_at))
    }

    /// Every record, in no order.
    ///
    /// # Errors
    /// Where any record cannot be read.
    pub fn records(&self) -> Result<Vec<Record>, Error> {
        self.paths(SUFFIX)?.iter().map(|path| read(path)).collect()
    }

    /// Writes a record durably, in place of its earlier state. Closing one drops the oldest
    /// receipts beyond [`RECEIPTS_MAX`].
    ///
    /// # Errors
    /// Where it is not on disk; what should have followed must then not be done.
    pub fn write(&self, record: &Record) -> Result<(), Error> {
        let path = self.path(record);
        let beside = path.with_extension(&SUFFIX_HALF_WRITTEN[1..]);
        let json = serde_json::to_vec_pretty(record).expect("a record has JSON");
        write_synced(&beside, &json).map_err(|error| failed(&beside, error))?;
        fs::rename(&beside, &path).map_err(|error| failed(&path, error))?;
        sync(&self.directory).map_err(|error| failed(&self.directory, error))?;
        if record.is_open() { Ok(()) } else { self.prune() }
    }

    fn path(&self, record: &Record) -> PathBuf {
        self.directory.join(format!("{}{SUFFIX}", record.hash))
    }

    /// Removes what a run that was killed had half written; nothing was done on the strength of it.
    fn sweep(&self) -> Result<(), Error> {
        for path in self.paths(SUFFIX_HALF_WRITTEN)? {
            fs::remove_file(&path).map_err(|error| failed(&path, error))?;
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
            let path = self.path(record);
            fs::remove_file(&path).map_err(|error| failed(&path, error))?;
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

fn read(path: &Path) -> Result<Record, Error> {
    let mut json = Vec::new();
    let file = File::open(path).map_err(|error| failed(path, error))?;
    // One byte more than allowed, so that a longer file is seen to be one.
    let mut bounded = file.take(RECORD_BYTES_MAX + 1);
    bounded.read_to_end(&mut json).map_err(|error| failed(path, error))?;
    let unreadable = |reason: String| Error::Unreadable { path: path.to_owned(), reason };
    if json.len() as u64 > RECORD_BYTES_MAX {
        return Err(unreadable("it is too long".to_owned()));
    }
    let record: Record =
        serde_json::from_slice(&json).map_err(|error| unreadable(error.to_string()))?;
    if record.version != VERSION {
        return Err(unreadable(format!("version {} is not known here", record.version)));
    }
    if record.is_open() != record.open.is_some() {
        return Err(unreadable("its state and its contents disagree".to_owned()));
    }
    Ok(record)
}

fn failed(path: &Path, source: io::Error) -> Error {
    Error::Io { path: path.to_owned(), source }
}
