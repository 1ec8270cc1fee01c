//! The contract, over a real server, as the process that holds the lease; and what replicas that
//! only read do.

use std::sync::Arc;

use ccd402_app::contract::sample::{requested, time, verification};
use ccd402_app::ports::lease::{Fence, LeaseName, Leases as _};
use ccd402_app::ports::log::StreamId;
use ccd402_app::ports::read_model::{Difference, ReadModel, Unlike};
use ccd402_domain::event::Event;
use uuid::Uuid;

use super::*;
use crate::postgres::tests::Ground;

/// Longest that anything may take to be seen.
pub(super) const SEEN_MAX: Duration = Duration::from_secs(20);

/// A lease of the read model, taken by another process than all before.
pub(super) async fn taken(ground: &Ground) -> Fence {
    let log = ground.open().await;
    ground.run("UPDATE log_lease SET until = now()").await;
    let leases = log.leases("a test", Duration::from_secs(60));
    let fence = leases.take(&LeaseName::new("read-model")).await.unwrap().unwrap();
    log.close().await;
    fence
}

/// A replica that only reads.
pub(super) async fn reading(ground: &Ground) -> PostgresReadModel {
    PostgresReadModel::open(&ground.options).await.unwrap()
}

/// A replica that writes.
pub(super) async fn writing(ground: &Ground) -> PostgresReadModel {
    let model = reading(ground).await;
    model.hold(Some(taken(ground).await));
    model
}

/// An event of a verification by its number.
pub(super) fn of(position: Position, number: u64, version: u64, event: Event) -> Recorded {
    let stream = StreamId::verification(verification(number));
    let id = Uuid::from_u128(u128::from(position));
    Recorded { position, id, stream, version, time: time(), event }
}

/// As many verifications, one event each.
pub(super) fn asked(count: u64) -> Vec<Recorded> {
    (1..=count).map(|number| of(number, number, 1, requested(number, number))).collect()
}

/// Has it built from these events.
pub(super) async fn build(model: &PostgresReadModel, events: &[Recorded]) {
    let mut built = model.rebuild().await.unwrap();
    built.apply(events).await.unwrap();
    built.swap_in().await.unwrap();
}

/// Waits until a replica stands there.
pub(super) async fn stands(model: &PostgresReadModel, there: Option<Position>) {
    let mut position = model.position();
    let seen = tokio::time::timeout(SEEN_MAX, position.wait_for(|at| *at == there)).await;
    assert!(seen.is_ok(), "{there:?} is never seen");
}

/// How many rows differ from what these events make.
pub(super) async fn different(model: &PostgresReadModel, events: &[Recorded]) -> u64 {
    let mut comparison = model.compare().await.unwrap();
    comparison.apply(events).await.unwrap();
    assert_eq!(comparison.hold().await, Ok(events.len() as u64));
    comparison.end().await.unwrap().different
}

async fn fresh() -> (Arc<dyn ReadModel>, Ground) {
    let ground = Ground::new().await;
    (Arc::new(writing(&ground).await), ground)
}

ccd402_app::read_model_contract!(fresh);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_replica_writes_all_others_read() {
    let ground = Ground::new().await;
    let (writer, reader) = (writing(&ground).await, reading(&ground).await);
    assert_eq!(*reader.position().borrow(), None);
    let events = asked(5);
    build(&writer, &events[..3]).await;
    stands(&reader, Some(3)).await;
    writer.apply(&events[3..]).await.unwrap();
    stands(&reader, Some(5)).await;
    assert_eq!(reader.checkpoint().await, writer.checkpoint().await);
    let page = reader.list(&Filter::default(), None, 9).await.unwrap();
    assert_eq!((page.as_of, page.rows.len()), (5, 5));
    assert_eq!(different(&reader, &events).await, 0, "whoever reads may compare");
    writer.discard().await;
    stands(&reader, None).await;
    let again = reading(&ground).await;
    assert_eq!(again.checkpoint().await, Ok(None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_no_lease_writes_nothing() {
    let ground = Ground::new().await;
    let (writer, reader) = (writing(&ground).await, reading(&ground).await);
    build(&writer, &asked(1)).await;
    stands(&reader, Some(1)).await;
    assert_eq!(reader.apply(&asked(2)).await, Err(Error::Fenced));
    assert_eq!(reader.rebuild().await.err(), Some(Error::Fenced));
    // It is of no use to this one: the others go on.
    reader.discard().await;
    assert_eq!((reader.checkpoint().await, *reader.position().borrow()), (Ok(None), None));
    let asked_it = reader.list(&Filter::default(), None, 9).await;
    assert_eq!(asked_it, Err(Error::Building));
    assert_eq!(writer.list(&Filter::default(), None, 9).await.unwrap().rows.len(), 1);
    build(&writer, &asked(2)).await;
    stands(&reader, Some(2)).await;
    writer.hold(None);
    assert_eq!(writer.apply(&asked(3)).await, Err(Error::Fenced));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_only_reads_has_others_build() {
    let ground = Ground::new().await;
    let (writer, reader) = (writing(&ground).await, reading(&ground).await);
    assert_eq!(reader.ask_others(|_| {}).await, Err(Error::Building), "it will be built anyway");
    build(&writer, &asked(2)).await;
    let told = Arc::new(StdMutex::new(Vec::new()));
    let asking = {
        let (reader, told) = (reader.clone(), Arc::clone(&told));
        tokio::spawn(async move { reader.ask_others(|at| told.lock().unwrap().push(at)).await })
    };
    let mut wished = writer.wished();
    let is_wished = wished.wait_for(|is_wished| *is_wished);
    tokio::time::timeout(SEEN_MAX, is_wished).await.expect("it is seen").unwrap();
    let mut built = writer.rebuild().await.unwrap();
    built.apply(&asked(1)).await.unwrap();
    while told.lock().unwrap().last() != Some(&1) {
        tokio::task::yield_now().await;
    }
    built.apply(&asked(3)).await.unwrap();
    built.swap_in().await.unwrap();
    assert_eq!(asking.await.unwrap(), Ok(()));
    assert_eq!(*reader.position().borrow(), Some(3));
    let is_over = wished.wait_for(|is_wished| !is_wished);
    tokio::time::timeout(SEEN_MAX, is_over).await.expect("it is seen").unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_that_cannot_be_read_are_read_by_nobody_any_more() {
    let ground = Ground::new().await;
    let (writer, reader) = (writing(&ground).await, reading(&ground).await);
    for damage in [
        "DROP TABLE {}",
        "ALTER TABLE {} DROP COLUMN payer",
        "UPDATE {} SET status = 'odd'",
        "UPDATE {} SET url = '\\xff' WHERE number = 1",
        "UPDATE {} SET block_height = -1, block_hash = '', block_time = 0",
    ] {
        build(&writer, &asked(2)).await;
        stands(&reader, Some(2)).await;
        let mut db = ground.connect().await;
        let there = catalog::current(&mut db, VERSION).await.unwrap().unwrap();
        let table = there.build.table("verifications");
        let damage = damage.replace("{}", &table);
        sqlx::raw_sql(sqlx::AssertSqlSafe(damage.clone())).execute(&mut db).await.unwrap();
        let asked = reader.list(&Filter::default(), None, 9).await;
        assert!(matches!(asked, Err(Error::Damaged(_))), "{damage}: {asked:?}");
        assert_eq!(*reader.position().borrow(), None);
        assert_eq!(*writer.position().borrow(), Some(2), "who only reads has told nobody");
        let asked = writer.list(&Filter::default(), None, 9).await;
        assert!(matches!(asked, Err(Error::Damaged(_))), "{damage}: {asked:?}");
        assert_eq!((writer.checkpoint().await, *writer.position().borrow()), (Ok(None), None));
        assert_eq!(reading(&ground).await.checkpoint().await, Ok(None));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_count_that_is_wrong_is_told_by_the_event_that_began_it() {
    let ground = Ground::new().await;
    let model = writing(&ground).await;
    build(&model, &asked(3)).await;
    let mut db = ground.connect().await;
    let counts = catalog::current(&mut db, VERSION).await.unwrap().unwrap().build.table("tallies");
    let wrong = format!("UPDATE {counts} SET count = count + 1 WHERE number = 8 * 1 + 1");
    sqlx::raw_sql(sqlx::AssertSqlSafe(wrong)).execute(&mut db).await.unwrap();
    let mut comparison = model.compare().await.unwrap();
    comparison.apply(&asked(3)).await.unwrap();
    comparison.hold().await.unwrap();
    let found = comparison.end().await.unwrap();
    assert_eq!((found.rows, found.different), (3, 1));
    let what = Unlike::Changed(vec!["count".to_owned()]);
    assert_eq!(found.differences, [Difference { number: 1, what }]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hint_makes_it_look_at_once() {
    let mut ground = Ground::new().await;
    ground.options.poll = Duration::from_secs(3_600);
    let (writer, reader) = (writing(&ground).await, reading(&ground).await);
    build(&writer, &asked(1)).await;
    reader.look_soon();
    stands(&reader, Some(1)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_that_takes_too_long_is_ended_and_too_many_are_turned_away() {
    let ground = Ground::new().await;
    let model = writing(&ground).await;
    build(&model, &asked(1)).await;
    let mut db = ground.connect().await;
    let table = catalog::current(&mut db, VERSION).await.unwrap().unwrap().build;
    let lock = format!("BEGIN; LOCK TABLE {}", table.table("verifications"));
    sqlx::raw_sql(sqlx::AssertSqlSafe(lock)).execute(&mut db).await.unwrap();
    let ask = || {
        let model = model.clone();
        tokio::spawn(async move { model.list(&Filter::default(), None, 9).await })
    };
    let asking: Vec<_> = (0..LISTERS).map(|_| ask()).collect();
    while model.shared.listers.turns_left() > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(ask().await.unwrap(), Err(Error::Busy));
    for asked in asking {
        assert_eq!(asked.await.unwrap(), Err(Error::TooLarge));
    }
    sqlx::raw_sql("ROLLBACK").execute(&mut db).await.unwrap();
    assert_eq!(ask().await.unwrap().unwrap().rows.len(), 1);
}
