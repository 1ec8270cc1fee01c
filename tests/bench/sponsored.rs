//! Sponsored payments: verifications a second of payers that are known, against an axum server that
//! echoes the same bodies, and beside what the two signatures of a new payment take by themselves; and
//! how long after their block many settlements are answered.
//!
//! Run with `cargo bench --bench sponsored`. Servers and load share the machine's cores.

#[path = "load/wire.rs"]
mod wire;

use std::hint::black_box;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::routing::post;
use ccd402::compose::facilitator::{self, Running};
use ccd402::devnet::Listen;
use ccd402_chain::codec;
use ccd402_chain::concordium::{Concordium, Options as ChainOptions};
use ccd402_chain::nodes::{Nodes, Options as NodeOptions};
use ccd402_chain::payer::{Order, Wallet};
use ccd402_chain::sponsored::{Signable, Sponsor};
use ccd402_domain::account::AccountAddress;
use ccd402_domain::amount::Amount;
use ccd402_domain::asset::Asset;
use ccd402_simchain::{Error, Funds, Handle, IdentitySpec, Options, SimChain};
use ccd402_workers::follower::Status;
use chrono::{DateTime, TimeDelta, Utc};
use futures::stream::{self, StreamExt as _};
use serde_json::json;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// Payers, and payments of each in a round: all of them are held at once.
const PAYERS: usize = 256;
const PAYMENTS: u64 = 6;
/// Connections; each pays for as many payers as the others.
const CONNECTIONS: usize = 256;
/// How often each payment is asked for again, and echoed: once is over too soon to be measured.
const PASSES: usize = 8;
const ROUNDS: usize = 5;
/// How long payments are held: the next round begins when they are not any more.
const HOLD: Duration = Duration::from_secs(10);
/// Payments that each core checks and signs where nothing else is done.
const SIGNED_EACH: u32 = 4_000;
/// Accounts that are made at the same time.
const AT_ONCE: usize = 32;
/// Settlements that are in one block, and how many of them are one payer's.
const SETTLEMENTS: u64 = 500;
const SETTLEMENTS_EACH: u64 = 10;
/// What is in the answer to a good payment.
const GOOD: &str = "\"isValid\":true";
/// Time between two of Concordium's blocks, on average.
const BLOCK: Duration = Duration::from_secs(2);

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("the runtime starts");
    runtime.block_on(async {
        verifications().await;
        settlements().await;
    });
    runtime.shutdown_background();
}

/// A chain with payers, and a facilitator that sponsors.
struct Stage {
    chain: Handle,
    running: Running,
    nodes: Nodes,
    sponsor: AccountAddress,
    signer: Sponsor,
    payee: AccountAddress,
    payers: Vec<Wallet>,
    _dir: tempfile::TempDir,
}

impl Stage {
    async fn new(payers: usize, hold: Duration) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let options = Options {
            block_time: Duration::ZERO,
            finality_delay: Duration::ZERO,
            ..Options::default()
        };
        let chain = SimChain::start(options).await.expect("the chain starts");
        let sponsor = chain.issue(IdentitySpec::default(), Funds::ccd(1_000_000)).await;
        let sponsor = sponsor.expect("an account");
        let payee = chain.issue(IdentitySpec::default(), Funds::ccd(0)).await.expect("an account");
        let data = dir.path().join("facilitator");
        let mut settings =
            facilitator::Options::new(Listen::anywhere().facilitator, data, vec![chain.url()]);
        settings.sponsors.wallets = vec![sponsor.clone()];
        settings.sponsors.limits.hold = TimeDelta::from_std(hold).expect("a short time");
        let running = facilitator::start(settings).await.expect("the facilitator starts");
        let nodes = Nodes::connect(NodeOptions::new(vec![chain.url()])).await.expect("a node");
        let signer = Sponsor::open(&sponsor, nodes.network()).expect("a wallet of this network");
        let mut stage = Self {
            chain,
            running,
            nodes,
            sponsor: codec::address(&sponsor.address),
            signer,
            payee: codec::address(&payee.address),
            payers: Vec::new(),
            _dir: dir,
        };
        let all = stream::iter(0..payers).map(|_| stage.payer()).buffered(AT_ONCE);
        stage.payers = all.collect().await;
        stage
    }

    /// Makes a block, and waits until the facilitator has seen it. No other comes: what nodes are asked
    /// afterwards, they are asked for a payment.
    async fn block(&self) {
        let hash = codec::block_hash(&self.chain.bake().expect("a block"));
        let is_seen = |status: &Status| status.last.is_some_and(|block| block.hash == hash);
        self.running.follower().wait_for(is_seen).await.expect("the follower runs");
    }

    async fn payer(&self) -> Wallet {
        loop {
            match self.chain.issue(IdentitySpec::default(), Funds::ccd(1)).await {
                Ok(file) => return Wallet::open(file, self.nodes.clone()).expect("a wallet"),
                Err(Error::TooMany { .. }) => tokio::time::sleep(Duration::from_millis(100)).await,
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// Requests with so many payments of each payer, from its next number on.
    async fn requests(
        &self,
        path: &str,
        each: u64,
        expires_at: DateTime<Utc>,
    ) -> Vec<Vec<Vec<u8>>> {
        let mut all = Vec::new();
        for payer in &self.payers {
            let next = payer.next_sequence_number().await.expect("the node answers");
            let mut own = Vec::new();
            for number in next..next + each {
                own.push(self.request(path, payer, number, expires_at).await);
            }
            all.push(own);
        }
        all
    }

    fn order(&self, expires_at: DateTime<Utc>) -> Order {
        Order {
            to: self.payee,
            asset: Asset::Ccd,
            amount: Amount::from_units(1),
            expires_at,
            sponsor: self.sponsor,
        }
    }

    /// How many payments a second are checked and signed on all cores where nothing else is done: more
    /// new ones cannot be verified, for the hash that they are held under is that of the signed
    /// transaction.
    async fn signed_per_second(&self) -> f64 {
        let payer = &self.payers[0];
        let order = self.order(Utc::now() + TimeDelta::seconds(200));
        let wire = payer.sign_order(&order, 1).await.expect("a wallet signs");
        let signable = Signable::read(&wire).expect("it is a transaction");
        let chain = Concordium::new(self.nodes.clone(), ChainOptions::default());
        let account = chain.account(&payer.address()).await.expect("the node answers");
        let account = account.expect("the payer has an account");
        let cores = std::thread::available_parallelism().expect("it is known").get();
        let since = Instant::now();
        std::thread::scope(|scope| {
            for _ in 0..cores {
                scope.spawn(|| {
                    for _ in 0..SIGNED_EACH {
                        let signed = self.signer.sign(black_box(&signable), &account);
                        black_box(signed.expect("its payer has signed it"));
                    }
                });
            }
        });
        f64::from(SIGNED_EACH) * cores as f64 / since.elapsed().as_secs_f64()
    }

    async fn request(
        &self,
        path: &str,
        payer: &Wallet,
        number: u64,
        expires_at: DateTime<Utc>,
    ) -> Vec<u8> {
        let offer = json!({
            "scheme": "exact", "network": self.nodes.network(), "asset": "CCD", "amount": "1",
            "payTo": self.payee, "maxTimeoutSeconds": 300,
            "extra": { "feePayer": self.sponsor },
        });
        let order = self.order(expires_at);
        let signed = payer.sign_order(&order, number).await.expect("a wallet signs");
        let body = json!({
            "x402Version": 2,
            "paymentRequirements": offer,
            "paymentPayload": {
                "x402Version": 2,
                "resource": { "url": "https://shop.example/report" },
                "accepted": offer,
                "payload": { "signedTransaction": signed },
            },
        });
        let body = body.to_string();
        format!(
            "POST {path} HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\n\
             prefer: wait=60\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
        .into_bytes()
    }
}

async fn verifications() {
    let stage = Stage::new(PAYERS, HOLD).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let echo_addr = listener.local_addr().expect("an address");
    let router = Router::new().route("/verify", post(|body: Bytes| async { body }));
    tokio::spawn(async move { axum::serve(listener, router).await });

    let (mut first, mut again, mut echoed) = (Vec::new(), Vec::new(), Vec::new());
    let mut signed = Vec::new();
    let amount = PAYERS as u64 * PAYMENTS;
    for round in 0..=ROUNDS {
        let expires_at = Utc::now() + TimeDelta::seconds(200 + round as i64);
        let requests = stage.requests("/verify", PAYMENTS, expires_at).await;
        let requests: Vec<_> =
            requests.chunks(PAYERS / CONNECTIONS).map(<[Vec<Vec<u8>>]>::concat).collect();
        let requests = Arc::new(requests);
        stage.block().await;
        let echo = run(echo_addr, &requests, PASSES, "").await;
        let signing = stage.signed_per_second().await;
        let asked = stage.chain.asked();
        let held = run(stage.running.addr(), &requests, 1, GOOD).await;
        let repeated = run(stage.running.addr(), &requests, PASSES, GOOD).await;
        let asked = stage.chain.asked() - asked;
        let passes = amount * PASSES as u64;
        let [echo, repeated] = [echo, repeated].map(|time| rate(passes, time));
        let held = rate(amount, held);
        println!(
            "round {round}: held {held:>6.0}/s, asked again {repeated:>6.0}/s, \
             signing alone {signing:>6.0}/s, echo {echo:>6.0}/s; {asked} calls of nodes for \
             {} verifications",
            amount + passes
        );
        // The first round warms up: payers become known.
        if round > 0 {
            first.push(held);
            again.push(repeated);
            echoed.push(echo);
            signed.push(signing);
        }
        tokio::time::sleep(HOLD).await;
    }
    let rates = [&mut first, &mut again, &mut signed, &mut echoed];
    let [first, again, signing, echo] = rates.map(|rates| median(rates));
    println!("{PAYERS} payers with {PAYMENTS} payments each; medians of {ROUNDS} rounds:");
    println!("  /verify, new and held   {first:>6.0}/s, durable; to the echo {:.2}", first / echo);
    println!("  two signatures alone    {signing:>6.0}/s; to the echo {:.2}", signing / echo);
    println!("  /verify, held already   {again:>6.0}/s; to the echo {:.2}", again / echo);
    println!("  axum echo               {echo:>6.0}/s (goal: 0.3 or more of it)");
}

async fn settlements() {
    let payers = usize::try_from(SETTLEMENTS / SETTLEMENTS_EACH).expect("a small number");
    let stage = Stage::new(payers, Duration::from_secs(60)).await;
    let (mut middle, mut late) = (Vec::new(), Vec::new());
    for round in 0..=ROUNDS {
        stage.block().await;
        let expires_at = Utc::now() + TimeDelta::seconds(200);
        let requests = stage.requests("/settle", SETTLEMENTS_EACH, expires_at).await;
        let mut next = Vec::new();
        for payer in &stage.payers {
            next.push(payer.next_sequence_number().await.expect("the node answers"));
        }
        let addr = stage.running.addr();
        let mut answers = JoinSet::new();
        for request in requests.into_iter().flatten() {
            answers.spawn(async move {
                let mut stream = TcpStream::connect(addr).await.expect("the server accepts");
                ask(&mut stream, &request, &mut Vec::new(), "\"success\":true").await;
                Instant::now()
            });
        }
        for (payer, next) in stage.payers.iter().zip(next) {
            while payer.next_sequence_number().await.expect("it answers") < next + SETTLEMENTS_EACH
            {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
        let final_at = Instant::now();
        stage.chain.bake().expect("a block");
        let mut after = Vec::new();
        while let Some(answered) = answers.join_next().await {
            let answered_at = answered.expect("no call panics");
            after.push(answered_at.saturating_duration_since(final_at).as_secs_f64());
        }
        after.sort_by(f64::total_cmp);
        let (p50, p99) = (after[after.len() / 2], after[after.len() * 99 / 100]);
        println!(
            "round {round}: {} settlements in one block, answered after {:.0} ms (p50), {:.0} ms (p99)",
            after.len(),
            p50 * 1e3,
            p99 * 1e3
        );
        if round > 0 {
            middle.push(p50);
            late.push(p99);
        }
    }
    let (p50, p99) = (median(&mut middle), median(&mut late));
    println!(
        "{SETTLEMENTS} settlements of {payers} payers in one block; medians of {ROUNDS} rounds:"
    );
    println!("  answered after the block  {:.0} ms (p50), {:.0} ms (p99)", p50 * 1e3, p99 * 1e3);
    println!("  p99 in blocks of {BLOCK:?}     {:.2} (goal: 1 or less)", p99 / BLOCK.as_secs_f64());
}

/// Sends each list of requests over a connection of its own, one after the other, so many times.
async fn run(
    addr: SocketAddr,
    requests: &Arc<Vec<Vec<Vec<u8>>>>,
    passes: usize,
    said: &'static str,
) -> Duration {
    let mut streams = Vec::new();
    for _ in 0..requests.len() {
        // One by one, and before the clock runs: whom the server's queue has no room for waits a second.
        let stream = TcpStream::connect(addr).await.expect("the server accepts");
        stream.set_nodelay(true).expect("TCP has the option");
        streams.push(stream);
    }
    let since = Instant::now();
    let mut tasks = JoinSet::new();
    for (lane, mut stream) in streams.into_iter().enumerate() {
        let requests = Arc::clone(requests);
        tasks.spawn(async move {
            let mut answer = Vec::with_capacity(8 * 1024);
            for request in requests[lane].iter().cycle().take(requests[lane].len() * passes) {
                ask(&mut stream, request, &mut answer, said).await;
            }
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended.expect("no connection panics");
    }
    since.elapsed()
}

async fn ask(stream: &mut TcpStream, request: &[u8], answer: &mut Vec<u8>, said: &str) {
    wire::exchange(stream, request, answer).await;
    let told = String::from_utf8_lossy(answer);
    assert!(wire::status_of(answer) == b"200" && told.contains(said), "{told}");
}

fn rate(amount: u64, time: Duration) -> f64 {
    amount as f64 / time.as_secs_f64()
}

fn median(numbers: &mut [f64]) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}
