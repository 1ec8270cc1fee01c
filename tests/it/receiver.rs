//! A receiver of webhooks on loopback: it keeps what arrives, and answers as it is told.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use standardwebhooks::Webhook;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

/// Longest wait for messages that must come.
const PATIENCE: Duration = Duration::from_secs(120);

/// What it answers: a status, and one header.
pub(crate) type Answer = (u16, Option<(&'static str, String)>);

/// A message that has arrived.
#[derive(Clone)]
pub(crate) struct Arrived {
    pub(crate) at: Instant,
    pub(crate) path: String,
    headers: HeaderMap,
    bytes: Bytes,
    pub(crate) body: Value,
}

/// A receiver that runs until it is dropped.
pub(crate) struct Receiver {
    pub(crate) url: String,
    shared: Arc<Shared>,
}

struct Shared {
    arrived: watch::Sender<Vec<Arrived>>,
    answers: Mutex<VecDeque<Answer>>,
    /// How long it takes for each.
    pause: Duration,
}

impl Receiver {
    pub(crate) async fn start() -> Self {
        Self::slow(Duration::ZERO).await
    }

    /// One that thinks for a while before each answer.
    pub(crate) async fn slow(pause: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let arrived = watch::Sender::new(Vec::new());
        let shared = Arc::new(Shared { arrived, answers: Mutex::default(), pause });
        let router = Router::new().fallback(receive).with_state(Arc::clone(&shared));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, shared }
    }

    /// Answers with these, then with 200 to everything.
    pub(crate) fn will_answer(&self, answers: impl IntoIterator<Item = Answer>) {
        self.shared.answers.lock().unwrap().extend(answers);
    }

    /// Everything that has arrived so far.
    pub(crate) fn arrived(&self) -> Vec<Arrived> {
        self.shared.arrived.borrow().clone()
    }

    /// Waits until that holds of what has arrived.
    pub(crate) async fn until(&self, holds: impl Fn(&[Arrived]) -> bool) -> Vec<Arrived> {
        let mut arrived = self.shared.arrived.subscribe();
        let waited = timeout(PATIENCE, arrived.wait_for(|arrived| holds(arrived))).await;
        let waited = waited.map(|waited| waited.unwrap().clone());
        waited.unwrap_or_else(|_| {
            let bodies: Vec<_> = self.arrived().into_iter().map(|one| one.body).collect();
            panic!("what must come does not: {bodies:#?}")
        })
    }

    /// Waits until so many messages have arrived, for as long as there are more and more.
    pub(crate) async fn comes_to(&self, count: usize) {
        let mut arrived = self.shared.arrived.subscribe();
        while arrived.borrow_and_update().len() < count {
            let more = timeout(PATIENCE, arrived.changed()).await;
            more.unwrap_or_else(|_| panic!("{} of {count} have come", self.arrived().len()))
                .unwrap();
        }
    }

    /// Waits until so many messages have arrived.
    pub(crate) async fn count(&self, count: usize) -> Vec<Arrived> {
        self.until(|arrived| arrived.len() >= count).await
    }
}

async fn receive(
    State(shared): State<Arc<Shared>>,
    uri: Uri,
    headers: HeaderMap,
    bytes: Bytes,
) -> Response {
    let body = serde_json::from_slice(&bytes).unwrap();
    let path = uri.path().to_owned();
    let arrived = Arrived { at: Instant::now(), path, headers, bytes, body };
    shared.arrived.send_modify(|all| all.push(arrived));
    let (status, header) =
        shared.answers.lock().unwrap().pop_front().unwrap_or((StatusCode::OK.as_u16(), None));
    tokio::time::sleep(shared.pause).await;
    let mut response = StatusCode::from_u16(status).unwrap().into_response();
    if let Some((name, value)) = header {
        response.headers_mut().insert(name, value.parse().unwrap());
    }
    response
}

impl Arrived {
    /// Whether it is signed by a secret, as the official library says.
    pub(crate) fn is_signed_by(&self, secret: &str) -> bool {
        Webhook::new(secret).unwrap().verify(&self.bytes, &self.headers).is_ok()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }

    /// The type, without what all begin with.
    pub(crate) fn name(&self) -> &str {
        self.body["type"].as_str().unwrap().trim_start_matches("verification.")
    }

    pub(crate) fn position(&self) -> u64 {
        self.body["data"]["position"].as_u64().unwrap()
    }

    pub(crate) fn verification(&self) -> &str {
        self.body["data"]["verification"]["id"].as_str().unwrap()
    }
}

/// Of each verification: what it was told of, as it came for the first time.
pub(crate) fn told(arrived: &[Arrived]) -> BTreeMap<String, Vec<(u64, String)>> {
    let mut told: BTreeMap<String, Vec<(u64, String)>> = BTreeMap::new();
    for one in arrived {
        let of = told.entry(one.verification().to_owned()).or_default();
        let what = (one.position(), one.name().to_owned());
        if !of.contains(&what) {
            of.push(what);
        }
    }
    told
}
