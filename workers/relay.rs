//! Processes that share a log tell each other, through Redis, what should be known sooner than by
//! looking: that there are new events, and how much keys call.
//!
//! All of it is hints, said to whoever listens just then: without Redis events are seen a little
//! later, and each process bounds keys for itself.

use std::sync::Arc;
use std::time::Duration;

use ccd402_domain::ids::KeyId;
use futures::StreamExt as _;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{AsyncCommands as _, Client, RedisError};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::backoff::Backoff;

/// Where it is said. A database of Redis belongs to one log, but channels are of the whole server:
/// the network is in the name, and whoever hears of another log looks once in vain.
const CHANNEL: &str = "ccd402:relay";
/// How long Redis may take to connect, and to answer.
const CONNECT: Duration = Duration::from_secs(2);
const ANSWER: Duration = Duration::from_secs(2);
/// First and longest wait before it is listened to again.
const RETRY: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));
/// Longest word that is listened to.
const BYTES_MAX: usize = 1024 * 1024;

/// What one process tells the others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Word {
    /// It has appended to the log.
    Appended,
    /// These keys have called so often since its last word.
    Called(Vec<(KeyId, u32)>),
}

#[derive(Serialize, Deserialize)]
struct Said {
    by: Uuid,
    word: Word,
}

/// One process's end.
#[derive(Clone)]
pub struct Relay {
    client: Client,
    redis: ConnectionManager,
    channel: Arc<str>,
    /// So that it does not hear itself.
    name: Uuid,
}

impl Relay {
    /// A relay for processes of one network; Redis is connected to when it is needed.
    ///
    /// # Errors
    /// Where the URL is none of Redis.
    pub fn open(url: &str, network: &str) -> Result<Self, RedisError> {
        let client = Client::open(url)?;
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(CONNECT))
            .set_response_timeout(Some(ANSWER))
            .set_number_of_retries(0);
        let redis = ConnectionManager::new_lazy_with_config(client.clone(), config)?;
        let channel = format!("{CHANNEL}:{network}").into();
        Ok(Self { client, redis, channel, name: Uuid::new_v4() })
    }

    /// Tells all others. Who does not listen just then does not hear it.
    pub async fn tell(&self, word: Word) {
        let said = Said { by: self.name, word };
        let said = serde_json::to_vec(&said).expect("a word has a JSON");
        let told: Result<u64, _> = self.redis.clone().publish(&*self.channel, said).await;
        if let Err(error) = told {
            tracing::debug!(%error, "other processes were not told through Redis");
        }
    }

    /// Hears what others tell until told to stop.
    pub async fn hear(&self, heard: impl Fn(Word), shutdown: CancellationToken) {
        let mut backoff = Backoff::new(RETRY.0, RETRY.1);
        while !shutdown.is_cancelled() {
            let ended = shutdown.run_until_cancelled(self.listen(&heard)).await;
            if let Some(Err(error)) = ended {
                tracing::debug!(%error, "other processes are not heard through Redis");
            } else {
                backoff.reset();
            }
            shutdown.run_until_cancelled(tokio::time::sleep(backoff.next_wait())).await;
        }
    }

    async fn listen(&self, heard: &impl Fn(Word)) -> Result<(), RedisError> {
        let mut redis = self.client.get_async_pubsub().await?;
        redis.subscribe(&*self.channel).await?;
        let mut messages = redis.on_message();
        while let Some(message) = messages.next().await {
            let bytes = message.get_payload_bytes();
            if bytes.len() > BYTES_MAX {
                continue;
            }
            // What another version says may not be understood; it is a hint.
            if let Ok(said) = serde_json::from_slice::<Said>(bytes)
                && said.by != self.name
            {
                heard(said.word);
            }
        }
        Ok(())
    }
}
