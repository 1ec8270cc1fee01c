//! The payer: asks for a resource, meets the offer of a 402, and comes back with the content.
//!
//! Nothing is paid without an offer for exactly what was asked for, within the limits, that the
//! wallet can afford and prove. Nothing is sent or handed in before it is written down, and nobody
//! pays twice: a run finds what an earlier one left unfinished and finishes that.
//!
//! Runs with one wallet sign one after the other. One that pays by transaction hash keeps the
//! others out until it is done; one whose payment a sponsor sends lets them go on once it is
//! written down.

pub mod answer;
mod demand;
pub mod error;
mod exchange;
mod finish;
mod flights;
pub mod journal;
mod offer;
pub mod options;
mod payment;
mod plan;
mod purse;
pub mod record;
pub mod request;
mod sign;
#[cfg(test)]
mod tests;
pub mod wallet;
mod watch;
mod words;

use std::sync::Arc;

use ccd402_domain::binding::Resource;
use chrono::{DateTime, Utc};
use http::StatusCode;
use tokio::time::Instant;

use crate::payer::answer::{Answer, blocking};
use crate::payer::error::Error;
use crate::payer::exchange::Exchange;
use crate::payer::finish::{Finish, Held};
use crate::payer::journal::{Claim, Journal, Lock};
use crate::payer::offer::Wanted;
use crate::payer::options::{Options, Step};
use crate::payer::record::{Record, State};
use crate::payer::request::Request;
use crate::payer::sign::Signed;
use crate::payer::wallet::Wallet;
use crate::payer::watch::Fate;

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
        let response = self.exchange.ask(request).await?;
        if response.status() != StatusCode::PAYMENT_REQUIRED {
            return Ok(Answer::unpaid(response, self.options.idle_timeout));
        }
        let mut heard = Some(response);
        let mut deadline = Instant::now() + self.options.lock_timeout;
        let mut tries = 0_u32;
        loop {
            let (lock, has_waited) = self.lock(deadline).await?;
            if let Some((record, claim)) = self.unfinished(&lock, request).await? {
                self.tell(Step::Resumed { payment: record.id() });
                let held = Held::of(&record, claim, lock);
                match Finish::resumed(self, request, record, held).run().await {
                    // It moved nothing and never will: a new payment may be made.
                    Err(Error::Closed { .. }) => {}
                    ended => return ended,
                }
                heard = None;
                deadline = Instant::now() + self.options.lock_timeout;
                continue;
            }
            // What was offered before a wait may be out of date.
            let response = match heard.take().filter(|_| !has_waited) {
                Some(response) => response,
                None => self.exchange.ask(request).await?,
            };
            if response.status() != StatusCode::PAYMENT_REQUIRED {
                return Ok(Answer::unpaid(response, self.options.idle_timeout));
            }
            let demand = self.exchange.demand(response).await;
            match Box::pin(self.sign(request, demand, &lock)).await? {
                Signed::Written(record, claim) => {
                    let held = Held::of(&record, claim, lock);
                    return Finish::new(self, request, *record, held).run().await;
                }
                Signed::InTheWay(other) => {
                    // Whoever wants to finish that one needs the lock.
                    drop(lock);
                    tries = tries.saturating_add(1);
                    self.wait_for(&other, tries, deadline).await?;
                }
            }
        }
    }

    async fn wait_for(&self, other: &Record, tries: u32, deadline: Instant) -> Result<(), Error> {
        if Instant::now() >= deadline {
            let (payment, url) = (other.id(), other.resource.url.clone());
            return Err(Error::InTheWay { payment, url, expires_at: other.expires_at });
        }
        let why = format!("{} for {} comes first", other.id(), other.resource.url);
        self.tell(Step::Waiting { why });
        tokio::time::sleep(self.options.backoff.delay(tries)).await;
        Ok(())
    }

    /// What an earlier run left unfinished; one that was refused is given up if that is wished.
    async fn unfinished(
        &self,
        lock: &Lock,
        request: &Request,
    ) -> Result<Option<(Record, Claim)>, Error> {
        let (resource, address) = (request.resource(), self.wallet.address());
        let (journal, lock) = (self.journal.clone(), lock.clone());
        let found = blocking(move || journal.take_up(&lock, &resource, &address)).await?;
        let Some((record, claim)) = found else { return Ok(None) };
        if !self.may_give_up(&record).await? {
            return Ok(Some((record, claim)));
        }
        let reason = "given up after it was refused".to_owned();
        let (at, payment) = (self.now(), record.id());
        let closed = record.closed(State::Failed { at, reason: reason.clone() });
        self.write(closed, claim).await?;
        self.tell(Step::Closed { payment, reason });
        Ok(None)
    }

    /// A sponsored payment that is given up while it may still come would be paid besides another.
    async fn may_give_up(&self, record: &Record) -> Result<bool, Error> {
        if !self.options.pay_again || !matches!(record.state, State::Refused { .. }) {
            return Ok(false);
        }
        if record.sequence_number().is_none() {
            return Ok(true);
        }
        Ok(matches!(watch::fate(self.wallet.as_ref(), record).await?, Fate::Paid(_)))
    }

    /// Waits for the wallet's turn; also says whether that took any time.
    async fn lock(&self, deadline: Instant) -> Result<(Lock, bool), Error> {
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

    /// Writes a record. What is held for it is held until it is on disk, also where the run is
    /// cancelled meanwhile.
    async fn write<H: Send + 'static>(&self, record: Record, held: H) -> Result<(), Error> {
        let journal = self.journal.clone();
        let write = move || {
            let written = journal.write(&record);
            drop(held);
            written
        };
        blocking(write).await
    }

    fn wanted<'a>(&'a self, resource: &'a Resource) -> Wanted<'a> {
        Wanted {
            resource,
            network: self.wallet.network(),
            way: self.options.way,
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
