//! The port `Chain`, answered by Concordium nodes.
//!
//! Here stands the order of a check: words first, then the node, then the processor. What each step
//! looks at is in `presentation` and `signature`.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use ccd402_app::ports::chain::{
    Chain, ChainError, FinalizedBlock, PresentationCheck, SignatureCheck, TransactionStatus,
};
use ccd402_domain::{
    ids::TransactionHash, rejection::Rejection, transaction::BlockRef, verification::event::Proven,
};
use ccd402_protocol::{code::ReasonCode, network::NetworkId};
use chrono::{DateTime, Utc};
use futures::{StreamExt, stream::BoxStream};
use tokio::time::Instant;

use crate::{
    accounts::Accounts,
    block, blocks,
    error::Error,
    nodes::Nodes,
    parameters::Parameters,
    presentation::{self, Wanted},
    processors::{self, Processors},
    signature, status,
};

/// How long the chain's time is taken to be as it was: credentials end with a month.
const TIME_LIFE: Duration = Duration::from_secs(3);

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
    accounts: Accounts,
    parameters: Parameters,
    processors: Processors,
    blocks: blocks::Options,
    time: Mutex<Option<(DateTime<Utc>, Instant)>>,
}

impl Concordium {
    /// Answers from these nodes.
    #[must_use]
    pub fn new(nodes: Nodes, options: Options) -> Self {
        Self {
            accounts: Accounts::new(nodes.clone()),
            parameters: Parameters::new(nodes.clone()),
            processors: Processors::new(options.processors),
            blocks: options.blocks,
            time: Mutex::default(),
            nodes,
        }
    }

    /// The nodes that it asks, for health checks.
    #[must_use]
    pub fn nodes(&self) -> &Nodes {
        &self.nodes
    }

    /// Decimals of a protocol-level token; none if there is no such token.
    ///
    /// # Errors
    /// If the nodes cannot be asked.
    pub async fn token_decimals(&self, token: &str) -> Result<Option<u8>, Error> {
        Ok(self.parameters.token(token).await?.map(|token| token.decimals))
    }

    async fn last_final(&self) -> Result<BlockRef, Error> {
        let block = block::last_final(&self.nodes).await?;
        self.time_known().replace((block.time, Instant::now() + TIME_LIFE));
        Ok(block)
    }

    /// The time of the last finalized block, a few seconds old at most.
    async fn time(&self) -> Result<DateTime<Utc>, Error> {
        let known = *self.time_known();
        match known {
            Some((time, until)) if until > Instant::now() => Ok(time),
            _ => Ok(self.last_final().await?.time),
        }
    }

    fn time_known(&self) -> MutexGuard<'_, Option<(DateTime<Utc>, Instant)>> {
        self.time.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn checked(&self, check: PresentationCheck) -> Result<Result<Proven, Rejection>, Error> {
        let PresentationCheck { presentation, required, challenge, payer } = check;
        if let Err(rejection) = presentation::glance(&presentation, &challenge) {
            return Ok(Err(rejection));
        }
        let network = self.nodes.network().clone();
        let wanted = Wanted { network, challenge, required };
        let json: Arc<str> = presentation.into();
        let text = Arc::clone(&json);
        let claim = match self.worked(move || presentation::read(&text, &wanted)).await? {
            Ok(claim) => claim,
            Err(rejection) => return Ok(Err(rejection)),
        };
        let account = self.accounts.of_credential(&claim.credential).await?;
        let now = self.time().await?;
        let commitments = presentation::commitments(&claim, account.as_deref(), &payer, now);
        let commitments = match commitments {
            Ok(commitments) => commitments,
            Err(rejection) => return Ok(Err(rejection)),
        };
        let parameters = self.parameters.cryptographic().await?;
        self.worked(move || claim.proven(&json, &parameters, &commitments)).await
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

#[async_trait]
impl Chain for Concordium {
    fn network(&self) -> &NetworkId {
        self.nodes.network()
    }

    async fn tip(&self) -> Result<BlockRef, ChainError> {
        Ok(self.last_final().await?)
    }

    async fn transaction(&self, hash: TransactionHash) -> Result<TransactionStatus, ChainError> {
        Ok(status::of(&self.nodes, &hash).await?)
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
        let account = self.accounts.at(&payer).await?;
        Ok(signature::check(account.as_deref(), &payer, &digest, &signatures))
    }

    async fn blocks_from(
        &self,
        height: u64,
    ) -> Result<BoxStream<'static, Result<FinalizedBlock, ChainError>>, ChainError> {
        let blocks = blocks::from(self.nodes.clone(), height, self.blocks);
        Ok(blocks.map(|block| Ok(block?)).boxed())
    }
}
