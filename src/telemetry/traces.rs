//! Traces: off until a command begins them; then hops go to a collector in batches, bounded, on a
//! thread of their own. No payment waits for that, and none fails by it.

use std::str::FromStr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, SpanData, SpanProcessor as _,
};
use uuid::Uuid;

use crate::telemetry::exporter::Exporter;

/// Spans that wait to be sent; what is more is dropped.
const QUEUE: usize = 8_192;
/// Spans that are sent at once.
const BATCH: usize = 512;
/// Longest that a span waits for others.
const DELAY: Duration = Duration::from_secs(1);
/// Longest that a stop waits for what is not sent yet.
const FLUSH: Duration = Duration::from_secs(3);
/// Where a collector takes traces, below its URL.
const PATH: &str = "/v1/traces";
/// By this variable OpenTelemetry names a program.
const SERVICE_NAME: &str = "OTEL_SERVICE_NAME";

/// Where hops go once traces have begun.
static SINK: OnceLock<Sink> = OnceLock::new();

/// Takes spans.
pub(crate) struct Sink {
    processor: Arc<BatchSpanProcessor>,
    pub(crate) scope: InstrumentationScope,
}

/// A collector's URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint(String);

/// Traces that have begun.
#[must_use = "what is not sent yet is lost unless they are stopped"]
pub struct Traces(Option<Arc<BatchSpanProcessor>>);

impl Traces {
    /// Sends hops of this process to a collector from now on; nothing where there is none.
    ///
    /// # Errors
    /// Where no client can be made for it. Whether it is there is not asked.
    pub fn begin(endpoint: Option<&Endpoint>, service: &str) -> anyhow::Result<Self> {
        let Some(endpoint) = endpoint else { return Ok(Self(None)) };
        let config = BatchConfigBuilder::default()
            .with_max_queue_size(QUEUE)
            .with_max_export_batch_size(BATCH)
            .with_scheduled_delay(DELAY)
            .build();
        let exporter = Exporter::new(&endpoint.0)?;
        let builder = BatchSpanProcessor::builder(exporter).with_batch_config(config);
        let mut processor = builder.build();
        processor.set_resource(&resource(service));
        let processor = Arc::new(processor);
        let scope =
            InstrumentationScope::builder("ccd402").with_version(env!("CARGO_PKG_VERSION")).build();
        let sink = Sink { processor: Arc::clone(&processor), scope };
        ensure!(SINK.set(sink).is_ok(), "traces have begun already in this process");
        // Until now every hop was told that nobody listens.
        tracing::callsite::rebuild_interest_cache();
        Ok(Self(Some(processor)))
    }

    /// Sends what is not sent yet, for a while.
    pub async fn stop(self) {
        let Some(processor) = self.0 else { return };
        let stopping = tokio::task::spawn_blocking(move || processor.shutdown_with_timeout(FLUSH));
        if !matches!(stopping.await, Ok(Ok(()))) {
            tracing::warn!("traces of the last moments could not be sent");
        }
    }
}

impl Sink {
    /// The one of this process, once traces have begun.
    pub(crate) fn get() -> Option<&'static Self> {
        SINK.get()
    }

    /// Has a span sent, or drops it where too many wait.
    pub(crate) fn send(&self, span: SpanData) {
        self.processor.on_end(span);
    }
}

/// What is said of this process. OpenTelemetry's own variables come first.
fn resource(service: &str) -> Resource {
    let mut resource = Resource::builder();
    if std::env::var_os(SERVICE_NAME).is_none() {
        resource = resource.with_service_name(service.to_owned());
    }
    let about = [
        KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
        KeyValue::new("service.instance.id", Uuid::now_v7().to_string()),
    ];
    resource.with_attributes(about).build()
}

impl FromStr for Endpoint {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let url: reqwest::Url =
            text.parse().context("otlp_endpoint is no URL; write it like http://127.0.0.1:4318")?;
        ensure!(
            matches!(url.scheme(), "http" | "https") && url.query().is_none(),
            "otlp_endpoint begins with http:// or https://, and has no query"
        );
        let base = url.as_str().trim_end_matches('/').trim_end_matches(PATH);
        Ok(Self(format!("{base}{PATH}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_collector_is_named_by_its_base_or_by_where_it_takes_traces() {
        for (text, url) in [
            ("http://127.0.0.1:4318", "http://127.0.0.1:4318/v1/traces"),
            ("http://127.0.0.1:4318/", "http://127.0.0.1:4318/v1/traces"),
            ("https://otlp.example/otlp", "https://otlp.example/otlp/v1/traces"),
            ("https://otlp.example/v1/traces", "https://otlp.example/v1/traces"),
        ] {
            assert_eq!(text.parse::<Endpoint>().unwrap(), Endpoint(url.to_owned()));
        }
        for text in ["127.0.0.1:4318", "grpc://127.0.0.1:4317", "collector", ""] {
            assert!(text.parse::<Endpoint>().is_err(), "{text}");
        }
    }
}
