//! Jobs from the log to their end: dispatched, run, and called for again where a queue was lost.

use std::sync::Arc;
use std::time::Duration;

use ccd402_app::contract::payments::{Handed, block, block_ref};
use ccd402_app::dispatch::UNDISPATCHED_MAX;
use ccd402_app::error::Error as AppError;
use ccd402_app::ports::log::EventLog as _;
use ccd402_app::ports::queue::{Job, JobKind, JobStatus};
use ccd402_domain::ids::VerificationId;
use ccd402_domain::tenant::TenantId;
use ccd402_protocol::code::ReasonCode;
use ccd402_workers::dispatcher::{CHECKPOINT, Dispatcher, FILLED, Options};
use ccd402_workers::error::Error;
use ccd402_workers::jobs::check_identity::CheckIdentity;
use ccd402_workers::jobs::expire::Expire;
use ccd402_workers::jobs::resolve_transaction::ResolveTransaction;
use ccd402_workers::jobs::{Handler, Handlers, Registered};
use ccd402_workers::queue::Worked;
use ccd402_workers::runner::{Options as RunnerOptions, Runner};
use redis::AsyncCommands as _;
use tokio::task::JoinHandle;

use crate::queue::kit::{Kit, Store, until};
use crate::support::Bench;

/// A facilitator whose follower has seen the first block, and the jobs beside it.
struct Works {
    bench: Bench,
    kit: Kit,
    running: Vec<JoinHandle<Result<(), Error>>>,
}

impl Works {
    async fn begin(kit: Kit) -> Self {
        let bench = Bench::new();
        bench.facilitator.follow(&block(90, &[]), None).await.unwrap();
        Self { bench, kit, running: Vec::new() }
    }

    fn dispatch(&mut self, queue: Arc<dyn Worked>) {
        let options = Options { every: Duration::from_millis(50) };
        let dispatcher = Dispatcher::new(self.bench.facilitator.clone(), queue, options);
        let shutdown = self.bench.shutdown.clone();
        self.running.push(tokio::spawn(async move { dispatcher.run(shutdown).await }));
    }

    fn run(&mut self) {
        let registered = |handler: Arc<dyn Handler>| Registered { handler, at_once: 4 };
        let facilitator = &self.bench.facilitator;
        let expire = Expire { facilitator: facilitator.clone(), every: Duration::from_millis(100) };
        let handlers: Handlers = [
            (JobKind::CheckIdentity, registered(Arc::new(CheckIdentity(facilitator.clone())))),
            (
                JobKind::ResolveTransaction,
                registered(Arc::new(ResolveTransaction(facilitator.clone()))),
            ),
            (JobKind::Expire, registered(Arc::new(expire))),
        ]
        .into();
        let runner = Runner::new(self.kit.queue.clone(), handlers, RunnerOptions::default());
        self.running.push(tokio::spawn(runner.run(self.bench.shutdown.clone())));
    }

    /// Its outcome, once it is known.
    async fn outcome(&self, id: VerificationId) -> Result<(), ReasonCode> {
        until("an outcome", || async { self.bench.outcome_now(id).await }).await
    }

    async fn jobs(&self) -> Vec<Job> {
        let queued = self.kit.queue.list(JobStatus::Waiting, None, 10_000).await.unwrap();
        queued.into_iter().map(|queued| queued.job).collect()
    }

    /// Until the queue holds this job, waiting.
    async fn until_queued(&self, job: Job) {
        until("the job", || async { self.jobs().await.contains(&job).then_some(()) }).await;
    }

    async fn stop(self) {
        self.bench.shutdown.cancel();
        for task in self.running {
            task.await.unwrap().unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn proofs_are_checked_without_anybody_asking() {
    let mut works = Works::begin(Kit::sqlite().await).await;
    works.dispatch(works.kit.queue.clone());
    works.run();
    let (proven, plain) = (Handed::by(1).proven(), Handed::by(2));
    let ids = [works.bench.submit(&proven).await, works.bench.submit(&plain).await];
    let paid = block(91, &[&proven, &plain]);
    works.bench.facilitator.follow(&paid, Some(block_ref(90))).await.unwrap();
    for id in ids {
        assert_eq!(works.outcome(id).await, Ok(()));
    }
    assert_eq!(works.bench.chain.presentations().len(), 1);
    assert_eq!(works.bench.chain.asked(), 0, "what the follower decides is left to it");
    works.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_no_node_answers_the_job_waits_and_is_no_dead_letter() {
    let mut works = Works::begin(Kit::sqlite().await).await;
    works.dispatch(works.kit.queue.clone());
    works.run();
    works.bench.chain.set_unavailable(true);
    let handed = Handed::by(1).proven();
    let id = works.bench.submit(&handed).await;
    let paid = block(91, &[&handed]);
    works.bench.facilitator.follow(&paid, Some(block_ref(90))).await.unwrap();
    let job = Job::CheckIdentity { verification: id };
    until("a try that failed", || async {
        let queued = works.kit.queue.show(job.id()).await.unwrap()?;
        (queued.attempts >= 1 && queued.status == JobStatus::Waiting).then_some(())
    })
    .await;
    works.bench.chain.set_unavailable(false);
    assert_eq!(works.outcome(id).await, Ok(()));
    assert_eq!(works.kit.queue.depth().await.unwrap().dead, 0);
    works.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_the_follower_has_passed_is_asked_for() {
    let mut works = Works::begin(Kit::sqlite().await).await;
    let handed = Handed::by(1);
    works.bench.chain.set_final(handed.transaction(110));
    // Another process took it in; this one's follower has seen nothing of the time of its challenge.
    let id = works.bench.submit(&handed).await;
    works.bench.facilitator = works.bench.restarted();
    works.bench.facilitator.follow(&block(200, &[]), None).await.unwrap();
    works.dispatch(works.kit.queue.clone());
    works.run();
    assert_eq!(works.outcome(id).await, Ok(()));
    works.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_never_come_fails_by_the_one_job_for_all() {
    let mut works = Works::begin(Kit::sqlite().await).await;
    works.dispatch(works.kit.queue.clone());
    works.run();
    let id = works.bench.submit(&Handed::by(1)).await;
    works.bench.chain.set_height(500);
    for height in 91..=500 {
        let before = Some(block_ref(height - 1));
        works.bench.facilitator.follow(&block(height, &[]), before).await.unwrap();
    }
    assert_eq!(works.outcome(id).await, Err(ReasonCode::TransactionNotFound));
    let expire = works.kit.queue.show(Job::Expire.id()).await.unwrap();
    assert!(expire.is_some_and(|job| job.status != JobStatus::Dead), "it comes again");
    works.stop().await;
}

/// The jobs of what waits are in the queue again after `lose` made it lose them.
async fn refilled(mut works: Works, lose: impl AsyncFnOnce(&Kit)) {
    works.dispatch(works.kit.queue.clone());
    let mut ids = Vec::new();
    for number in 0..20 {
        ids.push(works.bench.submit(&Handed::by(number).proven()).await);
    }
    let jobs: Vec<Job> =
        ids.into_iter().map(|verification| Job::CheckIdentity { verification }).collect();
    for job in &jobs {
        works.until_queued(*job).await;
    }
    lose(&works.kit).await;
    for job in jobs.into_iter().chain([Job::Expire, Job::Reconcile]) {
        works.until_queued(job).await;
    }
    works.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_was_flushed_is_filled_again() {
    let works = Works::begin(Kit::redis().await).await;
    let lose = async |kit: &Kit| {
        let Store::Redis(_, server) = &kit.store else { unreachable!("it is Redis") };
        let client = redis::Client::open(server.url()).unwrap();
        let mut redis = client.get_multiplexed_async_connection().await.unwrap();
        let _: () = redis.flushall().await.unwrap();
    };
    refilled(works, lose).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_that_were_emptied_are_filled_again() {
    let works = Works::begin(Kit::sqlite().await).await;
    let lose = async |kit: &Kit| {
        let Store::Sqlite(queue, _) = &kit.store else { unreachable!("it is SQLite") };
        for table in ["Jobs", "Checkpoints"] {
            let delete = sqlx::query(sqlx::AssertSqlSafe(format!("DELETE FROM {table}")));
            delete.execute(queue.pool()).await.unwrap();
        }
    };
    refilled(works, lose).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_holds_jobs_back_and_loses_none() {
    let mut works = Works::begin(Kit::sqlite().await).await;
    works.dispatch(works.kit.bounded(4));
    until("a dispatcher that has begun", || async {
        works.kit.queue.checkpoint(CHECKPOINT).await.unwrap()
    })
    .await;
    let mut ids = Vec::new();
    for number in 0..30 {
        ids.push(works.bench.submit(&Handed::by(number).proven()).await);
    }
    let head = *works.bench.log.head().borrow();
    until("a dispatcher that is held up", || async {
        (works.bench.facilitator.undispatched() > 0).then_some(())
    })
    .await;
    assert!(works.kit.queue.depth().await.unwrap().waiting <= 8, "4 of a kind");
    works.run();
    let handed: Vec<Handed> = (0..30).map(|number| Handed::by(number).proven()).collect();
    let paid = block(91, &handed.iter().collect::<Vec<_>>());
    works.bench.facilitator.follow(&paid, Some(block_ref(90))).await.unwrap();
    for id in ids {
        assert_eq!(works.outcome(id).await, Ok(()));
    }
    assert!(*works.bench.log.head().borrow() > head);
    until("a dispatcher that has caught up", || async {
        (works.bench.facilitator.undispatched() == 0).then_some(())
    })
    .await;
    works.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn submissions_are_turned_away_while_nobody_keeps_up() {
    let bench = Bench::new();
    bench.facilitator.report_undispatched(UNDISPATCHED_MAX + 1);
    let (tenant, body) = (TenantId::default(), Handed::by(1).body());
    let submitted = bench.facilitator.submit(&tenant, &body, None).await;
    assert!(matches!(submitted, Err(AppError::Overloaded)), "{submitted:?}");
    let batch = bench.facilitator.submit_batch(&tenant, &[&body], None).await;
    assert!(matches!(batch, Err(AppError::Overloaded)), "{batch:?}");
    bench.facilitator.report_undispatched(0);
    bench.submit(&Handed::by(1)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_note_beyond_the_log_is_of_another_log() {
    let mut works = Works::begin(Kit::sqlite().await).await;
    let handed = Handed::by(1).proven();
    let id = works.bench.submit(&handed).await;
    for name in [CHECKPOINT, FILLED] {
        works.kit.queue.set_checkpoint(name, 1_000).await.unwrap();
    }
    works.dispatch(works.kit.queue.clone());
    works.run();
    let paid = block(91, &[&handed]);
    works.bench.facilitator.follow(&paid, Some(block_ref(90))).await.unwrap();
    assert_eq!(works.outcome(id).await, Ok(()));
    works.stop().await;
}
