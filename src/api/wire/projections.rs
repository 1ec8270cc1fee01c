//! The lines that a rebuild of the read model and a comparison with the log answer with.

use ccd402_app::ports::log::Position;
use ccd402_app::ports::read_model::{self as port, Compared, Unlike};
use schemars::JsonSchema;
use serde::Serialize;

/// One step of a rebuild.
#[derive(Serialize, JsonSchema)]
#[serde(tag = "status", rename_all = "lowercase")]
pub(crate) enum RebuildStep {
    /// So many events are in the new rows.
    Building { position: Position, head: Position },
    /// The new rows are read now.
    Built { position: Position },
    /// They are not; what was read before is read still.
    Failed { reason: String },
}

/// One step of a comparison.
#[derive(Serialize, JsonSchema)]
#[serde(tag = "status", rename_all = "lowercase")]
pub(crate) enum CompareStep {
    /// So many events were replayed.
    Replayed { position: Position, head: Position },
    /// All rows are what the log says.
    Equal { position: Position, rows: u64 },
    /// Some are not: how many, and the first of them.
    Different { position: Position, rows: u64, different: u64, differences: Vec<Difference> },
    /// Nobody can tell.
    Failed { reason: String },
}

/// A row that is not what the log says.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Difference {
    /// Position of its verification's first event.
    number: Position,
    /// `missing`: it is not there. `surplus`: nothing in the log makes it. `changed`: the columns
    /// hold something else.
    #[schemars(extend("enum" = ["missing", "surplus", "changed"]))]
    what: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    columns: Vec<String>,
}

impl CompareStep {
    /// What was found in the end.
    pub(crate) fn of(compared: Compared) -> Self {
        let Compared { position, rows, different, differences } = compared;
        if different == 0 {
            return Self::Equal { position, rows };
        }
        let differences = differences.into_iter().map(Difference::of).collect();
        Self::Different { position, rows, different, differences }
    }
}

impl Difference {
    fn of(difference: port::Difference) -> Self {
        let (what, columns) = match difference.what {
            Unlike::Missing => ("missing", Vec::new()),
            Unlike::Surplus => ("surplus", Vec::new()),
            Unlike::Changed(columns) => ("changed", columns),
        };
        Self { number: difference.number, what, columns }
    }
}
