//! What goes wrong during a run, and the server that it happens to.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ccd402_simchain::Handle;
use rand::Rng as _;
use rand::rngs::StdRng;
use tokio::sync::watch;

use super::cast::SUBMISSIONS;
use crate::caller::serve;
use crate::process::Process;

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
}

/// The program, wherever it runs now.
pub(super) struct Server<'a> {
    dir: PathBuf,
    chain: &'a Handle,
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

impl Trouble {
    /// Happens; how long it takes until all is well again.
    pub(super) async fn happen(self, server: &mut Server<'_>) -> Duration {
        let begun_at = Instant::now();
        match self {
            Self::Kill => server.kill().await,
        }
        begun_at.elapsed()
    }
}

impl<'a> Server<'a> {
    pub(super) async fn start(dir: &Path, chain: &'a Handle) -> Self {
        let (process, url) = serve(dir, chain, &[]).await;
        Self { dir: dir.to_owned(), chain, process: Some(process), base: watch::Sender::new(url) }
    }

    async fn kill(&mut self) {
        self.process.take().expect("it runs").kill().await;
        let (process, url) = serve(&self.dir, self.chain, &[]).await;
        self.process = Some(process);
        self.base.send_replace(url);
    }

    /// Stops it in order.
    pub(super) async fn stop(self) {
        let process = self.process.expect("it runs");
        assert!(process.terminate().await.success());
    }
}
