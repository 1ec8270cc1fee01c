//! Both job queues, through the same tests: the port's contract, and how jobs are worked off.

pub(crate) mod kit;
mod runs;
mod traps;

use ccd402_app::contract::queue as contract;

use crate::queue::kit::Kit;

/// Runs each test over each queue.
macro_rules! over_both {
    ($($(#[$meta:meta])* $test:path => $name:ident;)*) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                $test(super::Kit::sqlite().await).await;
            })*
        }
        mod redis {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                $test(super::Kit::redis().await).await;
            })*
        }
    };
}

async fn once(kit: Kit) {
    contract::a_job_is_queued_once(&*kit.queue).await;
}

async fn pages(kit: Kit) {
    contract::pages_hold_every_job_once(&*kit.queue).await;
}

async fn dropped(kit: Kit) {
    contract::a_dropped_job_is_gone_and_may_come_again(&*kit.queue).await;
}

async fn full(kit: Kit) {
    contract::a_full_queue_takes_no_more(&*kit.bounded(contract::WAITING_MAX)).await;
}

async fn checkpoints(kit: Kit) {
    contract::checkpoints_are_kept_by_name(&*kit.queue).await;
}

over_both! {
    super::once => a_job_is_queued_once;
    super::pages => pages_hold_every_job_once;
    super::dropped => a_dropped_job_is_gone_and_may_come_again;
    super::full => a_full_queue_takes_no_more;
    super::checkpoints => checkpoints_are_kept_by_name;
    super::runs::each_once => each_job_runs_once_however_many_workers_there_are;
    super::runs::retried => a_try_that_fails_comes_again_and_is_counted;
    super::runs::at_its_time => a_job_waits_for_the_time_it_asked_for;
    super::runs::poison => a_poison_job_ends_as_a_dead_letter_while_others_flow;
    super::runs::panicking => a_panic_is_a_try_that_failed;
    super::runs::unknown => a_job_of_another_version_is_a_dead_letter;
    super::runs::drained => a_stop_ends_what_runs_and_begins_nothing;
    super::runs::again => a_job_that_ended_may_come_again;
    super::traps::long => jobs_longer_than_the_heartbeat_run_once_though_every_slot_is_taken;
    super::traps::killed => the_jobs_of_a_worker_that_is_gone_run_elsewhere;
    super::traps::many => as_many_jobs_as_fit_are_due_at_once;
}
