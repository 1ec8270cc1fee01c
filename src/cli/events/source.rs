//! Where events are read from: a running facilitator, the log of one that is stopped, a database.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use ccd402_app::ports::log::Position;
use ccd402_store::postgres::Options as DatabaseOptions;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use crate::cli::remote::{Remote, Server};
use crate::compose::log::{CACHE_BYTES, Log};

/// Lines that are asked for at a time.
pub(in crate::cli) const PAGE_LINES: usize = 1_000;

/// A running facilitator, a directory at rest, or a database.
#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct Where {
    #[command(flatten)]
    pub(in crate::cli) remote: Remote,
    /// Data directory of a facilitator that is stopped, instead of asking one that runs
    #[arg(long, value_name = "DIR", conflicts_with = "url")]
    pub(in crate::cli) data_dir: Option<PathBuf>,
    /// PostgreSQL database of the log, whether facilitators run on it or not
    #[arg(long, value_name = "URL", conflicts_with_all = ["url", "data_dir"])]
    pub(in crate::cli) database_url: Option<String>,
}

/// An open source.
pub(in crate::cli) enum Source {
    /// A directory at rest, or a database.
    Log(Log),
    /// A running facilitator.
    Server(Server),
}

/// Some lines, and where the log ends.
pub(in crate::cli) struct Page {
    pub(in crate::cli) lines: Vec<Vec<u8>>,
    pub(in crate::cli) head: Position,
}

impl Where {
    /// Opens it.
    ///
    /// # Errors
    /// Where the directory holds no log, or a facilitator runs on it; where the database cannot be used.
    pub(in crate::cli) async fn open(self) -> anyhow::Result<Source> {
        if let Some(url) = self.database_url {
            return Ok(Source::Log(Log::in_database(&DatabaseOptions::new(url)).await?));
        }
        let Some(dir) = self.data_dir else { return Ok(Source::Server(self.remote.server()?)) };
        log_dir(&dir)?;
        Ok(Source::Log(Log::in_dir(&dir, CACHE_BYTES).await?))
    }
}

/// The log in a data directory; looking at one must not make one.
pub(in crate::cli) fn log_dir(dir: &Path) -> anyhow::Result<PathBuf> {
    let log = dir.join("log");
    ensure!(log.join("db").exists(), "there is no event log in {}", dir.display());
    Ok(log)
}

impl Source {
    /// Lines after a position.
    pub(in crate::cli) async fn page(&self, after: Position, max: usize) -> anyhow::Result<Page> {
        match self {
            Self::Log(log) => {
                let head = log.head();
                Ok(Page { lines: log.port().read_lines(after, max).await?, head })
            }
            Self::Server(server) => {
                let response = server.get(&format!("/v1/events?after={after}&limit={max}")).await?;
                let head = response.headers().get("x-ccd402-head");
                let head = head.and_then(|head| head.to_str().ok()?.parse().ok());
                let head = head.context("the server does not say where its log ends")?;
                let body = response.bytes().await.context("the answer broke off")?;
                let lines = body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
                Ok(Page { lines: lines.map(<[u8]>::to_vec).collect(), head })
            }
        }
    }

    /// Where the log ends.
    pub(in crate::cli) async fn head(&self) -> anyhow::Result<Position> {
        Ok(self.page(0, 1).await?.head)
    }

    /// Lets the log go.
    pub(in crate::cli) async fn close(self) {
        if let Self::Log(log) = self {
            log.close().await;
        }
    }
}

/// How far it has come, for people on a terminal; nowhere else is anything shown.
pub(in crate::cli) fn progress(head: Position) -> ProgressBar {
    let style = "{bar:30} {pos} of {len} events, {per_sec}, {eta} left";
    let style = ProgressStyle::with_template(style).expect("the template is a good one");
    ProgressBar::new(head).with_style(style)
}
