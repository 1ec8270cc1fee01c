//! Reading a TOML configuration file. An unknown key is refused: it is a misspelt one.

use std::path::Path;

use anyhow::{Context as _, ensure};
use serde::de::DeserializeOwned;

/// Largest configuration file.
const BYTES_MAX: u64 = 1024 * 1024;

/// Reads a file; without one, everything is left to flags and defaults.
///
/// # Errors
/// Where the file cannot be read or holds what is not known; the message names the key.
pub fn read<T: DeserializeOwned + Default>(path: Option<&Path>) -> anyhow::Result<T> {
    let Some(path) = path else { return Ok(T::default()) };
    let shown = path.display();
    let size = std::fs::metadata(path).with_context(|| format!("cannot read {shown}"))?.len();
    ensure!(size <= BYTES_MAX, "{shown} is larger than {BYTES_MAX} bytes");
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {shown}"))?;
    toml::from_str(&text).with_context(|| format!("{shown} is not a valid configuration"))
}
