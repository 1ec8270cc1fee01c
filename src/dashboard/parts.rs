//! What the pages stand on. What is allowed is `options`.

use std::sync::Arc;

use ccd402_app::facilitator::Facilitator;
use ccd402_app::keys::Keys;
use ccd402_app::operate::Operations;
use ccd402_app::past::Pasts;
use ccd402_app::reads::Reads;
use ccd402_app::webhooks::Webhooks;

/// Tells how each part of the facilitator is: its name, and `ok` or what is amiss.
pub type Standing = Arc<dyn Fn() -> Vec<(&'static str, &'static str)> + Send + Sync>;

/// What the pages stand on.
pub struct Parts {
    /// The use cases.
    pub facilitator: Arc<Facilitator>,
    /// Lists and statistics.
    pub reads: Arc<Reads>,
    /// Who may look.
    pub keys: Keys,
    /// What operators do, and the queue that they do it to.
    pub operations: Operations,
    /// Who is told what happens.
    pub webhooks: Arc<Webhooks>,
    /// How each part is.
    pub standing: Standing,
    /// As things were.
    pub pasts: Pasts,
    /// Seals sessions: the same in every replica, or each has sessions of its own.
    pub seal: [u8; 32],
}
