//! Submissions to one replica that answers calls, and to two; and what one submission costs the
//! servers behind them.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ccd402::compose::facilitator::{self, Role, Running};
use ccd402::devnet::{Devnet, Options as DevnetOptions};
use ccd402_store::postgres::{Options as DatabaseOptions, migrate};
use sqlx::{Connection as _, PgConnection};

use crate::load::{self, Template};
use crate::median;
use crate::postgres_server::PostgresServer;
use crate::redis_server::RedisServer;
use crate::submission;

const CONNECTIONS: u64 = 256;
const SUBMISSIONS: u64 = 10_000;
const ROUNDS: usize = 5;

/// What the servers have done so far.
#[derive(Clone, Copy)]
struct Done {
    statements: f64,
    wal_bytes: f64,
    redis_commands: f64,
}

pub(crate) async fn measure(server: &PostgresServer) {
    let (dir, redis) = (tempfile::tempdir().expect("a directory"), RedisServer::start());
    let mut options = DevnetOptions::quick(dir.path().join("devnet"));
    options.block_time = Duration::from_secs(1);
    let net = Devnet::start(options).await.expect("the devnet starts");
    let database = DatabaseOptions::new(server.create_database());
    migrate(&database).await.expect("it is migrated");
    let process = |name: &str, role| {
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let data = with_the_key_of_all(dir.path(), name);
        let mut options = facilitator::Options::new(listen, data, vec![net.chain().url()]);
        options.role = role;
        options.database = Some(database.clone());
        options.queue_url = Some(redis.url());
        options
    };
    let worker = facilitator::start_to_work(process("work", Role::Work)).await.expect("it works");
    let mut apis = Vec::new();
    for name in ["one", "two"] {
        let api = facilitator::start(process(name, Role::Api)).await.expect("it starts");
        covered(&api).await;
        apis.push(api);
    }
    let (body, hash) = submission::submission(&net).await;
    let template = Arc::new(Template::post("/v1/verifications", &body, &hash));
    let (mut by_one, mut by_two, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    let mut costs = Vec::new();
    for round in 0..=ROUNDS {
        let before = done(&database.url, &redis).await;
        let one = submit(&apis[..1], &template).await;
        costs.push(cost(before, done(&database.url, &redis).await));
        let two = submit(&apis, &template).await;
        println!("round {round}: one replica {one:>6.0}/s, two {two:>6.0}/s, {:.2}", two / one);
        if round > 0 {
            by_one.push(one);
            by_two.push(two);
            ratios.push(two / one);
        }
    }
    println!("{CONNECTIONS} connections, {} bytes a body; medians of {ROUNDS} rounds:", body.len());
    println!("  one API replica   {:>6.0} submissions/s", median(&mut by_one));
    println!("  two API replicas  {:>6.0} submissions/s", median(&mut by_two));
    println!("  ratio {:.2} (goal: 1 or more)", median(&mut ratios));
    let of = |what: fn(&Done) -> f64| median(&mut costs.iter().map(what).collect::<Vec<_>>());
    println!(
        "one submission costs {:.2} SQL statements, {:.0} bytes of WAL, {:.2} Redis commands",
        of(|cost| cost.statements),
        of(|cost| cost.wal_bytes),
        of(|cost| cost.redis_commands)
    );
    for api in apis {
        api.stop().await.expect("it stops");
    }
    worker.stop().await.expect("it stops");
}

/// A round of submissions, spread over some replicas; how many a second.
async fn submit(apis: &[Running], template: &Arc<Template>) -> f64 {
    let share = apis.len() as u64;
    let amount = (CONNECTIONS / share, SUBMISSIONS / share);
    let loads = apis.iter().map(|api| load::run(api.addr(), Arc::clone(template), amount, "202"));
    let loads = futures::future::join_all(loads).await;
    let answered: u64 = loads.iter().map(|load| load.answered).sum();
    let took = loads.iter().map(|load| load.time).max().unwrap_or_default();
    answered as f64 / took.as_secs_f64()
}

async fn done(database: &str, redis: &RedisServer) -> Done {
    let mut db = PgConnection::connect(database).await.expect("the server answers");
    sqlx::raw_sql("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
        .execute(&mut db)
        .await
        .expect("it comes with PostgreSQL");
    let statements: f64 =
        sqlx::query_scalar("SELECT coalesce(sum(calls), 0)::float8 FROM pg_stat_statements")
            .fetch_one(&mut db)
            .await
            .expect("statements are counted");
    let wal_bytes: f64 =
        sqlx::query_scalar("SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::float8")
            .fetch_one(&mut db)
            .await
            .expect("the server answers");
    let client = redis::Client::open(redis.url()).expect("a URL");
    let mut connection =
        client.get_multiplexed_async_connection().await.expect("the server answers");
    let stats: String =
        redis::cmd("INFO").arg("stats").query_async(&mut connection).await.expect("it tells");
    let commands = stats.lines().find_map(|line| line.strip_prefix("total_commands_processed:"));
    let redis_commands = commands.and_then(|text| text.trim().parse().ok()).expect("it counts");
    Done { statements, wal_bytes, redis_commands }
}

/// Per submission; what the processes do all the time is in it.
fn cost(before: Done, after: Done) -> Done {
    let each = |before: f64, after: f64| (after - before) / SUBMISSIONS as f64;
    Done {
        statements: each(before.statements, after.statements),
        wal_bytes: each(before.wal_bytes, after.wal_bytes),
        redis_commands: each(before.redis_commands, after.redis_commands),
    }
}

/// Waits until each new submission need not ask the node about its transaction.
async fn covered(api: &Running) {
    let mut follower = api.follower();
    let first = follower.wait_for(|status| status.last.is_some()).await;
    let first = first.map(|status| status.last.expect("it was waited for").time);
    let first = first.expect("it watches");
    let is_covered = |status: &ccd402_workers::follower::Status| {
        status.last.is_some_and(|last| last.time > first + chrono::TimeDelta::seconds(15))
    };
    drop(follower.wait_for(is_covered).await.expect("it watches"));
}

fn with_the_key_of_all(dir: &Path, name: &str) -> std::path::PathBuf {
    let data = dir.join(name);
    std::fs::create_dir_all(&data).expect("a directory");
    std::fs::write(data.join("webhook.key"), "ab".repeat(32)).expect("a key");
    data
}
