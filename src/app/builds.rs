//! Rebuilds of the read model: who asks for one, and how far the one that goes on has come.
//!
//! Building itself is the projector's work; here is only what is said about it.

use tokio::sync::watch;

use crate::ports::log::Position;
use crate::reads::Reads;

/// How rebuilds stand.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Builds {
    is_asked: bool,
    /// How far the one that goes on has come.
    under_way: Option<Position>,
    built: u64,
    failed: u64,
}

/// A rebuild that was asked for, seen from outside. Dropping it stops nothing.
pub struct Asked {
    builds: watch::Receiver<Builds>,
    built: u64,
    failed: u64,
}

impl Reads {
    /// Asks for the read model to be built again from the first event, beside the one that is read.
    /// The projector does it; who asks while it does is told of that one.
    pub fn ask_for_rebuild(&self) -> Asked {
        let (mut built, mut failed) = (0, 0);
        self.builds.send_modify(|builds| {
            builds.is_asked |= builds.under_way.is_none();
            (built, failed) = (builds.built, builds.failed);
        });
        Asked { builds: self.builds.subscribe(), built, failed }
    }

    /// Whether somebody asks for that, and nobody has begun.
    #[must_use]
    pub fn is_rebuild_asked(&self) -> bool {
        self.builds.borrow().is_asked
    }

    /// Until somebody asks for that.
    pub async fn rebuild_asked(&self) {
        // The sender lives in `self`, so waiting cannot fail.
        let _ = self.builds.subscribe().wait_for(|builds| builds.is_asked).await;
    }

    /// A rebuild has come so far; with the first word of it, it is not asked for any more.
    pub fn building(&self, position: Position) {
        self.builds.send_modify(|builds| {
            builds.is_asked = false;
            builds.under_way = Some(position);
        });
    }

    /// A rebuild has ended, well or not.
    pub fn build_ended(&self, is_built: bool) {
        self.builds.send_modify(|builds| {
            builds.is_asked = false;
            builds.under_way = None;
            let count = if is_built { &mut builds.built } else { &mut builds.failed };
            *count += 1;
        });
    }
}

impl Asked {
    /// The newest event that is in it so far.
    #[must_use]
    pub fn position(&self) -> Position {
        self.builds.borrow().under_way.unwrap_or(0)
    }

    /// Waits for its end: whether its rows are the ones that are read now. May be given up and
    /// called again.
    pub async fn ended(&mut self) -> bool {
        let (built, failed) = (self.built, self.failed);
        let is_over = |builds: &Builds| builds.built > built || builds.failed > failed;
        let builds = self.builds.wait_for(is_over).await;
        // Where nobody builds any more, nothing was built.
        builds.is_ok_and(|builds| builds.built > built)
    }
}
