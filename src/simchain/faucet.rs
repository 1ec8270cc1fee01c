//! Issues wallets: an identity, the deployment of its credential, and transfers from the faucet,
//! which are block items like any other, so that blocks explain every balance. Free and for
//! everyone, within bounds, because the money is not real.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use ccd402_chain::wallet::WalletFile;
use concordium_rust_sdk::{
    base::{
        contracts_common::{AccountAddress, Amount},
        protocol_level_tokens::{TokenId, TokenOperation, TokenOperations, operations},
        transactions::{BlockItem, construct},
    },
    common::types::TransactionTime,
    types::{Nonce, hashes::TransactionHash},
};
use tokio::sync::Mutex;

use crate::{
    Error,
    admit::Refusal,
    chain::Status,
    clock::Clock,
    genesis::GOVERNANCE,
    identity,
    item::Item,
    node::Node,
    options::{Funds, IdentitySpec},
};

/// Wallets issued in one second at most.
const PER_SECOND_MAX: u32 = 50;
/// Accounts of a chain at most.
const ACCOUNTS_MAX: u64 = 100_000;
/// Identities tried for one wallet until one is new.
const NUMBERS_MAX: usize = 16;
/// Seconds to wait for a new account's finality.
const FINAL_WITHIN_S: u64 = 60;
/// Blocks made with a driven clock until the account must be final.
const BLOCKS_MAX: usize = 100;
/// Seconds that a transfer of the faucet may wait for its block.
const TRANSFER_VALID_S: u64 = 3600;

/// Issues wallets on a chain.
pub(crate) struct Faucet {
    node: Arc<Node>,
    state: Mutex<State>,
}

struct State {
    /// Number of the next identity.
    next: u64,
    /// Wallets issued since `since`, within the last second.
    recent: u32,
    since: Instant,
}

impl Faucet {
    pub(crate) fn new(node: Arc<Node>) -> Self {
        let next = node.chain().ledger.accounts().len() as u64;
        Self { node, state: Mutex::new(State { next, recent: 0, since: Instant::now() }) }
    }

    /// A wallet whose account exists, is funded and is final when this returns.
    pub(crate) async fn issue(
        &self,
        spec: IdentitySpec,
        funds: Funds,
    ) -> Result<WalletFile, Error> {
        self.check(&funds)?;
        let (wallet, deployed) = self.open(spec).await?;
        let mut hashes = self.fund(wallet.address, &funds).await?;
        hashes.push(deployed);
        self.until_final(&hashes).await?;
        Ok(wallet)
    }

    /// Has the governance of a token do something.
    pub(crate) async fn govern(
        &self,
        token: &str,
        operation: TokenOperation,
    ) -> Result<TransactionHash, Error> {
        let _one_at_a_time = self.state.lock().await;
        let id = token.parse().map_err(|_| Error::Issue(format!("{token} is no token's id")))?;
        self.update(id, [operation])
    }

    fn update(
        &self,
        id: TokenId,
        operations: impl IntoIterator<Item = TokenOperation>,
    ) -> Result<TransactionHash, Error> {
        let operations = TokenOperations::from_iter(operations);
        self.send(move |sender, nonce, expiry| {
            construct::token_update_operations(1, sender, nonce, expiry, id, operations)
                .expect("operations of the SDK have a CBOR form")
        })
    }

    /// Issues an identity and submits the deployment of its credential.
    async fn open(&self, spec: IdentitySpec) -> Result<(WalletFile, TransactionHash), Error> {
        let spec = Arc::new(spec);
        // After a restart, numbers begin with the accounts there are: some may have been used.
        for _ in 0..NUMBERS_MAX {
            let number = self.number().await?;
            let (node, spec) = (Arc::clone(&self.node), Arc::clone(&spec));
            let work = move || {
                let issued = identity::issue(&node.genesis, &spec, number, node.clock.now_ms())?;
                let deployment = BlockItem::CredentialDeployment(Box::new(issued.deployment));
                match node.submit(Item::new(deployment)) {
                    Ok(hash) => Ok(Some((issued.wallet, hash))),
                    Err(Refusal::DuplicateRegistration) => Ok(None),
                    Err(refusal) => Err(Error::Issue(refusal.to_string())),
                }
            };
            let opened = tokio::task::spawn_blocking(work).await;
            let opened = opened.map_err(|_| Error::Issue("it was not finished".to_owned()))??;
            if let Some(opened) = opened {
                return Ok(opened);
            }
        }
        Err(Error::Issue("identities of this seed are used up for now: try again".to_owned()))
    }

    fn check(&self, funds: &Funds) -> Result<(), Error> {
        let chain = self.node.chain();
        let faucet = chain.ledger.latest(GOVERNANCE);
        if funds.micro_ccd > faucet.balance / 2 {
            return Err(Error::Issue("there is not that much CCD".to_owned()));
        }
        for (id, amount) in &funds.tokens {
            let Some(token) = chain.ledger.find_token(id) else {
                return Err(Error::Issue(format!("there is no token `{id}`")));
            };
            if faucet.tokens.get(&token).is_none_or(|held| *amount > held.units) {
                return Err(Error::Issue(format!("there is not that much {id}")));
            }
        }
        Ok(())
    }

    async fn number(&self) -> Result<u64, Error> {
        let mut state = self.state.lock().await;
        if state.since.elapsed() >= Duration::from_secs(1) {
            (state.recent, state.since) = (0, Instant::now());
        }
        if state.recent >= PER_SECOND_MAX || state.next >= ACCOUNTS_MAX {
            return Err(Error::TooMany { per_second: PER_SECOND_MAX, total: ACCOUNTS_MAX });
        }
        state.recent += 1;
        state.next += 1;
        Ok(state.next - 1)
    }

    /// Sends the faucet's transfers, one caller at a time so that sequence numbers are consecutive.
    async fn fund(&self, to: AccountAddress, funds: &Funds) -> Result<Vec<TransactionHash>, Error> {
        let _one_at_a_time = self.state.lock().await;
        let mut hashes = Vec::new();
        if funds.micro_ccd > 0 {
            let amount = Amount::from_micro_ccd(funds.micro_ccd);
            hashes.push(self.send(|sender, nonce, expiry| {
                construct::transfer(1, sender, nonce, expiry, to, amount)
            })?);
        }
        for (id, units) in &funds.tokens {
            let (token_id, amount, has_lists) = {
                let chain = self.node.chain();
                let ix = chain.ledger.find_token(id);
                let ix = ix.ok_or_else(|| Error::Issue(format!("there is no token `{id}`")))?;
                let token = chain.ledger.token(ix);
                (token.id.clone(), token.amount(*units), token.has_lists)
            };
            let allow = has_lists.then(|| operations::add_token_allow_list(to));
            let transfer = operations::transfer_tokens(to, amount);
            hashes.push(self.update(token_id, allow.into_iter().chain([transfer]))?);
        }
        Ok(hashes)
    }

    fn send(
        &self,
        construct: impl FnOnce(
            AccountAddress,
            Nonce,
            TransactionTime,
        ) -> construct::PreAccountTransaction,
    ) -> Result<TransactionHash, Error> {
        let node = &self.node;
        let nonce = Nonce { nonce: node.chain().next_sequence(GOVERNANCE) };
        let expiry = TransactionTime { seconds: node.clock.now_ms() / 1000 + TRANSFER_VALID_S };
        let faucet = &node.genesis.faucet;
        let transaction = construct(faucet.address, nonce, expiry).sign(&faucet.keys);
        node.submit(Item::new(BlockItem::AccountTransaction(transaction)))
            .map_err(|refusal| Error::Issue(refusal.to_string()))
    }

    async fn until_final(&self, hashes: &[TransactionHash]) -> Result<(), Error> {
        if matches!(self.node.clock, Clock::Driven(_)) || self.node.block_time_ms() == 0 {
            // Nobody else may move time or make blocks now, and the caller waits for them.
            for _ in 0..BLOCKS_MAX {
                self.node.bake()?;
                self.node.finalize_all()?;
                if self.all_final(hashes) {
                    return Ok(());
                }
            }
            return Err(Error::NotFinal(0));
        }
        let mut height = self.node.height_finalized.subscribe();
        let wait = height.wait_for(|_| self.all_final(hashes));
        match tokio::time::timeout(Duration::from_secs(FINAL_WITHIN_S), wait).await {
            Ok(_) => Ok(()),
            Err(_) => Err(Error::NotFinal(FINAL_WITHIN_S)),
        }
    }

    fn all_final(&self, hashes: &[TransactionHash]) -> bool {
        let chain = self.node.chain();
        hashes.iter().all(|hash| matches!(chain.status(hash), Some(Status::Finalized(..))))
    }
}
