//! `GET /dashboard/leaders`: what earns, who is paid, who pays, and what is refused most.

use std::collections::HashMap;
use std::fmt::Display;
use std::hash::Hash;
use std::sync::Arc;

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use ccd402_app::glance::{Leaders, Span};
use ccd402_app::kept::Aged;
use ccd402_app::ports::read_model::{Status, Table, Tally};

use crate::caller::Caller;
use crate::dashboard::Dashboard;
use crate::fault::Fault;
use crate::page::{Section, Shell, shown};
use crate::pages::overview::{Asked, span, spans};
use crate::query::push;
use crate::scene::Scene;
use crate::shown::{self, Decimals};

/// Of each sort that are shown.
const SHOWN_MAX: usize = 25;

#[derive(Template)]
#[template(path = "leaders.html")]
struct Page {
    shell: Shell,
    spans: [(&'static str, &'static str, bool); 3],
    words: &'static str,
    as_of: String,
    age: String,
    tables: Vec<Sort>,
}

/// Everything of one sort.
struct Sort {
    id: &'static str,
    title: &'static str,
    column: &'static str,
    rows: Vec<Leader>,
    is_cut: bool,
}

/// One of them.
struct Leader {
    name: String,
    link: String,
    earned: Vec<String>,
    confirmed: String,
    pending: String,
    failed: String,
    /// Failed of 100 that were decided.
    refused: u64,
}

pub(crate) async fn leaders(
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
    let span: Span = span(asked)?;
    let Aged { value, age } = scene.reads.leaders(caller.only()?, span, scene.now).await?;
    let Leaders { stats, payers } = &*value;
    let assets: Vec<_> = stats.totals.iter().map(|tally| &tally.asset).collect();
    let decimals = dashboard.decimals(&assets).await;
    let from = span.from(scene.now).format("%Y-%m-%dT%H:%M:%SZ").to_string();
    let link = |name: &'static str| {
        let (root, from) = (scene.root.clone(), from.clone());
        move |value: &str| {
            let mut query = String::new();
            push(&mut query, name, value);
            push(&mut query, "from", &from);
            format!("{root}/verifications?{query}")
        }
    };
    let tables = vec![
        sort(
            ("resources", "Resources", "Resource"),
            &stats.by_resource,
            &decimals,
            link("resource"),
        ),
        sort(("recipients", "Paid to", "Account"), &stats.by_pay_to, &decimals, link("payTo")),
        sort(("payers", "Payers", "Account"), payers, &decimals, link("payer")),
    ];
    let spans = spans(span);
    let words = spans.into_iter().find(|(.., is_it)| *is_it).map_or("", |(_, words, _)| words);
    let shell = Shell::of(dashboard, caller, scene, (Section::Leaders, "Resources and accounts"));
    let (as_of, age) = (shown::count(stats.as_of), shown::age(age));
    Ok(shown(&Page { shell, spans, words, as_of, age, tables }))
}

/// Sums up by key, those with most payments first.
fn sort<K: Eq + Hash + Display>(
    (id, title, column): (&'static str, &'static str, &'static str),
    table: &Table<K>,
    decimals: &Decimals,
    link: impl Fn(&str) -> String,
) -> Sort {
    let mut by_key: HashMap<&K, Vec<&Tally<K>>> = HashMap::new();
    for tally in &table.tallies {
        by_key.entry(&tally.key).or_default().push(tally);
    }
    let count = |tallies: &[&Tally<K>], status: Status| -> u64 {
        tallies.iter().filter(|tally| tally.status == status).map(|tally| tally.count).sum()
    };
    let mut keys: Vec<_> = by_key.into_iter().collect();
    let all = |tallies: &[&Tally<K>]| tallies.iter().map(|tally| tally.count).sum::<u64>();
    keys.sort_by(|(a, ours), (b, theirs)| {
        all(theirs).cmp(&all(ours)).then_with(|| a.to_string().cmp(&b.to_string()))
    });
    let is_cut = table.is_cut || keys.len() > SHOWN_MAX;
    let leader = |(key, tallies): &(&K, Vec<&Tally<K>>)| {
        let (confirmed, failed) =
            (count(tallies, Status::Confirmed), count(tallies, Status::Failed));
        let earned = tallies.iter().filter(|tally| tally.status == Status::Confirmed);
        Leader {
            name: key.to_string(),
            link: link(&key.to_string()),
            earned: earned.map(|tally| decimals.money(tally.amount, &tally.asset)).collect(),
            confirmed: shown::count(confirmed),
            pending: shown::count(count(tallies, Status::Pending)),
            failed: shown::count(failed),
            refused: failed * 100 / (confirmed + failed).max(1),
        }
    };
    let rows = keys.iter().take(SHOWN_MAX).map(leader).collect();
    Sort { id, title, column, rows, is_cut }
}
