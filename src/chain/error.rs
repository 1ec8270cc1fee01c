//! What can go wrong between us and the nodes, by what the caller should do about it.
//!
//! A payment that is refused is no error: refusals are values of the port.

use ccd402_app::ports::chain::ChainError;
use ccd402_protocol::network::NetworkId;
use concordium_rust_sdk::endpoints::{QueryError, RPCError};
use tonic::Code;

/// Longest text of a node that is passed on, in characters.
const TEXT_CHARS_MAX: usize = 200;

/// The chain could not be asked, or its answer cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No node answered; the same question may be asked again later.
    #[error("no node answered: {0}")]
    Unavailable(String),
    /// A node answered something that this version cannot read, or that cannot be true. Nothing
    /// may be concluded from it: stop and tell a person.
    #[error("the chain's answer is not understood: {0}")]
    NotUnderstood(String),
    /// As many proofs wait for a processor, or questions for the node, as may.
    #[error("too many proofs or questions are waiting")]
    Busy,
    /// Every node that answers is on another network.
    #[error("node {node} is on {found}, not on {configured}: check the node's address")]
    WrongNetwork {
        /// The node.
        node: String,
        /// The network wanted.
        configured: NetworkId,
        /// The network that the node is on.
        found: NetworkId,
    },
    /// The addresses of the nodes cannot be used.
    #[error("node addresses: {0}")]
    Addresses(String),
}

impl From<Error> for ChainError {
    fn from(error: Error) -> Self {
        match error {
            Error::Unavailable(text) | Error::Addresses(text) => Self::Unavailable(text),
            Error::NotUnderstood(text) => Self::NotUnderstood(text),
            Error::Busy => Self::Busy,
            Error::WrongNetwork { configured, found, .. } => {
                Self::WrongNetwork { configured, found }
            }
        }
    }
}

/// Why one question to one node brought no answer.
#[derive(Debug, Clone)]
pub(crate) enum Failure {
    /// The node does not know the thing.
    NotFound,
    /// The thing was there before the question (a transaction sent again).
    Duplicate,
    /// The node refuses the question, or the answer cannot be decoded; asking again will not help.
    Refused(String),
    /// The node did not answer; another may.
    Unavailable(String),
    /// The node is on another network than ours.
    OtherNetwork(OtherNetwork),
    /// So many of our own questions wait for the node that this one was not even asked.
    Crowded,
}

/// A node that is on another network than ours.
#[derive(Debug, Clone)]
pub(crate) struct OtherNetwork {
    pub(crate) node: String,
    pub(crate) configured: NetworkId,
    pub(crate) found: NetworkId,
}

impl Failure {
    /// One word for what went wrong; that something is not there, or was before, is an answer.
    pub(crate) fn fault(&self) -> Option<&'static str> {
        match self {
            Self::NotFound | Self::Duplicate => None,
            Self::Refused(_) => Some("refused"),
            Self::Unavailable(_) => Some("unavailable"),
            Self::OtherNetwork(_) => Some("other_network"),
            Self::Crowded => Some("crowded"),
        }
    }

    /// As an error of a question whose thing must exist.
    pub(crate) fn into_error(self, asked: &str) -> Error {
        match self {
            Self::NotFound => Error::Unavailable(format!("{asked} is not known to the node yet")),
            Self::Duplicate => Error::NotUnderstood(format!("{asked}: already exists")),
            Self::Refused(text) => Error::NotUnderstood(format!("{asked}: {text}")),
            Self::Unavailable(text) => Error::Unavailable(format!("{asked}: {text}")),
            Self::OtherNetwork(OtherNetwork { node, configured, found }) => {
                Error::WrongNetwork { node, configured, found }
            }
            Self::Crowded => Error::Busy,
        }
    }
}

impl From<QueryError> for Failure {
    fn from(error: QueryError) -> Self {
        match error {
            QueryError::NotFound => Self::NotFound,
            QueryError::RPCError(error) => error.into(),
        }
    }
}

impl From<RPCError> for Failure {
    fn from(error: RPCError) -> Self {
        let status = match error {
            RPCError::CallError(status) => status,
            other => return Self::Refused(shortened(&other.to_string())),
        };
        let text = shortened(&format!("{:?}: {}", status.code(), status.message()));
        match status.code() {
            Code::NotFound => Self::NotFound,
            Code::AlreadyExists => Self::Duplicate,
            Code::InvalidArgument | Code::FailedPrecondition | Code::OutOfRange => {
                Self::Refused(text)
            }
            // A proxy's 429 arrives as Internal, a reset stream as Unknown or Cancelled, and a
            // node that forbids or lacks the call may have a neighbour that does not.
            _ => Self::Unavailable(text),
        }
    }
}

impl From<tonic::Status> for Failure {
    fn from(status: tonic::Status) -> Self {
        RPCError::from(status).into()
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(TEXT_CHARS_MAX).collect()
}
