//! Webhooks: who is told what, in which order, and again.

mod kit;

use ccd402_app::contract::payments::Handed;
use ccd402_app::idempotency::IdempotencyKey;
use ccd402_app::ports::log::EventLog as _;
use ccd402_app::webhooks::create::NewWebhook;
use ccd402_app::webhooks::deliveries::Asked;
use ccd402_app::webhooks::manage::NewSettings;
use ccd402_domain::tenant::{Reach, TenantId};
use ccd402_domain::webhook::event::{DeliveryOutcome, WhyDisabled};
use ccd402_domain::webhook::state::Status;
use ccd402_domain::webhook::transition::Transition;
use ccd402_protocol::code::ReasonCode;
use chrono::TimeDelta;

use self::kit::{Kit, asked, names, read};

#[tokio::test(start_paused = true)]
async fn every_transition_is_told_in_order() {
    let mut kit = Kit::new().await;
    let handed = Handed::by(1).settled();
    kit.bench.submit(&Handed::by(9)).await;
    kit.create(Some(Transition::ALL.into())).await;
    assert!(kit.bench.settle(&handed).await.result.is_err(), "it is pending");
    kit.bench.finalize(&[&handed]).await;
    assert!(kit.bench.settle(&handed).await.result.is_ok());
    kit.run_out().await;
    let arrived = kit.receiver.arrived();
    assert_eq!(names(&arrived), ["requested", "confirmed", "consumed"]);
    kit.run_out().await;
    assert!(kit.receiver.arrived().is_empty(), "each is told once where all goes well");
}

#[tokio::test(start_paused = true)]
async fn the_next_waits_for_the_former_and_repeats_have_one_id() {
    let mut kit = Kit::new().await;
    kit.create(Some(Transition::ALL.into())).await;
    kit.receiver.will_answer(&[500, 503, 500]);
    kit.confirmed(&Handed::by(1)).await;
    let took = kit.run_out().await;
    assert!(took >= TimeDelta::seconds(5 + 300 + 1_800), "by the schedule: {took}");
    let messages = kit.receiver.messages.lock().unwrap().clone();
    let arrived: Vec<_> = messages.iter().map(read).collect();
    let wanted = ["requested", "requested", "requested", "requested", "confirmed"];
    assert_eq!(names(&arrived), wanted);
    assert!(messages[..4].iter().all(|message| message.id == messages[0].id));
    assert_ne!(messages[4].id, messages[0].id);
    assert!(messages[1].time > messages[0].time, "signed anew, at its own time");
}

#[tokio::test(start_paused = true)]
async fn other_verifications_do_not_wait_for_one_that_fails() {
    let mut kit = Kit::new().await;
    kit.create(None).await;
    kit.receiver.will_answer(&[500]);
    let (first, second) = (Handed::by(1), Handed::by(2));
    kit.bench.submit(&first).await;
    kit.bench.submit(&second).await;
    kit.bench.finalize(&[&first, &second]).await;
    kit.run().await;
    assert_eq!(kit.receiver.arrived().len(), 2);
    assert!(kit.dispatch.next_due().is_some(), "the first is tried again");
}

#[tokio::test(start_paused = true)]
async fn what_a_lost_queue_held_is_found_in_the_log() {
    let mut kit = Kit::new().await;
    kit.create(None).await;
    kit.receiver.will_answer(&[500]);
    kit.confirmed(&Handed::by(1)).await;
    kit.run().await;
    assert_eq!(kit.receiver.arrived().len(), 1);
    kit.restart().await;
    kit.run().await;
    assert!(kit.receiver.arrived().is_empty(), "its time has not come, also after a restart");
    kit.dispatch.checkpoint().await.unwrap();
    kit.restart().await;
    kit.run_out().await;
    assert_eq!(names(&kit.receiver.arrived()), ["confirmed"]);
    kit.dispatch.checkpoint().await.unwrap();
    kit.restart().await;
    kit.find().await;
    assert!(kit.jobs.is_empty(), "a checkpoint spares what is done");
}

#[tokio::test(start_paused = true)]
async fn one_that_is_gone_hears_nothing_until_it_is_enabled_and_then_everything() {
    let mut kit = Kit::new().await;
    let id = kit.create(None).await;
    kit.receiver.will_answer(&[410]);
    let (first, second) = (Handed::by(1), Handed::by(2));
    kit.bench.submit(&first).await;
    kit.bench.submit(&second).await;
    kit.bench.finalize(&[&first]).await;
    kit.run().await;
    assert!(matches!(kit.status(id), Status::Disabled { why: WhyDisabled::Gone, .. }));
    kit.bench
        .facilitator
        .follow(
            &ccd402_app::contract::payments::block(92, &[&second]),
            Some(ccd402_app::contract::payments::block_ref(91)),
        )
        .await
        .unwrap();
    kit.run_out().await;
    assert_eq!(kit.receiver.arrived().len(), 1, "the one that was answered with 410");
    kit.restart().await;
    let enable = NewSettings { is_enabled: Some(true), ..NewSettings::default() };
    kit.webhooks.change(id, enable).await.unwrap().unwrap();
    kit.run_out().await;
    assert_eq!(names(&kit.receiver.arrived()), ["confirmed", "confirmed"]);
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_takes_nothing_for_a_whole_schedule_is_disabled() {
    let mut kit = Kit::new().await;
    let id = kit.create(None).await;
    kit.receiver.will_answer(&[500; 10]);
    kit.confirmed(&Handed::by(1)).await;
    kit.run_out().await;
    assert_eq!(kit.receiver.arrived().len(), 10);
    assert!(matches!(kit.status(id), Status::Disabled { why: WhyDisabled::Failing, .. }));
    let page = kit.webhooks.deliveries(id, Asked { max: 10, ..Asked::default() }).await.unwrap();
    let outcomes: Vec<_> = page.deliveries.iter().map(|tried| tried.outcome).collect();
    assert_eq!(outcomes[..9], [DeliveryOutcome::Failed; 9]);
    assert_eq!(outcomes[9], DeliveryOutcome::GivenUp);
}

#[tokio::test(start_paused = true)]
async fn what_was_given_up_can_be_sent_again_and_in_order_only() {
    let mut kit = Kit::new().await;
    let id = kit.create(Some(Transition::ALL.into())).await;
    kit.receiver.will_answer(&[500]);
    kit.confirmed(&Handed::by(1)).await;
    kit.run().await;
    let first = kit.receiver.arrived()[0].1;
    let webhook = kit.webhooks.show(&Reach::All, id).unwrap();
    let later = kit.bench.log.read_all(first, 100).await.unwrap();
    let later = later.iter().find(|r| Transition::of(&r.event) == Some(Transition::Confirmed));
    let later = later.unwrap().position;
    let early = kit.webhooks.redeliver(webhook.clone(), later).await.unwrap().unwrap_err();
    assert_eq!(early.code, ReasonCode::DeliveryOutOfOrder);
    let sent = kit.webhooks.redeliver(webhook.clone(), first).await.unwrap().unwrap();
    assert_eq!((sent.outcome, sent.attempt), (DeliveryOutcome::Delivered, 2));
    kit.run_out().await;
    assert_eq!(names(&kit.receiver.arrived()), ["requested", "confirmed"]);
    let unheard = kit.webhooks.redeliver(webhook, 1).await.unwrap().unwrap_err();
    assert_eq!(unheard.code, ReasonCode::DeliveryNotFound);
}

#[tokio::test(start_paused = true)]
async fn a_receiver_s_wish_for_time_is_kept_in_the_log() {
    let mut kit = Kit::new().await;
    kit.create(None).await;
    kit.receiver.answers.lock().unwrap().push((503, Some(600)));
    kit.confirmed(&Handed::by(1)).await;
    kit.run().await;
    kit.restart().await;
    let took = kit.run_out().await;
    assert_eq!(took, TimeDelta::seconds(600));
}

#[tokio::test(start_paused = true)]
async fn tenants_hear_of_their_own_and_have_so_many_webhooks() {
    let mut kit = Kit::new().await;
    let other: TenantId = "other".parse().unwrap();
    let asked = asked(Transition::by_default());
    let webhooks = kit.webhooks.clone();
    let create = |tenant: &TenantId, asked: &NewWebhook| {
        let (webhooks, tenant, asked) = (webhooks.clone(), tenant.clone(), asked.clone());
        async move { webhooks.create(tenant, asked, None).await.unwrap() }
    };
    let (theirs, _) = create(&other, &asked).await.unwrap();
    kit.confirmed(&Handed::by(1)).await;
    kit.run_out().await;
    assert!(kit.receiver.arrived().is_empty());
    let own = Reach::Tenant(TenantId::default());
    assert!(kit.webhooks.show(&own, theirs.id).is_none());
    assert!(kit.webhooks.list(&own, None, 100).is_empty());
    for _ in 1..32 {
        create(&other, &asked).await.unwrap();
    }
    let full = create(&other, &asked).await.unwrap_err();
    assert_eq!(full.code, ReasonCode::WebhookLimitReached);
    let inside = NewWebhook { url: "https://inside".to_owned(), ..asked };
    let refused = create(&TenantId::default(), &inside).await.unwrap_err();
    assert_eq!(refused.code, ReasonCode::WebhookUrlRefused);
}

#[tokio::test(start_paused = true)]
async fn a_rotation_signs_with_both_secrets_for_a_day() {
    let mut kit = Kit::new().await;
    let id = kit.create(None).await;
    let (_, second) = kit.webhooks.rotate_secret(id).await.unwrap().unwrap();
    kit.confirmed(&Handed::by(1)).await;
    kit.run_out().await;
    let messages = kit.receiver.messages.lock().unwrap().clone();
    assert_eq!(messages[0].secrets.len(), 2);
    assert!(second.as_str().starts_with("whsec_"));
    kit.bench.clock.advance(TimeDelta::hours(24));
    let webhook = kit.webhooks.show(&Reach::All, id).unwrap();
    kit.webhooks.ping(&webhook).await.unwrap();
    let messages = kit.receiver.messages.lock().unwrap().clone();
    assert_eq!(messages[1].secrets.len(), 1);
    assert_eq!(messages[1].secrets[0], messages[0].secrets[0], "the newest");
}

#[tokio::test(start_paused = true)]
async fn a_creation_that_is_repeated_is_one_webhook_and_tells_its_secret_for_a_day() {
    let kit = Kit::new().await;
    let key: IdempotencyKey = "order-7".parse().unwrap();
    let create = async |asked: NewWebhook| {
        kit.webhooks.create(TenantId::default(), asked, Some(&key)).await.unwrap()
    };
    let default = || asked(Transition::by_default());
    let (first, secret) = create(default()).await.unwrap();
    let (again, same) = create(default()).await.unwrap();
    assert_eq!((again.id, same.as_str()), (first.id, secret.as_str()));
    assert_eq!(kit.webhooks.list(&Reach::All, None, 100).len(), 1);
    let reused = ReasonCode::IdempotencyKeyReused;
    let other = create(asked(Transition::ALL.into())).await.unwrap_err();
    assert_eq!(other.code, reused);
    kit.bench.clock.advance(TimeDelta::hours(24));
    assert_eq!(create(default()).await.unwrap_err().code, reused, "a day later");

    let key: IdempotencyKey = "order-8".parse().unwrap();
    let create = || kit.webhooks.create(TenantId::default(), default(), Some(&key));
    let (second, _) = create().await.unwrap().unwrap();
    kit.webhooks.rotate_secret(second.id).await.unwrap().unwrap();
    assert_eq!(create().await.unwrap().unwrap_err().code, reused, "its secret is another");
    kit.webhooks.delete(second.id).await.unwrap().unwrap();
    assert_eq!(create().await.unwrap().unwrap_err().code, reused, "it is gone");
}

#[tokio::test(start_paused = true)]
async fn deliveries_are_listed_by_verification_and_by_what_they_came_to() {
    let mut kit = Kit::new().await;
    let id = kit.create(None).await;
    kit.receiver.will_answer(&[500]);
    let mut verifications = Vec::new();
    for number in 1..=3 {
        verifications.push(kit.bench.submit(&Handed::by(number)).await);
    }
    let handed: Vec<_> = (1..=3).map(Handed::by).collect();
    kit.bench.finalize(&handed.iter().collect::<Vec<_>>()).await;
    kit.run_out().await;
    verifications.sort_unstable();
    let page = async |asked: Asked| kit.webhooks.deliveries(id, asked).await.unwrap();
    let first = page(Asked { max: 2, ..Asked::default() }).await;
    assert_eq!(first.next, Some(verifications[1]));
    let rest = page(Asked { after: first.next, max: 2, ..Asked::default() }).await;
    assert_eq!((first.deliveries.len() + rest.deliveries.len(), rest.next), (4, None));
    let failed = Some(DeliveryOutcome::Failed);
    let failed = page(Asked { outcome: failed, max: 10, ..Asked::default() }).await;
    let of = failed.deliveries[0].verification;
    assert_eq!(failed.deliveries.len(), 1);
    let one = page(Asked { verification: Some(of), max: 10, ..Asked::default() }).await;
    let outcomes: Vec<_> = one.deliveries.iter().map(|tried| tried.outcome).collect();
    assert_eq!(outcomes, [DeliveryOutcome::Failed, DeliveryOutcome::Delivered]);
    assert!(one.deliveries.iter().all(|tried| tried.verification == of));
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_takes_nothing_leaves_the_queue_to_the_others() {
    let mut kit = Kit::new().await;
    kit.create(None).await;
    let handed: Vec<_> = (1..=100).map(Handed::by).collect();
    for one in &handed {
        kit.bench.submit(one).await;
    }
    kit.bench.finalize(&handed.iter().collect::<Vec<_>>()).await;
    kit.find().await;
    assert_eq!(kit.jobs.len(), 32, "of a hundred");
    kit.receiver.will_answer(&[500; 100]);
    kit.run().await;
    assert_eq!(kit.receiver.arrived().len(), 100, "each is tried once");
    assert!(kit.dispatch.queued().is_empty(), "what is due later waits in memory");
    kit.run_out().await;
    assert_eq!(kit.receiver.arrived().len(), 100);
}

#[tokio::test(start_paused = true)]
async fn what_a_queue_lost_is_named_again() {
    let mut kit = Kit::new().await;
    kit.create(None).await;
    kit.confirmed(&Handed::by(1)).await;
    kit.find().await;
    let lost = std::mem::take(&mut kit.jobs);
    kit.find().await;
    assert!(kit.jobs.is_empty(), "it is thought to be queued");
    kit.jobs.extend(kit.dispatch.queued());
    assert_eq!(kit.jobs, lost);
    kit.run_out().await;
    assert_eq!(names(&kit.receiver.arrived()), ["confirmed"]);
}
