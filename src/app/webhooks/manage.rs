//! Looking at webhooks; changing, rotating and deleting them.

use std::collections::BTreeSet;

use ccd402_domain::ids::WebhookId;
use ccd402_domain::rejection::Rejection;
use ccd402_domain::tenant::Reach;
use ccd402_domain::webhook::command::{Change, Command};
use ccd402_domain::webhook::decide::decide;
use ccd402_domain::webhook::event::WhyDisabled;
use ccd402_domain::webhook::state::{Status, Webhook, evolve};
use ccd402_domain::webhook::transition::Transition;
use ccd402_protocol::code::ReasonCode;
use uuid::Uuid;

use crate::error::Error;
use crate::ports::log::{Append, AppendError, StreamId};
use crate::webhooks::secret::ShownSecret;
use crate::webhooks::{Webhooks, directory};

/// Most webhooks of one page.
pub const PAGE_MAX: usize = 1_000;
/// How often a decision is made anew because somebody else appended first.
const DECISIONS_MAX: usize = 16;

/// Settings that somebody asks for; what is absent stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewSettings {
    /// Where messages go.
    pub url: Option<String>,
    /// For people.
    pub description: Option<String>,
    /// Of what it hears.
    pub types: Option<BTreeSet<Transition>>,
    /// Whether it is told.
    pub is_enabled: Option<bool>,
}

impl Webhooks {
    /// The webhooks that a caller may see, in the order of their ids, after one, at most `max` and
    /// [`PAGE_MAX`].
    #[must_use]
    pub fn list(&self, reach: &Reach, after: Option<WebhookId>, max: usize) -> Vec<Webhook> {
        self.directory.page(reach, after, max.min(PAGE_MAX))
    }

    /// A webhook that a caller may see.
    #[must_use]
    pub fn show(&self, reach: &Reach, id: WebhookId) -> Option<Webhook> {
        self.directory.get(id).filter(|webhook| reach.covers(&webhook.tenant))
    }

    /// Changes a webhook's settings.
    ///
    /// # Errors
    /// Where the log fails.
    pub async fn change(
        &self,
        id: WebhookId,
        asked: NewSettings,
    ) -> Result<Result<Webhook, Rejection>, Error> {
        if let Some(Err(refused)) = asked.url.as_deref().map(|url| self.check(url)) {
            return Ok(Err(refused));
        }
        let NewSettings { url, description, types, is_enabled } = asked;
        let since = *self.ports.log.head().borrow();
        let change = Command::Change(Change { url, description, types, since });
        let changed = self.execute(id, change).await?;
        let now = self.ports.clock.now();
        match (changed, is_enabled) {
            (Ok(_), Some(true)) => self.execute(id, Command::Enable { now }).await,
            (Ok(_), Some(false)) => {
                self.execute(id, Command::Disable { why: WhyDisabled::Operator, now }).await
            }
            (changed, _) => Ok(changed),
        }
    }

    /// Gives a webhook a new secret, shown now and never again. The former one signs for a while.
    ///
    /// # Errors
    /// Where the log fails.
    pub async fn rotate_secret(
        &self,
        id: WebhookId,
    ) -> Result<Result<(Webhook, ShownSecret), Rejection>, Error> {
        let previous_valid_until = self.ports.clock.now() + self.options.rotation_overlap;
        let rotated = self.execute(id, Command::RotateSecret { previous_valid_until }).await?;
        Ok(rotated.map(|webhook| self.shown(webhook)))
    }

    /// Deletes a webhook for good; what is under way to it may still arrive.
    ///
    /// # Errors
    /// Where the log fails.
    pub async fn delete(&self, id: WebhookId) -> Result<Result<(), Rejection>, Error> {
        let now = self.ports.clock.now();
        Ok(self.execute(id, Command::Delete { now }).await?.map(|_| ()))
    }

    /// Disables a webhook that takes nothing; one that is gone meanwhile is none.
    pub(crate) async fn disable(&self, id: WebhookId, why: WhyDisabled) -> Result<(), Error> {
        let now = self.ports.clock.now();
        if self.execute(id, Command::Disable { why, now }).await?.is_ok() {
            tracing::warn!(webhook.id = %id, ?why, "a webhook was disabled");
        }
        Ok(())
    }

    /// A webhook as the log tells it; deleted ones too.
    pub(crate) async fn load(&self, id: WebhookId) -> Result<Option<Webhook>, Error> {
        directory::read(self.ports.log.as_ref(), &StreamId::webhook(id)).await
    }

    pub(crate) fn check(&self, url: &str) -> Result<(), Rejection> {
        let refused = |refused| Rejection::new(ReasonCode::WebhookUrlRefused, format!("{refused}"));
        self.ports.sender.check(url).map_err(refused)
    }

    pub(crate) fn shown(&self, webhook: Webhook) -> (Webhook, ShownSecret) {
        let secret = ShownSecret::of(&self.key.secret(webhook.id, webhook.secrets.number));
        (webhook, secret)
    }

    /// Decides, appends, and decides anew where somebody else appended first.
    pub(crate) async fn execute(
        &self,
        id: WebhookId,
        command: Command,
    ) -> Result<Result<Webhook, Rejection>, Error> {
        for _ in 0..DECISIONS_MAX {
            let state = self.load(id).await?;
            let events = match decide(state.as_ref(), command.clone()) {
                Ok(events) => events,
                Err(rejection) => return Ok(Err(rejection)),
            };
            let expected_version = state.as_ref().map_or(0, |state| state.version);
            let next = events
                .iter()
                .try_fold(state, |state, event| evolve(state, event).map(Some))?
                .ok_or(Error::Contended)?;
            if events.is_empty() {
                return Ok(Ok(next));
            }
            let append = Append {
                stream: StreamId::webhook(id),
                expected_version,
                events,
                time: self.ports.clock.now(),
                cause: Uuid::new_v4(),
                attachment: None,
            };
            match self.ports.log.append(vec![append]).await {
                Ok(_) => {
                    self.directory.put(next.clone());
                    return Ok(Ok(next));
                }
                Err(AppendError::VersionConflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Error::Contended)
    }
}

/// Whether messages are sent to a webhook by themselves.
pub(crate) fn is_told(webhook: &Webhook) -> bool {
    webhook.status == Status::Enabled
}
