//! The part of the read model's contract about what is listed for strangers.

use std::sync::Arc;

use ccd402_domain::event::Event;
use ccd402_domain::listing::Listing;
use ccd402_domain::tenant::TenantId;
use ccd402_protocol::version::X402Version;

use super::{Model, apply, begin, changed, of};
use crate::contract::sample::{confirmed, failed, payment, requested, time};
use crate::ports::log::Recorded;
use crate::ports::read_model::{Comparison, ReadModelError, Shelf};
use crate::projections::resources::{LISTED_MAX, Resource};

/// Only what was paid for, confirmed, and meant to be found; newest first, in parts.
pub async fn what_is_confirmed_is_listed(model: Model) {
    assert_eq!(model.resources(0, 10).await, Err(ReadModelError::Building));
    begin(&model).await;
    let shop: TenantId = "shop".parse().expect("it is a name");
    let events = [
        of(1, 1, 1, selling(1, "/a")),
        of(2, 2, 1, selling(2, "/b")),
        of(3, 3, 1, requested(3, 3)),
        of(4, 1, 2, confirmed(1, 1)),
        of(5, 2, 2, failed(2, 2)),
        of(6, 3, 2, confirmed(3, 3)),
        of(7, 4, 1, selling(4, "/c")),
        of(8, 5, 1, selling_by(&shop, 5, "/a")),
        of(9, 5, 2, confirmed(5, 5)),
        of(10, 6, 1, selling(6, "/a")),
        of(11, 6, 2, confirmed(6, 6)),
    ];
    apply(&model, &events).await;
    let listed = shelf(&model, 0, 10).await;
    assert_eq!((listed.as_of, listed.total), (11, 2));
    let [own, other] = &listed.resources[..] else { panic!("{listed:?}") };
    assert_eq!((own.listing.url.as_str(), own.updated), ("https://shop.example/a", 11));
    assert_eq!((own.updated_at, &own.listing), (time(), &listing("/a")));
    assert_eq!(amounts(own), [1_000_006, 1_000_001], "its terms, newest first");
    assert_eq!(own.terms[0].pay_to, payment(6).pay_to);
    assert_eq!((&other.tenant, amounts(other)), (&shop, vec![1_000_005]));
    for (skip, max, expected) in [(0, 1, vec![11]), (1, 1, vec![9]), (2, 1, vec![])] {
        let part = shelf(&model, skip, max).await;
        let found: Vec<_> = part.resources.iter().map(|resource| resource.updated).collect();
        assert_eq!((found, part.total), (expected, 2));
    }
    apply(&model, &[of(12, 4, 2, confirmed(4, 4))]).await;
    assert_eq!(shelf(&model, 0, 10).await.resources[0].listing, listing("/c"));
}

/// However the events come together, the same is listed, also where it is full.
pub async fn the_oldest_leaves_a_full_list(model: Model) {
    let mut events = Vec::new();
    let mut position = 0;
    let mut sell = |number: u64, path: &str| {
        position += 2;
        events.push(of(position - 1, number, 1, selling(number, path)));
        events.push(of(position, number, 2, confirmed(number, number)));
    };
    let most = LISTED_MAX as u64;
    (1..=most).for_each(|number| sell(number, &format!("/{number}")));
    // Sold again, and so not the oldest any more; the next one is.
    sell(most + 1, "/1");
    sell(most + 2, "/new");
    // It comes back without what was known of it.
    sell(most + 3, "/2");
    begin(&model).await;
    apply(&model, &events).await;
    let together = all(&model).await;
    assert_eq!(together.len(), LISTED_MAX);
    let known = |path: &str| {
        let url = listing(path).url;
        together.iter().find(|resource| resource.listing.url == url).map(amounts)
    };
    assert_eq!(known("/1"), Some(vec![1_000_000 + most + 1, 1_000_001]));
    assert_eq!(known("/2"), Some(vec![1_000_000 + most + 3]));
    assert_eq!((known("/3"), known("/4").is_some()), (None, true));
    begin(&model).await;
    for batch in events.chunks(7) {
        apply(&model, batch).await;
    }
    assert_eq!(all(&model).await, together);
    let mut comparison = model.compare().await.expect("one can begin");
    comparison.apply(&events).await.expect("they follow");
    assert_eq!(comparison.hold().await, Ok(events.len() as u64));
    let compared = comparison.end().await.expect("both can be read");
    assert_eq!((compared.rows, compared.different), (2 * most + 3, 0));
}

/// A list that is not what the log makes is found by comparing.
pub async fn what_is_listed_is_compared(model: Model) {
    begin(&model).await;
    let lived = [of(1, 1, 1, selling(1, "/a")), of(2, 1, 2, confirmed(1, 1))];
    apply(&model, &lived).await;
    let mut replayed = lived.clone();
    replayed[0] = of(1, 1, 1, requested(1, 1));
    assert_eq!(different(&model, &replayed).await, 1, "something more is listed");
    replayed[0] = of(1, 1, 1, selling(1, "/b"));
    assert_eq!(different(&model, &replayed).await, 1, "something else is listed");
    assert_eq!(different(&model, &lived).await, 0);
}

async fn different(model: &Model, events: &[Recorded]) -> u64 {
    let mut comparison: Box<dyn Comparison> = model.compare().await.expect("one can begin");
    comparison.apply(events).await.expect("they follow");
    comparison.hold().await.expect("there are rows");
    comparison.end().await.expect("both can be read").different
}

async fn shelf(model: &Model, skip: u64, max: usize) -> Shelf {
    model.resources(skip, max).await.expect("it can be read")
}

async fn all(model: &Model) -> Vec<Resource> {
    let mut all = Vec::new();
    loop {
        let part = shelf(model, all.len() as u64, usize::MAX).await;
        if part.resources.is_empty() {
            return all;
        }
        all.extend(part.resources);
    }
}

fn amounts(resource: &Resource) -> Vec<u64> {
    resource.terms.iter().map(|terms| terms.amount.units()).collect()
}

fn listing(path: &str) -> Listing {
    Listing {
        url: format!("https://shop.example{path}"),
        method: "GET".to_owned(),
        description: Some("what is sold".to_owned()),
        mime_type: None,
        x402_version: X402Version::V2,
        max_timeout_seconds: 300,
    }
}

fn selling(number: u64, path: &str) -> Event {
    changed(number, |request| request.listing = Some(Arc::new(listing(path))))
}

fn selling_by(tenant: &TenantId, number: u64, path: &str) -> Event {
    changed(number, |request| {
        request.listing = Some(Arc::new(listing(path)));
        request.tenant = tenant.clone();
    })
}
