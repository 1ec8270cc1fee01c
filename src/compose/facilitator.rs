//! The facilitator as one process: log, chain, workers and API, started and stopped together. Several
//! processes may share the work; what each of them does is its role.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;
use ccd402_api::parts::Parts;
use ccd402_api::server;
use ccd402_app::facilitator::Facilitator;
use ccd402_app::reads::Reads;
use ccd402_workers::follower::Status;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::compose::dashboard;
pub use crate::compose::options::{Options, Role};
use crate::compose::process::Process;

/// A facilitator that answers calls.
pub struct Running {
    addr: SocketAddr,
    process: Process,
}

/// A facilitator that works, and answers no calls.
pub struct Working {
    process: Process,
}

/// Starts a facilitator: opens the log, reaches a node, begins to follow and to listen.
///
/// # Errors
/// Where one of these cannot be done; the message says what to do.
pub async fn start(options: Options) -> anyhow::Result<Running> {
    options.access.must_allow(options.listen)?;
    let (listen, public_url) = (options.listen, options.public_url.clone());
    let (access, wait) = (options.access, options.wait);
    let (explorer, data_dir) = (options.explorer.clone(), options.data_dir.clone());
    let mut process = Process::open(options).await?;
    let listener = TcpListener::bind(listen)
        .await
        .with_context(|| format!("cannot listen on {listen}; is it taken?"))?;
    let addr = listener.local_addr()?;
    process.begin();
    let options = ccd402_api::options::Options {
        public_url,
        require_keys: access.require_keys,
        wait_default: wait,
        wait_max: process.facilitator.options().wait_max,
        stopping: process.tasks.shutdown().clone(),
        ..Default::default()
    };
    let parts = Parts {
        facilitator: Arc::clone(&process.facilitator),
        reads: Arc::clone(&process.reads),
        keys: process.keys.clone(),
        rates: process.rates.clone(),
        jobs: process.queue.clone(),
        webhooks: Arc::clone(&process.webhooks),
        health: process.health.clone(),
        readiness: process.readiness.clone(),
    };
    let seal = process.seal;
    let setting = dashboard::Setting { listen, access, explorer, seal, data_dir };
    let router = dashboard::router(parts, options, setting);
    process.tasks.spawn(async move |stop| {
        server::serve(listener, router, server::Limits::default(), stop.cancelled_owned()).await;
        anyhow::Ok(())
    });
    Ok(Running { addr, process })
}

/// Starts the working part alone.
///
/// # Errors
/// As [`start`].
pub async fn start_to_work(options: Options) -> anyhow::Result<Working> {
    let mut process = Process::open(Options { role: Role::Work, ..options }).await?;
    process.begin();
    Ok(Working { process })
}

impl Running {
    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Where its operations port listens, if it has one.
    #[must_use]
    pub fn ops_addr(&self) -> Option<SocketAddr> {
        self.process.ops_addr
    }

    /// Its base URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Its use cases.
    #[must_use]
    pub fn facilitator(&self) -> &Arc<Facilitator> {
        &self.process.facilitator
    }

    /// How its follower is doing.
    #[must_use]
    pub fn follower(&self) -> watch::Receiver<Status> {
        self.process.follower.clone()
    }

    /// Its lists and statistics.
    #[must_use]
    pub fn reads(&self) -> &Arc<Reads> {
        &self.process.reads
    }

    /// Waits until a part fails. A log that cannot be written must stop the process.
    pub async fn failed(&mut self) -> anyhow::Error {
        self.process.failed().await
    }

    /// Stops: no new requests, work in flight ends, the log is closed.
    ///
    /// # Errors
    /// Where a part had failed or the log cannot be closed cleanly. Nothing acknowledged is lost.
    pub async fn stop(self) -> anyhow::Result<()> {
        self.process.stop().await
    }
}

impl Working {
    /// Where its operations port listens, if it has one.
    #[must_use]
    pub fn ops_addr(&self) -> Option<SocketAddr> {
        self.process.ops_addr
    }

    /// Its use cases.
    #[must_use]
    pub fn facilitator(&self) -> &Arc<Facilitator> {
        &self.process.facilitator
    }

    /// Waits until a part fails.
    pub async fn failed(&mut self) -> anyhow::Error {
        self.process.failed().await
    }

    /// Stops: work in flight ends, leases are given up, the log is closed.
    ///
    /// # Errors
    /// As [`Running::stop`].
    pub async fn stop(self) -> anyhow::Result<()> {
        self.process.stop().await
    }
}
