//! Webhook deliveries of one verification, and sending one once more.

use std::sync::Arc;

use axum::extract::{Form, Path, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use ccd402_app::ports::log::Position;
use ccd402_app::webhooks::deliveries::Asked;
use ccd402_app::webhooks::manage::PAGE_MAX;
use ccd402_domain::ids::{VerificationId, WebhookId};
use ccd402_domain::key::scope::Scope;
use ccd402_domain::tenant::{Reach, TenantId};
use ccd402_domain::webhook::event::{Answer, DeliveryOutcome, NoAnswer, WebhookDelivered};
use ccd402_protocol::code::ReasonCode;
use serde::Deserialize;

use crate::caller::Caller;
use crate::dashboard::Dashboard;
use crate::fault::Fault;
use crate::pages::sign_in::Token;
use crate::scene::Scene;
use crate::shown::{Time, count, took};

/// Tries of a verification that are shown, newest first.
const SHOWN_MAX: usize = 100;

/// A try to tell a webhook.
pub(crate) struct Delivery {
    pub(crate) webhook: String,
    pub(crate) url: String,
    pub(crate) of: &'static str,
    pub(crate) position: u64,
    pub(crate) shown_position: String,
    pub(crate) attempt: u32,
    pub(crate) answer: String,
    pub(crate) class: &'static str,
    pub(crate) outcome: &'static str,
    pub(crate) took: String,
    pub(crate) at: Time,
    pub(crate) retry: Option<Time>,
    /// Whether no later try is of the same.
    pub(crate) is_newest: bool,
}

/// What the form says.
#[derive(Deserialize)]
pub(crate) struct Filled {
    #[serde(flatten)]
    token: Token,
    webhook: String,
    position: String,
}

/// The tries for one verification that the caller may see, newest first.
pub(crate) async fn of(
    dashboard: &Dashboard,
    caller: &Caller,
    scene: &Scene,
    id: VerificationId,
) -> Result<Vec<Delivery>, Fault> {
    let Some(tenant) = tenant_of(dashboard, caller, id).await? else { return Ok(Vec::new()) };
    let webhooks = dashboard.webhooks.list(&Reach::Tenant(tenant), None, PAGE_MAX);
    let mut tries: Vec<(String, WebhookDelivered)> = Vec::new();
    for webhook in &webhooks {
        let asked = Asked { verification: Some(id), max: 1, ..Asked::default() };
        let page = dashboard.webhooks.deliveries(webhook.id, asked).await?;
        let until = |tried: &WebhookDelivered| !scene.is_past() || tried.at <= scene.now;
        let found = page.deliveries.into_iter().filter(until);
        tries.extend(found.map(|tried| (webhook.url.clone(), tried)));
    }
    tries.sort_by_key(|(_, tried)| std::cmp::Reverse((tried.at, tried.attempt)));
    let mut newest = std::collections::HashSet::new();
    let shown = tries.iter().take(SHOWN_MAX).map(|(url, tried)| {
        let is_newest = newest.insert((tried.webhook, tried.position));
        shown(url, tried, is_newest, scene)
    });
    Ok(shown.collect())
}

fn shown(url: &str, tried: &WebhookDelivered, is_newest: bool, scene: &Scene) -> Delivery {
    let (class, outcome) = match tried.outcome {
        DeliveryOutcome::Delivered => ("delivered", "delivered"),
        DeliveryOutcome::Failed => ("waiting", "to be tried again"),
        DeliveryOutcome::GivenUp => ("failed", "given up"),
    };
    Delivery {
        webhook: tried.webhook.to_string(),
        url: url.to_owned(),
        of: tried.transition.as_str(),
        position: tried.position,
        shown_position: count(tried.position),
        attempt: tried.attempt,
        answer: match tried.answer {
            Answer::Status(status) => format!("HTTP {status}"),
            Answer::Error(error) => no_answer(error).to_owned(),
        },
        class,
        outcome,
        took: took(tried.duration_ms.saturating_mul(1_000)),
        at: Time::of(tried.at, scene.told_at),
        retry: tried.retry_at.map(|at| Time::of(at, scene.told_at)),
        is_newest,
    }
}

fn no_answer(error: NoAnswer) -> &'static str {
    match error {
        NoAnswer::Refused => "an address that webhooks may not reach",
        NoAnswer::Unresolved => "its name has no address",
        NoAnswer::Unreachable => "cannot be connected to",
        NoAnswer::TimedOut => "took too long",
        NoAnswer::Broken => "the connection broke",
    }
}

/// `POST /dashboard/verifications/{id}/redeliver`.
pub(crate) async fn redeliver(
    State(dashboard): State<Arc<Dashboard>>,
    caller: Caller,
    Path(id): Path<String>,
    Form(filled): Form<Filled>,
) -> Result<Response, Fault> {
    filled.token.must_be_of(&dashboard, &caller)?;
    if !caller.may_redeliver() {
        return Err(Fault::Forbidden(Scope::Submit));
    }
    let id: VerificationId = id.parse().map_err(|_| Fault::NotFound)?;
    let webhook: WebhookId = filled.webhook.parse().map_err(|_| Fault::NotFound)?;
    let position: Position = filled.position.parse().map_err(|_| Fault::NotFound)?;
    let webhook = dashboard.webhooks.show(&caller.reach()?, webhook).ok_or(Fault::NotFound)?;
    // As a task of its own: who goes away must not come between what is sent and its record.
    let (shared, key, operates) = (Arc::clone(&dashboard), caller.key, caller.is_operator());
    let sending = tokio::spawn(async move {
        let Dashboard { operations, webhooks, .. } = &*shared;
        if operates {
            operations.redeliver(key, webhooks, (webhook, position)).await
        } else {
            webhooks.redeliver(webhook, position).await
        }
    });
    let sent = sending.await.map_err(|_| Fault::Broken)?;
    sent?.map_err(|rejection| match rejection.code {
        ReasonCode::DeliveryNotFound => Fault::NotFound,
        _ => Fault::Refused(rejection),
    })?;
    let to = format!("{}/verifications/{id}#deliveries", caller.base);
    Ok(Redirect::to(&to).into_response())
}

async fn tenant_of(
    dashboard: &Dashboard,
    caller: &Caller,
    id: VerificationId,
) -> Result<Option<TenantId>, Fault> {
    let wait = std::time::Duration::ZERO;
    let state = dashboard.facilitator.query(&caller.reach()?, id, wait).await?;
    Ok(state.map(|state| state.tenant))
}
