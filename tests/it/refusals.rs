//! Every way a payment is refused, through HTTP, with real proofs and real transfers: a row a code.
//!
//! Each row makes one payment that is right but for one thing, and names the code that it must be
//! refused with.

use ccd402::devnet::hand::Offer;
use ccd402::devnet::shop::{ARTICLE, REPORT, TOKEN_ARTICLE};
use ccd402_domain::amount::Amount;
use ccd402_domain::asset::Asset;
use ccd402_domain::challenge::Window;
use ccd402_domain::transaction::Outcome;
use chrono::{TimeDelta, Utc};
use futures::StreamExt as _;
use serde_json::{Value, json};

use crate::support::verify_request;
use crate::wrong::{Cast, Wrong, check, whole_seconds};

#[tokio::test(flavor = "multi_thread")]
async fn a_transfer_that_is_not_the_payment_is_refused() {
    let cast = Cast::assemble().await;
    let mut table = vec![
        cast.transferred("amount_mismatch", ARTICLE, |transfer| {
            transfer.amount = Amount::from_units(transfer.amount.units() - 1);
        })
        .await,
        cast.transferred("amount_mismatch", ARTICLE, |transfer| {
            transfer.amount = Amount::from_units(transfer.amount.units() + 1);
        })
        .await,
        cast.transferred("payment_not_bound", ARTICLE, |transfer| transfer.memo = None).await,
        cast.transferred("asset_type_mismatch", TOKEN_ARTICLE, |transfer| {
            transfer.asset = Asset::Ccd;
        })
        .await,
        cast.transferred("token_id_mismatch", TOKEN_ARTICLE, |transfer| {
            transfer.asset = "USDR".parse().unwrap();
        })
        .await,
    ];
    table.push(elsewhere(&cast).await);
    table.push(stolen(&cast).await);
    table.push(rejected(&cast).await);
    table.push(made_before(&cast).await);
    table.push(made_after(&cast).await);
    table.push(no_transfer(&cast).await);
    check(&cast, table).await;
    cast.app.stop().await;
}

async fn elsewhere(cast: &Cast) -> Wrong {
    let offer = cast.offer(ARTICLE).await;
    let mut transfer = offer.transfer().unwrap();
    transfer.to = cast.other.wallet().address();
    let signed = cast.payer.send(&transfer).await.unwrap();
    let payload = offer.payload(signed.hash, cast.payer.wallet().address(), None);
    Wrong { code: "recipient_mismatch", request: verify_request(&offer, &payload) }
}

/// A stranger hands in the payer's hash as its own.
async fn stolen(cast: &Cast) -> Wrong {
    let offer = cast.offer(ARTICLE).await;
    let signed = cast.payer.send(&offer.transfer().unwrap()).await.unwrap();
    let payload = offer.payload(signed.hash, cast.other.wallet().address(), None);
    Wrong { code: "payment_not_bound", request: verify_request(&offer, &payload) }
}

async fn rejected(cast: &Cast) -> Wrong {
    let offer = cast.offer(ARTICLE).await;
    let signed = cast.poor.send(&offer.transfer().unwrap()).await.unwrap();
    let payload = offer.payload(signed.hash, cast.poor.wallet().address(), None);
    Wrong { code: "transaction_failed_on_chain", request: verify_request(&offer, &payload) }
}

/// The challenge opens only after the transfer was made.
async fn made_before(cast: &Cast) -> Wrong {
    let offer = cast.offer(ARTICLE).await;
    let opens_at = whole_seconds(Utc::now() - TimeDelta::hours(2));
    let window = Window { opens_at, closes_at: opens_at + TimeDelta::hours(1) };
    let offer = cast.resealed(&offer, Some(window), |_| {});
    let mut transfer = offer.transfer().unwrap();
    transfer.expires_at = Utc::now() + TimeDelta::minutes(5);
    let signed = cast.payer.send(&transfer).await.unwrap();
    let payload = offer.payload(signed.hash, cast.payer.wallet().address(), None);
    Wrong { code: "transfer_outside_challenge", request: verify_request(&offer, &payload) }
}

/// An old transfer, bound by its sender's signature to a challenge that came later.
async fn made_after(cast: &Cast) -> Wrong {
    let offer = cast.offer(ARTICLE).await;
    let mut transfer = offer.transfer().unwrap();
    transfer.memo = None;
    let signed = cast.payer.send(&transfer).await.unwrap();
    wait_final(cast, &signed.hash).await;
    // The rules allow clocks to differ by ten seconds: wait until the transfer is older than that
    // by the youngest challenge that is taken.
    let made = Utc::now();
    while Utc::now() < made + TimeDelta::seconds(4) {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    let opens_at = whole_seconds(Utc::now() + TimeDelta::seconds(9));
    let window = Window { opens_at, closes_at: opens_at + TimeDelta::hours(1) };
    let offer = cast.resealed(&offer, Some(window), |_| {});
    let mut payload = offer.payload(signed.hash, cast.payer.wallet().address(), None);
    payload["payload"]["binding"]["type"] = json!("signature");
    payload["payload"]["binding"]["signatures"] =
        json!(cast.payer.wallet().sign_message(&offer.digest));
    Wrong { code: "transfer_outside_challenge", request: verify_request(&offer, &payload) }
}

/// The block item that deployed somebody's credential, handed in as a payment.
async fn no_transfer(cast: &Cast) -> Wrong {
    let chain = cast.app.net.facilitator().facilitator().chain();
    let mut blocks = chain.blocks_from(0).await.unwrap();
    let hash = loop {
        let block = blocks.next().await.unwrap().unwrap();
        let found = block.transactions.iter().find(|t| t.outcome == Outcome::NotATransfer);
        if let Some(found) = found {
            break found.hash;
        }
    };
    let offer = cast.offer(ARTICLE).await;
    let payload = offer.payload(hash, cast.payer.wallet().address(), None);
    // The challenge opened after that block, so the facilitator has to look it up.
    Wrong { code: "transaction_not_a_transfer", request: verify_request(&offer, &payload) }
}

async fn wait_final(cast: &Cast, hash: &ccd402_domain::ids::TransactionHash) {
    use ccd402_app::ports::chain::TransactionStatus;
    loop {
        if let TransactionStatus::Finalized(_) = cast.payer.wallet().status(hash).await.unwrap() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_that_is_not_the_one_asked_for_is_refused() {
    let cast = Cast::assemble().await;
    let mut table = Vec::new();

    let offer = cast.offer(REPORT).await;
    table.push(cast.proven("identity_required", &offer, None).await);

    let (offer, another) = (cast.offer(REPORT).await, cast.offer(REPORT).await);
    let proof = cast.payer.prove(&another, &another.digest).await.unwrap();
    table.push(cast.proven("identity_challenge_mismatch", &offer, Some(proof)).await);

    let offer = cast.offer(REPORT).await;
    let older = cast.resealed(&offer, None, |raw| {
        raw["extra"]["identity"]["statement"][0]["upper"] = json!("20051123");
    });
    let proof = cast.payer.prove(&older, &offer.digest).await.unwrap();
    table.push(cast.proven("identity_statement_mismatch", &offer, Some(proof)).await);

    let offer = cast.offer(REPORT).await;
    let proof = cast.other.prove(&offer, &offer.digest).await.unwrap();
    table.push(cast.proven("identity_credential_not_payer", &offer, Some(proof)).await);

    let offer = cast.offer(REPORT).await;
    let picky = cast.resealed(&offer, None, |raw| {
        raw["extra"]["identity"]["issuers"] = json!([4_242]);
    });
    // The payer's own wallet would not even try; the same statement without issuers is the same.
    let proof = cast.payer.prove(&offer, &picky.digest).await.unwrap();
    table.push(cast.proven("identity_issuer_not_accepted", &picky, Some(proof)).await);

    let offer = cast.offer(REPORT).await;
    let proof = cast.payer.prove(&offer, &offer.digest).await.unwrap();
    table.push(cast.proven("identity_proof_invalid", &offer, Some(tampered(proof))).await);

    check(&cast, table).await;
    cast.app.stop().await;
}

/// The same presentation with one digit of its proof changed.
fn tampered(proof: Value) -> Value {
    fn longest_hex(value: &mut Value) -> Option<&mut String> {
        let found: Vec<&mut String> = match value {
            Value::String(text) if text.len() > 500 => vec![text],
            Value::Array(items) => items.iter_mut().filter_map(longest_hex).collect(),
            Value::Object(fields) => fields.values_mut().filter_map(longest_hex).collect(),
            _ => Vec::new(),
        };
        found.into_iter().max_by_key(|text| text.len())
    }
    let mut proof = proof;
    let hex = longest_hex(&mut proof).expect("a presentation holds a long proof");
    let at = hex.len() - 10;
    let digit = if hex.as_bytes()[at] == b'0' { "1" } else { "0" };
    hex.replace_range(at..=at, digit);
    proof
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_cannot_be_honoured_is_refused_by_its_code() {
    let cast = Cast::assemble().await;
    let requirements = |field: &'static str, value: Value| {
        move |request: &mut Value| {
            request["paymentRequirements"][field] = value.clone();
            request["paymentPayload"]["payload"]["binding"]["accepted"] =
                request["paymentRequirements"].clone();
        }
    };
    let table = vec![
        cast.changed("invalid_x402_version", |r| r["x402Version"] = json!(3)).await,
        cast.changed("invalid_x402_version", |r| r["paymentPayload"]["x402Version"] = json!(2))
            .await,
        cast.changed("unsupported_scheme", requirements("scheme", json!("upto"))).await,
        cast.changed("unsupported_scheme", |r| {
            r["paymentRequirements"]["extra"]["assetTransferMethod"] = json!("permit");
        })
        .await,
        cast.changed("invalid_scheme", |r| r["paymentPayload"]["scheme"] = json!("upto")).await,
        cast.changed("invalid_network", requirements("network", json!("concordium"))).await,
        cast.changed("invalid_network", |r| r["paymentPayload"]["network"] = json!("base")).await,
        cast.changed("invalid_payment_requirements", requirements("payTo", json!("me"))).await,
        cast.changed(
            "invalid_payment_requirements",
            requirements("maxAmountRequired", json!("1e3")),
        )
        .await,
        cast.changed("invalid_payment_requirements", requirements("maxAmountRequired", json!("0")))
            .await,
        cast.changed("invalid_payment_requirements", requirements("asset", json!("ccd"))).await,
        cast.changed("invalid_payment_requirements", |r| {
            r["paymentRequirements"]["maxAmountRequired"] = json!("1");
        })
        .await,
        cast.changed("invalid_payload", |r| {
            r["paymentPayload"]["payload"]["txHash"] = json!("abc");
        })
        .await,
        cast.changed("invalid_sender_address", |r| {
            r["paymentPayload"]["payload"]["sender"] = json!("nobody");
        })
        .await,
        cast.changed("challenge_not_ours", |r| {
            r["paymentRequirements"]["extra"]["challenge"] = json!("forged");
            r["paymentPayload"]["payload"]["binding"]["accepted"] =
                r["paymentRequirements"].clone();
        })
        .await,
        cast.changed("payment_not_bound", |r| {
            r["paymentPayload"]["payload"]["binding"]["type"] = json!("presentation");
        })
        .await,
        expired(&cast).await,
    ];
    check(&cast, table).await;
    cast.app.stop().await;
}

async fn expired(cast: &Cast) -> Wrong {
    let offer = cast.offer(ARTICLE).await;
    let opens_at = whole_seconds(Utc::now() - TimeDelta::hours(48));
    let window = Window { opens_at, closes_at: opens_at + TimeDelta::minutes(5) };
    let offer = cast.resealed(&offer, Some(window), |_| {});
    let transfer = cast.offer(ARTICLE).await.transfer().unwrap();
    let hash = cast.payer.send(&transfer).await.unwrap().hash;
    let payload = offer.payload(hash, cast.payer.wallet().address(), None);
    Wrong { code: "challenge_expired", request: verify_request(&offer, &payload) }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_pending_until_it_can_never_come() {
    let cast = Cast::assemble().await;
    let offer = cast.offer(ARTICLE).await;
    let opens_at = whole_seconds(Utc::now());
    let window = Window { opens_at, closes_at: opens_at + TimeDelta::seconds(2) };
    let offer = cast.resealed(&offer, Some(window), |_| {});
    let never_sent = cast.payer.wallet().build_transfer(&offer.transfer().unwrap()).await.unwrap();
    let payload = offer.payload(never_sent.hash, cast.payer.wallet().address(), None);
    let request = verify_request(&offer, &payload);

    let url = cast.app.api("/verify");
    let asked = cast.app.http.post(url).header("prefer", "wait=0").json(&request);
    let pending: Value = asked.send().await.unwrap().json().await.unwrap();
    assert_eq!(pending["invalidReason"], "transaction_pending", "{pending}");
    let settling = cast.app.http.post(cast.app.api("/settle")).header("prefer", "wait=0");
    let settled: Value = settling.json(&request).send().await.unwrap().json().await.unwrap();
    assert_eq!(settled["errorReason"], "settlement_pending", "{settled}");
    assert_eq!(settled["transaction"], json!(never_sent.hash));

    let location = pending["extra"]["statusUrl"].as_str().unwrap();
    let decided = cast.app.decided(location).await;
    assert_eq!(decided["status"], "failed");
    assert_eq!(decided["reason"]["code"], "transaction_not_found", "{decided}");
    cast.app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gate_takes_only_its_own_offers() {
    let cast = Cast::assemble().await;
    let url = cast.app.shop(ARTICLE);
    let offer = cast.offer(ARTICLE).await;
    let mut forged = offer.raw.clone();
    forged["maxAmountRequired"] = json!("1");
    let cheap = Offer::read(forged, "GET").unwrap();
    let payment = cast.payer.pay(&cheap).await.unwrap();
    let answer = cast.payer.present(&url, &payment).await.unwrap();
    assert_eq!((answer.status, answer.code.as_str()), (402, "challenge_not_ours"));

    // The article's own payment does not open the report.
    let payment = cast.payer.pay(&offer).await.unwrap();
    let answer = cast.payer.present(&cast.app.shop(REPORT), &payment).await.unwrap();
    assert_eq!((answer.status, answer.code.as_str()), (402, "challenge_not_ours"));
    assert_eq!(cast.payer.present(&url, &payment).await.unwrap().status, 200);
    cast.app.stop().await;
}
