//! What every route shares: the facilitator, the limits, and what is made once.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRef;
use bytes::Bytes;
use ccd402_app::facilitator::Facilitator;
use ccd402_app::operate::Operations;
use ccd402_app::ports::queue::JobQueue;
use ccd402_app::reads::Reads;
use ccd402_app::webhooks::Webhooks;
use ccd402_domain::ids::VerificationId;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::access::Access;
use crate::health::Health;
use crate::options::{Options, PublicUrl};
use crate::parts::Parts;
use crate::ready::Readiness;
use crate::routes::supported;
use crate::streams::Streams;

/// What every route shares.
pub(crate) struct Api {
    pub(crate) facilitator: Arc<Facilitator>,
    pub(crate) webhooks: Arc<Webhooks>,
    pub(crate) reads: Arc<Reads>,
    pub(crate) options: Options,
    pub(crate) health: Health,
    readiness: Readiness,
    pub(crate) jobs: Arc<dyn JobQueue>,
    pub(crate) operations: Operations,
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
        let Parts { facilitator, reads, keys, rates, jobs, webhooks, health, readiness } = parts;
        options.wait_max = options.wait_max.min(facilitator.options().wait_max);
        let (log, clock) = (Arc::clone(facilitator.log()), Arc::clone(facilitator.clock()));
        let operations = Operations::new(log, clock, Arc::clone(&jobs));
        let permits = |count: usize| Semaphore::new(count.min(Semaphore::MAX_PERMITS));
        Self {
            requests: permits(options.requests_max),
            batches: permits(options.batches_max),
            checks: Arc::new(Semaphore::new(1)),
            streams: Arc::default(),
            waits: permits(options.waits_max),
            supported: supported::body(facilitator.chain().network(), facilitator.fee_payers()),
            status_prefix: status_prefix(options.public_url.as_ref()),
            access: Access::new(keys, options.require_keys, rates),
            facilitator,
            jobs,
            operations,
            webhooks,
            reads,
            options,
            health,
            readiness,
        }
    }

    /// Where a verification can be read.
    pub(crate) fn status_url(&self, id: VerificationId) -> String {
        format!("{}{id}", self.status_prefix)
    }

    /// Where a path of this API is reached.
    pub(crate) fn url_of(&self, path: &str) -> String {
        url_of(self.options.public_url.as_ref(), path)
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

/// What the URLs of all verifications begin with.
pub(crate) fn status_prefix(public_url: Option<&PublicUrl>) -> String {
    url_of(public_url, "/v1/verifications/")
}

fn url_of(public_url: Option<&PublicUrl>, path: &str) -> String {
    public_url.map_or_else(|| path.to_owned(), |base| format!("{base}{path}"))
}
