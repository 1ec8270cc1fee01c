//! Making a webhook. Under an Idempotency-Key the same call, made again, hears the same answer for a
//! day, so that an answer that was lost costs nobody the secret.

use std::collections::BTreeSet;

use ccd402_domain::event::Event;
use ccd402_domain::ids::WebhookId;
use ccd402_domain::rejection::Rejection;
use ccd402_domain::tenant::TenantId;
use ccd402_domain::webhook::command::{Command, Create};
use ccd402_domain::webhook::event::WebhookCreated;
use ccd402_domain::webhook::state::{Status, Webhook};
use ccd402_domain::webhook::transition::Transition;
use ccd402_protocol::code::ReasonCode;
use chrono::TimeDelta;
use uuid::Uuid;

use crate::error::Error;
use crate::idempotency::{IdempotencyKey, Route};
use crate::ports::log::StreamId;
use crate::webhooks::Webhooks;
use crate::webhooks::secret::ShownSecret;

/// How long after its making a webhook's first secret is shown again to who repeats the call.
const REPEATED_WITHIN: TimeDelta = TimeDelta::hours(24);

/// A webhook that somebody asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewWebhook {
    /// Where messages go.
    pub url: String,
    /// For people.
    pub description: String,
    /// Of what it hears.
    pub types: BTreeSet<Transition>,
}

/// A webhook that was made, or why none was.
type Made = Result<(Webhook, ShownSecret), Rejection>;

impl Webhooks {
    /// Makes a webhook of a tenant; its secret is shown now and never again.
    ///
    /// # Errors
    /// Where the log fails.
    pub async fn create(
        &self,
        tenant: TenantId,
        asked: NewWebhook,
        key: Option<&IdempotencyKey>,
    ) -> Result<Made, Error> {
        if let Err(refused) = self.check(&asked.url) {
            return Ok(Err(refused));
        }
        let id = key.map_or_else(Uuid::now_v7, |key| key.id(&tenant, Route::Webhook));
        let id = WebhookId(id);
        let _making = self.making.lock().await;
        if key.is_some()
            && let Some(made) = self.made_before(id, &asked).await?
        {
            return Ok(made);
        }
        if self.directory.count(&tenant) >= self.options.per_tenant_max {
            return Ok(Err(Rejection::of(ReasonCode::WebhookLimitReached)));
        }
        let NewWebhook { url, description, types } = asked;
        let create = Create {
            webhook: id,
            tenant,
            url,
            description,
            types,
            since: *self.ports.log.head().borrow(),
            now: self.ports.clock.now(),
        };
        let made = self.execute(id, Command::Create(Box::new(create))).await?;
        Ok(made.map(|webhook| self.shown(webhook)))
    }

    /// What became of the call that was made under this id before, if one was.
    async fn made_before(&self, id: WebhookId, asked: &NewWebhook) -> Result<Option<Made>, Error> {
        let history = self.ports.log.read_stream(&StreamId::webhook(id), 0).await?;
        let Some(Event::WebhookCreated(created)) = history.first().map(|first| &first.event) else {
            return Ok(None);
        };
        let Some(webhook) = self.load(id).await? else { return Ok(None) };
        let is_new = self.ports.clock.now() < created.created_at + REPEATED_WITHIN
            && webhook.secrets.number == 1
            && webhook.status != Status::Deleted;
        if is_new && is_same(created, asked) {
            return Ok(Some(Ok(self.shown(webhook))));
        }
        let why = format!(
            "this Idempotency-Key made the webhook {id}, by another body or too long ago: look for \
             it in the list, or take a fresh key"
        );
        Ok(Some(Err(Rejection::new(ReasonCode::IdempotencyKeyReused, why))))
    }
}

fn is_same(created: &WebhookCreated, asked: &NewWebhook) -> bool {
    let NewWebhook { url, description, types } = asked;
    (&created.url, &created.description, &created.types) == (url, description, types)
}
