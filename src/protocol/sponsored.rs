//! The payload of a sponsored payment: a version 1 transaction that its sender has signed and its
//! sponsor has not, in the JSON of Concordium's SDKs.
//!
//! Every spelling that is in use is read, and the SDK's is written. No address, CBOR or signature
//! is checked here.

use std::fmt;

use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

use crate::code::ReasonCode;
use crate::payload::AccountSignatures;
use crate::presented::{Refused, without_values};

/// The only version of transactions that can have a sponsor.
const VERSION: u64 = 1;

/// `payload.signedTransaction`: what the sender signed, and its signatures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedTransaction {
    #[serde(deserialize_with = "only_version")]
    version: u64,
    /// The sender's; the sponsor's come later.
    pub signatures: Signatures,
    /// Who, when, for how much energy, at whose cost.
    pub header: Header,
    /// What it does.
    pub payload: TransactionPayload,
}

/// Signatures of a transaction that its sponsor has not signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "WireSignatures")]
pub struct Signatures {
    /// By credential and key.
    pub sender: AccountSignatures,
}

/// The header. Wire energy is not in it: it follows from the payload and the signatures stated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Header {
    /// The account that pays the amount, Base58Check.
    pub sender: String,
    /// Its sequence number.
    #[serde(deserialize_with = "whole")]
    pub nonce: u64,
    /// Seconds since 1970 after which no block may include it.
    #[serde(deserialize_with = "whole")]
    pub expiry: u64,
    /// Energy of execution alone. The specification's examples leave it out; then it is what the
    /// kind of the payload costs.
    #[serde(default, deserialize_with = "some_whole", skip_serializing_if = "Option::is_none")]
    pub execution_energy_amount: Option<u64>,
    /// Signatures of the sender that energy is reserved for.
    #[serde(default = "one", deserialize_with = "whole")]
    pub num_signatures: u64,
    /// Who pays the fee.
    pub sponsor: Sponsor,
}

/// The account that pays the fee.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", try_from = "WireSponsor")]
pub struct Sponsor {
    /// Base58Check. SDKs call it `account`, the specification `address`; both are read.
    pub account: String,
    /// Signatures of the sponsor that energy is reserved for.
    pub num_signatures: u64,
}

/// What the transaction does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
#[serde(try_from = "WirePayload")]
pub enum TransactionPayload {
    /// Moves CCD.
    Transfer {
        /// Receiver, Base58Check.
        to_address: String,
        /// MicroCCD; decimal text on the wire.
        #[serde(serialize_with = "as_text")]
        amount: u64,
    },
    /// Moves CCD and says something.
    TransferWithMemo {
        /// Receiver, Base58Check.
        to_address: String,
        /// The memo in hex; SDKs put its length, two bytes, before it.
        memo: String,
        /// MicroCCD; decimal text on the wire.
        #[serde(serialize_with = "as_text")]
        amount: u64,
    },
    /// Does something with a protocol-level token.
    TokenUpdate {
        /// The token's id, in any case.
        token_id: String,
        /// The operations: CBOR in hex.
        operations: String,
    },
}

impl SignedTransaction {
    /// A transaction as its sender hands it in.
    #[must_use]
    pub fn new(header: Header, payload: TransactionPayload, sender: AccountSignatures) -> Self {
        Self { version: VERSION, signatures: Signatures { sender }, header, payload }
    }

    /// Reads the payload of a sponsored payment. A `sender` beside the transaction is left unread:
    /// the header says who it is.
    ///
    /// # Errors
    /// `invalid_transaction_version` where it is of another version, else
    /// `invalid_transaction_format`.
    pub fn decode(payload: &Value) -> Result<Self, Refused> {
        let wrong = |detail: &str| Refused::new(ReasonCode::InvalidTransactionFormat, detail);
        let Some(transaction) = payload.get("signedTransaction") else {
            return Err(wrong("payload.signedTransaction is missing"));
        };
        match transaction.get("version").and_then(Value::as_u64) {
            None => return Err(wrong("signedTransaction.version is not a whole number")),
            Some(VERSION) => {}
            Some(_) => {
                let code = ReasonCode::InvalidTransactionVersion;
                return Err(Refused::new(code, code.title()));
            }
        }
        Self::deserialize(transaction).map_err(|error| wrong(&without_values(&error)))
    }
}

#[derive(Deserialize)]
struct WireSignatures {
    sender: AccountSignatures,
    #[serde(default)]
    sponsor: Option<AccountSignatures>,
}

impl TryFrom<WireSignatures> for Signatures {
    type Error = &'static str;

    fn try_from(wire: WireSignatures) -> Result<Self, Self::Error> {
        let by_sponsor = wire.sponsor.unwrap_or_default();
        if by_sponsor.values().any(|keys| !keys.is_empty()) {
            return Err("signatures.sponsor is not empty: the facilitator signs there");
        }
        Ok(Self { sender: wire.sender })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireSponsor {
    account: Option<String>,
    address: Option<String>,
    #[serde(deserialize_with = "whole")]
    num_signatures: u64,
}

impl TryFrom<WireSponsor> for Sponsor {
    type Error = &'static str;

    fn try_from(wire: WireSponsor) -> Result<Self, Self::Error> {
        let account = match (wire.account, wire.address) {
            (Some(account), Some(address)) if account != address => {
                return Err("header.sponsor names two accounts");
            }
            (Some(account), _) | (None, Some(account)) => account,
            (None, None) => return Err("header.sponsor.account is missing"),
        };
        Ok(Self { account, num_signatures: wire.num_signatures })
    }
}

/// Read by hand: numbers inside of serde's tagged enums are lost where JSON keeps their digits.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WirePayload {
    #[serde(rename = "type")]
    kind: String,
    to_address: Option<String>,
    #[serde(default, deserialize_with = "some_whole")]
    amount: Option<u64>,
    memo: Option<String>,
    token_id: Option<String>,
    operations: Option<String>,
}

impl TryFrom<WirePayload> for TransactionPayload {
    type Error = &'static str;

    fn try_from(wire: WirePayload) -> Result<Self, Self::Error> {
        let to_address = wire.to_address.ok_or("payload.toAddress is missing");
        let amount = wire.amount.ok_or("payload.amount is missing");
        match wire.kind.as_str() {
            "transfer" => Ok(Self::Transfer { to_address: to_address?, amount: amount? }),
            "transferWithMemo" => Ok(Self::TransferWithMemo {
                to_address: to_address?,
                memo: wire.memo.ok_or("payload.memo is missing")?,
                amount: amount?,
            }),
            "tokenUpdate" => Ok(Self::TokenUpdate {
                token_id: wire.token_id.ok_or("payload.tokenId is missing")?,
                operations: wire.operations.ok_or("payload.operations is missing")?,
            }),
            _ => Err("payload.type is none of transfer, transferWithMemo and tokenUpdate"),
        }
    }
}

fn one() -> u64 {
    1
}

fn only_version<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    match u64::deserialize(deserializer)? {
        VERSION => Ok(VERSION),
        _ => Err(de::Error::custom("the version is not 1")),
    }
}

fn as_text<S: Serializer>(units: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(units)
}

/// A whole number, or its decimal text: SDKs write numbers beyond 2^53 so.
fn whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    struct Whole;

    impl Visitor<'_> for Whole {
        type Value = u64;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a whole number")
        }

        fn visit_u64<E: de::Error>(self, number: u64) -> Result<u64, E> {
            Ok(number)
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<u64, E> {
            let is_plain = text.bytes().all(|b| b.is_ascii_digit());
            let number = if is_plain { text.parse().ok() } else { None };
            number.ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
        }
    }

    deserializer.deserialize_any(Whole)
}

fn some_whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    #[derive(Deserialize)]
    struct Whole(#[serde(deserialize_with = "whole")] u64);
    Ok(Option::<Whole>::deserialize(deserializer)?.map(|number| number.0))
}

#[cfg(test)]
mod tests;
