//! How long pages of the dashboard take with no verification and with a million, against `GET /health`
//! in the same run; and what 200 live pages cost submissions and memory.
//!
//! Run with `cargo bench --bench dashboard`. Server, readers and load share the machine's cores. What
//! browsers make of a page is not measured.

mod load;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use ccd402::compose::jobs::Options as JobOptions;
use ccd402::devnet::shop::ARTICLE;
use ccd402::devnet::{Devnet, Options};
use ccd402_app::contract::sample::{append, confirmed, failed, payment, requested, verification};
use ccd402_app::ports::log::{Append, EventLog};
use ccd402_app::ports::read_model::ReadModel;
use ccd402_domain::account::AccountAddress;
use ccd402_domain::event::Event;
use ccd402_simchain::{Funds, IdentitySpec};
use ccd402_store::sled::{Options as LogOptions, SledLog};
use chrono::{DateTime, TimeDelta, Utc};
use load::{Load, Template};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

const VERIFICATIONS: u64 = 1_000_000;
/// Verifications that are appended together.
const TOGETHER: u64 = 1_000;
/// How long ago the first was handed in: most lie outside of what an overview shows over time.
const SPREAD: TimeDelta = TimeDelta::days(30);
const REQUESTS: usize = 201;
/// A page may take three times what `/health` does, and this besides.
const BESIDES: Duration = Duration::from_millis(20);

const LIVE: usize = 200;
const CONNECTIONS: u64 = 256;
const SUBMISSIONS: u64 = 60_000;
const ROUNDS: usize = 5;

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("the runtime starts");
    runtime.block_on(run());
    runtime.shutdown_background();
}

async fn run() {
    let empty = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory");
    let net = start(empty.path()).await;
    println!("with 0 verifications:");
    let are_quick = pages(net.facilitator().addr()).await;
    net.stop().await.expect("it stops");

    let full = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory");
    let begun_at = Instant::now();
    write(full.path()).await;
    println!("{VERIFICATIONS} written in {:.0} s", begun_at.elapsed().as_secs_f64());
    let begun_at = Instant::now();
    let net = start(full.path()).await;
    println!(
        "and read again in {:.0} s; with {VERIFICATIONS} verifications:",
        begun_at.elapsed().as_secs_f64()
    );
    let are_quick = pages(net.facilitator().addr()).await && are_quick;
    println!("  every page within 3 x /health + {} ms: {are_quick}", BESIDES.as_millis());
    live(&net).await;
}

/// A facilitator on a directory, once its read model is there.
async fn start(dir: &Path) -> Devnet {
    let mut options = Options::quick(dir.to_owned());
    options.block_time = Duration::from_secs(1);
    options.jobs = JobOptions::default();
    let net = Devnet::start(options).await.expect("the devnet starts");
    let head = *net.facilitator().reads().log().head().borrow();
    let mut position = net.facilitator().reads().model().position();
    let is_there = |at: &Option<u64>| at.is_some_and(|at| at >= head);
    position.wait_for(is_there).await.expect("the read model is built");
    net
}

/// Nine of ten confirmed, the rest failed or pending; two assets, 200 resources, 20,000 payers.
async fn write(dir: &Path) {
    let log = SledLog::open(LogOptions::new(dir.join("log"))).await.expect("the log opens");
    let now = Utc::now();
    for first in (0..VERIFICATIONS).step_by(TOGETHER as usize) {
        let numbers = first..first + TOGETHER;
        let appends: Vec<Append> = numbers.clone().map(|number| handed_in(number, now)).collect();
        log.append(appends).await.expect("they are new");
        let decided = numbers.filter_map(|number| decided(number, now)).collect();
        log.append(decided).await.expect("they follow");
    }
    log.close().await;
}

fn time_of(number: u64, now: DateTime<Utc>) -> DateTime<Utc> {
    let part = SPREAD.num_milliseconds() * number as i64 / VERIFICATIONS as i64;
    now - SPREAD + TimeDelta::milliseconds(part)
}

fn account(number: u64) -> AccountAddress {
    payment(number).payer
}

fn handed_in(number: u64, now: DateTime<Utc>) -> Append {
    let Event::VerificationRequested(mut request) = requested(number, number) else {
        unreachable!("the sample is a request");
    };
    let time = time_of(number, now);
    request.requested_at = time;
    if number % 50 == 0 {
        request.tenant = "shop".parse().expect("it is a name");
    }
    let paid = Arc::make_mut(&mut request.payment);
    paid.payer = account(number % 20_000);
    paid.pay_to = account(20_000 + number % 20);
    paid.resource.url = format!("https://shop.example.com/reports/{}", number % 200);
    if number % 7 == 0 {
        paid.asset = "EURR".parse().expect("it is a token");
    }
    Append { time, ..append(number, 0, vec![request.into()]) }
}

fn decided(number: u64, now: DateTime<Utc>) -> Option<Append> {
    let event = match number % 20 {
        0 => return None,
        1 => failed(number, number),
        _ => confirmed(number, number),
    };
    let time = time_of(number, now) + TimeDelta::milliseconds(2_000 + (number % 3_000) as i64);
    Some(Append { time, ..append(number, 1, vec![event]) })
}

/// Measures pages against `/health`, in turns; whether each keeps to its bound at the median.
async fn pages(addr: SocketAddr) -> bool {
    let mut stream = TcpStream::connect(addr).await.expect("the server accepts");
    let (payer, pay_to) = (account(777), account(20_003));
    let one = verification(777_778);
    let hash = payment(777_777).transaction;
    let list = "/dashboard/verifications";
    let mut paths = vec![
        "/dashboard".to_owned(),
        "/dashboard?over=day".to_owned(),
        "/dashboard?over=week".to_owned(),
        list.to_owned(),
        format!("{list}?status=pending"),
        format!("{list}?status=failed"),
        format!("{list}?tenant=shop"),
        format!("{list}?tenant=shop&status=failed"),
        format!("{list}?payer={payer}"),
        format!("{list}?payTo={pay_to}"),
        format!("{list}?asset=EURR"),
        format!("{list}?asset=NONE"),
        format!("{list}?resource=https%3A%2F%2Fshop.example.com%2Freports%2F7"),
        format!("{list}?transaction={hash}"),
        format!("{list}?from=2020-01-01T00:00&to=2026-01-01T00:00"),
        format!("{list}?status=confirmed&asset=EURR"),
    ];
    if page(&mut stream, &format!("{list}/{one}")).await.1 == 200 {
        paths.push(format!("{list}/{one}"));
    }
    let mut health = Vec::new();
    let mut took: Vec<Vec<Duration>> = vec![Vec::new(); paths.len()];
    for _ in 0..REQUESTS {
        health.push(page(&mut stream, "/health").await.0);
        for (path, took) in paths.iter().zip(&mut took) {
            let (time, status) = page(&mut stream, path).await;
            assert_eq!(status, 200, "{path}");
            took.push(time);
        }
    }
    let health = median(&mut health);
    let most = health * 3 + BESIDES;
    println!("  {:>7.2} ms  /health; a page may take {:.2} ms", ms(health), ms(most));
    let mut are_quick = true;
    for (path, took) in paths.iter().zip(&mut took) {
        let half = median(took);
        let worst = took.last().copied().unwrap_or_default();
        are_quick &= half < most;
        println!("  {:>7.2} ms  {path} (at most {:.1} ms)", ms(half), ms(worst));
    }
    are_quick
}

async fn page(stream: &mut TcpStream, path: &str) -> (Duration, u16) {
    let request = format!("GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n");
    let mut answer = Vec::with_capacity(64 * 1024);
    let begun_at = Instant::now();
    load::exchange(stream, request.as_bytes(), &mut answer).await;
    let took = begun_at.elapsed();
    let status = load::status_of(&answer);
    let status = std::str::from_utf8(status).ok().and_then(|digits| digits.parse().ok());
    (took, status.expect("an answer has a status"))
}

/// Submissions with and without live pages, in turns, and the memory that these take.
async fn live(net: &Devnet) {
    let addr = net.facilitator().addr();
    let payer = net.hand(IdentitySpec::default(), Funds::ccd(1)).await.expect("an account");
    let offer = payer.offer(&format!("{}{ARTICLE}", net.gate_url())).await.expect("an offer");
    let hash = "f".repeat(64);
    let payload = offer.payload(hash.parse().expect("64 digits"), payer.wallet().address(), None);
    let body = json!({
        "x402Version": 1, "paymentPayload": payload, "paymentRequirements": offer.raw,
    });
    let submit = Arc::new(Template::post("/v1/verifications", &body.to_string(), &hash));
    let (mut alone, mut beside, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..=ROUNDS {
        let one =
            rate(&load::run(addr, Arc::clone(&submit), (CONNECTIONS, SUBMISSIONS), "202").await);
        let before = resident_mib();
        let (heard, readers) = open(addr).await;
        let open_mib = resident_mib();
        let two =
            rate(&load::run(addr, Arc::clone(&submit), (CONNECTIONS, SUBMISSIONS), "202").await);
        let (heard, after) = (heard.load(Ordering::Relaxed), resident_mib());
        drop(readers);
        println!(
            "  round {round}: alone {one:>6.0}/s, beside {LIVE} live pages {two:>6.0}/s; \
             resident {before} MiB, {open_mib} with the pages open, {after} after; \
             they heard {:.1} MiB",
            heard as f64 / 1_048_576.0
        );
        // The first round warms up.
        if round > 0 {
            alone.push(one);
            beside.push(two);
            ratios.push(two / one);
        }
    }
    let (one, two) = (middle(&mut alone), middle(&mut beside));
    println!(
        "submissions: alone {one:.0}/s, beside {LIVE} live pages {two:.0}/s; medians of {ROUNDS}"
    );
    println!("  median of the rounds' ratios {:.2} (goal: 0.90 or more)", middle(&mut ratios));
}

/// Opens live pages of every sort, and reads what they are sent; how many bytes that is.
async fn open(addr: SocketAddr) -> (Arc<AtomicU64>, JoinSet<()>) {
    let heard = Arc::new(AtomicU64::new(0));
    let mut readers = JoinSet::new();
    for number in 0..LIVE {
        let path = match number % 4 {
            0 => format!("/dashboard/live?over={}", ["hour", "day", "week"][number / 4 % 3]),
            1 => "/dashboard/verifications/live?status=pending".to_owned(),
            2 => {
                let payer = account(number as u64);
                format!("/dashboard/verifications/live?payer={payer}")
            }
            _ => format!("/dashboard/verifications/{}/live", verification(number as u64 * 100 + 1)),
        };
        let mut stream = TcpStream::connect(addr).await.expect("the server accepts");
        let request = format!("GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("the server reads");
        let mut first = vec![0; 64 * 1024];
        let read = stream.read(&mut first).await.expect("the server answers");
        assert!(
            first[..read].starts_with(b"HTTP/1.1 200"),
            "{}",
            String::from_utf8_lossy(&first[..read])
        );
        let heard = Arc::clone(&heard);
        readers.spawn(async move {
            while let Ok(read @ 1..) = stream.read(&mut first).await {
                heard.fetch_add(read as u64, Ordering::Relaxed);
            }
        });
    }
    (heard, readers)
}

fn resident_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux tells of processes");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("it has memory");
    let kib: u64 = line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).expect("a number");
    kib / 1024
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn middle(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

fn rate(load: &Load) -> f64 {
    load.answered as f64 / load.time.as_secs_f64()
}
