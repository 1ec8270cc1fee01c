//! The sponsors' book: fees that are promised to payments on their way, and what of a tenant's daily
//! budget is spent.
//!
//! A fee is spent when the transaction is signed, at the most that it can cost: what the chain rejects
//! costs as well, and what it never includes is not given back before the day ends.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use ccd402_domain::account::AccountKey;
use ccd402_domain::amount::Amount;
use ccd402_domain::ids::VerificationId;
use ccd402_domain::tenant::TenantId;
use chrono::NaiveDate;

/// Days that are kept: today, and yesterday for what was begun before midnight.
const DAYS_MAX: usize = 2;

/// Fees in microCCD.
#[derive(Debug, Default)]
pub(crate) struct Book {
    pages: Mutex<Pages>,
}

#[derive(Debug, Default)]
struct Pages {
    promises: HashMap<VerificationId, (AccountKey, u64)>,
    promised: HashMap<AccountKey, u64>,
    spent: BTreeMap<NaiveDate, Day>,
}

/// What is spent in a day.
#[derive(Debug, Default)]
struct Day {
    by: HashMap<TenantId, u64>,
    /// For which payments; each is counted once, whoever tells of it.
    on: HashSet<VerificationId>,
}

/// What one payment's fee takes of a budget.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spending<'a> {
    pub(crate) on: VerificationId,
    pub(crate) by: &'a TenantId,
    pub(crate) day: NaiveDate,
    pub(crate) fee: Amount,
}

impl Book {
    /// A sponsor will pay so much at most for a payment.
    pub(crate) fn promise(&self, id: VerificationId, sponsor: AccountKey, fee: Amount) {
        let mut pages = self.lock();
        if pages.promises.insert(id, (sponsor, fee.units())).is_none() {
            let promised = pages.promised.entry(sponsor).or_default();
            *promised = promised.saturating_add(fee.units());
        }
    }

    /// A promise is kept, or falls away.
    pub(crate) fn keep(&self, id: VerificationId) {
        let mut pages = self.lock();
        if let Some((sponsor, fee)) = pages.promises.remove(&id) {
            let promised = pages.promised.entry(sponsor).or_default();
            *promised = promised.saturating_sub(fee);
        }
    }

    /// What a sponsor has promised to all payments but this one.
    pub(crate) fn promised(&self, sponsor: AccountKey, besides: Option<VerificationId>) -> Amount {
        let pages = self.lock();
        let all = pages.promised.get(&sponsor).copied().unwrap_or_default();
        let own = besides.and_then(|id| pages.promises.get(&id)).map_or(0, |(_, fee)| *fee);
        Amount::from_units(all.saturating_sub(own))
    }

    /// Whether a tenant may spend so much more that day.
    pub(crate) fn affords(
        &self,
        tenant: &TenantId,
        day: NaiveDate,
        fee: Amount,
        budget: Option<Amount>,
    ) -> bool {
        let Some(budget) = budget else { return true };
        let pages = self.lock();
        let spent = pages.spent.get(&day).and_then(|day| day.by.get(tenant)).copied();
        spent.unwrap_or_default().saturating_add(fee.units()) <= budget.units()
    }

    /// Spends it, unless it is more than the tenant may spend that day. What is spent on a payment
    /// already is not spent again.
    pub(crate) fn spend(&self, spending: Spending<'_>, budget: Option<Amount>) -> bool {
        let Spending { on, by, day, fee } = spending;
        let mut pages = self.lock();
        while pages.spent.len() > DAYS_MAX {
            pages.spent.pop_first();
        }
        let day = pages.spent.entry(day).or_default();
        if day.on.contains(&on) {
            return true;
        }
        let spent = day.by.entry(by.clone()).or_default();
        let more = spent.saturating_add(fee.units());
        let is_allowed = budget.is_none_or(|budget| more <= budget.units());
        if is_allowed {
            *spent = more;
            day.on.insert(on);
        }
        is_allowed
    }

    /// What each tenant has spent on a day, by name.
    pub(super) fn spent_on(&self, day: NaiveDate) -> Vec<(TenantId, Amount)> {
        let pages = self.lock();
        let spent = pages.spent.get(&day).into_iter().flat_map(|day| &day.by);
        let mut spent: Vec<_> =
            spent.map(|(tenant, fee)| (tenant.clone(), Amount::from_units(*fee))).collect();
        spent.sort();
        spent
    }

    /// It was not spent after all.
    pub(crate) fn give_back(&self, spending: Spending<'_>) {
        let Spending { on, by, day, fee } = spending;
        let mut pages = self.lock();
        let Some(day) = pages.spent.get_mut(&day) else { return };
        if day.on.remove(&on)
            && let Some(spent) = day.by.get_mut(by)
        {
            *spent = spent.saturating_sub(fee.units());
        }
    }

    fn lock(&self) -> MutexGuard<'_, Pages> {
        // Sums are made good by what follows; a panic elsewhere does not spoil them.
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use ccd402_domain::account::AccountAddress;
    use uuid::Uuid;

    use super::*;

    fn fee(units: u64) -> Amount {
        Amount::from_units(units)
    }

    #[test]
    fn a_promise_counts_until_it_is_kept_and_only_for_others() {
        let (book, sponsor) = (Book::default(), AccountAddress::from_bytes([1; 32]).account());
        let [one, two] = [1, 2].map(|number| VerificationId(Uuid::from_u128(number)));
        book.promise(one, sponsor, fee(5));
        book.promise(one, sponsor, fee(5));
        book.promise(two, sponsor, fee(7));
        assert_eq!(book.promised(sponsor, None), fee(12));
        assert_eq!(book.promised(sponsor, Some(one)), fee(7));
        book.keep(one);
        book.keep(one);
        assert_eq!(book.promised(sponsor, None), fee(7));
    }

    #[test]
    fn a_tenant_spends_its_own_budget_of_a_day() {
        let book = Book::default();
        let day = |day| NaiveDate::from_ymd_opt(2026, 1, day).unwrap();
        let tenants: [TenantId; 2] = ["one", "two"].map(|name| name.parse().unwrap());
        let spending = |on: u128, by: usize, of, units| Spending {
            on: VerificationId(Uuid::from_u128(on)),
            by: &tenants[by],
            day: day(of),
            fee: fee(units),
        };
        let budget = Some(fee(10));
        assert!(book.spend(spending(1, 0, 1, 6), budget));
        assert!(book.spend(spending(1, 0, 1, 6), budget), "once for a payment");
        assert!(!book.affords(&tenants[0], day(1), fee(5), budget));
        assert!(!book.spend(spending(2, 0, 1, 5), budget));
        assert!(book.spend(spending(3, 0, 1, 4), budget));
        assert!(book.spend(spending(4, 1, 1, 10), budget), "another's is another");
        assert!(book.spend(spending(5, 0, 2, 10), budget), "the next day is new");
        book.give_back(spending(5, 0, 2, 10));
        book.give_back(spending(5, 0, 2, 10));
        assert!(book.affords(&tenants[0], day(2), fee(10), budget));
        assert!(book.spend(spending(6, 0, 3, u64::MAX), None));
    }
}
