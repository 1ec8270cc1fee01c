//! What lies on the disk: the data directory, the event log, the read model.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use ccd402_app::ports::log::EventLog as _;
use ccd402_store::Error;
use ccd402_store::postgres::Options as DatabaseOptions;
use ccd402_store::sled::{Options, SledLog};

use super::Finding;
use crate::compose::log::Log;

/// Free space below which there is little, and too little, in KiB.
const LITTLE_KIB: u64 = 1024 * 1024;
const TOO_LITTLE_KIB: u64 = 100 * 1024;
/// Permissions of others than the owner.
const OF_OTHERS: u32 = 0o077;

/// The data directory: there, ours to write, nobody else's to read, with room.
pub(super) fn data_dir(dir: &Path) -> Vec<Finding> {
    const NAME: &str = "data directory";
    let shown = dir.display();
    if !dir.exists() {
        return vec![Finding::ok(NAME, format!("{shown} is not there yet; serve will make it"))];
    }
    if let Err(error) = tempfile::tempfile_in(dir) {
        let to_do = format!("let the facilitator's user write there: chown -R USER {shown}");
        return vec![Finding::fail(NAME, format!("{shown} cannot be written: {error}"), to_do)];
    }
    let mode = fs::metadata(dir).map_or(0, |data| data.permissions().mode());
    let open = if mode & OF_OTHERS == 0 {
        Finding::ok(NAME, format!("{shown} can be written, and by nobody else"))
    } else {
        let found = format!("{shown} is open to others (mode {:o})", mode & 0o777);
        Finding::warn(NAME, found, format!("chmod 700 {shown}"))
    };
    vec![open, space(dir), read_model(dir)]
}

fn space(dir: &Path) -> Finding {
    const NAME: &str = "disk space";
    let Some(free) = free_kib(dir) else {
        return Finding::warn(NAME, "df does not say", "look after it yourself");
    };
    let found = format!("{} MiB are free", free / 1024);
    let to_do = "make room, or move the data directory: a full disk stops the facilitator";
    match free {
        _ if free < TOO_LITTLE_KIB => Finding::fail(NAME, found, to_do),
        _ if free < LITTLE_KIB => Finding::warn(NAME, found, to_do),
        _ => Finding::ok(NAME, found),
    }
}

/// As `df` says it, in POSIX's form: the fourth column of the second line.
fn free_kib(dir: &Path) -> Option<u64> {
    let output = Command::new("df").arg("-Pk").arg(dir).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.lines().nth(1)?.split_whitespace().nth(3)?.parse().ok()
}

fn read_model(dir: &Path) -> Finding {
    const NAME: &str = "read model";
    let names = fs::read_dir(dir).into_iter().flatten().flatten();
    let mut models: Vec<String> = names
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| name.starts_with("read-model.v") && name.ends_with(".sqlite"))
        .collect();
    models.sort();
    match models.last() {
        Some(newest) => Finding::ok(NAME, format!("{newest}; it is made from the log")),
        None => Finding::ok(NAME, "none yet; it is made from the log"),
    }
}

/// The same in a database, which may have others beside.
pub(super) async fn database(options: &DatabaseOptions) -> Finding {
    const NAME: &str = "event log";
    match Log::in_database(options).await {
        Ok(log) => {
            let head = log.head();
            log.close().await;
            Finding::ok(NAME, format!("the database opens; its newest event, at {head}, is whole"))
        }
        Err(error) => {
            let to_do = "see that the database runs and that `--database-url` reaches it";
            Finding::fail(NAME, format!("{error:#}"), to_do)
        }
    }
}

/// The event log: it opens, and its newest event is whole. Also whether a facilitator has it open.
pub(super) async fn log(data_dir: &Path) -> (Vec<Finding>, bool) {
    const NAME: &str = "event log";
    let dir = data_dir.join("log");
    if !dir.join("db").exists() {
        return (vec![Finding::ok(NAME, "there is none yet; serve will begin one")], false);
    }
    let log = match SledLog::open(Options::new(&dir)).await {
        Ok(log) => log,
        Err(Error::InUse(_)) => {
            let found = "a facilitator has it open, and checks it while it runs";
            return (vec![Finding::ok(NAME, found)], true);
        }
        Err(error) => {
            let to_do = "keep a copy of the directory, then put a backup in its place";
            return (vec![Finding::fail(NAME, error.to_string(), to_do)], false);
        }
    };
    let mut findings = Vec::new();
    let aside = &log.opened().set_aside;
    if !aside.is_empty() {
        let found = format!("{} snapshots could not be read and were moved aside", aside.len());
        let to_do = "nothing is lost; look for what hurt them: a full disk, a kill, bad memory";
        findings.push(Finding::warn("snapshots", found, to_do));
    }
    let head = *log.head().borrow();
    findings.push(match log.verify(head.saturating_sub(1)).await {
        Ok(_) => Finding::ok(NAME, format!("it opens; its newest event, at {head}, is whole")),
        Err(error) => {
            let to_do = "`ccd402 events verify` says how far it is good; put a backup in its place";
            Finding::fail(NAME, error.to_string(), to_do)
        }
    });
    log.close().await;
    (findings, false)
}
