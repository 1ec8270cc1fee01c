//! Webhooks: who is told of a tenant's verifications, and telling them, at least once and in order.
//!
//! The log says who is told and what was tried. Queue, directory and trackers only remember what
//! there is to do, and are made again from the log.

mod case;
pub mod create;
mod deliver;
pub mod deliveries;
mod directory;
pub mod dispatch;
pub mod manage;
mod outstanding;
pub mod ping;
mod redeliver;
pub mod secret;
mod tracker;
mod turns;

use std::sync::{Arc, Mutex, PoisonError};

use ccd402_domain::ids::WebhookId;
use ccd402_domain::webhook::delivery::Schedule;
use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::Notify;

pub use crate::webhooks::deliver::Delivered;

use crate::error::Error;
use crate::ports::clock::Clock;
use crate::ports::log::{EventLog, Position, Recorded};
use crate::ports::webhooks::{WebhookSender, WebhookWriter};
use crate::webhooks::directory::Directory;
use crate::webhooks::secret::SecretKey;
use crate::webhooks::turns::Turns;

/// Most notes that are kept until the dispatcher asks; a few more only cost a look.
const NOTES_MAX: usize = 65_536;

/// What webhooks are allowed.
#[derive(Debug, Clone)]
pub struct Options {
    /// When a delivery is tried again.
    pub schedule: Schedule,
    /// How long a former secret signs as well.
    pub rotation_overlap: TimeDelta,
    /// Most webhooks of a tenant.
    pub per_tenant_max: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            schedule: Schedule::default(),
            rotation_overlap: TimeDelta::hours(24),
            per_tenant_max: 32,
        }
    }
}

/// What the use cases of webhooks stand on.
#[derive(Clone)]
pub struct Ports {
    /// The event log.
    pub log: Arc<dyn EventLog>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Who sends.
    pub sender: Arc<dyn WebhookSender>,
    /// Who writes.
    pub writer: Arc<dyn WebhookWriter>,
}

/// The use cases of webhooks.
pub struct Webhooks {
    ports: Ports,
    key: SecretKey,
    options: Options,
    directory: Directory,
    turns: Turns,
    /// One webhook is made at a time, so that the bound holds.
    making: tokio::sync::Mutex<()>,
    notes: Mutex<Vec<Note>>,
    noted: Notify,
}

impl Webhooks {
    /// Webhooks over these ports; secrets are derived from the key.
    #[must_use]
    pub fn new(ports: Ports, key: SecretKey, options: Options) -> Self {
        Self {
            ports,
            key,
            options,
            directory: Directory::default(),
            turns: Turns::default(),
            making: tokio::sync::Mutex::default(),
            notes: Mutex::default(),
            noted: Notify::new(),
        }
    }

    /// Reads which webhooks there are; before, there seem to be none.
    ///
    /// # Errors
    /// Where the log cannot be read.
    pub async fn load_all(&self) -> Result<(), Error> {
        self.directory.load(self.ports.log.as_ref()).await
    }

    /// Takes in an event that somebody has appended; this process, maybe.
    ///
    /// # Errors
    /// Where the log cannot be read.
    pub async fn heard(&self, recorded: &Recorded) -> Result<(), Error> {
        if recorded.stream.as_webhook().is_some() && !self.directory.apply(recorded) {
            let webhook = directory::read(self.log().as_ref(), &recorded.stream).await?;
            webhook.into_iter().for_each(|webhook| self.directory.put(webhook));
        }
        Ok(())
    }

    /// The event log.
    #[must_use]
    pub fn log(&self) -> &Arc<dyn EventLog> {
        &self.ports.log
    }

    /// Ends when a delivery came to something that the log does not tell of.
    pub async fn noted(&self) {
        self.noted.notified().await;
    }

    fn note(&self, webhook: WebhookId, position: Position, due_at: Option<DateTime<Utc>>) {
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        if notes.len() < NOTES_MAX {
            notes.push(Note { webhook, position, due_at });
            self.noted.notify_one();
        }
    }

    fn take_notes(&self) -> Vec<Note> {
        std::mem::take(&mut *self.notes.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What a delivery came to, for the dispatcher in this process. The log tells of each try; without
/// these notes what needed none would only be looked at once more.
#[derive(Debug, Clone, Copy)]
struct Note {
    webhook: WebhookId,
    position: Position,
    /// When it is to be tried again; nothing more is to be done where there is no time.
    due_at: Option<DateTime<Utc>>,
}
