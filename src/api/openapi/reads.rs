//! `/v1/verifications` as a list, `/v1/stats`, and what operators do with the read model.

use ccd402_app::ports::read_model::PAGE_ROWS_MAX;
use ccd402_domain::key::scope::Scope;
use ccd402_protocol::code::ReasonCode as C;
use schemars::SchemaGenerator;
use serde_json::{Value, json};

use super::log::media;
use super::operation::{Body, Operation};
use super::verifications::example_verification;
use super::{Access, example};
use crate::routes::list::LIMIT_DEFAULT;
use crate::wire::list::VerificationPage;
use crate::wire::projections::{CompareStep, RebuildStep};
use crate::wire::stats::Stats;

const TAG: &str = "reads";

pub(super) fn operations(schemas: &mut SchemaGenerator) -> Vec<Operation> {
    vec![list(schemas), stats(schemas), rebuild(schemas), compare(schemas)]
}

fn list(schemas: &mut SchemaGenerator) -> Operation {
    let about = "Newest first, a page at a time. With `read` the tenant's, with `operate` all. \
                 Pages that are read while verifications are made neither repeat nor skip one.";
    let mut item = example_verification();
    item["tenant"] = "shop".into();
    item["decidedAt"] = example::TIME.into();
    item["changed"] = 17.into();
    let page = json!({ "asOf": 17, "verifications": [item] });
    let limit = json!({
        "type": "integer", "minimum": 1, "maximum": PAGE_ROWS_MAX, "default": LIMIT_DEFAULT,
    });
    let cursor = "`next` of the page before; every filter must be the same again.";
    let operation = Operation::new(
        ("get", "/v1/verifications"),
        ("listVerifications", TAG),
        ("List verifications", about),
    );
    filters(operation.access(Access::Scope(Scope::Read)))
        .query("cursor", &json!({ "type": "string", "pattern": "^[0-9a-f]{72}$" }), cursor)
        .query("limit", &limit, "Verifications of one page.")
        .common_as_of()
        .answer(200, "A page.", Some(Body::json::<VerificationPage<'_>>(schemas, page)))
}

fn stats(schemas: &mut SchemaGenerator) -> Operation {
    let about = "Totals, and groups by recipient, resource and time; refusals by code; how long \
                 confirmations took. The same log gives the same answer at any time, but for `lag`. \
                 A cell of the table that a spreadsheet would take for a formula has a `'` in front.";
    let group = json!({
        "network": example::NETWORK, "asset": "CCD", "status": "confirmed", "count": 2,
        "amount": "1000000",
    });
    let with = |name: &str, value: Value| {
        let mut group = group.clone();
        group[name] = value;
        json!({ "groups": [group], "isCut": false })
    };
    let told = json!({
        "asOf": 17, "step": "hour", "totals": [group],
        "byPayTo": with("payTo", example::pay_to().into()),
        "byResource": with("resource", "https://example.com/report".into()),
        "byTime": with("begins", example::TIME.into()),
        "refusals": [{ "code": "payment_not_bound", "count": 1 }],
        "finality": { "count": 2, "p50Ms": 4000, "p90Ms": 9000, "p99Ms": 9000 },
    });
    let sheet = "table,key,network,asset,status,count,amount,milliseconds\r\nasOf,17,,,,,,\r\n";
    let steps = json!({ "type": "string", "enum": ["minute", "hour", "day"], "default": "hour" });
    let formats = json!({ "type": "string", "enum": ["json", "csv"] });
    let lag = "Tells also what does not follow from the log: how far the answer lags behind it, and \
               how many jobs wait.";
    let operation = Operation::new(
        ("get", "/v1/stats"),
        ("stats", TAG),
        ("What verifications amount to", about),
    );
    filters(operation.access(Access::Scope(Scope::Read)))
        .query("step", &steps, "How wide the groups by time are.")
        .query("lag", &json!({ "type": "boolean", "default": false }), lag)
        .query("format", &formats, "Counts more than the Accept header, which may name text/csv.")
        .common_as_of()
        .answer(200, "The statistics.", Some(Body::json::<Stats<'_>>(schemas, told)))
        .or(200, media("text/csv", sheet.to_owned()))
}

/// What lists and statistics may be asked for.
fn filters(operation: Operation) -> Operation {
    let text = |pattern: &str| json!({ "type": "string", "pattern": pattern });
    let account = text("^[1-9A-HJ-NP-Za-km-z]{50}$");
    let time = json!({ "type": "string", "format": "date-time" });
    let statuses = json!({ "type": "string", "enum": ["pending", "confirmed", "failed"] });
    let tenant = "Only this tenant's; others than one's own only with `operate`.";
    operation
        .query("tenant", &text("^[a-z0-9][a-z0-9-]{0,62}$"), tenant)
        .query("status", &statuses, "Only those that stand so.")
        .query("payer", &account, "Only payments of this account, by this very address.")
        .query("payTo", &account, "Only payments to this account, by this very address.")
        .query("asset", &text("^[0-9A-Za-z.%-]{1,128}$"), "Only in CCD, or in this token.")
        .query("network", &text("^ccd:[0-9a-f]{32}$"), "Only on this network.")
        .query("resource", &json!({ "type": "string" }), "Only for this URL.")
        .query("transaction", &text("^[0-9a-fA-F]{64}$"), "Only by this transaction.")
        .query("from", &time, "Only those handed in then or later.")
        .query("to", &time, "Only those handed in before.")
}

fn rebuild(schemas: &mut SchemaGenerator) -> Operation {
    let about = "Folds the log again from its first event into rows beside those that are read, and \
                 puts them in their place: a line of JSON a step, each a RebuildStep. Who asks while \
                 that goes on is told of it; who stops listening stops nothing.";
    schemas.subschema_for::<RebuildStep>();
    let line = json!({ "status": "built", "position": 17 });
    Operation::new(
        ("post", "/v1/projections:rebuild"),
        ("rebuildProjections", TAG),
        ("Build the read model again", about),
    )
    .access(Access::Scope(Scope::Operate))
    .common()
    .answer(200, "The steps.", Some(media("application/x-ndjson", format!("{line}\n"))))
}

fn compare(schemas: &mut SchemaGenerator) -> Operation {
    let about = "Folds the log again from its first event and compares all rows with those that are \
                 read: a line of JSON a step, each a CompareStep. One at a time.";
    schemas.subschema_for::<CompareStep>();
    let line = json!({ "status": "equal", "position": 17, "rows": 5 });
    Operation::new(
        ("post", "/v1/projections:verify"),
        ("verifyProjections", TAG),
        ("Prove that replaying equals living", about),
    )
    .access(Access::Scope(Scope::Operate))
    .common()
    .problems(&[(503, &[C::ProjectionBehind, C::Overloaded, C::LogUnavailable])])
    .answer(200, "The steps.", Some(media("application/x-ndjson", format!("{line}\n"))))
}
