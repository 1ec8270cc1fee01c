//! Several replicas on one database: each claim and version goes to one of them, and every reader
//! sees every event once, in order.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Instant;

use ccd402_app::contract::sample::{
    append, append_to, cause, confirmed, followed, network, requested, transaction, verification,
};
use futures::future::join_all;

use super::tests::Ground;
use super::*;
use crate::prepare::Call;
use crate::queue::Batch;

/// Lets the reader of many writers read so many events instead of some thousand.
const EVENTS: &str = "CCD402_TEST_EVENTS";
/// Longest that a replica may take to see what another has appended.
const SEEN_MAX: Duration = Duration::from_secs(5);

async fn sees(log: &PostgresLog, position: Position) {
    let mut head = log.head();
    let seen = tokio::time::timeout(SEEN_MAX, head.wait_for(|head| *head >= position));
    seen.await.expect("the head moves").expect("the log lives");
}

/// What a reader has seen of each stream, and a hash over all of it.
type Tailed = (BTreeMap<StreamId, u64>, u64);

/// Reads on until it has seen so many events, each of which must be the next of all and of its
/// stream.
async fn tail(log: &PostgresLog, count: Position) -> Tailed {
    let (mut head, mut after) = (log.head(), 0);
    let mut versions: BTreeMap<StreamId, u64> = BTreeMap::new();
    let mut hash = DefaultHasher::new();
    while after < count {
        head.wait_for(|head| *head > after).await.expect("the log lives");
        let page = log.read_all(after, 500).await.unwrap();
        assert!(!page.is_empty(), "what the head says is there to read");
        for recorded in page {
            after += 1;
            assert_eq!(recorded.position, after);
            let version = versions.entry(recorded.stream).or_default();
            *version += 1;
            assert_eq!(recorded.version, *version);
            recorded.id.hash(&mut hash);
        }
    }
    (versions, hash.finish())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_replicas_that_claim_a_transaction_one_wins() {
    const CLAIMS: u64 = 150;
    let ground = Ground::new().await;
    let logs = join_all((0..4).map(|_| ground.open())).await;
    let claims = (0..CLAIMS).flat_map(|claim| (0_u64..4).map(move |replica| (claim, replica)));
    let outcomes = join_all(claims.map(|(claim, replica)| {
        let (log, number) = (logs[replica as usize].clone(), 1_000 * replica + claim);
        tokio::spawn(async move {
            let events = vec![requested(number, claim), confirmed(number, claim)];
            (claim, number, log.append(vec![append(number, 0, events)]).await)
        })
    }))
    .await;
    let (mut winners, mut losers) = (BTreeMap::new(), Vec::new());
    for outcome in outcomes {
        match outcome.unwrap() {
            (claim, number, Ok(_)) => {
                assert_eq!(winners.insert(claim, verification(number)), None);
            }
            (claim, _, Err(AppendError::ClaimConflict { owner, .. })) => {
                losers.push((claim, owner));
            }
            (claim, _, Err(other)) => panic!("{claim}: {other}"),
        }
    }
    assert_eq!((winners.len() as u64, losers.len() as u64), (CLAIMS, 3 * CLAIMS));
    assert!(losers.iter().all(|(claim, owner)| winners[claim] == *owner));
    for log in &logs {
        sees(log, 2 * CLAIMS).await;
        assert_eq!(*log.head().borrow(), 2 * CLAIMS);
        for (claim, winner) in &winners {
            let owner = log.claim_owner(&network(), transaction(*claim)).await.unwrap();
            assert_eq!(owner, Some(*winner));
        }
        assert_eq!(log.waiting_count(), 0);
    }
}

/// A stream that begins is taken for new until it is written: whoever comes second is told, and what
/// was in the same batch is not harmed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_replicas_that_begin_a_stream_one_wins() {
    const STREAMS: u64 = 150;
    let ground = Ground::new().await;
    let logs = join_all((0..4).map(|_| ground.open())).await;
    let begins = (0..STREAMS).flat_map(|stream| (0_u64..4).map(move |replica| (stream, replica)));
    let outcomes = join_all(begins.map(|(stream, replica)| {
        let log = logs[replica as usize].clone();
        let shared =
            Append { cause: cause(replica), ..append(stream, 0, vec![requested(stream, 1)]) };
        let number = 1_000 * (1 + replica) + stream;
        let own = append(number, 0, vec![requested(number, number)]);
        tokio::spawn(async move {
            let (own, shared) = tokio::join!(log.append(vec![own]), log.append(vec![shared]));
            own.expect("nobody else begins it");
            (stream, replica, shared)
        })
    }))
    .await;
    let (mut winners, mut losers) = (BTreeMap::new(), 0);
    for outcome in outcomes {
        match outcome.unwrap() {
            (stream, replica, Ok(_)) => assert_eq!(winners.insert(stream, replica), None),
            (_, _, Err(AppendError::VersionConflict { expected: 0, actual: 1, .. })) => losers += 1,
            (stream, _, Err(other)) => panic!("{stream}: {other}"),
        }
    }
    assert_eq!((winners.len() as u64, losers), (STREAMS, 3 * STREAMS));
    let all = STREAMS + 4 * STREAMS;
    for log in &logs {
        sees(log, all).await;
        assert_eq!((*log.head().borrow(), log.waiting_count()), (all, all));
    }
    assert_eq!(logs[0].check(0, READ_EVENTS_MAX).await.unwrap().position, all);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_misses_nothing_of_many_writers() {
    const WRITERS: u64 = 16;
    let all = std::env::var(EVENTS).map_or(4_800, |events| events.parse().unwrap());
    let each = all / WRITERS;
    let ground = Ground::new().await;
    let logs = join_all((0..3).map(|_| ground.open())).await;
    let reading_only = ground.open().await;
    let readers = [&logs[0], &reading_only].map(|log| {
        let log = log.clone();
        tokio::spawn(async move { tail(&log, WRITERS * each).await })
    });
    let begun = Instant::now();
    let writers = (0..WRITERS).map(|writer| {
        let log = logs[(writer % 3) as usize].clone();
        let stream = StreamId::answer(cause(writer));
        tokio::spawn(async move {
            let mut version = 0;
            // From one event at a time to as many as there are writers; of a million, more.
            let step = (1 + writer) * all.div_ceil(64_000);
            while version < each {
                let count = step.min(each - version);
                let events = (version..version + count).map(followed).collect();
                log.append(vec![append_to(stream.clone(), version, events)]).await.unwrap();
                version += count;
            }
        })
    });
    for writer in join_all(writers).await {
        writer.unwrap();
    }
    println!("{} events in {:?}", WRITERS * each, begun.elapsed());
    let mut read = Vec::new();
    for reader in readers {
        let patience = SEEN_MAX + begun.elapsed();
        read.push(tokio::time::timeout(patience, reader).await.expect("it ends").unwrap());
    }
    assert_eq!(read[0], read[1], "all replicas read the same");
    let versions = &read[0].0;
    assert!(versions.len() as u64 == WRITERS && versions.values().all(|version| *version == each));
    let mut checked = 0;
    while checked < WRITERS * each {
        checked = reading_only.check(checked, READ_EVENTS_MAX).await.unwrap().position;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_version_goes_to_one_replica() {
    let ground = Ground::new().await;
    let logs = join_all((0..3).map(|_| ground.open())).await;
    let stream = StreamId::follower(&network());
    for version in 0..40 {
        let outcomes = join_all((0_u64..).zip(&logs).map(|(replica, log)| {
            let mut one = append_to(stream.clone(), version, vec![followed(version)]);
            one.cause = cause(1_000 * (1 + replica) + version);
            log.append(vec![one])
        }))
        .await;
        let positions: Vec<_> =
            outcomes.iter().filter_map(|outcome| outcome.as_ref().ok()).collect();
        assert_eq!(positions, [&(version + 1)]);
        for outcome in outcomes.iter().filter_map(|outcome| outcome.as_ref().err()) {
            let actual = version + 1;
            let is_conflict =
                matches!(outcome, AppendError::VersionConflict { actual: a, .. } if *a == actual);
            assert!(is_conflict, "{outcome}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_append_by_two_replicas_happens_once() {
    let ground = Ground::new().await;
    let logs = join_all((0..3).map(|_| ground.open())).await;
    for number in 1..=30 {
        let same = append(number, 0, vec![requested(number, number)]);
        let outcomes = join_all(logs.iter().map(|log| log.append(vec![same.clone()]))).await;
        assert_eq!(outcomes, [Ok(number), Ok(number), Ok(number)]);
        for log in &logs {
            assert!(*log.head().borrow() >= number, "who was told of a position can read it");
        }
    }
    for log in &logs {
        sees(log, 30).await;
    }
    let counts = async {
        while logs.iter().any(|log| log.waiting_count() != 30) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(SEEN_MAX, counts).await.expect("all replicas count the same");
}

#[tokio::test]
async fn a_notification_is_seen_before_it_is_time_to_look() {
    let mut ground = Ground::new().await;
    ground.options.poll = Duration::from_secs(3_600);
    let (writing, reading) = (ground.open().await, ground.open().await);
    // The first connection for notifications may take longer than the first append.
    for number in 1..=20 {
        let one = append(number, 0, vec![requested(number, number)]);
        writing.append(vec![one]).await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    sees(&reading, 20).await;
    assert_eq!(reading.waiting_count(), 20);
}

#[tokio::test]
async fn without_notifications_time_tells() {
    let ground = Ground::new().await;
    let reading = ground.open().await;
    let mut connection = ground.connect().await;
    let mut nobody = Queue::new(1, 1).1;
    let nothing = status::Known { tip: crate::draft::Tip::empty(), counted: 0 };
    for number in 1..=3 {
        let one = append(number, 0, vec![requested(number, number)]);
        let mut batch = Batch::of([Call::new(vec![one]).unwrap()]);
        // The transaction alone: nobody is told of it.
        let settled = batch::settle(&mut connection, &mut batch, &mut nobody, nothing);
        let settled = settled.await.unwrap();
        assert_eq!(settled.outcomes, [Ok(number)]);
        sees(&reading, number).await;
        assert_eq!(reading.waiting_count(), number);
    }
    assert_eq!(reading.read_all(0, 9).await.unwrap().len(), 3);
}

/// Replicas that are told by somebody else do not rest on the database's notifications.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_looks_when_it_is_told_to() {
    let ground = Ground::new().await;
    let poll = Duration::from_secs(3_600);
    let options = Options { poll, notifies: false, ..ground.options.clone() };
    let [one, other] = [PostgresLog::open(&options).await, PostgresLog::open(&options).await];
    let (one, other) = (one.unwrap(), other.unwrap());
    for number in 1..=3 {
        let appended = one.hints().appended;
        one.append(vec![append(number, 0, vec![requested(number, number)])]).await.unwrap();
        tokio::time::timeout(SEEN_MAX, appended.notified()).await.expect("it is told");
        assert_eq!(*other.head().borrow(), number - 1, "nobody has looked");
        other.hints().look.notify_one();
        sees(&other, number).await;
    }
}
