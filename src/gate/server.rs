//! The proxy's own HTTP/1.1 server: an accept loop with bounds, and an orderly end.
//!
//! It speaks plain HTTP; TLS ends before it.

use std::future::Future;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tower::ServiceExt as _;

use crate::error::Error;

/// Request line and headers of one request: a payment header of 32 KiB, a URL, and room. More is
/// answered with 431.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// How long a client may take to send them.
const HEAD_TIMEOUT: Duration = Duration::from_secs(15);
/// Pause after the system has run out of something, such as file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Bounds of the server.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Open connections; more wait in the system's queue.
    pub(crate) connections_max: usize,
    /// How long requests in progress may take to end once the server is told to.
    pub(crate) drain_timeout: Duration,
}

/// Serves until `shutdown` resolves, then finishes what is in progress.
///
/// # Errors
/// Where the listener fails for good.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    bounds: Bounds,
    shutdown: impl Future<Output = ()>,
) -> Result<(), Error> {
    let places = Arc::new(Semaphore::new(bounds.connections_max));
    let graceful = GracefulShutdown::new();
    let mut shutdown = pin!(shutdown);
    loop {
        let accepted = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (listener.accept().await, place.expect("the semaphore is never closed"))
        };
        let (accepted, place) = tokio::select! {
            () = &mut shutdown => break,
            accepted = accepted => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) if is_fatal(error.kind()) => return Err(Error::Listener(error)),
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let connection = graceful.watch(connection(stream, peer, router.clone()));
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection broke off");
            }
            drop(place);
        });
    }
    drop(listener);
    if tokio::time::timeout(bounds.drain_timeout, graceful.shutdown()).await.is_err() {
        tracing::warn!("requests were still in progress when the time to finish them was over");
    }
    Ok(())
}

fn is_fatal(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::InvalidInput | ErrorKind::NotConnected | ErrorKind::Unsupported)
}

type Connection = http1::Connection<TokioIo<TcpStream>, HyperService>;
type HyperService = TowerToHyperService<
    tower::util::BoxCloneService<
        http::Request<hyper::body::Incoming>,
        http::Response<axum::body::Body>,
        std::convert::Infallible,
    >,
>;

fn connection(stream: TcpStream, peer: SocketAddr, router: Router) -> Connection {
    // Small answers must not wait for the client's acknowledgement; where that fails, they do.
    let _ = stream.set_nodelay(true);
    let service = router
        .map_request(move |mut request: http::Request<hyper::body::Incoming>| {
            request.extensions_mut().insert(ConnectInfo(peer));
            request.map(axum::body::Body::new)
        })
        .boxed_clone();
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service))
}
