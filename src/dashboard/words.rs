//! What an identity statement and an event say, in words.

use ccd402_domain::event::Event;
use ccd402_domain::verification::event::Consumer;
use ccd402_protocol::identity::{AtomicStatement, IdentityRequirement};
use chrono::NaiveDate;

/// The least date of birth that statements use: none at all.
const NO_LOWER_DATE: &str = "18000101";
/// The first value above all dates.
const NO_UPPER_DATE: &str = "99990101";
/// Values of a set that are written out.
const VALUES_MAX: usize = 12;

/// What must be proven, a line a statement.
pub(crate) fn asked(required: &IdentityRequirement) -> Vec<String> {
    let mut lines: Vec<_> = required.statement.iter().map(statement).collect();
    if let Some(issuers) = &required.issuers {
        let issuers: Vec<_> = issuers.iter().map(ToString::to_string).collect();
        lines.push(format!("by identity provider {}", either(&issuers)));
    }
    if let Some(seconds) = required.valid_for {
        lines.push(format!("handed in within {seconds} s"));
    }
    lines
}

fn statement(statement: &AtomicStatement) -> String {
    let name = attribute(statement.attribute_tag());
    match statement {
        AtomicStatement::RevealAttribute { .. } => format!("shows the {name}"),
        AtomicStatement::AttributeInRange { attribute_tag, lower, upper } => {
            range((attribute_tag, &name), lower, upper)
        }
        AtomicStatement::AttributeInSet { set, .. } => format!("{name} is {}", either(set)),
        AtomicStatement::AttributeNotInSet { set, .. } => format!("{name} is not {}", either(set)),
    }
}

fn range((tag, name): (&str, &str), lower: &str, upper: &str) -> String {
    let (Some(from), Some(to)) = (date(lower), date(upper)) else {
        return format!("{name} is at least {lower} and below {upper}");
    };
    let subject = if tag == "dob" { "born" } else { name };
    match (lower == NO_LOWER_DATE, upper == NO_UPPER_DATE) {
        (true, _) => format!("{subject} before {to}"),
        (false, true) => format!("{subject} on {from} or later"),
        (false, false) => format!("{subject} on {from} or later, and before {to}"),
    }
}

/// `20081122` as `22 November 2008`.
fn date(text: &str) -> Option<String> {
    let date = NaiveDate::parse_from_str(text, "%Y%m%d").ok().filter(|_| text.len() == 8)?;
    Some(date.format("%-d %B %Y").to_string())
}

fn either(values: &[String]) -> String {
    match values {
        [] => "nothing".to_owned(),
        [one] => one.clone(),
        [most @ .., last] if values.len() <= VALUES_MAX => {
            format!("{} or {last}", most.join(", "))
        }
        _ => format!(
            "{} or one of {} more",
            values[..VALUES_MAX].join(", "),
            values.len() - VALUES_MAX
        ),
    }
}

fn attribute(tag: &str) -> String {
    let name = match tag {
        "firstName" => "first name",
        "lastName" => "last name",
        "sex" => "sex",
        "dob" => "date of birth",
        "countryOfResidence" => "country of residence",
        "nationality" => "nationality",
        "idDocType" => "type of the identity document",
        "idDocNo" => "number of the identity document",
        "idDocIssuer" => "issuer of the identity document",
        "idDocIssuedAt" => "issue date of the identity document",
        "idDocExpiresAt" => "expiry date of the identity document",
        "nationalIdNo" => "national identity number",
        "taxIdNo" => "tax number",
        "lei" => "legal entity identifier",
        other => other,
    };
    name.to_owned()
}

/// What an event says.
pub(crate) fn told(event: &Event) -> String {
    match event {
        Event::VerificationRequested(_) => "The payment was handed in".to_owned(),
        Event::IdentityVerified(verified) => {
            let shown = match verified.proven.revealed {
                Some(_) => "what it shows was checked and not kept",
                None => "it shows nothing else",
            };
            let issuer = verified.proven.issuer;
            format!("The identity proof holds: by identity provider {issuer}; {shown}")
        }
        Event::BindingVerified(_) => "The account’s signatures hold".to_owned(),
        Event::TransactionSigned(_) => {
            "The sponsor has signed the transaction; it is sent".to_owned()
        }
        Event::TransferFinalized(seen) => format!(
            "The transfer is final in block {}; proofs are still checked",
            seen.block.height
        ),
        Event::VerificationConfirmed(confirmed) => {
            format!("Confirmed: final in block {}", confirmed.block.height)
        }
        Event::VerificationFailed(failed) => {
            format!("Failed: {}", failed.rejection.code.title())
        }
        Event::PaymentReserved(reserved) => {
            format!("Held for the resource server until {}", reserved.until.format("%H:%M:%S UTC"))
        }
        Event::PaymentReleased(_) => "Given back by the resource server".to_owned(),
        Event::PaymentConsumed(consumed) => match consumed.by {
            Consumer::Verify => "Used up by a verify".to_owned(),
            Consumer::Settle => "Used up by a settle".to_owned(),
        },
        other => other.name().to_owned(),
    }
}

/// Who made it happen.
pub(crate) fn cause(event: &Event) -> &'static str {
    match event {
        Event::IdentityVerified(_) | Event::BindingVerified(_) => "a check of the payer’s proofs",
        Event::TransferFinalized(_) | Event::VerificationConfirmed(_) => "a finalized block",
        Event::VerificationFailed(_) => "a rule that it breaks",
        Event::TransactionSigned(_) => "a settle by the resource server",
        Event::VerificationRequested(_)
        | Event::PaymentReserved(_)
        | Event::PaymentReleased(_)
        | Event::PaymentConsumed(_) => "a call of the resource server",
        _ => "the facilitator",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(statement: AtomicStatement) -> String {
        let required =
            IdentityRequirement { statement: vec![statement], issuers: None, valid_for: None };
        asked(&required).remove(0)
    }

    fn range_of(tag: &str, lower: &str, upper: &str) -> String {
        line(AtomicStatement::AttributeInRange {
            attribute_tag: tag.into(),
            lower: lower.into(),
            upper: upper.into(),
        })
    }

    #[test]
    fn statements_are_said_in_words() {
        assert_eq!(range_of("dob", "18000101", "20081122"), "born before 22 November 2008");
        assert_eq!(
            range_of("dob", "19600101", "20000101"),
            "born on 1 January 1960 or later, and before 1 January 2000"
        );
        assert_eq!(
            range_of("idDocExpiresAt", "20261122", "99990101"),
            "expiry date of the identity document on 22 November 2026 or later"
        );
        assert_eq!(range_of("lei", "A", "B"), "legal entity identifier is at least A and below B");
        let set = |values: &[&str]| values.iter().map(ToString::to_string).collect::<Vec<_>>();
        let nationality = "nationality".to_owned();
        let is_in = AtomicStatement::AttributeInSet {
            attribute_tag: nationality.clone(),
            set: set(&["DK", "NO", "SE"]),
        };
        assert_eq!(line(is_in), "nationality is DK, NO or SE");
        let not_in =
            AtomicStatement::AttributeNotInSet { attribute_tag: nationality, set: set(&["KP"]) };
        assert_eq!(line(not_in), "nationality is not KP");
        let reveal = AtomicStatement::RevealAttribute { attribute_tag: "firstName".into() };
        assert_eq!(line(reveal), "shows the first name");
    }

    #[test]
    fn issuers_time_and_long_sets_are_said_too() {
        let many: Vec<_> = (0..20).map(|number| number.to_string()).collect();
        let is_in = AtomicStatement::AttributeInSet { attribute_tag: "strange".into(), set: many };
        let required = IdentityRequirement {
            statement: vec![is_in],
            issuers: Some(vec![0, 3]),
            valid_for: Some(60),
        };
        assert_eq!(
            asked(&required),
            [
                "strange is 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 or one of 8 more",
                "by identity provider 0 or 3",
                "handed in within 60 s"
            ]
        );
    }
}
