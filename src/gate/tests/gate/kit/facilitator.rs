//! A facilitator that keeps the rules of single use, except where a test tells it otherwise.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use ccd402_client::facilitator::{Error, Facilitator};
use ccd402_protocol::facilitator::{
    SettleResponse, SupportedResponse, VerifyRequest, VerifyResponse,
};
use ccd402_protocol::network::TESTNET;
use serde_json::{Map, Value, json};
use tokio::sync::{Notify, watch};
use uuid::Uuid;

pub(crate) const PAYER: &str = "3kBx2h5Y2veb4hZgAJWPrr8RyQESKm5TjzF3ti1QQ4VSYLwK1G";

/// What happens at the next call instead of the rules.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    Fail(Error),
    Refuse(&'static str),
    /// As a facilitator whose time is over: nothing is used up yet.
    Pending,
    Hang,
    /// The rules, once the test says so.
    Wait(Arc<Notify>),
}

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) verify: VecDeque<Step>,
    pub(crate) settle: VecDeque<Step>,
    pub(crate) verified: Vec<VerifyRequest>,
    pub(crate) settled: Vec<VerifyRequest>,
    pub(crate) settle_keys: Vec<String>,
    pub(crate) released: u32,
    /// Who sponsors, as `/supported` says it.
    pub(crate) sponsor: Option<String>,
    /// `/supported` fails so often.
    pub(crate) silent: u32,
    pub(crate) asked_for_support: u32,
    held: HashMap<String, (Uuid, Uuid)>,
    used: HashSet<String>,
}

pub(crate) struct Scripted {
    state: Mutex<State>,
    changes: watch::Sender<u64>,
}

impl Scripted {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { state: Mutex::default(), changes: watch::Sender::new(0) })
    }

    pub(crate) fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = change(&mut self.state.lock().unwrap());
        self.changes.send_modify(|count| *count += 1);
        result
    }

    pub(crate) fn next_verify(&self, step: Step) {
        self.with(|state| state.verify.push_back(step));
    }

    pub(crate) fn next_settle(&self, step: Step) {
        self.with(|state| state.settle.push_back(step));
    }

    /// Waits until the state is so.
    pub(crate) async fn until(&self, what: &str, is_so: impl Fn(&State) -> bool) {
        let mut changes = self.changes.subscribe();
        let wait = changes.wait_for(|_| is_so(&self.state.lock().unwrap()));
        drop(super::soon(what, wait).await.unwrap());
    }
}

/// What tells payments apart: the hash, or what a sponsored transaction's signatures are.
fn transaction(request: &VerifyRequest) -> String {
    let payload = &request.payment_payload["payload"];
    let hash = payload["txHash"].as_str().map(str::to_owned);
    hash.unwrap_or_else(|| payload["signedTransaction"]["signatures"].to_string())
}

fn is_sponsored(request: &VerifyRequest) -> bool {
    request.payment_payload["payload"].get("signedTransaction").is_some()
}

fn extra(verification: Uuid, reservation: Uuid) -> Option<Map<String, Value>> {
    let extra = json!({ "verification": verification, "reservation": reservation });
    extra.as_object().cloned()
}

impl State {
    /// One by hash is held for one request; a sponsored one for all who ask, until it is settled.
    fn hold(&mut self, request: &VerifyRequest) -> VerifyResponse {
        let transaction = transaction(request);
        let is_taken = self.held.contains_key(&transaction) && !is_sponsored(request);
        if self.used.contains(&transaction) || is_taken {
            let invalid_reason = Some("payment_already_used".to_owned());
            return VerifyResponse { invalid_reason, ..VerifyResponse::default() };
        }
        let ids = (Uuid::new_v4(), Uuid::new_v4());
        self.held.insert(transaction, ids);
        VerifyResponse {
            is_valid: true,
            payer: Some(PAYER.to_owned()),
            extra: extra(ids.0, ids.1),
            ..VerifyResponse::default()
        }
    }

    fn use_up(&mut self, transaction: String) -> SettleResponse {
        self.held.remove(&transaction);
        let success = self.used.insert(transaction.clone());
        SettleResponse {
            success,
            payer: success.then(|| PAYER.to_owned()),
            extra: extra(Uuid::new_v4(), Uuid::new_v4()).filter(|_| success),
            error_reason: (!success).then(|| "duplicate_settlement".to_owned()),
            transaction,
            network: "concordium-testnet".to_owned(),
            ..SettleResponse::default()
        }
    }
}

#[async_trait]
impl Facilitator for Scripted {
    async fn verify(
        &self,
        request: &VerifyRequest,
        _: Option<&str>,
    ) -> Result<VerifyResponse, Error> {
        let step = self.with(|state| {
            state.verified.push(request.clone());
            state.verify.pop_front()
        });
        match step {
            None => Ok(self.with(|state| state.hold(request))),
            Some(Step::Wait(word)) => {
                word.notified().await;
                Ok(self.with(|state| state.hold(request)))
            }
            Some(Step::Fail(error)) => Err(error),
            Some(Step::Hang) => std::future::pending().await,
            Some(Step::Pending) => panic!("only /settle is pending"),
            Some(Step::Refuse(code)) => Ok(VerifyResponse {
                invalid_reason: Some(code.to_owned()),
                ..VerifyResponse::default()
            }),
        }
    }

    async fn decimals(&self, _: &str) -> Result<Option<u8>, Error> {
        panic!("a gate that runs has its prices")
    }

    async fn settle(
        &self,
        request: &VerifyRequest,
        key: Option<&str>,
    ) -> Result<SettleResponse, Error> {
        let step = self.with(|state| {
            state.settled.push(request.clone());
            state.settle_keys.push(key.unwrap_or_default().to_owned());
            state.settle.pop_front()
        });
        match step {
            None => Ok(self.with(|state| state.use_up(transaction(request)))),
            Some(Step::Wait(word)) => {
                word.notified().await;
                Ok(self.with(|state| state.use_up(transaction(request))))
            }
            Some(Step::Fail(error)) => Err(error),
            Some(Step::Hang) => std::future::pending().await,
            Some(Step::Pending) => Ok(SettleResponse {
                error_reason: Some("settlement_pending".to_owned()),
                transaction: "ab".repeat(32),
                ..SettleResponse::default()
            }),
            Some(Step::Refuse(code)) => Ok(SettleResponse {
                error_reason: Some(code.to_owned()),
                ..SettleResponse::default()
            }),
        }
    }

    async fn supported(&self) -> Result<SupportedResponse, Error> {
        let sponsor = self.with(|state| {
            state.asked_for_support += 1;
            if state.silent > 0 {
                state.silent -= 1;
                return Err(Error::Unavailable("connection refused".to_owned()));
            }
            Ok(state.sponsor.clone())
        })?;
        let extra = sponsor.map(|account| json!({ "feePayer": account }));
        let kinds = json!([
            { "x402Version": 1, "scheme": "exact", "network": "concordium-testnet" },
            { "x402Version": 2, "scheme": "exact", "network": TESTNET, "extra": extra },
            { "x402Version": 2, "scheme": "exact", "network": "eip155:1" },
        ]);
        Ok(serde_json::from_value(json!({ "kinds": kinds })).unwrap())
    }

    async fn release(&self, verification: &str, reservation: &str) -> Result<(), Error> {
        let ids = (verification.parse().unwrap(), reservation.parse().unwrap());
        self.with(|state| {
            let before = state.held.len();
            state.held.retain(|_, held| *held != ids);
            if state.held.len() == before {
                let code = Some("reservation_not_held".to_owned());
                return Err(Error::Refused { status: 409, code });
            }
            state.released += 1;
            Ok(())
        })
    }
}
