//! Lifts the data of old events to the newest version of their type.
//!
//! Events are never edited. A change of a type's data adds a step to its row here; a type without a
//! row is at version 1. Steps see JSON alone, so they keep working when the types move on.

use serde_json::Value;

/// Turns the data of one version into the next version's.
type Step = fn(Value) -> Result<Value, String>;

/// A type that has changed, and its steps: the first lifts version 1 to 2, and so on.
struct Lineage {
    name: &'static str,
    steps: &'static [Step],
}

/// Every type that has changed.
const LINEAGES: &[Lineage] = &[
    // 2: a payment may be sponsored. What was written before is not, and says so by saying nothing;
    // the version keeps older software from taking it for one by transaction hash.
    Lineage { name: "VerificationRequested", steps: &[Ok] },
];

/// The version in which events of this type are written.
#[must_use]
pub fn newest(name: &str) -> usize {
    steps_of(name).len() + 1
}

/// Lifts data of a version to the newest one.
///
/// # Errors
/// Where the version is newer than this software, or a step cannot read the data.
pub(crate) fn lift(name: &str, version: usize, data: Value) -> Result<Value, String> {
    lift_by(steps_of(name), version, data)
}

fn steps_of(name: &str) -> &'static [Step] {
    LINEAGES.iter().find(|lineage| lineage.name == name).map_or(&[], |lineage| lineage.steps)
}

fn lift_by(steps: &[Step], version: usize, data: Value) -> Result<Value, String> {
    let Some(steps) = version.checked_sub(1).and_then(|done| steps.get(done..)) else {
        return Err(format!("version {version} of its type is not known here"));
    };
    steps.iter().try_fold(data, |data, step| step(data))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const STEPS: &[Step] = &[
        |data| Ok(json!({ "amount": data })),
        |data| Ok(json!({ "amount": data["amount"], "asset": "CCD" })),
    ];

    #[test]
    fn old_data_takes_every_step_from_its_version_on() {
        let newest = json!({ "amount": 5, "asset": "CCD" });
        assert_eq!(lift_by(STEPS, 1, json!(5)), Ok(newest.clone()));
        assert_eq!(lift_by(STEPS, 2, json!({ "amount": 5 })), Ok(newest.clone()));
        assert_eq!(lift_by(STEPS, 3, newest.clone()), Ok(newest));
    }

    #[test]
    fn versions_that_do_not_exist_are_refused() {
        assert!(lift_by(STEPS, 4, json!(5)).is_err());
        assert!(lift_by(STEPS, 0, json!(5)).is_err());
        assert!(lift("BlockFollowed", 2, json!({})).is_err());
    }

    #[test]
    fn a_type_without_a_row_stands_as_written() {
        assert_eq!(newest("BlockFollowed"), 1);
        assert_eq!(lift("BlockFollowed", 1, json!(5)), Ok(json!(5)));
    }
}
