//! Two processes that answer calls and two that work, over one PostgreSQL and one Redis: whatever one
//! of them does, the others know. What happens when some of them die is `volume`'s part.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ccd402::compose::facilitator::{self, Role, Running, Working};
use ccd402::devnet::Listen;
use ccd402_simchain::{Handle, Options as ChainOptions, SimChain};
use ccd402_store::postgres::{Options as DatabaseOptions, migrate};
use reqwest::{Client, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::payments::{Payment, Seller, Terms};
use crate::postgres_server::PostgresServer;
use crate::process::{Process, arg, run};
use crate::redis_server::RedisServer;

const BLOCK_TIME: Duration = Duration::from_millis(250);
/// Longest that anything may take, also where two cores are shared by many.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks at something that is under way.
const PAUSE: Duration = Duration::from_millis(50);

struct Cluster {
    apis: [Running; 2],
    workers: Vec<Working>,
    seller: Seller,
    http: Client,
    chain: Handle,
    _on: (Arc<PostgresServer>, RedisServer, TempDir),
}

impl Cluster {
    async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (postgres, redis) =
            tokio::task::spawn_blocking(|| (PostgresServer::shared(), RedisServer::start()))
                .await
                .unwrap();
        let database = DatabaseOptions::new(postgres.create_database());
        migrate(&database).await.unwrap();
        let options = ChainOptions {
            block_time: BLOCK_TIME,
            finality_delay: BLOCK_TIME,
            ..Default::default()
        };
        let chain = SimChain::start(options).await.unwrap();
        let options = |name: &str, role| {
            let data = with_the_key_of_all(dir.path(), name);
            let listen = Listen::anywhere().facilitator;
            let mut options = facilitator::Options::new(listen, data, vec![chain.url()]);
            options.role = role;
            options.database = Some(database.clone());
            options.queue_url = Some(redis.url());
            options
        };
        let mut workers = Vec::new();
        for name in ["one", "two"] {
            workers.push(facilitator::start_to_work(options(name, Role::Work)).await.unwrap());
        }
        let apis = [
            facilitator::start(options("a", Role::Api)).await.unwrap(),
            facilitator::start(options("b", Role::Api)).await.unwrap(),
        ];
        let seller = Seller::open(&chain).await;
        let _on = (postgres, redis, dir);
        Self { apis, workers, seller, http: Client::new(), chain, _on }
    }

    fn url(&self, api: usize, path: &str) -> String {
        format!("{}{path}", self.apis[api].url())
    }

    async fn submit(&self, api: usize, payment: &Payment) -> String {
        let post = self.http.post(self.url(api, "/v1/verifications")).json(&payment.request);
        let (status, accepted) = answer(post).await;
        assert_eq!(status, StatusCode::ACCEPTED, "{accepted}");
        accepted["id"].as_str().unwrap().to_owned()
    }

    async fn confirmed(&self, api: usize, id: &str) {
        let get = self.http.get(self.url(api, &format!("/v1/verifications/{id}?wait=60s")));
        let (_, state) = answer(get).await;
        assert_eq!(state["status"], "confirmed", "{state}");
    }

    async fn verify(&self, api: usize, payment: &Payment) -> Value {
        let post = self.http.post(self.url(api, "/verify")).header("prefer", "wait=60");
        answer(post.json(&payment.request)).await.1
    }

    async fn stop(self) {
        for api in self.apis {
            api.stop().await.unwrap();
        }
        for worker in self.workers {
            worker.stop().await.unwrap();
        }
        self.chain.shutdown().await;
    }
}

/// A data directory; the key that secrets of webhooks are derived from must be the same in all.
fn with_the_key_of_all(dir: &Path, name: &str) -> std::path::PathBuf {
    let data = dir.join(name);
    std::fs::create_dir_all(&data).unwrap();
    std::fs::write(data.join("webhook.key"), "ab".repeat(32)).unwrap();
    data
}

async fn answer(request: RequestBuilder) -> (StatusCode, Value) {
    let response = request.send().await.unwrap();
    (response.status(), response.json().await.unwrap())
}

/// Asks again until the answer has this status.
async fn until(status: StatusCode, ask: impl Fn() -> RequestBuilder) {
    let asks = async {
        while ask().send().await.unwrap().status() != status {
            tokio::time::sleep(PAUSE).await;
        }
    };
    tokio::time::timeout(PATIENCE, asks).await.unwrap_or_else(|_| panic!("never {status}"));
}

/// Types of what an event stream tells of a verification, until it is decided.
async fn heard(mut stream: reqwest::Response, id: &str) -> Vec<String> {
    let (mut text, mut types) = (String::new(), Vec::new());
    while let Some(chunk) = stream.chunk().await.unwrap() {
        text.push_str(std::str::from_utf8(&chunk).unwrap());
        while let Some((message, rest)) = text.split_once("\n\n") {
            let field = |name: &str| message.lines().find_map(|line| line.strip_prefix(name));
            if field("data: ").is_some_and(|data| data.contains(id)) {
                types.push(field("event: ").unwrap_or_default().to_owned());
            }
            text = rest.to_owned();
        }
        if types.len() >= 2 {
            return types;
        }
    }
    panic!("the stream ended after {types:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_process_does_the_others_know() {
    let cluster = Cluster::start().await;
    let payer = cluster.seller.payer(&cluster.chain, 1_000).await;

    // Streams and long polls of one process tell what was handed in to the other, and decided by a
    // third.
    let stream = cluster.http.get(cluster.url(1, "/v1/stream")).send().await.unwrap();
    let payment = cluster.seller.paid(&payer, Terms::default()).await;
    let id = cluster.submit(0, &payment).await;
    cluster.confirmed(1, &id).await;
    cluster.confirmed(0, &id).await;
    let told = tokio::time::timeout(PATIENCE, heard(stream, &id)).await.expect("it is told");
    assert_eq!(told, ["VerificationRequested", "VerificationConfirmed"]);

    // A caller that waits hears of it, and a payment is good once, whoever is asked.
    let on_verify = Terms { consume_on: "verify", ..Terms::default() };
    for (first, second) in [(0, 1), (1, 0)] {
        let payment = cluster.seller.paid(&payer, on_verify).await;
        let answer = cluster.verify(first, &payment).await;
        assert_eq!(answer["isValid"], true, "{answer}");
        let again = cluster.verify(second, &payment).await;
        assert_eq!(again["invalidReason"], "payment_already_used", "{again}");
    }

    // Keys and webhooks.
    let (a, b) = (cluster.url(0, "/v1/keys"), cluster.url(1, "/v1/stats"));
    let key = json!({ "tenant": "shop", "name": "gate", "scopes": ["read"] });
    let (status, made) = answer(cluster.http.post(&a).json(&key)).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    let text = made["key"].as_str().unwrap();
    let asks = |url: &str| cluster.http.get(url).bearer_auth(text);
    until(StatusCode::OK, || asks(&b)).await;
    let revoke = cluster.url(1, &format!("/v1/keys/{}", made["id"].as_str().unwrap()));
    assert!(cluster.http.delete(revoke).send().await.unwrap().status().is_success());
    until(StatusCode::UNAUTHORIZED, || asks(&cluster.url(0, "/v1/stats"))).await;
    let hook = json!({ "url": "https://shop.example/told" });
    let (status, made) =
        answer(cluster.http.post(cluster.url(1, "/v1/webhooks")).json(&hook)).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    let shown = cluster.url(0, &format!("/v1/webhooks/{}", made["id"].as_str().unwrap()));
    until(StatusCode::OK, || cluster.http.get(&shown)).await;
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_process_works_on_when_one_stops() {
    let mut cluster = Cluster::start().await;
    let payer = cluster.seller.payer(&cluster.chain, 1_000).await;
    let payment = cluster.seller.paid(&payer, Terms::default()).await;
    let id = cluster.submit(0, &payment).await;
    cluster.confirmed(1, &id).await;
    // Whichever of them follows: in good order, so that the other need not wait for the lease's end.
    for api in [0, 1] {
        let payment = cluster.seller.paid(&payer, Terms::default()).await;
        let id = cluster.submit(api, &payment).await;
        if api == 0 {
            cluster.workers.pop().expect("two work").stop().await.unwrap();
        }
        cluster.confirmed(1 - api, &id).await;
    }
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_share_its_work_does_not_start() {
    let dir = tempfile::tempdir().unwrap();
    let data = arg(dir.path());
    for first in [&["work"][..], &["serve", "--api-only"]] {
        let ended = run(&[first, &["--data-dir", data]].concat()).await;
        assert_eq!(ended.code, 1, "{ended:?}");
        assert!(ended.stderr.contains("--database-url and --queue-url"), "{ended:?}");
    }
    let postgres = tokio::task::spawn_blocking(PostgresServer::shared).await.unwrap();
    let database = postgres.create_database();
    let chain = SimChain::start(ChainOptions::default()).await.unwrap();
    migrate(&DatabaseOptions::new(&database)).await.unwrap();
    let node = chain.url();
    let serve = |data| {
        let listen = ["serve", "--listen", "127.0.0.1:0", "--node", &node];
        [&listen[..], &["--database-url", &database, "--data-dir", data]].concat()
    };
    let [one, other] = ["one", "other"].map(|name| dir.path().join(name));
    let (process, _) = Process::serve(&serve(arg(&one))).await;
    let ended = run(&serve(arg(&other))).await;
    assert!(ended.code == 1 && ended.stderr.contains("Put a copy of theirs"), "{ended:?}");
    assert!(process.terminate().await.success());
    chain.shutdown().await;
}
