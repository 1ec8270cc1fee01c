//! Writes the messages of webhooks: the JSON of the API, as the Standard Webhooks specification
//! wants it. To whom they go, and how they are signed, is not known here.

use ccd402_app::ports::webhooks::{Told, WebhookWriter};
use chrono::{DateTime, Utc};

use crate::api::status_prefix;
use crate::options::PublicUrl;
use crate::reply;
use crate::wire::Verification;
use crate::wire::webhooks::{Data, Message, Ping};

/// Writes messages.
#[derive(Debug, Clone)]
pub struct Messages {
    status_prefix: String,
}

impl Messages {
    /// A writer whose links begin with that URL; without one they are relative.
    #[must_use]
    pub fn new(public_url: Option<&PublicUrl>) -> Self {
        Self { status_prefix: status_prefix(public_url) }
    }
}

impl WebhookWriter for Messages {
    fn told(&self, told: &Told) -> Vec<u8> {
        let status_url = format!("{}{}", self.status_prefix, told.state.id);
        // As it stood then: a reservation that has lapsed since was held.
        let verification = Verification::of(&told.state, &status_url, told.time);
        let data = Data { position: told.position, verification };
        let message = Message { r#type: told.transition, timestamp: told.time, data };
        reply::bytes(&message).into()
    }

    fn ping(&self, now: DateTime<Utc>) -> Vec<u8> {
        reply::bytes(&Ping::at(now)).into()
    }
}
