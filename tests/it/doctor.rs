//! `ccd402 doctor`, `config check`, `completions` and `man`, as people run them.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;

use crate::process::{Ended, Process, arg, run};

/// How a check of the doctor's went.
fn level(ended: &Ended, check: &str) -> Value {
    let lines = ended.lines();
    let line = lines.iter().find(|line| line["check"] == check);
    line.unwrap_or_else(|| panic!("no {check} in {ended:?}"))["level"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_finds_what_is_well_and_what_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let chain = ["simchain", "--listen", "127.0.0.1:0", "--block-time", "250ms"];
    let (chain, ready) =
        Process::serve(&[&chain[..], &["--finality-delay", "250ms"]].concat()).await;
    let node = ready["url"].as_str().unwrap().to_owned();
    let listen = {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        free.local_addr().unwrap().to_string()
    };
    let settings = ["--node", &node, "--data-dir", arg(&data), "--listen", &listen];
    let doctor = [&["doctor", "--json"][..], &settings].concat();
    let before = run(&doctor).await;
    assert_eq!(before.code, 0, "{before:?}");
    for check in ["settings", "data directory", "event log", "node", "chain", "clock", "port"] {
        assert_eq!(level(&before, check), "ok", "{check}");
    }
    assert!(!data.exists(), "a look changes nothing");

    let (server, _) = Process::serve(&[&["serve"][..], &settings].concat()).await;
    fs::set_permissions(&data, fs::Permissions::from_mode(0o755)).unwrap();
    let beside = run(&doctor).await;
    assert_eq!(beside.code, 0, "it may run beside a facilitator: {beside:?}");
    assert_eq!(level(&beside, "data directory"), "warn");
    assert_eq!(level(&beside, "port"), "ok");
    server.terminate().await;
    fs::set_permissions(&data, fs::Permissions::from_mode(0o700)).unwrap();

    let taken = std::net::TcpListener::bind(&listen).unwrap();
    chain.terminate().await;
    let sick = run(&doctor).await;
    assert_eq!(sick.code, 1);
    assert_eq!((level(&sick, "node"), level(&sick, "port")), ("fail".into(), "fail".into()));
    assert_eq!((level(&sick, "event log"), level(&sick, "disk space")), ("ok".into(), "ok".into()));
    assert!(sick.lines().iter().all(|line| line["level"] == "ok" || line["toDo"].is_string()));
    drop(taken);
    let bad = run(&["doctor", "--json", "--wait", "0s"]).await;
    assert_eq!((bad.code, level(&bad, "settings")), (1, "fail".into()));
}

#[tokio::test]
async fn a_configuration_is_checked_before_it_is_used() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("gate.toml");
    fs::write(&file, "upstream = \"http://127.0.0.1:1\"\nprise = \"1 CCD\"\n").unwrap();
    let wrong = run(&["config", "check", arg(&file)]).await;
    assert_eq!(wrong.code, 1);
    assert!(wrong.stdout.contains("line 2: `prise` is not known; `price` is"), "{wrong:?}");
    let file = dir.path().join("serve.toml");
    fs::write(&file, "wait = \"20s\"\n").unwrap();
    let good = run(&["config", "check", arg(&file), "--json"]).await;
    assert_eq!((good.code, &good.lines()[0]["valid"]), (0, &true.into()));
    let settings = good.lines()[0]["settings"].clone();
    let wait = settings.as_array().unwrap().iter().find(|setting| setting["key"] == "wait");
    assert_eq!(wait.unwrap()["source"], "file");
}

#[tokio::test]
async fn completions_and_manual_pages_know_every_command() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(run(&["man", "--out", arg(dir.path())]).await.code, 0);
    let events = fs::read_to_string(dir.path().join("ccd402-events-verify.1")).unwrap();
    assert!(events.contains("hash chain") && events.contains("Example"));
    assert!(dir.path().join("ccd402.1").exists() && dir.path().join("ccd402-serve.1").exists());
    for shell in ["bash", "zsh", "fish"] {
        let script = run(&["completions", shell]).await;
        assert_eq!(script.code, 0);
        assert!(script.stdout.contains("doctor") && script.stdout.contains("data-dir"), "{shell}");
    }
}
