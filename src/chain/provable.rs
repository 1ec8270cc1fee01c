//! Whether a credential can prove what is asked, and if not, which attribute fails and why.
//!
//! The words are for the credential's owner alone: they name the owner's own values, dates by their
//! year only. Nothing is proven here.

use std::collections::BTreeMap;

use concordium_rust_sdk::base::{
    common::to_bytes,
    id::{
        constants::AttributeKind,
        id_proof_types::AtomicStatement,
        types::{Attribute, AttributeTag},
    },
    web3id::Web3IdAttribute,
};

use crate::presentation::Statement;

/// Values of a set that are named in an explanation.
const VALUES_NAMED_MAX: usize = 8;

/// Attributes whose own name says little to people.
const LABELS: [(&str, &str); 8] = [
    ("firstName", "first name"),
    ("lastName", "last name"),
    ("dob", "date of birth"),
    ("countryOfResidence", "country of residence"),
    ("idDocType", "type of the identity document"),
    ("idDocIssuer", "issuer of the identity document"),
    ("idDocIssuedAt", "issue date of the identity document"),
    ("idDocExpiresAt", "expiry date of the identity document"),
];

/// Why the attributes cannot prove the statements; none if they can.
pub(crate) fn why_not(
    statements: &[Statement],
    attributes: &BTreeMap<AttributeTag, AttributeKind>,
) -> Option<String> {
    statements.iter().find_map(|statement| {
        let tag = statement.attribute();
        match attributes.get(&tag) {
            None => Some(format!("the credential says nothing about the {}", label(tag))),
            Some(value) => {
                let why = false_because(statement, &Web3IdAttribute::String(value.clone()))?;
                Some(format!("{} {} {why}", label(tag), shown(tag, value)))
            }
        }
    })
}

fn false_because(statement: &Statement, value: &Web3IdAttribute) -> Option<String> {
    match statement {
        AtomicStatement::RevealAttribute { .. } => None,
        AtomicStatement::AttributeInRange { statement } => {
            let (tag, at) = (statement.attribute_tag, order(value));
            if at < order(&statement.lower) {
                Some(format!("is before {}", bound(tag, &statement.lower)))
            } else if at >= order(&statement.upper) {
                Some(format!("is not before {}", bound(tag, &statement.upper)))
            } else {
                None
            }
        }
        AtomicStatement::AttributeInSet { statement } => (!statement.set.contains(value))
            .then(|| format!("is none of those accepted ({})", named(&statement.set))),
        AtomicStatement::AttributeNotInSet { statement } => statement
            .set
            .contains(value)
            .then(|| format!("is one of those refused ({})", named(&statement.set))),
    }
}

/// The order that range proofs go by: that of field elements, which put length before letters.
fn order(value: &Web3IdAttribute) -> Vec<u8> {
    to_bytes(&value.to_field_element())
}

fn label(tag: AttributeTag) -> String {
    let name = tag.to_string();
    let label = LABELS.iter().find(|(known, _)| *known == name).map(|(_, label)| *label);
    label.map_or(name, str::to_owned)
}

/// The owner's value: the year of a date, other values as they are.
fn shown(tag: AttributeTag, value: &AttributeKind) -> String {
    let text = value.as_ref();
    match date(tag, text) {
        Some((year, ..)) => format!("{year}-.."),
        None => text.to_owned(),
    }
}

fn bound(tag: AttributeTag, value: &Web3IdAttribute) -> String {
    let text = value.to_string();
    match date(tag, &text) {
        Some((year, month, day)) => format!("{year}-{month}-{day}"),
        None => text,
    }
}

fn date(tag: AttributeTag, text: &str) -> Option<(&str, &str, &str)> {
    let is_date = matches!(tag.to_string().as_str(), "dob" | "idDocIssuedAt" | "idDocExpiresAt")
        && text.len() == 8
        && text.bytes().all(|b| b.is_ascii_digit());
    is_date.then(|| (&text[..4], &text[4..6], &text[6..]))
}

fn named<'a>(values: impl IntoIterator<Item = &'a Web3IdAttribute>) -> String {
    let mut values = values.into_iter().map(ToString::to_string);
    let mut text = values.by_ref().take(VALUES_NAMED_MAX).collect::<Vec<_>>().join(", ");
    let more = values.count();
    if more > 0 {
        text.push_str(&format!(" and {more} more"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explained(statement: &str) -> Option<String> {
        let statements: Vec<Statement> = serde_json::from_str(statement).unwrap();
        let attributes = [("dob", "20110305"), ("nationality", "DE")];
        let attributes =
            attributes.map(|(tag, value)| (tag.parse().unwrap(), value.parse().unwrap()));
        why_not(&statements, &attributes.into())
    }

    #[test]
    fn each_false_statement_is_explained_and_true_ones_are_not() {
        let range = |lower: &str, upper: &str| {
            let bounds = format!(r#""lower":"{lower}","upper":"{upper}""#);
            format!(r#"[{{"type":"AttributeInRange","attributeTag":"dob",{bounds}}}]"#)
        };
        let set = |kind: &str, tag: &str, set: &str| {
            format!(r#"[{{"type":"{kind}","attributeTag":"{tag}","set":{set}}}]"#)
        };
        let nine = r#"["A1","A2","A3","A4","A5","A6","A7","A8","A9"]"#;
        let cases = [
            (range("18000101", "20081122"), Some("date of birth 2011-.. is not before 2008-11-22")),
            (range("20120101", "20200101"), Some("date of birth 2011-.. is before 2012-01-01")),
            (range("18000101", "20110305"), Some("date of birth 2011-.. is not before 2011-03-05")),
            (range("20110305", "20110306"), None),
            (
                set("AttributeInSet", "nationality", r#"["DK","SE"]"#),
                Some("nationality DE is none of those accepted (DK, SE)"),
            ),
            (
                set("AttributeInSet", "nationality", nine),
                Some(concat!(
                    "nationality DE is none of those accepted ",
                    "(A1, A2, A3, A4, A5, A6, A7, A8 and 1 more)"
                )),
            ),
            (
                set("AttributeNotInSet", "nationality", r#"["DE"]"#),
                Some("nationality DE is one of those refused (DE)"),
            ),
            (set("AttributeNotInSet", "nationality", r#"["DK"]"#), None),
            (
                set("AttributeInSet", "countryOfResidence", r#"["DK"]"#),
                Some("the credential says nothing about the country of residence"),
            ),
        ];
        for (statement, expected) in cases {
            assert_eq!(explained(&statement).as_deref(), expected, "{statement}");
        }
    }
}
