//! `ccd402 dev`: the whole of it on a laptop, running until it is told to stop.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use ccd402_workers::runner::Options as Tries;
use clap::Args as ClapArgs;
use serde_json::json;

use crate::compose::jobs::Options as JobOptions;
use crate::devnet::shop::{ARTICLE, FREE, REPORT, TOKEN_ARTICLE};
use crate::devnet::{Devnet, Listen, Options};
use crate::output::Output;
use crate::shutdown;

/// Run chain, facilitator, gate and a small shop on this machine, and print what to try.
///
/// The data directory keeps everything, so that stopping and starting again goes on where it was.
#[derive(Debug, ClapArgs)]
pub struct Args {
    /// Directory that keeps chain, event log and secrets
    #[arg(long, env = "CCD402_DATA_DIR", value_name = "DIR", default_value = "ccd402-dev")]
    data_dir: PathBuf,
    /// Port of the simulated chain
    #[arg(long, value_name = "PORT", default_value_t = 20_000)]
    chain_port: u16,
    /// Port of the facilitator
    #[arg(long, value_name = "PORT", default_value_t = 4_020)]
    facilitator_port: u16,
    /// Port of the gate in front of the shop
    #[arg(long, value_name = "PORT", default_value_t = 4_402)]
    gate_port: u16,
    /// Tries of a job before it is a dead letter; few let one see what becomes of them
    #[arg(long, value_name = "N", default_value_t = Tries::default().attempts_max)]
    job_tries: u32,
    /// Print one JSON object when ready
    #[arg(long)]
    json: bool,
}

/// Runs the command.
///
/// # Errors
/// Where a part cannot start or fails.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let mut jobs = JobOptions::default();
    jobs.tries.attempts_max = args.job_tries.max(1);
    let local = |port| SocketAddr::from(([127, 0, 0, 1], port));
    let mut devnet = Devnet::start(Options {
        data_dir: args.data_dir,
        keep_chain: true,
        block_time: Duration::from_secs(1),
        finality_delay: Duration::from_secs(1),
        jobs,
        listen: Listen {
            chain: local(args.chain_port),
            facilitator: local(args.facilitator_port),
            gate: local(args.gate_port),
        },
    })
    .await?;
    let value = json!({
        "event": "ready",
        "network": devnet.network(),
        "node": devnet.chain().url(),
        "facilitator": devnet.facilitator().url(),
        "gate": devnet.gate_url(),
        "payTo": devnet.pay_to(),
    });
    Output::from_flag(args.json).print(&welcome(&devnet), &value);
    tokio::select! {
        () = shutdown::requested() => {
            tracing::info!("stopping");
            devnet.stop().await?;
            Ok(ExitCode::SUCCESS)
        }
        error = devnet.failed() => Err(error),
    }
}

fn welcome(devnet: &Devnet) -> String {
    let (node, gate) = (devnet.chain().url(), devnet.gate_url().to_owned());
    let facilitator = devnet.facilitator().url();
    format!(
        "Verify & Pay runs on this machine. Ctrl-C stops it.\n\n\
         network      {}\nchain        {node}\nfacilitator  {facilitator}\n\
         dashboard    {facilitator}/dashboard\n\
         gate         {gate}  (1.5 CCD and 18 years: {REPORT}, 0.5 CCD: {ARTICLE}, \
         2 EURR: {TOKEN_ARTICLE}, free: {FREE})\n\n\
         In another terminal:\n\n  \
         ccd402 wallet new --out payer.json --fund \"100 CCD\" --node {node}\n  \
         ccd402 pay {gate}{REPORT} --wallet payer.json --node {node} --max-amount \"5 CCD\"\n\n  \
         ccd402 wallet new --out minor.json --fund \"100 CCD\" --node {node} --dob 20110501\n  \
         ccd402 pay {gate}{REPORT} --wallet minor.json --node {node} --max-amount \"5 CCD\"\n\n  \
         curl -i {gate}{REPORT}\n  curl {facilitator}/supported",
        devnet.network(),
    )
}
