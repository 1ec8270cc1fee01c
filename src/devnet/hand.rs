//! Paying by hand, step by step, so that each step can be done wrong.
//!
//! The payer in `client` does it right; this is for the demo and the tests, which show what happens
//! to those who do not.

use std::time::Duration;

use anyhow::{Context as _, bail};
use ccd402_chain::nodes::Nodes;
use ccd402_chain::payer::{Signed, Transfer, Wallet};
use ccd402_chain::wallet::WalletFile;
use ccd402_domain::account::AccountAddress;
use ccd402_domain::binding::{self, Resource};
use ccd402_domain::challenge::Challenge;
use ccd402_domain::ids::{Digest, TransactionHash};
use ccd402_protocol::header;
use ccd402_protocol::requirements::PaymentRequirements;
use ccd402_protocol::version::X402Version;
use reqwest::StatusCode;
use serde_json::{Value, json};

/// How long a payment may stay pending before the hand gives up.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two tries while it is pending.
const PAUSE: Duration = Duration::from_millis(200);

/// Somebody who pays by hand.
pub struct Hand {
    wallet: Wallet,
    http: reqwest::Client,
}

/// An offer of a 402, v1.
#[derive(Debug, Clone)]
pub struct Offer {
    /// As it came.
    pub raw: Value,
    /// What is for sale.
    pub resource: Resource,
    /// What ties a payment to it.
    pub digest: Digest,
}

/// What a server answered to a payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// The refusal's code; empty where there is none.
    pub code: String,
    /// The body.
    pub body: String,
}

impl Offer {
    /// Reads an offer of x402 v1.
    ///
    /// # Errors
    /// Where it is none.
    pub fn read(raw: Value, method: &str) -> anyhow::Result<Self> {
        let requirements = PaymentRequirements::decode(X402Version::V1, raw)?;
        let url = requirements.fields().resource.clone().context("the offer names no resource")?;
        let resource = Resource { method: method.to_owned(), url };
        let digest = binding::digest(&resource, requirements.raw());
        Ok(Self { raw: requirements.raw().clone(), resource, digest })
    }

    /// The transfer that it asks for.
    ///
    /// # Errors
    /// Where the offer cannot be read.
    pub fn transfer(&self) -> anyhow::Result<Transfer> {
        let requirements = PaymentRequirements::decode(X402Version::V1, self.raw.clone())?;
        let fields = requirements.fields();
        let challenge: Challenge =
            fields.extra.challenge.as_deref().context("no challenge")?.parse()?;
        Ok(Transfer {
            to: fields.pay_to.parse()?,
            asset: fields.asset.parse()?,
            amount: fields.amount.parse()?,
            memo: Some(self.digest),
            expires_at: challenge.window.closes_at,
        })
    }

    /// A payload of x402 v1 that accepts it.
    #[must_use]
    pub fn payload(
        &self,
        hash: TransactionHash,
        sender: AccountAddress,
        presentation: Option<Value>,
    ) -> Value {
        let mut payload = json!({
            "x402Version": 1,
            "scheme": self.raw["scheme"],
            "network": self.raw["network"],
            "payload": {
                "txHash": hash,
                "sender": sender,
                "binding": { "type": "memo", "accepted": self.raw },
            },
        });
        if let Some(presentation) = presentation {
            payload["payload"]["presentation"] = presentation;
        }
        payload
    }
}

impl Hand {
    /// Somebody with this wallet.
    ///
    /// # Errors
    /// Where the wallet is on another network.
    pub fn new(wallet: WalletFile, nodes: Nodes) -> anyhow::Result<Self> {
        Ok(Self { wallet: Wallet::open(wallet, nodes)?, http: reqwest::Client::new() })
    }

    /// The wallet.
    #[must_use]
    pub fn wallet(&self) -> &Wallet {
        &self.wallet
    }

    /// Asks for a resource and reads the offer of its 402.
    ///
    /// # Errors
    /// Where the answer is no 402 with an offer.
    pub async fn offer(&self, url: &str) -> anyhow::Result<Offer> {
        let response = self.http.get(url).send().await?;
        if response.status() != StatusCode::PAYMENT_REQUIRED {
            bail!("{url} answered {}, not 402", response.status());
        }
        let body: Value = response.json().await?;
        Offer::read(body["accepts"][0].clone(), "GET")
    }

    /// Signs and sends a transfer; does not wait for it.
    ///
    /// # Errors
    /// Where the node does not take it.
    pub async fn send(&self, transfer: &Transfer) -> anyhow::Result<Signed> {
        // Boxed: the node's client makes large futures, and everybody here pays by hand.
        let signed = Box::pin(self.wallet.build_transfer(transfer)).await?;
        Box::pin(self.wallet.send(&signed.bytes)).await?;
        Ok(signed)
    }

    /// Proves what an offer asks for, with any digest as the challenge.
    ///
    /// # Errors
    /// Where nothing is asked for, or the wallet cannot prove it.
    pub async fn prove(&self, offer: &Offer, challenge: &Digest) -> anyhow::Result<Value> {
        let requirements = PaymentRequirements::decode(X402Version::V1, offer.raw.clone())?;
        let required = requirements.fields().extra.identity.clone().context("nothing to prove")?;
        let text = Box::pin(self.wallet.prove(&required, challenge)).await?;
        Ok(serde_json::from_str(&text)?)
    }

    /// Pays an offer as it should be paid and returns the payload to present.
    ///
    /// # Errors
    /// Where a step fails.
    pub async fn pay(&self, offer: &Offer) -> anyhow::Result<Value> {
        let presentation = match offer.raw["extra"].get("identity") {
            Some(_) => Some(self.prove(offer, &offer.digest).await?),
            None => None,
        };
        let signed = self.send(&offer.transfer()?).await?;
        Ok(offer.payload(signed.hash, self.wallet.address(), presentation))
    }

    /// Presents a payment once.
    ///
    /// # Errors
    /// Where the server cannot be reached.
    pub async fn present_once(&self, url: &str, payload: &Value) -> anyhow::Result<Answer> {
        let payment = header::encode(payload)?;
        let response = self.http.get(url).header(header::X_PAYMENT, payment).send().await?;
        let status = response.status().as_u16();
        let body = response.text().await?;
        let json: Value = serde_json::from_str(&body).unwrap_or_default();
        let code = json["error"].as_str().or(json["code"].as_str()).unwrap_or_default().to_owned();
        Ok(Answer { status, code, body })
    }

    /// Presents a payment until it is not pending any more.
    ///
    /// # Errors
    /// Where the server cannot be reached or the payment stays pending.
    pub async fn present(&self, url: &str, payload: &Value) -> anyhow::Result<Answer> {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while tokio::time::Instant::now() < deadline {
            let answer = self.present_once(url, payload).await?;
            if !matches!(answer.code.as_str(), "transaction_pending" | "settlement_pending") {
                return Ok(answer);
            }
            tokio::time::sleep(PAUSE).await;
        }
        bail!("the payment is still pending after {PATIENCE:?}")
    }
}
