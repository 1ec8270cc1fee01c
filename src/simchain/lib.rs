//! A simulated Concordium chain: a server that speaks the node's gRPC v2 on a real socket, so that
//! the unmodified SDKs work against it. It is faithful where money is decided: signatures, sequence
//! numbers, expiry, fees, balances, finality, and credentials that real proofs verify against.
//! It does not simulate contracts, staking, encrypted amounts, rewards or more than one node.

mod admit;
mod announce;
mod blocks;
mod chain;
mod clock;
mod control;
mod convert;
mod energy;
mod error;
mod execute;
mod faucet;
mod faults;
mod genesis;
mod handle;
mod identity;
mod item;
mod node;
mod options;
mod persist;
mod pool;
mod rekey;
#[expect(clippy::result_large_err, reason = "gRPC handlers answer with a Status by value")]
mod rpc;
mod socket;
mod state;

pub use clock::{Clock, DrivenClock};
pub use control::Control;
pub use error::Error;
pub use faults::{Fault, FaultKind};
pub use handle::{Handle, List, SimChain};
pub use options::{Funds, IdentitySpec, Options};

use concordium_rust_sdk::types::hashes::BlockHash;

/// CAIP-2 id of the network that begins with the block of this hash.
fn network_id(genesis: &BlockHash) -> String {
    format!("ccd:{}", &genesis.to_string()[..32])
}
