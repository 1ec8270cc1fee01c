//! Keys with the program itself: made at rest and on a running server, refused at once when revoked,
//! and never in a log line.

use std::path::Path;
use std::time::Duration;

use ccd402_simchain::{Handle, Options, SimChain};
use reqwest::StatusCode;
use serde_json::Value;

use crate::payments::{Seller, Terms};
use crate::process::{Process, arg, run};

async fn chain() -> Handle {
    let (block_time, finality_delay) = (Duration::from_millis(250), Duration::from_millis(250));
    SimChain::start(Options { block_time, finality_delay, ..Options::default() }).await.unwrap()
}

/// Runs `ccd402 keys …` and returns what it printed.
async fn keys(args: &[&str]) -> Vec<Value> {
    let ended = run(&[&["keys"], args, &["--json"]].concat()).await;
    assert_eq!(ended.code, 0, "{args:?}: {ended:?}");
    ended.lines()
}

fn text<'a>(made: &'a Value, field: &str) -> &'a str {
    made[field].as_str().unwrap_or_else(|| panic!("{field} is missing"))
}

async fn made_at_rest(data: &Path) -> String {
    let args = ["create", "--name", "ops", "--scopes", "operate", "--data-dir", arg(data)];
    text(&keys(&args).await[0], "key").to_owned()
}

/// Status and code.
async fn told(request: reqwest::RequestBuilder) -> (StatusCode, String) {
    let response = request.send().await.unwrap();
    let status = response.status();
    let body: Value = response.json().await.unwrap();
    (status, body["code"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_requires_keys_lives_with_the_program_alone() {
    let (dir, chain) = (tempfile::tempdir().unwrap(), chain().await);
    let data = dir.path().join("data");
    let operator = made_at_rest(&data).await;
    let listen = ["--listen", "127.0.0.1:0", "--require-keys", "--node", &chain.url()];
    let serve = [&["serve", "--data-dir", arg(&data)], listen.as_slice()].concat();
    let (process, ready) = Process::serve(&serve).await;
    let url = text(&ready, "url").to_owned();

    let at = ["--url", &url, "--key", &operator];
    let create = ["create", "--tenant", "shop", "--name", "gate", "--scopes", "submit,read"];
    let made = keys(&[create.as_slice(), &["--expires", "1day"], &at].concat()).await.remove(0);
    let key = text(&made, "key").to_owned();
    let listed = keys(&[["list"].as_slice(), &at].concat()).await;
    let tenants: Vec<_> = listed.iter().map(|key| text(key, "tenant")).collect();
    assert_eq!(tenants, ["default", "shop"]);
    assert!(listed.iter().all(|key| key.get("key").is_none()), "{listed:?}");

    let http = reqwest::Client::new();
    let seller = Seller::open(&chain).await;
    let payer = seller.payer(&chain, 100).await;
    let payment = seller.paid(&payer, Terms::default()).await;
    let submit = || http.post(format!("{url}/v1/verifications")).json(&payment.request);
    assert_eq!(told(submit()).await, (StatusCode::UNAUTHORIZED, "key_required".to_owned()));
    let response = submit().bearer_auth(&key).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::ACCEPTED);
    let path = response.headers()["location"].to_str().unwrap().to_owned();
    let show = |key: &str| http.get(format!("{url}{path}?wait=60s")).bearer_auth(key);
    let state: Value = show(&key).send().await.unwrap().json().await.unwrap();
    assert_eq!(state["status"], "confirmed", "{state}");

    keys(&[["revoke", text(&made, "id")].as_slice(), &at].concat()).await;
    assert_eq!(told(show(&key)).await, (StatusCode::UNAUTHORIZED, "key_revoked".to_owned()));
    let log = process.logged();
    assert!(process.terminate().await.success());
    for secret in [&key, &operator] {
        let secret = &secret[secret.len() - 43..];
        assert!(!log.contains(secret), "a key is in the log");
    }

    let after = keys(&["list", "--data-dir", arg(&data)]).await;
    assert!(after[0].get("revokedAt").is_none() && after[1]["revokedAt"].is_string(), "{after:?}");
    chain.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_loopback_the_operator_needs_no_key() {
    let (dir, chain) = (tempfile::tempdir().unwrap(), chain().await);
    let data = dir.path().join("data");
    let node = chain.url();
    let serve = ["serve", "--data-dir", arg(&data), "--listen", "127.0.0.1:0", "--node", &node];
    let (process, ready) = Process::serve(&serve).await;
    let url = text(&ready, "url").to_owned();
    let made = keys(&["create", "--name", "x", "--scopes", "read", "--url", &url]).await.remove(0);
    let key = text(&made, "key");
    let last = if key.ends_with('A') { "E" } else { "A" };
    let wrong = format!("{}{last}", &key[..key.len() - 1]);
    let ended = run(&["keys", "list", "--url", &url, "--key", &wrong]).await;
    assert!(ended.code == 1 && ended.stderr.contains("key_invalid"), "{ended:?}");
    let ended = run(&["keys", "list", "--url", &url, "--key", key]).await;
    assert!(ended.code == 1 && ended.stderr.contains("scope_missing"), "{ended:?}");
    let in_use = run(&["keys", "list", "--data-dir", arg(&data)]).await;
    assert!(in_use.code == 1 && in_use.stderr.contains("running"), "{in_use:?}");
    assert!(process.terminate().await.success());
    chain.shutdown().await;
}
