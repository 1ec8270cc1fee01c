//! `ccd402 keys`: makes, lists and takes back API keys.
//!
//! On a data directory at rest, or on a running facilitator through its API. What a key is and when
//! it is good is not said here.

mod at_rest;
mod running;
mod shown;

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use ccd402_domain::ids::KeyId;
use ccd402_domain::key::command::{KeyName, Terms};
use ccd402_domain::key::event::Limits;
use ccd402_domain::key::scope::Scope;
use ccd402_domain::tenant::TenantId;
use chrono::{TimeDelta, Utc};
use clap::{Args as ClapArgs, Subcommand};

use crate::cli::remote::Server;
use crate::config::span::Span;
use crate::output::Output;
use at_rest::AtRest;

/// Make, list and revoke API keys.
///
/// A key says who calls: its tenant sees its own verifications alone. With --data-dir or
/// --database-url the keys of a facilitator that is not running, with --url those of one that runs: there a key with the scope
/// operate is needed, unless it listens on this machine and requires none.
#[derive(Debug, ClapArgs)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    place: Place,
    /// Print one JSON object a line
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, ClapArgs)]
struct Place {
    /// Data directory of a facilitator that is not running
    #[arg(long, global = true, value_name = "DIR", conflicts_with = "url")]
    data_dir: Option<PathBuf>,
    /// PostgreSQL database of a facilitator that is not running
    #[arg(long, global = true, value_name = "URL", conflicts_with_all = ["url", "data_dir"])]
    database_url: Option<String>,
    /// URL of a facilitator that runs [default: http://127.0.0.1:4020]
    #[arg(long, global = true, env = "CCD402_URL", value_name = "URL")]
    url: Option<String>,
    /// Key with the scope operate
    #[arg(long, global = true, env = "CCD402_KEY", value_name = "KEY", hide_env_values = true)]
    key: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a key and print it: the only time that it is shown
    Create(CreateArgs),
    /// List all keys, without their secrets
    List,
    /// Take a key back: it is refused from the next request on
    Revoke {
        /// Id of the key, as the list shows it
        #[arg(value_name = "ID")]
        id: KeyId,
    },
}

#[derive(Debug, ClapArgs)]
struct CreateArgs {
    /// As whom its holder acts: a-z, 0-9 and -
    #[arg(long, value_name = "NAME", default_value = "default")]
    tenant: TenantId,
    /// What you call it, for the list
    #[arg(long, value_name = "TEXT")]
    name: KeyName,
    /// What it allows: submit, read, operate; several with commas
    #[arg(long, value_name = "SCOPES", value_delimiter = ',', required = true)]
    scopes: Vec<Scope>,
    /// Requests a second, over time [default: 1000]
    #[arg(long, value_name = "N")]
    rate: Option<NonZeroU32>,
    /// Requests at once beyond that [default: 2000]
    #[arg(long, value_name = "N")]
    burst: Option<NonZeroU32>,
    /// Requests that are being served at the same time [default: 1024]
    #[arg(long, value_name = "N")]
    in_flight: Option<NonZeroU32>,
    /// How long it is good, such as 90days [default: for ever]
    #[arg(long, value_name = "TIME")]
    expires: Option<Span>,
}

/// Runs the command.
///
/// # Errors
/// Where the directory or the server cannot be used, or refuses.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let output = Output::from_flag(args.json);
    let Place { data_dir, database_url, url, key } = args.place;
    let place = match (data_dir, database_url) {
        (Some(dir), _) => Keys::AtRest(AtRest::open(&dir).await?),
        (None, Some(database)) => Keys::AtRest(AtRest::open_database(database).await?),
        (None, None) => Keys::Running(Server::new(url, key)?),
    };
    let done = place.run(args.command, output).await;
    if let Keys::AtRest(at_rest) = place {
        at_rest.close().await;
    }
    done.map(|()| ExitCode::SUCCESS)
}

/// Where the keys are.
enum Keys {
    AtRest(AtRest),
    Running(Server),
}

impl Keys {
    async fn run(&self, command: Command, output: Output) -> anyhow::Result<()> {
        match command {
            Command::Create(args) => {
                let terms = args.terms()?;
                let created = match self {
                    Self::AtRest(keys) => keys.create(terms).await?,
                    Self::Running(server) => running::create(server, &terms).await?,
                };
                shown::created(output, &created);
            }
            Command::List => {
                let keys = match self {
                    Self::AtRest(keys) => keys.list(),
                    Self::Running(server) => running::list(server).await?,
                };
                shown::list(output, &keys);
            }
            Command::Revoke { id } => {
                let revoked = match self {
                    Self::AtRest(keys) => keys.revoke(id).await?,
                    Self::Running(server) => running::revoke(server, id).await?,
                };
                shown::revoked(output, &revoked);
            }
        }
        Ok(())
    }
}

impl CreateArgs {
    fn terms(self) -> anyhow::Result<Terms> {
        let default = Limits::default();
        let life = self.expires.map(|span| TimeDelta::from_std(span.0)).transpose()?;
        let expires_at = life.map(|life| Utc::now().checked_add_signed(life));
        let expires_at =
            expires_at.map(|at| at.context("--expires is too far away")).transpose()?;
        Ok(Terms {
            tenant: self.tenant,
            name: self.name,
            scopes: self.scopes.into_iter().collect(),
            limits: Limits {
                rate: self.rate.unwrap_or(default.rate),
                burst: self.burst.unwrap_or(default.burst),
                in_flight: self.in_flight.unwrap_or(default.in_flight),
            },
            expires_at,
        })
    }
}
