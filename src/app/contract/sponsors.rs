//! Sponsors that do what a test says: everybody is rich and has signed, unless their keys were
//! changed, and what is sent is remembered.
//! Real keys and chains are `chain`'s tests' business.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use ccd402_domain::account::{AccountAddress, AccountKey};
use ccd402_domain::amount::Amount;
use ccd402_domain::asset::Asset;
use ccd402_domain::ids::{Digest, TransactionHash};
use ccd402_domain::rejection::Rejection;
use ccd402_domain::sponsored::energy::{Bounds, CCD_TRANSFER, Energy};
use ccd402_domain::sponsored::offer::{Policy, Sponsor};
use ccd402_domain::sponsored::preflight::{AccountState, TokenState};
use ccd402_domain::sponsored::rules::SenderSignature;
use ccd402_domain::sponsored::transaction::{Operation, Transaction, Transfer};
use ccd402_domain::transaction::{FinalizedTransaction, Outcome, Sponsorship, Transfer as Moved};
use ccd402_protocol::code::ReasonCode;
use ccd402_protocol::payload::AccountSignatures;
use ccd402_protocol::sponsored::{
    Header, SignedTransaction, Sponsor as NamedSponsor, TransactionPayload,
};
use chrono::{DateTime, Utc};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::contract::payments::{account, block_ref};
use crate::contract::sample::network;
use crate::ports::chain::ChainError;
use crate::ports::sponsoring::{Finished, Freshness, Sent, Sponsoring};

/// What a payment costs, in microCCD.
const PRICE: u64 = 1_000;
/// What everybody has, and the sponsor above all.
const RICHES: u64 = 1_000_000_000_000;
/// Seconds that a payment may take.
const TIMEOUT_S: u64 = 60;

/// The account that pays fees.
#[must_use]
pub fn fee_payer() -> AccountAddress {
    account(3)
}

/// Sponsors that do what a test says.
pub struct ScriptedSponsors {
    policy: Policy,
    script: Mutex<Script>,
}

#[derive(Default)]
struct Script {
    accounts: HashMap<AccountKey, Arc<AccountState>>,
    /// Who has other keys than those that sign here.
    strangers: HashSet<AccountKey>,
    /// How often signatures were checked.
    checks: usize,
    sent: Vec<Vec<u8>>,
    refuses: Option<String>,
}

impl Default for ScriptedSponsors {
    fn default() -> Self {
        let sponsors = vec![Sponsor { address: fee_payer(), signatures: 1 }];
        let policy = Policy { network: network(), sponsors, bounds: Bounds::default() };
        Self { policy, script: Mutex::default() }
    }
}

impl ScriptedSponsors {
    /// The chain counts one more transaction of an account.
    pub fn count(&self, payer: AccountAddress) {
        let mut script = self.script();
        let mut account = AccountState::clone(&script.account(&payer));
        account.next_sequence_number += 1;
        script.accounts.insert(payer.account(), Arc::new(account));
    }

    /// The account gets other keys: what it has signed holds no longer.
    pub fn rekey(&self, payer: AccountAddress) {
        let mut script = self.script();
        // Another state, though it says the same: keys are not in it.
        let account = AccountState::clone(&script.account(&payer));
        script.accounts.insert(payer.account(), Arc::new(account));
        script.strangers.insert(payer.account());
    }

    /// How often signatures were checked.
    #[must_use]
    pub fn checks(&self) -> usize {
        self.script().checks
    }

    /// What was sent, in order.
    #[must_use]
    pub fn sent(&self) -> Vec<Vec<u8>> {
        self.script().sent.clone()
    }

    /// From now on nodes take nothing, in these words, or take it again.
    pub fn refuse(&self, why: Option<&str>) {
        self.script().refuses = why.map(str::to_owned);
    }

    fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Script {
    fn account(&mut self, address: &AccountAddress) -> Arc<AccountState> {
        let account = self.accounts.entry(address.account()).or_insert_with(|| {
            let available = Amount::from_units(RICHES);
            Arc::new(AccountState { next_sequence_number: 1, available, tokens: Vec::new() })
        });
        Arc::clone(account)
    }
}

/// A payment of 1,000 microCCD to account 2.
#[derive(Debug, Clone)]
pub struct Payment {
    payer: AccountAddress,
    wire: SignedTransaction,
}

impl Payment {
    /// With a number, signed now.
    #[must_use]
    pub fn by(payer: AccountAddress, number: u64, now: DateTime<Utc>) -> Self {
        let header = Header {
            sender: payer.to_string(),
            nonce: number,
            expiry: now.timestamp().unsigned_abs() + TIMEOUT_S - 1,
            execution_energy_amount: Some(CCD_TRANSFER),
            num_signatures: 1,
            sponsor: NamedSponsor { account: fee_payer().to_string(), num_signatures: 1 },
        };
        let to_address = account(2).to_string();
        let payload = TransactionPayload::Transfer { to_address, amount: PRICE };
        Self { payer, wire: SignedTransaction::new(header, payload, signatures()) }
    }

    /// The same, with a signature that does not hold.
    #[must_use]
    pub fn forged(mut self) -> Self {
        self.wire.signatures.sender = [(0, [(0, "cd".repeat(64))].into())].into();
        self
    }

    /// Who pays.
    #[must_use]
    pub fn payer(&self) -> AccountAddress {
        self.payer
    }

    /// The body of `/verify` and `/settle`.
    #[must_use]
    pub fn body(&self) -> Vec<u8> {
        let offer = json!({
            "scheme": "exact", "network": network(), "asset": "CCD", "amount": PRICE.to_string(),
            "payTo": account(2), "maxTimeoutSeconds": TIMEOUT_S,
            "extra": { "feePayer": fee_payer() },
        });
        let payload = json!({
            "x402Version": 2, "resource": { "url": "https://example.com/report" },
            "accepted": offer, "payload": { "signedTransaction": self.wire },
        });
        let body = json!({
            "x402Version": 2, "paymentPayload": payload, "paymentRequirements": offer,
        });
        body.to_string().into_bytes()
    }

    /// How the chain calls it.
    #[must_use]
    pub fn hash(&self) -> TransactionHash {
        TransactionHash::from_bytes(*digest(&self.wire).as_bytes())
    }

    /// In the block of that height, carried out.
    #[must_use]
    pub fn transaction(&self, height: u64) -> FinalizedTransaction {
        let moved = Moved {
            to: account(2),
            asset: Asset::Ccd,
            amount: Amount::from_units(PRICE),
            memo: None,
        };
        let fee = Amount::from_units(1);
        FinalizedTransaction {
            hash: self.hash(),
            block: block_ref(height),
            sender: Some(self.payer),
            outcome: Outcome::Transfer(moved),
            sponsorship: Some(Box::new(Sponsorship { sponsor: fee_payer(), fee })),
        }
    }
}

/// Those that hold.
fn signatures() -> AccountSignatures {
    [(0, [(0, "ab".repeat(64))].into())].into()
}

/// Of all but the signatures.
fn digest(wire: &SignedTransaction) -> Digest {
    let signed = (&wire.header, &wire.payload);
    let json = serde_json::to_vec(&signed).expect("a transaction has JSON");
    Digest::from_bytes(Sha256::digest(json).into())
}

#[async_trait]
impl Sponsoring for ScriptedSponsors {
    fn policy(&self) -> &Policy {
        &self.policy
    }

    fn read(&self, wire: &SignedTransaction) -> Result<Transaction, Rejection> {
        let TransactionPayload::Transfer { to_address, amount } = &wire.payload else {
            return Err(Rejection::of(ReasonCode::InvalidTransactionFormat));
        };
        let address = |text: &str| {
            text.parse().map_err(|_| Rejection::of(ReasonCode::InvalidTransactionFormat))
        };
        let transfer = Transfer {
            to: address(to_address)?,
            amount: Amount::from_units(*amount),
            decimals: None,
            memo: None,
        };
        Ok(Transaction {
            sender: address(&wire.header.sender)?,
            sequence_number: wire.header.nonce,
            expires_at_s: wire.header.expiry,
            sponsor: address(&wire.header.sponsor.account)?,
            energy: Energy {
                execution: CCD_TRANSFER,
                sender_signatures: 1,
                sponsor_signatures: 1,
                payload_bytes: 41,
            },
            signatures: 1,
            asset: Asset::Ccd,
            operations: vec![Operation::Transfer(transfer)],
            digest: digest(wire),
        })
    }

    async fn signature(&self, wire: &SignedTransaction) -> Result<SenderSignature, ChainError> {
        let mut script = self.script();
        script.checks += 1;
        let sender: AccountAddress = wire.header.sender.parse().expect("it was read before");
        let is_strange = script.strangers.contains(&sender.account());
        let is_signed = wire.signatures.sender == signatures();
        Ok(match is_signed && !is_strange {
            true => SenderSignature::Holds,
            false => SenderSignature::DoesNotHold,
        })
    }

    async fn account(
        &self,
        address: &AccountAddress,
        _: Freshness,
    ) -> Result<Option<Arc<AccountState>>, ChainError> {
        Ok(Some(self.script().account(address)))
    }

    async fn token(&self, _: &Asset, _: Freshness) -> Result<Option<Arc<TokenState>>, ChainError> {
        Ok(None)
    }

    async fn fee(&self, energy: u64) -> Result<Amount, ChainError> {
        Ok(Amount::from_units(energy))
    }

    async fn sign(
        &self,
        wire: &SignedTransaction,
        _: Option<&Arc<AccountState>>,
    ) -> Result<Result<Finished, Rejection>, ChainError> {
        let hash = TransactionHash::from_bytes(*digest(wire).as_bytes());
        Ok(Ok(Finished { hash, block_item: hash.as_bytes().to_vec() }))
    }

    async fn send(&self, block_item: &[u8]) -> Result<Sent, ChainError> {
        let mut script = self.script();
        if let Some(why) = &script.refuses {
            return Ok(Sent::Refused(why.clone()));
        }
        script.sent.push(block_item.to_vec());
        Ok(Sent::Taken)
    }
}
