//! What every route shares: the facilitator, the limits, and what is made once.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRef;
use bytes::Bytes;
use ccd402_app::facilitator::Facilitator;
use ccd402_app::ports::queue::JobQueue;
use ccd402_app::reads::Reads;
use ccd402_domain::ids::VerificationId;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::access::Access;
use crate::health::Health;
use crate::options::Options;
use crate::parts::Parts;
use crate::ready::Readiness;
use crate::routes::supported;
use crate::streams::Streams;

/// What every route shares.
pub(crate) struct Api {
    pub(crate) facilitator: Arc<Facilitator>,
    pub(crate) reads: Arc<Reads>,
    pub(crate) queue: Option<Arc<dyn JobQueue>>,
    pub(crate) options: Options,
    pub(crate) health: Health,
    readiness: Readiness,
    pub(crate) access: Access,
    /// One permit a request.
    pub(crate) requests: Semaphore,
    /// The body of `/supported`, which never changes.
    pub(crate) supported: Bytes,
    /// One permit a batch.
    pub(crate) batches: Semaphore,
    /// The permit to read the whole log, to check it or what was made of it.
    pub(crate) checks: Arc<Semaphore>,
    /// The event streams that are open.
    pub(crate) streams: Arc<Streams>,
    waits: Semaphore,
    status_prefix: String,
}

/// A wait that is allowed; it counts until it is dropped.
pub(crate) struct Wait<'a> {
    pub(crate) duration: Duration,
    _permit: Option<SemaphorePermit<'a>>,
}

impl FromRef<Arc<Api>> for Readiness {
    fn from_ref(api: &Arc<Api>) -> Self {
        api.readiness.clone()
    }
}

impl Api {
    pub(crate) fn new(parts: Parts, mut options: Options) -> Self {
        let Parts { facilitator, reads, queue, keys, health, readiness } = parts;
        options.wait_max = options.wait_max.min(facilitator.options().wait_max);
        let base = options.public_url.as_ref().map(ToString::to_string).unwrap_or_default();
        let permits = |count: usize| Semaphore::new(count.min(Semaphore::MAX_PERMITS));
        Self {
            requests: permits(options.requests_max),
            batches: permits(options.batches_max),
            checks: Arc::new(Semaphore::new(1)),
            streams: Arc::default(),
            waits: permits(options.waits_max),
            supported: supported::body(facilitator.chain().network()),
            status_prefix: format!("{base}/v1/verifications/"),
            access: Access::new(keys, options.require_keys),
            facilitator,
            reads,
            queue,
            options,
            health,
            readiness,
        }
    }

    /// Where a verification can be read.
    pub(crate) fn status_url(&self, id: VerificationId) -> String {
        format!("{}{id}", self.status_prefix)
    }

    /// As long a wait as is asked for and allowed; none at all where too many wait already.
    pub(crate) fn wait(&self, asked: Duration) -> Wait<'_> {
        let duration = asked.min(self.options.wait_max);
        match self.waits.try_acquire() {
            Ok(permit) if !duration.is_zero() => Wait { duration, _permit: Some(permit) },
            _ => Wait { duration: Duration::ZERO, _permit: None },
        }
    }
}
