//! How a payer behaves: what it may spend, whom it asks, how long it waits, whom it tells.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use ccd402_domain::account::AccountAddress;
use ccd402_domain::amount::Amount;
use ccd402_domain::asset::Asset;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use crate::payer::record::Id;
use crate::retry::Backoff;

/// How a payer behaves. By default it has no limit and asks nobody, and so pays nothing.
#[derive(Clone)]
pub struct Options {
    /// Most that one payment may cost, by asset. Where any is given, other assets are refused.
    pub limits: Vec<Limit>,
    /// The one way of paying that is wanted, the other being refused. Default: either.
    pub way: Option<Way>,
    /// Asked before each new payment that is within the limits.
    pub consent: Option<Arc<dyn Consent>>,
    /// Gives up a payment for the same resource that was sent and refused, and pays anew. One that
    /// a sponsor may still send is not given up before the chain has decided it.
    pub pay_again: bool,
    /// How long to wait for the payment to be accepted. Default 120 s.
    pub timeout: Duration,
    /// How long to wait for another run with the same wallet, or for a payment that one left behind
    /// and that comes first. Default 150 s.
    pub lock_timeout: Duration,
    /// How long a connection, and each piece of the content, may take. Default 30 s.
    pub idle_timeout: Duration,
    /// Waits between tries where the server does not say. Default 500 ms, doubled up to 5 s.
    pub backoff: Backoff,
    /// What must be left of an offer's time before anything is signed for it. Default 20 s: blocks
    /// are seconds apart.
    pub time_left_min: TimeDelta,
    /// The time; tests drive it.
    pub clock: Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>,
    /// Told of each step as it is done; must not block.
    pub observer: Option<Arc<dyn Fn(Step) + Send + Sync>>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            limits: Vec::new(),
            way: None,
            consent: None,
            pay_again: false,
            timeout: Duration::from_secs(120),
            lock_timeout: Duration::from_secs(150),
            idle_timeout: Duration::from_secs(30),
            backoff: Backoff::default(),
            time_left_min: TimeDelta::seconds(20),
            clock: Arc::new(Utc::now),
            observer: None,
        }
    }
}

/// Most that one payment may cost in one asset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    /// Of what.
    pub asset: Asset,
    /// Smallest units.
    pub amount: Amount,
}

/// A way of paying.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// The payer sends a transfer, pays its fee, and hands in the transaction's hash.
    Hash,
    /// The payer hands in a signed transaction; a sponsor pays its fee and sends it.
    Sponsored,
}

/// Whoever decides whether to pay.
#[async_trait]
pub trait Consent: Send + Sync {
    /// Whether this payment may be made.
    async fn consents(&self, quote: &Quote) -> bool;
}

/// What a payment costs and takes, before it is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Quote {
    /// What is paid for.
    pub url: String,
    /// As the resource server describes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// As people write it: `1.5`.
    pub amount: String,
    /// Of what.
    pub asset: Asset,
    /// Who is paid.
    pub pay_to: AccountAddress,
    /// What the chain will charge the payer at most, in CCD; `0` where a sponsor pays it.
    pub fee: String,
    /// Who pays the fee in the payer's stead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sponsor: Option<AccountAddress>,
    /// What is proven, in plain words; empty where nothing is.
    pub proves: Vec<String>,
    /// Until when it must be in a block.
    pub closes_at: DateTime<Utc>,
}

/// A step that was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "step", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum Step {
    /// The resource can be paid for.
    Quoted(Box<Quote>),
    /// An earlier payment for the same resource is being finished.
    Resumed {
        /// Which.
        #[serde(flatten)]
        payment: Id,
    },
    /// An earlier payment is closed.
    Closed {
        /// Which.
        #[serde(flatten)]
        payment: Id,
        /// Why.
        reason: String,
    },
    /// The payment is signed and written down.
    Recorded {
        /// Which.
        #[serde(flatten)]
        payment: Id,
    },
    /// The node has the transfer.
    Sent {
        /// Which.
        #[serde(flatten)]
        payment: Id,
    },
    /// It is final that the payment has moved its amount.
    Finalized {
        /// Which.
        #[serde(flatten)]
        payment: Id,
    },
    /// Not accepted yet; tried again after a while.
    Waiting {
        /// What for.
        why: String,
    },
    /// The resource server took the payment and answers.
    Accepted {
        /// HTTP status of the answer.
        status: u16,
    },
}
