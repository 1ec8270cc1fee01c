//! Starting a chain, and the handle by which the starter uses and stops it.

use std::{
    net::SocketAddr,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use ccd402_chain::wallet::WalletFile;
use concordium_rust_sdk::{
    base::{contracts_common::AccountAddress, protocol_level_tokens::operations},
    types::hashes::{BlockHash, TransactionHash},
};
use tokio::{sync::mpsc, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use crate::{
    Error,
    chain::Chain,
    clock::Clock,
    control::{ControlService, Controls},
    faucet::Faucet,
    faults::Fault,
    genesis::Genesis,
    network_id,
    node::{Node, Pace},
    options::{Funds, IdentitySpec, Options},
    persist::{BlockLog, Origin},
    rekey,
    socket::{self, Services},
};

/// A list that a token keeps of accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum List {
    /// Only who is on it may send and receive.
    Allow,
    /// Who is on it may not.
    Deny,
}

/// A simulated chain.
pub struct SimChain;

impl SimChain {
    /// Starts a chain, or goes on with the one kept in the data directory, and serves it.
    ///
    /// # Errors
    /// If the address is taken, or the data directory is in use or damaged.
    pub async fn start(options: Options) -> Result<Handle, Error> {
        let listener = socket::listen(options.listen).await?;
        let address = listener
            .local_addr()
            .map_err(|source| Error::Listen { address: options.listen, source })?;
        let node = tokio::task::spawn_blocking(move || open(options))
            .await
            .map_err(|_| Error::Issue("genesis was not finished".to_owned()))??;
        let node = Arc::new(node);
        let (restarts, restarted) = mpsc::channel(1);
        let faucet = Faucet::new(Arc::clone(&node));
        let controls = Arc::new(Controls { node: Arc::clone(&node), faucet, restarts });
        let shutdown = CancellationToken::new();
        let services =
            Services { node: Arc::clone(&node), control: ControlService(Arc::clone(&controls)) };
        let server = socket::serve(listener, services, restarted, shutdown.clone());
        let tasks =
            vec![tokio::spawn(bake(Arc::clone(&node), shutdown.clone())), tokio::spawn(server)];
        let handle = Handle { address, controls, shutdown, tasks };
        info!(chain.url = %handle.url(), chain.network = %handle.network_id(), "chain started");
        Ok(handle)
    }
}

fn open(options: Options) -> Result<Node, Error> {
    let pace = Pace { block_time: options.block_time, finality_delay: options.finality_delay };
    let origin = Origin { seed: options.seed, time_ms: options.clock.now_ms() };
    let chain = match &options.data_dir {
        None => Chain::new(Arc::new(Genesis::new(origin.seed, origin.time_ms))),
        Some(directory) => {
            let (log, origin, records) = BlockLog::open(directory, origin)?;
            let mut chain = Chain::new(Arc::new(Genesis::new(origin.seed, origin.time_ms)));
            chain.resume(log, records)?;
            chain
        }
    };
    Ok(Node::new(chain, options.clock, pace))
}

/// Does what is due, when it is due, until `shutdown`.
async fn bake(node: Arc<Node>, shutdown: CancellationToken) {
    loop {
        let ticking = Arc::clone(&node);
        let due = match tokio::task::spawn_blocking(move || ticking.tick()).await {
            Ok(Ok(due)) => due,
            Ok(Err(error)) => return error!(%error, "no more blocks are made"),
            Err(error) => return error!(%error, "no more blocks are made"),
        };
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = node.wake.notified() => {}
            () = node.clock.sleep_until(due.unwrap_or(u64::MAX)), if due.is_some() => {}
        }
    }
}

/// A running chain; dropping it stops the chain without ceremony.
pub struct Handle {
    address: SocketAddr,
    controls: Arc<Controls>,
    shutdown: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
}

impl Handle {
    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// The address that clients connect to, such as `http://127.0.0.1:20100`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Hash of the genesis block.
    #[must_use]
    pub fn genesis_hash(&self) -> BlockHash {
        self.node().genesis.hash
    }

    /// CAIP-2 id of the network: `ccd:` and the first 32 hex digits of the genesis hash.
    #[must_use]
    pub fn network_id(&self) -> String {
        network_id(&self.node().genesis.hash)
    }

    /// Issues a wallet whose account exists, is funded and is final when this returns.
    ///
    /// With a driven clock, or without a block time, it makes the blocks for it and finalizes all
    /// that is committed.
    ///
    /// # Errors
    /// If the wallet asked for is impossible, too many are asked for, or finality does not come.
    pub async fn issue(&self, identity: IdentitySpec, funds: Funds) -> Result<WalletFile, Error> {
        self.controls.faucet.issue(identity, funds).await
    }

    /// Has a token's governance pause it, or end that, with a transaction that comes before all that
    /// are sent later.
    ///
    /// # Errors
    /// If it is no token's id.
    pub async fn set_paused(&self, token: &str, is_paused: bool) -> Result<TransactionHash, Error> {
        let operation = if is_paused { operations::pause() } else { operations::unpause() };
        self.controls.faucet.govern(token, operation).await
    }

    /// Has a token's governance put an account on one of the token's lists, or take it off; as
    /// [`Handle::set_paused`] otherwise. Without lists, as most tokens of the simulated chain are,
    /// the transaction is rejected.
    ///
    /// # Errors
    /// If it is no token's id.
    pub async fn set_listed(
        &self,
        token: &str,
        list: List,
        account: AccountAddress,
        is_listed: bool,
    ) -> Result<TransactionHash, Error> {
        let operation = match (list, is_listed) {
            (List::Allow, true) => operations::add_token_allow_list(account),
            (List::Allow, false) => operations::remove_token_allow_list(account),
            (List::Deny, true) => operations::add_token_deny_list(account),
            (List::Deny, false) => operations::remove_token_deny_list(account),
        };
        self.controls.faucet.govern(token, operation).await
    }

    /// Has an account replace its keys by a new one; the wallet that signs for it from the block on
    /// that has the transaction.
    ///
    /// # Errors
    /// If there is no such account, or the wallet's keys are not its keys.
    pub fn rekey(&self, wallet: &WalletFile) -> Result<(WalletFile, TransactionHash), Error> {
        rekey::rekey(self.node(), wallet)
    }

    /// Calls so far, but for those that whoever sends a transaction makes.
    #[must_use]
    pub fn asked(&self) -> u64 {
        self.controls.node.asked.load(Ordering::Relaxed)
    }

    /// Makes something go wrong.
    pub fn fault(&self, fault: impl Into<Fault>) {
        self.controls.fault(fault.into());
    }

    /// Ends all faults.
    pub fn clear_faults(&self) {
        self.controls.clear_faults();
    }

    /// Makes a block now; it is final at once when finality takes no time.
    ///
    /// # Errors
    /// If the chain is kept and the disk fails.
    pub fn bake(&self) -> Result<BlockHash, Error> {
        self.node().bake().map(|block| block.hash)
    }

    /// Advances a driven clock and does all that falls due before it returns; a system clock is
    /// left alone.
    ///
    /// # Errors
    /// If the chain is kept and the disk fails.
    pub fn advance(&self, by: Duration) -> Result<(), Error> {
        if let Clock::Driven(clock) = &self.node().clock {
            clock.advance(by);
        }
        self.node().tick().map(drop)
    }

    /// Stops the chain and waits until it has stopped.
    pub async fn shutdown(mut self) {
        self.stop();
        for task in std::mem::take(&mut self.tasks) {
            // A task that panicked has nothing left to stop.
            let _ = task.await;
        }
    }

    fn node(&self) -> &Node {
        &self.controls.node
    }

    fn stop(&self) {
        self.shutdown.cancel();
        self.node().arrived.close();
        self.node().finalized.close();
        // Connections that are still being cut hold on to the chain, not to its file.
        self.node().chain().close();
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.stop();
    }
}
