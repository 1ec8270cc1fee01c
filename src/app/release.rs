//! Gives a reservation back, so that the payer can try again at once.

use ccd402_domain::ids::{ReservationId, VerificationId, uuid_of};
use ccd402_domain::rejection::Rejection;
use ccd402_domain::tenant::TenantId;
use ccd402_domain::verification::command::Command;
use ccd402_protocol::code::ReasonCode;

use crate::error::Error;
use crate::facilitator::Facilitator;

impl Facilitator {
    /// Ends a hold that `/verify` handed out to a tenant; ending it again changes nothing.
    ///
    /// # Errors
    /// A fault of ours. A hold that is not there is a rejection.
    pub async fn release(
        &self,
        tenant: &TenantId,
        id: VerificationId,
        reservation: ReservationId,
    ) -> Result<Result<(), Rejection>, Error> {
        let state = self.load(id).await?.filter(|state| state.tenant == *tenant);
        let Some(state) = state else {
            return Ok(Err(Rejection::of(ReasonCode::VerificationNotFound)));
        };
        if state.payment.sponsored.is_some() {
            return self.release_hold(&state, reservation).await;
        }
        let cause = uuid_of(&[b"release", reservation.0.as_bytes()]);
        let executed = self.execute(id, Command::Release { reservation }, cause).await?;
        Ok(executed.map(|_| ()))
    }
}
