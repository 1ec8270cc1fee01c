//! `ccd402 events` over a directory at rest and over a running facilitator.

use std::fs;
use std::path::Path;

use ccd402_app::contract::sample::{append, binding_verified, confirmed, requested, verification};
use ccd402_app::ports::log::EventLog as _;
use ccd402_store::sled::{Options, SledLog};
use serde_json::Value;
use tempfile::TempDir;

use crate::process::{Process, arg, run};
use crate::support::TestApp;

const EVENTS: u64 = 60;

/// A data directory at rest.
async fn at_rest() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let log = SledLog::open(Options::new(dir.path().join("log"))).await.unwrap();
    for number in 1..=EVENTS / 3 {
        let events =
            vec![requested(number, number), binding_verified(number), confirmed(number, number)];
        log.append(vec![append(number, 0, events)]).await.unwrap();
    }
    log.close().await;
    dir
}

/// One byte of an event's data is another one.
fn flip(dir: &Path, position: u64) {
    let db = sled::open(dir.join("log")).unwrap();
    let mut key = b"e|".to_vec();
    key.extend_from_slice(&position.to_be_bytes());
    let mut line = db.get(&key).unwrap().unwrap().to_vec();
    let at = line.windows(7).position(|word| word == b"\"data\":").unwrap() + 20;
    line[at] ^= 1;
    db.insert(key, line).unwrap();
    db.flush().unwrap();
}

async fn verified(dir: &Path) -> (i32, Value) {
    let ended = run(&["events", "verify", "--json", "--data-dir", arg(dir)]).await;
    (ended.code, ended.lines().remove(0))
}

#[tokio::test]
async fn events_are_listed_by_what_is_asked_for() {
    let dir = at_rest().await;
    let list = async |more: &[&str]| {
        let ended = run(&[&["events", "list", "--data-dir", arg(dir.path())], more].concat()).await;
        assert_eq!(ended.code, 0, "{ended:?}");
        ended
    };
    let third = verification(3).to_string();
    let rows: [(&[&str], usize); 6] = [
        (&[], 60),
        (&["--limit", "7"], 7),
        (&["--type", "VerificationConfirmed"], 20),
        (&["--verification", &third], 3),
        (&["--from", "10", "--to", "14"], 5),
        (&["--since", "2027-06-01T00:00:00Z"], 0),
    ];
    for (more, count) in rows {
        let lines = list(&[more, &["--json"]].concat()).await.lines();
        assert_eq!(lines.len(), count, "{more:?}");
        assert!(lines.iter().all(|line| line["hash"].is_string()));
    }
    let text = list(&["--from", "9", "--to", "9"]).await.stdout;
    assert!(text.contains("VerificationConfirmed") && text.contains(&third), "{text}");
    let shown = run(&["events", "show", "9", "--json", "--data-dir", arg(dir.path())]).await;
    assert_eq!(shown.lines()[0]["position"], 9);
    let shown = run(&["events", "show", &third, "--json", "--data-dir", arg(dir.path())]).await;
    assert_eq!(shown.lines().len(), 3);
    let nowhere = run(&["events", "list", "--data-dir", "/nowhere"]).await;
    assert_eq!(nowhere.code, 1);
    assert!(nowhere.stderr.contains("no event log"), "{}", nowhere.stderr);
}

#[tokio::test]
async fn an_export_taken_in_elsewhere_has_the_same_last_hash() {
    let (source, target) = (at_rest().await, tempfile::tempdir().unwrap());
    let file = target.path().join("events.jsonl");
    let export = ["events", "export", "--data-dir", arg(source.path()), "--out", arg(&file)];
    // What an interrupted export has left: some lines, and half of one.
    let all = run(&export[..4]).await.stdout;
    let half = all.match_indices('\n').nth(9).unwrap().0 + 100;
    fs::write(target.path().join("events.jsonl.part"), &all[..half]).unwrap();
    let exported = run(&[&export[..], &["--json"]].concat()).await;
    assert_eq!(exported.code, 0, "{exported:?}");
    assert_eq!(fs::read_to_string(&file).unwrap(), all);
    assert_eq!(run(&export).await.code, 1, "a file that is there is not written over");

    let restored = target.path().join("restored");
    let import = ["events", "import", arg(&file), "--data-dir", arg(&restored), "--json"];
    for _ in 0..2 {
        let imported = run(&import).await;
        assert_eq!(imported.code, 0, "{imported:?}");
        assert_eq!(imported.lines()[0]["hash"], exported.lines()[0]["hash"]);
    }
    assert_eq!(verified(&restored).await, verified(source.path()).await);
    let refused = run(&["events", "import", arg(&file), "--url", "http://127.0.0.1:1"]).await;
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains("Stop it"), "{}", refused.stderr);
}

#[tokio::test]
async fn a_line_that_was_changed_is_not_taken_in() {
    let (source, target) = (at_rest().await, tempfile::tempdir().unwrap());
    let export = ["events", "export", "--data-dir", arg(source.path())];
    let text = run(&export).await.stdout;
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines[41] = lines[41].replacen("\"ccd:42", "\"ccd:43", 1);
    let changed = lines.join("\n") + "\n";
    assert_ne!(changed, text);
    let file = target.path().join("changed.jsonl");
    fs::write(&file, changed).unwrap();
    let restored = target.path().join("restored");
    let refused = run(&["events", "import", arg(&file), "--data-dir", arg(&restored)]).await;
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains("position 42:"), "{}", refused.stderr);
}

#[tokio::test]
async fn a_flipped_byte_is_found_and_the_server_refuses_the_log() {
    let dir = at_rest().await;
    let (code, whole) = verified(dir.path()).await;
    assert_eq!((code, &whole["whole"], &whole["position"]), (0, &true.into(), &EVENTS.into()));
    flip(dir.path(), 17);
    let (code, damaged) = verified(dir.path()).await;
    assert_eq!((code, &damaged["whole"], &damaged["position"]), (1, &false.into(), &17.into()));
    let serve = ["serve", "--listen", "127.0.0.1:0", "--data-dir", arg(dir.path())];
    let refused = run(&serve).await;
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains("position 17"), "{}", refused.stderr);
    assert!(refused.stderr.contains("events verify"), "it says what to do: {}", refused.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_facilitator_is_asked_for_the_same() {
    let app = TestApp::start().await;
    let url = app.api("");
    let tail = ["events", "tail", "--url", &url, "--after", "0", "--limit", "3", "--json"];
    let mut tail = Process::spawn(&tail);
    for position in 1..=3 {
        assert_eq!(tail.line().await["position"], position);
    }
    let ended = run(&["events", "verify", "--url", &url, "--json"]).await;
    assert_eq!((ended.code, &ended.lines()[0]["whole"]), (0, &true.into()), "{ended:?}");
    let listed = run(&["events", "list", "--url", &url, "--limit", "2", "--json"]).await;
    let positions: Vec<_> = listed.lines().iter().map(|line| line["position"].clone()).collect();
    assert_eq!(positions, [1, 2]);
    let exported = run(&["events", "export", "--url", &url]).await;
    assert_eq!(exported.lines()[..2], listed.lines());
    app.stop().await;
    let nobody = run(&["events", "list", "--url", &url]).await;
    assert_eq!(nobody.code, 1);
    assert!(nobody.stderr.contains("ccd402 serve"), "{}", nobody.stderr);
}
