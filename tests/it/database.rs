//! The event log in a PostgreSQL database: payments are confirmed while the server restarts, and
//! whoever opens the same database knows them; tables are made by a command.

use std::sync::Arc;
use std::time::Duration;

use ccd402::compose::facilitator::{self, Running};
use ccd402::devnet::Listen;
use ccd402_app::ports::log::{EventLog as _, READ_EVENTS_MAX};
use ccd402_simchain::{Handle, Options as ChainOptions, SimChain};
use ccd402_store::postgres::{Options, PostgresLog};
use reqwest::Client;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::history::History;
use crate::payments::{Seller, Terms};
use crate::postgres_server::PostgresServer;
use crate::process::{self, arg};

const BLOCK_TIME: Duration = Duration::from_millis(250);
/// Longest that anything may take, also where two cores are shared by many.
const PATIENCE: Duration = Duration::from_secs(60);
const PAYMENTS: usize = 12;

async fn start(dir: &TempDir, name: &str, chain: &Handle, url: &str) -> anyhow::Result<Running> {
    let (data, listen) = (dir.path().join(name), Listen::anywhere().facilitator);
    // All who use a database have one key of webhooks.
    std::fs::create_dir_all(&data)?;
    std::fs::write(data.join("webhook.key"), "ab".repeat(32))?;
    let mut settings = facilitator::Options::new(listen, data, vec![chain.url()]);
    settings.database = Some(Options::new(url));
    facilitator::start(settings).await
}

async fn outcome(http: &Client, running: &Running, id: &str) -> Value {
    let decided = async {
        loop {
            let url = format!("{}/v1/verifications/{id}?wait=1s", running.url());
            let state: Value = http.get(url).send().await.unwrap().json().await.unwrap();
            if state["status"] != "pending" {
                return state["status"].clone();
            }
        }
    };
    tokio::time::timeout(PATIENCE, decided).await.expect("it is decided in time")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn payments_are_confirmed_over_restarts_of_the_database() {
    let (dir, http) = (tempfile::tempdir().unwrap(), Client::new());
    let server = Arc::new(tokio::task::spawn_blocking(PostgresServer::start).await.unwrap());
    let url = server.create_database();
    let options =
        ChainOptions { block_time: BLOCK_TIME, finality_delay: BLOCK_TIME, ..Default::default() };
    let chain = SimChain::start(options).await.unwrap();
    let refused = start(&dir, "a", &chain, &url).await.err().expect("nothing is migrated");
    assert!(format!("{refused:#}").contains("run `ccd402 migrate`"), "{refused:#}");
    for (from, to) in [(0, 2), (2, 2)] {
        let ended = process::run(&["migrate", "--database-url", &url, "--json"]).await;
        assert_eq!((ended.code, ended.lines()), (0, vec![json!({ "from": from, "to": to })]));
    }

    let running = start(&dir, "a", &chain, &url).await.unwrap();
    let seller = Seller::open(&chain).await;
    let payer = seller.payer(&chain, 1_000).await;
    let mut ids = Vec::new();
    for number in 0..PAYMENTS {
        if number % 4 == 1 {
            let server = Arc::clone(&server);
            tokio::task::spawn_blocking(move || server.restart()).await.unwrap();
        }
        let payment = seller.paid(&payer, Terms::default()).await;
        let url = format!("{}/v1/verifications", running.url());
        let response = http.post(url).json(&payment.request).send().await.unwrap();
        assert_eq!(response.status(), 202);
        let accepted: Value = response.json().await.unwrap();
        ids.push(accepted["id"].as_str().unwrap().to_owned());
    }
    for id in &ids {
        assert_eq!(outcome(&http, &running, id).await, "confirmed");
    }
    assert_eq!(running.follower().borrow().halted, None);
    running.stop().await.unwrap();

    // Another directory: all that matters is in the database.
    let running = start(&dir, "b", &chain, &url).await.unwrap();
    for id in &ids {
        assert_eq!(outcome(&http, &running, id).await, "confirmed");
    }
    running.stop().await.unwrap();
    let log = PostgresLog::open(&Options::new(&url)).await.unwrap();
    let head = *log.head().borrow();
    let mut checked = 0;
    while checked < head {
        checked = log.check(checked, READ_EVENTS_MAX).await.unwrap().position;
    }
    assert_eq!(History::read(&log).await.confirmed.len(), PAYMENTS);
    log.close().await;
    export_and_import(&dir, (&server.create_database(), &url), head).await;
}

/// The log of one database becomes that of another, line for line.
async fn export_and_import(dir: &TempDir, (to, from): (&str, &str), head: u64) {
    let file = |name: &str| dir.path().join(name);
    let export = async |url: &str, name: &str| {
        let file = file(name);
        let ended =
            process::run(&["events", "export", "--database-url", url, "--out", arg(&file)]).await;
        assert_eq!(ended.code, 0, "{ended:?}");
        std::fs::read(file).unwrap()
    };
    let lines = export(from, "from.jsonl").await;
    let import = file("from.jsonl");
    let import = ["events", "import", arg(&import), "--database-url", to, "--json"];
    let refused = process::run(&import).await;
    assert!(refused.code == 1 && refused.stderr.contains("ccd402 migrate"), "{refused:?}");
    assert_eq!(process::run(&["migrate", "--database-url", to]).await.code, 0);
    let ended = process::run(&import).await;
    assert_eq!(ended.code, 0, "{ended:?}");
    assert_eq!(ended.lines()[0]["position"], head);
    assert!(lines == export(to, "to.jsonl").await, "the exports are the same");
    let verify = process::run(&["events", "verify", "--database-url", to, "--json"]).await;
    assert_eq!((verify.code, &verify.lines()[0]["position"]), (0, &json!(head)));
}
