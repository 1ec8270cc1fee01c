//! What every read model must do. What happens to damaged files is the adapter's own test.
//!
//! Each function takes a read model for which nothing was built yet.
//! [`read_model_contract`](crate::read_model_contract) makes a test of each.

use std::sync::Arc;

use ccd402_domain::account::AccountAddress;
use ccd402_domain::amount::Amount;
use ccd402_domain::asset::Asset;
use ccd402_domain::event::Event;
use ccd402_domain::ids::ReservationId;
use ccd402_domain::payment::Payment;
use ccd402_domain::tenant::TenantId;
use ccd402_domain::verification::event::{
    Consumer, PaymentConsumed, PaymentReserved, VerificationRequested,
};
use ccd402_protocol::code::ReasonCode;
use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

#[path = "compared.rs"]
mod compared;
#[path = "glance.rs"]
mod glance;
#[path = "shelf.rs"]
mod shelf;

pub use compared::{
    a_comparison_is_with_what_is_held, counts_are_alike_however_events_came_together,
    what_was_lived_is_compared_with_what_is_replayed,
};
pub use glance::*;
pub use shelf::*;

use super::sample::{
    block, confirmed, failed, followed, network, other_network, payment, requested, time,
    transaction, verification,
};
use crate::ports::log::{Position, Recorded, StreamId};
use crate::ports::read_model::{
    Checkpoint, Filter, Finality, PAGE_ROWS_MAX, Page, Place, ReadModel, ReadModelError, Rebuild,
    Stats, Status, Step, Tally,
};
use crate::projections::verifications::{Outcome, Row, Usage};

/// Makes a test of every function of the suite. Takes an async function that returns an empty read
/// model and whatever must outlive it.
#[macro_export]
macro_rules! read_model_contract {
    ($fresh:path) => {
        $crate::read_model_contract!($fresh:
            nothing_is_read_before_it_is_built
            events_count_once
            a_gap_is_refused
            a_change_of_another_version_is_damage
            what_is_discarded_is_not_read
            rows_tell_the_whole_story
            every_filter_selects
            pages_neither_repeat_nor_skip
            sums_are_exact_beyond_64_bits
            statistics_add_up
            an_overview_is_what_rows_amount_to
            payers_are_told_with_what_they_pay
            a_rebuild_is_read_once_it_is_swapped_in
            what_was_lived_is_compared_with_what_is_replayed
            counts_are_alike_however_events_came_together
            a_comparison_is_with_what_is_held
            what_is_confirmed_is_listed
            the_oldest_leaves_a_full_list
            what_is_listed_is_compared
        );
    };
    ($fresh:path: $($name:ident)+) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            let (model, _outlives) = $fresh().await;
            $crate::contract::read_model::$name(model).await;
        }
    )+};
}

/// The read model under test.
type Model = Arc<dyn ReadModel>;

/// Before it is built there is nothing, and it says so.
pub async fn nothing_is_read_before_it_is_built(model: Model) {
    assert_eq!(*model.position().borrow(), None);
    assert_eq!(model.checkpoint().await, Ok(None));
    let asked = model.list(&Filter::default(), None, 10).await;
    assert_eq!(asked, Err(ReadModelError::Building));
    let asked = model.stats(&Filter::default(), Step::Day).await;
    assert_eq!(asked, Err(ReadModelError::Building));
    assert_eq!(model.apply(&[]).await, Err(ReadModelError::Building));
    begin(&model).await;
    assert_eq!(*model.position().borrow(), Some(0));
    assert_eq!(rows(&model, &Filter::default()).await, []);
}

/// Events that were applied already change nothing; events of other streams move it on.
pub async fn events_count_once(model: Model) {
    begin(&model).await;
    let events = [of(1, 1, 1, requested(1, 1)), of(2, 2, 1, requested(2, 2))];
    apply(&model, &events).await;
    let seen = rows(&model, &Filter::default()).await;
    assert_eq!(seen.len(), 2);
    apply(&model, &events).await;
    apply(&model, &events[..1]).await;
    assert_eq!(rows(&model, &Filter::default()).await, seen);
    let stream = StreamId::follower(&network());
    let other = Recorded { stream, ..of(3, 0, 1, followed(1)) };
    apply(&model, std::slice::from_ref(&other)).await;
    let checkpoint = Checkpoint { position: 3, event: other.id };
    assert_eq!(model.checkpoint().await, Ok(Some(checkpoint)));
    assert_eq!(*model.position().borrow(), Some(3));
    assert_eq!(rows(&model, &Filter::default()).await, seen);
}

/// Events that do not follow are refused, and leave no trace.
pub async fn a_gap_is_refused(model: Model) {
    begin(&model).await;
    let late = of(2, 1, 1, requested(1, 1));
    assert!(model.apply(std::slice::from_ref(&late)).await.is_err());
    let torn = [of(1, 1, 1, requested(1, 1)), of(3, 2, 1, requested(2, 2))];
    assert!(model.apply(&torn).await.is_err());
    assert_eq!(*model.position().borrow(), Some(0));
    assert_eq!(rows(&model, &Filter::default()).await, []);
}

/// A change that does not follow the row is of another log: nothing is read from these rows then.
pub async fn a_change_of_another_version_is_damage(model: Model) {
    let wrong = [of(2, 2, 1, requested(2, 2)), of(3, 1, 3, confirmed(1, 1))];
    let stranger = [of(2, 9, 2, confirmed(9, 9))];
    for events in [&wrong[..], &stranger] {
        begin(&model).await;
        apply(&model, &[of(1, 1, 1, requested(1, 1))]).await;
        assert!(matches!(model.apply(events).await, Err(ReadModelError::Damaged(_))));
        assert_eq!(*model.position().borrow(), None);
        let asked = model.list(&Filter::default(), None, 10).await;
        assert_eq!(asked, Err(ReadModelError::Building));
    }
}

/// What is discarded is read no more, until it is built again.
pub async fn what_is_discarded_is_not_read(model: Model) {
    begin(&model).await;
    model.discard().await;
    assert_eq!(*model.position().borrow(), None);
    assert_eq!(model.checkpoint().await, Ok(None));
    model.discard().await;
    begin(&model).await;
    assert_eq!(*model.position().borrow(), Some(0));
}

/// Whether they come together or one by one, events make the same rows, to the nanosecond.
pub async fn rows_tell_the_whole_story(model: Model) {
    begin(&model).await;
    let until = time() + TimeDelta::nanoseconds(1);
    let reservation = ReservationId(Uuid::nil());
    let events = [
        of(1, 1, 1, requested(1, 1)),
        of(2, 2, 1, requested(2, 2)),
        of(3, 1, 2, confirmed(1, 1)),
        of(4, 1, 3, Event::from(PaymentReserved { reservation, until })),
        of(5, 2, 2, failed(2, 2)),
    ];
    for event in &events {
        apply(&model, std::slice::from_ref(event)).await;
    }
    let one_by_one = rows(&model, &Filter::default()).await;
    begin(&model).await;
    apply(&model, &events).await;
    let together = rows(&model, &Filter::default()).await;
    assert_eq!(one_by_one, together);
    let [second, first] = &together[..] else { panic!("{together:?}") };
    assert_eq!((first.number, second.number), (1, 2));
    assert_eq!((first.standing.version, first.standing.changed), (3, 4));
    assert_eq!(first.standing.outcome, Outcome::Confirmed { block: block(1), at: time() });
    assert_eq!(first.standing.usage, Usage::Reserved { until });
    assert_eq!((first.requested_at, first.amount), (time(), Amount::from_units(1_000_001)));
    assert_eq!(first.resource, payment(1).resource);
    let Outcome::Failed { rejection, .. } = &second.standing.outcome else { panic!("{second:?}") };
    assert_eq!(rejection.code, ReasonCode::PaymentNotBound);
    apply(&model, &[of(6, 1, 4, Event::from(PaymentConsumed { by: Consumer::Settle }))]).await;
    assert_eq!(rows(&model, &Filter::default()).await[1].standing.usage, Usage::Used);
}

/// Each part of a filter selects, alone and with the others.
pub async fn every_filter_selects(model: Model) {
    begin(&model).await;
    let later = time() + TimeDelta::hours(1);
    let shop: TenantId = "shop".parse().expect("it is a name");
    let other = AccountAddress::from_bytes([5; 32]);
    let events = [
        of(1, 1, 1, requested(1, 1)),
        of(2, 2, 1, changed(2, |request| request.tenant = shop.clone())),
        of(3, 3, 1, paying(3, |payment| payment.pay_to = other)),
        of(4, 4, 1, paying(4, |payment| payment.asset = token("EURR"))),
        of(5, 5, 1, paying(5, |payment| payment.network = other_network())),
        of(6, 6, 1, changed(6, |request| request.requested_at = later)),
        of(7, 7, 1, requested(7, 7)),
        of(8, 7, 2, failed(7, 7)),
    ];
    apply(&model, &events).await;
    let all = Filter::default();
    let cases = [
        (all.clone(), vec![6, 7, 5, 4, 3, 2, 1]),
        (Filter { tenant: Some(shop.clone()), ..all.clone() }, vec![2]),
        (Filter { status: Some(Status::Failed), ..all.clone() }, vec![7]),
        (Filter { payer: Some(payment(4).payer), ..all.clone() }, vec![4]),
        (Filter { pay_to: Some(other), ..all.clone() }, vec![3]),
        (Filter { asset: Some(token("eurr")), ..all.clone() }, vec![4]),
        (Filter { network: Some(other_network()), ..all.clone() }, vec![5]),
        (Filter { resource: Some(payment(1).resource.url), ..all.clone() }, vec![1]),
        (Filter { transaction: Some(transaction(3)), ..all.clone() }, vec![3]),
        (Filter { from: Some(later), ..all.clone() }, vec![6]),
        (Filter { to: Some(time()), ..all.clone() }, vec![]),
        (Filter { from: Some(time()), to: Some(later), ..all.clone() }, vec![7, 5, 4, 3, 2, 1]),
        (
            Filter {
                tenant: Some(TenantId::default()),
                status: Some(Status::Pending),
                payer: Some(payment(1).payer),
                pay_to: Some(payment(1).pay_to),
                asset: Some(Asset::Ccd),
                network: Some(network()),
                resource: Some(payment(1).resource.url),
                transaction: Some(transaction(1)),
                from: Some(time()),
                to: Some(later),
            },
            vec![1],
        ),
        (Filter { tenant: Some(shop), status: Some(Status::Failed), ..all }, vec![]),
    ];
    for (filter, numbers) in cases {
        let found = rows(&model, &filter).await;
        let found: Vec<_> = found.iter().map(|row| row.number).collect();
        assert_eq!(found, numbers, "{filter:?}");
        let counted: u64 = {
            let stats = stats(&model, &filter, Step::Minute).await;
            stats.totals.iter().map(|tally| tally.count).sum()
        };
        assert_eq!(counted, numbers.len() as u64, "{filter:?}");
    }
}

/// Pages go on where the last one ended, also while rows are added and changed.
pub async fn pages_neither_repeat_nor_skip(model: Model) {
    begin(&model).await;
    for number in 1..=25 {
        apply(&model, &[of(number, number, 1, requested(number, number))]).await;
    }
    let (mut seen, mut after, mut position) = (Vec::new(), None, 25);
    loop {
        let page = list(&model, after, 4).await;
        assert_eq!((page.as_of, page.rows.len() <= 4), (position, true));
        after = page.rows.last().map(Row::place);
        seen.extend(page.rows.iter().map(|row| row.number));
        if !page.has_more {
            break;
        }
        let added = of(position + 1, position + 1, 1, requested(position + 1, position + 1));
        apply(&model, &[added]).await;
        position += 1;
    }
    assert_eq!(seen, (1..=25).rev().collect::<Vec<_>>());
    let ends = list(&model, after, 4).await;
    assert_eq!((ends.rows.len(), ends.has_more), (0, false));
}

/// Tables by asset, recipient, resource and time; refusals by code; times to finality.
pub async fn statistics_add_up(model: Model) {
    begin(&model).await;
    let day = TimeDelta::days(1);
    let events = [
        of(1, 1, 1, requested(1, 1)),
        of(2, 2, 1, paying(2, |payment| payment.asset = token("EURR"))),
        of(3, 3, 1, paying(3, |payment| payment.asset = token("eurr"))),
        of(4, 4, 1, changed(4, |request| request.requested_at = time() + day)),
        Recorded { time: time() + TimeDelta::milliseconds(1_500), ..of(5, 1, 2, confirmed(1, 1)) },
        of(6, 4, 2, failed(4, 4)),
    ];
    apply(&model, &events).await;
    let stats = stats(&model, &Filter::default(), Step::Day).await;
    assert_eq!(stats.as_of, 6);
    let tally = |asset: &str, status, count, amount| Tally {
        key: (),
        network: network(),
        asset: token(asset),
        status,
        count,
        amount,
    };
    let totals = [
        Tally { asset: Asset::Ccd, ..tally("-", Status::Confirmed, 1, 1_000_001) },
        Tally { asset: Asset::Ccd, ..tally("-", Status::Failed, 1, 1_000_004) },
        tally("EURR", Status::Pending, 2, 2_000_005),
    ];
    assert_eq!(stats.totals, totals);
    assert_eq!(stats.by_pay_to.tallies.len(), 3);
    assert_eq!(stats.by_pay_to.tallies[0].key, payment(1).pay_to);
    assert_eq!((stats.by_pay_to.tallies[0].count, stats.by_pay_to.is_cut), (2, false));
    assert_eq!(stats.by_resource.tallies.len(), 4);
    let midnight = |at: DateTime<Utc>| at.date_naive().and_time(chrono::NaiveTime::MIN).and_utc();
    let days: Vec<_> = stats.by_time.tallies.iter().map(|tally| tally.key).collect();
    assert_eq!(days, [midnight(time() + day), midnight(time()), midnight(time())]);
    assert_eq!(stats.refusals, [(ReasonCode::PaymentNotBound, 1)]);
    let took = Finality { count: 1, p50_ms: 1_500, p90_ms: 1_500, p99_ms: 1_500 };
    assert_eq!(stats.finality, took);
}

/// What is built beside is not seen before it is swapped in, and may be dropped.
pub async fn a_rebuild_is_read_once_it_is_swapped_in(model: Model) {
    begin(&model).await;
    let events: Vec<_> = (1..=100).map(|n| of(n, n, 1, requested(n, n))).collect();
    apply(&model, &events[..50]).await;
    let before = rows(&model, &Filter::default()).await;
    let mut dropped = rebuild(&model).await;
    built_from(&mut dropped, &events[..10]).await;
    drop(dropped);
    let mut built = rebuild(&model).await;
    built_from(&mut built, &events[..7]).await;
    built_from(&mut built, &events[5..]).await;
    assert_eq!(built.position(), 100);
    assert_eq!(rows(&model, &Filter::default()).await, before);
    swap_in(built).await;
    assert_eq!(*model.position().borrow(), Some(100));
    assert_eq!(rows(&model, &Filter::default()).await.len(), 100);
    apply(&model, &[of(101, 1, 2, confirmed(1, 1))]).await;
    let confirmed = Filter { status: Some(Status::Confirmed), ..Filter::default() };
    assert_eq!(rows(&model, &confirmed).await.len(), 1);
}

/// Has it built from nothing.
async fn begin(model: &Model) {
    swap_in(rebuild(model).await).await;
}

async fn rebuild(model: &Model) -> Box<dyn Rebuild> {
    model.rebuild().await.expect("a build can begin")
}

async fn built_from(rows: &mut Box<dyn Rebuild>, events: &[Recorded]) {
    rows.apply(events).await.expect("they follow");
}

async fn swap_in(rows: Box<dyn Rebuild>) {
    rows.swap_in().await.expect("what is built can be swapped in");
}

async fn apply(model: &Model, events: &[Recorded]) {
    model.apply(events).await.expect("they follow");
}

async fn list(model: &Model, after: Option<Place>, max: usize) -> Page {
    model.list(&Filter::default(), after, max).await.expect("it can be read")
}

async fn rows(model: &Model, filter: &Filter) -> Vec<Row> {
    model.list(filter, None, PAGE_ROWS_MAX).await.expect("it can be read").rows
}

async fn stats(model: &Model, filter: &Filter, step: Step) -> Stats {
    model.stats(filter, step).await.expect("it can be read")
}

fn token(id: &str) -> Asset {
    id.parse().expect("the tests name assets")
}

/// An event of a verification by its number.
fn of(position: Position, number: u64, version: u64, event: Event) -> Recorded {
    let stream = StreamId::verification(verification(number));
    let id = Uuid::from_u128(u128::from(position));
    Recorded { position, id, stream, version, time: time(), event }
}

fn changed(number: u64, change: impl FnOnce(&mut VerificationRequested)) -> Event {
    let Event::VerificationRequested(mut request) = requested(number, number) else {
        unreachable!("the sample is a request");
    };
    change(&mut request);
    Event::from(request)
}

fn paying(number: u64, change: impl FnOnce(&mut Payment)) -> Event {
    changed(number, |request| change(Arc::make_mut(&mut request.payment)))
}
