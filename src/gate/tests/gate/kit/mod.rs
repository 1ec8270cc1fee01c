//! What the tests are made of: servers on port 0, payers, and conditions to wait for.

pub(crate) mod facilitator;
pub(crate) mod sponsored;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use ccd402_domain::account::AccountAddress;
use ccd402_gate::gate::{Gate, Options};
use ccd402_gate::layer::GateLayer;
use ccd402_gate::price::Price;
use ccd402_gate::proxy::{self, Proxy};
use ccd402_gate::routes::{Route, Routes};
use ccd402_gate::secret::Secret;
use ccd402_protocol::header;
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use facilitator::Scripted;

/// A condition that is not met after this long fails the test.
const PATIENCE: Duration = Duration::from_secs(20);

/// Waits for something that must happen.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("no sign of: {what}"))
}

pub(crate) fn route(pattern: &str, price: &str) -> Route {
    let price = Price::parse(price, None).unwrap();
    Route {
        methods: vec![Method::GET, Method::HEAD, Method::POST],
        description: Some("A report".to_owned()),
        mime_type: Some("text/plain".to_owned()),
        ..Route::new(pattern.parse().unwrap(), price, AccountAddress::from_bytes([7; 32]))
    }
}

/// Options of a gate before `/report` and `/articles/*`, all with the same secret.
pub(crate) fn options(facilitator: &Arc<Scripted>, price: &str) -> Options {
    let routes = Routes::new(vec![route("/report", price), route("/articles/*", price)]).unwrap();
    let secret = Secret::new(vec![42; 32]).unwrap();
    let network = "concordium-testnet".parse().unwrap();
    Options::new(routes, secret, facilitator.clone(), network)
}

/// An axum application with a gate as a layer.
pub(crate) async fn layered(options: Options, app: Router) -> SocketAddr {
    serve(app.layer(GateLayer::new(Arc::new(Gate::new(options))))).await
}

pub(crate) async fn serve(app: Router) -> SocketAddr {
    let (listener, address) = listener().await;
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    address
}

pub(crate) async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// A proxy before the upstream, until it is told to stop.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) stop: Option<tokio::sync::oneshot::Sender<()>>,
    pub(crate) served: JoinHandle<()>,
}

pub(crate) async fn proxied(options: Options, upstream: SocketAddr) -> Running {
    let url = format!("http://{upstream}").parse().unwrap();
    proxied_with(options, proxy::Options::new(url)).await
}

pub(crate) async fn proxied_with(options: Options, proxy: proxy::Options) -> Running {
    let proxy = Proxy::new(Arc::new(Gate::new(options)), proxy).unwrap();
    let (listener, address) = listener().await;
    let (stop, stopped) = tokio::sync::oneshot::channel();
    let served = tokio::spawn(async move {
        let until = async {
            if stopped.await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        proxy.serve(listener, until).await.unwrap();
    });
    Running { address, stop: Some(stop), served }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    V1,
    V2,
}

pub(crate) const BOTH: [Version; 2] = [Version::V1, Version::V2];

impl Version {
    pub(crate) fn payment_header(self) -> &'static str {
        match self {
            Self::V1 => "X-PAYMENT",
            Self::V2 => "PAYMENT-SIGNATURE",
        }
    }

    pub(crate) fn response_header(self) -> &'static str {
        match self {
            Self::V1 => "x-payment-response",
            Self::V2 => "payment-response",
        }
    }
}

pub(crate) fn request(method: Method, at: SocketAddr, path: &str) -> RequestBuilder {
    // Reading the system's root certificates for every request would take most of the time.
    let client = reqwest::Client::builder().tls_built_in_root_certs(false).no_proxy();
    client.build().unwrap().request(method, format!("http://{at}{path}"))
}

pub(crate) async fn get(at: SocketAddr, path: &str) -> Response {
    request(Method::GET, at, path).send().await.unwrap()
}

/// The offer of a 402, of the version.
pub(crate) async fn offer(version: Version, response: Response) -> Value {
    assert_eq!(response.status(), 402);
    match version {
        Version::V1 => response.json::<Value>().await.unwrap()["accepts"][0].clone(),
        Version::V2 => {
            let header = response.headers()["payment-required"].as_bytes();
            header::decode::<Value>(header).unwrap()["accepts"][0].clone()
        }
    }
}

/// A payment header for the offer. `transaction` tells payments apart.
pub(crate) fn payment(version: Version, offer: &Value, transaction: u8) -> String {
    let sender = AccountAddress::from_bytes([8; 32]);
    let hash = hex(transaction);
    let payload = match version {
        Version::V1 => json!({
            "x402Version": 1, "scheme": "exact", "network": offer["network"],
            "payload": {
                "txHash": hash, "sender": sender, "binding": { "type": "memo", "accepted": offer },
            },
        }),
        Version::V2 => json!({
            "x402Version": 2, "accepted": offer,
            "payload": { "txHash": hash, "sender": sender, "binding": { "type": "memo" } },
        }),
    };
    header::encode(&payload).unwrap()
}

pub(crate) fn hex(transaction: u8) -> String {
    format!("{transaction:02x}").repeat(32)
}

/// Asks, takes the offer, and comes back with a payment for it.
pub(crate) async fn pay(version: Version, at: SocketAddr, path: &str, transaction: u8) -> Response {
    let offer = offer(version, get(at, path).await).await;
    present(version, at, path, &payment(version, &offer, transaction)).await
}

pub(crate) async fn present(
    version: Version,
    at: SocketAddr,
    path: &str,
    payment: &str,
) -> Response {
    let request = request(Method::GET, at, path).header(version.payment_header(), payment);
    request.send().await.unwrap()
}

/// `error` of a 402, the same in both versions, or `code` of a problem.
pub(crate) async fn code(response: Response) -> String {
    let v2 = response.headers().get("payment-required").cloned();
    let is_402 = response.status() == 402;
    assert_eq!(response.headers()["cache-control"], "no-store");
    let body: Value = response.json().await.unwrap();
    let name = if is_402 { "error" } else { "code" };
    let code = body[name].as_str().unwrap().to_owned();
    if let Some(v2) = v2 {
        let v2: Value = header::decode(v2.as_bytes()).unwrap();
        assert_eq!(v2["error"], code);
    }
    code
}

/// Sends bytes as they are and reads until the server closes.
pub(crate) async fn raw(at: SocketAddr, head: &str) -> String {
    let mut stream = TcpStream::connect(at).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    soon("the end of the answer", stream.read_to_end(&mut answer)).await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}
