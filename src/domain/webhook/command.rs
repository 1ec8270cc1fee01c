//! What can be asked of a Webhook.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use crate::ids::WebhookId;
use crate::tenant::TenantId;
use crate::webhook::event::WhyDisabled;
use crate::webhook::transition::Transition;

/// A command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Be told.
    Create(Box<Create>),
    /// Change what is given.
    Change(Change),
    /// Take a new secret; messages bear both signatures until a time.
    RotateSecret {
        /// When the former secret is not used any more.
        previous_valid_until: DateTime<Utc>,
    },
    /// Be told again.
    Enable {
        /// Now.
        now: DateTime<Utc>,
    },
    /// Be told no more for the time being.
    Disable {
        /// Why.
        why: WhyDisabled,
        /// Now.
        now: DateTime<Utc>,
    },
    /// Be gone.
    Delete {
        /// Now.
        now: DateTime<Utc>,
    },
}

/// A new webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Create {
    /// Its id.
    pub webhook: WebhookId,
    /// Whose it is.
    pub tenant: TenantId,
    /// Where messages go; the sender has agreed to it.
    pub url: String,
    /// For people.
    pub description: String,
    /// Of what it hears.
    pub types: BTreeSet<Transition>,
    /// It hears of what happens after this position.
    pub since: u64,
    /// Now.
    pub now: DateTime<Utc>,
}

/// New settings; what is absent stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Change {
    /// Where messages go; the sender has agreed to it.
    pub url: Option<String>,
    /// For people.
    pub description: Option<String>,
    /// Of what it hears.
    pub types: Option<BTreeSet<Transition>>,
    /// Of types that are new it hears what happens after this position.
    pub since: u64,
}
