//! Jobs as an operator meets them: a dead letter by the command line while payments go on, and a queue
//! that is lost.

use std::time::Duration;

use ccd402::devnet::{Devnet, Options};
use ccd402_simchain::{Fault, FaultKind};
use serde_json::Value;
use tempfile::TempDir;

use crate::payments::{Fate, Payment, Seller, Terms};
use crate::process::run;

/// `INVALID_ARGUMENT`: a node that refuses the question. Asking again does not help.
const REFUSED: i32 = 3;

struct Works {
    net: Devnet,
    seller: Seller,
    http: reqwest::Client,
    _dir: TempDir,
}

impl Works {
    async fn begin() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut options = Options::quick(dir.path().to_owned());
        options.jobs.tries.retry_first = Duration::from_millis(100);
        options.jobs.tries.attempts_max = 2;
        let net = Devnet::start(options).await.unwrap();
        let seller = Seller::open(net.chain()).await;
        Self { net, seller, http: reqwest::Client::new(), _dir: dir }
    }

    async fn submit(&self, payment: &Payment) -> String {
        let url = format!("{}/v1/verifications", self.net.facilitator().url());
        let response = self.http.post(url).json(&payment.request).send().await.unwrap();
        let accepted: Value = response.json().await.unwrap();
        accepted["id"].as_str().unwrap_or_else(|| panic!("{accepted}")).to_owned()
    }

    async fn state(&self, id: &str, wait: &str) -> Value {
        let base = self.net.facilitator().url();
        let url = format!("{base}/v1/verifications/{id}?wait={wait}");
        self.http.get(url).send().await.unwrap().json().await.unwrap()
    }

    async fn jobs(&self, args: &[&str]) -> Vec<Value> {
        let url = self.net.facilitator().url();
        let ended = run(&[&["jobs"], args, &["--url", &url, "--json"]].concat()).await;
        assert_eq!(ended.code, 0, "{ended:?}");
        ended.lines()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poison_job_is_a_dead_letter_until_its_cause_is_gone() {
    let works = Works::begin().await;
    let payer = works.seller.payer(works.net.chain(), 100).await;
    let offer = works.seller.offer(Terms { adults_only: true, ..Terms::default() });
    let transfer = payer.wallet().build_transfer(&offer.transfer().unwrap()).await.unwrap();
    let proof = payer.prove(&offer, &offer.digest).await.unwrap();
    let payload = offer.payload(transfer.hash, payer.wallet().address(), Some(proof));
    let poison = Payment::new(&offer, &payload, transfer.hash, Fate::Confirmed);
    let other = works.seller.payer(works.net.chain(), 100).await;
    let plain = works.seller.paid(&other, Terms::default()).await;

    let message = "the test says so".to_owned();
    let refuse =
        FaultKind::FailRpc { method: Some("GetAccountInfo".into()), code: REFUSED, message };
    works.net.chain().fault(Fault::new(refuse));
    let id = works.submit(&poison).await;
    payer.wallet().send(&transfer.bytes).await.unwrap();
    let dead = loop {
        if let Some(dead) = works.jobs(&["list", "--status", "dead"]).await.pop() {
            break dead;
        }
    };
    assert_eq!(
        (&dead["kind"], &dead["verification"]),
        (&"check_identity".into(), &id.clone().into())
    );
    let others = works.submit(&plain).await;
    assert_eq!(works.state(&others, "30s").await["status"], "confirmed", "others flow");
    assert_eq!(works.state(&id, "0s").await["status"], "pending");

    works.net.chain().clear_faults();
    let job = dead["id"].as_str().unwrap();
    assert_eq!(works.jobs(&["show", job]).await[0]["status"], "dead");
    assert_eq!(works.jobs(&["retry", job]).await.len(), 1);
    assert_eq!(works.state(&id, "30s").await["status"], "confirmed");
    assert_eq!(works.jobs(&["list", "--status", "dead"]).await, Vec::<Value>::new());
    works.net.stop().await.unwrap();
}
