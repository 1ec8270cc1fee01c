//! `ccd402 man`: manual pages, one a command.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args as ClapArgs, CommandFactory as _};
use serde_json::json;

use crate::output::Output;

/// Write manual pages, one a command.
///
/// Example: ccd402 man --out ~/.local/share/man/man1
#[derive(Debug, ClapArgs)]
pub struct Args {
    /// Directory to write to; made if it is missing
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Runs the command.
///
/// # Errors
/// Where the pages cannot be written.
#[expect(clippy::needless_pass_by_value, reason = "the shape of every command")]
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let shown = args.out.display().to_string();
    fs::create_dir_all(&args.out).with_context(|| format!("cannot make {shown}"))?;
    let written = clap_mangen::generate_to(super::Cli::command(), &args.out);
    written.with_context(|| format!("cannot write to {shown}"))?;
    Output::from_flag(args.json)
        .print(&format!("manual pages in {shown}"), &json!({ "event": "written", "dir": shown }));
    Ok(ExitCode::SUCCESS)
}
