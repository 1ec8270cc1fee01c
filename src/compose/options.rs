//! What a facilitator is started with. Where the values come from is the configuration's business.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::ensure;
use ccd402_api::options::PublicUrl;
use ccd402_protocol::network::NetworkId;
use ccd402_store::postgres::Options as DatabaseOptions;

use crate::compose::access::Access;
use crate::compose::jobs::Options as JobOptions;
use crate::compose::log::CACHE_BYTES;
use crate::compose::{sponsors, webhooks};

/// What of a facilitator a process does. Several processes share a database and a queue.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Role {
    /// All of it.
    #[default]
    Everything,
    /// It answers calls; others work.
    Api,
    /// It works: follows blocks, runs jobs, keeps the read model; others answer calls.
    Work,
}

/// What a facilitator is started with.
#[derive(Debug, Clone)]
pub struct Options {
    /// What it does.
    pub role: Role,
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
            role: Role::default(),
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

    /// Work is shared through the log and the queue: who does a part of it must be able to reach both.
    pub(crate) fn must_fit_together(&self) -> anyhow::Result<()> {
        if self.role != Role::Everything {
            ensure!(
                self.database.is_some() && self.queue_url.is_some(),
                "an API without workers, or workers without an API, need a log and a queue that \
                 others reach: give --database-url and --queue-url, or let one `ccd402 serve` do \
                 everything"
            );
        }
        Ok(())
    }

    /// Where no keys are required everybody is one tenant; else none may take all the room.
    pub(crate) fn waiting_max_per_tenant(&self) -> u64 {
        let default =
            if self.access.require_keys { self.waiting_max.div_ceil(4) } else { self.waiting_max };
        self.waiting_max_per_tenant.unwrap_or(default)
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
