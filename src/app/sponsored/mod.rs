//! Sponsored payments: taken in and held, signed and sent, once.
//!
//! The steps, a file each: `hold` takes a payment in as a Verification and counts what it will take
//! of its payer; `verify` and `settle` are the routes; `sign` writes the finished transaction down;
//! `send` sends what is written down, in the order of a payer's sequence numbers. The outcome is the
//! follower's, as for every payment.

pub(crate) mod book;
mod hold;
mod preflight;
mod proven;
mod release;
mod restore;
mod send;
mod settle;
mod sign;
mod verify;
mod watch;

use std::sync::Arc;

use ccd402_domain::account::AccountKey;
use ccd402_domain::amount::Amount;
use ccd402_domain::ids::VerificationId;
use ccd402_domain::rejection::Rejection;
use ccd402_protocol::code::ReasonCode;
use chrono::TimeDelta;

pub use send::Sending;
pub use watch::SponsorFunds;

use crate::facilitator::Facilitator;
use crate::ports::sponsoring::Sponsoring;
use crate::sponsored::book::Book;
use crate::sponsored::proven::Proven;
use crate::sponsored::send::Sent;
use crate::wakeups::Wakeups;

/// What sponsors allow besides the bounds of one transaction.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// How long a payment is held that nobody settles.
    pub hold: TimeDelta,
    /// Fees of one tenant in a day (UTC), in microCCD; none where there is no end to them.
    pub budget_per_day: Option<Amount>,
    /// What a sponsor's account must keep, in microCCD.
    pub balance_min: Amount,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            hold: TimeDelta::seconds(60),
            budget_per_day: None,
            balance_min: Amount::from_units(0),
        }
    }
}

/// What a facilitator that sponsors payments keeps in mind. All of it follows from the log.
pub(crate) struct Sponsors {
    pub(crate) port: Arc<dyn Sponsoring>,
    pub(crate) options: Options,
    /// Fees that are promised or spent.
    pub(crate) book: Book,
    /// Signatures that hold.
    proven: Proven,
    /// What was sent a short while ago.
    sent: Sent,
    /// Who sends for a payer, and who waits for its payments.
    pub(crate) lanes: Wakeups<AccountKey>,
}

impl Facilitator {
    /// The same facilitator, sponsoring payments from these accounts.
    #[must_use]
    pub fn sponsoring(mut self, port: Arc<dyn Sponsoring>, options: Options) -> Self {
        let (book, sent, lanes) = Default::default();
        let proven = Proven::new(proven::GENERATION_MAX);
        self.sponsors = Some(Sponsors { port, options, book, proven, sent, lanes });
        self
    }

    /// The addresses of the accounts that pay fees; none where nothing is sponsored.
    #[must_use]
    pub fn fee_payers(&self) -> Vec<String> {
        let sponsors = self.sponsors.iter().flat_map(|own| &own.port.policy().sponsors);
        sponsors.map(|sponsor| sponsor.address.to_string()).collect()
    }

    pub(crate) fn sponsors(&self) -> Result<&Sponsors, Rejection> {
        self.sponsors.as_ref().ok_or_else(|| {
            let detail = "this facilitator sponsors nothing: pay by transaction hash";
            Rejection::new(ReasonCode::UnsupportedScheme, detail)
        })
    }

    /// A verification is decided: what its sponsor has promised is paid, or never will be.
    pub(crate) fn keep_promise(&self, id: VerificationId) {
        if let Some(sponsors) = &self.sponsors {
            sponsors.book.keep(id);
        }
    }
}
