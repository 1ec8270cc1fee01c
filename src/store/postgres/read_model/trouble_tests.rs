//! Databases that go away in the middle, tries that are cut off, and writers that have lost their
//! lease.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use ccd402_app::contract::sample::{confirmed, requested};
use ccd402_app::ports::read_model::Status;
use futures::future::join_all;
use sqlx::Row as _;

use super::tests::{SEEN_MAX, asked, build, different, of, reading, stands, taken, writing};
use super::*;
use crate::postgres::tests::{Ground, on_a_thread};

/// A log of verifications, each asked for and then confirmed.
fn history(count: u64) -> Vec<Recorded> {
    let of_one = |number| {
        let at = 2 * number;
        [
            of(at - 1, number, 1, requested(number, number)),
            of(at, number, 2, confirmed(number, number)),
        ]
    };
    (1..=count).flat_map(of_one).collect()
}

async fn restart(ground: &Ground) {
    let server = Arc::clone(&ground.server);
    on_a_thread(move || server.restart()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_while_it_is_written_loses_nothing_and_doubles_nothing() {
    let ground = Ground::alone().await;
    let model = writing(&ground).await;
    build(&model, &[]).await;
    let events = Arc::new(history(4_000));
    let applied = Arc::new(AtomicU64::new(0));
    let writing = {
        let (model, events, applied) = (model.clone(), Arc::clone(&events), Arc::clone(&applied));
        tokio::spawn(async move {
            for page in events.chunks(8) {
                // No error at all: the restart is shorter than the tries.
                model.apply(page).await.unwrap();
                applied.store(page.last().unwrap().position, Ordering::Relaxed);
            }
        })
    };
    let reading = {
        let model = model.clone();
        tokio::spawn(async move {
            let mut before = 0;
            while before < 8_000 {
                let page = model.list(&Filter::default(), None, 1).await.unwrap();
                assert!(page.as_of >= before, "what was read once is there");
                before = page.as_of;
            }
        })
    };
    for third in 1..=3 {
        while applied.load(Ordering::Relaxed) < third * 2_000 {
            tokio::task::yield_now().await;
        }
        restart(&ground).await;
    }
    writing.await.unwrap();
    reading.await.unwrap();
    assert_eq!(*model.position().borrow(), Some(8_000));
    assert_eq!(different(&model, &events).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_built_over_a_restart_is_whole_or_none() {
    let ground = Ground::alone().await;
    let model = writing(&ground).await;
    build(&model, &asked(3)).await;
    let events = history(4_000);
    let mut built = model.rebuild().await.unwrap();
    let (before, after) = events.split_at(4_000);
    built.apply(before).await.unwrap();
    restart(&ground).await;
    // What is built is not made durable before it is whole: it may have gone back.
    let done = match built.apply(after).await {
        Ok(()) => built.swap_in().await,
        Err(error) => Err(error),
    };
    if done.is_err() {
        assert_eq!(model.checkpoint().await.unwrap().unwrap().position, 3);
        build(&model, &events).await;
    }
    assert_eq!(different(&model, &events).await, 0);
    println!("over the restart: {done:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_that_was_cut_off_anywhere_is_made_good_by_the_next() {
    let ground = Ground::new().await;
    let model = writing(&ground).await;
    build(&model, &[]).await;
    let events = history(100);
    let held = model.shared.held().unwrap();
    let mut committed_unheard = 0;
    for (number, page) in events.chunks(2).enumerate() {
        let mut cut = Writer::new(model.shared.options.clone(), false);
        let connection = cut.take().await.unwrap();
        cut.put_back(connection);
        let first = model.shared.try_apply(&mut cut, &held, page);
        let time = Duration::from_micros(number as u64 * 60);
        let first = tokio::time::timeout(time, first).await;
        drop(cut);
        let before = catalog::current(&mut ground.connect().await, VERSION).await.unwrap();
        let is_there = before.unwrap().checkpoint.position == page[1].position;
        committed_unheard += u64::from(first.is_err() && is_there);
        model.apply(page).await.unwrap();
        assert_eq!(*model.position().borrow(), Some(page[1].position));
    }
    assert_eq!(different(&model, &events).await, 0);
    println!("{committed_unheard} of 100 were committed unheard");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_lost_the_lease_writes_nothing_more() {
    let ground = Ground::new().await;
    let old = writing(&ground).await;
    build(&old, &asked(3)).await;
    let mut begun = old.rebuild().await.unwrap();
    begun.apply(&asked(2)).await.unwrap();
    let mut ready = old.rebuild().await.unwrap();
    ready.apply(&asked(2)).await.unwrap();

    let new = writing(&ground).await;
    stands(&new, Some(3)).await;
    assert_eq!(old.apply(&asked(4)).await, Err(Error::Fenced));
    assert_eq!(old.rebuild().await.err(), Some(Error::Fenced));
    assert_eq!(begun.apply(&asked(3)).await, Err(Error::Fenced));
    assert_eq!(ready.swap_in().await, Err(Error::Fenced));
    assert_eq!(new.checkpoint().await.unwrap().unwrap().position, 3, "nothing was written");
    new.apply(&asked(5)).await.unwrap();
    old.discard().await;
    assert_eq!(different(&new, &asked(5)).await, 0);
    let seen = reading(&ground).await;
    assert_eq!(*seen.position().borrow(), Some(5), "others read on");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_that_is_lost_in_the_middle_of_a_write_counts() {
    let ground = Ground::new().await;
    let model = writing(&ground).await;
    build(&model, &asked(3)).await;
    let mut other = ground.connect().await;
    // Somebody is taking it over: not committed yet.
    sqlx::raw_sql("BEGIN; UPDATE log_lease SET epoch = epoch + 1")
        .execute(&mut other)
        .await
        .unwrap();
    let applying = {
        let model = model.clone();
        tokio::spawn(async move { model.apply(&asked(4)).await })
    };
    let mut looking = ground.connect().await;
    let waits = "SELECT count(*) FROM pg_stat_activity \
                 WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let is_waiting = async {
        while sqlx::query(waits).fetch_one(&mut looking).await.unwrap().get::<i64, _>(0) == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(SEEN_MAX, is_waiting).await.expect("it waits for the lease's row");
    sqlx::raw_sql("COMMIT").execute(&mut other).await.unwrap();
    assert_eq!(applying.await.unwrap(), Err(Error::Fenced));
    assert_eq!(model.list(&Filter::default(), None, 9).await.unwrap().rows.len(), 3);
    model.hold(Some(taken(&ground).await));
    model.apply(&asked(4)).await.unwrap();
    assert_eq!(different(&model, &asked(4)).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_see_the_old_rows_or_the_new_ones() {
    const BUILDS: u64 = 12;
    let ground = Ground::new().await;
    let model = writing(&ground).await;
    build(&model, &asked(10)).await;
    let is_over = Arc::new(AtomicBool::new(false));
    let readers = join_all((0..3).map(|_| reading(&ground))).await;
    let reading = readers.into_iter().map(|model| {
        let is_over = Arc::clone(&is_over);
        tokio::spawn(async move {
            let mut read = 0_u64;
            while !is_over.load(Ordering::Relaxed) {
                let page = model.list(&Filter::default(), None, 200).await.unwrap();
                assert_eq!(page.rows.len() as u64, page.as_of);
                let stats = model.stats(&Filter::default(), Step::Day).await.unwrap();
                let count: u64 = stats.totals.iter().map(|tally| tally.count).sum();
                assert_eq!(count, stats.as_of);
                let pending = Filter { status: Some(Status::Pending), ..Filter::default() };
                let page = model.list(&pending, None, 200).await.unwrap();
                assert_eq!(page.rows.len() as u64, page.as_of);
                read += 3;
            }
            read
        })
    });
    let reading: Vec<_> = reading.collect();
    for number in 1..=BUILDS {
        build(&model, &asked(10 + number)).await;
        model.apply(&asked(20 + number)).await.unwrap();
        // As if the minute for which what was replaced is kept were over.
        ground.run("UPDATE read_model_build SET kept_until = now() - interval '1 second'").await;
        model.shared.tidy().await;
    }
    is_over.store(true, Ordering::Relaxed);
    let read: u64 = join_all(reading).await.into_iter().map(Result::unwrap).sum();
    println!("{read} answers over {BUILDS} builds");
}
