//! A chain in memory and the wallet of one account on it: the port's second implementation.
//!
//! It includes a transfer once, however often it is sent, one transaction for each sequence number,
//! and it can be told to stop a run dead at any step, as a kill would.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use ccd402_domain::account::AccountAddress;
use ccd402_domain::amount::Amount;
use ccd402_domain::asset::Asset;
use ccd402_domain::ids::{Digest, TransactionHash};
use ccd402_domain::transaction::{Outcome, Transfer as Moved};
use ccd402_protocol::identity::IdentityRequirement;
use ccd402_protocol::network::NetworkId;
use ccd402_protocol::sponsored::{Header, SignedTransaction, Sponsor, TransactionPayload};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use tokio::sync::Notify;
use uuid::Uuid;

use crate::payer::tests::Clock;
use crate::payer::wallet::{
    Error, Numbered, Order, SignedOrder, SignedTransfer, Transfer, TransferStatus, Wallet,
};

/// Where a run is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// Signed, not written down.
    AfterSigning,
    /// Written down, not sent.
    BeforeSending,
    /// Sent, not known to be.
    AfterSending,
}

pub(super) struct State {
    pub(super) balances: HashMap<&'static str, u64>,
    signed: HashMap<TransactionHash, Transfer>,
    /// Every transfer that the chain took, in order.
    pub(super) included: Vec<(TransactionHash, Transfer)>,
    /// The number of the account's next transaction.
    pub(super) next: u64,
    /// Every final transaction by its number.
    pub(super) numbered: BTreeMap<u64, Numbered>,
    /// Every order that was signed, in order.
    pub(super) orders: Vec<(Digest, Order, u64)>,
    /// How often anything was sent.
    pub(super) sends: usize,
    /// Answers to `status` that say pending before a transfer is final.
    pub(super) pending_answers: usize,
    /// What the chain says of every transfer that it took.
    pub(super) rejection: Option<&'static str>,
    /// What the node says to every send.
    pub(super) send_error: Option<Error>,
    pub(super) cannot_prove: Option<&'static str>,
    pub(super) stop: Option<Stop>,
}

#[derive(Clone)]
pub(super) struct Chain {
    clock: Clock,
    network: NetworkId,
    state: Arc<Mutex<State>>,
    /// Told when a run has come to its stop.
    pub(super) stopped: Arc<Notify>,
}

impl Chain {
    pub(super) fn start(clock: Clock) -> Self {
        let state = State {
            balances: HashMap::from([("CCD", 100_000_000), ("EURR", 50_000_000)]),
            signed: HashMap::new(),
            included: Vec::new(),
            next: 1,
            numbered: BTreeMap::new(),
            orders: Vec::new(),
            sends: 0,
            pending_answers: 0,
            rejection: None,
            send_error: None,
            cannot_prove: None,
            stop: None,
        };
        let network = NetworkId::of_genesis(&[7; 32]);
        Self { clock, network, state: Arc::new(Mutex::new(state)), stopped: Arc::default() }
    }

    pub(super) fn network(&self) -> NetworkId {
        self.network.clone()
    }

    pub(super) fn wallet(&self) -> AccountWallet {
        AccountWallet { chain: self.clone() }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// The transfer, if the chain took it and it is final.
    pub(super) fn finalized(&self, hash: &TransactionHash) -> Option<Transfer> {
        let state = self.state();
        let mut found = state.included.iter().filter(|(included, _)| included == hash);
        let is_final = state.pending_answers == 0 && state.rejection.is_none();
        found.next().filter(|_| is_final).map(|(_, transfer)| transfer.clone())
    }

    /// Signs an order as its sponsor and includes it, as a facilitator does; how it is called, or
    /// the code that refuses it. The same order again is called the same.
    pub(super) fn sponsor(&self, digest: &Digest) -> Result<TransactionHash, &'static str> {
        let now = self.clock.now();
        let mut state = self.state();
        let found = state.orders.iter().find(|(signed, ..)| signed == digest).cloned();
        let Some((_, order, number)) = found else { return Err("invalid_sender_signature") };
        let hash = TransactionHash::from_bytes(*digest.as_bytes());
        if state.numbered.get(&number).is_some_and(|numbered| numbered.hash == hash) {
            return Ok(hash);
        }
        if now >= order.expires_at {
            return Err("transaction_expired");
        }
        if number != state.next {
            return Err("preflight_nonce_mismatch");
        }
        let outcome = match state.rejection {
            Some(reason) => Outcome::Rejected { reason: reason.to_owned() },
            None => {
                let balance = state.balances.get_mut(name(&order.asset)).unwrap();
                *balance -= order.amount.units();
                let Order { to, asset, amount, .. } = order;
                Outcome::Transfer(Moved { to, asset, amount, memo: None })
            }
        };
        let is_rejected = matches!(outcome, Outcome::Rejected { .. });
        let sponsor = Some(order.sponsor);
        state.numbered.insert(number, Numbered { hash, sponsor, outcome });
        state.next += 1;
        if is_rejected { Err("transaction_failed_on_chain") } else { Ok(hash) }
    }

    async fn stop_at(&self, here: Stop) {
        if self.state().stop == Some(here) {
            self.stopped.notify_one();
            std::future::pending::<()>().await;
        }
    }
}

/// The one account's wallet.
pub(super) struct AccountWallet {
    chain: Chain,
}

fn name(asset: &Asset) -> &'static str {
    match asset {
        Asset::Ccd => "CCD",
        Asset::Token(_) => "EURR",
    }
}

#[async_trait]
impl Wallet for AccountWallet {
    fn address(&self) -> AccountAddress {
        AccountAddress::from_bytes([1; 32])
    }

    fn network(&self) -> &NetworkId {
        &self.chain.network
    }

    async fn balance(&self, asset: &Asset) -> Result<Amount, Error> {
        Ok(Amount::from_units(self.chain.state().balances[name(asset)]))
    }

    async fn decimals(&self, asset: &Asset) -> Result<u8, Error> {
        match asset {
            Asset::Token(id) if !id.eq_ignore_ascii_case("EURR") => {
                Err(Error::Refused(format!("there is no token {id}")))
            }
            _ => Ok(6),
        }
    }

    async fn fee(&self, _: &Asset) -> Result<Amount, Error> {
        Ok(Amount::from_units(600_000))
    }

    async fn prove(&self, _: &IdentityRequirement, challenge: &Digest) -> Result<Value, Error> {
        match self.chain.state().cannot_prove {
            Some(reason) => Err(Error::CannotProve(reason.to_owned())),
            None => Ok(json!({ "challenge": challenge })),
        }
    }

    async fn prepare_transfer(&self, transfer: &Transfer) -> Result<SignedTransfer, Error> {
        let halves = [Uuid::new_v4().into_bytes(), Uuid::new_v4().into_bytes()].concat();
        let hash = TransactionHash::from_bytes(halves.clone().try_into().unwrap());
        self.chain.state().signed.insert(hash, transfer.clone());
        self.chain.stop_at(Stop::AfterSigning).await;
        Ok(SignedTransfer { hash, bytes: halves })
    }

    async fn send(&self, signed: &SignedTransfer) -> Result<(), Error> {
        assert_eq!(signed.bytes, signed.hash.as_bytes(), "the bytes are those that were signed");
        self.chain.stop_at(Stop::BeforeSending).await;
        {
            let mut state = self.chain.state();
            state.sends += 1;
            if let Some(error) = &state.send_error {
                return Err(error.clone());
            }
            let transfer = state.signed[&signed.hash].clone();
            if transfer.expires_at < self.chain.clock.now() {
                return Err(Error::Refused("the transaction has expired".to_owned()));
            }
            if !state.included.iter().any(|(hash, _)| *hash == signed.hash) {
                *state.balances.get_mut(name(&transfer.asset)).unwrap() -= transfer.amount.units();
                state.included.push((signed.hash, transfer));
                state.next += 1;
            }
        }
        self.chain.stop_at(Stop::AfterSending).await;
        Ok(())
    }

    async fn status(&self, hash: &TransactionHash) -> Result<TransferStatus, Error> {
        let mut state = self.chain.state();
        if !state.included.iter().any(|(included, _)| included == hash) {
            return Ok(TransferStatus::Unknown);
        }
        if state.pending_answers > 0 {
            state.pending_answers -= 1;
            return Ok(TransferStatus::Pending);
        }
        Ok(match state.rejection {
            Some(reason) => TransferStatus::Rejected { reason: reason.to_owned() },
            None => TransferStatus::Finalized,
        })
    }

    async fn next_number(&self) -> Result<u64, Error> {
        Ok(self.chain.state().next)
    }

    async fn sign_order(&self, order: &Order, number: u64) -> Result<SignedOrder, Error> {
        let halves = [Uuid::new_v4().into_bytes(), Uuid::new_v4().into_bytes()].concat();
        let digest = Digest::from_bytes(halves.try_into().unwrap());
        self.chain.state().orders.push((digest, order.clone(), number));
        self.chain.stop_at(Stop::AfterSigning).await;
        let header = Header {
            sender: self.address().to_string(),
            nonce: number,
            expiry: u64::try_from(order.expires_at.timestamp()).unwrap(),
            execution_energy_amount: Some(300),
            num_signatures: 1,
            sponsor: Sponsor { account: order.sponsor.to_string(), num_signatures: 1 },
        };
        let (to_address, amount) = (order.to.to_string(), order.amount.units());
        let payload = TransactionPayload::Transfer { to_address, amount };
        let signature = BTreeMap::from([(0, BTreeMap::from([(0, digest.to_string())]))]);
        let transaction = SignedTransaction::new(header, payload, signature);
        Ok(SignedOrder { digest, transaction })
    }

    async fn numbered(&self, number: u64) -> Result<Option<Numbered>, Error> {
        Ok(self.chain.state().numbered.get(&number).cloned())
    }

    async fn time_finalized(&self) -> Result<DateTime<Utc>, Error> {
        Ok(self.chain.clock.now())
    }
}
