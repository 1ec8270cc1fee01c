//! Idempotency-Keys: the same key and body hear the stored answer; the same key with another body is
//! refused. Answers are events, so they outlive a crash. Each tenant has keys of its own.

use std::str::FromStr;

use ccd402_domain::event::{AnswerRecorded, Event};
use ccd402_domain::ids::{Digest, VerificationId};
use ccd402_domain::rejection::Rejection;
use ccd402_domain::tenant::TenantId;
use ccd402_protocol::code::ReasonCode;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::answer::Answer;
use crate::error::Error;
use crate::facilitator::Facilitator;
use crate::ports::log::{Append, AppendError, StreamId};

/// Longest key.
const KEY_BYTES_MAX: usize = 255;

/// A caller's key: 1 to 255 visible ASCII characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey(String);

/// A text that is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an Idempotency-Key is 1 to {KEY_BYTES_MAX} visible ASCII characters")]
pub struct NotAKey;

impl FromStr for IdempotencyKey {
    type Err = NotAKey;

    fn from_str(text: &str) -> Result<Self, NotAKey> {
        let is_key = (1..=KEY_BYTES_MAX).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_graphic());
        if is_key { Ok(Self(text.to_owned())) } else { Err(NotAKey) }
    }
}

/// What a key belongs to: the same key on another route is another key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route {
    Verify,
    Settle,
    Submit,
    Webhook,
}

impl IdempotencyKey {
    pub(crate) fn id(&self, tenant: &TenantId, route: Route) -> Uuid {
        let route: &[u8] = match route {
            Route::Verify => b"verify",
            Route::Settle => b"settle",
            Route::Submit => b"submit",
            Route::Webhook => b"webhook",
        };
        tenant.uuid_of(&[b"idempotency", route, self.0.as_bytes()])
    }

    /// Of one item of a batch: the same item under the same key, wherever in a batch it stands.
    pub(crate) fn item_id(&self, tenant: &TenantId, item: Digest) -> Uuid {
        tenant.uuid_of(&[b"idempotency", b"submit item", self.0.as_bytes(), item.as_bytes()])
    }
}

/// SHA-256 of a request's body.
pub(crate) fn body_digest(body: &[u8]) -> Digest {
    Digest::from_bytes(Sha256::digest(body).into())
}

/// A call that may carry a key.
#[derive(Clone, Copy)]
pub(crate) struct Keyed<'a> {
    pub(crate) tenant: &'a TenantId,
    pub(crate) route: Route,
    pub(crate) key: Option<&'a IdempotencyKey>,
    pub(crate) body: Digest,
}

impl Keyed<'_> {
    fn stream(&self) -> Option<StreamId> {
        self.key.map(|key| StreamId::answer(key.id(self.tenant, self.route)))
    }
}

impl Facilitator {
    /// The answer that was given under this key before.
    pub(crate) async fn replay(&self, keyed: Keyed<'_>) -> Result<Option<Answer>, Error> {
        let Some(stream) = keyed.stream() else { return Ok(None) };
        let Some(recorded) = self.log.read_last(&stream).await? else { return Ok(None) };
        let Event::AnswerRecorded(answer) = recorded.event else { return Ok(None) };
        if answer.body != keyed.body {
            let rejection = Rejection::of(ReasonCode::IdempotencyKeyReused);
            return Ok(Some(Answer::refused(rejection)));
        }
        let result = answer.rejection.map_or(Ok(answer.reservation), Err);
        let state = self.load(answer.verification).await?;
        Ok(state.map(|state| Answer::about(&state, result)))
    }

    /// The append that records an answer; none where the call carries no key.
    pub(crate) fn recording(&self, keyed: Keyed<'_>, answer: AnswerRecorded) -> Vec<Append> {
        let append = |stream| Append {
            stream,
            expected_version: 0,
            events: vec![answer.into()],
            time: self.clock.now(),
            // Two calls that say the same at once are still two calls.
            cause: Uuid::new_v4(),
            attachment: None,
        };
        keyed.stream().map(append).into_iter().collect()
    }

    /// Records a final refusal under the call's key, and returns what the key's owner hears.
    pub(crate) async fn refuse(
        &self,
        keyed: Keyed<'_>,
        id: VerificationId,
        answer: Answer,
    ) -> Result<Answer, Error> {
        if let Some(before) = self.replay(keyed).await? {
            return Ok(before);
        }
        let rejection = answer.result.as_ref().err().cloned();
        let recorded =
            AnswerRecorded { verification: id, body: keyed.body, rejection, reservation: None };
        let appends = self.recording(keyed, recorded);
        if appends.is_empty() {
            return Ok(answer);
        }
        match self.append(appends).await {
            Ok(_) => Ok(answer),
            Err(AppendError::VersionConflict { .. }) => {
                Ok(self.replay(keyed).await?.unwrap_or(answer))
            }
            Err(error) => Err(error.into()),
        }
    }
}
