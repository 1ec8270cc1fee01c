//! Who waits, counted for each tenant.

use std::sync::Arc;

use ccd402_domain::tenant::TenantId;
use futures::future::join_all;

use super::{Log, put};
use crate::contract::sample::{append, confirmed, failed, requested, requested_of};

/// Each tenant's count is its own, moves as waits begin and end, and never for what was refused.
pub async fn waiting_is_counted_for_each_tenant(log: Log) {
    let (shop, other) = (tenant("shop"), tenant("other"));
    let counts = || [&TenantId::default(), &shop, &other].map(|tenant| log.waiting_of(tenant));
    assert_eq!(counts(), [0, 0, 0]);
    put(&log, append(1, 0, vec![requested(1, 5)])).await;
    for number in 2..=4 {
        put(&log, append(number, 0, vec![requested_of(&shop, number, 5)])).await;
    }
    put(&log, append(5, 0, vec![requested_of(&other, 5, 5)])).await;
    assert_eq!(counts(), [1, 3, 1]);
    put(&log, append(2, 1, vec![confirmed(2, 5)])).await;
    put(&log, append(5, 1, vec![failed(5, 5)])).await;
    assert_eq!((counts(), log.waiting_count()), ([1, 2, 0], 3));

    let begins = append(6, 0, vec![requested_of(&other, 6, 6)]);
    let ends = append(3, 1, vec![failed(3, 5)]);
    let conflict = append(4, 7, vec![failed(4, 5)]);
    let refused = log.append(vec![begins.clone(), ends.clone(), conflict]).await;
    refused.expect_err("stream 4 is at version 1");
    assert_eq!(counts(), [1, 2, 0]);
    for _ in 0..2 {
        log.append(vec![begins.clone(), ends.clone()]).await.expect("it is in order");
        assert_eq!(counts(), [1, 1, 1], "the same again counts once");
    }
    put(&log, append(7, 0, vec![requested_of(&shop, 7, 7), failed(7, 7)])).await;
    assert_eq!(counts(), [1, 1, 1], "what begins and ends at once");

    let many = (100..300).map(|number| {
        let (log, tenant) = (Arc::clone(&log), if number % 2 == 0 { &shop } else { &other });
        let asked = append(number, 0, vec![requested_of(tenant, number, 9)]);
        async move { put(&log, asked).await }
    });
    join_all(many).await;
    assert_eq!((counts(), log.waiting_count()), ([1, 101, 101], 203));
}

fn tenant(name: &str) -> TenantId {
    name.parse().expect("it is a tenant's name")
}
