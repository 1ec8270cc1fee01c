//! A running API, and what tests do to the world around it.

pub(crate) mod chain;
pub(crate) mod holder;
pub(crate) mod log;
pub(crate) mod purchase;
pub(crate) mod receiver;

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ccd402_api::health::Health;
use ccd402_api::messages::Messages;
use ccd402_api::options::Options;
use ccd402_api::parts::Parts;
use ccd402_api::ready::Readiness;
use ccd402_api::router;
use ccd402_api::server::{Limits, serve};
use ccd402_app::facilitator::{self, Facilitator};
use ccd402_app::keys::Keys;
use ccd402_app::ports::clock::Clock;
use ccd402_app::ports::log::EventLog as _;
use ccd402_app::reads::Reads;
use ccd402_app::webhooks::secret::SecretKey;
use ccd402_app::webhooks::{self, Webhooks};
use ccd402_domain::key::command::Terms;
use ccd402_domain::key::event::Limits as KeyLimits;
use ccd402_domain::key::scope::{Scope, Scopes};
use ccd402_domain::payment::Policy;
use ccd402_store::sqlite::SqliteReadModel;
use ccd402_workers::queue::sqlite::SqliteQueue;
use chrono::{DateTime, TimeDelta, Utc};
use reqwest::{RequestBuilder, Response, StatusCode};
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use self::chain::ScriptedChain;
use self::log::WatchedLog;
use self::purchase::Purchase;
use self::receiver::Receiver;

/// No test waits longer than this for anything that must come.
pub(crate) const SOON: Duration = Duration::from_secs(20);
/// A wait that no test sits out.
pub(crate) const LONG_SECONDS: u64 = 60;

/// A clock that stands until it is moved.
pub(crate) struct DrivenClock(Mutex<DateTime<Utc>>);

impl DrivenClock {
    pub(crate) fn advance(&self, by: TimeDelta) {
        *self.0.lock().unwrap() += by;
    }
}

impl Clock for DrivenClock {
    fn now(&self) -> DateTime<Utc> {
        *self.0.lock().unwrap()
    }
}

/// When every test begins.
pub(crate) fn beginning() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap()
}

/// A running API.
pub(crate) struct TestApi {
    pub(crate) chain: Arc<ScriptedChain>,
    pub(crate) log: Arc<WatchedLog>,
    pub(crate) clock: Arc<DrivenClock>,
    pub(crate) facilitator: Arc<Facilitator>,
    pub(crate) reads: Arc<Reads>,
    pub(crate) keys: Keys,
    pub(crate) jobs: SqliteQueue,
    pub(crate) webhooks: Arc<Webhooks>,
    pub(crate) receiver: Arc<Receiver>,
    pub(crate) health: Health,
    pub(crate) readiness: Readiness,
    pub(crate) url: String,
    pub(crate) http: reqwest::Client,
    pub(crate) shutdown: CancellationToken,
    pub(crate) server: JoinHandle<()>,
    _dir: TempDir,
}

impl TestApi {
    pub(crate) async fn start() -> Self {
        Self::start_with(Options::default(), Limits::default()).await
    }

    pub(crate) async fn start_with(options: Options, limits: Limits) -> Self {
        let chain = Arc::new(ScriptedChain::default());
        let log = Arc::new(WatchedLog::default());
        let clock = Arc::new(DrivenClock(Mutex::new(beginning())));
        let facilitator = Arc::new(Facilitator::new(
            log.clone(),
            chain.clone(),
            clock.clone(),
            facilitator::Options {
                policy: Policy {
                    network: chain.network.clone(),
                    presentation_grace: TimeDelta::hours(24),
                    clock_skew: TimeDelta::seconds(10),
                },
                reservation: TimeDelta::seconds(60),
                wait_max: Duration::from_secs(LONG_SECONDS),
                waiting_max: 100,
                waiting_max_per_tenant: 90,
            },
        ));
        let health = Health::default();
        let readiness = Readiness::default();
        let keys = Keys::load(log.clone(), clock.clone()).await.unwrap();
        let dir = tempfile::tempdir().unwrap();
        let jobs = SqliteQueue::open(&dir.path().join("jobs.sqlite")).await.unwrap();
        let receiver = Arc::new(Receiver::default());
        let ports = webhooks::Ports {
            log: log.clone(),
            clock: clock.clone(),
            sender: receiver.clone(),
            writer: Arc::new(Messages::new(options.public_url.as_ref())),
        };
        let key = SecretKey::new([7; 32]);
        let webhooks = Arc::new(Webhooks::new(ports, key, webhooks::Options::default()));
        let model = Arc::new(SqliteReadModel::open(dir.path()).await);
        let reads = Arc::new(Reads::of(log.clone(), model).await.unwrap());
        reads.model().rebuild().await.unwrap().swap_in().await.unwrap();
        let parts = Parts {
            facilitator: facilitator.clone(),
            reads: reads.clone(),
            rates: ccd402_api::rates::Rates::default(),
            keys: keys.clone(),
            jobs: Arc::new(jobs.clone()),
            webhooks: webhooks.clone(),
            health: health.clone(),
            readiness: readiness.clone(),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let shutdown = CancellationToken::new();
        let stop = shutdown.clone().cancelled_owned();
        let router = router(parts, options);
        let server = tokio::spawn(serve(listener, router, limits, stop));
        let http = reqwest::Client::builder().no_proxy().timeout(SOON * 3).build().unwrap();
        Self {
            chain,
            log,
            clock,
            facilitator,
            reads,
            keys,
            jobs,
            webhooks,
            receiver,
            health,
            readiness,
            url,
            http,
            shutdown,
            server,
            _dir: dir,
        }
    }

    /// Where the API listens, for bytes that no HTTP client would send.
    pub(crate) fn address(&self) -> &str {
        self.url.strip_prefix("http://").unwrap()
    }

    pub(crate) fn get(&self, path: &str) -> RequestBuilder {
        self.http.get(format!("{}{path}", self.url))
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> RequestBuilder {
        self.http.post(format!("{}{path}", self.url)).json(body)
    }

    /// The text of a new key of a tenant's that may do everything.
    pub(crate) async fn key_of(&self, tenant: &str) -> String {
        let scopes: Vec<Scope> = Scopes::all().iter().collect();
        self.key(tenant, &scopes).await
    }

    /// The text of a new key of many requests.
    pub(crate) async fn key(&self, tenant: &str, scopes: &[Scope]) -> String {
        let many = NonZeroU32::new(10_000).unwrap();
        let terms = Terms {
            tenant: tenant.parse().unwrap(),
            name: "a test".parse().unwrap(),
            scopes: scopes.iter().copied().collect(),
            limits: KeyLimits { rate: many, burst: many, in_flight: many },
            expires_at: Some(beginning() + TimeDelta::days(1)),
        };
        self.keys.create(terms).await.unwrap().unwrap().text.reveal()
    }

    /// Asks without waiting for finality, and expects 200.
    pub(crate) async fn ask(&self, path: &str, body: &Value) -> Value {
        let (status, answer) = answer(self.post(path, body).header("prefer", "wait=0")).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        answer
    }

    /// The read model takes in what the log has: nobody else does here.
    pub(crate) async fn project(&self) {
        loop {
            let position = self.reads.model().position().borrow().unwrap();
            let events = self.log.read_all(position, 1_000).await.unwrap();
            if events.is_empty() {
                return;
            }
            self.reads.model().apply(&events).await.unwrap();
        }
    }

    /// The transaction of a purchase becomes final: the chain has it, and the follower meets it.
    pub(crate) async fn finalize(&self, purchase: &Purchase) {
        let block = self.chain.finalize(purchase.transaction());
        self.facilitator.follow(&block, None).await.unwrap();
    }
}

/// Sends a request and reads the JSON that comes back.
pub(crate) async fn answer(request: RequestBuilder) -> (StatusCode, Value) {
    read(request.send().await.unwrap()).await
}

/// The status and the JSON of a response.
pub(crate) async fn read(response: Response) -> (StatusCode, Value) {
    let status = response.status();
    let body = response.bytes().await.unwrap();
    (status, serde_json::from_slice(&body).unwrap())
}

/// What must come soon.
pub(crate) async fn soon<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(SOON, future).await.expect("it must come soon")
}
