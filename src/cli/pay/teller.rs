//! Tells the story of a payment: line by line on stderr for people, at the end as one JSON object.

use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ccd402_client::payer::answer::Answer;
use ccd402_client::payer::error::Error;
use ccd402_client::payer::options::Step;
use ccd402_client::payer::record::Id;
use http::header::{CONTENT_TYPE, LOCATION};
use serde_json::{Map, Value, json};

use crate::cli::pay::content::Received;
use crate::output::Output;

/// Steps that are kept for the JSON object; more are waits, which say little.
const STEPS_MAX: usize = 256;

/// Tells and remembers the steps.
pub(super) struct Teller {
    output: Output,
    began: Instant,
    steps: Arc<Mutex<Vec<(Step, Duration)>>>,
}

impl Teller {
    pub(super) fn start(json: bool) -> Self {
        Self { output: Output::from_flag(json), began: Instant::now(), steps: Arc::default() }
    }

    /// For the payer.
    pub(super) fn observer(&self) -> Arc<dyn Fn(Step) + Send + Sync> {
        let (output, began, steps) = (self.output, self.began, self.steps.clone());
        Arc::new(move |step| {
            let mut steps = steps.lock().unwrap_or_else(PoisonError::into_inner);
            // The same wait again is no news.
            if steps.len() == STEPS_MAX || steps.last().is_some_and(|(last, _)| *last == step) {
                return;
            }
            let after = began.elapsed();
            if output == Output::Text {
                eprintln!("{}", line(&step, after));
            }
            steps.push((step, after));
        })
    }

    /// The content is there.
    pub(super) fn answered(&self, answer: &Answer, content: Received) -> ExitCode {
        let status = answer.status;
        let transaction = answer.payment.as_ref().and_then(|paid| paid.record.transaction());
        match self.output {
            Output::Text => {
                if let Some(paid) = &answer.payment {
                    let settled = paid.receipt.as_ref().is_some_and(|receipt| receipt.success);
                    let said = if settled { "settled" } else { "accepted, without a receipt" };
                    let id = match paid.record.transaction() {
                        Some(hash) => format!("transfer {hash}"),
                        None => paid.record.id().to_string(),
                    };
                    eprintln!("receipt   {id} {said}");
                }
                if !status.is_success() {
                    eprintln!("error: the server answered {status}{}", elsewhere(answer));
                }
            }
            Output::Json => {
                let mut value = content.0;
                let media_type = answer.headers.get(CONTENT_TYPE);
                value.extend(fields(json!({
                    "ok": status.is_success(),
                    "status": status.as_u16(),
                    "contentType": media_type.and_then(|value| value.to_str().ok()),
                    "paid": answer.payment.is_some(),
                    "transaction": transaction,
                    "amount": answer.payment.as_ref().map(|paid| paid.record.amount),
                    "asset": answer.payment.as_ref().map(|paid| &paid.record.asset),
                    "receipt": answer.payment.as_ref().and_then(|paid| paid.receipt.as_ref()),
                    "steps": self.steps(),
                })));
                self.output.print("", &value);
            }
        }
        if status.is_success() { ExitCode::SUCCESS } else { ExitCode::from(1) }
    }

    /// There is no content, and why.
    pub(super) fn failed(&self, error: &Error) -> ExitCode {
        let hint = hint(error);
        match self.output {
            Output::Text => eprintln!("error: {error}{hint}"),
            Output::Json => self.output.print(
                "",
                &json!({
                    "ok": false,
                    "code": error.code(),
                    "error": format!("{error}{hint}"),
                    "paid": may_have_paid(error),
                    "transaction": error.transfer(),
                    "steps": self.steps(),
                }),
            ),
        }
        ExitCode::from(1)
    }

    fn steps(&self) -> Vec<Value> {
        let steps = self.steps.lock().unwrap_or_else(PoisonError::into_inner);
        let timed = |(step, after): &(Step, Duration)| {
            let mut value = fields(serde_json::to_value(step).expect("a step has JSON"));
            let after_ms = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
            value.insert("afterMs".to_owned(), json!(after_ms));
            Value::Object(value)
        };
        steps.iter().map(timed).collect()
    }
}

fn fields(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

fn elsewhere(answer: &Answer) -> String {
    match answer.headers.get(LOCATION).and_then(|value| value.to_str().ok()) {
        Some(url) if answer.status.is_redirection() => {
            format!("; redirects are not followed, ask for {} itself", url.escape_debug())
        }
        _ => String::new(),
    }
}

/// Whether money may have moved although there is no content.
fn may_have_paid(error: &Error) -> bool {
    matches!(error, Error::Unfinished { .. } | Error::Refused { .. } | Error::Spent { .. })
}

/// What the flags can do about it.
fn hint(error: &Error) -> &'static str {
    match error {
        Error::NoLimit(_) => " with --max-amount, or run it on a terminal to be asked",
        Error::OverLimit { .. } => "; --max-amount says how much may be spent",
        Error::Refused { payment: Id::Hash(_), .. } => "; --pay-again gives it up and pays anew",
        _ => "",
    }
}

fn line(step: &Step, after: Duration) -> String {
    let after = format!("after {:.1} s", after.as_secs_f32());
    match step {
        Step::Quoted(quote) => {
            let chain = match &quote.sponsor {
                None => format!("at most {} CCD for the chain", quote.fee),
                Some(sponsor) => format!("nothing for the chain: {sponsor} pays the fee"),
            };
            let mut text = format!(
                "costs     {} {} to {}, and {chain}",
                quote.amount, quote.asset, quote.pay_to
            );
            for proven in &quote.proves {
                text.push_str(&format!("\nproves    {proven}"));
            }
            text
        }
        Step::Resumed { payment: Id::Hash(hash) } => {
            format!("finishes  the payment by transfer {hash}")
        }
        Step::Resumed { payment } => format!("finishes  {payment}"),
        Step::Closed { payment, reason } => format!("closed    {payment}: {reason}"),
        Step::Recorded { payment: Id::Hash(hash) } => format!("transfer  {hash}"),
        Step::Recorded { payment } => format!("signed    {payment}"),
        Step::Sent { .. } => format!("sent      {after}"),
        Step::Finalized { .. } => format!("final     {after}"),
        Step::Waiting { why } => format!("waiting   {why}"),
        Step::Accepted { .. } => format!("accepted  {after}"),
    }
}
