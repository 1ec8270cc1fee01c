//! `ccd402 serve`: runs the facilitator until it is told to stop.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args as ClapArgs;
use serde_json::json;

use crate::compose::facilitator::{self, Role};
use crate::config::file;
use crate::config::serve::Settings;
use crate::output::Output;
use crate::shutdown;
use crate::telemetry::traces::Traces;

/// Run the facilitator: HTTP API, workers and event log in one process.
///
/// It verifies x402 payments on one Concordium network. Settings come from flags, then CCD402_*
/// variables, then the TOML file, then defaults. Stop it with Ctrl-C or SIGTERM: work in flight
/// ends first. Killing it loses nothing that was acknowledged. Several processes may share one
/// database; see `ccd402 work`.
#[derive(Debug, ClapArgs)]
pub struct Args {
    /// TOML file with the settings below, by their names with underscores
    #[arg(long, env = "CCD402_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    settings: Settings,
    /// Answer calls and leave all other work to `ccd402 work`; needs --database-url and --queue-url
    #[arg(long, env = "CCD402_API_ONLY")]
    api_only: bool,
    /// Print one JSON object when ready
    #[arg(long)]
    json: bool,
}

/// Runs the command.
///
/// # Errors
/// Where the facilitator cannot start or a part of it fails.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let settings = args.settings.or(file::read(args.config.as_deref())?);
    let traces = Traces::begin(settings.collector()?.as_ref(), "ccd402-serve")?;
    let mut options = settings.options()?;
    if args.api_only {
        options.role = Role::Api;
    }
    let mut running = facilitator::start(options).await?;
    let network = running.facilitator().options().policy.network.clone();
    let url = running.url();
    let ops = running.ops_addr().map(|addr| format!("http://{addr}"));
    Output::from_flag(args.json).print(
        &format!("facilitator for {network} on {url}"),
        &json!({ "event": "ready", "url": url, "network": network, "ops": ops }),
    );
    tokio::select! {
        () = shutdown::requested() => {
            tracing::info!("stopping; work in flight ends first");
            let stopped = running.stop().await;
            traces.stop().await;
            stopped.map(|()| ExitCode::SUCCESS)
        }
        error = running.failed() => Err(error),
    }
}
