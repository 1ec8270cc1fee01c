//! The command line: one file a command.
//!
//! Exit codes: 0 done, 1 refused or failed, 2 wrong usage.

pub mod completions;
pub mod config;
pub mod demo;
pub mod dev;
pub mod doctor;
pub mod events;
pub mod gate;
pub mod jobs;
pub mod keys;
pub mod man;
pub mod migrate;
pub mod pay;
pub mod remote;
pub mod replay;
pub mod schemas;
pub mod serve;
pub mod simchain;
pub mod top;
pub mod wallet;
pub mod webhooks;
pub mod work;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::telemetry;

/// x402 Verify & Pay on Concordium: facilitator, gate, payer and a simulated chain.
///
/// Settings come from flags, then CCD402_* variables, then the TOML file (--config), then defaults.
/// Logs go to stderr (CCD402_LOG filters them), results to stdout.
#[derive(Debug, Parser)]
#[command(name = "ccd402", version, propagate_version = true, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Completions(completions::Args),
    Config(config::Args),
    Demo(demo::Args),
    Dev(dev::Args),
    Doctor(Box<doctor::Args>),
    Events(Box<events::Args>),
    Gate(Box<gate::Args>),
    Jobs(Box<jobs::Args>),
    Keys(Box<keys::Args>),
    Man(man::Args),
    Migrate(migrate::Args),
    Pay(Box<pay::Args>),
    Replay(Box<replay::Args>),
    Schemas(schemas::Args),
    Simchain(simchain::Args),
    Top(Box<top::Args>),
    Wallet(wallet::Args),
    Webhooks(Box<webhooks::Args>),
    Serve(Box<serve::Args>),
    Work(Box<work::Args>),
}

impl Command {
    /// What is logged where `CCD402_LOG` says nothing: servers tell what they do, tools only trouble.
    fn log_filter(&self) -> &'static str {
        match self {
            Self::Serve(_) | Self::Work(_) | Self::Gate(_) | Self::Dev(_) | Self::Simchain(_) => {
                "info"
            }
            Self::Completions(_)
            | Self::Config(_)
            | Self::Demo(_)
            | Self::Doctor(_)
            | Self::Events(_)
            | Self::Jobs(_)
            | Self::Keys(_)
            | Self::Man(_)
            | Self::Migrate(_)
            | Self::Pay(_)
            | Self::Replay(_)
            | Self::Schemas(_)
            | Self::Wallet(_)
            | Self::Webhooks(_) => "warn",
            // A line of the log would spoil the picture, which says itself what is wrong.
            Self::Top(_) => "off",
        }
    }

    async fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::Completions(args) => Ok(completions::run(&args)),
            Self::Config(args) => config::run(args),
            Self::Demo(args) => demo::run(args).await,
            Self::Dev(args) => dev::run(args).await,
            Self::Doctor(args) => doctor::run(*args).await,
            Self::Events(args) => events::run(*args).await,
            Self::Gate(args) => gate::run(*args).await,
            Self::Jobs(args) => jobs::run(*args).await,
            Self::Keys(args) => keys::run(*args).await,
            Self::Man(args) => man::run(args),
            Self::Migrate(args) => migrate::run(args).await,
            Self::Pay(args) => pay::run(*args).await,
            Self::Replay(args) => replay::run(*args).await,
            Self::Schemas(args) => schemas::run(args),
            Self::Simchain(args) => simchain::run(args).await,
            Self::Top(args) => top::run(*args).await,
            Self::Wallet(args) => wallet::run(args).await,
            Self::Webhooks(args) => webhooks::run(*args).await,
            Self::Serve(args) => serve::run(*args).await,
            Self::Work(args) => work::run(*args).await,
        }
    }
}

/// Runs a command to its end.
#[must_use]
pub fn run(cli: Cli) -> ExitCode {
    telemetry::start(cli.command.log_filter());
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return report(&error.into()),
    };
    let ended = runtime.block_on(Box::pin(cli.command.run()));
    // A read from a pipe or a proof under way must not hold the exit up.
    runtime.shutdown_background();
    ended.unwrap_or_else(|error| report(&error))
}

/// Says what went wrong, with its causes.
fn report(error: &anyhow::Error) -> ExitCode {
    eprintln!("error: {error:#}");
    ExitCode::from(1)
}
