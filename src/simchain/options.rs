//! What a simulated chain is started with, and what a wallet is issued with. Plain data: nothing is
//! checked here beyond what the types say.

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

use crate::clock::Clock;

/// How a chain is started.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where to listen; port 0 takes a free one. Default `127.0.0.1:0`.
    pub listen: SocketAddr,
    /// Directory that keeps the chain between runs; none keeps it in memory. Default none.
    pub data_dir: Option<PathBuf>,
    /// Decides keys and identities; the blinding of a credential's proofs alone is random.
    /// Default 0. A kept chain goes on with the seed that it was made with.
    pub seed: u64,
    /// Time from block to block; zero makes no block by itself. Default 1 s.
    pub block_time: Duration,
    /// Time from a block to its finality; zero finalizes it at once. Default 1 s.
    pub finality_delay: Duration,
    /// Where time comes from. Default the system's clock.
    pub clock: Clock,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            data_dir: None,
            seed: 0,
            block_time: Duration::from_secs(1),
            finality_delay: Duration::from_secs(1),
            clock: Clock::System,
        }
    }
}

/// The person a wallet is issued to, and the keys of the account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IdentitySpec {
    /// Attributes by the names Concordium gives them: `dob` (YYYYMMDD), `nationality`,
    /// `countryOfResidence` (two letters), `firstName`, … At most 31 bytes each.
    pub attributes: BTreeMap<String, String>,
    /// How many keys the account has, 1 to 16.
    pub keys: u8,
    /// How many of them must sign, at least 1.
    pub threshold: u8,
}

impl Default for IdentitySpec {
    fn default() -> Self {
        let attributes = [
            ("firstName", "Ada"),
            ("lastName", "Example"),
            ("dob", "19900203"),
            ("nationality", "DK"),
            ("countryOfResidence", "DK"),
        ];
        let attributes = attributes.map(|(tag, value)| (tag.to_owned(), value.to_owned()));
        Self { attributes: attributes.into(), keys: 1, threshold: 1 }
    }
}

impl IdentitySpec {
    /// The same person with one attribute set.
    #[must_use]
    pub fn with(mut self, tag: &str, value: &str) -> Self {
        self.attributes.insert(tag.to_owned(), value.to_owned());
        self
    }
}

/// What a new account starts with, in smallest units.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Funds {
    /// MicroCCD.
    pub micro_ccd: u64,
    /// Amount of each protocol-level token, by its id.
    #[serde(default)]
    pub tokens: BTreeMap<String, u64>,
}

impl Funds {
    /// Whole CCD and no tokens.
    #[must_use]
    pub fn ccd(ccd: u32) -> Self {
        Self { micro_ccd: u64::from(ccd) * 1_000_000, tokens: BTreeMap::new() }
    }

    /// The same with `amount` smallest units of a token.
    #[must_use]
    pub fn token(mut self, id: &str, amount: u64) -> Self {
        self.tokens.insert(id.to_owned(), amount);
        self
    }
}
