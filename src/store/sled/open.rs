//! Opens a directory: locks it, gets sled's snapshots out of the way where they are damaged, checks
//! that nothing is missing, and starts the writer.
//!
//! Nothing is ever deleted here. What cannot be opened is left for a person, with words what to do.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::mpsc as std_mpsc;
use std::sync::{Arc, RwLock};
use std::thread;
use std::time::{Duration, Instant};

use ccd402_app::ports::log::Position;
use tokio::sync::{mpsc, watch};

use super::disk::{self, Waited};
use super::syncer::{self, APPLIED_MAX, OUTCOMES_MAX, Sync, Syncer};
use super::writer::Writer;
use super::{Files, Opened, Options, Shared, SledLog, Status, reindex};
use crate::draft::Tip;
use crate::error::Error;
use crate::measure::Measure;
use crate::queue::Queue;
use crate::table::Table as _;
use crate::tail::Tail;
use crate::waits::{Change, Waits};
use crate::{envelope, keys, read};

/// How long files of a log that this process has just closed may take to be let go.
const RELEASE_MAX: Duration = Duration::from_secs(5);

/// Makes the writer's sync for a directory.
pub(super) type MakeSync = Box<dyn FnOnce(&Path) -> Result<Sync, Error> + Send>;

/// The sync that real logs have: `fdatasync` on sled's file.
pub(super) fn sync_data(dir: &Path) -> Result<Sync, Error> {
    let path = dir.join("db");
    let file = OpenOptions::new().write(true).open(&path).map_err(Error::io(path))?;
    Ok(Box::new(move || file.sync_data()))
}

/// A directory that is locked, sound and at rest.
pub(super) struct Ground {
    pub(super) dir: PathBuf,
    pub(super) files: Files,
    pub(super) tip: Tip,
    pub(super) mark: Mark,
    pub(super) opened: Opened,
}

/// Makes a directory ready; blocks while sled recovers.
pub(super) fn ground(options: &Options) -> Result<Ground, Error> {
    let dir = create_dir(&options.dir)?;
    let lock = Arc::new(lock(&dir)?);
    let mut opened = Opened::default();
    let db = open_sled(&dir, options.cache_bytes, &mut opened)?;
    sync_files(&dir)?;
    let tip = find_tip(&db)?;
    let mut mark = Mark::open(&dir)?;
    if tip.position < mark.position() {
        let (found, marked) = (tip.position, mark.position());
        return Err(Error::Shortened { dir, found, marked });
    }
    mark.set(tip.position)?;
    if options.rebuild_indexes || !reindex::is_current(&db)? {
        opened.indexes_agreed = reindex::rebuild(&db, tip.position)?;
        let mut sync = sync_data(&dir)?;
        sync().map_err(Error::io(&dir))?;
    }
    Ok(Ground { dir, files: Files { db, _lock: lock }, tip, mark, opened })
}

/// Opens; blocks while sled recovers.
pub(super) fn open(options: &Options, sync: MakeSync) -> Result<SledLog, Error> {
    let Ground { dir, files, tip, mark, opened } = ground(options)?;
    let waits = count_waits(&files.db, tip)?;
    let measure = Measure::new(tip.position, waits.total());
    let (queue, commands) = Queue::new(options.queue_appends_max, options.queue_bytes_max);
    let status = Arc::new(Status {
        head: watch::Sender::new(tip.position),
        load: Arc::clone(queue.load()),
        waits,
        waited: Waited::default(),
        tail: Tail::default(),
        is_applying: AtomicBool::new(false),
    });
    let (outcomes, told) = mpsc::channel(OUTCOMES_MAX);
    tokio::spawn(syncer::tell(told));
    let (applied, to_sync) = std_mpsc::sync_channel(APPLIED_MAX);
    let syncer = Syncer {
        files: files.clone(),
        applied: to_sync,
        outcomes,
        status: Arc::clone(&status),
        sync: sync(&dir)?,
        mark,
        measure,
    };
    let thread = thread::Builder::new().name("log-syncer".to_owned());
    let syncer = thread.spawn(move || syncer.run()).map_err(Error::io(&dir))?;
    let writer = Writer {
        files: files.clone(),
        queue: commands,
        applied,
        syncer,
        status: Arc::clone(&status),
        tip,
    };
    let (watched, sync_max) = (Arc::downgrade(&status), options.sync_max);
    let thread = thread::Builder::new().name("log-watch".to_owned());
    thread.spawn(move || disk::watch(&watched, sync_max)).map_err(Error::io(&dir))?;
    let thread = thread::Builder::new().name("log-writer".to_owned());
    thread.spawn(move || writer.run()).map_err(Error::io(&dir))?;
    let files = RwLock::new(Some(files));
    Ok(SledLog { shared: Arc::new(Shared { dir, queue, status, opened, files }) })
}

/// The directory, in full, its entry in its parent durable.
fn create_dir(dir: &Path) -> Result<PathBuf, Error> {
    fs::create_dir_all(dir).map_err(Error::io(dir))?;
    let dir = dir.canonicalize().map_err(Error::io(dir))?;
    if let Some(parent) = dir.parent() {
        sync_file(parent)?;
    }
    Ok(dir)
}

fn lock(dir: &Path) -> Result<File, Error> {
    let path = dir.join("lock");
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
    let file = file.map_err(Error::io(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::InUse(dir.to_owned())),
        Err(TryLockError::Error(source)) => Err(Error::Io { path, source }),
    }
}

/// A damaged snapshot is no loss: without it sled reads its whole file again.
fn open_sled(dir: &Path, cache_bytes: u64, opened: &mut Opened) -> Result<::sled::Db, Error> {
    let mut reason = match try_open(dir, cache_bytes) {
        Ok(db) => return Ok(db),
        Err(error) => error.to_string(),
    };
    let aside = dir.join("aside");
    for suffix in [".generating", ""] {
        let moved = set_aside(dir, &aside, suffix)?;
        if moved.is_empty() {
            continue;
        }
        tracing::warn!(files = ?moved, reason, "Snapshots that cannot be read were moved aside.");
        opened.set_aside.extend(moved);
        match try_open(dir, cache_bytes) {
            Ok(db) => return Ok(db),
            Err(error) => reason = error.to_string(),
        }
    }
    Err(Error::Unopenable { dir: dir.to_owned(), aside, reason })
}

fn try_open(dir: &Path, cache_bytes: u64) -> Result<::sled::Db, Error> {
    let config = ::sled::Config::new().path(dir).cache_capacity(cache_bytes).flush_every_ms(None);
    let since = Instant::now();
    loop {
        match Error::catch(|| Ok(config.open()?)) {
            // The directory's own lock is ours: sled's is held by what this process closed last.
            Err(Error::Sled(::sled::Error::Io(error)))
                if error.to_string().contains("could not acquire lock")
                    && since.elapsed() < RELEASE_MAX =>
            {
                thread::sleep(Duration::from_millis(10));
            }
            opened => return opened,
        }
    }
}

/// Moves `snap.*` with that ending out of sled's sight.
fn set_aside(dir: &Path, aside: &Path, suffix: &str) -> Result<Vec<PathBuf>, Error> {
    let mut moved = Vec::new();
    for entry in fs::read_dir(dir).map_err(Error::io(dir))? {
        let entry = entry.map_err(Error::io(dir))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with("snap.") || !name.ends_with(suffix) {
            continue;
        }
        fs::create_dir_all(aside).map_err(Error::io(aside))?;
        let free = (0_u32..)
            .map(|n| aside.join(format!("{n}.{name}")))
            .find(|path| !path.exists())
            .expect("a directory does not hold 2^32 files of one name");
        fs::rename(entry.path(), &free).map_err(Error::io(&free))?;
        moved.push(free);
    }
    if !moved.is_empty() {
        sync_file(aside)?;
        sync_file(dir)?;
    }
    Ok(moved)
}

/// A new file is not durable before its directory is.
fn sync_files(dir: &Path) -> Result<(), Error> {
    for name in ["conf", "db", "blobs", ""] {
        sync_file(&dir.join(name))?;
    }
    Ok(())
}

fn sync_file(path: &Path) -> Result<(), Error> {
    let file = File::open(path).map_err(Error::io(path))?;
    file.sync_all().map_err(Error::io(path))
}

/// The end of the log; `m|head` and the newest event must agree.
fn find_tip(db: &::sled::Db) -> Result<Tip, Error> {
    let head = db.value(keys::HEAD)?;
    let newest = db.entries(keys::prefixed(b"e|")).next_back().transpose()?;
    let (Some(head), Some((key, _))) = (&head, &newest) else {
        return match (head, newest) {
            (None, None) => Ok(Tip::empty()),
            _ => Err(Error::damaged(1, "there is no head, or no event at it")),
        };
    };
    let (position, hash) =
        keys::read_head(head).ok_or_else(|| Error::damaged(0, "the head cannot be read"))?;
    if keys::position_of_event(key) != Some(position) {
        return Err(Error::damaged(position, "it is the head, but not the newest event"));
    }
    if envelope::read(position, &read::line(&**db, position)?)?.hash != hash {
        return Err(Error::damaged(position, "its hash is not the head's"));
    }
    Ok(Tip { position, hash })
}

fn count_waits(db: &::sled::Db, tip: Tip) -> Result<Waits, Error> {
    let waits = Waits::default();
    for entry in db.entries(keys::prefixed(b"w|")) {
        let tenant = read::tenant_of_waiting(tip.position, &entry?.1)?;
        waits.change([Change::Begins(tenant)]);
    }
    Ok(waits)
}

/// A position that was durable once, kept outside of sled: sled takes damage near the end of its
/// file for the end, and this tells.
pub(super) struct Mark {
    dir: PathBuf,
    file: File,
    position: Position,
}

impl Mark {
    fn open(dir: &Path) -> Result<Self, Error> {
        let path = dir.join("mark");
        let mut how = OpenOptions::new();
        how.create(true).truncate(false).read(true).write(true);
        let mut file = how.open(&path).map_err(Error::io(&path))?;
        let mut text = String::new();
        file.read_to_string(&mut text).map_err(Error::io(&path))?;
        sync_file(dir)?;
        // Half of a mark, or none yet, says nothing.
        let position = text.trim().parse().unwrap_or(0);
        Ok(Self { dir: dir.to_owned(), file, position })
    }

    /// Where it stands.
    pub(super) fn position(&self) -> Position {
        self.position
    }

    /// The log's directory.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Moves it; always the same number of bytes, within one sector.
    pub(super) fn set(&mut self, position: Position) -> Result<(), Error> {
        let text = format!("{position:020}\n");
        let written = self.file.rewind().and_then(|()| self.file.write_all(text.as_bytes()));
        written.and_then(|()| self.file.sync_data()).map_err(Error::io(self.dir.join("mark")))?;
        self.position = position;
        Ok(())
    }
}
