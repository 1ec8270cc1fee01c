//! A high load on the program itself while it is killed again and again: every acknowledged
//! submission comes to its right end, exactly once.
//!
//! 20,000 submissions by 30 clients, one by one and in batches, some of them repeated. 12,800 real
//! transfers by 4 payers are behind them: 9,600 pay for one submission each, 2,400 for two, of which
//! one must lose, and 800 are of a wrong amount. 3,200 submissions name a transfer that was made for
//! another offer, and 1,600 one that never comes. Power loss is the store's own test; here the
//! process dies and the disk lives. Of what an eighth of the clients hand in, a tenant's, a receiver
//! is told. Speed is only printed: the machine decides it.
//!
//! In one run jobs are in a file and the process is killed five times. In another they are in a
//! real Redis that forgets everything, dies and comes back empty, and is away while the process
//! begins. In the last three processes answer calls and three work, over one PostgreSQL and one
//! Redis, all of which die, stand still or come back empty in turn; a transfer that is for several
//! submissions is handed in through every process. `CCD402_TEST_SCALE` makes that one so many times
//! as large: five for 107,500 submissions.

mod cast;
mod client;
mod cluster;
mod ends;
mod messages;
mod trouble;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ccd402_simchain::{Options, SimChain};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::caller::Caller;
use crate::payments::Seller;
use crate::redis_server::RedisServer;

use cast::{PAYERS, Scale};
use client::Acknowledged;
use cluster::Cluster;
use messages::Hook;
use trouble::{Due, Place, Server, Trouble};

/// Names a seed, to see a run again; the machine's timing is not in it.
const SEED: &str = "CCD402_TEST_SEED";
/// How many times as large the run with many processes is.
const SCALE: &str = "CCD402_TEST_SCALE";
/// 20,000 submissions.
const ALONE: Scale = Scale { turns: 3_200, copies: 2 };
/// Longest that a run may take where many share two cores.
const PATIENCE: Duration = Duration::from_secs(20 * 60);

/// How far a run has come.
#[derive(Debug, Clone, Copy, Default)]
struct Progress {
    /// Submissions that were acknowledged.
    acknowledged: usize,
    /// Submissions that were seen to be decided.
    decided: usize,
}

/// What all parts of a run see.
struct Run {
    scale: Scale,
    seed: u64,
    progress: watch::Sender<Progress>,
    loads: Mutex<Vec<Arc<Acknowledged>>>,
}

impl Run {
    fn new(scale: Scale) -> Self {
        let seed =
            std::env::var(SEED).map_or_else(|_| rand::thread_rng().r#gen(), |s| s.parse().unwrap());
        println!("seed {seed}: run it again with {SEED}={seed}");
        Self { scale, seed, progress: watch::Sender::default(), loads: Mutex::default() }
    }

    /// The random choices of one part.
    fn random(&self, part: u64) -> StdRng {
        StdRng::seed_from_u64(self.seed.wrapping_add(part))
    }

    /// Notes what was acknowledged.
    fn acknowledged(&self, load: Acknowledged) {
        let count = load.ids.len();
        self.loads.lock().unwrap().push(Arc::new(load));
        self.progress.send_modify(|progress| progress.acknowledged += count);
    }

    fn decided(&self, count: usize) {
        self.progress.send_modify(|progress| progress.decided = count);
    }

    fn loads(&self) -> Vec<Arc<Acknowledged>> {
        self.loads.lock().unwrap().clone()
    }

    async fn until(&self, due: Due) {
        let mut progress = self.progress.subscribe();
        let is_due = |progress: &Progress| match due {
            Due::Acknowledged(count) => progress.acknowledged >= count,
            Due::Decided(count) => progress.decided >= count,
        };
        drop(progress.wait_for(is_due).await.unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_thousand_come_to_their_ends_though_the_process_is_killed() {
    live_through(ALONE, &[Trouble::Kill; 4], Trouble::Kill, With::Nothing).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_thousand_come_to_their_ends_though_redis_is_lost() {
    use Trouble::{Kill, KillWithoutQueue, QueueIsAway, QueueIsFlushed};
    let early = [QueueIsFlushed, Kill, QueueIsAway, QueueIsFlushed, KillWithoutQueue, QueueIsAway];
    live_through(ALONE, &early, QueueIsFlushed, With::Redis).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_processes_bring_all_to_their_ends_though_each_part_fails() {
    use Trouble::{
        DatabaseRestarts, FollowerIsKilled, FollowerIsPaused, Kill, QueueIsAway, QueueIsFlushed,
    };
    let times: usize = std::env::var(SCALE).map_or(1, |times| times.parse().unwrap());
    let scale = Scale { turns: 1_600 * times, copies: 3 };
    let early =
        [Kill, FollowerIsKilled, QueueIsFlushed, DatabaseRestarts, FollowerIsPaused, QueueIsAway];
    live_through(scale, &early, FollowerIsKilled, With::Everything).await;
}

/// What runs beside the program.
#[derive(Debug, Clone, Copy)]
enum With {
    Nothing,
    Redis,
    /// PostgreSQL and Redis, and the program many times.
    Everything,
}

/// A run in which these go wrong while submissions come in, and one more while the last are decided.
async fn live_through(scale: Scale, early: &[Trouble], late: Trouble, with: With) {
    let run = Run::new(scale);
    let mut random = run.random(0);
    let mut troubles = trouble::spread(&mut random, scale.submissions(), early);
    troubles.push(trouble::at_the_end(&mut random, scale.submissions(), late));
    println!("{} submissions; troubles: {troubles:?}", scale.submissions());
    let done = timeout(PATIENCE, from_first_to_last(run, troubles, with)).await;
    done.expect("it takes too long");
}

/// A run from the first submission to what the log says in the end.
async fn from_first_to_last(run: Run, troubles: Vec<(Due, Trouble)>, with: With) {
    let run = Arc::new(run);
    let block_time = Duration::from_secs(1);
    let chain = Options { block_time, finality_delay: block_time, ..Options::default() };
    let chain = SimChain::start(chain).await.unwrap();
    let seller = Arc::new(Seller::open(&chain).await);
    let payers = cast::payers(run.scale, &chain, &seller).await;
    let dir = tempfile::tempdir().unwrap();
    let mut place = match with {
        With::Nothing => Place::One(Box::new(Server::start(dir.path(), &chain, None).await)),
        With::Redis => {
            let redis = Some(RedisServer::start());
            Place::One(Box::new(Server::start(dir.path(), &chain, redis).await))
        }
        With::Everything => Place::Many(Box::new(Cluster::start(dir.path(), &chain).await)),
    };
    let caller = Caller::new(place.bases().subscribe());
    let hook = Hook::make(&caller).await;

    let begun_at = Instant::now();
    let (clients, doors) = client::open(&run, &caller, &hook);
    let paying = cast::play(&run, &seller, payers, &doors);
    drop(doors);
    let ending = tokio::spawn({
        let (run, caller) = (Arc::clone(&run), caller.clone());
        async move {
            paying.join_all().await;
            clients.join_all().await;
            let took = begun_at.elapsed();
            println!("acknowledged after {took:.1?}: {:.0}/s", rate(run.scale.submissions(), took));
            ends::by_api(&run, &caller).await
        }
    });
    for (due, trouble) in troubles {
        run.until(due).await;
        let before = *run.progress.borrow();
        hook.refuse_some();
        let took = place.suffer(trouble).await;
        println!("{trouble:?} at {before:?}; up again after {took:.1?}");
        client::repeat_some(&run, &caller).await;
    }
    let ends = ending.await.unwrap();
    let took = begun_at.elapsed();
    let cut_off = caller.cut_off();
    println!(
        "decided after {took:.1?}: {:.0}/s; {cut_off} calls cut off",
        rate(run.scale.submissions(), took)
    );
    assert!(cut_off > 0, "no kill cut anything off");

    hook.heard_all(&run).await;
    println!("told after {:.1?}", begun_at.elapsed());

    let left = place.stop().await;
    hook.check(&ends::by_log(&run, left.log.as_ref(), &ends).await);
    drop(left);
    chain.shutdown().await;
    println!("all of it, with {PAYERS} payers, took {:.1?}", begun_at.elapsed());
}

fn rate(count: usize, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64()
}
