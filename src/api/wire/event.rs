//! The JSON of events, as `/v1/stream` and the list of a verification's events tell them.
//!
//! What of its data may be told is said by `app`.

use ccd402_app::disclosed;
use ccd402_app::ports::log::{Position, Recorded};
use ccd402_domain::ids::VerificationId;
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::reply;

/// An event.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EventTold<'a> {
    /// Its place in the log; ids of `/v1/stream` are these.
    position: Position,
    r#type: &'static str,
    time: DateTime<Utc>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verification: Option<VerificationId>,
    stream: &'a str,
    /// Its place in its stream.
    version: u64,
    data: Value,
}

/// The events of one verification.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct History<'a> {
    pub(crate) verification: VerificationId,
    /// Everything up to this position of the log is in it.
    pub(crate) as_of: Position,
    pub(crate) events: Vec<EventTold<'a>>,
}

impl<'a> EventTold<'a> {
    /// An event as it may be told.
    pub(crate) fn of(recorded: &'a Recorded) -> Self {
        Self {
            position: recorded.position,
            r#type: recorded.event.name(),
            time: recorded.time,
            verification: recorded.stream.as_verification(),
            stream: recorded.stream.as_str(),
            version: recorded.version,
            data: disclosed::data(&recorded.event),
        }
    }
}

/// Adds an event as one message of an event stream.
pub(crate) fn write_message(recorded: &Recorded, out: &mut Vec<u8>) {
    let told = EventTold::of(recorded);
    out.extend_from_slice(
        format!("id: {}\nevent: {}\ndata: ", told.position, told.r#type).as_bytes(),
    );
    // JSON as it is written here holds no line feed.
    out.extend_from_slice(&reply::bytes(&told));
    out.extend_from_slice(b"\n\n");
}
