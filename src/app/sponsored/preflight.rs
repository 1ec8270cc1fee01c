//! Whether a payment may fly, by what is known of payer, recipient, token and sponsor.
//!
//! What is known is kept true by the block stream, and yes may be said by it. No is said only by
//! what a node says now: money that came in by a way that the stream does not tell counts, too.

use ccd402_domain::amount::Amount;
use ccd402_domain::event::Event;
use ccd402_domain::ids::VerificationId;
use ccd402_domain::rejection::Rejection;
use ccd402_domain::sponsored::holds::{HOLDS_MAX, Holds};
use ccd402_domain::sponsored::payment::SponsoredPayment;
use ccd402_domain::sponsored::preflight::{self, Facts, SponsorFunds};
use ccd402_protocol::code::ReasonCode;

use crate::error::Error;
use crate::facilitator::Facilitator;
use crate::ports::log::StreamId;
use crate::ports::sponsoring::Freshness;
use crate::sponsored::Sponsors;

/// A payment that may fly, and the holds by which this was decided.
pub(super) struct Cleared {
    /// All that count, without or with the payment's own.
    pub(super) holds: Holds,
    /// Version of their stream.
    pub(super) version: u64,
}

/// Why a payment may not fly.
pub(super) struct Grounded {
    pub(super) rejection: Rejection,
    /// Whether payments of the same payer that are still to be handed in may change it.
    pub(super) may_pass: bool,
}

impl Facilitator {
    /// Whether it may fly; a payment that is on its way already is not in its own way. Who is patient
    /// asks no node about a payment that others may still clear the way for.
    pub(super) async fn preflight(
        &self,
        sponsors: &Sponsors,
        id: VerificationId,
        payment: &SponsoredPayment,
        is_patient: bool,
    ) -> Result<Result<Cleared, Grounded>, Error> {
        match self.preflight_by(sponsors, id, payment, Freshness::Known).await? {
            Ok(cleared) => Ok(Ok(cleared)),
            Err(grounded) if is_patient && grounded.may_pass => Ok(Err(grounded)),
            Err(_) => self.preflight_by(sponsors, id, payment, Freshness::Now).await,
        }
    }

    async fn preflight_by(
        &self,
        sponsors: &Sponsors,
        id: VerificationId,
        payment: &SponsoredPayment,
        freshness: Freshness,
    ) -> Result<Result<Cleared, Grounded>, Error> {
        let port = &sponsors.port;
        let grounded = |rejection| Ok(Err(Grounded { rejection, may_pass: false }));
        let Some(payer) = port.account(&payment.payer, freshness).await? else {
            let detail = "the sender's account does not exist on this network";
            return grounded(Rejection::new(ReasonCode::InvalidSenderSignature, detail));
        };
        let recipient = port.account(&payment.pay_to, freshness).await?;
        let token = port.token(&payment.asset, freshness).await?;
        let own = port.account(&payment.sponsor, freshness).await?;
        let available = own.map_or(0, |account| account.available.units());
        let kept = sponsors.options.balance_min.units();
        let sponsor = SponsorFunds {
            available: Amount::from_units(available.saturating_sub(kept)),
            promised: sponsors.book.promised(payment.sponsor.account(), Some(id)),
        };
        let facts = Facts {
            payer: &payer,
            recipient: recipient.as_deref(),
            token: token.as_deref(),
            sponsor,
            fee_max: port.fee(payment.energy).await?,
        };
        // Read after the account: what it counts already must not be missed among the holds.
        let (holds, version) = self.holds(payment, payer.next_sequence_number).await?;
        let others = holds.others(id);
        if holds.of(id).is_none() && !holds.have_room() {
            let detail = format!("{HOLDS_MAX} payments of the payer are on their way");
            return grounded(Rejection::new(ReasonCode::PreflightNonceMismatch, detail));
        }
        match preflight::check(payment, &others, &facts) {
            Ok(()) => Ok(Ok(Cleared { holds, version })),
            Err(rejection) => {
                let number = payment.sequence_number;
                let is_ahead = number > preflight::next_sequence_number(&payer, &others)
                    && number - payer.next_sequence_number < HOLDS_MAX as u64
                    && others.iter().all(|hold| hold.sequence_number != number);
                let code = rejection.code;
                let may_pass = is_ahead && code == ReasonCode::PreflightNonceMismatch;
                Ok(Err(Grounded { rejection, may_pass }))
            }
        }
    }

    /// A payer's holds that count now, and the version of their stream.
    pub(super) async fn holds(
        &self,
        payment: &SponsoredPayment,
        next_sequence_number: u64,
    ) -> Result<(Holds, u64), Error> {
        let stream = StreamId::holds(&payment.network, &payment.payer);
        let Some(last) = self.log.read_last(&stream).await? else { return Ok(Default::default()) };
        let Event::HoldsChanged(changed) = last.event else { return Err(Error::Contended) };
        let holds = Holds::counting(changed.holds, next_sequence_number, self.clock.now());
        Ok((holds, last.version))
    }
}
