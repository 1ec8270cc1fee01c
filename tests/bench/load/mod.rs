//! A load of HTTP requests: many connections, each sending its next request when the last is
//! answered. It writes and reads bytes itself, so that the servers are measured and not a client.

mod wire;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::net::TcpStream;
pub(crate) use wire::{exchange, status_of};

/// Requests that differ in their transaction hashes alone.
pub(crate) struct Template {
    bytes: Vec<u8>,
    hashes_at: Vec<usize>,
}

impl Template {
    /// A POST of this body; each `hash` in it is replaced by a new one each time.
    pub(crate) fn post(path: &str, body: &str, hash: &str) -> Self {
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n",
            body.len()
        );
        let hashes_at: Vec<_> = body.match_indices(hash).map(|(at, _)| head.len() + at).collect();
        assert!(!hashes_at.is_empty(), "the body holds the hash");
        Self { bytes: (head + body).into_bytes(), hashes_at }
    }
}

/// What a round came to.
pub(crate) struct Load {
    /// Requests that were answered with the status expected.
    pub(crate) answered: u64,
    /// How long it took.
    pub(crate) time: Duration,
}

/// The status of a server that has too much waiting, and when it wants to be asked again.
const OVERLOADED: &[u8] = b"503";
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Hashes that were used: no two requests of a process have the same.
static NEXT_HASH: AtomicU64 = AtomicU64::new(1);

/// Sends `requests` requests over so many connections and counts those answered with `status`.
pub(crate) async fn run(
    addr: SocketAddr,
    template: Arc<Template>,
    (connections, requests): (u64, u64),
    status: &'static str,
) -> Load {
    let left = Arc::new(AtomicU64::new(requests));
    let since = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..connections {
        let (template, left) = (Arc::clone(&template), Arc::clone(&left));
        tasks.spawn(async move { connection(addr, &template, &left, status).await });
    }
    let mut answered = 0;
    while let Some(ended) = tasks.join_next().await {
        answered += ended.expect("no connection panics");
    }
    Load { answered, time: since.elapsed() }
}

async fn connection(
    addr: SocketAddr,
    template: &Template,
    left: &AtomicU64,
    status: &'static str,
) -> u64 {
    let mut stream = TcpStream::connect(addr).await.expect("the server accepts");
    stream.set_nodelay(true).expect("TCP has the option");
    let mut request = template.bytes.clone();
    let mut answer = Vec::with_capacity(8 * 1024);
    let mut answered = 0;
    while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1)).is_ok() {
        for &at in &template.hashes_at {
            let hash = format!("{:064x}", NEXT_HASH.fetch_add(1, Ordering::Relaxed));
            request[at..at + 64].copy_from_slice(hash.as_bytes());
        }
        exchange(&mut stream, &request, &mut answer).await;
        while status_of(&answer) == OVERLOADED {
            tokio::time::sleep(RETRY_AFTER).await;
            exchange(&mut stream, &request, &mut answer).await;
        }
        let told = String::from_utf8_lossy(&answer);
        assert_eq!(status_of(&answer), status.as_bytes(), "{told}");
        answered += 1;
    }
    answered
}
