//! `ccd402 work`: runs the working part of a facilitator of several processes until it is told to stop.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args as ClapArgs;
use serde_json::json;

use crate::compose::facilitator;
use crate::config::file;
use crate::config::serve::Settings;
use crate::output::Output;
use crate::shutdown;
use crate::telemetry::traces::Traces;

/// Work for facilitators that only answer calls: follow blocks, run jobs, keep the read model.
///
/// Run as many as you like, beside `ccd402 serve --api-only`, with the same settings: all share one
/// database (--database-url) and one Redis (--queue-url). What only one may do at a time is done
/// under a lease; when its holder dies another takes over within 10 s. It answers no calls; give
/// each --ops-listen for metrics and probes. Stop it with Ctrl-C or SIGTERM.
#[derive(Debug, ClapArgs)]
pub struct Args {
    /// TOML file with the settings below, by their names with underscores
    #[arg(long, env = "CCD402_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    settings: Settings,
    /// Print one JSON object when ready
    #[arg(long)]
    json: bool,
}

/// Runs the command.
///
/// # Errors
/// Where it cannot start or a part of it fails.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let settings = args.settings.or(file::read(args.config.as_deref())?);
    let traces = Traces::begin(settings.collector()?.as_ref(), "ccd402-work")?;
    let mut working = facilitator::start_to_work(settings.options()?).await?;
    let network = working.facilitator().options().policy.network.clone();
    let ops = working.ops_addr().map(|addr| format!("http://{addr}"));
    Output::from_flag(args.json).print(
        &format!("working for facilitators of {network}"),
        &json!({ "event": "ready", "network": network, "ops": ops }),
    );
    tokio::select! {
        () = shutdown::requested() => {
            tracing::info!("stopping; work in flight ends first");
            let stopped = working.stop().await;
            traces.stop().await;
            stopped.map(|()| ExitCode::SUCCESS)
        }
        error = working.failed() => Err(error),
    }
}
