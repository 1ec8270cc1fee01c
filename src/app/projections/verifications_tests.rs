//! Rows are what the domain says of the same events, however the events are cut into batches.

use ccd402_domain::verification::event::{Consumer, PaymentConsumed};
use chrono::DateTime;
use uuid::Uuid;

use super::*;
use crate::ports::log::StreamId;

fn block() -> BlockRef {
    let hash = ccd402_domain::ids::BlockHash::from_bytes([8; 32]);
    BlockRef { height: 7, hash, time: DateTime::UNIX_EPOCH }
}

fn requested(id: VerificationId) -> Event {
    let network = NetworkId::of_genesis(&[1; 32]);
    let payment = serde_json::json!({
        "network": network, "transaction": TransactionHash::from_bytes([9; 32]),
        "payer": AccountAddress::from_bytes([1; 32]), "payTo": AccountAddress::from_bytes([2; 32]),
        "asset": "CCD", "amount": "5", "resource": { "method": "GET", "url": "https://a/" },
        "digest": ccd402_domain::ids::Digest::from_bytes([3; 32]), "binding": "memo",
        "window": { "opensAt": "2026-01-01T00:00:00Z", "closesAt": "2026-01-01T00:05:00Z" },
        "consumeOn": "verify",
    });
    Event::from(VerificationRequested {
        verification: id,
        tenant: TenantId::default(),
        payment: serde_json::from_value(payment).unwrap(),
        body: ccd402_domain::ids::Digest::from_bytes([4; 32]),
        requested_at: DateTime::UNIX_EPOCH,
        listing: None,
    })
}

fn history(id: VerificationId) -> Vec<Recorded> {
    let (network, transaction) =
        (NetworkId::of_genesis(&[1; 32]), TransactionHash::from_bytes([9; 32]));
    let events = [
        requested(id),
        Event::from(ccd402_domain::verification::event::TransferFinalized {
            transaction,
            block: block(),
        }),
        Event::from(ccd402_domain::verification::event::VerificationConfirmed {
            verification: id,
            network,
            transaction,
            block: block(),
        }),
        Event::from(PaymentConsumed { by: Consumer::Verify }),
    ];
    let recorded = |(at, event): (usize, Event)| Recorded {
        position: 10 + at as u64,
        id: Uuid::nil(),
        stream: StreamId::verification(id),
        version: 1 + at as u64,
        time: DateTime::UNIX_EPOCH,
        event,
    };
    events.into_iter().enumerate().map(recorded).collect()
}

#[test]
fn every_cut_into_batches_makes_the_same_row() {
    let id = VerificationId(Uuid::from_u128(1));
    let events = history(id);
    let whole = Changes::of(&events).unwrap();
    assert_eq!((whole.rows.len(), whole.patches.len()), (1, 0));
    let standing = &whole.rows[0].standing;
    assert_eq!((standing.version, standing.changed, standing.usage), (4, 13, Usage::Used));
    let at = DateTime::UNIX_EPOCH;
    assert_eq!(standing.outcome, Outcome::Confirmed { block: block(), at });
    for cut in 1..events.len() {
        let mut first = Changes::of(&events[..cut]).unwrap();
        let mut rest = Changes::of(&events[cut..]).unwrap();
        assert!(rest.rows.is_empty());
        assert!(first.rows[0].standing.apply(rest.patches.remove(&id).unwrap()), "cut at {cut}");
        assert_eq!(first.rows, whole.rows, "cut at {cut}");
    }
}

#[test]
fn an_event_that_is_missing_is_noticed() {
    let mut events = history(VerificationId(Uuid::from_u128(1)));
    events.remove(2);
    assert_eq!(Changes::of(&events), Err(OutOfOrder(13)));
    assert_eq!(Changes::of(&events[1..]), Err(OutOfOrder(13)));
}
