//! Accounts, tokens and fees as of the last block that came by, remembered for as long as no block
//! says that they have changed: of what was asked for once no node is asked again.
//!
//! What may have become more without a word in the stream of transactions, such as rewards, is known
//! too low here: enough to say yes by, not to say no. Without blocks nothing counts as known.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use ccd402_domain::{
    account::{AccountAddress, AccountKey},
    amount::Amount,
    asset::Asset,
    sponsored::preflight::TokenState,
};
use concordium_rust_sdk::{
    base::{base::Energy, hashes::BlockHash, protocol_level_tokens::TokenEventDetails},
    types::{
        AccountTransactionEffects, BlockItemSummary, BlockItemSummaryDetails, queries::BlockInfo,
    },
    v2::{BlockIdentifier, Upward},
};
use futures::{
    FutureExt as _,
    future::{BoxFuture, Shared, WeakShared},
};
use tokio::time::Instant;

use crate::{
    account::{self, Account},
    codec,
    error::Error,
    fee,
    nodes::Nodes,
    token,
};

/// How long after the last block what is remembered still counts.
const STALE_AFTER: Duration = Duration::from_secs(20);
/// Accounts that are remembered, about a kilobyte each; then all are forgotten.
const ACCOUNTS_MAX: usize = 50_000;
/// Tokens that are remembered.
const TOKENS_MAX: usize = 1_024;

/// What a block has changed.
#[derive(Debug, Default)]
pub(crate) struct Touched {
    accounts: Vec<AccountKey>,
    /// Everything may be otherwise: parameters of the chain, lists of a token, what is unknown.
    all: bool,
}

/// What is remembered.
pub(crate) struct Ledger {
    nodes: Nodes,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    seen: Option<Seen>,
    accounts: HashMap<AccountKey, Arc<Account>>,
    /// Accounts that are being asked for as of that block: a block touches the accounts of all who are
    /// paid and who pay fees, and whoever needs one of them then waits for the same answer.
    asked: HashMap<AccountKey, WeakShared<Asking>>,
    tokens: HashMap<String, Arc<TokenState>>,
    rate: Option<fee::Rate>,
}

/// An answer on its way, for as long as somebody waits for it.
type Asking = BoxFuture<'static, Result<Option<Arc<Account>>, Error>>;

/// The last block that came by.
#[derive(Clone, Copy)]
struct Seen {
    height: u64,
    hash: BlockHash,
    at: Instant,
}

impl Touched {
    /// What these transactions of a block have changed.
    pub(crate) fn by(summaries: &[BlockItemSummary]) -> Self {
        let mut touched = Self::default();
        for summary in summaries {
            match summary.affected_addresses() {
                Upward::Known(addresses) if !changes_all(summary) => {
                    let keys = addresses.iter().map(|one| codec::address(one).account());
                    touched.accounts.extend(keys);
                }
                _ => touched.all = true,
            }
        }
        touched
    }
}

/// Whether a transaction changes more than the balances and keys of the accounts that it names.
fn changes_all(summary: &BlockItemSummary) -> bool {
    let Upward::Known(details) = &summary.details else { return true };
    match details {
        BlockItemSummaryDetails::Update(_) | BlockItemSummaryDetails::TokenCreationDetails(_) => {
            true
        }
        BlockItemSummaryDetails::AccountCreation(_) => false,
        BlockItemSummaryDetails::AccountTransaction(details) => match &details.effects {
            Upward::Known(AccountTransactionEffects::TokenUpdate { events }) => {
                // Pauses and lists are told of as events of the token's module.
                events.iter().any(|event| matches!(event.event, TokenEventDetails::Module(_)))
            }
            Upward::Known(_) => false,
            Upward::Unknown(()) => true,
        },
    }
}

impl Ledger {
    /// Nothing is known at first.
    pub(crate) fn new(nodes: Nodes) -> Self {
        Self { nodes, known: Mutex::default() }
    }

    /// A finalized block came by. Older ones change nothing; one that leaves others out makes
    /// everything forgotten.
    pub(crate) fn saw(&self, block: &BlockInfo, touched: &Touched) {
        let height = block.block_height.height;
        let mut known = self.lock();
        let is_next = match known.seen {
            Some(seen) if seen.height >= height => return,
            Some(seen) => seen.height + 1 == height,
            None => false,
        };
        if touched.all || !is_next {
            *known = Known::default();
        }
        for key in &touched.accounts {
            known.accounts.remove(key);
        }
        known.asked.clear();
        known.seen = Some(Seen { height, hash: block.block_hash, at: Instant::now() });
    }

    /// An account as it is known; asked for as of the last block where it is not.
    pub(crate) async fn account(
        &self,
        address: &AccountAddress,
    ) -> Result<Option<Arc<Account>>, Error> {
        let key = address.account();
        let (seen, account) = self.look(|known| known.accounts.get(&key).cloned());
        if account.is_some() {
            return Ok(account);
        }
        let Some(seen) = seen else { return self.account_now(address).await };
        let asked = self.asking(seen, address).await?;
        // A node that has not come so far knows no account as of that block.
        let Some(account) = asked else { return self.account_now(address).await };
        self.learn(seen, |known| {
            if known.accounts.len() >= ACCOUNTS_MAX {
                known.accounts.clear();
            }
            known.accounts.insert(key, Arc::clone(&account));
        });
        Ok(Some(account))
    }

    /// The answer about an account as of a block: the one that others wait for already, if they do.
    fn asking(&self, seen: Seen, address: &AccountAddress) -> Shared<Asking> {
        let (nodes, address) = (self.nodes.clone(), *address);
        let mut known = self.lock();
        let is_last = known.seen.is_some_and(|now| now.hash == seen.hash);
        let asked = known.asked.get(&address.account()).filter(|_| is_last);
        if let Some(asking) = asked.and_then(WeakShared::upgrade) {
            return asking;
        }
        let asking = async move {
            let asked = account::ask_at(&nodes, &address, BlockIdentifier::Given(seen.hash));
            Ok(asked.await?.map(Arc::new))
        };
        let asking = asking.boxed().shared();
        if let Some(shared) = asking.downgrade().filter(|_| is_last) {
            if known.asked.len() >= ACCOUNTS_MAX {
                known.asked.clear();
            }
            known.asked.insert(address.account(), shared);
        }
        asking
    }

    /// An account as a node says now, which may be before or after the block that was seen last.
    pub(crate) async fn account_now(
        &self,
        address: &AccountAddress,
    ) -> Result<Option<Arc<Account>>, Error> {
        Ok(account::ask(&self.nodes, address).await?.map(Arc::new))
    }

    /// A token as it is known; asked for where it is not. None for CCD.
    pub(crate) async fn token(&self, asset: &Asset) -> Result<Option<Arc<TokenState>>, Error> {
        let Asset::Token(id) = asset else { return Ok(None) };
        let key = id.to_ascii_lowercase();
        let (seen, token) = self.look(|known| known.tokens.get(&key).cloned());
        if token.is_some() {
            return Ok(token);
        }
        let Some(seen) = seen else { return self.token_now(asset).await };
        let asked = token::ask_at(&self.nodes, id, BlockIdentifier::Given(seen.hash)).await?;
        let Some(token) = asked.map(Arc::new) else { return self.token_now(asset).await };
        self.learn(seen, |known| {
            if known.tokens.len() >= TOKENS_MAX {
                known.tokens.clear();
            }
            known.tokens.insert(key, Arc::clone(&token));
        });
        Ok(Some(token))
    }

    /// A token as a node says now.
    pub(crate) async fn token_now(&self, asset: &Asset) -> Result<Option<Arc<TokenState>>, Error> {
        let Asset::Token(id) = asset else { return Ok(None) };
        Ok(token::ask(&self.nodes, id).await?.map(Arc::new))
    }

    /// What so much energy costs, in microCCD.
    pub(crate) async fn fee(&self, energy: u64) -> Result<Amount, Error> {
        let (seen, rate) = self.look(|known| known.rate.clone());
        let rate = match (rate, seen) {
            (Some(rate), _) => rate,
            (None, Some(seen)) => {
                match fee::rate(&self.nodes, BlockIdentifier::Given(seen.hash)).await {
                    Ok(rate) => {
                        self.learn(seen, |known| known.rate = Some(rate.clone()));
                        rate
                    }
                    // A node that has not come so far.
                    Err(_) => fee::rate(&self.nodes, BlockIdentifier::LastFinal).await?,
                }
            }
            (None, None) => fee::rate(&self.nodes, BlockIdentifier::LastFinal).await?,
        };
        Ok(Amount::from_units(rate.ccd_cost(Energy { energy }).micro_ccd))
    }

    /// What is known, and as of which block; nothing without blocks.
    fn look<T>(&self, look: impl FnOnce(&Known) -> Option<T>) -> (Option<Seen>, Option<T>) {
        let known = self.lock();
        match known.seen.filter(|seen| seen.at.elapsed() < STALE_AFTER) {
            Some(seen) => (Some(seen), look(&known)),
            None => (None, None),
        }
    }

    /// Remembers what was asked for as of a block, unless another has come by since.
    fn learn(&self, seen: Seen, learn: impl FnOnce(&mut Known)) {
        let mut known = self.lock();
        if known.seen.is_some_and(|now| now.hash == seen.hash) {
            learn(&mut known);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        // Every change leaves the maps whole, so a panic elsewhere does not spoil them.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
