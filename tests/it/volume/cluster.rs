//! The program as many processes over one PostgreSQL and one Redis: three answer calls, three work.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ccd402_app::ports::lease::{Lease, Leases as _};
use ccd402_simchain::Handle;
use ccd402_store::postgres::{Options, PostgresLog};
use tokio::sync::watch;
use tokio::task::block_in_place;

use super::messages;
use super::trouble::{Left, Trouble, flush, is_away};
use crate::postgres_server::PostgresServer;
use crate::process::{self, Process, arg};
use crate::redis_server::RedisServer;

/// Processes of each sort.
const EACH: usize = 3;
/// How soon another process must have taken over from one that is gone.
const TAKEOVER_MAX: Duration = Duration::from_secs(10);
const KEY: &str = "webhook.key";

/// All processes, and what they run on.
pub(super) struct Cluster<'a> {
    dir: &'a Path,
    chain: &'a Handle,
    postgres: PostgresServer,
    redis: RedisServer,
    database: String,
    /// They answer calls. None only while another is being started.
    apis: Vec<Option<Process>>,
    /// They work.
    workers: Vec<Option<Process>>,
    /// Looks at leases, beside the processes.
    log: PostgresLog,
    /// Where calls are answered.
    pub(super) bases: watch::Sender<Vec<String>>,
    /// Which of those that answer calls dies next.
    next: usize,
}

impl<'a> Cluster<'a> {
    /// Starts everything.
    pub(super) async fn start(dir: &'a Path, chain: &'a Handle) -> Self {
        let (postgres, redis) = block_in_place(|| (PostgresServer::start(), RedisServer::start()));
        let database = block_in_place(|| postgres.create_database());
        let migrated = process::run(&["migrate", "--database-url", &database]).await;
        assert_eq!(migrated.code, 0, "{migrated:?}");
        let log = PostgresLog::open(&Options::new(&database)).await.unwrap();
        let mut cluster = Self {
            dir,
            chain,
            postgres,
            redis,
            database,
            apis: Vec::new(),
            workers: Vec::new(),
            log,
            bases: watch::Sender::default(),
            next: 0,
        };
        let mut bases = Vec::new();
        for number in 0..EACH {
            let (process, url) = cluster.api(number).await;
            cluster.apis.push(Some(process));
            bases.push(url);
        }
        for number in 0..EACH {
            let worker = cluster.worker(number).await;
            cluster.workers.push(Some(worker));
        }
        cluster.bases.send_replace(bases);
        cluster
    }

    async fn api(&self, number: usize) -> (Process, String) {
        let first = ["serve", "--api-only", "--listen", "127.0.0.1:0"];
        let (process, ready) = self.begin(&first, &format!("api{number}")).await;
        (process, ready["url"].as_str().unwrap().to_owned())
    }

    async fn worker(&self, number: usize) -> Process {
        self.begin(&["work"], &format!("work{number}")).await.0
    }

    /// Begins a process with a data directory of its own, in which the key of all lies.
    async fn begin(&self, first: &[&str], name: &str) -> (Process, serde_json::Value) {
        let data = self.dir.join(name);
        std::fs::create_dir_all(&data).unwrap();
        let key = self.dir.join("api0").join(KEY);
        if key.exists() && !data.join(KEY).exists() {
            std::fs::copy(key, data.join(KEY)).unwrap();
        }
        let (node, queue) = (self.chain.url(), self.redis.url());
        let shared = ["--data-dir", arg(&data), "--node", &node, "--queue-url", &queue];
        let database = ["--database-url", self.database.as_str()];
        let args = [first, &shared, &database, &messages::ARGS].concat();
        Process::serve(&args).await
    }

    /// Something goes wrong, and comes right again.
    pub(super) async fn suffer(&mut self, trouble: Trouble) {
        match trouble {
            Trouble::Kill => self.kill_an_api().await,
            Trouble::FollowerIsKilled => self.kill_the_follower().await,
            Trouble::FollowerIsPaused => self.pause_the_follower().await,
            Trouble::QueueIsFlushed => flush(&self.redis).await,
            Trouble::QueueIsAway => is_away(&mut self.redis).await,
            Trouble::DatabaseRestarts => block_in_place(|| self.postgres.restart()),
            other @ Trouble::KillWithoutQueue => panic!("{other:?} does not happen to many"),
        }
    }

    async fn kill_an_api(&mut self) {
        let number = self.next % EACH;
        self.next += 1;
        self.apis[number].take().expect("it runs").kill().await;
        let (process, url) = self.api(number).await;
        self.apis[number] = Some(process);
        self.bases.send_modify(|bases| bases[number] = url);
    }

    async fn kill_the_follower(&mut self) {
        let (number, lease) = self.running_follower().await;
        self.workers[number].take().expect("it runs").kill().await;
        self.is_taken_over(&lease).await;
        self.workers[number] = Some(self.worker(number).await);
    }

    async fn pause_the_follower(&mut self) {
        let (number, lease) = self.running_follower().await;
        let paused = self.workers[number].as_ref().expect("it runs");
        paused.signal("STOP");
        self.is_taken_over(&lease).await;
        paused.signal("CONT");
    }

    /// Until another process has begun a new epoch.
    async fn is_taken_over(&self, before: &Lease) {
        let taken = async {
            loop {
                let now = self.follower().await.1;
                if now.epoch > before.epoch {
                    assert_ne!(now.holder, before.holder);
                    return;
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        tokio::time::timeout(TAKEOVER_MAX, taken).await.expect("another process takes over");
    }

    /// Which worker follows, and its lease, once one that runs does.
    async fn running_follower(&self) -> (usize, Lease) {
        let follows = async {
            loop {
                if let (Some(number), lease) = self.follower().await {
                    return (number, lease);
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        tokio::time::timeout(TAKEOVER_MAX, follows).await.expect("a worker follows")
    }

    /// The lease of whoever follows, or did last, and which worker that is.
    async fn follower(&self) -> (Option<usize>, Lease) {
        let leases = self.log.leases("a test that looks", Duration::ZERO).list().await.unwrap();
        let follower = leases.into_iter().find(|one| one.name.as_str().starts_with("follower-"));
        let lease = follower.expect("somebody follows");
        let is_its = |process: &Option<Process>| {
            let id = process.as_ref().map(|process| format!(" {}", process.id()));
            id.is_some_and(|id| lease.holder.ends_with(&id))
        };
        (self.workers.iter().position(is_its), lease)
    }

    /// Stops all of it in order, but for what the log is in.
    pub(super) async fn stop(self) -> Left {
        for process in self.workers.into_iter().chain(self.apis).flatten() {
            assert!(process.terminate().await.success());
        }
        Left { log: Arc::new(self.log), _server: Some(self.postgres) }
    }
}
