//! The port of the event log: the truth from which everything else is derived.
//!
//! Global order is gapless and starts at 1. What an adapter keeps beside the events (claims, who
//! waits for which transaction, attachments) is derived from events alone, by the functions here, so
//! that no caller can append a confirmation without its claim.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use ccd402_domain::account::AccountAddress;
use ccd402_domain::event::Event;
use ccd402_domain::ids::{Digest, KeyId, TransactionHash, VerificationId, WebhookId};
use ccd402_domain::tenant::TenantId;
use ccd402_protocol::network::NetworkId;
use chrono::{DateTime, Utc};
use tokio::sync::watch;
use uuid::Uuid;

use crate::ports::lease::{Fence, LeaseName};

/// Largest event, as JSON.
pub const EVENT_BYTES_MAX: usize = 64 * 1024;
/// Largest attachment.
pub const ATTACHMENT_BYTES_MAX: usize = 64 * 1024;
/// Most events of one append, over all its streams.
pub const APPEND_EVENTS_MAX: usize = 4_096;
/// Most bytes of one append: events as they are written, and attachments.
pub const APPEND_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Most events that one read returns.
pub const READ_EVENTS_MAX: usize = 4_096;

/// What the names of all streams of webhooks begin with.
pub const WEBHOOK_PREFIX: &str = "webhook-";

/// How the names of the streams of API keys begin.
pub const KEYS_PREFIX: &str = "key-";

/// Place of an event in the whole log. The first is 1; 0 stands before all.
pub type Position = u64;

/// Name of a stream; shared by its clones.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamId(Arc<str>);

impl StreamId {
    /// The stream of a verification.
    #[must_use]
    pub fn verification(id: VerificationId) -> Self {
        Self(format!("verification-{id}").into())
    }

    /// The stream that keeps what was answered under an Idempotency-Key.
    #[must_use]
    pub fn answer(key: Uuid) -> Self {
        Self(format!("answer-{key}").into())
    }

    /// The stream of the follower of a network.
    #[must_use]
    pub fn follower(network: &NetworkId) -> Self {
        Self(format!("follower-{network}").into())
    }

    /// The stream of a webhook.
    #[must_use]
    pub fn webhook(id: WebhookId) -> Self {
        Self(format!("{WEBHOOK_PREFIX}{id}").into())
    }

    /// The stream of how far a webhook's deliveries have come.
    #[must_use]
    pub fn webhook_checkpoint(id: WebhookId) -> Self {
        Self(format!("delivered-{id}").into())
    }

    /// The stream of one webhook's deliveries of one verification.
    #[must_use]
    pub fn delivery(webhook: WebhookId, verification: VerificationId) -> Self {
        Self(format!("{}{verification}", Self::deliveries(webhook)).into())
    }

    /// What the names of all streams of a webhook's deliveries begin with.
    #[must_use]
    pub fn deliveries(webhook: WebhookId) -> String {
        format!("delivery-{webhook}-")
    }

    /// The stream of what an account's sponsored payments on their way will take.
    #[must_use]
    pub fn holds(network: &NetworkId, payer: &AccountAddress) -> Self {
        Self(format!("holds-{network}-{}", payer.account()).into())
    }

    /// The stream of an API key.
    #[must_use]
    pub fn key(id: KeyId) -> Self {
        Self(format!("{KEYS_PREFIX}{id}").into())
    }

    /// The stream of what operators have done.
    #[must_use]
    pub fn operators() -> Self {
        Self("operators".into())
    }

    /// A name read back from a log.
    #[must_use]
    pub fn from_stored(name: String) -> Self {
        Self(name.into())
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The webhook whose stream this is, if it is one's.
    #[must_use]
    pub fn as_webhook(&self) -> Option<WebhookId> {
        self.0.strip_prefix(WEBHOOK_PREFIX)?.parse().ok()
    }

    /// The verification whose stream this is, if it is one's.
    #[must_use]
    pub fn as_verification(&self) -> Option<VerificationId> {
        self.0.strip_prefix("verification-")?.parse().ok()
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Events for one stream.
#[derive(Debug, Clone, PartialEq)]
pub struct Append {
    /// Which stream.
    pub stream: StreamId,
    /// Events that the stream must hold already; 0 for a new one.
    pub expected_version: u64,
    /// What happened, oldest first; never empty.
    pub events: Vec<Event>,
    /// When it happened.
    pub time: DateTime<Utc>,
    /// Why: makes event ids repeatable. The same events for the same cause are appended once.
    pub cause: Uuid,
    /// Proofs to keep beside the stream until its [`releases_attachment`] event.
    pub attachment: Option<Vec<u8>>,
}

/// An event as it stands in the log.
#[derive(Debug, Clone, PartialEq)]
pub struct Recorded {
    /// Place in the log.
    pub position: Position,
    /// UUIDv5 of (stream, version, type, cause).
    pub id: Uuid,
    /// Its stream.
    pub stream: StreamId,
    /// Place in the stream; the first is 1.
    pub version: u64,
    /// When it happened.
    pub time: DateTime<Utc>,
    /// What happened.
    pub event: Event,
}

/// Who waits for a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    /// For which.
    pub transaction: TransactionHash,
    /// Who.
    pub verification: VerificationId,
    /// When the transaction's challenge closes: later it cannot come.
    pub closes_at: DateTime<Utc>,
}

/// Why nothing was appended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// Somebody else appended first. Read again, decide again.
    #[error("{stream} is at version {actual}, not {expected}")]
    VersionConflict {
        /// Which stream.
        stream: StreamId,
        /// As the append said.
        expected: u64,
        /// As it is.
        actual: u64,
    },
    /// Another verification holds the claim.
    #[error("transaction {transaction} is claimed by verification {owner}")]
    ClaimConflict {
        /// The transaction.
        transaction: TransactionHash,
        /// Who holds it.
        owner: VerificationId,
    },
    /// An event, an attachment or a batch over its bound.
    #[error("over a bound of the log: {0}")]
    TooLarge(String),
    /// Another process has taken the lease over. What was done under it is that one's to do.
    #[error("another process has taken over the lease {0}")]
    Fenced(LeaseName),
    /// More appends wait than the log takes. Try again later.
    #[error("the log has too much waiting")]
    Busy,
    /// The log's database does not answer. Try again later: for the same cause, because the append
    /// may have happened all the same.
    #[error("the log cannot be reached: {0}")]
    Unavailable(String),
    /// The log cannot be written any more. The process must stop.
    #[error("the log cannot be written: {0}")]
    Broken(String),
}

/// The log cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the log cannot be read: {0}")]
pub struct ReadError(pub String);

/// How far the log's lines were checked: each hash, and each link to the line before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checked {
    /// The last position that was checked.
    pub position: Position,
    /// The hash of the line there.
    pub hash: Digest,
}

/// Why a check of the log ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckError {
    /// A line is missing, changed, or not the one that follows.
    #[error("the log is damaged at position {position}: {reason}")]
    Damaged {
        /// The first bad position.
        position: Position,
        /// What is wrong with it.
        reason: String,
    },
    /// Nobody can tell.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// The event log.
#[async_trait]
pub trait EventLog: Send + Sync {
    /// Appends all of it or nothing, durably, and returns the position of the last event.
    ///
    /// Appending the very events again that stand at the expected place already is success.
    async fn append(&self, appends: Vec<Append>) -> Result<Position, AppendError> {
        self.append_under(None, appends).await
    }

    /// As [`EventLog::append`], unless the lease was taken over: then nothing is appended. A log that
    /// gives no leases refuses every fence.
    async fn append_under(
        &self,
        fence: Option<&Fence>,
        appends: Vec<Append>,
    ) -> Result<Position, AppendError>;

    /// Events of a stream after a version, oldest first, at most [`READ_EVENTS_MAX`].
    async fn read_stream(&self, stream: &StreamId, after: u64) -> Result<Vec<Recorded>, ReadError>;

    /// The newest event of a stream.
    async fn read_last(&self, stream: &StreamId) -> Result<Option<Recorded>, ReadError>;

    /// Events of the whole log after a position, at most `max` and [`READ_EVENTS_MAX`].
    async fn read_all(&self, after: Position, max: usize) -> Result<Vec<Recorded>, ReadError>;

    /// How many events each of these streams holds, in their order: one read for all of them.
    async fn versions(&self, streams: &[StreamId]) -> Result<Vec<u64>, ReadError>;

    /// Lines of the whole log after a position as they are stored, at most `max` and
    /// [`READ_EVENTS_MAX`]: without their line feeds, each with its hash.
    async fn read_lines(&self, after: Position, max: usize) -> Result<Vec<Vec<u8>>, ReadError>;

    /// Checks every hash and link after a position, of at most `max` and [`READ_EVENTS_MAX`] lines.
    /// The line at `after` itself is taken for good.
    async fn check(&self, after: Position, max: usize) -> Result<Checked, CheckError>;

    /// The newest position that is durable; changes as the log grows.
    fn head(&self) -> watch::Receiver<Position>;

    /// Who holds the claim on a transaction.
    async fn claim_owner(
        &self,
        network: &NetworkId,
        transaction: TransactionHash,
    ) -> Result<Option<VerificationId>, ReadError>;

    /// Who waits for each of these transactions, in the order in which they asked.
    async fn waiting_for(
        &self,
        network: &NetworkId,
        transactions: &[TransactionHash],
    ) -> Result<BTreeMap<TransactionHash, Vec<VerificationId>>, ReadError>;

    /// Everything that waits, in pages: after a key of the last page, at most `max`.
    async fn waiting(
        &self,
        network: &NetworkId,
        after: Option<Waiting>,
        max: usize,
    ) -> Result<Vec<Waiting>, ReadError>;

    /// How many verifications wait.
    fn waiting_count(&self) -> u64;

    /// How many verifications of a tenant wait. Costs the same however many do.
    fn waiting_of(&self, tenant: &TenantId) -> u64;

    /// Names of streams that begin with a prefix, after one of them, at most `max` and
    /// [`READ_EVENTS_MAX`]. In byte order, as if each name ended in `|`.
    async fn streams(
        &self,
        prefix: &str,
        after: Option<&StreamId>,
        max: usize,
    ) -> Result<Vec<StreamId>, ReadError>;

    /// What is kept beside a stream.
    async fn attachment(&self, stream: &StreamId) -> Result<Option<Vec<u8>>, ReadError>;
}

/// What an event does to the index of who waits for which transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WaitChange {
    /// One more of a tenant's waits.
    Begins(NetworkId, TenantId, Waiting),
    /// One less does.
    Ends(NetworkId, TransactionHash, VerificationId),
}

/// The claim that rests on an event, if one does.
#[must_use]
pub fn claim_of(event: &Event) -> Option<(&NetworkId, TransactionHash, VerificationId)> {
    match event {
        Event::VerificationConfirmed(e) => Some((&e.network, e.transaction, e.verification)),
        _ => None,
    }
}

/// What an event does to the index of waiting verifications.
#[must_use]
pub fn wait_change_of(event: &Event) -> Option<WaitChange> {
    match event {
        Event::VerificationRequested(e) => {
            let waiting = Waiting {
                transaction: e.payment.transaction,
                verification: e.verification,
                closes_at: e.payment.window.closes_at,
            };
            Some(WaitChange::Begins(e.payment.network.clone(), e.tenant.clone(), waiting))
        }
        Event::VerificationConfirmed(e) => {
            Some(WaitChange::Ends(e.network.clone(), e.transaction, e.verification))
        }
        Event::VerificationFailed(e) => {
            Some(WaitChange::Ends(e.network.clone(), e.transaction, e.verification))
        }
        _ => None,
    }
}

/// Whether the stream's attachment is not needed after this event.
#[must_use]
pub fn releases_attachment(event: &Event) -> bool {
    matches!(event, Event::VerificationConfirmed(_) | Event::VerificationFailed(_))
}
