//! `/v1/webhooks`: who is told of a tenant's verifications; and the messages that are sent.

use ccd402_app::webhooks::deliveries::VERIFICATIONS_MAX;
use ccd402_app::webhooks::manage::PAGE_MAX;
use ccd402_domain::key::scope::Scope;
use ccd402_domain::webhook::transition::Transition;
use ccd402_protocol::code::ReasonCode as C;
use schemars::SchemaGenerator;
use serde_json::{Value, json};

use super::operation::{Body, Operation};
use super::verifications::example_verification;
use super::{Access, example, text};
use crate::wire::webhooks::{
    Delivery, DeliveryPage, Message, NewWebhook, Ping, Pinged, ShownWebhook, WebhookChanges,
    WebhookPage, WebhookWithSecret,
};

const TAG: &str = "webhooks";
const ONE: &str = "/v1/webhooks/{id}";

pub(super) fn operations(schemas: &mut SchemaGenerator) -> Vec<Operation> {
    vec![
        create(schemas),
        list(schemas),
        show(schemas),
        change(schemas),
        delete(),
        rotate_secret(schemas),
        ping(schemas),
        deliveries(schemas),
        redeliver(schemas),
    ]
}

/// What receivers are sent, as OpenAPI 3.1 describes requests that come in.
pub(super) fn messages(schemas: &mut SchemaGenerator) -> Value {
    let told = json!({
        "type": Transition::Confirmed, "timestamp": example::TIME,
        "data": { "position": 17, "verification": example_verification() },
    });
    let ping = json!({ "type": "webhook.ping", "timestamp": example::TIME, "data": {} });
    json!({
        "verification": { "post": message(
            ("receiveVerification", "What happened to a verification"),
            &Body::json::<Message<'_>>(schemas, told),
        ) },
        "ping": { "post": message(
            ("receivePing", "Nothing happened; the way is tried"),
            &Body::json::<Ping>(schemas, ping),
        ) },
    })
}

fn message((id, summary): (&str, &str), body: &Body) -> Value {
    let header = |name: &str, about: &str| {
        json!({
            "in": "header", "name": name, "required": true,
            "schema": { "type": "string" }, "description": about,
        })
    };
    json!({
        "operationId": id,
        "tags": [TAG],
        "summary": summary,
        "description": "Signed as the Standard Webhooks specification says. Answer with a status \
                        from 200 to 299 within 15 s; with 410 to hear nothing more.",
        "security": [],
        "parameters": [
            header("webhook-id", "The same for a message that is sent again."),
            header("webhook-timestamp", "When it is sent, in seconds since 1970."),
            header("webhook-signature", "One signature for each secret that is valid."),
        ],
        "requestBody": {
            "required": true,
            "content": { body.media: { "schema": body.schema, "example": body.example } },
        },
        "responses": { "2XX": { "description": "It is taken." } },
    })
}

fn create(schemas: &mut SchemaGenerator) -> Operation {
    let about = "Of the caller's tenant, told of what happens from now on. The answer has the \
                 secret, `secret`: the only time that it is shown.";
    let key = "The same call under the same key hears the same answer for a day.";
    let asked = json!({
        "url": "https://shop.example/hooks/ccd402", "description": "the till",
        "types": [Transition::Confirmed, Transition::Failed],
    });
    Operation::new(("post", "/v1/webhooks"), ("createWebhook", TAG), ("Make a webhook", about))
        .access(Access::Scopes("submit and read"))
        .parameter(("header", "Idempotency-Key"), &text("1 to 255 visible ASCII characters."), key)
        .body(Body::json::<NewWebhook>(schemas, asked))
        .common()
        .answer(201, "The webhook.", Some(with_secret(schemas)))
        .problems(&[
            (408, &[C::MalformedRequest]),
            (409, &[C::WebhookLimitReached, C::IdempotencyKeyReused]),
            (422, &[C::WebhookUrlRefused]),
        ])
}

fn list(schemas: &mut SchemaGenerator) -> Operation {
    let about = "In the order of their ids, without their secrets. With `operate` all tenants'.";
    let limit = json!({ "type": "integer", "minimum": 1, "maximum": PAGE_MAX, "default": 100 });
    let page = json!({ "webhooks": [shown()] });
    Operation::new(("get", "/v1/webhooks"), ("listWebhooks", TAG), ("List webhooks", about))
        .access(Access::Scope(Scope::Read))
        .query("after", &uuid(), "Webhooks after this one: `next` of the page before.")
        .query("limit", &limit, "Webhooks of one page.")
        .common()
        .answer(200, "A page.", Some(Body::json::<WebhookPage<'_>>(schemas, page)))
}

fn show(schemas: &mut SchemaGenerator) -> Operation {
    let about = "As it stands, without its secret.";
    Operation::new(("get", ONE), ("showWebhook", TAG), ("One webhook", about))
        .access(Access::Scope(Scope::Read))
        .common()
        .answer(200, "The webhook.", Some(Body::json::<ShownWebhook<'_>>(schemas, shown())))
        .problems(&[(404, &[C::WebhookNotFound])])
}

fn change(schemas: &mut SchemaGenerator) -> Operation {
    let about = "What is absent stays. `enabled` says whether it is told; what happened while it \
                 was not is told once it is again.";
    let body = Body::json::<WebhookChanges>(schemas, json!({ "enabled": true }));
    managed(Operation::new(("patch", ONE), ("changeWebhook", TAG), ("Change a webhook", about)))
        .body(body)
        .answer(200, "The webhook.", Some(Body::json::<ShownWebhook<'_>>(schemas, shown())))
        .problems(&[(408, &[C::MalformedRequest]), (422, &[C::WebhookUrlRefused])])
}

fn delete() -> Operation {
    let about = "For good; what is under way to it may still arrive.";
    managed(Operation::new(("delete", ONE), ("deleteWebhook", TAG), ("Delete a webhook", about)))
        .answer(204, "It is gone.", None)
}

fn rotate_secret(schemas: &mut SchemaGenerator) -> Operation {
    let about = "The answer has the new secret: the only time that it is shown. The former one \
                 signs for 24 hours more, beside it.";
    managed(Operation::new(
        ("post", "/v1/webhooks/{id}/rotate-secret"),
        ("rotateWebhookSecret", TAG),
        ("Take a new secret", about),
    ))
    .answer(200, "The webhook.", Some(with_secret(schemas)))
}

fn ping(schemas: &mut SchemaGenerator) -> Operation {
    let about = "Sends a signed message that tells of nothing, also where it is disabled. Nothing \
                 of it is recorded.";
    let came = json!({ "status": 204, "taken": true, "durationMs": 41 });
    managed(Operation::new(
        ("post", "/v1/webhooks/{id}/ping"),
        ("pingWebhook", TAG),
        ("Try the way", about),
    ))
    .answer(200, "What came back.", Some(Body::json::<Pinged>(schemas, came)))
}

fn deliveries(schemas: &mut SchemaGenerator) -> Operation {
    let about = "Each try with its answer, in the order of verifications, and within one as they \
                 happened. `outcome` filters within a page, which may be empty then.";
    let limit = json!({
        "type": "integer", "minimum": 1, "maximum": VERIFICATIONS_MAX, "default": VERIFICATIONS_MAX,
    });
    let outcomes = json!({ "type": "string", "enum": ["delivered", "failed", "given_up"] });
    let page = json!({ "deliveries": [tried()] });
    Operation::new(
        ("get", "/v1/webhooks/{id}/deliveries"),
        ("listDeliveries", TAG),
        ("What was sent, and what it answered", about),
    )
    .access(Access::Scope(Scope::Read))
    .query("verification", &uuid(), "Only of this verification.")
    .query("outcome", &outcomes, "Only what came to this.")
    .query("after", &uuid(), "Of verifications after this one: `next` of the page before.")
    .query("limit", &limit, "Verifications of one page.")
    .common()
    .answer(200, "A page.", Some(Body::json::<DeliveryPage>(schemas, page)))
    .problems(&[(404, &[C::WebhookNotFound])])
}

fn redeliver(schemas: &mut SchemaGenerator) -> Operation {
    let about = "Sends the event at a position now, whatever became of it before, also where the \
                 webhook is disabled; not before an earlier one of its verification.";
    managed(Operation::new(
        ("post", "/v1/webhooks/{id}/deliveries/{position}/redeliver"),
        ("redeliver", TAG),
        ("Send an event again", about),
    ))
    .answer(200, "What came of it.", Some(Body::json::<Delivery>(schemas, tried())))
    .problems(&[(404, &[C::WebhookNotFound, C::DeliveryNotFound]), (409, &[C::DeliveryOutOfOrder])])
}

/// An operation that changes or tries a webhook.
fn managed(operation: Operation) -> Operation {
    let operation = operation.access(Access::Scopes("submit and read, or operate")).common();
    operation.problems(&[(404, &[C::WebhookNotFound])])
}

fn with_secret(schemas: &mut SchemaGenerator) -> Body {
    let mut made = shown();
    made["secret"] = "whsec_<Base64>".into();
    Body::json::<WebhookWithSecret<'_>>(schemas, made)
}

fn shown() -> Value {
    json!({
        "id": example::ID, "tenant": "shop", "url": "https://shop.example/hooks/ccd402",
        "description": "the till", "types": [Transition::Confirmed, Transition::Failed],
        "status": "enabled", "since": 17, "secretNumber": 1, "createdAt": example::TIME,
    })
}

fn tried() -> Value {
    json!({
        "position": 17, "verification": example::ID, "type": Transition::Confirmed, "attempt": 1,
        "status": 204, "durationMs": 41, "at": example::TIME, "outcome": "delivered",
    })
}

fn uuid() -> Value {
    json!({ "type": "string", "format": "uuid" })
}
