//! The node misbehaves while payments are made: nobody is told anything wrong meanwhile, and in the
//! end every payment is confirmed, once.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use ccd402::compose::facilitator::{self, Running};
use ccd402::devnet::Listen;
use ccd402_app::ports::chain::TransactionStatus;
use ccd402_domain::ids::TransactionHash;
use ccd402_simchain::{Fault, FaultKind, Handle, Options, SimChain};
use ccd402_store::sled::{Options as LogOptions, SledLog};
use ccd402_workers::follower::Status;
use chrono::TimeDelta;
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::watch;

use crate::history::History;
use crate::payments::{Payment, Seller, Terms};

const BLOCK_TIME: Duration = Duration::from_millis(250);
/// Between two looks at something that is under way.
const PAUSE: Duration = Duration::from_millis(50);
/// Longest that anything may take, also where two cores are shared by many.
const PATIENCE: Duration = Duration::from_secs(60);
/// Followed for longer than this, nothing is asked of the node that the stream will tell.
const COVERED: TimeDelta = TimeDelta::seconds(12);
/// gRPC's code for a node that cannot be asked now.
const UNAVAILABLE: i32 = 14;

/// A chain, a facilitator that follows it, and those who pay.
struct Town {
    /// None while the node is down.
    chain: Option<Handle>,
    running: Running,
    seller: Seller,
    http: reqwest::Client,
    heights: Arc<Mutex<Vec<u64>>>,
    dir: TempDir,
}

impl Town {
    async fn found() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let chain = SimChain::start(options(&dir, Options::default())).await.unwrap();
        let (data, listen) = (dir.path().join("facilitator"), Listen::anywhere().facilitator);
        let mut settings = facilitator::Options::new(listen, data, vec![chain.url()]);
        settings.jobs.expire_every = Duration::from_secs(1);
        let running = facilitator::start(settings).await.unwrap();
        let heights = Arc::default();
        tokio::spawn(watch_heights(running.follower(), Arc::clone(&heights)));
        let seller = Seller::open(&chain).await;
        let chain = Some(chain);
        Self { chain, running, seller, http: reqwest::Client::new(), heights, dir }
    }

    fn chain(&self) -> &Handle {
        self.chain.as_ref().expect("the node is up")
    }

    async fn submit(&self, payment: &Payment) -> String {
        let url = format!("{}/v1/verifications", self.running.url());
        let response = self.http.post(url).json(&payment.request).send().await.unwrap();
        assert_eq!(response.status(), 202);
        let accepted: Value = response.json().await.unwrap();
        accepted["id"].as_str().unwrap().to_owned()
    }

    async fn state(&self, id: &str) -> Value {
        let url = format!("{}/v1/verifications/{id}?wait=1s", self.running.url());
        self.http.get(url).send().await.unwrap().json().await.unwrap()
    }

    /// What `/verify` says within so many seconds.
    async fn verify(&self, payment: &Payment, wait: u32) -> Value {
        let url = format!("{}/verify", self.running.url());
        let post = self.http.post(url).header("prefer", format!("wait={wait}"));
        let response = post.json(&payment.request).send().await.unwrap();
        assert_eq!(response.status(), 200);
        response.json().await.unwrap()
    }

    async fn decided(&self, what: &str, id: &str) -> Value {
        let decided = async {
            loop {
                let state = self.state(id).await;
                if state["status"] != "pending" {
                    return state;
                }
            }
        };
        let decided = tokio::time::timeout(PATIENCE, decided).await;
        decided.unwrap_or_else(|_| panic!("{what}: still pending"))
    }

    /// Until the chain has the transaction, and is done with it where that is possible.
    async fn on_chain(&self, hash: &TransactionHash, is_final: bool) {
        until(|| async {
            match self.seller.status(hash).await {
                TransactionStatus::Finalized(_) => true,
                TransactionStatus::Committed => !is_final,
                TransactionStatus::Unknown | TransactionStatus::Received => false,
            }
        })
        .await;
    }

    /// Until the follower is where the chain is now.
    async fn caught_up(&self) {
        let tip = self.running.facilitator().chain().tip().await.unwrap().height;
        let mut follower = self.running.follower();
        let is_there = |status: &Status| status.last.is_some_and(|block| block.height >= tip);
        drop(tokio::time::timeout(PATIENCE, follower.wait_for(is_there)).await.unwrap().unwrap());
    }

    /// Until the follower has seen so much that it alone decides about new payments. A facilitator
    /// that has just begun asks the node, too, about what may have been final before.
    async fn decides_by_stream(&self) {
        let (mut follower, mut began) = (self.running.follower(), None);
        let is_long = |status: &Status| {
            let Some(now) = status.last.map(|block| block.time) else { return false };
            now - *began.get_or_insert(now) > COVERED
        };
        drop(tokio::time::timeout(PATIENCE, follower.wait_for(is_long)).await.unwrap().unwrap());
    }

    /// Stops all of it and returns what the log says.
    async fn close(self) -> History {
        self.caught_up().await;
        assert_eq!(self.running.follower().borrow().halted, None);
        let heights = self.heights.lock().unwrap().clone();
        assert!(heights.windows(2).all(|pair| pair[0] < pair[1]), "{heights:?}");
        self.running.stop().await.unwrap();
        self.chain.expect("the node is up").shutdown().await;
        let log = LogOptions::new(self.dir.path().join("facilitator/log"));
        let log = SledLog::open(log).await.unwrap();
        log.verify(0).await.unwrap();
        let history = History::read(&log).await;
        log.close().await;
        history
    }
}

fn options(dir: &TempDir, options: Options) -> Options {
    Options {
        data_dir: Some(dir.path().join("chain")),
        block_time: BLOCK_TIME,
        finality_delay: BLOCK_TIME,
        ..options
    }
}

/// Notes each height that the follower says it has applied, as far as they can be seen.
async fn watch_heights(mut follower: watch::Receiver<Status>, heights: Arc<Mutex<Vec<u64>>>) {
    while follower.changed().await.is_ok() {
        if let Some(block) = follower.borrow_and_update().last {
            heights.lock().unwrap().push(block.height);
        }
    }
}

async fn until<F: Future<Output = bool>>(is_so: impl Fn() -> F) {
    let waited = async {
        while !is_so().await {
            tokio::time::sleep(PAUSE).await;
        }
    };
    tokio::time::timeout(PATIENCE, waited).await.expect("it comes true in time");
}

/// A bad day of a node.
struct Row {
    name: &'static str,
    fault: Fault,
    /// Whether the facilitator cannot decide anything before it is over.
    blocks: bool,
}

fn row(name: &'static str, fault: impl Into<Fault>) -> Row {
    Row { name, fault: fault.into(), blocks: false }
}

fn blocking(name: &'static str, fault: impl Into<Fault>) -> Row {
    Row { name, fault: fault.into(), blocks: true }
}

fn failing(method: &str) -> FaultKind {
    let message = "try again later".to_owned();
    FaultKind::FailRpc { method: Some(method.to_owned()), code: UNAVAILABLE, message }
}

fn table() -> Vec<Row> {
    let slow = FaultKind::SlowRpc {
        method: Some("GetBlockTransactionEvents".to_owned()),
        delay_ms: 1_200,
    };
    vec![
        // First: of a payer whom the facilitator has met it remembers the credentials.
        blocking("accounts cannot be read", failing("GetAccountInfo")),
        blocking("streams stall", FaultKind::StallStreams),
        row("streams end", Fault::new(FaultKind::DropStreams).times(3)),
        row("streams are reset", Fault::new(FaultKind::ResetStreams).times(3)),
        blocking("streams end at once", Fault::new(FaultKind::DropStreams).times(u32::MAX)),
        row("blocks are not announced", Fault::new(FaultKind::SkipNotifications).times(4)),
        row("blocks come slowly", Fault::new(slow).times(4)),
        blocking("blocks cannot be read", failing("GetBlockTransactionEvents")),
        row("blocks cannot be read three times", Fault::new(failing("GetBlockInfo")).times(3)),
        blocking("blocks do not become final", FaultKind::DelayFinality),
        row("a block is taken back", FaultKind::AbandonBlock),
        row("the node restarts", FaultKind::RestartSocket { down_ms: 1_000 }),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn payments_outlast_whatever_the_node_does() {
    let town = Town::found().await;
    town.decides_by_stream().await;
    let payer = town.seller.payer(town.chain(), 500).await;
    let adults_only = Terms { adults_only: true, ..Terms::default() };
    let mut payments = Vec::new();
    for row in table() {
        let name = row.name;
        until(|| async { payer.wallet().time_finalized().await.is_ok() }).await;
        let is_final = row.fault.kind != FaultKind::DelayFinality;
        let is_restart = matches!(row.fault.kind, FaultKind::RestartSocket { .. });
        if !is_restart {
            town.chain().fault(row.fault.clone());
        }
        let submitted = town.seller.paid(&payer, adults_only).await;
        let verified = town.seller.paid(&payer, adults_only).await;
        if is_restart {
            town.chain().fault(row.fault);
        }
        let id = town.submit(&submitted).await;
        let mut answer = town.verify(&verified, 0).await;
        if row.blocks {
            town.on_chain(&verified.hash, is_final).await;
            assert_eq!(town.state(&id).await["status"], "pending", "{name}");
            assert_eq!(answer["invalidReason"], "transaction_pending", "{name}: {answer}");
            answer = town.verify(&verified, 0).await;
            assert_eq!(answer["invalidReason"], "transaction_pending", "{name}: {answer}");
            town.chain().clear_faults();
        }
        while answer["invalidReason"] == "transaction_pending" {
            answer = town.verify(&verified, 5).await;
        }
        assert_eq!(answer["isValid"], true, "{name}: {answer}");
        let state = town.decided(name, &id).await;
        assert_eq!(state["status"], "confirmed", "{name}: {state}");
        town.chain().clear_faults();
        payments.extend([submitted.hash, verified.hash]);
    }
    let history = town.close().await;
    let confirmed: Vec<_> = history.confirmed.into_keys().collect();
    payments.sort_unstable();
    assert_eq!(confirmed, payments);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_starts_again_with_its_chain_is_followed_on() {
    let mut town = Town::found().await;
    let payer = town.seller.payer(town.chain(), 100).await;
    let before = town.seller.paid(&payer, Terms::default()).await;
    let id = town.submit(&before).await;
    assert_eq!(town.decided("before", &id).await["status"], "confirmed");

    town.chain().fault(FaultKind::StallStreams);
    let unheard = town.seller.paid(&payer, Terms::default()).await;
    let unheard_id = town.submit(&unheard).await;
    town.on_chain(&unheard.hash, true).await;
    let (listen, genesis) = (town.chain().addr(), town.chain().genesis_hash());
    town.chain.take().unwrap().shutdown().await;
    assert_eq!(town.state(&unheard_id).await["status"], "pending");

    let again = options(&town.dir, Options { listen, ..Options::default() });
    town.chain = Some(SimChain::start(again).await.unwrap());
    assert_eq!(town.chain().genesis_hash(), genesis);
    assert_eq!(town.decided("unheard", &unheard_id).await["status"], "confirmed");
    until(|| async { payer.wallet().time_finalized().await.is_ok() }).await;
    let after = town.seller.paid(&payer, Terms::default()).await;
    let id = town.submit(&after).await;
    assert_eq!(town.decided("after", &id).await["status"], "confirmed");
    let history = town.close().await;
    assert_eq!(history.confirmed.len(), 3);
}
