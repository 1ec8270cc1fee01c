//! The whole API as an OpenAPI 3.1 document, made from the types that the routes read and write.
//!
//! What a route does is said beside its group, in the files here; nothing is generated from handlers.
//! A test compares the routes with the operations.

mod example;
mod jobs;
mod keys;
mod log;
mod operation;
mod verifications;
mod webhooks;
mod x402;

use ccd402_domain::key::scope::Scope;
use ccd402_protocol::code::ReasonCode;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::Serialize;
use serde_json::{Map, Value, json};

use self::operation::Operation;

/// Who may call an operation.
#[derive(Clone, Copy)]
enum Access {
    /// Everybody.
    Open,
    /// Who holds a key of this scope.
    Scope(Scope),
    /// Who holds a key of several scopes, in words.
    Scopes(&'static str),
}

impl Access {
    fn as_str(self) -> &'static str {
        match self {
            Self::Open => "none",
            Self::Scope(scope) => scope.as_str(),
            Self::Scopes(words) => words,
        }
    }

    fn security(self) -> Value {
        match self {
            Self::Open => json!([]),
            Self::Scope(_) | Self::Scopes(_) => json!([{ "key": [] }]),
        }
    }
}

/// Problem details, RFC 9457.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Problem {
    /// A page about the code, relative to this server.
    r#type: String,
    /// A short sentence for people.
    title: String,
    /// The status of the answer.
    status: u16,
    /// What is wrong this time.
    detail: String,
    /// Stable, for programs.
    code: ReasonCode,
    /// What to quote to the operator.
    request_id: String,
    /// Whether the same request may succeed later.
    retryable: bool,
}

/// The document.
#[must_use]
pub fn document() -> Value {
    let settings = SchemaSettings::draft2020_12()
        .with(|settings| settings.definitions_path = "/components/schemas".into())
        .for_serialize();
    let mut schemas = settings.into_generator();
    schemas.subschema_for::<Problem>();
    let groups = [
        x402::operations,
        verifications::operations,
        log::operations,
        jobs::operations,
        keys::operations,
        webhooks::operations,
    ];
    let mut paths: Map<String, Value> = Map::new();
    for operation in groups.iter().flat_map(|group| group(&mut schemas)) {
        let Operation { method, path, .. } = operation;
        paths.entry(path).or_insert_with(|| json!({}))[method] = operation.into_value();
    }
    let messages = webhooks::messages(&mut schemas);
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "ccd402",
            "summary": "x402 Verify & Pay on Concordium: the facilitator.",
            "description": ABOUT,
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "tags": TAGS.map(|(name, about)| json!({ "name": name, "description": about })),
        "paths": paths,
        "webhooks": messages,
        "components": {
            "schemas": schemas.take_definitions(true),
            "securitySchemes": { "key": {
                "type": "http", "scheme": "bearer",
                "description": "An API key. On a loopback address none is needed by default.",
            } },
        },
    })
}

const ABOUT: &str = "Tells resource servers whether a payment is good: for this very request, \
    finally, and for the first time. Native routes live under /v1 and answer problem details \
    (RFC 9457); /verify, /settle and /supported are x402's own.";

const TAGS: [(&str, &str); 6] = [
    ("x402", "The facilitator interface of the x402 specification, versions 1 and 2."),
    ("verifications", "Payments handed in asynchronously, and what became of them."),
    ("log", "The event log: the truth from which everything else is derived."),
    ("jobs", "The job queue: what is still to be done, and what failed for good."),
    ("keys", "API keys: who may call, as whom, and for what."),
    ("webhooks", "Who is told what happens to a tenant's verifications, signed and in order."),
];

/// A schema of a text with an example's name.
fn text(description: &str) -> Value {
    json!({ "type": "string", "description": description })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Pages, not operations of a program.
    const PAGES: [&str; 5] = ["/docs", "/docs/", "/docs/{file}", "/errors/{code}", "/openapi.json"];

    #[test]
    fn every_route_is_described_and_every_description_has_its_route() {
        let routes = include_str!("../lib.rs").split(".route(\"").skip(1);
        let routes = routes.filter_map(|rest| rest.split('"').next());
        let routes: BTreeSet<_> = routes.filter(|route| !PAGES.contains(route)).collect();
        let document = document();
        let described = document["paths"].as_object().unwrap().keys().map(String::as_str);
        assert_eq!(described.collect::<BTreeSet<_>>(), routes);
    }

    #[test]
    fn every_reference_has_its_schema_and_every_operation_its_own_id() {
        let document = document();
        let text = document.to_string();
        for reference in text.split("\"#/components/schemas/").skip(1) {
            let name = reference.split('"').next().unwrap();
            assert!(document["components"]["schemas"][name].is_object(), "{name}");
        }
        let paths = document["paths"].as_object().unwrap().values();
        let operations = paths.flat_map(|path| path.as_object().unwrap().values());
        let mut ids: Vec<_> = operations.map(|found| found["operationId"].to_string()).collect();
        let count = ids.len();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), count);
    }
}
