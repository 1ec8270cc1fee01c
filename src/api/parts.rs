//! What the routes stand on. Limits of theirs are `options`.

use std::sync::Arc;

use ccd402_app::facilitator::Facilitator;
use ccd402_app::keys::Keys;
use ccd402_app::ports::queue::JobQueue;
use ccd402_app::reads::Reads;
use ccd402_app::webhooks::Webhooks;

use crate::health::Health;
use crate::rates::Rates;
use crate::ready::Readiness;

/// What the routes stand on.
pub struct Parts {
    /// The use cases.
    pub facilitator: Arc<Facilitator>,
    /// Lists and statistics.
    pub reads: Arc<Reads>,
    /// Who may call.
    pub keys: Keys,
    /// How much each of them calls.
    pub rates: Rates,
    /// Jobs, for operators.
    pub jobs: Arc<dyn JobQueue>,
    /// Who is told what happens.
    pub webhooks: Arc<Webhooks>,
    /// Whether the facilitator can work, in one word; fed by whoever runs the follower.
    pub health: Health,
    /// The same part by part; fed by whoever watches the parts.
    pub readiness: Readiness,
}
