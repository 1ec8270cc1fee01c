//! The nodes that are asked: the first healthy one is, and where it fails the next one.
//!
//! Nothing is remembered here of what they said; that is `accounts` and the callers.

use std::{
    future::Future,
    sync::{Arc, OnceLock},
    time::Duration,
};

use ccd402_app::trace;
use ccd402_protocol::network::NetworkId;
use concordium_rust_sdk::{endpoints::QueryResult, v2::Client};
use futures::future::join_all;
use tokio::time::{Instant, sleep_until};
use tracing::{Instrument as _, field::Empty, trace_span};

pub use crate::node::NodeHealth;
use crate::{
    backoff::Backoff,
    error::{Error, Failure},
    node::Node,
};

/// Nodes that may be configured.
const NODES_MAX: usize = 16;

/// Which nodes to use, and how patiently.
#[derive(Debug, Clone)]
pub struct Options {
    /// Addresses, `http://host:port` or `https://host:port`, in order of preference; 1..=16.
    pub endpoints: Vec<String>,
    /// The network that they must be on; without it the first node that answers decides.
    pub network: Option<NetworkId>,
    /// Time to connect. Default 5 s.
    pub connect_timeout: Duration,
    /// Time for one question, waiting for its turn included. Default 10 s.
    pub request_timeout: Duration,
    /// Between two pings of an idle connection. Default 20 s.
    pub keep_alive_interval: Duration,
    /// Time to answer a ping. Default 10 s.
    pub keep_alive_timeout: Duration,
    /// Requests at once per node. Default 8: nodes allow 10 a connection.
    pub requests_in_flight_max: usize,
    /// Tries of one question over all nodes. Default 4.
    pub tries_max: u32,
    /// Pause of a node that failed.
    pub backoff: Backoff,
}

impl Options {
    /// The defaults, for these addresses.
    #[must_use]
    pub fn new(endpoints: Vec<String>) -> Self {
        Self {
            endpoints,
            network: None,
            connect_timeout: Duration::from_secs(5),
            request_timeout: Duration::from_secs(10),
            keep_alive_interval: Duration::from_secs(20),
            keep_alive_timeout: Duration::from_secs(10),
            requests_in_flight_max: 8,
            tries_max: 4,
            backoff: Backoff::default(),
        }
    }
}

/// A handle to all nodes; clones share everything.
#[derive(Clone)]
pub struct Nodes {
    nodes: Arc<[Arc<Node>]>,
    network: NetworkId,
    tries_max: u32,
}

impl Nodes {
    /// Connects to every node that can be reached and checks that it is on the right network.
    ///
    /// # Errors
    /// `Addresses` for an address that cannot be one, `WrongNetwork` when no node is on the network
    /// wanted, `Unavailable` when none can be reached.
    pub async fn connect(options: Options) -> Result<Self, Error> {
        let given = options.endpoints.len();
        if given == 0 || given > NODES_MAX {
            let text = format!("{given} nodes are given; name 1 to {NODES_MAX}");
            return Err(Error::Addresses(text));
        }
        let network = Arc::new(OnceLock::new());
        if let Some(configured) = options.network.clone() {
            network.get_or_init(|| configured);
        }
        let options = Arc::new(options);
        let node =
            |url: &String| Node::new(url, Arc::clone(&options), Arc::clone(&network)).map(Arc::new);
        let nodes: Arc<[_]> = options.endpoints.iter().map(node).collect::<Result<_, _>>()?;
        // The first node is heard before the others, so that it decides the network.
        let mut failures = Vec::new();
        failures.extend(nodes[0].connection().await.err());
        let others = join_all(nodes[1..].iter().map(|node| node.connection())).await;
        failures.extend(others.into_iter().filter_map(Result::err));
        if failures.len() == nodes.len() {
            let other = failures.iter().find(|f| matches!(f, Failure::OtherNetwork(_)));
            let first = other.unwrap_or(&failures[0]).clone();
            return Err(first.into_error("first contact"));
        }
        let network = network.get().cloned().expect("a node that answered has decided it");
        Ok(Self { nodes, network, tries_max: options.tries_max.max(1) })
    }

    /// The network that all of them are on.
    #[must_use]
    pub fn network(&self) -> &NetworkId {
        &self.network
    }

    /// How each node has been doing, in the configured order.
    #[must_use]
    pub fn health(&self) -> Vec<NodeHealth> {
        self.nodes.iter().map(|node| node.snapshot()).collect()
    }

    /// Asks one node after the other until one answers, a bounded number of times.
    /// `rpc` is its name in traces.
    pub(crate) async fn ask<T, Q, F>(&self, rpc: &'static str, query: Q) -> Result<T, Failure>
    where
        Q: Fn(Client) -> F + Send + Sync,
        F: Future<Output = QueryResult<T>> + Send,
    {
        let hop = trace_span!(
            target: trace::TARGET,
            "node.call",
            otel.kind = "client",
            rpc.system = "grpc",
            rpc.service = "concordium.v2.Queries",
            rpc.method = rpc,
            error.type = Empty,
        );
        let answer = self.ask_each(query).instrument(hop.clone()).await;
        if let Some(fault) = answer.as_ref().err().and_then(Failure::fault) {
            hop.record("error.type", fault);
        }
        answer
    }

    async fn ask_each<T, Q, F>(&self, query: Q) -> Result<T, Failure>
    where
        Q: Fn(Client) -> F + Send + Sync,
        F: Future<Output = QueryResult<T>> + Send,
    {
        let mut last = Failure::Unavailable("every node is paused".to_owned());
        for _ in 0..self.tries_max {
            let node = self.next(None).await?;
            match node.ask(&query).await {
                Err(failure @ (Failure::Unavailable(_) | Failure::OtherNetwork(_))) => {
                    last = failure;
                }
                answer => return answer,
            }
        }
        Err(last)
    }

    /// The node to ask next: the first that has not failed, else the one whose pause ends first,
    /// at its end. One to avoid counts as failed.
    pub(crate) async fn next(&self, avoid: Option<&Arc<Node>>) -> Result<Arc<Node>, Failure> {
        let now = Instant::now();
        let mut best: Option<((bool, Instant), &Arc<Node>)> = None;
        let mut back = Vec::new();
        for node in self.nodes.iter() {
            let Some((failures, ready_at)) = node.readiness() else { continue };
            if failures > 0 && ready_at <= now {
                back.push(node);
            }
            let is_avoided = avoid.is_some_and(|avoid| Arc::ptr_eq(avoid, node));
            // A node that failed waits behind those that have not, even when its pause is over: its
            // next failure may take the whole time of a question.
            let order = (failures > 0 || is_avoided, ready_at.max(now));
            if best.is_none_or(|(least, _)| order < least) {
                best = Some((order, node));
            }
        }
        let Some(((_, ready_at), node)) = best else {
            // Only a node that was found on another network is never ready.
            let text = format!("every node is on another network than {}", self.network);
            return Err(Failure::Unavailable(text));
        };
        for failed in back.into_iter().filter(|failed| !Arc::ptr_eq(failed, node)) {
            let failed = Arc::clone(failed);
            tokio::spawn(async move { failed.probe().await });
        }
        let node = Arc::clone(node);
        sleep_until(ready_at).await;
        Ok(node)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn refusal(endpoints: Vec<String>) -> Error {
        let mut options = Options::new(endpoints);
        options.connect_timeout = Duration::from_secs(1);
        Nodes::connect(options).await.err().expect("there is no node")
    }

    #[tokio::test]
    async fn addresses_that_cannot_be_used_stop_the_start() {
        let lists: [&[&str]; 5] =
            [&[], &["localhost:20000"], &["ftp://localhost:1"], &["http://"], &["no address"]];
        for list in lists {
            let refusal = refusal(list.iter().map(ToString::to_string).collect()).await;
            assert!(matches!(refusal, Error::Addresses(_)), "{list:?}: {refusal:?}");
        }
    }

    #[tokio::test]
    async fn nobody_there_is_unavailable_with_and_without_tls() {
        // A port that was free a moment ago.
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        for scheme in ["http", "https"] {
            let refusal = refusal(vec![format!("{scheme}://{free}")]).await;
            assert!(matches!(refusal, Error::Unavailable(_)), "{scheme}: {refusal:?}");
        }
    }
}
