//! The read model may be deleted: what is made again from the log answers byte for byte as before.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ccd402::compose::facilitator::{self, Options, Running};
use ccd402_simchain::{Handle, Options as ChainOptions, SimChain};
use ccd402_store::postgres::Options as DatabaseOptions;
use reqwest::StatusCode;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::payments::{Seller, Terms};
use crate::process::{arg, run};
use crate::support::verify_request;

/// Longest that the read model may take to be built again.
const PATIENCE: Duration = Duration::from_secs(120);

/// A chain that makes blocks when told to, and a facilitator with some verifications of each kind.
pub(crate) struct Shop {
    pub(crate) chain: Handle,
    pub(crate) dir: TempDir,
    ids: Vec<String>,
    hash: String,
}

impl Shop {
    pub(crate) async fn open() -> Self {
        let (block_time, finality_delay) = (Duration::ZERO, Duration::ZERO);
        let options = ChainOptions { block_time, finality_delay, ..ChainOptions::default() };
        let chain = SimChain::start(options).await.unwrap();
        let dir = tempfile::tempdir().unwrap();
        let mut shop = Self { chain, dir, ids: Vec::new(), hash: String::new() };
        let running = shop.start().await;
        let seller = Seller::open(&shop.chain).await;
        let payer = seller.payer(&shop.chain, 1_000).await;
        for _ in 0..3 {
            let listed = Terms { listed: true, ..Terms::default() };
            let payment = seller.paid(&payer, listed).await;
            shop.hash = payment.hash.to_string();
            // Twice: the first is confirmed, the other was used already.
            for _ in 0..2 {
                shop.submit(&running, &payment.request).await;
            }
            shop.chain.bake().unwrap();
        }
        let unsent = seller.offer(Terms::default());
        let hash = "ab".repeat(32).parse().unwrap();
        let payload = unsent.payload(hash, payer.wallet().address(), None);
        shop.submit(&running, &verify_request(&unsent, &payload)).await;
        for id in &shop.ids[..6] {
            let url = format!("{}/v1/verifications/{id}?wait=60s", running.url());
            let decided: Value = reqwest::get(url).await.unwrap().json().await.unwrap();
            assert_ne!(decided["status"], "pending", "{decided}");
        }
        for route in ["verify", "settle"] {
            let payment = seller.paid(&payer, Terms::default()).await;
            shop.chain.bake().unwrap();
            let request = |route: &str| {
                let url = format!("{}/{route}", running.url());
                reqwest::Client::new().post(url).json(&payment.request).send()
            };
            let verified: Value = request("verify").await.unwrap().json().await.unwrap();
            assert_eq!(verified["isValid"], true, "{verified}");
            if route == "settle" {
                let settled: Value = request(route).await.unwrap().json().await.unwrap();
                assert_eq!(settled["success"], true, "{settled}");
            }
        }
        running.stop().await.unwrap();
        shop
    }

    async fn start(&self) -> Running {
        self.start_on(self.dir.path(), None).await
    }

    /// Starts one with that data directory; with its log in a database, where one is named.
    pub(crate) async fn start_on(&self, data: &Path, database: Option<&str>) -> Running {
        let listen = "127.0.0.1:0".parse().unwrap();
        let mut options = Options::new(listen, data.to_owned(), vec![self.chain.url()]);
        options.database = database.map(DatabaseOptions::new);
        // Whether a hold has lapsed depends on the time at which it is asked for.
        options.reservation = Duration::from_secs(24 * 3_600);
        facilitator::start(options).await.unwrap()
    }

    async fn submit(&mut self, running: &Running, request: &Value) {
        let url = format!("{}/v1/verifications", running.url());
        let response = reqwest::Client::new().post(url).json(request).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::ACCEPTED);
        let accepted: Value = response.json().await.unwrap();
        self.ids.push(accepted["id"].as_str().unwrap().to_owned());
    }

    /// Every route that reads, asked in many ways, once everything that happened is in the answers.
    pub(crate) async fn answers(&self, running: &Running) -> Vec<(String, String)> {
        let tip = running.facilitator().chain().tip().await.unwrap();
        let mut follower = running.follower();
        let has_followed =
            follower.wait_for(|status| status.last.is_some_and(|last| last.height == tip.height));
        tokio::time::timeout(PATIENCE, has_followed).await.unwrap().unwrap();
        let head = *running.facilitator().log().head().borrow();
        let mut paths = vec!["/v1/stats".to_owned(), "/v1/stats?format=csv&step=minute".to_owned()];
        paths.extend(["minute", "hour", "day"].map(|step| format!("/v1/stats?step={step}")));
        paths.push("/v1/stats?status=failed&tenant=default".to_owned());
        let list = "/v1/verifications";
        paths.push(format!("{list}?transaction={}", self.hash));
        paths.push(format!("{list}?asset=CCD&from=2020-01-01T00:00:00Z&to=2099-01-01T00:00:00Z"));
        paths.extend(["pending", "confirmed", "failed"].map(|s| format!("{list}?status={s}")));
        let one: Value = serde_json::from_str(&get(&running.url(), list).await).unwrap();
        let one = &one["verifications"][0];
        for (filter, at) in [
            ("tenant", "/tenant"),
            ("payer", "/payment/payer"),
            ("payTo", "/payment/payTo"),
            ("network", "/payment/network"),
            ("resource", "/payment/resource/url"),
        ] {
            let value = one.pointer(at).and_then(Value::as_str).unwrap_or_else(|| panic!("{one}"));
            paths.push(format!("{list}?{filter}={value}"));
            paths.push(format!("/v1/stats?{filter}={value}&status=confirmed"));
        }
        let show = self.ids.iter().map(|id| format!("{list}/{id}"));
        paths.extend(show.clone().map(|path| format!("{path}/events")).chain(show));
        let mut answers = Vec::new();
        for path in paths {
            let mark = if path.contains('?') { '&' } else { '?' };
            let path = format!("{path}{mark}minPosition={head}");
            let body = get(&running.url(), &path).await;
            answers.push((path, body));
        }
        answers.extend(pages(&running.url(), head).await);
        for path in ["/discovery/resources", "/discovery/resources?limit=2&offset=1"] {
            answers.push((path.to_owned(), get(&running.url(), path).await));
        }
        answers
    }

    fn files(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.dir.path()).unwrap().map(|entry| entry.unwrap().path());
        let is_ours =
            |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().starts_with("read-model.");
        entries.filter(is_ours).collect()
    }
}

/// The body of an answer; asked again while the read model is being built.
pub(crate) async fn get(url: &str, path: &str) -> String {
    let asking = async {
        loop {
            let response = reqwest::get(format!("{url}{path}")).await.unwrap();
            if response.status() != StatusCode::SERVICE_UNAVAILABLE {
                assert_eq!(response.status(), StatusCode::OK, "{path}");
                return response.text().await.unwrap();
            }
        }
    };
    tokio::time::timeout(PATIENCE, asking).await.unwrap()
}

/// All verifications, two at a time.
async fn pages(url: &str, head: u64) -> Vec<(String, String)> {
    let (mut pages, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = format!("/v1/verifications?limit=2&minPosition={head}{cursor}");
        let body = get(url, &path).await;
        let page: Value = serde_json::from_str(&body).unwrap();
        pages.push((path, body));
        let Some(next) = page["next"].as_str() else { return pages };
        cursor = format!("&cursor={next}");
    }
}

async fn replayed(data: &Path) -> Value {
    let ended = run(&["replay", "--diff", "--json", "--data-dir", arg(data)]).await;
    assert_eq!(ended.code, 0, "{ended:?}");
    ended.lines().remove(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_made_again_answers_byte_for_byte_as_before() {
    let shop = Shop::open().await;
    let running = shop.start().await;
    let lived = shop.answers(&running).await;
    running.stop().await.unwrap();
    let all: Vec<&str> = lived.iter().map(|(_, body)| body.as_str()).collect();
    for word in
        ["\"reserved\"", "\"used\"", "payment_already_used", "\"pending\"", "\r\n", "Häppchen"]
    {
        assert!(all.iter().any(|body| body.contains(word)), "{word} is in no answer");
    }
    let head = replayed(shop.dir.path()).await["position"].clone();

    assert!(!shop.files().is_empty());
    shop.files().iter().for_each(|path| fs::remove_file(path).unwrap());
    let running = shop.start().await;
    assert_eq!(shop.answers(&running).await, lived, "after the files were deleted");
    running.stop().await.unwrap();
    let told = replayed(shop.dir.path()).await;
    assert_eq!(told, json!({ "equal": true, "position": head, "rows": 12 }));

    // A page in the middle is rubbish, as a bad disk leaves it.
    let path = shop.dir.path().join("read-model.v4.sqlite");
    let mut bytes = fs::read(&path).unwrap();
    let half = bytes.len() / 2 / 4_096 * 4_096;
    bytes[half..half + 4_096].fill(0x55);
    fs::write(&path, &bytes).unwrap();
    let running = shop.start().await;
    assert_eq!(shop.answers(&running).await, lived, "after the file was damaged");
    let mut pages = fs::read(&path).unwrap();
    assert!(!pages.chunks_mut(4_096).any(|page| page == [0x55; 4_096]), "it is another file");

    // And built again while it runs, beside what is read.
    let url = running.url();
    let built = run(&["replay", "--json", "--url", &url]).await;
    assert_eq!((built.code, &built.lines()[0]["position"]), (0, &head), "{built:?}");
    assert_eq!(shop.answers(&running).await, lived, "after it was built again");
    let equal = run(&["replay", "--diff", "--json", "--url", &url]).await;
    assert_eq!((equal.code, equal.lines().remove(0)), (0, told), "{equal:?}");
    running.stop().await.unwrap();
    shop.chain.shutdown().await;
}
