//! `ccd402 simchain`: runs the simulated chain alone, or tells one that runs to misbehave.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use ccd402_simchain::{Clock, Control, Fault, Options, SimChain};
use clap::{Args as ClapArgs, Subcommand};
use serde_json::json;

use crate::config::span::Span;
use crate::output::Output;
use crate::shutdown;

/// Run a simulated Concordium chain that speaks the node's own gRPC.
///
/// The Rust SDK and the web SDK work against it unchanged. Wallets come from `ccd402 wallet new
/// --fund`. It is for trying out and for tests: its money is worth nothing.
#[derive(Debug, ClapArgs)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    run: Run,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a chain that runs misbehave, to see what happens then
    Fault(FaultArgs),
}

#[derive(Debug, ClapArgs)]
struct Run {
    /// Address and port to listen on
    #[arg(
        long,
        env = "CCD402_SIMCHAIN_LISTEN",
        value_name = "ADDR",
        default_value = "127.0.0.1:20000"
    )]
    listen: SocketAddr,
    /// Directory that keeps the chain; without it the chain is forgotten at the end
    #[arg(long, env = "CCD402_SIMCHAIN_DATA_DIR", value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Decides every random choice: same seed, same genesis
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Time between two blocks
    #[arg(long, value_name = "TIME", default_value = "1s")]
    block_time: Span,
    /// Time from a block to its finality
    #[arg(long, value_name = "TIME", default_value = "2s")]
    finality_delay: Span,
    /// Print one JSON object when ready
    #[arg(long)]
    json: bool,
}

#[derive(Debug, ClapArgs)]
struct FaultArgs {
    /// gRPC URL of the chain
    #[arg(long, env = "CCD402_NODE", value_name = "URL", default_value = "http://127.0.0.1:20000")]
    node: String,
    /// The fault as JSON, e.g. '{"kind":"stallStreams","forMs":5000}'; "none" ends all faults
    #[arg(value_name = "FAULT")]
    fault: String,
}

/// Runs the command.
///
/// # Errors
/// Where the chain cannot start or be reached.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    match args.command {
        Some(Command::Fault(fault)) => tell(fault).await,
        None => serve(args.run).await,
    }
}

async fn serve(run: Run) -> anyhow::Result<ExitCode> {
    let options = Options {
        listen: run.listen,
        data_dir: run.data_dir,
        seed: run.seed,
        block_time: run.block_time.0,
        finality_delay: run.finality_delay.0,
        clock: Clock::System,
    };
    let chain = SimChain::start(options).await.context("cannot start the simulated chain")?;
    let (url, network) = (chain.url(), chain.network_id());
    Output::from_flag(run.json).print(
        &format!("simulated chain {network} on {url}"),
        &json!({ "event": "ready", "url": url, "network": network }),
    );
    shutdown::requested().await;
    chain.shutdown().await;
    Ok(ExitCode::SUCCESS)
}

async fn tell(args: FaultArgs) -> anyhow::Result<ExitCode> {
    let control = Control::connect(&args.node).await?;
    if args.fault == "none" {
        control.clear_faults().await?;
    } else {
        let fault: Fault = serde_json::from_str(&args.fault).context("not a fault")?;
        control.fault(&fault).await?;
    }
    Ok(ExitCode::SUCCESS)
}
