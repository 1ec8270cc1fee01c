//! `GET /v1/stream`: events with their positions, from where the reader was; and the other ways to
//! read events.

use std::time::Duration;

use ccd402_api::options::Options;
use ccd402_api::server::Limits;
use ccd402_app::contract::sample::{append, failed_because, requested};
use reqwest::{Response, StatusCode};
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::support::purchase::Purchase;
use crate::support::{TestApi, answer, soon};

/// A reader of an event stream, message by message.
struct Reader {
    response: Response,
    text: String,
}

impl Reader {
    async fn open(api: &TestApi, query: &str) -> Self {
        let response = api.get(&format!("/v1/stream{query}")).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { response, text: String::new() }
    }

    /// The next message; `None` at the end of the stream.
    async fn message(&mut self) -> Option<String> {
        loop {
            if let Some((message, rest)) = self.text.split_once("\n\n") {
                let message = message.to_owned();
                self.text = rest.to_owned();
                return Some(message);
            }
            let chunk = soon(self.response.chunk()).await.unwrap()?;
            self.text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    /// The next event: its id and its data.
    async fn event(&mut self) -> (u64, Value) {
        loop {
            let message = self.message().await.expect("the stream goes on");
            let field = |name| message.lines().find_map(|line: &str| line.strip_prefix(name));
            if let Some(data) = field("data: ") {
                let data: Value = serde_json::from_str(data).unwrap();
                assert_eq!(field("event: "), data["type"].as_str());
                return (field("id: ").unwrap().parse().unwrap(), data);
            }
        }
    }
}

/// One payment, confirmed and held; the path of its verification.
async fn held(api: &TestApi, number: u8) -> String {
    let purchase = Purchase::new(number).consumed_on_settle();
    api.chain.finalize(purchase.transaction());
    let verified = api.ask("/verify", &purchase.request()).await;
    assert_eq!(verified["isValid"], true, "{verified}");
    format!("/v1/verifications/{}", verified["extra"]["verification"].as_str().unwrap())
}

#[tokio::test]
async fn a_reader_hears_the_past_it_asks_for_and_then_what_happens() {
    let api = TestApi::start().await;
    let mut live = Reader::open(&api, "").await;
    assert_eq!(live.message().await.as_deref(), Some("retry: 1000\nid: 0"));
    let path = held(&api, 1).await;
    let mut past = Reader::open(&api, "?after=1").await;
    let (id, first) = live.event().await;
    assert_eq!((id, first["position"].as_u64()), (1, Some(1)));
    assert_eq!(first["type"], "VerificationRequested");
    assert_eq!(first["version"], 1);
    assert!(path.ends_with(first["verification"].as_str().unwrap()));
    for position in 2..=3 {
        let (id, event) = live.event().await;
        assert_eq!((id, event.clone()), past.event().await);
        assert_eq!(id, position);
    }
    let resumed = api.get("/v1/stream").header("last-event-id", "2").send().await.unwrap();
    let mut resumed = Reader { response: resumed, text: String::new() };
    assert_eq!(resumed.event().await.0, 3);
    let mut confirmed = Reader::open(&api, "?after=0&status=confirmed").await;
    assert_eq!(confirmed.event().await.1["type"], "VerificationConfirmed");
}

#[tokio::test]
async fn the_id_of_a_reservation_is_told_to_its_holder_alone() {
    let api = TestApi::start().await;
    let path = held(&api, 1).await;
    let (status, history) = answer(api.get(&format!("{path}/events"))).await;
    assert_eq!(status, StatusCode::OK);
    let events = history["events"].as_array().unwrap();
    let names: Vec<_> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(names, ["VerificationRequested", "VerificationConfirmed", "PaymentReserved"]);
    assert_eq!(history["asOf"], 3);
    assert!(events[2]["data"]["until"].is_string());
    assert_eq!(events[2]["data"].get("reservation"), None);
    let mut reader = Reader::open(&api, "?after=2").await;
    assert_eq!(reader.event().await.1["data"].get("reservation"), None);
    let unknown = uuid::Uuid::nil();
    let (status, _) = answer(api.get(&format!("/v1/verifications/{unknown}/events"))).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_cannot_be_asked_for_is_said() {
    let api = TestApi::start().await;
    let rows = [
        "?after=x",
        "?after=1",
        "?type=Unheard",
        "?status=good",
        "?payTo=me",
        "?since=1",
        "?after=0&after=0",
        "?verification=1",
    ];
    for query in rows {
        let (status, problem) = answer(api.get(&format!("/v1/stream{query}"))).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{query}: {problem}");
    }
    let beyond = api.get("/v1/stream").header("last-event-id", "7");
    assert_eq!(answer(beyond).await.0, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn streams_are_bounded_in_number_and_time_and_end_with_the_server() {
    let life = Duration::from_millis(50);
    let options = Options { streams_per_tenant_max: 1, stream_life: life, ..Options::default() };
    let stopping = options.stopping.clone();
    let api = TestApi::start_with(options, Limits::default()).await;
    let mut reader = Reader::open(&api, "").await;
    let (status, problem) = answer(api.get("/v1/stream")).await;
    assert_eq!((status, &problem["code"]), (StatusCode::SERVICE_UNAVAILABLE, &"overloaded".into()));
    reader.message().await.unwrap();
    assert_eq!(reader.message().await.as_deref(), Some(": come back to read on"));
    assert_eq!(reader.message().await, None);
    // Its place is free once the server has noticed.
    let mut reader = loop {
        let response = api.get("/v1/stream").send().await.unwrap();
        if response.status() == StatusCode::OK {
            break Reader { response, text: String::new() };
        }
    };
    stopping.cancel();
    while reader.message().await.is_some() {}
}

#[tokio::test]
async fn operators_read_and_check_the_lines_as_they_are_stored() {
    let api = TestApi::start().await;
    for number in 1..=5 {
        api.log.append_sample(append(number, 0, vec![requested(number, number)])).await;
    }
    let response = api.get("/v1/events?after=1&limit=3").send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "application/x-ndjson");
    assert_eq!(response.headers()["x-ccd402-head"], "5");
    let text = response.text().await.unwrap();
    let positions: Vec<_> = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["position"].clone())
        .collect();
    assert_eq!(positions, [2, 3, 4]);
    let empty = api.get("/v1/events?after=5").send().await.unwrap();
    assert_eq!(empty.text().await.unwrap(), "");

    let checked = api.http.post(format!("{}/v1/events:verify", api.url)).send().await.unwrap();
    let text = checked.text().await.unwrap();
    let last: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    assert_eq!((&last["status"], &last["position"]), (&"whole".into(), &5.into()));
    assert_eq!(last["hash"].as_str().unwrap().len(), 64);
    let beyond = api.http.post(format!("{}/v1/events:verify?after=6", api.url));
    assert_eq!(answer(beyond).await.0, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn who_reads_nothing_is_cut_off_and_costs_no_memory() {
    const EVENT_BYTES: usize = 50_000;
    let options = Options { streams_per_tenant_max: 1, ..Options::default() };
    let write_timeout = Duration::from_millis(500);
    let api = TestApi::start_with(options, Limits { write_timeout, ..Limits::default() }).await;
    for number in 1..=1_200 {
        let detail = "x".repeat(EVENT_BYTES);
        let events = vec![requested(number, number), failed_because(number, number, &detail)];
        api.log.append_sample(append(number, 0, events)).await;
    }
    let mut stalled = TcpStream::connect(api.address()).await.unwrap();
    stalled.write_all(b"GET /v1/stream?after=0 HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let others = async {
        while api.log.events_read() == 0 {
            tokio::task::yield_now().await;
        }
        loop {
            // One place for a tenant: it is free again once the stalled reader is cut off.
            let response = api.get("/v1/stream?after=2390").send().await.unwrap();
            if response.status() == StatusCode::OK {
                break Reader { response, text: String::new() };
            }
        }
    };
    let mut others = soon(others).await;
    let read = api.log.events_read();
    assert!(read < 1_200, "of 2,400 events, 60 MB, it was given {read}: what its socket takes");
    for position in 2_391..=2_400 {
        assert_eq!(others.event().await.0, position);
    }
    drop(stalled);
}
