//! The port to a facilitator: what a resource server asks of it, and how asking can fail.
//!
//! A refused payment is no failure: it is an answer with `isValid: false`. The HTTP adapter is in
//! `http`.

use std::time::Duration;

use async_trait::async_trait;
use ccd402_protocol::facilitator::{
    SettleResponse, SupportedResponse, VerifyRequest, VerifyResponse,
};

/// A facilitator, near or far.
#[async_trait]
pub trait Facilitator: Send + Sync {
    /// Asks whether the payment is good. With an `Idempotency-Key` the same request may be
    /// repeated after a failure and gets the same answer.
    ///
    /// # Errors
    /// Where there is no answer; the payment may then have been reserved or used up.
    async fn verify(
        &self,
        request: &VerifyRequest,
        idempotency_key: Option<&str>,
    ) -> Result<VerifyResponse, Error>;

    /// Uses the payment up. Repeating it is safe only with the same `Idempotency-Key`.
    ///
    /// # Errors
    /// Where there is no answer; the payment may then have been used up.
    async fn settle(
        &self,
        request: &VerifyRequest,
        idempotency_key: Option<&str>,
    ) -> Result<SettleResponse, Error>;

    /// Ways to pay that it serves.
    ///
    /// # Errors
    /// Where there is no answer.
    async fn supported(&self) -> Result<SupportedResponse, Error>;

    /// Decimals of an asset's amounts; none if its network has no such asset.
    ///
    /// # Errors
    /// Where there is no answer, as from a facilitator that has no such route.
    async fn decimals(&self, asset: &str) -> Result<Option<u8>, Error>;

    /// Gives back what `verify` reserved, so that the payer can try again at once. Both ids are
    /// UUIDs from the answer's `extra`.
    ///
    /// # Errors
    /// `reservation_not_held` where it has lapsed, or where there is no answer.
    async fn release(&self, verification: &str, reservation: &str) -> Result<(), Error>;
}

/// Why a facilitator gave no answer that can be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It cannot be reached, or broke off: it may or may not have acted.
    #[error("the facilitator cannot be reached: {0}")]
    Unavailable(String),
    /// It has too much to do (429, 503); it did not act.
    #[error("the facilitator is busy, try again in {retry_after:?}")]
    Busy {
        /// As it asks for, bounded; one second where it does not say.
        retry_after: Duration,
    },
    /// It would not take the request at all.
    #[error("the facilitator refused the request with status {status}{}", said(code.as_deref()))]
    Refused {
        /// HTTP status.
        status: u16,
        /// The stable code of its problem details, if it gave one.
        code: Option<String>,
    },
    /// It answered something else than the protocol says.
    #[error("the facilitator's answer is not understood: {0}")]
    NotUnderstood(String),
    /// The call is wrong; nothing was sent.
    #[error("the facilitator cannot be asked: {0}")]
    Misused(&'static str),
}

fn said(code: Option<&str>) -> String {
    code.map(|code| format!(" ({code})")).unwrap_or_default()
}
