//! What a process of several learns of what the others have appended: whom to wake, and what it keeps
//! in mind of the log.
//!
//! It decides nothing and may come late or twice. Whoever is woken reads the log; what is kept in
//! mind is told again by the log at each start. A process that has its log to itself needs none of it.

use ccd402_domain::event::Event;

use crate::facilitator::Facilitator;
use crate::ports::log::Recorded;
use crate::sponsored::Sponsors;
use crate::sponsored::book::Spending;

impl Facilitator {
    /// Takes in an event that somebody has appended; this process, maybe.
    pub fn heard(&self, recorded: &Recorded) {
        if let Some(sponsors) = &self.sponsors {
            sponsors.heard(recorded);
        }
        let Some(id) = recorded.stream.as_verification() else { return };
        if matches!(recorded.event, Event::VerificationConfirmed(_) | Event::VerificationFailed(_))
        {
            self.keep_promise(id);
        }
        self.wakeups.wake(id);
    }
}

impl Sponsors {
    fn heard(&self, recorded: &Recorded) {
        match &recorded.event {
            Event::VerificationRequested(requested) => {
                if let Some(own) = &requested.payment.sponsored {
                    self.book.promise(requested.verification, own.sponsor.account(), own.fee_max);
                }
            }
            Event::HoldsChanged(changed) => self.lanes.wake(changed.payer.account()),
            _ => self.heard_of_spending(recorded),
        }
    }

    /// Counts what a tenant's payment will cost, once it is signed.
    pub(crate) fn heard_of_spending(&self, recorded: &Recorded) {
        let (Event::TransactionSigned(signed), Some(on)) =
            (&recorded.event, recorded.stream.as_verification())
        else {
            return;
        };
        let spending = Spending {
            on,
            by: &signed.tenant,
            day: recorded.time.date_naive(),
            fee: signed.fee_max,
        };
        // It is signed: no budget can forbid it any more.
        self.book.spend(spending, None);
    }
}
