//! What the dashboard allows, and where it is reached.

use std::time::Duration;

use ccd402_protocol::network::{MAINNET, NetworkId, TESTNET};
use chrono::TimeDelta;
use tokio_util::sync::CancellationToken;

/// What stands for the hash in the URL of an explorer.
pub const HASH: &str = "{hash}";

/// Where it is reached, and what it allows.
#[derive(Debug, Clone)]
pub struct Options {
    /// URL under which people reach this server, where it is known: scheme, host and perhaps a path,
    /// without a slash at the end.
    pub public_url: Option<String>,
    /// Whether it listens on loopback alone.
    pub is_local: bool,
    /// Whether nobody is served without a key.
    pub require_keys: bool,
    /// Whether browsers reach it by TLS alone.
    pub is_secure: bool,
    /// URL of a transaction in an explorer, with [`HASH`] in it; none where there is none.
    pub explorer: Option<String>,
    /// A session ends when nothing was asked for so long.
    pub idle_max: TimeDelta,
    /// A session ends this long after it began, whatever happens.
    pub session_max: TimeDelta,
    /// Most requests at once; one more is turned away.
    pub requests_max: usize,
    /// Most pages that are kept live at once, and most of them of one tenant.
    pub live_max: (usize, usize),
    /// How long a page is kept live before its script comes back.
    pub live_for: Duration,
    /// Least time between two changes of a live page.
    pub live_every: Duration,
    /// Most rows of a download.
    pub download_rows_max: usize,
    /// Ends live pages, which never end by themselves, when the server stops.
    pub stopping: CancellationToken,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            public_url: None,
            is_local: true,
            require_keys: false,
            is_secure: false,
            explorer: None,
            idle_max: TimeDelta::minutes(30),
            session_max: TimeDelta::hours(12),
            requests_max: 256,
            live_max: (512, 256),
            live_for: Duration::from_secs(15 * 60),
            live_every: Duration::from_secs(1),
            download_rows_max: 100_000,
            stopping: CancellationToken::new(),
        }
    }
}

/// `CCDScan`'s page of a transaction, where the network is one that it shows.
#[must_use]
pub fn explorer_of(network: &NetworkId) -> Option<String> {
    let host = match network.as_str() {
        MAINNET => "ccdscan.io",
        TESTNET => "testnet.ccdscan.io",
        _ => return None,
    };
    Some(format!("https://{host}/transactions?dcount=1&dentity=transaction&dhash={HASH}"))
}
