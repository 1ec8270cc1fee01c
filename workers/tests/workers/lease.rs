//! Work under a lease: done while it is held, stopped when it is lost or may be, and given up where the
//! work gives itself up. Time is driven. What the database makes of leases is its adapter's test.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use ccd402_app::ports::lease::{Fence, Lease, LeaseError, LeaseName, Leases};
use ccd402_workers::error::Error;
use ccd402_workers::lease::Leasing;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

const TERM: Duration = Duration::from_secs(8);
/// Longer than anything here takes, in time that is driven.
const LONG: Duration = Duration::from_secs(120);

/// Leases that do what a test says.
#[derive(Default)]
struct Scripted {
    is_taken: AtomicBool,
    is_away: AtomicBool,
    epoch: AtomicU64,
    renewals: AtomicUsize,
    given_up: AtomicUsize,
}

#[async_trait]
impl Leases for Scripted {
    fn term(&self) -> Duration {
        TERM
    }

    async fn take(&self, lease: &LeaseName) -> Result<Option<Fence>, LeaseError> {
        self.answers()?;
        if self.is_taken.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let epoch = self.epoch.fetch_add(1, Ordering::Relaxed) + 1;
        Ok(Some(Fence { lease: lease.clone(), epoch }))
    }

    async fn renew(&self, _: &Fence) -> Result<bool, LeaseError> {
        self.answers()?;
        self.renewals.fetch_add(1, Ordering::Relaxed);
        Ok(!self.is_taken.load(Ordering::Relaxed))
    }

    async fn give_up(&self, _: &Fence) -> Result<(), LeaseError> {
        self.given_up.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    async fn list(&self) -> Result<Vec<Lease>, LeaseError> {
        Ok(Vec::new())
    }
}

impl Scripted {
    fn answers(&self) -> Result<(), LeaseError> {
        match self.is_away.load(Ordering::Relaxed) {
            true => Err(LeaseError("the test says so".to_owned())),
            false => Ok(()),
        }
    }
}

/// What the work does once it has begun.
#[derive(Clone, Copy)]
enum Then {
    Works,
    GivesUp,
    DoesNotStop,
}

/// Work under a lease, and in which epochs it began and when it ended.
struct Bench {
    leases: Arc<Scripted>,
    begun: Arc<Mutex<Vec<u64>>>,
    ended: Arc<Mutex<Vec<Instant>>>,
    stop: CancellationToken,
    running: JoinHandle<Result<(), Error>>,
}

/// Notes the end however it comes.
struct Noted(Arc<Mutex<Vec<Instant>>>);

impl Drop for Noted {
    fn drop(&mut self) {
        self.0.lock().unwrap().push(Instant::now());
    }
}

fn bench(leases: Scripted, then: Then) -> Bench {
    let (leases, stop) = (Arc::new(leases), CancellationToken::new());
    let (begun, ended) = (Arc::new(Mutex::new(Vec::new())), Arc::default());
    let (begins, ends) = (Arc::clone(&begun), Arc::clone(&ended));
    let work = move |fence: Option<Fence>, stop: CancellationToken| {
        begins.lock().unwrap().push(fence.expect("the log is shared").epoch);
        let noted = Noted(Arc::clone(&ends));
        async move {
            let _noted = noted;
            match then {
                Then::Works => stop.cancelled().await,
                Then::GivesUp => {}
                Then::DoesNotStop => std::future::pending().await,
            }
            Ok(())
        }
    };
    let (leasing, until) = (Leasing::Shared(leases.clone()), stop.clone());
    let running =
        tokio::spawn(async move { leasing.while_held(LeaseName::new("test"), until, work).await });
    Bench { leases, begun, ended, stop, running }
}

impl Bench {
    fn begun(&self) -> Vec<u64> {
        self.begun.lock().unwrap().clone()
    }

    fn ends(&self) -> usize {
        self.ended.lock().unwrap().len()
    }

    async fn stop(self) {
        self.stop.cancel();
        tokio::time::timeout(LONG, self.running).await.expect("it stops").unwrap().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn it_is_kept_by_renewing_and_given_up_at_the_end() {
    let bench = bench(Scripted::default(), Then::Works);
    tokio::time::sleep(10 * TERM).await;
    assert_eq!((bench.begun(), bench.ends()), (vec![1], 0));
    assert!(bench.leases.renewals.load(Ordering::Relaxed) >= 20);
    let leases = Arc::clone(&bench.leases);
    bench.stop().await;
    assert_eq!(leases.given_up.load(Ordering::Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn work_stops_when_another_has_it_and_begins_a_new_epoch_after() {
    for then in [Then::Works, Then::DoesNotStop] {
        let bench = bench(Scripted::default(), then);
        tokio::time::sleep(TERM).await;
        bench.leases.is_taken.store(true, Ordering::Relaxed);
        tokio::time::sleep(TERM).await;
        assert_eq!((bench.begun(), bench.ends()), (vec![1], 1));
        bench.leases.is_taken.store(false, Ordering::Relaxed);
        tokio::time::sleep(TERM).await;
        assert_eq!(bench.begun(), [1, 2]);
        assert_eq!(bench.leases.given_up.load(Ordering::Relaxed), 0, "it was another's");
        bench.running.abort();
    }
}

/// Nobody says that it is lost; but nobody may work past what was surely its own.
#[tokio::test(start_paused = true)]
async fn work_stops_before_a_lease_that_cannot_be_renewed_may_be_anothers() {
    let bench = bench(Scripted::default(), Then::Works);
    tokio::time::sleep(TERM).await;
    bench.leases.is_away.store(true, Ordering::Relaxed);
    let renewed_by = Instant::now();
    tokio::time::sleep(TERM / 2).await;
    assert_eq!(bench.ends(), 0, "it is still held");
    tokio::time::sleep(TERM).await;
    let ended = bench.ended.lock().unwrap()[0];
    assert!(ended <= renewed_by + TERM, "{:?}", ended - renewed_by);
    bench.leases.is_away.store(false, Ordering::Relaxed);
    tokio::time::sleep(TERM).await;
    assert_eq!(bench.begun(), [1, 2]);
    bench.stop().await;
}

/// As a follower that has halted: another process may understand what this one does not.
#[tokio::test(start_paused = true)]
async fn work_that_gives_itself_up_leaves_the_lease_to_others() {
    let bench = bench(Scripted::default(), Then::GivesUp);
    tokio::time::sleep(10 * TERM).await;
    assert_eq!((bench.begun(), bench.ends()), (vec![1], 1));
    assert_eq!(bench.leases.given_up.load(Ordering::Relaxed), 1);
    bench.stop().await;
}

/// A process that has its log to itself needs no lease, and stands by where its work has given up.
#[tokio::test(start_paused = true)]
async fn alone_it_holds_everything() {
    let (stop, begun) = (CancellationToken::new(), Arc::new(AtomicUsize::new(0)));
    let (counts, until) = (Arc::clone(&begun), stop.clone());
    let running = tokio::spawn(async move {
        let work = |fence: Option<Fence>, _| {
            assert_eq!(fence, None);
            counts.fetch_add(1, Ordering::Relaxed);
            async { Ok(()) }
        };
        Leasing::Alone.while_held(LeaseName::new("test"), until, work).await
    });
    tokio::time::sleep(LONG).await;
    assert!(!running.is_finished());
    stop.cancel();
    running.await.unwrap().unwrap();
    assert_eq!(begun.load(Ordering::Relaxed), 1);
}
