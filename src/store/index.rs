//! What one event changes in the indexes beside the log, in keys of the table.
//!
//! Which events claim, begin or end a wait is the port's to say; this only names the keys.

use ::sled::IVec;
use ccd402_app::ports::log::{WaitChange, claim_of, wait_change_of};
use ccd402_domain::event::Event;
use ccd402_domain::ids::{TransactionHash, VerificationId};
use ccd402_domain::tenant::TenantId;
use chrono::{DateTime, Utc};

use crate::keys;

/// Changes that follow from an event.
#[derive(Clone, Default)]
pub(crate) struct IndexChange {
    pub(crate) claim: Option<Claim>,
    pub(crate) wait: Option<Wait>,
}

/// A claim that must be free, or the claimant's own.
#[derive(Clone)]
pub(crate) struct Claim {
    pub(crate) key: IVec,
    pub(crate) transaction: TransactionHash,
    pub(crate) verification: VerificationId,
}

/// A wait that begins or ends.
#[derive(Clone)]
pub(crate) enum Wait {
    Begins(IVec, DateTime<Utc>, TenantId),
    Ends(IVec),
}

impl IndexChange {
    pub(crate) fn of(event: &Event) -> Self {
        let claim = claim_of(event).map(|(network, transaction, verification)| {
            let key = keys::claim(network, transaction);
            Claim { key, transaction, verification }
        });
        let wait = wait_change_of(event).map(|change| match change {
            WaitChange::Begins(network, tenant, waiting) => {
                let key = keys::waiting(&network, waiting.transaction, waiting.verification);
                Wait::Begins(key, waiting.closes_at, tenant)
            }
            WaitChange::Ends(network, transaction, verification) => {
                Wait::Ends(keys::waiting(&network, transaction, verification))
            }
        });
        Self { claim, wait }
    }
}
