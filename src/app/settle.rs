//! `/settle`: as `/verify`, and uses the payment up. It succeeds once.

use ccd402_domain::verification::command::Command;
use ccd402_domain::verification::event::Consumer;
use ccd402_protocol::code::ReasonCode;

use crate::answer::Answer;
use crate::error::Error;
use crate::facilitator::Facilitator;
use crate::idempotency::Route;
use crate::verify::{Call, keyed};

impl Facilitator {
    /// Settles a payment; succeeds once.
    ///
    /// # Errors
    /// A malformed body, or a fault of ours. A refused payment is an answer.
    pub async fn settle(&self, call: Call<'_>) -> Result<Answer, Error> {
        let keyed = keyed(Route::Settle, &call);
        match self.confirmed(&call, keyed, ReasonCode::SettlementPending).await? {
            Ok(state) => self.use_up(&state, Command::Consume(Consumer::Settle), keyed, None).await,
            Err(answer) => Ok(answer),
        }
    }
}
