//! A facilitator that sponsors, over the simulated chain, and payers that sign by hand.

use std::ops::Deref;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ccd402::compose::facilitator::{self, Running};
use ccd402::devnet::Listen;
use ccd402_chain::codec;
use ccd402_chain::concordium::{Concordium, Options as ChainOptions};
use ccd402_chain::nodes::{Nodes, Options as NodeOptions};
use ccd402_chain::payer::{Order, Wallet};
use ccd402_chain::wallet::WalletFile;
use ccd402_domain::account::AccountAddress;
use ccd402_domain::amount::Amount;
use ccd402_domain::asset::Asset;
use ccd402_simchain::{Funds, Handle, IdentitySpec, Options, SimChain};
use chrono::{TimeDelta, Utc};
use serde_json::{Value, json};
use tempfile::TempDir;

/// What everything costs: 1.5 CCD, or of a token.
pub(crate) const PRICE: u64 = 1_500_000;
/// Seconds that a payment may take.
const TIMEOUT_S: i64 = 60;
const BLOCK_TIME: Duration = Duration::from_millis(250);

/// A chain, a facilitator with a sponsor, and who is paid.
pub(crate) struct Stage {
    pub(crate) chain: Handle,
    pub(crate) running: Running,
    pub(crate) offers: Offers,
    pub(crate) http: reqwest::Client,
    settings: facilitator::Options,
    dir: TempDir,
}

/// What is asked for on a chain, and payments for it.
pub(crate) struct Offers {
    pub(crate) nodes: Nodes,
    pub(crate) sponsor: AccountAddress,
    pub(crate) payee: AccountAddress,
}

impl Deref for Stage {
    type Target = Offers;

    fn deref(&self) -> &Offers {
        &self.offers
    }
}

/// A quick chain.
pub(crate) async fn chain() -> Handle {
    let chain =
        Options { block_time: BLOCK_TIME, finality_delay: BLOCK_TIME, ..Options::default() };
    SimChain::start(chain).await.unwrap()
}

/// Somebody who signs payments.
pub(crate) struct Payer {
    pub(crate) wallet: Wallet,
    next: AtomicU64,
}

impl Stage {
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// With other settings of the facilitator.
    pub(crate) async fn with(change: impl FnOnce(&mut facilitator::Options)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let chain = chain().await;
        let sponsor = chain.issue(IdentitySpec::default(), Funds::ccd(1_000)).await.unwrap();
        let offers = Offers::open(&chain, &sponsor).await;
        let data = dir.path().join("facilitator");
        let listen = Listen::anywhere().facilitator;
        let mut settings = facilitator::Options::new(listen, data, vec![chain.url()]);
        settings.sponsors.wallets = vec![sponsor];
        settings.jobs.expire_every = Duration::from_secs(1);
        change(&mut settings);
        let running = facilitator::start(settings.clone()).await.unwrap();
        let http = reqwest::Client::new();
        Self { chain, running, offers, http, settings, dir }
    }

    /// Somebody with so many CCD, and 100 EURR.
    pub(crate) async fn payer(&self, ccd: u32) -> Payer {
        self.offers.payer(&self.chain, ccd).await
    }

    /// Somebody with these keys.
    pub(crate) async fn payer_who(&self, who: IdentitySpec, ccd: u32) -> Payer {
        self.offers.payer_who(&self.chain, who, ccd).await
    }

    /// The sponsor, paying for itself.
    pub(crate) async fn sponsor_as_payer(&self) -> Payer {
        let wallet = self.settings.sponsors.wallets[0].clone();
        let wallet = Wallet::open(wallet, self.nodes.clone()).unwrap();
        let next = AtomicU64::new(wallet.next_sequence_number().await.unwrap());
        Payer { wallet, next }
    }

    /// Posts JSON and reads what a 200 says.
    pub(crate) async fn ask(&self, path: &str, request: &Value, wait: u32) -> Value {
        let url = format!("{}{path}", self.running.url());
        let post = self.http.post(url).header("prefer", format!("wait={wait}")).json(request);
        let response = post.send().await.unwrap();
        let (status, text) = (response.status(), response.text().await.unwrap());
        assert_eq!(status, 200, "{text}");
        serde_json::from_str(&text).unwrap()
    }

    pub(crate) async fn verify(&self, request: &Value) -> Value {
        self.ask("/verify", request, 3).await
    }

    pub(crate) async fn settle(&self, request: &Value) -> Value {
        self.ask("/settle", request, 30).await
    }

    /// The facilitator stops and starts again with its log.
    pub(crate) async fn restart(mut self) -> Self {
        self.running.stop().await.unwrap();
        self.running = facilitator::start(self.settings.clone()).await.unwrap();
        self
    }

    /// Why another facilitator does not start with these settings.
    pub(crate) async fn start_another(
        &self,
        change: impl FnOnce(&mut facilitator::Options),
    ) -> String {
        let mut settings = self.settings.clone();
        settings.data_dir = self.dir.path().join("another");
        change(&mut settings);
        match facilitator::start(settings).await {
            Ok(_) => panic!("it starts"),
            Err(error) => format!("{error:#}"),
        }
    }

    pub(crate) async fn stop(self) {
        self.running.stop().await.unwrap();
        self.chain.shutdown().await;
        drop(self.dir);
    }
}

impl Offers {
    /// A sponsor's, and a payee with an account of its own.
    pub(crate) async fn open(chain: &Handle, sponsor: &WalletFile) -> Self {
        let payee = chain.issue(IdentitySpec::default(), Funds::ccd(0)).await.unwrap();
        let nodes = Nodes::connect(NodeOptions::new(vec![chain.url()])).await.unwrap();
        let (sponsor, payee) = (codec::address(&sponsor.address), codec::address(&payee.address));
        Self { nodes, sponsor, payee }
    }

    /// Somebody with so many CCD, and 100 EURR.
    pub(crate) async fn payer(&self, chain: &Handle, ccd: u32) -> Payer {
        self.payer_who(chain, IdentitySpec::default(), ccd).await
    }

    pub(crate) async fn payer_who(&self, chain: &Handle, who: IdentitySpec, ccd: u32) -> Payer {
        self.payer_with(chain, who, Funds::ccd(ccd).token("EURR", 100_000_000)).await
    }

    pub(crate) async fn payer_with(
        &self,
        chain: &Handle,
        who: IdentitySpec,
        funds: Funds,
    ) -> Payer {
        self.payer_of(chain.issue(who, funds).await.unwrap()).await
    }

    pub(crate) async fn payer_of(&self, wallet: WalletFile) -> Payer {
        let wallet = Wallet::open(wallet, self.nodes.clone()).unwrap();
        let next = AtomicU64::new(wallet.next_sequence_number().await.unwrap());
        Payer { wallet, next }
    }

    /// What a resource server asks for.
    pub(crate) fn offer(&self, asset: &str) -> Value {
        json!({
            "scheme": "exact", "network": self.nodes.network(), "asset": asset,
            "amount": PRICE.to_string(), "payTo": self.payee, "maxTimeoutSeconds": TIMEOUT_S,
            "extra": { "feePayer": self.sponsor },
        })
    }

    /// What the offer orders.
    pub(crate) fn order(&self, asset: &str) -> Order {
        Order {
            to: self.payee,
            asset: asset.parse::<Asset>().unwrap(),
            amount: Amount::from_units(PRICE),
            expires_at: Utc::now() + TimeDelta::seconds(TIMEOUT_S - 5),
            sponsor: self.sponsor,
        }
    }

    /// A payment with the payer's next number.
    pub(crate) async fn payment(&self, payer: &Payer, asset: &str) -> Value {
        self.ordered(payer, &self.offer(asset), &self.order(asset)).await
    }

    /// A payment of this order for that offer, with the payer's next number.
    pub(crate) async fn ordered(&self, payer: &Payer, offer: &Value, order: &Order) -> Value {
        let number = payer.next.fetch_add(1, Ordering::Relaxed);
        self.numbered(payer, offer, order, number).await
    }

    pub(crate) async fn numbered(
        &self,
        payer: &Payer,
        offer: &Value,
        order: &Order,
        number: u64,
    ) -> Value {
        let signed = payer.wallet.sign_order(order, number).await.unwrap();
        request(offer, &json!(signed))
    }

    /// What the payee has received of an asset.
    pub(crate) async fn received(&self, asset: &str) -> u64 {
        let chain = Concordium::new(self.nodes.clone(), ChainOptions::default());
        let account = chain.account(&self.payee).await.unwrap().unwrap();
        account.state.balance(&asset.parse().unwrap()).units()
    }
}

/// A request of x402 v2.
pub(crate) fn request(offer: &Value, signed: &Value) -> Value {
    json!({
        "x402Version": 2,
        "paymentRequirements": offer,
        "paymentPayload": {
            "x402Version": 2,
            "resource": { "url": "https://shop.example/report" },
            "accepted": offer,
            "payload": { "signedTransaction": signed },
        },
    })
}
