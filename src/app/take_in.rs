//! Takes a payment in: decoding, the rules that need no IO, and the event that says it was asked for.

use std::sync::Arc;

use ccd402_domain::ids::{Digest, VerificationId};
use ccd402_domain::listing::Listing;
use ccd402_domain::payment::{Payment, Proofs};
use ccd402_domain::rejection::Rejection;
use ccd402_domain::tenant::TenantId;
use ccd402_domain::verification::command::{Command, Request};
use ccd402_domain::verification::decide::decide;
use ccd402_protocol::code::ReasonCode;
use ccd402_protocol::presented::{DecodeError, Presented, PresentedPayment};
use uuid::Uuid;

use crate::error::Error;
use crate::facilitator::Facilitator;
use crate::ports::log::{ATTACHMENT_BYTES_MAX, Append, AppendError, StreamId};

/// A payment that passed every rule that needs no IO.
pub(crate) struct Handed {
    tenant: TenantId,
    payment: Payment,
    proofs: Vec<u8>,
    body: Digest,
    listing: Option<Listing>,
}

impl Handed {
    /// One whose proofs are checked already.
    pub(crate) fn without_proofs(tenant: &TenantId, payment: Payment, body: Digest) -> Self {
        Self { tenant: tenant.clone(), payment, proofs: Vec::new(), body, listing: None }
    }

    /// The same, of a resource that may be listed.
    pub(crate) fn listed(self, listing: Option<Listing>) -> Self {
        Self { listing, ..self }
    }

    /// The id that every presentation of this payment by one tenant has, so that a repeat meets what is known
    /// already. Everything that can decide its outcome is in it: who hands in another's transfer
    /// with one thing changed gets a verification of his own, and spoils nobody's.
    pub(crate) fn payment_id(&self) -> VerificationId {
        let payment = serde_json::to_vec(&self.payment).expect("a payment has a JSON");
        VerificationId(self.tenant.uuid_of(&[b"payment", &payment, &self.proofs]))
    }
}

/// What was presented.
///
/// # Errors
/// Where the body is no VerifyRequest at all.
pub(crate) fn decode(body: &[u8]) -> Result<Result<Presented, Rejection>, Error> {
    match Presented::decode(body) {
        Ok(presented) => Ok(Ok(presented)),
        Err(DecodeError::Refused(refused)) => Ok(Err(refused.into())),
        Err(error @ DecodeError::Malformed(_)) => Err(Error::Malformed(error.to_string())),
    }
}

impl Facilitator {
    /// Reads a body as a payment that a tenant hands in.
    pub(crate) fn read(
        &self,
        tenant: &TenantId,
        body: &[u8],
        digest: Digest,
    ) -> Result<Result<Handed, Rejection>, Error> {
        Ok(match decode(body)? {
            Ok(Presented::TransactionHash(presented)) => self.handed(tenant, &presented, digest),
            Ok(Presented::Sponsored(_)) => {
                let detail = "only a payment by transaction hash may be submitted; a sponsored one \
                              is settled by POST /settle";
                Err(Rejection::new(ReasonCode::UnsupportedScheme, detail))
            }
            Err(rejection) => Err(rejection),
        })
    }

    /// Applies the rules that need no IO.
    pub(crate) fn handed(
        &self,
        tenant: &TenantId,
        presented: &PresentedPayment,
        digest: Digest,
    ) -> Result<Handed, Rejection> {
        let read = Payment::read(presented, &self.options.policy, self.clock.now());
        read.and_then(|(payment, proofs)| {
            let kept = serde_json::to_vec(&proofs).expect("proofs came from JSON");
            let proofs = if proofs == Proofs::default() { Vec::new() } else { kept };
            if proofs.len() > ATTACHMENT_BYTES_MAX {
                let detail = "the presentation or the signatures are too large";
                return Err(Rejection::new(ReasonCode::InvalidPayload, detail));
            }
            let listing = Listing::read(presented);
            Ok(Handed { tenant: tenant.clone(), payment, proofs, body: digest, listing })
        })
    }

    /// Appends the request, unless the verification exists. Returns whether it is new.
    pub(crate) async fn request(&self, id: VerificationId, handed: Handed) -> Result<bool, Error> {
        self.must_have_room(&handed.tenant, 1)?;
        match self.append(vec![self.requesting(id, handed)]).await {
            Ok(_) => Ok(true),
            Err(AppendError::VersionConflict { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Refuses what is more than may wait, in all or of the tenant's.
    ///
    /// What is on its way into the log is not counted yet: many at once may go over by as many.
    pub(crate) fn must_have_room(&self, tenant: &TenantId, more: u64) -> Result<(), Error> {
        if self.log.waiting_count().saturating_add(more) > self.options.waiting_max {
            return Err(Error::Overloaded);
        }
        if self.log.waiting_of(tenant).saturating_add(more) > self.options.waiting_max_per_tenant {
            return Err(Error::TooManyWaiting);
        }
        Ok(())
    }

    /// The append that begins a verification.
    pub(crate) fn requesting(&self, id: VerificationId, handed: Handed) -> Append {
        let now = self.clock.now();
        let attachment = (!handed.proofs.is_empty()).then_some(handed.proofs);
        let request = Request {
            verification: id,
            tenant: handed.tenant,
            payment: Arc::new(handed.payment),
            body: handed.body,
            listing: handed.listing,
            now,
        };
        let events = decide(None, Command::Request(Box::new(request)))
            .expect("a verification that does not exist refuses no request");
        Append {
            stream: StreamId::verification(id),
            expected_version: 0,
            events,
            time: now,
            cause: Uuid::new_v4(),
            attachment,
        }
    }
}
