//! The sender against receivers on loopback and names that change their address.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use ccd402_app::ports::webhooks::{Message, Sent, SigningSecret, WebhookSender as _};
use ccd402_domain::webhook::event::{Answer, NoAnswer};
use chrono::Utc;
use ipnet::IpNet;
use standardwebhooks::Webhook;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::resolver::Lookup;
use crate::sender::{HttpSender, Options};

/// A receiver that answers every request alike, and tells what it was sent.
struct Receiver {
    address: SocketAddr,
    requests: mpsc::UnboundedReceiver<String>,
}

impl Receiver {
    async fn start(answer: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (tell, requests) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let tell = tell.clone();
                tokio::spawn(async move {
                    let mut request = Vec::new();
                    let mut buffer = [0; 4096];
                    while !String::from_utf8_lossy(&request).ends_with("{\"a\":1}") {
                        let read = stream.read(&mut buffer).await.unwrap();
                        if read == 0 {
                            return;
                        }
                        request.extend_from_slice(&buffer[..read]);
                    }
                    tell.send(String::from_utf8(request).unwrap()).unwrap();
                    if answer.is_empty() {
                        std::future::pending::<()>().await;
                    }
                    stream.write_all(answer.as_bytes()).await.unwrap();
                });
            }
        });
        Self { address, requests }
    }

    fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }
}

/// A name that has one address when it is asked for the first time, and another one ever after.
struct Rebinding {
    asked: AtomicUsize,
    addresses: [&'static str; 2],
}

#[async_trait]
impl Lookup for Rebinding {
    async fn lookup(&self, _: &str) -> std::io::Result<Vec<SocketAddr>> {
        let asked = self.asked.fetch_add(1, Ordering::SeqCst);
        let address = self.addresses[asked.min(1)];
        Ok(vec![SocketAddr::new(address.parse().unwrap(), 0)])
    }
}

fn loopback() -> Vec<IpNet> {
    vec!["127.0.0.0/8".parse().unwrap()]
}

fn message(url: &str) -> Message {
    Message {
        url: url.to_owned(),
        id: "msg_1".to_owned(),
        time: Utc::now(),
        body: b"{\"a\":1}".to_vec(),
        secrets: vec![SigningSecret(vec![1; 32]), SigningSecret(vec![2; 32])],
    }
}

async fn send(options: Options, url: &str) -> Sent {
    HttpSender::new(options).unwrap().send(message(url)).await
}

#[tokio::test]
async fn a_message_is_signed_by_every_secret() {
    let mut receiver = Receiver::start("HTTP/1.1 204 No Content\r\n\r\n").await;
    let options = Options { allow: loopback(), ..Options::default() };
    let sent = send(options, &receiver.url()).await;
    assert_eq!(sent.answer, Answer::Status(204));
    let request = receiver.requests.recv().await.unwrap();
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    let headers = head.lines().skip(1).filter_map(|line| line.split_once(": "));
    let headers: reqwest::header::HeaderMap = headers
        .map(|(name, value)| {
            let name: reqwest::header::HeaderName = name.parse().unwrap();
            (name, value.parse().unwrap())
        })
        .collect();
    for secret in [1, 2] {
        let webhook = Webhook::from_bytes(vec![secret; 32]).unwrap();
        assert!(webhook.verify(body.as_bytes(), &headers).is_ok());
    }
    let other = Webhook::from_bytes(vec![3; 32]).unwrap();
    assert!(other.verify(body.as_bytes(), &headers).is_err());
    assert_eq!(headers["content-type"], "application/json");
}

#[tokio::test]
async fn a_name_that_changes_its_address_cannot_lead_inside() {
    let mut inside = Receiver::start("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    let url = format!("http://shop.example:{}/", inside.address.port());
    // Refused the first time it is used, or the second: whatever it meant before does not count.
    for addresses in [["127.0.0.1", "127.0.0.1"], ["192.0.2.1", "127.0.0.1"]] {
        let lookup = Arc::new(Rebinding { asked: AtomicUsize::new(0), addresses });
        let options = Options { lookup, ..Options::default() };
        let sender = HttpSender::new(options).unwrap();
        assert!(sender.check(&url).is_ok(), "a name is not asked for when it is taken in");
        for _ in 0..2 {
            let sent = sender.send(message(&url)).await;
            assert_eq!(sent.answer, Answer::Error(NoAnswer::Refused), "{addresses:?}");
        }
    }
    assert!(inside.requests.try_recv().is_err(), "nothing arrived");
}

#[tokio::test]
async fn the_address_that_was_checked_is_the_one_connected_to() {
    let mut receiver = Receiver::start("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    let addresses = ["127.0.0.1", "192.0.2.1"];
    let lookup = Arc::new(Rebinding { asked: AtomicUsize::new(0), addresses });
    let options = Options { allow: loopback(), lookup: lookup.clone(), ..Options::default() };
    let url = format!("http://shop.example:{}/", receiver.address.port());
    assert_eq!(send(options, &url).await.answer, Answer::Status(200));
    assert!(receiver.requests.recv().await.is_some());
    assert_eq!(lookup.asked.load(Ordering::SeqCst), 1, "asked once, and that was used");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let mut inside = Receiver::start("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    let to =
        format!("HTTP/1.1 307 Away\r\nlocation: {}\r\ncontent-length: 0\r\n\r\n", inside.url());
    let outside = Receiver::start(to.leak()).await;
    let options = Options { allow: loopback(), ..Options::default() };
    assert_eq!(send(options, &outside.url()).await.answer, Answer::Status(307));
    assert!(inside.requests.try_recv().is_err());
}

#[tokio::test]
async fn who_does_not_answer_is_named_by_one_word() {
    let silent = Receiver::start("").await;
    let timeout = Duration::from_millis(200);
    let options = || Options { allow: loopback(), timeout, ..Options::default() };
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let closed_url = format!("http://{}/", closed.local_addr().unwrap());
    drop(closed);
    let broken = Receiver::start("HTTP/1.1 what").await;
    let rows = [
        (silent.url(), NoAnswer::TimedOut),
        (closed_url, NoAnswer::Unreachable),
        (broken.url(), NoAnswer::Broken),
        ("http://10.0.0.1/".to_owned(), NoAnswer::Refused),
        ("http://name.invalid/".to_owned(), NoAnswer::Unresolved),
    ];
    for (url, wanted) in rows {
        let lookup = Arc::new(Nobody);
        let sent = send(Options { lookup, ..options() }, &url).await;
        assert_eq!(sent.answer, Answer::Error(wanted), "{url}");
    }
}

/// Knows no name.
struct Nobody;

#[async_trait]
impl Lookup for Nobody {
    async fn lookup(&self, _: &str) -> std::io::Result<Vec<SocketAddr>> {
        Err(std::io::ErrorKind::NotFound.into())
    }
}

#[tokio::test]
async fn a_receiver_may_ask_for_time() {
    let rows = [
        ("HTTP/1.1 503 No\r\nretry-after: 7\r\ncontent-length: 0\r\n\r\n", Some(7)),
        ("HTTP/1.1 429 No\r\nretry-after: soon\r\ncontent-length: 0\r\n\r\n", None),
        (
            "HTTP/1.1 503 No\r\nretry-after: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
             content-length: 0\r\n\r\n",
            None,
        ),
    ];
    for (answer, wanted) in rows {
        let receiver = Receiver::start(answer).await;
        let options = Options { allow: loopback(), ..Options::default() };
        let sent = send(options, &receiver.url()).await;
        assert_eq!(sent.retry_after.map(|after| after.as_secs()), wanted, "{answer}");
    }
}
