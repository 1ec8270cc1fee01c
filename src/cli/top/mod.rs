//! `ccd402 top`: where a running facilitator stands, at a glance, in a terminal. It only looks:
//! what operators do has commands of its own.

mod ask;
mod draw;
mod figures;
mod keys;
mod lines;
mod model;
mod screen;
#[cfg(test)]
mod tests;
mod wire;
mod words;

use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::ensure;
use chrono::Utc;
use clap::Args as ClapArgs;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use self::ask::Asker;
use self::figures::Figures;
use self::model::{News, State, View};
use crate::cli::remote::Remote;
use crate::config::span::Span;
use crate::output::Output;

/// News that wait to be drawn; whoever brings more waits.
const NEWS_MAX: usize = 256;
/// Asking more often would only cost the facilitator; asking less often would not be watching.
const EVERY_MIN: Duration = Duration::from_millis(500);
const EVERY_MAX: Duration = Duration::from_secs(3_600);
/// Columns of `--once`: those of most terminals.
const COLUMNS: usize = 80;

/// Watch a running facilitator in the terminal.
///
/// Verifications by status now and over the last hour, what was paid and what was refused, how long
/// payments took to be final, how far chain and log have come, what waits in the job queue, and the
/// newest verifications as they come in. Each number says how old it is.
///
/// Keys: q or Ctrl-C quits, p holds the picture, the arrows choose a verification, Enter shows it,
/// ? explains the rest. A facilitator that goes away is waited for. With a key of the scope read it
/// shows what is its tenant's; the block that was followed last, and for how long jobs wait, need
/// the scope operate.
///
/// Examples:
///   ccd402 top --url "$URL" --key "$KEY"
///   ccd402 top --once --json | jq .jobs.dead
#[derive(Debug, ClapArgs)]
#[command(verbatim_doc_comment)]
pub struct Args {
    #[command(flatten)]
    remote: Remote,
    /// How often the numbers are asked for
    #[arg(long, value_name = "SPAN", default_value = "2s")]
    every: Span,
    /// Print one overview as text and end
    #[arg(long)]
    once: bool,
    /// Print one overview as a JSON object and end
    #[arg(long)]
    json: bool,
}

/// Runs the command.
///
/// # Errors
/// Where nobody answers, the key is refused, or there is no terminal.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let is_once = args.once || args.json;
    ensure!(
        is_once || std::io::stdout().is_terminal(),
        "stdout is no terminal: --once prints one overview as text, --json as JSON"
    );
    let every = args.every.within("--every", EVERY_MIN, EVERY_MAX)?;
    let server = args.remote.server()?;
    let mut asker = Asker::new(server.clone());
    let mut state = State::new(server.base());
    state.take(News::Round(Box::new(asker.first().await?)));
    if is_once {
        print(Output::from_flag(args.json), &state);
        return Ok(ExitCode::SUCCESS);
    }
    let after = state.ever.as_ref().map(|told| told.value.as_of);
    let (tell, news) = mpsc::channel(NEWS_MAX);
    // Both end when this is dropped.
    let mut asking = JoinSet::new();
    asking.spawn(ask::keep_asking(asker, every, tell.clone()));
    asking.spawn(ask::keep_following(server, after, tell));
    screen::show(View::new(state), news).await?;
    Ok(ExitCode::SUCCESS)
}

fn print(output: Output, state: &State) {
    let figures = Figures::of(state, Utc::now());
    output.print(&lines::all(&figures, state, COLUMNS), &figures);
}
