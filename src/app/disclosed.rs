//! What of an event may be told: all of it but what is for one holder alone. A reservation's id
//! releases it, and who has a finished transaction can send it.

use ccd402_domain::event::Event;
use serde_json::Value;

/// The data of an event as those may read it who may know of it.
///
/// # Panics
/// Never: events have text keys, and so always have JSON.
#[must_use]
pub fn data(event: &Event) -> Value {
    let json = event.to_json().expect("events have text keys and so always have JSON");
    let mut data: Value = serde_json::from_slice(&json).expect("what was written is JSON");
    let secret = match event {
        Event::PaymentReserved(_) | Event::PaymentReleased(_) | Event::AnswerRecorded(_) => {
            "reservation"
        }
        Event::TransactionSigned(_) => "blockItem",
        _ => return data,
    };
    if let Some(members) = data.as_object_mut() {
        members.remove(secret);
    }
    data
}
