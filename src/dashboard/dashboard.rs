//! What every page shares: what it stands on, and what is made once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ccd402_app::facilitator::Facilitator;
use ccd402_app::kept::Kept;
use ccd402_app::keys::Keys;
use ccd402_app::operate::Operations;
use ccd402_app::past::Pasts;
use ccd402_app::reads::Reads;
use ccd402_app::webhooks::Webhooks;
use ccd402_domain::amount::CCD_DECIMALS;
use ccd402_domain::asset::Asset;
use ccd402_domain::ids::TransactionHash;
use chrono::{DateTime, Utc};
use tokio::sync::Semaphore;

use crate::attempts::Attempts;
use crate::live::Open;
use crate::options::{HASH, Options};
use crate::origin::Names;
use crate::parts::{Parts, Standing};
use crate::session::Sealer;
use crate::shown::Decimals;

/// Longest that a page waits for a node to say how fine a token is.
const NODE_WAIT: Duration = Duration::from_secs(1);
/// Most tokens of which that is remembered.
const TOKENS_MAX: usize = 1_024;

/// What every page shares.
pub(crate) struct Dashboard {
    pub(crate) facilitator: Arc<Facilitator>,
    pub(crate) reads: Arc<Reads>,
    pub(crate) keys: Keys,
    pub(crate) operations: Operations,
    pub(crate) webhooks: Arc<Webhooks>,
    pub(crate) standing: Standing,
    pub(crate) pasts: Pasts,
    pub(crate) options: Options,
    pub(crate) names: Names,
    pub(crate) sealer: Sealer,
    pub(crate) attempts: Attempts,
    /// One permit a request.
    pub(crate) requests: Semaphore,
    /// Pages that are kept live.
    pub(crate) live: Arc<Open>,
    /// What several live pages show alike.
    pub(crate) drawn: Kept<String, String>,
    /// How fine tokens are, which never changes, by their names in small letters.
    decimals: Mutex<HashMap<String, u8>>,
}

impl Dashboard {
    pub(crate) fn new(parts: Parts, options: Options) -> Self {
        let Parts { facilitator, reads, keys, operations, webhooks, standing, pasts, seal } = parts;
        Self {
            names: Names::new(options.public_url.as_deref(), options.is_local),
            sealer: Sealer::new(seal, options.idle_max, options.session_max),
            attempts: Attempts::default(),
            requests: Semaphore::new(options.requests_max.min(Semaphore::MAX_PERMITS)),
            live: Arc::default(),
            drawn: Kept::default(),
            decimals: Mutex::default(),
            facilitator,
            reads,
            keys,
            operations,
            webhooks,
            standing,
            pasts,
            options,
        }
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.facilitator.clock().now()
    }

    /// What every link begins with, for who came by this host. A proxy may serve us under a path.
    pub(crate) fn base(&self, host: &str) -> String {
        let public = self.options.public_url.as_deref().filter(|_| self.names.is_public(host));
        let path = public.and_then(|url| url.split_once("://")?.1.split_once('/'));
        match path {
            Some((_, path)) if !path.is_empty() => format!("/{path}/dashboard"),
            _ => "/dashboard".to_owned(),
        }
    }

    /// Where an explorer shows a transaction, if there is one for this network.
    pub(crate) fn explored(&self, transaction: TransactionHash) -> Option<String> {
        let explorer = self.options.explorer.as_ref()?;
        Some(explorer.replace(HASH, &transaction.to_string()))
    }

    /// How fine these assets are; those of which nobody can say it now are left out.
    pub(crate) async fn decimals(&self, assets: &[&Asset]) -> Decimals {
        let mut found = HashMap::new();
        for asset in assets {
            let name = asset.to_string().to_ascii_lowercase();
            if found.contains_key(&name) {
                continue;
            }
            let decimals = match asset {
                Asset::Ccd => Some(CCD_DECIMALS),
                Asset::Token(_) => self.decimals_of(&name, asset).await,
            };
            found.extend(decimals.map(|decimals| (name, decimals)));
        }
        Decimals(found)
    }

    async fn decimals_of(&self, name: &str, asset: &Asset) -> Option<u8> {
        let known = |map: &HashMap<String, u8>| map.get(name).copied();
        // Each change is one insertion, so a panic elsewhere leaves nothing half done.
        let lock = || self.decimals.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(decimals) = known(&lock()) {
            return Some(decimals);
        }
        let asked = tokio::time::timeout(NODE_WAIT, self.facilitator.asset(asset)).await;
        let decimals = asked.ok()?.ok()??.decimals;
        let mut all = lock();
        if all.len() < TOKENS_MAX {
            all.insert(name.to_owned(), decimals);
        }
        Some(decimals)
    }
}
