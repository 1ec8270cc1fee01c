//! How the server ends, and where it says it can be reached.

use std::time::Duration;

use ccd402_api::options::Options;
use ccd402_api::server::Limits;
use serde_json::json;
use tokio::net::TcpStream;

use crate::support::purchase::Purchase;
use crate::support::{LONG_SECONDS, TestApi, answer, soon};

fn waiting_verify(api: &TestApi, purchase: &Purchase) -> reqwest::RequestBuilder {
    let request = api.post("/verify", &purchase.request());
    request.header("prefer", format!("wait={LONG_SECONDS}"))
}

#[tokio::test]
async fn what_is_being_served_is_served_to_the_end() {
    let limits = Limits { shutdown_grace: crate::support::SOON, ..Limits::default() };
    let api = TestApi::start_with(Options::default(), limits).await;
    let purchase = Purchase::new(1);
    let waiting = tokio::spawn(answer(waiting_verify(&api, &purchase)));
    api.chain.asked(1).await;
    api.shutdown.cancel();
    while TcpStream::connect(api.address()).await.is_ok() {
        tokio::task::yield_now().await;
    }
    api.finalize(&purchase).await;
    assert_eq!(soon(waiting).await.unwrap().1["isValid"], json!(true));
    soon(api.server).await.unwrap();
}

#[tokio::test]
async fn what_does_not_end_in_time_is_cut_off() {
    let limits = Limits { shutdown_grace: Duration::from_millis(10), ..Limits::default() };
    let api = TestApi::start_with(Options::default(), limits).await;
    let waiting = tokio::spawn(waiting_verify(&api, &Purchase::new(1)).send());
    api.chain.asked(1).await;
    api.shutdown.cancel();
    soon(api.server).await.unwrap();
    assert!(soon(waiting).await.unwrap().is_err());
}

#[tokio::test]
async fn status_urls_are_absolute_where_the_public_url_is_known() {
    let public_url = Some("https://pay.example.com/x402/".parse().unwrap());
    let options = Options { public_url, ..Options::default() };
    let api = TestApi::start_with(options, Limits::default()).await;
    let pending = api.ask("/verify", &Purchase::new(1).request()).await;
    let id = pending["extra"]["verification"].as_str().unwrap();
    let expected = format!("https://pay.example.com/x402/v1/verifications/{id}");
    assert_eq!(pending["extra"]["statusUrl"], expected);
}
