//! Restores the sponsors' book from the log, before the first call is answered.

use chrono::NaiveDate;

use crate::error::Error;
use crate::facilitator::Facilitator;
use crate::ports::log::{Position, READ_EVENTS_MAX};
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
        let mut after = self.last_before(today).await?;
        loop {
            let events = self.log.read_all(after, READ_EVENTS_MAX).await?;
            let Some(last) = events.last() else { return Ok(()) };
            after = last.position;
            for recorded in &events {
                sponsors.heard_of_spending(recorded);
            }
        }
    }

    /// The last position before a day. Clocks that were set back in between may make it an earlier
    /// one, which only makes more to read.
    async fn last_before(&self, day: NaiveDate) -> Result<Position, Error> {
        let (mut before, mut after) = (0, *self.log.head().borrow() + 1);
        while before + 1 < after {
            let middle = before + (after - before) / 2;
            let event = self.log.read_all(middle - 1, 1).await?;
            let is_before = event.first().is_some_and(|event| event.time.date_naive() < day);
            if is_before {
                before = middle;
            } else {
                after = middle;
            }
        }
        Ok(before)
    }
}
