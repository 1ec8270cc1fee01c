//! A resource server on a real socket. It offers, holds payments against the domain's own rules and
//! takes each once; a test can change its offers and put answers of its own before it.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State as Extracted};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use ccd402_domain::account::AccountAddress;
use ccd402_domain::challenge::{Challenge, Window};
use ccd402_domain::ids::TransactionHash;
use ccd402_domain::payment::{Payment, Policy};
use ccd402_protocol::facilitator::SettleResponse;
use ccd402_protocol::header;
use ccd402_protocol::presented::PresentedPayment;
use ccd402_protocol::requirements::PaymentRequirements;
use ccd402_protocol::sponsored::SignedTransaction;
use ccd402_protocol::version::X402Version;
use chrono::TimeDelta;
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::payer::tests::Clock;
use crate::payer::tests::chain::Chain;

pub(super) const CONTENT: &str = "the forecast: sun";

/// An answer that a test puts before the server's own.
pub(super) enum Scripted {
    Status(u16),
    /// A 402 with this code.
    Code(&'static str),
    /// Any answer at all.
    Raw(Box<dyn FnOnce() -> Response + Send>),
    /// Takes the payment, and breaks off before anything is answered.
    TakeAndHang,
    /// Takes the payment, and breaks off in the middle of the content.
    TakeAndBreak,
}

/// What is asked for.
struct Asked {
    method: String,
    url: String,
}

pub(super) struct State {
    pub(super) is_free: bool,
    /// Which versions the 402 offers in.
    pub(super) versions: Vec<X402Version>,
    /// Applied to each offer before it goes out.
    pub(super) tweak: fn(&mut Value),
    /// Applied to the v2 PaymentRequired before it goes out.
    pub(super) tweak_required: fn(&mut Value),
    pub(super) open_for: TimeDelta,
    /// Answers to requests without a payment.
    pub(super) unpaid_script: VecDeque<Scripted>,
    /// Answers to requests with one.
    pub(super) script: VecDeque<Scripted>,
    /// Sponsored payments are pending until so many orders are signed.
    pub(super) orders_min: usize,
    used: HashSet<TransactionHash>,
    /// Every payment header that came in.
    pub(super) presented: Vec<(&'static str, String)>,
    /// What came in with the last request.
    pub(super) last_body: Vec<u8>,
    pub(super) last_headers: HeaderMap,
}

#[derive(Clone)]
pub(super) struct Server {
    clock: Clock,
    chain: Chain,
    state: Arc<Mutex<State>>,
    address: std::net::SocketAddr,
    /// Told when a payment was taken and no answer follows.
    pub(super) hangs: Arc<Notify>,
}

impl Server {
    pub(super) async fn start(clock: Clock, chain: Chain) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let state = State {
            is_free: false,
            versions: vec![X402Version::V1, X402Version::V2],
            tweak: |_| {},
            tweak_required: |_| {},
            open_for: TimeDelta::seconds(300),
            unpaid_script: VecDeque::new(),
            script: VecDeque::new(),
            orders_min: 0,
            used: HashSet::new(),
            presented: Vec::new(),
            last_body: Vec::new(),
            last_headers: HeaderMap::new(),
        };
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(state));
        let server = Self { clock, chain, state, address, hangs: Arc::default() };
        let router = Router::new().fallback(answer).with_state(server.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        server
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}/forecast?days=3", self.address)
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn offer(&self, version: X402Version, asked: &Asked) -> Value {
        let now = self.clock.now();
        let window = Window { opens_at: now, closes_at: now + self.state().open_for };
        let challenge = Challenge { nonce: [3; 16], window, seal: [4; 32] };
        let mut offer = json!({
            "scheme": "exact",
            "network": self.chain.network(),
            "asset": "CCD",
            "payTo": AccountAddress::from_bytes([2; 32]),
            "maxTimeoutSeconds": 300,
            "extra": {
                "assetTransferMethod": "transaction-hash",
                "paymentFlow": "upfront",
                "challenge": challenge.to_string(),
                "resource": asked.url,
                "method": asked.method,
            },
        });
        match version {
            X402Version::V1 => {
                offer["maxAmountRequired"] = json!("1500000");
                offer["resource"] = json!(asked.url);
                offer["description"] = json!("a forecast");
            }
            X402Version::V2 => offer["amount"] = json!("1500000"),
        }
        (self.state().tweak)(&mut offer);
        offer
    }

    fn demand(&self, asked: &Asked, error: Option<&str>) -> Response {
        let mut response = Response::builder().status(StatusCode::PAYMENT_REQUIRED);
        let mut body = json!("what a v2 server says to people");
        let versions = self.state().versions.clone();
        for version in versions {
            let offer = self.offer(version, asked);
            let mut required = json!({ "accepts": [offer], "x402Version": version });
            if let Some(error) = error {
                required["error"] = json!(error);
            }
            if version == X402Version::V1 {
                body = required;
            } else {
                required["resource"] = json!({ "url": asked.url, "description": "a forecast" });
                required["extensions"] = json!({ "bazaar": { "info": { "kept": 1 } } });
                (self.state().tweak_required)(&mut required);
                let value = header::encode(&required).unwrap();
                response = response.header(header::PAYMENT_REQUIRED, value);
            }
        }
        response.body(body.to_string().into()).unwrap()
    }

    /// The code that refuses the payment, or the receipt.
    fn judge(&self, version: X402Version, value: &str) -> Result<SettleResponse, String> {
        let payload: Value = header::decode(value.as_bytes()).map_err(|e| e.to_string())?;
        let transaction = if payload["payload"]["signedTransaction"].is_object() {
            self.sponsor(&payload)?
        } else {
            self.transferred(version, payload)?
        };
        if !self.state().used.insert(transaction) {
            return Err("payment_already_used".to_owned());
        }
        Ok(SettleResponse {
            success: true,
            transaction: transaction.to_string(),
            network: self.chain.network().to_string(),
            ..SettleResponse::default()
        })
    }

    /// As a facilitator does that sponsors; what rules there are about the words is not its matter.
    fn sponsor(&self, payload: &Value) -> Result<TransactionHash, String> {
        let signed = SignedTransaction::decode(&payload["payload"]).map_err(|e| e.to_string())?;
        if self.chain.state().orders.len() < self.state().orders_min {
            return Err("settlement_pending".to_owned());
        }
        let digest = signed.signatures.sender[&0][&0].parse().unwrap();
        Ok(self.chain.sponsor(&digest)?)
    }

    fn transferred(&self, version: X402Version, payload: Value) -> Result<TransactionHash, String> {
        let accepted = match version {
            X402Version::V1 => payload["payload"]["binding"]["accepted"].clone(),
            X402Version::V2 => payload["accepted"].clone(),
        };
        let requirements =
            PaymentRequirements::decode(version, accepted).map_err(|e| e.code.to_string())?;
        let presented = PresentedPayment::assemble(version, requirements, payload)
            .map_err(|refused| refused.to_string())?;
        let policy = Policy {
            network: self.chain.network(),
            presentation_grace: TimeDelta::hours(24),
            clock_skew: TimeDelta::seconds(5),
        };
        let (payment, _) = Payment::read(&presented, &policy, self.clock.now())
            .map_err(|rejection| rejection.code.to_string())?;
        let Some(transfer) = self.chain.finalized(&payment.transaction) else {
            return Err("transaction_pending".to_owned());
        };
        let is_bound = transfer.memo == payment.digest
            && transfer.amount == payment.amount
            && transfer.asset == payment.asset
            && transfer.to == payment.pay_to;
        if is_bound { Ok(payment.transaction) } else { Err("payment_not_bound".to_owned()) }
    }
}

async fn answer(Extracted(server): Extracted<Server>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 2 << 20).await.unwrap();
    let payment =
        [(header::X_PAYMENT, X402Version::V1), (header::PAYMENT_SIGNATURE, X402Version::V2)]
            .into_iter()
            .find_map(|(name, version)| {
                let value = parts.headers.get(name)?.to_str().unwrap().to_owned();
                Some((name, version, value))
            });
    let url = format!("http://{}{}", server.address, parts.uri);
    let asked = Asked { method: parts.method.to_string(), url };
    let scripted = {
        let mut state = server.state();
        state.last_body = body.to_vec();
        state.last_headers = parts.headers;
        match &payment {
            None => state.unpaid_script.pop_front(),
            Some((name, _, value)) => {
                state.presented.push((name, value.clone()));
                state.script.pop_front()
            }
        }
    };
    let is_free = server.state().is_free;
    match (scripted, payment) {
        (Some(Scripted::Status(status)), _) => {
            let status = StatusCode::from_u16(status).unwrap();
            Response::builder().status(status).body(Body::empty()).unwrap()
        }
        (Some(Scripted::Code(code)), _) => server.demand(&asked, Some(code)),
        (Some(Scripted::Raw(raw)), _) => raw(),
        (Some(Scripted::TakeAndHang), Some((_, version, value))) => {
            server.judge(version, &value).unwrap();
            server.hangs.notify_one();
            std::future::pending().await
        }
        (Some(Scripted::TakeAndBreak), Some((_, version, value))) => {
            server.judge(version, &value).unwrap();
            broken_content(&server)
        }
        (_, None) if is_free => Response::new(CONTENT.into()),
        (_, None) => server.demand(&asked, None),
        (_, Some((_, version, value))) => match server.judge(version, &value) {
            Err(code) => server.demand(&asked, Some(&code)),
            Ok(receipt) => content(version, &receipt),
        },
    }
}

fn content(version: X402Version, receipt: &SettleResponse) -> Response {
    let name = match version {
        X402Version::V1 => header::X_PAYMENT_RESPONSE,
        X402Version::V2 => header::PAYMENT_RESPONSE,
    };
    let receipt = header::encode(receipt).unwrap();
    Response::builder().header(name, receipt).body(CONTENT.into()).unwrap()
}

/// Half of the content, and then nothing more.
fn broken_content(server: &Server) -> Response {
    let hangs = server.hangs.clone();
    let half: Result<Vec<u8>, std::io::Error> = Ok(CONTENT.as_bytes()[..8].to_vec());
    let never = async move {
        hangs.notify_one();
        std::future::pending().await
    };
    let pieces = futures::stream::iter([half]);
    let stream = futures::StreamExt::chain(pieces, futures::stream::once(never));
    Response::new(Body::from_stream(stream))
}
