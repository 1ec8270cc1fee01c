//! The control service: wallets and faults for other processes, on the chain's own socket. Messages
//! carry JSON, because nothing but this program speaks it. There is no authentication: the chain is
//! a simulation and listens where it is told to.

use std::{
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use ccd402_chain::wallet::WalletFile;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio::sync::mpsc;
use tonic::{
    Request, Response, Status,
    body::BoxBody,
    codec::ProstCodec,
    codegen::{BoxFuture, Service, http},
    server::{Grpc, NamedService},
    transport::{Channel, Endpoint},
};

use crate::{
    Error,
    faucet::Faucet,
    faults::{Fault, FaultKind},
    node::Node,
    options::{Funds, IdentitySpec},
};

/// Name of the service.
const SERVICE: &str = "ccd402.simchain.Control";
/// Longest message.
const MESSAGE_BYTES_MAX: usize = 256 * 1024;
/// Longest a call may take: a wallet waits for finality.
const CALL_MAX: Duration = Duration::from_secs(90);

/// The only message there is.
#[derive(Clone, PartialEq, prost::Message)]
struct Text {
    #[prost(string, tag = "1")]
    json: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Issue {
    identity: IdentitySpec,
    funds: Funds,
}

/// What the chain does when asked, from within the process or through the service.
pub(crate) struct Controls {
    pub(crate) node: Arc<Node>,
    pub(crate) faucet: Faucet,
    pub(crate) restarts: mpsc::Sender<Duration>,
}

impl Controls {
    pub(crate) fn fault(&self, fault: Fault) {
        match fault.kind {
            FaultKind::RestartSocket { down_ms } => {
                // If a restart is already asked for, one is as good as two.
                let _ = self.restarts.try_send(Duration::from_millis(down_ms));
            }
            _ => self.node.faults.add(fault),
        }
        self.node.wake.notify_one();
    }

    pub(crate) fn clear_faults(&self) {
        self.node.faults.clear();
        self.node.wake.notify_one();
    }
}

/// The service; clones control the same chain.
#[derive(Clone)]
pub(crate) struct ControlService(pub(crate) Arc<Controls>);

impl NamedService for ControlService {
    const NAME: &'static str = SERVICE;
}

impl Service<http::Request<BoxBody>> for ControlService {
    type Response = http::Response<BoxBody>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Self::Error>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<BoxBody>) -> Self::Future {
        let controls = Arc::clone(&self.0);
        let method = request.uri().path().rsplit('/').next().unwrap_or_default().to_owned();
        Box::pin(async move {
            let service = tower::service_fn(move |request: Request<Text>| {
                let (controls, method) = (Arc::clone(&controls), method.clone());
                async move { answer(&controls, &method, &request.into_inner().json).await }
            });
            let codec = ProstCodec::<Text, Text>::default();
            let mut grpc = Grpc::new(codec).max_decoding_message_size(MESSAGE_BYTES_MAX);
            Ok(grpc.unary(service, request).await)
        })
    }
}

async fn answer(controls: &Controls, method: &str, json: &str) -> Result<Response<Text>, Status> {
    let answer = match method {
        "Issue" => {
            let Issue { identity, funds } = read(json)?;
            let wallet = controls.faucet.issue(identity, funds).await;
            let wallet = wallet.map_err(|error| Status::failed_precondition(error.to_string()))?;
            serde_json::to_string(&wallet).map_err(|e| Status::internal(e.to_string()))?
        }
        "Fault" => {
            controls.fault(read(json)?);
            String::new()
        }
        "ClearFaults" => {
            controls.clear_faults();
            String::new()
        }
        _ => return Err(Status::unimplemented("there is no such control")),
    };
    Ok(Response::new(Text { json: answer }))
}

#[expect(clippy::result_large_err, reason = "gRPC handlers answer with a Status by value")]
fn read<T: DeserializeOwned>(json: &str) -> Result<T, Status> {
    serde_json::from_str(json).map_err(|error| Status::invalid_argument(error.to_string()))
}

/// A client of the control service of a running chain.
#[derive(Clone, Debug)]
pub struct Control {
    url: String,
    channel: Channel,
}

impl Control {
    /// Connects to the chain at `url`, such as `http://127.0.0.1:20100`.
    ///
    /// # Errors
    /// If the address is not one, or nothing answers there.
    pub async fn connect(url: &str) -> Result<Self, Error> {
        let failed = |reason: tonic::transport::Error| Error::Control {
            url: url.to_owned(),
            reason: reason.to_string(),
        };
        let endpoint = Endpoint::from_shared(url.to_owned()).map_err(failed)?;
        let endpoint = endpoint.connect_timeout(Duration::from_secs(5)).timeout(CALL_MAX);
        let channel = endpoint.connect().await.map_err(failed)?;
        Ok(Self { url: url.to_owned(), channel })
    }

    /// Issues a wallet whose account exists, is funded and is final when this returns.
    ///
    /// # Errors
    /// If the chain is not a simulated one, or declines.
    pub async fn issue(&self, identity: IdentitySpec, funds: Funds) -> Result<WalletFile, Error> {
        let json = self.call("Issue", &Issue { identity, funds }).await?;
        serde_json::from_str(&json).map_err(|error| self.failed(error.to_string()))
    }

    /// Makes something go wrong.
    ///
    /// # Errors
    /// If the chain is not a simulated one, or cannot be reached.
    pub async fn fault(&self, fault: &Fault) -> Result<(), Error> {
        self.call("Fault", fault).await.map(drop)
    }

    /// Ends all faults.
    ///
    /// # Errors
    /// If the chain is not a simulated one, or cannot be reached.
    pub async fn clear_faults(&self) -> Result<(), Error> {
        self.call("ClearFaults", &()).await.map(drop)
    }

    async fn call(&self, method: &str, message: &impl Serialize) -> Result<String, Error> {
        let json = serde_json::to_string(message).map_err(|e| self.failed(e.to_string()))?;
        let path = http::uri::PathAndQuery::try_from(format!("/{SERVICE}/{method}"))
            .expect("names of methods are valid in a path");
        let mut grpc = tonic::client::Grpc::new(self.channel.clone());
        grpc.ready().await.map_err(|error| self.failed(error.to_string()))?;
        let codec = ProstCodec::<Text, Text>::default();
        let answer = grpc.unary(Request::new(Text { json }), path, codec).await;
        let answer = answer.map_err(|status| self.failed(status.message().to_owned()))?;
        Ok(answer.into_inner().json)
    }

    fn failed(&self, reason: String) -> Error {
        Error::Control { url: self.url.clone(), reason }
    }
}
