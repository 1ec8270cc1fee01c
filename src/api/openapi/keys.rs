//! `/v1/keys`: who may call, for the operator.

use ccd402_app::keys::PAGE_MAX;
use ccd402_domain::key::scope::Scope;
use ccd402_protocol::code::ReasonCode as C;
use schemars::SchemaGenerator;
use serde_json::{Value, json};

use super::operation::{Body, Operation};
use super::{Access, example};
use crate::wire::keys::{CreatedKey, KeyPage, NewKey, ShownKey};

const TAG: &str = "keys";

pub(super) fn operations(schemas: &mut SchemaGenerator) -> Vec<Operation> {
    vec![create(schemas), list(schemas), revoke(schemas)]
}

fn create(schemas: &mut SchemaGenerator) -> Operation {
    let about = "The answer has the key's text, `key`: the only time that it is shown.";
    let asked = json!({
        "tenant": "shop", "name": "the gate", "scopes": ["submit", "read"],
        "limits": { "rate": 100 },
    });
    let mut made = shown();
    made["key"] = "ccd402_<id>_<secret>".into();
    Operation::new(("post", "/v1/keys"), ("createKey", TAG), ("Make a key", about))
        .access(Access::Scope(Scope::Operate))
        .body(Body::json::<NewKey>(schemas, asked))
        .common()
        .answer(201, "The key.", Some(Body::json::<CreatedKey<'_>>(schemas, made)))
        .problems(&[
            (408, &[C::MalformedRequest]),
            (409, &[C::KeyLimitReached]),
            (413, &[C::RequestTooLarge]),
            (415, &[C::MalformedRequest]),
        ])
}

fn list(schemas: &mut SchemaGenerator) -> Operation {
    let about = "Oldest first, revoked ones included, without their secrets.";
    let limit = json!({ "type": "integer", "minimum": 1, "maximum": PAGE_MAX, "default": 100 });
    let id = json!({ "type": "string", "format": "uuid" });
    let page = json!({ "keys": [shown()] });
    Operation::new(("get", "/v1/keys"), ("listKeys", TAG), ("List keys", about))
        .access(Access::Scope(Scope::Operate))
        .query("after", &id, "Keys after this one: `next` of the page before.")
        .query("limit", &limit, "Keys of one page.")
        .common()
        .answer(200, "A page.", Some(Body::json::<KeyPage<'_>>(schemas, page)))
}

fn revoke(schemas: &mut SchemaGenerator) -> Operation {
    let about = "It is refused from the next request on. Revoking again changes nothing.";
    let mut revoked = shown();
    revoked["revokedAt"] = example::TIME.into();
    Operation::new(("delete", "/v1/keys/{id}"), ("revokeKey", TAG), ("Take a key back", about))
        .access(Access::Scope(Scope::Operate))
        .common()
        .answer(200, "The key.", Some(Body::json::<ShownKey<'_>>(schemas, revoked)))
        .problems(&[(404, &[C::KeyNotFound])])
}

fn shown() -> Value {
    json!({
        "id": example::ID, "prefix": "ccd402_019aa9f253f87c3a", "tenant": "shop",
        "name": "the gate", "scopes": ["submit", "read"],
        "limits": { "rate": 100, "burst": 2000, "inFlight": 1024 }, "createdAt": example::TIME,
    })
}
