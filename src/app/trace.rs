//! Hops: what is done for one verification, told as spans of `tracing` that name it. Where and
//! whether they are sent is not known here; where nobody listens they cost a look at a flag.
//!
//! Nothing is carried from hop to hop: the verification's id is the trace's. So a hop says numbers and
//! names, and never a key, a payload, a proof or a URL.

use ccd402_domain::event::Event;
use ccd402_domain::ids::{VerificationId, WebhookId};
use ccd402_domain::rejection::Rejection;
use ccd402_domain::webhook::event::{Answer, NoAnswer};
use ccd402_protocol::code::ReasonCode;
use chrono::{DateTime, Utc};
use tracing::field::Empty;
use tracing::{Level, Span, trace_span};

use crate::facilitator::Facilitator;
use crate::ports::chain::ChainError;
use crate::ports::lease::Fence;
use crate::ports::log::{Append, AppendError, Position};

/// The target of all hops, by which they are told from what is logged.
pub const TARGET: &str = "ccd402::trace";
/// The name of the hop that spans all of a verification, from its request to its outcome.
pub const WHOLE: &str = "verification";

impl Facilitator {
    /// Appends, and tells of it for each verification that it is about.
    pub(crate) async fn append(&self, appends: Vec<Append>) -> Result<Position, AppendError> {
        self.append_under(None, appends).await
    }

    /// The same, under a lease, if under one.
    pub(crate) async fn append_under(
        &self,
        fence: Option<&Fence>,
        appends: Vec<Append>,
    ) -> Result<Position, AppendError> {
        let hops = appending(&appends);
        let appended = self.log.append_under(fence, appends).await;
        for hop in hops {
            match appended.as_ref().map_err(fault) {
                Ok(position) => hop.record("log.position", position),
                Err(Some(fault)) => hop.record("error.type", fault),
                Err(None) => hop.record("log.conflict", true),
            };
        }
        appended
    }
}

fn appending(appends: &[Append]) -> Vec<Span> {
    if !tracing::span_enabled!(target: TARGET, Level::TRACE) {
        return Vec::new();
    }
    let hop = |append: &Append| {
        let id = append.stream.as_verification()?;
        let names: Vec<_> = append.events.iter().map(Event::name).collect();
        Some(trace_span!(
            target: TARGET,
            "log.append",
            verification.id = %id,
            log.events = names.join(","),
            log.version = append.expected_version + append.events.len() as u64,
            log.position = Empty,
            log.conflict = Empty,
            error.type = Empty,
        ))
    };
    appends.iter().filter_map(hop).collect()
}

/// A finalized block is applied that has something to say about a verification.
pub(crate) fn following(id: VerificationId, height: u64) -> Span {
    trace_span!(target: TARGET, "chain.followed", verification.id = %id, block.height = height)
}

/// A verification's proofs are checked; `identity.result` and `error.type` are to be recorded.
pub(crate) fn checking_identity(id: VerificationId) -> Span {
    trace_span!(
        target: TARGET,
        "identity.check",
        verification.id = %id,
        identity.result = Empty,
        error.type = Empty,
    )
}

/// What came of it.
pub(crate) fn identity_checked<T>(hop: &Span, checked: &Result<Result<T, Rejection>, ChainError>) {
    match checked {
        Ok(Ok(_)) => hop.record("identity.result", "holds"),
        Ok(Err(refused)) => hop.record("identity.result", refused.code.as_str()),
        Err(_) => hop.record("error.type", "chain_unavailable"),
    };
}

/// A verification that was handed in then has this outcome now.
pub(crate) fn decided(id: VerificationId, requested_at: DateTime<Utc>, outcome: Outcome) {
    let code = match outcome {
        Outcome::Confirmed => None,
        Outcome::Failed(code) => Some(code.as_str()),
    };
    // It was begun by who has handed it in, perhaps in another process: here it is told at its end.
    let _told = trace_span!(
        target: TARGET,
        parent: None,
        "verification",
        verification.id = %id,
        verification.status = if code.is_none() { "confirmed" } else { "failed" },
        verification.reason = code,
        began_at_us = requested_at.timestamp_micros(),
    );
}

/// A webhook is told of the event at a position.
pub(crate) fn delivering(
    id: VerificationId,
    (webhook, position): (WebhookId, Position),
    attempt: u32,
) -> Span {
    trace_span!(
        target: TARGET,
        "webhook.deliver",
        otel.kind = "client",
        verification.id = %id,
        webhook.id = %webhook,
        webhook.attempt = attempt,
        log.position = position,
        http.response.status_code = Empty,
        error.type = Empty,
    )
}

/// What its receiver has answered.
pub(crate) fn delivered(hop: &Span, answer: Answer) {
    match answer {
        Answer::Status(status) => {
            hop.record("http.response.status_code", status);
            if !(200..300).contains(&status) {
                hop.record("error.type", status);
            }
        }
        Answer::Error(error) => {
            hop.record("error.type", unanswered(error));
        }
    }
}

/// What ended a verification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It is confirmed.
    Confirmed,
    /// It has failed, for this reason.
    Failed(ReasonCode),
}

impl Outcome {
    /// The outcome that these events say, if one does.
    pub(crate) fn of(events: &[Event]) -> Option<Self> {
        events.iter().find_map(|event| match event {
            Event::VerificationConfirmed(_) => Some(Self::Confirmed),
            Event::VerificationFailed(failed) => Some(Self::Failed(failed.rejection.code)),
            _ => None,
        })
    }
}

fn unanswered(error: NoAnswer) -> &'static str {
    match error {
        NoAnswer::Refused => "refused",
        NoAnswer::Unresolved => "unresolved",
        NoAnswer::Unreachable => "unreachable",
        NoAnswer::TimedOut => "timed_out",
        NoAnswer::Broken => "broken",
    }
}

/// One word for what went wrong. That somebody else was first is no fault: it is decided anew.
fn fault(error: &AppendError) -> Option<&'static str> {
    match error {
        AppendError::VersionConflict { .. } | AppendError::ClaimConflict { .. } => None,
        AppendError::TooLarge(_) => Some("too_large"),
        AppendError::Fenced(_) => Some("fenced"),
        AppendError::Busy => Some("busy"),
        AppendError::Unavailable(_) => Some("unavailable"),
        AppendError::Broken(_) => Some("broken"),
    }
}
