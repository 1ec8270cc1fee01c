//! A chain with a payer, a payee and a sponsor, and what each of them does in a sponsored payment.
//! The payer signs with the Rust SDK and writes the JSON that the TypeScript SDK would.

use std::collections::BTreeMap;

use ccd402_chain::{
    account::Account,
    codec,
    concordium::Concordium,
    payer::Signed,
    sponsored::{Signable, Sponsor},
    wallet::WalletFile,
};
use ccd402_domain::{
    account::AccountAddress,
    amount::Amount,
    asset::Asset,
    rejection::Rejection,
    sponsored::{
        energy::Bounds,
        offer::{Offer, Policy},
        payment::SponsoredPayment,
        preflight::{self, Facts, Hold, SponsorFunds},
        rules::Case,
    },
};
use ccd402_protocol::{presented::Presented, sponsored::SignedTransaction};
use ccd402_simchain::{Funds, Handle, IdentitySpec};
use chrono::{DateTime, Utc};
use concordium_rust_sdk::base::{
    base::Nonce,
    common::{cbor::cbor_encode, types::TransactionTime},
    contracts_common::Amount as SdkAmount,
    protocol_level_tokens::{CborMemo, TokenAmount, TokenOperations, operations},
    transactions::{
        ExactSizeTransactionSigner, Memo, Payload,
        construct::{self, PreAccountTransaction},
    },
};
use serde_json::{Value, json};

use crate::support::*;

/// Seconds that a payment may take.
const TIMEOUT_S: i64 = 60;

/// A chain and the three accounts.
pub(crate) struct Stage {
    pub(crate) chain: Handle,
    pub(crate) port: Concordium,
    pub(crate) sponsor: Sponsor,
    payer: WalletFile,
    payee: AccountAddress,
    now: DateTime<Utc>,
}

/// A payment to sign, and the offer that it pays.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    pub(crate) asset: Asset,
    pub(crate) units: u64,
    pub(crate) to: AccountAddress,
    pub(crate) decimals: u8,
    pub(crate) memo: bool,
    /// By how much its number is ahead of the account's.
    pub(crate) ahead: u64,
}

/// What the three hold: payer and payee of the asset, the sponsor of CCD.
pub(crate) struct Balances {
    pub(crate) payer: u64,
    pub(crate) payee: u64,
    pub(crate) sponsor: u64,
}

impl Stage {
    /// A payer with 100 CCD, 50 EURR and one key.
    pub(crate) async fn new() -> Self {
        Self::of(IdentitySpec::default()).await
    }

    /// A payer with these keys, as rich.
    pub(crate) async fn of(person: IdentitySpec) -> Self {
        let chain = chain().await;
        let rich = Funds::ccd(100).token("EURR", 50_000_000);
        let payer = chain.issue(person, rich).await.unwrap();
        let payee = chain.issue(IdentitySpec::default(), Funds::ccd(0)).await.unwrap();
        let sponsor = chain.issue(IdentitySpec::default(), Funds::ccd(50)).await.unwrap();
        let port = port(&chain).await;
        let sponsor = Sponsor::open(&sponsor, port.nodes().network()).unwrap();
        let payee = codec::address(&payee.address);
        Self { chain, port, sponsor, payer, payee, now: Utc::now() }
    }

    pub(crate) fn payer(&self) -> AccountAddress {
        codec::address(&self.payer.address)
    }

    pub(crate) fn payee(&self) -> AccountAddress {
        self.payee
    }

    /// 1.5 of an asset to the payee.
    pub(crate) fn order(&self, asset: &str, memo: bool) -> Order {
        let asset = asset.parse().unwrap();
        Order { asset, units: 1_500_000, to: self.payee, decimals: 6, memo, ahead: 0 }
    }

    pub(crate) async fn account(&self, address: &AccountAddress) -> Account {
        self.port.account(address).await.unwrap().unwrap()
    }

    pub(crate) async fn sponsor_account(&self) -> Account {
        self.account(&self.sponsor.described().address).await
    }

    pub(crate) async fn balances(&self, order: &Order) -> Balances {
        let sponsor = self.sponsor_account().await.state.available.units();
        let payer = self.account(&self.payer()).await.state.balance(&order.asset).units();
        let payee = self.account(&self.payee).await.state.balance(&order.asset).units();
        Balances { payer, payee, sponsor }
    }

    /// What the payer signs, in the SDK's JSON.
    pub(crate) async fn signed(&self, order: &Order) -> Value {
        let number = self.account(&self.payer()).await.state.next_sequence_number;
        let nonce = Nonce { nonce: number + order.ahead };
        let transaction = self.built(order, nonce);
        self.signed_by(&self.payer, transaction)
    }

    /// The same, signed with the keys of a wallet.
    pub(crate) fn signed_by(&self, wallet: &WalletFile, built: PreAccountTransaction) -> Value {
        let sponsor = self.sponsor.described().address;
        let mut extended = built.extend();
        extended.add_sponsor(codec::sdk_address(&sponsor), 1).unwrap();
        extended.sign(wallet.account_keys.as_ref());
        let signature = extended.sender_signature.clone().unwrap();
        let sender: BTreeMap<_, BTreeMap<_, _>> = signature
            .signatures
            .into_iter()
            .map(|(credential, keys)| {
                let keys = keys.into_iter().map(|(key, by)| (key.0, hex::encode(by.sig)));
                (credential.index, keys.collect())
            })
            .collect();
        let (payload, execution) = wire(&extended.payload);
        json!({
            "version": 1,
            "signatures": { "sender": sender },
            "header": {
                "sender": self.payer.address.to_string(),
                "nonce": extended.header.nonce.nonce,
                "expiry": extended.header.expiry.seconds,
                "executionEnergyAmount": execution,
                "numSignatures": self.payer.account_keys.num_keys(),
                "sponsor": { "account": sponsor.to_string(), "numSignatures": 1 },
            },
            "payload": payload,
        })
    }

    /// The transaction before anybody has signed it.
    pub(crate) fn built(&self, order: &Order, nonce: Nonce) -> PreAccountTransaction {
        let (sender, signatures) = (self.payer.address, self.payer.account_keys.num_keys());
        let seconds = (self.now.timestamp() + TIMEOUT_S).unsigned_abs();
        let expiry = TransactionTime::from_seconds(seconds);
        let to = codec::sdk_address(&order.to);
        let memo = || Memo::try_from(vec![0x42, 1, 2]).unwrap();
        match &order.asset {
            Asset::Ccd if order.memo => {
                let amount = SdkAmount::from_micro_ccd(order.units);
                construct::transfer_with_memo(signatures, sender, nonce, expiry, to, amount, memo())
            }
            Asset::Ccd => {
                let amount = SdkAmount::from_micro_ccd(order.units);
                construct::transfer(signatures, sender, nonce, expiry, to, amount)
            }
            Asset::Token(id) => {
                let amount = TokenAmount::from_raw(order.units, order.decimals);
                let operation = if order.memo {
                    operations::transfer_tokens_with_memo(to, amount, CborMemo::Raw(memo()))
                } else {
                    operations::transfer_tokens(to, amount)
                };
                let operations = TokenOperations::from_iter([operation]);
                construct::token_update_operations(
                    signatures,
                    sender,
                    nonce,
                    expiry,
                    id.parse().unwrap(),
                    operations,
                )
                .unwrap()
            }
        }
    }

    /// Two transfers in one transaction, signed by the payer.
    pub(crate) async fn signed_twice(&self, order: &Order) -> Value {
        let Asset::Token(id) = &order.asset else { panic!("only tokens can be sent twice") };
        let number = self.account(&self.payer()).await.state.next_sequence_number;
        let amount = TokenAmount::from_raw(order.units, order.decimals);
        let transfer = operations::transfer_tokens(codec::sdk_address(&order.to), amount);
        let seconds = (self.now.timestamp() + TIMEOUT_S).unsigned_abs();
        let built = construct::token_update_operations(
            self.payer.account_keys.num_keys(),
            self.payer.address,
            Nonce { nonce: number },
            TransactionTime::from_seconds(seconds),
            id.parse().unwrap(),
            TokenOperations::from_iter([transfer.clone(), transfer]),
        );
        self.signed_by(&self.payer, built.unwrap())
    }

    /// What the facilitator decides about a transaction that is handed in for an order.
    pub(crate) async fn decide(
        &self,
        order: &Order,
        signed: &Value,
    ) -> Result<SponsoredPayment, Rejection> {
        let body = self.body(order, signed);
        let Presented::Sponsored(presented) =
            Presented::decode(body.to_string().as_bytes()).unwrap()
        else {
            panic!("not sponsored: {body}");
        };
        let policy = self.policy();
        let offer = Offer::read(&presented, &policy.network)?;
        let signable = Signable::read(&presented.payload?)?;
        let transaction = signable.transaction();
        let case = Case { offer: &offer, transaction, policy: &policy, now: self.now };
        case.check_words()?;
        let sender = self.port.account(&transaction.sender).await.unwrap();
        case.decide(signable.signature(sender.as_ref()))
    }

    /// The request of a resource server whose offer the order pays.
    fn body(&self, order: &Order, signed: &Value) -> Value {
        let offer = json!({
            "scheme": "exact", "network": self.port.nodes().network(), "asset": order.asset,
            "amount": order.units.to_string(), "payTo": order.to, "maxTimeoutSeconds": TIMEOUT_S,
            "extra": { "feePayer": self.sponsor.described().address },
        });
        json!({
            "x402Version": 2,
            "paymentRequirements": offer,
            "paymentPayload": {
                "x402Version": 2, "accepted": offer,
                "payload": { "signedTransaction": signed },
            },
        })
    }

    fn policy(&self) -> Policy {
        Policy {
            network: self.port.nodes().network().clone(),
            sponsors: vec![self.sponsor.described()],
            bounds: Bounds::default(),
        }
    }

    /// Whether the chain would carry it out.
    pub(crate) async fn preflight(
        &self,
        payment: &SponsoredPayment,
        holds: &[Hold],
    ) -> Result<(), Rejection> {
        let payer = self.account(&payment.payer).await;
        let recipient = self.port.account(&payment.pay_to).await.unwrap();
        let token = match &payment.asset {
            Asset::Ccd => None,
            Asset::Token(id) => self.port.token(id).await.unwrap(),
        };
        let available = self.sponsor_account().await.state.available;
        let promised = Amount::from_units(0);
        let facts = Facts {
            payer: &payer.state,
            recipient: recipient.as_ref().map(|account| &*account.state),
            token: token.as_ref(),
            sponsor: SponsorFunds { available, promised },
            fee_max: self.port.fee(payment.energy).await.unwrap(),
        };
        preflight::check(payment, holds, &facts)
    }

    /// What the sponsor makes of it.
    pub(crate) async fn sponsored(&self, signed: &Value) -> Signed {
        let sender = self.account(&self.payer()).await;
        self.sponsor.sign(&signable(signed), &sender).unwrap()
    }
}

/// The transaction in the SDK's JSON, read.
pub(crate) fn signable(signed: &Value) -> Signable {
    Signable::read(&read(signed)).unwrap()
}

/// The transaction in the SDK's JSON, as it comes over the wire.
pub(crate) fn read(signed: &Value) -> SignedTransaction {
    SignedTransaction::decode(&json!({ "signedTransaction": signed })).unwrap()
}

/// A payload as the SDK writes it, and the energy of executing it.
fn wire(payload: &Payload) -> (Value, u64) {
    match payload {
        Payload::Transfer { to_address, amount } => {
            let (to, amount) = (to_address.to_string(), amount.micro_ccd.to_string());
            (json!({ "type": "transfer", "toAddress": to, "amount": amount }), 300)
        }
        Payload::TransferWithMemo { to_address, memo, amount } => {
            let (to, amount) = (to_address.to_string(), amount.micro_ccd.to_string());
            let memo = format!("{:04x}{}", memo.as_ref().len(), hex::encode(memo.as_ref()));
            let kind = "transferWithMemo";
            (json!({ "type": kind, "toAddress": to, "memo": memo, "amount": amount }), 300)
        }
        Payload::TokenUpdate { payload } => {
            let operations = payload.decode_operations().unwrap();
            let energy = 300 + 100 * operations.operations.len() as u64;
            let cbor = hex::encode(cbor_encode(&operations).unwrap());
            let id = payload.token_id.as_ref();
            (json!({ "type": "tokenUpdate", "tokenId": id, "operations": cbor }), energy)
        }
        other => panic!("{other:?}"),
    }
}
