//! The job queue in Redis, through apalis-redis: for who runs one already, or shares it.
//!
//! Queueing and fetching are apalis' scripts. Heartbeats, beginning, settling and looking are scripts
//! of our own on its keys: apalis settles jobs as it sees fit, whatever the handler said. A database of
//! Redis belongs to one log.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use apalis::prelude::{TaskBuilder, TaskId};
use apalis_redis::{Config, queries};
use async_trait::async_trait;
use ccd402_app::ports::log::Position;
use ccd402_app::ports::queue::{
    Job, JobId, JobKind, JobQueue, JobStatus, QueueDepth, QueueError, Queued,
};
use chrono::{DateTime, Utc};
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{AsyncCommands as _, Client, RedisResult, Script};
use tokio::sync::watch;

use crate::queue::{
    DEAD_MAX, HEARTBEAT, Settled, Taken, WAITING_MAX, Worked, Worker, clipped, job_id, queue_name,
    seconds, task_id, unavailable,
};

/// How long Redis may take to connect, and to answer.
const CONNECT: Duration = Duration::from_secs(2);
const ANSWER: Duration = Duration::from_secs(5);
/// How long a job's name stays taken where its job vanished without being settled or dropped.
const NAME_TAKEN: Duration = Duration::from_secs(3_600);
/// Where it is noted how far the log was read.
const CHECKPOINTS: &str = "ccd402:checkpoints";

/// Notes how far, and what was noted. It counts for as long as the server runs: what a server has
/// after a restart, or another after a failover, may lack jobs though the note is there.
const NOTE: &str = include_str!("lua/note.lua");
const NOTED: &str = include_str!("lua/noted.lua");
/// Says that a worker lives, and takes back the jobs of those that are gone.
const BEAT: &str = include_str!("lua/beat.lua");
/// Scripts over the keys of one job, in the order of [`on_job`].
const BEGIN: &str = include_str!("lua/begin.lua");
const SETTLE: &str = include_str!("lua/settle.lua");
const RETRY: &str = include_str!("lua/retry.lua");
const DROP: &str = include_str!("lua/drop.lua");
const READ: &str = include_str!("lua/read.lua");

/// What [`READ`] answers: what it is, where it stands, tries, when it is due, what went wrong.
type Read = (Vec<u8>, String, u32, Option<f64>, Option<String>);

/// A job queue in Redis.
#[derive(Clone)]
pub struct RedisQueue {
    redis: ConnectionManager,
    waiting_max: u64,
    pushed: Arc<watch::Sender<u64>>,
}

impl RedisQueue {
    /// A queue; Redis is connected to when it is needed, and again whenever it was gone.
    ///
    /// # Errors
    /// Where the URL is none of Redis.
    pub fn open(url: &str) -> Result<Self, QueueError> {
        let client = Client::open(url).map_err(unavailable)?;
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(CONNECT))
            .set_response_timeout(Some(ANSWER))
            .set_number_of_retries(1);
        let redis = ConnectionManager::new_lazy_with_config(client, config).map_err(unavailable)?;
        let pushed = Arc::new(watch::Sender::new(0));
        Ok(Self { redis, waiting_max: WAITING_MAX, pushed })
    }

    /// The same queue with another bound on the jobs of a kind that wait or run.
    #[must_use]
    pub fn with_waiting_max(mut self, waiting_max: u64) -> Self {
        self.waiting_max = waiting_max;
        self
    }

    /// Queues those of a kind that are not there, if there is room for all of them.
    async fn push_kind(&self, kind: JobKind, jobs: &[Job]) -> Result<(), QueueError> {
        let config = config(kind);
        let mut redis = self.redis.clone();
        let ids: Vec<String> = jobs.iter().map(|job| task_id(job.id())).collect();
        let known: Vec<Option<String>> =
            redis.hmget(config.job_data_hash(), &ids).await.map_err(unavailable)?;
        let new = jobs.iter().zip(&ids).zip(known).filter(|(_, known)| known.is_none());
        let tasks: Vec<_> = new
            .map(|((job, id), _)| {
                TaskBuilder::new(serde_json::to_vec(job).expect("a job has a JSON"))
                    .task_id(TaskId::from_string(id))
                    .idempotency_key(id)
                    .build()
            })
            .collect();
        if tasks.is_empty() {
            return Ok(());
        }
        let (held, dead): (u64, u64) = redis::pipe()
            .hlen(config.job_data_hash())
            .zcard(config.dead_jobs_set())
            .query_async(&mut redis)
            .await
            .map_err(unavailable)?;
        if held.saturating_sub(dead) + tasks.len() as u64 > self.waiting_max {
            return Err(QueueError::Full);
        }
        queries::push_tasks(&mut redis, &config, &tasks).await.map(drop).map_err(unavailable)
    }

    /// The ids of the jobs of a kind in a status, ordered.
    async fn ids(&self, kind: JobKind, status: JobStatus) -> RedisResult<BTreeSet<String>> {
        let (config, mut redis) = (config(kind), self.redis.clone());
        let (all, dead, scheduled, active): (Vec<String>, Vec<String>, Vec<String>, Vec<String>) =
            redis::pipe()
                .atomic()
                .hkeys(config.job_data_hash())
                .zrange(config.dead_jobs_set(), 0, -1)
                .zrange(config.scheduled_jobs_set(), 0, -1)
                .lrange(config.active_jobs_list(), 0, -1)
                .query_async(&mut redis)
                .await?;
        Ok(match status {
            JobStatus::Dead => dead.into_iter().collect(),
            JobStatus::Waiting => scheduled.into_iter().chain(active).collect(),
            JobStatus::Running => {
                let other: BTreeSet<_> = dead.into_iter().chain(scheduled).chain(active).collect();
                all.into_iter().filter(|id| !other.contains(id)).collect()
            }
        })
    }

    async fn read(&self, kind: JobKind, id: &str) -> RedisResult<Option<Queued>> {
        let found: Option<Read> =
            on_job(&Script::new(READ), kind, id).invoke_async(&mut self.redis.clone()).await?;
        Ok(found.and_then(|(args, status, attempts, run_at, why)| {
            Some(Queued {
                id: job_id(id)?,
                job: serde_json::from_slice(&args).ok()?,
                status: match status.as_str() {
                    "dead" => JobStatus::Dead,
                    "running" => JobStatus::Running,
                    _ => JobStatus::Waiting,
                },
                attempts,
                run_at: DateTime::from_timestamp(run_at.unwrap_or_default() as i64, 0)?,
                last_error: why.filter(|why| !why.is_empty()),
            })
        }))
    }

    /// Runs a script that changes a job, whichever kind it is of.
    async fn change(&self, script: &str, id: JobId) -> Result<bool, QueueError> {
        let id = task_id(id);
        for kind in JobKind::ALL {
            let changed: bool = on_job(&Script::new(script), kind, &id)
                .arg(Utc::now().timestamp())
                .invoke_async(&mut self.redis.clone())
                .await
                .map_err(unavailable)?;
            if changed {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

#[async_trait]
impl JobQueue for RedisQueue {
    async fn push(&self, jobs: &[Job]) -> Result<(), QueueError> {
        for kind in JobKind::ALL {
            let jobs: Vec<Job> = jobs.iter().filter(|job| job.kind() == kind).copied().collect();
            if !jobs.is_empty() {
                self.push_kind(kind, &jobs).await?;
            }
        }
        self.pushed.send_modify(|times| *times += 1);
        Ok(())
    }

    async fn list(
        &self,
        status: JobStatus,
        after: Option<JobId>,
        max: usize,
    ) -> Result<Vec<Queued>, QueueError> {
        let after = after.map(task_id).unwrap_or_default();
        let mut ids = BTreeSet::new();
        for kind in JobKind::ALL {
            let found = self.ids(kind, status).await.map_err(unavailable)?;
            ids.extend(found.into_iter().filter(|id| *id > after).map(|id| (id, kind)));
        }
        let mut jobs = Vec::new();
        for (id, kind) in ids {
            if jobs.len() >= max {
                break;
            }
            let job = self.read(kind, &id).await.map_err(unavailable)?;
            jobs.extend(job.filter(|job| job.status == status));
        }
        Ok(jobs)
    }

    async fn show(&self, id: JobId) -> Result<Option<Queued>, QueueError> {
        for kind in JobKind::ALL {
            let job = self.read(kind, &task_id(id)).await.map_err(unavailable)?;
            if job.is_some() {
                return Ok(job);
            }
        }
        Ok(None)
    }

    async fn retry(&self, id: JobId) -> Result<bool, QueueError> {
        let changed = self.change(RETRY, id).await;
        self.pushed.send_modify(|times| *times += 1);
        changed
    }

    async fn drop_job(&self, id: JobId) -> Result<bool, QueueError> {
        self.change(DROP, id).await
    }

    async fn depth(&self) -> Result<QueueDepth, QueueError> {
        let now = Utc::now().timestamp();
        let mut depth = QueueDepth::default();
        for kind in JobKind::ALL {
            let (config, mut redis) = (config(kind), self.redis.clone());
            let (held, dead, next, active): (u64, u64, Vec<(String, f64)>, Option<String>) =
                redis::pipe()
                    .hlen(config.job_data_hash())
                    .zcard(config.dead_jobs_set())
                    .zrange_withscores(config.scheduled_jobs_set(), 0, 0)
                    .lindex(config.active_jobs_list(), 0)
                    .query_async(&mut redis)
                    .await
                    .map_err(unavailable)?;
            depth.waiting += held.saturating_sub(dead);
            depth.dead += dead;
            let mut due = next.first().map(|(_, run_at)| *run_at as i64);
            if let Some(id) = active {
                let run_at: Option<i64> =
                    redis.hget(meta_key(&config, &id), "run_at").await.map_err(unavailable)?;
                due = due.into_iter().chain(run_at).min();
            }
            let overdue = due.map_or(0, |due| u64::try_from(now - due).unwrap_or(0));
            depth.oldest_due = depth.oldest_due.max(Duration::from_secs(overdue));
        }
        Ok(depth)
    }

    async fn checkpoint(&self, name: &str) -> Result<Option<Position>, QueueError> {
        let script = Script::new(NOTED);
        let mut noted = script.key(CHECKPOINTS);
        noted.arg(name).invoke_async(&mut self.redis.clone()).await.map_err(unavailable)
    }

    async fn set_checkpoint(&self, name: &str, position: Position) -> Result<(), QueueError> {
        let script = Script::new(NOTE);
        let mut note = script.key(CHECKPOINTS);
        let note = note.arg(name).arg(position);
        note.invoke_async(&mut self.redis.clone()).await.map_err(unavailable)
    }
}

#[async_trait]
impl Worked for RedisQueue {
    async fn register(&self, worker: &Worker) -> Result<(), QueueError> {
        let workers = config(worker.kind).workers_set();
        let mut redis = self.redis.clone();
        redis.zadd(workers, worker.name(), Utc::now().timestamp()).await.map_err(unavailable)
    }

    async fn beat(&self, worker: &Worker) -> Result<(), QueueError> {
        let config = config(worker.kind);
        let now = Utc::now().timestamp();
        let silent = i64::try_from(config.orphaned_duration().as_secs()).unwrap_or(i64::MAX);
        let is_known: bool = Script::new(BEAT)
            .key(config.workers_set())
            .key(config.active_jobs_list())
            .key(config.inflight_jobs_set())
            .arg(worker.name())
            .arg(now)
            .arg(now - silent)
            .invoke_async(&mut self.redis.clone())
            .await
            .map_err(unavailable)?;
        if is_known { Ok(()) } else { Err(unavailable("the queue knows this worker no more")) }
    }

    async fn fetch(&self, worker: &Worker, max: usize) -> Result<Vec<Taken>, QueueError> {
        let config = config(worker.kind).batch_size(max);
        let tasks = queries::fetch_next(&mut self.redis.clone(), &worker.context, &config).await;
        tasks.map_err(unavailable)?.iter().map(|task| worker.taken(task)).collect()
    }

    async fn begin(&self, taken: &Taken) -> Result<Option<u32>, QueueError> {
        on_job(&Script::new(BEGIN), taken.kind, &task_id(taken.id))
            .key(inflight_key(taken))
            .arg(&taken.worker)
            .invoke_async(&mut self.redis.clone())
            .await
            .map_err(unavailable)
    }

    async fn settle(&self, taken: &Taken, settled: &Settled) -> Result<(), QueueError> {
        let (what, at, why) = match settled {
            Settled::Done => ("done", 0, ""),
            Settled::Again { at, why } => ("again", seconds(*at), clipped(why)),
            Settled::Next { at } => ("next", seconds(*at), ""),
            Settled::Dead { why } => ("dead", Utc::now().timestamp(), clipped(why)),
        };
        on_job(&Script::new(SETTLE), taken.kind, &task_id(taken.id))
            .key(inflight_key(taken))
            .arg(what)
            .arg(at)
            .arg(why)
            .arg(DEAD_MAX)
            .invoke_async(&mut self.redis.clone())
            .await
            .map_err(unavailable)
    }

    fn pushed(&self) -> watch::Receiver<u64> {
        self.pushed.subscribe()
    }
}

fn config(kind: JobKind) -> Config {
    Config::default()
        .queue(queue_name(kind))
        .heartbeat_interval(HEARTBEAT.0)
        .missed_heartbeats(HEARTBEAT.1)
        .idempotency_ttl(Some(NAME_TAKEN))
        .emit_events(false)
        .lock_tasks(false)
        .persist_results(false)
}

/// A script over the keys of one job.
fn on_job<'a>(script: &'a Script, kind: JobKind, id: &str) -> redis::ScriptInvocation<'a> {
    let config = config(kind);
    let mut call = script.key(config.job_data_hash());
    call.key(meta_key(&config, id))
        .key(config.scheduled_jobs_set())
        .key(config.dead_jobs_set())
        .key(config.active_jobs_list())
        .key(format!("{}:{id}", config.idempotency_key_set()))
        .arg(id);
    call
}

fn meta_key(config: &Config, id: &str) -> String {
    format!("{}:{id}", config.job_meta_hash())
}

/// Where apalis notes which jobs a worker holds.
fn inflight_key(taken: &Taken) -> String {
    format!("{}:{}", config(taken.kind).inflight_jobs_set(), taken.worker)
}
