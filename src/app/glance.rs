//! All verifications at a glance, and who earns and pays most: what a dashboard opens with, answered
//! once for many who look.

use ccd402_domain::account::AccountAddress;
use ccd402_domain::tenant::TenantId;
use chrono::{DateTime, TimeDelta, Utc};

use crate::error::Error;
use crate::kept::Aged;
use crate::ports::overview::{Asked, Overview};
use crate::ports::read_model::{Filter, Stats, Step, Table};
use crate::projections::tallies::Width;
use crate::reads::Reads;

/// Over how long a time is told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Span {
    /// The last 60 minutes, by the minute.
    #[default]
    Hour,
    /// The last 24 hours, by the hour.
    Day,
    /// The last 7 days, by the hour.
    Week,
}

/// Who earns and who pays most, and for what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaders {
    /// By resource and recipient.
    pub stats: Stats,
    /// By payer.
    pub payers: Table<AccountAddress>,
}

impl Span {
    /// Every span, shortest first.
    pub const ALL: [Self; 3] = [Self::Hour, Self::Day, Self::Week];

    /// Its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
        }
    }

    /// The span of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|span| span.as_str() == name)
    }

    /// How many steps it has, the one under way included.
    #[must_use]
    pub fn steps(self) -> i32 {
        match self {
            Self::Hour => 60,
            Self::Day => 24,
            Self::Week => 7 * 24,
        }
    }

    /// How wide they are.
    #[must_use]
    pub fn step(self) -> Step {
        match self {
            Self::Hour => Step::Minute,
            Self::Day | Self::Week => Step::Hour,
        }
    }

    /// When its first step begins, with the one under way its last.
    #[must_use]
    pub fn from(self, now: DateTime<Utc>) -> DateTime<Utc> {
        let width = if self == Self::Hour { Width::Minute } else { Width::Hour };
        let before = TimeDelta::seconds(self.step().seconds()) * (self.steps() - 1);
        width.begin_of(now) - before
    }
}

impl Reads {
    /// All verifications at a glance, those of a tenant or everybody's.
    ///
    /// # Errors
    /// Where the read model is behind, or cannot be asked.
    pub async fn overview(
        &self,
        tenant: Option<TenantId>,
        span: Span,
        now: DateTime<Utc>,
    ) -> Result<Aged<Overview>, Error> {
        let asked = Asked { tenant: tenant.clone(), from: span.from(now), step: span.step() };
        let answer = self.overviews.get((tenant, span), self.model.overview(&asked)).await;
        Ok(answer?)
    }

    /// Who earned and paid most in a time.
    ///
    /// # Errors
    /// Where there is too much to count, or the read model cannot be asked.
    pub async fn leaders(
        &self,
        tenant: Option<TenantId>,
        span: Span,
        now: DateTime<Utc>,
    ) -> Result<Aged<Leaders>, Error> {
        let from = Some(span.from(now));
        let filter = Filter { tenant: tenant.clone(), from, ..Filter::default() };
        let counting = async {
            let stats = self.model.stats(&filter, Step::Day).await?;
            let payers = self.model.payers(&filter).await?;
            Ok::<_, Error>(Leaders { stats, payers })
        };
        self.leading.get((tenant, span), counting).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_ends_with_the_step_under_way() {
        let now: DateTime<Utc> = "2026-11-22T15:04:05Z".parse().unwrap();
        let from = |span: Span| span.from(now).to_rfc3339();
        assert_eq!(from(Span::Hour), "2026-11-22T14:05:00+00:00");
        assert_eq!(from(Span::Day), "2026-11-21T16:00:00+00:00");
        assert_eq!(from(Span::Week), "2026-11-15T16:00:00+00:00");
    }
}
