//! `/v1/jobs`: the job queue, for the operator.

use ccd402_domain::key::scope::Scope;
use ccd402_protocol::code::ReasonCode as C;
use schemars::SchemaGenerator;
use serde_json::{Value, json};

use super::operation::{Body, Operation};
use super::{Access, example};
use crate::routes::jobs::PAGE_MAX;
use crate::wire::jobs::{JobPage, ShownJob};

const TAG: &str = "jobs";

pub(super) fn operations(schemas: &mut SchemaGenerator) -> Vec<Operation> {
    vec![list(schemas), show(schemas), retry(schemas), remove(schemas)]
}

fn list(schemas: &mut SchemaGenerator) -> Operation {
    let about = "In the order of their ids, with how full the queue is. Dead letters (`status=dead`) \
                 failed for good: somebody must look.";
    let limit = json!({ "type": "integer", "minimum": 1, "maximum": PAGE_MAX, "default": 100 });
    let statuses =
        json!({ "type": "string", "enum": ["waiting", "running", "dead"], "default": "waiting" });
    let id = json!({ "type": "string", "format": "uuid" });
    let page = json!({ "jobs": [shown()], "waiting": 3, "dead": 1, "oldestDueSeconds": 0 });
    Operation::new(("get", "/v1/jobs"), ("listJobs", TAG), ("List jobs", about))
        .access(Access::Scope(Scope::Operate))
        .query("status", &statuses, "Where they stand.")
        .query("after", &id, "Jobs after this one: `next` of the page before.")
        .query("limit", &limit, "Jobs of one page.")
        .common()
        .answer(200, "A page.", Some(Body::json::<JobPage<'_>>(schemas, page)))
        .problems(&UNAVAILABLE)
}

fn show(schemas: &mut SchemaGenerator) -> Operation {
    one(("get", "/v1/jobs/{id}"), "showJob", ("Show a job", "As it stands in the queue."))
        .answer(200, "The job.", Some(Body::json::<ShownJob<'_>>(schemas, shown())))
        .problems(&[(404, &[C::JobNotFound])])
        .problems(&UNAVAILABLE)
}

fn retry(schemas: &mut SchemaGenerator) -> Operation {
    let about = "A waiting or dead job runs now, and its tries are forgotten.";
    one(("post", "/v1/jobs/{id}/retry"), "retryJob", ("Run a job now", about))
        .answer(200, "The job.", Some(Body::json::<ShownJob<'_>>(schemas, shown())))
        .problems(&[(404, &[C::JobNotFound]), (409, &[C::JobRunning])])
        .problems(&UNAVAILABLE)
}

fn remove(schemas: &mut SchemaGenerator) -> Operation {
    let about = "It is forgotten. What the log still calls for is decided all the same, later.";
    one(("delete", "/v1/jobs/{id}"), "dropJob", ("Drop a job", about))
        .answer(200, "The job, as it was.", Some(Body::json::<ShownJob<'_>>(schemas, shown())))
        .problems(&[(404, &[C::JobNotFound]), (409, &[C::JobRunning])])
        .problems(&UNAVAILABLE)
}

const UNAVAILABLE: [(u16, &[C]); 1] = [(503, &[C::QueueUnavailable, C::Overloaded])];

fn one(
    route: (&'static str, &'static str),
    id: &'static str,
    about: (&'static str, &'static str),
) -> Operation {
    Operation::new(route, (id, TAG), about).access(Access::Scope(Scope::Operate)).common()
}

fn shown() -> Value {
    json!({
        "id": example::ID, "kind": "check_identity", "verification": example::ID,
        "status": "dead", "attempts": 12, "runAt": example::TIME,
        "lastError": "no Concordium node can be reached: timed out",
    })
}
