//! What the tests share: a chain, wallets on it, requirements, and a proxy that can be cut.

use std::{future::Future, net::SocketAddr, time::Duration};

use ccd402_chain::{
    Backoff, blocks,
    concordium::{self, Concordium},
    nodes::{self, Nodes},
    payer::Wallet,
};
use ccd402_domain::ids::Digest;
use ccd402_protocol::identity::{AtomicStatement, IdentityRequirement};
use ccd402_simchain::{Funds, Handle, IdentitySpec, Options, SimChain};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

/// Longest wait for anything; only a failing test waits as long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Waits for something that must come.
pub(crate) async fn within<T>(what: &str, coming: impl Future<Output = T>) -> T {
    let waited = tokio::time::timeout(PATIENCE, coming).await;
    waited.unwrap_or_else(|_| panic!("{what} did not come within {PATIENCE:?}"))
}

/// A chain whose blocks are baked by the test and are final at once.
pub(crate) async fn chain() -> Handle {
    chain_of(0).await
}

/// Such a chain from a seed of its own.
pub(crate) async fn chain_of(seed: u64) -> Handle {
    let options = Options {
        seed,
        block_time: Duration::ZERO,
        finality_delay: Duration::ZERO,
        ..Options::default()
    };
    SimChain::start(options).await.unwrap()
}

/// Nodes at these addresses, impatient as tests are.
pub(crate) fn options(endpoints: &[String]) -> nodes::Options {
    let backoff = Backoff { first: Duration::from_millis(10), max: Duration::from_millis(100) };
    nodes::Options {
        request_timeout: Duration::from_secs(5),
        connect_timeout: Duration::from_secs(1),
        backoff,
        ..nodes::Options::new(endpoints.to_vec())
    }
}

/// The nodes of one chain.
pub(crate) async fn nodes(chain: &Handle) -> Nodes {
    Nodes::connect(options(&[chain.url()])).await.unwrap()
}

/// The port, for one chain.
pub(crate) async fn port(chain: &Handle) -> Concordium {
    port_of(nodes(chain).await)
}

/// The port, for these nodes.
pub(crate) fn port_of(nodes: Nodes) -> Concordium {
    let backoff = Backoff { first: Duration::from_millis(10), max: Duration::from_millis(100) };
    let blocks = blocks::Options { stall_timeout: Duration::from_secs(1), prefetch: 4, backoff };
    Concordium::new(nodes, concordium::Options { blocks, ..Default::default() })
}

/// A wallet of an adult Dane with 100 CCD and 50 EURR.
pub(crate) async fn wallet(chain: &Handle) -> Wallet {
    wallet_of(chain, IdentitySpec::default()).await
}

/// A wallet of this person, as rich.
pub(crate) async fn wallet_of(chain: &Handle, person: IdentitySpec) -> Wallet {
    let funds = Funds::ccd(100).token("EURR", 50_000_000);
    let file = chain.issue(person, funds).await.unwrap();
    Wallet::open(file, nodes(chain).await).unwrap()
}

/// Born before a date.
pub(crate) fn born_before(date: &str) -> IdentityRequirement {
    required(AtomicStatement::AttributeInRange {
        attribute_tag: "dob".to_owned(),
        lower: "18000101".to_owned(),
        upper: date.to_owned(),
    })
}

/// One statement, any issuer.
pub(crate) fn required(statement: AtomicStatement) -> IdentityRequirement {
    IdentityRequirement { statement: vec![statement], issuers: None, valid_for: None }
}

/// A digest that differs for each number.
pub(crate) fn digest(number: u8) -> Digest {
    Digest::from_bytes([number; 32])
}

/// A second way to a chain, which can be cut.
pub(crate) struct Proxy {
    addr: SocketAddr,
    cut: CancellationToken,
}

impl Proxy {
    /// Passes everything on to the chain.
    pub(crate) async fn to(chain: &Handle) -> Self {
        let target = chain.addr();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let cut = CancellationToken::new();
        let passing = async move {
            let mut connections = JoinSet::new();
            while let Ok((mut inner, _)) = listener.accept().await {
                connections.spawn(async move {
                    let mut outer = TcpStream::connect(target).await?;
                    tokio::io::copy_bidirectional(&mut inner, &mut outer).await
                });
            }
        };
        tokio::spawn(cut.clone().run_until_cancelled_owned(passing));
        Self { addr, cut }
    }

    /// Where it listens.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Closes every connection and takes no more.
    pub(crate) fn cut(&self) {
        self.cut.cancel();
    }
}
