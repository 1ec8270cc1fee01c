//! The port of leases: what only one process at a time may do, such as following blocks.
//!
//! A lease is held for a while and renewed. Whoever takes it over begins a new epoch; from then on
//! nothing is written under an older one, however late its holder notices. What is done under a
//! lease is not this port's business.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

/// Name of a lease; shared by its clones.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LeaseName(Arc<str>);

impl LeaseName {
    /// A name.
    #[must_use]
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self(name.into())
    }

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for LeaseName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a write shows to be refused once somebody else has taken the lease over.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Fence {
    /// Under which lease.
    pub lease: LeaseName,
    /// In which epoch of it; each holder begins another.
    pub epoch: u64,
}

/// A lease as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Its name.
    pub name: LeaseName,
    /// Who has it, or had it last: a name for people.
    pub holder: String,
    /// The newest epoch.
    pub epoch: u64,
    /// How long it is still held; `None` where it may be taken.
    pub remaining: Option<Duration>,
}

/// The leases could not be asked. Who holds one goes on until it ends.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the leases cannot be reached: {0}")]
pub struct LeaseError(pub String);

/// The leases of an installation, as one process takes them.
#[async_trait]
pub trait Leases: Send + Sync {
    /// How long a lease is held without being renewed.
    fn term(&self) -> Duration;

    /// Takes a lease that nobody holds, and begins an epoch; `None` where somebody does, even this
    /// process.
    async fn take(&self, lease: &LeaseName) -> Result<Option<Fence>, LeaseError>;

    /// Holds it for another term; false where somebody else has taken it.
    async fn renew(&self, fence: &Fence) -> Result<bool, LeaseError>;

    /// Lets others take it at once. Nothing where somebody else has.
    async fn give_up(&self, fence: &Fence) -> Result<(), LeaseError>;

    /// All leases that were ever taken, by name.
    async fn list(&self) -> Result<Vec<Lease>, LeaseError>;
}
