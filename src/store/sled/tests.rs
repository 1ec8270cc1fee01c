//! What only the log in a directory does: outlive its process, refuse damage, say that it is busy.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc as std_mpsc;

use ccd402_app::contract::sample::{
    append, binding_verified, confirmed, failed, network, requested, requested_of, transaction,
    verification,
};
use ccd402_app::ports::log::{APPEND_BYTES_MAX, ATTACHMENT_BYTES_MAX, EventLog};
use futures::poll;
use tempfile::TempDir;

use super::damage_tests::tamper;
use super::syncer::Sync;
use super::*;
use crate::keys;

mod contract {
    use super::*;

    async fn fresh() -> (Arc<dyn EventLog>, TempDir) {
        let dir = tempfile::tempdir().unwrap();
        (Arc::new(SledLog::open(Options::new(dir.path())).await.unwrap()), dir)
    }

    ccd402_app::log_contract!(fresh);
}

pub(super) async fn open(dir: &Path) -> SledLog {
    SledLog::open(Options::new(dir)).await.unwrap()
}

/// A closed log with a request, an attachment, a claim, and one that still waits.
pub(super) async fn filled(events: u64) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path()).await;
    let mut with_proofs = append(1, 0, vec![requested(1, 1)]);
    with_proofs.attachment = Some(b"proofs".to_vec());
    log.append(vec![with_proofs]).await.unwrap();
    log.append(vec![append(2, 0, vec![requested(2, 2), confirmed(2, 2)])]).await.unwrap();
    for number in 3..events {
        log.append(vec![append(number, 0, vec![requested(number, number)])]).await.unwrap();
    }
    log.close().await;
    dir
}

fn with_sync(make: impl FnOnce() -> Sync + Send + 'static) -> open::MakeSync {
    Box::new(move |_| Ok(make()))
}

#[tokio::test]
async fn all_of_it_is_there_after_closing_and_opening() {
    let dir = filled(5).await;
    let log = open(dir.path()).await;
    assert_eq!(*log.head().borrow(), 5);
    assert_eq!(log.waiting_count(), 3);
    assert_eq!(log.verify(0).await.unwrap().position(), 5);
    let stream = StreamId::verification(verification(1));
    assert_eq!(log.attachment(&stream).await, Ok(Some(b"proofs".to_vec())));
    assert_eq!(log.claim_owner(&network(), transaction(2)).await, Ok(Some(verification(2))));
    assert_eq!(log.append(vec![append(1, 1, vec![failed(1, 1)])]).await, Ok(6));
    assert_eq!(log.verify(3).await.unwrap().position(), 6);
    assert_eq!(*log.opened(), Opened::default());
}

#[tokio::test]
async fn a_closed_log_refuses_and_its_directory_is_free() {
    let dir = filled(5).await;
    let log = open(dir.path()).await;
    let second = SledLog::open(Options::new(dir.path())).await.err().unwrap();
    assert!(matches!(second, Error::InUse(_)), "{second}");
    let clone = log.clone();
    log.close().await;
    log.close().await;
    let refused = clone.append(vec![append(9, 0, vec![requested(9, 9)])]).await;
    assert!(matches!(refused, Err(AppendError::Broken(_))), "{refused:?}");
    clone.read_all(0, 1).await.expect_err("the log is closed");
    open(dir.path()).await;
}

#[tokio::test]
async fn what_waits_when_the_log_is_closed_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path()).await;
    let mut waiting: Vec<_> =
        (0..100).map(|n| log.append(vec![append(n, 0, vec![requested(n, n)])])).collect();
    for append in &mut waiting {
        let _ = poll!(append);
    }
    log.close().await;
    for append in waiting {
        append.await.unwrap();
    }
    assert_eq!(*open(dir.path()).await.head().borrow(), 100);
}

#[tokio::test]
async fn a_failed_sync_acknowledges_nothing_and_ends_all_writing() {
    let dir = tempfile::tempdir().unwrap();
    let sync = with_sync(|| {
        let mut calls = 0;
        Box::new(move || {
            calls += 1;
            if calls == 1 { Ok(()) } else { Err(io::Error::other("the disk is gone")) }
        })
    });
    let log = SledLog::open_with(Options::new(dir.path()), sync).await.unwrap();
    let broken = log.broken();
    assert_eq!(log.append(vec![append(1, 0, vec![requested(1, 1)])]).await, Ok(1));
    for number in [2, 3] {
        let refused = log.append(vec![append(number, 0, vec![requested(number, 1)])]).await;
        assert!(matches!(refused, Err(AppendError::Broken(_))), "{refused:?}");
    }
    assert!(broken.await.contains("the disk is gone"));
    assert_eq!(*log.head().borrow(), 1);
    assert_eq!(log.read_all(0, 10).await.unwrap().len(), 1, "what is not durable is not shown");
    let stream = StreamId::verification(verification(2));
    assert!(log.read_stream(&stream, 0).await.unwrap().is_empty());
    assert_eq!(log.read_last(&stream).await, Ok(None));
    let waiters = log.waiting_for(&network(), &[transaction(1)]).await.unwrap();
    assert_eq!(waiters[&transaction(1)], [verification(1)]);
}

/// A log whose writer is stuck in its first sync, until the sender is dropped.
async fn stuck(options: Options) -> (SledLog, std_mpsc::Sender<()>) {
    let (entered, has_entered) = std_mpsc::channel();
    let (release, is_released) = std_mpsc::channel::<()>();
    let sync = with_sync(move || {
        Box::new(move || {
            let _ = entered.send(());
            let _ = is_released.recv();
            Ok(())
        })
    });
    let log = SledLog::open_with(options, sync).await.unwrap();
    let first = log.clone();
    tokio::spawn(async move { first.append(vec![append(1, 0, vec![requested(1, 1)])]).await });
    tokio::task::spawn_blocking(move || has_entered.recv().unwrap()).await.unwrap();
    (log, release)
}

#[tokio::test]
async fn a_disk_that_does_not_answer_ends_all_writing() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { sync_max: Duration::from_millis(50), ..Options::new(dir.path()) };
    let (log, release) = stuck(options).await;
    let reason = log.broken().await;
    assert!(reason.contains("not made a batch durable within 50ms"), "{reason}");
    assert_eq!(*log.head().borrow(), 0, "nothing is acknowledged");
    drop(release);
    let refused = log.append(vec![append(2, 0, vec![requested(2, 2)])]).await;
    assert!(matches!(refused, Err(AppendError::Broken(_))), "{refused:?}");
}

#[tokio::test]
async fn a_full_queue_is_busy() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { queue_appends_max: 2, ..Options::new(dir.path()) };
    let (log, release) = stuck(options).await;
    let mut queued = Vec::new();
    let refused = loop {
        let number = 2 + queued.len() as u64;
        let mut appending = log.append(vec![append(number, 0, vec![requested(number, number)])]);
        match poll!(&mut appending) {
            std::task::Poll::Pending => queued.push(appending),
            std::task::Poll::Ready(answer) => break answer,
        }
        assert!(queued.len() < 100, "the queue takes more than its two");
    };
    assert_eq!(refused, Err(AppendError::Busy));
    drop(release);
    let held = queued.len() as u64;
    for (number, append) in (2..).zip(queued) {
        assert_eq!(append.await, Ok(number));
    }
    assert_eq!(log.append(vec![append(200, 0, vec![requested(200, 200)])]).await, Ok(held + 2));
}

#[tokio::test]
async fn a_heavy_queue_is_busy_too() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { queue_bytes_max: APPEND_BYTES_MAX, ..Options::new(dir.path()) };
    let (log, release) = stuck(options).await;
    let mut queued = Vec::new();
    for number in 2..1_000 {
        let mut heavy = append(number, 0, vec![requested(number, number)]);
        heavy.attachment = Some(vec![0; ATTACHMENT_BYTES_MAX]);
        let mut appending = log.append(vec![heavy]);
        match poll!(&mut appending) {
            std::task::Poll::Pending => queued.push(appending),
            std::task::Poll::Ready(answer) => {
                assert_eq!(answer, Err(AppendError::Busy));
                break;
            }
        }
    }
    let held = queued.len();
    // The queue holds 16 MiB, and the writer two batches of 4 MiB that wait for the sync.
    assert!((200..400).contains(&held), "{held} attachments of 64 KiB");
    drop(release);
    for append in queued {
        append.await.unwrap();
    }
    assert_eq!(log.shared.status.load.bytes(), 0);
}

#[tokio::test]
async fn snapshots_that_cannot_be_read_are_moved_aside() {
    let dir = filled(200).await;
    // sled writes a snapshot when it opens a log that has grown.
    open(dir.path()).await.close().await;
    let is_snapshot =
        |path: &Path| path.file_name().unwrap().to_string_lossy().starts_with("snap.");
    let paths = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path());
    let snapshot = paths.into_iter().find(|path| is_snapshot(path)).unwrap();
    let stray = dir.path().join("snap.FFFFFFFFFFFFFFFF.generating");
    fs::write(&stray, b"half").unwrap();

    let log = open(dir.path()).await;
    assert_eq!(log.opened().set_aside.len(), 1, "the good snapshot stays");
    assert_eq!(fs::read(&log.opened().set_aside[0]).unwrap(), b"half");
    log.close().await;

    let bytes = fs::read(&snapshot).unwrap();
    fs::write(&snapshot, &bytes[..bytes.len() / 2]).unwrap();
    let log = open(dir.path()).await;
    assert_eq!(log.opened().set_aside.len(), 1);
    assert_eq!(log.verify(0).await.unwrap().position(), 200);
}

#[tokio::test]
async fn a_file_that_is_no_log_is_left_alone() {
    let dir = filled(5).await;
    fs::write(dir.path().join("conf"), b"segment_size: 7\nuse_compression: maybe").unwrap();
    let refused = SledLog::open(Options::new(dir.path())).await.err().unwrap();
    assert!(matches!(refused, Error::Unopenable { .. }), "{refused}");
    assert!(refused.to_string().contains("put a backup"));
}

/// Changes every copy of some text in sled's file by one bit.
#[tokio::test]
async fn indexes_are_rebuilt_from_events() {
    let dir = filled(50).await;
    let rebuild = Options { rebuild_indexes: true, ..Options::new(dir.path()) };
    let log = SledLog::open(rebuild.clone()).await.unwrap();
    assert_eq!(log.opened().indexes_agreed, Some(true));
    log.close().await;

    tamper(dir.path(), |db| {
        db.remove(keys::claim(&network(), transaction(2))).unwrap();
        db.remove(keys::waiting(&network(), transaction(7), verification(7))).unwrap();
        let stranger = keys::waiting(&network(), transaction(2), verification(2));
        let value = keys::waiting_value(2, chrono::Utc::now(), &TenantId::default());
        db.insert(stranger, value).unwrap();
        db.remove(keys::stream(&StreamId::verification(verification(9)), 1)).unwrap();
    });
    let log = SledLog::open(rebuild).await.unwrap();
    assert_eq!(log.opened().indexes_agreed, Some(false));
    assert_eq!(log.claim_owner(&network(), transaction(2)).await, Ok(Some(verification(2))));
    assert_eq!(log.waiting_count(), 48);
    assert_eq!(log.verify(0).await.unwrap().position(), 50);
    log.close().await;

    tamper(dir.path(), |db| drop(db.insert(keys::INDEX_VERSION, "0").unwrap()));
    let log = open(dir.path()).await;
    assert_eq!(log.opened().indexes_agreed, Some(true), "another version is rebuilt unasked");
}

#[tokio::test]
async fn tenants_counts_are_there_after_opening_and_after_another_layout() {
    let shop: TenantId = "shop".parse().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path()).await;
    for number in 1..=3 {
        let asked = requested_of(&shop, number, number);
        log.append(vec![append(number, 0, vec![asked])]).await.unwrap();
    }
    log.append(vec![append(1, 1, vec![failed(1, 1)])]).await.unwrap();
    log.append(vec![append(4, 0, vec![requested(4, 4)])]).await.unwrap();
    log.close().await;
    let counts = |log: &SledLog| (log.waiting_of(&shop), log.waiting_of(&TenantId::default()));
    let log = open(dir.path()).await;
    assert_eq!((counts(&log), log.waiting_count()), ((2, 1), 3));
    log.close().await;

    // As the first layout had it: without the tenant.
    tamper(dir.path(), |db| {
        let key = keys::waiting(&network(), transaction(2), verification(2));
        let value = db.get(&key).unwrap().unwrap();
        db.insert(key, &value[..20]).unwrap();
        db.insert(keys::INDEX_VERSION, "1").unwrap();
    });
    let log = open(dir.path()).await;
    assert_eq!((counts(&log), log.waiting_count()), ((2, 1), 3));
    log.append(vec![append(2, 1, vec![failed(2, 2)])]).await.unwrap();
    assert_eq!(counts(&log), (1, 1));
}

#[tokio::test]
async fn exported_lines_can_be_checked_by_anyone() {
    let dir = filled(30).await;
    let log = open(dir.path()).await;
    let mut chain = Chain::default();
    for line in log.read_lines(0, 100).await.unwrap() {
        chain.check(&line).unwrap();
    }
    assert_eq!(chain, log.verify(0).await.unwrap());
    assert_eq!(log.read_lines(28, 1).await.unwrap().len(), 1);
    assert_eq!(log.append(vec![append(1, 1, vec![binding_verified(1)])]).await, Ok(31));
}
