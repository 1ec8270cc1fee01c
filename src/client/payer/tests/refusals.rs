//! Every reason not to pay is said before anything is written down or sent.

use async_trait::async_trait;
use ccd402_protocol::network::NetworkId;
use ccd402_protocol::version::X402Version;
use serde_json::{Value, json};

use super::story::adult;
use super::*;
use crate::payer::options::{Consent, Quote};
use crate::payer::request::Request;

/// What a test changes about the world.
type Setup = fn(&World);

fn tweak(world: &World, tweak: fn(&mut Value)) {
    world.server.state().tweak = tweak;
}

const TABLE: &[(&str, &str, Setup)] = &[
    ("over_limit", "costs 7 CCD, which is over the limit: 5 CCD", |world| {
        tweak(world, |offer| set_amount(offer, "7000000"));
    }),
    ("over_limit", "none is set for EURR", |world| {
        tweak(world, |offer| offer["asset"] = json!("EURR"));
    }),
    ("no_offer_for_wallet", "the wallet is on ccd:0707", |world| {
        tweak(world, |offer| offer["network"] = json!(NetworkId::of_genesis(&[8; 32])));
    }),
    ("no_offer_for_wallet", "transaction-hash", |world| {
        tweak(world, |offer| offer["extra"]["assetTransferMethod"] = json!("sponsored"));
    }),
    ("no_offer_for_wallet", "upto", |world| {
        tweak(world, |offer| offer["scheme"] = json!("upto"));
    }),
    ("challenge_expired", "3 s are left", |world| {
        world.server.state().open_for = TimeDelta::seconds(3);
    }),
    ("challenge_expired", "ask again", |world| {
        tweak(world, |offer| {
            offer["extra"]["identity"] = json!({ "statement": [adult()], "validFor": 1 });
        });
    }),
    ("payment_required_unreadable", "open for too long", |world| {
        world.server.state().open_for = TimeDelta::days(2);
    }),
    ("payment_required_unreadable", "challenge is missing", |world| {
        tweak(world, |offer| offer["extra"]["challenge"] = Value::Null);
    }),
    ("payment_required_unreadable", "not a challenge", |world| {
        tweak(world, |offer| offer["extra"]["challenge"] = json!("Zm9v"));
    }),
    ("payment_required_unreadable", "it costs nothing", |world| {
        tweak(world, |offer| set_amount(offer, "0"));
    }),
    ("payment_required_unreadable", "amount: not a decimal integer", |world| {
        tweak(world, |offer| set_amount(offer, "1.5"));
    }),
    ("payment_required_unreadable", "payTo: not a Concordium", |world| {
        tweak(world, |offer| offer["payTo"] = json!("0xdeadbeef"));
    }),
    ("offer_for_other_resource", "POST http", |world| {
        tweak(world, |offer| offer["extra"]["method"] = json!("POST"));
    }),
    ("offer_for_other_resource", "elsewhere.example", |world| {
        tweak(world, |offer| {
            for place in ["/resource", "/extra/resource"] {
                if let Some(resource) = offer.pointer_mut(place) {
                    *resource = json!("https://elsewhere.example/forecast");
                }
            }
        });
    }),
    ("insufficient_funds", "2.1 CCD with the fee needed, 2 CCD held", |world| {
        world.chain.state().balances.insert("CCD", 2_000_000);
    }),
    ("cannot_prove", "asks for age 18 or more; born in 2011", |world| {
        world.chain.state().cannot_prove = Some("born in 2011");
        tweak(world, |offer| {
            offer["extra"]["identity"] = json!({ "statement": [adult()] });
        });
    }),
    ("payment_required_unreadable", "empty or too large", |world| {
        tweak(world, |offer| offer["extra"]["identity"] = json!({ "statement": [] }));
    }),
];

fn set_amount(offer: &mut Value, amount: &str) {
    let name = if offer.get("amount").is_some() { "amount" } else { "maxAmountRequired" };
    offer[name] = json!(amount);
}

async fn must_not_pay(world: &World, options: Options) -> Error {
    let error = world.run_with(options).await.unwrap_err();
    assert_eq!(world.chain.state().sends, 0, "{error}");
    assert!(world.records().is_empty(), "{error}");
    assert!(world.server.state().presented.is_empty(), "{error}");
    error
}

#[tokio::test]
async fn each_refusal_comes_before_anything_is_sent_and_says_why() {
    for (code, text, setup) in TABLE {
        for version in [X402Version::V1, X402Version::V2] {
            let world = World::start().await;
            world.server.state().versions = vec![version];
            setup(&world);
            let error = must_not_pay(&world, world.options()).await;
            assert_eq!(error.code(), *code, "{text}: {error}");
            assert!(error.to_string().contains(text), "{text}: {error}");
        }
    }
}

#[tokio::test]
async fn a_v2_resource_spelled_differently_from_the_offer_is_refused() {
    let world = World::start().await;
    world.server.state().versions = vec![X402Version::V2];
    world.server.state().tweak_required = |required| {
        required["resource"]["url"] = json!("https://elsewhere.example/forecast");
    };
    let error = must_not_pay(&world, world.options()).await;
    assert_eq!(error.code(), "offer_for_other_resource", "{error}");
}

#[tokio::test]
async fn two_different_identity_requirements_in_one_offer_are_refused() {
    let world = World::start().await;
    world.server.state().versions = vec![X402Version::V2];
    tweak(&world, |offer| offer["extra"]["identity"] = json!({ "statement": [adult()] }));
    world.server.state().tweak_required = |required| {
        let reveal = json!({ "type": "RevealAttribute", "attributeTag": "dob" });
        required["extensions"]["concordium-identity"]["info"] = json!({ "statement": [reveal] });
    };
    let error = must_not_pay(&world, world.options()).await;
    assert_eq!(error.code(), "payment_required_unreadable", "{error}");
}

#[tokio::test]
async fn tokens_and_their_fee_must_both_be_affordable() {
    let limits = vec![Limit { asset: "eurr".parse().unwrap(), amount: "5000000".parse().unwrap() }];
    let cases = [("EURR", 1_000_000, "1.5 EURR needed, 1 EURR held"), ("CCD", 5, "0.6 CCD with")];
    for (asset, held, text) in cases {
        let world = World::start().await;
        tweak(&world, |offer| offer["asset"] = json!("EURR"));
        world.chain.state().balances.insert(asset, held);
        let options = Options { limits: limits.clone(), ..world.options() };
        let error = must_not_pay(&world, options).await;
        assert_eq!(error.code(), "insufficient_funds");
        assert!(error.to_string().contains(text), "{error}");
    }
}

#[tokio::test]
async fn without_a_limit_and_without_anyone_to_ask_nothing_is_paid() {
    let world = World::start().await;
    let options = Options { limits: Vec::new(), ..world.options() };
    assert_eq!(must_not_pay(&world, options).await.code(), "no_limit");
}

struct Says {
    yes: bool,
    thinks: Option<(Clock, TimeDelta)>,
}

#[async_trait]
impl Consent for Says {
    async fn consents(&self, quote: &Quote) -> bool {
        assert_eq!(quote.amount, "1.5");
        if let Some((clock, time)) = &self.thinks {
            clock.advance(*time);
        }
        self.yes
    }
}

#[tokio::test]
async fn whoever_is_asked_decides() {
    let world = World::start().await;
    let asks = |yes| Options {
        limits: Vec::new(),
        consent: Some(Arc::new(Says { yes, thinks: None })),
        ..world.options()
    };
    assert_eq!(must_not_pay(&world, asks(false)).await.code(), "declined");
    world.run_with(asks(true)).await.unwrap();
}

#[tokio::test]
async fn who_thinks_until_the_challenge_closes_pays_nothing() {
    let world = World::start().await;
    let thinks = Some((world.clock.clone(), TimeDelta::seconds(290)));
    let consent = Arc::new(Says { yes: true, thinks });
    let options = Options { consent: Some(consent), ..world.options() };
    assert_eq!(must_not_pay(&world, options).await.code(), "challenge_expired");
}

#[tokio::test]
async fn requests_that_cannot_be_paid_for_are_not_made() {
    let long = format!("https://example.com/{}", "x".repeat(3_000));
    for url in ["", "ftp://example.com/", "https://me:secret@example.com/", &long] {
        assert_eq!(Request::get(url).unwrap_err().code(), "invalid_request", "{url}");
    }
    let get = || Request::get("https://example.com/#part").unwrap();
    assert_eq!(get().url.as_str(), "https://example.com/");
    let value = http::HeaderValue::from_static("mine");
    for name in ["x-payment", "payment-signature"] {
        let name = http::HeaderName::from_static(name);
        assert!(get().header(name, value.clone()).is_err());
    }
    assert!(get().body(vec![0; crate::payer::request::BODY_BYTES_MAX + 1]).is_err());
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named_as_the_reason() {
    let world = World::start().await;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    let error = world.payer(world.options()).get(&url).await.unwrap_err();
    assert_eq!(error.code(), "resource_unreachable", "{error}");
}
