//! Webhooks over the log in memory, a receiver that answers as it is told, and a driven clock.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use ccd402_app::contract::payments::Handed;
use ccd402_app::ports::clock::Clock as _;
use ccd402_app::ports::log::{EventLog as _, Position};
use ccd402_app::ports::queue::Job;
use ccd402_app::ports::webhooks::{Message, Sent, Told, UrlRefused, WebhookSender, WebhookWriter};
use ccd402_app::webhooks::dispatch::Dispatch;
use ccd402_app::webhooks::manage::{NewSettings, NewWebhook};
use ccd402_app::webhooks::secret::SecretKey;
use ccd402_app::webhooks::{Delivered, Options, Ports, Webhooks};
use ccd402_domain::ids::{VerificationId, WebhookId};
use ccd402_domain::tenant::{Reach, TenantId};
use ccd402_domain::webhook::event::{Answer, DeliveryOutcome, WhyDisabled};
use ccd402_domain::webhook::state::Status;
use ccd402_domain::webhook::transition::Transition;
use ccd402_protocol::code::ReasonCode;
use chrono::{DateTime, TimeDelta, Utc};

use crate::support::Bench;

/// Answers from a list, and with 200 once that is empty; keeps what it was sent.
#[derive(Default)]
struct Receiver {
    answers: Mutex<Vec<(u16, Option<u64>)>>,
    messages: Mutex<Vec<Message>>,
}

#[async_trait]
impl WebhookSender for Receiver {
    fn check(&self, url: &str) -> Result<(), UrlRefused> {
        if url.contains("inside") { Err(UrlRefused("inside".to_owned())) } else { Ok(()) }
    }

    async fn send(&self, message: Message) -> Sent {
        self.messages.lock().unwrap().push(message);
        let mut answers = self.answers.lock().unwrap();
        let (status, after) = if answers.is_empty() { (200, None) } else { answers.remove(0) };
        Sent {
            answer: Answer::Status(status),
            retry_after: after.map(Duration::from_secs),
            duration: Duration::from_millis(1),
        }
    }
}

impl Receiver {
    fn will_answer(&self, statuses: &[u16]) {
        self.answers.lock().unwrap().extend(statuses.iter().map(|status| (*status, None)));
    }

    /// What has arrived since the last time: transition and position of each.
    fn arrived(&self) -> Vec<(String, Position)> {
        let messages = std::mem::take(&mut *self.messages.lock().unwrap());
        messages.iter().map(read).collect()
    }
}

fn read(message: &Message) -> (String, Position) {
    let text = String::from_utf8(message.body.clone()).unwrap();
    let (transition, position) = text.split_once(' ').unwrap();
    (transition.to_owned(), position.parse().unwrap())
}

/// Writes what matters here.
struct Writer;

impl WebhookWriter for Writer {
    fn told(&self, told: &Told) -> Vec<u8> {
        format!("{} {}", told.transition, told.position).into_bytes()
    }

    fn ping(&self, _: DateTime<Utc>) -> Vec<u8> {
        b"ping 0".to_vec()
    }
}

/// Webhooks, and a queue that is a set.
struct Kit {
    bench: Bench,
    receiver: Arc<Receiver>,
    webhooks: Arc<Webhooks>,
    dispatch: Dispatch,
    jobs: BTreeMap<Job, DateTime<Utc>>,
}

impl Kit {
    async fn new() -> Self {
        let bench = Bench::new().await;
        let receiver = Arc::new(Receiver::default());
        let webhooks = webhooks(&bench, &receiver);
        let dispatch = Dispatch::begin(webhooks.clone()).await.unwrap();
        Self { bench, receiver, webhooks, dispatch, jobs: BTreeMap::new() }
    }

    /// The process dies, and with it the queue.
    async fn restart(&mut self) {
        self.webhooks = webhooks(&self.bench, &self.receiver);
        self.dispatch = Dispatch::begin(self.webhooks.clone()).await.unwrap();
        self.jobs.clear();
    }

    async fn create(&self, types: Option<BTreeSet<Transition>>) -> WebhookId {
        let url = "https://shop.example/hook".to_owned();
        let asked = NewWebhook { url, description: String::new(), types };
        let made = self.webhooks.create(TenantId::default(), asked).await.unwrap();
        made.unwrap().0.id
    }

    /// Queues what the log calls for.
    async fn find(&mut self) {
        let mut found = self.dispatch.outstanding();
        loop {
            let page = self.dispatch.advance().await.unwrap();
            found.extend(page.jobs);
            if page.is_all {
                break;
            }
        }
        let now = self.bench.clock.now();
        for job in found {
            self.jobs.entry(job).or_insert(now);
        }
    }

    /// Runs what is due, once.
    async fn run(&mut self) {
        self.find().await;
        let now = self.bench.clock.now();
        let due: Vec<Job> =
            self.jobs.iter().filter(|(_, at)| **at <= now).map(|(job, _)| *job).collect();
        for job in due {
            let Job::DeliverWebhook { webhook, position } = job else { panic!("{job}") };
            match self.webhooks.deliver(WebhookId(webhook), position).await.unwrap() {
                Delivered::Done => drop(self.jobs.remove(&job)),
                Delivered::Due(at) => drop(self.jobs.insert(job, at)),
            }
        }
    }

    /// Runs until nothing is left, as long as that takes; returns how long that was.
    async fn run_out(&mut self) -> TimeDelta {
        let begun_at = self.bench.clock.now();
        loop {
            self.run().await;
            self.find().await;
            let Some(next) = self.jobs.values().min().copied() else {
                return self.bench.clock.now() - begun_at;
            };
            let now = self.bench.clock.now();
            self.bench.clock.advance((next - now).max(TimeDelta::zero()));
        }
    }

    async fn confirmed(&self, handed: &Handed) -> VerificationId {
        let id = self.bench.submit(handed).await;
        self.bench.finalize(&[handed]).await;
        id
    }

    fn status(&self, id: WebhookId) -> Status {
        self.webhooks.show(&Reach::All, id).unwrap().status
    }
}

fn webhooks(bench: &Bench, receiver: &Arc<Receiver>) -> Arc<Webhooks> {
    let ports = Ports {
        log: bench.log.clone(),
        clock: Arc::new(bench.clock.clone()),
        sender: receiver.clone(),
        writer: Arc::new(Writer),
    };
    Arc::new(Webhooks::new(ports, SecretKey::new([7; 32]), Options::default()))
}

fn names(arrived: &[(String, Position)]) -> Vec<&str> {
    arrived.iter().map(|(name, _)| name.trim_start_matches("verification.")).collect()
}

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
    assert_eq!(kit.jobs.len(), 1);
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
    let page = kit.webhooks.deliveries(id, None, 10).await.unwrap();
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
    let url = "https://shop.example/hook".to_owned();
    let asked = NewWebhook { url, description: String::new(), types: None };
    let (theirs, _) = kit.webhooks.create(other.clone(), asked.clone()).await.unwrap().unwrap();
    kit.confirmed(&Handed::by(1)).await;
    kit.run_out().await;
    assert!(kit.receiver.arrived().is_empty());
    let own = Reach::Tenant(TenantId::default());
    assert!(kit.webhooks.show(&own, theirs.id).is_none());
    assert!(kit.webhooks.list(&own).is_empty());
    for _ in 1..32 {
        kit.webhooks.create(other.clone(), asked.clone()).await.unwrap().unwrap();
    }
    let full = kit.webhooks.create(other, asked.clone()).await.unwrap().unwrap_err();
    assert_eq!(full.code, ReasonCode::WebhookLimitReached);
    let inside = NewWebhook { url: "https://inside".to_owned(), ..asked };
    let refused = kit.webhooks.create(TenantId::default(), inside).await.unwrap().unwrap_err();
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
    kit.webhooks.ping(&webhook).await;
    let messages = kit.receiver.messages.lock().unwrap().clone();
    assert_eq!(messages[1].secrets.len(), 1);
    assert_eq!(messages[1].secrets[0], messages[0].secrets[0], "the newest");
}
