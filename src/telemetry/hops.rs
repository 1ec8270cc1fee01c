//! Makes spans of OpenTelemetry of hops: spans of `tracing` with the target of hops, and of nothing
//! else that the program says.
//!
//! The trace's id is the verification's, and the id of the span that holds all others is derived from
//! it; so hops in any number of processes make one trace, and nothing is carried between them. A hop
//! that does not say whose it is belongs to what the hop around it belongs to, and one that nothing is
//! around to the first that is inside it: a request is known once it has appended.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use ccd402_app::trace::{TARGET, WHOLE};
use opentelemetry::trace::{
    Link, SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState,
};
use opentelemetry::{KeyValue, Value};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Filter};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{Layer, filter::LevelFilter};
use uuid::Uuid;

use crate::telemetry::traces::Sink;

/// Hops that ended inside one that nobody knows yet whose it is.
const UNKNOWN_MAX: usize = 64;

/// Lets hops through, and those only once traces have begun.
pub(crate) struct OnlyHops;

/// Makes spans of OpenTelemetry of them.
pub(crate) struct Hops;

/// A hop under way.
struct Hop {
    id: SpanId,
    /// The hop around it, in the same trace.
    parent: Option<SpanId>,
    /// The hop around it, in another trace.
    link: Option<(Arc<OnceLock<Uuid>>, SpanId)>,
    /// Whose it is: shared with the hops around it that are in the same trace.
    verification: Arc<OnceLock<Uuid>>,
    began_at: SystemTime,
    said: Said,
    /// What ended inside it before that was known.
    unknown: Vec<(Hop, &'static str, SystemTime)>,
}

/// What a hop says of itself.
#[derive(Default)]
struct Said {
    verification: Option<Uuid>,
    began_at: Option<SystemTime>,
    kind: Option<SpanKind>,
    is_error: bool,
    attributes: Vec<KeyValue>,
}

impl<S> Filter<S> for OnlyHops {
    fn enabled(&self, metadata: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        is_hop(metadata)
    }

    fn callsite_enabled(&self, metadata: &'static Metadata<'static>) -> Interest {
        if is_hop(metadata) { Interest::always() } else { Interest::never() }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(if Sink::get().is_some() { LevelFilter::TRACE } else { LevelFilter::OFF })
    }
}

fn is_hop(metadata: &Metadata<'_>) -> bool {
    metadata.is_span() && metadata.target() == TARGET && Sink::get().is_some()
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Hops {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut said = Said::default();
        attributes.record(&mut said);
        let around = span.parent().and_then(|around| {
            around.extensions().get::<Hop>().map(|hop| (Arc::clone(&hop.verification), hop.id))
        });
        let hop = Hop::begin(said, around);
        span.extensions_mut().insert(hop);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(hop) = span.extensions_mut().get_mut::<Hop>() {
            values.record(&mut hop.said);
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let (Some(span), Some(sink)) = (context.span(&id), Sink::get()) else { return };
        let Some(mut hop) = span.extensions_mut().remove::<Hop>() else { return };
        let mut ended = std::mem::take(&mut hop.unknown);
        ended.push((hop, span.name(), SystemTime::now()));
        let known = ended[0].0.verification.get().is_some();
        if !known && let Some(around) = span.parent() {
            if let Some(around) = around.extensions_mut().get_mut::<Hop>() {
                let room = UNKNOWN_MAX.saturating_sub(around.unknown.len());
                around.unknown.extend(ended.into_iter().take(room));
            }
            return;
        }
        for (hop, name, at) in ended {
            // What is nobody's is no part of any trace.
            if let Some(span) = hop.end(name, at, sink) {
                sink.send(span);
            }
        }
    }
}

impl Hop {
    fn begin(said: Said, around: Option<(Arc<OnceLock<Uuid>>, SpanId)>) -> Self {
        let id = SpanId::from(rand::random::<u64>().max(1));
        let began_at = said.began_at.unwrap_or_else(SystemTime::now);
        let (verification, parent, link) = match (said.verification, around) {
            (None, None) => (Arc::default(), None, None),
            (None, Some((whose, around))) => (whose, Some(around), None),
            (Some(own), None) => (Arc::new(OnceLock::from(own)), None, None),
            (Some(own), Some((whose, around))) => {
                if *whose.get_or_init(|| own) == own {
                    (whose, Some(around), None)
                } else {
                    (Arc::new(OnceLock::from(own)), None, Some((whose, around)))
                }
            }
        };
        Self { id, parent, link, verification, began_at, said, unknown: Vec::new() }
    }

    fn end(self, name: &'static str, at: SystemTime, sink: &Sink) -> Option<SpanData> {
        let verification = *self.verification.get()?;
        let whole = whole(verification);
        let (id, parent) = match name {
            WHOLE => (whole, SpanId::INVALID),
            _ => (self.id, self.parent.unwrap_or(whole)),
        };
        let mut attributes = self.said.attributes;
        attributes.push(KeyValue::new("verification.id", verification.to_string()));
        let mut links = SpanLinks::default();
        if let Some((whose, around)) = self.link
            && let Some(whose) = whose.get()
        {
            links.links.push(Link::with_context(place(*whose, around)));
        }
        Some(SpanData {
            span_context: place(verification, id),
            parent_span_id: parent,
            parent_span_is_remote: self.parent.is_none() && name != WHOLE,
            span_kind: self.said.kind.unwrap_or(SpanKind::Internal),
            name: name.into(),
            start_time: self.began_at,
            end_time: at,
            attributes,
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links,
            status: if self.said.is_error { Status::error("") } else { Status::Unset },
            instrumentation_scope: sink.scope.clone(),
        })
    }
}

/// The span that holds all others of a verification: every process knows its id.
fn whole(verification: Uuid) -> SpanId {
    // Never zero: the upper bits of this half say of which variant the UUID is.
    SpanId::from(verification.as_u64_pair().1)
}

fn place(verification: Uuid, span: SpanId) -> SpanContext {
    let trace = TraceId::from_bytes(verification.into_bytes());
    SpanContext::new(trace, span, TraceFlags::SAMPLED, false, TraceState::default())
}

impl Said {
    fn attribute(&mut self, field: &Field, value: impl Into<Value>) {
        self.is_error |= field.name() == "error.type";
        self.attributes.push(KeyValue::new(field.name(), value));
    }
}

impl Visit for Said {
    fn record_i64(&mut self, field: &Field, value: i64) {
        if field.name() == "began_at_us" {
            let since = Duration::from_micros(u64::try_from(value).unwrap_or_default());
            self.began_at = Some(SystemTime::UNIX_EPOCH + since);
        } else {
            self.attribute(field, value);
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.attribute(field, i64::try_from(value).unwrap_or(i64::MAX));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.attribute(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.attribute(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match (field.name(), value) {
            ("otel.kind", "client") => self.kind = Some(SpanKind::Client),
            ("otel.kind", "server") => self.kind = Some(SpanKind::Server),
            ("otel.kind", "consumer") => self.kind = Some(SpanKind::Consumer),
            _ => self.attribute(field, value.to_owned()),
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let text = format!("{value:?}");
        match (field.name(), text.parse()) {
            ("verification.id", Ok(id)) => self.verification = Some(id),
            _ => self.attribute(field, text),
        }
    }
}
