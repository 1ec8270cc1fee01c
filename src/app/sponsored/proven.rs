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
use crate::ports::sponsoring::Freshness;
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
        let signatures = &wire.signatures.sender;
        let is_of = |proof: Arc<Proof>, account: &Arc<AccountState>| {
            Arc::ptr_eq(&proof.account, account) && proof.signatures == *signatures
        };
        let known = self.proven.get(transaction.digest).zip(account.as_ref());
        if known.is_some_and(|(proof, account)| is_of(proof, account)) {
            return Ok(SenderSignature::Holds);
        }
        let signature = self.port.signature(wire).await?;
        if let (SenderSignature::Holds, Some(account)) = (signature, account) {
            let proof = Proof { signatures: signatures.clone(), account };
            self.proven.insert(transaction.digest, Arc::new(proof));
        }
        Ok(signature)
    }
}
