//! Who may read events: a tenant its own verifications', an operator the log.

use ccd402_api::options::Options;
use ccd402_api::server::Limits as ServerLimits;
use ccd402_domain::key::scope::Scope;
use reqwest::Method;
use serde_json::Value;

use crate::support::purchase::Purchase;
use crate::support::{TestApi, answer, soon};

/// The first events of a stream, by type.
async fn heard(api: &TestApi, key: &str, count: usize) -> Vec<(String, Value)> {
    let request = api.get("/v1/stream?after=0").bearer_auth(key);
    let mut response = request.send().await.unwrap().error_for_status().unwrap();
    let (mut text, mut heard) = (String::new(), Vec::new());
    while heard.len() < count {
        let chunk = soon(response.chunk()).await.unwrap().unwrap();
        text.push_str(std::str::from_utf8(&chunk).unwrap());
        while let Some((message, rest)) = text.split_once("\n\n") {
            if let Some(data) = message.lines().find_map(|line| line.strip_prefix("data: ")) {
                let event: Value = serde_json::from_str(data).unwrap();
                heard.push((event["type"].as_str().unwrap().to_owned(), event));
            }
            text = rest.to_owned();
        }
    }
    heard
}

#[tokio::test]
async fn a_tenant_hears_of_its_own_and_only_operators_read_the_log() {
    let options = Options { require_keys: true, ..Options::default() };
    let api = TestApi::start_with(options, ServerLimits::default()).await;
    let mut readers = Vec::new();
    for (tenant, number) in [("shop", 1), ("other", 2)] {
        let key = api.key(tenant, &[Scope::Submit, Scope::Read]).await;
        let submit = api.post("/v1/verifications", &Purchase::new(number).request());
        let (_, accepted) = answer(submit.bearer_auth(&key)).await;
        readers.push((key, accepted["id"].as_str().unwrap().to_owned()));
    }
    let [(shop, id), (_, other)] = &readers[..] else { panic!("there are two") };
    api.finalize(&Purchase::new(2)).await;
    api.finalize(&Purchase::new(1)).await;
    let own = heard(&api, shop, 2).await;
    let names: Vec<_> = own.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["VerificationRequested", "VerificationConfirmed"]);
    assert!(own.iter().all(|(_, event)| event["verification"] == id.as_str()));

    let status = async |method: Method, path: &str, key: &str| {
        let request = api.http.request(method, format!("{}{path}", api.url));
        request.bearer_auth(key).send().await.unwrap().status().as_u16()
    };
    let history = |id: &str| format!("/v1/verifications/{id}/events");
    assert_eq!(status(Method::GET, &history(id), shop).await, 200);
    assert_eq!(status(Method::GET, &history(other), shop).await, 404);
    let operator = api.key("default", &[Scope::Operate]).await;
    let writer = api.key("shop", &[Scope::Submit]).await;
    for (path, method) in [("/v1/events", Method::GET), ("/v1/events:verify", Method::POST)] {
        assert_eq!(status(method.clone(), path, shop).await, 403, "{path}");
        assert_eq!(status(method, path, &operator).await, 200, "{path}");
    }
    for path in ["/v1/stream", &history(id)] {
        assert_eq!(status(Method::GET, path, &writer).await, 403, "{path}");
    }
    let all = heard(&api, &operator, 6).await;
    assert!(all.iter().any(|(name, _)| name == "KeyCreated"), "{all:?}");
}
