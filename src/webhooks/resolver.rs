//! Names to addresses, of which only those are handed out that messages may go to.
//!
//! The client connects to what is handed out here and asks nobody else, so that a name cannot mean
//! one address when it is checked and another when it is used.

use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::guard::Guard;

/// Most addresses of a name that are looked at.
const ADDRESSES_MAX: usize = 16;

/// Who knows the addresses of names: the system, or a test.
#[async_trait]
pub trait Lookup: Send + Sync {
    /// The addresses of a name.
    ///
    /// # Errors
    /// Where it has none or nobody can be asked.
    async fn lookup(&self, name: &str) -> std::io::Result<Vec<SocketAddr>>;
}

/// Asks the system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemLookup;

#[async_trait]
impl Lookup for SystemLookup {
    async fn lookup(&self, name: &str) -> std::io::Result<Vec<SocketAddr>> {
        Ok(tokio::net::lookup_host((name, 0)).await?.take(ADDRESSES_MAX).collect())
    }
}

/// Hands out allowed addresses only.
pub(crate) struct GuardedResolver {
    pub(crate) lookup: Arc<dyn Lookup>,
    pub(crate) guard: Guard,
}

/// All addresses of a name are refused.
#[derive(Debug, thiserror::Error)]
#[error("the name leads into a network that webhooks are not sent to")]
pub(crate) struct NameRefused;

/// A name has no address.
#[derive(Debug, thiserror::Error)]
#[error("the name has no address")]
pub(crate) struct NameUnknown;

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (lookup, guard) = (Arc::clone(&self.lookup), self.guard.clone());
        Box::pin(async move {
            let found = lookup.lookup(name.as_str()).await.map_err(|_| NameUnknown)?;
            if found.is_empty() {
                return Err(NameUnknown.into());
            }
            // One bad address among good ones is reason enough: which is tried is a matter of luck.
            if found.iter().any(|address| !guard.allows(address.ip())) {
                return Err(NameRefused.into());
            }
            Ok(Box::new(found.into_iter().take(ADDRESSES_MAX)) as Addrs)
        })
    }
}
