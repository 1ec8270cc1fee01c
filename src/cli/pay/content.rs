//! Where the content goes: stdout as it comes, a file that is whole or not there, or into the JSON.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ccd402_client::payer::answer::Answer;
use ccd402_client::payer::error::Error;
use serde_json::{Map, Value, json};
use tempfile::NamedTempFile;

/// Longest content that is put into the JSON; longer content takes --output.
const JSON_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Where the content goes.
pub(super) enum Destination {
    /// As it comes.
    Stdout,
    /// Into the JSON object.
    Json,
    /// Beside its name first.
    File { file: NamedTempFile, path: PathBuf },
}

/// What became of the content, as fields of the JSON object.
pub(super) struct Received(pub(super) Map<String, Value>);

impl Destination {
    /// Fails before anything is paid where the file cannot be written.
    pub(super) fn new(output: Option<&Path>, json: bool) -> anyhow::Result<Self> {
        let Some(path) = output else { return Ok(if json { Self::Json } else { Self::Stdout }) };
        let directory = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let file = NamedTempFile::new_in(directory)
            .with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self::File { file, path: path.to_owned() })
    }

    /// Reads the content to its end.
    pub(super) async fn receive(
        self,
        answer: &mut Answer,
    ) -> anyhow::Result<Result<Received, Error>> {
        match self {
            Self::Json => Ok(answer.bytes(JSON_BYTES_MAX).await.map(in_json)),
            Self::Stdout => stdout(answer).await,
            Self::File { file, path } => into_file(answer, file, &path).await,
        }
    }
}

async fn stdout(answer: &mut Answer) -> anyhow::Result<Result<Received, Error>> {
    let mut is_open = true;
    loop {
        match answer.chunk().await {
            // A reader that went away does not undo the payment: the rest is read and dropped.
            Ok(Some(chunk)) if is_open => is_open = std::io::stdout().write_all(&chunk).is_ok(),
            Ok(Some(_)) => {}
            Ok(None) => break,
            Err(error) => return Ok(Err(error)),
        }
    }
    let _ = std::io::stdout().flush();
    Ok(Ok(Received(Map::new())))
}

async fn into_file(
    answer: &mut Answer,
    mut file: NamedTempFile,
    path: &Path,
) -> anyhow::Result<Result<Received, Error>> {
    let cannot = || format!("cannot write {}", path.display());
    let mut bytes = 0;
    loop {
        match answer.chunk().await {
            Ok(Some(chunk)) => {
                bytes += chunk.len();
                file.write_all(&chunk).with_context(cannot)?;
            }
            Ok(None) => break,
            Err(error) => return Ok(Err(error)),
        }
    }
    file.persist(path).with_context(cannot)?;
    let fields = json!({ "output": path, "bytes": bytes });
    Ok(Ok(Received(fields.as_object().cloned().unwrap_or_default())))
}

/// Text as `content`, anything else as `contentBase64`.
fn in_json(content: Vec<u8>) -> Received {
    let (name, text) = match String::from_utf8(content) {
        Ok(text) => ("content", text),
        Err(other) => ("contentBase64", STANDARD.encode(other.as_bytes())),
    };
    Received(Map::from_iter([(name.to_owned(), Value::String(text))]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stays_text_and_other_bytes_become_base64() {
        assert_eq!(in_json(b"sun".to_vec()).0["content"], "sun");
        assert_eq!(in_json(vec![0xff, 0xfe]).0["contentBase64"], "//4=");
    }

    #[test]
    fn a_file_that_cannot_be_written_is_found_out_before_anything_is_paid() {
        assert!(Destination::new(Some(Path::new("/no/such/place/report.txt")), false).is_err());
    }
}
