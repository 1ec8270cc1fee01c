//! Faults on demand: what a real node or the network in front of it does on a bad day. A fault
//! lasts for a time, for a number of times, or until it is cleared; the node asks here at each step
//! what applies. Nothing happens by itself or by chance.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tonic::{Code, Status};

use crate::clock::{Clock, duration_ms};

/// Faults that may be active at once; the oldest gives way.
const ACTIVE_MAX: usize = 64;
/// Longest delay of one RPC.
const DELAY_MS_MAX: u64 = 10 * 60 * 1000;

/// Something that goes wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "kind")]
pub enum FaultKind {
    /// Streams stay open and deliver nothing; what a client's buffer cannot hold is lost.
    StallStreams,
    /// Streams end as if the node had nothing more to say.
    DropStreams,
    /// Streams end with an error (`UNAVAILABLE`).
    ResetStreams,
    /// RPCs take this much longer; of one method (`"GetAccountInfo"`), or all of them.
    SlowRpc {
        /// The method, or none for all.
        method: Option<String>,
        /// Milliseconds by the chain's clock.
        delay_ms: u64,
    },
    /// RPCs fail; of one method, or all of them.
    FailRpc {
        /// The method, or none for all.
        method: Option<String>,
        /// The gRPC code, such as 14 for `UNAVAILABLE`.
        code: i32,
        /// The text that goes with it.
        message: String,
    },
    /// Final blocks are not announced on streams.
    SkipNotifications,
    /// Blocks are made and do not become final.
    DelayFinality,
    /// The next block that contains anything is taken back instead of becoming final, with all
    /// blocks after it; what they contained waits again.
    AbandonBlock,
    /// The socket closes at once, with all connections, and opens again after a while.
    RestartSocket {
        /// Milliseconds of real time until it opens again.
        down_ms: u64,
    },
}

/// A fault and how long it lasts.
///
/// Without `for_ms` and `count`: one time for `AbandonBlock`, `SkipNotifications` and
/// `RestartSocket`, all streams open now for `DropStreams` and `ResetStreams`, and until cleared
/// for the rest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Fault {
    /// What goes wrong.
    #[serde(flatten)]
    pub kind: FaultKind,
    /// Milliseconds by the chain's clock after which it is over.
    #[serde(default)]
    pub for_ms: Option<u64>,
    /// How many times it happens: to RPCs, streams, notifications or blocks.
    #[serde(default)]
    pub count: Option<u32>,
}

impl Fault {
    /// A fault with the duration that is usual for its kind.
    #[must_use]
    pub fn new(kind: FaultKind) -> Self {
        Self { kind, for_ms: None, count: None }
    }

    /// The same for a time, by the chain's clock.
    #[must_use]
    pub fn lasting(mut self, duration: Duration) -> Self {
        self.for_ms = Some(duration_ms(duration));
        self
    }

    /// The same for a number of times.
    #[must_use]
    pub fn times(mut self, count: u32) -> Self {
        self.count = Some(count);
        self
    }
}

impl From<FaultKind> for Fault {
    fn from(kind: FaultKind) -> Self {
        Self::new(kind)
    }
}

/// What a stream must do now.
pub(crate) enum StreamOrder {
    Flow,
    /// Wait for a change, or for the time when the fault is over.
    Stall(Option<u64>),
    End,
    Fail(Status),
}

/// The active faults of a chain.
pub(crate) struct Faults {
    clock: Clock,
    active: Mutex<Vec<Active>>,
    /// Counts changes; streams watch it, and take their place in time from it.
    changes: watch::Sender<u64>,
}

struct Active {
    kind: FaultKind,
    until_ms: Option<u64>,
    left: Option<u32>,
    /// Streams opened before this change are meant, when neither a time nor a count is given.
    since: u64,
}

impl Faults {
    pub(crate) fn new(clock: Clock) -> Self {
        Self { clock, active: Mutex::default(), changes: watch::Sender::new(0) }
    }

    /// Activates a fault; `RestartSocket` is not for here.
    pub(crate) fn add(&self, fault: Fault) {
        let once = matches!(fault.kind, FaultKind::AbandonBlock | FaultKind::SkipNotifications);
        let unbounded = fault.for_ms.is_none() && fault.count.is_none();
        let now_ms = self.clock.now_ms();
        let active = Active {
            kind: fault.kind,
            until_ms: fault.for_ms.map(|ms| now_ms.saturating_add(ms)),
            left: if once && unbounded { Some(1) } else { fault.count },
            since: *self.changes.borrow() + 1,
        };
        let mut all = self.lock();
        if all.len() >= ACTIVE_MAX {
            all.remove(0);
        }
        all.push(active);
        drop(all);
        self.changes.send_modify(|n| *n += 1);
    }

    pub(crate) fn clear(&self) {
        self.lock().clear();
        self.changes.send_modify(|n| *n += 1);
    }

    /// Changes from now on, for a stream that opens; its place in time is the value seen.
    pub(crate) fn watch(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Delays or fails a call of `method`, if it is to be.
    pub(crate) async fn call(&self, method: &str) -> Result<(), Status> {
        let named = |name: &Option<String>| name.as_deref().is_none_or(|name| name == method);
        let slow = self.take(|kind| match kind {
            FaultKind::SlowRpc { method, delay_ms } if named(method) => Some(*delay_ms),
            _ => None,
        });
        if let Some(delay_ms) = slow {
            self.clock.sleep_until(self.clock.now_ms() + delay_ms.min(DELAY_MS_MAX)).await;
        }
        let failure = self.take(|kind| match kind {
            FaultKind::FailRpc { method, code, message } if named(method) => {
                Some(Status::new(Code::from_i32(*code), message.clone()))
            }
            _ => None,
        });
        failure.map_or(Ok(()), Err)
    }

    /// What a stream that was opened at `place` must do now.
    pub(crate) fn stream(&self, place: u64) -> StreamOrder {
        let now_ms = self.clock.now_ms();
        let mut all = self.lock();
        all.retain(|fault| fault.lasts(now_ms));
        let meant = |fault: &Active| {
            fault.until_ms.is_some() || fault.left.is_some() || place < fault.since
        };
        for fault in all.iter_mut() {
            match fault.kind {
                FaultKind::StallStreams => return StreamOrder::Stall(fault.until_ms),
                FaultKind::DropStreams if meant(fault) => {
                    fault.count_down();
                    return StreamOrder::End;
                }
                FaultKind::ResetStreams if meant(fault) => {
                    fault.count_down();
                    return StreamOrder::Fail(Status::unavailable("stream reset"));
                }
                _ => {}
            }
        }
        StreamOrder::Flow
    }

    pub(crate) fn skip_notification(&self) -> bool {
        self.take(|kind| matches!(kind, FaultKind::SkipNotifications).then_some(())).is_some()
    }

    pub(crate) fn abandon_block(&self) -> bool {
        self.take(|kind| matches!(kind, FaultKind::AbandonBlock).then_some(())).is_some()
    }

    /// Whether finality is delayed now, and until when if that is known.
    pub(crate) fn finality_delayed(&self) -> Option<Option<u64>> {
        let now_ms = self.clock.now_ms();
        let mut all = self.lock();
        all.retain(|fault| fault.lasts(now_ms));
        all.iter().find(|f| f.kind == FaultKind::DelayFinality).map(|f| f.until_ms)
    }

    /// Finds the first active fault that `pick` picks, and counts one time of it.
    fn take<T>(&self, pick: impl Fn(&FaultKind) -> Option<T>) -> Option<T> {
        let now_ms = self.clock.now_ms();
        let mut all = self.lock();
        all.retain(|fault| fault.lasts(now_ms));
        all.iter_mut().find_map(|fault| {
            let picked = pick(&fault.kind)?;
            fault.count_down();
            Some(picked)
        })
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Active>> {
        self.active.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Active {
    fn lasts(&self, now_ms: u64) -> bool {
        self.left != Some(0) && self.until_ms.is_none_or(|until| now_ms < until)
    }

    fn count_down(&mut self) {
        self.left = self.left.map(|left| left.saturating_sub(1));
    }
}
