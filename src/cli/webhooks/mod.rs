//! `ccd402 webhooks`: who is told what happens, and what became of telling them; on a running
//! facilitator, through its API.

mod change;
mod create;
mod delete;
mod deliveries;
mod list;
mod ping;
mod redeliver;
mod rotate_secret;
mod show;
mod shown;

use std::process::ExitCode;

use ccd402_domain::webhook::transition::{NotATransition, Transition};
use clap::{Args as ClapArgs, Subcommand};

use crate::cli::remote::{Remote, Server};
use crate::output::Output;

/// Be told what happens to verifications: signed messages to a URL of yours.
///
/// A running facilitator is asked (--url, by default the one on this machine). Where it asks for
/// keys, looking takes the scope read, everything else submit and read; with operate the webhooks
/// of all tenants are there. How a receiver verifies a message: ops/webhooks.md.
#[derive(Debug, ClapArgs)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Create(create::Args),
    List(list::Args),
    Show(show::Args),
    Change(change::Args),
    RotateSecret(rotate_secret::Args),
    Ping(ping::Args),
    Delete(delete::Args),
    Deliveries(deliveries::Args),
    Redeliver(redeliver::Args),
}

/// What every command here takes.
#[derive(Debug, ClapArgs)]
struct At {
    #[command(flatten)]
    remote: Remote,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

impl At {
    fn open(self) -> anyhow::Result<(Server, Output)> {
        Ok((self.remote.server()?, Output::from_flag(self.json)))
    }
}

/// Runs the command.
///
/// # Errors
/// Where nobody answers, or the facilitator refuses.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    match args.command {
        Command::Create(args) => create::run(args).await,
        Command::List(args) => list::run(args).await,
        Command::Show(args) => show::run(args).await,
        Command::Change(args) => change::run(args).await,
        Command::RotateSecret(args) => rotate_secret::run(args).await,
        Command::Ping(args) => ping::run(args).await,
        Command::Delete(args) => delete::run(args).await,
        Command::Deliveries(args) => deliveries::run(args).await,
        Command::Redeliver(args) => redeliver::run(args).await,
    }
}

/// A type of event, with or without what all their names begin with.
fn transition(text: &str) -> Result<Transition, NotATransition> {
    text.parse().or_else(|_| format!("verification.{text}").parse())
}
