//! The port of webhooks: who sends a message, and who writes it.
//!
//! To whom, what and when is decided by the use cases; how a message is signed and where it may go
//! is the sender's business, its JSON that of whoever knows the wire.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use ccd402_domain::verification::state::Verification;
use ccd402_domain::webhook::event::Answer;
use ccd402_domain::webhook::transition::Transition;
use chrono::{DateTime, Utc};

use crate::ports::log::Position;

/// The bytes that sign a webhook's messages. Never printed, never logged.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningSecret(pub Vec<u8>);

impl fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningSecret(hidden)")
    }
}

/// A message to send.
#[derive(Debug, Clone)]
pub struct Message {
    /// Where to.
    pub url: String,
    /// Its id: a repeat has the same.
    pub id: String,
    /// When it is sent.
    pub time: DateTime<Utc>,
    /// Its JSON.
    pub body: Vec<u8>,
    /// What signs it, newest first; one signature each.
    pub secrets: Vec<SigningSecret>,
}

/// What came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    /// The answer, or why there is none.
    pub answer: Answer,
    /// How long the receiver wants to be left alone.
    pub retry_after: Option<Duration>,
    /// How long it took.
    pub duration: Duration,
}

/// Where messages may not go, and why; safe to show to whoever named the URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UrlRefused(pub String);

/// Who sends messages.
#[async_trait]
pub trait WebhookSender: Send + Sync {
    /// Whether messages may go to a URL, as far as can be said without asking a name server.
    ///
    /// # Errors
    /// Where they may not.
    fn check(&self, url: &str) -> Result<(), UrlRefused>;

    /// Sends a message, once. Every address is checked again before it is connected to.
    async fn send(&self, message: Message) -> Sent;
}

/// What a webhook is told.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    /// What happened.
    pub transition: Transition,
    /// Where that stands in the log.
    pub position: Position,
    /// When.
    pub time: DateTime<Utc>,
    /// The verification as it was after it.
    pub state: Verification,
}

/// Who writes messages: the JSON is the API's.
pub trait WebhookWriter: Send + Sync {
    /// The body that tells of a transition; the same for the same.
    fn told(&self, told: &Told) -> Vec<u8>;

    /// The body of a message that only tries the way.
    fn ping(&self, now: DateTime<Utc>) -> Vec<u8>;
}
