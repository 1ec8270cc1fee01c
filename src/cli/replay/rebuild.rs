//! Builds the read model again, beside the one that is read, and puts it in its place.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use anyhow::bail;
use ccd402_app::ports::log::{EventLog as _, Position};
use ccd402_app::ports::read_model::ReadModel as _;
use ccd402_app::replay::Replay;
use ccd402_store::sled::{Options, SledLog};
use ccd402_store::sqlite::SqliteReadModel;
use serde::Deserialize;
use serde_json::json;

use crate::cli::events::source::{Where, log_dir, progress};
use crate::cli::remote::{Lines, Server};
use crate::output::Output;

/// A line of the server's answer.
#[derive(Deserialize)]
#[serde(tag = "status", rename_all = "lowercase")]
enum Step {
    Building { position: Position, head: Position },
    Built { position: Position },
    Failed { reason: String },
}

pub(super) async fn run(of: Where, output: Output) -> anyhow::Result<ExitCode> {
    let begun_at = Instant::now();
    let of = of.no_database()?;
    let position = match of.data_dir {
        Some(dir) => at_rest(&dir).await?,
        None => ask(&of.remote.server()?).await?,
    };
    let seconds = begun_at.elapsed().as_secs_f64();
    output.print(
        &format!("the read model is built again from {position} events, in {seconds:.1} s"),
        &json!({ "built": true, "position": position, "seconds": seconds }),
    );
    Ok(ExitCode::SUCCESS)
}

async fn at_rest(dir: &Path) -> anyhow::Result<Position> {
    let log = SledLog::open(Options::new(log_dir(dir)?)).await?;
    let model = SqliteReadModel::open(dir).await;
    let head = *log.head().borrow();
    let bar = progress(head);
    let mut replay = Replay::new(Arc::new(log.clone()), model.rebuild().await?);
    while replay.step(head).await? {
        bar.set_position(replay.position());
    }
    replay.into_rows().swap_in().await?;
    bar.finish_and_clear();
    model.close().await;
    log.close().await;
    Ok(head)
}

async fn ask(server: &Server) -> anyhow::Result<Position> {
    let mut steps = server.post("/v1/projections:rebuild").await.map(Lines::from)?;
    let bar = progress(0);
    while let Some(step) = steps.next().await? {
        match step {
            Step::Building { position, head } => {
                bar.set_length(head);
                bar.set_position(position);
            }
            Step::Built { position } => {
                bar.finish_and_clear();
                return Ok(position);
            }
            Step::Failed { reason } => bail!("the read model is not built again: {reason}"),
        }
    }
    bail!("the server did not say how it ended")
}
