//! `POST /v1/projections:rebuild` and `:verify`: what operators are told of the read model.

use std::sync::Arc;

use ccd402_api::options::Options;
use ccd402_api::server::Limits;
use ccd402_app::contract::sample::{append, confirmed, requested};
use ccd402_app::ports::log::EventLog as _;
use ccd402_app::replay::Replay;
use ccd402_domain::amount::Amount;
use ccd402_domain::event::Event;
use ccd402_domain::key::scope::Scope;
use reqwest::{RequestBuilder, StatusCode};
use serde_json::{Value, json};

use crate::support::{TestApi, answer, soon};

const REBUILD: &str = "/v1/projections:rebuild";
const VERIFY: &str = "/v1/projections:verify";

async fn with_rows() -> TestApi {
    let api = TestApi::start().await;
    for number in 1..=5 {
        let events = vec![requested(number, number), confirmed(number, number)];
        api.log.append_sample(append(number, 0, events)).await;
    }
    api.project().await;
    api
}

fn post(api: &TestApi, path: &str) -> RequestBuilder {
    api.http.post(format!("{}{path}", api.url))
}

/// The lines of an answer, and the last of them.
async fn lines(request: RequestBuilder) -> (Vec<Value>, Value) {
    let response = soon(request.send()).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["content-type"], "application/x-ndjson");
    let text = soon(response.text()).await.unwrap();
    let mut lines: Vec<_> =
        text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()).collect();
    let last = lines.pop().unwrap();
    (lines, last)
}

/// Does what the projector does when it is asked.
async fn build(api: &TestApi) {
    soon(api.reads.rebuild_asked()).await;
    let rows = api.reads.model().rebuild().await.unwrap();
    let mut replay = Replay::new(api.reads.log().clone(), rows);
    let head = *api.log.head().borrow();
    api.reads.building(0);
    while replay.step(head).await.unwrap() {
        api.reads.building(replay.position());
    }
    replay.into_rows().swap_in().await.unwrap();
    api.reads.build_ended(true);
}

#[tokio::test]
async fn a_rebuild_is_told_of_until_it_is_read() {
    let api = with_rows().await;
    let api = Arc::new(api);
    let asking = tokio::spawn(lines(post(&api, REBUILD)));
    build(&api).await;
    let (steps, last) = soon(asking).await.unwrap();
    assert!(steps.iter().all(|step| step["status"] == "building" && step["head"] == 10));
    assert_eq!(last, json!({ "status": "built", "position": 10 }));
    assert!(!api.reads.is_rebuild_asked(), "one is enough for who asked");
}

#[tokio::test]
async fn who_asks_while_one_is_built_is_told_of_that_one() {
    let api = with_rows().await;
    api.reads.building(3);
    let mut response = soon(post(&api, REBUILD).send()).await.unwrap();
    let line = soon(response.chunk()).await.unwrap().unwrap();
    let line: Value = serde_json::from_slice(&line).unwrap();
    assert_eq!(line, json!({ "status": "building", "position": 3, "head": 10 }));
    assert!(!api.reads.is_rebuild_asked());
    api.reads.build_ended(false);
    let rest = soon(response.text()).await.unwrap();
    let last: Value = serde_json::from_str(rest.lines().last().unwrap()).unwrap();
    assert_eq!(last["status"], "failed");
    assert!(last["reason"].is_string());
}

#[tokio::test]
async fn rows_that_were_lived_are_those_that_are_replayed() {
    let api = with_rows().await;
    let (_, last) = lines(post(&api, VERIFY)).await;
    assert_eq!(last, json!({ "status": "equal", "position": 10, "rows": 5 }));
}

#[tokio::test]
async fn a_row_that_is_not_what_the_log_says_is_named() {
    let api = with_rows().await;
    api.log.append_sample(append(6, 0, vec![requested(6, 6), confirmed(6, 6)])).await;
    let mut events = api.log.read_all(10, 10).await.unwrap();
    let Event::VerificationRequested(request) = &mut events[0].event else { panic!("a request") };
    Arc::make_mut(&mut request.payment).amount = Amount::from_units(3);
    api.reads.model().apply(&events).await.unwrap();
    let (_, last) = lines(post(&api, VERIFY)).await;
    let difference = json!({ "number": 11, "what": "changed", "columns": ["amount_rest"] });
    let expected = json!({
        "status": "different", "position": 12, "rows": 6, "different": 1,
        "differences": [difference],
    });
    assert_eq!(last, expected);
    api.reads.model().discard().await;
    let (status, problem) = answer(post(&api, VERIFY)).await;
    assert_eq!((status.as_u16(), &problem["code"]), (503, &json!("projection_behind")));
}

#[tokio::test]
async fn only_operators_ask() {
    let options = Options { require_keys: true, ..Options::default() };
    let api = TestApi::start_with(options, Limits::default()).await;
    let reader = api.key("shop", &[Scope::Submit, Scope::Read]).await;
    for path in [REBUILD, VERIFY] {
        assert_eq!(answer(post(&api, path).bearer_auth(&reader)).await.0, StatusCode::FORBIDDEN);
        assert_eq!(answer(post(&api, path)).await.0, StatusCode::UNAUTHORIZED);
    }
    assert!(!api.reads.is_rebuild_asked());
    let operator = api.key("ops", &[Scope::Operate]).await;
    let (status, problem) =
        answer(post(&api, &format!("{REBUILD}?now=1")).bearer_auth(&operator)).await;
    assert_eq!((status.as_u16(), &problem["code"]), (400, &json!("malformed_request")));
}
