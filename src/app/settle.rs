//! `/settle`: as `/verify`, and uses the payment up. It succeeds once.

use ccd402_domain::verification::command::Command;
use ccd402_domain::verification::event::Consumer;
use ccd402_domain::verification::state::Outcome;
use ccd402_protocol::code::ReasonCode;

use crate::answer::Answer;
use crate::error::Error;
use crate::facilitator::Facilitator;
use crate::idempotency::{Keyed, Route, body_digest};
use crate::verify::{Call, pending};

impl Facilitator {
    /// Settles a payment; succeeds once.
    ///
    /// # Errors
    /// A malformed body, or a fault of ours. A refused payment is an answer.
    pub async fn settle(&self, call: Call<'_>) -> Result<Answer, Error> {
        let keyed = Keyed { route: Route::Settle, key: call.key, body: body_digest(call.body) };
        if let Some(answer) = self.replay(keyed).await? {
            return Ok(answer);
        }
        let state = match self.take_in(&call, keyed).await? {
            Ok(state) => state,
            Err(rejection) => return Ok(Answer::refused(rejection)),
        };
        match &state.outcome {
            Outcome::Pending { .. } => Ok(pending(&state, ReasonCode::SettlementPending)),
            Outcome::Failed(rejection) => {
                let answer = Answer::about(&state, Err(rejection.clone()));
                self.refuse(keyed, state.id, answer).await
            }
            Outcome::Confirmed { .. } => {
                self.use_up(&state, Command::Consume(Consumer::Settle), keyed, None).await
            }
        }
    }
}
