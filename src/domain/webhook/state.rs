//! What is known of a Webhook: the fold of its events.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::event::Event;
use crate::ids::WebhookId;
use crate::tenant::TenantId;
use crate::verification::state::BrokenHistory;
use crate::webhook::event::{WebhookCreated, WhyDisabled};
use crate::webhook::transition::Transition;

/// Former secrets that sign at the same time as the newest: a message bears one signature each.
pub const FORMER_SECRETS_MAX: usize = 3;

/// A Webhook as its events tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// Its id.
    pub id: WebhookId,
    /// Of whose verifications it hears.
    pub tenant: TenantId,
    /// Events so far: the version to expect when appending.
    pub version: u64,
    /// Where messages go.
    pub url: String,
    /// For people.
    pub description: String,
    /// Of what it hears, and for each type after which position.
    pub types: BTreeMap<Transition, u64>,
    /// It hears of nothing up to this position.
    pub since: u64,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// Which secrets sign.
    pub secrets: Secrets,
    /// Whether it is told.
    pub status: Status,
}

/// Whether a webhook is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It is.
    Enabled,
    /// Not until it is enabled.
    Disabled {
        /// Why.
        why: WhyDisabled,
        /// Since when.
        at: DateTime<Utc>,
    },
    /// Never more.
    Deleted,
}

/// Which secrets sign, by number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Secrets {
    /// The newest; the first is 1.
    pub number: u64,
    /// Those before it, newest first, at most [`FORMER_SECRETS_MAX`]: a rotation that is made twice,
    /// because its answer was lost, does not leave a receiver with a secret that signs nothing.
    pub former: Vec<FormerSecret>,
}

/// A secret that was replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FormerSecret {
    /// Which.
    pub number: u64,
    /// Until when it signs as well.
    pub valid_until: DateTime<Utc>,
}

impl Secrets {
    fn first() -> Self {
        Self { number: 1, former: Vec::new() }
    }

    /// The former ones that still sign at a time, newest first.
    pub fn former_at(&self, now: DateTime<Utc>) -> impl Iterator<Item = &FormerSecret> {
        self.former.iter().filter(move |former| now < former.valid_until)
    }

    /// The numbers of the secrets that sign at a time, newest first.
    pub fn signing(&self, now: DateTime<Utc>) -> impl Iterator<Item = u64> {
        std::iter::once(self.number).chain(self.former_at(now).map(|former| former.number))
    }

    fn rotate(&mut self, valid_until: DateTime<Utc>) {
        self.former.insert(0, FormerSecret { number: self.number, valid_until });
        self.former.truncate(FORMER_SECRETS_MAX);
        self.number += 1;
    }
}

impl Webhook {
    /// Folds a stream; `None` where it is empty.
    ///
    /// # Errors
    /// Where an event cannot follow those before it.
    pub fn fold<'a>(
        events: impl IntoIterator<Item = &'a Event>,
    ) -> Result<Option<Self>, BrokenHistory> {
        events.into_iter().try_fold(None, |state, event| evolve(state, event).map(Some))
    }

    /// Whether it is told of a transition at a position.
    #[must_use]
    pub fn hears(&self, transition: Transition, position: u64) -> bool {
        self.types.get(&transition).is_some_and(|since| position > *since)
    }

    fn begin(created: &WebhookCreated) -> Self {
        Self {
            id: created.webhook,
            tenant: created.tenant.clone(),
            version: 1,
            url: created.url.clone(),
            description: created.description.clone(),
            types: created.types.iter().map(|each| (*each, created.since)).collect(),
            since: created.since,
            created_at: created.created_at,
            secrets: Secrets::first(),
            status: Status::Enabled,
        }
    }
}

/// The state after one more event.
///
/// # Errors
/// Where the event cannot follow: history must not be guessed at.
pub fn evolve(state: Option<Webhook>, event: &Event) -> Result<Webhook, BrokenHistory> {
    let version = state.as_ref().map_or(1, |state| state.version + 1);
    let broken = BrokenHistory { event: event.name(), version };
    let Some(mut next) = state else {
        return match event {
            Event::WebhookCreated(created) => Ok(Webhook::begin(created)),
            _ => Err(broken),
        };
    };
    next.version = version;
    match (event, next.status) {
        (_, Status::Deleted) => return Err(broken),
        (Event::WebhookChanged(changed), _) => {
            next.url = changed.url.clone().unwrap_or(next.url);
            next.description = changed.description.clone().unwrap_or(next.description);
            if let Some(types) = &changed.types {
                let since = |each| next.types.get(each).copied().unwrap_or(changed.since);
                next.types = types.iter().map(|each| (*each, since(each))).collect();
            }
        }
        (Event::WebhookSecretRotated(rotated), _) if rotated.number == next.secrets.number + 1 => {
            next.secrets.rotate(rotated.previous_valid_until);
        }
        (Event::WebhookEnabled(_), Status::Disabled { .. }) => next.status = Status::Enabled,
        (Event::WebhookDisabled(disabled), Status::Enabled) => {
            next.status = Status::Disabled { why: disabled.why, at: disabled.at };
        }
        (Event::WebhookDeleted(_), _) => next.status = Status::Deleted,
        _ => return Err(broken),
    }
    Ok(next)
}
