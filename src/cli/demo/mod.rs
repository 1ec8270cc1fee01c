//! `ccd402 demo`: the whole story in one process, told step by step, refusals included.

mod refusals;
mod story;

use std::process::ExitCode;
use std::time::Instant;

use clap::Args as ClapArgs;
use serde::Serialize;

use crate::devnet::{Devnet, Options};
use crate::output::Output;

/// Watch it work: a payer proves its age, pays, and gets the content; then what is refused.
///
/// Starts a simulated Concordium network, the facilitator, a gate and a small shop in this process,
/// in a temporary directory. Needs no server, no key, no account. Exit code 0 only if each step went
/// as it must.
#[derive(Debug, ClapArgs)]
pub struct Args {
    /// Print one JSON object a step
    #[arg(long)]
    json: bool,
}

/// What a step of the story came to.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Step {
    step: u32,
    title: String,
    detail: String,
    ok: bool,
    duration_ms: u64,
}

/// Tells the steps, and remembers whether all went well.
struct Teller {
    output: Output,
    steps: u32,
    all_ok: bool,
}

impl Teller {
    /// Runs a step and tells what came of it. What it returns is told as its detail.
    async fn step<T>(
        &mut self,
        title: &str,
        step: impl Future<Output = anyhow::Result<(T, String)>>,
    ) -> Option<T> {
        let began = Instant::now();
        let came = step.await;
        let duration_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.steps += 1;
        let (value, detail, ok) = match came {
            Ok((value, detail)) => (Some(value), detail, true),
            Err(error) => (None, format!("{error:#}"), false),
        };
        self.all_ok &= ok;
        let mark = if ok { "ok" } else { "FAILED" };
        let told = Step { step: self.steps, title: title.to_owned(), detail, ok, duration_ms };
        let indented = told.detail.replace('\n', "\n      ");
        let text = format!(
            "{:>3}.  {title}  [{mark}, {:.1} s]\n      {indented}\n",
            told.step,
            f64::from(u32::try_from(duration_ms).unwrap_or(u32::MAX)) / 1_000.0
        );
        self.output.print(&text, &told);
        value
    }
}

/// Runs the command.
///
/// # Errors
/// Where the demo cannot even start.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let began = Instant::now();
    let mut teller = Teller { output: Output::from_flag(args.json), steps: 0, all_ok: true };
    let dir = tempfile::tempdir()?;
    let started = teller.step("Start the network, the facilitator, the gate and a shop", async {
        // Boxed, here and below: a whole devnet makes large futures.
        let devnet = Box::pin(Devnet::start(Options::quick(dir.path().to_owned()))).await?;
        let detail = format!(
            "chain        {}  (simulated, the node's own gRPC)\nfacilitator  {}\ngate         {}\n\
             network      {}",
            devnet.chain().url(),
            devnet.facilitator().url(),
            devnet.gate_url(),
            devnet.network(),
        );
        Ok((devnet, detail))
    });
    let Some(devnet) = started.await else { return Ok(ExitCode::from(1)) };
    if let Some(cast) = Box::pin(story::tell(&mut teller, &devnet, dir.path())).await {
        Box::pin(refusals::tell(&mut teller, &devnet, &cast)).await;
    }
    devnet.stop().await?;
    let (steps, seconds) = (teller.steps, began.elapsed().as_secs_f32());
    if !args.json {
        let verdict = if teller.all_ok { "went as it must" } else { "did NOT all go as they must" };
        println!("{steps} steps in {seconds:.1} s: {verdict}.");
    }
    Ok(if teller.all_ok { ExitCode::SUCCESS } else { ExitCode::from(1) })
}
