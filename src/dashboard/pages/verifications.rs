//! `GET /dashboard/verifications`: those that a filter means, newest first, a page at a time.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Query as UrlQuery, State};
use axum::response::Response;
use ccd402_app::list::{Listed, Query};
use ccd402_app::ports::read_model::{Filter, Status};
use ccd402_app::projections::verifications::{Outcome, Row, Usage};

use crate::caller::Caller;
use crate::dashboard::Dashboard;
use crate::fault::Fault;
use crate::live;
use crate::page::{Section, Shell, drawn, shown};
use crate::query::{Asked, Pairs, push, written};
use crate::scene::Scene;
use crate::shown::{self, Decimals, Time, short};

/// Rows of a page.
const PAGE_ROWS: usize = 50;

#[derive(Template)]
#[template(path = "verifications.html")]
struct Page {
    shell: Shell,
    fields: Fields,
    list: List,
}

#[derive(Template)]
#[template(path = "verifications.html", block = "live")]
struct Live<'a> {
    shell: &'a Shell,
    list: List,
}

/// What stands in the filter's fields.
pub(crate) struct Fields {
    tenant: String,
    status: &'static str,
    payer: String,
    pay_to: String,
    asset: String,
    network: String,
    resource: String,
    transaction: String,
    from: String,
    to: String,
    is_open: bool,
}

/// The rows of a page.
pub(crate) struct List {
    rows: Vec<Shown>,
    as_of: String,
    next: Option<String>,
    first: Option<String>,
    download: String,
    shows_tenant: bool,
}

/// A row as people read it.
pub(crate) struct Shown {
    id: String,
    status: &'static str,
    code: Option<&'static str>,
    usage: &'static str,
    amount: String,
    method: String,
    url: String,
    payer: String,
    payer_short: String,
    tenant: String,
    time: Time,
    took: Option<String>,
}

pub(crate) async fn list(
    State(dashboard): State<Arc<Dashboard>>,
    caller: Caller,
    UrlQuery(pairs): UrlQuery<Pairs>,
) -> Result<Response, Fault> {
    let scene = Scene::present(&dashboard, &caller);
    page(&dashboard, &caller, &scene, pairs).await
}

/// The page in a scene.
pub(crate) async fn page(
    dashboard: &Dashboard,
    caller: &Caller,
    scene: &Scene,
    pairs: Pairs,
) -> Result<Response, Fault> {
    let asked = Asked::read(pairs, caller.only()?)?;
    let list = rows(dashboard, caller, scene, &asked).await?;
    let mut shell = Shell::of(dashboard, caller, scene, (Section::Verifications, "Verifications"));
    if asked.cursor.is_none() && !scene.is_past() {
        let query = written(&asked.filter, caller.is_operator());
        shell.live = Some(format!("{}/verifications/live?{query}", shell.base));
    }
    let fields = Fields::of(&asked.filter);
    Ok(shown(&Page { shell, fields, list }))
}

/// `GET /dashboard/verifications/live`: the first page, as it changes.
pub(crate) async fn live(
    State(dashboard): State<Arc<Dashboard>>,
    caller: Caller,
    UrlQuery(pairs): UrlQuery<Pairs>,
) -> Result<Response, Fault> {
    let asked = Arc::new(Asked::read(pairs, caller.only()?)?);
    let (shared, viewer) = (Arc::clone(&dashboard), caller.clone());
    let draw = move || -> live::Drawn {
        let (dashboard, caller, asked) = (Arc::clone(&shared), viewer.clone(), Arc::clone(&asked));
        Box::pin(async move {
            let operates = caller.is_operator();
            let query = written(&asked.filter, true);
            let key = format!("list {operates} {} {query}", caller.base);
            let drawing = async {
                let scene = Scene::live(&dashboard, &caller);
                let list = rows(&dashboard, &caller, &scene, &asked).await?;
                let place = (Section::Verifications, "");
                let shell = &Shell::of(&dashboard, &caller, &scene, place);
                drawn(&Live { shell, list })
            };
            Ok(dashboard.drawn.get(key, drawing).await?.value)
        })
    };
    live::keep(&dashboard, caller, Box::new(draw))
}

async fn rows(
    dashboard: &Dashboard,
    caller: &Caller,
    scene: &Scene,
    asked: &Asked,
) -> Result<List, Fault> {
    let query = Query {
        filter: asked.filter.clone(),
        cursor: asked.cursor.clone(),
        limit: PAGE_ROWS,
        min_position: None,
    };
    let Listed { as_of, rows, next } = scene.reads.list(&query).await?;
    let assets: Vec<_> = rows.iter().map(|row| &row.asset).collect();
    let decimals = dashboard.decimals(&assets).await;
    let filter = written(&asked.filter, caller.is_operator());
    let link = |cursor: Option<&str>| {
        let mut query = filter.clone();
        if let Some(cursor) = cursor {
            push(&mut query, "cursor", cursor);
        }
        format!("{}/verifications?{query}", scene.root)
    };
    Ok(List {
        rows: rows.iter().map(|row| Shown::of(row, &decimals, scene)).collect(),
        as_of: shown::count(as_of),
        next: next.map(|cursor| link(Some(&cursor))),
        first: asked.cursor.as_ref().map(|_| link(None)),
        download: format!("{}/verifications.csv?{filter}", scene.root),
        shows_tenant: caller.is_operator(),
    })
}

impl Fields {
    fn of(filter: &Filter) -> Self {
        let text = |value: Option<String>| value.unwrap_or_default();
        let time = |at: Option<chrono::DateTime<chrono::Utc>>| {
            text(at.map(|at| at.format("%Y-%m-%dT%H:%M").to_string()))
        };
        Self {
            tenant: text(filter.tenant.as_ref().map(ToString::to_string)),
            status: filter.status.map_or("", Status::as_str),
            payer: text(filter.payer.map(|account| account.to_string())),
            pay_to: text(filter.pay_to.map(|account| account.to_string())),
            asset: text(filter.asset.as_ref().map(ToString::to_string)),
            network: text(filter.network.as_ref().map(ToString::to_string)),
            resource: text(filter.resource.clone()),
            transaction: text(filter.transaction.map(|hash| hash.to_string())),
            from: time(filter.from),
            to: time(filter.to),
            is_open: *filter
                != Filter {
                    tenant: filter.tenant.clone(),
                    status: filter.status,
                    ..Filter::default()
                },
        }
    }
}

impl Shown {
    fn of(row: &Row, decimals: &Decimals, scene: &Scene) -> Self {
        let (code, decided_at) = match &row.standing.outcome {
            Outcome::Pending { .. } => (None, None),
            Outcome::Confirmed { at, .. } => (None, Some(*at)),
            Outcome::Failed { rejection, at } => (Some(rejection.code.as_str()), Some(*at)),
        };
        let took = decided_at.map(|at| (at - row.requested_at).num_microseconds().unwrap_or(0));
        Self {
            id: row.id.to_string(),
            status: row.standing.status().as_str(),
            code,
            usage: match row.standing.usage {
                Usage::Used => "used",
                Usage::Reserved { until } if until > scene.now => "held",
                Usage::Reserved { .. } | Usage::Free => "",
            },
            amount: decimals.money(row.amount.units().into(), &row.asset),
            method: row.resource.method.clone(),
            url: row.resource.url.clone(),
            payer_short: short(row.payer.as_str()),
            payer: row.payer.to_string(),
            tenant: row.tenant.to_string(),
            time: Time::of(row.requested_at, scene.told_at),
            took: took.map(|micros| shown::took(micros.max(0) as u64)),
        }
    }
}
