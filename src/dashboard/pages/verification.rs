//! `GET /dashboard/verifications/{id}`: what was asked, what was shown, what happened, and who was
//! told. Read from the log itself, so it is never behind.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use ccd402_app::disclosed;
use ccd402_app::ports::log::Recorded;
use ccd402_domain::event::Event;
use ccd402_domain::ids::VerificationId;
use ccd402_domain::payment::{ConsumeOn, Payment};
use ccd402_domain::transaction::BlockRef;
use ccd402_domain::verification::state::{Outcome, Verification};
use ccd402_protocol::payload::BindingKind;

use crate::caller::Caller;
use crate::dashboard::Dashboard;
use crate::fault::Fault;
use crate::live;
use crate::page::{Section, Shell, drawn, shown};
use crate::pages::deliveries::{self, Delivery};
use crate::scene::Scene;
use crate::shown::{Decimals, Time, count};
use crate::words;

#[derive(Template)]
#[template(path = "verification.html")]
struct Page {
    shell: Shell,
    told: Told,
}

#[derive(Template)]
#[template(path = "verification.html", block = "live")]
struct Live {
    shell: Shell,
    told: Told,
}

/// Everything that is told of one.
pub(crate) struct Told {
    id: String,
    status: &'static str,
    code: Option<(&'static str, &'static str, String)>,
    usage: Vec<String>,
    tenant: String,
    asked: Asked,
    proofs: Vec<String>,
    transfer: Transfer,
    events: Vec<Happened>,
    deliveries: Vec<Delivery>,
    may_redeliver: bool,
    as_of: String,
}

/// What the resource server asked for.
pub(crate) struct Asked {
    price: String,
    pay_to: String,
    method: String,
    url: String,
    identity: Vec<String>,
    opens: Time,
    closes: Time,
    consume_on: &'static str,
}

/// The transaction that pays.
pub(crate) struct Transfer {
    hash: String,
    explorer: Option<String>,
    network: String,
    payer: String,
    binding: &'static str,
    sponsor: Option<String>,
    block: Option<(String, String, Time)>,
}

/// An event in the timeline.
pub(crate) struct Happened {
    class: &'static str,
    told: String,
    detail: String,
    cause: &'static str,
    name: &'static str,
    position: String,
    version: u64,
    time: Time,
    raw: String,
}

pub(crate) async fn show(
    State(dashboard): State<Arc<Dashboard>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, Fault> {
    let scene = Scene::present(&dashboard, &caller);
    page(&dashboard, &caller, &scene, &id).await
}

/// The page in a scene.
pub(crate) async fn page(
    dashboard: &Dashboard,
    caller: &Caller,
    scene: &Scene,
    id: &str,
) -> Result<Response, Fault> {
    let id = id.parse().map_err(|_| Fault::NotFound)?;
    let told = told(dashboard, caller, scene, id).await?;
    let title = format!("Verification {id}");
    let mut shell = Shell::of(dashboard, caller, scene, (Section::Verifications, &title));
    if !scene.is_past() {
        shell.live = Some(format!("{}/verifications/{id}/live", shell.base));
    }
    Ok(shown(&Page { shell, told }))
}

/// `GET /dashboard/verifications/{id}/live`: the same, as it changes.
pub(crate) async fn live(
    State(dashboard): State<Arc<Dashboard>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, Fault> {
    let id: VerificationId = id.parse().map_err(|_| Fault::NotFound)?;
    let (shared, viewer) = (Arc::clone(&dashboard), caller.clone());
    // Once, so that what is not there is not waited for.
    history(&dashboard, &caller, &Scene::live(&dashboard, &caller), id).await?;
    let draw = move || -> live::Drawn {
        let (dashboard, caller) = (Arc::clone(&shared), viewer.clone());
        Box::pin(async move {
            let scene = Scene::live(&dashboard, &caller);
            let told = told(&dashboard, &caller, &scene, id).await?;
            let shell = Shell::of(&dashboard, &caller, &scene, (Section::Verifications, ""));
            Ok(Arc::new(drawn(&Live { shell, told })?))
        })
    };
    live::keep(&dashboard, caller, Box::new(draw))
}

/// Its events within reach and up to the scene's.
async fn history(
    dashboard: &Dashboard,
    caller: &Caller,
    scene: &Scene,
    id: VerificationId,
) -> Result<Vec<Recorded>, Fault> {
    let found = dashboard.facilitator.history(&caller.reach()?, id).await?;
    let mut events = found.ok_or(Fault::NotFound)?;
    events.retain(|event| scene.until.is_none_or(|until| event.position <= until));
    if events.is_empty() { Err(Fault::NotFound) } else { Ok(events) }
}

async fn told(
    dashboard: &Dashboard,
    caller: &Caller,
    scene: &Scene,
    id: VerificationId,
) -> Result<Told, Fault> {
    let events = history(dashboard, caller, scene, id).await?;
    let state = Verification::fold(events.iter().map(|recorded| &recorded.event));
    let state = state.map_err(ccd402_app::error::Error::from)?.ok_or(Fault::NotFound)?;
    let payment = Arc::clone(&state.payment);
    let decimals = dashboard.decimals(&[&payment.asset]).await;
    let (status, code) = match &state.outcome {
        Outcome::Pending { .. } => ("pending", None),
        Outcome::Confirmed { .. } => ("confirmed", None),
        Outcome::Failed(refused) => {
            let code = refused.code;
            ("failed", Some((code.as_str(), code.title(), refused.detail.clone())))
        }
    };
    let deliveries = deliveries::of(dashboard, caller, scene, id).await?;
    let last = events.last().map_or(0, |event| event.position);
    Ok(Told {
        id: id.to_string(),
        status,
        code,
        usage: usage(&state, scene),
        tenant: state.tenant.to_string(),
        asked: Asked::of(&payment, &decimals, scene),
        proofs: proofs(&state, &events),
        transfer: transfer(dashboard, &state, scene),
        events: events.iter().map(|event| Happened::of(event, scene)).collect(),
        deliveries,
        may_redeliver: caller.may_redeliver() && !scene.is_past(),
        as_of: count(last),
    })
}

fn usage(state: &Verification, scene: &Scene) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(held) = state.usage.reserved {
        let until = held.until.format("%H:%M:%S UTC");
        let words = if held.until > scene.now {
            "held for a resource server until"
        } else {
            "was held until"
        };
        lines.push(format!("{words} {until}"));
    }
    if state.usage.verified {
        lines.push("used up by a verify".to_owned());
    }
    if state.usage.settled {
        lines.push("used up by a settle".to_owned());
    }
    lines
}

impl Asked {
    fn of(payment: &Payment, decimals: &Decimals, scene: &Scene) -> Self {
        Self {
            price: decimals.money(payment.amount.units().into(), &payment.asset),
            pay_to: payment.pay_to.to_string(),
            method: payment.resource.method.clone(),
            url: payment.resource.url.clone(),
            identity: payment.identity.as_ref().map(words::asked).unwrap_or_default(),
            opens: Time::of(payment.window.opens_at, scene.told_at),
            closes: Time::of(payment.window.closes_at, scene.told_at),
            consume_on: match payment.consume_on {
                ConsumeOn::Verify => "by the first verify",
                ConsumeOn::Settle => "by a settle",
            },
        }
    }
}

/// What the payer has shown, and what is still to be checked.
fn proofs(state: &Verification, events: &[Recorded]) -> Vec<String> {
    let shown = events.iter().filter_map(|recorded| match &recorded.event {
        Event::IdentityVerified(verified) => {
            let proven = &verified.proven;
            let revealed = match proven.revealed {
                Some(hash) => format!("it shows values, of which this SHA-256 is kept: {hash}"),
                None => "it shows nothing beyond the statement".to_owned(),
            };
            Some(format!(
                "An identity proof that holds, by identity provider {}; {revealed}",
                proven.issuer
            ))
        }
        Event::BindingVerified(_) => Some("Signatures of the account that hold".to_owned()),
        _ => None,
    });
    let mut lines: Vec<_> = shown.collect();
    if !state.is_decided() && state.awaits_presentation {
        lines.push("An identity proof that is still to be checked".to_owned());
    }
    if !state.is_decided() && state.awaits_signature {
        lines.push("Signatures that are still to be checked".to_owned());
    }
    lines
}

fn transfer(dashboard: &Dashboard, state: &Verification, scene: &Scene) -> Transfer {
    let payment = &state.payment;
    let block: Option<BlockRef> = match &state.outcome {
        Outcome::Pending { transfer } => *transfer,
        Outcome::Confirmed { block } => Some(*block),
        Outcome::Failed(_) => None,
    };
    Transfer {
        hash: payment.transaction.to_string(),
        explorer: dashboard.explored(payment.transaction),
        network: payment.network.v1_name().to_owned(),
        payer: payment.payer.to_string(),
        binding: match payment.binding {
            _ if payment.sponsored.is_some() => "by the payer’s signature; a sponsor pays the fee",
            BindingKind::Memo => "by the transfer’s memo",
            BindingKind::Presentation => "by the identity proof",
            BindingKind::Signature => "by the account’s signatures",
        },
        sponsor: payment.sponsored.as_ref().map(|sponsored| sponsored.sponsor.to_string()),
        block: block.map(|block| {
            (count(block.height), block.hash.to_string(), Time::of(block.time, scene.told_at))
        }),
    }
}

impl Happened {
    fn of(recorded: &Recorded, scene: &Scene) -> Self {
        let raw = serde_json::to_string_pretty(&disclosed::data(&recorded.event));
        let (class, detail) = match &recorded.event {
            Event::VerificationConfirmed(_) => ("confirmed", String::new()),
            Event::VerificationFailed(failed) => ("failed", failed.rejection.detail.clone()),
            _ => ("", String::new()),
        };
        Self {
            class,
            told: words::told(&recorded.event),
            detail,
            cause: words::cause(&recorded.event),
            name: recorded.event.name(),
            position: count(recorded.position),
            version: recorded.version,
            time: Time::of(recorded.time, scene.told_at),
            raw: raw.unwrap_or_default(),
        }
    }
}
