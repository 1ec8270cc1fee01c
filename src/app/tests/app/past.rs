//! The past: what is built of it is what was known then; few are kept, and one is built at a time.

use std::sync::Arc;
use std::time::Duration;

use ccd402_app::contract::sample::{append, confirmed, requested, time};
use ccd402_app::error::Error;
use ccd402_app::past::{KEPT_MAX, Past, Pasts};
use ccd402_app::ports::log::{Append, EventLog};
use ccd402_app::ports::read_model::{Filter, Status};
use ccd402_app::reads::Reads;
use ccd402_store::MemoryLog;
use ccd402_store::sqlite::SqliteArchive;
use chrono::TimeDelta;
use tempfile::TempDir;

const VERIFICATIONS: u64 = 10;
const PATIENCE: Duration = Duration::from_secs(30);

/// Verifications that are handed in one after the other, a minute each, then all confirmed.
async fn pasts() -> (Pasts, TempDir) {
    let log: Arc<dyn EventLog> = Arc::new(MemoryLog::default());
    let at =
        |append: Append, minutes| Append { time: time() + TimeDelta::minutes(minutes), ..append };
    for number in 1..=VERIFICATIONS {
        let handed_in = append(number, 0, vec![requested(number, number)]);
        log.append(vec![at(handed_in, number as i64)]).await.unwrap();
    }
    for number in 1..=VERIFICATIONS {
        let decided = append(number, 1, vec![confirmed(number, number)]);
        log.append(vec![at(decided, 60)]).await.unwrap();
    }
    let dir = tempfile::tempdir().unwrap();
    (Pasts::new(log, Arc::new(SqliteArchive::new(dir.path()))), dir)
}

async fn built(pasts: &Pasts, until: u64) -> Arc<Reads> {
    let building = async {
        loop {
            match pasts.show(until) {
                Past::Built(reads) => return reads,
                Past::UnderWay(_) => tokio::task::yield_now().await,
                Past::Absent | Past::Failed => panic!("it is not built"),
            }
        }
    };
    tokio::time::timeout(PATIENCE, building).await.expect("it is built")
}

async fn count(reads: &Reads, status: Status) -> usize {
    let filter = Filter { status: Some(status), ..Filter::default() };
    reads.model().list(&filter, None, 100).await.unwrap().rows.len()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_past_is_what_was_known_then() {
    let (pasts, _dir) = pasts().await;
    assert!(pasts.ask(7).unwrap());
    let reads = built(&pasts, 7).await;
    assert_eq!(
        (count(&reads, Status::Pending).await, count(&reads, Status::Confirmed).await),
        (7, 0)
    );
    assert!(pasts.ask(13).unwrap());
    let reads = built(&pasts, 13).await;
    assert_eq!(
        (count(&reads, Status::Pending).await, count(&reads, Status::Confirmed).await),
        (7, 3)
    );
    assert_eq!(pasts.list().0, [13, 7]);
    for bad in [0, 2 * VERIFICATIONS + 1] {
        assert!(matches!(pasts.ask(bad), Err(Error::Malformed(_))), "{bad}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_is_built_at_a_time_and_few_are_kept() {
    let (pasts, dir) = pasts().await;
    let all = 1..=(KEPT_MAX as u64 + 2);
    for until in all.clone() {
        assert!(pasts.ask(until).unwrap());
        if let Past::UnderWay(under_way) = pasts.show(until) {
            assert_eq!(under_way.until, until);
            assert!(!pasts.ask(until + 1).unwrap(), "another one is being built");
        }
        built(&pasts, until).await;
        // What is looked at again stays.
        built(&pasts, 1).await;
    }
    let (kept, under_way) = pasts.list();
    assert_eq!((kept.len(), under_way), (KEPT_MAX, None));
    assert!(kept.contains(&1) && !kept.contains(&2));
    let dirs = || std::fs::read_dir(dir.path().join("past")).unwrap().count();
    let removing = async {
        while dirs() != KEPT_MAX {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, removing).await.expect("what is not kept takes no room");
    SqliteArchive::new(dir.path());
    assert!(!dir.path().join("past").exists(), "a new process begins with none");
}

#[tokio::test]
async fn a_time_has_the_last_event_before_it() {
    let (pasts, _dir) = pasts().await;
    let at = async |seconds| pasts.position_at(time() + TimeDelta::seconds(seconds)).await.unwrap();
    assert_eq!(at(0).await, None);
    assert_eq!(at(60).await, Some(1));
    assert_eq!(at(239).await, Some(3));
    assert_eq!(at(240).await, Some(4));
    assert_eq!(at(3_599).await, Some(VERIFICATIONS));
    assert_eq!(at(1_000_000).await, Some(2 * VERIFICATIONS));
    assert_eq!(pasts.time_of(4).await.unwrap(), Some(time() + TimeDelta::minutes(4)));
    assert_eq!(pasts.time_of(0).await.unwrap(), None);
}
