//! Proves that replaying equals living: the log is folded again beside what is read, and all rows
//! are compared.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::bail;
use ccd402_app::error::Error;
use ccd402_app::ports::log::Position;
use ccd402_app::ports::read_model::{Compared, ReadModelError, Unlike};
use ccd402_app::reads::Reads;
use serde::{Deserialize, Serialize};
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
    Replayed { position: Position, head: Position },
    Equal { position: Position, rows: u64 },
    Different { position: Position, rows: u64, different: u64, differences: Vec<Difference> },
    Failed { reason: String },
}

/// What was found.
struct Found {
    position: Position,
    rows: u64,
    different: u64,
    differences: Vec<Difference>,
}

/// A row that is not what the log says.
#[derive(Deserialize, Serialize)]
struct Difference {
    number: Position,
    what: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    columns: Vec<String>,
}

pub(super) async fn run(of: Where, output: Output) -> anyhow::Result<ExitCode> {
    let found = match Place::open(&of).await? {
        Some(place) => place.run(Box::pin(look(&place))).await?,
        None => until_interrupted(ask(&of.remote.server()?)).await?,
    };
    let Found { position, rows, different, differences } = found;
    if different == 0 {
        output.print(
            &format!("equal: {rows} rows, at position {position}, are what the log says"),
            &json!({ "equal": true, "position": position, "rows": rows }),
        );
        return Ok(ExitCode::SUCCESS);
    }
    let mut text = format!(
        "different: {different} rows, at position {position}, are not what the log says. \
         `ccd402 replay` builds them again"
    );
    for Difference { number, what, columns } in &differences {
        text.push_str(&format!("\n{number:>8}  {what} {}", columns.join(", ")));
    }
    let value = json!({
        "equal": false, "position": position, "rows": rows, "different": different,
        "differences": differences,
    });
    output.print(&text, &value);
    Ok(ExitCode::from(1))
}

async fn look(place: &Place) -> anyhow::Result<Found> {
    let reads = Arc::new(Reads::of(place.log.port(), place.model.port()).await?);
    match compare(&reads).await {
        Ok(compared) => Ok(Found::of(compared)),
        Err(Error::ReadModel(ReadModelError::Building)) => bail!(
            "there is no read model of this log in {} that could be compared: it is missing, \
             damaged, or of another version. `ccd402 replay` builds it",
            place.name
        ),
        Err(error) => Err(error.into()),
    }
}

async fn compare(reads: &Arc<Reads>) -> Result<Compared, Error> {
    let mut comparing = reads.compare().await?;
    let bar = progress(comparing.until());
    while comparing.step().await? {
        bar.set_length(comparing.until());
        bar.set_position(comparing.position());
    }
    let compared = comparing.end().await;
    bar.finish_and_clear();
    compared
}

async fn ask(server: &Server) -> anyhow::Result<Found> {
    let mut steps = server.post("/v1/projections:verify").await.map(Lines::from)?;
    let bar = progress(0);
    while let Some(step) = steps.next().await? {
        let found = match step {
            Step::Replayed { position, head } => {
                bar.set_length(head);
                bar.set_position(position);
                continue;
            }
            Step::Equal { position, rows } => {
                Found { position, rows, different: 0, differences: Vec::new() }
            }
            Step::Different { position, rows, different, differences } => {
                Found { position, rows, different, differences }
            }
            Step::Failed { reason } => bail!("nothing could be compared: {reason}"),
        };
        bar.finish_and_clear();
        return Ok(found);
    }
    bail!("the server did not say what it found")
}

impl Found {
    fn of(compared: Compared) -> Self {
        let Compared { position, rows, different, differences } = compared;
        let shown = differences.into_iter().map(|difference| {
            let (what, columns) = match difference.what {
                Unlike::Missing => ("missing", Vec::new()),
                Unlike::Surplus => ("surplus", Vec::new()),
                Unlike::Changed(columns) => ("changed", columns),
            };
            Difference { number: difference.number, what: what.to_owned(), columns }
        });
        Self { position, rows, different, differences: shown.collect() }
    }
}
