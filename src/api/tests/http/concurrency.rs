//! Many at once, of whom one may win.

use futures::future::join_all;
use reqwest::StatusCode;
use serde_json::Value;

use crate::support::purchase::Purchase;
use crate::support::{TestApi, answer, soon};

async fn at_once(api: &TestApi, route: &str, count: usize, purchase: &Purchase) -> Vec<Value> {
    let body = purchase.request();
    let requests = (0..count).map(|_| tokio::spawn(answer(api.post(route, &body))));
    let answers = soon(join_all(requests)).await;
    let answers = answers.into_iter().map(|answer| {
        let (status, answer) = answer.unwrap();
        assert_eq!(status, StatusCode::OK, "{answer}");
        answer
    });
    answers.collect()
}

fn count(answers: &[Value], field: &str, value: impl Into<Value>) -> usize {
    let value = value.into();
    answers.iter().filter(|answer| answer[field] == value).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_payment_is_valid_for_one_of_a_thousand() {
    let api = TestApi::start().await;
    let purchase = Purchase::new(1);
    api.finalize(&purchase).await;
    let answers = at_once(&api, "/verify", 1_000, &purchase).await;
    assert_eq!(count(&answers, "isValid", true), 1);
    assert_eq!(count(&answers, "invalidReason", "payment_already_used"), 999);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_payment_settles_for_one_of_many() {
    let api = TestApi::start().await;
    let purchase = Purchase::new(1).consumed_on_settle();
    api.finalize(&purchase).await;
    assert_eq!(api.ask("/verify", &purchase.request()).await["isValid"], true);
    let answers = at_once(&api, "/settle", 200, &purchase).await;
    assert_eq!(count(&answers, "success", true), 1);
    assert_eq!(count(&answers, "errorReason", "duplicate_settlement"), 199);
}
