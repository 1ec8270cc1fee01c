//! `ccd402 events import`: takes an export into the log of a directory at rest, or of a database.
//!
//! Never into a running facilitator: what it has told its callers rests on the log that it has.

use std::fs::File;
use std::io::{BufRead, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail, ensure};
use ccd402_store::Error;
use ccd402_store::postgres::Options as DatabaseOptions;
use ccd402_store::postgres::import::Import as DatabaseImport;
use ccd402_store::sled::Options;
use ccd402_store::sled::import::Import;
use clap::Args as ClapArgs;
use serde_json::json;
use tokio::runtime::Handle;

use super::source::progress;
use crate::output::Output;

/// Lines that become durable together, and bytes after which no more are added to them.
const PAGE_LINES: usize = 1_000;
const PAGE_BYTES: usize = 4 * 1024 * 1024;
/// Longest line: an event has at most 64 KiB.
const LINE_BYTES_MAX: u64 = 256 * 1024;

/// Take an export in: into an empty log, or into one that it continues.
///
/// Every line is checked before it is written; the hashes afterwards are those of the export. Lines
/// that are there already are compared. Ctrl-C is safe: say the same again. The facilitator must be
/// stopped, of a database all of them: under a running one history is not replaced.
///
/// Example: ccd402 events import events.jsonl --data-dir restored
#[derive(Debug, ClapArgs)]
pub(super) struct Args {
    /// File of an export; - for stdin
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Data directory to fill; made if it is missing
    #[arg(long, value_name = "DIR", required_unless_present_any = ["url", "database_url"])]
    data_dir: Option<PathBuf>,
    /// PostgreSQL database to fill, after `ccd402 migrate`
    #[arg(long, value_name = "URL", conflicts_with = "data_dir")]
    database_url: Option<String>,
    /// Refused: a running facilitator takes no import
    #[arg(long, value_name = "URL", hide = true)]
    url: Option<String>,
    /// Print one JSON object when done
    #[arg(long)]
    json: bool,
}

/// What is to be filled.
enum Target {
    Dir(PathBuf),
    Database(DatabaseImport),
}

/// What is being filled.
enum Filling {
    Dir(Import),
    Database(DatabaseImport, Handle),
}

pub(super) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let target = match (args.data_dir, args.database_url, args.url) {
        (Some(dir), None, None) => Target::Dir(dir),
        (None, Some(url), None) => {
            Target::Database(DatabaseImport::open(&DatabaseOptions::new(url)).await?)
        }
        _ => bail!(
            "a running facilitator takes no import: what it has answered rests on its own log. \
             Stop it, and name its directory with --data-dir, or its database with --database-url"
        ),
    };
    let file = args.file;
    let taken = tokio::task::spawn_blocking(move || import(&file, target)).await??;
    let (position, hash) = taken;
    Output::from_flag(args.json).print(
        &format!("the log holds {position} events, the last hash is {hash}"),
        &json!({ "position": position, "hash": hash }),
    );
    Ok(ExitCode::SUCCESS)
}

fn import(file: &Path, target: Target) -> anyhow::Result<(u64, String)> {
    let shown = file.display();
    let (mut lines, bytes): (Box<dyn BufRead>, u64) = if file == Path::new("-") {
        (Box::new(std::io::stdin().lock()), 0)
    } else {
        let open = File::open(file).with_context(|| format!("cannot read {shown}"))?;
        let bytes = open.metadata()?.len();
        (Box::new(BufReader::new(open)), bytes)
    };
    let mut filling = target.open()?;
    let bar = progress(bytes);
    loop {
        let (page, read) = page(&mut lines)?;
        if page.is_empty() {
            break;
        }
        let refused = || format!("{shown} is not taken in any further");
        filling.take(page).with_context(refused)?;
        bar.inc(read as u64);
    }
    bar.finish_and_clear();
    Ok(match filling {
        Filling::Dir(import) => (import.position(), import.hash().to_string()),
        Filling::Database(import, _) => (import.position(), import.hash().to_string()),
    })
}

impl Target {
    fn open(self) -> anyhow::Result<Filling> {
        Ok(match self {
            Self::Dir(dir) => Filling::Dir(Import::open(&Options::new(dir.join("log")))?),
            Self::Database(import) => Filling::Database(import, Handle::current()),
        })
    }
}

impl Filling {
    /// Blocks until all of it is durable.
    fn take(&mut self, page: Vec<Vec<u8>>) -> Result<(), Error> {
        match self {
            Self::Dir(import) => import.take(page),
            Self::Database(import, runtime) => runtime.block_on(import.take(page)),
        }
    }
}

/// The next lines, and their bytes; none at the end.
fn page(from: &mut impl BufRead) -> anyhow::Result<(Vec<Vec<u8>>, usize)> {
    let (mut page, mut read) = (Vec::new(), 0);
    while page.len() < PAGE_LINES && read < PAGE_BYTES {
        let mut line = Vec::new();
        let bytes = from.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line)?;
        if bytes == 0 {
            break;
        }
        ensure!(line.pop() == Some(b'\n'), "the last line is cut off, or longer than any may be");
        page.push(line);
        read += bytes;
    }
    Ok((page, read))
}
