//! `GET /dashboard/past`: asks for the past up to an event or a time, and shows how its building goes.
//! What is shown of it are the other pages.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Form, Path, Query as UrlQuery, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use ccd402_app::past::Past;
use ccd402_app::ports::log::Position;
use serde::Deserialize;

use crate::caller::Caller;
use crate::dashboard::Dashboard;
use crate::fault::Fault;
use crate::page::{Section, Shell, shown};
use crate::pages::sign_in::Token;
use crate::pages::{download, leaders, overview, verification, verifications};
use crate::query::{Moment, Pairs};
use crate::scene::Scene;
use crate::shown::{Time, count};

#[derive(Template)]
#[template(path = "past.html")]
struct Page {
    shell: Shell,
    head: String,
    wanted: Option<Wanted>,
    kept: Vec<Kept>,
    under_way: Option<UnderWay>,
    is_refreshed: bool,
}

/// A past that was asked for and is not there.
struct Wanted {
    position: Position,
    is_failed: bool,
}

/// A past that can be looked at.
struct Kept {
    position: Position,
    shown: String,
    time: Option<Time>,
}

/// One that is being built.
struct UnderWay {
    until: String,
    position: String,
    percent: u64,
}

/// What the form says.
#[derive(Deserialize)]
pub(crate) struct Filled {
    #[serde(flatten)]
    token: Token,
    when: String,
}

pub(crate) async fn form(
    State(dashboard): State<Arc<Dashboard>>,
    caller: Caller,
) -> Result<Response, Fault> {
    page(&dashboard, &caller, None).await
}

async fn page(
    dashboard: &Dashboard,
    caller: &Caller,
    wanted: Option<Wanted>,
) -> Result<Response, Fault> {
    caller.reach()?;
    let scene = Scene::present(dashboard, caller);
    let (positions, under_way) = dashboard.pasts.list();
    let mut kept = Vec::new();
    for position in positions {
        let time = dashboard.pasts.time_of(position).await?;
        let time = time.map(|at| Time::of(at, scene.told_at));
        kept.push(Kept { position, shown: count(position), time });
    }
    let under_way = under_way.map(|under_way| UnderWay {
        until: count(under_way.until),
        position: count(under_way.position),
        percent: under_way.position * 100 / under_way.until.max(1),
    });
    let head = count(*dashboard.reads.log().head().borrow());
    let shell = Shell::of(dashboard, caller, &scene, (Section::Past, "The past"));
    let is_refreshed = under_way.is_some();
    Ok(shown(&Page { shell, head, wanted, kept, under_way, is_refreshed }))
}

/// `POST /dashboard/past`.
pub(crate) async fn ask(
    State(dashboard): State<Arc<Dashboard>>,
    caller: Caller,
    Form(filled): Form<Filled>,
) -> Result<Response, Fault> {
    filled.token.must_be_of(&dashboard, &caller)?;
    caller.reach()?;
    let when = filled.when.trim();
    let position = match (when.parse::<Position>(), when.parse::<Moment>()) {
        (Ok(position), _) => Some(position),
        (Err(_), Ok(Moment(time))) => dashboard.pasts.position_at(time).await?,
        (Err(_), Err(())) => {
            let words = "Write an event’s position, or a time in UTC such as 2026-11-22T15:00.";
            return Err(Fault::Malformed(words.to_owned()));
        }
    };
    let nothing = || Fault::Malformed("Nothing had happened by then.".to_owned());
    let position = position.ok_or_else(nothing)?;
    if !dashboard.pasts.ask(position)? {
        let words = "Another past is being built. Ask again when it is there.";
        return Err(Fault::Unavailable(words));
    }
    Ok(Redirect::to(&format!("{}/past/{position}", caller.base)).into_response())
}

/// The scene of a past that is built; how it stands otherwise, as a page.
async fn scene(
    dashboard: &Dashboard,
    caller: &Caller,
    position: &str,
) -> Result<Result<Scene, Response>, Fault> {
    let (position, mut scene) = of_log(dashboard, caller, position).await?;
    let is_failed = match dashboard.pasts.show(position) {
        Past::Built(reads) => {
            scene.reads = reads;
            return Ok(Ok(scene));
        }
        Past::Failed => true,
        Past::UnderWay(_) | Past::Absent => false,
    };
    Ok(Err(page(dashboard, caller, Some(Wanted { position, is_failed })).await?))
}

/// The same, for what is read from the log alone.
async fn of_log(
    dashboard: &Dashboard,
    caller: &Caller,
    position: &str,
) -> Result<(Position, Scene), Fault> {
    let position: Position = position.parse().map_err(|_| Fault::NotFound)?;
    let then = dashboard.pasts.time_of(position).await?.ok_or(Fault::NotFound)?;
    let mut scene = Scene::present(dashboard, caller);
    scene.until = Some(position);
    scene.now = then;
    scene.root = format!("{}/past/{position}", caller.base);
    Ok((position, scene))
}

pub(crate) async fn overview(
    State(dashboard): State<Arc<Dashboard>>,
    caller: Caller,
    Path(position): Path<String>,
    UrlQuery(asked): UrlQuery<overview::Asked>,
) -> Result<Response, Fault> {
    match scene(&dashboard, &caller, &position).await? {
        Ok(scene) => overview::page(&dashboard, &caller, &scene, &asked).await,
        Err(page) => Ok(page),
    }
}

pub(crate) async fn leaders(
    State(dashboard): State<Arc<Dashboard>>,
    caller: Caller,
    Path(position): Path<String>,
    UrlQuery(asked): UrlQuery<overview::Asked>,
) -> Result<Response, Fault> {
    match scene(&dashboard, &caller, &position).await? {
        Ok(scene) => leaders::page(&dashboard, &caller, &scene, &asked).await,
        Err(page) => Ok(page),
    }
}

pub(crate) async fn verifications(
    State(dashboard): State<Arc<Dashboard>>,
    caller: Caller,
    Path(position): Path<String>,
    UrlQuery(pairs): UrlQuery<Pairs>,
) -> Result<Response, Fault> {
    match scene(&dashboard, &caller, &position).await? {
        Ok(scene) => verifications::page(&dashboard, &caller, &scene, pairs).await,
        Err(page) => Ok(page),
    }
}

pub(crate) async fn download(
    State(dashboard): State<Arc<Dashboard>>,
    caller: Caller,
    Path(position): Path<String>,
    UrlQuery(pairs): UrlQuery<Pairs>,
) -> Result<Response, Fault> {
    match scene(&dashboard, &caller, &position).await? {
        Ok(scene) => download::file(&dashboard, &caller, &scene, pairs),
        Err(page) => Ok(page),
    }
}

pub(crate) async fn verification(
    State(dashboard): State<Arc<Dashboard>>,
    caller: Caller,
    Path((position, id)): Path<(String, String)>,
) -> Result<Response, Fault> {
    let (_, scene) = of_log(&dashboard, &caller, &position).await?;
    verification::page(&dashboard, &caller, &scene, &id).await
}
