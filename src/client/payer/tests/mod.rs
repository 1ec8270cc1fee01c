//! The payer's story against a resource server on a real socket and a wallet on a chain in memory.

mod chain;
mod chaos;
mod crash;
mod hostile;
mod refusals;
mod server;
mod sponsored;
mod story;
mod ways;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::payer::Payer;
use crate::payer::answer::Answer;
use crate::payer::error::Error;
use crate::payer::journal::Journal;
use crate::payer::options::{Limit, Options, Step};
use crate::payer::record::Record;
use crate::payer::tests::chain::Chain;
use crate::payer::tests::server::Server;
use crate::retry::Backoff;

/// Longest that any test waits for anything that must happen.
const PATIENCE: Duration = Duration::from_secs(20);

/// A clock that only the test moves.
#[derive(Clone)]
struct Clock(Arc<Mutex<DateTime<Utc>>>);

impl Clock {
    fn start() -> Self {
        Self(Arc::new(Mutex::new("2026-11-22T12:00:00Z".parse().unwrap())))
    }

    fn now(&self) -> DateTime<Utc> {
        *self.0.lock().unwrap()
    }

    fn advance(&self, by: TimeDelta) {
        *self.0.lock().unwrap() += by;
    }
}

/// A chain, a resource server, a wallet and its journal.
struct World {
    clock: Clock,
    chain: Chain,
    server: Server,
    directory: tempfile::TempDir,
    steps: Arc<Mutex<Vec<Step>>>,
}

impl World {
    async fn start() -> Self {
        let clock = Clock::start();
        let chain = Chain::start(clock.clone());
        let server = Server::start(clock.clone(), chain.clone()).await;
        let directory = tempfile::tempdir().unwrap();
        Self { clock, chain, server, directory, steps: Arc::default() }
    }

    fn options(&self) -> Options {
        let (clock, steps) = (self.clock.clone(), self.steps.clone());
        Options {
            limits: vec![Limit {
                asset: "CCD".parse().unwrap(),
                amount: "5000000".parse().unwrap(),
            }],
            timeout: PATIENCE,
            lock_timeout: PATIENCE,
            idle_timeout: PATIENCE,
            backoff: Backoff { first: Duration::from_millis(1), max: Duration::from_millis(5) },
            clock: Arc::new(move || clock.now()),
            observer: Some(Arc::new(move |step| steps.lock().unwrap().push(step))),
            ..Options::default()
        }
    }

    fn journal(&self) -> Journal {
        Journal::open(self.directory.path().join("alice.payments")).unwrap()
    }

    fn payer(&self, options: Options) -> Payer {
        Payer::new(Arc::new(self.chain.wallet()), self.journal(), options).unwrap()
    }

    /// One run of the program: asks for the resource and reads the content.
    async fn run(&self) -> Result<(Answer, String), Error> {
        self.run_with(self.options()).await
    }

    async fn run_with(&self, options: Options) -> Result<(Answer, String), Error> {
        let mut answer = self.payer(options).get(&self.server.url()).await?;
        let content = answer.bytes(1 << 20).await?;
        Ok((answer, String::from_utf8(content).unwrap()))
    }

    fn records(&self) -> Vec<Record> {
        self.journal().records().unwrap()
    }

    fn steps(&self) -> Vec<Step> {
        self.steps.lock().unwrap().clone()
    }
}
