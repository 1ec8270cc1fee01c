//! The event log in PostgreSQL: what the port costs on top of the bare statements, whether a second
//! replica helps or hinders, and what one verification costs the servers.
//!
//! Run with `cargo bench --bench postgres`. It starts its own PostgreSQL, which syncs, and its own
//! Redis. Both sides of a ratio run in turns against the same server; servers and load share the
//! machine's cores.

#![expect(clippy::unwrap_used, reason = "what the tests share may panic where it cannot go on")]

// For the program's allocator.
use ccd402 as _;

#[path = "postgres/bare.rs"]
mod bare;
mod load;
#[path = "../support/postgres_server.rs"]
mod postgres_server;
#[path = "../support/redis_server.rs"]
mod redis_server;
#[path = "postgres/replicas.rs"]
mod replicas;
mod submission;

use std::time::{Duration, Instant};

use ccd402_app::contract::sample::{append, requested};
use ccd402_app::ports::log::EventLog as _;
use ccd402_store::postgres::{Options, PostgresLog, migrate};
use ccd402_workers::relay::{Relay, Word};
use sqlx::{Connection as _, PgConnection};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use postgres_server::PostgresServer;
use redis_server::RedisServer;

/// Replicas, or connections, that append at the same time.
const WRITERS: u64 = 4;
/// Appends of each that wait together; each is one event.
const IN_FLIGHT: u64 = 64;
/// Appends of each writer in a round.
const EACH: u64 = 64 * 200;
const ROUNDS: usize = 7;

fn main() {
    let server = PostgresServer::start();
    let runtime = tokio::runtime::Runtime::new().expect("the runtime starts");
    runtime.block_on(set_up(&server));
    server.restart();
    runtime.block_on(appends(&server, Hints::Redis(RedisServer::start())));
    runtime.block_on(appends(&server, Hints::Database));
    runtime.block_on(replicas::measure(&server));
    runtime.shutdown_background();
}

/// It syncs, and counts statements.
async fn set_up(server: &PostgresServer) {
    let url = server.create_database();
    for setting in [
        "ALTER SYSTEM SET fsync = on",
        "ALTER SYSTEM SET shared_preload_libraries = 'pg_stat_statements'",
    ] {
        let mut admin = PgConnection::connect(&url).await.expect("the server answers");
        sqlx::raw_sql(setting).execute(&mut admin).await.expect("the setting is taken");
    }
}

/// By what replicas tell each other of appends.
enum Hints {
    /// As in the cluster profile.
    Redis(RedisServer),
    /// By notifications, each of which is a transaction of the database's.
    Database,
}

async fn appends(server: &PostgresServer, hints: Hints) {
    let told = match hints {
        Hints::Redis(_) => "Redis",
        Hints::Database => "the database",
    };
    let (mut through_port, mut bare, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..=ROUNDS {
        let options = Options::new(server.create_database());
        migrate(&options).await.expect("it is migrated");
        let port = rate(append_through_port(&options, &hints).await);
        let lines = bare::lines_in(&options.url).await;
        let options = Options::new(server.create_database());
        migrate(&options).await.expect("it is migrated");
        let plain = rate(bare::append(&options.url, lines).await);
        let ratio = port / plain;
        println!(
            "round {round}, told by {told}: port {port:>6.0}/s, bare {plain:>6.0}/s, {ratio:.2}"
        );
        // The first round warms up.
        if round > 0 {
            through_port.push(port);
            bare.push(plain);
            ratios.push(ratio);
        }
    }
    println!("{WRITERS} writers, {IN_FLIGHT} a batch, synced; medians of {ROUNDS} rounds:");
    println!("  through the port  {:>6.0} events/s, told by {told}", median(&mut through_port));
    println!("  bare statements   {:>6.0} events/s", median(&mut bare));
    println!("  ratio {:.2} (goal: 0.8 or more)", median(&mut ratios));
}

/// Replicas that each keep so many appends waiting.
async fn append_through_port(options: &Options, hints: &Hints) -> Duration {
    let notifies = matches!(hints, Hints::Database);
    let options = Options { notifies, ..options.clone() };
    let stop = CancellationToken::new();
    let mut logs = Vec::new();
    for _ in 0..WRITERS {
        let log = PostgresLog::open(&options).await.expect("the log opens");
        if let Hints::Redis(redis) = hints {
            tokio::spawn(relay(redis.url(), log.clone(), stop.clone()));
        }
        logs.push(log);
    }
    // What is appended is there before the clock starts: making it up is not the log's work.
    let mut appenders = Vec::new();
    for (writer, log) in (0..).zip(&logs) {
        for place in 0..IN_FLIGHT {
            let numbers = (place..EACH).step_by(IN_FLIGHT as usize);
            let numbers = numbers.map(|number| writer * EACH + number);
            let appends: Vec<_> = numbers.map(|n| append(n, 0, vec![requested(n, n)])).collect();
            appenders.push((log.clone(), appends));
        }
    }
    let since = Instant::now();
    let mut running = JoinSet::new();
    for (log, appends) in appenders {
        running.spawn(async move {
            for one in appends {
                log.append(vec![one]).await.expect("the append is in order");
            }
        });
    }
    while let Some(ended) = running.join_next().await {
        ended.expect("no appender panics");
    }
    let took = since.elapsed();
    stop.cancel();
    for log in logs {
        log.close().await;
    }
    took
}

/// Tells the others of one replica's appends, and it of theirs.
async fn relay(url: String, log: PostgresLog, stop: CancellationToken) {
    let relay = Relay::open(&url, "bench").expect("a URL");
    let hints = log.hints();
    let tell = async {
        loop {
            hints.appended.notified().await;
            relay.tell(Word::Appended).await;
            // As the processes do.
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    };
    let hear = relay.hear(|_| hints.look.notify_one(), stop.clone());
    tokio::join!(stop.run_until_cancelled(tell), hear);
}

fn rate(took: Duration) -> f64 {
    (WRITERS * EACH) as f64 / took.as_secs_f64()
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
