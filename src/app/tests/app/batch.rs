//! Batches: an answer for each item, repeats recognised item by item, nothing in parts.

use ccd402_app::batch::{BATCH_ITEMS_MAX, Item};
use ccd402_app::contract::payments::{Handed, policy};
use ccd402_app::error::Error;
use ccd402_app::facilitator::Options;
use ccd402_app::idempotency::IdempotencyKey;
use ccd402_domain::tenant::TenantId;
use ccd402_protocol::code::ReasonCode;
use chrono::TimeDelta;
use std::time::Duration;

use crate::support::Bench;

fn key(text: &str) -> IdempotencyKey {
    text.parse().unwrap()
}

fn bodies(numbers: &[u16]) -> Vec<Vec<u8>> {
    numbers.iter().map(|number| Handed::by(*number).body()).collect()
}

async fn submit(bench: &Bench, items: &[Vec<u8>], key: Option<&IdempotencyKey>) -> Vec<Item> {
    let items: Vec<_> = items.iter().map(Vec::as_slice).collect();
    bench.facilitator.submit_batch(&TenantId::default(), &items, key).await.unwrap()
}

fn head(bench: &Bench) -> u64 {
    *bench.facilitator.log().head().borrow()
}

#[tokio::test(start_paused = true)]
async fn a_bad_item_is_refused_alone() {
    let bench = Bench::new().await;
    let before = head(&bench);
    let mut items = bodies(&[1, 2, 3]);
    items[1] = b"{\"x402Version\": 1".to_vec();
    items.push(b"{\"x402Version\":9,\"paymentPayload\":{},\"paymentRequirements\":{}}".to_vec());
    let answers = submit(&bench, &items, None).await;
    let codes: Vec<_> = answers
        .iter()
        .map(|item| match item {
            Item::Refused(rejection) => Some(rejection.code),
            _ => None,
        })
        .collect();
    let (malformed, version) = (ReasonCode::MalformedRequest, ReasonCode::InvalidX402Version);
    assert_eq!(codes, [None, Some(malformed), None, Some(version)]);
    assert_eq!(head(&bench), before + 2, "the good ones are in the log");
    let Item::Accepted(id) = answers[2] else { panic!("it is new: {answers:?}") };
    bench.finalize(&[&Handed::by(3)]).await;
    assert_eq!(bench.outcome(id).await, Some(Ok(())));
}

#[tokio::test(start_paused = true)]
async fn under_a_key_repeats_are_recognised_in_any_order_and_mixture() {
    let bench = Bench::new().await;
    let first = submit(&bench, &bodies(&[1, 2, 2]), Some(&key("night"))).await;
    let [Item::Accepted(one), Item::Accepted(two), Item::Repeated(again)] = first[..] else {
        panic!("{first:?}");
    };
    assert_eq!(two, again);
    bench.clock.advance(TimeDelta::seconds(1));
    let second = submit(&bench, &bodies(&[3, 2, 1]), Some(&key("night"))).await;
    let [Item::Accepted(_), Item::Repeated(b), Item::Repeated(a)] = second[..] else {
        panic!("{second:?}");
    };
    assert_eq!((a, b), (one, two));
    bench.clock.advance(TimeDelta::days(3));
    let late = submit(&bench, &bodies(&[1]), Some(&key("night"))).await;
    assert_eq!(late, [Item::Repeated(one)], "too late to be handed in, not to repeat");
    let other = submit(&bench, &bodies(&[1]), Some(&key("day"))).await;
    assert!(matches!(&other[..], [Item::Refused(_)]), "another key knows nothing: {other:?}");
}

#[tokio::test(start_paused = true)]
async fn the_same_batch_twice_at_once_is_taken_in_once() {
    let bench = Bench::new().await;
    let before = head(&bench);
    // So many that each gives way to the other before it appends.
    let (items, key) = (bodies(&(1..=40).collect::<Vec<_>>()), key("twice"));
    let both = futures::future::join(
        submit(&bench, &items, Some(&key)),
        submit(&bench, &items[1..], Some(&key)),
    );
    let (first, second) = both.await;
    assert_eq!(head(&bench), before + 40);
    let id = |item: &Item| match item {
        Item::Accepted(id) | Item::Repeated(id) => *id,
        Item::Refused(rejection) => panic!("{rejection:?}"),
    };
    let ids = |items: &[Item]| items.iter().map(id).collect::<Vec<_>>();
    assert_eq!(ids(&first)[1..], ids(&second));
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_finds_no_room_leaves_nothing_behind() {
    let bench = Bench::without_blocks(Options {
        policy: policy(),
        reservation: TimeDelta::seconds(60),
        wait_max: Duration::from_secs(80),
        waiting_max: 2,
        waiting_max_per_tenant: 2,
    });
    submit(&bench, &bodies(&[1]), Some(&key("k"))).await;
    let three = bodies(&[1, 2, 3]);
    let items: Vec<_> = three.iter().map(Vec::as_slice).collect();
    let full = bench.facilitator.submit_batch(&TenantId::default(), &items, Some(&key("k"))).await;
    assert!(matches!(full, Err(Error::Overloaded)));
    assert_eq!(head(&bench), 1);
    let fits = submit(&bench, &bodies(&[1, 2]), Some(&key("k"))).await;
    assert!(matches!(fits[..], [Item::Repeated(_), Item::Accepted(_)]), "{fits:?}");
    let too_many = vec![&three[0][..]; BATCH_ITEMS_MAX + 1];
    let too_many = bench.facilitator.submit_batch(&TenantId::default(), &too_many, None).await;
    assert!(matches!(too_many, Err(Error::Malformed(_))));
}
