//! Builds the read model again, beside the one that is read, and puts it in its place.

use std::process::ExitCode;
use std::time::Instant;

use anyhow::bail;
use ccd402_app::ports::log::Position;
use ccd402_app::replay::Replay;
use serde::Deserialize;
use serde_json::json;

use super::place::Place;
use super::until_interrupted;
use crate::cli::events::source::{Where, progress};
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
    let position = match Place::open(&of).await? {
        Some(place) => place.run_writing(Box::pin(build(&place))).await?,
        None => until_interrupted(ask(&of.remote.server()?)).await?,
    };
    let seconds = begun_at.elapsed().as_secs_f64();
    output.print(
        &format!("the read model is built again from {position} events, in {seconds:.1} s"),
        &json!({ "built": true, "position": position, "seconds": seconds }),
    );
    Ok(ExitCode::SUCCESS)
}

async fn build(place: &Place) -> anyhow::Result<Position> {
    let (log, model) = (place.log.port(), place.model.port());
    let head = place.log.head();
    let bar = progress(head);
    let mut replay = Replay::new(log, model.rebuild().await?);
    while replay.step(head).await? {
        bar.set_position(replay.position());
    }
    replay.into_rows().swap_in().await?;
    bar.finish_and_clear();
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
