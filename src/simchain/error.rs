//! Why the simulated chain could not do what it was asked. A refused transaction is not here: it is
//! answered over gRPC as a node answers it.

use std::{io, path::PathBuf};

/// Failures of starting, keeping and controlling a simulated chain.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address could not be listened on.
    #[error("cannot listen on {address}: {source}; is another chain running there?")]
    Listen {
        /// What was asked for.
        address: std::net::SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The data directory could not be read or written.
    #[error("cannot use the chain's data in {path}: {source}")]
    Data {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another process uses the data directory.
    #[error("{0} is used by another chain: stop it, or choose another directory")]
    Locked(PathBuf),
    /// The kept chain cannot be replayed.
    #[error("the chain kept in {path} is damaged ({reason}): move it away to start a new one")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        reason: String,
    },
    /// A wallet was asked for that cannot be issued.
    #[error("cannot issue the wallet: {0}")]
    Issue(String),
    /// So many wallets were asked for that the chain declines.
    #[error("too many wallets: at most {per_second} a second and {total} in all")]
    TooMany {
        /// Wallets a second.
        per_second: u32,
        /// Wallets in all.
        total: u64,
    },
    /// A new account was not finalized in time.
    #[error("the new account is not final after {0} s: is finality delayed by a fault?")]
    NotFinal(u64),
    /// The control service could not be reached or declined.
    #[error("the chain's control service at {url}: {reason}")]
    Control {
        /// Address of the chain.
        url: String,
        /// What it said.
        reason: String,
    },
}
