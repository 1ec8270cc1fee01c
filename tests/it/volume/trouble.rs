//! What goes wrong during a run, and the server that it happens to.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ccd402_simchain::Handle;
use rand::Rng as _;
use rand::rngs::StdRng;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::block_in_place;

use super::cast::SUBMISSIONS;
use super::messages;
use crate::caller::serve;
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
}

/// The program, wherever it runs now.
pub(super) struct Server<'a> {
    dir: PathBuf,
    chain: &'a Handle,
    queue: Option<RedisServer>,
    args: Vec<String>,
    /// None only while another is being started.
    process: Option<Process>,
    /// Its URL.
    pub(super) base: watch::Sender<String>,
}

/// One after the other while submissions come in, at random moments.
pub(super) fn spread(random: &mut StdRng, troubles: &[Trouble]) -> Vec<(Due, Trouble)> {
    let part = SUBMISSIONS / troubles.len();
    let moment = |at: usize| Due::Acknowledged(at * part + random.gen_range(part / 5..part));
    (0..troubles.len()).map(moment).zip(troubles.iter().copied()).collect()
}

/// At a random moment while the last are decided.
pub(super) fn at_the_end(random: &mut StdRng, trouble: Trouble) -> (Due, Trouble) {
    let moment = random.gen_range(SUBMISSIONS / 10..SUBMISSIONS * 9 / 10);
    (Due::Decided(moment), trouble)
}

impl Trouble {
    /// Happens; how long it takes until all is well again.
    pub(super) async fn happen(self, server: &mut Server<'_>) -> Duration {
        let begun_at = Instant::now();
        match self {
            Self::Kill => server.kill().await,
            Self::QueueIsFlushed => server.flush_queue().await,
            Self::QueueIsAway => {
                server.stop_queue();
                tokio::time::sleep(AWAY).await;
                server.start_queue();
            }
            Self::KillWithoutQueue => {
                server.stop_queue();
                server.kill().await;
                tokio::time::sleep(AWAY).await;
                server.start_queue();
            }
        }
        begun_at.elapsed()
    }
}

impl<'a> Server<'a> {
    /// The program with its jobs in that queue, or in a file without one.
    pub(super) async fn start(dir: &Path, chain: &'a Handle, queue: Option<RedisServer>) -> Self {
        let url = queue.iter().flat_map(|queue| ["--queue-url".to_owned(), queue.url()]);
        let args: Vec<_> = url.chain(messages::ARGS.map(str::to_owned)).collect();
        let (process, url) = begin(dir, chain, &args).await;
        let (dir, base) = (dir.to_owned(), watch::Sender::new(url));
        Self { dir, chain, queue, args, process: Some(process), base }
    }

    async fn kill(&mut self) {
        self.process.take().expect("it runs").kill().await;
        let (process, url) = begin(&self.dir, self.chain, &self.args).await;
        self.process = Some(process);
        self.base.send_replace(url);
    }

    fn queue(&mut self) -> &mut RedisServer {
        self.queue.as_mut().expect("this run has a Redis")
    }

    fn stop_queue(&mut self) {
        block_in_place(|| self.queue().kill());
    }

    fn start_queue(&mut self) {
        block_in_place(|| self.queue().restart());
    }

    async fn flush_queue(&mut self) {
        let url = self.queue().url();
        let address = url.trim_start_matches("redis://").trim_end_matches('/');
        let mut redis = TcpStream::connect(address).await.unwrap();
        redis.write_all(b"FLUSHALL\r\n").await.unwrap();
        let mut answer = [0; 5];
        redis.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"+OK\r\n");
    }

    /// Stops it in order.
    pub(super) async fn stop(self) {
        let process = self.process.expect("it runs");
        assert!(process.terminate().await.success());
    }
}

async fn begin(dir: &Path, chain: &Handle, args: &[String]) -> (Process, String) {
    let args: Vec<_> = args.iter().map(String::as_str).collect();
    serve(dir, chain, &args).await
}
