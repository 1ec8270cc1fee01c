//! What of an append can be done before its turn: bounds, JSON, ids, hashing, keys.
//!
//! Runs on the caller's thread, so that the one writer has little left to do. Nothing here knows
//! what the log holds.

use ::sled::IVec;
use ccd402_app::ports::lease::Fence;
use ccd402_app::ports::log::{
    APPEND_BYTES_MAX, APPEND_EVENTS_MAX, ATTACHMENT_BYTES_MAX, Append, AppendError,
    EVENT_BYTES_MAX, StreamId, releases_attachment,
};
use ccd402_domain::event::Event;
use ccd402_domain::ids::uuid_of;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::envelope::{Context, Unplaced};
use crate::index::IndexChange;
use crate::keys;

/// Longest name of a stream.
const STREAM_BYTES_MAX: usize = 200;

/// One call of `append`: all of it happens or nothing.
#[derive(Clone)]
pub(crate) struct Call {
    pub(crate) appends: Vec<Prepared>,
    /// Under which lease it happens, if under one.
    pub(crate) fence: Option<Fence>,
    /// What it weighs in a queue.
    pub(crate) bytes: usize,
}

/// Events for one stream, ready to be given their places.
#[derive(Clone)]
pub(crate) struct Prepared {
    pub(crate) stream: StreamId,
    pub(crate) expected: u64,
    pub(crate) events: Vec<PreparedEvent>,
    pub(crate) attachment: Attachment,
}

/// One event, ready to be given its place.
#[derive(Clone)]
pub(crate) struct PreparedEvent {
    pub(crate) id: Uuid,
    /// Of its place in the stream.
    pub(crate) key: IVec,
    pub(crate) line: Unplaced,
    pub(crate) index: IndexChange,
    pub(crate) version: u64,
    pub(crate) time: DateTime<Utc>,
    pub(crate) event: Event,
}

/// What becomes of the attachment of a stream.
#[derive(Clone)]
pub(crate) enum Attachment {
    Unchanged,
    Kept(Vec<u8>),
    Released,
}

impl Call {
    pub(crate) fn new(appends: Vec<Append>) -> Result<Self, AppendError> {
        let events: usize = appends.iter().map(|append| append.events.len()).sum();
        if events == 0 || events > APPEND_EVENTS_MAX {
            return too_large(format!("{events} events, not 1 to {APPEND_EVENTS_MAX}"));
        }
        let appends = appends.into_iter().map(Prepared::new).collect::<Result<Vec<_>, _>>()?;
        let bytes = appends.iter().map(Prepared::bytes).sum();
        if bytes > APPEND_BYTES_MAX {
            return too_large(format!("{bytes} bytes in one append"));
        }
        Ok(Self { appends, fence: None, bytes })
    }
}

impl Prepared {
    fn new(append: Append) -> Result<Self, AppendError> {
        let Append { stream, expected_version, events, time, cause, attachment } = append;
        check_name(&stream)?;
        if events.is_empty() {
            return too_large(format!("no event for {stream}, at least one is needed"));
        }
        if expected_version > u64::MAX / 2 {
            return too_large(format!("version {expected_version}"));
        }
        let attachment = attachment_change(&events, attachment)?;
        let mut version = expected_version;
        let mut prepared = Vec::with_capacity(events.len());
        for event in events {
            version += 1;
            let parts: [&[u8]; 4] = [
                stream.as_str().as_bytes(),
                &version.to_be_bytes(),
                event.name().as_bytes(),
                cause.as_bytes(),
            ];
            let context = Context { id: uuid_of(&parts), stream: &stream, version, time, cause };
            prepared.push(PreparedEvent::new(&context, event)?);
        }
        Ok(Self { stream, expected: expected_version, events: prepared, attachment })
    }

    fn bytes(&self) -> usize {
        let attachment =
            if let Attachment::Kept(bytes) = &self.attachment { bytes.len() } else { 0 };
        attachment + self.events.iter().map(|event| event.line.bytes_max()).sum::<usize>()
    }
}

impl PreparedEvent {
    fn new(context: &Context<'_>, event: Event) -> Result<Self, AppendError> {
        let &Context { id, stream, version, time, .. } = context;
        let (line, data_bytes) = Unplaced::new(context, &event)
            .map_err(|e| AppendError::TooLarge(format!("a {} is not JSON: {e}", event.name())))?;
        if data_bytes > EVENT_BYTES_MAX {
            return too_large(format!("a {} of {data_bytes} bytes", event.name()));
        }
        let key = keys::stream(stream, version);
        Ok(Self { id, key, line, index: IndexChange::of(&event), version, time, event })
    }
}

fn attachment_change(
    events: &[Event],
    attachment: Option<Vec<u8>>,
) -> Result<Attachment, AppendError> {
    match attachment {
        Some(bytes) if bytes.len() > ATTACHMENT_BYTES_MAX => {
            too_large(format!("an attachment of {} bytes", bytes.len()))
        }
        _ if events.iter().any(releases_attachment) => Ok(Attachment::Released),
        Some(bytes) => Ok(Attachment::Kept(bytes)),
        None => Ok(Attachment::Unchanged),
    }
}

/// Names go into keys and JSON as they are: nothing that separates keys or that JSON escapes.
pub(crate) fn check_name(stream: &StreamId) -> Result<(), AppendError> {
    let name = stream.as_str();
    let is_plain = |b: u8| b.is_ascii_graphic() && !matches!(b, b'|' | b'"' | b'\\');
    if name.is_empty() || name.len() > STREAM_BYTES_MAX || !name.bytes().all(is_plain) {
        let rule = format!("names of streams are 1 to {STREAM_BYTES_MAX} plain characters");
        return Err(AppendError::TooLarge(rule));
    }
    Ok(())
}

/// A log that one process has to itself gives no leases: whoever shows one means another log.
pub(crate) fn must_be_unfenced(fence: Option<&Fence>) -> Result<(), AppendError> {
    fence.map_or(Ok(()), |fence| Err(AppendError::Fenced(fence.lease.clone())))
}

fn too_large<T>(what: String) -> Result<T, AppendError> {
    Err(AppendError::TooLarge(what))
}
