//! The whole of Verify & Pay in one process: simulated chain, facilitator, gate, a small shop behind
//! it, and wallets. For `ccd402 demo`, `ccd402 dev` and the integration tests.
//!
//! Only the network is simulated; every part is the real one and speaks over real sockets.

pub mod hand;
pub mod shop;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use ccd402_chain::nodes::{Nodes, Options as NodeOptions};
use ccd402_chain::wallet::WalletFile;
use ccd402_client::http::{HttpFacilitator, Options as HttpOptions};
use ccd402_domain::account::AccountAddress;
use ccd402_gate::challenge::Sealer;
use ccd402_gate::gate::{Gate, Options as GateOptions};
use ccd402_gate::proxy::{Options as ProxyOptions, Proxy};
use ccd402_gate::secret::Secret;
use ccd402_protocol::network::NetworkId;
use ccd402_simchain::{Clock, Funds, Handle, IdentitySpec, Options as ChainOptions, SimChain};
use ipnet::IpNet;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::compose::facilitator::{self, Running};
use crate::compose::jobs::Options as JobOptions;
use crate::devnet::hand::Hand;

/// What the sponsor has to pay fees with.
const SPONSOR_CCD: u32 = 10_000;

/// How a devnet is started.
#[derive(Debug, Clone)]
pub struct Options {
    /// Keeps chain, log and wallets.
    pub data_dir: PathBuf,
    /// Whether the chain is kept there, too, or forgotten at the end.
    pub keep_chain: bool,
    /// Between two blocks.
    pub block_time: Duration,
    /// From a block to its finality.
    pub finality_delay: Duration,
    /// How jobs are run.
    pub jobs: JobOptions,
    /// Where chain, facilitator, gate and shop listen; port 0 takes free ones.
    pub listen: Listen,
}

/// Where each part listens.
#[derive(Debug, Clone, Copy)]
pub struct Listen {
    /// The chain's gRPC.
    pub chain: SocketAddr,
    /// The facilitator's HTTP.
    pub facilitator: SocketAddr,
    /// The gate's HTTP: what payers talk to.
    pub gate: SocketAddr,
}

impl Listen {
    /// Free ports of the loopback interface.
    #[must_use]
    pub fn anywhere() -> Self {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        Self { chain: any, facilitator: any, gate: any }
    }
}

impl Options {
    /// A quick chain that is forgotten at the end.
    #[must_use]
    pub fn quick(data_dir: PathBuf) -> Self {
        Self {
            data_dir,
            keep_chain: false,
            block_time: Duration::from_millis(400),
            finality_delay: Duration::from_millis(400),
            jobs: JobOptions { expire_every: Duration::from_secs(1), ..JobOptions::default() },
            listen: Listen::anywhere(),
        }
    }
}

/// A devnet that runs.
pub struct Devnet {
    chain: Handle,
    facilitator: Running,
    gate_url: String,
    secret: Secret,
    seller: WalletFile,
    nodes: Nodes,
    shutdown: CancellationToken,
    servers: JoinSet<anyhow::Result<()>>,
}

impl Devnet {
    /// Starts every part.
    ///
    /// # Errors
    /// Where one cannot start; the message says which.
    pub async fn start(options: Options) -> anyhow::Result<Self> {
        let dir = &options.data_dir;
        std::fs::create_dir_all(dir)
            .with_context(|| format!("cannot make the directory {}", dir.display()))?;
        let chain = SimChain::start(ChainOptions {
            listen: options.listen.chain,
            data_dir: options.keep_chain.then(|| options.data_dir.join("chain")),
            seed: 0,
            block_time: options.block_time,
            finality_delay: options.finality_delay,
            clock: Clock::System,
        })
        .await
        .context("cannot start the simulated chain")?;
        let mut settings = facilitator::Options::new(
            options.listen.facilitator,
            options.data_dir.clone(),
            vec![chain.url()],
        );
        settings.jobs = options.jobs.clone();
        settings.webhooks.allow = loopback();
        settings.sponsors.wallets = vec![kept(&chain, &options, "sponsor", SPONSOR_CCD).await?];
        let facilitator = facilitator::start(settings).await?;
        let nodes = Nodes::connect(NodeOptions::new(vec![chain.url()])).await?;
        let seller = kept(&chain, &options, "seller", 1).await?;
        let secret = Secret::read_or_create(&options.data_dir.join("gate.secret"))?;
        let mut devnet = Self {
            chain,
            facilitator,
            gate_url: String::new(),
            secret,
            seller,
            nodes,
            shutdown: CancellationToken::new(),
            servers: JoinSet::new(),
        };
        devnet.gate_url = devnet.open_shop(options.listen.gate).await?;
        Ok(devnet)
    }

    /// Starts the shop and a gate in front of it.
    async fn open_shop(&mut self, listen: SocketAddr) -> anyhow::Result<String> {
        let shop = TcpListener::bind(Listen::anywhere().gate).await?;
        let upstream = format!("http://{}", shop.local_addr()?).parse()?;
        let until = self.shutdown.clone().cancelled_owned();
        self.servers.spawn(async move {
            let served = axum::serve(shop, shop::router()).with_graceful_shutdown(until);
            Ok(served.await?)
        });
        let listener = TcpListener::bind(listen)
            .await
            .with_context(|| format!("cannot listen on {listen}; is it taken?"))?;
        let url = format!("http://{}", listener.local_addr()?);
        let proxy = Proxy::new(Arc::new(self.gate()?), ProxyOptions::new(upstream))?;
        let until = self.shutdown.clone().cancelled_owned();
        self.servers.spawn(async move { Ok(proxy.serve(listener, until).await?) });
        Ok(url)
    }

    /// A gate for the shop's routes; any number of them may share the secret.
    ///
    /// # Errors
    /// Where its routes make no sense.
    pub fn gate(&self) -> anyhow::Result<Gate> {
        let http = HttpFacilitator::new(HttpOptions::new(&self.facilitator.url())?)?;
        let routes = shop::routes(self.pay_to())?;
        let secret = self.secret.clone();
        Ok(Gate::new(GateOptions::new(routes, secret, Arc::new(http), self.network().clone())))
    }

    /// The gate's seal, for those who play the gate.
    #[must_use]
    pub fn sealer(&self) -> Sealer {
        Sealer::new(&self.secret)
    }

    /// The network's id.
    #[must_use]
    pub fn network(&self) -> &NetworkId {
        self.nodes.network()
    }

    /// The chain.
    #[must_use]
    pub fn chain(&self) -> &Handle {
        &self.chain
    }

    /// The facilitator.
    #[must_use]
    pub fn facilitator(&self) -> &Running {
        &self.facilitator
    }

    /// Where payers go.
    #[must_use]
    pub fn gate_url(&self) -> &str {
        &self.gate_url
    }

    /// Who is paid.
    #[must_use]
    pub fn pay_to(&self) -> AccountAddress {
        ccd402_chain::codec::address(&self.seller.address)
    }

    /// A connection to the chain for wallets.
    #[must_use]
    pub fn nodes(&self) -> &Nodes {
        &self.nodes
    }

    /// A new account with an identity and some money.
    ///
    /// # Errors
    /// Where the chain makes none.
    pub async fn wallet(&self, who: IdentitySpec, funds: Funds) -> anyhow::Result<WalletFile> {
        Ok(self.chain.issue(who, funds).await?)
    }

    /// Somebody who pays by hand, step by step.
    ///
    /// # Errors
    /// Where the chain makes no account.
    pub async fn hand(&self, who: IdentitySpec, funds: Funds) -> anyhow::Result<Hand> {
        Hand::new(self.wallet(who, funds).await?, self.nodes.clone())
    }

    /// Waits until a part fails.
    pub async fn failed(&mut self) -> anyhow::Error {
        tokio::select! {
            error = self.facilitator.failed() => error,
            ended = self.servers.join_next() => match ended {
                Some(Ok(Err(error))) => error,
                _ => anyhow::anyhow!("a server of the devnet ended"),
            },
        }
    }

    /// Stops every part.
    ///
    /// # Errors
    /// Where a part had failed.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        self.shutdown.cancel();
        while let Some(ended) = self.servers.join_next().await {
            ended??;
        }
        self.facilitator.stop().await?;
        self.chain.shutdown().await;
        Ok(())
    }
}

/// Receivers on this machine may be told, for whoever tries webhooks out.
fn loopback() -> Vec<IpNet> {
    ["127.0.0.0/8", "::1/128"].map(|net| net.parse().expect("these are networks")).to_vec()
}

/// An account of the devnet's own, kept with the data where the chain is kept, too.
async fn kept(
    chain: &Handle,
    options: &Options,
    name: &str,
    ccd: u32,
) -> anyhow::Result<WalletFile> {
    let path = options.data_dir.join(format!("{name}.wallet.json"));
    if options.keep_chain && path.exists() {
        return Ok(WalletFile::read(&path)?);
    }
    let wallet = chain.issue(IdentitySpec::default(), Funds::ccd(ccd)).await?;
    wallet.write(&path)?;
    Ok(wallet)
}
