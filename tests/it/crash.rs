//! The facilitator is killed while it works, again and again, and loses nothing that it has
//! acknowledged.
//!
//! Power loss is the store's own test; here the process dies and the disk lives.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ccd402::devnet::hand::Hand;
use ccd402_app::ports::chain::TransactionStatus;
use ccd402_domain::amount::Amount;
use ccd402_domain::ids::TransactionHash;
use ccd402_domain::transaction::Outcome;
use ccd402_simchain::{Handle, Options, SimChain};
use ccd402_store::sled::{Options as LogOptions, SledLog};
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{Rng as _, SeedableRng as _};
use serde_json::{Value, json};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::caller::{Caller, serve};
use crate::history::History;
use crate::payments::{Fate, PRICE, Payment, Seller, Terms};

/// Submissions that wait for their acknowledgement at the same time.
const AT_ONCE: usize = 5;
/// Names a seed, to see a run again.
const SEED: &str = "CCD402_TEST_SEED";

/// A submission that is made, and what is left to do once it was acknowledged.
struct Submission {
    key: String,
    payment: Payment,
    /// Sends the transfer only then.
    after: Option<(Arc<Hand>, Vec<u8>)>,
}

/// An acknowledged submission.
#[derive(Clone)]
struct Acknowledged {
    key: String,
    payment: Payment,
    id: String,
}

#[derive(Default)]
struct Progress {
    acknowledged: Vec<Acknowledged>,
    decided: usize,
}

/// When the process is killed.
#[derive(Debug, Clone, Copy)]
enum Kill {
    Acknowledged(usize),
    Decided(usize),
}

/// Hands payments in and asks what became of them.
#[derive(Clone)]
struct Client {
    caller: Caller,
    progress: Arc<watch::Sender<Progress>>,
}

impl Client {
    async fn submit(&mut self, key: &str, request: &Value) -> String {
        let post = |http: &reqwest::Client, base: &str| {
            let post = http.post(format!("{base}/v1/verifications"));
            post.header("idempotency-key", key).json(request)
        };
        let (status, body) = self.caller.call(post).await;
        assert!(matches!(status, 200 | 202), "{status}: {body}");
        body["id"].as_str().unwrap().to_owned()
    }

    /// Hands a payment in and waits until it is decided.
    async fn see_through(mut self, submission: Submission, slots: Arc<Semaphore>) {
        let Submission { key, payment, after } = submission;
        let slot = slots.acquire().await.unwrap();
        let id = self.submit(&key, &payment.request).await;
        drop(slot);
        let acknowledged = Acknowledged { key, payment, id };
        self.progress.send_modify(|progress| progress.acknowledged.push(acknowledged.clone()));
        if let Some((payer, bytes)) = after {
            payer.wallet().send(&bytes).await.unwrap();
        }
        while self.state(&acknowledged).await["status"] == "pending" {}
        self.progress.send_modify(|progress| progress.decided += 1);
    }

    async fn state(&mut self, acknowledged: &Acknowledged) -> Value {
        let path = format!("/v1/verifications/{}?wait=5s", acknowledged.id);
        let (status, state) =
            self.caller.call(|http, base| http.get(format!("{base}{path}"))).await;
        assert_eq!(status, 200, "{}: {state}", acknowledged.key);
        state
    }

    /// Asks `/verify` twice of each process that runs, until there are no more; tells whether each
    /// answer was yes.
    async fn verify(mut self, payment: Payment, key: Option<&'static str>) -> Vec<bool> {
        let mut answers = Vec::new();
        loop {
            for _ in 0..2 {
                answers.push(self.is_valid(&payment, key).await);
            }
            if !self.caller.another().await {
                return answers;
            }
        }
    }

    async fn is_valid(&mut self, payment: &Payment, key: Option<&'static str>) -> bool {
        loop {
            let post = |http: &reqwest::Client, base: &str| {
                let post = http.post(format!("{base}/verify")).header("prefer", "wait=1");
                let post = post.json(&payment.request);
                key.into_iter().fold(post, |post, key| post.header("idempotency-key", key))
            };
            let (status, answer) = self.caller.call(post).await;
            assert_eq!(status, 200, "{answer}");
            match answer["invalidReason"].as_str() {
                Some("transaction_pending") => {}
                Some(reason) => {
                    assert_eq!(reason, "payment_already_used", "{answer}");
                    return false;
                }
                None => return true,
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_facilitator_that_is_killed_loses_nothing_and_says_yes_once() {
    let seed =
        std::env::var(SEED).map_or_else(|_| rand::thread_rng().r#gen(), |s| s.parse().unwrap());
    println!("seed {seed}: run it again with {SEED}={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let block_time = Duration::from_millis(250);
    let chain = Options { block_time, finality_delay: block_time, ..Options::default() };
    let chain = SimChain::start(chain).await.unwrap();
    let seller = Seller::open(&chain).await;
    let (mut submissions, synchronous) = cast(&chain, &seller).await;
    submissions.shuffle(&mut random);
    let kills = kills(&mut random, submissions.len());
    println!("kills: {kills:?}");

    let dir = tempfile::tempdir().unwrap();
    let (mut process, url) = serve(dir.path(), &chain, &[]).await;
    let base = watch::Sender::new(vec![url]);
    let progress = Arc::new(watch::Sender::new(Progress::default()));
    let caller = Caller::new(base.subscribe());
    let client = Client { caller: caller.clone(), progress: Arc::clone(&progress) };
    let slots = Arc::new(Semaphore::new(AT_ONCE));
    let mut running: JoinSet<()> = submissions
        .into_iter()
        .map(|submission| client.clone().see_through(submission, Arc::clone(&slots)))
        .collect();
    let [with_key, without_key] = synchronous;
    let with_key = tokio::spawn(client.clone().verify(with_key, Some("verify-once")));
    let without_key = tokio::spawn(client.clone().verify(without_key, None));

    for kill in kills {
        let mut reached = progress.subscribe();
        let is_reached = |progress: &Progress| match kill {
            Kill::Acknowledged(count) => progress.acknowledged.len() >= count,
            Kill::Decided(count) => progress.decided >= count,
        };
        drop(reached.wait_for(is_reached).await.unwrap());
        process.kill().await;
        let url;
        (process, url) = serve(dir.path(), &chain, &[]).await;
        base.send_replace(vec![url]);
        let acknowledged = progress.borrow().acknowledged.clone();
        repeat(&client, &acknowledged).await;
    }
    while let Some(ended) = running.join_next().await {
        ended.unwrap();
    }
    drop(base);
    let (with_key, without_key) = (with_key.await.unwrap(), without_key.await.unwrap());
    assert!(with_key.iter().all(|valid| *valid), "the stored answer is not repeated: {with_key:?}");
    // A kill may have cut off the one call that was answered with yes.
    let cut_off = caller.cut_off();
    let valid = without_key.iter().filter(|valid| **valid).count();
    println!("{cut_off} calls were cut off; without a key: {without_key:?}");
    assert!(valid == 1 || (valid == 0 && cut_off > 0), "{without_key:?}");

    let acknowledged = progress.borrow().acknowledged.clone();
    repeat(&client, &acknowledged).await;
    fates(&client, &seller, &acknowledged).await;
    assert!(process.terminate().await.success());
    history(dir.path(), &acknowledged).await;
    chain.shutdown().await;
}

/// Three kills while submissions come in, three while they are decided.
fn kills(random: &mut StdRng, submissions: usize) -> Vec<Kill> {
    let mut counts = |most: usize| {
        let mut counts: Vec<usize> = (0..3).map(|_| random.gen_range(1..=most)).collect();
        counts.sort_unstable();
        counts
    };
    let acknowledged = counts(submissions).into_iter().map(Kill::Acknowledged);
    let decided = counts(submissions * 2 / 3).into_iter().map(Kill::Decided);
    acknowledged.chain(decided).collect()
}

/// Each acknowledged submission is there, and the same key names it.
async fn repeat(client: &Client, acknowledged: &[Acknowledged]) {
    for before in acknowledged {
        let id = client.clone().submit(&before.key, &before.payment.request).await;
        assert_eq!(id, before.id, "{}", before.key);
    }
}

/// 20 submissions, some of which belong together, and two payments for `/verify`.
async fn cast(chain: &Handle, seller: &Seller) -> (Vec<Submission>, [Payment; 2]) {
    let (rich, prover) = tokio::join!(seller.payer(chain, 500), seller.payer(chain, 500));
    let (poor, early, late) =
        tokio::join!(seller.payer(chain, 4), seller.payer(chain, 50), seller.payer(chain, 50));
    let terms = Terms::default();
    let adults = Terms { adults_only: true, ..terms };
    let mut payments = Vec::new();
    for _ in 0..3 {
        payments.push(seller.paid(&rich, terms).await);
        payments.push(seller.paid(&prover, adults).await);
    }
    payments.push(stolen(seller, &rich, &payments[0]));
    for _ in 0..2 {
        payments.push(too_small(seller, &rich).await);
        payments.push(rejected(seller, &poor).await);
        payments.push(seller.never_sent(&rich).await);
        let shared = Payment { fate: Fate::Shared, ..seller.paid(&rich, terms).await };
        payments.extend([shared.clone(), shared]);
    }
    payments.push(borrowed_proof(seller, &prover).await);
    let mut submissions: Vec<Submission> = Vec::new();
    for payment in payments {
        let key = format!("key-{}", submissions.len());
        submissions.push(Submission { key, payment, after: None });
    }
    for payer in [early, late] {
        let offer = seller.offer(terms);
        let signed = payer.wallet().build_transfer(&offer.transfer().unwrap()).await.unwrap();
        let payload = offer.payload(signed.hash, payer.wallet().address(), None);
        let payment = Payment::new(&offer, &payload, signed.hash, Fate::Confirmed);
        let (key, after) = (format!("key-{}", submissions.len()), (Arc::new(payer), signed.bytes));
        submissions.push(Submission { key, payment, after: Some(after) });
    }
    assert_eq!(submissions.len(), 20);
    let on_verify = Terms { consume_on: "verify", ..terms };
    let with_key = seller.paid(&rich, on_verify).await;
    (submissions, [with_key, seller.paid(&rich, on_verify).await])
}

fn stolen(seller: &Seller, payer: &Hand, good: &Payment) -> Payment {
    let offer = seller.offer(Terms::default());
    let payload = offer.payload(good.hash, payer.wallet().address(), None);
    Payment::new(&offer, &payload, good.hash, Fate::Failed("payment_not_bound"))
}

async fn too_small(seller: &Seller, payer: &Hand) -> Payment {
    let offer = seller.offer(Terms::default());
    let mut transfer = offer.transfer().unwrap();
    transfer.amount = Amount::from_units(PRICE - 1);
    let hash = payer.send(&transfer).await.unwrap().hash;
    let payload = offer.payload(hash, payer.wallet().address(), None);
    Payment::new(&offer, &payload, hash, Fate::Failed("amount_mismatch"))
}

/// The payer has the fee, but not the price.
async fn rejected(seller: &Seller, poor: &Hand) -> Payment {
    let paid = seller.paid(poor, Terms::default()).await;
    Payment { fate: Fate::Failed("transaction_failed_on_chain"), ..paid }
}

async fn borrowed_proof(seller: &Seller, payer: &Hand) -> Payment {
    let adults = Terms { adults_only: true, ..Terms::default() };
    let (offer, another) = (seller.offer(adults), seller.offer(adults));
    let proof = payer.prove(&another, &another.digest).await.unwrap();
    let hash = payer.send(&offer.transfer().unwrap()).await.unwrap().hash;
    let payload = offer.payload(hash, payer.wallet().address(), Some(proof));
    Payment::new(&offer, &payload, hash, Fate::Failed("identity_challenge_mismatch"))
}

/// Each payment has become what it must, and what is confirmed is a transfer on chain.
async fn fates(client: &Client, seller: &Seller, acknowledged: &[Acknowledged]) {
    let mut shared: Vec<(TransactionHash, String)> = Vec::new();
    for submission in acknowledged {
        let state = client.clone().state(submission).await;
        let Payment { hash, fate, .. } = submission.payment;
        let code = state["reason"]["code"].as_str().unwrap_or_default().to_owned();
        match fate {
            Fate::Confirmed => assert_eq!(state["status"], "confirmed", "{state}"),
            Fate::Failed(expected) => assert_eq!(code, expected, "{state}"),
            Fate::Shared => shared.push((hash, code)),
        }
        if state["status"] == "confirmed" {
            assert_eq!(state["payment"]["transaction"], json!(hash));
            assert!(is_transfer(seller, &hash).await, "{state}");
        }
    }
    shared.sort_unstable();
    let codes: Vec<&str> = shared.iter().map(|(_, code)| code.as_str()).collect();
    assert_eq!(codes, ["", "payment_already_used", "", "payment_already_used"], "{shared:?}");
}

async fn is_transfer(seller: &Seller, hash: &TransactionHash) -> bool {
    match seller.status(hash).await {
        TransactionStatus::Finalized(found) => matches!(found.outcome, Outcome::Transfer(_)),
        _ => false,
    }
}

/// The log is whole, and holds nothing but what was handed in.
async fn history(dir: &Path, acknowledged: &[Acknowledged]) {
    let log = SledLog::open(LogOptions::new(dir.join("log"))).await.unwrap();
    let verified = log.verify(0).await.unwrap();
    let history = History::read(&log).await;
    assert_eq!(Some(verified.position()), history.events.last().map(|event| event.position));
    let known: BTreeSet<_> = acknowledged.iter().map(|one| one.payment.hash).collect();
    let confirmed = history.confirmed.keys().filter(|hash| known.contains(hash)).count();
    let expected = |one: &&Acknowledged| one.payment.fate == Fate::Confirmed;
    assert_eq!(confirmed, acknowledged.iter().filter(expected).count() + 2);
    log.close().await;
}
