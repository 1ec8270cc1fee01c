//! Finishes a payment that is written down: sends its transfer, where no sponsor does, and presents
//! it until it is accepted.
//!
//! A payment that was just signed and one that an earlier run left behind take the same way, so
//! that a crash at any step changes nothing but the time. Only what is certain closes a record.

use std::time::Duration;

use ccd402_protocol::code::ReasonCode;
use chrono::TimeDelta;
use tokio::time::Instant;

use crate::payer::Payer;
use crate::payer::answer::{Answer, Closing};
use crate::payer::error::Error;
use crate::payer::exchange::Presented;
use crate::payer::flights::{EXPIRED, NODES_APART_MAX};
use crate::payer::journal::{Claim, Lock};
use crate::payer::options::Step;
use crate::payer::record::{Id, Means, Open, Record, State};
use crate::payer::request::Request;
use crate::payer::wallet::{self, SignedTransfer, TransferStatus};
use crate::payer::watch::{self, Fate};

/// Longer than a facilitator holds a payment for an attempt that broke off (60 s).
const HELD_MAX: TimeDelta = TimeDelta::seconds(75);

/// A payment on its way.
pub(crate) struct Finish<'a> {
    payer: &'a Payer,
    request: &'a Request,
    record: Record,
    open: Open,
    held: Held,
    deadline: Instant,
    is_sent: bool,
    is_final: bool,
    /// An attempt, of this run or of the one that is being finished, may have been taken although
    /// no answer came.
    broke_off: bool,
    /// Whether the chain is asked about a sponsored payment before it is presented again.
    must_look: bool,
}

/// What a run holds while it works on a payment: the payment's lock, and the wallet's as long as
/// nobody else may sign. After a transfer of the payer's own the next one is signed when it is done.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    _payment: Claim,
    _wallet: Option<Lock>,
}

impl Held {
    pub(crate) fn of(record: &Record, claim: Claim, lock: Lock) -> Self {
        let is_transfer = matches!(record.means, Means::Transfer { .. });
        Self { _payment: claim, _wallet: is_transfer.then_some(lock) }
    }
}

/// Not yet.
struct Later {
    why: String,
    after: Option<Duration>,
}

impl Later {
    fn because(why: impl Into<String>) -> Self {
        Self { why: why.into(), after: None }
    }
}

impl<'a> Finish<'a> {
    /// For an open record; the deadline starts now.
    pub(crate) fn new(payer: &'a Payer, request: &'a Request, record: Record, held: Held) -> Self {
        let open = record.open.clone().expect("an open record holds what finishes it");
        let deadline = Instant::now() + payer.options.timeout;
        Self {
            payer,
            request,
            record,
            open,
            held,
            deadline,
            is_sent: false,
            is_final: false,
            broke_off: false,
            must_look: false,
        }
    }

    /// As [`Finish::new`], for a record that an earlier run left behind.
    pub(crate) fn resumed(
        payer: &'a Payer,
        request: &'a Request,
        record: Record,
        held: Held,
    ) -> Self {
        Self { broke_off: true, must_look: true, ..Self::new(payer, request, record, held) }
    }

    /// Until the payment is accepted, refused, closed, or time is up.
    pub(crate) async fn run(mut self) -> Result<Answer, Error> {
        let Accepted { response, receipt } = self.accepted().await?;
        let closing = Closing {
            journal: self.payer.journal.clone(),
            record: self.record,
            receipt,
            clock: self.payer.options.clock.clone(),
            held: self.held,
        };
        Ok(Answer::paid(response, self.payer.options.idle_timeout, closing))
    }

    async fn accepted(&mut self) -> Result<Accepted, Error> {
        let mut tries = 0_u32;
        loop {
            let later = match self.chase().await? {
                Some(later) => later,
                None => match self.present().await? {
                    Ok(accepted) => return Ok(accepted),
                    Err(later) => later,
                },
            };
            tries = tries.saturating_add(1);
            self.wait(tries, later).await?;
        }
    }

    /// Brings the transfer onto the chain; `None` once the payment may be presented.
    async fn chase(&mut self) -> Result<Option<Later>, Error> {
        if self.is_final {
            return Ok(None);
        }
        let (hash, transfer) = match (&self.record.means, &self.open.transfer) {
            (Means::Transfer { hash, .. }, Some(transfer)) => (*hash, transfer.clone()),
            _ => return self.look().await.map(|()| None),
        };
        match self.payer.wallet.status(&hash).await {
            Ok(TransferStatus::Unknown) => self.send(&transfer).await,
            Ok(known) => self.is_known(known).await.map(|()| None),
            Err(error) => Ok(Some(Later::because(error.to_string()))),
        }
    }

    /// Looks what the chain has made of a sponsored payment, once there may be something to see.
    /// It is presented whatever comes of it, unless it is certain that it moved nothing: the same
    /// payment does no harm.
    async fn look(&mut self) -> Result<(), Error> {
        if !self.must_look && self.payer.now() < self.record.expires_at {
            return Ok(());
        }
        match watch::fate(self.payer.wallet.as_ref(), &self.record).await {
            Ok(Fate::Never(reason)) => Err(self.close(&reason).await?),
            Ok(Fate::Paid(_)) => self.is_known(TransferStatus::Finalized).await,
            Ok(Fate::Open) | Err(_) => Ok(()),
        }
    }

    /// Sends the same bytes again, unless the chain can never take them any more.
    async fn send(&mut self, transfer: &SignedTransfer) -> Result<Option<Later>, Error> {
        let wallet = &self.payer.wallet;
        let expires_at = self.record.expires_at;
        let reached = match wallet.time_finalized().await {
            Ok(time) => time,
            Err(error) => return Ok(Some(Later::because(error.to_string()))),
        };
        if reached > expires_at + NODES_APART_MAX {
            // Asked again, because it may have become final between the two questions.
            return match wallet.status(&transfer.hash).await {
                Ok(TransferStatus::Unknown) => Err(self.close(EXPIRED).await?),
                Ok(known) => self.is_known(known).await.map(|()| None),
                Err(error) => Ok(Some(Later::because(error.to_string()))),
            };
        }
        if reached > expires_at {
            return Ok(Some(Later::because("it is not certain yet that the transfer expired")));
        }
        match wallet.send(transfer).await {
            Ok(()) => {
                if !std::mem::replace(&mut self.is_sent, true) {
                    self.payer.tell(Step::Sent { payment: self.id() });
                }
                Ok(None)
            }
            Err(wallet::Error::Refused(reason)) if !self.is_sent => {
                Err(Error::NotSent { payment: self.id(), reason, expires_at })
            }
            Err(error) => Ok(Some(Later::because(error.to_string()))),
        }
    }

    async fn is_known(&mut self, status: TransferStatus) -> Result<(), Error> {
        match status {
            TransferStatus::Rejected { reason } => {
                Err(self.close(&format!("the chain rejected it: {reason}")).await?)
            }
            TransferStatus::Finalized => {
                self.is_final = true;
                self.payer.tell(Step::Finalized { payment: self.id() });
                Ok(())
            }
            TransferStatus::Pending | TransferStatus::Unknown => Ok(()),
        }
    }

    async fn present(&mut self) -> Result<Result<Accepted, Later>, Error> {
        let now = self.payer.now();
        let presenting = self.payer.exchange.present(self.request, &self.open, now);
        let Ok(presented) = tokio::time::timeout_at(self.deadline, presenting).await else {
            return Err(self.unfinished("the resource server's answer".to_owned()));
        };
        match presented {
            Presented::Accepted(response, receipt) => {
                let status = response.status().as_u16();
                self.payer.tell(Step::Accepted { status });
                Ok(Ok(Accepted { response, receipt: receipt.map(|receipt| *receipt) }))
            }
            Presented::Later { why, after, broke_off } => {
                self.broke_off |= broke_off;
                Ok(Err(Later { why, after }))
            }
            Presented::Refused(code) => self.refused(code).await.map(Err),
        }
    }

    /// A refusal is final for this run; the record is closed only where the chain says that nothing
    /// moved, or where the payment is certain to be used up.
    async fn refused(&mut self, code: String) -> Result<Later, Error> {
        let known = code.parse::<ReasonCode>().ok();
        if !self.is_final {
            match self.record.means {
                Means::Transfer { hash, .. } => {
                    if let Ok(status) = self.payer.wallet.status(&hash).await {
                        self.is_known(status).await?;
                    }
                }
                Means::Sponsored { .. } => {
                    self.must_look = true;
                    self.look().await?;
                    if let Some(why) = known.filter(|_| !self.is_final).and_then(passing) {
                        return Ok(Later::because(why));
                    }
                }
            }
        }
        let is_used =
            matches!(known, Some(ReasonCode::PaymentAlreadyUsed | ReasonCode::DuplicateSettlement));
        let now = self.payer.now();
        let since = match &self.record.state {
            State::Refused { code: before, since } if *before == code => *since,
            _ => now,
        };
        // That a sponsored payment is used up is believed when the chain says that it was made.
        let is_certain = self.is_final || self.record.sequence_number().is_none();
        if is_used && is_certain && now - since > HELD_MAX {
            let reason = "it was used before: its content was delivered, or lost on the way";
            self.close(reason).await?;
            return Err(Error::Spent { payment: self.id() });
        }
        self.record.state = State::Refused { code: code.clone(), since };
        self.payer.write(self.record.clone(), self.held.clone()).await?;
        if is_used && self.broke_off {
            return Ok(Later::because("the payment is held for an attempt that broke off"));
        }
        Err(Error::Refused { payment: self.id(), reason: explained(&code, known, is_used), code })
    }

    async fn wait(&self, tries: u32, later: Later) -> Result<(), Error> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        let wait = later.after.unwrap_or_else(|| self.payer.options.backoff.delay(tries));
        if wait >= left {
            return Err(self.unfinished(later.why));
        }
        self.payer.tell(Step::Waiting { why: later.why });
        tokio::time::sleep(wait).await;
        Ok(())
    }

    /// Closes the record as failed; gives the error that says so.
    async fn close(&mut self, reason: &str) -> Result<Error, Error> {
        let (at, reason) = (self.payer.now(), reason.to_owned());
        let closed = self.record.clone().closed(State::Failed { at, reason: reason.clone() });
        self.payer.write(closed, self.held.clone()).await?;
        self.payer.tell(Step::Closed { payment: self.id(), reason: reason.clone() });
        Ok(Error::Closed { payment: self.id(), reason })
    }

    fn unfinished(&self, why: String) -> Error {
        Error::Unfinished { payment: self.id(), why }
    }

    fn id(&self) -> Id {
        self.record.id()
    }
}

struct Accepted {
    response: reqwest::Response,
    receipt: Option<ccd402_protocol::facilitator::SettleResponse>,
}

/// What a sponsored payment is refused for now, and may not be after a while: with the same bytes
/// and without anybody's doing.
fn passing(code: ReasonCode) -> Option<&'static str> {
    match code {
        ReasonCode::ExpiryTooFarInFuture => Some("this computer's clock is ahead"),
        ReasonCode::TransactionExpired => Some("it is not certain yet that the payment expired"),
        ReasonCode::PreflightNonceMismatch => Some("an earlier payment of the wallet comes first"),
        _ => None,
    }
}

fn explained(code: &str, known: Option<ReasonCode>, is_used: bool) -> String {
    let mut text = match known {
        Some(known) => format!("{} ({code}, see ops/errors/{code}.md)", known.title()),
        None => format!("{code}, a code of its own"),
    };
    text.push_str(if is_used {
        "; an attempt that broke off may hold it: run the same request again in two minutes"
    } else {
        "; running the same request again presents the same payment, it does not pay again"
    });
    text
}
