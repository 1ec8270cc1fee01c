//! The projector: rows are what the domain says of the same events, however they were made.

use std::sync::Arc;

use ccd402_app::contract::payments::{Handed, block, block_ref};
use ccd402_app::list::Query;
use ccd402_app::ports::log::{EventLog as _, StreamId};
use ccd402_app::projections::verifications::{Outcome, Row, Standing, Usage};
use ccd402_app::reads::Reads;
use ccd402_app::verify::Call;
use ccd402_domain::tenant::TenantId;
use ccd402_domain::verification::state::{self, Verification};
use ccd402_store::sqlite::SqliteReadModel;
use ccd402_workers::error::Error;
use ccd402_workers::projector::Projector;
use chrono::DateTime;
use proptest::prelude::*;
use tempfile::TempDir;
use tokio::task::JoinHandle;

use crate::support::{Bench, LONG};

/// What the bench does between two looks at the summary.
#[derive(Debug, Clone, Copy)]
enum Step {
    Submit(u16),
    Finalize(u16),
    Settle(u16),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..4_u16).prop_map(Step::Submit),
        (0..4_u16).prop_map(Step::Finalize),
        (0..4_u16).prop_map(Step::Settle),
    ]
}

async fn act(bench: &Bench, step: Step, height: &mut u64) {
    match step {
        Step::Submit(number) => {
            bench.submit(&Handed::by(number)).await;
        }
        Step::Finalize(number) => {
            let paid = block(*height + 1, &[&Handed::by(number)]);
            bench.facilitator.follow(&paid, Some(block_ref(*height))).await.unwrap();
            *height += 1;
        }
        Step::Settle(number) => {
            let body = Handed::by(number).body();
            let tenant = TenantId::default();
            let call =
                Call { tenant: &tenant, body: &body, key: None, wait: std::time::Duration::ZERO };
            bench.facilitator.settle(call).await.unwrap();
        }
    }
}

/// What the domain says of a row's verification.
fn told_by(state: &Verification, row: &Row) -> Row {
    let at = DateTime::UNIX_EPOCH;
    let outcome = match &state.outcome {
        state::Outcome::Pending { transfer } => Outcome::Pending { transfer: *transfer },
        state::Outcome::Confirmed { block } => Outcome::Confirmed { block: *block, at },
        state::Outcome::Failed(rejection) => Outcome::Failed { rejection: rejection.clone(), at },
    };
    let is_used = state.usage.verified || state.usage.settled;
    let usage = match state.usage.reserved {
        _ if is_used => Usage::Used,
        Some(held) => Usage::Reserved { until: held.until },
        None => Usage::Free,
    };
    let payment = &state.payment;
    Row {
        number: row.number,
        id: state.id,
        tenant: state.tenant.clone(),
        network: payment.network.clone(),
        transaction: payment.transaction,
        payer: payment.payer,
        pay_to: payment.pay_to,
        asset: payment.asset.clone(),
        amount: payment.amount,
        resource: payment.resource.clone(),
        requested_at: state.requested_at,
        standing: Standing {
            version: state.version,
            changed: row.standing.changed,
            outcome,
            usage,
        },
    }
}

/// The time of a decision is the log's, not the domain's.
fn without_time(mut row: Row) -> Row {
    if let Outcome::Confirmed { at, .. } | Outcome::Failed { at, .. } = &mut row.standing.outcome {
        *at = DateTime::UNIX_EPOCH;
    }
    row
}

struct Projected {
    bench: Bench,
    reads: Arc<Reads>,
    worker: JoinHandle<Result<(), Error>>,
    dir: TempDir,
}

impl Projected {
    async fn start(bench: Bench, dir: TempDir) -> Self {
        let model = Arc::new(SqliteReadModel::open(dir.path()).await);
        let reads = Arc::new(Reads::of(bench.log.clone(), model).await.unwrap());
        let worker = tokio::spawn(Projector::new(reads.clone()).run(bench.shutdown.clone()));
        Self { bench, reads, worker, dir }
    }

    /// All rows, once every event is in them.
    async fn rows(&self) -> Vec<Row> {
        let min_position = Some(*self.bench.log.head().borrow());
        let query = Query { limit: 200, min_position, ..Query::default() };
        let listed = tokio::time::timeout(LONG, async {
            loop {
                match self.reads.list(&query).await {
                    // The machine may be busy: a wait is bounded, the test's patience is longer.
                    Err(ccd402_app::error::Error::Behind) => {}
                    listed => return listed.unwrap(),
                }
            }
        });
        listed.await.unwrap().rows
    }

    async fn check(&self) {
        for row in self.rows().await {
            let stream = StreamId::verification(row.id);
            let events = self.bench.log.read_stream(&stream, 0).await.unwrap();
            let state = Verification::fold(events.iter().map(|recorded| &recorded.event));
            let state = state.unwrap().unwrap();
            let position = events.last().unwrap().position;
            assert_eq!((events[0].position, position), (row.number, row.standing.changed));
            assert_eq!(without_time(row.clone()), told_by(&state, &row));
        }
    }

    async fn stop(self) -> TempDir {
        self.bench.stop(self.worker).await;
        self.dir
    }
}

async fn project(steps: Vec<Step>) {
    let bench = Bench::new();
    bench.facilitator.follow(&block(90, &[]), None).await.unwrap();
    let projected = Projected::start(bench, tempfile::tempdir().unwrap()).await;
    let mut height = 90;
    let (first, rest) = steps.split_at(steps.len() / 2);
    for step in first {
        act(&projected.bench, *step, &mut height).await;
    }
    projected.check().await;
    for step in rest {
        act(&projected.bench, *step, &mut height).await;
    }
    projected.check().await;
    let lived = projected.rows().await;
    projected.reads.model().discard().await;
    assert_eq!(projected.rows().await, lived);
    projected.stop().await;
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn rows_are_what_the_domain_says(steps in proptest::collection::vec(step(), 0..20)) {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        runtime.worker_threads(2).enable_time().build().unwrap().block_on(project(steps));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rebuild_that_is_asked_for_ends_as_it_was() {
    let bench = Bench::new();
    bench.submit(&Handed::by(1)).await;
    bench.submit(&Handed::by(2)).await;
    let projected = Projected::start(bench, tempfile::tempdir().unwrap()).await;
    let lived = projected.rows().await;
    let mut position = projected.reads.model().position();
    position.mark_unchanged();
    projected.reads.ask_for_rebuild();
    let swapped = tokio::time::timeout(LONG, position.changed());
    swapped.await.unwrap().unwrap();
    assert_eq!(projected.rows().await, lived);
    projected.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_of_another_log_are_built_again() {
    let bench = Bench::new();
    bench.submit(&Handed::by(1)).await;
    bench.submit(&Handed::by(2)).await;
    let projected = Projected::start(bench, tempfile::tempdir().unwrap()).await;
    assert_eq!(projected.rows().await.len(), 2);
    let dir = projected.stop().await;
    let other = Bench::new();
    let id = other.submit(&Handed::by(3)).await;
    let projected = Projected::start(other, dir).await;
    let ids: Vec<_> = projected.rows().await.iter().map(|row| row.id).collect();
    assert_eq!(ids, [id]);
    projected.stop().await;
}
