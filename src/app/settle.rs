//! `/settle`: as `/verify`, and uses the payment up. It succeeds once.

use ccd402_domain::verification::command::Command;
use ccd402_domain::verification::event::Consumer;
use ccd402_protocol::code::ReasonCode;
use ccd402_protocol::presented::Presented;

use crate::answer::Answer;
use crate::error::Error;
use crate::facilitator::Facilitator;
use crate::idempotency::Route;
use crate::take_in::decode;
use crate::verify::{Call, keyed};

impl Facilitator {
    /// Settles a payment; succeeds once.
    ///
    /// # Errors
    /// A malformed body, or a fault of ours. A refused payment is an answer.
    pub async fn settle(&self, call: Call<'_>) -> Result<Answer, Error> {
        let keyed = keyed(Route::Settle, &call);
        if let Some(answer) = self.replay(keyed).await? {
            return Ok(answer);
        }
        let presented = match decode(call.body)? {
            Ok(Presented::TransactionHash(presented)) => presented,
            Ok(Presented::Sponsored(presented)) => {
                return self.settle_sponsored(&call, keyed, presented).await;
            }
            Err(rejection) => return Ok(Answer::refused(rejection)),
        };
        match self.confirmed(&call, keyed, &presented, ReasonCode::SettlementPending).await? {
            Ok(state) => self.use_up(&state, Command::Consume(Consumer::Settle), keyed, None).await,
            Err(answer) => Ok(answer),
        }
    }
}
