//! The program with webhooks, on a chain of its own, and its command line.

use std::time::Duration;

use ccd402_simchain::{Handle, Options, SimChain};
use reqwest::Method;
use serde_json::Value;
use tempfile::TempDir;

use crate::caller::serve;
use crate::payments::{Payment, Seller};
use crate::process::{Ended, Process, run};
use crate::receiver::Receiver;

/// Lets webhooks reach this machine.
pub(crate) const HERE: &[&str] = &["--webhook-allow", "127.0.0.0/8"];
/// And gives up after two tries.
pub(crate) const TWICE: &[&str] = &["--webhook-allow", "127.0.0.0/8", "--webhook-retries", "1s"];

/// A facilitator on a chain of its own.
pub(crate) struct Kit {
    pub(crate) chain: Handle,
    pub(crate) seller: Seller,
    pub(crate) process: Process,
    pub(crate) url: String,
    pub(crate) http: reqwest::Client,
    pub(crate) dir: TempDir,
}

impl Kit {
    pub(crate) async fn start(more: &[&str]) -> Self {
        let block_time = Duration::from_millis(250);
        let options = Options { block_time, finality_delay: block_time, ..Options::default() };
        let chain = SimChain::start(options).await.unwrap();
        let seller = Seller::open(&chain).await;
        let dir = tempfile::tempdir().unwrap();
        let (process, url) = serve(dir.path(), &chain, more).await;
        Self { chain, seller, process, url, http: reqwest::Client::new(), dir }
    }

    /// Kills the facilitator, and starts it again.
    pub(crate) async fn kill(self, more: &[&str]) -> Self {
        self.process.kill().await;
        let (process, url) = serve(self.dir.path(), &self.chain, more).await;
        Self { process, url, ..self }
    }

    /// Runs `ccd402 webhooks …`.
    pub(crate) async fn tool(&self, args: &[&str]) -> Ended {
        run(&[&["webhooks"], args, &["--url", &self.url, "--json"]].concat()).await
    }

    /// The lines that `ccd402 webhooks …` prints where all goes well.
    pub(crate) async fn done(&self, args: &[&str]) -> Vec<Value> {
        let ended = self.tool(args).await;
        assert_eq!(ended.code, 0, "{args:?}: {ended:?}");
        ended.lines()
    }

    /// Makes a webhook; its id and its secret.
    pub(crate) async fn create(&self, receiver: &Receiver, more: &[&str]) -> (String, String) {
        let made = self.done(&[&["create", &receiver.url], more].concat()).await.remove(0);
        (text(&made, "id"), text(&made, "secret"))
    }

    pub(crate) async fn ask(&self, method: Method, path: &str, body: &Value) -> Value {
        let request = self.http.request(method, format!("{}{path}", self.url)).json(body);
        request.send().await.unwrap().json().await.unwrap()
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        self.http.get(format!("{}{path}", self.url)).send().await.unwrap().json().await.unwrap()
    }

    /// Hands a payment in; the verification's id.
    pub(crate) async fn submit(&self, payment: &Payment) -> String {
        text(&self.ask(Method::POST, "/v1/verifications", &payment.request).await, "id")
    }

    /// A payment that will fail within seconds: it is never made.
    pub(crate) async fn never_sent(&self) -> Payment {
        let payer = self.seller.payer(&self.chain, 50).await;
        self.seller.never_sent(&payer).await
    }

    pub(crate) async fn stop(self) {
        assert!(self.process.terminate().await.success());
        self.chain.shutdown().await;
    }
}

pub(crate) fn text(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap_or_else(|| panic!("{field} in {value}")).to_owned()
}
