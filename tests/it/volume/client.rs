//! Those who hand payments in, one by one or in batches, under a key that makes a repeat known.

use std::sync::Arc;
use std::time::Duration;

use rand::Rng as _;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use reqwest::RequestBuilder;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::Run;
use super::cast::Item;
use super::messages::Hook;
use crate::caller::Caller;

/// Clients that hand in one by one, and those that hand in batches; of several processes each has its
/// own, for client and process are counted through in the same order.
const SINGLES: usize = 24;
const BATCHES: usize = 6;
/// Processes that clients keep to at the most.
const REPLICAS: usize = 3;
/// Items of a batch.
const BATCH_ITEMS: std::ops::RangeInclusive<usize> = 20..=200;
/// Items that wait for a client: few, so that single ones come before their transfers are final.
const DOOR_ITEMS: usize = 4;
/// One load of so many is repeated at once, as by a client that lost the answer.
const REPEATED: u32 = 10;
/// Loads that are repeated after the process was killed.
const REPEATED_AFTER: usize = 100;
/// A line of a batch that is no payment.
const JUNK: &str = r#"{"hello":"world"}"#;
/// How often one is turned away, a second each, before that is too often.
const TURNED_AWAY_MAX: usize = 60;

/// How a load is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    One,
    Array,
    /// NDJSON, with a line that is no payment at its end.
    Lines,
}

/// What is handed in under one key.
pub(super) struct Load {
    /// The API key of the tenant that is told, if it is that tenant's.
    pub(super) key_of_tenant: Option<String>,
    key: String,
    form: Form,
    pub(super) items: Vec<Item>,
}

/// A load that was acknowledged, with the ids of its items.
pub(super) struct Acknowledged {
    pub(super) load: Load,
    pub(super) ids: Vec<String>,
}

/// Where payments are handed over to clients.
#[derive(Clone)]
pub(super) struct Doors {
    singles: Vec<mpsc::Sender<Item>>,
    batches: Vec<mpsc::Sender<Item>>,
}

impl Doors {
    /// Hands each to another client, the first ones to clients of different processes: under one
    /// client's key two equal ones would be one.
    pub(super) async fn hand_over(&self, items: Vec<Item>, random: &mut StdRng) {
        let doors = if random.r#gen() { &self.singles } else { &self.batches };
        let groups = doors.len() / REPLICAS;
        assert!(items.len() <= doors.len());
        let (begin, first) = (random.gen_range(0..groups), random.gen_range(0..REPLICAS));
        for (number, item) in items.into_iter().enumerate() {
            let group = (begin + number / REPLICAS) % groups;
            let door = &doors[group * REPLICAS + (first + number) % REPLICAS];
            door.send(item).await.expect("clients work until nothing is left");
        }
    }
}

/// Opens the doors, behind which clients work until the last door is closed.
pub(super) fn open(run: &Arc<Run>, caller: &Caller, hook: &Hook) -> (JoinSet<()>, Doors) {
    let mut clients = JoinSet::new();
    let mut door = |number: usize, is_single: bool| {
        let (door, items) = mpsc::channel(DOOR_ITEMS);
        let (caller, run) = (caller.faithful_to(number), Arc::clone(run));
        let random = run.random(2_000 + number as u64);
        let key_of_tenant = hook.key_of(number);
        let client = Client { caller, run, items, number, key_of_tenant, random };
        if is_single {
            clients.spawn(client.one_by_one());
        } else {
            clients.spawn(client.in_batches());
        }
        door
    };
    let singles = (0..SINGLES).map(|number| door(number, true)).collect();
    let batches = (SINGLES..SINGLES + BATCHES).map(|number| door(number, false)).collect();
    (clients, Doors { singles, batches })
}

struct Client {
    caller: Caller,
    run: Arc<Run>,
    items: mpsc::Receiver<Item>,
    number: usize,
    key_of_tenant: Option<String>,
    random: StdRng,
}

impl Client {
    async fn one_by_one(mut self) {
        for serial in 0.. {
            let Some(item) = self.items.recv().await else { return };
            let key = format!("single-{}-{serial}", self.number);
            self.hand_in(key, Form::One, vec![item]).await;
        }
    }

    async fn in_batches(mut self) {
        for serial in 0.. {
            let size = self.random.gen_range(BATCH_ITEMS);
            let mut items = Vec::new();
            while items.len() < size
                && let Some(item) = self.items.recv().await
            {
                items.push(item);
            }
            if items.is_empty() {
                return;
            }
            let key = format!("batch-{}-{serial}", self.number);
            let form = if serial % 2 == 0 { Form::Array } else { Form::Lines };
            self.hand_in(key, form, items).await;
        }
    }

    async fn hand_in(&mut self, key: String, form: Form, items: Vec<Item>) {
        let load = Load { key_of_tenant: self.key_of_tenant.clone(), key, form, items };
        let answers = load.submit(&mut self.caller).await;
        let ids = answers.into_iter().map(|(_, id)| id).collect();
        let acknowledged = Acknowledged { load, ids };
        if self.random.gen_ratio(1, REPEATED) {
            acknowledged.repeat(&mut self.caller).await;
        }
        self.run.acknowledged(acknowledged);
    }
}

/// Repeats some of what was acknowledged so far.
pub(super) async fn repeat_some(run: &Run, caller: &Caller) {
    let loads = run.loads();
    let mut caller = caller.clone();
    let mut random = run.random(loads.len() as u64);
    for load in loads.choose_multiple(&mut random, REPEATED_AFTER) {
        load.repeat(&mut caller).await;
    }
}

impl Acknowledged {
    /// Hands the same in again: each item is known by its id.
    async fn repeat(&self, caller: &mut Caller) {
        let answers = self.load.submit(caller).await;
        for ((status, id), before) in answers.iter().zip(&self.ids) {
            assert_eq!(id, before, "{}", self.load.key);
            let is_known = self.load.form == Form::One || status == "repeated";
            assert!(is_known, "{}: {status}", self.load.key);
        }
    }
}

impl Load {
    /// Status and id of each item.
    async fn submit(&self, caller: &mut Caller) -> Vec<(String, String)> {
        let (media, body) = self.body();
        let post = |http: &reqwest::Client, base: &str| -> RequestBuilder {
            let post = http.post(format!("{base}/v1/verifications"));
            let post = post.header("content-type", media).header("idempotency-key", &self.key);
            let post = post.body(body.clone());
            self.key_of_tenant.iter().fold(post, RequestBuilder::bearer_auth)
        };
        for _ in 0..TURNED_AWAY_MAX {
            let (status, answer) = caller.call(post).await;
            if status != 503 {
                return self.read(status, &answer);
            }
            assert_eq!(answer["retryable"], true, "{answer}");
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        panic!("{} is turned away", self.key);
    }

    fn body(&self) -> (&'static str, String) {
        let items = self.items.iter().map(|item| item.body.as_str());
        match self.form {
            Form::One => ("application/json", self.items[0].body.clone()),
            Form::Array => {
                let items: Vec<_> = items.collect();
                ("application/json", format!("[{}]", items.join(",")))
            }
            Form::Lines => {
                let lines = items.chain([JUNK]).map(|line| format!("{line}\n"));
                ("application/x-ndjson", lines.collect())
            }
        }
    }

    fn read(&self, status: u16, answer: &Value) -> Vec<(String, String)> {
        let text = |of: &Value| of.as_str().unwrap_or_else(|| panic!("{answer}")).to_owned();
        let told = |of: &Value| (text(&of["status"]), text(&of["id"]));
        if self.form == Form::One {
            assert!(matches!(status, 200 | 202), "{status}: {answer}");
            return vec![told(answer)];
        }
        assert_eq!(status, 202, "{answer}");
        let results = answer["results"].as_array().unwrap();
        let (results, rest) = results.split_at(self.items.len());
        assert!(rest.iter().all(|junk| junk["code"] == "malformed_request"), "{rest:?}");
        assert_eq!(rest.len(), usize::from(self.form == Form::Lines));
        results.iter().map(told).collect()
    }
}
