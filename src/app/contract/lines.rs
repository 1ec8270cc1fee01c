//! What every event log must tell about streams and stored lines in bulk.

use super::{Log, put};
use crate::contract::sample::{
    append, append_to, binding_verified, cause, followed, network, requested, verification,
};
use crate::ports::log::StreamId;

/// How long streams are is told in the order of the question, also of those that are not there.
pub async fn versions_are_told_for_many_streams_at_once(log: Log) {
    put(&log, append(1, 0, vec![requested(1, 1), binding_verified(1)])).await;
    put(&log, append(11, 0, vec![requested(11, 11)])).await;
    let streams = [11, 2, 1].map(|number| StreamId::verification(verification(number)));
    assert_eq!(log.versions(&streams).await.expect("the log reads"), [1, 0, 2]);
    assert!(log.versions(&[]).await.expect("the log reads").is_empty());
}

/// Lines are those that hold the events, and their chain is whole from page to page.
pub async fn stored_lines_are_read_and_checked_in_pages(log: Log) {
    put(&log, append(1, 0, vec![requested(1, 1), binding_verified(1)])).await;
    put(&log, append(2, 0, vec![requested(2, 2)])).await;
    let lines = log.read_lines(1, 10).await.expect("the log reads");
    assert_eq!(lines.len(), 2);
    assert!(String::from_utf8_lossy(&lines[0]).contains(r#""position":2,"#));
    assert_eq!(log.read_lines(0, 1).await.expect("the log reads").len(), 1);
    assert!(log.read_lines(3, 10).await.expect("the log reads").is_empty());

    let first = log.check(0, 2).await.expect("the log is whole");
    assert_eq!(first.position, 2);
    let last = log.check(first.position, 10).await.expect("the log is whole");
    let hash = format!(r#","hash":"{}"}}"#, last.hash);
    assert_eq!(last.position, 3);
    assert!(lines[1].ends_with(hash.as_bytes()));
    assert_eq!(log.check(3, 10).await.expect("nothing is left to check"), last);
}

/// Names of streams read in pages, each once, whatever their length; others are not among them.
pub async fn streams_are_named_in_pages(log: Log) {
    let answers: Vec<_> = (0..7).map(|number| StreamId::answer(cause(number))).collect();
    for (number, stream) in answers.iter().enumerate().rev() {
        let events = (0..=number as u64).map(followed).collect();
        put(&log, append_to(stream.clone(), 0, events)).await;
    }
    put(&log, append(1, 0, vec![requested(1, 1)])).await;
    put(&log, append_to(StreamId::follower(&network()), 0, vec![followed(1)])).await;
    let (mut read, mut after) = (Vec::new(), None);
    loop {
        let page = log.streams("answer-", after.as_ref(), 3).await.expect("the log reads");
        assert!(page.len() <= 3);
        let Some(last) = page.last() else { break };
        after = Some(last.clone());
        read.extend(page);
    }
    assert_eq!(read, answers);
    let one = log.streams("verification-", None, 9).await.expect("the log reads");
    assert_eq!(one, [StreamId::verification(verification(1))]);
    assert_eq!(log.streams("", None, 99).await.expect("the log reads").len(), 9);
    assert!(log.streams("nothing-", None, 9).await.expect("the log reads").is_empty());
    assert!(log.streams("answer-", None, 0).await.expect("the log reads").is_empty());
}
