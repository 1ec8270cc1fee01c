//! What every job queue must do, as far as the port goes. How jobs are worked off is the adapters'
//! crate's business.

use ccd402_domain::ids::VerificationId;
use uuid::Uuid;

use crate::ports::queue::{Job, JobId, JobQueue, JobStatus, QueueError};

/// The jobs that a bounded queue of this suite takes.
pub const WAITING_MAX: u64 = 8;

/// A job like no other of another number.
#[must_use]
pub fn job(number: u64) -> Job {
    Job::CheckIdentity { verification: VerificationId(Uuid::from_u128(u128::from(number))) }
}

/// A job that is pushed again is there once, and as it was.
///
/// # Panics
/// Where the queue does otherwise.
pub async fn a_job_is_queued_once(queue: &dyn JobQueue) {
    queue.push(&[job(1), job(1)]).await.expect("there is room");
    queue.push(&[job(2), job(1)]).await.expect("there is room");
    let ids: Vec<JobId> = all(queue, JobStatus::Waiting).await;
    assert_eq!(ids, ordered([job(1), job(2)]));
    let shown = queue.show(job(1).id()).await.expect("it answers").expect("it is there");
    assert_eq!((shown.job, shown.status, shown.attempts), (job(1), JobStatus::Waiting, 0));
    assert_eq!(shown.last_error, None);
    assert_eq!(queue.show(job(3).id()).await, Ok(None));
    let depth = queue.depth().await.expect("it answers");
    assert_eq!((depth.waiting, depth.dead), (2, 0));
}

/// Pages hold every job once, whatever the kind.
///
/// # Panics
/// Where the queue does otherwise.
pub async fn pages_hold_every_job_once(queue: &dyn JobQueue) {
    let webhook = Uuid::from_u128(7);
    let jobs: Vec<Job> = (0..20)
        .map(|n| if n % 2 == 0 { job(n) } else { Job::DeliverWebhook { webhook, position: n } })
        .collect();
    queue.push(&jobs).await.expect("there is room");
    let (mut paged, mut after) = (Vec::new(), None);
    loop {
        let page = queue.list(JobStatus::Waiting, after, 7).await.expect("it answers");
        assert!(page.len() <= 7);
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        paged.extend(page.into_iter().map(|queued| queued.id));
    }
    assert_eq!(paged, ordered(jobs));
}

/// A dropped job is gone, and may come again.
///
/// # Panics
/// Where the queue does otherwise.
pub async fn a_dropped_job_is_gone_and_may_come_again(queue: &dyn JobQueue) {
    queue.push(&[job(1)]).await.expect("there is room");
    assert_eq!(queue.drop_job(job(1).id()).await, Ok(true));
    assert_eq!(queue.drop_job(job(1).id()).await, Ok(false));
    assert_eq!(queue.retry(job(1).id()).await, Ok(false));
    assert_eq!(all(queue, JobStatus::Waiting).await, []);
    queue.push(&[job(1)]).await.expect("there is room");
    assert_eq!(all(queue, JobStatus::Waiting).await, [job(1).id()]);
    assert_eq!(queue.retry(job(1).id()).await, Ok(true));
    assert_eq!(all(queue, JobStatus::Waiting).await, [job(1).id()]);
}

/// A queue with [`WAITING_MAX`] takes no more of a kind, and what it has stays.
///
/// # Panics
/// Where the queue does otherwise.
pub async fn a_full_queue_takes_no_more(queue: &dyn JobQueue) {
    let jobs: Vec<Job> = (0..WAITING_MAX).map(job).collect();
    queue.push(&jobs).await.expect("there is room");
    assert_eq!(queue.push(&[job(100)]).await, Err(QueueError::Full));
    assert_eq!(queue.show(job(100).id()).await, Ok(None));
    queue.push(&jobs).await.expect("these are there already");
    let other = Job::DeliverWebhook { webhook: Uuid::from_u128(1), position: 1 };
    queue.push(&[other]).await.expect("another kind has room of its own");
    assert_eq!(queue.drop_job(job(0).id()).await, Ok(true));
    queue.push(&[job(100)]).await.expect("there is room again");
}

/// Checkpoints are kept by name.
///
/// # Panics
/// Where the queue does otherwise.
pub async fn checkpoints_are_kept_by_name(queue: &dyn JobQueue) {
    assert_eq!(queue.checkpoint("a").await, Ok(None));
    queue.set_checkpoint("a", 7).await.expect("it answers");
    queue.set_checkpoint("b", 1 << 40).await.expect("it answers");
    queue.set_checkpoint("a", 9).await.expect("it answers");
    assert_eq!(queue.checkpoint("a").await, Ok(Some(9)));
    assert_eq!(queue.checkpoint("b").await, Ok(Some(1 << 40)));
}

async fn all(queue: &dyn JobQueue, status: JobStatus) -> Vec<JobId> {
    let jobs = queue.list(status, None, 1_000).await.expect("it answers");
    jobs.into_iter().map(|queued| queued.id).collect()
}

fn ordered(jobs: impl IntoIterator<Item = Job>) -> Vec<JobId> {
    let mut ids: Vec<JobId> = jobs.into_iter().map(|job| job.id()).collect();
    ids.sort();
    ids
}
