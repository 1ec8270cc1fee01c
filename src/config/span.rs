//! A length of time as people write it: `30s`, `24h`, `500ms`.

use std::str::FromStr;
use std::time::Duration;

use anyhow::ensure;
use schemars::JsonSchema;
use serde::Deserialize;

/// A length of time in flags, variables and files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(extend("examples" = ["30s", "24h", "500ms"]))]
pub struct Span(pub Duration);

impl FromStr for Span {
    type Err = humantime::DurationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        humantime::parse_duration(text).map(Self)
    }
}

impl TryFrom<String> for Span {
    type Error = humantime::DurationError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl Span {
    /// The time, if it lies within these bounds.
    ///
    /// # Errors
    /// Names the setting and its bounds.
    pub fn within(self, name: &str, least: Duration, most: Duration) -> anyhow::Result<Duration> {
        let (shown_least, shown_most) =
            (humantime::format_duration(least), humantime::format_duration(most));
        ensure!((least..=most).contains(&self.0), "{name} must be {shown_least} to {shown_most}");
        Ok(self.0)
    }
}
