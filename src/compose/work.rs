//! What goes on between calls: blocks are followed, jobs derived and run, webhooks told.
//!
//! Of several processes one does each of these under a lease, but for running jobs, which all do.

use std::sync::Arc;

use ccd402_app::facilitator::Facilitator;
use ccd402_app::ports::lease::{Fence, LeaseName};
use ccd402_app::ports::queue::{JobKind, JobQueue};
use ccd402_workers::dispatcher::{Dispatcher, Options as DispatcherOptions};
use ccd402_workers::error::Error;
use ccd402_workers::follower::Follower;
use ccd402_workers::jobs::Registered;
use ccd402_workers::lease::Leasing;
use ccd402_workers::queue::Worked;
use ccd402_workers::runner::Runner;
use ccd402_workers::webhooks::WebhookDispatcher;
use tokio_util::sync::CancellationToken;

use crate::compose::jobs::{self, Options as JobOptions};
use crate::compose::tasks::Tasks;

/// What is worked with.
pub(crate) struct Work {
    pub(crate) facilitator: Arc<Facilitator>,
    pub(crate) queue: Arc<dyn Worked>,
    /// Who finds what webhooks are to be told, and who tells it.
    pub(crate) deliveries: (WebhookDispatcher, Registered),
    pub(crate) jobs: JobOptions,
}

impl Work {
    /// Begins all of it.
    pub(crate) fn begin(self, tasks: &mut Tasks, leasing: &Leasing, follower: Follower) {
        let Self { facilitator, queue, deliveries: (teller, delivering), jobs } = self;
        let port: Arc<dyn JobQueue> = queue.clone();
        let mut handlers = jobs::handlers(&facilitator, &port, &jobs);
        handlers.insert(JobKind::DeliverWebhook, delivering);
        let runner = Runner::new(queue, handlers, jobs.tries);
        tasks.spawn(|stop| runner.run(stop));

        let lease = LeaseName::new(format!("follower-{}", facilitator.options().policy.network));
        let dispatcher = Dispatcher::new(facilitator, port, DispatcherOptions::default());
        let (leases, following) = (leasing.clone(), Arc::new((follower, dispatcher)));
        tasks.spawn(async move |stop| {
            let follow = |fence, stop| {
                let following = Arc::clone(&following);
                async move { follow(&following.0, &following.1, fence, stop).await }
            };
            leases.while_held(lease, stop, follow).await
        });

        let (leases, teller) = (leasing.clone(), Arc::new(teller));
        tasks.spawn(async move |stop| {
            let tell = |_, stop| {
                let teller = Arc::clone(&teller);
                async move { teller.run(stop).await }
            };
            leases.while_held(LeaseName::new("webhooks"), stop, tell).await
        });
    }
}

/// Follows blocks and derives jobs, both in one process: a transaction that the follower has passed
/// before somebody waited for it must be known to whoever decides that a job is to look for it.
async fn follow(
    follower: &Follower,
    dispatcher: &Dispatcher,
    fence: Option<Fence>,
    stop: CancellationToken,
) -> Result<(), Error> {
    follower.begin().await?;
    let stop = stop.child_token();
    let following = async {
        let ended = follower.run(fence.as_ref(), stop.clone()).await;
        // Another process may understand the block at which it has halted. With nobody to take over,
        // jobs go on.
        if fence.is_some() {
            stop.cancel();
        }
        ended
    };
    tokio::try_join!(following, dispatcher.run(stop.clone())).map(drop)
}
