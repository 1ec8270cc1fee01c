//! Nobody pays twice: not when killed between any two steps, and not when refused.

use std::path::Path;

use super::chain::Stop;
use super::server::{CONTENT, Scripted};
use super::*;
use crate::payer::record::State;
use crate::payer::wallet;

impl World {
    /// A run that is killed once `reached` says that it has come to its stop.
    pub(super) async fn killed_at(&self, reached: &tokio::sync::Notify) {
        let payer = self.payer(self.options());
        let url = self.server.url();
        let run = tokio::spawn(async move {
            let mut answer = payer.get(&url).await?;
            answer.bytes(1 << 20).await
        });
        tokio::time::timeout(PATIENCE, reached.notified())
            .await
            .expect("the run comes to its stop");
        run.abort();
        assert!(run.await.unwrap_err().is_cancelled());
        self.chain.state().stop = None;
    }

    fn transfers(&self) -> usize {
        self.chain.state().included.len()
    }
}

#[tokio::test]
async fn a_run_killed_at_any_step_is_finished_by_the_next_one_with_one_transfer() {
    for stop in [Stop::AfterSigning, Stop::BeforeSending, Stop::AfterSending] {
        let world = World::start().await;
        world.chain.state().stop = Some(stop);
        world.killed_at(&world.chain.stopped).await;
        let left_behind = world.records().len();
        assert_eq!(left_behind, usize::from(stop != Stop::AfterSigning), "{stop:?}");
        let (_, content) = world.run().await.unwrap();
        assert_eq!(content, CONTENT, "{stop:?}");
        assert_eq!(world.transfers(), 1, "{stop:?}");
        assert_eq!(world.records().len(), 1, "{stop:?}");
        let is_resumed = world.steps().iter().any(|step| matches!(step, Step::Resumed { .. }));
        assert_eq!(is_resumed, stop != Stop::AfterSigning, "{stop:?}");
    }
}

#[tokio::test]
async fn a_run_killed_after_its_payment_was_taken_does_not_pay_again_by_itself() {
    for scripted in [Scripted::TakeAndHang, Scripted::TakeAndBreak] {
        let world = World::start().await;
        world.server.state().script.push_back(scripted);
        world.killed_at(&world.server.hangs).await;
        // The server might only hold it for the attempt that broke off: that is waited out.
        let options = Options { timeout: Duration::from_millis(50), ..world.options() };
        let error = world.run_with(options).await.unwrap_err();
        assert!(matches!(error, Error::Unfinished { .. }), "{error}");
        assert!(matches!(world.records()[0].state, State::Refused { .. }));
        world.clock.advance(TimeDelta::seconds(80));
        let error = world.run().await.unwrap_err();
        assert!(matches!(error, Error::Spent { .. }), "{error}");
        assert_eq!(world.transfers(), 1);
        // It is closed now: whoever asks again buys again.
        world.run().await.unwrap();
        assert_eq!(world.transfers(), 2);
    }
}

#[tokio::test]
async fn a_payment_held_for_a_broken_attempt_is_presented_until_it_is_let_go() {
    let world = World::start().await;
    let script = [Scripted::Status(502), Scripted::Code("payment_already_used")];
    world.server.state().script.extend(script);
    let (_, content) = world.run().await.unwrap();
    assert_eq!((content.as_str(), world.transfers()), (CONTENT, 1));
}

#[tokio::test]
async fn a_payment_held_for_a_run_that_was_killed_is_presented_until_it_is_let_go() {
    let world = World::start().await;
    world.chain.state().stop = Some(Stop::AfterSending);
    world.killed_at(&world.chain.stopped).await;
    world.server.state().script.push_back(Scripted::Code("payment_already_used"));
    let (_, content) = world.run().await.unwrap();
    assert_eq!((content.as_str(), world.transfers()), (CONTENT, 1));
}

#[tokio::test]
async fn a_transfer_that_expired_unsent_is_closed_and_only_then_a_new_one_is_made() {
    let world = World::start().await;
    world.chain.state().stop = Some(Stop::BeforeSending);
    world.killed_at(&world.chain.stopped).await;
    let first = world.records()[0].id();

    // Expired, but the chain may not be past it everywhere: neither sent nor paid anew.
    world.clock.advance(TimeDelta::seconds(310));
    let options = Options { timeout: Duration::from_millis(50), ..world.options() };
    let error = world.run_with(options).await.unwrap_err();
    assert!(matches!(error, Error::Unfinished { payment, .. } if payment == first), "{error}");
    assert_eq!(world.chain.state().sends, 0);

    world.clock.advance(TimeDelta::seconds(30));
    let (answer, _) = world.run().await.unwrap();
    assert_ne!(answer.payment.unwrap().record.id(), first);
    assert_eq!(world.transfers(), 1);
    let closed = world.records().into_iter().find(|record| record.id() == first).unwrap();
    assert!(matches!(closed.state, State::Failed { .. }), "{closed:?}");
}

#[tokio::test]
async fn a_transfer_that_the_chain_rejected_closes_the_payment() {
    let world = World::start().await;
    world.chain.state().pending_answers = 1;
    world.chain.state().rejection = Some("the amount is too large");
    let error = world.run().await.unwrap_err();
    assert!(matches!(error, Error::Closed { .. }), "{error}");
    assert!(error.to_string().contains("the amount is too large"), "{error}");
    assert!(!world.records()[0].is_open());
    world.chain.state().rejection = None;
    world.run().await.unwrap();
}

#[tokio::test]
async fn a_transfer_that_the_node_refuses_stays_written_down_until_it_has_expired() {
    let world = World::start().await;
    world.chain.state().send_error = Some(wallet::Error::Refused("nonce too large".to_owned()));
    for _ in 0..2 {
        let error = world.run().await.unwrap_err();
        assert!(matches!(error, Error::NotSent { .. }), "{error}");
        assert_eq!(world.records().len(), 1);
    }
    world.chain.state().send_error = None;
    world.run().await.unwrap();
    assert_eq!((world.records().len(), world.transfers()), (1, 1));
}

#[tokio::test]
async fn a_payment_that_was_refused_is_presented_again_and_never_paid_anew_unasked() {
    let world = World::start().await;
    for _ in 0..2 {
        world.server.state().script.push_back(Scripted::Code("payment_not_bound"));
        let error = world.run().await.unwrap_err();
        assert_eq!(error.code(), "payment_not_bound");
        assert!(error.to_string().contains("ops/errors/payment_not_bound.md"), "{error}");
    }
    for (answer, code) in [
        (Scripted::Code("a code of theirs"), "a code of theirs"),
        (Scripted::Status(400), "http_400"),
        (Scripted::Status(301), "http_301"),
    ] {
        world.server.state().script.push_back(answer);
        assert_eq!(world.run().await.unwrap_err().code(), code);
    }
    assert_eq!(world.transfers(), 1);
    world.server.state().script.push_back(Scripted::Code("payment_not_bound"));
    world.run().await.unwrap_err();
    let options = Options { pay_again: true, ..world.options() };
    world.run_with(options).await.unwrap();
    assert_eq!(world.transfers(), 2);
    assert_eq!(world.records().iter().filter(|record| record.is_open()).count(), 0);
}

#[tokio::test]
async fn pay_again_gives_up_nothing_that_was_not_refused() {
    let world = World::start().await;
    world.chain.state().stop = Some(Stop::AfterSending);
    world.killed_at(&world.chain.stopped).await;
    let options = Options { pay_again: true, ..world.options() };
    world.run_with(options).await.unwrap();
    assert_eq!(world.transfers(), 1);
}

#[tokio::test]
async fn another_resource_is_paid_for_while_one_is_unfinished() {
    let world = World::start().await;
    world.chain.state().stop = Some(Stop::AfterSending);
    world.killed_at(&world.chain.stopped).await;
    let resource = world.records()[0].resource.clone();
    let other = ccd402_domain::binding::Resource {
        url: format!("{}&x=1", resource.url),
        ..resource.clone()
    };
    let payer = ccd402_domain::account::AccountAddress::from_bytes([1; 32]);
    let (journal, lock) = (world.journal(), world.journal().try_lock().unwrap().unwrap());
    assert!(journal.take_up(&lock, &other, &payer).unwrap().is_none());
    assert!(journal.take_up(&lock, &resource, &payer).unwrap().is_some());
}

#[tokio::test]
async fn runs_with_one_wallet_take_turns() {
    let world = World::start().await;
    let held = world.journal().try_lock().unwrap().unwrap();
    let options = Options { lock_timeout: Duration::ZERO, ..world.options() };
    assert_eq!(world.run_with(options).await.unwrap_err().code(), "wallet_busy");
    assert_eq!(world.chain.state().sends, 0);

    let (first, second) = (world.payer(world.options()), world.payer(world.options()));
    let url = world.server.url();
    let read = |payer: Payer| {
        let url = url.clone();
        tokio::spawn(async move { payer.get(&url).await?.bytes(100).await })
    };
    let runs = (read(first), read(second));
    drop(held);
    assert_eq!(runs.0.await.unwrap().unwrap(), CONTENT.as_bytes());
    assert_eq!(runs.1.await.unwrap().unwrap(), CONTENT.as_bytes());
    // Two requests, one after the other: two payments, each closed.
    assert_eq!(world.transfers(), 2);
    assert!(world.records().iter().all(|record| !record.is_open()));
}

#[tokio::test]
async fn content_that_was_not_read_leaves_the_payment_unfinished() {
    let world = World::start().await;
    drop(world.payer(world.options()).get(&world.server.url()).await.unwrap());
    assert!(world.records()[0].is_open());
}

#[tokio::test]
async fn records_are_private_and_a_damaged_one_stops_the_payer() {
    use std::os::unix::fs::PermissionsExt as _;
    let world = World::start().await;
    world.run().await.unwrap();
    let directory = world.directory.path().join("alice.payments");
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&directory), 0o700);
    let record = directory.join(format!("{}.json", world.records()[0].transaction().unwrap()));
    assert_eq!(mode(&record), 0o600);

    // Half written by a run that was killed: nothing was done on the strength of it.
    std::fs::write(directory.join("00.new"), "{").unwrap();
    world.run().await.unwrap();
    assert!(!directory.join("00.new").exists());

    for damage in ["{", r#"{"version":9}"#, ""] {
        std::fs::write(&record, damage).unwrap();
        let error = world.run().await.unwrap_err();
        assert_eq!(error.code(), "journal_failed");
        assert!(error.to_string().contains(record.to_str().unwrap()), "{error}");
    }
    assert_eq!(world.transfers(), 2);
}
