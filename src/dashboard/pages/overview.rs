//! `GET /dashboard`: where everything stands at a glance.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use ccd402_app::glance::Span;
use ccd402_app::kept::Aged;
use ccd402_app::ports::overview::Overview;
use ccd402_app::ports::read_model::{Percentiles, Status, Tally};
use ccd402_domain::asset::Asset;
use ccd402_domain::tenant::TenantId;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;

use crate::caller::Caller;
use crate::chart::{self, Bars, Column};
use crate::dashboard::Dashboard;
use crate::fault::Fault;
use crate::live;
use crate::page::{Section, Shell, drawn, shown};
use crate::scene::Scene;
use crate::shown::{self, Decimals, Time};

/// What the page is asked for.
#[derive(Debug, Default, Clone, Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    over: String,
}

/// The page, and what of it is live.
#[derive(Template)]
#[template(path = "overview.html")]
struct Page {
    shell: Shell,
    glance: Glance,
}

#[derive(Template)]
#[template(path = "overview.html", block = "live")]
struct Live<'a> {
    shell: &'a Shell,
    glance: Glance,
}

/// What is shown of an overview.
pub(crate) struct Glance {
    pub(crate) span: Span,
    pub(crate) as_of: String,
    pub(crate) age: String,
    pub(crate) is_past: bool,
    pub(crate) states: Vec<Stand>,
    pub(crate) chart: Bars,
    pub(crate) volumes: Vec<Volume>,
    pub(crate) refusals: Vec<Refusal>,
    pub(crate) finality: Took,
    pub(crate) submits: Option<Took>,
    pub(crate) machine: Option<Machine>,
}

/// How many stand somewhere.
pub(crate) struct Stand {
    pub(crate) status: &'static str,
    pub(crate) count: String,
    pub(crate) lately: String,
}

/// What was paid in an asset.
pub(crate) struct Volume {
    pub(crate) asset: String,
    pub(crate) network: String,
    pub(crate) lately: String,
    pub(crate) lately_count: String,
    pub(crate) ever: String,
    pub(crate) ever_count: String,
}

/// How often one rule was broken.
pub(crate) struct Refusal {
    pub(crate) code: &'static str,
    pub(crate) title: &'static str,
    pub(crate) count: String,
    /// Of 100 that the most frequent one has.
    pub(crate) share: u64,
}

/// How long something took.
pub(crate) struct Took {
    pub(crate) count: String,
    pub(crate) p50: String,
    pub(crate) p90: String,
    pub(crate) p99: String,
}

/// How the facilitator is.
pub(crate) struct Machine {
    pub(crate) height: Option<String>,
    pub(crate) block: Option<Time>,
    pub(crate) lag: String,
    pub(crate) waiting: Option<String>,
    pub(crate) dead: Option<String>,
    pub(crate) oldest: Option<String>,
    pub(crate) head: String,
}

impl Glance {
    /// The spans that there are, and which one this is.
    pub(crate) fn spans(&self) -> [(&'static str, &'static str, bool); 3] {
        spans(self.span)
    }

    pub(crate) fn words(&self) -> &'static str {
        self.spans().into_iter().find(|(.., is_it)| *is_it).map_or("", |(_, words, _)| words)
    }
}

/// Names and words of all spans, and whether each is the one that is shown.
pub(crate) fn spans(shown: Span) -> [(&'static str, &'static str, bool); 3] {
    Span::ALL.map(|span| {
        let words = match span {
            Span::Hour => "last hour",
            Span::Day => "last day",
            Span::Week => "last week",
        };
        (span.as_str(), words, span == shown)
    })
}

pub(crate) async fn overview(
    State(dashboard): State<Arc<Dashboard>>,
    caller: Caller,
    Query(asked): Query<Asked>,
) -> Result<Response, Fault> {
    let scene = Scene::present(&dashboard, &caller);
    page(&dashboard, &caller, &scene, &asked).await
}

/// The page in a scene.
pub(crate) async fn page(
    dashboard: &Dashboard,
    caller: &Caller,
    scene: &Scene,
    asked: &Asked,
) -> Result<Response, Fault> {
    let (tenant, span) = (caller.only()?, span(asked)?);
    let glance = glance(dashboard, scene, (tenant, span)).await?;
    let mut shell = Shell::of(dashboard, caller, scene, (Section::Overview, "Overview"));
    if !scene.is_past() {
        shell.live = Some(format!("{}/live?over={}", shell.base, span.as_str()));
    }
    Ok(shown(&Page { shell, glance }))
}

/// `GET /dashboard/live`: the same, as it changes.
pub(crate) async fn live(
    State(dashboard): State<Arc<Dashboard>>,
    caller: Caller,
    Query(asked): Query<Asked>,
) -> Result<Response, Fault> {
    let (tenant, span) = (caller.only()?, span(&asked)?);
    let (shared, viewer) = (Arc::clone(&dashboard), caller.clone());
    let draw = move || -> live::Drawn {
        let (dashboard, tenant, caller) = (Arc::clone(&shared), tenant.clone(), viewer.clone());
        Box::pin(async move {
            let whose = tenant.as_ref().map_or("", |tenant| tenant.as_str());
            let key = format!("overview {} {whose} {}", caller.base, span.as_str());
            let drawing = async {
                let scene = Scene::live(&dashboard, &caller);
                let glance = glance(&dashboard, &scene, (tenant.clone(), span)).await?;
                let shell = &Shell::of(&dashboard, &caller, &scene, (Section::Overview, ""));
                drawn(&Live { shell, glance })
            };
            Ok(dashboard.drawn.get(key, drawing).await?.value)
        })
    };
    live::keep(&dashboard, caller, Box::new(draw))
}

/// The span that is asked for.
pub(crate) fn span(asked: &Asked) -> Result<Span, Fault> {
    match asked.over.as_str() {
        "" => Ok(Span::default()),
        name => Span::named(name)
            .ok_or_else(|| Fault::Malformed("over is hour, day or week".to_owned())),
    }
}

async fn glance(
    dashboard: &Dashboard,
    scene: &Scene,
    (tenant, span): (Option<TenantId>, Span),
) -> Result<Glance, Fault> {
    let now = scene.now;
    let Aged { value, age } = scene.reads.overview(tenant, span, now).await?;
    let Overview { as_of, totals, by_time, refusals, finality } = &*value;
    let assets: Vec<_> = totals.iter().map(|tally| &tally.asset).collect();
    let decimals = dashboard.decimals(&assets).await;
    let most = refusals.first().map_or(1, |(_, count)| *count).max(1);
    let refusals = refusals.iter().map(|(code, count)| Refusal {
        code: code.as_str(),
        title: code.title(),
        count: shown::count(*count),
        share: count * 100 / most,
    });
    let ms = |ms: u64| ms.saturating_mul(1_000);
    Ok(Glance {
        span,
        as_of: shown::count(*as_of),
        age: shown::age(age),
        is_past: scene.is_past(),
        states: states(totals, by_time),
        chart: chart(by_time, span, now),
        volumes: volumes(totals, by_time, &decimals),
        refusals: refusals.collect(),
        finality: took(Percentiles {
            count: finality.count,
            p50: ms(finality.p50_ms),
            p90: ms(finality.p90_ms),
            p99: ms(finality.p99_ms),
        }),
        submits: (!scene.is_past()).then(|| took(dashboard.facilitator.submit_latency())),
        machine: if scene.is_past() { None } else { Some(machine(dashboard, scene).await?) },
    })
}

/// How the facilitator is, which no event tells.
async fn machine(dashboard: &Dashboard, scene: &Scene) -> Result<Machine, Fault> {
    let reads = &scene.reads;
    let block = dashboard.facilitator.followed().await?;
    let jobs = dashboard.operations.jobs().depth().await.ok();
    let as_of = *reads.model().position().borrow();
    Ok(Machine {
        height: block.map(|block| shown::count(block.height)),
        block: block.map(|block| Time::of(block.time, scene.told_at)),
        lag: as_of.map_or_else(|| "being built".to_owned(), |as_of| shown::count(reads.lag(as_of))),
        waiting: jobs.map(|jobs| shown::count(jobs.waiting)),
        dead: jobs.map(|jobs| shown::count(jobs.dead)),
        oldest: jobs.map(|jobs| shown::took(jobs.oldest_due.as_micros() as u64)),
        head: shown::count(*reads.log().head().borrow()),
    })
}

fn states(totals: &[Tally<()>], by_time: &[Tally<DateTime<Utc>>]) -> Vec<Stand> {
    let state = |status: Status| {
        let ever = totals.iter().filter(|tally| tally.status == status).map(|tally| tally.count);
        let lately = by_time.iter().filter(|tally| tally.status == status).map(|tally| tally.count);
        Stand {
            status: status.as_str(),
            count: shown::count(ever.sum()),
            lately: shown::count(lately.sum()),
        }
    };
    Status::ALL.map(state).into()
}

fn chart(by_time: &[Tally<DateTime<Utc>>], span: Span, now: DateTime<Utc>) -> Bars {
    let mut counts: HashMap<(DateTime<Utc>, Status), u64> = HashMap::new();
    for tally in by_time {
        *counts.entry((tally.key, tally.status)).or_default() += tally.count;
    }
    let (from, width) = (span.from(now), TimeDelta::seconds(span.step().seconds()));
    let (format, every) = match span {
        Span::Hour => ("%H:%M", 10),
        Span::Day => ("%H:%M", 4),
        Span::Week => ("%a %H:%M", 24),
    };
    let column = |step: i32| {
        let begins = from + width * step;
        let part =
            |status: Status| (status.as_str(), counts.get(&(begins, status)).copied().unwrap_or(0));
        let parts = [Status::Confirmed, Status::Pending, Status::Failed].map(part).into();
        Column { label: begins.format(format).to_string(), parts }
    };
    chart::bars(&(0..span.steps()).map(column).collect::<Vec<_>>(), every)
}

/// What was paid and confirmed, by network and asset.
fn volumes(
    totals: &[Tally<()>],
    by_time: &[Tally<DateTime<Utc>>],
    decimals: &Decimals,
) -> Vec<Volume> {
    let mut sums: BTreeMap<(String, String), (Asset, [(u64, u128); 2])> = BTreeMap::new();
    let mut add = |network: &str, asset: &Asset, at: usize, count: u64, amount: u128| {
        let key = (network.to_owned(), asset.to_string().to_ascii_lowercase());
        let (_, sums) = sums.entry(key).or_insert_with(|| (asset.clone(), [(0, 0); 2]));
        sums[at].0 += count;
        sums[at].1 += amount;
    };
    for tally in totals.iter().filter(|tally| tally.status == Status::Confirmed) {
        add(tally.network.v1_name(), &tally.asset, 0, tally.count, tally.amount);
    }
    for tally in by_time.iter().filter(|tally| tally.status == Status::Confirmed) {
        add(tally.network.v1_name(), &tally.asset, 1, tally.count, tally.amount);
    }
    let volume = |((network, _), (asset, [ever, lately])): (_, (Asset, [(u64, u128); 2]))| Volume {
        asset: asset.to_string(),
        network,
        lately: decimals.money(lately.1, &asset),
        lately_count: shown::count(lately.0),
        ever: decimals.money(ever.1, &asset),
        ever_count: shown::count(ever.0),
    };
    sums.into_iter().map(volume).collect()
}

fn took(Percentiles { count, p50, p90, p99 }: Percentiles) -> Took {
    let took = |micros| if count == 0 { "–".to_owned() } else { shown::took(micros) };
    Took { count: shown::count(count), p50: took(p50), p90: took(p90), p99: took(p99) }
}
