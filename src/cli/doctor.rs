//! `ccd402 doctor`: looks at everything that a facilitator needs, and says what to do.

mod chain;
mod disk;
mod place;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args as ClapArgs;
use serde::Serialize;

use crate::config::file;
use crate::config::serve::Settings;
use crate::output::Output;

/// Check everything that `ccd402 serve` needs, and say what to do about it.
///
/// Takes the settings of serve: flags, CCD402_* variables, the file. It looks at the settings, the
/// data directory and its disk, the event log, the node, the clock, the port and the public URL.
/// Exit code 1 where something would keep a facilitator from working. It may run beside one.
///
/// Example: ccd402 doctor --config ccd402.toml
#[derive(Debug, ClapArgs)]
pub struct Args {
    /// TOML file of `ccd402 serve`
    #[arg(long, env = "CCD402_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    settings: Settings,
    /// Print one JSON object a check
    #[arg(long)]
    json: bool,
}

/// How a check went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Level {
    Ok,
    Warn,
    Fail,
}

/// What a check found, and what to do.
#[derive(Debug, Serialize)]
struct Finding {
    check: &'static str,
    level: Level,
    found: String,
    #[serde(rename = "toDo", skip_serializing_if = "Option::is_none")]
    to_do: Option<String>,
}

impl Finding {
    fn ok(check: &'static str, found: impl Into<String>) -> Self {
        Self { check, level: Level::Ok, found: found.into(), to_do: None }
    }

    fn warn(check: &'static str, found: impl Into<String>, to_do: impl Into<String>) -> Self {
        Self { check, level: Level::Warn, found: found.into(), to_do: Some(to_do.into()) }
    }

    fn fail(check: &'static str, found: impl Into<String>, to_do: impl Into<String>) -> Self {
        Self { check, level: Level::Fail, found: found.into(), to_do: Some(to_do.into()) }
    }

    fn text(&self) -> String {
        let level = match self.level {
            Level::Ok => "ok  ",
            Level::Warn => "warn",
            Level::Fail => "FAIL",
        };
        let to_do = self.to_do.as_ref().map(|to_do| format!("\n      → {to_do}"));
        format!("{level}  {}: {}{}", self.check, self.found, to_do.unwrap_or_default())
    }
}

/// Runs the command.
///
/// # Errors
/// Never: what cannot be looked at is a finding.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let output = Output::from_flag(args.json);
    let mut is_sick = false;
    let mut tell = |findings: Vec<Finding>| {
        for finding in findings {
            is_sick |= finding.level == Level::Fail;
            output.print(&finding.text(), &finding);
        }
    };
    let settings = file::read(args.config.as_deref()).map(|file| args.settings.or(file));
    match settings.and_then(Settings::options) {
        Ok(options) => {
            tell(vec![Finding::ok("settings", "they make sense")]);
            tell(disk::data_dir(&options.data_dir));
            let mut is_running = false;
            if let Some(database) = &options.database {
                tell(vec![disk::database(database).await]);
            } else {
                let (log, is_open) = disk::log(&options.data_dir).await;
                is_running = is_open;
                tell(log);
            }
            tell(chain::node(&options).await);
            tell(vec![place::port(options.listen, is_running).await]);
            tell(vec![place::public_url(options.public_url.as_ref()).await]);
        }
        Err(error) => {
            let to_do = "mend it; `ccd402 config check FILE` says more about a file";
            tell(vec![Finding::fail("settings", format!("{error:#}"), to_do)]);
        }
    }
    Ok(ExitCode::from(u8::from(is_sick)))
}
