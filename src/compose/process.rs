//! A process of the facilitator without its API: what it is made of, and what it does by itself.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use ccd402_api::health::Health;
use ccd402_api::rates::Rates;
use ccd402_api::ready::Readiness;
use ccd402_app::facilitator::{Facilitator, Options as AppOptions};
use ccd402_app::keys::Keys;
use ccd402_app::ports::chain::Chain as _;
use ccd402_app::ports::clock::SystemClock;
use ccd402_app::ports::log::Position;
use ccd402_app::reads::Reads;
use ccd402_app::webhooks::Webhooks;
use ccd402_chain::concordium::{Concordium, Options as ChainOptions};
use ccd402_chain::nodes::{Nodes, Options as NodeOptions};
use ccd402_domain::payment::Policy;
use ccd402_store::postgres::Options as DatabaseOptions;
use ccd402_workers::follower::{Follower, Status};
use ccd402_workers::lease::Leasing;
use ccd402_workers::listener::Listener;
use ccd402_workers::queue::Worked;
use ccd402_workers::relay::Relay;
use chrono::TimeDelta;
use tokio::sync::watch;

use crate::compose::log::Log;
use crate::compose::ops::Ops;
use crate::compose::options::{Options, Role};
use crate::compose::read_model::Model;
use crate::compose::tasks::Tasks;
use crate::compose::webhooks::{self, Wired};
use crate::compose::work::Work;
use crate::compose::{audit, health, jobs, ready, relay, sponsors};

/// How far clocks of gate, facilitator and chain may disagree.
const CLOCK_SKEW: TimeDelta = TimeDelta::seconds(10);
/// Longest wait for finality that a caller may ask for; x402 clients give up after 90 s.
const WAIT_MAX: Duration = Duration::from_secs(80);

/// A process of the facilitator.
pub(crate) struct Process {
    pub(crate) facilitator: Arc<Facilitator>,
    pub(crate) keys: Keys,
    pub(crate) rates: Rates,
    pub(crate) queue: Arc<dyn Worked>,
    pub(crate) reads: Arc<Reads>,
    pub(crate) webhooks: Arc<Webhooks>,
    /// Seals sessions of the dashboard.
    pub(crate) seal: [u8; 32],
    pub(crate) health: Health,
    pub(crate) readiness: Readiness,
    pub(crate) follower: watch::Receiver<Status>,
    pub(crate) ops_addr: Option<SocketAddr>,
    pub(crate) tasks: Tasks,
    log: Log,
    read_model: Model,
    /// What is begun once everything is there.
    begins: Option<Begins>,
}

/// What a process is to begin.
struct Begins {
    role: Role,
    leasing: Leasing,
    /// Everything up to here was in the log before anything was read from it.
    since: Position,
    ops: Option<Ops>,
    relay: Option<Relay>,
    follower: Follower,
    work: Work,
}

impl Process {
    /// Opens the log and everything made from it, and reaches a node.
    ///
    /// # Errors
    /// Where one of these cannot be done; the message says what to do.
    pub(crate) async fn open(options: Options) -> anyhow::Result<Self> {
        options.must_fit_together()?;
        // Before anything that is measured is made.
        let ops = match options.ops_listen {
            Some(addr) => Some(Ops::listen(addr).await?),
            None => None,
        };
        let log = open_log(&options).await?;
        let since = log.head();
        let keys = Keys::load(log.port(), Arc::new(SystemClock)).await?;
        if options.role != Role::Work {
            options.access.must_have_a_key(&keys)?;
        }
        let facilitator = facilitator(&log, &options).await?;
        let queue = jobs::open(options.queue_url.as_deref(), &options.data_dir).await?;
        let read_model = Model::open(&options.data_dir, options.database.as_ref()).await?;
        let reads = Reads::of(Arc::clone(facilitator.log()), read_model.port()).await?;
        let reads = Arc::new(reads);
        let parts = webhooks::Parts {
            log: &log,
            queue: queue.clone(),
            data_dir: &options.data_dir,
            public_url: options.public_url.as_ref(),
        };
        let Wired { webhooks, dispatcher, handler, seal } =
            webhooks::wire(parts, options.webhooks.clone()).await?;
        let (follower, status) = Follower::new(Arc::clone(&facilitator));
        let work = Work {
            facilitator: Arc::clone(&facilitator),
            queue: queue.clone(),
            deliveries: (dispatcher, handler),
            jobs: options.jobs.clone(),
        };
        let leasing = log.leasing();
        let ops_addr = ops.as_ref().map(|ops| ops.addr);
        let relay = relay(&options, &facilitator)?;
        let begins = Begins { role: options.role, leasing, since, ops, relay, follower, work };
        let (rates, health, readiness, tasks) = Default::default();
        Ok(Self {
            facilitator,
            keys,
            rates,
            queue,
            reads,
            webhooks,
            seal,
            health,
            readiness,
            follower: status,
            ops_addr,
            tasks,
            log,
            read_model,
            begins: Some(begins),
        })
    }

    /// Begins what its role is, and to tell how it is.
    pub(crate) fn begin(&mut self) {
        let Some(begins) = self.begins.take() else { return };
        let Begins { role, leasing, since, ops, relay, follower, work } = begins;
        if let Leasing::Shared(_) = leasing {
            self.listen_to_others(since, &follower);
        }
        if let (Some(relay), Some(hints)) = (relay, self.log.hints()) {
            let rates = self.rates.clone();
            self.tasks.spawn(async move |stop| {
                relay::run(relay, hints, rates, stop).await;
                anyhow::Ok(())
            });
        }
        if role != Role::Api {
            work.begin(&mut self.tasks, &leasing, follower);
            let log = self.log.clone();
            self.tasks.spawn(async move |stop| {
                let checks = audit::run(log, audit::Options::default());
                stop.run_until_cancelled_owned(checks).await.unwrap_or(Ok(()))
            });
        }
        self.read_model.begin(&mut self.tasks, (role, &leasing), &self.reads);
        self.tasks.spawn_watch(sponsors::watch(Arc::clone(&self.facilitator)));
        self.tasks.spawn_watch(health::report(self.follower.clone(), self.health.clone()));
        let parts = ready::Parts {
            log: self.log.clone(),
            follower: self.follower.clone(),
            reads: Arc::clone(&self.reads),
        };
        self.tasks.spawn_watch(ready::watch(parts, self.readiness.clone()));
        self.tasks.spawn_watch(jobs::watch(self.queue.clone(), self.readiness.clone()));
        if let Some(ops) = ops {
            let readiness = self.readiness.clone();
            self.tasks.spawn(async move |stop| {
                ops.serve(readiness, stop).await;
                anyhow::Ok(())
            });
        }
    }

    /// What the others append and apply is known here, too.
    fn listen_to_others(&mut self, since: Position, follower: &Follower) {
        let listener = Listener {
            facilitator: Arc::clone(&self.facilitator),
            keys: self.keys.clone(),
            webhooks: Arc::clone(&self.webhooks),
            since,
        };
        self.tasks.spawn(|stop| listener.run(stop));
        let watcher = follower.watcher();
        self.tasks.spawn(async move |stop| {
            watcher.run(stop).await;
            anyhow::Ok(())
        });
        let (facilitator, queue) = (Arc::clone(&self.facilitator), self.queue.clone());
        self.tasks.spawn_watch(jobs::watch_dispatcher(queue, facilitator));
    }

    /// Waits until a part fails. A log that cannot be written must stop the process.
    pub(crate) async fn failed(&mut self) -> anyhow::Error {
        tokio::select! {
            reason = self.log.broken() => anyhow::anyhow!("the event log cannot be written: {reason}"),
            error = self.tasks.failed() => error,
        }
    }

    /// Stops everything, and closes the log.
    ///
    /// # Errors
    /// Where a part had failed or the log cannot be closed cleanly. Nothing acknowledged is lost.
    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        let stopped = self.tasks.stop().await;
        drop(self.facilitator);
        self.read_model.close().await;
        self.log.close().await;
        stopped
    }
}

async fn open_log(options: &Options) -> anyhow::Result<Log> {
    let log = match &options.database {
        Some(database) => {
            std::fs::create_dir_all(&options.data_dir)?;
            // With a Redis, processes tell each other of appends through it.
            let notifies = database.notifies && options.queue_url.is_none();
            Log::in_database(&DatabaseOptions { notifies, ..database.clone() }).await?
        }
        None => Log::in_dir(&options.data_dir, options.log_cache_bytes).await?,
    };
    audit::at_start(&log).await?;
    Ok(log)
}

/// Where a log and a Redis are shared.
fn relay(options: &Options, facilitator: &Facilitator) -> anyhow::Result<Option<Relay>> {
    let url = options.queue_url.as_deref().filter(|_| options.database.is_some());
    let network = facilitator.options().policy.network.to_string();
    let relay = url.map(|url| Relay::open(url, &network)).transpose();
    relay.context("the URL of the job queue must be one of Redis: redis://HOST:PORT/DB")
}

async fn facilitator(log: &Log, options: &Options) -> anyhow::Result<Arc<Facilitator>> {
    let nodes = connect(options).await?;
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
    Ok(Arc::new(facilitator))
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
