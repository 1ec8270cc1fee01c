//! The log in memory, which can be made to fail, and which says when streams are read.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use ccd402_app::ports::lease::Fence;
use ccd402_app::ports::log::{
    Append, AppendError, CheckError, Checked, EventLog, Position, ReadError, Recorded, StreamId,
    Waiting,
};
use ccd402_domain::ids::{TransactionHash, VerificationId};
use ccd402_domain::tenant::TenantId;
use ccd402_protocol::network::NetworkId;
use ccd402_store::MemoryLog;
use tokio::sync::watch;

use super::soon;

/// What the log does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    Broken,
    Busy,
    Unreadable,
}

pub(crate) struct WatchedLog {
    inner: MemoryLog,
    fault: Mutex<Fault>,
    reads: watch::Sender<usize>,
    events_read: AtomicUsize,
}

impl Default for WatchedLog {
    fn default() -> Self {
        Self {
            inner: MemoryLog::default(),
            fault: Mutex::new(Fault::None),
            reads: watch::Sender::new(0),
            events_read: AtomicUsize::new(0),
        }
    }
}

impl WatchedLog {
    pub(crate) fn fail(&self, fault: Fault) {
        *self.fault.lock().unwrap() = fault;
    }

    /// How many streams were read so far.
    pub(crate) fn reads(&self) -> usize {
        *self.reads.borrow()
    }

    /// How many events of the whole log were read so far.
    pub(crate) fn events_read(&self) -> usize {
        self.events_read.load(Ordering::Relaxed)
    }

    /// Waits until more streams were read than this.
    pub(crate) async fn read_after(&self, reads: usize) {
        soon(self.reads.subscribe().wait_for(|now| *now > reads)).await.unwrap();
    }

    /// Appends what came from no request.
    pub(crate) async fn append_sample(&self, append: Append) {
        self.inner.append(vec![append]).await.unwrap();
    }

    fn fault(&self) -> Fault {
        *self.fault.lock().unwrap()
    }
}

#[async_trait]
impl EventLog for WatchedLog {
    async fn append_under(
        &self,
        fence: Option<&Fence>,
        appends: Vec<Append>,
    ) -> Result<Position, AppendError> {
        match self.fault() {
            Fault::Broken => Err(AppendError::Broken("/secret/path: no space left".to_owned())),
            Fault::Busy => Err(AppendError::Busy),
            Fault::None | Fault::Unreadable => self.inner.append_under(fence, appends).await,
        }
    }

    async fn read_stream(&self, stream: &StreamId, after: u64) -> Result<Vec<Recorded>, ReadError> {
        if self.fault() == Fault::Unreadable {
            return Err(ReadError("/secret/path: bad checksum".to_owned()));
        }
        let read = self.inner.read_stream(stream, after).await;
        self.reads.send_modify(|reads| *reads += 1);
        read
    }

    async fn read_last(&self, stream: &StreamId) -> Result<Option<Recorded>, ReadError> {
        self.inner.read_last(stream).await
    }

    async fn read_all(&self, after: Position, max: usize) -> Result<Vec<Recorded>, ReadError> {
        let read = self.inner.read_all(after, max).await;
        let count = read.as_ref().map_or(0, Vec::len);
        self.events_read.fetch_add(count, Ordering::Relaxed);
        read
    }

    async fn versions(&self, streams: &[StreamId]) -> Result<Vec<u64>, ReadError> {
        self.inner.versions(streams).await
    }

    async fn read_lines(&self, after: Position, max: usize) -> Result<Vec<Vec<u8>>, ReadError> {
        self.inner.read_lines(after, max).await
    }

    async fn check(&self, after: Position, max: usize) -> Result<Checked, CheckError> {
        self.inner.check(after, max).await
    }

    fn head(&self) -> watch::Receiver<Position> {
        self.inner.head()
    }

    async fn claim_owner(
        &self,
        network: &NetworkId,
        transaction: TransactionHash,
    ) -> Result<Option<VerificationId>, ReadError> {
        self.inner.claim_owner(network, transaction).await
    }

    async fn waiting_for(
        &self,
        network: &NetworkId,
        transactions: &[TransactionHash],
    ) -> Result<BTreeMap<TransactionHash, Vec<VerificationId>>, ReadError> {
        self.inner.waiting_for(network, transactions).await
    }

    async fn waiting(
        &self,
        network: &NetworkId,
        after: Option<Waiting>,
        max: usize,
    ) -> Result<Vec<Waiting>, ReadError> {
        self.inner.waiting(network, after, max).await
    }

    fn waiting_count(&self) -> u64 {
        self.inner.waiting_count()
    }

    fn waiting_of(&self, tenant: &TenantId) -> u64 {
        self.inner.waiting_of(tenant)
    }

    async fn streams(
        &self,
        prefix: &str,
        after: Option<&StreamId>,
        max: usize,
    ) -> Result<Vec<StreamId>, ReadError> {
        self.inner.streams(prefix, after, max).await
    }

    async fn attachment(&self, stream: &StreamId) -> Result<Option<Vec<u8>>, ReadError> {
        self.inner.attachment(stream).await
    }
}
