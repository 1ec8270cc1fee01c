//! Replays up to a position or a time, into a file of its own: what was known then.
//!
//! Nothing that is read is touched. Each line's hash is checked on the way, so that the past that is
//! shown is the one that was written.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::str::FromStr;

use anyhow::{Context as _, ensure};
use ccd402_app::ports::log::{Position, Recorded};
use ccd402_store::envelope::{self, Chain};
use ccd402_store::sqlite::{RowFile, remove};
use chrono::{DateTime, Utc};
use serde_json::json;

use crate::cli::events::source::{PAGE_LINES, Source, Where, progress};
use crate::output::Output;

/// Where the past ends.
#[derive(Debug, Clone, Copy)]
pub(super) enum Until {
    /// With this event.
    Position(Position),
    /// Before the first event that happened later.
    Time(DateTime<Utc>),
}

impl FromStr for Until {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let position = text.parse().map(Self::Position).ok();
        let time = || text.parse().map(Self::Time).ok();
        position.or_else(time).ok_or("use a position, or a time such as 2026-11-22T15:00:00Z")
    }
}

pub(super) async fn run(
    of: Where,
    until: Option<Until>,
    out: PathBuf,
    output: Output,
) -> anyhow::Result<ExitCode> {
    let shown = out.display();
    ensure!(!out.exists(), "{shown} is there already: name another file");
    let source = of.open().await?;
    let part = beside(&out);
    let cannot = || format!("cannot write {shown}");
    let mut file = RowFile::create(&part).await.with_context(cannot)?;
    let last = write(&source, until, &mut file).await?;
    file.finish().await.with_context(cannot)?;
    source.close().await;
    if let Err(error) = std::fs::rename(&part, &out) {
        remove(&part)?;
        return Err(error).with_context(cannot);
    }
    let (position, time) = last.unzip();
    let position = position.unwrap_or(0);
    let when = time.map_or_else(String::new, |time: DateTime<Utc>| format!(", of {time}"));
    output.print(
        &format!(
            "{shown} holds what was known at position {position}{when}: \
             sqlite3 -readonly {shown} 'SELECT * FROM readable'"
        ),
        &json!({ "file": out, "position": position, "time": time }),
    );
    Ok(ExitCode::SUCCESS)
}

/// Writes what happened until then; position and time of the last event.
async fn write(
    source: &Source,
    until: Option<Until>,
    file: &mut RowFile,
) -> anyhow::Result<Option<(Position, DateTime<Utc>)>> {
    let head = source.head().await?;
    let end = match until {
        Some(Until::Position(position)) => position,
        Some(Until::Time(_)) | None => head,
    };
    ensure!(end <= head, "there is no event at {end}: the log ends at {head}");
    let bar = progress(end);
    let (mut chain, mut last) = (Chain::default(), None);
    while chain.position() < end {
        let left = usize::try_from(end - chain.position()).unwrap_or(PAGE_LINES);
        let page = source.page(chain.position(), left.min(PAGE_LINES)).await?;
        ensure!(!page.lines.is_empty(), "the log ends at {}, before {end}", chain.position());
        let mut events = read(&page.lines, &mut chain)?;
        let count = events.len();
        if let Some(Until::Time(time)) = until {
            let later = events.iter().position(|recorded| recorded.time > time);
            events.truncate(later.unwrap_or(count));
        }
        file.apply(&events).await?;
        last = events.last().map(|event| (event.position, event.time)).or(last);
        bar.set_position(file.position());
        if events.len() < count {
            break;
        }
    }
    bar.finish_and_clear();
    Ok(last)
}

fn read(lines: &[Vec<u8>], chain: &mut Chain) -> anyhow::Result<Vec<Recorded>> {
    let mut events = Vec::with_capacity(lines.len());
    for line in lines {
        chain.check(line)?;
        events.push(envelope::read(chain.position(), line)?.recorded);
    }
    Ok(events)
}

/// Where it is written before it is whole.
fn beside(out: &Path) -> PathBuf {
    let mut name = out.as_os_str().to_owned();
    name.push(".part");
    name.into()
}
