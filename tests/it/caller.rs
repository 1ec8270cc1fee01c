//! Asks a facilitator that may die at any moment, wherever it runs next; of several processes that
//! answer, one after the other.

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

/// Before the next of several is asked.
const NEXT: Duration = Duration::from_millis(100);
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
    bases: watch::Receiver<Vec<String>>,
    /// Which of them is asked next.
    turn: usize,
    /// Whether the same is asked as long as it answers.
    is_faithful: bool,
    cut_off: Arc<AtomicUsize>,
}

impl Caller {
    /// A caller that follows where the facilitator runs.
    pub(crate) fn new(bases: watch::Receiver<Vec<String>>) -> Self {
        let cut_off = Arc::default();
        Self { http: reqwest::Client::new(), bases, turn: 0, is_faithful: false, cut_off }
    }

    /// The same, who keeps to one of several.
    pub(crate) fn faithful_to(&self, turn: usize) -> Self {
        Self { turn, is_faithful: true, ..self.clone() }
    }

    /// Status and JSON of the answer.
    pub(crate) async fn call(
        &mut self,
        ask: impl Fn(&reqwest::Client, &str) -> RequestBuilder,
    ) -> (u16, Value) {
        loop {
            let bases = self.bases.borrow_and_update().clone();
            let base = &bases[self.turn % bases.len()];
            self.turn += usize::from(!self.is_faithful);
            match answered(ask(&self.http, base)).await {
                Ok(answer) => return answer,
                Err(_) => {
                    self.cut_off.fetch_add(1, Ordering::Relaxed);
                    self.turn += usize::from(self.is_faithful);
                    let wait = if bases.len() > 1 { NEXT } else { AGAIN };
                    // Nobody to hear from means that the last process runs.
                    let _ = timeout(wait, self.bases.changed()).await;
                }
            }
        }
    }

    /// Until another process runs; false where there will be none.
    pub(crate) async fn another(&mut self) -> bool {
        self.bases.changed().await.is_ok()
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
