//! What a read model tells of all verifications at a glance, without looking at each of them.
//!
//! How it knows is the adapter's business: one that keeps counts answers from them, any other counts
//! rows.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use ccd402_domain::account::AccountAddress;
use ccd402_domain::tenant::TenantId;
use ccd402_protocol::code::ReasonCode;
use chrono::{DateTime, Utc};

use crate::ports::log::Position;
use crate::ports::read_model::{
    Filter, Finality, PAGE_ROWS_MAX, ReadModel, ReadModelError, Step, Table, Tally,
};
use crate::projections::verifications::Row;

/// Newest rows that payers are told of where a read model does not group by them itself.
const PAYERS_OF: usize = 10_000;

/// Of what an overview is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Whose; everybody's where there is none.
    pub tenant: Option<TenantId>,
    /// What was handed in then or later is told over time. A whole number of steps.
    pub from: DateTime<Utc>,
    /// How wide the steps over time are: [`Step::Minute`] or [`Step::Hour`].
    pub step: Step,
}

/// All verifications at a glance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overview {
    /// The newest event that is in it.
    pub as_of: Position,
    /// By asset and status, since the log began.
    pub totals: Vec<Tally<()>>,
    /// The same by when they were handed in: the beginning of each step, newest first.
    pub by_time: Vec<Tally<DateTime<Utc>>>,
    /// Refused ones of that time by code, most first.
    pub refusals: Vec<(ReasonCode, u64)>,
    /// How long confirmations of that time took; at most an eighth too long.
    pub finality: Finality,
}

/// An overview by counting rows.
///
/// # Errors
/// Where the rows cannot be counted.
pub async fn counted<M: ReadModel + ?Sized>(
    model: &M,
    asked: &Asked,
) -> Result<Overview, ReadModelError> {
    let ever = Filter { tenant: asked.tenant.clone(), ..Filter::default() };
    let lately = Filter { from: Some(asked.from), ..ever.clone() };
    let lately = model.stats(&lately, asked.step).await?;
    let ever = model.stats(&ever, asked.step).await?;
    Ok(Overview {
        as_of: lately.as_of,
        totals: ever.totals,
        by_time: lately.by_time.tallies,
        refusals: lately.refusals,
        finality: lately.finality,
    })
}

/// Payers of the newest rows, those with the most rows first.
///
/// # Errors
/// Where the rows cannot be listed.
pub async fn newest_payers<M: ReadModel + ?Sized>(
    model: &M,
    filter: &Filter,
) -> Result<Table<AccountAddress>, ReadModelError> {
    let mut groups: BTreeMap<_, Tally<AccountAddress>> = BTreeMap::new();
    let (mut after, mut seen) = (None, 0);
    let is_cut = loop {
        let page = model.list(filter, after, PAGE_ROWS_MAX).await?;
        for row in &page.rows {
            let (network, asset) = (row.network.clone(), row.asset.clone());
            let (status, name) = (row.standing.status(), asset.to_string().to_ascii_lowercase());
            let group = groups
                .entry((row.payer.to_string(), network.to_string(), name, status))
                .or_insert(Tally { key: row.payer, network, asset, status, count: 0, amount: 0 });
            group.count += 1;
            group.amount += u128::from(row.amount.units());
        }
        seen += page.rows.len();
        after = page.rows.last().map(Row::place);
        if !page.has_more || seen >= PAYERS_OF {
            break page.has_more;
        }
    };
    let mut tallies: Vec<_> = groups.into_values().collect();
    // Those of one payer keep their order.
    tallies.sort_by_key(|tally| Reverse(tally.count));
    Ok(Table { tallies, is_cut })
}
