//! Who looks: put into every request by `guard`, asked for by the pages. Whether a key is good is not
//! decided here.

use axum::extract::FromRequestParts;
use ccd402_domain::ids::KeyId;
use ccd402_domain::key::scope::{Scope, Scopes};
use ccd402_domain::key::state::Key;
use ccd402_domain::tenant::{Reach, TenantId};
use http::request::Parts;

use crate::fault::Fault;
use crate::session::Session;

/// Who looks, and what they may see.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    /// As whom.
    pub(crate) tenant: TenantId,
    /// What is allowed.
    pub(crate) scopes: Scopes,
    /// By which key; none where no key is needed and none was shown.
    pub(crate) key: Option<KeyId>,
    /// What the key is called.
    pub(crate) name: String,
    pub(crate) session: Option<Session>,
    /// What every link of a page begins with.
    pub(crate) base: String,
}

impl Caller {
    /// Somebody on this machine, where no key is needed.
    pub(crate) fn without_key(base: String) -> Self {
        Self {
            tenant: TenantId::default(),
            scopes: Scopes::all(),
            key: None,
            name: String::new(),
            session: None,
            base,
        }
    }

    /// Whoever has signed in with a key that is good.
    pub(crate) fn with(key: &Key, session: Session, base: String) -> Self {
        Self {
            tenant: key.created.tenant.clone(),
            scopes: key.created.scopes,
            key: Some(key.id()),
            name: key.created.name.to_string(),
            session: Some(session),
            base,
        }
    }

    /// Whether they run the facilitator.
    pub(crate) fn is_operator(&self) -> bool {
        self.scopes.include(Scope::Operate)
    }

    /// Whose things they may see: everybody's with `operate`, else their tenant's.
    ///
    /// # Errors
    /// Where they may see nothing.
    pub(crate) fn reach(&self) -> Result<Reach, Fault> {
        if self.is_operator() {
            return Ok(Reach::All);
        }
        if self.scopes.include(Scope::Read) {
            return Ok(Reach::Tenant(self.tenant.clone()));
        }
        Err(Fault::Forbidden(Scope::Read))
    }

    /// The tenant that they must keep to, if any.
    ///
    /// # Errors
    /// As for [`Caller::reach`].
    pub(crate) fn only(&self) -> Result<Option<TenantId>, Fault> {
        Ok(match self.reach()? {
            Reach::All => None,
            Reach::Tenant(tenant) => Some(tenant),
        })
    }

    /// Whether they may try webhooks within their reach.
    pub(crate) fn may_redeliver(&self) -> bool {
        let has = |scope| self.scopes.include(scope);
        self.is_operator() || (has(Scope::Submit) && has(Scope::Read))
    }

    /// Refuses who does not run the facilitator.
    ///
    /// # Errors
    /// Where they do not.
    pub(crate) fn must_operate(&self) -> Result<(), Fault> {
        if self.is_operator() { Ok(()) } else { Err(Fault::Forbidden(Scope::Operate)) }
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Fault;

    /// Fails closed: a request that nobody looked at has no caller.
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Fault> {
        parts.extensions.get().cloned().ok_or(Fault::SignedOut)
    }
}
