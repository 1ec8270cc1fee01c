//! What a resource asks a payer to prove, in Concordium's own JSON of atomic statements.
//!
//! Presets such as `min-age = 18` are written out to these statements by `domain`; proofs are made
//! and checked by `chain`.

use serde::{Deserialize, Serialize};

/// The extension's name in `extensions` of x402 v2.
pub const EXTENSION: &str = "concordium-identity";

/// Statements that one requirement may hold.
pub const STATEMENTS_MAX: usize = 16;
/// Values that a set statement may list.
pub const SET_VALUES_MAX: usize = 256;

/// Issuers that one requirement may list.
pub const ISSUERS_MAX: usize = 256;
/// Bytes of all names and values of one requirement.
pub const TEXT_BYTES_MAX: usize = 8 * 1024;

/// What must be proven: `extra.identity` of the requirements, or the extension's `info`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IdentityRequirement {
    /// All of these must hold for one credential of the payer.
    pub statement: Vec<AtomicStatement>,
    /// Identity providers that are accepted, by their number; absent means all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuers: Option<Vec<u32>>,
    /// Seconds after the challenge was issued within which the proof may be handed in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_for: Option<u64>,
}

/// One statement about one attribute, as Concordium's SDKs write it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "type", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum AtomicStatement {
    /// The attribute's value is shown.
    RevealAttribute {
        /// Name of the attribute (`dob`, `nationality`, …).
        attribute_tag: String,
    },
    /// `lower <= value < upper`, compared as strings; dates are `YYYYMMDD`.
    AttributeInRange {
        /// Name of the attribute.
        attribute_tag: String,
        /// The least value that holds.
        lower: String,
        /// The least value above that does not.
        upper: String,
    },
    /// The value is one of these.
    AttributeInSet {
        /// Name of the attribute.
        attribute_tag: String,
        /// The values that hold.
        set: Vec<String>,
    },
    /// The value is none of these.
    AttributeNotInSet {
        /// Name of the attribute.
        attribute_tag: String,
        /// The values that do not hold.
        set: Vec<String>,
    },
}

impl AtomicStatement {
    /// The attribute that the statement is about.
    #[must_use]
    pub fn attribute_tag(&self) -> &str {
        match self {
            Self::RevealAttribute { attribute_tag }
            | Self::AttributeInRange { attribute_tag, .. }
            | Self::AttributeInSet { attribute_tag, .. }
            | Self::AttributeNotInSet { attribute_tag, .. } => attribute_tag,
        }
    }

    fn text_bytes(&self) -> usize {
        let values = match self {
            Self::RevealAttribute { .. } => 0,
            Self::AttributeInRange { lower, upper, .. } => lower.len() + upper.len(),
            Self::AttributeInSet { set, .. } | Self::AttributeNotInSet { set, .. } => {
                set.iter().map(String::len).sum()
            }
        };
        self.attribute_tag().len() + values
    }
}

impl IdentityRequirement {
    /// Whether the requirement keeps within its bounds and asks for anything at all.
    #[must_use]
    pub fn is_within_bounds(&self) -> bool {
        let set_fits = |statement: &AtomicStatement| match statement {
            AtomicStatement::AttributeInSet { set, .. }
            | AtomicStatement::AttributeNotInSet { set, .. } => {
                !set.is_empty() && set.len() <= SET_VALUES_MAX
            }
            _ => true,
        };
        !self.statement.is_empty()
            && self.statement.len() <= STATEMENTS_MAX
            && self.statement.iter().all(set_fits)
            && self.statement.iter().map(AtomicStatement::text_bytes).sum::<usize>()
                <= TEXT_BYTES_MAX
            && self.issuers.as_ref().is_none_or(|issuers| issuers.len() <= ISSUERS_MAX)
    }
}
