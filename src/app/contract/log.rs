//! What every event log must do. Durability is not asked here: that needs the adapter's own files.
//!
//! Each function takes a log that is empty. [`log_contract`](crate::log_contract) makes a test of
//! each.

use std::sync::Arc;

#[path = "lines.rs"]
mod lines;
#[path = "waits.rs"]
mod waits;

use ccd402_domain::event::Event;
use ccd402_domain::ids::VerificationId;
use futures::future::join_all;

use super::sample::{
    append, append_to, binding_verified, cause, confirmed, failed, failed_because, followed,
    network, other_network, payment, requested, time, transaction, verification,
};
use crate::ports::log::{
    APPEND_EVENTS_MAX, ATTACHMENT_BYTES_MAX, Append, AppendError, EVENT_BYTES_MAX, EventLog,
    Position, READ_EVENTS_MAX, Recorded, StreamId, Waiting,
};

pub use lines::{
    stored_lines_are_read_and_checked_in_pages, streams_are_named_in_pages,
    versions_are_told_for_many_streams_at_once,
};
pub use waits::waiting_is_counted_for_each_tenant;

/// Makes a test of every function of the suite. Takes an async function that returns an empty log
/// and whatever must outlive it.
#[macro_export]
macro_rules! log_contract {
    ($fresh:path) => {
        $crate::log_contract!($fresh:
            positions_are_gapless_from_one
            streams_read_back_what_was_appended
            an_unexpected_version_is_refused
            an_append_of_several_streams_is_all_or_nothing
            one_stream_twice_in_an_append_counts_on
            a_claim_is_given_once
            of_a_thousand_claims_at_once_one_wins
            the_same_events_again_are_success
            other_events_at_the_same_place_are_refused
            waiting_begins_and_ends
            waiting_is_read_in_pages
            waiting_is_counted_for_each_tenant
            who_asked_first_waits_first
            attachments_are_kept_until_released
            the_head_moves_with_the_log
            bounds_are_kept
            the_whole_log_is_read_in_pages
            streams_are_named_in_pages
            versions_are_told_for_many_streams_at_once
            stored_lines_are_read_and_checked_in_pages
        );
    };
    ($fresh:path: $($name:ident)+) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            let (log, _outlives) = $fresh().await;
            $crate::contract::log::$name(log).await;
        }
    )+};
}

/// The log under test.
type Log = Arc<dyn EventLog>;

/// Positions count from 1 without a gap, over streams, refused appends and several events at once.
pub async fn positions_are_gapless_from_one(log: Log) {
    assert_eq!(put(&log, append(1, 0, vec![requested(1, 1)])).await, 1);
    assert_eq!(put(&log, append(2, 0, vec![requested(2, 2), binding_verified(2)])).await, 3);
    log.append(vec![append(2, 0, vec![failed(2, 2)])]).await.expect_err("version 0 is taken");
    assert_eq!(put(&log, append(1, 1, vec![binding_verified(1)])).await, 4);
    let all = log.read_all(0, 10).await.expect("the log reads");
    assert_eq!(all.iter().map(|event| event.position).collect::<Vec<_>>(), [1, 2, 3, 4]);
    assert_eq!(all.iter().map(|event| event.version).collect::<Vec<_>>(), [1, 1, 2, 2]);
}

/// A stream reads back event by event, from any version, and no other stream is in it.
pub async fn streams_read_back_what_was_appended(log: Log) {
    let events = vec![requested(1, 1), binding_verified(1), confirmed(1, 1)];
    put(&log, append(1, 0, events.clone())).await;
    put(&log, append(11, 0, vec![requested(11, 11)])).await;
    let answered = append_to(StreamId::answer(cause(5)), 0, vec![followed(1)]);
    put(&log, answered).await;

    let stream = StreamId::verification(verification(1));
    let read = log.read_stream(&stream, 0).await.expect("the stream reads");
    assert_eq!(read.iter().map(|one| one.event.clone()).collect::<Vec<_>>(), events);
    assert!(read.iter().all(|one| one.time == time() && one.stream == stream));
    assert_eq!(read, log.read_all(0, 3).await.expect("the log reads"));
    assert_eq!(read[1..], log.read_stream(&stream, 1).await.expect("the stream reads"));
    assert!(log.read_stream(&stream, 3).await.expect("the stream reads").is_empty());
    let nobody = StreamId::verification(verification(9));
    assert!(log.read_stream(&nobody, 0).await.expect("the stream reads").is_empty());
    assert_eq!(log.read_last(&nobody).await, Ok(None));
    assert_eq!(log.read_last(&stream).await, Ok(read.last().cloned()));
}

/// An append must say the version that the stream has, neither less nor more.
pub async fn an_unexpected_version_is_refused(log: Log) {
    put(&log, append(1, 0, vec![requested(1, 1), binding_verified(1)])).await;
    for expected in [0, 1, 3, 7] {
        let refused = log.append(vec![append(1, expected, vec![failed(1, 1)])]).await;
        let stream = StreamId::verification(verification(1));
        let conflict = AppendError::VersionConflict { stream, expected, actual: 2 };
        assert_eq!(refused, Err(conflict), "expected version {expected}");
    }
    let refused = log.append(vec![append(2, 1, vec![failed(2, 2)])]).await;
    assert!(matches!(refused, Err(AppendError::VersionConflict { actual: 0, .. })), "{refused:?}");
    assert_eq!(*log.head().borrow(), 2);
}

/// Where one stream is refused, the others do not happen, nor their claims, waits, attachments.
pub async fn an_append_of_several_streams_is_all_or_nothing(log: Log) {
    put(&log, append(3, 0, vec![requested(3, 3)])).await;
    let mut with_proofs = append(1, 0, vec![requested(1, 1)]);
    with_proofs.attachment = Some(b"proofs".to_vec());
    let claims = append(2, 0, vec![requested(2, 2), confirmed(2, 2)]);
    let refused = append(3, 0, vec![failed(3, 3)]);
    let batch = vec![with_proofs.clone(), claims.clone(), refused];
    log.append(batch).await.expect_err("stream 3 is at version 1");

    assert_eq!(log.read_all(0, 10).await.expect("the log reads").len(), 1);
    assert_eq!(owner(&log, 2).await, None);
    assert_eq!(log.waiting_count(), 1);
    let stream = StreamId::verification(verification(1));
    assert_eq!(log.attachment(&stream).await.expect("the log reads"), None);

    let batch = vec![with_proofs, claims, append(3, 1, vec![failed(3, 3)])];
    assert_eq!(log.append(batch).await, Ok(5));
    assert_eq!(owner(&log, 2).await, Some(verification(2)));
    assert_eq!(log.waiting_count(), 1);
}

/// Two parts of one append may follow each other in one stream.
pub async fn one_stream_twice_in_an_append_counts_on(log: Log) {
    let parts = vec![append(1, 0, vec![requested(1, 1)]), append(1, 1, vec![confirmed(1, 1)])];
    assert_eq!(log.append(parts).await, Ok(2));
    assert_eq!(log.waiting_count(), 0);
    let gap = vec![append(2, 0, vec![requested(2, 2)]), append(2, 2, vec![confirmed(2, 2)])];
    log.append(gap).await.expect_err("the second part skips a version");
    assert_eq!(*log.head().borrow(), 2);
}

/// The first confirmation claims the transaction; another verification's is refused.
pub async fn a_claim_is_given_once(log: Log) {
    put(&log, append(1, 0, vec![requested(1, 5)])).await;
    put(&log, append(2, 0, vec![requested(2, 5)])).await;
    assert_eq!(owner(&log, 5).await, None);
    put(&log, append(1, 1, vec![confirmed(1, 5)])).await;
    assert_eq!(owner(&log, 5).await, Some(verification(1)));
    let refused = log.append(vec![append(2, 1, vec![confirmed(2, 5)])]).await;
    let conflict =
        AppendError::ClaimConflict { transaction: transaction(5), owner: verification(1) };
    assert_eq!(refused, Err(conflict));
    assert_eq!(owner(&log, 5).await, Some(verification(1)));
    let elsewhere = log.claim_owner(&other_network(), transaction(5)).await;
    assert_eq!(elsewhere, Ok(None), "a claim holds on its own network only");
    let both = vec![
        append(3, 0, vec![requested(3, 6), confirmed(3, 6)]),
        append(4, 0, vec![requested(4, 6), confirmed(4, 6)]),
    ];
    let refused = log.append(both).await;
    assert!(matches!(refused, Err(AppendError::ClaimConflict { .. })), "{refused:?}");
    assert_eq!(owner(&log, 6).await, None);
}

/// However many claim one transaction at the same time: one wins, the others hear who.
pub async fn of_a_thousand_claims_at_once_one_wins(log: Log) {
    let tasks = (1..=1_000).map(|number| {
        let log = Arc::clone(&log);
        tokio::spawn(async move {
            let events = vec![requested(number, 5), confirmed(number, 5)];
            (number, log.append(vec![append(number, 0, events)]).await)
        })
    });
    let outcomes = join_all(tasks).await;
    let (mut winners, mut owners) = (Vec::new(), Vec::new());
    for outcome in outcomes {
        match outcome.expect("no appender panics") {
            (number, Ok(_)) => winners.push(verification(number)),
            (_, Err(AppendError::ClaimConflict { owner, .. })) => owners.push(owner),
            (_, Err(other)) => panic!("{other}"),
        }
    }
    assert_eq!(winners.len(), 1);
    assert_eq!(owners.len(), 999);
    assert!(owners.iter().all(|owner| *owner == winners[0]));
    assert_eq!(owner(&log, 5).await, Some(winners[0]));
    assert_eq!(*log.head().borrow(), 2);
    assert_eq!(log.waiting_count(), 0);
}

/// The same append again is success with the position of the first time, and changes nothing.
pub async fn the_same_events_again_are_success(log: Log) {
    let first = vec![append(1, 0, vec![requested(1, 1)]), append(2, 0, vec![requested(2, 2)])];
    assert_eq!(log.append(first.clone()).await, Ok(2));
    let confirming = append(1, 1, vec![confirmed(1, 1)]);
    assert_eq!(put(&log, confirming.clone()).await, 3);
    assert_eq!(log.append(first.clone()).await, Ok(2));
    assert_eq!(put(&log, confirming).await, 3);

    let mut again = first;
    again.push(append(3, 0, vec![requested(3, 3)]));
    assert_eq!(log.append(again).await, Ok(4), "what is there already does not stop the rest");
    assert_eq!(log.read_all(0, 10).await.expect("the log reads").len(), 4);
    assert_eq!(log.waiting_count(), 2, "1 was confirmed and does not wait again");

    let twice = || append(7, 0, vec![requested(7, 7)]);
    let both = tokio::join!(log.append(vec![twice()]), log.append(vec![twice()]));
    assert_eq!(both, (Ok(5), Ok(5)), "at the same time, too");
}

/// Another cause, another type, or more events than stand there: a conflict.
pub async fn other_events_at_the_same_place_are_refused(log: Log) {
    put(&log, append(1, 0, vec![requested(1, 1)])).await;
    let mut other_cause = append(1, 0, vec![requested(1, 1)]);
    other_cause.cause = cause(99);
    let other_type = append(1, 0, vec![failed(1, 1)]);
    let more = append(1, 0, vec![requested(1, 1), binding_verified(1)]);
    for other in [other_cause, other_type, more] {
        let refused = log.append(vec![other]).await;
        let is_conflict =
            matches!(refused, Err(AppendError::VersionConflict { actual: 1, expected: 0, .. }));
        assert!(is_conflict, "{refused:?}");
    }
}

/// A request begins the wait; confirmation and failure end it; ending twice ends once.
pub async fn waiting_begins_and_ends(log: Log) {
    for number in 1..=3 {
        put(&log, append(number, 0, vec![requested(number, 5)])).await;
    }
    assert_eq!(log.waiting_count(), 3);
    put(&log, append(1, 1, vec![confirmed(1, 5)])).await;
    put(&log, append(2, 1, vec![failed(2, 5)])).await;
    assert_eq!(log.waiting_count(), 1);
    assert_eq!(waiters(&log, &[5]).await, [(5, vec![verification(3)])]);
    let page = log.waiting(&network(), None, 10).await.expect("the log reads");
    let closes_at = payment(5).window.closes_at;
    assert_eq!(
        page,
        [Waiting { transaction: transaction(5), verification: verification(3), closes_at }]
    );
    put(&log, append(2, 2, vec![failed(2, 5)])).await;
    assert_eq!(log.waiting_count(), 1);
    put(&log, append(4, 0, vec![requested(4, 6), failed(4, 6)])).await;
    assert_eq!(log.waiting_count(), 1);
    let elsewhere = log.waiting(&other_network(), None, 10).await.expect("the log reads");
    assert!(elsewhere.is_empty());
}

/// Pages of what waits hold each once, also where several wait for one transaction.
pub async fn waiting_is_read_in_pages(log: Log) {
    for number in 0..25 {
        put(&log, append(number, 0, vec![requested(number, number / 3)])).await;
    }
    let (mut read, mut after) = (Vec::new(), None);
    loop {
        let page = log.waiting(&network(), after, 4).await.expect("the log reads");
        assert!(page.len() <= 4);
        let Some(last) = page.last() else { break };
        after = Some(*last);
        read.extend(page);
    }
    let mut verifications: Vec<_> = read.iter().map(|waiting| waiting.verification).collect();
    verifications.sort_unstable();
    assert_eq!(verifications, (0..25).map(verification).collect::<Vec<_>>());
    assert!(log.waiting(&network(), None, 0).await.expect("the log reads").is_empty());
}

/// Who waits for a transaction is listed in the order of asking, whatever the ids are.
pub async fn who_asked_first_waits_first(log: Log) {
    for number in [8, 2, 9, 1, 5] {
        put(&log, append(number, 0, vec![requested(number, 5)])).await;
    }
    put(&log, append(3, 0, vec![requested(3, 6)])).await;
    let in_order = [8, 2, 9, 1, 5].map(verification).to_vec();
    let expected = [(5, in_order), (6, vec![verification(3)])];
    assert_eq!(waiters(&log, &[6, 5, 7]).await, expected);
    let elsewhere = log.waiting_for(&other_network(), &[transaction(5)]).await;
    assert!(elsewhere.expect("the log reads").is_empty());
}

/// An attachment stays beside its stream until an event releases it.
pub async fn attachments_are_kept_until_released(log: Log) {
    let stream = StreamId::verification(verification(1));
    let kept = async || log.attachment(&stream).await.expect("the log reads");
    assert_eq!(kept().await, None);
    let mut with_proofs = append(1, 0, vec![requested(1, 1)]);
    with_proofs.attachment = Some(vec![7; ATTACHMENT_BYTES_MAX]);
    put(&log, with_proofs).await;
    put(&log, append(1, 1, vec![binding_verified(1)])).await;
    assert_eq!(kept().await, Some(vec![7; ATTACHMENT_BYTES_MAX]));
    put(&log, append(1, 2, vec![confirmed(1, 1)])).await;
    assert_eq!(kept().await, None);

    let mut released_at_once = append(2, 0, vec![requested(2, 2), failed(2, 2)]);
    released_at_once.attachment = Some(b"proofs".to_vec());
    put(&log, released_at_once).await;
    let stream = StreamId::verification(verification(2));
    assert_eq!(log.attachment(&stream).await.expect("the log reads"), None);
}

/// The head is what was acknowledged last, and watchers hear of it.
pub async fn the_head_moves_with_the_log(log: Log) {
    let mut head = log.head();
    assert_eq!(*head.borrow_and_update(), 0);
    let appending = tokio::spawn({
        let log = Arc::clone(&log);
        async move { put(&log, append(1, 0, vec![requested(1, 1), binding_verified(1)])).await }
    });
    head.wait_for(|position| *position == 2).await.expect("the log lives");
    assert_eq!(appending.await.expect("the appender does not panic"), 2);
    assert_eq!(*log.head().borrow(), 2, "who asks later sees the same");
    let read = log.read_all(0, 10).await.expect("the log reads");
    assert_eq!(read.len(), 2, "what the head says is there to read");
}

/// What is over a bound is refused as such and leaves nothing behind.
pub async fn bounds_are_kept(log: Log) {
    let mut attachment = append(1, 0, vec![requested(1, 1)]);
    attachment.attachment = Some(vec![0; ATTACHMENT_BYTES_MAX + 1]);
    let event = append(1, 0, vec![failed_because(1, 1, &"x".repeat(EVENT_BYTES_MAX))]);
    let events = append(1, 0, vec![binding_verified(1); APPEND_EVENTS_MAX + 1]);
    let none = append(1, 0, vec![]);
    let cases =
        [("attachment", attachment), ("event", event), ("events", events), ("no event", none)];
    for (case, append) in cases {
        let refused = log.append(vec![append]).await;
        assert!(matches!(refused, Err(AppendError::TooLarge(_))), "{case}: {refused:?}");
    }
    let refused = log.append(vec![]).await;
    assert!(matches!(refused, Err(AppendError::TooLarge(_))), "nothing: {refused:?}");
    assert_eq!(*log.head().borrow(), 0);

    let overhead = failed(1, 1).to_json().expect("it is JSON").len() + 2;
    let detail = "x".repeat(EVENT_BYTES_MAX - overhead);
    put(&log, append(1, 0, vec![failed_because(1, 1, &detail)])).await;
}

/// The whole log reads in pages of any size, never over the port's own bound.
pub async fn the_whole_log_is_read_in_pages(log: Log) {
    let stream = StreamId::follower(&network());
    let total = READ_EVENTS_MAX as u64 + 10;
    for first in (0..total).step_by(1_000) {
        let heights: Vec<Event> = (first..total.min(first + 1_000)).map(followed).collect();
        put(&log, append_to(stream.clone(), first, heights)).await;
    }
    let page = log.read_all(0, usize::MAX).await.expect("the log reads");
    assert_eq!(page.len(), READ_EVENTS_MAX);
    assert_eq!(page, log.read_stream(&stream, 0).await.expect("the stream reads"));
    let rest = log.read_all(READ_EVENTS_MAX as u64, 100).await.expect("the log reads");
    assert_eq!(rest.len(), 10);
    assert!(rest.iter().map(height).eq((READ_EVENTS_MAX as u64)..total));
    assert_eq!(log.read_all(5, 3).await.expect("the log reads"), page[5..8]);
    assert!(log.read_all(total, 3).await.expect("the log reads").is_empty());
    assert!(log.read_all(0, 0).await.expect("the log reads").is_empty());
}

fn height(recorded: &Recorded) -> u64 {
    match &recorded.event {
        Event::BlockFollowed(followed) => followed.block.height,
        other => panic!("{other:?}"),
    }
}

async fn put(log: &Log, append: Append) -> Position {
    log.append(vec![append]).await.expect("the append is in order")
}

async fn owner(log: &Log, of: u64) -> Option<VerificationId> {
    log.claim_owner(&network(), transaction(of)).await.expect("the log reads")
}

async fn waiters(log: &Log, of: &[u64]) -> Vec<(u64, Vec<VerificationId>)> {
    let transactions: Vec<_> = of.iter().copied().map(transaction).collect();
    let found = log.waiting_for(&network(), &transactions).await.expect("the log reads");
    let number = |hash| of.iter().copied().find(|n| transaction(*n) == hash);
    let named = found.into_iter().map(|(hash, waiters)| (number(hash), waiters));
    named.map(|(number, waiters)| (number.expect("it was asked for"), waiters)).collect()
}
