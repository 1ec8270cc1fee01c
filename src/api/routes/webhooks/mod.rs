//! `/v1/webhooks`: whom to tell of a tenant's verifications; one route a file.
//!
//! Looking takes `read`. Changing, trying and sending again takes `submit` and `read`, for a webhook
//! is told what `read` may see. With `operate` all tenants' webhooks are there, but none is made for
//! another.

mod change;
mod create;
mod delete;
mod deliveries;
mod list;
mod ping;
mod redeliver;
mod rotate_secret;
mod show;

use ccd402_app::error::Error;
use ccd402_domain::ids::WebhookId;
use ccd402_domain::key::scope::Scope;
use ccd402_domain::rejection::Rejection;
use ccd402_domain::tenant::Reach;
use ccd402_domain::webhook::state::Webhook;
use ccd402_protocol::code::ReasonCode;
use http::StatusCode;

pub(crate) use self::change::change;
pub(crate) use self::create::create;
pub(crate) use self::delete::delete;
pub(crate) use self::deliveries::deliveries;
pub(crate) use self::list::list;
pub(crate) use self::ping::ping;
pub(crate) use self::redeliver::redeliver;
pub(crate) use self::rotate_secret::rotate_secret;
pub(crate) use self::show::show;
use crate::api::Api;
use crate::caller::Caller;
use crate::problem::Problem;

/// Longest explanation of what is wrong with a body.
const DETAIL_CHARS_MAX: usize = 300;

/// Whose webhooks the caller may change and try.
///
/// # Errors
/// 403 where it may do neither.
fn managed(caller: &Caller) -> Result<Reach, Problem> {
    if caller.scopes.include(Scope::Operate) {
        return Ok(Reach::All);
    }
    caller.must(Scope::Submit)?;
    caller.must(Scope::Read)?;
    Ok(Reach::Tenant(caller.tenant.clone()))
}

/// A webhook within reach; a text that is no id names none.
///
/// # Errors
/// 404.
fn find(api: &Api, reach: &Reach, id: &str) -> Result<Webhook, Problem> {
    let id: Option<WebhookId> = id.parse().ok();
    let found = id.and_then(|id| api.webhooks.show(reach, id));
    found.ok_or_else(|| refused(Rejection::of(ReasonCode::WebhookNotFound)))
}

/// Runs a use case as a task of its own: a caller who goes away must not come between what is done
/// and its record.
///
/// # Errors
/// Where it failed on our side, or is refused.
async fn to_its_end<T: Send + 'static>(
    api: &Api,
    case: impl Future<Output = Result<Result<T, Rejection>, Error>> + Send + 'static,
) -> Result<T, Problem> {
    let ended = tokio::spawn(case).await.map_err(|_| {
        tracing::error!("a use case of webhooks panicked");
        Problem::internal()
    })?;
    ended.map_err(|error| api.fault(error))?.map_err(refused)
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err wants")]
fn not_understood(error: serde_json::Error) -> Problem {
    let detail = format!("the body is not what this route takes: {error}");
    Problem::malformed(detail.chars().take(DETAIL_CHARS_MAX).collect::<String>())
}

fn refused(rejection: Rejection) -> Problem {
    let status = match rejection.code {
        ReasonCode::WebhookNotFound | ReasonCode::DeliveryNotFound => StatusCode::NOT_FOUND,
        ReasonCode::WebhookLimitReached
        | ReasonCode::IdempotencyKeyReused
        | ReasonCode::DeliveryOutOfOrder => StatusCode::CONFLICT,
        ReasonCode::WebhookUrlRefused => StatusCode::UNPROCESSABLE_ENTITY,
        _ => StatusCode::BAD_REQUEST,
    };
    Problem::rejected(status, rejection)
}
