//! Takes a sponsored payment in: the scheme's nine rules, whether it may fly, and in one batch the
//! Verification and what it will take of its payer.
//!
//! A transaction is one payment for one thing, for as long as the log lasts: whoever hands it in
//! again meets the same Verification, also when its time is long over.

use std::time::Duration;

use ccd402_domain::ids::VerificationId;
use ccd402_domain::listing::Listing;
use ccd402_domain::payment::Payment;
use ccd402_domain::rejection::Rejection;
use ccd402_domain::sponsored::holds::{HeldPayment, Holds};
use ccd402_domain::sponsored::offer::Offer;
use ccd402_domain::sponsored::payment::SponsoredPayment;
use ccd402_domain::sponsored::rules::Case;
use ccd402_domain::sponsored::transaction::Transaction;
use ccd402_domain::verification::state::Verification;
use ccd402_protocol::code::ReasonCode;
use ccd402_protocol::presented::PresentedSponsored;
use ccd402_protocol::sponsored::SignedTransaction;
use tokio::time::Instant;
use uuid::Uuid;

use crate::error::Error;
use crate::facilitator::Facilitator;
use crate::idempotency::Keyed;
use crate::ports::log::{Append, AppendError, StreamId};
use crate::sponsored::Sponsors;
use crate::sponsored::preflight::Cleared;
use crate::sponsored::release::reservation;
use crate::take_in::Handed as NewPayment;
use crate::verify::Call;

/// How often a hold is decided anew because another payment of the payer was held first.
const DECISIONS_MAX: usize = 256;
/// How long a payment waits for those with lower numbers that are handed in at the same time, since
/// the last of its payer's was held.
const GAP_WAIT: Duration = Duration::from_secs(2);

/// A sponsored payment as it was handed in.
pub(super) struct Handed {
    offer: Offer,
    pub(super) wire: SignedTransaction,
    pub(super) transaction: Transaction,
    listing: Option<Listing>,
    id: VerificationId,
}

/// What became of handing a payment in.
pub(super) struct Held {
    pub(super) state: Verification,
    /// Whether it was not there before; the call's answer is recorded then.
    pub(super) is_new: bool,
}

impl Facilitator {
    /// Reads what was handed in, as far as time and chain have no say in it, for those who sponsor it.
    pub(super) fn read_sponsored(
        &self,
        call: &Call<'_>,
        presented: PresentedSponsored,
    ) -> Result<(&Sponsors, Handed), Rejection> {
        let sponsors = self.sponsors()?;
        let offer = Offer::read(&presented, &self.options.policy.network)?;
        let listing = Listing::read(&presented);
        let wire = presented.payload?;
        let transaction = sponsors.port.read(&wire)?;
        let network = offer.network.as_str().as_bytes();
        let digest = transaction.digest;
        let id = call.tenant.uuid_of(&[b"sponsored", network, digest.as_bytes()]);
        let id = VerificationId(id);
        Ok((sponsors, Handed { offer, wire, transaction, listing, id }))
    }

    /// Its verification, begun and held where there is none.
    pub(super) async fn held(
        &self,
        sponsors: &Sponsors,
        call: &Call<'_>,
        keyed: Keyed<'_>,
        handed: &Handed,
    ) -> Result<Result<Held, Rejection>, Error> {
        if let Some(state) = self.load(handed.id).await? {
            let is_same = pays(&state.payment, &handed.offer);
            return Ok(is_same.map(|()| Held { state, is_new: false }));
        }
        let payment = match self.permissible(sponsors, handed).await? {
            Ok(payment) => payment,
            Err(rejection) => return Ok(Err(rejection)),
        };
        let fee_max = sponsors.port.fee(payment.energy).await?;
        let now = self.clock.now();
        let budget = sponsors.options.budget_per_day;
        if !sponsors.book.affords(call.tenant, now.date_naive(), fee_max, budget) {
            return Ok(Err(Rejection::of(ReasonCode::SponsorBudgetExceeded)));
        }
        self.must_have_room(call.tenant, 1)?;
        let finished = match sponsors.finished(&handed.transaction, &handed.wire).await? {
            Ok(finished) => finished,
            Err(rejection) => return Ok(Err(rejection)),
        };
        let written = payment.clone().into_payment(finished.hash, fee_max, now);
        let ends_at = Instant::now() + call.wait;
        let mut deadline = ends_at.min(Instant::now() + GAP_WAIT);
        let mut has_waited = false;
        for _ in 0..DECISIONS_MAX {
            let lane = sponsors.lanes.entry(payment.payer.account());
            let changed = lane.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            let is_patient = Instant::now() < deadline;
            let found = self.preflight(sponsors, handed.id, &payment, is_patient).await?;
            let cleared = match found {
                Ok(cleared) => cleared,
                Err(grounded) if grounded.may_pass && is_patient => {
                    has_waited = true;
                    if tokio::time::timeout_at(deadline, changed).await.is_ok() {
                        deadline = ends_at.min(Instant::now() + GAP_WAIT);
                    }
                    continue;
                }
                Err(grounded) => return Ok(Err(grounded.rejection)),
            };
            // Keys may have changed since the rules were looked at.
            if has_waited
                && let Err(rejection) =
                    sponsors.signed_now(&handed.transaction, &handed.wire).await?
            {
                return Ok(Err(rejection));
            }
            let until = now + sponsors.options.hold;
            let held = HeldPayment::waiting(handed.id, &written, until);
            let new = NewPayment::without_proofs(call.tenant, written.clone(), keyed.body)
                .listed(handed.listing.clone());
            let mut appends = vec![self.requesting(handed.id, new)];
            appends.extend(held.map(|held| self.holding(&payment, cleared, held)));
            appends.extend(self.recording(
                keyed,
                crate::verify::recorded(handed.id, keyed, Some(reservation(handed.id))),
            ));
            match self.append(appends).await {
                Ok(_) => {
                    sponsors.book.promise(handed.id, payment.sponsor.account(), fee_max);
                    sponsors.lanes.wake(payment.payer.account());
                    let state = self.load(handed.id).await?.ok_or(Error::Contended)?;
                    return Ok(Ok(Held { state, is_new: true }));
                }
                Err(AppendError::VersionConflict { stream, .. })
                    if stream == StreamId::holds(&payment.network, &payment.payer) => {}
                Err(AppendError::VersionConflict { stream, .. })
                    if stream == StreamId::verification(handed.id) =>
                {
                    let state = self.load(handed.id).await?.ok_or(Error::Contended)?;
                    let is_same = pays(&state.payment, &handed.offer);
                    return Ok(is_same.map(|()| Held { state, is_new: false }));
                }
                // Another call took the key meanwhile.
                Err(AppendError::VersionConflict { .. }) => return Err(Error::Contended),
                Err(error) => return Err(error.into()),
            }
        }
        Err(Error::Contended)
    }

    /// Whether all nine rules hold now.
    async fn permissible(
        &self,
        sponsors: &Sponsors,
        handed: &Handed,
    ) -> Result<Result<SponsoredPayment, Rejection>, Error> {
        let case = Case {
            offer: &handed.offer,
            transaction: &handed.transaction,
            policy: sponsors.port.policy(),
            now: self.clock.now(),
        };
        if let Err(rejection) = case.check_words() {
            return Ok(Err(rejection));
        }
        let signature = sponsors.signature_now(&handed.transaction, &handed.wire).await?;
        Ok(case.decide(signature))
    }

    /// The append that holds a payment, among those by which it was cleared.
    pub(super) fn holding(
        &self,
        payment: &SponsoredPayment,
        cleared: Cleared,
        held: HeldPayment,
    ) -> Append {
        let holds: Holds = cleared.holds.with(held);
        let changed = holds.event(payment.network.clone(), payment.payer);
        Append {
            stream: StreamId::holds(&payment.network, &payment.payer),
            expected_version: cleared.version,
            events: vec![changed.into()],
            time: self.clock.now(),
            cause: Uuid::new_v4(),
            attachment: None,
        }
    }
}

/// Whether a payment is the one that this offer asks for. The transaction is the same already.
fn pays(payment: &Payment, offer: &Offer) -> Result<(), Rejection> {
    let resource = offer.resource.as_ref();
    let is_same = payment.pay_to.is_alias_of(&offer.pay_to)
        && payment.asset == offer.asset
        && payment.amount == offer.amount
        && resource.is_none_or(|resource| *resource == payment.resource);
    if is_same {
        return Ok(());
    }
    let detail = "the transaction was handed in for something else";
    Err(Rejection::new(ReasonCode::PaymentAlreadyUsed, detail))
}
