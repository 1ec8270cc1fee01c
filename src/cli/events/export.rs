//! `ccd402 events export`: the log as lines, each with its hash.
//!
//! A file is written beside its name and gets it when it is whole, so what bears the name can be
//! trusted. An export that was interrupted is gone on with.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Seek as _, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, ensure};
use ccd402_app::ports::log::Position;
use ccd402_domain::ids::Digest;
use ccd402_store::envelope::Chain;
use clap::Args as ClapArgs;
use serde::Deserialize;
use serde_json::json;

use super::source::{PAGE_LINES, Where, progress};
use crate::output::Output;

/// Write the log out: one line of JSON an event, as stored, checked on the way.
///
/// Ctrl-C is safe: say the same again, and it goes on where it was. Proofs that still have to be
/// checked are not events, and not in an export.
///
/// Example: ccd402 events export --out events.jsonl
#[derive(Debug, ClapArgs)]
pub(super) struct Args {
    #[command(flatten)]
    of: Where,
    /// File to write; it must not be there yet [default: stdout]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Only events after this position
    #[arg(long, value_name = "N", default_value_t = 0)]
    after: Position,
    /// Print one JSON object when done; needs --out
    #[arg(long, requires = "out")]
    json: bool,
}

/// Where lines go, and how far they have come.
struct Sink {
    write: Box<dyn Write + Send>,
    after: Position,
    /// None before the first line, whose link nothing here can check.
    chain: Option<Chain>,
}

#[derive(Deserialize)]
struct Link {
    prevhash: Digest,
}

pub(super) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let source = args.of.open().await?;
    let part = args.out.as_deref().map(beside);
    let mut sink = match (&args.out, &part) {
        (Some(out), Some(part)) => {
            let shown = out.display();
            ensure!(!out.exists(), "{shown} is there already: name another file");
            Sink::open(part, args.after)?
        }
        _ => Sink { write: Box::new(io::stdout()), after: args.after, chain: None },
    };
    let head = source.head().await?;
    let bar = progress(head);
    while sink.after < head {
        let page = source.page(sink.after, PAGE_LINES).await?;
        ensure!(!page.lines.is_empty(), "the log ends at {}, before {head}", sink.after);
        for line in page.lines {
            sink.put(&line)?;
        }
        sink.write.flush()?;
        bar.set_position(sink.after);
    }
    bar.finish_and_clear();
    source.close().await;
    let (position, hash) = (sink.after, sink.chain.map(|chain| chain.hash()));
    drop(sink);
    if let (Some(out), Some(part)) = (&args.out, &part) {
        File::open(part)?.sync_all()?;
        fs::rename(part, out).with_context(|| format!("cannot write {}", out.display()))?;
        let hash = hash.map_or_else(|| "none".to_owned(), |hash| hash.to_string());
        Output::from_flag(args.json).print(
            &format!("{} holds the log up to {position}, whose hash is {hash}", out.display()),
            &json!({ "file": out, "position": position, "hash": hash }),
        );
    }
    Ok(ExitCode::SUCCESS)
}

fn beside(out: &Path) -> PathBuf {
    let mut name = out.as_os_str().to_owned();
    name.push(".part");
    name.into()
}

impl Sink {
    /// A file, after the whole lines that an interrupted export has left in it.
    fn open(part: &Path, after: Position) -> anyhow::Result<Self> {
        let shown = part.display();
        let mut how = OpenOptions::new();
        let file = how.create(true).truncate(false).read(true).write(true).open(part);
        let mut file = file.with_context(|| format!("cannot write {shown}"))?;
        let mut sink = Self { write: Box::new(io::sink()), after, chain: None };
        let (mut lines, mut whole) = (BufReader::new(&file), 0);
        loop {
            let mut line = Vec::new();
            let bytes = lines.read_until(b'\n', &mut line)?;
            if line.pop() != Some(b'\n') {
                break;
            }
            let put = sink.put(&line);
            put.with_context(|| format!("{shown} is of another export: remove it"))?;
            whole += bytes as u64;
        }
        file.set_len(whole)?;
        file.seek(io::SeekFrom::End(0))?;
        sink.write = Box::new(io::BufWriter::new(file));
        Ok(sink)
    }

    /// Checks a line and writes it.
    fn put(&mut self, line: &[u8]) -> anyhow::Result<()> {
        let mut chain = match self.chain {
            Some(chain) => chain,
            None if self.after == 0 => Chain::default(),
            None => {
                let Link { prevhash } = serde_json::from_slice(line)?;
                Chain::after(self.after, prevhash)
            }
        };
        chain.check(line)?;
        self.chain = Some(chain);
        self.after = chain.position();
        self.write.write_all(line)?;
        self.write.write_all(b"\n")?;
        Ok(())
    }
}
