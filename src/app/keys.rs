//! API keys: made, taken back, listed, and looked up for each request.
//!
//! All keys are in memory, read from the log at the start and changed by each append before its
//! caller is told: a key that was revoked is refused from the next request on. What another process
//! does to a key counts once this one has heard of it. How often a key calls is not counted here.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use ccd402_domain::event::Event;
use ccd402_domain::ids::KeyId;
use ccd402_domain::key::command::{Command, Creation, Terms};
use ccd402_domain::key::decide::decide;
use ccd402_domain::key::state::{Key, evolve};
use ccd402_domain::key::text::KeyText;
use ccd402_domain::rejection::Rejection;
use ccd402_protocol::code::ReasonCode;
use rand::RngCore as _;
use rand::rngs::OsRng;
use subtle::ConstantTimeEq as _;
use uuid::Uuid;

use crate::error::Error;
use crate::ports::clock::Clock;
use crate::ports::log::{Append, AppendError, EventLog, KEYS_PREFIX, Recorded, StreamId};

/// Most keys, revoked ones included.
pub const KEYS_MAX: usize = 10_000;
/// Most keys of one page.
pub const PAGE_MAX: usize = 1_000;
/// Names of streams read at once.
const STREAMS: usize = 1_000;
/// How often a decision is made anew because somebody else appended first.
const DECISIONS_MAX: usize = 8;

/// All keys of a log. Clones share them.
#[derive(Clone)]
pub struct Keys(Arc<Shared>);

struct Shared {
    log: Arc<dyn EventLog>,
    clock: Arc<dyn Clock>,
    /// In the order in which they were made, which is that of their ids.
    ring: RwLock<BTreeMap<KeyId, Arc<Key>>>,
}

/// A key that was made just now, the only time with its secret.
#[derive(Debug, Clone)]
pub struct Created {
    /// What is kept of it.
    pub key: Arc<Key>,
    /// What its holder needs.
    pub text: KeyText,
}

impl Keys {
    /// Reads all keys of a log.
    ///
    /// # Errors
    /// Where the log cannot be read.
    pub async fn load(log: Arc<dyn EventLog>, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        let mut ring = BTreeMap::new();
        let mut after: Option<StreamId> = None;
        loop {
            let page = log.streams(KEYS_PREFIX, after.as_ref(), STREAMS).await?;
            for stream in &page {
                let recorded = log.read_stream(stream, 0).await?;
                let key = Key::fold(recorded.iter().map(|recorded| &recorded.event))?;
                ring.extend(key.map(|key| (key.id(), Arc::new(key))));
            }
            after = page.last().cloned();
            if after.is_none() {
                return Ok(Self(Arc::new(Shared { log, clock, ring: RwLock::new(ring) })));
            }
        }
    }

    /// The key of this text, if it is good now.
    ///
    /// # Errors
    /// Why it is not: unknown, revoked or expired.
    pub fn admit(&self, text: &KeyText) -> Result<Arc<Key>, ReasonCode> {
        let found = self.0.read().get(&text.id()).cloned();
        let key = found.ok_or(ReasonCode::KeyInvalid)?;
        // In constant time, so that nobody learns the hash bit by bit; and before anything else is
        // said about the key, which is its holder's business alone.
        let is_right = text.hash().as_bytes().ct_eq(key.created.hash.as_bytes());
        if !bool::from(is_right) {
            return Err(ReasonCode::KeyInvalid);
        }
        key.must_be_good(self.0.clock.now())?;
        Ok(key)
    }

    /// A key by its id, good or not.
    #[must_use]
    pub fn show(&self, id: KeyId) -> Option<Arc<Key>> {
        self.0.read().get(&id).cloned()
    }

    /// The key of this id, if it is good now: for who has shown its text before.
    ///
    /// # Errors
    /// Why it is not: unknown, revoked or expired.
    pub fn good(&self, id: KeyId) -> Result<Arc<Key>, ReasonCode> {
        let key = self.show(id).ok_or(ReasonCode::KeyInvalid)?;
        key.must_be_good(self.0.clock.now())?;
        Ok(key)
    }

    /// Whether any key is good now.
    #[must_use]
    pub fn has_good_one(&self) -> bool {
        let now = self.0.clock.now();
        self.0.read().values().any(|key| key.must_be_good(now).is_ok())
    }

    /// Keys after one of them, oldest first, at most `max` and [`PAGE_MAX`].
    #[must_use]
    pub fn list(&self, after: Option<KeyId>, max: usize) -> Vec<Arc<Key>> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let ring = self.0.read();
        let keys = ring.range((from, Bound::Unbounded)).map(|(_, key)| Arc::clone(key));
        keys.take(max.min(PAGE_MAX)).collect()
    }

    /// Makes a key.
    ///
    /// # Errors
    /// A fault of ours. Terms that make no sense are a rejection.
    pub async fn create(&self, terms: Terms) -> Result<Result<Created, Rejection>, Error> {
        if self.0.read().len() >= KEYS_MAX {
            return Ok(Err(Rejection::of(ReasonCode::KeyLimitReached)));
        }
        let mut secret = [0; 32];
        OsRng.fill_bytes(&mut secret);
        let text = KeyText::new(KeyId(Uuid::now_v7()), secret);
        let creation = Creation { text: text.clone(), terms, now: self.0.clock.now() };
        let key = self.execute(text.id(), Command::Create(Box::new(creation))).await?;
        Ok(key.map(|key| Created { key, text }))
    }

    /// Takes a key back; doing so again changes nothing.
    ///
    /// # Errors
    /// A fault of ours. A key that is not there is a rejection.
    pub async fn revoke(&self, id: KeyId) -> Result<Result<Arc<Key>, Rejection>, Error> {
        self.execute(id, Command::Revoke { now: self.0.clock.now() }).await
    }

    /// Takes in an event that somebody has appended; this process, maybe.
    ///
    /// # Errors
    /// Where the log cannot be read.
    pub async fn heard(&self, recorded: &Recorded) -> Result<(), Error> {
        if !recorded.stream.as_str().starts_with(KEYS_PREFIX) {
            return Ok(());
        }
        let all = self.0.log.read_stream(&recorded.stream, 0).await?;
        if let Some(key) = Key::fold(all.iter().map(|recorded| &recorded.event))? {
            self.0.keep(key);
        }
        Ok(())
    }

    /// As a task of its own: a caller who goes away must not come between log and memory.
    async fn execute(
        &self,
        id: KeyId,
        command: Command,
    ) -> Result<Result<Arc<Key>, Rejection>, Error> {
        let shared = Arc::clone(&self.0);
        let executed = tokio::spawn(async move { shared.execute(id, command).await }).await;
        executed.unwrap_or(Err(Error::Contended))
    }
}

impl Shared {
    async fn execute(
        &self,
        id: KeyId,
        command: Command,
    ) -> Result<Result<Arc<Key>, Rejection>, Error> {
        let stream = StreamId::key(id);
        for _ in 0..DECISIONS_MAX {
            let recorded = self.log.read_stream(&stream, 0).await?;
            let state = Key::fold(recorded.iter().map(|recorded| &recorded.event))?;
            let events = match decide(state.as_ref(), command.clone()) {
                Ok(events) => events,
                Err(rejection) => return Ok(Err(rejection)),
            };
            let version = state.as_ref().map_or(0, |state| state.version);
            let next = events.iter().try_fold(state, |key, event| evolve(key, event).map(Some))?;
            let Some(next) = next else { return Err(Error::Contended) };
            match self.append(&stream, version, events).await {
                Ok(()) => return Ok(Ok(self.keep(next))),
                Err(AppendError::VersionConflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Error::Contended)
    }

    async fn append(
        &self,
        stream: &StreamId,
        expected_version: u64,
        events: Vec<Event>,
    ) -> Result<(), AppendError> {
        if events.is_empty() {
            return Ok(());
        }
        let append = Append {
            stream: stream.clone(),
            expected_version,
            events,
            time: self.clock.now(),
            cause: Uuid::new_v4(),
            attachment: None,
        };
        self.log.append(vec![append]).await.map(drop)
    }

    /// Puts a key into memory, unless a newer state of it is there.
    fn keep(&self, key: Key) -> Arc<Key> {
        let mut ring = self.write();
        match ring.get(&key.id()) {
            Some(kept) if kept.version >= key.version => Arc::clone(kept),
            _ => {
                let key = Arc::new(key);
                ring.insert(key.id(), Arc::clone(&key));
                key
            }
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<KeyId, Arc<Key>>> {
        // Each change is one insertion, so a panic elsewhere leaves nothing half done.
        self.ring.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, BTreeMap<KeyId, Arc<Key>>> {
        self.ring.write().unwrap_or_else(PoisonError::into_inner)
    }
}
