//! What never changes about a verification, kept for those who filter events by it: an event names
//! its verification alone.
//!
//! A bounded memory of the log, and nothing else: what is not here is read from the stream's first
//! event.

use ccd402_domain::account::AccountAddress;
use ccd402_domain::event::Event;
use ccd402_domain::ids::{TransactionHash, VerificationId};
use ccd402_domain::tenant::TenantId;
use ccd402_domain::verification::event::VerificationRequested;

use crate::error::Error;
use crate::facilitator::Facilitator;
use crate::ports::log::StreamId;
use crate::remembered::Remembered;

/// Verifications of one generation; two generations are kept, some 200 bytes each.
pub(crate) const GENERATION_MAX: usize = 16_384;

/// What never changes about a verification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) tenant: TenantId,
    pub(crate) payer: AccountAddress,
    pub(crate) pay_to: AccountAddress,
    pub(crate) transaction: TransactionHash,
}

impl Facts {
    pub(crate) fn of(requested: &VerificationRequested) -> Self {
        let payment = &requested.payment;
        Self {
            tenant: requested.tenant.clone(),
            payer: payment.payer,
            pay_to: payment.pay_to,
            transaction: payment.transaction,
        }
    }
}

/// The facts that were asked for last.
pub(crate) type FactsKept = Remembered<VerificationId, Facts>;

impl Facilitator {
    /// The facts of a verification, if there is such.
    pub(crate) async fn facts(&self, id: VerificationId) -> Result<Option<Facts>, Error> {
        if let Some(facts) = self.facts_kept.get(id) {
            return Ok(Some(facts));
        }
        let stream = self.log.read_stream(&StreamId::verification(id), 0).await?;
        let Some(Event::VerificationRequested(requested)) = stream.first().map(|one| &one.event)
        else {
            return Ok(None);
        };
        let facts = Facts::of(requested);
        self.facts_kept.insert(id, facts.clone());
        Ok(Some(facts))
    }
}
