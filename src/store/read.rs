//! Reads of the log and its indexes, the same for every adapter.
//!
//! Nothing beyond `head` is shown: what is written but not yet durable did not happen. Links
//! between events are checked wherever two neighbours are read; every hash is checked by
//! `check`.

use std::collections::BTreeMap;
use std::ops::Range;

use ccd402_app::ports::log::{Position, READ_EVENTS_MAX, Recorded, StreamId, Waiting};
use ccd402_domain::ids::{TransactionHash, VerificationId};
use ccd402_domain::tenant::TenantId;
use ccd402_protocol::network::NetworkId;

use crate::envelope::{self, Line};
use crate::error::Error;
use crate::keys;
use crate::table::Table;

/// Events of a stream after a version, at most `max`.
pub(crate) fn stream(
    table: &impl Table,
    head: Position,
    (stream, after): (&StreamId, u64),
    max: usize,
) -> Result<Vec<Recorded>, Error> {
    let mut events = Vec::new();
    for entry in table.entries(keys::stream_after(stream, after)).take(max.min(READ_EVENTS_MAX)) {
        let (_, value) = entry?;
        let position = keys::number(&value).ok_or_else(|| unreadable(head, stream))?;
        if position > head {
            break;
        }
        let Line { recorded, .. } = envelope::read(position, &line(table, position)?)?;
        let version = after + events.len() as u64 + 1;
        if recorded.version != version || recorded.stream != *stream {
            let found = format!("{} {}", recorded.stream, recorded.version);
            let reason = format!("{found} stands where {stream} {version} should");
            return Err(Error::damaged(position, reason));
        }
        events.push(recorded);
    }
    Ok(events)
}

/// The newest event of a stream.
pub(crate) fn last(
    table: &impl Table,
    head: Position,
    stream: &StreamId,
) -> Result<Option<Recorded>, Error> {
    for entry in table.entries(keys::stream_after(stream, 0)).rev() {
        let (_, value) = entry?;
        let position = keys::number(&value).ok_or_else(|| unreadable(head, stream))?;
        if position <= head {
            return Ok(Some(envelope::read(position, &line(table, position)?)?.recorded));
        }
    }
    Ok(None)
}

/// How many events each stream holds.
pub(crate) fn versions(
    table: &impl Table,
    head: Position,
    streams: &[StreamId],
) -> Result<Vec<u64>, Error> {
    let version = |stream: &StreamId| {
        for entry in table.entries(keys::stream_after(stream, 0)).rev() {
            let (key, value) = entry?;
            let place = keys::number(&value).zip(keys::version_of_stream(&key));
            let (position, version) = place.ok_or_else(|| unreadable(head, stream))?;
            if position <= head {
                return Ok(version);
            }
        }
        Ok(0)
    };
    streams.iter().map(version).collect()
}

/// Events of the whole log after a position, at most `max`.
pub(crate) fn all(
    table: &impl Table,
    head: Position,
    after: Position,
    max: usize,
) -> Result<Vec<Recorded>, Error> {
    let mut events = Vec::new();
    let mut previous = None;
    each_line(table, after..page_end(head, after, max), |position, bytes| {
        let line = envelope::read(position, bytes)?;
        if previous.is_some_and(|hash| hash != line.previous) {
            return Err(Error::damaged(position, "it does not follow the line before it"));
        }
        previous = Some(line.hash);
        events.push(line.recorded);
        Ok(())
    })?;
    Ok(events)
}

/// Lines of the whole log after a position, at most `max`, as they were written.
pub(crate) fn lines(
    table: &impl Table,
    head: Position,
    after: Position,
    max: usize,
) -> Result<Vec<Vec<u8>>, Error> {
    let mut lines = Vec::new();
    each_line(table, after..page_end(head, after, max), |_, bytes| {
        lines.push(bytes.to_vec());
        Ok(())
    })?;
    Ok(lines)
}

/// Who holds a claim.
pub(crate) fn claim_owner(
    table: &impl Table,
    head: Position,
    network: &NetworkId,
    transaction: TransactionHash,
) -> Result<Option<VerificationId>, Error> {
    let Some(value) = table.value(&keys::claim(network, transaction))? else { return Ok(None) };
    let (owner, position) = keys::read_claim(&value)
        .ok_or_else(|| Error::damaged(head, format!("the claim on {transaction} is unreadable")))?;
    Ok((position <= head).then_some(owner))
}

/// Who waits for each transaction, first come first.
pub(crate) fn waiting_for(
    table: &impl Table,
    head: Position,
    network: &NetworkId,
    transactions: &[TransactionHash],
) -> Result<BTreeMap<TransactionHash, Vec<VerificationId>>, Error> {
    let mut found = BTreeMap::new();
    for &transaction in transactions {
        let mut waiters = Vec::new();
        for entry in table.entries(keys::waiting_for(network, transaction)) {
            let (key, value) = entry?;
            let (position, waiting) = waiter(head, &key, &value)?;
            if position <= head {
                waiters.push((position, waiting.verification));
            }
        }
        if !waiters.is_empty() {
            waiters.sort_unstable();
            found.insert(transaction, waiters.into_iter().map(|(_, waiter)| waiter).collect());
        }
    }
    Ok(found)
}

/// Everything that waits, in the order of transactions, at most `max`.
pub(crate) fn waiting(
    table: &impl Table,
    head: Position,
    (network, after): (&NetworkId, Option<&Waiting>),
    max: usize,
) -> Result<Vec<Waiting>, Error> {
    let mut page = Vec::new();
    for entry in table.entries(keys::waiting_after(network, after)) {
        if page.len() >= max.min(READ_EVENTS_MAX) {
            break;
        }
        let (key, value) = entry?;
        let (position, waiting) = waiter(head, &key, &value)?;
        if position <= head {
            page.push(waiting);
        }
    }
    Ok(page)
}

/// Names of streams that begin with a prefix, after one of them, at most `max`.
pub(crate) fn streams(
    table: &impl Table,
    head: Position,
    (prefix, after): (&str, Option<&StreamId>),
    max: usize,
) -> Result<Vec<StreamId>, Error> {
    let mut names: Vec<StreamId> = Vec::new();
    let mut last = after.cloned();
    while names.len() < max.min(READ_EVENTS_MAX) {
        // The first key of a name, then straight to the next name: streams may be long.
        let mut entries = table.entries(keys::streams_after(prefix, last.as_ref()));
        let Some(entry) = entries.next() else { break };
        let (key, value) = entry?;
        let (name, position) = keys::name_of_stream(&key)
            .zip(keys::number(&value))
            .ok_or_else(|| Error::damaged(head, "the index of streams cannot be read"))?;
        let name = StreamId::from_stored(name.to_owned());
        if position <= head {
            names.push(name.clone());
        }
        last = Some(name);
    }
    Ok(names)
}

/// What is kept beside a stream.
pub(crate) fn attachment(table: &impl Table, stream: &StreamId) -> Result<Option<Vec<u8>>, Error> {
    Ok(table.value(&keys::attachment(stream))?.map(|bytes| bytes.to_vec()))
}

/// The line at a position.
pub(crate) fn line(table: &impl Table, position: Position) -> Result<::sled::IVec, Error> {
    table
        .value(&keys::event(position))?
        .ok_or_else(|| Error::damaged(position, "the event is missing"))
}

pub(crate) fn page_end(head: Position, after: Position, max: usize) -> Position {
    head.min(after.saturating_add(max.min(READ_EVENTS_MAX) as u64))
}

/// Visits the lines after a position up to another, in order; all of them must be there.
pub(crate) fn each_line(
    table: &impl Table,
    places: Range<Position>,
    mut visit: impl FnMut(Position, &[u8]) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut entries = table.entries(keys::events_after(places.start));
    for last in places {
        let position = last + 1;
        let (key, line) = entries
            .next()
            .ok_or_else(|| Error::damaged(position, "the event is missing"))?
            .map_err(|e| Error::damaged(position, e.to_string()))?;
        if keys::position_of_event(&key) != Some(position) {
            return Err(Error::damaged(position, "the event is missing"));
        }
        visit(position, &line)?;
    }
    Ok(())
}

fn unreadable(head: Position, stream: &StreamId) -> Error {
    Error::damaged(head, format!("the index of {stream} cannot be read"))
}

fn waiter(head: Position, key: &[u8], value: &[u8]) -> Result<(Position, Waiting), Error> {
    let read = keys::waiter_of(key).zip(keys::read_waiting(value));
    let ((transaction, verification), (position, closes_at)) =
        read.ok_or_else(|| unreadable_waiting(head))?;
    Ok((position, Waiting { transaction, verification, closes_at }))
}

/// Whose a wait is, by its value.
pub(crate) fn tenant_of_waiting(head: Position, value: &[u8]) -> Result<TenantId, Error> {
    keys::tenant_of_waiting(value).ok_or_else(|| unreadable_waiting(head))
}

fn unreadable_waiting(head: Position) -> Error {
    Error::damaged(head, "the index of what waits cannot be read")
}
