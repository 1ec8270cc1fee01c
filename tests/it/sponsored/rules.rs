//! Every way a sponsored payment is refused, through HTTP: a row a reason, each made of a real signed
//! transaction that differs in one thing from one that would pay.

use ccd402_chain::payer::Order;
use ccd402_domain::account::AccountAddress;
use ccd402_domain::amount::Amount;
use ccd402_protocol::sponsored::SignedTransaction;
use ccd402_simchain::IdentitySpec;
use chrono::{TimeDelta, Utc};
use serde_json::{Value, json};

use super::kit::{PRICE, Payer, Stage, request};

/// What is wrong, the code, and the request.
type Row = (&'static str, &'static str, Value);

struct Cast {
    stage: Stage,
    payer: Payer,
    other: Payer,
    number: u64,
}

impl Cast {
    async fn assemble() -> Self {
        let stage = Stage::new().await;
        let (payer, other) = (stage.payer(100).await, stage.payer(100).await);
        let number = payer.wallet.next_sequence_number().await.unwrap();
        Self { stage, payer, other, number }
    }

    /// A payment with another order.
    async fn ordered(&self, asset: &str, change: impl FnOnce(&mut Order)) -> Value {
        let mut order = self.stage.order(asset);
        change(&mut order);
        self.stage.numbered(&self.payer, &self.stage.offer(asset), &order, self.number).await
    }

    /// A payment whose transaction says something else, signed as it then stands.
    async fn signed(&self, asset: &str, change: impl FnOnce(&mut Value)) -> Value {
        let order = self.stage.order(asset);
        let signed = self.payer.wallet.sign_order(&order, self.number).await.unwrap();
        let mut json = json!(signed);
        change(&mut json);
        let changed = SignedTransaction::decode(&json!({ "signedTransaction": json })).unwrap();
        let signed = self.payer.wallet.sign_transaction(changed).unwrap();
        request(&self.stage.offer(asset), &json!(signed))
    }

    /// A payment that is changed after it was signed.
    async fn tampered(&self, asset: &str, change: impl FnOnce(&mut Value)) -> Value {
        let mut request = self.ordered(asset, |_| {}).await;
        change(&mut request["paymentPayload"]["payload"]["signedTransaction"]);
        request
    }

    /// A payment for another offer.
    async fn offered(&self, asset: &str, change: impl FnOnce(&mut Value)) -> Value {
        let mut offer = self.stage.offer(asset);
        change(&mut offer);
        self.stage.numbered(&self.payer, &offer, &self.stage.order(asset), self.number).await
    }

    /// Each is refused by both routes with its code, and none leaves a trace: the good one pays.
    async fn check(self, rows: Vec<Row>) {
        for (what, code, request) in rows {
            let verified = self.stage.ask("/verify", &request, 0).await;
            assert_eq!(verified["isValid"], false, "{what}: {verified}");
            assert_eq!(verified["invalidReason"], code, "{what}: {verified}");
            let settled = self.stage.ask("/settle", &request, 0).await;
            assert_eq!(settled["success"], false, "{what}: {settled}");
            assert_eq!(settled["errorReason"], code, "{what}: {settled}");
        }
        let good = self.ordered("CCD", |_| {}).await;
        assert_eq!(self.stage.settle(&good).await["success"], true);
        assert_eq!(self.stage.received("CCD").await, PRICE);
        self.stage.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_of_the_nine_rules_names_its_refusal() {
    let cast = Cast::assemble().await;
    let other = cast.other.wallet.address();
    let fee_payer = |offer: &mut Value| offer["extra"]["feePayer"] = json!(other);
    let to_sponsor = cast.stage.sponsor;
    let mut rows: Vec<Row> = vec![
        (
            "1: of another version",
            "invalid_transaction_version",
            cast.tampered("CCD", |tx| tx["version"] = json!(0)).await,
        ),
        (
            "1: without a header",
            "invalid_transaction_format",
            cast.tampered("CCD", |tx| drop(tx.as_object_mut().unwrap().remove("header"))).await,
        ),
        (
            "1: operations that are no CBOR",
            "invalid_transaction_format",
            cast.tampered("EURR", |tx| tx["payload"]["operations"] = json!("ff")).await,
        ),
        (
            "2: a sender that is no account",
            "invalid_sender_address",
            cast.tampered("CCD", |tx| tx["header"]["sender"] = json!("nobody")).await,
        ),
        (
            "3: another sponsor",
            "sponsor_mismatch",
            cast.ordered("CCD", |order| order.sponsor = other).await,
        ),
        ("3: a fee payer that is not ours", "fee_payer_not_managed_by_facilitator", {
            let mut offer = cast.stage.offer("CCD");
            fee_payer(&mut offer);
            let order = Order { sponsor: other, ..cast.stage.order("CCD") };
            cast.stage.numbered(&cast.payer, &offer, &order, cast.number).await
        }),
        (
            "4: to another account",
            "recipient_mismatch",
            cast.ordered("CCD", |order| order.to = other).await,
        ),
        (
            "5: too little",
            "amount_mismatch",
            cast.ordered("CCD", |order| order.amount = Amount::from_units(PRICE - 1)).await,
        ),
        (
            "5: too much",
            "amount_mismatch",
            cast.ordered("EURR", |order| order.amount = Amount::from_units(PRICE + 1)).await,
        ),
        (
            "6: CCD for a token",
            "asset_type_mismatch",
            cast.ordered("EURR", |order| order.asset = "CCD".parse().unwrap()).await,
        ),
        (
            "6: another token",
            "token_id_mismatch",
            cast.ordered("EURR", |order| order.asset = "USDR".parse().unwrap()).await,
        ),
        (
            "7: expired",
            "transaction_expired",
            cast.ordered("CCD", |order| order.expires_at = Utc::now() - TimeDelta::seconds(1))
                .await,
        ),
        (
            "7: expires too late",
            "expiry_too_far_in_future",
            cast.ordered("CCD", |order| order.expires_at = Utc::now() + TimeDelta::minutes(5))
                .await,
        ),
        (
            "8: not signed",
            "missing_sender_signature",
            cast.tampered("CCD", |tx| tx["signatures"]["sender"] = json!({})).await,
        ),
        (
            "8: signed for another amount",
            "invalid_sender_signature",
            cast.tampered("CCD", |tx| tx["header"]["expiry"] = json!(Utc::now().timestamp() + 30))
                .await,
        ),
        ("8: signed by another", "invalid_sender_signature", {
            let order = cast.stage.order("CCD");
            let mut signed =
                json!(cast.other.wallet.sign_order(&order, cast.number).await.unwrap());
            signed["header"]["sender"] = json!(cast.payer.wallet.address());
            request(&cast.stage.offer("CCD"), &signed)
        }),
        (
            "8: by an account that does not exist",
            "invalid_sender_signature",
            cast.signed("CCD", |tx| {
                tx["header"]["sender"] = json!(AccountAddress::from_bytes([9; 32]));
            })
            .await,
        ),
        (
            "9: two transfers",
            "unexpected_token_operations_count",
            cast.signed("EURR", |tx| {
                // A CBOR array of one becomes one of two, twice the same.
                let once = tx["payload"]["operations"].as_str().unwrap()[2..].to_owned();
                tx["payload"]["operations"] = json!(format!("82{once}{once}"));
                tx["header"]["executionEnergyAmount"] = json!(500);
            })
            .await,
        ),
        ("9: no sponsor receives", "sponsor_as_recipient", {
            let mut offer = cast.stage.offer("CCD");
            offer["payTo"] = json!(to_sponsor);
            let order = Order { to: to_sponsor, ..cast.stage.order("CCD") };
            cast.stage.numbered(&cast.payer, &offer, &order, cast.number).await
        }),
    ];
    let itself = cast.stage.sponsor_as_payer().await;
    let sent = cast.stage.payment(&itself, "CCD").await;
    rows.push(("9: no sponsor sends", "sponsor_as_sender", sent));
    cast.check(rows).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn too_few_signatures_are_refused_and_enough_are_taken() {
    let stage = Stage::new().await;
    let several = IdentitySpec { keys: 3, threshold: 2, ..IdentitySpec::default() };
    let payer = stage.payer_who(several, 100).await;
    let good = stage.payment(&payer, "CCD").await;
    let mut few = good.clone();
    let sender = &mut few["paymentPayload"]["payload"]["signedTransaction"]["signatures"]["sender"];
    let keys = sender["0"].as_object_mut().unwrap();
    let first = keys.keys().next().unwrap().clone();
    keys.retain(|key, _| *key == first);
    let refused = stage.verify(&few).await;
    assert_eq!(refused["invalidReason"], "invalid_sender_signature", "{refused}");
    assert_eq!(stage.settle(&good).await["success"], true);
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bounds_and_preflight_name_their_refusals() {
    let cast = Cast::assemble().await;
    let nobody = AccountAddress::from_bytes([9; 32]);
    let energy =
        |energy: u64| move |tx: &mut Value| tx["header"]["executionEnergyAmount"] = json!(energy);
    let price = |units: u64| {
        let price = move |offer: &mut Value| offer["amount"] = json!(units.to_string());
        (price, move |order: &mut Order| order.amount = Amount::from_units(units))
    };
    let dear = |asset: &'static str, units: u64| {
        let (mut offer, mut order) = (cast.stage.offer(asset), cast.stage.order(asset));
        let (of_offer, of_order) = price(units);
        of_offer(&mut offer);
        of_order(&mut order);
        (offer, order)
    };
    let (ccd, eurr) = (dear("CCD", 100_000_001), dear("EURR", 100_000_001));
    let numbered = |number: u64| {
        let (offer, order) = (cast.stage.offer("CCD"), cast.stage.order("CCD"));
        let (cast, number) = (&cast, number);
        async move { cast.stage.numbered(&cast.payer, &offer, &order, number).await }
    };
    let mut to_nobody = cast.stage.offer("CCD");
    to_nobody["payTo"] = json!(nobody);
    let order_to_nobody = Order { to: nobody, ..cast.stage.order("CCD") };
    let mut no_token = cast.stage.offer("EURR");
    no_token["asset"] = json!("NONE");
    let rows: Vec<Row> = vec![
        ("too little energy", "energy_out_of_bounds", cast.signed("CCD", energy(299)).await),
        ("too much energy", "energy_out_of_bounds", cast.signed("CCD", energy(2_001)).await),
        ("too little for a token", "energy_out_of_bounds", cast.signed("EURR", energy(399)).await),
        (
            "too few signatures stated",
            "energy_out_of_bounds",
            cast.signed("CCD", |tx| tx["header"]["numSignatures"] = json!(0)).await,
        ),
        (
            "too many signatures stated",
            "energy_out_of_bounds",
            cast.signed("CCD", |tx| tx["header"]["numSignatures"] = json!(9)).await,
        ),
        (
            "no signature of the sponsor stated",
            "energy_out_of_bounds",
            cast.signed("CCD", |tx| tx["header"]["sponsor"]["numSignatures"] = json!(0)).await,
        ),
        (
            "a memo that is too long",
            "energy_out_of_bounds",
            cast.tampered("CCD", |tx| {
                tx["payload"]["type"] = json!("transferWithMemo");
                tx["payload"]["memo"] = json!("00".repeat(257));
            })
            .await,
        ),
        (
            "other decimals",
            "amount_mismatch",
            cast.signed("EURR", |tx| {
                // The exponent of the decimal fraction, -6 in CBOR, becomes -2.
                let operations = tx["payload"]["operations"].as_str().unwrap();
                tx["payload"]["operations"] = json!(operations.replace("c48225", "c48221"));
            })
            .await,
        ),
        ("a number that was used", "preflight_nonce_mismatch", numbered(cast.number - 1).await),
        ("a number ahead", "preflight_nonce_mismatch", numbered(cast.number + 1).await),
        (
            "more CCD than there is",
            "preflight_insufficient_funds",
            cast.stage.numbered(&cast.payer, &ccd.0, &ccd.1, cast.number).await,
        ),
        (
            "more of the token than there is",
            "preflight_insufficient_token_funds",
            cast.stage.numbered(&cast.payer, &eurr.0, &eurr.1, cast.number).await,
        ),
        (
            "to nobody",
            "invalid_payment_requirements",
            cast.stage.numbered(&cast.payer, &to_nobody, &order_to_nobody, cast.number).await,
        ),
        ("no such token", "invalid_payment_requirements", {
            let order = cast.stage.order("EURR");
            let signed = cast.payer.wallet.sign_order(&order, cast.number).await.unwrap();
            let mut json = json!(signed);
            json["payload"]["tokenId"] = json!("NONE");
            let wire = SignedTransaction::decode(&json!({ "signedTransaction": json })).unwrap();
            request(&no_token, &json!(cast.payer.wallet.sign_transaction(wire).unwrap()))
        }),
        (
            "an identity is asked for",
            "identity_required",
            cast.offered("CCD", |offer| {
                offer["extra"]["identity"] = json!({ "statement": [
                    { "type": "RevealAttribute", "attributeTag": "nationality" },
                ] });
            })
            .await,
        ),
        (
            "another network",
            "invalid_network",
            cast.offered("CCD", |offer| offer["network"] = json!("eip155:8453")).await,
        ),
        (
            "another scheme",
            "unsupported_scheme",
            cast.offered("CCD", |offer| offer["scheme"] = json!("upto")).await,
        ),
        (
            "no fee payer",
            "invalid_payment_requirements",
            cast.offered("CCD", |offer| offer["extra"] = json!({})).await,
        ),
    ];
    cast.check(rows).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_pays_for_one_thing_whoever_hands_it_in() {
    let stage = Stage::new().await;
    let payer = stage.payer(100).await;
    let payment = stage.payment(&payer, "CCD").await;
    assert_eq!(stage.verify(&payment).await["isValid"], true);
    let mut elsewhere = payment.clone();
    elsewhere["paymentPayload"]["resource"]["url"] = json!("https://shop.example/other");
    let refused = stage.verify(&elsewhere).await;
    assert_eq!(refused["invalidReason"], "payment_already_used", "{refused}");
    let refused = stage.settle(&elsewhere).await;
    assert_eq!(refused["errorReason"], "payment_already_used", "{refused}");
    assert_eq!(stage.settle(&payment).await["success"], true);
    stage.stop().await;
}
