//! The resource server's answer: its content as it arrives, and what was paid for it.
//!
//! A payment is finished when its content has been read to the end; the record is closed then, and
//! not before.

use std::sync::Arc;
use std::time::Duration;

use ccd402_protocol::facilitator::SettleResponse;
use chrono::{DateTime, Utc};
use http::{HeaderMap, StatusCode};
use reqwest::Response;

use crate::http::reason;
use crate::payer::error::Error;
use crate::payer::finish::Held;
use crate::payer::journal::Journal;
use crate::payer::record::{Record, State};

/// An answer. Read it to the end, with [`Answer::chunk`] or [`Answer::bytes`]: a payment whose
/// content was not read stays unfinished.
#[derive(Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: StatusCode,
    /// As the server sent them.
    pub headers: HeaderMap,
    /// What was paid; `None` where nothing was asked for.
    pub payment: Option<Paid>,
    response: Response,
    idle_timeout: Duration,
    closing: Option<Closing>,
}

/// A payment that was accepted.
#[derive(Debug, Clone, PartialEq)]
pub struct Paid {
    /// The payment as the journal has it.
    pub record: Record,
    /// What the resource server said about the settlement, if it said anything.
    pub receipt: Option<SettleResponse>,
}

/// What closes the record. Holds what the run holds until then.
pub(crate) struct Closing {
    pub(crate) journal: Journal,
    pub(crate) record: Record,
    pub(crate) receipt: Option<SettleResponse>,
    pub(crate) clock: Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>,
    pub(crate) held: Held,
}

impl Answer {
    pub(crate) fn unpaid(response: Response, idle_timeout: Duration) -> Self {
        Self {
            status: response.status(),
            headers: response.headers().clone(),
            payment: None,
            response,
            idle_timeout,
            closing: None,
        }
    }

    pub(crate) fn paid(response: Response, idle_timeout: Duration, closing: Closing) -> Self {
        let payment = Paid { record: closing.record.clone(), receipt: closing.receipt.clone() };
        Self {
            payment: Some(payment),
            closing: Some(closing),
            ..Self::unpaid(response, idle_timeout)
        }
    }

    /// The next piece of the content; `None` at its end, when the payment's record is closed.
    ///
    /// # Errors
    /// Where the server breaks off or falls silent; the payment then stays unfinished, and the next
    /// run for the same resource presents it again.
    pub async fn chunk(&mut self) -> Result<Option<Vec<u8>>, Error> {
        let read = tokio::time::timeout(self.idle_timeout, self.response.chunk()).await;
        let chunk = read
            .map_err(|_| Error::Unreachable("it fell silent".to_owned()))?
            .map_err(|error| Error::Unreachable(reason(&error)))?;
        if chunk.is_none() {
            self.close().await?;
        }
        Ok(chunk.map(Vec::from))
    }

    /// The whole content.
    ///
    /// # Errors
    /// As [`Answer::chunk`], and where it is longer than `bytes_max`.
    pub async fn bytes(&mut self, bytes_max: usize) -> Result<Vec<u8>, Error> {
        let mut content = Vec::new();
        while let Some(chunk) = self.chunk().await? {
            if content.len() + chunk.len() > bytes_max {
                return Err(Error::TooLong(bytes_max));
            }
            content.extend_from_slice(&chunk);
        }
        Ok(content)
    }

    async fn close(&mut self) -> Result<(), Error> {
        let Some(Closing { journal, record, receipt, clock, held }) = self.closing.take() else {
            return Ok(());
        };
        let closed = record.closed(State::Paid { at: clock(), receipt });
        let written = closed.clone();
        let write = move || {
            let written = journal.write(&written);
            drop(held);
            written
        };
        blocking(write).await?;
        if let Some(payment) = &mut self.payment {
            payment.record = closed;
        }
        Ok(())
    }
}

/// Runs what waits for the disk off the async threads.
pub(crate) async fn blocking<T: Send + 'static, E: Into<Error> + Send + 'static>(
    work: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, Error> {
    let done = tokio::task::spawn_blocking(work).await;
    done.expect("work on the journal does not panic and is not cancelled").map_err(Into::into)
}

impl std::fmt::Debug for Closing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Closing").field("record", &self.record).finish_non_exhaustive()
    }
}
