//! The payer: asks for a resource, meets the offer of a 402, and comes back with the content.
//!
//! Nothing is paid without an offer for exactly what was asked for, within the limits, that the
//! wallet can afford and prove. Nothing is sent before it is written down, and nobody pays twice:
//! a run finds what an earlier one left unfinished and finishes that.

pub mod answer;
mod demand;
pub mod error;
mod exchange;
mod finish;
pub mod journal;
mod offer;
pub mod options;
mod payment;
mod plan;
pub mod record;
pub mod request;
#[cfg(test)]
mod tests;
pub mod wallet;
mod words;

use std::sync::Arc;

use ccd402_domain::binding::Resource;
use chrono::{DateTime, Utc};
use http::StatusCode;
use tokio::time::Instant;

use crate::payer::answer::{Answer, blocking};
use crate::payer::demand::Demand;
use crate::payer::error::Error;
use crate::payer::exchange::Exchange;
use crate::payer::finish::Finish;
use crate::payer::journal::{Journal, Lock};
use crate::payer::offer::Wanted;
use crate::payer::options::{Options, Step};
use crate::payer::payment::Transferred;
use crate::payer::plan::Plan;
use crate::payer::record::{Open, Record, State};
use crate::payer::request::Request;
use crate::payer::wallet::{Transfer, Wallet};

/// Pays for resources from one wallet.
pub struct Payer {
    wallet: Arc<dyn Wallet>,
    journal: Journal,
    options: Options,
    exchange: Exchange,
}

impl Payer {
    /// A payer; nothing is sent yet. The journal must be the wallet's own.
    ///
    /// # Errors
    /// Where no TLS can be set up.
    pub fn new(wallet: Arc<dyn Wallet>, journal: Journal, options: Options) -> Result<Self, Error> {
        let exchange = Exchange::new(options.idle_timeout)?;
        Ok(Self { wallet, journal, options, exchange })
    }

    /// Gets a resource, and pays for it where that is asked for.
    ///
    /// # Errors
    /// As [`Payer::request`].
    pub async fn get(&self, url: &str) -> Result<Answer, Error> {
        self.request(&Request::get(url)?).await
    }

    /// Makes a request, and pays for it where that is asked for. Any answer but a 402 is handed on
    /// as it is. The payment is finished once the answer's content has been read to its end.
    ///
    /// # Errors
    /// [`Error`] says why there is no content, and whether anything was sent.
    pub async fn request(&self, request: &Request) -> Result<Answer, Error> {
        let mut response = self.exchange.ask(request).await?;
        if response.status() != StatusCode::PAYMENT_REQUIRED {
            return Ok(Answer::unpaid(response, self.options.idle_timeout));
        }
        let (mut lock, has_waited) = self.lock().await?;
        if let Some(record) = self.unfinished(request).await? {
            self.tell(Step::Resumed { hash: record.hash });
            match Finish::resumed(self, request, record).run(lock).await {
                // The earlier transfer moved nothing and never will: a new one may be made.
                Err((Error::Closed { .. }, given_back)) => lock = given_back,
                Err((error, _)) => return Err(error),
                Ok(answer) => return Ok(answer),
            }
            response = self.exchange.ask(request).await?;
        } else if has_waited {
            response = self.exchange.ask(request).await?;
        }
        if response.status() != StatusCode::PAYMENT_REQUIRED {
            return Ok(Answer::unpaid(response, self.options.idle_timeout));
        }
        let demand = self.exchange.demand(response).await;
        let record = self.sign(request, demand).await?;
        Finish::new(self, request, record).run(lock).await.map_err(|(error, _)| error)
    }

    /// Chooses an offer, signs its transfer and writes it down. Nothing is sent.
    async fn sign(&self, request: &Request, demand: Demand) -> Result<Record, Error> {
        let resource = request.resource();
        let wallet = self.wallet.as_ref();
        let wanted = self.wanted(&resource);
        let plan = plan::choose(demand, &wanted, wallet, &self.options.limits).await?;
        self.tell(Step::Quoted(Box::new(plan.quote.clone())));
        self.consented(&plan).await?;
        // Whoever was asked may have thought for long.
        offer::in_time(plan.terms.expires_at, &self.wanted(&resource))?;
        let transfer = Transfer {
            to: plan.terms.pay_to,
            asset: plan.terms.asset.clone(),
            amount: plan.terms.amount,
            memo: plan.terms.digest,
            expires_at: plan.terms.expires_at,
        };
        let signed = wallet.prepare_transfer(&transfer).await?;
        let transferred = Transferred {
            hash: signed.hash,
            sender: wallet.address(),
            presentation: plan.presentation.as_ref(),
        };
        let header = payment::header(&plan.terms.offer, &transferred)?;
        let open = Open { x402_version: plan.terms.offer.version, transfer: signed, header };
        let record = self.record(resource, &plan, open);
        self.write(record.clone()).await?;
        self.tell(Step::Recorded { hash: record.hash });
        Ok(record)
    }

    fn record(&self, resource: Resource, plan: &Plan, open: Open) -> Record {
        Record {
            version: record::VERSION,
            resource,
            network: self.wallet.network().clone(),
            payer: self.wallet.address(),
            pay_to: plan.terms.pay_to,
            asset: plan.terms.asset.clone(),
            amount: plan.terms.amount,
            offer: plan.terms.offer.requirements.raw().clone(),
            digest: plan.terms.digest,
            hash: open.transfer.hash,
            expires_at: plan.terms.expires_at,
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

    /// What an earlier run left unfinished; one that was refused is given up if that is wished.
    async fn unfinished(&self, request: &Request) -> Result<Option<Record>, Error> {
        let (journal, address) = (self.journal.clone(), self.wallet.address());
        let resource = request.resource();
        let found = blocking(move || journal.find_open(&resource, &address)).await?;
        match found {
            Some(record)
                if self.options.pay_again && matches!(record.state, State::Refused { .. }) =>
            {
                let reason = "given up after it was refused".to_owned();
                let (at, hash) = (self.now(), record.hash);
                self.write(record.closed(State::Failed { at, reason: reason.clone() })).await?;
                self.tell(Step::Closed { hash, reason });
                Ok(None)
            }
            found => Ok(found),
        }
    }

    /// Waits for the wallet's turn; also says whether that took any time.
    async fn lock(&self) -> Result<(Lock, bool), Error> {
        let deadline = Instant::now() + self.options.lock_timeout;
        let mut tries = 0_u32;
        loop {
            let journal = self.journal.clone();
            if let Some(lock) = blocking(move || journal.try_lock()).await? {
                return Ok((lock, tries > 0));
            }
            if Instant::now() >= deadline {
                return Err(Error::Busy);
            }
            tries = tries.saturating_add(1);
            tokio::time::sleep(self.options.backoff.delay(tries)).await;
        }
    }

    async fn write(&self, record: Record) -> Result<(), Error> {
        let journal = self.journal.clone();
        blocking(move || journal.write(&record)).await
    }

    fn wanted<'a>(&'a self, resource: &'a Resource) -> Wanted<'a> {
        Wanted {
            resource,
            network: self.wallet.network(),
            now: self.now(),
            time_left_min: self.options.time_left_min,
        }
    }

    fn now(&self) -> DateTime<Utc> {
        (self.options.clock)()
    }

    fn tell(&self, step: Step) {
        if let Some(observer) = &self.options.observer {
            observer(step);
        }
    }
}

impl std::fmt::Debug for Payer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Payer").field("wallet", &self.wallet.address()).finish_non_exhaustive()
    }
}
