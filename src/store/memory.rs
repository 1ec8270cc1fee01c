//! The log in memory, for tests and demonstrations. Nothing of it survives the process.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use ::sled::IVec;
use async_trait::async_trait;
use ccd402_app::ports::lease::Fence;
use ccd402_app::ports::log::{
    Append, AppendError, CheckError, Checked, EventLog, Position, READ_EVENTS_MAX, ReadError,
    Recorded, StreamId, Waiting,
};
use ccd402_domain::ids::{TransactionHash, VerificationId};
use ccd402_domain::tenant::TenantId;
use ccd402_protocol::network::NetworkId;
use tokio::sync::watch;

use crate::draft::{Draft, Tip};
use crate::prepare::{Call, must_be_unfenced};
use crate::waits::Waits;
use crate::{check, read};

/// A log that lives as long as this value.
#[derive(Debug)]
pub struct MemoryLog {
    kept: Mutex<Kept>,
    waits: Waits,
    head: watch::Sender<Position>,
}

#[derive(Debug)]
struct Kept {
    table: BTreeMap<IVec, IVec>,
    tip: Tip,
}

impl Default for MemoryLog {
    fn default() -> Self {
        let kept = Kept { table: BTreeMap::new(), tip: Tip::empty() };
        Self { kept: Mutex::new(kept), waits: Waits::default(), head: watch::Sender::new(0) }
    }
}

impl MemoryLog {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        // A panic elsewhere cannot leave it half changed: writes are collected first.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl EventLog for MemoryLog {
    async fn append_under(
        &self,
        fence: Option<&Fence>,
        appends: Vec<Append>,
    ) -> Result<Position, AppendError> {
        must_be_unfenced(fence)?;
        let call = Call::new(appends)?;
        let mut kept = self.kept();
        let Kept { table, tip } = &mut *kept;
        let mut draft = Draft::new(table, *tip, call.appends.len());
        let position = draft.admit(call).map_err(|e| AppendError::Broken(e.to_string()))??;
        *tip = draft.tip();
        self.waits.change(draft.take_waits());
        let writes: Vec<_> = draft.into_writes().collect();
        for (key, value) in writes {
            match value {
                Some(value) => table.insert(key, value),
                None => table.remove(&key),
            };
        }
        self.head.send_replace(tip.position);
        Ok(position)
    }

    async fn read_stream(&self, stream: &StreamId, after: u64) -> Result<Vec<Recorded>, ReadError> {
        let kept = self.kept();
        let place = (stream, after);
        Ok(read::stream(&kept.table, kept.tip.position, place, READ_EVENTS_MAX)?)
    }

    async fn read_last(&self, stream: &StreamId) -> Result<Option<Recorded>, ReadError> {
        let kept = self.kept();
        Ok(read::last(&kept.table, kept.tip.position, stream)?)
    }

    async fn read_all(&self, after: Position, max: usize) -> Result<Vec<Recorded>, ReadError> {
        let kept = self.kept();
        Ok(read::all(&kept.table, kept.tip.position, after, max)?)
    }

    async fn versions(&self, streams: &[StreamId]) -> Result<Vec<u64>, ReadError> {
        let kept = self.kept();
        Ok(read::versions(&kept.table, kept.tip.position, streams)?)
    }

    async fn read_lines(&self, after: Position, max: usize) -> Result<Vec<Vec<u8>>, ReadError> {
        let kept = self.kept();
        Ok(read::lines(&kept.table, kept.tip.position, after, max)?)
    }

    async fn check(&self, after: Position, max: usize) -> Result<Checked, CheckError> {
        let kept = self.kept();
        Ok(check::check(&kept.table, kept.tip.position, after, max)?)
    }

    fn head(&self) -> watch::Receiver<Position> {
        self.head.subscribe()
    }

    async fn claim_owner(
        &self,
        network: &NetworkId,
        transaction: TransactionHash,
    ) -> Result<Option<VerificationId>, ReadError> {
        let kept = self.kept();
        Ok(read::claim_owner(&kept.table, kept.tip.position, network, transaction)?)
    }

    async fn waiting_for(
        &self,
        network: &NetworkId,
        transactions: &[TransactionHash],
    ) -> Result<BTreeMap<TransactionHash, Vec<VerificationId>>, ReadError> {
        let kept = self.kept();
        Ok(read::waiting_for(&kept.table, kept.tip.position, network, transactions)?)
    }

    async fn waiting(
        &self,
        network: &NetworkId,
        after: Option<Waiting>,
        max: usize,
    ) -> Result<Vec<Waiting>, ReadError> {
        let kept = self.kept();
        let place = (network, after.as_ref());
        Ok(read::waiting(&kept.table, kept.tip.position, place, max)?)
    }

    fn waiting_count(&self) -> u64 {
        self.waits.total()
    }

    fn waiting_of(&self, tenant: &TenantId) -> u64 {
        self.waits.of(tenant)
    }

    async fn streams(
        &self,
        prefix: &str,
        after: Option<&StreamId>,
        max: usize,
    ) -> Result<Vec<StreamId>, ReadError> {
        let kept = self.kept();
        Ok(read::streams(&kept.table, kept.tip.position, (prefix, after), max)?)
    }

    async fn attachment(&self, stream: &StreamId) -> Result<Option<Vec<u8>>, ReadError> {
        Ok(read::attachment(&self.kept().table, stream)?)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    async fn fresh() -> (Arc<dyn EventLog>, ()) {
        (Arc::new(MemoryLog::default()), ())
    }

    ccd402_app::log_contract!(fresh);
}
