//! Keys: good at once, refused at once, and the same after a restart.

use std::sync::Arc;

use ccd402_app::contract::payments::at;
use ccd402_app::contract::scripted::DrivenClock;
use ccd402_app::keys::Keys;
use ccd402_app::ports::log::{EventLog, StreamId};
use ccd402_domain::ids::KeyId;
use ccd402_domain::key::command::Terms;
use ccd402_domain::key::event::Limits;
use ccd402_domain::key::scope::{Scope, Scopes};
use ccd402_domain::key::text::KeyText;
use ccd402_protocol::code::ReasonCode;
use ccd402_store::MemoryLog;
use chrono::TimeDelta;
use uuid::Uuid;

struct Bench {
    log: Arc<dyn EventLog>,
    clock: DrivenClock,
}

impl Bench {
    fn new() -> Self {
        Self { log: Arc::new(MemoryLog::default()), clock: DrivenClock::default() }
    }

    async fn keys(&self) -> Keys {
        Keys::load(Arc::clone(&self.log), Arc::new(self.clock.clone())).await.unwrap()
    }
}

fn terms() -> Terms {
    Terms {
        tenant: "shop".parse().unwrap(),
        name: "the gate".parse().unwrap(),
        scopes: [Scope::Submit].into_iter().collect(),
        limits: Limits::default(),
        expires_at: None,
    }
}

#[tokio::test]
async fn a_key_is_good_from_its_making_to_its_revocation() {
    let bench = Bench::new();
    let keys = bench.keys().await;
    assert!(!keys.has_good_one());
    let created = keys.create(terms()).await.unwrap().unwrap();
    assert_eq!(keys.admit(&created.text).unwrap().created.tenant, terms().tenant);
    assert!(keys.has_good_one());
    keys.revoke(created.key.id()).await.unwrap().unwrap();
    assert_eq!(keys.admit(&created.text).unwrap_err(), ReasonCode::KeyRevoked);
    keys.revoke(created.key.id()).await.unwrap().unwrap();
    let events = bench.log.read_stream(&StreamId::key(created.key.id()), 0).await.unwrap();
    assert_eq!(events.len(), 2, "revoking again changes nothing");
    assert!(!keys.has_good_one());
    let nobody = keys.revoke(KeyId(Uuid::nil())).await.unwrap();
    assert_eq!(nobody.unwrap_err().code, ReasonCode::KeyNotFound);
}

#[tokio::test]
async fn another_secret_is_another_key_whatever_became_of_the_first() {
    let bench = Bench::new();
    let keys = bench.keys().await;
    let created = keys.create(terms()).await.unwrap().unwrap();
    let forged = KeyText::new(created.key.id(), [0; 32]);
    assert_eq!(keys.admit(&forged).unwrap_err(), ReasonCode::KeyInvalid);
    keys.revoke(created.key.id()).await.unwrap().unwrap();
    assert_eq!(keys.admit(&forged).unwrap_err(), ReasonCode::KeyInvalid, "it is told nothing");
    let unknown = KeyText::new(KeyId(Uuid::nil()), [0; 32]);
    assert_eq!(keys.admit(&unknown).unwrap_err(), ReasonCode::KeyInvalid);
}

#[tokio::test]
async fn keys_expire_by_the_clock() {
    let bench = Bench::new();
    let keys = bench.keys().await;
    let now = keys.create(Terms { scopes: Scopes::default(), ..terms() }).await.unwrap();
    assert_eq!(now.unwrap_err().code, ReasonCode::MalformedRequest);
    let expires_at = Some(at(0) + TimeDelta::days(300));
    let created = keys.create(Terms { expires_at, ..terms() }).await.unwrap().unwrap();
    keys.admit(&created.text).unwrap();
    bench.clock.advance(TimeDelta::days(301));
    assert_eq!(keys.admit(&created.text).unwrap_err(), ReasonCode::KeyExpired);
}

#[tokio::test]
async fn a_restart_finds_the_same_keys_page_by_page() {
    let bench = Bench::new();
    let before = bench.keys().await;
    let mut texts = Vec::new();
    for _ in 0..5 {
        texts.push(before.create(terms()).await.unwrap().unwrap().text);
    }
    before.revoke(texts[1].id()).await.unwrap().unwrap();
    let keys = bench.keys().await;
    assert_eq!(keys.list(None, 99), before.list(None, 99));
    assert_eq!(keys.admit(&texts[1]).unwrap_err(), ReasonCode::KeyRevoked);
    keys.admit(&texts[4]).unwrap();
    let (mut read, mut after) = (Vec::new(), None);
    loop {
        let page = keys.list(after, 2);
        let Some(last) = page.last() else { break };
        after = Some(last.id());
        read.extend(page);
    }
    assert_eq!(read, keys.list(None, 99));
    assert_eq!(read.len(), 5);
}
