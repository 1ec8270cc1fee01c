//! Pages that change by themselves: server-sent events, each with what stands in the page now.
//!
//! A page is drawn again when the log has grown, at most every so often, and sent where it differs
//! from what was sent last. Nothing is queued: who reads slowly misses what is outdated already. Who
//! it is shown to is asked each time, so that a key that is revoked shows nothing more.

use std::collections::HashMap;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use ccd402_app::ports::log::Position;
use ccd402_domain::tenant::TenantId;
use futures::stream;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue};
use sha2::{Digest as _, Sha256};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::caller::Caller;
use crate::dashboard::Dashboard;
use crate::fault::Fault;

/// Silence after which a page hears that it is still live.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How soon a page is drawn again of which no event has told: the follower and the queue go on.
const LOOK_AGAIN: Duration = Duration::from_secs(3);
/// How soon a page comes back that was cut off, in milliseconds.
const RETRY_MS: u32 = 2_000;
/// Said to a page whose viewer may not look any more: it is loaded anew, which leads to signing in.
const OVER: &[u8] = b"event: over\ndata: \n\n";
const EVENT_STREAM: HeaderValue = HeaderValue::from_static("text/event-stream");
/// Proxies that gather responses must not gather this one.
const UNBUFFERED: (HeaderName, HeaderValue) =
    (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));

/// What stands in a page now.
pub(crate) type Drawn = Pin<Box<dyn Future<Output = Result<Arc<String>, Fault>> + Send>>;
/// Draws it.
pub(crate) type Draw = Box<dyn Fn() -> Drawn + Send + Sync>;

/// Live pages that are open, in all and of each tenant.
#[derive(Debug, Default)]
pub(crate) struct Open(Mutex<(usize, HashMap<TenantId, usize>)>);

/// A place for one; free again once it is dropped.
struct Place {
    open: Arc<Open>,
    tenant: TenantId,
}

impl Open {
    fn enter(self: &Arc<Self>, tenant: &TenantId, (all, each): (usize, usize)) -> Option<Place> {
        // Counts are changed in steps that cannot fail, so a panic elsewhere leaves them right.
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let own = open.1.get(tenant).copied().unwrap_or(0);
        if open.0 >= all || own >= each {
            return None;
        }
        open.0 += 1;
        open.1.insert(tenant.clone(), own + 1);
        Some(Place { open: Arc::clone(self), tenant: tenant.clone() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.open.0.lock().unwrap_or_else(PoisonError::into_inner);
        open.0 -= 1;
        if let Some(own) = open.1.get_mut(&self.tenant) {
            *own -= 1;
            if *own == 0 {
                open.1.remove(&self.tenant);
            }
        }
    }
}

/// A page that is open.
struct Page {
    dashboard: Arc<Dashboard>,
    caller: Caller,
    draw: Draw,
    head: watch::Receiver<Position>,
    /// What the log's end was when the page was drawn last.
    seen: Option<Position>,
    /// Of what was sent last.
    sent: Option<[u8; 32]>,
    next_at: Instant,
    ends_at: Instant,
    _place: Place,
}

type Chunk = Result<Bytes, Infallible>;

/// Keeps a page live: its answer never ends by itself for some time.
///
/// # Errors
/// Where as many are live as may be.
pub(crate) fn keep(
    dashboard: &Arc<Dashboard>,
    caller: Caller,
    draw: Draw,
) -> Result<Response, Fault> {
    let full = Fault::Unavailable("As many pages are live as may be; this one can be loaded anew.");
    let place = dashboard.live.enter(&caller.tenant, dashboard.options.live_max).ok_or(full)?;
    let page = Page {
        head: dashboard.facilitator.log().head(),
        seen: None,
        sent: None,
        next_at: Instant::now(),
        ends_at: Instant::now() + dashboard.options.live_for,
        dashboard: Arc::clone(dashboard),
        caller,
        draw,
        _place: place,
    };
    let hello = stream::once(async { Ok(Bytes::from(format!("retry: {RETRY_MS}\n\n"))) });
    let chunks = stream::unfold(Some(page), |page| async move { page?.chunk().await });
    let body = Body::from_stream(futures::StreamExt::chain(hello, chunks));
    let no_store = HeaderValue::from_static("no-store");
    let headers = [(CONTENT_TYPE, EVENT_STREAM), (CACHE_CONTROL, no_store), UNBUFFERED];
    Ok((headers, body).into_response())
}

/// The whole answer to a page whose viewer may not look: an error's status would end its stream for
/// good, and the page would stand there.
pub(crate) fn over() -> Response {
    let no_store = HeaderValue::from_static("no-store");
    ([(CONTENT_TYPE, EVENT_STREAM), (CACHE_CONTROL, no_store)], OVER).into_response()
}

impl Page {
    /// What is sent next, and the page after it.
    async fn chunk(mut self) -> Option<(Chunk, Option<Self>)> {
        let silent_until = Instant::now() + HEARTBEAT;
        let stopping = self.dashboard.options.stopping.clone();
        loop {
            tokio::select! {
                () = self.due() => {}
                () = stopping.cancelled() => return None,
            }
            if Instant::now() >= self.ends_at {
                return None;
            }
            if !self.may_look() {
                return Some((Ok(Bytes::from_static(OVER)), None));
            }
            self.seen = Some(*self.head.borrow_and_update());
            self.next_at = Instant::now() + self.dashboard.options.live_every;
            // What cannot be drawn now is drawn next time; the page says how old it is.
            if let Ok(text) = (self.draw)().await {
                let hash: [u8; 32] = Sha256::digest(text.as_bytes()).into();
                if self.sent.replace(hash) != Some(hash) {
                    return Some((Ok(message(&text)), Some(self)));
                }
            }
            // What did not change is looked at half as often.
            self.next_at += self.dashboard.options.live_every;
            if Instant::now() >= silent_until {
                return Some((Ok(Bytes::from_static(b": alive\n\n")), Some(self)));
            }
        }
    }

    /// Until it is to be drawn again: the log has grown, or what no event tells may have changed.
    async fn due(&mut self) {
        let seen = self.seen;
        let grown = self.head.wait_for(|head| seen.is_none_or(|seen| *head > seen));
        // Grown or not, it is looked at again.
        let _ = tokio::time::timeout(LOOK_AGAIN, grown).await;
        tokio::time::sleep_until(self.next_at).await;
    }

    fn may_look(&self) -> bool {
        match self.caller.key {
            Some(key) => self.dashboard.keys.good(key).is_ok(),
            None => true,
        }
    }
}

/// One message: a line each of what stands in the page.
fn message(text: &str) -> Bytes {
    let mut message = String::with_capacity(text.len() + text.len() / 16 + 32);
    message.push_str("event: page\n");
    for line in text.split(['\n', '\r']) {
        message.push_str("data: ");
        message.push_str(line);
        message.push('\n');
    }
    message.push('\n');
    message.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_bounded_in_all_and_for_each_tenant() {
        let open = Arc::new(Open::default());
        let [one, two] = ["one", "two"].map(|name| name.parse::<TenantId>().unwrap());
        let first = open.enter(&one, (3, 2)).unwrap();
        let _second = open.enter(&one, (3, 2)).unwrap();
        assert!(open.enter(&one, (3, 2)).is_none());
        let _third = open.enter(&two, (3, 2)).unwrap();
        assert!(open.enter(&two, (3, 2)).is_none());
        drop(first);
        assert!(open.enter(&two, (3, 2)).is_some());
    }

    #[test]
    fn a_message_has_a_line_for_each_line() {
        let message = message("<p>\nevent: over\r\n</p>");
        let told = "event: page\ndata: <p>\ndata: event: over\ndata: \ndata: </p>\n\n";
        assert_eq!(message, told);
    }
}
