//! The job queue by HTTP: seen, retried and dropped by operators alone.

use ccd402_app::contract::queue::job;
use ccd402_app::ports::log::{EventLog as _, StreamId};
use ccd402_app::ports::queue::{Job, JobQueue as _};
use ccd402_domain::event::Event;
use ccd402_domain::operator::{Action, OperatorActed};
use ccd402_workers::queue::{Settled, Worked as _, Worker};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{TestApi, answer};

/// A worker holds the job from now on.
async fn taken(api: &TestApi, job: Job) -> ccd402_workers::queue::Taken {
    api.jobs.push(&[job]).await.unwrap();
    let worker = Worker::new(job.kind());
    api.jobs.register(&worker).await.unwrap();
    let taken = api.jobs.fetch(&worker, 1).await.unwrap().pop().unwrap();
    api.jobs.begin(&taken).await.unwrap().unwrap();
    taken
}

/// The job failed for good.
async fn dead(api: &TestApi, job: Job) {
    let taken = taken(api, job).await;
    api.jobs.settle(&taken, &Settled::Dead { why: "it broke".to_owned() }).await.unwrap();
}

async fn listed(api: &TestApi, query: &str) -> Value {
    let (status, page) = answer(api.get(&format!("/v1/jobs{query}"))).await;
    assert_eq!(status, StatusCode::OK, "{page}");
    page
}

fn ids(page: &Value) -> Vec<&str> {
    page["jobs"].as_array().unwrap().iter().map(|job| job["id"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_is_seen_retried_and_dropped() {
    let api = TestApi::start().await;
    dead(&api, job(1)).await;
    api.jobs.push(&[job(2)]).await.unwrap();
    let page = listed(&api, "?status=dead").await;
    assert_eq!((&page["waiting"], &page["dead"]), (&json!(1), &json!(1)));
    let [letter] = page["jobs"].as_array().unwrap().as_slice() else { panic!("{page}") };
    assert_eq!((&letter["status"], &letter["attempts"]), (&json!("dead"), &json!(1)));
    assert_eq!(
        (&letter["kind"], &letter["lastError"]),
        (&json!("check_identity"), &json!("it broke"))
    );

    let path = format!("/v1/jobs/{}", job(1).id());
    let (status, shown) = answer(api.get(&path)).await;
    assert_eq!((status, &shown), (StatusCode::OK, letter));
    let (status, again) = answer(api.post(&format!("{path}/retry"), &json!({}))).await;
    assert_eq!((status, &again["status"]), (StatusCode::OK, &json!("waiting")), "{again}");
    assert_eq!((&again["attempts"], listed(&api, "").await["dead"].clone()), (&json!(0), json!(0)));

    let delete = || api.http.delete(format!("{}{path}", api.url));
    assert_eq!(answer(delete()).await.0, StatusCode::OK);
    let (status, problem) = answer(delete()).await;
    assert_eq!((status, &problem["code"]), (StatusCode::NOT_FOUND, &json!("job_not_found")));
    assert_eq!(ids(&listed(&api, "").await), [job(2).id().to_string()]);

    // Who wanted it is in the log, and nothing of what was refused.
    let events = api.log.read_stream(&StreamId::operators(), 0).await.unwrap();
    let (job_id, what) = (job(1).id().0, job(1).to_string());
    let actions: Vec<_> = events
        .into_iter()
        .map(|recorded| match recorded.event {
            Event::OperatorActed(OperatorActed { by, action, .. }) => (by, action),
            other => panic!("{other:?}"),
        })
        .collect();
    let retry = Action::RetryJob { job: job_id, what: what.clone() };
    assert_eq!(actions, [(None, retry), (None, Action::DropJob { job: job_id, what })]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_runs_is_left_alone() {
    let api = TestApi::start().await;
    taken(&api, job(1)).await;
    assert_eq!(ids(&listed(&api, "?status=running").await).len(), 1);
    let path = format!("/v1/jobs/{}", job(1).id());
    let retry = api.post(&format!("{path}/retry"), &json!({}));
    let delete = api.http.delete(format!("{}{path}", api.url));
    for request in [retry, delete] {
        let (status, problem) = answer(request).await;
        assert_eq!((status, &problem["code"]), (StatusCode::CONFLICT, &json!("job_running")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_hold_every_job_once_and_what_is_wrong_is_said() {
    let api = TestApi::start().await;
    let jobs: Vec<Job> = (0..7).map(job).collect();
    api.jobs.push(&jobs).await.unwrap();
    let (mut seen, mut after) = (Vec::new(), String::new());
    loop {
        let page = listed(&api, &format!("?limit=3{after}")).await;
        seen.extend(ids(&page).into_iter().map(str::to_owned));
        let Some(next) = page["next"].as_str() else { break };
        after = format!("&after={next}");
    }
    let mut expected: Vec<String> = jobs.iter().map(|job| job.id().to_string()).collect();
    expected.sort();
    assert_eq!(seen, expected);
    for query in ["?status=odd", "?after=7", "?limit=x", "?what=1"] {
        let (status, problem) = answer(api.get(&format!("/v1/jobs{query}"))).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{query}");
        assert_eq!(problem["code"], "malformed_request", "{query}");
    }
    assert_eq!(answer(api.get("/v1/jobs/nonsense")).await.0, StatusCode::NOT_FOUND);
}
