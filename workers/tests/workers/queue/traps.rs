//! What is known to go wrong with apalis' backends, each closed by a test.

use std::time::{Duration, Instant};

use ccd402_app::contract::queue::job;
use ccd402_app::ports::queue::{Job, JobQueue as _};
use ccd402_workers::jobs::Ran;
use ccd402_workers::queue::WAITING_MAX;
use ccd402_workers::queue::redis::RedisQueue;
use ccd402_workers::queue::sqlite::SqliteQueue;
use redis::AsyncCommands as _;

use crate::queue::kit::{Kit, Scripted, Store, run_on, until};

/// Longer than a worker may be silent.
const LONG_JOB: Duration = Duration::from_millis(4_500);

pub(crate) async fn long(kit: Kit) {
    let handler = Scripted::taking(LONG_JOB, |_, _| Ran::Done);
    let runners = [kit.run(&handler, 2), kit.run(&handler, 2)];
    let jobs: Vec<Job> = (0..8).map(job).collect();
    kit.queue.push(&jobs).await.unwrap();
    kit.until_empty().await;
    assert!(jobs.iter().all(|job| handler.tries(*job) == [1]), "{:?}", handler.tries);
    for runner in runners {
        runner.stop().await;
    }
}

pub(crate) async fn killed(kit: Kit) {
    let stuck = Scripted::taking(Duration::from_secs(3_600), |_, _| Ran::Done);
    let gone = kit.run(&stuck, 2);
    kit.queue.push(&[job(1), job(2)]).await.unwrap();
    until("two that run", || async { (stuck.total() == 2).then_some(()) }).await;
    gone.task.abort();
    let handler = Scripted::new(|_, _| Ran::Done);
    let runner = kit.run(&handler, 2);
    kit.until_empty().await;
    for number in [1, 2] {
        assert_eq!(handler.tries(job(number)).len(), 1);
        assert!(handler.tries(job(number))[0] > 1, "the try that was cut off counts");
    }
    runner.stop().await;
}

pub(crate) async fn many(kit: Kit) {
    let handler = Scripted::new(|_, _| Ran::Done);
    let jobs: Vec<Job> = (0..WAITING_MAX).map(job).collect();
    for some in jobs.chunks(500) {
        kit.queue.push(some).await.unwrap();
    }
    let runner = kit.run(&handler, 16);
    kit.until_empty().await;
    assert_eq!(handler.total(), jobs.len());
    runner.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_is_durable_though_the_setup_turns_that_off() {
    let kit = Kit::sqlite().await;
    let Store::Sqlite(queue, _) = &kit.store else { unreachable!("it is SQLite") };
    let mut held = Vec::new();
    while held.len() < queue.pool().options().get_max_connections() as usize {
        let mut connection = queue.pool().acquire().await.unwrap();
        let level: i64 =
            sqlx::query_scalar("PRAGMA synchronous").fetch_one(&mut *connection).await.unwrap();
        let journal: String =
            sqlx::query_scalar("PRAGMA journal_mode").fetch_one(&mut *connection).await.unwrap();
        let cache: i64 =
            sqlx::query_scalar("PRAGMA cache_size").fetch_one(&mut *connection).await.unwrap();
        assert_eq!((level, journal.as_str()), (1, "wal"), "1 is NORMAL");
        assert_eq!(cache, -16 * 1024, "KiB");
        held.push(connection);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_process_held_runs_as_soon_as_the_file_is_opened() {
    let kit = Kit::sqlite().await;
    let stuck = Scripted::taking(Duration::from_secs(3_600), |_, _| Ran::Done);
    let gone = kit.run(&stuck, 1);
    kit.queue.push(&[job(1)]).await.unwrap();
    until("one that runs", || async { (stuck.total() == 1).then_some(()) }).await;
    gone.task.abort();
    let Store::Sqlite(_, dir) = &kit.store else { unreachable!("it is SQLite") };
    let opened = SqliteQueue::open(&dir.path().join("jobs.sqlite")).await.unwrap();
    let handler = Scripted::new(|_, _| Ran::Done);
    let begun = Instant::now();
    let runner = run_on(&(std::sync::Arc::new(opened) as _), &handler, 1);
    until("a run", || async { (handler.tries(job(1)) == [2]).then_some(()) }).await;
    assert!(begun.elapsed() < Duration::from_millis(2_500), "before a heartbeat could be missed");
    runner.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pushed_job_begins_at_once_in_redis() {
    let kit = Kit::redis().await;
    let handler = Scripted::new(|_, _| Ran::Done);
    let runner = kit.run(&handler, 1);
    kit.queue.push(&[job(1)]).await.unwrap();
    kit.until_empty().await;
    // The worker sleeps now: without polling it would look again after its heartbeats only.
    for number in 2..6 {
        let begun = Instant::now();
        kit.queue.push(&[job(number)]).await.unwrap();
        kit.until_empty().await;
        assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    }
    runner.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_outlive_a_redis_that_is_killed_and_lost_everything() {
    let mut kit = Kit::redis().await;
    let handler = Scripted::new(|_, _| Ran::Done);
    let runner = kit.run(&handler, 2);
    kit.queue.push(&[job(1)]).await.unwrap();
    kit.queue.set_checkpoint("log", 7).await.unwrap();
    kit.until_empty().await;
    let Store::Redis(_, server) = &mut kit.store else { unreachable!("it is Redis") };
    server.kill();
    assert!(kit.queue.push(&[job(2)]).await.is_err());
    server.restart();
    until("an answer", || async { kit.queue.push(&[job(2)]).await.ok() }).await;
    assert_eq!(kit.queue.checkpoint("log").await, Ok(None), "who wrote it sees what was lost");
    until("a run", || async { (handler.tries(job(2)) == [1]).then_some(()) }).await;
    runner.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_goes_on_after_redis_was_flushed_under_it() {
    let kit = Kit::redis().await;
    let Store::Redis(_, server) = &kit.store else { unreachable!("it is Redis") };
    let handler = Scripted::taking(Duration::from_millis(300), |_, _| Ran::Done);
    let runner = kit.run(&handler, 1);
    kit.queue.push(&[job(1), job(2)]).await.unwrap();
    until("one that runs", || async { (handler.total() == 1).then_some(()) }).await;
    let client = redis::Client::open(server.url()).unwrap();
    let mut redis = client.get_multiplexed_async_connection().await.unwrap();
    let _: () = redis.flushall().await.unwrap();
    kit.queue.push(&[job(3)]).await.unwrap();
    until("a run", || async { (handler.tries(job(3)) == [1]).then_some(()) }).await;
    kit.until_empty().await;
    runner.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_outlive_a_redis_that_does_not_answer_for_a_while() {
    let kit = Kit::redis().await;
    let Store::Redis(_, server) = &kit.store else { unreachable!("it is Redis") };
    let handler = Scripted::new(|_, _| Ran::Done);
    let runner = kit.run(&handler, 2);
    kit.queue.push(&[job(1)]).await.unwrap();
    kit.until_empty().await;
    server.signal("STOP");
    let pushed = tokio::time::timeout(Duration::from_secs(20), kit.queue.push(&[job(2)])).await;
    assert!(pushed.unwrap().is_err(), "it is told in bounded time");
    server.signal("CONT");
    until("an answer", || async { kit.queue.push(&[job(3)]).await.ok() }).await;
    until("a run", || async { (handler.tries(job(3)) == [1]).then_some(()) }).await;
    runner.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_is_away_fails_in_bounded_time() {
    let queue = RedisQueue::open("redis://127.0.0.1:1/").unwrap();
    let pushed = tokio::time::timeout(Duration::from_secs(20), queue.push(&[job(1)])).await;
    assert!(pushed.unwrap().is_err());
    assert!(RedisQueue::open("http://127.0.0.1").is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_file_is_moved_aside() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("jobs.sqlite");
    std::fs::write(
        &path,
        b"this is no database, but is long enough to be taken for one. ".repeat(99),
    )
    .unwrap();
    let queue = SqliteQueue::open(&path).await.unwrap();
    queue.push(&[job(1)]).await.unwrap();
    let names = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(names.map(|name| name.into_string().unwrap()).any(|name| name.contains("broken")));
}

/// A server that came back with old data, or another that took over, may lack jobs.
#[tokio::test(flavor = "multi_thread")]
async fn what_another_run_of_redis_was_told_does_not_count() {
    const NOTES: &str = "ccd402:checkpoints";
    let kit = Kit::redis().await;
    let Store::Redis(_, server) = &kit.store else { unreachable!("it is Redis") };
    kit.queue.set_checkpoint("log", 7).await.unwrap();
    assert_eq!(kit.queue.checkpoint("log").await, Ok(Some(7)));
    let client = redis::Client::open(server.url()).unwrap();
    let mut redis = client.get_multiplexed_async_connection().await.unwrap();
    let noted: String = redis.hget(NOTES, "log").await.unwrap();
    let (_, run) = noted.split_once(' ').unwrap();
    for other in ["7".to_owned(), format!("7 {}", run.to_uppercase()), format!("x {run}")] {
        let _: () = redis.hset(NOTES, "log", &other).await.unwrap();
        assert_eq!(kit.queue.checkpoint("log").await, Ok(None), "{other}");
    }
    let _: () = redis.hset(NOTES, "log", noted).await.unwrap();
    assert_eq!(kit.queue.checkpoint("log").await, Ok(Some(7)));
}
