//! Export and import, from a log in memory into a database.

use ccd402_app::contract::sample::{append, confirmed, failed, network, requested, transaction};
use ccd402_app::ports::log::EventLog;

use super::import::Import;
use super::tests::Ground;
use super::*;
use crate::MemoryLog;

/// A log of 20 verifications that wait, are confirmed, or have failed.
async fn filled() -> MemoryLog {
    let log = MemoryLog::default();
    for number in 0..20 {
        log.append(vec![append(number, 0, vec![requested(number, number)])]).await.unwrap();
        let end = match number % 3 {
            0 => confirmed(number, number),
            1 => failed(number, number),
            _ => continue,
        };
        log.append(vec![append(number, 1, vec![end])]).await.unwrap();
    }
    log
}

fn damaged(error: &Error) -> Position {
    let Error::Damaged { position, .. } = *error else { panic!("{error}") };
    position
}

#[tokio::test]
async fn an_import_is_the_log_that_was_exported() {
    let (source, ground) = (filled().await, Ground::new().await);
    let lines = source.read_lines(0, READ_EVENTS_MAX).await.unwrap();
    let mut import = Import::open(&ground.options).await.unwrap();
    import.take(lines[..7].to_vec()).await.unwrap();
    drop(import);
    let mut import = Import::open(&ground.options).await.unwrap();
    assert_eq!(import.position(), 7);
    import.take(lines.clone()).await.unwrap();
    import.take(lines.clone()).await.unwrap();
    let last = source.check(0, READ_EVENTS_MAX).await.unwrap();
    assert_eq!((import.position(), import.hash()), (last.position, last.hash));

    let log = ground.open().await;
    assert_eq!(log.read_lines(0, READ_EVENTS_MAX).await.unwrap(), lines);
    assert_eq!(log.check(0, READ_EVENTS_MAX).await.unwrap(), last);
    assert_eq!(log.waiting_count(), source.waiting_count());
    let (waiting, expected) =
        (log.waiting(&network(), None, 99).await, source.waiting(&network(), None, 99).await);
    assert_eq!(waiting.unwrap(), expected.unwrap());
    for number in 0..20 {
        let owner = log.claim_owner(&network(), transaction(number)).await.unwrap();
        let of_source = source.claim_owner(&network(), transaction(number)).await.unwrap();
        assert_eq!(owner, of_source, "{number}");
    }
    let next = append(2, 1, vec![confirmed(2, 2)]);
    assert_eq!(log.append(vec![next.clone()]).await, source.append(vec![next]).await);
    let hash = |log: Checked| log.hash;
    assert_eq!(
        log.check(0, READ_EVENTS_MAX).await.map(hash),
        source.check(0, READ_EVENTS_MAX).await.map(hash),
        "history goes on as it would have there"
    );
    let refused = Import::open(&ground.options).await.err().unwrap();
    assert!(matches!(refused, Error::Shared), "{refused}");
}

#[tokio::test]
async fn a_line_that_does_not_follow_is_refused_with_its_position() {
    let (source, ground) = (filled().await, Ground::new().await);
    let lines = source.read_lines(0, READ_EVENTS_MAX).await.unwrap();
    let mut import = Import::open(&ground.options).await.unwrap();
    let mut changed = lines.clone();
    let at = changed[11].iter().position(|byte| *byte == b':').unwrap() + 2;
    changed[11][at] ^= 1;
    assert_eq!(damaged(&import.take(changed.clone()).await.unwrap_err()), 12);
    assert_eq!(import.position(), 0, "all or nothing");
    assert_eq!(damaged(&import.take(lines[1..].to_vec()).await.unwrap_err()), 1);
    import.take(lines[..15].to_vec()).await.unwrap();
    assert_eq!(damaged(&import.take(lines[16..].to_vec()).await.unwrap_err()), 16);
    assert_eq!(damaged(&import.take(changed).await.unwrap_err()), 12);
    import.take(lines).await.unwrap();
}
