//! Finds what is to be delivered: reads the log as it grows, and from where each webhook was left.
//!
//! It sends nothing. What it finds is queued by who runs it, little at a time for each webhook and
//! only what is due, and called for again now and then, so that a queue that was lost is filled
//! again.

use std::collections::HashMap;
use std::sync::Arc;

use ccd402_domain::event::Event;
use ccd402_domain::ids::{VerificationId, WebhookId};
use ccd402_domain::tenant::TenantId;
use ccd402_domain::webhook::event::WhyDisabled;
use ccd402_domain::webhook::state::Webhook;
use ccd402_domain::webhook::transition::Transition;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::error::Error;
use crate::ports::log::{Append, AppendError, Position, Recorded, StreamId};
use crate::ports::queue::Job;
use crate::webhooks::Webhooks;
use crate::webhooks::manage::is_told;
use crate::webhooks::tracker::Tracker;

/// Events read at once.
const PAGE: usize = 1_024;
/// Verifications whose tenant is remembered.
const TENANTS_MAX: usize = 16_384;

/// What is to be delivered, and how far the log was read.
pub struct Dispatch {
    webhooks: Arc<Webhooks>,
    /// Everything up to here was read for the webhooks that go along.
    live: Position,
    trackers: HashMap<WebhookId, Tracker>,
    tenants: HashMap<VerificationId, TenantId>,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// To be queued now.
    pub jobs: Vec<Job>,
    /// Whether there was nothing left to read.
    pub is_all: bool,
}

impl Dispatch {
    /// Reads which webhooks there are, and where each was left.
    ///
    /// # Errors
    /// Where the log cannot be read.
    pub async fn begin(webhooks: Arc<Webhooks>) -> Result<Self, Error> {
        let live = *webhooks.log().head().borrow();
        webhooks.load_all().await?;
        let mut trackers = HashMap::new();
        for webhook in webhooks.directory.all() {
            trackers.insert(webhook.id, left(&webhooks, &webhook).await?);
        }
        Ok(Self { webhooks, live, trackers, tenants: HashMap::new() })
    }

    /// Reads on: what is new, and a page for one webhook that is behind.
    ///
    /// # Errors
    /// Where the log fails.
    pub async fn advance(&mut self) -> Result<Found, Error> {
        for note in self.webhooks.take_notes() {
            let Some(tracker) = self.trackers.get_mut(&note.webhook) else { continue };
            match note.due_at {
                Some(at) => tracker.outstanding.put_off(note.position, at),
                None => tracker.end(note.position),
            }
        }
        let page = self.webhooks.log().read_all(self.live, PAGE).await?;
        for recorded in &page {
            self.happened(recorded).await?;
            self.live = recorded.position;
        }
        let is_behind = self.catch_up().await?;
        Ok(Found { jobs: self.queue(), is_all: page.is_empty() && !is_behind })
    }

    /// Everything that should be in the queue: where it was lost, all of it is missing there.
    #[must_use]
    pub fn queued(&self) -> Vec<Job> {
        let each = self.trackers.iter();
        each.flat_map(|(id, tracker)| jobs(*id, tracker.outstanding.queued())).collect()
    }

    /// When something is due next that waits for its time.
    #[must_use]
    pub fn next_due(&self) -> Option<DateTime<Utc>> {
        let told = self.trackers.iter().filter(|(id, _)| self.told(**id).is_some());
        told.filter_map(|(_, tracker)| tracker.outstanding.next_due()).min()
    }

    /// Writes down how far each webhook has come, where that is worth it.
    ///
    /// # Errors
    /// Where the log fails.
    pub async fn checkpoint(&mut self) -> Result<(), Error> {
        for (id, tracker) in &mut self.trackers {
            let Some(checkpoint) = tracker.checkpoint(self.live) else { continue };
            let scanned = checkpoint.scanned;
            let append = Append {
                stream: StreamId::webhook_checkpoint(*id),
                expected_version: tracker.version,
                events: vec![checkpoint.into()],
                time: self.webhooks.ports.clock.now(),
                cause: Uuid::new_v4(),
                attachment: None,
            };
            match self.webhooks.log().append(vec![append]).await {
                Ok(_) => tracker.checkpointed(scanned, tracker.version + 1),
                // Another process does the same work.
                Err(AppendError::VersionConflict { actual, .. }) => {
                    tracker.checkpointed(scanned, actual);
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Takes in an event that is new.
    async fn happened(&mut self, recorded: &Recorded) -> Result<(), Error> {
        match &recorded.event {
            // While there are no webhooks nobody asks; whoever asks later finds it in the stream.
            Event::VerificationRequested(requested) if !self.webhooks.directory.is_empty() => {
                self.remember(requested.verification, requested.tenant.clone());
            }
            Event::WebhookCreated(created) => {
                let begin = Tracker::since(created.since);
                self.trackers.entry(created.webhook).or_insert(begin);
            }
            Event::WebhookDelivered(tried) => {
                let tracker = self.trackers.get_mut(&tried.webhook);
                let fails = tracker
                    .is_some_and(|tracker| tracker.tried(tried) && tracker.scanned.is_none());
                if fails {
                    self.disable(tried.webhook).await;
                }
            }
            _ => {}
        }
        if let Some(id) = recorded.stream.as_webhook() {
            self.changed(id, recorded).await?;
        }
        if let Some(transition) = Transition::of(&recorded.event) {
            self.tell_those_who_go_along(recorded, transition).await?;
        }
        Ok(())
    }

    /// Where that cannot be written now, the next delivery that is given up does it.
    async fn disable(&self, id: WebhookId) {
        if let Err(error) = self.webhooks.disable(id, WhyDisabled::Failing).await {
            tracing::warn!(webhook.id = %id, %error, "a webhook that fails is still enabled");
        }
    }

    /// A webhook was made, changed, switched or deleted.
    async fn changed(&mut self, id: WebhookId, recorded: &Recorded) -> Result<(), Error> {
        self.webhooks.heard(recorded).await?;
        let Some(tracker) = self.trackers.get_mut(&id) else { return Ok(()) };
        match &recorded.event {
            Event::WebhookDisabled(_) => {
                tracker.scanned.get_or_insert(recorded.position);
                tracker.outstanding.unqueue();
            }
            Event::WebhookDeleted(_) => {
                self.trackers.remove(&id);
            }
            _ => {}
        }
        Ok(())
    }

    async fn tell_those_who_go_along(
        &mut self,
        recorded: &Recorded,
        transition: Transition,
    ) -> Result<(), Error> {
        if self.webhooks.directory.is_empty() {
            return Ok(());
        }
        let Some(tenant) = self.tenant(recorded).await? else { return Ok(()) };
        for webhook in self.webhooks.directory.of(&tenant) {
            let Some(tracker) = self.trackers.get_mut(&webhook.id) else { continue };
            if tracker.scanned.is_some() || !webhook.hears(transition, recorded.position) {
                continue;
            }
            if is_told(&webhook) && tracker.has_room() {
                tracker.add(recorded.position);
            } else {
                tracker.scanned = Some(self.live);
            }
        }
        Ok(())
    }

    /// Reads a page for the webhook that is furthest behind; false where there is none.
    async fn catch_up(&mut self) -> Result<bool, Error> {
        let behind = self.trackers.iter().filter(|(_, tracker)| tracker.has_room());
        let behind = behind.filter_map(|(id, tracker)| Some((tracker.scanned?, self.told(*id)?)));
        let Some((scanned, webhook)) = behind.min_by_key(|(scanned, _)| *scanned) else {
            return Ok(false);
        };
        let page = self.webhooks.log().read_all(scanned, PAGE).await?;
        let (mut reached, live) = (scanned, self.live);
        for recorded in page.iter().take_while(|recorded| recorded.position <= live) {
            if !self.take_up(&webhook, recorded).await? {
                break;
            }
            reached = recorded.position;
        }
        if let Some(tracker) = self.trackers.get_mut(&webhook.id) {
            tracker.scanned = (reached < self.live).then_some(reached);
        }
        Ok(true)
    }

    /// Takes in, for one webhook, an event that it has missed; false where it has no room for it.
    async fn take_up(&mut self, webhook: &Webhook, recorded: &Recorded) -> Result<bool, Error> {
        let transition = Transition::of(&recorded.event)
            .filter(|transition| webhook.hears(*transition, recorded.position));
        let is_its = match transition {
            Some(_) => self.tenant(recorded).await?.is_some_and(|of| of == webhook.tenant),
            None => false,
        };
        let Some(tracker) = self.trackers.get_mut(&webhook.id) else { return Ok(false) };
        match &recorded.event {
            Event::WebhookDelivered(tried) if tried.webhook == webhook.id => {
                tracker.tried(tried);
            }
            _ if is_its && !tracker.has_room() => return Ok(false),
            _ if is_its => tracker.add(recorded.position),
            _ => {}
        }
        Ok(true)
    }

    /// Whose verification an event is of.
    async fn tenant(&mut self, recorded: &Recorded) -> Result<Option<TenantId>, Error> {
        let Some(id) = recorded.stream.as_verification() else { return Ok(None) };
        if let Some(tenant) = self.tenants.get(&id) {
            return Ok(Some(tenant.clone()));
        }
        let history = self.webhooks.log().read_stream(&recorded.stream, 0).await?;
        let Some(Event::VerificationRequested(requested)) =
            history.into_iter().next().map(|first| first.event)
        else {
            return Ok(None);
        };
        self.remember(id, requested.tenant.clone());
        Ok(Some(requested.tenant))
    }

    fn remember(&mut self, id: VerificationId, tenant: TenantId) {
        if self.tenants.len() >= TENANTS_MAX {
            self.tenants.clear();
        }
        self.tenants.insert(id, tenant);
    }

    fn told(&self, id: WebhookId) -> Option<Webhook> {
        self.webhooks.directory.get(id).filter(is_told)
    }

    /// What is due now and has room.
    fn queue(&mut self) -> Vec<Job> {
        let (webhooks, now) = (&self.webhooks, self.webhooks.ports.clock.now());
        let is_told = |id: &WebhookId| webhooks.directory.get(*id).is_some_and(|w| is_told(&w));
        let told = self
            .trackers
            .iter_mut()
            .filter(|(id, tracker)| tracker.outstanding.len() > 0 && is_told(id));
        told.flat_map(|(id, tracker)| jobs(*id, tracker.outstanding.queue(now))).collect()
    }
}

/// Where a webhook's deliveries were left.
async fn left(webhooks: &Webhooks, webhook: &Webhook) -> Result<Tracker, Error> {
    let stream = StreamId::webhook_checkpoint(webhook.id);
    let last = webhooks.log().read_last(&stream).await?;
    Ok(match last.as_ref().map(|last| (&last.event, last.version)) {
        Some((Event::WebhookCheckpointed(checkpoint), version)) => {
            Tracker::from_checkpoint(checkpoint, version)
        }
        _ => Tracker::since(webhook.since),
    })
}

fn jobs(webhook: WebhookId, positions: Vec<Position>) -> impl Iterator<Item = Job> {
    positions.into_iter().map(move |position| Job::DeliverWebhook { webhook: webhook.0, position })
}
