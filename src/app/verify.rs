//! `/verify`: takes the payment in, waits for its outcome, and hands it out once.

use std::time::Duration;

use ccd402_domain::event::AnswerRecorded;
use ccd402_domain::ids::{ReservationId, VerificationId};
use ccd402_domain::payment::ConsumeOn;
use ccd402_domain::rejection::Rejection;
use ccd402_domain::tenant::TenantId;
use ccd402_domain::verification::command::Command;
use ccd402_domain::verification::event::Consumer;
use ccd402_domain::verification::state::{Outcome, Verification};
use ccd402_protocol::code::ReasonCode;
use ccd402_protocol::presented::{Presented, PresentedPayment};
use uuid::Uuid;

use crate::answer::Answer;
use crate::error::Error;
use crate::facilitator::Facilitator;
use crate::idempotency::{IdempotencyKey, Keyed, Route, body_digest};
use crate::take_in::decode;

/// A call of `/verify` or `/settle`.
#[derive(Clone, Copy)]
pub struct Call<'a> {
    /// Who calls.
    pub tenant: &'a TenantId,
    /// The request's body.
    pub body: &'a [u8],
    /// Its Idempotency-Key.
    pub key: Option<&'a IdempotencyKey>,
    /// How long the caller waits for finality.
    pub wait: Duration,
}

impl Facilitator {
    /// Verifies a payment; valid once.
    ///
    /// # Errors
    /// A malformed body, or a fault of ours. A refused payment is an answer.
    pub async fn verify(&self, call: Call<'_>) -> Result<Answer, Error> {
        let keyed = keyed(Route::Verify, &call);
        if let Some(answer) = self.replay(keyed).await? {
            return Ok(answer);
        }
        let presented = match decode(call.body)? {
            Ok(Presented::TransactionHash(presented)) => presented,
            Ok(Presented::Sponsored(presented)) => {
                return self.verify_sponsored(&call, keyed, presented).await;
            }
            Err(rejection) => return Ok(Answer::refused(rejection)),
        };
        match self.confirmed(&call, keyed, &presented, ReasonCode::TransactionPending).await? {
            Ok(state) => self.hand_out(state, keyed).await,
            Err(answer) => Ok(answer),
        }
    }

    /// The verification of the payment, once it is confirmed; else what the caller is told.
    ///
    /// While it is not final nothing is used up, and the work goes on in the background; the caller
    /// is told `pending`.
    pub(crate) async fn confirmed(
        &self,
        call: &Call<'_>,
        keyed: Keyed<'_>,
        presented: &PresentedPayment,
        pending: ReasonCode,
    ) -> Result<Result<Verification, Answer>, Error> {
        let state = match self.take_in(call, keyed, presented).await? {
            Ok(state) => state,
            Err(rejection) => return Ok(Err(Answer::refused(rejection))),
        };
        match &state.outcome {
            Outcome::Confirmed { .. } => Ok(Ok(state)),
            Outcome::Pending { .. } => Ok(Err(Answer::about(&state, Err(Rejection::of(pending))))),
            Outcome::Failed(rejection) => {
                let answer = Answer::about(&state, Err(rejection.clone()));
                Ok(Err(self.refuse(keyed, state.id, answer).await?))
            }
        }
    }

    /// Reads the payment, asks for its verification if nobody has, and waits for the outcome.
    async fn take_in(
        &self,
        call: &Call<'_>,
        keyed: Keyed<'_>,
        presented: &PresentedPayment,
    ) -> Result<Result<Verification, Rejection>, Error> {
        let handed = match self.handed(call.tenant, presented, keyed.body) {
            Ok(handed) => handed,
            Err(rejection) => return Ok(Err(rejection)),
        };
        let id = handed.payment_id();
        if self.load(id).await?.is_none() {
            self.request(id, handed).await?;
        }
        match self.outcome(id, call.wait).await? {
            Some(state) => Ok(Ok(state)),
            None => Err(Error::Contended),
        }
    }

    async fn hand_out(&self, state: Verification, keyed: Keyed<'_>) -> Result<Answer, Error> {
        let (command, reservation) = match state.payment.consume_on {
            ConsumeOn::Verify => (Command::Consume(Consumer::Verify), None),
            ConsumeOn::Settle => {
                let reservation = ReservationId(Uuid::new_v4());
                let now = self.clock.now();
                let until = now + self.options.reservation;
                (Command::Reserve { reservation, now, until }, Some(reservation))
            }
        };
        self.use_up(&state, command, keyed, reservation).await
    }

    /// Appends what uses the payment up, and the answer under the call's key, in one batch.
    pub(crate) async fn use_up(
        &self,
        state: &Verification,
        command: Command,
        keyed: Keyed<'_>,
        reservation: Option<ReservationId>,
    ) -> Result<Answer, Error> {
        let answer = recorded(state.id, keyed, reservation);
        // A fresh cause each call: of two who use a payment up at once only one may be told so.
        let executed = self
            .execute_with(state.id, command, Uuid::new_v4(), |_| {
                self.recording(keyed, answer.clone())
            })
            .await;
        let executed = match executed {
            // Another call took the key since we looked: what it was told stands.
            Err(Error::Contended) => {
                return self.replay(keyed).await?.ok_or(Error::Contended);
            }
            executed => executed?,
        };
        match executed {
            Ok(executed) if executed.changed => Ok(Answer::about(&executed.state, Ok(reservation))),
            Ok(_) => Err(Error::Contended),
            Err(rejection) => {
                let answer = Answer::about(state, Err(rejection));
                self.refuse(keyed, state.id, answer).await
            }
        }
    }
}

/// The record of a yes.
pub(crate) fn recorded(
    verification: VerificationId,
    keyed: Keyed<'_>,
    reservation: Option<ReservationId>,
) -> AnswerRecorded {
    AnswerRecorded { verification, body: keyed.body, rejection: None, reservation }
}

/// A call with its key, if it carries one.
pub(crate) fn keyed<'a>(route: Route, call: &Call<'a>) -> Keyed<'a> {
    Keyed { tenant: call.tenant, route, key: call.key, body: body_digest(call.body) }
}
