//! What a replica knows of the read model: which build is read, and how far it has come.
//!
//! Two tell it: this process what it has written, and the looker what it has seen. A look that was
//! overtaken by what this process wrote meanwhile counts for nothing.

use std::sync::{Mutex, MutexGuard, PoisonError};

use ccd402_app::ports::log::Position;
use tokio::sync::watch;

use super::catalog::Current;
use super::schema::Build;

/// What is known.
pub(super) struct Known {
    inner: Mutex<Inner>,
    position: watch::Sender<Option<Position>>,
    /// Whether somebody wishes for another build in place of the one that is read.
    wished: watch::Sender<bool>,
}

#[derive(Default)]
struct Inner {
    /// What is read.
    build: Option<Build>,
    /// What was found to be of no use, and is not read here any more.
    refused: Option<Build>,
    /// How often this process has changed something.
    changes: u64,
}

impl Known {
    pub(super) fn new() -> Self {
        let (inner, position) = (Mutex::default(), watch::Sender::new(None));
        Self { inner, position, wished: watch::Sender::new(false) }
    }

    pub(super) fn wished(&self) -> watch::Receiver<bool> {
        self.wished.subscribe()
    }

    pub(super) fn position(&self) -> watch::Receiver<Option<Position>> {
        self.position.subscribe()
    }

    pub(super) fn is_refused(&self, build: &Build) -> bool {
        self.lock().refused.as_ref() == Some(build)
    }

    /// What a look begins with.
    pub(super) fn changes(&self) -> u64 {
        self.lock().changes
    }

    /// What the database says, as it was looked at since.
    pub(super) fn saw(&self, since: u64, current: Option<Current>) {
        let mut inner = self.lock();
        if inner.changes != since {
            return;
        }
        let current = current.filter(|current| inner.refused.as_ref() != Some(&current.build));
        let position = current.as_ref().map(|current| current.checkpoint.position);
        let is_wished = current.as_ref().is_some_and(|current| current.is_wished_away);
        self.wished.send_if_modified(|was| std::mem::replace(was, is_wished) != is_wished);
        inner.build = current.map(|current| current.build);
        self.position.send_if_modified(|at| std::mem::replace(at, position) != position);
    }

    /// This process has written into a build that is read.
    pub(super) fn moved(&self, build: &Build, position: Position) {
        let mut inner = self.lock();
        inner.changes += 1;
        if inner.refused.as_ref() != Some(build) {
            inner.build = Some(build.clone());
            self.position.send_if_modified(|at| at.replace(position) != Some(position));
        }
    }

    /// Nothing more is read of what is read, here; what that was.
    pub(super) fn refuse(&self) -> Option<Build> {
        let mut inner = self.lock();
        inner.changes += 1;
        let build = inner.build.take();
        inner.refused = build.clone().or(inner.refused.take());
        self.position.send_replace(None);
        build
    }

    /// Nothing more is read, of any build.
    pub(super) fn close(&self) {
        let mut inner = self.lock();
        inner.changes += 1;
        inner.build = None;
        self.position.send_replace(None);
    }

    /// A panic elsewhere leaves it as it was before or after.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
