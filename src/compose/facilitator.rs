//! The facilitator as one process: log, chain, workers and API, started and stopped together.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use ccd402_api::health::Health;
use ccd402_api::options::PublicUrl;
use ccd402_api::parts::Parts;
use ccd402_api::ready::Readiness;
use ccd402_api::server;
use ccd402_app::facilitator::{Facilitator, Options as AppOptions};
use ccd402_app::keys::Keys;
use ccd402_app::ports::chain::Chain as _;
use ccd402_app::ports::clock::SystemClock;
use ccd402_app::ports::queue::{JobKind, JobQueue};
use ccd402_app::reads::Reads;
use ccd402_chain::concordium::{Concordium, Options as ChainOptions};
use ccd402_chain::nodes::{Nodes, Options as NodeOptions};
use ccd402_domain::payment::Policy;
use ccd402_protocol::network::NetworkId;
use ccd402_store::postgres::Options as DatabaseOptions;
use ccd402_store::sqlite::SqliteReadModel;
use ccd402_workers::dispatcher::{Dispatcher, Options as DispatcherOptions};
use ccd402_workers::follower::{Follower, Status};
use ccd402_workers::projector::Projector;
use ccd402_workers::queue::Worked;
use ccd402_workers::runner::Runner;
use chrono::TimeDelta;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::compose::access::Access;
use crate::compose::audit::{self, Options as AuditOptions};
use crate::compose::jobs::{self, Options as JobOptions};
use crate::compose::log::{CACHE_BYTES, Log};
use crate::compose::ops::Ops;
use crate::compose::webhooks::{self, Wired};
use crate::compose::{dashboard, health, ready, sponsors};

/// How far clocks of gate, facilitator and chain may disagree.
const CLOCK_SKEW: TimeDelta = TimeDelta::seconds(10);
/// Longest wait for finality that a caller may ask for; x402 clients give up after 90 s.
const WAIT_MAX: Duration = Duration::from_secs(80);

/// What a facilitator is started with.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where the log lies, unless it is in a database, and everything made from it.
    pub data_dir: PathBuf,
    /// The database that keeps the log instead.
    pub database: Option<DatabaseOptions>,
    /// gRPC URLs of nodes.
    pub nodes: Vec<String>,
    /// The network that they must be on.
    pub network: Option<NetworkId>,
    /// URL of this server in links.
    pub public_url: Option<PublicUrl>,
    /// URL of a transaction in an explorer, with `{hash}` in it, instead of the network's own.
    pub explorer: Option<String>,
    /// How long calls wait for finality by default.
    pub wait: Duration,
    /// How long `/verify` holds a payment for `/settle`.
    pub reservation: Duration,
    /// How long after its challenge a payment may be handed in.
    pub presentation_grace: Duration,
    /// Most verifications that wait.
    pub waiting_max: u64,
    /// Most of these that may be one tenant's; by default all, or where keys are required a quarter.
    pub waiting_max_per_tenant: Option<u64>,
    /// Memory of the log's cache.
    pub log_cache_bytes: u64,
    /// Who may call.
    pub access: Access,
    /// Where to serve metrics and probes beside the API, if at all.
    pub ops_listen: Option<SocketAddr>,
    /// URL of the Redis that keeps jobs; a file of the data directory does where there is none.
    pub queue_url: Option<String>,
    /// How often what never ends is done.
    pub jobs: JobOptions,
    /// How webhooks are told.
    pub webhooks: webhooks::Options,
    /// How payments are sponsored.
    pub sponsors: sponsors::Options,
}

impl Options {
    /// The defaults.
    #[must_use]
    pub fn new(listen: SocketAddr, data_dir: PathBuf, nodes: Vec<String>) -> Self {
        Self {
            listen,
            data_dir,
            database: None,
            nodes,
            network: None,
            public_url: None,
            explorer: None,
            wait: Duration::from_secs(30),
            reservation: Duration::from_secs(60),
            presentation_grace: Duration::from_secs(24 * 3_600),
            waiting_max: 1_000_000,
            waiting_max_per_tenant: None,
            log_cache_bytes: CACHE_BYTES,
            access: Access::default(),
            ops_listen: None,
            queue_url: None,
            jobs: JobOptions::default(),
            webhooks: webhooks::Options::default(),
            sponsors: sponsors::Options::default(),
        }
    }

    /// Where no keys are required everybody is one tenant; else none may take all the room.
    fn waiting_max_per_tenant(&self) -> u64 {
        let default =
            if self.access.require_keys { self.waiting_max.div_ceil(4) } else { self.waiting_max };
        self.waiting_max_per_tenant.unwrap_or(default)
    }
}

/// A facilitator that runs.
pub struct Running {
    addr: SocketAddr,
    ops_addr: Option<SocketAddr>,
    facilitator: Arc<Facilitator>,
    log: Log,
    follower: watch::Receiver<Status>,
    reads: Arc<Reads>,
    read_model: SqliteReadModel,
    shutdown: CancellationToken,
    tasks: JoinSet<anyhow::Result<()>>,
}

/// Starts a facilitator: opens the log, reaches a node, begins to follow and to listen.
///
/// # Errors
/// Where one of these cannot be done; the message says what to do.
pub async fn start(options: Options) -> anyhow::Result<Running> {
    options.access.must_allow(options.listen)?;
    // Before anything that is measured is made.
    let ops = match options.ops_listen {
        Some(addr) => Some(Ops::listen(addr).await?),
        None => None,
    };
    let log = open_log(&options).await?;
    let keys = Keys::load(log.port(), Arc::new(SystemClock)).await?;
    options.access.must_have_a_key(&keys)?;
    let nodes = connect(&options).await?;
    let chain = Arc::new(Concordium::new(nodes, ChainOptions::default()));
    let policy = Policy {
        network: chain.network().clone(),
        presentation_grace: TimeDelta::from_std(options.presentation_grace)?,
        clock_skew: CLOCK_SKEW,
    };
    let app = AppOptions {
        policy,
        reservation: TimeDelta::from_std(options.reservation)?,
        wait_max: WAIT_MAX,
        waiting_max: options.waiting_max,
        waiting_max_per_tenant: options.waiting_max_per_tenant(),
    };
    let sponsors = sponsors::open(&chain, &options.sponsors).await?;
    let mut facilitator = Facilitator::new(log.port(), chain, Arc::new(SystemClock), app);
    if let Some(sponsors) = sponsors {
        facilitator = facilitator.sponsoring(sponsors, options.sponsors.limits);
        facilitator.restore_sponsors().await?;
    }
    let facilitator = Arc::new(facilitator);
    let queue = jobs::open(options.queue_url.as_deref(), &options.data_dir).await?;
    let read_model = SqliteReadModel::open(&options.data_dir).await;
    let model = Arc::new(read_model.clone());
    let reads = Arc::new(Reads::of(Arc::clone(facilitator.log()), model).await?);
    let parts = webhooks::Parts {
        log: log.port(),
        queue: queue.clone(),
        data_dir: &options.data_dir,
        public_url: options.public_url.as_ref(),
    };
    let wired = webhooks::wire(parts, options.webhooks.clone()).await?;
    let listener = TcpListener::bind(options.listen)
        .await
        .with_context(|| format!("cannot listen on {}; is it taken?", options.listen))?;
    let addr = listener.local_addr()?;
    let made = Made { log, facilitator, keys, queue, read_model, reads, ops, wired };
    Ok(run(options, (addr, listener), made))
}

async fn open_log(options: &Options) -> anyhow::Result<Log> {
    let log = match &options.database {
        Some(database) => {
            std::fs::create_dir_all(&options.data_dir)?;
            Log::in_database(database).await?
        }
        None => Log::in_dir(&options.data_dir, options.log_cache_bytes).await?,
    };
    audit::at_start(&log).await?;
    Ok(log)
}

async fn connect(options: &Options) -> anyhow::Result<Nodes> {
    let mut nodes = NodeOptions::new(options.nodes.clone());
    nodes.network = options.network.clone();
    let urls = options.nodes.join(", ");
    Nodes::connect(nodes).await.with_context(|| {
        format!(
            "cannot use the Concordium node at {urls}; `ccd402 simchain` runs a simulated one, \
             --node names another"
        )
    })
}

/// What a facilitator is made of, before it runs.
struct Made {
    log: Log,
    facilitator: Arc<Facilitator>,
    keys: Keys,
    queue: Arc<dyn Worked>,
    read_model: SqliteReadModel,
    reads: Arc<Reads>,
    ops: Option<Ops>,
    wired: Wired,
}

fn run(options: Options, (addr, listener): (SocketAddr, TcpListener), made: Made) -> Running {
    let Made { log, facilitator, keys, queue, read_model, reads, ops, wired } = made;
    let shutdown = CancellationToken::new();
    let mut tasks: JoinSet<anyhow::Result<()>> = JoinSet::new();
    let (follower, follower_status) = Follower::new(Arc::clone(&facilitator));
    let projector = Projector::new(Arc::clone(&reads));
    let jobs: Arc<dyn JobQueue> = queue.clone();
    let dispatcher =
        Dispatcher::new(Arc::clone(&facilitator), jobs.clone(), DispatcherOptions::default());
    let Wired { webhooks, dispatcher: teller, handler, seal } = wired;
    let mut handlers = jobs::handlers(&facilitator, &jobs, &options.jobs);
    handlers.insert(JobKind::DeliverWebhook, handler);
    let runner = Runner::new(queue, handlers, options.jobs.tries);
    let token = || shutdown.clone();
    let (t1, t2, t3, t4, t5) = (token(), token(), token(), token(), token());
    tasks.spawn(async move { Ok(follower.run(t1).await?) });
    tasks.spawn(async move { Ok(projector.run(t2).await?) });
    tasks.spawn(async move { Ok(dispatcher.run(t3).await?) });
    tasks.spawn(async move { Ok(runner.run(t4).await?) });
    tasks.spawn(async move { Ok(teller.run(t5).await?) });
    let watching = sponsors::watch(Arc::clone(&facilitator));
    let until = shutdown.clone();
    tasks.spawn(async move {
        until.run_until_cancelled_owned(watching).await;
        Ok(())
    });

    let audit = audit::run(log.clone(), AuditOptions::default());
    let until = shutdown.clone();
    tasks.spawn(async move { until.run_until_cancelled_owned(audit).await.unwrap_or(Ok(())) });

    let health = Health::default();
    let reporting = health::report(follower_status.clone(), health.clone());
    let until = shutdown.clone();
    tasks.spawn(async move {
        until.run_until_cancelled_owned(reporting).await;
        Ok(())
    });
    let readiness = Readiness::default();
    let parts = ready::Parts {
        log: log.clone(),
        follower: follower_status.clone(),
        reads: Arc::clone(&reads),
    };
    let watching = ready::watch(parts, readiness.clone());
    let full = jobs::watch(jobs.clone(), readiness.clone());
    let until = shutdown.clone();
    tasks.spawn(async move {
        until.run_until_cancelled_owned(async { tokio::join!(watching, full) }).await;
        Ok(())
    });
    let ops_addr = ops.as_ref().map(|ops| ops.addr);
    if let Some(ops) = ops {
        let (readiness, until) = (readiness.clone(), shutdown.clone());
        tasks.spawn(async move {
            ops.serve(readiness, until).await;
            Ok(())
        });
    }
    let api = ccd402_api::options::Options {
        public_url: options.public_url,
        require_keys: options.access.require_keys,
        wait_default: options.wait,
        wait_max: WAIT_MAX,
        stopping: shutdown.clone(),
        ..Default::default()
    };
    let parts = Parts {
        facilitator: Arc::clone(&facilitator),
        reads: Arc::clone(&reads),
        keys,
        jobs,
        webhooks,
        health,
        readiness,
    };
    let Options { listen, access, explorer, data_dir, .. } = options;
    let setting = dashboard::Setting { listen, access, explorer, seal, data_dir };
    let router = dashboard::router(parts, api, setting);
    let until = shutdown.clone().cancelled_owned();
    tasks.spawn(async move {
        server::serve(listener, router, server::Limits::default(), until).await;
        Ok(())
    });
    let follower = follower_status;
    Running { addr, ops_addr, facilitator, log, follower, reads, read_model, shutdown, tasks }
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
        self.ops_addr
    }

    /// Its base URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Its use cases.
    #[must_use]
    pub fn facilitator(&self) -> &Arc<Facilitator> {
        &self.facilitator
    }

    /// How its follower is doing.
    #[must_use]
    pub fn follower(&self) -> watch::Receiver<Status> {
        self.follower.clone()
    }

    /// Its lists and statistics.
    #[must_use]
    pub fn reads(&self) -> &Arc<Reads> {
        &self.reads
    }

    /// Waits until a part fails. A log that cannot be written must stop the process.
    pub async fn failed(&mut self) -> anyhow::Error {
        tokio::select! {
            reason = self.log.broken() => anyhow::anyhow!("the event log cannot be written: {reason}"),
            ended = self.tasks.join_next() => match ended {
                Some(Ok(Err(error))) => error,
                Some(Err(error)) => anyhow::anyhow!("a part of the facilitator panicked: {error}"),
                Some(Ok(Ok(()))) | None => anyhow::anyhow!("a part of the facilitator ended"),
            },
        }
    }

    /// Stops: no new requests, work in flight ends, the log is closed.
    ///
    /// # Errors
    /// Where a part had failed or the log cannot be closed cleanly. Nothing acknowledged is lost.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        self.shutdown.cancel();
        let mut first = Ok(());
        while let Some(ended) = self.tasks.join_next().await {
            let ended = ended.context("a part of the facilitator panicked").and_then(|r| r);
            first = first.and(ended);
        }
        drop(self.facilitator);
        self.read_model.close().await;
        self.log.close().await;
        first
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_keys_are_required_no_tenant_takes_all_the_room_unless_told_so() {
        let mut options = Options::new(([127, 0, 0, 1], 0).into(), PathBuf::new(), Vec::new());
        options.waiting_max = 10;
        assert_eq!(options.waiting_max_per_tenant(), 10);
        options.access.require_keys = true;
        assert_eq!(options.waiting_max_per_tenant(), 3);
        options.waiting_max_per_tenant = Some(10);
        assert_eq!(options.waiting_max_per_tenant(), 10);
    }
}
