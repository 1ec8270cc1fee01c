//! Telling one webhook of one verification: what is next, and when. The fold of the tries made.
//!
//! The next transition is not sent before the one before it is delivered or given up.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::webhook::event::{Answer, DeliveryOutcome, WebhookDelivered};

/// The tries of one webhook and one verification.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Deliveries {
    of: BTreeMap<u64, Tries>,
}

/// The tries of one transition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tries {
    /// How many were made.
    pub attempts: u32,
    /// When the first was made.
    pub first_at: DateTime<Utc>,
    /// When the next is due, if it is known.
    pub retry_at: Option<DateTime<Utc>>,
    /// Whether it is delivered or given up: nothing more is done by itself.
    pub is_settled: bool,
}

/// What is to be done for a webhook and a verification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Everything asked for is settled.
    Nothing,
    /// Send the transition at this position, as this attempt, not before this time.
    Send {
        /// Which transition.
        position: u64,
        /// The first is 1.
        attempt: u32,
        /// Not before.
        due_at: Option<DateTime<Utc>>,
    },
}

/// How often and how long delivering is tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// Pause before each try after the first; the last is followed by giving up.
    pub pauses: Vec<Duration>,
    /// Longest pause that a receiver may ask for.
    pub retry_after_max: Duration,
}

impl Default for Schedule {
    /// As the Standard Webhooks specification says: ten tries within a little more than three days.
    fn default() -> Self {
        const MINUTE: u64 = 60;
        const HOUR: u64 = 60 * MINUTE;
        let seconds = [
            5,
            5 * MINUTE,
            30 * MINUTE,
            2 * HOUR,
            5 * HOUR,
            10 * HOUR,
            14 * HOUR,
            20 * HOUR,
            24 * HOUR,
        ];
        Self {
            pauses: seconds.map(Duration::from_secs).to_vec(),
            retry_after_max: Duration::from_secs(24 * HOUR),
        }
    }
}

impl Schedule {
    /// What a try comes to. `jitter`, from 0 to 1, adds up to a fifth to the pause, so that what
    /// failed together is not tried again together.
    #[must_use]
    pub fn outcome(
        &self,
        answer: Answer,
        attempt: u32,
        (retry_after, jitter): (Option<Duration>, f64),
        now: DateTime<Utc>,
    ) -> (DeliveryOutcome, Option<DateTime<Utc>>) {
        if answer.is_taken() {
            return (DeliveryOutcome::Delivered, None);
        }
        let index = usize::try_from(attempt.saturating_sub(1)).unwrap_or(usize::MAX);
        let Some(pause) = self.pauses.get(index) else {
            return (DeliveryOutcome::GivenUp, None);
        };
        let jittered = pause.mul_f64(1.0 + jitter.clamp(0.0, 1.0) / 5.0);
        let asked = retry_after.unwrap_or_default().min(self.retry_after_max);
        let wait = TimeDelta::from_std(jittered.max(asked)).unwrap_or(TimeDelta::MAX);
        (DeliveryOutcome::Failed, now.checked_add_signed(wait))
    }
}

impl Deliveries {
    /// Folds the stream of a webhook and a verification.
    pub fn fold<'a>(tries: impl IntoIterator<Item = &'a WebhookDelivered>) -> Self {
        let mut deliveries = Self::default();
        tries.into_iter().for_each(|tried| deliveries.apply(tried));
        deliveries
    }

    /// One more try.
    pub fn apply(&mut self, tried: &WebhookDelivered) {
        let first =
            Tries { attempts: 0, first_at: tried.first_at, retry_at: None, is_settled: false };
        let tries = self.of.entry(tried.position).or_insert(first);
        tries.attempts = tries.attempts.max(tried.attempt);
        tries.retry_at = tried.retry_at;
        // Once it is settled, a further try by hand does not begin it anew.
        tries.is_settled |= tried.outcome != DeliveryOutcome::Failed;
    }

    /// The tries of the transition at a position.
    #[must_use]
    pub fn of(&self, position: u64) -> Option<Tries> {
        self.of.get(&position).copied()
    }

    /// Whether the transition at a position is delivered or given up.
    #[must_use]
    pub fn is_settled(&self, position: u64) -> bool {
        self.of(position).is_some_and(|tries| tries.is_settled)
    }

    /// What is to be done so that everything up to `until` is settled, of the positions that the
    /// webhook hears of, which come in order.
    #[must_use]
    pub fn next(&self, heard: impl IntoIterator<Item = u64>, until: u64) -> Next {
        let open = heard
            .into_iter()
            .take_while(|position| *position <= until)
            .find(|position| !self.is_settled(*position));
        let Some(position) = open else { return Next::Nothing };
        let tries = self.of(position);
        Next::Send {
            position,
            attempt: tries.map_or(1, |tries| tries.attempts.saturating_add(1)),
            due_at: tries.and_then(|tries| tries.retry_at),
        }
    }
}
