//! Gives a hold back before its time is over, so that the payer can sign another payment with the same
//! number at once.

use ccd402_domain::ids::{ReservationId, VerificationId, uuid_of};
use ccd402_domain::rejection::Rejection;
use ccd402_domain::sponsored::payment::SponsoredPayment;
use ccd402_domain::verification::state::Verification;
use ccd402_protocol::code::ReasonCode;
use uuid::Uuid;

use crate::error::Error;
use crate::facilitator::Facilitator;
use crate::ports::log::{Append, AppendError, StreamId};
use crate::ports::sponsoring::Freshness;

/// How often it is decided anew because another payment of the payer was held first.
const DECISIONS_MAX: usize = 256;

/// The id under which a hold may be given back: one for all who verify the payment.
pub(super) fn reservation(id: VerificationId) -> ReservationId {
    ReservationId(uuid_of(&[b"hold", id.0.as_bytes()]))
}

impl Facilitator {
    /// Ends the hold of a payment that is not signed yet; ending it again changes nothing.
    pub(crate) async fn release_hold(
        &self,
        state: &Verification,
        by: ReservationId,
    ) -> Result<Result<(), Rejection>, Error> {
        let is_open = !state.is_decided() && state.block_item.is_none();
        let (Some(sponsors), Some(payment)) =
            (&self.sponsors, SponsoredPayment::of(&state.payment))
        else {
            return Ok(Err(Rejection::of(ReasonCode::ReservationNotHeld)));
        };
        if !is_open || by != reservation(state.id) {
            return Ok(Err(Rejection::of(ReasonCode::ReservationNotHeld)));
        }
        for _ in 0..DECISIONS_MAX {
            let payer = sponsors.port.account(&payment.payer, Freshness::Known).await?;
            let next = payer.map_or(0, |payer| payer.next_sequence_number);
            let (holds, version) = self.holds(&payment, next).await?;
            let Some(rest) = holds.without(state.id) else { return Ok(Ok(())) };
            let append = Append {
                stream: StreamId::holds(&payment.network, &payment.payer),
                expected_version: version,
                events: vec![rest.event(payment.network.clone(), payment.payer).into()],
                time: self.clock.now(),
                cause: Uuid::new_v4(),
                attachment: None,
            };
            match self.append(vec![append]).await {
                Ok(_) => {
                    sponsors.lanes.wake(payment.payer.account());
                    return Ok(Ok(()));
                }
                Err(AppendError::VersionConflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Error::Contended)
    }
}
