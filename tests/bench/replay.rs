//! Events a second that a replay takes into a new read model, until that is read, and that a check
//! of the log takes; each against a bare loop over the same bytes.
//!
//! Run with `cargo bench --bench replay`. All sides run in turns over one log; the medians of the
//! rounds count. Appending, and questions to the read model, are not measured.

// For the program's allocator.
use ccd402 as _;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ccd402_app::contract::sample::{append, binding_verified, confirmed, requested};
use ccd402_app::ports::log::{Append, EventLog, Position, READ_EVENTS_MAX};
use ccd402_app::ports::read_model::ReadModel as _;
use ccd402_app::replay::Replay;
use ccd402_domain::event::Event;
use ccd402_domain::verification::event::{Consumer, PaymentConsumed};
use ccd402_store::sled::{Options, SledLog};
use ccd402_store::sqlite::SqliteReadModel;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// Verifications, four events each.
const VERIFICATIONS: u64 = 150_000;
/// How many are asked for before the first of them is decided: at 2,000 a second, some seconds'.
const OPEN: usize = 10_000;
/// Verifications that are appended together.
const TOGETHER: usize = 1_000;
const ROUNDS: usize = 5;

/// What a round came to, in events a second.
#[derive(Default)]
struct Rates {
    replayed: Vec<f64>,
    parsed: Vec<f64>,
    checked: Vec<f64>,
    hashed: Vec<f64>,
}

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("the runtime starts");
    runtime.block_on(run());
}

async fn run() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory can be made");
    let log = SledLog::open(Options::new(dir.path().join("log"))).await.expect("the log opens");
    let log: Arc<dyn EventLog> = Arc::new(log);
    write(&*log).await;
    let events = *log.head().borrow();
    let rate = |time: Duration| events as f64 / time.as_secs_f64();
    let mut rates = Rates::default();
    for round in 0..=ROUNDS {
        let replayed = rate(replay(&log, dir.path()).await);
        let parsed = rate(each_line(&*log, parse).await);
        let checked = rate(check(&*log).await);
        let hashed = rate(each_line(&*log, hash).await);
        println!(
            "round {round}: replayed {replayed:>7.0}/s, parsed {parsed:>7.0}/s, \
             checked {checked:>7.0}/s, hashed {hashed:>7.0}/s"
        );
        // The first round warms up.
        if round > 0 {
            rates.replayed.push(replayed);
            rates.parsed.push(parsed);
            rates.checked.push(checked);
            rates.hashed.push(hashed);
        }
    }
    let (replayed, parsed) = (median(&mut rates.replayed), median(&mut rates.parsed));
    let (checked, hashed) = (median(&mut rates.checked), median(&mut rates.hashed));
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    println!("{events} events, {VERIFICATIONS} rows, {cores} cores; medians of {ROUNDS} rounds:");
    println!("  replayed into a new read model {replayed:>8.0} events/s (goal: 100,000 or more)");
    println!("  lines parsed as any JSON       {parsed:>8.0} events/s");
    println!("  ratio {:.2}", replayed / parsed);
    println!("  checked, hashes and links      {checked:>8.0} events/s (goal: 300,000 or more)");
    println!("  lines hashed                   {hashed:>8.0} events/s");
    println!("  ratio {:.2}", checked / hashed);
}

/// Verifications that are asked for, bound, confirmed and used, many of them open at a time.
async fn write(log: &dyn EventLog) {
    let numbers: Vec<u64> = (1..=VERIFICATIONS).collect();
    for open in numbers.chunks(OPEN) {
        let used = |_| Event::from(PaymentConsumed { by: Consumer::Settle });
        append_all(log, open, |n| append(n, 0, vec![requested(n, n)])).await;
        append_all(log, open, |n| append(n, 1, vec![binding_verified(n), confirmed(n, n)])).await;
        append_all(log, open, |n| append(n, 3, vec![used(n)])).await;
    }
}

async fn append_all(log: &dyn EventLog, numbers: &[u64], of: impl Fn(u64) -> Append) {
    for numbers in numbers.chunks(TOGETHER) {
        let appends = numbers.iter().map(|number| of(*number)).collect();
        log.append(appends).await.expect("the appends are in order");
    }
}

/// As `ccd402 replay` does: all rows and indexes, swapped in.
async fn replay(log: &Arc<dyn EventLog>, dir: &Path) -> Duration {
    let model = SqliteReadModel::open(dir).await;
    let head = *log.head().borrow();
    let since = Instant::now();
    let rows = model.rebuild().await.expect("a build can begin");
    let mut replay = Replay::new(Arc::clone(log), rows);
    while replay.step(head).await.expect("the events follow") {}
    replay.into_rows().swap_in().await.expect("it can be swapped in");
    let elapsed = since.elapsed();
    assert_eq!(*model.position().borrow(), Some(head));
    model.close().await;
    elapsed
}

/// As `ccd402 events verify` does.
async fn check(log: &dyn EventLog) -> Duration {
    let head = *log.head().borrow();
    let since = Instant::now();
    let mut position = 0;
    while position < head {
        position = log.check(position, READ_EVENTS_MAX).await.expect("the log is whole").position;
    }
    since.elapsed()
}

/// Reads all lines, and does something with each.
async fn each_line(log: &dyn EventLog, mut visit: impl FnMut(&[u8])) -> Duration {
    let since = Instant::now();
    let mut position: Position = 0;
    loop {
        let lines = log.read_lines(position, READ_EVENTS_MAX).await.expect("the log can be read");
        if lines.is_empty() {
            return since.elapsed();
        }
        position += lines.len() as u64;
        lines.iter().for_each(|line| visit(line));
    }
}

fn parse(line: &[u8]) {
    let value: Value = serde_json::from_slice(line).expect("a line is JSON");
    std::hint::black_box(value);
}

fn hash(line: &[u8]) {
    std::hint::black_box(Sha256::digest(line));
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}
