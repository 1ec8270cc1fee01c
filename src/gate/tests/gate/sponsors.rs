//! Who pays the fees: asked of the facilitator, remembered, or said.

use axum::Router;
use axum::routing::get as on_get;
use ccd402_domain::account::AccountAddress;
use ccd402_domain::preset::Preset;
use ccd402_gate::routes::{Route, Routes};
use ccd402_gate::ways::Way;

use crate::kit::facilitator::{Scripted, Step};
use crate::kit::sponsored::{
    is_sponsored, offers, pay_sponsored, sponsor, sponsored_offer, sponsoring,
};
use crate::kit::{BOTH, code, get, layered, options, pay, route};

fn app() -> Router {
    Router::new().fallback(on_get(|| async { "content" }))
}

#[tokio::test]
async fn the_facilitator_is_asked_once_for_many_offers() {
    let facilitator = sponsoring();
    let gate = layered(options(&facilitator, "1 CCD"), app()).await;
    assert_eq!(facilitator.with(|state| state.asked_for_support), 0, "only where it is needed");
    for _ in 0..3 {
        let offer = sponsored_offer(gate, "/report").await;
        assert_eq!(offer["extra"]["feePayer"], sponsor());
    }
    assert_eq!(facilitator.with(|state| state.asked_for_support), 1);
}

#[tokio::test]
async fn without_an_answer_payments_by_hash_go_on() {
    for version in BOTH {
        let facilitator = sponsoring();
        facilitator.with(|state| state.silent = 1);
        let gate = layered(options(&facilitator, "1 CCD"), app()).await;
        let all = offers(&get(gate, "/report").await);
        assert!(all.len() == 1 && !is_sponsored(&all[0]), "{all:?}");
        assert_eq!(pay(version, gate, "/report", 1).await.status(), 200);
        assert_eq!(facilitator.with(|state| state.asked_for_support), 1, "it is left in peace");
    }
}

#[tokio::test]
async fn what_is_said_needs_no_answer() {
    let facilitator = Scripted::new();
    let mut options = options(&facilitator, "1 CCD");
    let said = AccountAddress::from_bytes([5; 32]);
    options.fee_payer = Some(said);
    let gate = layered(options, app()).await;
    let offer = sponsored_offer(gate, "/report").await;
    assert_eq!(offer["extra"]["feePayer"], said.to_string());
    assert_eq!(facilitator.with(|state| state.asked_for_support), 0);
}

#[tokio::test]
async fn routes_that_need_no_sponsor_ask_for_none() {
    let facilitator = sponsoring();
    let mut options = options(&facilitator, "1 CCD");
    let adults = Preset { min_age: Some(18), ..Preset::default() };
    options.routes = Routes::new(vec![
        Route { identity: adults, ..route("/report", "1 CCD") },
        Route { ways: vec![Way::Hash], ..route("/articles/*", "1 CCD") },
    ])
    .unwrap();
    let gate = layered(options, app()).await;
    for path in ["/report", "/articles/1"] {
        assert_eq!(offers(&get(gate, path).await).len(), 1, "{path}");
    }
    assert_eq!(facilitator.with(|state| state.asked_for_support), 0);
}

#[tokio::test]
async fn a_route_that_nobody_sponsors_has_nothing_to_offer_and_gives_nothing() {
    let facilitator = Scripted::new();
    let mut options = options(&facilitator, "1 CCD");
    let only = Route { ways: vec![Way::Sponsored], ..route("/report", "1 CCD") };
    options.routes = Routes::new(vec![only]).unwrap();
    let gate = layered(options, app()).await;
    let answer = get(gate, "/report").await;
    assert_eq!(answer.status(), 502);
    assert_eq!(code(answer).await, "facilitator_unavailable");
}

#[tokio::test]
async fn a_sponsor_that_is_none_any_more_is_offered_until_it_is_asked_about() {
    let facilitator = sponsoring();
    let gate = layered(options(&facilitator, "1 CCD"), app()).await;
    facilitator.next_verify(Step::Refuse("fee_payer_not_managed_by_facilitator"));
    let answer = pay_sponsored(gate, "/report", 1).await;
    assert_eq!(code(answer).await, "fee_payer_not_managed_by_facilitator");
}

#[test]
fn routes_that_cannot_be_paid_are_refused() {
    let adults = Preset { min_age: Some(18), ..Preset::default() };
    let rows = [
        (Route { ways: vec![], ..route("/a", "1 CCD") }, "no way of paying"),
        (
            Route { ways: vec![Way::Sponsored], identity: adults, ..route("/a", "1 CCD") },
            "no identity proof",
        ),
        (Route { price: Vec::new().into(), ..route("/a", "1 CCD") }, "0 prices"),
    ];
    for (route, said) in rows {
        let error = Routes::new(vec![route]).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
}
