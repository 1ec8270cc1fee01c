//! `ccd402 jobs`: what is still to be done, and what failed for good, of a facilitator that runs.

use std::process::ExitCode;

use chrono::{DateTime, Utc};
use clap::{Args as ClapArgs, Subcommand, ValueEnum};
use reqwest::Method;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::cli::remote::{NO_BODY, Remote, Server};
use crate::output::Output;

/// Jobs that are asked for at a time.
const PAGE: usize = 1_000;

/// List, show, retry and drop jobs of the job queue.
///
/// A job checks an identity proof, looks for a transaction, tells a webhook, and so on. It is tried
/// again by itself, ever less often; one that fails for good is a dead letter and waits here for
/// somebody to look. Jobs are derived from the event log: dropping one loses no verification. Needs a
/// key with the scope operate, unless the facilitator listens on this machine and requires none.
#[derive(Debug, ClapArgs)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    remote: Remote,
    /// Print one JSON object a line
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List jobs: those that wait, run, or failed for good
    List {
        /// Where they stand
        #[arg(long, value_enum, default_value_t = Status::Waiting)]
        status: Status,
        /// At most so many
        #[arg(long, value_name = "N", default_value_t = 100)]
        limit: usize,
    },
    /// Show one job, with what its last try said
    Show {
        /// Id of the job, as the list shows it
        #[arg(value_name = "ID")]
        id: Uuid,
    },
    /// Run a waiting or dead job now, its tries forgotten
    Retry {
        /// Id of the job; several are retried one after the other
        #[arg(value_name = "ID", required = true)]
        ids: Vec<Uuid>,
    },
    /// Forget a job that does not run; what the log calls for is decided all the same
    Drop {
        /// Id of the job; several are dropped one after the other
        #[arg(value_name = "ID", required = true)]
        ids: Vec<Uuid>,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Status {
    /// For their time, or a free worker
    Waiting,
    /// A worker has them
    Running,
    /// They failed for good
    Dead,
}

impl Status {
    fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Dead => "dead",
        }
    }
}

/// A job as the API sends it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Job {
    id: Uuid,
    kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    verification: Option<Uuid>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    webhook: Option<Uuid>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    position: Option<u64>,
    status: String,
    attempts: u32,
    run_at: DateTime<Utc>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_error: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    jobs: Vec<Job>,
    #[serde(default)]
    next: Option<Uuid>,
    waiting: u64,
    dead: u64,
    oldest_due_seconds: u64,
}

/// Runs the command.
///
/// # Errors
/// Where nobody answers, or the facilitator refuses.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let output = Output::from_flag(args.json);
    let server = args.remote.server()?;
    match args.command {
        Command::List { status, limit } => list(&server, output, status, limit).await?,
        Command::Show { id } => {
            let path = format!("/v1/jobs/{id}");
            print(output, "", &server.ask(Method::GET, &path, NO_BODY).await?);
        }
        Command::Retry { ids } => {
            for id in ids {
                let path = format!("/v1/jobs/{id}/retry");
                print(output, "runs now: ", &server.ask(Method::POST, &path, NO_BODY).await?);
            }
        }
        Command::Drop { ids } => {
            for id in ids {
                let path = format!("/v1/jobs/{id}");
                print(output, "dropped: ", &server.ask(Method::DELETE, &path, NO_BODY).await?);
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn list(server: &Server, output: Output, of: Status, limit: usize) -> anyhow::Result<()> {
    let (mut after, mut left) = (String::new(), limit);
    loop {
        let (status, page) = (of.as_str(), left.min(PAGE));
        let path = format!("/v1/jobs?status={status}&limit={page}{after}");
        let page: Page = server.ask(Method::GET, &path, NO_BODY).await?;
        page.jobs.iter().for_each(|job| print(output, "", job));
        left = left.saturating_sub(page.jobs.len());
        match page.next {
            Some(next) if left > 0 => after = format!("&after={next}"),
            more => {
                if output == Output::Text {
                    summary(&page, more.is_some());
                }
                return Ok(());
            }
        }
    }
}

fn summary(page: &Page, is_more: bool) {
    let Page { waiting, dead, oldest_due_seconds, .. } = page;
    if is_more {
        println!("… and more: --limit shows them");
    }
    println!(
        "{waiting} wait or run, {dead} failed for good; the oldest that is due has waited \
         {oldest_due_seconds} s"
    );
}

fn print(output: Output, before: &str, job: &Job) {
    let subject = match (job.verification, job.webhook, job.position) {
        (Some(verification), _, _) => format!("verification {verification}"),
        (_, Some(webhook), Some(position)) => format!("webhook {webhook}, event {position}"),
        _ => "all verifications".to_owned(),
    };
    let Job { id, kind, status, attempts, .. } = job;
    let run_at = job.run_at.format("%Y-%m-%d %H:%M:%S UTC");
    let mut line = format!("{before}{id}  {kind:20}  {status:8}  tries {attempts}  due {run_at}");
    line.push_str(&format!("  {subject}"));
    if let Some(error) = &job.last_error {
        line.push_str(&format!("\n  last: {error}"));
    }
    output.print(&line, job);
}
