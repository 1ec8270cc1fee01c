//! Serves a router over TCP: bounded connections, bounded heads, and an orderly end.
//!
//! HTTP/1.1 with keep-alive. TLS is the business of what stands in front.

use std::io::ErrorKind;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::patience::Patient;

/// Pause after the system refused a connection, as when it has no file descriptors left.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);
/// The least buffer that hyper works with.
const BUFFER_BYTES_MIN: usize = 8 * 1024;

/// Limits of connections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Most connections at once; others wait in the system's backlog.
    pub connections_max: usize,
    /// Largest head that is read at all. The routes refuse smaller ones, with more words.
    pub head_bytes_max: usize,
    /// How long a caller may take to send a head; also how long a connection may lie idle.
    pub head_timeout: Duration,
    /// Largest buffer of a connection; at least 8 KiB.
    pub buffer_bytes_max: usize,
    /// How long a caller may take nothing of its response before its connection is ended.
    pub write_timeout: Duration,
    /// How long requests that are being served may take to end after the shutdown began.
    pub shutdown_grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 20_000,
            head_bytes_max: 16 * 1024,
            head_timeout: Duration::from_secs(15),
            buffer_bytes_max: 128 * 1024,
            write_timeout: Duration::from_secs(30),
            shutdown_grace: Duration::from_secs(10),
        }
    }
}

/// What every connection shares.
#[derive(Clone)]
struct Connections {
    http: http1::Builder,
    router: Router,
    write_timeout: Duration,
    /// No more requests on a connection.
    ending: CancellationToken,
    /// Not even the one that is being served.
    cutting_off: CancellationToken,
    running: TaskTracker,
}

/// Serves until `shutdown` is ready, then lets what is being served end within the grace.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    shutdown: impl Future<Output = ()> + Send,
) {
    let connections = Connections {
        http: http(&limits),
        router,
        write_timeout: limits.write_timeout,
        ending: CancellationToken::new(),
        cutting_off: CancellationToken::new(),
        running: TaskTracker::new(),
    };
    tokio::select! {
        () = shutdown => {}
        () = connections.accept(&listener, limits.connections_max) => {}
    }
    drop(listener);
    connections.end(limits.shutdown_grace).await;
}

fn http(limits: &Limits) -> http1::Builder {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(limits.head_timeout)
        .max_header_size(limits.head_bytes_max)
        .max_buf_size(limits.buffer_bytes_max.max(BUFFER_BYTES_MIN));
    http
}

impl Connections {
    async fn accept(&self, listener: &TcpListener, connections_max: usize) {
        let free = Arc::new(Semaphore::new(connections_max.min(Semaphore::MAX_PERMITS)));
        loop {
            let permit = Arc::clone(&free).acquire_owned().await;
            match listener.accept().await {
                Ok((stream, _)) => {
                    let connection = self.clone().serve(stream);
                    self.running.spawn(async move {
                        connection.await;
                        drop(permit);
                    });
                }
                // The caller is gone before it was met.
                Err(error) if error.kind() == ErrorKind::ConnectionAborted => {}
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_RETRY).await;
                }
            }
        }
    }

    async fn serve(self, stream: TcpStream) {
        // Answers are small: waiting to fill a packet only delays them. Where that cannot be set
        // the connection is gone already, and serving it will say so.
        let _ = stream.set_nodelay(true);
        let stream = TokioIo::new(Patient::new(stream, self.write_timeout));
        let service = TowerToHyperService::new(self.router);
        let mut serving = pin!(self.http.serve_connection(stream, service));
        let ended = tokio::select! {
            ended = serving.as_mut() => ended,
            () = self.ending.cancelled() => {
                serving.as_mut().graceful_shutdown();
                tokio::select! {
                    ended = serving => ended,
                    () = self.cutting_off.cancelled() => Ok(()),
                }
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "a connection ended early");
        }
    }

    async fn end(self, grace: Duration) {
        self.running.close();
        self.ending.cancel();
        if tokio::time::timeout(grace, self.running.wait()).await.is_err() {
            let count = self.running.len();
            tracing::warn!(count, "cutting off connections that did not end in time");
            self.cutting_off.cancel();
            self.running.wait().await;
        }
    }
}
