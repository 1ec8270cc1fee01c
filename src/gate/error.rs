//! Why a gate cannot be set up. What happens to a request is an answer, never one of these.

use std::path::PathBuf;

/// A gate that cannot be set up. Each says what to change.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Too few bytes to be a secret.
    #[error("the secret has {0} bytes; it needs at least 32 (64 hex digits)")]
    SecretTooShort(usize),
    /// The secret's file is not what the gate writes.
    #[error("{} holds no hex digits of a secret; remove it to have a new one made", .0.display())]
    SecretNotHex(PathBuf),
    /// The secret's file cannot be read or made.
    #[error("the secret's file {}: {cause}", path.display())]
    SecretFile {
        /// Where it is, or should be.
        path: PathBuf,
        /// What the system says.
        cause: std::io::Error,
    },
    /// A path pattern that could be read in more than one way.
    #[error("the path {pattern:?} is not a pattern: {reason}")]
    Pattern {
        /// As it was written.
        pattern: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A price that is not an amount and an asset.
    #[error("the price {price:?} is not \"<amount> <asset>\", like \"1.5 CCD\": {reason}")]
    Price {
        /// As it was written.
        price: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A route that nobody could pay for.
    #[error("the route {pattern}: {reason}")]
    Route {
        /// Its pattern.
        pattern: String,
        /// What is wrong with it.
        reason: String,
    },
    /// More or fewer routes than a gate takes.
    #[error("a gate takes 1 to {max} routes, not {0}", max = crate::routes::ROUTES_MAX)]
    RouteCount(usize),
    /// A base URL that is none.
    #[error("{url:?} is no {what}: use http:// or https://, a host, and {rest}")]
    Url {
        /// As it was written.
        url: String,
        /// What it should have been.
        what: &'static str,
        /// What may follow the host.
        rest: &'static str,
    },
    /// The facilitator serves no Concordium network, or several.
    #[error("the facilitator serves {0} Concordium networks; say with `network` which one to use")]
    Networks(usize),
    /// The facilitator gave no answer.
    #[error("the facilitator does not say which network it serves")]
    Facilitator(#[from] ccd402_client::facilitator::Error),
    /// No TLS towards the upstream.
    #[error("no TLS to the upstream, the system's root certificates cannot be read: {0}")]
    Tls(std::io::Error),
    /// The gate's socket failed.
    #[error("the gate's listener failed: {0}")]
    Listener(std::io::Error),
}
