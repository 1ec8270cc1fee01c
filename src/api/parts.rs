//! What the routes stand on. Limits of theirs are `options`.

use std::sync::Arc;

use ccd402_app::facilitator::Facilitator;
use ccd402_app::keys::Keys;
use ccd402_app::ports::queue::JobQueue;
use ccd402_app::reads::Reads;

use crate::health::Health;
use crate::ready::Readiness;

/// What the routes stand on.
pub struct Parts {
    /// The use cases.
    pub facilitator: Arc<Facilitator>,
    /// Lists and statistics.
    pub reads: Arc<Reads>,
    /// Where jobs wait; none where this process runs none.
    pub queue: Option<Arc<dyn JobQueue>>,
    /// Who may call.
    pub keys: Keys,
    /// Whether the facilitator can work, in one word; fed by whoever runs the follower.
    pub health: Health,
    /// The same part by part; fed by whoever watches the parts.
    pub readiness: Readiness,
}
