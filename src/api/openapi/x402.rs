//! `/verify`, `/settle`, `/supported`, `/discovery/resources` and `/health`, as x402 wants them.

use ccd402_app::discover::SKIP_MAX;
use ccd402_app::ports::read_model::RESOURCES_MAX;
use ccd402_domain::key::scope::Scope;
use ccd402_protocol::code::ReasonCode as C;
use ccd402_protocol::facilitator::{
    AssetResponse, HealthResponse, SettleResponse, SupportedResponse, VerifyRequest, VerifyResponse,
};
use schemars::SchemaGenerator;
use serde_json::{Value, json};

use super::operation::{Body, JSON, Operation};
use super::{Access, example, text};
use crate::ready::Ready;
use crate::routes::discovery::LIMIT_DEFAULT;
use crate::wire::discovery::DiscoveredResources;

const TAG: &str = "x402";
const KEYS: &str = "The same key and body hear the stored answer; another body is 409.";
const WAIT: &str = "`wait=N`: seconds to wait for finality (RFC 7240).";

pub(super) fn operations(schemas: &mut SchemaGenerator) -> Vec<Operation> {
    vec![
        verify(schemas),
        settle(schemas),
        supported(schemas),
        asset(schemas),
        discover(schemas),
        health(schemas),
        live(),
        ready(schemas),
    ]
}

fn verify(schemas: &mut SchemaGenerator) -> Operation {
    let about = "A refused payment is an answer: 200 with isValid false and a code. A payment by \
                 transaction hash is valid once. A sponsored one (`payload.signedTransaction`) is \
                 valid until it is settled: it is held for a while, so that no other takes its number \
                 or its money; `extra.reservation` gives the hold back by `/release`.";
    let answer = Body::json::<VerifyResponse>(
        schemas,
        json!({ "isValid": true, "payer": example::payer(), "extra": {
            "verification": example::ID,
            "statusUrl": format!("/v1/verifications/{}", example::ID),
        } }),
    );
    x402(("post", "/verify"), ("verify", "Whether a payment is good", about), schemas, answer)
}

fn settle(schemas: &mut SchemaGenerator) -> Operation {
    let about = "As /verify, and uses the payment up. It succeeds once. A sponsored payment is signed \
                 as sponsor, written down, sent and waited for; where the time runs out before it is \
                 final, the answer is `settlement_pending` with the hash, the settlement goes on, and \
                 the same call waits on. Transaction and network are named also where it fails.";
    let answer = Body::json::<SettleResponse>(
        schemas,
        json!({
            "success": true, "payer": example::payer(), "transaction": example::TRANSACTION,
            "network": "concordium-testnet", "amount": "500000",
        }),
    );
    x402(("post", "/settle"), ("settle", "Use a payment up", about), schemas, answer)
}

fn x402(
    route: (&'static str, &'static str),
    (id, summary, about): (&str, &str, &str),
    schemas: &mut SchemaGenerator,
    answer: Body,
) -> Operation {
    let refused = |status: u16| {
        let what = "The request could not be served; in x402's own shape, with `error` and `code`.";
        let schema = answer.schema.clone();
        let example = match id {
            "verify" => json!({ "isValid": false, "invalidReason": "unexpected_verify_error" }),
            _ => json!({ "success": false, "errorReason": "unexpected_settle_error" }),
        };
        (status, what, Body { media: JSON, schema, example })
    };
    let failures = [400, 401, 403, 409, 413, 415, 429, 431, 500, 503].map(refused);
    let operation = Operation::new(route, (id, TAG), (summary, about))
        .access(Access::Scope(Scope::Submit))
        .parameter(("header", "Idempotency-Key"), &text("1 to 255 visible ASCII characters."), KEYS)
        .parameter(("header", "Prefer"), &text("wait=30"), WAIT)
        .body(Body::json::<VerifyRequest>(schemas, example::request()))
        .answer(200, "Whether it is good, or why not.", Some(answer));
    failures.into_iter().fold(operation, |operation, (status, what, body)| {
        operation.answer(status, what, Some(body))
    })
}

fn supported(schemas: &mut SchemaGenerator) -> Operation {
    let about = "The ways to pay that this facilitator verifies, in both versions of x402. `feePayer` \
                 of a kind is the account that an offer of a sponsored payment names; `signers` are \
                 all such accounts.";
    let answer = json!({
        "kinds": [{
            "x402Version": 2, "scheme": "exact", "network": example::NETWORK,
            "extra": { "feePayer": example::pay_to() },
        }, {
            "x402Version": 2, "scheme": "exact", "network": example::NETWORK,
            "extra": { "assetTransferMethod": "transaction-hash", "paymentFlow": "upfront" },
        }],
        "extensions": ["concordium-identity", "payment-identifier", "bazaar"],
        "signers": { "ccd:*": [example::pay_to()] },
    });
    Operation::new(("get", "/supported"), ("supported", TAG), ("Ways to pay", about))
        .access(Access::Open)
        .answer(200, "What is supported.", Some(Body::json::<SupportedResponse>(schemas, answer)))
        .common()
}

fn asset(schemas: &mut SchemaGenerator) -> Operation {
    let about = "For whoever writes prices: an offer's amount is in units of which 10^decimals make \
                 one.";
    let answer = json!({ "network": example::NETWORK, "asset": "EURR", "decimals": 6 });
    let id = json!({ "type": "string", "maxLength": 128 });
    Operation::new(("get", "/v1/assets/{asset}"), ("asset", TAG), ("Decimals of an asset", about))
        .access(Access::Scopes("any"))
        .parameter(
            ("path", "asset"),
            &id,
            "`CCD`, or the id of a protocol-level token in any case.",
        )
        .answer(200, "As the chain has it.", Some(Body::json::<AssetResponse>(schemas, answer)))
        .common()
        .problems(&[(404, &[C::AssetNotFound]), (503, &[C::NodeUnavailable])])
}

fn discover(schemas: &mut SchemaGenerator) -> Operation {
    let about = "What was paid for and confirmed, and whose seller wants it to be found (extension \
                 `bazaar`), of all tenants; what was paid for last comes first. The texts are the \
                 sellers' and payers' own: show them, trust nothing, and ask the resource itself what \
                 it costs now. A page may repeat or skip what is paid for meanwhile.";
    let answer = json!({
        "x402Version": 2,
        "items": [{
            "resource": "https://example.com/report", "type": "http", "x402Version": 2,
            "accepts": [{
                "scheme": "exact", "network": example::NETWORK, "asset": "CCD",
                "amount": "500000", "payTo": example::pay_to(), "maxTimeoutSeconds": 300,
                "extra": {
                    "assetTransferMethod": "transaction-hash", "paymentFlow": "upfront",
                    "method": "GET",
                },
            }],
            "lastUpdated": example::TIME, "description": "Wine sales, weekly",
            "mimeType": "application/json", "metadata": { "method": "GET" },
        }],
        "pagination": { "limit": LIMIT_DEFAULT, "offset": 0, "total": 1 },
    });
    let limit = json!({
        "type": "integer", "minimum": 1, "maximum": RESOURCES_MAX, "default": LIMIT_DEFAULT,
    });
    let offset = json!({ "type": "integer", "minimum": 0, "maximum": SKIP_MAX, "default": 0 });
    let answer = Body::json::<DiscoveredResources<'_>>(schemas, answer);
    Operation::new(
        ("get", "/discovery/resources"),
        ("discover", TAG),
        ("Find what is for sale", about),
    )
    .access(Access::Open)
    .query("type", &json!({ "type": "string" }), "Only of this type; all there are is `http`.")
    .query("limit", &limit, "Resources of one page.")
    .query("offset", &offset, "Resources to skip.")
    .common()
    .problems(&[(503, &[C::ProjectionBehind, C::Overloaded])])
    .answer(200, "A page.", Some(answer))
}

fn health(schemas: &mut SchemaGenerator) -> Operation {
    let about = "One word. For probes of an orchestrator use /livez and /readyz.";
    let mut word = |status: &str| {
        let example: Value = json!({ "status": status });
        Some(Body::json::<HealthResponse>(schemas, example))
    };
    let (ok, amiss) = (word("ok"), word("node_unavailable"));
    Operation::new(("get", "/health"), ("health", TAG), ("Whether it can do its work", about))
        .access(Access::Open)
        .common()
        .problems(&[(431, &[C::RequestTooLarge])])
        .answer(200, "It can.", ok)
        .answer(503, "What is amiss.", amiss)
}

fn live() -> Operation {
    let body = Body { media: "text/plain", schema: text("ok"), example: "ok".into() };
    let about = "The process answers. Where it does not, start it again.";
    Operation::new(("get", "/livez"), ("live", TAG), ("Whether the process answers", about))
        .access(Access::Open)
        .common()
        .answer(200, "It does.", Some(body))
}

fn ready(schemas: &mut SchemaGenerator) -> Operation {
    let about = "Each part with its word: log, node, follower, projection. Where one does not work, \
                 send requests elsewhere.";
    let parts = |node: &str| json!({ "log": "ok", "node": node, "follower": "ok" });
    let mut body = |word: &str| {
        let example = json!({ "status": word, "parts": parts(word) });
        Some(Body::json::<Ready>(schemas, example))
    };
    let (ok, amiss) = (body("ok"), body("node_unavailable"));
    Operation::new(("get", "/readyz"), ("ready", TAG), ("Whether every part works", about))
        .access(Access::Open)
        .common()
        .answer(200, "Every part works.", ok)
        .answer(503, "What is amiss.", amiss)
}
