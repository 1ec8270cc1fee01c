//! What operators do to jobs, keys and deliveries: appended to the log first, then done, so that
//! nothing is done of which nobody can read who wanted it.
//!
//! Whether the caller may operate is asked by whoever knows the caller.

use std::sync::Arc;

use ccd402_domain::event::Event;
use ccd402_domain::ids::{KeyId, WebhookId};
use ccd402_domain::key::state::Key;
use ccd402_domain::operator::{Action, OperatorActed};
use ccd402_domain::rejection::Rejection;
use ccd402_domain::webhook::event::WebhookDelivered;
use ccd402_domain::webhook::state::Webhook;
use ccd402_protocol::code::ReasonCode;
use uuid::Uuid;

use crate::error::Error;
use crate::keys::Keys;
use crate::ports::clock::Clock;
use crate::ports::log::{Append, AppendError, EventLog, Position, Recorded, StreamId};
use crate::ports::queue::{JobId, JobQueue, QueueError, Queued};
use crate::webhooks::Webhooks;

/// How often it is appended anew because somebody else did so first.
const APPENDS_MAX: usize = 64;
/// Newest actions that are told.
pub const ACTIONS_TOLD_MAX: u64 = 100;

/// Acts for operators, and writes down that it does.
#[derive(Clone)]
pub struct Operations {
    log: Arc<dyn EventLog>,
    clock: Arc<dyn Clock>,
    jobs: Arc<dyn JobQueue>,
}

/// Why nothing was done to a job.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// A fault of ours.
    #[error(transparent)]
    Ours(#[from] Error),
    /// The queue cannot be asked.
    #[error(transparent)]
    Queue(#[from] QueueError),
}

type Acted<T> = Result<Result<T, Rejection>, JobError>;

impl Operations {
    /// Acts on these.
    #[must_use]
    pub fn new(log: Arc<dyn EventLog>, clock: Arc<dyn Clock>, jobs: Arc<dyn JobQueue>) -> Self {
        Self { log, clock, jobs }
    }

    /// The queue that it acts on.
    #[must_use]
    pub fn jobs(&self) -> &Arc<dyn JobQueue> {
        &self.jobs
    }

    /// Has a job run now; as it stands then, or as it was where it has ended already.
    ///
    /// # Errors
    /// Where log or queue fail. A job that runs, or is not there, is a rejection.
    pub async fn retry_job(&self, by: Option<KeyId>, id: JobId) -> Acted<Queued> {
        let Some(job) = self.jobs.show(id).await? else { return not_found() };
        self.note(by, Action::RetryJob { job: id.0, what: job.job.to_string() }).await?;
        if !self.jobs.retry(id).await? {
            return self.running_or_gone(id).await;
        }
        Ok(Ok(self.jobs.show(id).await?.unwrap_or(job)))
    }

    /// Forgets a job; as it was.
    ///
    /// # Errors
    /// As for [`Operations::retry_job`].
    pub async fn drop_job(&self, by: Option<KeyId>, id: JobId) -> Acted<Queued> {
        let Some(job) = self.jobs.show(id).await? else { return not_found() };
        self.note(by, Action::DropJob { job: id.0, what: job.job.to_string() }).await?;
        if !self.jobs.drop_job(id).await? {
            return self.running_or_gone(id).await;
        }
        Ok(Ok(job))
    }

    /// Takes a key back.
    ///
    /// # Errors
    /// Where the log fails. A key that is not there is a rejection.
    pub async fn revoke_key(
        &self,
        by: Option<KeyId>,
        keys: &Keys,
        key: KeyId,
    ) -> Result<Result<Arc<Key>, Rejection>, Error> {
        if keys.show(key).is_none() {
            return Ok(Err(Rejection::of(ReasonCode::KeyNotFound)));
        }
        self.note(by, Action::RevokeKey { key }).await?;
        keys.revoke(key).await
    }

    /// Tells a webhook once more.
    ///
    /// # Errors
    /// Where the log fails, or too much is under way to the webhook.
    pub async fn redeliver(
        &self,
        by: Option<KeyId>,
        webhooks: &Webhooks,
        (webhook, position): (Webhook, Position),
    ) -> Result<Result<WebhookDelivered, Rejection>, Error> {
        let id: WebhookId = webhook.id;
        self.note(by, Action::Redeliver { webhook: id, position }).await?;
        webhooks.redeliver(webhook, position).await
    }

    /// The newest actions, newest first, at most `max` and [`ACTIONS_TOLD_MAX`].
    ///
    /// # Errors
    /// Where the log cannot be read.
    pub async fn actions(&self, max: u64) -> Result<Vec<(Recorded, OperatorActed)>, Error> {
        let stream = StreamId::operators();
        let Some(last) = self.log.read_last(&stream).await? else { return Ok(Vec::new()) };
        let after = last.version.saturating_sub(max.min(ACTIONS_TOLD_MAX));
        let recorded = self.log.read_stream(&stream, after).await?;
        let acted = recorded.into_iter().rev().filter_map(|recorded| match &recorded.event {
            Event::OperatorActed(acted) => Some((recorded.clone(), acted.clone())),
            _ => None,
        });
        Ok(acted.collect())
    }

    async fn note(&self, by: Option<KeyId>, action: Action) -> Result<(), Error> {
        let (stream, cause) = (StreamId::operators(), Uuid::new_v4());
        for _ in 0..APPENDS_MAX {
            let expected_version = self.log.versions(std::slice::from_ref(&stream)).await?[0];
            let at = self.clock.now();
            let append = Append {
                stream: stream.clone(),
                expected_version,
                events: vec![OperatorActed { by, action: action.clone(), at }.into()],
                time: at,
                cause,
                attachment: None,
            };
            match self.log.append(vec![append]).await {
                Ok(_) => return Ok(()),
                Err(AppendError::VersionConflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Error::Contended)
    }

    /// Why nothing could be changed.
    async fn running_or_gone(&self, id: JobId) -> Acted<Queued> {
        match self.jobs.show(id).await? {
            Some(_) => Ok(Err(Rejection::of(ReasonCode::JobRunning))),
            None => not_found(),
        }
    }
}

fn not_found<T>() -> Acted<T> {
    Ok(Err(Rejection::of(ReasonCode::JobNotFound)))
}
