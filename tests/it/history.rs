//! What must hold of every event log, whatever happened to the process that wrote it.

use std::collections::{BTreeMap, BTreeSet};

use ccd402_app::ports::log::{EventLog, READ_EVENTS_MAX, Recorded, StreamId};
use ccd402_domain::event::Event;
use ccd402_domain::ids::{TransactionHash, VerificationId};
use ccd402_domain::verification::event::Consumer;

/// What a log says, checked.
pub(crate) struct History {
    pub(crate) events: Vec<Recorded>,
    /// By whom each transaction is claimed.
    pub(crate) confirmed: BTreeMap<TransactionHash, VerificationId>,
}

impl History {
    /// Reads the whole log and checks it.
    pub(crate) async fn read(log: &dyn EventLog) -> Self {
        let mut events: Vec<Recorded> = Vec::new();
        loop {
            let after = events.last().map_or(0, |recorded| recorded.position);
            let page = log.read_all(after, READ_EVENTS_MAX).await.unwrap();
            if page.is_empty() {
                break;
            }
            events.extend(page);
        }
        let confirmed = confirmed(&events);
        once_each(&events);
        forward_only(&events);
        Self { events, confirmed }
    }
}

/// No transaction confirms two verifications.
fn confirmed(events: &[Recorded]) -> BTreeMap<TransactionHash, VerificationId> {
    let mut confirmed = BTreeMap::new();
    for recorded in events {
        if let Event::VerificationConfirmed(event) = &recorded.event {
            let before = confirmed.insert(event.transaction, event.verification);
            assert_eq!(before, None, "{} confirms two", event.transaction);
        }
    }
    confirmed
}

/// A verification is asked for once, decided at most once, and used up at most once.
fn once_each(events: &[Recorded]) {
    let mut seen: BTreeSet<(&StreamId, &str)> = BTreeSet::new();
    for recorded in events {
        let what = match &recorded.event {
            Event::VerificationRequested(_) => "requested",
            Event::VerificationConfirmed(_) | Event::VerificationFailed(_) => "decided",
            Event::TransferFinalized(_) => "transferred",
            Event::PaymentConsumed(consumed) => match consumed.by {
                Consumer::Verify => "verified",
                Consumer::Settle => "settled",
            },
            _ => continue,
        };
        assert!(seen.insert((&recorded.stream, what)), "{} {what} twice", recorded.stream);
    }
}

/// The follower never goes back, and decides by blocks in the order of their heights.
fn forward_only(events: &[Recorded]) {
    let mut height = None;
    for recorded in events {
        if let Event::BlockFollowed(followed) = &recorded.event {
            let next = followed.block.height;
            assert!(Some(next) > height, "block {next} is followed after block {height:?}");
            height = Some(next);
        }
    }
}
