//! Signs a payment as its sponsor and writes the finished transaction down, durable, before anybody
//! sends it. What is sent later, and after a crash, are these very bytes.

use ccd402_domain::rejection::Rejection;
use ccd402_domain::sponsored::holds::HeldPayment;
use ccd402_domain::sponsored::payment::SponsoredPayment;
use ccd402_domain::verification::command::Command;
use ccd402_domain::verification::decide::decide;
use ccd402_domain::verification::state::Verification;
use ccd402_protocol::code::ReasonCode;
use uuid::Uuid;

use crate::error::Error;
use crate::facilitator::Facilitator;
use crate::ports::log::{Append, AppendError, StreamId};
use crate::sponsored::Sponsors;
use crate::sponsored::book::Spending;
use crate::sponsored::hold::Handed;

/// How often it is decided anew because somebody else appended first.
const DECISIONS_MAX: usize = 256;

impl Facilitator {
    /// The verification with its transaction signed by both. It is signed once.
    pub(super) async fn sign(
        &self,
        sponsors: &Sponsors,
        mut state: Verification,
        handed: &Handed,
    ) -> Result<Result<Verification, Rejection>, Error> {
        let id = state.id;
        for _ in 0..DECISIONS_MAX {
            if state.is_decided() || state.block_item.is_some() {
                return Ok(Ok(state));
            }
            let (Some(payment), Some(held)) =
                (SponsoredPayment::of(&state.payment), HeldPayment::signed(id, &state.payment))
            else {
                return Err(Error::Contended);
            };
            let now = self.clock.now();
            if now >= payment.expires_at {
                return Ok(Err(Rejection::of(ReasonCode::TransactionExpired)));
            }
            let cleared = match self.preflight(sponsors, id, &payment, false).await? {
                Ok(cleared) => cleared,
                Err(grounded) => return Ok(Err(grounded.rejection)),
            };
            if let Err(rejection) = sponsors.signed_now(&handed.transaction, &handed.wire).await? {
                return Ok(Err(rejection));
            }
            let finished = match sponsors.finished(&handed.transaction, &handed.wire).await? {
                Ok(finished) if finished.hash == state.payment.transaction => finished,
                Ok(_) => return Ok(Err(signed_otherwise())),
                Err(rejection) => return Ok(Err(rejection)),
            };
            let block_item = hex::encode(finished.block_item);
            let events = match decide(Some(&state), Command::Sign { block_item }) {
                Ok(events) => events,
                Err(rejection) => return Ok(Err(rejection)),
            };
            let fee = state.payment.sponsored.as_ref().map(|own| own.fee_max).unwrap_or_default();
            let tenant = state.tenant.clone();
            let spending = Spending { on: id, by: &tenant, day: now.date_naive(), fee };
            if !sponsors.book.spend(spending, sponsors.options.budget_per_day) {
                return Ok(Err(Rejection::of(ReasonCode::SponsorBudgetExceeded)));
            }
            let signing = Append {
                stream: StreamId::verification(id),
                expected_version: state.version,
                events,
                time: now,
                cause: Uuid::new_v4(),
                attachment: None,
            };
            let appends = vec![signing, self.holding(&payment, cleared, held)];
            let appended = self.append(appends).await;
            if let Err(error @ AppendError::Unavailable(_)) = appended {
                // It may have happened all the same.
                return Err(error.into());
            }
            state = self.load(id).await?.ok_or(Error::Contended)?;
            // Whoever signed it has spent the same.
            if state.block_item.is_none() {
                sponsors.book.give_back(spending);
            }
            match appended {
                Ok(_) | Err(AppendError::VersionConflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Error::Contended)
    }
}

fn signed_otherwise() -> Rejection {
    let detail = "the transaction was handed in before with other signatures: hand that in again";
    Rejection::new(ReasonCode::PaymentAlreadyUsed, detail)
}
