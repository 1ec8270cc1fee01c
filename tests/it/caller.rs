//! Asks a facilitator that may die at any moment, wherever it runs next.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ccd402_simchain::Handle;
use reqwest::RequestBuilder;
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::process::{Process, arg};

/// After this a call that was cut off is made again, though no other process was heard of: it may
/// have been the connection alone.
const AGAIN: Duration = Duration::from_secs(5);

/// Starts the program on a directory, on a free port, with more arguments.
pub(crate) async fn serve(dir: &Path, chain: &Handle, more: &[&str]) -> (Process, String) {
    let node = chain.url();
    let args = ["serve", "--listen", "127.0.0.1:0", "--data-dir", arg(dir), "--node", &node];
    let (process, ready) = Process::serve(&[&args, more].concat()).await;
    let url = ready["url"].as_str().unwrap().to_owned();
    (process, url)
}

/// Asks the facilitator; a call that a kill cuts off is made again.
#[derive(Clone)]
pub(crate) struct Caller {
    http: reqwest::Client,
    base: watch::Receiver<String>,
    cut_off: Arc<AtomicUsize>,
}

impl Caller {
    /// A caller that follows where the facilitator runs.
    pub(crate) fn new(base: watch::Receiver<String>) -> Self {
        Self { http: reqwest::Client::new(), base, cut_off: Arc::default() }
    }

    /// Status and JSON of the answer.
    pub(crate) async fn call(
        &mut self,
        ask: impl Fn(&reqwest::Client, &str) -> RequestBuilder,
    ) -> (u16, Value) {
        loop {
            let base = self.base.borrow_and_update().clone();
            match answered(ask(&self.http, &base)).await {
                Ok(answer) => return answer,
                Err(_) => {
                    self.cut_off.fetch_add(1, Ordering::Relaxed);
                    // Nobody to hear from means that the last process runs.
                    let _ = timeout(AGAIN, self.base.changed()).await;
                }
            }
        }
    }

    /// Until another process runs; false where there will be none.
    pub(crate) async fn another(&mut self) -> bool {
        self.base.changed().await.is_ok()
    }

    /// Calls that were cut off so far, by this one and its clones.
    pub(crate) fn cut_off(&self) -> usize {
        self.cut_off.load(Ordering::Relaxed)
    }
}

async fn answered(request: RequestBuilder) -> reqwest::Result<(u16, Value)> {
    let response = request.send().await?;
    Ok((response.status().as_u16(), response.json().await?))
}
