//! The relay over a real Redis: others hear what one says, itself does not, and all of them again
//! after Redis was gone.

use std::time::Duration;

use ccd402_domain::ids::KeyId;
use ccd402_workers::relay::{Relay, Word};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::redis_server::RedisServer;

const PATIENCE: Duration = Duration::from_secs(30);

fn called(count: u32) -> Word {
    Word::Called(vec![(KeyId(Uuid::from_u128(1)), count)])
}

/// A process that listens, and what it has heard.
fn listening(redis: &RedisServer, network: &str) -> (Relay, mpsc::UnboundedReceiver<Word>) {
    let relay = Relay::open(&redis.url(), network).unwrap();
    let (into, heard) = mpsc::unbounded_channel();
    let listener = relay.clone();
    tokio::spawn(async move {
        let hear = |word| drop(into.send(word));
        listener.hear(hear, CancellationToken::new()).await;
    });
    (relay, heard)
}

/// Says it until it is heard: whoever does not listen yet, or again, does not hear it.
async fn until_heard(by: &Relay, word: Word, heard: &mut mpsc::UnboundedReceiver<Word>) {
    let says = async {
        loop {
            by.tell(word.clone()).await;
            let hears = async { while heard.recv().await != Some(word.clone()) {} };
            if tokio::time::timeout(Duration::from_millis(200), hears).await.is_ok() {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, says).await.expect("it is heard");
}

#[tokio::test]
async fn what_one_says_the_others_hear_also_after_redis_was_gone() {
    let mut redis = RedisServer::start();
    let (one, mut heard_by_one) = listening(&redis, "ccd:one");
    let (two, mut heard_by_two) = listening(&redis, "ccd:one");
    let (_other, mut heard_elsewhere) = listening(&redis, "ccd:two");
    until_heard(&one, Word::Appended, &mut heard_by_two).await;
    until_heard(&two, called(7), &mut heard_by_one).await;
    redis.kill();
    one.tell(called(8)).await;
    redis.restart();
    until_heard(&one, called(9), &mut heard_by_two).await;
    let mut all = vec![];
    while let Ok(word) = heard_by_one.try_recv() {
        all.push(word);
    }
    assert!(all.iter().all(|word| *word == called(7)), "it hears itself: {all:?}");
    assert!(heard_elsewhere.try_recv().is_err(), "another network hears it");
}

#[tokio::test]
async fn what_is_not_understood_is_passed_over() {
    let redis = RedisServer::start();
    let (one, _) = listening(&redis, "ccd:one");
    let (_two, mut heard) = listening(&redis, "ccd:one");
    until_heard(&one, called(1), &mut heard).await;
    let client = redis::Client::open(redis.url()).unwrap();
    let mut strange = client.get_multiplexed_async_connection().await.unwrap();
    let by = Uuid::from_u128(7);
    for said in ["", "{}", &format!(r#"{{"by":"{by}","word":{{"tomorrow":1}}}}"#)] {
        let listeners: u64 = redis::cmd("PUBLISH")
            .arg("ccd402:relay:ccd:one")
            .arg(said)
            .query_async(&mut strange)
            .await
            .unwrap();
        assert_eq!(listeners, 2);
    }
    until_heard(&one, called(2), &mut heard).await;
}
