//! `/verify` of a sponsored payment: it is good, and held for a while. Nothing is on chain yet: the
//! resource may be given once `/settle` has succeeded.

use ccd402_domain::rejection::Rejection;
use ccd402_domain::sponsored::holds::HeldPayment;
use ccd402_domain::sponsored::payment::SponsoredPayment;
use ccd402_domain::verification::state::{Outcome, Verification};
use ccd402_protocol::code::ReasonCode;
use ccd402_protocol::presented::PresentedSponsored;

use crate::answer::Answer;
use crate::error::Error;
use crate::facilitator::Facilitator;
use crate::idempotency::Keyed;
use crate::ports::log::AppendError;
use crate::sponsored::Sponsors;
use crate::sponsored::hold::Handed;
use crate::sponsored::release::reservation;
use crate::verify::{Call, recorded};

/// How often a hold is renewed anew because another payment of the payer was held first.
const DECISIONS_MAX: usize = 256;

impl Facilitator {
    /// Verifies a sponsored payment: valid as often as it is asked for, until it is settled.
    pub(crate) async fn verify_sponsored(
        &self,
        call: &Call<'_>,
        keyed: Keyed<'_>,
        presented: PresentedSponsored,
    ) -> Result<Answer, Error> {
        let (sponsors, handed) = match self.read_sponsored(call, presented) {
            Ok(read) => read,
            Err(rejection) => return Ok(Answer::refused(rejection)),
        };
        let held = match self.held(sponsors, call, keyed, &handed).await {
            Ok(Ok(held)) => held,
            Ok(Err(rejection)) => return Ok(Answer::refused(rejection)),
            // Another call took the key since we looked: what it was told stands.
            Err(Error::Contended) => return self.replay(keyed).await?.ok_or(Error::Contended),
            Err(error) => return Err(error),
        };
        if held.is_new {
            return Ok(yes(&held.state));
        }
        let state = held.state;
        match self.still_good(sponsors, &handed, &state).await? {
            Ok(()) => self.approve(keyed, &state).await,
            Err(rejection) => {
                let answer = Answer::about(&state, Err(rejection));
                self.refuse(keyed, state.id, answer).await
            }
        }
    }

    async fn still_good(
        &self,
        sponsors: &Sponsors,
        handed: &Handed,
        state: &Verification,
    ) -> Result<Result<(), Rejection>, Error> {
        match &state.outcome {
            Outcome::Failed(rejection) => Ok(Err(rejection.clone())),
            _ if state.usage.settled => Ok(Err(Rejection::of(ReasonCode::PaymentAlreadyUsed))),
            Outcome::Confirmed { .. } => Ok(Ok(())),
            Outcome::Pending { .. } if state.block_item.is_some() => Ok(Ok(())),
            Outcome::Pending { .. } => {
                match sponsors.signed_now(&handed.transaction, &handed.wire).await? {
                    Ok(()) => self.hold_again(sponsors, state).await,
                    Err(rejection) => Ok(Err(rejection)),
                }
            }
        }
    }

    /// Holds a payment again whose hold has lapsed; one that still counts stays as it is.
    async fn hold_again(
        &self,
        sponsors: &Sponsors,
        state: &Verification,
    ) -> Result<Result<(), Rejection>, Error> {
        let Some(payment) = SponsoredPayment::of(&state.payment) else {
            return Err(Error::Contended);
        };
        for _ in 0..DECISIONS_MAX {
            let now = self.clock.now();
            if now >= payment.expires_at {
                return Ok(Err(Rejection::of(ReasonCode::TransactionExpired)));
            }
            let cleared = match self.preflight(sponsors, state.id, &payment, false).await? {
                Ok(cleared) => cleared,
                Err(grounded) => return Ok(Err(grounded.rejection)),
            };
            let until = now + sponsors.options.hold;
            let held = HeldPayment::waiting(state.id, &state.payment, until);
            let (Some(held), None) = (held, cleared.holds.of(state.id)) else { return Ok(Ok(())) };
            match self.append(vec![self.holding(&payment, cleared, held)]).await {
                Ok(_) => return Ok(Ok(())),
                Err(AppendError::VersionConflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Error::Contended)
    }

    /// Says yes, and records it under the call's key, if it carries one.
    async fn approve(&self, keyed: Keyed<'_>, state: &Verification) -> Result<Answer, Error> {
        let appends = self.recording(keyed, recorded(state.id, keyed, Some(reservation(state.id))));
        if !appends.is_empty() {
            match self.append(appends).await {
                Ok(_) => {}
                Err(AppendError::VersionConflict { .. }) => {
                    return self.replay(keyed).await?.ok_or(Error::Contended);
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(yes(state))
    }
}

fn yes(state: &Verification) -> Answer {
    Answer::about(state, Ok(Some(reservation(state.id))))
}
