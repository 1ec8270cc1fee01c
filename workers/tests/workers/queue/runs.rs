//! How jobs are worked off: once, again, at their time, or never more.

use std::sync::atomic::Ordering;
use std::time::Duration;

use ccd402_app::contract::queue::job;
use ccd402_app::ports::queue::{Job, JobStatus};
use ccd402_workers::jobs::Ran;
use chrono::Utc;

use crate::queue::kit::{Kit, Scripted, Store, until};

fn failed() -> Ran {
    Ran::Retry { why: "not yet".to_owned() }
}

pub(crate) async fn each_once(kit: Kit) {
    let handler = Scripted::new(|_, _| Ran::Done);
    let runners = [kit.run(&handler, 3), kit.run(&handler, 3)];
    let jobs: Vec<Job> = (0..200).map(job).collect();
    for some in jobs.chunks(50) {
        kit.queue.push(some).await.unwrap();
    }
    kit.until_empty().await;
    assert!(jobs.iter().all(|job| handler.tries(*job) == [1]));
    assert!(handler.most.load(Ordering::SeqCst) <= 6);
    for runner in runners {
        runner.stop().await;
    }
}

pub(crate) async fn retried(kit: Kit) {
    let handler = Scripted::new(|_, attempt| if attempt < 3 { failed() } else { Ran::Done });
    let runner = kit.run(&handler, 2);
    kit.queue.push(&[job(1)]).await.unwrap();
    kit.until_empty().await;
    assert_eq!(handler.tries(job(1)), [1, 2, 3]);
    assert_eq!(kit.status(job(1).id()).await, None);
    runner.stop().await;
}

pub(crate) async fn at_its_time(kit: Kit) {
    let at = Utc::now() + Duration::from_secs(3_600);
    let handler = Scripted::new(move |_, attempt| match attempt {
        1 => Ran::RetryAt { at, why: "come back in an hour".to_owned() },
        _ => Ran::Done,
    });
    let runner = kit.run(&handler, 1);
    kit.queue.push(&[job(1), job(2)]).await.unwrap();
    let waiting = until("a job that waits", || async {
        let queued = kit.queue.show(job(1).id()).await.unwrap()?;
        (queued.attempts == 1 && queued.status == JobStatus::Waiting).then_some(queued)
    })
    .await;
    assert!(waiting.run_at >= at, "not before its time");
    assert_eq!(waiting.last_error.as_deref(), Some("come back in an hour"));
    until("the other one", || async { (handler.total() == 2).then_some(()) }).await;
    assert_eq!(kit.queue.retry(job(1).id()).await, Ok(true), "somebody has no time to wait");
    until("a try now", || async { (handler.tries(job(1)).len() == 2).then_some(()) }).await;
    assert_eq!(handler.tries(job(1)), [1, 1], "the tries before were forgotten");
    runner.stop().await;
}

pub(crate) async fn poison(kit: Kit) {
    let handler = Scripted::new(|it, _| if it == job(13) { failed() } else { Ran::Done });
    let runner = kit.run(&handler, 2);
    let jobs: Vec<Job> = (0..50).map(job).collect();
    kit.queue.push(&jobs).await.unwrap();
    let dead = kit.dead(job(13).id()).await;
    assert_eq!((dead.attempts, dead.last_error.as_deref()), (3, Some("not yet")));
    kit.until_empty().await;
    assert_eq!(kit.queue.depth().await.unwrap().dead, 1);
    kit.queue.push(&[job(13)]).await.unwrap();
    assert_eq!(kit.status(job(13).id()).await, Some(JobStatus::Dead), "a push revives nothing");
    handler.becomes(|_, _| Ran::Done);
    assert_eq!(kit.queue.retry(job(13).id()).await, Ok(true));
    until("a good end", || async { kit.status(job(13).id()).await.is_none().then_some(()) }).await;
    assert_eq!(handler.tries(job(13)), [1, 2, 3, 1]);
    assert_eq!(kit.queue.depth().await.unwrap().dead, 0);
    runner.stop().await;
}

pub(crate) async fn panicking(kit: Kit) {
    let handler = Scripted::new(|it, _| if it == job(1) { panic!("it broke") } else { Ran::Done });
    let runner = kit.run(&handler, 1);
    kit.queue.push(&[job(1), job(2)]).await.unwrap();
    let dead = kit.dead(job(1).id()).await;
    assert_eq!(dead.attempts, 3);
    assert_eq!(dead.last_error.as_deref(), Some("it panicked: it broke"));
    kit.until_empty().await;
    assert_eq!(kit.queue.drop_job(job(1).id()).await, Ok(true));
    runner.stop().await;
}

/// A job of a kind of which this version knows nothing, in the place of one that it knows.
pub(crate) async fn unknown(kit: Kit) {
    kit.queue.push(&[job(1)]).await.unwrap();
    let (queue, text) = ("ccd402:check_identity", r#"{"kind":"brew_coffee"}"#);
    match &kit.store {
        Store::Sqlite(sqlite, _) => {
            let change = sqlx::query("UPDATE Jobs SET job = ?1").bind(text.as_bytes());
            change.execute(sqlite.pool()).await.unwrap();
        }
        Store::Redis(_, server) => {
            let client = redis::Client::open(server.url()).unwrap();
            let mut redis = client.get_multiplexed_async_connection().await.unwrap();
            let id = ulid::Ulid::from_bytes(job(1).id().0.into_bytes()).to_string();
            let mut set = redis::cmd("HSET");
            set.arg(format!("{queue}:data")).arg(id).arg(text);
            set.query_async::<()>(&mut redis).await.unwrap();
        }
    }
    let handler = Scripted::new(|_, _| Ran::Done);
    let runner = kit.run(&handler, 1);
    until("a dead letter", || async { (kit.queue.depth().await.unwrap().dead == 1).then_some(()) })
        .await;
    assert_eq!(handler.total(), 0);
    runner.stop().await;
}

pub(crate) async fn drained(kit: Kit) {
    let handler = Scripted::taking(Duration::from_millis(700), |_, _| Ran::Done);
    let runner = kit.run(&handler, 2);
    let jobs: Vec<Job> = (0..20).map(job).collect();
    kit.queue.push(&jobs).await.unwrap();
    until("two that run", || async { (handler.total() == 2).then_some(()) }).await;
    runner.stop().await;
    let ran = handler.total();
    assert!((2..=3).contains(&ran), "{ran} were begun");
    let depth = kit.queue.depth().await.unwrap();
    assert_eq!(depth.waiting, 20 - ran as u64, "what ran has ended, the rest is there");
    let runner = kit.run(&handler, 20);
    kit.until_empty().await;
    assert!(jobs.iter().all(|job| handler.tries(*job).len() == 1), "none ran twice");
    runner.stop().await;
}

pub(crate) async fn again(kit: Kit) {
    let handler = Scripted::new(|_, _| Ran::Done);
    let runner = kit.run(&handler, 1);
    for times in 1..=3 {
        kit.queue.push(&[job(1)]).await.unwrap();
        until("a run", || async { (handler.tries(job(1)).len() == times).then_some(()) }).await;
        kit.until_empty().await;
    }
    runner.stop().await;
}
