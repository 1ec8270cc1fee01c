//! How much the sponsors' accounts hold, for whoever watches over them.

use ccd402_domain::account::AccountAddress;
use ccd402_domain::amount::Amount;
use ccd402_domain::tenant::TenantId;
use chrono::{DateTime, Utc};

use crate::error::Error;
use crate::facilitator::Facilitator;
use crate::ports::sponsoring::Freshness;

/// The money of one sponsor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SponsorFunds {
    /// Its account.
    pub address: AccountAddress,
    /// MicroCCD that it may spend.
    pub available: Amount,
    /// MicroCCD that it has promised.
    pub promised: Amount,
    /// Whether it can promise no more than it must keep.
    pub is_low: bool,
}

impl Facilitator {
    /// What a tenant may spend of fees in a day, if there is a limit, and what each has spent on this.
    #[must_use]
    pub fn budgets(&self, now: DateTime<Utc>) -> (Option<Amount>, Vec<(TenantId, Amount)>) {
        let Some(sponsors) = &self.sponsors else { return (None, Vec::new()) };
        (sponsors.options.budget_per_day, sponsors.book.spent_on(now.date_naive()))
    }

    /// The sponsors' money as it is known.
    ///
    /// # Errors
    /// Where the chain cannot be asked.
    pub async fn sponsor_funds(&self) -> Result<Vec<SponsorFunds>, Error> {
        let Some(sponsors) = &self.sponsors else { return Ok(Vec::new()) };
        let mut all = Vec::new();
        for sponsor in &sponsors.port.policy().sponsors {
            let account = sponsors.port.account(&sponsor.address, Freshness::Known).await?;
            let available = account.map(|account| account.available).unwrap_or_default();
            let promised = sponsors.book.promised(sponsor.address.account(), None);
            let kept = sponsors.options.balance_min.units().saturating_add(promised.units());
            let is_low = available.units() <= kept;
            all.push(SponsorFunds { address: sponsor.address, available, promised, is_low });
        }
        Ok(all)
    }
}
