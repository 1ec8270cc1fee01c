//! `POST /v1/verifications`: takes a payment in and answers at once; the outcome comes later.
//!
//! A submission is a verification of its own, so that of two submissions of one payment only one is
//! ever confirmed: whoever knows its id may act on it.

use std::time::Instant;

use ccd402_domain::ids::{Digest, VerificationId};
use ccd402_domain::rejection::Rejection;
use ccd402_domain::tenant::TenantId;
use ccd402_domain::verification::state::Verification;
use ccd402_protocol::code::ReasonCode;
use uuid::Uuid;

use crate::error::Error;
use crate::facilitator::Facilitator;
use crate::idempotency::{IdempotencyKey, Route, body_digest};

/// What became of a submission.
#[derive(Debug, Clone, PartialEq)]
pub enum Submitted {
    /// It is in the log, durable.
    New(VerificationId),
    /// It was there already, under the same key with the same body.
    Repeated(Box<Verification>),
}

impl Facilitator {
    /// Takes a submission of a tenant's in.
    ///
    /// # Errors
    /// A malformed body, or a fault of ours.
    pub async fn submit(
        &self,
        tenant: &TenantId,
        body: &[u8],
        key: Option<&IdempotencyKey>,
    ) -> Result<Result<Submitted, Rejection>, Error> {
        let begun_at = Instant::now();
        let digest = body_digest(body);
        let id = key.map_or_else(Uuid::now_v7, |key| key.id(tenant, Route::Submit));
        let id = VerificationId(id);
        // Before any rule: a repeat hears of what was taken in, also when time or room is up.
        if key.is_some()
            && let Some(state) = self.load(id).await?
        {
            return Ok(repeated(state, digest));
        }
        self.must_keep_up()?;
        let handed = match self.read(tenant, body, digest)? {
            Ok(handed) => handed,
            Err(rejection) => return Ok(Err(rejection)),
        };
        if self.request(id, handed).await? {
            self.submits.record(begun_at.elapsed());
            return Ok(Ok(Submitted::New(id)));
        }
        let state = self.load(id).await?.ok_or(Error::Contended)?;
        Ok(repeated(state, digest))
    }
}

fn repeated(state: Verification, body: Digest) -> Result<Submitted, Rejection> {
    if state.body == body {
        Ok(Submitted::Repeated(Box::new(state)))
    } else {
        Err(Rejection::of(ReasonCode::IdempotencyKeyReused))
    }
}
