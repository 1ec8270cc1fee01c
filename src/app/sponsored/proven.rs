//! Signatures that were found to hold, so that a payment which is handed in again, between `/verify`
//! and `/settle` as a rule, is not checked again while its sender's account stays as it was.

use std::sync::Arc;

use ccd402_domain::ids::Digest;
use ccd402_domain::rejection::Rejection;
use ccd402_domain::sponsored::preflight::AccountState;
use ccd402_domain::sponsored::rules::{SenderSignature, signature_holds};
use ccd402_domain::sponsored::transaction::Transaction;
use ccd402_protocol::payload::AccountSignatures;
use ccd402_protocol::sponsored::SignedTransaction;

use crate::error::Error;
use crate::ports::sponsoring::{Finished, Freshness};
use crate::remembered::Remembered;
use crate::sponsored::Sponsors;

/// Signatures of one generation; two are kept, about half a kilobyte each.
pub(super) const GENERATION_MAX: usize = 16_384;

/// Signatures by the digest that they are over, and the account by whose keys they hold.
pub(super) type Proven = Remembered<Digest, Arc<Proof>>;

pub(super) struct Proof {
    signatures: AccountSignatures,
    /// The very state that was asked for: whatever changes the account makes another of it.
    account: Arc<AccountState>,
}

impl Sponsors {
    /// Whether the sender's signatures hold by the keys that its account has now.
    pub(super) async fn signed_now(
        &self,
        transaction: &Transaction,
        wire: &SignedTransaction,
    ) -> Result<Result<(), Rejection>, Error> {
        Ok(signature_holds(self.signature_now(transaction, wire).await?))
    }

    /// What the sender's signatures are worth by these keys.
    pub(super) async fn signature_now(
        &self,
        transaction: &Transaction,
        wire: &SignedTransaction,
    ) -> Result<SenderSignature, Error> {
        // Before the check, so that a change meanwhile makes the proof one of an older account.
        let account = self.port.account(&transaction.sender, Freshness::Known).await?;
        let proof = self.proof(transaction, wire);
        if proof.zip(account.as_ref()).is_some_and(|(proof, now)| Arc::ptr_eq(&proof.account, now))
        {
            return Ok(SenderSignature::Holds);
        }
        let signature = self.port.signature(wire).await?;
        if let (SenderSignature::Holds, Some(account)) = (signature, account) {
            let proof = Proof { signatures: wire.signatures.sender.clone(), account };
            self.proven.insert(transaction.digest, Arc::new(proof));
        }
        Ok(signature)
    }

    /// Signed as its sponsor, too, and finished.
    pub(super) async fn finished(
        &self,
        transaction: &Transaction,
        wire: &SignedTransaction,
    ) -> Result<Result<Finished, Rejection>, Error> {
        let proof = self.proof(transaction, wire);
        Ok(self.port.sign(wire, proof.as_ref().map(|proof| &proof.account)).await?)
    }

    /// The proof of these very signatures, by the account as it was then.
    fn proof(&self, transaction: &Transaction, wire: &SignedTransaction) -> Option<Arc<Proof>> {
        let proof = self.proven.get(transaction.digest)?;
        (proof.signatures == wire.signatures.sender).then_some(proof)
    }
}
