//! Webhooks put together: the installation's key, who sends, who finds what is to be told, and who
//! tells it. The job queue between the last two is somebody else's.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use ccd402_api::messages::Messages;
use ccd402_api::options::PublicUrl;
use ccd402_app::ports::clock::SystemClock;
use ccd402_app::ports::log::{EventLog, WEBHOOK_PREFIX};
use ccd402_app::ports::queue::JobQueue;
use ccd402_app::webhooks::secret::SecretKey;
use ccd402_app::webhooks::{Options as AppOptions, Ports, Webhooks};
use ccd402_domain::webhook::delivery::Schedule;
use ccd402_gate::secret::Secret;
use ccd402_webhooks::sender::{HttpSender, Options as SenderOptions};
use ccd402_workers::jobs::Registered;
use ccd402_workers::jobs::deliver_webhook::DeliverWebhook;
use ccd402_workers::webhooks::{Options as DispatcherOptions, WebhookDispatcher};
use ipnet::IpNet;

use crate::compose::log::Log;

/// Where in the data directory the key lies that all secrets of webhooks are derived from.
pub const KEY_FILE: &str = "webhook.key";
/// What the key is for besides.
const DASHBOARD: &[u8] = b"dashboard";
/// Deliveries that are worked on at the same time. Each mostly waits for its receiver.
const AT_ONCE: usize = 256;

/// How webhooks are told.
#[derive(Debug, Clone)]
pub struct Options {
    /// Networks that they may reach beside the public internet.
    pub allow: Vec<IpNet>,
    /// How long a receiver may take.
    pub timeout: Duration,
    /// When a delivery is tried again.
    pub schedule: Schedule,
}

impl Default for Options {
    fn default() -> Self {
        let SenderOptions { allow, timeout, .. } = SenderOptions::default();
        Self { allow, timeout, schedule: Schedule::default() }
    }
}

/// What webhooks are made of.
pub(crate) struct Parts<'a> {
    pub(crate) log: &'a Log,
    /// Takes the deliveries.
    pub(crate) queue: Arc<dyn JobQueue>,
    pub(crate) data_dir: &'a Path,
    /// URL of this server in messages.
    pub(crate) public_url: Option<&'a PublicUrl>,
}

/// Webhooks, of which nothing runs yet.
pub(crate) struct Wired {
    pub(crate) webhooks: Arc<Webhooks>,
    /// Finds what is to be told and queues it.
    pub(crate) dispatcher: WebhookDispatcher,
    /// Tells it: for jobs of the kind `DeliverWebhook`.
    pub(crate) handler: Registered,
    /// Seals sessions of the dashboard, in every replica that has the same key.
    pub(crate) seal: [u8; 32],
}

/// Puts webhooks together.
///
/// # Errors
/// Where their key cannot be used, or the log not read; the message says what to do.
pub(crate) async fn wire(parts: Parts<'_>, options: Options) -> anyhow::Result<Wired> {
    let Parts { log, queue, data_dir, public_url } = parts;
    let path = data_dir.join(KEY_FILE);
    let key = key(&path, log.port().as_ref()).await?;
    ensure!(
        log.shares_secret(KEY_FILE, &key.fingerprint()).await?,
        "{} is not the key that the other processes of this database have: receivers would refuse \
         what this one signs. Put a copy of theirs in its place",
        path.display()
    );
    let seal = key.derived(DASHBOARD);
    let Options { allow, timeout, schedule } = options;
    let sender = HttpSender::new(SenderOptions { allow, timeout, ..SenderOptions::default() })?;
    let ports = Ports {
        log: log.port(),
        clock: Arc::new(SystemClock),
        sender: Arc::new(sender),
        writer: Arc::new(Messages::new(public_url)),
    };
    let options = AppOptions { schedule, ..AppOptions::default() };
    let webhooks = Arc::new(Webhooks::new(ports, key, options));
    webhooks.load_all().await?;
    let dispatcher =
        WebhookDispatcher::new(Arc::clone(&webhooks), queue, DispatcherOptions::default());
    let handler = DeliverWebhook(Arc::clone(&webhooks));
    let handler = Registered { handler: Arc::new(handler), at_once: AT_ONCE };
    Ok(Wired { webhooks, dispatcher, handler, seal })
}

/// The key in its file, made where it is missing; but not where webhooks have secrets already: signed
/// by others, their messages would be refused.
async fn key(path: &Path, log: &dyn EventLog) -> anyhow::Result<SecretKey> {
    let shown = path.display();
    if !path.exists() {
        let known = log.streams(WEBHOOK_PREFIX, None, 1).await?;
        ensure!(
            known.is_empty(),
            "{shown} is missing, and the log knows of webhooks whose secrets are derived from it: \
             put it back from a backup. Where there is none, make another with `(umask 077; \
             openssl rand -hex 32 > {shown})`, start, and give each webhook a new secret with \
             `ccd402 webhooks rotate-secret`"
        );
    }
    let secret = Secret::read_or_create(path).with_context(|| format!("the key {shown}"))?;
    let bytes: Result<[u8; 32], _> = secret.bytes().try_into();
    Ok(SecretKey::new(bytes.ok().with_context(|| format!("{shown} must hold 64 hex digits"))?))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use ccd402_app::ports::log::{Append, StreamId};
    use ccd402_domain::ids::WebhookId;
    use ccd402_domain::webhook::event::WebhookDeleted;
    use ccd402_store::MemoryLog;
    use chrono::Utc;
    use uuid::Uuid;

    use super::*;

    async fn secret(path: &Path, log: &MemoryLog) -> anyhow::Result<Vec<u8>> {
        let webhook = WebhookId(Uuid::from_u128(1));
        Ok(key(path, log).await?.secret(webhook, 1).0)
    }

    #[tokio::test]
    async fn the_key_is_made_once_and_its_loss_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let (path, log) = (dir.path().join(KEY_FILE), MemoryLog::default());
        let made = secret(&path, &log).await.unwrap();
        assert_eq!(secret(&path, &log).await.unwrap(), made);
        let append = Append {
            stream: StreamId::webhook(WebhookId(Uuid::from_u128(1))),
            expected_version: 0,
            events: vec![WebhookDeleted { at: Utc::now() }.into()],
            time: Utc::now(),
            cause: Uuid::from_u128(1),
            attachment: None,
        };
        log.append(vec![append]).await.unwrap();
        assert_eq!(secret(&path, &log).await.unwrap(), made);
        let kept = fs::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        let lost = secret(&path, &log).await.unwrap_err().to_string();
        assert!(lost.contains("put it back"), "{lost}");
        assert!(!path.exists(), "none is made in its place");
        fs::write(&path, kept).unwrap();
        assert_eq!(secret(&path, &log).await.unwrap(), made);
        fs::write(&path, "ab".repeat(33)).unwrap();
        assert!(secret(&path, &log).await.unwrap_err().to_string().contains("64 hex digits"));
    }
}
