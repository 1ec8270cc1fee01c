//! Every way in which a payment is not good ends without content.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use axum::Router;
use axum::routing::get as on_get;
use ccd402_client::facilitator::Error;
use reqwest::Response;

use crate::kit::facilitator::{Scripted, Step};
use crate::kit::{BOTH, Version, code, layered, options, pay};

/// An application that counts how often its content was asked for.
fn counting() -> (Router, Arc<AtomicU32>) {
    let hits = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&hits);
    let handler = move || {
        counted.fetch_add(1, Ordering::SeqCst);
        async { "content" }
    };
    (Router::new().fallback(on_get(handler)), hits)
}

fn away() -> Error {
    Error::Unavailable("connection refused".to_owned())
}

fn pause(response: &Response) -> Option<&str> {
    response.headers().get("retry-after").map(|value| value.to_str().unwrap())
}

#[tokio::test]
async fn a_refused_payment_does_not_reach_the_upstream() {
    for version in BOTH {
        let facilitator = Scripted::new();
        let (app, hits) = counting();
        let gate = layered(options(&facilitator, "1 CCD"), app).await;
        let rows = [
            ("amount_mismatch", "amount_mismatch", None),
            ("transaction_pending", "transaction_pending", Some("1")),
            ("code_of_another_facilitator", "code_of_another_facilitator", None),
            ("Not a <code>", "unexpected_verify_error", None),
        ];
        for (said, shown, wait) in rows {
            facilitator.next_verify(Step::Refuse(said));
            let answer = pay(version, gate, "/report", 1).await;
            assert_eq!(answer.status(), 402);
            assert_eq!(pause(&answer), wait, "{said}");
            assert_eq!(code(answer).await, shown);
        }
        assert_eq!(hits.load(Ordering::SeqCst), 0);
        assert!(facilitator.with(|state| state.settled.is_empty()));
    }
}

#[tokio::test]
async fn without_the_facilitator_there_is_no_content() {
    let facilitator = Scripted::new();
    let (app, hits) = counting();
    let gate = layered(options(&facilitator, "1 CCD"), app).await;
    let failures = [
        (away(), None),
        (Error::Busy { retry_after: Duration::from_secs(7) }, Some("7")),
        (Error::Refused { status: 500, code: None }, None),
        (Error::NotUnderstood("HTML".to_owned()), None),
    ];
    for (failure, wait) in failures {
        facilitator.next_verify(Step::Fail(failure));
        let answer = pay(Version::V2, gate, "/report", 1).await;
        assert_eq!(answer.status(), 502);
        assert_eq!(pause(&answer), wait);
        assert_eq!(code(answer).await, "facilitator_unavailable");
    }
    assert_eq!(hits.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_slow_facilitator_is_not_waited_for_for_ever() {
    let facilitator = Scripted::new();
    let (app, hits) = counting();
    let mut options = options(&facilitator, "1 CCD");
    options.verify_timeout = Duration::from_millis(20);
    options.settle_timeout = Duration::from_millis(20);
    let gate = layered(options, app).await;
    facilitator.next_verify(Step::Hang);
    let answer = pay(Version::V1, gate, "/report", 1).await;
    assert_eq!((answer.status().as_u16(), hits.load(Ordering::SeqCst)), (502, 0));
    facilitator.next_settle(Step::Hang);
    let answer = pay(Version::V1, gate, "/report", 2).await;
    assert_eq!(answer.status(), 502);
    assert_eq!(code(answer).await, "facilitator_unavailable");
    assert_eq!(facilitator.with(|state| state.released), 0, "a settlement may have been made");
}

#[tokio::test]
async fn content_is_dropped_where_the_payment_is_not_settled() {
    for version in BOTH {
        let facilitator = Scripted::new();
        let (app, hits) = counting();
        let gate = layered(options(&facilitator, "1 CCD"), app).await;
        facilitator.next_settle(Step::Refuse("duplicate_settlement"));
        let answer = pay(version, gate, "/report", 1).await;
        assert_eq!(answer.status(), 402);
        assert!(answer.headers().contains_key(version.response_header()));
        let text = answer.text().await.unwrap();
        assert!(text.contains("duplicate_settlement") && !text.contains("content"), "{text}");
        facilitator.next_settle(Step::Fail(Error::NotUnderstood("HTML".to_owned())));
        let answer = pay(version, gate, "/report", 2).await;
        assert_eq!(answer.status(), 502);
        assert_eq!(code(answer).await, "facilitator_unavailable");
        assert_eq!(hits.load(Ordering::SeqCst), 2);
        assert_eq!(facilitator.with(|state| state.released), 0);
    }
}

#[tokio::test]
async fn a_settlement_that_is_not_final_is_asked_for_again() {
    let facilitator = Scripted::new();
    let gate = layered(options(&facilitator, "1 CCD"), counting().0).await;
    facilitator.next_settle(Step::Refuse("settlement_pending"));
    facilitator.next_settle(Step::Fail(away()));
    let answer = pay(Version::V2, gate, "/report", 1).await;
    assert_eq!(answer.status(), 200);
    facilitator.with(|state| {
        assert_eq!(state.settled.len(), 3);
        assert!(state.settled.iter().all(|request| *request == state.settled[0]));
        assert!(state.settle_keys.iter().all(|key| *key == state.settle_keys[0]));
    });
}

#[tokio::test]
async fn asking_again_has_an_end() {
    let facilitator = Scripted::new();
    let gate = layered(options(&facilitator, "1 CCD"), counting().0).await;
    for _ in 0..3 {
        facilitator.next_settle(Step::Refuse("settlement_pending"));
    }
    let answer = pay(Version::V2, gate, "/report", 1).await;
    assert_eq!(pause(&answer), Some("1"));
    assert_eq!(code(answer).await, "settlement_pending");
    assert_eq!(facilitator.with(|state| state.settled.len()), 3);
}
