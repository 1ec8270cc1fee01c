//! A collector of traces on loopback: it keeps the spans that arrive, each with who has sent it.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::Span as Wire;
use prost_otlp::Message as _;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::timeout;

/// Longest wait for spans that must come.
const PATIENCE: Duration = Duration::from_secs(60);

/// A span that has arrived.
#[derive(Debug, Clone)]
pub(crate) struct Span {
    pub(crate) service: String,
    pub(crate) trace: String,
    pub(crate) id: String,
    pub(crate) parent: String,
    pub(crate) name: String,
    pub(crate) began_at: u64,
    pub(crate) ended_at: u64,
    pub(crate) is_error: bool,
    pub(crate) attributes: BTreeMap<String, String>,
}

/// A collector that runs until the test ends.
pub(crate) struct Collector {
    pub(crate) url: String,
    arrived: watch::Receiver<Vec<Span>>,
}

impl Collector {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (into, arrived) = watch::channel(Vec::new());
        let router = Router::new().route("/v1/traces", post(receive)).with_state(into);
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, arrived }
    }

    /// Everything that has arrived so far.
    pub(crate) fn arrived(&self) -> Vec<Span> {
        self.arrived.borrow().clone()
    }

    /// The spans of a trace in the order in which they began, once that holds of them.
    pub(crate) async fn trace(&self, id: &str, holds: impl Fn(&[Span]) -> bool) -> Vec<Span> {
        let trace = id.replace('-', "");
        let of = |all: &[Span]| {
            let mut spans: Vec<_> = all.iter().filter(|one| one.trace == trace).cloned().collect();
            spans.sort_by_key(|span| span.began_at);
            spans
        };
        let mut arrived = self.arrived.clone();
        let waited = timeout(PATIENCE, arrived.wait_for(|all| holds(&of(all)))).await;
        if waited.is_err() {
            panic!("the trace does not come to what it must: {:#?}", of(&self.arrived()));
        }
        of(&self.arrived())
    }
}

async fn receive(State(into): State<watch::Sender<Vec<Span>>>, headers: HeaderMap, body: Bytes) {
    assert_eq!(headers["content-type"], "application/x-protobuf");
    let request = ExportTraceServiceRequest::decode(body).unwrap();
    let mut spans = Vec::new();
    for by in request.resource_spans {
        let about = words(&by.resource.unwrap().attributes);
        let sent = by.scope_spans.into_iter().flat_map(|scope| scope.spans);
        spans.extend(sent.map(|span| read(&about["service.name"], span)));
    }
    into.send_modify(|all| all.extend(spans));
}

fn read(service: &str, span: Wire) -> Span {
    Span {
        service: service.to_owned(),
        trace: hex::encode(&span.trace_id),
        id: hex::encode(&span.span_id),
        parent: hex::encode(&span.parent_span_id),
        name: span.name,
        began_at: span.start_time_unix_nano,
        ended_at: span.end_time_unix_nano,
        is_error: span.status.is_some_and(|status| status.code == 2),
        attributes: words(&span.attributes),
    }
}

fn words(attributes: &[KeyValue]) -> BTreeMap<String, String> {
    let word = |value: &Option<AnyValue>| match value.as_ref().and_then(|any| any.value.clone()) {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        Some(Value::BoolValue(is_so)) => is_so.to_string(),
        other => panic!("no attribute is like {other:?}"),
    };
    attributes.iter().map(|pair| (pair.key.clone(), word(&pair.value))).collect()
}
