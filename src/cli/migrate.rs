//! `ccd402 migrate`: brings the schema of the database of the event log up to date.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use ccd402_store::postgres::{self, Migrated, Options};
use clap::Args as ClapArgs;
use serde_json::json;

use crate::config::file;
use crate::config::serve::Settings;
use crate::output::Output;

/// Make the tables of the event log in a PostgreSQL database, or bring them up to date.
///
/// Say it before the first start and before starting a newer version: `ccd402 serve` refuses a
/// database that has not had it. It may be said again, and by several at the same time.
///
/// Example: ccd402 migrate --database-url postgres://ccd402@127.0.0.1/ccd402
#[derive(Debug, ClapArgs)]
pub struct Args {
    /// TOML file of `ccd402 serve`, whose database_url is taken where none is said
    #[arg(long, env = "CCD402_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// The database: postgres://USER:PASSWORD@HOST:PORT/NAME, ?sslmode=verify-full for TLS. The role
    /// must own it, or may make tables in it
    #[arg(long, env = "CCD402_DATABASE_URL", value_name = "URL", hide_env_values = true)]
    database_url: Option<String>,
    /// Print one JSON object when done
    #[arg(long)]
    json: bool,
}

/// Runs the command.
///
/// # Errors
/// Where the database cannot be reached or refuses, or a newer version has migrated it.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let settings: Settings = file::read(args.config.as_deref())?;
    let url = args.database_url.or(settings.database_url).context(
        "which database? Name it by --database-url, CCD402_DATABASE_URL, or database_url in the \
         file of --config",
    )?;
    let Migrated { from, to } = postgres::migrate(&Options::new(url)).await?;
    let text = match from == to {
        true => format!("the schema is at version {to} already"),
        false => format!("the schema is at version {to} now, and was at {from}"),
    };
    Output::from_flag(args.json).print(&text, &json!({ "from": from, "to": to }));
    Ok(ExitCode::SUCCESS)
}
