//! The decision whether an append may happen, and what it changes: the same for every adapter.
//!
//! A draft gathers what several independent calls write, on top of a table that stays as it is. One
//! call that is refused leaves no trace in it. Making the writes durable is the adapter's part.

use std::collections::HashMap;

use ::sled::IVec;
use ccd402_app::ports::log::{AppendError, Position, Recorded, StreamId};
use ccd402_domain::ids::Digest;

use crate::envelope::{self, FIRST_PREVHASH, Line};
use crate::error::Error;
use crate::index::{Claim, IndexChange, Wait};
use crate::keys;
use crate::prepare::{Attachment, Call, Prepared, check_name};
use crate::read;
use crate::table::Table;
use crate::waits::Change;

/// Values to write; `None` removes the key.
type Writes = HashMap<IVec, Option<IVec>>;

/// Where the log ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tip {
    pub(crate) position: Position,
    pub(crate) hash: Digest,
}

impl Tip {
    /// Of an empty log.
    pub(crate) fn empty() -> Self {
        Self { position: 0, hash: Digest::from_bytes(FIRST_PREVHASH) }
    }
}

/// Why a call left no trace.
enum Stop {
    /// It may not happen.
    Refused(AppendError),
    /// Nobody can tell whether it may.
    Failed(Error),
}

impl From<AppendError> for Stop {
    fn from(error: AppendError) -> Self {
        Self::Refused(error)
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// Writes that are decided and not yet made.
pub(crate) struct Draft<'a, T> {
    table: &'a T,
    tip: Tip,
    /// Position of the first of `lines`.
    first: Position,
    lines: Vec<Vec<u8>>,
    /// The events of these lines.
    events: Vec<Recorded>,
    /// Waits that they begin and end.
    waits: Vec<Change>,
    writes: Writes,
    /// What the call that is being looked at has changed in `writes`, and what was there.
    undo: Vec<(IVec, Option<Option<IVec>>)>,
}

impl<'a, T: Table> Draft<'a, T> {
    /// A draft that has room for so many events before it must grow.
    pub(crate) fn new(table: &'a T, tip: Tip, events: usize) -> Self {
        Self {
            table,
            tip,
            first: tip.position + 1,
            lines: Vec::with_capacity(events),
            events: Vec::with_capacity(events),
            waits: Vec::new(),
            writes: Writes::with_capacity(2 * events),
            undo: Vec::new(),
        }
    }

    /// Where the log will end.
    pub(crate) fn tip(&self) -> Tip {
        self.tip
    }

    /// The events to write, in order.
    pub(crate) fn take_events(&mut self) -> Vec<Recorded> {
        std::mem::take(&mut self.events)
    }

    /// The lines of these events, for an adapter that does not write them as values of keys.
    pub(crate) fn take_lines(&mut self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.lines)
    }

    /// The waits that these events begin and end, in order.
    pub(crate) fn take_waits(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.waits)
    }

    /// Whether there is anything to write.
    pub(crate) fn is_empty(&self) -> bool {
        self.lines.is_empty() && self.writes.is_empty()
    }

    /// Everything to write, in one atomic step.
    pub(crate) fn into_writes(self) -> impl Iterator<Item = (IVec, Option<IVec>)> {
        let head = keys::head_value(self.tip.position, self.tip.hash);
        let has_moved = self.tip.position >= self.first;
        let head = has_moved.then_some((IVec::from(keys::HEAD), Some(head)));
        let lines = self.lines.into_iter().map(|line| Some(IVec::from(line)));
        let events = (self.first..).map(keys::event).zip(lines);
        events.chain(self.writes).chain(head)
    }

    /// The same, as sled takes it.
    pub(crate) fn into_batch(self) -> ::sled::Batch {
        let mut batch = ::sled::Batch::default();
        for (key, value) in self.into_writes() {
            match value {
                Some(value) => batch.insert(key, value),
                None => batch.remove(key),
            }
        }
        batch
    }

    /// Takes all of a call or nothing; the position of its last event.
    ///
    /// # Errors
    /// The outer error where the table cannot be read: then nothing is decided.
    pub(crate) fn admit(&mut self, call: Call) -> Result<Result<Position, AppendError>, Error> {
        let (tip, lines, waits) = (self.tip, self.lines.len(), self.waits.len());
        let mut last = 0;
        for append in call.appends {
            match self.admit_stream(append) {
                Ok(position) => last = last.max(position),
                Err(stop) => {
                    self.roll_back();
                    self.lines.truncate(lines);
                    self.events.truncate(lines);
                    self.waits.truncate(waits);
                    self.tip = tip;
                    return match stop {
                        Stop::Refused(error) => Ok(Err(error)),
                        Stop::Failed(error) => Err(error),
                    };
                }
            }
        }
        self.undo.clear();
        Ok(Ok(last))
    }

    /// Writes what an event that is in the log already implies.
    pub(crate) fn reindex(
        &mut self,
        (key, position): (IVec, Position),
        change: IndexChange,
    ) -> Result<Result<(), AppendError>, Error> {
        match self.index((key, position), change, false) {
            Ok(()) => {
                self.undo.clear();
                Ok(Ok(()))
            }
            Err(Stop::Refused(error)) => Ok(Err(error)),
            Err(Stop::Failed(error)) => Err(error),
        }
    }

    /// Takes a line as it is: checked by the caller, and following the last.
    pub(crate) fn adopt(&mut self, line: Vec<u8>, read: Line) -> Result<(), Error> {
        let Line { recorded, hash, .. } = read;
        let Recorded { position, stream, version, event, .. } = &recorded;
        let (position, version) = (*position, *version);
        let damaged = |reason: &str| Error::damaged(position, reason);
        check_name(stream).map_err(|error| damaged(&error.to_string()))?;
        let before = version.checked_sub(1).ok_or_else(|| damaged("versions begin at 1"))?;
        let follows = before == 0 || self.position_of(stream, before)?.is_some();
        if !follows || self.position_of(stream, version)?.is_some() {
            return Err(damaged("it is not the next of its stream"));
        }
        let place = (keys::stream(stream, version), position);
        self.reindex(place, IndexChange::of(event))?.map_err(|e| damaged(&e.to_string()))?;
        self.lines.push(line);
        self.events.push(recorded);
        self.tip.position = position;
        self.tip.hash = hash;
        Ok(())
    }

    fn admit_stream(&mut self, append: Prepared) -> Result<Position, Stop> {
        let is_taken = match append.events.first() {
            Some(first) => self.get(&first.key)?.is_some(),
            None => false,
        };
        if is_taken {
            return self.repeat(&append);
        }
        if append.expected > 0 && self.position_of(&append.stream, append.expected)?.is_none() {
            return Err(self.conflict(&append)?.into());
        }
        let Prepared { stream, events, attachment, .. } = append;
        for event in events {
            let position = self.tip.position + 1;
            // A stream that begins has nothing in the indexes: one look into the table less.
            let is_first = event.version == 1;
            self.index((event.key, position), event.index, is_first)?;
            let (line, hash) = event.line.place(position, self.tip.hash);
            self.lines.push(line);
            self.events.push(Recorded {
                position,
                id: event.id,
                stream: stream.clone(),
                version: event.version,
                time: event.time,
                event: event.event,
            });
            self.tip.position = position;
            self.tip.hash = hash;
        }
        match attachment {
            Attachment::Unchanged => {}
            Attachment::Kept(bytes) => self.put(keys::attachment(&stream), IVec::from(bytes)),
            Attachment::Released => self.remove(keys::attachment(&stream)),
        }
        Ok(self.tip.position)
    }

    fn index(
        &mut self,
        (key, position): (IVec, Position),
        change: IndexChange,
        is_first: bool,
    ) -> Result<(), Stop> {
        if let Some(claim) = change.claim {
            self.claim(claim, position)?;
        }
        match change.wait {
            Some(Wait::Begins(key, closes_at, tenant)) if is_first || self.get(&key)?.is_none() => {
                self.put(key, keys::waiting_value(position, closes_at, &tenant));
                self.waits.push(Change::Begins(tenant));
            }
            Some(Wait::Ends(key)) => {
                if let Some(value) = self.get(&key)? {
                    self.waits.push(Change::Ends(read::tenant_of_waiting(position, &value)?));
                    self.remove(key);
                }
            }
            _ => {}
        }
        self.put(key, keys::position_value(position));
        Ok(())
    }

    fn claim(&mut self, claim: Claim, position: Position) -> Result<(), Stop> {
        let Claim { key, transaction, verification } = claim;
        let Some(held) = self.get(&key)? else {
            self.put(key, keys::claim_value(verification, position));
            return Ok(());
        };
        match keys::read_claim(&held) {
            Some((owner, _)) if owner == verification => Ok(()),
            Some((owner, _)) => Err(AppendError::ClaimConflict { transaction, owner }.into()),
            None => Err(Error::damaged(position, "a claim cannot be read").into()),
        }
    }

    /// The same events again, at the place where they stand: success with their position.
    fn repeat(&mut self, append: &Prepared) -> Result<Position, Stop> {
        let mut last = 0;
        for event in &append.events {
            let value = self.get(&event.key)?;
            let Some(position) = value.as_deref().and_then(keys::number) else {
                return Err(self.conflict(append)?.into());
            };
            let line = self.line(position)?;
            if envelope::id_of(position, &line)? != event.id {
                return Err(self.conflict(append)?.into());
            }
            last = position;
        }
        Ok(last)
    }

    fn conflict(&self, append: &Prepared) -> Result<AppendError, Error> {
        let stored = self.table.entries(keys::stream_after(&append.stream, 0)).next_back();
        let mut actual = match stored.transpose()? {
            Some((key, _)) => keys::version_of_stream(&key).unwrap_or(0),
            None => 0,
        };
        while self.position_of(&append.stream, actual + 1)?.is_some() {
            actual += 1;
        }
        let stream = append.stream.clone();
        Ok(AppendError::VersionConflict { stream, expected: append.expected, actual })
    }

    fn position_of(&self, stream: &StreamId, version: u64) -> Result<Option<Position>, Error> {
        let value = self.get(&keys::stream(stream, version))?;
        Ok(value.as_deref().and_then(keys::number))
    }

    fn line(&self, position: Position) -> Result<IVec, Error> {
        let drafted = position.checked_sub(self.first).and_then(|at| usize::try_from(at).ok());
        match drafted.and_then(|at| self.lines.get(at)) {
            Some(line) => Ok(IVec::from(line.as_slice())),
            None => read::line(self.table, position),
        }
    }

    fn get(&self, key: &IVec) -> Result<Option<IVec>, Error> {
        match self.writes.get(key) {
            Some(written) => Ok(written.clone()),
            None => self.table.value(key),
        }
    }

    fn put(&mut self, key: IVec, value: IVec) {
        self.write(key, Some(value));
    }

    fn remove(&mut self, key: IVec) {
        self.write(key, None);
    }

    fn write(&mut self, key: IVec, value: Option<IVec>) {
        let before = self.writes.insert(key.clone(), value);
        self.undo.push((key, before));
    }

    fn roll_back(&mut self) {
        for (key, before) in self.undo.drain(..).rev() {
            match before {
                Some(value) => self.writes.insert(key, value),
                None => self.writes.remove(&key),
            };
        }
    }
}
