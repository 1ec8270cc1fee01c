//! Sponsored payments: handed in, written down before, numbered one after the other, and closed by
//! the chain's word alone.

use ccd402_domain::ids::TransactionHash;
use ccd402_domain::transaction::Outcome;
use ccd402_protocol::header;
use ccd402_protocol::version::X402Version;
use serde_json::Value;

use super::chain::Stop;
use super::server::{CONTENT, Scripted};
use super::ways::{any_asset, sponsored};
use super::*;
use crate::payer::options::Way;
use crate::payer::record::State;
use crate::payer::wallet::Numbered;

async fn start() -> World {
    let world = World::start().await;
    world.server.state().tweak = sponsored;
    world
}

impl World {
    /// A run that dies between writing its payment down and handing it in.
    async fn dies_with_the_payment_written(&self) {
        let mut options = self.options();
        options.observer = Some(Arc::new(|step| {
            assert!(!matches!(step, Step::Recorded { .. }), "the run dies here");
        }));
        let (payer, url) = (self.payer(options), self.server.url());
        let run = tokio::spawn(async move { payer.get(&url).await.map(drop) });
        assert!(run.await.unwrap_err().is_panic());
        assert!(self.server.state().presented.is_empty());
        assert_eq!(self.records().len(), 1);
    }

    fn headers(&self) -> Vec<String> {
        let presented = &self.server.state().presented;
        let mut headers: Vec<_> = presented.iter().map(|(_, value)| value.clone()).collect();
        headers.dedup();
        headers
    }

    /// The sequence numbers that were signed for.
    fn numbers(&self) -> Vec<u64> {
        self.chain.state().orders.iter().map(|(_, _, number)| *number).collect()
    }

    fn paid(&self) -> usize {
        self.chain.state().numbered.len()
    }

    fn brief(&self) -> Options {
        Options { timeout: Duration::from_millis(50), ..self.options() }
    }
}

#[tokio::test]
async fn either_version_hands_in_what_is_signed_and_sends_nothing() {
    for version in [X402Version::V1, X402Version::V2] {
        let world = start().await;
        world.server.state().versions = vec![version];
        let (answer, content) = world.run().await.unwrap();
        assert_eq!(content, CONTENT);
        let paid = answer.payment.unwrap();
        let hash = paid.record.transaction().unwrap();
        assert_eq!(paid.receipt.unwrap().transaction, hash.to_string());
        assert_eq!(world.records(), std::slice::from_ref(&paid.record));
        assert!(matches!(paid.record.state, State::Paid { .. }));
        {
            let state = world.chain.state();
            assert_eq!((state.sends, state.balances["CCD"]), (0, 98_500_000), "and no fee");
            let (_, order, _) = &state.orders[0];
            assert_eq!(order.expires_at, world.clock.now() + TimeDelta::seconds(295));
        }
        let payload: Value = header::decode(world.headers()[0].as_bytes()).unwrap();
        assert!(payload["payload"]["signedTransaction"]["signatures"]["sender"].is_object());
        let steps = world.steps();
        let Step::Quoted(quote) = &steps[0] else { panic!("{steps:?}") };
        assert_eq!((quote.fee.as_str(), quote.sponsor.is_some()), ("0", true));
        let payment = paid.record.id();
        assert_eq!(steps[1..], [Step::Recorded { payment }, Step::Accepted { status: 200 }]);
    }
}

#[tokio::test]
async fn a_run_that_dies_before_it_handed_the_payment_in_is_finished_with_the_same_one() {
    let world = start().await;
    world.dies_with_the_payment_written().await;
    let (_, content) = world.run().await.unwrap();
    assert_eq!((content.as_str(), world.paid()), (CONTENT, 1));
    assert_eq!((world.numbers(), world.headers().len()), (vec![1], 1));
    assert!(world.steps().iter().any(|step| matches!(step, Step::Resumed { .. })));
}

#[tokio::test]
async fn a_run_that_is_killed_before_writing_signs_the_same_number_anew() {
    let world = start().await;
    world.chain.state().stop = Some(Stop::AfterSigning);
    world.killed_at(&world.chain.stopped).await;
    assert!(world.records().is_empty());
    world.run().await.unwrap();
    assert_eq!((world.numbers(), world.paid()), (vec![1, 1], 1));
}

#[tokio::test]
async fn a_pending_settlement_is_presented_again_with_the_same_header() {
    let world = start().await;
    let codes = ["settlement_pending", "transaction_pending", "preflight_nonce_mismatch"];
    world.server.state().script.extend(codes.map(Scripted::Code));
    world.server.state().script.push_back(Scripted::Code("expiry_too_far_in_future"));
    world.run().await.unwrap();
    assert_eq!(world.server.state().presented.len(), 5);
    assert_eq!((world.headers().len(), world.paid()), (1, 1));
}

#[tokio::test]
async fn a_code_is_read_beside_words() {
    let world = start().await;
    let words = || {
        let settled = serde_json::json!({
            "success": false, "errorReason": "settlement_pending", "transaction": "", "network": "",
        });
        let settled = header::encode(&settled).unwrap();
        let response = axum::response::Response::builder().status(402);
        let body = r#"{"x402Version":1,"accepts":[],"error":"Settlement failed: try later"}"#;
        response.header(header::PAYMENT_RESPONSE, settled).body(body.into()).unwrap()
    };
    world.server.state().script.push_back(Scripted::Raw(Box::new(words)));
    world.run().await.unwrap();
    assert_eq!((world.headers().len(), world.paid()), (1, 1));
}

#[tokio::test]
async fn an_answer_that_was_lost_is_no_reason_to_pay_again() {
    for scripted in [Scripted::TakeAndHang, Scripted::TakeAndBreak] {
        let world = start().await;
        world.server.state().script.push_back(scripted);
        world.killed_at(&world.server.hangs).await;
        let error = world.run_with(world.brief()).await.unwrap_err();
        assert!(matches!(error, Error::Unfinished { .. }), "{error}");
        world.clock.advance(TimeDelta::seconds(80));
        let error = world.run().await.unwrap_err();
        assert!(matches!(error, Error::Spent { .. }), "{error}");
        assert_eq!((world.paid(), world.headers().len()), (1, 1));
        world.run().await.unwrap();
        assert_eq!((world.paid(), world.numbers()), (2, vec![1, 2]));
    }
}

#[tokio::test]
async fn what_expired_is_closed_when_that_is_certain_and_only_then_paid_anew() {
    let world = start().await;
    world.dies_with_the_payment_written().await;
    let first = world.records()[0].id();
    world.clock.advance(TimeDelta::seconds(310));
    let error = world.run_with(world.brief()).await.unwrap_err();
    assert!(matches!(error, Error::Unfinished { payment, .. } if payment == first), "{error}");
    assert_eq!(world.numbers(), [1]);
    world.clock.advance(TimeDelta::seconds(20));
    let (answer, _) = world.run().await.unwrap();
    assert_ne!(answer.payment.unwrap().record.id(), first);
    assert_eq!((world.numbers(), world.paid()), (vec![1, 1], 1));
}

#[tokio::test]
async fn a_number_is_signed_for_again_only_after_its_first_payment_is_closed() {
    let world = start().await;
    world.dies_with_the_payment_written().await;
    world.clock.advance(TimeDelta::seconds(330));
    let other = format!("{}&other=1", world.server.url());
    world.payer(world.options()).get(&other).await.unwrap().bytes(100).await.unwrap();
    assert_eq!(world.numbers(), [1, 1]);
    // The same sponsor, price and number: the first must not be taken for paid by the second.
    let (_, content) = world.run().await.unwrap();
    assert_eq!((content.as_str(), world.numbers()), (CONTENT, vec![1, 1, 2]));
    assert_eq!((world.paid(), world.headers().len()), (2, 2));
}

#[tokio::test]
async fn a_number_that_something_else_took_closes_the_payment() {
    let others = [Outcome::NotATransfer, Outcome::Rejected { reason: "too large".to_owned() }];
    for outcome in others {
        let world = start().await;
        world.dies_with_the_payment_written().await;
        let hash = TransactionHash::from_bytes([7; 32]);
        let other = Numbered { hash, sponsor: None, outcome };
        world.chain.state().numbered.insert(1, other);
        world.chain.state().next = 2;
        world.run().await.unwrap();
        assert_eq!((world.numbers(), world.paid()), (vec![1, 2], 2));
        let closed = world.records().into_iter().find(|it| it.sequence_number() == Some(1));
        let State::Failed { reason, .. } = closed.unwrap().state else {
            panic!("it is not closed")
        };
        assert!(reason.contains("another transaction"), "{reason}");
    }
}

#[tokio::test]
async fn what_the_chain_rejected_is_closed_with_its_reason() {
    let world = start().await;
    world.chain.state().rejection = Some("AmountTooLarge");
    let error = world.run().await.unwrap_err();
    assert!(matches!(error, Error::Closed { .. }), "{error}");
    assert!(error.to_string().contains("AmountTooLarge"), "{error}");
    world.chain.state().rejection = None;
    world.run().await.unwrap();
    assert_eq!(world.numbers(), [1, 2]);
}

#[tokio::test]
async fn a_server_that_says_used_is_not_believed_before_the_chain_says_so() {
    let world = start().await;
    world.server.state().script.push_back(Scripted::Code("duplicate_settlement"));
    let error = world.run().await.unwrap_err();
    assert_eq!(error.code(), "duplicate_settlement", "{error}");
    world.clock.advance(TimeDelta::seconds(80));
    let again = (0..3).map(|_| Scripted::Code("duplicate_settlement"));
    world.server.state().script.extend(again);
    let busy = || {
        let response = axum::response::Response::builder().status(503).header("retry-after", "250");
        response.body(axum::body::Body::empty()).unwrap()
    };
    world.server.state().script.push_back(Scripted::Raw(Box::new(busy)));
    let error = world.run().await.unwrap_err();
    assert!(matches!(error, Error::Unfinished { .. }), "{error}");
    assert!(world.records()[0].is_open());
    let options = Options { pay_again: true, ..world.options() };
    world.run_with(options).await.unwrap();
    assert_eq!((world.numbers(), world.paid(), world.headers().len()), (vec![1], 1, 1));
}

#[tokio::test]
async fn what_was_paid_and_refused_may_be_given_up() {
    let world = start().await;
    world.server.state().script.push_back(Scripted::TakeAndHang);
    world.killed_at(&world.server.hangs).await;
    world.server.state().script.push_back(Scripted::Code("recipient_mismatch"));
    assert_eq!(world.run().await.unwrap_err().code(), "recipient_mismatch");
    let options = Options { pay_again: true, ..world.options() };
    world.run_with(options).await.unwrap();
    assert_eq!((world.numbers(), world.paid()), (vec![1, 2], 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn payments_of_one_payer_fly_at_once_each_with_its_own_number() {
    const FLIGHTS: usize = 8;
    let world = start().await;
    world.server.state().orders_min = FLIGHTS;
    let payer = Arc::new(world.payer(world.options()));
    let runs = (0..FLIGHTS).map(|number| {
        let (payer, url) = (payer.clone(), format!("{}&number={number}", world.server.url()));
        tokio::spawn(async move { payer.get(&url).await?.bytes(100).await })
    });
    for run in futures::future::join_all(runs).await {
        assert_eq!(run.unwrap().unwrap(), CONTENT.as_bytes());
    }
    let expected: Vec<_> = (1..=FLIGHTS as u64).collect();
    assert_eq!((world.numbers(), world.paid()), (expected, FLIGHTS));
    assert!(world.records().iter().all(|record| !record.is_open()));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_resource_asked_for_twice_at_once_is_bought_twice() {
    let world = start().await;
    world.server.state().orders_min = 2;
    let (one, two) = tokio::join!(world.run(), world.run());
    assert_eq!((one.unwrap().1, two.unwrap().1), (CONTENT.to_owned(), CONTENT.to_owned()));
    assert_eq!((world.numbers(), world.paid()), (vec![1, 2], 2));
}

#[tokio::test]
async fn what_was_left_behind_is_decided_before_anything_is_signed_behind_it() {
    let world = start().await;
    world.dies_with_the_payment_written().await;
    let other = format!("{}&other=1", world.server.url());
    for way in [Way::Sponsored, Way::Hash] {
        world.server.state().tweak =
            if way == Way::Hash { |_| {} } else { sponsored as fn(&mut Value) };
        let options = Options { lock_timeout: Duration::ZERO, ..world.options() };
        let error = world.payer(options).get(&other).await.unwrap_err();
        assert!(matches!(error, Error::InTheWay { .. }), "{way:?}: {error}");
        assert_eq!(error.code(), "wallet_busy");
    }
    assert_eq!((world.numbers(), world.records().len()), (vec![1], 1));

    // It waits as long as it may, and lets whoever finishes the other one go first.
    world.server.state().tweak = sponsored;
    let payer = world.payer(world.options());
    let waiting = tokio::spawn(async move { payer.get(&other).await?.bytes(100).await });
    while !world.steps().iter().any(|step| matches!(step, Step::Waiting { .. })) {
        tokio::task::yield_now().await;
    }
    world.run().await.unwrap();
    waiting.await.unwrap().unwrap();
    assert_eq!((world.numbers(), world.paid()), (vec![1, 2], 2));
}

#[tokio::test]
async fn content_that_comes_before_the_settlement_does_not_free_its_number() {
    let world = start().await;
    let early = || axum::response::Response::new(CONTENT.into());
    world.server.state().script.push_back(Scripted::Raw(Box::new(early)));
    world.run().await.unwrap();
    assert_eq!(world.paid(), 0);
    // It waits behind the first, which its server may still settle.
    let error = world.run_with(world.brief()).await.unwrap_err();
    assert!(matches!(error, Error::Unfinished { .. }), "{error}");
    assert_eq!(world.numbers(), [1, 2]);
}

#[tokio::test]
async fn money_that_is_on_its_way_is_not_promised_twice() {
    let world = start().await;
    world.chain.state().balances.insert("CCD", 2_000_000);
    let early = || axum::response::Response::new(CONTENT.into());
    world.server.state().script.push_back(Scripted::Raw(Box::new(early)));
    world.run().await.unwrap();
    let error = world.run_with(any_asset(world.options())).await.unwrap_err();
    assert!(error.to_string().contains("1.5 CCD needed, 0.5 CCD held"), "{error}");
    assert_eq!(world.numbers(), [1]);
}
