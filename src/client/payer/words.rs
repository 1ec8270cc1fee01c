//! What must be proven, in plain words for the payer. The proof itself is the wallet's business.

use ccd402_protocol::identity::{AtomicStatement, IdentityRequirement};
use chrono::{Datelike as _, NaiveDate};

use crate::payer::demand::shown;

/// Values of a set that are named.
const VALUES_NAMED_MAX: usize = 8;
/// A date of birth at or before this says nothing: "18 or more" has no oldest.
const DOB_EARLIEST: &str = "19000101";

/// One line a statement, and one for whose word counts, where not everybody's does.
pub(crate) fn describe(required: &IdentityRequirement, today: NaiveDate) -> Vec<String> {
    let statements = required.statement.iter().map(|statement| line(statement, today));
    statements.chain(required.issuers.as_deref().map(issued)).collect()
}

fn issued(issuers: &[u32]) -> String {
    let numbers: Vec<_> = issuers.iter().map(ToString::to_string).collect();
    format!("an identity issued by provider {}", named(&numbers))
}

fn line(statement: &AtomicStatement, today: NaiveDate) -> String {
    let label = label(statement.attribute_tag());
    match statement {
        AtomicStatement::RevealAttribute { .. } => format!("the {label} itself (it is shown)"),
        AtomicStatement::AttributeInRange { attribute_tag, lower, upper } => {
            let age = (attribute_tag == "dob" && lower.as_str() <= DOB_EARLIEST)
                .then(|| age_min(upper, today))
                .flatten();
            match age {
                Some(years) => format!("age {years} or more"),
                None => format!("{label} from {} to before {}", shown(lower), shown(upper)),
            }
        }
        AtomicStatement::AttributeInSet { set, .. } => format!("{label} one of {}", named(set)),
        AtomicStatement::AttributeNotInSet { set, .. } => {
            format!("{label} none of {}", named(set))
        }
    }
}

/// The age in whole years of who was born on the last day before `upper`.
fn age_min(upper: &str, today: NaiveDate) -> Option<u32> {
    let born = NaiveDate::parse_from_str(upper, "%Y%m%d").ok()?.pred_opt()?;
    let years = today.years_since(born)?;
    // Who was born on 29 February comes of age with the bound of 28 February in a common year.
    let is_birthday = (born.month(), born.day()) == (today.month(), today.day())
        || (born.day(), today.day()) == (28, 29);
    is_birthday.then_some(years)
}

fn label(tag: &str) -> String {
    match tag {
        "dob" => "date of birth".to_owned(),
        "countryOfResidence" => "country of residence".to_owned(),
        "firstName" => "first name".to_owned(),
        "lastName" => "last name".to_owned(),
        other => shown(other),
    }
}

fn named(set: &[String]) -> String {
    let mut text: Vec<_> = set.iter().take(VALUES_NAMED_MAX).map(|value| shown(value)).collect();
    if set.len() > VALUES_NAMED_MAX {
        text.push(format!("{} more", set.len() - VALUES_NAMED_MAX));
    }
    text.join(", ")
}

#[cfg(test)]
mod tests {
    use ccd402_domain::preset::Preset;

    use super::*;

    #[test]
    fn presets_read_as_they_were_configured() {
        let preset = Preset {
            min_age: Some(18),
            nationality_not_in: vec!["KP".into()],
            residence_in: vec!["DK".into(), "SE".into()],
            issuers: vec![0, 3],
            ..Preset::default()
        };
        for (year, month, day) in [(2026, 11, 22), (2027, 2, 28), (2028, 2, 29), (2027, 3, 1)] {
            let today = NaiveDate::from_ymd_opt(year, month, day).unwrap();
            let required = preset.requirement(today).unwrap().unwrap();
            let expected = [
                "age 18 or more",
                "nationality none of KP",
                "country of residence one of DK, SE",
                "an identity issued by provider 0, 3",
            ];
            assert_eq!(describe(&required, today), expected, "{today}");
        }
    }

    #[test]
    fn other_ranges_are_shown_as_they_are() {
        let today = NaiveDate::from_ymd_opt(2026, 11, 22).unwrap();
        let range = |lower: &str, upper: &str| AtomicStatement::AttributeInRange {
            attribute_tag: "dob".to_owned(),
            lower: lower.to_owned(),
            upper: upper.to_owned(),
        };
        let cases = [
            (range("19800101", "19900101"), "date of birth from 19800101 to before 19900101"),
            (range("18000101", "20000101"), "date of birth from 18000101 to before 20000101"),
            (range("18000101", "soon\u{1b}[2J"), "date of birth from 18000101 to before soon[2J"),
        ];
        for (statement, expected) in cases {
            assert_eq!(line(&statement, today), expected);
        }
    }
}
