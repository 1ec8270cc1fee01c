//! `/v1/verifications`: payments handed in asynchronously.

use ccd402_app::batch::BATCH_ITEMS_MAX;
use ccd402_domain::key::scope::Scope;
use ccd402_protocol::code::ReasonCode as C;
use ccd402_protocol::facilitator::VerifyRequest;
use schemars::SchemaGenerator;
use serde_json::{Value, json};

use super::operation::{Body, JSON, Operation};
use super::{Access, example, text};
use crate::wire;

const TAG: &str = "verifications";

pub(super) fn operations(schemas: &mut SchemaGenerator) -> Vec<Operation> {
    vec![submit(schemas), show(schemas), release(schemas)]
}

fn submit(schemas: &mut SchemaGenerator) -> Operation {
    let about = "Takes a payment in and answers at once, durable; the outcome comes later. Each \
                 submission is a verification of its own. An array, or lines of JSON, is a batch \
                 of up to 1,000: one durable commit, an answer for each item. For the key's rate it \
                 counts as so many requests.";
    let accepted = json!({
        "id": example::ID, "status": "pending",
        "statusUrl": format!("/v1/verifications/{}", example::ID),
    });
    let key = "A repeat under the same key is recognised, and told what became of it; in a batch \
               item by item.";
    let batch = json!({
        "accepted": 1, "repeated": 0, "refused": 1,
        "results": [
            { "index": 0, "status": "accepted", "id": example::ID,
              "statusUrl": format!("/v1/verifications/{}", example::ID) },
            { "index": 1, "status": "refused", "code": "challenge_expired",
              "detail": "The challenge has expired" },
        ],
    });
    Operation::new(
        ("post", "/v1/verifications"),
        ("submitVerification", TAG),
        ("Hand a payment in", about),
    )
    .access(Access::Scope(Scope::Submit))
    .parameter(("header", "Idempotency-Key"), &text("1 to 255 visible ASCII characters."), key)
    .bodies(vec![one_or_many(schemas), lines()])
    .common()
    .answer(202, "Taken in: one, or a batch.", Some(one_of(schemas, accepted, batch)))
    .answer(200, "A repeat of what is decided.", Some(verification(schemas)))
    .problems(&[
        (409, &[C::IdempotencyKeyReused]),
        (422, &[C::InvalidPayload, C::InvalidPaymentRequirements, C::ChallengeExpired]),
        (429, &[C::RateLimited, C::TooManyInFlight, C::TooManyWaiting]),
    ])
}

fn one_or_many(schemas: &mut SchemaGenerator) -> Body {
    let one = Value::from(schemas.subschema_for::<VerifyRequest>());
    let many = json!({ "type": "array", "items": one, "minItems": 1, "maxItems": BATCH_ITEMS_MAX });
    Body { media: JSON, schema: json!({ "anyOf": [one, many] }), example: example::request() }
}

fn lines() -> Body {
    let schema = json!({ "type": "string", "description": "One request a line." });
    let example = Value::String(example::request().to_string());
    Body { media: "application/x-ndjson", schema, example }
}

fn one_of(schemas: &mut SchemaGenerator, accepted: Value, batch: Value) -> Body {
    let one = Body::json::<wire::Accepted<'_>>(schemas, accepted);
    let many = Body::json::<wire::Batch>(schemas, batch);
    let many = json!({ "allOf": [many.schema], "examples": [many.example] });
    Body { media: JSON, schema: json!({ "anyOf": [one.schema, many] }), example: one.example }
}

fn show(schemas: &mut SchemaGenerator) -> Operation {
    let wait = "Waits for the outcome: `30s`, or a number of seconds.";
    let mut example = example_verification();
    example["asOf"] = 17.into();
    let shown = Body::json::<wire::Shown<'_>>(schemas, example);
    Operation::new(
        ("get", "/v1/verifications/{id}"),
        ("showVerification", TAG),
        ("One verification", "As the log tells it now; with `wait`, as it stands once decided."),
    )
    .access(Access::Scope(Scope::Read))
    .query("wait", &json!({ "type": "string", "example": "30s" }), wait)
    .min_position()
    .common()
    .answer(200, "The verification.", Some(shown))
    .problems(&[(404, &[C::VerificationNotFound])])
}

fn release(schemas: &mut SchemaGenerator) -> Operation {
    let body = json!({ "reservation": "5f0c1f3e-2b0a-4b61-9d0e-6a3f7c45d402" });
    Operation::new(
        ("post", "/v1/verifications/{id}/release"),
        ("releaseReservation", TAG),
        (
            "Give a reservation back",
            "Ends the hold of a `/verify`, so that the payer can try again at once. Ending it \
             again changes nothing.",
        ),
    )
    .access(Access::Scope(Scope::Submit))
    .body(Body::json::<wire::Release>(schemas, body))
    .common()
    .answer(204, "It is given back.", None)
    .problems(&[(404, &[C::VerificationNotFound]), (409, &[C::ReservationNotHeld])])
}

fn verification(schemas: &mut SchemaGenerator) -> Body {
    Body::json::<wire::Verification<'_>>(schemas, example_verification())
}

/// A confirmed one.
pub(super) fn example_verification() -> Value {
    json!({
        "id": example::ID,
        "status": "confirmed",
        "statusUrl": format!("/v1/verifications/{}", example::ID),
        "payment": {
            "network": example::NETWORK, "transaction": example::TRANSACTION,
            "payer": example::payer(), "payTo": example::pay_to(),
            "asset": "CCD", "amount": "500000",
            "resource": { "method": "GET", "url": "https://example.com/report" },
        },
        "block": { "height": 1024, "hash": example::TRANSACTION, "time": example::TIME },
        "usage": "free",
        "version": 2,
        "requestedAt": example::TIME,
    })
}
