//! Leases in a real PostgreSQL server: one holder at a time, and none that writes after it.

use ccd402_app::contract::sample::{append, append_to, cause, followed, requested, verification};
use ccd402_app::ports::lease::{Fence, LeaseName, Leases as _};
use ccd402_domain::event::Event;
use futures::future::join_all;

use super::tests::Ground;
use super::*;

/// Longer than these tests take.
const LONG: Duration = Duration::from_secs(600);
const SHORT: Duration = Duration::from_millis(300);

fn name() -> LeaseName {
    LeaseName::new("follower")
}

/// Takes it as soon as it is free.
async fn takes(leases: &PostgresLeases) -> Fence {
    let taken = async {
        loop {
            if let Some(fence) = leases.take(&name()).await.unwrap() {
                return fence;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), taken).await.expect("it becomes free")
}

async fn append_under(log: &PostgresLog, fence: &Fence, number: u64) -> Result<u64, AppendError> {
    let events = vec![requested(number, number)];
    log.append_under(Some(fence), vec![append(number, 0, events)]).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_who_want_a_lease_one_has_it() {
    let ground = Ground::new().await;
    let logs = join_all((0..4).map(|_| ground.open())).await;
    for epoch in 1..=10 {
        let takes = (0..16).map(|one: usize| {
            let leases = logs[one % 4].leases(format!("process {one}"), LONG);
            tokio::spawn(async move { leases.take(&name()).await.unwrap().map(|it| (it, leases)) })
        });
        let taken = join_all(takes).await.into_iter().filter_map(Result::unwrap);
        let [(fence, leases)] = taken.collect::<Vec<_>>().try_into().ok().expect("one has it");
        assert_eq!(fence, Fence { lease: name(), epoch });
        assert!(leases.renew(&fence).await.unwrap());
        leases.give_up(&fence).await.unwrap();
    }
    let [lease] = logs[0].leases("looks", LONG).list().await.unwrap().try_into().unwrap();
    assert_eq!((lease.name, lease.epoch, lease.remaining), (name(), 10, None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_is_kept_by_renewing_and_ends_without() {
    let ground = Ground::new().await;
    let log = ground.open().await;
    let (one, other) = (log.leases("one", SHORT), log.leases("other", LONG));
    let fence = takes(&one).await;
    let begun = std::time::Instant::now();
    while begun.elapsed() < 3 * SHORT {
        assert!(one.renew(&fence).await.unwrap());
        assert_eq!(other.take(&name()).await.unwrap(), None);
    }
    let held = other.list().await.unwrap();
    assert_eq!((held[0].holder.as_str(), held[0].remaining.is_some()), ("one", true));
    let next = takes(&other).await;
    assert_eq!(next.epoch, fence.epoch + 1);
    assert!(!one.renew(&fence).await.unwrap());
    one.give_up(&fence).await.unwrap();
    assert_eq!(one.take(&name()).await.unwrap(), None, "who lost it gives nothing up");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_appended_under_an_older_epoch() {
    let ground = Ground::new().await;
    let logs = join_all((0..2).map(|_| ground.open())).await;
    let old = takes(&logs[0].leases("old", SHORT)).await;
    append_under(&logs[0], &old, 1).await.unwrap();
    let new = takes(&logs[1].leases("new", LONG)).await;
    for (number, log) in [(2, &logs[0]), (3, &logs[1])] {
        assert_eq!(append_under(log, &old, number).await, Err(AppendError::Fenced(name())));
        append_under(log, &new, number).await.unwrap();
    }
    let unknown = Fence { lease: LeaseName::new("never taken"), epoch: 1 };
    let refused = append_under(&logs[0], &unknown, 4).await;
    assert_eq!(refused, Err(AppendError::Fenced(unknown.lease)));
    // Beside others in one batch it fails alone.
    let both = tokio::join!(
        append_under(&logs[0], &old, 5),
        logs[0].append(vec![append(6, 0, vec![requested(6, 6)])])
    );
    assert_eq!(both, (Err(AppendError::Fenced(name())), Ok(4)));
    assert!(
        logs[0].read_stream(&StreamId::verification(verification(5)), 0).await.unwrap().is_empty()
    );
}

/// Two processes believe that they follow: each event is one's, and from the second epoch on none is
/// the first's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn epochs_never_mix() {
    const ROUNDS: u64 = 20;
    let ground = Ground::new().await;
    let logs = join_all((0..2).map(|_| ground.open())).await;
    let stream = StreamId::from_stored("epochs".to_owned());
    let writer = |log: PostgresLog, fence: Fence| {
        let stream = stream.clone();
        // Appends until it is told that it must not.
        tokio::spawn(async move {
            loop {
                let version = log.versions(std::slice::from_ref(&stream)).await.unwrap()[0];
                let append = epoch_event(&stream, version, &fence);
                match log.append_under(Some(&fence), vec![append]).await {
                    Ok(_) | Err(AppendError::VersionConflict { .. }) => {}
                    Err(AppendError::Fenced(_)) => return,
                    Err(error) => panic!("{error}"),
                }
            }
        })
    };
    let mut writers = Vec::new();
    for round in 0..ROUNDS {
        let log = &logs[(round % 2) as usize];
        let fence = takes(&log.leases(format!("{round}"), Duration::from_millis(50))).await;
        writers.push(writer(log.clone(), fence));
    }
    takes(&logs[0].leases("last", LONG)).await;
    for writer in writers {
        tokio::time::timeout(Duration::from_secs(10), writer).await.expect("it ends").unwrap();
    }
    let epochs: Vec<u64> = logs[0]
        .read_stream(&stream, 0)
        .await
        .unwrap()
        .iter()
        .map(|recorded| match &recorded.event {
            Event::BlockFollowed(followed) => followed.block.height,
            other => panic!("{other:?}"),
        })
        .collect();
    assert!(epochs.is_sorted(), "{epochs:?}");
    assert!(*epochs.last().unwrap() > ROUNDS / 2, "{epochs:?}");
}

/// An event that tells under which epoch it was written.
fn epoch_event(stream: &StreamId, version: u64, fence: &Fence) -> Append {
    let events = vec![followed(fence.epoch)];
    let cause = cause(1_000 * version + fence.epoch);
    Append { cause, ..append_to(stream.clone(), version, events) }
}

#[tokio::test]
async fn processes_know_whether_they_share_a_secret() {
    let ground = Ground::new().await;
    let log = ground.open().await;
    for (name, fingerprint, is_shared) in
        [("one", 1, true), ("one", 1, true), ("one", 2, false), ("two", 2, true)]
    {
        assert_eq!(log.shares_secret(name, &[fingerprint; 32]).await.unwrap(), is_shared);
    }
}

/// A process that stands still in the middle of an append holds the head's lock: others take its
/// leases over all the same, and append.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_stands_still_in_an_append_holds_nobody_up_for_long() {
    let ground = Ground::new().await;
    let log = ground.open().await;
    takes(&log.leases("stands still", SHORT)).await;
    let options = super::connect::parse(&ground.options.url).unwrap();
    let mut still = super::connect::connect(&options).await.unwrap();
    let mut transaction = sqlx::Connection::begin(&mut still).await.unwrap();
    super::batch::lock_head(&mut transaction).await.unwrap();
    let begun = std::time::Instant::now();
    takes(&log.leases("takes over", LONG)).await;
    log.append(vec![append(1, 0, vec![requested(1, 1)])]).await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
    assert!(transaction.commit().await.is_err(), "it is cut off");
}
