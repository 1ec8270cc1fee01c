//! `ccd402 replay`: builds the read model again, tells whether it is what the log says, and shows
//! the past.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ccd402_app::contract::sample::{append, binding_verified, confirmed, requested, time};
use ccd402_app::ports::log::{Append, EventLog as _, READ_EVENTS_MAX, Recorded};
use ccd402_app::ports::read_model::{Filter, ReadModel as _, Status};
use ccd402_app::projections::verifications::Row;
use ccd402_domain::amount::Amount;
use ccd402_domain::event::Event;
use ccd402_store::sled::{Options, SledLog};
use ccd402_store::sqlite::{SqliteReadModel, path_in};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::process::{Process, arg, run};
use crate::support::TestApp;

const VERIFICATIONS: u64 = 20;
/// Enough of them that replaying takes a while.
const MANY: u64 = 8_000;

fn second(number: u64) -> DateTime<Utc> {
    time() + TimeDelta::seconds(number.cast_signed())
}

/// A data directory at rest; the events of each verification happen a second after those before.
async fn at_rest(verifications: u64) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let log = SledLog::open(Options::new(dir.path().join("log"))).await.unwrap();
    let of = |number| Append {
        time: second(number),
        ..append(
            number,
            0,
            vec![requested(number, number), binding_verified(number), confirmed(number, number)],
        )
    };
    let numbers: Vec<_> = (1..=verifications).collect();
    for numbers in numbers.chunks(1_000) {
        log.append(numbers.iter().copied().map(of).collect()).await.unwrap();
    }
    log.close().await;
    dir
}

async fn events(dir: &Path) -> Vec<Recorded> {
    let log = SledLog::open(Options::new(dir.join("log"))).await.unwrap();
    let events = log.read_all(0, READ_EVENTS_MAX).await.unwrap();
    log.close().await;
    events
}

/// A read model that was made of these events.
async fn lived(dir: &Path, events: &[Recorded]) {
    let model = SqliteReadModel::open(dir).await;
    let mut rows = model.rebuild().await.unwrap();
    rows.apply(events).await.unwrap();
    rows.swap_in().await.unwrap();
    model.close().await;
}

async fn rows(dir: &Path) -> (u64, Vec<Row>) {
    let model = SqliteReadModel::open(dir).await;
    let page = model.list(&Filter::default(), None, 200).await.unwrap();
    model.close().await;
    (page.as_of, page.rows)
}

/// Runs the command over a directory at rest; its exit code and what it printed.
async fn replay(dir: &Path, more: &[&str]) -> (i32, Value) {
    let ended = run(&[&["replay", "--json", "--data-dir", arg(dir)], more].concat()).await;
    assert!(ended.stdout.lines().count() == 1, "{ended:?}");
    (ended.code, ended.lines().remove(0))
}

#[tokio::test]
async fn what_is_missing_is_built_and_then_equal() {
    let dir = at_rest(VERIFICATIONS).await;
    let diff = ["replay", "--diff", "--data-dir", arg(dir.path())];
    let missing = run(&diff).await;
    assert_eq!(missing.code, 1);
    assert!(missing.stderr.contains("`ccd402 replay` builds it"), "{missing:?}");
    let (code, built) = replay(dir.path(), &[]).await;
    assert_eq!((code, &built["built"], &built["position"]), (0, &true.into(), &60.into()));
    assert_eq!(rows(dir.path()).await.1.len(), 20);
    let equal = replay(dir.path(), &["--diff"]).await;
    assert_eq!(equal, (0, json!({ "equal": true, "position": 60, "rows": 20 })));
    let text = run(&diff).await;
    assert!(text.stdout.starts_with("equal: 20 rows, at position 60,"), "{text:?}");
    let nowhere = run(&["replay", "--data-dir", "/nowhere"]).await;
    assert!(nowhere.code == 1 && nowhere.stderr.contains("no event log"), "{nowhere:?}");
}

#[tokio::test]
async fn rows_that_are_not_what_the_log_says_are_named() {
    let dir = at_rest(VERIFICATIONS).await;
    let mut other = events(dir.path()).await;
    let Event::VerificationRequested(request) = &mut other[3].event else { panic!("a request") };
    Arc::make_mut(&mut request.payment).amount = Amount::from_units(3);
    lived(dir.path(), &other[..59]).await;
    let (code, told) = replay(dir.path(), &["--diff"]).await;
    let changed = json!({ "number": 4, "what": "changed", "columns": ["amount_rest"] });
    let expected = json!({
        "equal": false, "position": 59, "rows": 20, "different": 1, "differences": [changed],
    });
    assert_eq!((code, told), (1, expected));
    assert_eq!(replay(dir.path(), &[]).await.0, 0);
    assert_eq!(replay(dir.path(), &["--diff"]).await.0, 0);
}

#[tokio::test]
async fn the_past_is_what_was_known_then() {
    let dir = at_rest(VERIFICATIONS).await;
    let all = events(dir.path()).await;
    replay(dir.path(), &[]).await;
    let now = rows(dir.path()).await;
    let elsewhere = tempfile::tempdir().unwrap();
    let fifth = second(5).to_rfc3339_opts(chrono::SecondsFormat::Micros, true);
    let before = second(0).to_rfc3339_opts(chrono::SecondsFormat::Micros, true);
    for (until, position) in
        [("30", 30), ("29", 29), (&fifth, 15), (&before, 0), ("2099-01-01T00:00:00Z", 60)]
    {
        let out = elsewhere.path().join(format!("{position}.sqlite"));
        let (code, told) = replay(dir.path(), &["--until", until, "--out", arg(&out)]).await;
        assert_eq!((code, &told["position"]), (0, &position.into()), "{until}: {told}");
        let (then, shown) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        lived(then.path(), &all[..position]).await;
        fs::rename(&out, path_in(shown.path())).unwrap();
        assert_eq!(rows(shown.path()).await, rows(then.path()).await, "{until}");
    }
    assert_eq!(rows(dir.path()).await, now, "what is read is as it was");

    let there = elsewhere.path().join("there.sqlite");
    fs::write(&there, "mine").unwrap();
    let new = elsewhere.path().join("new.sqlite");
    let data = ["replay", "--data-dir", arg(dir.path())];
    let wrong: [(&[&str], i32, &str); 5] = [
        (&["--out", arg(&there)], 1, "is there already"),
        (&["--out", arg(&new), "--until", "61"], 1, "the log ends at 60"),
        (&["--until", "30"], 2, "--out"),
        (&["--out", arg(&new), "--until", "yesterday"], 2, "a position, or a time"),
        (&["--out", arg(&new), "--diff"], 2, "--diff"),
    ];
    for (more, code, says) in wrong {
        let ended = run(&[&data[..], more].concat()).await;
        assert!(ended.code == code && ended.stderr.contains(says), "{more:?}: {ended:?}");
    }
    assert_eq!(fs::read_to_string(&there).unwrap(), "mine");
    let left: Vec<_> = fs::read_dir(elsewhere.path()).unwrap().collect();
    assert_eq!(left.len(), 1, "{left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_facilitator_shows_its_past() {
    let app = TestApp::start().await;
    let log = app.net.facilitator().facilitator().log().clone();
    log.append(vec![append(1, 0, vec![requested(1, 1), confirmed(1, 1)])]).await.unwrap();
    let position = *log.head().borrow();
    log.append(vec![append(2, 0, vec![requested(2, 2)])]).await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let (url, out, until) = (app.api(""), path_in(dir.path()), position.to_string());
    let args = ["replay", "--url", &url, "--until", &until, "--out", arg(&out), "--json"];
    let ended = run(&args).await;
    assert_eq!(ended.code, 0, "{ended:?}");
    let (as_of, then) = rows(dir.path()).await;
    assert_eq!(as_of, position);
    let model = SqliteReadModel::open(dir.path()).await;
    let confirmed = Filter { status: Some(Status::Confirmed), ..Filter::default() };
    assert_eq!(model.list(&confirmed, None, 9).await.unwrap().rows, then);
    assert_eq!(then.len(), 1);
    model.close().await;
    app.stop().await;
}

#[tokio::test]
async fn a_replay_that_is_interrupted_leaves_what_was_there() {
    let dir = at_rest(MANY).await;
    lived(dir.path(), &events(dir.path()).await).await;
    let before = rows(dir.path()).await;
    let out = dir.path().join("past.sqlite");
    let commands: [(&[&str], &str); 3] = [
        (&[], "read-model.v4.building.sqlite"),
        (&["--diff"], "read-model.v4.comparing.sqlite"),
        (&["--out", arg(&out)], "past.sqlite.part"),
    ];
    for (more, half_built) in commands {
        if half_built.contains("comparing") {
            // Only what is read is compared: all of it takes a while, too.
            assert_eq!(replay(dir.path(), &[]).await.0, 0);
        }
        let file = dir.path().join(half_built);
        let process = Process::spawn(&[&["replay", "--data-dir", arg(dir.path())], more].concat());
        while !file.exists() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let ended = process.terminate().await;
        assert_eq!(ended.code(), Some(1), "{half_built}");
        assert!(!file.exists(), "{half_built} is left");
        if half_built.contains("building") {
            assert_eq!(rows(dir.path()).await, before);
        }
    }
    assert!(!out.exists());
}
