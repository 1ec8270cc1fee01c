//! Durable appends a second through the port of the event log, against a bare sled loop that writes
//! the same bytes with the same care.
//!
//! Run with `cargo bench --bench append`. Both sides run in turns, each round in a directory of its
//! own. The median of the rounds' ratios is what counts: the two halves of a round share whatever
//! else the machine is doing. It says what the log costs on top of sled.
//! Reads, conflicts and several processes are not measured.

// For the program's allocator.
use ccd402 as _;

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ccd402_app::contract::sample::{append, requested};
use ccd402_app::ports::log::EventLog;
use ccd402_store::sled::{Options, SledLog};
use tokio::task::JoinSet;

/// Appends of a round, one event each.
const APPENDS: u64 = 256 * 60;
/// Appenders that wait for their acknowledgement at the same time.
const IN_FLIGHT: u64 = 1_024;
/// Appends that the bare loop makes durable together.
const BATCH: usize = 256;
const ROUNDS: usize = 15;
const CACHE_BYTES: u64 = 64 * 1024 * 1024;

/// What one append writes: keys and values.
type Writes = Vec<(Vec<u8>, Vec<u8>)>;

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("the runtime starts");
    let (mut through_port, mut bare, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..=ROUNDS {
        let port_dir = fresh_dir();
        let port_time = runtime.block_on(append_through_port(port_dir.path()));
        let writes = written_in(port_dir.path());
        drop(port_dir);
        let bare_dir = fresh_dir();
        let bare_time = append_bare(bare_dir.path(), &writes);
        let (port_rate, bare_rate) = (rate(port_time), rate(bare_time));
        let ratio = port_rate / bare_rate;
        println!("round {round:>2}: port {port_rate:>7.0}/s, bare {bare_rate:>7.0}/s, {ratio:.2}");
        // The first round warms up.
        if round > 0 {
            through_port.push(port_rate);
            bare.push(bare_rate);
            ratios.push(ratio);
        }
    }
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    println!("machine: {cores} cores, {}", cpu().unwrap_or_default());
    println!("{APPENDS} appends a round, {IN_FLIGHT} in flight; medians of {ROUNDS} rounds:");
    println!("  through the port {:>7.0} durable appends/s", median(&mut through_port));
    println!("  bare sled loop   {:>7.0} durable appends/s", median(&mut bare));
    println!("  ratio {:.2} (goal: 0.9 or more)", median(&mut ratios));
}

async fn append_through_port(dir: &Path) -> Duration {
    let options = Options { cache_bytes: CACHE_BYTES, ..Options::new(dir) };
    let log: Arc<SledLog> = Arc::new(SledLog::open(options).await.expect("the log opens"));
    // What is appended is there before the clock starts: making it up is not the log's work.
    let appends_of = |first| {
        let numbers = (first..APPENDS).step_by(IN_FLIGHT as usize);
        numbers.map(|n| append(n, 0, vec![requested(n, n)])).collect::<Vec<_>>()
    };
    let of_appenders: Vec<_> = (0..IN_FLIGHT).map(appends_of).collect();
    let since = Instant::now();
    let mut appenders = JoinSet::new();
    for appends in of_appenders {
        let log = Arc::clone(&log);
        appenders.spawn(async move {
            for one in appends {
                log.append(vec![one]).await.expect("the append is in order");
            }
        });
    }
    while let Some(done) = appenders.join_next().await {
        done.expect("no appender panics");
    }
    let elapsed = since.elapsed();
    assert_eq!(*log.head().borrow(), APPENDS);
    log.close().await;
    elapsed
}

/// Everything that the log has written, append by append.
fn written_in(dir: &Path) -> Vec<Writes> {
    let db = open_sled(dir);
    let mut by_position: BTreeMap<u64, Writes> = BTreeMap::new();
    for entry in db.iter() {
        let (key, value) = entry.expect("sled reads");
        let position = match key.split_at(2) {
            (b"e|", position) => number(position),
            (b"s|" | b"w|", _) => number(&value[..8]),
            _ => continue,
        };
        by_position.entry(position).or_default().push((key.to_vec(), value.to_vec()));
    }
    by_position.into_values().collect()
}

fn append_bare(dir: &Path, writes: &[Writes]) -> Duration {
    let db = open_sled(dir);
    let file = OpenOptions::new().write(true).open(dir.join("db")).expect("sled has its file");
    let head = [0; 40];
    let since = Instant::now();
    for appends in writes.chunks(BATCH) {
        let mut batch = sled::Batch::default();
        for (key, value) in appends.iter().flatten() {
            batch.insert(&key[..], &value[..]);
        }
        batch.insert(&b"m|head"[..], &head[..]);
        db.apply_batch(batch).expect("sled takes the batch");
        db.flush().expect("sled flushes");
        file.sync_data().expect("the file syncs");
    }
    since.elapsed()
}

fn open_sled(dir: &Path) -> sled::Db {
    let config = sled::Config::new().path(dir).cache_capacity(CACHE_BYTES).flush_every_ms(None);
    config.open().expect("sled opens")
}

fn fresh_dir() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory can be made")
}

fn number(bytes: &[u8]) -> u64 {
    u64::from_be_bytes(bytes.try_into().expect("positions have eight bytes"))
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}

fn rate(time: Duration) -> f64 {
    APPENDS as f64 / time.as_secs_f64()
}

fn cpu() -> Option<String> {
    let info = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = info.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(": ")?.1.to_owned())
}
