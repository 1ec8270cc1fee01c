//! Databases that go away, come back, or come back with less.

use std::sync::atomic::{AtomicBool, Ordering};

use ccd402_app::contract::sample::{
    append, append_to, cause, confirmed, failed, followed, requested, verification,
};
use futures::future::join_all;
use sqlx::Connection as _;

use super::tests::{Ground, on_a_thread};
use super::*;
use crate::prepare::Call;
use crate::queue::Batch;

async fn stop(ground: &Ground) {
    let server = Arc::clone(&ground.server);
    on_a_thread(move || server.kill()).await;
}

async fn start(ground: &Ground) {
    let server = Arc::clone(&ground.server);
    on_a_thread(move || server.restart()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_loses_nothing_acknowledged_and_doubles_nothing() {
    const WRITERS: u64 = 8;
    let ground = Ground::alone().await;
    let logs = join_all((0..2).map(|_| ground.open())).await;
    let is_over = Arc::new(AtomicBool::new(false));
    let writers = (0..WRITERS).map(|writer| {
        let (log, is_over) = (logs[(writer % 2) as usize].clone(), Arc::clone(&is_over));
        let stream = StreamId::answer(cause(writer));
        tokio::spawn(async move {
            let mut positions = Vec::new();
            while !is_over.load(Ordering::Relaxed) {
                let version = positions.len() as u64;
                let one = append_to(stream.clone(), version, vec![followed(version)]);
                // No error at all: the restart is shorter than the tries.
                positions.push(log.append(vec![one]).await.unwrap());
            }
            (stream, positions)
        })
    });
    let writers: Vec<_> = writers.collect();
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_millis(400)).await;
        start(&ground).await;
    }
    tokio::time::sleep(Duration::from_millis(400)).await;
    is_over.store(true, Ordering::Relaxed);
    let mut total = 0;
    for writer in join_all(writers).await {
        let (stream, positions) = writer.unwrap();
        total += positions.len() as Position;
        for log in &logs {
            let mut read: Vec<Recorded> = Vec::new();
            loop {
                let page = log.read_stream(&stream, read.len() as u64).await.unwrap();
                if page.is_empty() {
                    break;
                }
                read.extend(page);
            }
            assert_eq!(read.iter().map(|one| one.position).collect::<Vec<_>>(), positions);
        }
    }
    let again = ground.open().await;
    assert_eq!(*again.head().borrow(), total, "nothing is there that nobody was told of");
    let mut checked = 0;
    while checked < total {
        checked = again.check(checked, READ_EVENTS_MAX).await.unwrap().position;
    }
    println!("{total} events over three restarts");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_gone_is_not_the_end() {
    let mut ground = Ground::alone().await;
    ground.options.retry_max = Duration::from_millis(300);
    let log = ground.open().await;
    let first = || append(1, 0, vec![requested(1, 1)]);
    assert_eq!(log.append(vec![first()]).await, Ok(1));
    stop(&ground).await;
    let second = || append(2, 0, vec![requested(2, 2)]);
    let refused = log.append(vec![second()]).await;
    assert!(matches!(refused, Err(AppendError::Unavailable(_))), "{refused:?}");
    let stream = StreamId::verification(verification(1));
    log.read_stream(&stream, 0).await.unwrap_err();
    assert_eq!((*log.head().borrow(), log.waiting_count()), (1, 1));

    start(&ground).await;
    assert_eq!(log.append(vec![second()]).await, Ok(2));
    assert_eq!(log.append(vec![first()]).await, Ok(1));
    assert_eq!(log.read_stream(&stream, 0).await.unwrap().len(), 1);
    assert_eq!(log.append(vec![append(1, 1, vec![failed(1, 1)])]).await, Ok(3));
    assert_eq!(log.waiting_count(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_went_back_is_not_written() {
    let ground = Ground::new().await;
    let log = ground.open().await;
    for number in 1..=3 {
        log.append(vec![append(number, 0, vec![requested(number, number)])]).await.unwrap();
    }
    let lost = "DELETE FROM log_event WHERE position > 1; \
                UPDATE log_head SET position = 1";
    ground.run(lost).await;
    let refused = log.append(vec![append(9, 0, vec![requested(9, 9)])]).await;
    let Err(AppendError::Broken(reason)) = refused else { panic!("{refused:?}") };
    let said = tokio::time::timeout(Duration::from_secs(5), log.broken()).await.unwrap();
    for reason in [reason, said] {
        assert!(reason.contains("position 1, but position 3 was durable"), "{reason}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_only_reads_sees_that_the_log_went_back() {
    let ground = Ground::new().await;
    let log = ground.open().await;
    log.append(vec![append(1, 0, vec![requested(1, 1)])]).await.unwrap();
    ground.run("UPDATE log_head SET hash = decode(repeat('77', 32), 'hex')").await;
    let said = tokio::time::timeout(Duration::from_secs(5), log.broken()).await.unwrap();
    assert!(said.contains("other events stand there"), "{said}");
    let refused = log.append(vec![append(2, 0, vec![requested(2, 2)])]).await;
    assert!(matches!(refused, Err(AppendError::Broken(_))), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_that_is_held_is_waited_for() {
    let ground = Ground::new().await;
    let log = ground.open().await;
    let mut other = ground.connect().await;
    let mut held = other.begin().await.unwrap();
    sqlx::query("SELECT * FROM log_head FOR UPDATE").execute(&mut *held).await.unwrap();
    let appending = log.append(vec![append(1, 0, vec![requested(1, 1)])]);
    let mut appending = std::pin::pin!(appending);
    let early = tokio::time::timeout(Duration::from_millis(300), &mut appending).await;
    assert!(early.is_err(), "{early:?}");
    held.rollback().await.unwrap();
    assert_eq!(appending.await, Ok(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_is_written_before_the_log_is_closed() {
    let ground = Ground::new().await;
    let log = ground.open().await;
    let appends = (1..=50).map(|number| {
        let log = log.clone();
        async move { log.append(vec![append(number, 0, vec![requested(number, number)])]).await }
    });
    let (outcomes, ()) = tokio::join!(join_all(appends), log.close());
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    let refused = log.append(vec![append(99, 0, vec![requested(99, 99)])]).await;
    assert_eq!(refused, Err(AppendError::Broken("the log is closed".to_owned())));
    log.read_all(0, 1).await.unwrap_err();
    assert_eq!(*ground.open().await.head().borrow(), 50);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_try_that_was_cut_off_anywhere_is_made_good_by_the_next() {
    let ground = Ground::new().await;
    let nothing = status::Known { tip: crate::draft::Tip::empty(), counted: 0 };
    let mut next = ground.connect().await;
    let mut nobody = Queue::new(1, 1).1;
    let mut committed_unheard = 0;
    for number in 1..=60 {
        let events = vec![requested(number, number), confirmed(number, number)];
        let mut batch = Batch::of([Call::new(vec![append(number, 0, events)]).unwrap()]);
        let mut cut = ground.connect().await;
        let time = Duration::from_micros(number * 100);
        let first = batch::settle(&mut cut, &mut batch, &mut nobody, nothing);
        let first = tokio::time::timeout(time, first).await;
        drop(cut);
        // It waits for whatever the first may still be doing.
        let second = batch::settle(&mut next, &mut batch, &mut nobody, nothing).await.unwrap();
        assert_eq!(second.outcomes, [Ok(2 * number)]);
        assert_eq!(second.head.position + second.written.events.len() as u64, 2 * number);
        committed_unheard += u64::from(first.is_err() && second.written.events.is_empty());
    }
    println!("{committed_unheard} of 60 were committed unheard");
    let log = ground.open().await;
    assert_eq!(log.check(0, READ_EVENTS_MAX).await.unwrap().position, 120);
    assert_eq!(log.waiting_count(), 0);
}
