//! `GET /dashboard/operations`: how each part is, and what an operator can do about it. What is done is
//! in `act`.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Query as UrlQuery, State};
use axum::response::Response;
use ccd402_app::ports::queue::{JobId, JobStatus, QueueDepth, Queued};
use ccd402_app::sponsored::SponsorFunds;
use ccd402_domain::amount::{Amount, CCD_DECIMALS};
use ccd402_domain::key::scope::Scope;
use ccd402_domain::key::state::Key;
use ccd402_domain::operator::{Action, OperatorActed};
use chrono::{DateTime, Utc};
use serde::Deserialize;

use crate::caller::Caller;
use crate::dashboard::Dashboard;
use crate::fault::Fault;
use crate::live;
use crate::page::{Section, Shell, drawn, shown};
use crate::scene::Scene;
use crate::shown::{Time, count, took};

/// Dead letters and keys of a page; jobs that wait or run, and actions, that are shown.
const PAGE: usize = 50;
const FEW: usize = 10;
const ACTIONS: u64 = 20;

/// Where the lists begin.
#[derive(Debug, Default, Clone, Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    dead: String,
    #[serde(default)]
    key: String,
}

#[derive(Template)]
#[template(path = "operations.html")]
struct Page {
    shell: Shell,
    works: Works,
}

#[derive(Template)]
#[template(path = "operations.html", block = "live")]
struct Live {
    shell: Shell,
    works: Works,
}

/// How everything is.
struct Works {
    parts: Vec<(&'static str, &'static str, bool)>,
    nodes: Vec<Node>,
    height: Option<String>,
    block: Option<Time>,
    head: String,
    as_of: Option<String>,
    lag: String,
    queue: Option<Queue>,
    sponsors: Vec<Sponsor>,
    budget: Option<String>,
    budgets: Vec<(String, String)>,
    keys: Vec<Shown>,
    next_key: Option<String>,
    actions: Vec<Done>,
}

/// A node of the chain.
struct Node {
    name: String,
    word: &'static str,
    is_ok: bool,
    answered: String,
    height: String,
}

/// The job queue.
struct Queue {
    waiting: String,
    dead: String,
    oldest: String,
    letters: Vec<Job>,
    next: Option<String>,
    /// Some that run and some that wait, each with what they are.
    others: Vec<(&'static str, Vec<Job>)>,
}

/// A job.
struct Job {
    id: String,
    kind: &'static str,
    about: String,
    attempts: u32,
    run_at: Time,
    error: String,
}

/// An account that pays fees.
struct Sponsor {
    address: String,
    available: String,
    promised: String,
    is_low: bool,
}

/// A key, without its secret.
struct Shown {
    id: String,
    prefix: String,
    name: String,
    tenant: String,
    scopes: String,
    made: Time,
    state: String,
    is_good: bool,
    is_own: bool,
}

/// Something that an operator has done.
struct Done {
    at: Time,
    by: String,
    what: String,
    position: String,
}

pub(crate) async fn show(
    State(dashboard): State<Arc<Dashboard>>,
    caller: Caller,
    UrlQuery(asked): UrlQuery<Asked>,
) -> Result<Response, Fault> {
    caller.must_operate()?;
    let scene = Scene::present(&dashboard, &caller);
    let works = works(&dashboard, &caller, &scene, &asked).await?;
    let mut shell = Shell::of(&dashboard, &caller, &scene, (Section::Operations, "Operations"));
    if asked.dead.is_empty() && asked.key.is_empty() {
        shell.live = Some(format!("{}/operations/live", shell.base));
    }
    Ok(shown(&Page { shell, works }))
}

/// `GET /dashboard/operations/live`: the same, as it changes.
pub(crate) async fn live(
    State(dashboard): State<Arc<Dashboard>>,
    caller: Caller,
) -> Result<Response, Fault> {
    caller.must_operate()?;
    let (shared, viewer) = (Arc::clone(&dashboard), caller.clone());
    let draw = move || -> live::Drawn {
        let (dashboard, caller) = (Arc::clone(&shared), viewer.clone());
        Box::pin(async move {
            let scene = Scene::live(&dashboard, &caller);
            let works = works(&dashboard, &caller, &scene, &Asked::default()).await?;
            let shell = Shell::of(&dashboard, &caller, &scene, (Section::Operations, ""));
            Ok(Arc::new(drawn(&Live { shell, works })?))
        })
    };
    live::keep(&dashboard, caller, Box::new(draw))
}

async fn works(
    dashboard: &Dashboard,
    caller: &Caller,
    scene: &Scene,
    asked: &Asked,
) -> Result<Works, Fault> {
    let facilitator = &dashboard.facilitator;
    let block = facilitator.followed().await?;
    let head = *dashboard.reads.log().head().borrow();
    let as_of = *dashboard.reads.model().position().borrow();
    let (keys, next_key) = keys(dashboard, caller, scene, &asked.key);
    let (budget, spent) = facilitator.budgets(scene.now);
    let actions = dashboard.operations.actions(ACTIONS).await?;
    Ok(Works {
        parts: (dashboard.standing)()
            .into_iter()
            .map(|(n, word)| (n, word, word == "ok"))
            .collect(),
        nodes: nodes(dashboard),
        height: block.map(|block| count(block.height)),
        block: block.map(|block| Time::of(block.time, scene.told_at)),
        head: count(head),
        as_of: as_of.map(count),
        lag: count(as_of.map_or(0, |as_of| dashboard.reads.lag(as_of))),
        queue: queue(dashboard, scene, &asked.dead).await,
        // A chain that cannot be asked is told of among the parts.
        sponsors: sponsors(&facilitator.sponsor_funds().await.unwrap_or_default()),
        budget: budget.map(ccd),
        budgets: spent.into_iter().map(|(tenant, fee)| (tenant.to_string(), ccd(fee))).collect(),
        keys,
        next_key,
        actions: actions
            .iter()
            .map(|(at, acted)| done(dashboard, at.position, acted, scene))
            .collect(),
    })
}

fn nodes(dashboard: &Dashboard) -> Vec<Node> {
    let nodes = dashboard.facilitator.chain().nodes();
    let node = |node: ccd402_app::ports::chain::NodeStanding| {
        let (word, is_ok) = match (node.is_excluded, node.answers) {
            (true, _) => ("on another network", false),
            (false, true) => ("answers", true),
            (false, false) => ("does not answer", false),
        };
        let ago = node.answered_ago.map(|ago| ago.as_micros() as u64);
        Node {
            name: node.name,
            word,
            is_ok,
            answered: ago.map_or_else(|| "never".to_owned(), |ago| format!("{} ago", took(ago))),
            height: node.height_finalized.map_or_else(|| "–".to_owned(), count),
        }
    };
    nodes.into_iter().map(node).collect()
}

/// The queue; none where it cannot be asked.
async fn queue(dashboard: &Dashboard, scene: &Scene, after: &str) -> Option<Queue> {
    let jobs = dashboard.operations.jobs();
    let after: Option<JobId> = after.parse().ok();
    let depth: QueueDepth = jobs.depth().await.ok()?;
    let mut dead = jobs.list(JobStatus::Dead, after, PAGE + 1).await.ok()?;
    let has_more = dead.len() > PAGE;
    dead.truncate(PAGE);
    let running = jobs.list(JobStatus::Running, None, FEW).await.ok()?;
    let due = jobs.list(JobStatus::Waiting, None, FEW).await.ok()?;
    let shown = |jobs: &[Queued]| jobs.iter().map(|job| Job::of(job, scene)).collect::<Vec<_>>();
    Some(Queue {
        waiting: count(depth.waiting),
        dead: count(depth.dead),
        oldest: took(depth.oldest_due.as_micros() as u64),
        letters: shown(&dead),
        next: dead.last().filter(|_| has_more).map(|last| last.id.to_string()),
        others: vec![("Running", shown(&running)), ("Waiting, some of them", shown(&due))],
    })
}

impl Job {
    fn of(queued: &Queued, scene: &Scene) -> Self {
        let text = queued.job.to_string();
        let kind = queued.job.kind().as_str();
        Self {
            id: queued.id.to_string(),
            kind,
            about: text.strip_prefix(kind).unwrap_or_default().trim().to_owned(),
            attempts: queued.attempts,
            run_at: Time::of(queued.run_at, scene.told_at),
            error: queued.last_error.clone().unwrap_or_default(),
        }
    }

    /// The verification that it is about, for a link.
    fn verification(&self) -> Option<&str> {
        (self.kind != "deliver_webhook" && !self.about.is_empty()).then_some(&self.about)
    }
}

fn sponsors(funds: &[SponsorFunds]) -> Vec<Sponsor> {
    let sponsor = |funds: &SponsorFunds| Sponsor {
        address: funds.address.to_string(),
        available: ccd(funds.available),
        promised: ccd(funds.promised),
        is_low: funds.is_low,
    };
    funds.iter().map(sponsor).collect()
}

fn ccd(amount: Amount) -> String {
    format!("{} CCD", amount.to_decimal(CCD_DECIMALS))
}

fn keys(
    dashboard: &Dashboard,
    caller: &Caller,
    scene: &Scene,
    after: &str,
) -> (Vec<Shown>, Option<String>) {
    let mut keys = dashboard.keys.list(after.parse().ok(), PAGE + 1);
    let has_more = keys.len() > PAGE;
    keys.truncate(PAGE);
    let next = keys.last().filter(|_| has_more).map(|last| last.id().to_string());
    (keys.iter().map(|key| shown_key(key, caller, scene)).collect(), next)
}

fn shown_key(key: &Key, caller: &Caller, scene: &Scene) -> Shown {
    let day = |at: DateTime<Utc>| at.format("%Y-%m-%d %H:%M UTC");
    let is_good = key.must_be_good(scene.now).is_ok();
    let created = &key.created;
    Shown {
        id: key.id().to_string(),
        prefix: created.prefix.clone(),
        name: created.name.to_string(),
        tenant: created.tenant.to_string(),
        scopes: created.scopes.iter().map(Scope::as_str).collect::<Vec<_>>().join(", "),
        made: Time::of(created.created_at, scene.told_at),
        state: match (key.revoked_at, created.expires_at) {
            (Some(at), _) => format!("taken back {}", day(at)),
            (None, Some(at)) if is_good => format!("good until {}", day(at)),
            (None, Some(at)) => format!("expired {}", day(at)),
            (None, None) => "good".to_owned(),
        },
        is_good,
        is_own: caller.key == Some(key.id()),
    }
}

fn done(dashboard: &Dashboard, position: u64, acted: &OperatorActed, scene: &Scene) -> Done {
    let name = |id| {
        let key = dashboard.keys.show(id);
        key.map_or_else(|| id.to_string(), |key| key.created.name.to_string())
    };
    Done {
        at: Time::of(acted.at, scene.told_at),
        by: acted.by.map_or_else(|| "somebody on this machine".to_owned(), name),
        what: match &acted.action {
            Action::RetryJob { what, .. } => format!("retry the job {what}"),
            Action::DropJob { what, .. } => format!("drop the job {what}"),
            Action::RevokeKey { key } => format!("take back the key {}", name(*key)),
            Action::Redeliver { webhook, position } => {
                format!("tell webhook {webhook} of event {position} once more")
            }
        },
        position: count(position),
    }
}
