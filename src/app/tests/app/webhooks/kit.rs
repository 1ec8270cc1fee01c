//! Webhooks over the log in memory, a receiver that answers as it is told, and a driven clock.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use ccd402_app::contract::payments::Handed;
use ccd402_app::ports::clock::Clock as _;
use ccd402_app::ports::log::Position;
use ccd402_app::ports::queue::Job;
use ccd402_app::ports::webhooks::{Message, Sent, Told, UrlRefused, WebhookSender, WebhookWriter};
use ccd402_app::webhooks::create::NewWebhook;
use ccd402_app::webhooks::dispatch::Dispatch;
use ccd402_app::webhooks::secret::SecretKey;
use ccd402_app::webhooks::{Options, Ports, Webhooks};
use ccd402_domain::ids::{VerificationId, WebhookId};
use ccd402_domain::tenant::{Reach, TenantId};
use ccd402_domain::webhook::event::Answer;
use ccd402_domain::webhook::state::Status;
use ccd402_domain::webhook::transition::Transition;
use chrono::{DateTime, TimeDelta, Utc};

use crate::support::Bench;

/// Answers from a list, and with 200 once that is empty; keeps what it was sent.
#[derive(Default)]
pub(super) struct Receiver {
    pub(super) answers: Mutex<Vec<(u16, Option<u64>)>>,
    pub(super) messages: Mutex<Vec<Message>>,
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
    pub(super) fn will_answer(&self, statuses: &[u16]) {
        self.answers.lock().unwrap().extend(statuses.iter().map(|status| (*status, None)));
    }

    /// What has arrived since the last time: transition and position of each.
    pub(super) fn arrived(&self) -> Vec<(String, Position)> {
        let messages = std::mem::take(&mut *self.messages.lock().unwrap());
        messages.iter().map(read).collect()
    }
}

pub(super) fn read(message: &Message) -> (String, Position) {
    let text = String::from_utf8(message.body.clone()).unwrap();
    let (transition, position) = text.split_once(' ').unwrap();
    (transition.to_owned(), position.parse().unwrap())
}

/// Writes what matters here.
pub(super) struct Writer;

impl WebhookWriter for Writer {
    fn told(&self, told: &Told) -> Vec<u8> {
        format!("{} {}", told.transition, told.position).into_bytes()
    }

    fn ping(&self, _: DateTime<Utc>) -> Vec<u8> {
        b"ping 0".to_vec()
    }
}

/// Webhooks, and a queue that is a set.
pub(super) struct Kit {
    pub(super) bench: Bench,
    pub(super) receiver: Arc<Receiver>,
    pub(super) webhooks: Arc<Webhooks>,
    pub(super) dispatch: Dispatch,
    pub(super) jobs: BTreeSet<Job>,
}

impl Kit {
    pub(super) async fn new() -> Self {
        let bench = Bench::new().await;
        let receiver = Arc::new(Receiver::default());
        let webhooks = webhooks(&bench, &receiver);
        let dispatch = Dispatch::begin(webhooks.clone()).await.unwrap();
        Self { bench, receiver, webhooks, dispatch, jobs: BTreeSet::new() }
    }

    /// The process dies, and with it the queue.
    pub(super) async fn restart(&mut self) {
        self.webhooks = webhooks(&self.bench, &self.receiver);
        self.dispatch = Dispatch::begin(self.webhooks.clone()).await.unwrap();
        self.jobs.clear();
    }

    pub(super) async fn create(&self, types: Option<BTreeSet<Transition>>) -> WebhookId {
        let types = types.unwrap_or_else(Transition::by_default);
        let made = self.webhooks.create(TenantId::default(), asked(types), None).await.unwrap();
        made.unwrap().0.id
    }

    /// Queues what is due.
    pub(super) async fn find(&mut self) {
        loop {
            let found = self.dispatch.advance().await.unwrap();
            self.jobs.extend(found.jobs);
            if found.is_all {
                return;
            }
        }
    }

    /// Runs what is queued, until there is no more that is due.
    pub(super) async fn run(&mut self) {
        self.find().await;
        while let Some(job) = self.jobs.pop_first() {
            let Job::DeliverWebhook { webhook, position } = job else { panic!("{job}") };
            self.webhooks.deliver(WebhookId(webhook), position).await.unwrap();
            self.find().await;
        }
    }

    /// Runs until nothing is left, as long as that takes; returns how long that was.
    pub(super) async fn run_out(&mut self) -> TimeDelta {
        let begun_at = self.bench.clock.now();
        loop {
            self.run().await;
            let now = self.bench.clock.now();
            let Some(next) = self.dispatch.next_due() else { return now - begun_at };
            self.bench.clock.advance((next - now).max(TimeDelta::zero()));
        }
    }

    pub(super) async fn confirmed(&self, handed: &Handed) -> VerificationId {
        let id = self.bench.submit(handed).await;
        self.bench.finalize(&[handed]).await;
        id
    }

    pub(super) fn status(&self, id: WebhookId) -> Status {
        self.webhooks.show(&Reach::All, id).unwrap().status
    }
}

pub(super) fn asked(types: BTreeSet<Transition>) -> NewWebhook {
    let url = "https://shop.example/hook".to_owned();
    NewWebhook { url, description: String::new(), types }
}

pub(super) fn webhooks(bench: &Bench, receiver: &Arc<Receiver>) -> Arc<Webhooks> {
    let ports = Ports {
        log: bench.log.clone(),
        clock: Arc::new(bench.clock.clone()),
        sender: receiver.clone(),
        writer: Arc::new(Writer),
    };
    Arc::new(Webhooks::new(ports, SecretKey::new([7; 32]), Options::default()))
}

pub(super) fn names(arrived: &[(String, Position)]) -> Vec<&str> {
    arrived.iter().map(|(name, _)| name.trim_start_matches("verification.")).collect()
}
