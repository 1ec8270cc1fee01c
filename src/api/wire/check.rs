//! The lines that a check of the log answers with.

use ccd402_app::ports::log::Position;
use ccd402_domain::ids::Digest;
use schemars::JsonSchema;
use serde::Serialize;

/// One step of a check.
#[derive(Serialize, JsonSchema)]
#[serde(tag = "status", rename_all = "lowercase")]
pub(crate) enum Step {
    /// So far everything is as it was written.
    Checked { position: Position, head: Position },
    /// Everything is.
    Whole { position: Position, hash: Digest },
    /// This line is not.
    Damaged { position: Position, reason: String },
    /// Nobody can tell from here on.
    Unreadable { position: Position, reason: String },
}
