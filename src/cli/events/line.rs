//! One line of the log as it is listed, and which lines are wanted.

use ccd402_app::ports::log::Position;
use ccd402_domain::event::Event;
use ccd402_domain::ids::VerificationId;
use chrono::{DateTime, SecondsFormat, Utc};
use clap::Args;
use clap::builder::PossibleValuesParser;
use serde::Deserialize;

/// What of an envelope is listed.
#[derive(Deserialize)]
pub(super) struct Line {
    pub(super) position: Position,
    time: DateTime<Utc>,
    #[serde(rename = "type")]
    kind: String,
    stream: String,
    version: u64,
    correlationid: Option<VerificationId>,
}

/// Which events are wanted; everything that is said must hold.
#[derive(Debug, Clone, Args)]
pub(super) struct Filter {
    /// Only events of these types
    #[arg(
        long = "type", value_name = "TYPE", value_delimiter = ',',
        value_parser = PossibleValuesParser::new(Event::NAMES), hide_possible_values = true
    )]
    types: Vec<String>,
    /// Only events of this stream, such as follower-ccd:…
    #[arg(long, value_name = "NAME")]
    stream: Option<String>,
    /// Only events of this verification
    #[arg(long, value_name = "ID")]
    verification: Option<VerificationId>,
    /// Only events from this position on
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(super) from: Position,
    /// Only events up to this position
    #[arg(long, value_name = "N")]
    pub(super) to: Option<Position>,
    /// Only events from this time on, such as 2026-11-22T15:00:00Z
    #[arg(long, value_name = "TIME")]
    since: Option<DateTime<Utc>>,
    /// Only events before this time
    #[arg(long, value_name = "TIME")]
    until: Option<DateTime<Utc>>,
}

impl Line {
    /// Reads what is listed of a line.
    pub(super) fn read(line: &[u8]) -> anyhow::Result<Self> {
        Ok(serde_json::from_slice(line)?)
    }

    /// The type without name space and version.
    fn name(&self) -> &str {
        let name = self.kind.strip_prefix("ccd402.").unwrap_or(&self.kind);
        name.rsplit_once(".v").map_or(name, |(name, _)| name)
    }

    /// For people.
    pub(super) fn text(&self) -> String {
        let time = self.time.to_rfc3339_opts(SecondsFormat::Millis, true);
        let (position, name) = (self.position, self.name());
        format!("{position:>8}  {time}  {name:<22} {} {}", self.stream, self.version)
    }
}

impl Filter {
    /// Whether an event is wanted.
    pub(super) fn admits(&self, line: &Line) -> bool {
        (self.types.is_empty() || self.types.iter().any(|name| name == line.name()))
            && self.stream.as_ref().is_none_or(|stream| *stream == line.stream)
            && (self.verification.is_none() || self.verification == line.correlationid)
            && line.position >= self.from
            && self.to.is_none_or(|to| line.position <= to)
            && self.since.is_none_or(|since| line.time >= since)
            && self.until.is_none_or(|until| line.time < until)
    }
}
