//! Payments made by hand for a facilitator that no gate stands before: offers sealed here, and what
//! must become of each payment.

use std::sync::atomic::{AtomicU64, Ordering};

use ccd402::devnet::hand::{Hand, Offer};
use ccd402_app::ports::chain::TransactionStatus;
use ccd402_chain::nodes::{Nodes, Options as NodeOptions};
use ccd402_domain::binding::Resource;
use ccd402_domain::challenge::{NONCE_BYTES, Window};
use ccd402_domain::ids::TransactionHash;
use ccd402_domain::preset::Preset;
use ccd402_gate::challenge::Sealer;
use ccd402_gate::secret::Secret;
use ccd402_protocol::bazaar::output_schema;
use ccd402_simchain::{Funds, Handle, IdentitySpec};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

/// What everything costs, in microCCD.
pub(crate) const PRICE: u64 = 5_000_000;

/// Who is paid, and what makes its offers its own.
pub(crate) struct Seller {
    account: Hand,
    nodes: Nodes,
    sealer: Sealer,
    offers: AtomicU64,
}

/// What an offer asks for besides the price.
#[derive(Clone, Copy)]
pub(crate) struct Terms {
    /// When the payment is used up: `verify` or `settle`.
    pub(crate) consume_on: &'static str,
    pub(crate) life: TimeDelta,
    pub(crate) adults_only: bool,
    /// Whether strangers may find it.
    pub(crate) listed: bool,
}

impl Default for Terms {
    fn default() -> Self {
        let life = TimeDelta::minutes(10);
        Self { consume_on: "settle", life, adults_only: false, listed: false }
    }
}

/// What must become of a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Confirmed,
    Failed(&'static str),
    /// Handed in twice: one is confirmed, the other was used already.
    Shared,
}

/// A payment to hand in.
#[derive(Clone)]
pub(crate) struct Payment {
    pub(crate) request: Value,
    pub(crate) hash: TransactionHash,
    pub(crate) fate: Fate,
}

impl Seller {
    /// A seller with an account of its own.
    pub(crate) async fn open(chain: &Handle) -> Self {
        let nodes = Nodes::connect(NodeOptions::new(vec![chain.url()])).await.unwrap();
        let wallet = chain.issue(IdentitySpec::default(), Funds::ccd(1)).await.unwrap();
        let sealer = Sealer::new(&Secret::new(vec![1; 32]).unwrap());
        let account = Hand::new(wallet, nodes.clone()).unwrap();
        Self { account, nodes, sealer, offers: AtomicU64::new(0) }
    }

    /// Somebody born in 1990 with so many CCD.
    pub(crate) async fn payer(&self, chain: &Handle, ccd: u32) -> Hand {
        let wallet = chain.issue(IdentitySpec::default(), Funds::ccd(ccd)).await.unwrap();
        Hand::new(wallet, self.nodes.clone()).unwrap()
    }

    /// A fresh offer.
    pub(crate) fn offer(&self, terms: Terms) -> Offer {
        let serial = self.offers.fetch_add(1, Ordering::Relaxed);
        let url = format!("https://shop.example/{serial}");
        let resource = Resource { method: "GET".to_owned(), url: url.clone() };
        let now = Utc::now();
        let opens_at = DateTime::from_timestamp(now.timestamp(), 0).unwrap();
        let window = Window { opens_at, closes_at: opens_at + terms.life };
        let mut bare = json!({
            "scheme": "exact",
            "network": self.nodes.network().v1_name(),
            "maxAmountRequired": PRICE.to_string(),
            "asset": "CCD",
            "payTo": self.account.wallet().address(),
            "maxTimeoutSeconds": 600,
            "resource": url,
            "extra": {
                "assetTransferMethod": "transaction-hash",
                "paymentFlow": "upfront",
                "consumeOn": terms.consume_on,
            },
        });
        if terms.listed {
            bare["outputSchema"] = output_schema("GET");
            bare["description"] = json!(format!("Häppchen №{serial}"));
        }
        if terms.adults_only {
            let adults = Preset { min_age: Some(18), ..Preset::default() };
            bare["extra"]["identity"] = json!(adults.requirement(now.date_naive()).unwrap());
        }
        let mut nonce = [0; NONCE_BYTES];
        nonce[..8].copy_from_slice(&serial.to_be_bytes());
        let sealed = self.sealer.seal(bare, &resource, window, nonce).unwrap();
        Offer::read(sealed, "GET").unwrap()
    }

    /// What the chain says of a transaction.
    pub(crate) async fn status(&self, hash: &TransactionHash) -> TransactionStatus {
        self.account.wallet().status(hash).await.unwrap()
    }

    /// A payment as it should be.
    pub(crate) async fn paid(&self, payer: &Hand, terms: Terms) -> Payment {
        let offer = self.offer(terms);
        let payload = payer.pay(&offer).await.unwrap();
        let hash = payload["payload"]["txHash"].as_str().unwrap().parse().unwrap();
        Payment::new(&offer, &payload, hash, Fate::Confirmed)
    }

    /// One that is signed and never made; it fails once its time is over, after some seconds.
    pub(crate) async fn never_sent(&self, payer: &Hand) -> Payment {
        let soon = Terms { life: TimeDelta::seconds(5), ..Terms::default() };
        let offer = self.offer(soon);
        let transfer = offer.transfer().unwrap();
        let hash = payer.wallet().build_transfer(&transfer).await.unwrap().hash;
        let payload = offer.payload(hash, payer.wallet().address(), None);
        Payment::new(&offer, &payload, hash, Fate::Failed("transaction_not_found"))
    }
}

impl Payment {
    /// A payment with this payload.
    pub(crate) fn new(offer: &Offer, payload: &Value, hash: TransactionHash, fate: Fate) -> Self {
        let request = crate::support::verify_request(offer, payload);
        Self { request, hash, fate }
    }
}
