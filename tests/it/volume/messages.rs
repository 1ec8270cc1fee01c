//! A tenant's webhook, and that its receiver has heard everything that happened to what the tenant
//! handed in: each transition at least once, those of one verification in order, and no other's.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Run;
use crate::caller::Caller;
use crate::receiver::{Receiver, told};

/// Whose webhook it is.
pub(super) const TENANT: &str = "shop";
/// Lets all clients be the tenant's: then every submission is told of, which takes minutes.
const ALL: &str = "CCD402_TEST_TELL_ALL";
/// One client of so many is.
const SHARE: usize = 8;
/// Transitions of each verification: it is handed in, and comes to one of two ends.
const TRANSITIONS: usize = 2;
const TYPES: [&str; 3] =
    ["verification.requested", "verification.confirmed", "verification.failed"];
/// Messages in a row that the receiver does not take, each time that something goes wrong.
const REFUSED: usize = 20;
/// More than any client here sends.
const RATE: u32 = 1_000_000;

/// Of each verification by its id: positions and types of what happened, in order.
pub(super) type Happened = BTreeMap<String, Vec<(u64, String)>>;

/// A receiver that is told.
pub(super) struct Hook {
    receiver: Receiver,
    key: String,
}

/// Lets webhooks reach this machine, and tries again soon.
pub(super) const ARGS: [&str; 4] =
    ["--webhook-allow", "127.0.0.0/8", "--webhook-retries", "1s,1s,1s,1s,1s,1s,1s,1s"];

impl Hook {
    /// Makes a key of the tenant's, and with it a webhook for a receiver of its own.
    pub(super) async fn make(caller: &Caller) -> Self {
        let receiver = Receiver::start().await;
        let key = json!({
            "tenant": TENANT, "name": "clients", "scopes": ["submit", "read"],
            "limits": { "rate": RATE, "burst": RATE },
        });
        let made = create(caller, "/v1/keys", &key, None).await;
        let key = made["key"].as_str().unwrap().to_owned();
        let webhook = json!({ "url": receiver.url, "types": TYPES });
        create(caller, "/v1/webhooks", &webhook, Some(&key)).await;
        Self { receiver, key }
    }

    /// The key that a client shows; none where it is not the tenant's.
    pub(super) fn key_of(&self, client: usize) -> Option<String> {
        let is_told = std::env::var_os(ALL).is_some() || client.is_multiple_of(SHARE);
        is_told.then(|| self.key.clone())
    }

    /// The next messages are refused and must be sent again.
    pub(super) fn refuse_some(&self) {
        self.receiver.will_answer(std::iter::repeat_n((503, None), REFUSED));
    }

    /// Waits until there are as many different messages as there must be.
    pub(super) async fn heard_all(&self, run: &Run) {
        let loads = run.loads();
        let told_of = loads.iter().filter(|one| one.load.key_of_tenant.is_some());
        let expected = told_of.map(|one| one.ids.len()).sum::<usize>() * TRANSITIONS;
        let mut repeated = 0;
        loop {
            self.receiver.comes_to(expected + repeated).await;
            let arrived = self.receiver.arrived();
            let different = told(&arrived).values().map(Vec::len).sum::<usize>();
            if different >= expected {
                return println!("{} messages for {expected} transitions", arrived.len());
            }
            repeated = arrived.len() - different;
        }
    }

    /// What was told is what happened.
    pub(super) fn check(&self, happened: &Happened) {
        let told = told(&self.receiver.arrived());
        assert_eq!(told.len(), happened.len());
        for (id, happened) in happened {
            assert_eq!(told.get(id), Some(happened), "{id}");
        }
    }
}

async fn create(caller: &Caller, path: &str, body: &Value, key: Option<&str>) -> Value {
    let post = |http: &reqwest::Client, base: &str| {
        let post = http.post(format!("{base}{path}")).json(body);
        key.into_iter().fold(post, reqwest::RequestBuilder::bearer_auth)
    };
    let (status, made) = caller.clone().call(post).await;
    assert_eq!(status, 201, "{made}");
    made
}
