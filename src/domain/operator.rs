//! What operators do to what runs beside the log, as an event: written down before it is done.
//!
//! Whether it may be done, and doing it, is somebody else's business.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::ids::{KeyId, WebhookId};

/// An operator wants something done. What comes of it is not said here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct OperatorActed {
    /// By whose key; absent where no key is needed and none was shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<KeyId>,
    /// What is to be done, and to what.
    #[serde(flatten)]
    pub action: Action,
    /// When.
    pub at: DateTime<Utc>,
}

/// What is to be done, and to what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "action", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum Action {
    /// Have a job run now, its tries forgotten.
    RetryJob {
        /// Its name.
        job: Uuid,
        /// What it is, such as `check_identity` and a verification's id.
        what: String,
    },
    /// Forget a job.
    DropJob {
        /// Its name.
        job: Uuid,
        /// What it was.
        what: String,
    },
    /// Take a key back.
    RevokeKey {
        /// Which.
        key: KeyId,
    },
    /// Tell a webhook once more.
    Redeliver {
        /// Which.
        webhook: WebhookId,
        /// Of the transition at this position of the log.
        position: u64,
    },
}

/// One of each, for tests.
#[cfg(test)]
pub(crate) fn examples() -> Vec<crate::event::Event> {
    let (id, at) = (Uuid::from_u128(7), DateTime::UNIX_EPOCH);
    let acted = |by, action| OperatorActed { by, action, at }.into();
    let what = || "check_identity 0190".to_owned();
    vec![
        acted(Some(KeyId(id)), Action::RetryJob { job: id, what: what() }),
        acted(None, Action::DropJob { job: id, what: what() }),
        acted(None, Action::RevokeKey { key: KeyId(id) }),
        acted(None, Action::Redeliver { webhook: WebhookId(id), position: 7 }),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_what_and_on_what_are_read_back() {
        for event in examples() {
            let json = String::from_utf8(event.to_json().unwrap()).unwrap();
            assert_eq!(
                crate::event::Event::read_json(event.name(), &json).unwrap(),
                event,
                "{json}"
            );
        }
        let json = examples()[0].to_json().unwrap();
        let told: serde_json::Value = serde_json::from_slice(&json).unwrap();
        assert_eq!((&told["action"], &told["job"]), (&"retry_job".into(), &told["by"]));
    }
}
