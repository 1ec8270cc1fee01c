//! Who calls: put into every request by the layer around the routes, asked for by the routes.
//!
//! A route that takes no caller is open to everybody. Whether a key is good is not decided here.

use axum::extract::FromRequestParts;
use ccd402_domain::ids::KeyId;
use ccd402_domain::key::event::KeyCreated;
use ccd402_domain::key::scope::{Scope, Scopes};
use ccd402_domain::key::state::Key;
use ccd402_domain::tenant::{Reach, TenantId};
use ccd402_protocol::code::ReasonCode;
use http::StatusCode;
use http::request::Parts;

use crate::problem::Problem;

/// Who calls, and what for.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    /// As whom.
    pub(crate) tenant: TenantId,
    /// What is allowed.
    pub(crate) scopes: Scopes,
    /// By which key; none where no key was needed and none was presented.
    pub(crate) key: Option<KeyId>,
}

impl Caller {
    /// Somebody on this machine, where no key is needed: may do everything.
    pub(crate) fn without_key() -> Self {
        Self { tenant: TenantId::default(), scopes: Scopes::all(), key: None }
    }

    /// Whoever holds a key that is good.
    pub(crate) fn with(key: &Key) -> Self {
        let KeyCreated { tenant, scopes, .. } = &key.created;
        Self { tenant: tenant.clone(), scopes: *scopes, key: Some(key.id()) }
    }

    /// Refuses a caller without that scope.
    ///
    /// # Errors
    /// 403.
    pub(crate) fn must(&self, scope: Scope) -> Result<(), Problem> {
        if self.scopes.include(scope) {
            return Ok(());
        }
        let detail = format!("the key does not have the scope {scope}");
        Err(Problem::new(StatusCode::FORBIDDEN, ReasonCode::ScopeMissing, detail))
    }

    /// Whose things the caller may see: everybody's with `operate`, else its tenant's.
    ///
    /// # Errors
    /// 403 where it may see nothing.
    pub(crate) fn reach(&self) -> Result<Reach, Problem> {
        if self.scopes.include(Scope::Operate) {
            return Ok(Reach::All);
        }
        self.must(Scope::Read)?;
        Ok(Reach::Tenant(self.tenant.clone()))
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    /// Fails closed: a request that nobody looked at has no caller.
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts.extensions.get().cloned().ok_or_else(Problem::internal)
    }
}
