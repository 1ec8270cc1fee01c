//! Where results go: text for people on a terminal, one JSON object a line for programs.
//!
//! Results go to stdout, logs (see `telemetry`) to stderr.

use std::io::Write as _;

use serde::Serialize;

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// For people.
    Text,
    /// For programs.
    Json,
}

impl Output {
    /// JSON where `--json` was given.
    #[must_use]
    pub fn from_flag(json: bool) -> Self {
        if json { Self::Json } else { Self::Text }
    }

    /// Prints one result: `text` for people, `value` for programs. A closed pipe ends it quietly.
    pub fn print<T: Serialize>(self, text: &str, value: &T) {
        let line = match self {
            Self::Text => text.to_owned(),
            Self::Json => serde_json::to_string(value).expect("results have JSON"),
        };
        write(line.as_bytes());
    }

    /// Prints one result that is JSON already, on one line.
    pub fn print_stored(self, text: &str, json: &[u8]) {
        write(if self == Self::Json { json } else { text.as_bytes() });
    }
}

/// A reader that went away (`| head`) is no failure of the command.
fn write(line: &[u8]) {
    let mut stdout = std::io::stdout().lock();
    let _ = stdout.write_all(line).and_then(|()| stdout.write_all(b"\n"));
}
