//! Sponsored payments: once, for ever, whoever asks, and in the order of a payer's numbers.

use std::sync::Arc;
use std::time::Duration;

use ccd402_app::answer::Answer;
use ccd402_app::contract::payments::{account, block, block_ref};
use ccd402_app::contract::sample;
use ccd402_app::contract::sponsors::{Payment, ScriptedSponsors};
use ccd402_app::facilitator::Facilitator;
use ccd402_app::ports::chain::TransactionStatus;
use ccd402_app::ports::clock::Clock as _;
use ccd402_app::ports::log::{Append, EventLog as _, StreamId};
use ccd402_app::sponsored::{Options, Sending};
use ccd402_app::verify::Call;
use ccd402_domain::account::AccountAddress;
use ccd402_domain::amount::Amount;
use ccd402_domain::ids::{ReservationId, VerificationId};
use ccd402_domain::tenant::TenantId;
use ccd402_domain::verification::event::{Consumer, PaymentConsumed};
use ccd402_protocol::code::ReasonCode;
use chrono::TimeDelta;
use futures::future::join_all;
use uuid::Uuid;

use crate::support::{Bench, FIRST, NO_WAIT, WAIT};

/// Payments that settle between the two askings.
const SETTLEMENTS: u64 = 100_000;
/// Of these in one append.
const APPEND: u64 = 1_000;

/// A bench with sponsors.
struct Desk {
    bench: Bench,
    sponsors: Arc<ScriptedSponsors>,
    facilitator: Arc<Facilitator>,
    height: u64,
}

impl Desk {
    async fn new() -> Self {
        Self::with(Options::default()).await
    }

    async fn with(options: Options) -> Self {
        let bench = Bench::new().await;
        let sponsors = Arc::new(ScriptedSponsors::default());
        let facilitator = bench.sponsoring(&sponsors, options);
        let first = block(FIRST, &[]);
        facilitator.follow(&first, None).await.unwrap();
        Self { bench, sponsors, facilitator, height: FIRST }
    }

    fn payment(&self, payer: AccountAddress, number: u64) -> Payment {
        Payment::by(payer, number, self.bench.clock.now())
    }

    async fn verify(&self, payment: &Payment) -> Result<VerificationId, ReasonCode> {
        let (tenant, body) = (TenantId::default(), payment.body());
        let call = Call { tenant: &tenant, body: &body, key: None, wait: NO_WAIT };
        told(self.facilitator.verify(call).await.unwrap())
    }

    async fn settle(
        &self,
        payment: &Payment,
        wait: Duration,
    ) -> Result<VerificationId, ReasonCode> {
        settle(&self.facilitator, &TenantId::default(), payment, wait).await
    }

    /// So many payments of others are settled, as the log tells it: going through the calls for each
    /// takes minutes.
    async fn settle_others(&self) {
        for first in (0..SETTLEMENTS).step_by(APPEND as usize) {
            let others = (first..first + APPEND).map(|number| settled(number + 1_000_000));
            self.bench.log.append(others.collect()).await.unwrap();
        }
    }

    /// The next block carries these out.
    async fn finalize(&mut self, paid: &[&Payment]) {
        self.height += 1;
        let mut next = block(self.height, &[]);
        next.transactions = paid.iter().map(|payment| payment.transaction(self.height)).collect();
        paid.iter().for_each(|payment| self.sponsors.count(payment.payer()));
        let before = block_ref(self.height - 1);
        self.facilitator.follow(&next, Some(before)).await.unwrap();
    }
}

/// What the log holds of a payment that is settled.
fn settled(number: u64) -> Append {
    let events = vec![
        sample::requested(number, number),
        sample::confirmed(number, number),
        PaymentConsumed { by: Consumer::Settle }.into(),
    ];
    Append {
        stream: StreamId::verification(sample::verification(number)),
        expected_version: 0,
        events,
        time: sample::time(),
        cause: Uuid::new_v4(),
        attachment: None,
    }
}

fn told(answer: Answer) -> Result<VerificationId, ReasonCode> {
    let subject = answer.subject.map(|subject| subject.verification);
    answer.result.map(|_| subject.unwrap()).map_err(|rejection| rejection.code)
}

async fn settle(
    facilitator: &Facilitator,
    tenant: &TenantId,
    payment: &Payment,
    wait: Duration,
) -> Result<VerificationId, ReasonCode> {
    let body = payment.body();
    told(facilitator.settle(Call { tenant, body: &body, key: None, wait }).await.unwrap())
}

#[tokio::test]
async fn an_hour_and_a_hundred_thousand_settlements_later_it_is_still_settled() {
    let mut desk = Desk::new().await;
    let payment = desk.payment(account(1), 1);
    assert_eq!(desk.settle(&payment, NO_WAIT).await, Err(ReasonCode::SettlementPending));
    desk.finalize(&[&payment]).await;
    desk.settle(&payment, NO_WAIT).await.unwrap();
    desk.bench.clock.advance(TimeDelta::hours(1));
    desk.settle_others().await;
    let others: Vec<_> = (10..210).map(|payer| desk.payment(account(payer), 1)).collect();
    for other in &others {
        assert_eq!(desk.settle(other, NO_WAIT).await, Err(ReasonCode::SettlementPending));
    }
    desk.finalize(&others.iter().collect::<Vec<_>>()).await;
    for other in &others {
        desk.settle(other, NO_WAIT).await.unwrap();
    }
    let sent = desk.sponsors.sent().len();
    assert_eq!(sent, others.len() + 1);
    for _ in 0..2 {
        let again = desk.settle(&payment, NO_WAIT).await;
        assert_eq!(again, Err(ReasonCode::DuplicateSettlement));
        assert_eq!(desk.verify(&payment).await, Err(ReasonCode::PaymentAlreadyUsed));
    }
    assert_eq!(desk.sponsors.sent().len(), sent, "nothing was sent again");
}

#[tokio::test]
async fn of_two_facilitators_and_two_tenants_one_settles() {
    let mut desk = Desk::new().await;
    let other = desk.bench.sponsoring(&desk.sponsors, Options::default());
    let stranger: TenantId = "stranger".parse().unwrap();
    let payment = desk.payment(account(1), 1);
    desk.verify(&payment).await.unwrap();
    let theirs = settle(&other, &stranger, &payment, NO_WAIT).await;
    assert_eq!(theirs, Err(ReasonCode::PreflightNonceMismatch), "another's hold is in its way");
    assert_eq!(desk.settle(&payment, NO_WAIT).await, Err(ReasonCode::SettlementPending));
    desk.finalize(&[&payment]).await;
    let default = TenantId::default();
    let answers = join_all((0..20).flat_map(|_| {
        [&desk.facilitator, &other].map(|one| settle(one, &default, &payment, WAIT))
    }))
    .await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1, "{answers:?}");
    let theirs = settle(&other, &stranger, &payment, NO_WAIT).await;
    assert_eq!(theirs, Err(ReasonCode::PreflightNonceMismatch), "its number is used");
}

#[tokio::test]
async fn payments_are_sent_in_the_order_of_their_numbers() {
    let desk = Desk::new().await;
    let payments: Vec<_> = (1..=5).map(|number| desk.payment(account(1), number)).collect();
    for payment in &payments {
        desk.verify(payment).await.unwrap();
    }
    for payment in payments[1..].iter().rev() {
        assert_eq!(desk.settle(payment, NO_WAIT).await, Err(ReasonCode::SettlementPending));
        assert_eq!(desk.sponsors.sent().len(), 0, "the first is missing");
    }
    assert_eq!(desk.settle(&payments[0], NO_WAIT).await, Err(ReasonCode::SettlementPending));
    let expected: Vec<_> = payments.iter().map(|one| one.hash().as_bytes().to_vec()).collect();
    assert_eq!(desk.sponsors.sent(), expected);
}

#[tokio::test(start_paused = true)]
async fn what_no_node_takes_is_sent_again_until_the_chain_has_decided() {
    let mut desk = Desk::new().await;
    let payment = desk.payment(account(1), 1);
    let id = desk.verify(&payment).await.unwrap();
    assert_eq!(desk.facilitator.look_after(id).await.unwrap(), Sending::Done, "it is not signed");
    desk.sponsors.refuse(Some("the pool is full"));
    assert_eq!(desk.settle(&payment, NO_WAIT).await, Err(ReasonCode::SettlementPending));
    assert!(matches!(desk.facilitator.look_after(id).await.unwrap(), Sending::Again(_)));
    assert_eq!(desk.sponsors.sent().len(), 0);
    desk.sponsors.refuse(None);
    // After a crash another process looks after it.
    let other = desk.bench.sponsoring(&desk.sponsors, Options::default());
    assert!(matches!(other.look_after(id).await.unwrap(), Sending::Again(_)));
    assert_eq!(desk.sponsors.sent(), [payment.hash().as_bytes().to_vec()]);
    assert!(matches!(other.look_after(id).await.unwrap(), Sending::Again(_)));
    assert_eq!(desk.sponsors.sent().len(), 1, "it was sent a moment ago");
    tokio::time::advance(Duration::from_secs(20)).await;
    other.look_after(id).await.unwrap();
    assert_eq!(desk.sponsors.sent().len(), 2, "no node knows it any more");
    desk.finalize(&[&payment]).await;
    assert_eq!(other.look_after(id).await.unwrap(), Sending::Done);
}

#[tokio::test(start_paused = true)]
async fn what_the_follower_missed_is_found_and_what_was_overtaken_fails() {
    let desk = Desk::new().await;
    let [found, overtaken] = [1, 4].map(|payer| desk.payment(account(payer), 1));
    let mut ids = Vec::new();
    for payment in [&found, &overtaken] {
        ids.push(desk.verify(payment).await.unwrap());
        assert_eq!(desk.settle(payment, NO_WAIT).await, Err(ReasonCode::SettlementPending));
    }
    tokio::time::advance(Duration::from_secs(20)).await;
    desk.bench.chain.set_final(found.transaction(FIRST));
    assert_eq!(desk.facilitator.look_after(ids[0]).await.unwrap(), Sending::Done);
    desk.settle(&found, NO_WAIT).await.unwrap();
    // Another transaction of the payer is final with that number, and the node is not behind.
    desk.sponsors.count(account(4));
    desk.bench.chain.set_height(FIRST - 1);
    assert!(matches!(desk.facilitator.look_after(ids[1]).await.unwrap(), Sending::Again(_)));
    desk.bench.chain.set_height(FIRST);
    assert_eq!(desk.facilitator.look_after(ids[1]).await.unwrap(), Sending::Done);
    let failed = desk.settle(&overtaken, NO_WAIT).await;
    assert_eq!(failed, Err(ReasonCode::InvalidTransactionState));
}

#[tokio::test]
async fn what_a_node_has_is_not_sent_again() {
    let desk = Desk::new().await;
    let payment = desk.payment(account(1), 1);
    let id = desk.verify(&payment).await.unwrap();
    assert_eq!(desk.settle(&payment, NO_WAIT).await, Err(ReasonCode::SettlementPending));
    let other = desk.bench.sponsoring(&desk.sponsors, Options::default());
    desk.bench.chain.set_status(payment.hash(), TransactionStatus::Received);
    assert!(matches!(other.look_after(id).await.unwrap(), Sending::Again(_)));
    assert_eq!(desk.sponsors.sent().len(), 1);
}

#[tokio::test]
async fn budgets_are_of_a_tenant_and_a_day_and_outlive_a_restart() {
    // A payment's energy, and so its fee, is 635.
    let budget_per_day = Some(Amount::from_units(2 * 635));
    let options = Options { budget_per_day, ..Options::default() };
    let mut desk = Desk::with(options).await;
    for number in 1..=2 {
        let payment = desk.payment(account(1), number);
        assert_eq!(desk.settle(&payment, NO_WAIT).await, Err(ReasonCode::SettlementPending));
        desk.finalize(&[&payment]).await;
    }
    let third = desk.payment(account(1), 3);
    assert_eq!(desk.verify(&third).await, Err(ReasonCode::SponsorBudgetExceeded));
    let restarted = desk.bench.sponsoring(&desk.sponsors, options);
    restarted.restore_sponsors().await.unwrap();
    let default = TenantId::default();
    let refused = settle(&restarted, &default, &third, NO_WAIT).await;
    assert_eq!(refused, Err(ReasonCode::SponsorBudgetExceeded));
    let other: TenantId = "other".parse().unwrap();
    let theirs = desk.payment(account(4), 1);
    let pending = settle(&restarted, &other, &theirs, NO_WAIT).await;
    assert_eq!(pending, Err(ReasonCode::SettlementPending), "its budget is its own");
    desk.bench.clock.advance(TimeDelta::days(1));
    let tomorrow = desk.payment(account(1), 3);
    desk.verify(&tomorrow).await.unwrap();
}

#[tokio::test]
async fn who_lets_a_hold_lapse_gains_nothing_by_what_another_settles() {
    let mut desk = Desk::new().await;
    let payment = desk.payment(account(1), 1);
    let lapsed = desk.verify(&payment).await.unwrap();
    // Given back, it may be handed in elsewhere.
    let other = desk.bench.sponsoring(&desk.sponsors, Options::default());
    desk.facilitator
        .release(&TenantId::default(), lapsed, held_by(&desk, &payment).await)
        .await
        .unwrap()
        .unwrap();
    let stranger: TenantId = "stranger".parse().unwrap();
    let pending = settle(&other, &stranger, &payment, NO_WAIT).await;
    assert_eq!(pending, Err(ReasonCode::SettlementPending));
    desk.finalize(&[&payment]).await;
    assert_eq!(desk.settle(&payment, NO_WAIT).await, Err(ReasonCode::PaymentAlreadyUsed));
    settle(&other, &stranger, &payment, NO_WAIT).await.unwrap();
}

/// The id under which the hold of a payment is given back.
async fn held_by(desk: &Desk, payment: &Payment) -> ReservationId {
    let (tenant, body) = (TenantId::default(), payment.body());
    let call = Call { tenant: &tenant, body: &body, key: None, wait: NO_WAIT };
    desk.facilitator.verify(call).await.unwrap().result.unwrap().unwrap()
}

#[tokio::test]
async fn what_nobody_settles_expires() {
    let desk = Desk::new().await;
    let payment = desk.payment(account(1), 1);
    desk.verify(&payment).await.unwrap();
    // Far enough by the chain's own time, and no node knows it.
    let later = block(FIRST + 90, &[]);
    desk.bench.chain.set_height(FIRST + 90);
    desk.facilitator.follow(&later, None).await.unwrap();
    desk.facilitator.expire().await.unwrap();
    desk.bench.clock.advance(TimeDelta::seconds(90));
    assert_eq!(desk.settle(&payment, NO_WAIT).await, Err(ReasonCode::TransactionExpired));
    assert_eq!(desk.sponsors.sent().len(), 0);
    assert_eq!(desk.facilitator.sponsor_funds().await.unwrap()[0].promised, Amount::from_units(0));
}

#[tokio::test]
async fn a_signature_is_checked_once_until_its_account_changes() {
    let mut desk = Desk::new().await;
    let payment = desk.payment(account(1), 1);
    for _ in 0..3 {
        desk.verify(&payment).await.unwrap();
    }
    assert_eq!(desk.sponsors.checks(), 1);
    let forged = payment.clone().forged();
    assert_eq!(desk.verify(&forged).await, Err(ReasonCode::InvalidSenderSignature));
    assert_eq!(desk.sponsors.checks(), 2, "the same transaction by another signature");
    desk.verify(&payment).await.unwrap();
    assert_eq!(desk.sponsors.checks(), 2);

    // Another payment of the account makes it another account, and the check is made anew.
    let other = desk.payment(account(1), 2);
    desk.settle(&payment, NO_WAIT).await.unwrap_err();
    desk.finalize(&[&payment]).await;
    desk.verify(&other).await.unwrap();
    let checks = desk.sponsors.checks();
    desk.verify(&other).await.unwrap();
    assert_eq!(desk.sponsors.checks(), checks);
    desk.sponsors.rekey(account(1));
    assert_eq!(desk.verify(&other).await, Err(ReasonCode::InvalidSenderSignature));
    assert_eq!(desk.settle(&other, NO_WAIT).await, Err(ReasonCode::InvalidSenderSignature));
    assert_eq!(desk.sponsors.sent().len(), 1);
}
