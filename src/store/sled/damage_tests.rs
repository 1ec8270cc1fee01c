//! Damage to the log: wherever a byte is not as it was written, that is found, with its position.

use std::fs;
use std::path::Path;

use ccd402_app::ports::log::EventLog;

use super::tests::{filled, open};
use super::*;
use crate::keys;

/// Changes the last bit of each place of a text in the file behind the log.
fn flip(dir: &Path, text: &str) {
    let path = dir.join("db");
    let mut bytes = fs::read(&path).unwrap();
    let places: Vec<_> =
        (0..bytes.len()).filter(|at| bytes[*at..].starts_with(text.as_bytes())).collect();
    assert!(!places.is_empty());
    for at in places {
        bytes[at] ^= 1;
    }
    fs::write(&path, bytes).unwrap();
}

#[tokio::test]
async fn a_flipped_byte_is_found_by_verify() {
    let dir = filled(600).await;
    // With a snapshot of today sled does not read its whole file when it opens.
    open(dir.path()).await.close().await;
    flip(dir.path(), "reports/300\"");
    let log = open(dir.path()).await;
    let Error::Damaged { position, .. } = log.verify(0).await.unwrap_err() else { panic!() };
    // sled checks whole pages: the first event that shares one with the changed event is bad.
    assert!((250..=301).contains(&position), "{position}");
}

#[tokio::test]
async fn a_log_that_lost_its_end_is_not_opened() {
    let dir = filled(600).await;
    flip(dir.path(), "reports/590\"");
    let refused = SledLog::open(Options::new(dir.path())).await.err().unwrap();
    // sled either takes the damage for the end of the log, or stumbles over it.
    let is_expected = matches!(refused, Error::Shortened { marked: 600, .. })
        || matches!(refused, Error::Unopenable { .. });
    assert!(is_expected, "{refused}");
}

/// Changes sled's table behind the log's back.
pub(super) fn tamper(dir: &Path, change: impl FnOnce(&::sled::Db)) {
    let db = ::sled::Config::new().path(dir).flush_every_ms(None).open().unwrap();
    change(&db);
    db.flush().unwrap();
}

#[tokio::test]
async fn an_event_that_was_rewritten_is_found_by_verify() {
    let dir = filled(50).await;
    tamper(dir.path(), |db| {
        let line = db.get(keys::event(20)).unwrap().unwrap();
        let line = String::from_utf8(line.to_vec()).unwrap();
        let other = line.replace("\"amount\":\"1000019\"", "\"amount\":\"9000019\"");
        assert_ne!(line, other);
        db.insert(keys::event(20), other.into_bytes()).unwrap();
    });
    let log = open(dir.path()).await;
    let error = log.verify(0).await.unwrap_err();
    assert!(matches!(error, Error::Damaged { position: 20, .. }), "{error}");
    assert_eq!(log.verify(20).await.unwrap().position(), 50);
}

#[tokio::test]
async fn two_threads_find_the_first_line_that_is_wrong() {
    let dir = filled(2_000).await;
    let log = open(dir.path()).await;
    let whole = log.verify(0).await.unwrap();
    let checked = Checked { position: 2_000, hash: whole.hash() };
    assert_eq!(log.check(0, 2_000).await, Ok(checked));
    assert_eq!(log.check(500, READ_EVENTS_MAX).await, Ok(checked));
    log.close().await;
    // From the end to the middle, where the halves meet, and to the beginning.
    for bad in [2_000, 1_001, 1_000, 999, 1] {
        tamper(dir.path(), |db| {
            let line = db.get(keys::event(bad)).unwrap().unwrap();
            let line = String::from_utf8(line.to_vec()).unwrap();
            let other = line.replace("\"amount\":\"1", "\"amount\":\"2");
            db.insert(keys::event(bad), other.into_bytes()).unwrap();
        });
        let log = open(dir.path()).await;
        let found = log.check(0, 2_000).await;
        let is_first =
            matches!(found, Err(CheckError::Damaged { position, .. }) if position == bad);
        assert!(is_first, "{bad}: {found:?}");
        log.close().await;
    }
}

#[tokio::test]
async fn an_event_that_is_gone_is_found() {
    let dir = filled(50).await;
    tamper(dir.path(), |db| drop(db.remove(keys::event(20)).unwrap()));
    let log = open(dir.path()).await;
    for error in [log.verify(0).await.unwrap_err(), log.verify(19).await.unwrap_err()] {
        assert!(matches!(error, Error::Damaged { position: 20, .. }), "{error}");
    }
    log.read_all(0, 100).await.expect_err("an event is missing");
    assert_eq!(log.read_all(0, 19).await.unwrap().len(), 19);
}
