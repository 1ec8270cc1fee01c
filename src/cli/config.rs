//! `ccd402 config check`: whether a configuration file says what its author thinks.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args as ClapArgs, Subcommand};
use serde_json::json;

use crate::config::check::{self, Kind, Report};
use crate::output::Output;

/// Look at configuration files.
#[derive(Debug, ClapArgs)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Check(Check),
}

/// Check a configuration file, and show the settings that follow from it.
///
/// Unknown keys are told with the nearest known one, bad values with their place. The settings are
/// shown with where each comes from: a variable, the file, or the default. Secrets are not shown.
///
/// Example: ccd402 config check gate.toml
#[derive(Debug, ClapArgs)]
struct Check {
    /// TOML file of `ccd402 serve` or `ccd402 gate`
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Whose file it is [default: what its keys say]
    #[arg(long, value_name = "COMMAND")]
    of: Option<Kind>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Runs the command.
///
/// # Errors
/// Where the file cannot be read.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let Command::Check(args) = args.command;
    let report = check::check(&args.file, args.of)?;
    let value = json!({
        "of": report.of,
        "valid": report.problems.is_empty(),
        "problems": report.problems,
        "settings": report.settings,
    });
    Output::from_flag(args.json).print(&text(&report), &value);
    Ok(ExitCode::from(u8::from(!report.problems.is_empty())))
}

fn text(report: &Report) -> String {
    let mut lines = Vec::new();
    for setting in &report.settings {
        lines.push(format!("{} = {}  ({})", setting.key, setting.value, setting.source));
    }
    for problem in &report.problems {
        lines.push(format!("wrong: {problem}"));
    }
    if report.problems.is_empty() {
        lines.push(format!("a valid configuration of `ccd402 {}`", report.of.name()));
    }
    lines.join("\n")
}
