//! Sample events, numbered: equal numbers make equal values. Plausible, but no valid payments.

use std::sync::Arc;

use ccd402_domain::account::AccountAddress;
use ccd402_domain::amount::Amount;
use ccd402_domain::asset::Asset;
use ccd402_domain::binding::Resource;
use ccd402_domain::challenge::Window;
use ccd402_domain::event::Event;
use ccd402_domain::follower::BlockFollowed;
use ccd402_domain::ids::{BlockHash, Digest, TransactionHash, VerificationId};
use ccd402_domain::payment::{ConsumeOn, Payment};
use ccd402_domain::rejection::Rejection;
use ccd402_domain::tenant::TenantId;
use ccd402_domain::transaction::BlockRef;
use ccd402_domain::verification::event::{
    BindingVerified, VerificationConfirmed, VerificationFailed, VerificationRequested,
};
use ccd402_protocol::code::ReasonCode;
use ccd402_protocol::network::NetworkId;
use ccd402_protocol::payload::BindingKind;
use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use crate::ports::log::{Append, StreamId};

/// The network of all samples.
#[must_use]
pub fn network() -> NetworkId {
    NetworkId::of_genesis(&[0x42; 32])
}

/// Another network.
#[must_use]
pub fn other_network() -> NetworkId {
    NetworkId::of_genesis(&[0x24; 32])
}

/// When all samples happen: a time with microseconds, which an adapter must not lose.
#[must_use]
pub fn time() -> DateTime<Utc> {
    DateTime::from_timestamp(1_795_341_600, 123_456_000).expect("it lies in the year 2026")
}

/// A verification by its number.
#[must_use]
pub fn verification(number: u64) -> VerificationId {
    VerificationId(Uuid::from_u128(0x7000_0000_0000_0000_0000 + u128::from(number)))
}

/// A transaction by its number; byte order is the order of numbers.
#[must_use]
pub fn transaction(number: u64) -> TransactionHash {
    TransactionHash::from_bytes(bytes(number))
}

/// A cause by its number.
#[must_use]
pub fn cause(number: u64) -> Uuid {
    Uuid::from_u128(u128::from(number))
}

/// A block by its height.
#[must_use]
pub fn block(height: u64) -> BlockRef {
    BlockRef { height, hash: BlockHash::from_bytes(bytes(height)), time: time() }
}

/// A payment by a transaction.
#[must_use]
pub fn payment(number: u64) -> Payment {
    let method = "GET".to_owned();
    let url = format!("https://example.com/reports/{number}");
    Payment {
        network: network(),
        transaction: transaction(number),
        payer: AccountAddress::from_bytes(bytes(number)),
        pay_to: AccountAddress::from_bytes([7; 32]),
        asset: Asset::Ccd,
        amount: Amount::from_units(1_000_000 + number),
        resource: Resource { method, url },
        digest: Digest::from_bytes(bytes(number)),
        binding: BindingKind::Memo,
        window: Window { opens_at: time(), closes_at: time() + TimeDelta::seconds(60) },
        identity: None,
        consume_on: ConsumeOn::Settle,
        sponsored: None,
    }
}

/// A verification that is asked for by a transaction.
#[must_use]
pub fn requested(number: u64, by_transaction: u64) -> Event {
    Event::from(VerificationRequested {
        verification: verification(number),
        tenant: TenantId::default(),
        payment: Arc::new(payment(by_transaction)),
        body: Digest::from_bytes(bytes(number)),
        requested_at: time(),
        listing: None,
    })
}

/// The same, of another tenant's.
#[must_use]
pub fn requested_of(tenant: &TenantId, number: u64, by_transaction: u64) -> Event {
    match requested(number, by_transaction) {
        Event::VerificationRequested(e) => {
            Event::from(VerificationRequested { tenant: tenant.clone(), ..e })
        }
        other => other,
    }
}

/// The account's signatures hold: an event that ends nothing.
#[must_use]
pub fn binding_verified(number: u64) -> Event {
    Event::from(BindingVerified { digest: Digest::from_bytes(bytes(number)) })
}

/// A verification that a transaction confirms.
#[must_use]
pub fn confirmed(number: u64, by_transaction: u64) -> Event {
    Event::from(VerificationConfirmed {
        verification: verification(number),
        network: network(),
        transaction: transaction(by_transaction),
        block: block(1),
    })
}

/// A verification that fails.
#[must_use]
pub fn failed(number: u64, by_transaction: u64) -> Event {
    failed_because(number, by_transaction, "it is bound to another request")
}

/// A verification that fails, in so many words.
#[must_use]
pub fn failed_because(number: u64, by_transaction: u64, detail: &str) -> Event {
    Event::from(VerificationFailed {
        verification: verification(number),
        network: network(),
        transaction: transaction(by_transaction),
        // Not `Rejection::new`: that bounds its detail, and some samples are too large on purpose.
        rejection: Rejection { code: ReasonCode::PaymentNotBound, detail: detail.to_owned() },
    })
}

/// A block that was followed.
#[must_use]
pub fn followed(height: u64) -> Event {
    Event::from(BlockFollowed { network: network(), block: block(height) })
}

/// Events for a verification's stream that holds so many already, for the cause of that version.
#[must_use]
pub fn append(number: u64, expected_version: u64, events: Vec<Event>) -> Append {
    append_to(StreamId::verification(verification(number)), expected_version, events)
}

/// Events for any stream.
#[must_use]
pub fn append_to(stream: StreamId, expected_version: u64, events: Vec<Event>) -> Append {
    Append {
        stream,
        expected_version,
        events,
        time: time(),
        cause: cause(expected_version),
        attachment: None,
    }
}

fn bytes(number: u64) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    bytes
}
