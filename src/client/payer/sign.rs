//! Chooses an offer, has what pays it signed, and writes it down. Nothing is sent or handed in.

use ccd402_domain::account::AccountAddress;
use ccd402_domain::binding::Resource;
use ccd402_domain::ids::Digest;
use chrono::{DateTime, Utc};

use crate::payer::Payer;
use crate::payer::answer::blocking;
use crate::payer::demand::Demand;
use crate::payer::error::Error;
use crate::payer::journal::{Claim, Lock};
use crate::payer::offer::{self, How};
use crate::payer::options::Step;
use crate::payer::payment::{self, Paying};
use crate::payer::plan::{self, Plan};
use crate::payer::purse::Purse;
use crate::payer::record::{Means, Open, Record, State};
use crate::payer::request::Request;
use crate::payer::wallet::{Order, Transfer};

/// What came of it.
pub(crate) enum Signed {
    /// Written down, and claimed.
    Written(Box<Record>, Claim),
    /// Nothing is signed: this payment must be decided before.
    InTheWay(Box<Record>),
}

impl Payer {
    /// Chooses an offer, signs what pays it and writes it down, under the wallet's lock.
    pub(crate) async fn sign(
        &self,
        request: &Request,
        demand: Demand,
        lock: &Lock,
    ) -> Result<Signed, Error> {
        let resource = request.resource();
        let flights = self.flights(lock).await?;
        let mut purse = Purse::new(self.wallet.as_ref(), &flights);
        let wanted = self.wanted(&resource);
        let plan = plan::choose(demand, &wanted, &mut purse, &self.options.limits).await?;
        if let Some(other) = flights.in_the_way_of(&plan.terms.how) {
            return Ok(Signed::InTheWay(Box::new(other.clone())));
        }
        self.tell(Step::Quoted(Box::new(plan.quote.clone())));
        self.consented(&plan).await?;
        // Whoever was asked may have thought for long.
        let flights = self.flights(lock).await?;
        if let Some(other) = flights.in_the_way_of(&plan.terms.how) {
            return Ok(Signed::InTheWay(Box::new(other.clone())));
        }
        let expires_at = offer::renewed(&plan.terms, &self.wanted(&resource))?;
        let pays = match plan.terms.how {
            How::Hash { digest } => self.sign_transfer(&plan, digest).await?,
            How::Sponsored { sponsor } => {
                let number = flights.free_from(self.wallet.next_number().await?);
                let order = order(&plan, sponsor, expires_at);
                self.sign_order(&plan, &order, number).await?
            }
        };
        let record = self.record(resource, &plan, pays, expires_at);
        let (journal, taken, id) = (self.journal.clone(), lock.clone(), record.id());
        let claim = blocking(move || journal.claim(&taken, &id)).await?.ok_or(Error::Busy)?;
        self.write(record.clone(), (lock.clone(), claim.clone())).await?;
        self.tell(Step::Recorded { payment: record.id() });
        Ok(Signed::Written(Box::new(record), claim))
    }

    async fn sign_transfer(&self, plan: &Plan, digest: Digest) -> Result<(Means, Open), Error> {
        let terms = &plan.terms;
        let transfer = Transfer {
            to: terms.pay_to,
            asset: terms.asset.clone(),
            amount: terms.amount,
            memo: digest,
            expires_at: terms.expires_at,
        };
        let signed = self.wallet.prepare_transfer(&transfer).await?;
        let hash = signed.hash;
        let (sender, presentation) = (self.wallet.address(), plan.presentation.as_ref());
        let header = payment::header(&terms.offer, &Paying::Hash { hash, sender, presentation })?;
        let x402_version = terms.offer.version;
        let open = Open { x402_version, transfer: Some(signed), header };
        Ok((Means::Transfer { hash, digest }, open))
    }

    async fn sign_order(
        &self,
        plan: &Plan,
        order: &Order,
        sequence_number: u64,
    ) -> Result<(Means, Open), Error> {
        let signed = self.wallet.sign_order(order, sequence_number).await?;
        let offer = &plan.terms.offer;
        let header = payment::header(offer, &Paying::Sponsored(&signed.transaction))?;
        let open = Open { x402_version: offer.version, transfer: None, header };
        let (digest, sponsor) = (signed.digest, order.sponsor);
        Ok((Means::Sponsored { digest, sponsor, sequence_number }, open))
    }

    fn record(
        &self,
        resource: Resource,
        plan: &Plan,
        (means, open): (Means, Open),
        expires_at: DateTime<Utc>,
    ) -> Record {
        Record {
            resource,
            network: self.wallet.network().clone(),
            payer: self.wallet.address(),
            pay_to: plan.terms.pay_to,
            asset: plan.terms.asset.clone(),
            amount: plan.terms.amount,
            offer: plan.terms.offer.requirements.raw().clone(),
            means,
            expires_at,
            created_at: self.now(),
            open: Some(open),
            state: State::Unfinished,
        }
    }

    /// Fails closed: without a limit and without anyone to ask, nothing is paid.
    async fn consented(&self, plan: &Plan) -> Result<(), Error> {
        match &self.options.consent {
            Some(consent) if consent.consents(&plan.quote).await => Ok(()),
            Some(_) => Err(Error::Declined),
            None if self.options.limits.is_empty() => {
                Err(Error::NoLimit(format!("{} {}", plan.quote.amount, plan.quote.asset)))
            }
            None => Ok(()),
        }
    }
}

fn order(plan: &Plan, sponsor: AccountAddress, expires_at: DateTime<Utc>) -> Order {
    Order {
        to: plan.terms.pay_to,
        asset: plan.terms.asset.clone(),
        amount: plan.terms.amount,
        sponsor,
        expires_at,
    }
}
