//! `ccd402 events list`: events of the log, one a line.

use std::process::ExitCode;

use clap::Args as ClapArgs;

use super::line::{Filter, Line};
use super::source::{PAGE_LINES, Where};
use crate::output::Output;

/// List events, oldest first.
///
/// With --json each is printed as it is stored.
///
/// Example: ccd402 events list --type VerificationFailed --since 2026-11-22T00:00:00Z
#[derive(Debug, ClapArgs)]
pub(super) struct Args {
    #[command(flatten)]
    of: Where,
    #[command(flatten)]
    filter: Filter,
    /// Most events that are listed
    #[arg(long, value_name = "N", default_value_t = 100)]
    limit: usize,
    /// Print the stored lines
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let source = args.of.open().await?;
    let output = Output::from_flag(args.json);
    let (mut after, mut listed) = (args.filter.from.saturating_sub(1), 0);
    'pages: while listed < args.limit && args.filter.to.is_none_or(|to| after < to) {
        let page = source.page(after, PAGE_LINES).await?;
        if page.lines.is_empty() {
            break;
        }
        after += page.lines.len() as u64;
        for bytes in page.lines {
            let line = Line::read(&bytes)?;
            if args.filter.admits(&line) {
                output.print_stored(&line.text(), &bytes);
                listed += 1;
            }
            if listed == args.limit {
                eprintln!("there may be more: --from {} goes on", line.position + 1);
                break 'pages;
            }
        }
    }
    source.close().await;
    Ok(ExitCode::SUCCESS)
}
