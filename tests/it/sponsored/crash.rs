//! The facilitator is killed between writing a transaction down, sending it and hearing of its block,
//! fifty times: each payment is sent as the one transaction that was written down, none is lost, and
//! each ends as the chain says.

use std::collections::BTreeMap;
use std::time::Duration;

use ccd402_app::ports::chain::TransactionStatus;
use ccd402_chain::payer::Wallet;
use ccd402_domain::event::Event;
use ccd402_domain::ids::TransactionHash;
use ccd402_simchain::{FaultKind, Funds, IdentitySpec};
use ccd402_store::sled::{Options as LogOptions, SledLog};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::kit::{Offers, PRICE, Payer, chain};
use crate::caller::{Caller, serve};
use crate::history::History;
use crate::process::arg;

/// How often it is killed.
const ROUNDS: u64 = 50;
/// Names a seed, to see a run again.
const SEED: &str = "CCD402_TEST_SEED";
/// Between two looks at something that is under way.
const PAUSE: Duration = Duration::from_millis(20);
/// Longest that anything may take, also where two cores are shared by many.
const PATIENCE: Duration = Duration::from_secs(60);
/// gRPC's code for a node that cannot be asked now.
const UNAVAILABLE: i32 = 14;

/// Where the work stands when the process is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kill {
    /// Written down, and no node takes it.
    Written,
    /// A node has it, and no block is final.
    Sent,
    /// Final, and the follower hears nothing.
    Final,
    /// Whenever that is.
    After(Duration),
}

impl Kill {
    fn of(round: u64, random: &mut StdRng) -> Self {
        match round % 4 {
            0 => Self::Written,
            1 => Self::Sent,
            2 => Self::Final,
            _ => Self::After(Duration::from_millis(random.gen_range(0..600))),
        }
    }

    fn fault(self) -> Option<FaultKind> {
        match self {
            Self::Written => Some(FaultKind::FailRpc {
                method: Some("SendBlockItem".to_owned()),
                code: UNAVAILABLE,
                message: "try again later".to_owned(),
            }),
            Self::Sent => Some(FaultKind::DelayFinality),
            Self::Final => Some(FaultKind::StallStreams),
            Self::After(_) => None,
        }
    }

    /// Until the work stands there.
    async fn reached(self, caller: &mut Caller, held: &Held, wallet: &Wallet) {
        if let Self::After(time) = self {
            return sleep(time).await;
        }
        let reached = async {
            while !self.is_reached(caller, held, wallet).await {
                sleep(PAUSE).await;
            }
        };
        timeout(PATIENCE, reached).await.unwrap_or_else(|_| panic!("{self:?} is never reached"));
    }

    async fn is_reached(self, caller: &mut Caller, held: &Held, wallet: &Wallet) -> bool {
        let status = wallet.status(&held.hash).await.unwrap();
        match self {
            Self::Written => caller.is_signed(&held.id).await,
            Self::Sent => {
                matches!(status, TransactionStatus::Received | TransactionStatus::Committed)
            }
            Self::Final => matches!(status, TransactionStatus::Finalized(_)),
            Self::After(_) => true,
        }
    }
}

/// A payment that is held.
struct Held {
    id: String,
    hash: TransactionHash,
}

impl Caller {
    async fn post(&mut self, path: &str, request: &Value, key: Option<&str>) -> Value {
        let post = |http: &reqwest::Client, base: &str| {
            let post = http.post(format!("{base}{path}")).header("prefer", "wait=30");
            let post = key.into_iter().fold(post, |post, key| post.header("idempotency-key", key));
            post.json(request)
        };
        let (status, answer) = self.call(post).await;
        assert_eq!(status, 200, "{answer}");
        answer
    }

    async fn hold(&mut self, request: &Value) -> Held {
        let held = self.post("/verify", request, None).await;
        assert_eq!(held["isValid"], true, "{held}");
        let id = held["extra"]["verification"].as_str().unwrap().to_owned();
        let path = format!("/v1/verifications/{id}");
        let (_, state) = self.call(|http, base| http.get(format!("{base}{path}"))).await;
        let hash = state["payment"]["transaction"].as_str().unwrap().parse().unwrap();
        Held { id, hash }
    }

    async fn is_signed(&mut self, id: &str) -> bool {
        let path = format!("/v1/verifications/{id}/events");
        let (_, told) = self.call(|http, base| http.get(format!("{base}{path}"))).await;
        let events = told["events"].as_array().unwrap();
        events.iter().any(|event| event["type"] == "TransactionSigned")
    }

    /// Settles until there is a last word.
    async fn settle(mut self, request: Value, key: Option<String>) -> Value {
        loop {
            let settled = self.post("/settle", &request, key.as_deref()).await;
            if settled["errorReason"] != "settlement_pending" {
                return settled;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_between_writing_sending_and_hearing_nothing_is_sent_twice_or_lost() {
    let seed =
        std::env::var(SEED).map_or_else(|_| rand::thread_rng().r#gen(), |s| s.parse().unwrap());
    println!("seed {seed}: run it again with {SEED}={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let dir = tempfile::tempdir().unwrap();
    let chain = chain().await;
    let sponsor = chain.issue(IdentitySpec::default(), Funds::ccd(1_000)).await.unwrap();
    let file = dir.path().join("sponsor.wallet.json");
    sponsor.write(&file).unwrap();
    let offers = Offers::open(&chain, &sponsor).await;
    let payer = offers.payer(&chain, 100).await;
    let more = ["--sponsor-wallet", arg(&file)];
    let data = dir.path().join("data");
    let (mut process, url) = serve(&data, &chain, &more).await;
    let base = watch::Sender::new(vec![url]);
    let mut caller = Caller::new(base.subscribe());
    let mut sent = BTreeMap::new();
    for round in 0..ROUNDS {
        let kill = Kill::of(round, &mut random);
        let request = offers.payment(&payer, "CCD").await;
        let held = caller.hold(&request).await;
        if let Some(fault) = kill.fault() {
            chain.fault(fault);
        }
        // Half of them ask under a key, and hear what was answered to whoever was cut off.
        let key = (round % 8 < 4).then(|| format!("round-{round}"));
        let settling = tokio::spawn(caller.clone().settle(request, key.clone()));
        kill.reached(&mut caller, &held, &payer.wallet).await;
        process.kill().await;
        chain.clear_faults();
        let url;
        (process, url) = serve(&data, &chain, &more).await;
        base.send_replace(vec![url]);
        let settled = timeout(PATIENCE, settling).await.unwrap().unwrap();
        let is_repeat = key.is_none() && settled["errorReason"] == "duplicate_settlement";
        assert!(settled["success"] == true || is_repeat, "{kill:?}: {settled}");
        assert_eq!(
            settled["transaction"],
            json!(held.hash),
            "{kill:?}: it is the same transaction"
        );
        sent.insert(held.hash, held.id);
    }
    assert!(process.terminate().await.success());
    on_chain(&offers, &payer, &sent).await;
    history(&data, &sent).await;
    chain.shutdown().await;
}

/// The chain has each transaction, and no other of the payer's.
async fn on_chain(offers: &Offers, payer: &Payer, sent: &BTreeMap<TransactionHash, String>) {
    assert_eq!(sent.len() as u64, ROUNDS);
    for hash in sent.keys() {
        let status = payer.wallet.status(hash).await.unwrap();
        assert!(matches!(status, TransactionStatus::Finalized(_)), "{status:?}");
    }
    assert_eq!(payer.wallet.next_sequence_number().await.unwrap(), ROUNDS + 1);
    assert_eq!(offers.received("CCD").await, ROUNDS * PRICE);
}

/// Each was signed once, confirmed once, and used up once.
async fn history(data: &std::path::Path, sent: &BTreeMap<TransactionHash, String>) {
    let log = SledLog::open(LogOptions::new(data.join("log"))).await.unwrap();
    log.verify(0).await.unwrap();
    let history = History::read(&log).await;
    let confirmed: BTreeMap<_, _> =
        history.confirmed.iter().map(|(hash, id)| (*hash, id.to_string())).collect();
    assert_eq!(&confirmed, sent);
    let signed = history.events.iter().filter_map(|recorded| match &recorded.event {
        Event::TransactionSigned(signed) => Some(signed.transaction),
        _ => None,
    });
    let mut signed: Vec<_> = signed.collect();
    signed.sort_unstable();
    assert_eq!(signed, sent.keys().copied().collect::<Vec<_>>());
    log.close().await;
}
