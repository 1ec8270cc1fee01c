//! What one webhook is to hear of one verification, and what of it was tried: read from the log.

use ccd402_domain::event::Event;
use ccd402_domain::ids::{VerificationId, uuid_of};
use ccd402_domain::verification::state::{Verification, evolve};
use ccd402_domain::webhook::delivery::Deliveries;
use ccd402_domain::webhook::event::{DeliveryOutcome, WebhookDelivered};
use ccd402_domain::webhook::state::Webhook;
use ccd402_domain::webhook::transition::Transition;
use tracing::Instrument as _;
use uuid::Uuid;

use crate::error::Error;
use crate::ports::log::{Append, AppendError, Position, Recorded, StreamId};
use crate::ports::webhooks::{Message, Sent, Told};
use crate::trace;
use crate::webhooks::Webhooks;

/// One webhook and one verification.
pub(crate) struct Case {
    pub(crate) webhook: Webhook,
    pub(crate) verification: VerificationId,
    pub(crate) deliveries: Deliveries,
    history: Vec<Recorded>,
    /// Version of the stream of deliveries.
    version: u64,
}

impl Case {
    /// Positions of what the webhook hears of, in order.
    pub(crate) fn heard(&self) -> impl Iterator<Item = Position> + '_ {
        let is_heard = |recorded: &&Recorded| {
            let transition = Transition::of(&recorded.event);
            transition.is_some_and(|transition| self.webhook.hears(transition, recorded.position))
        };
        self.history.iter().filter(is_heard).map(|recorded| recorded.position)
    }

    /// What the webhook is told of the transition at a position; `None` where there is none.
    fn told(&self, position: Position) -> Result<Option<(&Recorded, Told)>, Error> {
        let Some(recorded) = self.history.iter().find(|recorded| recorded.position == position)
        else {
            return Ok(None);
        };
        let Some(transition) = Transition::of(&recorded.event) else { return Ok(None) };
        let before = self.history.iter().take_while(|before| before.position <= position);
        let state = before
            .map(|before| &before.event)
            .try_fold(None, |state, event| evolve(state, event).map(Some))?;
        let Some(state): Option<Verification> = state else { return Ok(None) };
        Ok(Some((recorded, Told { transition, position, time: recorded.time, state })))
    }
}

impl Webhooks {
    /// The verification whose event stands at a position.
    pub(crate) async fn verification_at(
        &self,
        position: Position,
    ) -> Result<Option<VerificationId>, Error> {
        let Some(before) = position.checked_sub(1) else { return Ok(None) };
        let found = self.ports.log.read_all(before, 1).await?;
        Ok(found.first().and_then(|recorded| recorded.stream.as_verification()))
    }

    /// What there is to tell a webhook of a verification; `None` where that is none of its business.
    pub(crate) async fn case(
        &self,
        webhook: Webhook,
        verification: VerificationId,
    ) -> Result<Option<Case>, Error> {
        let log = &self.ports.log;
        let history = log.read_stream(&StreamId::verification(verification), 0).await?;
        let is_its = match history.first().map(|recorded| &recorded.event) {
            Some(Event::VerificationRequested(requested)) => requested.tenant == webhook.tenant,
            _ => false,
        };
        if !is_its {
            return Ok(None);
        }
        let stream = StreamId::delivery(webhook.id, verification);
        let mut deliveries = Deliveries::default();
        let mut version = 0;
        loop {
            let page = log.read_stream(&stream, version).await?;
            let Some(last) = page.last() else { break };
            version = last.version;
            page.iter().filter_map(tried).for_each(|tried| deliveries.apply(tried));
        }
        Ok(Some(Case { webhook, verification, deliveries, history, version }))
    }

    /// Sends the transition at a position and records what came of it; `None` where there is none.
    pub(crate) async fn send(
        &self,
        case: &Case,
        position: Position,
        attempt: u32,
    ) -> Result<Option<WebhookDelivered>, Error> {
        let Some((recorded, told)) = case.told(position)? else { return Ok(None) };
        let at = self.ports.clock.now();
        let id =
            uuid_of(&[b"webhook message", case.webhook.id.0.as_bytes(), recorded.id.as_bytes()]);
        let body = self.ports.writer.told(&told);
        let hop = trace::delivering(case.verification, (case.webhook.id, position), attempt);
        let sending = self.ports.sender.send(self.message(&case.webhook, id, body));
        let sent = sending.instrument(hop.clone()).await;
        trace::delivered(&hop, sent.answer);
        drop(hop);
        let tried = self.tried(case, &told, (attempt, at), sent);
        let append = Append {
            stream: StreamId::delivery(case.webhook.id, case.verification),
            expected_version: case.version,
            events: vec![tried.clone().into()],
            time: self.ports.clock.now(),
            cause: Uuid::new_v4(),
            attachment: None,
        };
        match self.ports.log.append(vec![append]).await {
            // Somebody else has sent it as well, and says what came of that.
            Ok(_) | Err(AppendError::VersionConflict { .. }) => Ok(Some(tried)),
            Err(error) => Err(error.into()),
        }
    }

    /// A message to a webhook, signed by every secret that is valid now.
    pub(crate) fn message(&self, webhook: &Webhook, id: Uuid, body: Vec<u8>) -> Message {
        let time = self.ports.clock.now();
        let secrets = webhook.secrets.signing(time);
        let secrets = secrets.map(|number| self.key.secret(webhook.id, number)).collect();
        Message {
            url: webhook.url.clone(),
            id: format!("msg_{}", id.simple()),
            time,
            body,
            secrets,
        }
    }

    fn tried(
        &self,
        case: &Case,
        told: &Told,
        (attempt, at): (u32, chrono::DateTime<chrono::Utc>),
        sent: Sent,
    ) -> WebhookDelivered {
        let before = case.deliveries.of(told.position);
        let wish = (sent.retry_after, jitter(case, told.position, attempt));
        let now = self.ports.clock.now();
        let (mut outcome, mut retry_at) =
            self.options.schedule.outcome(sent.answer, attempt, wish, now);
        if before.is_some_and(|before| before.is_settled) && outcome == DeliveryOutcome::Failed {
            // Sent again by hand: there is no schedule any more.
            (outcome, retry_at) = (DeliveryOutcome::GivenUp, None);
        }
        WebhookDelivered {
            webhook: case.webhook.id,
            verification: case.verification,
            position: told.position,
            transition: told.transition,
            attempt,
            answer: sent.answer,
            duration_ms: u64::try_from(sent.duration.as_millis()).unwrap_or(u64::MAX),
            first_at: before.map_or(at, |before| before.first_at),
            at,
            outcome,
            retry_at,
        }
    }
}

/// A delivery that an event tells of.
pub(crate) fn tried(recorded: &Recorded) -> Option<&WebhookDelivered> {
    match &recorded.event {
        Event::WebhookDelivered(tried) => Some(tried),
        _ => None,
    }
}

/// From 0 to 1, another one for each try.
fn jitter(case: &Case, position: Position, attempt: u32) -> f64 {
    let parts: [&[u8]; 3] =
        [case.webhook.id.0.as_bytes(), &position.to_be_bytes(), &attempt.to_be_bytes()];
    f64::from(uuid_of(&parts).as_fields().0) / f64::from(u32::MAX)
}
