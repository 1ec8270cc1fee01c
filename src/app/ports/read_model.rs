//! The port of the read model: rows made from the log, for lists and statistics.
//!
//! It may be deleted at any time and is built again from the log. Rows and the checkpoint that says
//! which events are in them are written together. What rows are is said by `projections`.

use async_trait::async_trait;
use ccd402_domain::account::AccountAddress;
use ccd402_domain::asset::Asset;
use ccd402_domain::ids::TransactionHash;
use ccd402_domain::tenant::TenantId;
use ccd402_protocol::code::ReasonCode;
use ccd402_protocol::network::NetworkId;
use chrono::{DateTime, Utc};
use tokio::sync::watch;
use uuid::Uuid;

use crate::ports::log::{Position, Recorded};
use crate::ports::overview::{self, Overview};
use crate::projections::resources::Resource;
use crate::projections::verifications::{OutOfOrder, Row};

/// Most rows of a page.
pub const PAGE_ROWS_MAX: usize = 200;
/// Most resources of a page of what is listed.
pub const RESOURCES_MAX: usize = 100;
/// Most groups of a table of statistics; the largest, or of times the newest, are told.
pub const GROUPS_MAX: usize = 2_000;

/// How far rows have come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checkpoint {
    /// The newest event that is in them.
    pub position: Position,
    /// That event's id: tells whether it is still this log that they were made from.
    pub event: Uuid,
}

/// Where a verification stands, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Status {
    /// Not decided yet.
    Pending,
    /// Good and final.
    Confirmed,
    /// Refused for good.
    Failed,
}

/// Which rows are meant: those that are as every part that is there says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Filter {
    /// Whose.
    pub tenant: Option<TenantId>,
    /// Where they stand.
    pub status: Option<Status>,
    /// Who paid, by the very address.
    pub payer: Option<AccountAddress>,
    /// Who must have been paid, by the very address.
    pub pay_to: Option<AccountAddress>,
    /// In what.
    pub asset: Option<Asset>,
    /// Where.
    pub network: Option<NetworkId>,
    /// URL of what was paid for.
    pub resource: Option<String>,
    /// By which transfer.
    pub transaction: Option<TransactionHash>,
    /// Handed in then or later.
    pub from: Option<DateTime<Utc>>,
    /// Handed in before.
    pub to: Option<DateTime<Utc>>,
}

/// A row's place in a list, which never changes. Lists begin with the newest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// When it was handed in.
    pub requested_at: DateTime<Utc>,
    /// Its number.
    pub number: Position,
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The newest event that is in it.
    pub as_of: Position,
    /// Newest first.
    pub rows: Vec<Row>,
    /// Whether there are more.
    pub has_more: bool,
}

/// A part of what is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shelf {
    /// The newest event that is in it.
    pub as_of: Position,
    /// Of all tenants, those that were paid for last first.
    pub resources: Vec<Resource>,
    /// How many there are in all.
    pub total: u64,
}

/// How wide the steps of a table over time are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// 60 s.
    Minute,
    /// 3,600 s.
    Hour,
    /// 86,400 s, in UTC.
    Day,
}

/// How many verifications of one asset stand at one status, and what they amount to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally<K> {
    /// What they have in common besides.
    pub key: K,
    /// Where they were paid.
    pub network: NetworkId,
    /// In what.
    pub asset: Asset,
    /// Where they stand.
    pub status: Status,
    /// How many.
    pub count: u64,
    /// Sum of amounts, in the asset's smallest units.
    pub amount: u128,
}

/// A table of at most [`GROUPS_MAX`] groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table<K> {
    /// Largest first; times newest first.
    pub tallies: Vec<Tally<K>>,
    /// Whether groups were left out.
    pub is_cut: bool,
}

/// How long it took from request to confirmation, in whole milliseconds, by the nearest rank.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Finality {
    /// How many were confirmed.
    pub count: u64,
    /// Half of them took this long at most.
    pub p50_ms: u64,
    /// Nine tenths did.
    pub p90_ms: u64,
    /// 99 of 100 did.
    pub p99_ms: u64,
}

/// Numbers by the nearest rank, with how many there were.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Percentiles {
    /// How many.
    pub count: u64,
    /// Half of them are this at most.
    pub p50: u64,
    /// Nine tenths are.
    pub p90: u64,
    /// 99 of 100 are.
    pub p99: u64,
}

/// What the rows amount to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stats {
    /// The newest event that is in them.
    pub as_of: Position,
    /// By asset and status alone; never cut.
    pub totals: Vec<Tally<()>>,
    /// By who must have been paid.
    pub by_pay_to: Table<AccountAddress>,
    /// By what was paid for.
    pub by_resource: Table<String>,
    /// By when they were handed in: the beginning of each step.
    pub by_time: Table<DateTime<Utc>>,
    /// Refused ones by code, most first.
    pub refusals: Vec<(ReasonCode, u64)>,
    /// How long confirmations took.
    pub finality: Finality,
}

/// Most differences that a comparison names.
pub const DIFFERENCES_MAX: usize = 20;

/// What a comparison has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compared {
    /// The newest event that is in both.
    pub position: Position,
    /// How many rows the log makes.
    pub rows: u64,
    /// How many rows differ.
    pub different: u64,
    /// The first of them, at most [`DIFFERENCES_MAX`].
    pub differences: Vec<Difference>,
}

/// A row that is not what the log says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Its number: position of a verification's first event; of a listed resource's newest payment
    /// that was confirmed.
    pub number: Position,
    /// What is wrong with it.
    pub what: Unlike,
}

/// How a row that is read differs from what the log says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unlike {
    /// The log makes it, and it is not there.
    Missing,
    /// It is there, and nothing in the log makes it.
    Surplus,
    /// These columns hold something else.
    Changed(Vec<String>),
}

/// The read model cannot answer, or cannot take what it should.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadModelError {
    /// It is being built. Try again later.
    #[error("the read model is being built")]
    Building,
    /// The question takes too long. Ask for less.
    #[error("the question is too large for the read model")]
    TooLarge,
    /// Too many ask at once. Try again later.
    #[error("too many ask the read model at once")]
    Busy,
    /// Its file is not what it should be: it must be built again.
    #[error("the read model is damaged: {0}")]
    Damaged(String),
    /// Another process writes it: this one's lease was taken over, or it has none.
    #[error("another process writes the read model")]
    Fenced,
    /// It cannot be read or written now.
    #[error("the read model cannot be used: {0}")]
    Failed(String),
}

impl From<OutOfOrder> for ReadModelError {
    fn from(error: OutOfOrder) -> Self {
        Self::Damaged(error.to_string())
    }
}

/// Rows made from the log. Rows that turn out to be damaged are not read any more: `position` says
/// so.
#[async_trait]
pub trait ReadModel: Send + Sync {
    /// How far it has come; `None` while there are no rows to read.
    fn position(&self) -> watch::Receiver<Option<Position>>;

    /// The same, as its file says.
    async fn checkpoint(&self) -> Result<Option<Checkpoint>, ReadModelError>;

    /// Takes events that follow the checkpoint; those up to it are skipped.
    async fn apply(&self, events: &[Recorded]) -> Result<(), ReadModelError>;

    /// Rows after a place, newest first, at most `max` and [`PAGE_ROWS_MAX`].
    async fn list(
        &self,
        filter: &Filter,
        after: Option<Place>,
        max: usize,
    ) -> Result<Page, ReadModelError>;

    /// What rows amount to.
    async fn stats(&self, filter: &Filter, step: Step) -> Result<Stats, ReadModelError>;

    /// All rows at a glance. To be overridden by whoever need not count rows for it.
    async fn overview(&self, asked: &overview::Asked) -> Result<Overview, ReadModelError> {
        overview::counted(self, asked).await
    }

    /// Rows by who paid; of the newest alone where nobody overrides it.
    async fn payers(&self, filter: &Filter) -> Result<Table<AccountAddress>, ReadModelError> {
        overview::newest_payers(self, filter).await
    }

    /// What is listed, after the first `skip`, at most `max` and [`RESOURCES_MAX`].
    async fn resources(&self, skip: u64, max: usize) -> Result<Shelf, ReadModelError>;

    /// Stops reading what there is: it is of no use.
    async fn discard(&self);

    /// Begins to build all rows again, beside those that are read.
    async fn rebuild(&self) -> Result<Box<dyn Rebuild>, ReadModelError>;

    /// Begins to build all rows again, to compare them with those that are read.
    async fn compare(&self) -> Result<Box<dyn Comparison>, ReadModelError>;
}

/// Rows that are being built beside those that are read. Dropped, they are forgotten.
#[async_trait]
pub trait Rows: Send + Sync {
    /// The newest event that is in them.
    fn position(&self) -> Position;

    /// Takes events that follow.
    async fn apply(&mut self, events: &[Recorded]) -> Result<(), ReadModelError>;
}

/// Rows that will be read.
#[async_trait]
pub trait Rebuild: Rows {
    /// Puts them in the place of those that were read.
    async fn swap_in(self: Box<Self>) -> Result<(), ReadModelError>;
}

/// Rows that are compared with those that are read.
#[async_trait]
pub trait Comparison: Rows {
    /// Takes hold of those that are read, as they are now, and says where they stand. They go on
    /// being written; what is held does not change.
    async fn hold(&mut self) -> Result<Position, ReadModelError>;

    /// Compares with what is held, which must stand where these rows do.
    async fn end(self: Box<Self>) -> Result<Compared, ReadModelError>;
}

impl Status {
    /// Every status.
    pub const ALL: [Self; 3] = [Self::Pending, Self::Confirmed, Self::Failed];

    /// Its name, as people and programs read it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Confirmed => "confirmed",
            Self::Failed => "failed",
        }
    }

    /// The status of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == name)
    }
}

impl Percentiles {
    /// Of numbers and how often each came, smallest first.
    #[must_use]
    pub fn of(numbers: &[(u64, u64)]) -> Self {
        let count = numbers.iter().map(|(_, times)| times).sum();
        let at = |percent: u64| {
            let rank = u128::from(count) * u128::from(percent);
            let mut passed = 0_u128;
            let reached = numbers.iter().find(|(_, times)| {
                passed += u128::from(*times) * 100;
                passed >= rank
            });
            reached.map_or(0, |(number, _)| *number)
        };
        Self { count, p50: at(50), p90: at(90), p99: at(99) }
    }
}

impl From<Percentiles> for Finality {
    fn from(Percentiles { count, p50, p90, p99 }: Percentiles) -> Self {
        Self { count, p50_ms: p50, p90_ms: p90, p99_ms: p99 }
    }
}

impl Step {
    /// Its width.
    #[must_use]
    pub fn seconds(self) -> i64 {
        match self {
            Self::Minute => 60,
            Self::Hour => 3_600,
            Self::Day => 86_400,
        }
    }
}

impl Row {
    /// Its place in lists.
    #[must_use]
    pub fn place(&self) -> Place {
        Place { requested_at: self.requested_at, number: self.number }
    }
}
