//! The listening socket and its connections. Connections can be cut all at once, in the middle of
//! whatever they carry, to look like a node that went away.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::transport::server::{Connected, Server, TcpConnectInfo};
use tracing::{debug, error, info};

use crate::{Error, control::ControlService, node::Node, rpc::Queries};

/// Requests that one connection may have in progress, a node's default.
const REQUESTS_PER_CONNECTION: usize = 10;
/// Longest time the socket may be closed by a fault.
const DOWN_MAX: Duration = Duration::from_secs(3600);
/// How often the port is asked for again when the socket reopens, and how long to wait in between.
const REOPEN_ATTEMPTS: u32 = 200;
const REOPEN_PAUSE: Duration = Duration::from_millis(50);

/// Opens the socket.
pub(crate) async fn listen(address: SocketAddr) -> Result<TcpListener, Error> {
    TcpListener::bind(address).await.map_err(|source| Error::Listen { address, source })
}

/// Serves until `shutdown`; each message of `restarts` closes the socket for that long.
pub(crate) async fn serve(
    mut listener: TcpListener,
    service: Services,
    mut restarts: mpsc::Receiver<Duration>,
    shutdown: CancellationToken,
) {
    let Ok(address) = listener.local_addr() else { return };
    loop {
        let cut = shutdown.child_token();
        let down = tokio::select! {
            () = shutdown.cancelled() => None,
            down = restarts.recv() => down,
            () = serve_once(listener, &service, cut.clone()) => None,
        };
        cut.cancel();
        let Some(down) = down else { return };
        info!(down_ms = down.as_millis(), "the socket closes");
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(down.min(DOWN_MAX)) => {}
        }
        match reopen(address).await {
            Ok(reopened) => listener = reopened,
            Err(error) => return error!(%error, "the chain is not reachable any more"),
        }
    }
}

/// What is served.
#[derive(Clone)]
pub(crate) struct Services {
    pub(crate) node: Arc<Node>,
    pub(crate) control: ControlService,
}

async fn serve_once(listener: TcpListener, services: &Services, cut: CancellationToken) {
    let connections = futures::stream::unfold((listener, cut), |(listener, cut)| async move {
        let accepted = listener.accept().await;
        let connection = accepted.map(|(stream, _)| Connection::new(stream, cut.clone()));
        Some((connection, (listener, cut)))
    });
    let served = Server::builder()
        .concurrency_limit_per_connection(REQUESTS_PER_CONNECTION)
        .add_service(Queries(Arc::clone(&services.node)))
        .add_service(services.control.clone())
        .serve_with_incoming(connections)
        .await;
    if let Err(error) = served {
        debug!(%error, "the server ended");
    }
}

async fn reopen(address: SocketAddr) -> Result<TcpListener, Error> {
    for _ in 1..REOPEN_ATTEMPTS {
        match listen(address).await {
            Ok(listener) => return Ok(listener),
            Err(_) => tokio::time::sleep(REOPEN_PAUSE).await,
        }
    }
    listen(address).await
}

/// A connection that fails as soon as it is cut.
struct Connection {
    stream: TcpStream,
    cut: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl Connection {
    fn new(stream: TcpStream, cut: CancellationToken) -> Self {
        // Small messages are answered at once; without this they wait for the client's ACK.
        let _ = stream.set_nodelay(true);
        Self { stream, cut: Box::pin(cut.cancelled_owned()) }
    }

    fn check(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        match self.cut.as_mut().poll(cx) {
            Poll::Ready(()) => Err(io::ErrorKind::ConnectionReset.into()),
            Poll::Pending => Ok(()),
        }
    }
}

impl Connected for Connection {
    type ConnectInfo = TcpConnectInfo;

    fn connect_info(&self) -> TcpConnectInfo {
        self.stream.connect_info()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check(cx)?;
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.check(cx)?;
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check(cx)?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
