//! Which verifications a query means, and as of which event: what lists and statistics share.
//!
//! Whose they are is said by who asks; what of them is shown is not decided here.

use ccd402_app::ports::log::Position;
use ccd402_app::ports::read_model::{Filter, Status};
use ccd402_domain::key::scope::Scope;
use ccd402_domain::tenant::{Reach, TenantId};

use crate::caller::Caller;
use crate::problem::Problem;
use crate::query::Query;

/// What is asked for, besides what one route alone takes.
pub(crate) struct Asked {
    pub(crate) filter: Filter,
    /// The event that must be in the answer.
    pub(crate) min_position: Option<Position>,
}

impl Asked {
    /// Takes it out of a query.
    ///
    /// # Errors
    /// 403 where the caller may not see that, 400 where something is not what it should be.
    pub(crate) fn take(query: &mut Query, caller: &Caller) -> Result<Self, Problem> {
        let reach = caller.reach()?;
        let filter = Filter {
            tenant: tenant(query, caller, reach)?,
            status: query.take::<String>("status")?.as_deref().map(status).transpose()?,
            payer: query.take("payer")?,
            pay_to: query.take("payTo")?,
            asset: query.take("asset")?,
            network: query.take("network")?,
            resource: query.take("resource")?,
            transaction: query.take("transaction")?,
            from: query.take("from")?,
            to: query.take("to")?,
        };
        Ok(Self { filter, min_position: query.take("minPosition")? })
    }
}

/// Whose: a tenant's own, or whosever the operator wants to see.
fn tenant(query: &mut Query, caller: &Caller, reach: Reach) -> Result<Option<TenantId>, Problem> {
    let asked: Option<TenantId> = query.take("tenant")?;
    match reach {
        Reach::All => Ok(asked),
        Reach::Tenant(own) => {
            if asked.is_some_and(|asked| asked != own) {
                caller.must(Scope::Operate)?;
            }
            Ok(Some(own))
        }
    }
}

fn status(name: &str) -> Result<Status, Problem> {
    Status::named(name).ok_or_else(|| Problem::malformed("status is pending, confirmed or failed"))
}
