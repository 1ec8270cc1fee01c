//! The program as a person uses it: flags, exit codes, what is said, and what is left on disk.

use std::path::Path;

use axum::Router;
use axum::http::HeaderMap;
use axum::routing::get;
use ccd402::devnet::shop::{ARTICLE, FREE, REPORT, REPORT_TEXT};
use ccd402_chain::nodes::{Nodes, Options as NodeOptions};
use ccd402_chain::payer::{Transfer, Wallet};
use ccd402_chain::wallet::WalletFile;
use ccd402_domain::account::AccountAddress;
use ccd402_domain::amount::Amount;
use ccd402_domain::asset::Asset;
use ccd402_domain::ids::TransactionHash;
use ccd402_simchain::{Control, FaultKind};
use ccd402_store::sled::{Options as LogOptions, SledLog};
use chrono::DateTime;
use serde_json::Value;
use tempfile::TempDir;

use crate::history::History;
use crate::process::{Ended, Process, arg, run};

/// What new wallets hold, in microCCD.
const FUNDS: u64 = 100_000_000;
/// What the article costs; the report costs three times as much.
const PRICE: u64 = 500_000;
/// More than the chain charges for one transfer, less than for two.
const FEE_MAX: u64 = 800_000;

/// `ccd402 dev` in a directory of its own.
struct Dev {
    process: Process,
    node: String,
    gate: String,
    network: String,
}

impl Dev {
    async fn start(dir: &Path) -> Self {
        let data = dir.join("dev");
        let mut args = vec!["dev", "--data-dir", arg(&data)];
        args.extend(["--chain-port", "0", "--facilitator-port", "0", "--gate-port", "0"]);
        let (process, ready) = Process::serve(&args).await;
        let text = |field: &str| ready[field].as_str().unwrap().to_owned();
        Self { process, node: text("node"), gate: text("gate"), network: text("network") }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.gate)
    }

    async fn stop(self) {
        assert!(self.process.terminate().await.success());
    }
}

async fn new_wallet(node: &str, file: &Path, more: &[&str]) -> Ended {
    let out = ["wallet", "new", "--out", arg(file), "--fund", "100 CCD", "--node", node, "--json"];
    run(&[&out, more].concat()).await
}

async fn pay(node: &str, file: &Path, url: &str, max: &str) -> Ended {
    let wallet = ["pay", url, "--wallet", arg(file), "--node", node];
    run(&[&wallet[..], &["--max-amount", max, "--json"]].concat()).await
}

async fn show(node: &str, file: &Path) -> Value {
    let shown = run(&["wallet", "show", arg(file), "--node", node, "--json"]).await;
    assert_eq!(shown.code, 0, "{shown:?}");
    shown.lines().remove(0)
}

async fn held(node: &str, file: &Path) -> u64 {
    let shown = show(node, file).await;
    let held = &shown["microCcd"];
    held.as_u64().or_else(|| held.as_str()?.parse().ok()).unwrap_or_else(|| panic!("{shown}"))
}

/// What a certain transfer of the account would be called: changes with its next sequence number.
async fn next(node: &str, file: &Path) -> TransactionHash {
    let nodes = Nodes::connect(NodeOptions::new(vec![node.to_owned()])).await.unwrap();
    let wallet = Wallet::open(WalletFile::read(file).unwrap(), nodes).unwrap();
    let transfer = Transfer {
        to: AccountAddress::from_bytes([1; 32]),
        asset: Asset::Ccd,
        amount: Amount::from_units(1),
        memo: None,
        expires_at: DateTime::UNIX_EPOCH,
    };
    wallet.build_transfer(&transfer).await.unwrap().hash
}

fn steps(result: &Value) -> Vec<&str> {
    let steps = result["steps"].as_array().unwrap();
    steps.iter().map(|step| step["step"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn three_commands_buy_the_report() {
    let dir = tempfile::tempdir().unwrap();
    let dev = Dev::start(dir.path()).await;
    let wallet = dir.path().join("payer.json");
    let made = new_wallet(&dev.node, &wallet, &[]).await;
    assert_eq!(made.code, 0, "{made:?}");
    let address = made.lines()[0]["address"].clone();
    assert_eq!(new_wallet(&dev.node, &wallet, &[]).await.code, 1, "a wallet is never overwritten");

    let paid = pay(&dev.node, &wallet, &dev.url(REPORT), "5 CCD").await;
    assert_eq!(paid.code, 0, "{paid:?}");
    let result = paid.lines().remove(0);
    assert_eq!((&result["ok"], &result["paid"]), (&true.into(), &true.into()), "{result}");
    assert_eq!(result["content"], REPORT_TEXT);
    assert_eq!(result["receipt"]["success"], true, "{result}");
    assert_eq!(result["receipt"]["transaction"], result["transaction"]);
    assert!(steps(&result).contains(&"sent"), "{result}");

    let shown = show(&dev.node, &wallet).await;
    assert_eq!(
        (&shown["address"], &shown["network"]),
        (&address, &Value::from(dev.network.clone()))
    );
    assert_eq!(shown["attributes"]["dob"], "19900203");
    let spent = FUNDS - held(&dev.node, &wallet).await;
    assert!((3 * PRICE..3 * PRICE + FEE_MAX).contains(&spent), "{spent}");

    // For people: the content alone on stdout. The same URL again is another payment.
    let (url, limit) = (dev.url(REPORT), ["--max-amount", "1.5 CCD"]);
    let text = ["pay", &url, "--wallet", arg(&wallet), "--node", &dev.node];
    let text = run(&[&text[..], &limit].concat()).await;
    assert_eq!((text.code, text.stdout.as_str()), (0, REPORT_TEXT), "{}", text.stderr);
    assert!(text.stderr.contains("settled"), "{}", text.stderr);
    let now = held(&dev.node, &wallet).await;
    let free = pay(&dev.node, &wallet, &dev.url(FREE), "5 CCD").await;
    assert_eq!((free.code, &free.lines()[0]["paid"]), (0, &false.into()), "{free:?}");
    assert_eq!(held(&dev.node, &wallet).await, now);
    dev.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_not_be_paid_is_said_before_anything_is_sent() {
    let dir = tempfile::tempdir().unwrap();
    let dev = Dev::start(dir.path()).await;
    let (minor, adult) = (dir.path().join("minor.json"), dir.path().join("adult.json"));
    assert_eq!(new_wallet(&dev.node, &minor, &["--dob", "20110501"]).await.code, 0);
    assert_eq!(new_wallet(&dev.node, &adult, &[]).await.code, 0);
    let rows = [
        ("a payer who is 15", &minor, "5 CCD", "cannot_prove", "18"),
        ("over the limit", &adult, "1.4 CCD", "over_limit", "1.4 CCD"),
        ("a limit in another asset", &adult, "5 EURR", "over_limit", "CCD"),
    ];
    for (row, wallet, limit, code, says) in rows {
        let before = next(&dev.node, wallet).await;
        let refused = pay(&dev.node, wallet, &dev.url(REPORT), limit).await;
        assert_eq!(refused.code, 1, "{row}: {refused:?}");
        let result = refused.lines().remove(0);
        assert_eq!(
            (&result["code"], &result["paid"]),
            (&code.into(), &false.into()),
            "{row}: {result}"
        );
        assert!(result["error"].as_str().unwrap().contains(says), "{row}: {result}");
        assert!(!steps(&result).contains(&"sent"), "{row}: {result}");
        assert_eq!(next(&dev.node, wallet).await, before, "{row}: the sequence number moved");
        assert_eq!(held(&dev.node, wallet).await, FUNDS, "{row}");
    }
    let url = dev.url(REPORT);
    let unlimited = run(&["pay", &url, "--wallet", arg(&adult), "--node", &dev.node]).await;
    assert_eq!(unlimited.code, 1, "{unlimited:?}");
    assert!(unlimited.stderr.contains("--max-amount"), "{}", unlimited.stderr);
    assert_eq!(held(&dev.node, &adult).await, FUNDS);
    dev.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payer_that_is_killed_after_it_sent_pays_once() {
    let dir = tempfile::tempdir().unwrap();
    let dev = Dev::start(dir.path()).await;
    let wallet = dir.path().join("payer.json");
    assert_eq!(new_wallet(&dev.node, &wallet, &[]).await.code, 0);
    let (chain, url) = (Control::connect(&dev.node).await.unwrap(), dev.url(ARTICLE));
    chain.fault(&FaultKind::DelayFinality.into()).await.unwrap();
    let text = ["pay", &url, "--wallet", arg(&wallet), "--node", &dev.node];
    let more = ["--way", "hash", "--max-amount", "5 CCD"];
    let mut payer = Process::spawn(&[&text[..], &more].concat());
    payer.says("sent").await;
    payer.kill().await;
    chain.clear_faults().await.unwrap();

    let paid = pay(&dev.node, &wallet, &url, "5 CCD").await;
    assert_eq!(paid.code, 0, "{paid:?}");
    let result = paid.lines().remove(0);
    assert!(steps(&result).contains(&"resumed"), "{result}");
    assert!(!steps(&result).contains(&"recorded"), "{result}");
    paid_once(&dev.node, &wallet, &result).await;
    dev.stop().await;
}

/// The wallet has made this payment for the article and no other.
async fn paid_once(node: &str, wallet: &Path, result: &Value) {
    assert_eq!(result["content"], "The article: how to brew tea.\n");
    let spent = FUNDS - held(node, wallet).await;
    assert!((PRICE..PRICE + FEE_MAX).contains(&spent), "{spent}");
    let journal = wallet.with_file_name("payer.json.payments");
    let names = std::fs::read_dir(journal).unwrap().map(|entry| entry.unwrap().file_name());
    let records: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
    let records: Vec<_> = records.iter().filter_map(|name| name.strip_suffix(".json")).collect();
    assert_eq!(records, [result["transaction"].as_str().unwrap()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn dev_goes_on_where_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let wallet = dir.path().join("payer.json");
    let mut seen = Vec::new();
    for round in 0..2 {
        let dev = Dev::start(dir.path()).await;
        if round == 0 {
            assert_eq!(new_wallet(&dev.node, &wallet, &[]).await.code, 0);
        }
        let paid = pay(&dev.node, &wallet, &dev.url(ARTICLE), "5 CCD").await;
        assert_eq!(paid.code, 0, "round {round}: {paid:?}");
        seen.push((dev.network.clone(), held(&dev.node, &wallet).await));
        dev.stop().await;
    }
    assert_eq!(seen[0].0, seen[1].0, "it is the same network");
    assert_eq!(seen[1].1 + PRICE, seen[0].1, "the fee is the sponsor's");
    let log = SledLog::open(LogOptions::new(dir.path().join("dev/log"))).await.unwrap();
    log.verify(0).await.unwrap();
    assert_eq!(History::read(&log).await.confirmed.len(), 2);
    log.close().await;
}

/// Simulated chain and facilitator, each a process.
async fn chain_and_facilitator(dir: &TempDir) -> ([Process; 2], String, String) {
    let chain = ["simchain", "--listen", "127.0.0.1:0", "--block-time", "250ms"];
    let chain = [&chain[..], &["--finality-delay", "250ms"]].concat();
    let (chain, ready) = Process::serve(&chain).await;
    let node = ready["url"].as_str().unwrap().to_owned();
    let data = dir.path().join("facilitator");
    let serve = ["serve", "--listen", "127.0.0.1:0", "--node", &node, "--data-dir", arg(&data)];
    let (facilitator, ready) = Process::serve(&serve).await;
    ([chain, facilitator], node, ready["url"].as_str().unwrap().to_owned())
}

/// A server that knows nothing of payments; it tells who it was told has paid.
async fn plain_server() -> String {
    let told = |headers: HeaderMap| async move {
        let payer = headers.get("x-ccd402-payer").and_then(|payer| payer.to_str().ok());
        payer.unwrap_or("nobody").to_owned()
    };
    let server = Router::new().route("/paid/thing", get(told)).route("/open", get(told));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, server).await });
    url
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gate_puts_a_price_before_any_server_and_outlives_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let (servers, node, facilitator) = chain_and_facilitator(&dir).await;
    let (wallet, seller) = (dir.path().join("payer.json"), dir.path().join("seller.json"));
    let payer = new_wallet(&node, &wallet, &[]).await.lines()[0]["address"].clone();
    let pay_to = new_wallet(&node, &seller, &[]).await.lines()[0]["address"].clone();
    let (upstream, secret) = (plain_server().await, dir.path().join("gate.secret"));
    let gate = |listen: String| {
        let (upstream, facilitator) = (upstream.clone(), facilitator.clone());
        let (pay_to, secret) = (pay_to.as_str().unwrap().to_owned(), secret.clone());
        async move {
            let mut args = vec!["gate", "--listen", &listen, "--upstream", &upstream];
            args.extend(["--facilitator", &facilitator, "--secret-file", arg(&secret)]);
            args.extend(["--path", "/paid/*", "--price", "1.5 CCD", "--pay-to", &pay_to]);
            args.extend(["--min-age", "18"]);
            Process::serve(&args).await
        }
    };
    let (running, ready) = gate("127.0.0.1:0".to_owned()).await;
    let url = ready["url"].as_str().unwrap().to_owned();
    let open = reqwest::get(format!("{url}/open")).await.unwrap();
    assert_eq!((open.status().as_u16(), open.text().await.unwrap().as_str()), (200, "nobody"));
    let thing = format!("{url}/paid/thing");
    assert_eq!(reqwest::get(&thing).await.unwrap().status(), 402);
    let paid = pay(&node, &wallet, &thing, "5 CCD").await;
    assert_eq!((paid.code, &paid.lines()[0]["content"]), (0, &payer), "{paid:?}");
    assert_eq!(held(&node, &seller).await, FUNDS + 1_500_000);

    // The gate goes away while a payment waits for finality; the payment is good for the next one.
    let chain = Control::connect(&node).await.unwrap();
    chain.fault(&FaultKind::DelayFinality.into()).await.unwrap();
    let text = ["pay", &thing, "--wallet", arg(&wallet), "--node", &node];
    let mut left = Process::spawn(&[&text[..], &["--max-amount", "5 CCD"]].concat());
    left.says("sent").await;
    running.kill().await;
    left.says("waiting").await;
    left.kill().await;
    chain.clear_faults().await.unwrap();
    let (running, _) = gate(url.trim_start_matches("http://").to_owned()).await;
    let paid = pay(&node, &wallet, &thing, "5 CCD").await;
    assert_eq!((paid.code, &paid.lines()[0]["content"]), (0, &payer), "{paid:?}");
    assert_eq!(held(&node, &seller).await, FUNDS + 3_000_000, "paid twice in all, once each");
    for process in [running].into_iter().chain(servers.into_iter().rev()) {
        assert!(process.terminate().await.success());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_usage_ends_with_2_and_what_makes_no_sense_with_1() {
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("none.json");
    let wrong: &[&[&str]] = &[
        &[],
        &["play"],
        &["serve", "--listen", "everywhere"],
        &["pay"],
        &["pay", "http://127.0.0.1:1/"],
        &["wallet", "new"],
        &["wallet", "new", "--out", "x", "--fund", "100"],
        &["gate", "--min-age", "old"],
        &["dev", "--gate-port", "70000"],
    ];
    for args in wrong {
        let ended = run(args).await;
        assert_eq!(ended.code, 2, "{args:?}: {ended:?}");
        assert!(!ended.stderr.is_empty() && ended.stdout.is_empty(), "{args:?}: {ended:?}");
    }
    let (data, keyless) = (dir.path().join("data"), dir.path().join("keyless"));
    let senseless: &[(&[&str], &str)] = &[
        (&["serve", "--listen", "0.0.0.0:0", "--data-dir", arg(&data)], "loopback"),
        (
            &["serve", "--listen", "0.0.0.0:0", "--require-keys", "--data-dir", arg(&data)],
            "--behind-tls-proxy",
        ),
        // Keys are kept in the log: it is there after that.
        (&["serve", "--require-keys", "--data-dir", arg(&keyless)], "ccd402 keys create"),
        (&["gate"], "--upstream"),
        (&["gate", "--upstream", "http://127.0.0.1:1"], "--price"),
        (&["wallet", "show", arg(&missing)], "none.json"),
    ];
    for (args, says) in senseless {
        let ended = run(args).await;
        assert_eq!(ended.code, 1, "{args:?}: {ended:?}");
        assert!(ended.stderr.contains(says), "{args:?}: {ended:?}");
    }
    assert!(!data.exists(), "a server that is refused leaves nothing behind");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_explains_itself_and_its_variables() {
    let rows: &[(&[&str], &[&str])] = &[
        (&[], &["CCD402_LOG", "--config", "pay", "serve", "gate", "wallet", "simchain", "demo"]),
        (&["demo"], &["--json"]),
        (&["dev"], &["CCD402_DATA_DIR", "--gate-port"]),
        (&["gate"], &["CCD402_GATE_UPSTREAM", "CCD402_GATE_PRICE", "CCD402_GATE_MIN_AGE"]),
        (&["jobs"], &["CCD402_URL", "list", "show", "retry", "drop"]),
        (&["pay"], &["CCD402_WALLET", "CCD402_NODE", "CCD402_MAX_AMOUNT"]),
        (&["replay"], &["CCD402_URL", "--diff", "--until"]),
        (&["serve"], &["CCD402_LISTEN", "CCD402_NODE", "CCD402_DATA_DIR", "CCD402_CONFIG"]),
        (&["simchain"], &["CCD402_SIMCHAIN_LISTEN", "CCD402_SIMCHAIN_DATA_DIR", "fault"]),
        (&["simchain", "fault"], &["CCD402_NODE", "stallStreams"]),
        (&["top"], &["CCD402_URL", "CCD402_KEY", "--once", "--every", "Ctrl-C"]),
        (&["wallet"], &["new", "show"]),
        (&["wallet", "new"], &["CCD402_NODE", "--dob"]),
        (&["wallet", "show"], &["CCD402_NODE"]),
    ];
    for (command, mentioned) in rows {
        let help = run(&[*command, &["--help"]].concat()).await;
        assert_eq!(help.code, 0, "{command:?}: {help:?}");
        for word in *mentioned {
            assert!(help.stdout.contains(word), "{command:?} does not mention {word}: {help:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_goes_as_it_must() {
    let demo = run(&["demo", "--json"]).await;
    assert_eq!(demo.code, 0, "{demo:?}");
    let steps = demo.lines();
    assert!(steps.len() >= 10, "{steps:?}");
    for (index, step) in steps.iter().enumerate() {
        assert_eq!((&step["step"], &step["ok"]), (&(index + 1).into(), &true.into()), "{step}");
    }
}
