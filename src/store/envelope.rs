//! Envelopes: one event as one line of JSON, CloudEvents 1.0 with a hash chain over all lines.
//!
//! `hash` is the last member and is SHA-256 over the bytes of the line without it (the line cut
//! before `,"hash":` and closed with `}`); `prevhash` is inside. Whoever has an export can check it
//! line by line with nothing but a SHA-256. What a log may hold is not decided here.

use std::borrow::Cow;
use std::io::Write as _;
use std::sync::Arc;

use ccd402_app::ports::log::{Position, Recorded, StreamId};
use ccd402_domain::event::Event;
use ccd402_domain::ids::{Digest, TransactionHash, VerificationId};
use chrono::{DateTime, SecondsFormat, Utc};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::error::Error;
use crate::upcast;

/// `source` of every envelope.
pub const SOURCE: &str = "ccd402";
/// `prevhash` of the first event.
pub const FIRST_PREVHASH: [u8; 32] = [0; 32];

/// What the three members weigh that an event gets with its place in the log.
const PLACE_BYTES_MAX: usize = 256;
/// Room that the lines of most events fit into.
const LINE_BYTES_USUAL: usize = 2_048;
const HASH_MEMBER: &[u8] = b",\"hash\":\"";
const HASH_DIGITS: usize = 64;

/// Where an event stands in its stream, when and why it happened.
pub(crate) struct Context<'a> {
    pub(crate) id: Uuid,
    pub(crate) stream: &'a StreamId,
    pub(crate) version: u64,
    pub(crate) time: DateTime<Utc>,
    pub(crate) cause: Uuid,
}

/// An event written out and hashed up to where its place in the log begins, so that whoever gives
/// out places has next to nothing left to do.
#[derive(Clone)]
pub(crate) struct Unplaced {
    /// Shared by clones, which those make who may have to give it another place.
    line: Arc<Vec<u8>>,
    hasher: Sha256,
}

impl Unplaced {
    /// Writes an event; also how many bytes its data has.
    pub(crate) fn new(
        context: &Context<'_>,
        event: &Event,
    ) -> Result<(Self, usize), serde_json::Error> {
        let name = event.name();
        let mut line = Vec::with_capacity(LINE_BYTES_USUAL);
        // Names of streams hold nothing that JSON escapes: `prepare` checks that.
        let attributes = write!(
            line,
            concat!(
                r#"{{"specversion":"1.0","id":"{}","source":"{}","type":"ccd402.{}.v{}","#,
                r#""time":"{}","datacontenttype":"application/json","stream":"{}","#,
                r#""version":{},"causationid":"{}""#
            ),
            context.id,
            SOURCE,
            name,
            upcast::newest(name),
            rfc3339(context.time),
            context.stream,
            context.version,
            context.cause,
        );
        attributes.expect("memory takes every write");
        if let Some(verification) = verification_of(context.stream, event) {
            write!(line, r#","correlationid":"{verification}""#).expect("memory takes every write");
        }
        if let Some(transaction) = transaction_of(event) {
            write!(line, r#","subject":"{transaction}""#).expect("memory takes every write");
        }
        line.extend_from_slice(br#","data":"#);
        let data_at = line.len();
        event.write_json(&mut line)?;
        let data_bytes = line.len() - data_at;
        let hasher = Sha256::new_with_prefix(&line);
        Ok((Self { line: Arc::new(line), hasher }, data_bytes))
    }

    /// Bytes of the line when it is whole, at most.
    pub(crate) fn bytes_max(&self) -> usize {
        self.line.len() + PLACE_BYTES_MAX
    }

    /// The whole line, and its hash.
    pub(crate) fn place(self, position: Position, previous: Digest) -> (Vec<u8>, Digest) {
        let Self { line, mut hasher } = self;
        let mut line = Arc::try_unwrap(line).unwrap_or_else(|shared| {
            let mut line = Vec::with_capacity(shared.len() + PLACE_BYTES_MAX);
            line.extend_from_slice(&shared);
            line
        });
        let place_at = line.len();
        write!(line, r#","position":{position},"prevhash":""#).expect("memory takes every write");
        push_hex(&mut line, previous);
        line.push(b'"');
        hasher.update(&line[place_at..]);
        hasher.update(b"}");
        let hash = Digest::from_bytes(hasher.finalize().into());
        line.extend_from_slice(HASH_MEMBER);
        push_hex(&mut line, hash);
        line.extend_from_slice(b"\"}");
        (line, hash)
    }
}

/// One line of the log, read.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// The event and its place.
    pub recorded: Recorded,
    /// Hash of the line before.
    pub previous: Digest,
    /// Hash of this line, as the line says it.
    pub hash: Digest,
}

#[derive(Deserialize)]
struct Attributes<'a> {
    id: Uuid,
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    time: DateTime<Utc>,
    stream: String,
    version: u64,
    #[serde(borrow)]
    data: &'a RawValue,
    position: Position,
    prevhash: Digest,
    hash: Digest,
}

/// Reads the line that stands at a position. Says nothing about its hash.
///
/// # Errors
/// Where it is no envelope, stands elsewhere, or holds an event that this software does not know.
pub fn read(position: Position, line: &[u8]) -> Result<Line, Error> {
    let bad = |reason: String| Error::damaged(position, reason);
    let read: Attributes<'_> = serde_json::from_slice(line).map_err(|e| bad(e.to_string()))?;
    if read.position != position {
        return Err(bad(format!("its envelope says position {}", read.position)));
    }
    let (name, version) = read
        .kind
        .strip_prefix("ccd402.")
        .and_then(|rest| rest.rsplit_once(".v"))
        .and_then(|(name, version)| Some((name, version.parse().ok()?)))
        .ok_or_else(|| bad(format!("{:?} is no type of an event", read.kind)))?;
    let event = event(name, version, read.data.get()).map_err(bad)?;
    let recorded = Recorded {
        position,
        id: read.id,
        stream: StreamId::from_stored(read.stream),
        version: read.version,
        time: read.time,
        event,
    };
    Ok(Line { recorded, previous: read.prevhash, hash: read.hash })
}

/// The event of some data, lifted where it is old.
fn event(name: &str, version: usize, data: &str) -> Result<Event, String> {
    if version == upcast::newest(name) {
        return Event::read_json(name, data).map_err(|e| e.to_string());
    }
    let old: Value = serde_json::from_str(data).map_err(|e| e.to_string())?;
    let data = upcast::lift(name, version, old)?;
    Event::from_json(name, &data).map_err(|e| e.to_string())
}

/// What of a line holds it in its place; its data is passed over.
#[derive(Deserialize)]
struct Place<'a> {
    #[serde(borrow)]
    stream: Cow<'a, str>,
    version: u64,
    position: Position,
    prevhash: Digest,
    hash: Digest,
}

impl<'a> Place<'a> {
    fn read(position: Position, line: &'a [u8]) -> Result<Self, Error> {
        let read: Self =
            serde_json::from_slice(line).map_err(|e| Error::damaged(position, e.to_string()))?;
        if read.position == position {
            return Ok(read);
        }
        Err(Error::damaged(position, format!("its envelope says position {}", read.position)))
    }
}

/// The position that a line says it has, which may be another than was expected.
pub(crate) fn position_of(expected: Position, line: &[u8]) -> Result<Position, Error> {
    let read: Result<Place<'_>, _> = serde_json::from_slice(line);
    Ok(read.map_err(|e| Error::damaged(expected, e.to_string()))?.position)
}

/// The hash that the line at a position says it has.
pub(crate) fn hash_at(position: Position, line: &[u8]) -> Result<Digest, Error> {
    Ok(Place::read(position, line)?.hash)
}

/// The id of the event in a line, without reading its data.
pub(crate) fn id_of(position: Position, line: &[u8]) -> Result<Uuid, Error> {
    #[derive(Deserialize)]
    struct Id {
        id: Uuid,
    }
    let read: Id =
        serde_json::from_slice(line).map_err(|e| Error::damaged(position, e.to_string()))?;
    Ok(read.id)
}

/// Checks lines in their order: gapless positions, each hash, and each link to the line before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chain {
    position: Position,
    hash: Digest,
}

impl Default for Chain {
    fn default() -> Self {
        Self { position: 0, hash: Digest::from_bytes(FIRST_PREVHASH) }
    }
}

impl Chain {
    /// A chain that goes on after a position whose hash is known.
    #[must_use]
    pub fn after(position: Position, hash: Digest) -> Self {
        Self { position, hash }
    }

    /// The last position that was checked.
    #[must_use]
    pub fn position(&self) -> Position {
        self.position
    }

    /// The hash of the line there.
    #[must_use]
    pub fn hash(&self) -> Digest {
        self.hash
    }

    /// Checks the next line, without its line feed; the stream and the version that it names.
    ///
    /// # Errors
    /// Where it is not the line that follows, or was changed.
    pub fn check<'a>(&mut self, line: &'a [u8]) -> Result<(Cow<'a, str>, u64), Error> {
        let position = self.position + 1;
        let place = Place::read(position, line)?;
        let hash = hash_of(line)
            .ok_or_else(|| Error::damaged(position, "the line does not end in its hash"))?;
        if hash != place.hash {
            return Err(Error::damaged(position, "the line is not the one that was hashed"));
        }
        if place.prevhash != self.hash {
            return Err(Error::damaged(position, "it does not follow the line before it"));
        }
        *self = Self { position, hash };
        Ok((place.stream, place.version))
    }
}

/// The hash that a line should have; `None` where it does not end in one.
fn hash_of(line: &[u8]) -> Option<Digest> {
    let at = line.len().checked_sub(HASH_MEMBER.len() + HASH_DIGITS + 2)?;
    let (body, tail) = line.split_at(at);
    if !tail.starts_with(HASH_MEMBER) || !tail.ends_with(b"\"}") {
        return None;
    }
    Some(Digest::from_bytes(Sha256::new_with_prefix(body).chain_update(b"}").finalize().into()))
}

/// RFC 3339 in UTC, with at least milliseconds and no digit lost.
fn rfc3339(time: DateTime<Utc>) -> String {
    let nanos = time.timestamp_subsec_nanos();
    let format = match nanos {
        _ if nanos.is_multiple_of(1_000_000) => SecondsFormat::Millis,
        _ if nanos.is_multiple_of(1_000) => SecondsFormat::Micros,
        _ => SecondsFormat::Nanos,
    };
    time.to_rfc3339_opts(format, true)
}

fn push_hex(line: &mut Vec<u8>, hash: Digest) {
    let at = line.len();
    line.resize(at + HASH_DIGITS, 0);
    hex::encode_to_slice(hash.as_bytes(), &mut line[at..])
        .expect("64 digits were made room for, and a hash has 32 bytes");
}

/// The verification that an event belongs to.
fn verification_of(stream: &StreamId, event: &Event) -> Option<VerificationId> {
    match event {
        Event::AnswerRecorded(e) => Some(e.verification),
        _ => stream.as_verification(),
    }
}

/// The transaction that an event is about.
fn transaction_of(event: &Event) -> Option<TransactionHash> {
    match event {
        Event::VerificationRequested(e) => Some(e.payment.transaction),
        Event::TransactionSigned(e) => Some(e.transaction),
        Event::TransferFinalized(e) => Some(e.transaction),
        Event::VerificationConfirmed(e) => Some(e.transaction),
        Event::VerificationFailed(e) => Some(e.transaction),
        _ => None,
    }
}

#[cfg(test)]
#[path = "envelope_tests.rs"]
mod tests;
