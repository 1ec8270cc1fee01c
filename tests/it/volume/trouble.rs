//! What goes wrong during a run, and the one process that it happens to.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ccd402_app::ports::log::EventLog;
use ccd402_simchain::Handle;
use ccd402_store::sled::{Options as LogOptions, SledLog};
use rand::Rng as _;
use rand::rngs::StdRng;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::block_in_place;

use super::cluster::Cluster;
use super::messages;
use crate::caller::serve;
use crate::postgres_server::PostgresServer;
use crate::process::Process;
use crate::redis_server::RedisServer;

/// How long the queue is away.
const AWAY: Duration = Duration::from_secs(3);

/// When something goes wrong.
#[derive(Debug, Clone, Copy)]
pub(super) enum Due {
    /// So many submissions are acknowledged.
    Acknowledged(usize),
    /// So many were seen to be decided.
    Decided(usize),
}

/// What goes wrong.
#[derive(Debug, Clone, Copy)]
pub(super) enum Trouble {
    /// SIGKILL; another process begins at once.
    Kill,
    /// Redis forgets everything at once.
    QueueIsFlushed,
    /// Redis dies, is away for a while, and comes back empty.
    QueueIsAway,
    /// SIGKILL while Redis is away: the next process begins without it.
    KillWithoutQueue,
    /// SIGKILL of the process that follows; another begins in its place.
    FollowerIsKilled,
    /// SIGSTOP of the process that follows until another has taken over; then it wakes up.
    FollowerIsPaused,
    /// The database dies and comes back with what was committed.
    DatabaseRestarts,
}

/// The program, wherever it runs now.
pub(super) struct Server<'a> {
    dir: PathBuf,
    chain: &'a Handle,
    queue: Option<RedisServer>,
    args: Vec<String>,
    /// None only while another is being started.
    process: Option<Process>,
    /// Its URL, alone.
    bases: watch::Sender<Vec<String>>,
}

/// One after the other while submissions come in, at random moments.
pub(super) fn spread(
    random: &mut StdRng,
    submissions: usize,
    troubles: &[Trouble],
) -> Vec<(Due, Trouble)> {
    let part = submissions / troubles.len();
    let moment = |at: usize| Due::Acknowledged(at * part + random.gen_range(part / 5..part));
    (0..troubles.len()).map(moment).zip(troubles.iter().copied()).collect()
}

/// At a random moment while the last are decided.
pub(super) fn at_the_end(
    random: &mut StdRng,
    submissions: usize,
    trouble: Trouble,
) -> (Due, Trouble) {
    let moment = random.gen_range(submissions / 10..submissions * 9 / 10);
    (Due::Decided(moment), trouble)
}

/// Where the program runs.
pub(super) enum Place<'a> {
    One(Box<Server<'a>>),
    Many(Box<Cluster<'a>>),
}

/// The log that the program has left.
pub(super) struct Left {
    pub(super) log: Arc<dyn EventLog>,
    /// Runs for as long as that is read.
    pub(super) _server: Option<PostgresServer>,
}

impl Place<'_> {
    /// Where calls are answered.
    pub(super) fn bases(&self) -> &watch::Sender<Vec<String>> {
        match self {
            Self::One(server) => &server.bases,
            Self::Many(cluster) => &cluster.bases,
        }
    }

    /// Something goes wrong; how long it takes until all is well again.
    pub(super) async fn suffer(&mut self, trouble: Trouble) -> Duration {
        let begun_at = Instant::now();
        match self {
            Self::One(server) => server.suffer(trouble).await,
            Self::Many(cluster) => cluster.suffer(trouble).await,
        }
        begun_at.elapsed()
    }

    /// Stops it in order.
    pub(super) async fn stop(self) -> Left {
        match self {
            Self::One(server) => server.stop().await,
            Self::Many(cluster) => cluster.stop().await,
        }
    }
}

impl<'a> Server<'a> {
    /// The program with its jobs in that queue, or in a file without one.
    pub(super) async fn start(dir: &Path, chain: &'a Handle, queue: Option<RedisServer>) -> Self {
        let url = queue.iter().flat_map(|queue| ["--queue-url".to_owned(), queue.url()]);
        let args: Vec<_> = url.chain(messages::ARGS.map(str::to_owned)).collect();
        let (process, url) = begin(dir, chain, &args).await;
        let (dir, bases) = (dir.to_owned(), watch::Sender::new(vec![url]));
        Self { dir, chain, queue, args, process: Some(process), bases }
    }

    async fn suffer(&mut self, trouble: Trouble) {
        match trouble {
            Trouble::Kill => self.kill().await,
            Trouble::QueueIsFlushed => flush(self.queue()).await,
            Trouble::QueueIsAway => is_away(self.queue()).await,
            Trouble::KillWithoutQueue => {
                block_in_place(|| self.queue().kill());
                self.kill().await;
                tokio::time::sleep(AWAY).await;
                block_in_place(|| self.queue().restart());
            }
            other => panic!("{other:?} does not happen to one process"),
        }
    }

    async fn kill(&mut self) {
        self.process.take().expect("it runs").kill().await;
        let (process, url) = begin(&self.dir, self.chain, &self.args).await;
        self.process = Some(process);
        self.bases.send_replace(vec![url]);
    }

    fn queue(&mut self) -> &mut RedisServer {
        self.queue.as_mut().expect("this run has a Redis")
    }

    async fn stop(self) -> Left {
        let process = self.process.expect("it runs");
        assert!(process.terminate().await.success());
        let log = SledLog::open(LogOptions::new(self.dir.join("log"))).await.unwrap();
        Left { log: Arc::new(log), _server: None }
    }
}

/// Redis dies, is away for a while, and comes back empty.
pub(super) async fn is_away(redis: &mut RedisServer) {
    block_in_place(|| redis.kill());
    tokio::time::sleep(AWAY).await;
    block_in_place(|| redis.restart());
}

/// Redis forgets everything.
pub(super) async fn flush(redis: &RedisServer) {
    let url = redis.url();
    let address = url.trim_start_matches("redis://").trim_end_matches('/');
    let mut redis = TcpStream::connect(address).await.unwrap();
    redis.write_all(b"FLUSHALL\r\n").await.unwrap();
    let mut answer = [0; 5];
    redis.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"+OK\r\n");
}

async fn begin(dir: &Path, chain: &Handle, args: &[String]) -> (Process, String) {
    let args: Vec<_> = args.iter().map(String::as_str).collect();
    serve(dir, chain, &args).await
}
