//! One node: its connection, how much may be asked of it at once, and how it has been doing.
//!
//! It never decides which node to ask or whether to ask again: that is `nodes`.

use std::{
    future::Future,
    mem,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use ccd402_protocol::network::NetworkId;
use concordium_rust_sdk::{endpoints::QueryResult, v2::Client};
use tokio::{
    sync::{OnceCell, OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout},
};
use tonic::transport::{ClientTlsConfig, Endpoint};
use tracing::{error, warn};

use crate::{
    error::{Error, Failure, OtherNetwork},
    nodes::Options,
};

/// How a node has been doing, for health checks and dashboards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeHealth {
    /// Host and port.
    pub name: String,
    /// Whether the last question to it was answered.
    pub answers: bool,
    /// Whether it was found on another network, and is never asked again.
    pub excluded: bool,
    /// Time since its last answer.
    pub answered_ago: Option<Duration>,
    /// Height of the last block that it is known to have finalized.
    pub height_finalized: Option<u64>,
}

#[derive(Debug, Default)]
struct Health {
    failures: u32,
    retry_at: Option<Instant>,
    answered_at: Option<Instant>,
    height_finalized: Option<u64>,
    on_our_network: bool,
    excluded: bool,
    probing: bool,
}

/// One node of the pool.
pub(crate) struct Node {
    name: String,
    endpoint: Endpoint,
    client: OnceCell<Client>,
    permits: Arc<Semaphore>,
    health: Mutex<Health>,
    network: Arc<OnceLock<NetworkId>>,
    options: Arc<Options>,
}

impl Node {
    /// A node at `url`; nothing is sent yet. The pool shares `network`: the first node that answers
    /// decides it unless the configuration has.
    pub(crate) fn new(
        url: &str,
        options: Arc<Options>,
        network: Arc<OnceLock<NetworkId>>,
    ) -> Result<Self, Error> {
        let wrong = |why: &str| Error::Addresses(format!("{url:?}: {why}"));
        let endpoint = Endpoint::from_shared(url.to_owned())
            .map_err(|_| wrong("use http://host:port or https://host:port"))?;
        let authority = endpoint.uri().authority().ok_or_else(|| wrong("it has no host"))?;
        let host = authority.host().to_owned();
        let name = authority.port_u16().map_or(host.clone(), |port| format!("{host}:{port}"));
        let secure = match endpoint.uri().scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(wrong("begin it with http:// or https://")),
        };
        let endpoint = endpoint
            .connect_timeout(options.connect_timeout)
            .timeout(options.request_timeout)
            .http2_keep_alive_interval(options.keep_alive_interval)
            .keep_alive_timeout(options.keep_alive_timeout)
            .keep_alive_while_idle(true);
        let endpoint = if secure {
            let tls = ClientTlsConfig::new().with_enabled_roots();
            endpoint.tls_config(tls).map_err(|_| wrong("TLS cannot be set up"))?
        } else {
            endpoint
        };
        let permits = Arc::new(Semaphore::new(options.requests_in_flight_max));
        let client = OnceCell::new();
        let health = Mutex::default();
        Ok(Self { name, endpoint, client, permits, health, network, options })
    }

    /// Asks the node, within the time and the number of requests that it may have at once.
    pub(crate) async fn ask<T, Q, F>(&self, query: Q) -> Result<T, Failure>
    where
        Q: Fn(Client) -> F + Send,
        F: Future<Output = QueryResult<T>> + Send,
    {
        let _permit = self.permit().await?;
        let answer = self.within_time(async {
            let client = self.client().await?;
            query(client).await.map_err(Failure::from)
        });
        self.note(answer.await)
    }

    /// A connection to hold on to, with the share of the node's requests that it takes up.
    pub(crate) async fn connection(&self) -> Result<(Client, OwnedSemaphorePermit), Failure> {
        let permit = self.permit().await?;
        let client = self.note(self.within_time(self.client()).await)?;
        Ok((client, permit))
    }

    /// Finds out whether a node that failed is back, once at a time.
    pub(crate) async fn probe(&self) {
        let was_probing = mem::replace(&mut self.health().probing, true);
        if !was_probing {
            // What came of it is noted in the node's health.
            let _noted = self.connection().await;
            self.health().probing = false;
        }
    }

    /// Remembers that the node has finalized a block of this height.
    pub(crate) fn saw_height(&self, height: u64) {
        let mut health = self.health();
        health.height_finalized = health.height_finalized.max(Some(height));
    }

    /// Remembers a failure that was not the answer to a question, such as a stream that stalled.
    pub(crate) fn failed(&self, reason: &str) {
        warn!(node = %self.name, reason, "a Concordium node failed");
        let mut health = self.health();
        health.failures = health.failures.saturating_add(1);
        health.retry_at = Some(Instant::now() + self.options.backoff.delay(health.failures));
        health.on_our_network = false;
    }

    /// Failures in a row, and when it may be tried again; none if never.
    pub(crate) fn readiness(&self) -> Option<(u32, Instant)> {
        let health = self.health();
        let ready_at = health.retry_at.unwrap_or_else(Instant::now);
        (!health.excluded).then_some((health.failures, ready_at))
    }

    /// How it has been doing.
    pub(crate) fn snapshot(&self) -> NodeHealth {
        let health = self.health();
        NodeHealth {
            name: self.name.clone(),
            answers: health.failures == 0 && health.answered_at.is_some(),
            excluded: health.excluded,
            answered_ago: health.answered_at.map(|at| at.elapsed()),
            height_finalized: health.height_finalized,
        }
    }

    async fn within_time<T>(
        &self,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let time = self.options.request_timeout;
        timeout(time, work)
            .await
            .unwrap_or_else(|_| Err(Failure::Unavailable(format!("no answer within {time:?}"))))
    }

    async fn permit(&self) -> Result<OwnedSemaphorePermit, Failure> {
        let permit = Arc::clone(&self.permits).acquire_owned();
        match timeout(self.options.request_timeout, permit).await {
            Ok(permit) => Ok(permit.expect("the semaphore is never closed")),
            Err(_) => Err(Failure::Crowded),
        }
    }

    async fn client(&self) -> Result<Client, Failure> {
        let connect = || async { Client::new(self.endpoint.clone()).await };
        let connected = self.client.get_or_try_init(connect).await;
        let client = connected.map_err(|e| Failure::Unavailable(format!("cannot connect: {e}")))?;
        if !self.health().on_our_network {
            self.check_network(client.clone()).await?;
        }
        Ok(client.clone())
    }

    /// Checks the genesis block, at first and again after each failure: the node behind an address
    /// may have been replaced.
    async fn check_network(&self, mut client: Client) -> Result<(), Failure> {
        let info = client.get_consensus_info().await.map_err(Failure::from)?;
        let found = NetworkId::of_genesis(&info.genesis_block.bytes);
        let ours = self.network.get_or_init(|| found.clone());
        if *ours != found {
            let (node, configured) = (self.name.clone(), ours.clone());
            return Err(Failure::OtherNetwork(OtherNetwork { node, configured, found }));
        }
        self.health().on_our_network = true;
        self.saw_height(info.last_finalized_block_height.height);
        Ok(())
    }

    fn note<T>(&self, answer: Result<T, Failure>) -> Result<T, Failure> {
        match &answer {
            Err(Failure::Unavailable(reason)) => self.failed(reason),
            Err(Failure::OtherNetwork(OtherNetwork { configured, found, .. })) => {
                let was_excluded = mem::replace(&mut self.health().excluded, true);
                if !was_excluded {
                    error!(
                        node = %self.name, network.found = %found, network.ours = %configured,
                        "a node is on another network and will not be asked again"
                    );
                }
            }
            Err(Failure::Crowded) => {}
            Ok(_) | Err(Failure::NotFound | Failure::Duplicate | Failure::Refused(_)) => {
                let mut health = self.health();
                health.failures = 0;
                health.retry_at = None;
                health.answered_at = Some(Instant::now());
            }
        }
        answer
    }

    fn health(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
