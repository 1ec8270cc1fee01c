//! The projector: what it shows is the fold of the whole log, wherever it was stopped.

use ccd402_app::contract::payments::{Handed, block, block_ref};
use ccd402_app::ports::log::{EventLog as _, READ_EVENTS_MAX};
use ccd402_app::projections::summary::Summary;
use ccd402_app::verify::Call;
use ccd402_domain::tenant::TenantId;
use ccd402_workers::projector::Projector;
use proptest::prelude::*;

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

async fn from_zero(bench: &Bench) -> Summary {
    let mut summary = Summary::default();
    let events = bench.log.read_all(0, READ_EVENTS_MAX).await.unwrap();
    events.iter().for_each(|event| summary.apply(event));
    summary
}

async fn project(steps: Vec<Step>) {
    let bench = Bench::new();
    bench.facilitator.follow(&block(90, &[]), None).await.unwrap();
    let (projector, mut summary) = Projector::new(bench.log.clone());
    let worker = tokio::spawn(projector.run(bench.shutdown.clone()));
    let mut height = 90;
    for step in steps {
        act(&bench, step, &mut height).await;
        let head = *bench.log.head().borrow();
        let caught_up = summary.wait_for(|summary| summary.as_of == head);
        let shown = tokio::time::timeout(LONG, caught_up).await.unwrap().unwrap().clone();
        assert_eq!(shown, from_zero(&bench).await);
        let decided: u64 = shown.confirmed + shown.failed.values().sum::<u64>();
        assert_eq!(shown.pending, bench.log.waiting_count(), "{decided} are decided");
    }
    bench.stop(worker).await;
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn what_is_shown_is_the_fold_from_zero(steps in proptest::collection::vec(step(), 0..20)) {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime.enable_time().start_paused(true).build().unwrap().block_on(project(steps));
    }
}

#[test]
fn counting_an_event_again_changes_nothing() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let bench = Bench::new();
        bench.submit(&Handed::by(1)).await;
        let mut summary = from_zero(&bench).await;
        let once = summary.clone();
        let events = bench.log.read_all(0, READ_EVENTS_MAX).await.unwrap();
        events.iter().for_each(|event| summary.apply(event));
        assert_eq!(summary, once);
    });
}
