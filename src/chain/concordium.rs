//! The port `Chain`, answered by Concordium nodes.
//!
//! Here stands the order of a check: words first, then the node, then the processor. What each step
//! looks at is in `presentation` and `signature`.

use std::sync::Arc;

use async_trait::async_trait;
use ccd402_app::ports::chain::{
    AssetInfo, Chain, ChainError, FinalizedBlock, NodeStanding, PresentationCheck, SignatureCheck,
    TransactionStatus,
};
use ccd402_domain::{
    account::AccountAddress, amount::Amount, asset::Asset, ids::TransactionHash,
    rejection::Rejection, sponsored::preflight::TokenState, transaction::BlockRef,
    verification::event::Proven,
};
use ccd402_protocol::{code::ReasonCode, network::NetworkId};
use futures::{StreamExt, stream::BoxStream};

use crate::{
    account::{self, Account},
    blocks, codec,
    error::Error,
    facts::{Facts, Known},
    fee,
    ledger::Ledger,
    nodes::{NodeHealth, Nodes},
    presentation::{self, Claim, Wanted},
    processors::{self, Processors},
    signature, status,
    submit::{self, Submitted},
    token,
};

/// How the chain is asked.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// How finalized blocks are followed.
    pub blocks: blocks::Options,
    /// How much work proofs may make.
    pub processors: processors::Options,
}

/// A Concordium network, by its nodes.
pub struct Concordium {
    nodes: Nodes,
    facts: Arc<Facts>,
    /// What sponsoring knows of accounts, tokens and fees.
    pub(crate) ledger: Arc<Ledger>,
    processors: Processors,
    blocks: blocks::Options,
}

/// What one turn on a processor made of a presentation.
enum Looked {
    Proven(Proven),
    /// Its words are right; the chain must be asked before the proofs can be checked.
    AwaitsFacts(Box<Claim>),
}

impl Concordium {
    /// Answers from these nodes.
    #[must_use]
    pub fn new(nodes: Nodes, options: Options) -> Self {
        Self {
            facts: Arc::new(Facts::new(nodes.clone())),
            ledger: Arc::new(Ledger::new(nodes.clone())),
            processors: Processors::new(options.processors),
            blocks: options.blocks,
            nodes,
        }
    }

    /// The nodes that it asks, for health checks.
    #[must_use]
    pub fn nodes(&self) -> &Nodes {
        &self.nodes
    }

    /// An account with its keys and what it holds, asked now; none if there is no such account.
    ///
    /// # Errors
    /// If the nodes cannot be asked, or the account is newer than this program.
    pub async fn account(&self, address: &AccountAddress) -> Result<Option<Account>, Error> {
        account::ask(&self.nodes, address).await
    }

    /// A protocol-level token as it is now; none if there is no such token.
    ///
    /// # Errors
    /// If the nodes cannot be asked, or the token is newer than this program.
    pub async fn token(&self, id: &str) -> Result<Option<TokenState>, Error> {
        token::ask(&self.nodes, id).await
    }

    /// What so much energy costs, in microCCD.
    ///
    /// # Errors
    /// If the nodes cannot be asked.
    pub async fn fee(&self, energy: u64) -> Result<Amount, Error> {
        fee::of(&self.nodes, energy).await
    }

    /// Sends a finished transaction. After an error it may have been taken: send the same bytes
    /// again.
    ///
    /// # Errors
    /// If the nodes cannot be asked, or the bytes are no transaction.
    pub async fn send(&self, bytes: &[u8]) -> Result<Submitted, Error> {
        let Some(item) = codec::block_item(bytes) else {
            return Err(Error::NotUnderstood("the bytes to send are no transaction".to_owned()));
        };
        submit::send(&self.nodes, &item).await
    }

    async fn checked(&self, check: PresentationCheck) -> Result<Result<Proven, Rejection>, Error> {
        let PresentationCheck { presentation, required, challenge, payer } = check;
        if let Err(rejection) = presentation::glance(&presentation, &challenge) {
            return Ok(Err(rejection));
        }
        let network = self.nodes.network().clone();
        let wanted = Wanted { network, challenge, required };
        let (json, facts): (Arc<str>, _) = (presentation.into(), Arc::clone(&self.facts));
        let text = Arc::clone(&json);
        // One turn where the chain is known, as it mostly is.
        let looked = self.worked(move || {
            let claim = presentation::read(&text, &wanted)?;
            match facts.known(&claim.credential) {
                Some(known) => proven(&claim, &text, &payer, &known).map(Looked::Proven),
                None => Ok(Looked::AwaitsFacts(Box::new(claim))),
            }
        });
        let claim = match looked.await? {
            Ok(Looked::AwaitsFacts(claim)) => claim,
            Ok(Looked::Proven(proven)) => return Ok(Ok(proven)),
            Err(rejection) => return Ok(Err(rejection)),
        };
        let known = self.facts.learn(&claim.credential).await?;
        self.worked(move || proven(&claim, &json, &payer, &known)).await
    }

    /// What the work on a presentation says, off the async threads. Work that panicked met what no
    /// honest prover makes.
    async fn worked<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Rejection> + Send + 'static,
    ) -> Result<Result<T, Rejection>, Error> {
        let worked = self.processors.run(work).await?;
        Ok(worked.unwrap_or_else(|| Err(Rejection::of(ReasonCode::IdentityProofInvalid))))
    }
}

fn proven(
    claim: &Claim,
    json: &str,
    payer: &AccountAddress,
    known: &Known,
) -> Result<Proven, Rejection> {
    let account = known.account.as_deref();
    let commitments = presentation::commitments(claim, account, payer, known.time)?;
    claim.proven(json, &known.parameters, &commitments)
}

#[async_trait]
impl Chain for Concordium {
    fn network(&self) -> &NetworkId {
        self.nodes.network()
    }

    fn nodes(&self) -> Vec<NodeStanding> {
        let standing = |health: NodeHealth| NodeStanding {
            name: health.name,
            answers: health.answers,
            is_excluded: health.excluded,
            answered_ago: health.answered_ago,
            height_finalized: health.height_finalized,
        };
        self.nodes.health().into_iter().map(standing).collect()
    }

    async fn tip(&self) -> Result<BlockRef, ChainError> {
        Ok(self.facts.last_final().await?)
    }

    async fn transaction(&self, hash: TransactionHash) -> Result<TransactionStatus, ChainError> {
        Ok(status::of(&self.nodes, &hash).await?)
    }

    async fn token(&self, id: &str) -> Result<Option<AssetInfo>, ChainError> {
        let token = self.facts.parameters.token(id).await?;
        Ok(token.map(|token| AssetInfo {
            asset: Asset::Token(token.id.as_ref().to_owned()),
            decimals: token.decimals,
        }))
    }

    async fn check_presentation(
        &self,
        check: PresentationCheck,
    ) -> Result<Result<Proven, Rejection>, ChainError> {
        Ok(self.checked(check).await?)
    }

    async fn check_signature(
        &self,
        check: SignatureCheck,
    ) -> Result<Result<(), Rejection>, ChainError> {
        let SignatureCheck { signatures, digest, payer } = check;
        let account = self.facts.accounts.at(&payer).await?;
        Ok(signature::check(account.as_deref(), &payer, &digest, &signatures))
    }

    async fn blocks_from(
        &self,
        height: u64,
    ) -> Result<BoxStream<'static, Result<FinalizedBlock, ChainError>>, ChainError> {
        let blocks =
            blocks::from(self.nodes.clone(), Arc::clone(&self.ledger), height, self.blocks);
        Ok(blocks.map(|block| Ok(block?)).boxed())
    }
}
