//! Only what is confirmed is listed, and terms are told apart.

use ccd402_domain::ids::{BlockHash, Digest, TransactionHash};
use ccd402_domain::rejection::Rejection;
use ccd402_domain::transaction::BlockRef;
use ccd402_domain::verification::event::{VerificationConfirmed, VerificationFailed};
use ccd402_protocol::code::ReasonCode;
use ccd402_protocol::version::X402Version;
use uuid::Uuid;

use super::*;
use crate::ports::log::StreamId;

fn id() -> VerificationId {
    VerificationId(Uuid::from_u128(1))
}

fn listing(description: &str) -> Listing {
    Listing {
        url: "https://a.example/x".into(),
        method: "GET".into(),
        description: Some(description.into()),
        mime_type: None,
        x402_version: X402Version::V2,
        max_timeout_seconds: 60,
    }
}

fn terms(units: u64) -> Terms {
    Terms {
        network: NetworkId::of_genesis(&[1; 32]),
        asset: Asset::Ccd,
        amount: Amount::from_units(units),
        pay_to: AccountAddress::from_bytes([2; 32]),
        fee_payer: None,
    }
}

fn candidate(units: u64) -> Candidate {
    let listing = listing(&units.to_string());
    Candidate { tenant: TenantId::default(), listing, terms: terms(units) }
}

fn recorded(position: u64, event: Event) -> Recorded {
    Recorded {
        position,
        id: Uuid::nil(),
        stream: StreamId::verification(id()),
        version: position,
        time: DateTime::UNIX_EPOCH,
        event,
    }
}

fn requested(listing: Option<Listing>) -> Event {
    let payment = serde_json::json!({
        "network": terms(5).network, "transaction": TransactionHash::from_bytes([9; 32]),
        "payer": AccountAddress::from_bytes([1; 32]), "payTo": terms(5).pay_to,
        "asset": "CCD", "amount": "5", "resource": { "method": "GET", "url": "https://a/" },
        "digest": Digest::from_bytes([3; 32]), "binding": "memo",
        "window": { "opensAt": "2026-01-01T00:00:00Z", "closesAt": "2026-01-01T00:05:00Z" },
        "consumeOn": "verify",
    });
    Event::from(VerificationRequested {
        verification: id(),
        tenant: TenantId::default(),
        payment: serde_json::from_value(payment).unwrap(),
        body: Digest::from_bytes([4; 32]),
        requested_at: DateTime::UNIX_EPOCH,
        listing: listing.map(std::sync::Arc::new),
    })
}

fn confirmed() -> Event {
    let hash = BlockHash::from_bytes([8; 32]);
    Event::from(VerificationConfirmed {
        verification: id(),
        network: terms(5).network,
        transaction: TransactionHash::from_bytes([9; 32]),
        block: BlockRef { height: 7, hash, time: DateTime::UNIX_EPOCH },
    })
}

fn failed() -> Event {
    Event::from(VerificationFailed {
        verification: id(),
        network: terms(5).network,
        transaction: TransactionHash::from_bytes([9; 32]),
        rejection: Rejection::of(ReasonCode::PaymentNotBound),
    })
}

#[test]
fn what_was_asked_for_waits_until_it_is_decided() {
    let asked = recorded(1, requested(Some(listing("5"))));
    let changes = Changes::of(std::slice::from_ref(&asked));
    assert_eq!((changes.decided.len(), &changes.waiting[&id()]), (0, &candidate(5)));
    let decided = |confirmed, candidate| Decided { verification: id(), candidate, confirmed };
    let at = Some((2, DateTime::UNIX_EPOCH));
    let together = Changes::of(&[asked.clone(), recorded(2, confirmed())]);
    assert_eq!(together.decided, [decided(at, Some(candidate(5)))]);
    assert!(together.waiting.is_empty());
    let alone = Changes::of(&[recorded(2, confirmed())]);
    assert_eq!(alone.decided, [decided(at, None)]);
    let refused = Changes::of(&[asked, recorded(2, failed())]);
    assert_eq!(refused.decided, [decided(None, Some(candidate(5)))]);
}

#[test]
fn what_nobody_wants_listed_lists_nothing() {
    let changes = Changes::of(&[recorded(1, requested(None)), recorded(2, confirmed())]);
    assert_eq!(changes.decided[0].candidate, None);
    assert!(changes.waiting.is_empty());
}

#[test]
fn terms_are_distinct_newest_first_and_bounded() {
    let mut listed = candidate(1).list(Vec::new(), (1, DateTime::UNIX_EPOCH));
    for units in 2..=TERMS_MAX as u64 + 2 {
        listed = candidate(units).list(listed.terms, (units, DateTime::UNIX_EPOCH));
    }
    let units = |resource: &Resource| -> Vec<_> {
        resource.terms.iter().map(|terms| terms.amount.units()).collect()
    };
    assert_eq!(units(&listed), (3..=TERMS_MAX as u64 + 2).rev().collect::<Vec<_>>());
    let again = candidate(5).list(listed.terms, (99, DateTime::UNIX_EPOCH));
    assert_eq!(units(&again)[..3], [5, 10, 9]);
    assert_eq!((again.terms.len(), again.updated), (TERMS_MAX, 99));
    assert_eq!(again.listing.description.as_deref(), Some("5"), "what was noted last counts");
}

#[test]
fn ways_of_paying_are_told_apart_but_not_who_pays_the_fee() {
    let at = (1, DateTime::UNIX_EPOCH);
    let by = |number| {
        let fee_payer = Some(AccountAddress::from_bytes([number; 32]));
        Candidate { terms: Terms { fee_payer, ..terms(5) }, ..candidate(5) }
    };
    let listed = by(8).list(by(7).list(vec![terms(5)], at).terms, at);
    assert_eq!(listed.terms, [by(8).terms, terms(5)]);
}
