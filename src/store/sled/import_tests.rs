//! Export and import, and the check at a start.

use ccd402_app::contract::sample::{append, requested};

use super::import::Import;
use super::tests::{filled, open};
use super::*;
use crate::keys;

async fn exported(dir: &std::path::Path) -> (Vec<Vec<u8>>, Chain) {
    let log = open(dir).await;
    let lines = log.read_lines(0, READ_EVENTS_MAX).await.unwrap();
    let chain = log.verify(0).await.unwrap();
    log.close().await;
    (lines, chain)
}

fn damaged(error: &Error) -> Position {
    let Error::Damaged { position, .. } = *error else { panic!("{error}") };
    position
}

#[tokio::test]
async fn an_import_has_the_hashes_of_its_export_and_goes_on_from_there() {
    let (source, target) = (filled(20).await, tempfile::tempdir().unwrap());
    let (lines, chain) = exported(source.path()).await;
    let mut import = Import::open(&Options::new(target.path())).unwrap();
    import.take(lines[..7].to_vec()).unwrap();
    drop(import);
    let mut import = Import::open(&Options::new(target.path())).unwrap();
    assert_eq!(import.position(), 7);
    import.take(lines.clone()).unwrap();
    import.take(lines.clone()).unwrap();
    assert_eq!((import.position(), import.hash()), (20, chain.hash()));
    let second = Import::open(&Options::new(target.path())).err().unwrap();
    assert!(matches!(second, Error::InUse(_)), "{second}");
    drop(import);
    let rebuilt = Options { rebuild_indexes: true, ..Options::new(target.path()) };
    let log = SledLog::open(rebuilt).await.unwrap();
    assert_eq!(log.opened().indexes_agreed, Some(true));
    assert_eq!(log.verify(0).await.unwrap(), chain);
    assert_eq!(log.read_lines(0, 100).await.unwrap(), lines);
    log.close().await;
}

#[tokio::test]
async fn a_line_that_was_changed_or_does_not_follow_is_refused_with_its_position() {
    let (source, target) = (filled(20).await, tempfile::tempdir().unwrap());
    let (lines, _) = exported(source.path()).await;
    let mut import = Import::open(&Options::new(target.path())).unwrap();
    let mut changed = lines.clone();
    let at = changed[11].iter().position(|byte| *byte == b':').unwrap() + 2;
    changed[11][at] ^= 1;
    assert_eq!(damaged(&import.take(changed).unwrap_err()), 12);
    assert_eq!(import.position(), 0, "all or nothing");
    assert_eq!(damaged(&import.take(lines[1..].to_vec()).unwrap_err()), 1);
    import.take(lines[..5].to_vec()).unwrap();
    assert_eq!(damaged(&import.take(lines[6..].to_vec()).unwrap_err()), 6);
    let other = tempfile::tempdir().unwrap();
    let log = open(other.path()).await;
    log.append(vec![append(7, 0, vec![requested(7, 7)])]).await.unwrap();
    log.close().await;
    let (others, _) = exported(other.path()).await;
    assert_eq!(damaged(&import.take(others).unwrap_err()), 1, "a log of its own");
    import.take(lines).unwrap();
}

#[tokio::test]
async fn a_start_checks_what_is_new_and_what_it_rests_on() {
    let dir = filled(30).await;
    let log = open(dir.path()).await;
    assert_eq!(log.verify_new().await.unwrap().position(), 30);
    assert_eq!(log.verify_new().await.unwrap().position(), 30);
    log.close().await;
    for (position, is_found) in [(12, false), (30, true)] {
        let flip = |at: usize| {
            let db = ::sled::open(dir.path()).unwrap();
            let key = keys::event(position);
            let mut line = db.get(&key).unwrap().unwrap().to_vec();
            line[at] ^= 1;
            db.insert(key, line).unwrap();
            db.flush().unwrap();
        };
        flip(60);
        let log = open(dir.path()).await;
        let found = log.verify_new().await;
        assert_eq!(found.is_err(), is_found, "{position}");
        assert_eq!(damaged(&log.verify(0).await.unwrap_err()), position);
        log.close().await;
        if let Err(error) = found {
            assert_eq!(damaged(&error), position);
        }
        flip(60);
    }
    std::fs::remove_file(dir.path().join("verified")).unwrap();
    let log = open(dir.path()).await;
    assert_eq!(log.verify_new().await.unwrap().position(), 30);
    log.close().await;
}
