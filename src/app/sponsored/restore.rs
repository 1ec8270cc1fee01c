//! Restores the sponsors' book from the log, before the first call is answered.

use crate::error::Error;
use crate::facilitator::Facilitator;
use crate::moment::last_where;
use crate::ports::log::READ_EVENTS_MAX;
use crate::sponsored::Sponsors;

/// Verifications looked at between two reads of the index of those that wait.
const PAGE: usize = 512;

impl Facilitator {
    /// Counts what sponsors have promised and what tenants have spent today.
    ///
    /// It reads the streams of all that wait and the day's events, once.
    ///
    /// # Errors
    /// Where the log cannot be read.
    pub async fn restore_sponsors(&self) -> Result<(), Error> {
        let Some(sponsors) = &self.sponsors else { return Ok(()) };
        self.restore_promises(sponsors).await?;
        self.restore_budgets(sponsors).await
    }

    async fn restore_promises(&self, sponsors: &Sponsors) -> Result<(), Error> {
        let mut after = None;
        loop {
            let page = self.log.waiting(self.chain.network(), after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(*last);
            for waiting in &page {
                let Some(state) = self.load(waiting.verification).await? else { continue };
                if let Some(own) = &state.payment.sponsored {
                    sponsors.book.promise(state.id, own.sponsor.account(), own.fee_max);
                }
            }
        }
    }

    async fn restore_budgets(&self, sponsors: &Sponsors) -> Result<(), Error> {
        let today = self.clock.now().date_naive();
        // An earlier one only makes more to read.
        let mut after = last_where(self.log.as_ref(), |at| at.date_naive() < today).await?;
        loop {
            let events = self.log.read_all(after, READ_EVENTS_MAX).await?;
            let Some(last) = events.last() else { return Ok(()) };
            after = last.position;
            for recorded in &events {
                sponsors.heard_of_spending(recorded);
            }
        }
    }
}
