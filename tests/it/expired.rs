//! A proof on a credential that has expired, through HTTP: the chain's clock runs ahead of ours.

use std::time::{Duration, SystemTime};

use ccd402::compose::facilitator::{self, Options};
use ccd402_simchain::{Clock, DrivenClock, Options as ChainOptions, SimChain};
use serde_json::Value;

use crate::payments::{Seller, Terms};
use crate::support::verify_request;

/// Longer than any credential lives.
const LIFETIME: Duration = Duration::from_secs(40 * 365 * 86_400);

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_on_an_expired_credential_is_refused() {
    let clock = DrivenClock::new(SystemTime::now());
    let options = ChainOptions {
        block_time: Duration::ZERO,
        finality_delay: Duration::ZERO,
        clock: Clock::Driven(clock.clone()),
        ..ChainOptions::default()
    };
    let chain = SimChain::start(options).await.unwrap();
    let seller = Seller::open(&chain).await;
    let payer = seller.payer(&chain, 10).await;
    let offer = seller.offer(Terms { adults_only: true, ..Terms::default() });
    let proof = payer.prove(&offer, &offer.digest).await.unwrap();
    let unsent = payer.wallet().build_transfer(&offer.transfer().unwrap()).await.unwrap();
    let payload = offer.payload(unsent.hash, payer.wallet().address(), Some(proof));

    clock.advance(LIFETIME);
    chain.bake().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let listen = "127.0.0.1:0".parse().unwrap();
    let options = Options::new(listen, dir.path().to_owned(), vec![chain.url()]);
    let running = facilitator::start(options).await.unwrap();
    let asked = reqwest::Client::new().post(format!("{}/verify", running.url()));
    let request = verify_request(&offer, &payload);
    let answer: Value = asked.json(&request).send().await.unwrap().json().await.unwrap();
    assert_eq!(answer["isValid"], false, "{answer}");
    assert_eq!(answer["invalidReason"], "identity_credential_inactive", "{answer}");
    running.stop().await.unwrap();
    chain.shutdown().await;
}
