//! Finishes a payment that is written down: sends its transfer, presents it until it is accepted.
//!
//! A payment that was just signed and one that an earlier run left behind take the same way, so
//! that a crash at any step changes nothing but the time. Only what is certain closes a record.

use std::time::Duration;

use ccd402_domain::ids::TransactionHash;
use ccd402_protocol::code::ReasonCode;
use chrono::TimeDelta;
use tokio::time::Instant;

use crate::payer::Payer;
use crate::payer::answer::{Answer, Closing};
use crate::payer::error::Error;
use crate::payer::exchange::Presented;
use crate::payer::journal::Lock;
use crate::payer::options::Step;
use crate::payer::record::{Open, Record, State};
use crate::payer::request::Request;
use crate::payer::wallet::{self, TransferStatus};

/// How far the nodes of one wallet may lie apart: a transfer is given up this long after the chain
/// has passed its expiry.
const NODES_APART_MAX: TimeDelta = TimeDelta::seconds(30);
/// Longer than a facilitator holds a payment for an attempt that broke off (60 s).
const HELD_MAX: TimeDelta = TimeDelta::seconds(75);

/// A payment on its way.
pub(crate) struct Finish<'a> {
    payer: &'a Payer,
    request: &'a Request,
    record: Record,
    open: Open,
    deadline: Instant,
    is_sent: bool,
    is_final: bool,
    /// An attempt, of this run or of the one that is being finished, may have been taken although
    /// no answer came.
    broke_off: bool,
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
    pub(crate) fn new(payer: &'a Payer, request: &'a Request, record: Record) -> Self {
        let open = record.open.clone().expect("an open record holds what finishes it");
        let deadline = Instant::now() + payer.options.timeout;
        let (is_sent, is_final, broke_off) = (false, false, false);
        Self { payer, request, record, open, deadline, is_sent, is_final, broke_off }
    }

    /// As [`Finish::new`], for a record that an earlier run left behind.
    pub(crate) fn resumed(payer: &'a Payer, request: &'a Request, record: Record) -> Self {
        Self { broke_off: true, ..Self::new(payer, request, record) }
    }

    /// Until the payment is accepted, refused, closed, or time is up.
    pub(crate) async fn run(mut self, lock: Lock) -> Result<Answer, (Error, Lock)> {
        match self.accepted().await {
            Ok(Accepted { response, receipt }) => {
                let closing = Closing {
                    journal: self.payer.journal.clone(),
                    record: self.record,
                    receipt,
                    clock: self.payer.options.clock.clone(),
                    lock,
                };
                Ok(Answer::paid(response, self.payer.options.idle_timeout, closing))
            }
            Err(error) => Err((error, lock)),
        }
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

    /// Brings the transfer onto the chain; `None` once it may be presented.
    async fn chase(&mut self) -> Result<Option<Later>, Error> {
        if self.is_final {
            return Ok(None);
        }
        match self.payer.wallet.status(&self.record.hash).await {
            Ok(TransferStatus::Unknown) => self.send().await,
            Ok(known) => self.is_known(known).await.map(|()| None),
            Err(error) => Ok(Some(Later::because(error.to_string()))),
        }
    }

    /// Sends the same bytes again, unless the chain can never take them any more.
    async fn send(&mut self) -> Result<Option<Later>, Error> {
        let wallet = &self.payer.wallet;
        let expires_at = self.record.expires_at;
        let reached = match wallet.time_finalized().await {
            Ok(time) => time,
            Err(error) => return Ok(Some(Later::because(error.to_string()))),
        };
        if reached > expires_at + NODES_APART_MAX {
            // Asked again, because it may have become final between the two questions.
            return match wallet.status(&self.record.hash).await {
                Ok(TransferStatus::Unknown) => {
                    Err(self.close("it expired and was never included in a block").await?)
                }
                Ok(known) => self.is_known(known).await.map(|()| None),
                Err(error) => Ok(Some(Later::because(error.to_string()))),
            };
        }
        if reached > expires_at {
            return Ok(Some(Later::because("it is not certain yet that the transfer expired")));
        }
        match wallet.send(&self.open.transfer).await {
            Ok(()) => {
                if !std::mem::replace(&mut self.is_sent, true) {
                    self.payer.tell(Step::Sent { hash: self.hash() });
                }
                Ok(None)
            }
            Err(wallet::Error::Refused(reason)) if !self.is_sent => {
                Err(Error::NotSent { hash: self.hash(), reason, expires_at })
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
                self.payer.tell(Step::Finalized { hash: self.hash() });
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
        if !self.is_final
            && let Ok(status) = self.payer.wallet.status(&self.record.hash).await
        {
            self.is_known(status).await?;
        }
        let known = code.parse::<ReasonCode>().ok();
        let is_used =
            matches!(known, Some(ReasonCode::PaymentAlreadyUsed | ReasonCode::DuplicateSettlement));
        let now = self.payer.now();
        let since = match &self.record.state {
            State::Refused { code: before, since } if *before == code => *since,
            _ => now,
        };
        if is_used && now - since > HELD_MAX {
            let reason = "it was used before: its content was delivered, or lost on the way";
            self.close(reason).await?;
            return Err(Error::Spent { hash: self.hash() });
        }
        self.record.state = State::Refused { code: code.clone(), since };
        self.payer.write(self.record.clone()).await?;
        if is_used && self.broke_off {
            return Ok(Later::because("the payment is held for an attempt that broke off"));
        }
        Err(Error::Refused { hash: self.hash(), reason: explained(&code, known, is_used), code })
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
        self.payer.write(closed).await?;
        self.payer.tell(Step::Closed { hash: self.hash(), reason: reason.clone() });
        Ok(Error::Closed { hash: self.hash(), reason })
    }

    fn unfinished(&self, why: String) -> Error {
        Error::Unfinished { hash: self.hash(), why }
    }

    fn hash(&self) -> TransactionHash {
        self.record.hash
    }
}

struct Accepted {
    response: reqwest::Response,
    receipt: Option<ccd402_protocol::facilitator::SettleResponse>,
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
