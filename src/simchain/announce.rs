//! Tells streams about new blocks, as a node does: each client has a buffer of 100, and what a slow
//! client's buffer cannot hold is dropped for that client without a word.

use std::sync::{Mutex, PoisonError};

use tokio::sync::mpsc;

/// Announcements that wait for one client.
const BUFFERED_MAX: usize = 100;
/// Streams at once; the next one is refused.
const STREAMS_MAX: usize = 1000;

/// The clients of one kind of announcement.
pub(crate) struct Announcer<T>(Mutex<Vec<mpsc::Sender<T>>>);

impl<T> Default for Announcer<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Clone> Announcer<T> {
    /// A new client; none if there are too many.
    pub(crate) fn subscribe(&self) -> Option<mpsc::Receiver<T>> {
        let mut clients = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        clients.retain(|client| !client.is_closed());
        if clients.len() >= STREAMS_MAX {
            return None;
        }
        let (sender, receiver) = mpsc::channel(BUFFERED_MAX);
        clients.push(sender);
        Some(receiver)
    }

    /// Tells all clients that have room.
    pub(crate) fn announce(&self, message: &T) {
        let mut clients = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        clients.retain(|client| {
            !matches!(client.try_send(message.clone()), Err(mpsc::error::TrySendError::Closed(_)))
        });
    }

    /// Ends all streams.
    pub(crate) fn close(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_client_loses_what_its_buffer_cannot_hold() {
        let announcer = Announcer::default();
        let mut client = announcer.subscribe().unwrap();
        for n in 0..BUFFERED_MAX + 5 {
            announcer.announce(&n);
        }
        let received: Vec<_> = std::iter::from_fn(|| client.try_recv().ok()).collect();
        assert_eq!(received, (0..BUFFERED_MAX).collect::<Vec<_>>());
        announcer.announce(&7);
        assert_eq!(client.try_recv(), Ok(7));
    }
}
