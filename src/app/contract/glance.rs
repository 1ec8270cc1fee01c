//! Sums are exact, and what a read model tells at a glance is what its rows amount to, however the
//! events came.

use ccd402_domain::amount::Amount;
use ccd402_domain::asset::Asset;
use ccd402_domain::event::Event;
use ccd402_domain::tenant::TenantId;
use chrono::TimeDelta;

use super::super::sample::{confirmed, failed, requested, time};
use super::{Model, apply, begin, changed, of, paying, rows, stats, token};
use crate::ports::log::Recorded;
use crate::ports::overview::{Asked, counted};
use crate::ports::read_model::{Filter, Status, Step};

/// Amounts that no 64 bits can sum are summed all the same.
pub async fn sums_are_exact_beyond_64_bits(model: Model) {
    begin(&model).await;
    for number in 1..=5 {
        let largest = paying(number, |payment| {
            payment.amount = Amount::from_units(u64::MAX - number);
        });
        apply(&model, &[of(number, number, 1, largest)]).await;
    }
    let stats = stats(&model, &Filter::default(), Step::Day).await;
    let sum = (1..=5).map(|number| u128::from(u64::MAX - number)).sum();
    let [total] = &stats.totals[..] else { panic!("{stats:?}") };
    assert_eq!((total.count, total.amount), (5, sum));
    assert_eq!(stats.by_time.tallies[0].amount, sum);
    let found = rows(&model, &Filter::default()).await;
    assert_eq!(found[0].amount, Amount::from_units(u64::MAX - 5));
}

/// Verifications of two tenants in two assets, handed in over three hours, of every status.
fn story() -> Vec<Recorded> {
    let shop: TenantId = "shop".parse().expect("it is a name");
    let at = |recorded: Recorded, ms| Recorded {
        time: time() + TimeDelta::milliseconds(ms),
        ..recorded
    };
    let late = |number: u64, hours| {
        changed(number, |request| request.requested_at = time() + TimeDelta::hours(hours))
    };
    let owned = |number: u64| changed(number, |request| request.tenant = shop.clone());
    let euros = |number: u64, spelled: &str| {
        let asset = token(spelled);
        paying(number, move |payment| payment.asset = asset)
    };
    vec![
        of(1, 1, 1, requested(1, 1)),
        of(2, 2, 1, owned(2)),
        of(3, 3, 1, euros(3, "EURR")),
        of(4, 4, 1, euros(4, "eurr")),
        at(of(5, 2, 2, confirmed(2, 2)), 1_500),
        of(6, 5, 1, late(5, 1)),
        at(of(7, 3, 2, confirmed(3, 3)), 40_000),
        of(8, 1, 2, failed(1, 1)),
        of(9, 6, 1, late(6, 2)),
        at(of(10, 5, 2, confirmed(5, 5)), 3_600_700),
        of(11, 7, 1, requested(7, 7)),
        of(12, 7, 2, failed(7, 7)),
    ]
}

/// Counts that are kept, if there are any, say what counting the rows says; times may be told an
/// eighth too long.
pub async fn an_overview_is_what_rows_amount_to(model: Model) {
    for together in [1, 3, 12] {
        begin(&model).await;
        for events in story().chunks(together) {
            apply(&model, events).await;
        }
        let shop: TenantId = "shop".parse().expect("it is a name");
        let nobody: TenantId = "nobody".parse().expect("it is a name");
        for tenant in [None, Some(TenantId::default()), Some(shop), Some(nobody)] {
            for (step, hours) in [(Step::Minute, 0), (Step::Hour, 0), (Step::Hour, 1)] {
                let hour = time().timestamp() / 3_600 * 3_600 + hours * 3_600;
                let from = chrono::DateTime::from_timestamp(hour, 0).expect("it is a time");
                let asked = Asked { tenant: tenant.clone(), from, step };
                let told = model.overview(&asked).await.expect("it is built");
                let counted = counted(&*model, &asked).await.expect("it is built");
                assert_eq!(told.as_of, 12);
                assert_eq!(sorted(told.totals), sorted(counted.totals), "{asked:?}");
                assert_eq!(sorted(told.by_time), sorted(counted.by_time), "{asked:?}");
                assert_eq!(told.refusals, counted.refusals, "{asked:?}");
                assert_eq!(told.finality.count, counted.finality.count, "{asked:?}");
                for (told, row) in [
                    (told.finality.p50_ms, counted.finality.p50_ms),
                    (told.finality.p99_ms, counted.finality.p99_ms),
                ] {
                    assert!(told >= row && told <= row + row / 8, "{told} {row}: {asked:?}");
                }
            }
        }
    }
}

fn sorted<T: std::fmt::Debug>(mut tallies: Vec<T>) -> Vec<T> {
    tallies.sort_by_key(|tally| format!("{tally:?}"));
    tallies
}

/// Who paid is told with what, by asset and status.
pub async fn payers_are_told_with_what_they_pay(model: Model) {
    begin(&model).await;
    apply(&model, &story()).await;
    let Event::VerificationRequested(request) = requested(2, 2) else {
        unreachable!("the sample is a request");
    };
    let payer = request.payment.payer;
    let filter = Filter { payer: Some(payer), ..Filter::default() };
    let payers = model.payers(&filter).await.expect("it is built");
    assert!(!payers.is_cut && payers.tallies.iter().all(|tally| tally.key == payer));
    let told = model.payers(&Filter::default()).await.expect("it is built");
    let count: u64 = told.tallies.iter().map(|tally| tally.count).sum();
    assert_eq!(count, 7);
    let is_in_order = told.tallies.is_sorted_by(|a, b| a.count >= b.count);
    assert!(is_in_order, "{told:?}");
    let confirmed = told
        .tallies
        .iter()
        .filter(|tally| tally.status == Status::Confirmed && tally.asset == Asset::Ccd);
    assert_eq!(confirmed.map(|tally| tally.amount).sum::<u128>(), 1_000_002 + 1_000_005);
}
