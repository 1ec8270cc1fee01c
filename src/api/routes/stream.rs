//! `GET /v1/stream`: events as they happen, as server-sent events whose ids are log positions.
//!
//! A reader that comes back says where it was (`Last-Event-ID`, or `?after=`) and misses nothing;
//! one that says nothing hears what happens from now on. The log is read as fast as the reader
//! takes it, a page at a time: nothing is queued for the slow, and the server ends the connection
//! of who takes nothing for long. A stream ends after a while by itself, so that a key that is
//! revoked is noticed.

use std::convert::Infallible;
use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use ccd402_app::feed::{Feed, Filter, Status};
use ccd402_app::ports::log::Position;
use ccd402_domain::event::Event;
use futures::stream;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, Uri};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::api::Api;
use crate::caller::Caller;
use crate::problem::Problem;
use crate::query::Query;
use crate::streams::Place;
use crate::wire::event::write_message;

/// Silence after which a reader hears that the stream is alive, and how far it has come.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How soon a reader comes back that was cut off, in milliseconds.
const RETRY_MS: u32 = 1_000;
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
const EVENT_STREAM: HeaderValue = HeaderValue::from_static("text/event-stream");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
/// Proxies that gather responses must not gather this one.
const UNBUFFERED: (HeaderName, HeaderValue) =
    (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));

pub(crate) async fn stream(
    State(api): State<Arc<Api>>,
    caller: Caller,
    request: Request,
) -> Result<Response, Problem> {
    let reach = caller.reach()?;
    let (asked, filter) = asked(request.uri())?;
    let head = *api.facilitator.log().head().borrow();
    let after = last_event_id(request.headers())?.or(asked).unwrap_or(head);
    if after > head {
        let detail = format!("position {after} is beyond the head, which is {head}");
        return Err(Problem::malformed(detail));
    }
    let most = (api.options.streams_max, api.options.streams_per_tenant_max);
    let place = api.streams.open(&caller.tenant, most).ok_or_else(Problem::overloaded)?;
    let reader = Reader {
        feed: api.facilitator.feed(reach, filter, after),
        told: None,
        ends_at: Instant::now() + api.options.stream_life,
        stopping: api.options.stopping.clone(),
        _place: place,
    };
    let chunks = stream::unfold(Some(reader), |reader| async move { reader?.chunk().await });
    let body = Body::from_stream(chunks);
    let headers = [(CONTENT_TYPE, EVENT_STREAM), (CACHE_CONTROL, NO_STORE), UNBUFFERED];
    Ok((headers, body).into_response())
}

/// One who reads.
struct Reader {
    feed: Feed,
    /// The position that the reader was told last; nothing yet where there is none.
    told: Option<Position>,
    ends_at: Instant,
    stopping: CancellationToken,
    _place: Place,
}

type Chunk = Result<Bytes, Infallible>;

impl Reader {
    /// What is sent next, and who reads on after it.
    async fn chunk(mut self) -> Option<(Chunk, Option<Self>)> {
        let stopping = self.stopping.clone();
        let Some(position) = self.told else {
            let position = self.feed.position();
            self.told = Some(position);
            let hello = format!("retry: {RETRY_MS}\nid: {position}\n\n");
            return Some((Ok(hello.into()), Some(self)));
        };
        let silent_until = (Instant::now() + HEARTBEAT).min(self.ends_at);
        loop {
            let next = tokio::select! {
                next = tokio::time::timeout_at(silent_until, self.feed.next()) => next,
                () = stopping.cancelled() => return farewell("the server stops"),
            };
            match next {
                Ok(Ok(Some(events))) if events.is_empty() && Instant::now() < silent_until => {
                    // Others have their turn while nothing is found.
                    tokio::task::yield_now().await;
                }
                Ok(Ok(Some(events))) if !events.is_empty() => {
                    let mut chunk = Vec::new();
                    for event in &events {
                        write_message(event, &mut chunk);
                        self.told = Some(event.position);
                    }
                    return Some((Ok(chunk.into()), Some(self)));
                }
                Ok(Ok(Some(_))) | Err(_) if Instant::now() < self.ends_at => {
                    let now = self.feed.position();
                    self.told = Some(now.max(position));
                    return Some((Ok(format!(": alive\nid: {now}\n\n").into()), Some(self)));
                }
                Ok(Ok(Some(_))) | Err(_) => return farewell("come back to read on"),
                Ok(Ok(None)) => return farewell("the log is closed"),
                Ok(Err(error)) => {
                    tracing::error!(%error, "an event stream ended: the log cannot be read");
                    return farewell("the log cannot be read");
                }
            }
        }
    }
}

fn farewell(reason: &str) -> Option<(Chunk, Option<Reader>)> {
    Some((Ok(format!(": {reason}\n\n").into()), None))
}

fn last_event_id(headers: &HeaderMap) -> Result<Option<Position>, Problem> {
    let Some(id) = headers.get(LAST_EVENT_ID) else { return Ok(None) };
    let id = id.to_str().ok().and_then(|id| Position::from_str(id).ok());
    id.map(Some).ok_or_else(|| Problem::malformed("Last-Event-ID is a position of the log"))
}

fn asked(uri: &Uri) -> Result<(Option<Position>, Filter), Problem> {
    let mut query = Query::of(uri)?;
    let status: Option<String> = query.take("status")?;
    let filter = Filter {
        types: query.take_all("type"),
        status: status.as_deref().map(status_of).transpose()?,
        verification: query.take("verification")?,
        pay_to: query.take("payTo")?,
        payer: query.take("payer")?,
        transaction: query.take("transaction")?,
    };
    if let Some(name) = filter.types.iter().find(|name| !Event::NAMES.contains(&name.as_str())) {
        let name: String = name.chars().take(40).collect();
        return Err(Problem::malformed(format!("{name:?} is no type of event")));
    }
    let after = query.take("after")?;
    query.end()?;
    Ok((after, filter))
}

fn status_of(text: &str) -> Result<Status, Problem> {
    match text {
        "pending" => Ok(Status::Pending),
        "confirmed" => Ok(Status::Confirmed),
        "failed" => Ok(Status::Failed),
        _ => Err(Problem::malformed("status is pending, confirmed or failed")),
    }
}
