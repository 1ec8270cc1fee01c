//! `/v1/stream`, `/v1/events` and the events of one verification: reading the log.

use ccd402_app::ports::log::READ_EVENTS_MAX;
use ccd402_domain::event::Event;
use ccd402_domain::key::scope::Scope;
use ccd402_protocol::code::ReasonCode as C;
use schemars::SchemaGenerator;
use serde_json::{Value, json};

use super::operation::{Body, Operation};
use super::{Access, example};
use crate::wire::check::Step;
use crate::wire::event::{EventTold, History};

const TAG: &str = "log";

pub(super) fn operations(schemas: &mut SchemaGenerator) -> Vec<Operation> {
    vec![history(schemas), stream(schemas), lines(), check(schemas)]
}

fn history(schemas: &mut SchemaGenerator) -> Operation {
    let events = json!({ "verification": example::ID, "asOf": 17, "events": [told()] });
    Operation::new(
        ("get", "/v1/verifications/{id}/events"),
        ("listVerificationEvents", TAG),
        ("What happened to a verification", "Its events, oldest first. Proofs are not in them."),
    )
    .access(Access::Scope(Scope::Read))
    .min_position()
    .common()
    .answer(200, "The events.", Some(Body::json::<History<'_>>(schemas, events)))
    .problems(&[(404, &[C::VerificationNotFound])])
}

fn stream(schemas: &mut SchemaGenerator) -> Operation {
    let about = "Server-sent events whose ids are log positions: a reader that comes back with \
                 `Last-Event-ID` misses nothing. Each message's data is an EventTold. Silence is \
                 broken by comments. With `read` the tenant's verifications, with `operate` all.";
    schemas.subschema_for::<EventTold<'_>>();
    let names = json!({ "type": "array", "items": { "type": "string", "enum": Event::NAMES } });
    let statuses = json!({ "type": "string", "enum": ["pending", "confirmed", "failed"] });
    let text = |pattern: &str| json!({ "type": "string", "pattern": pattern });
    let hash = text("^[0-9a-fA-F]{64}$");
    let account = text("^[1-9A-HJ-NP-Za-km-z]{50}$");
    let uuid = json!({ "type": "string", "format": "uuid" });
    let message = format!("id: 17\nevent: VerificationConfirmed\ndata: {}\n\n", told());
    Operation::new(("get", "/v1/stream"), ("streamEvents", TAG), ("Events as they happen", about))
        .access(Access::Scope(Scope::Read))
        .parameter(("header", "Last-Event-ID"), &position(), "The last position that was read.")
        .query("after", &position(), "As Last-Event-ID, for the first connection.")
        .query("type", &names, "Only these types; repeat it for several.")
        .query("status", &statuses, "Only events that lead to this status.")
        .query("verification", &uuid, "Only this verification.")
        .query("payTo", &account, "Only payments to this account.")
        .query("payer", &account, "Only payments of this account.")
        .query("transaction", &hash, "Only this transaction.")
        .common()
        .answer(200, "The stream.", Some(media("text/event-stream", message)))
}

fn lines() -> Operation {
    let about = "Stored lines, each a CloudEvent with its hash and the hash before: whoever has all \
                 can check them with nothing but a SHA-256. X-Ccd402-Head is the newest position.";
    let limit =
        json!({ "type": "integer", "minimum": 1, "maximum": READ_EVENTS_MAX, "default": 1000 });
    let line = format!("{}\n", json!({ "specversion": "1.0", "position": 17, "data": {} }));
    Operation::new(("get", "/v1/events"), ("exportEvents", TAG), ("The log as it is stored", about))
        .access(Access::Scope(Scope::Operate))
        .query("after", &position(), "Lines after this position.")
        .query("limit", &limit, "Lines of one answer.")
        .common()
        .answer(200, "Lines of JSON.", Some(media("application/x-ndjson", line)))
}

fn check(schemas: &mut SchemaGenerator) -> Operation {
    let about = "Checks every hash and link, and tells how far it is: a line of JSON a step, each \
                 a Step. One check at a time.";
    schemas.subschema_for::<Step>();
    let line = format!("{}\n", json!({ "status": "whole", "position": 17, "hash": "…" }));
    Operation::new(("post", "/v1/events:verify"), ("verifyLog", TAG), ("Check the log", about))
        .access(Access::Scope(Scope::Operate))
        .query("after", &position(), "Begin after this position.")
        .common()
        .answer(200, "The steps.", Some(media("application/x-ndjson", line)))
}

fn told() -> Value {
    json!({
        "position": 17, "type": "VerificationConfirmed", "time": example::TIME,
        "verification": example::ID, "stream": format!("verification-{}", example::ID),
        "version": 2, "data": {},
    })
}

fn position() -> Value {
    json!({ "type": "integer", "format": "uint64", "minimum": 0 })
}

pub(super) fn media(media: &'static str, example: String) -> Body {
    Body { media, schema: json!({ "type": "string" }), example: Value::String(example) }
}
