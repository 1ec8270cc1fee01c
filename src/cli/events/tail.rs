//! `ccd402 events tail`: events as they happen, from a running facilitator.

use std::process::ExitCode;
use std::time::Duration;

use ccd402_app::ports::log::Position;
use ccd402_domain::event::Event;
use ccd402_domain::ids::VerificationId;
use clap::Args as ClapArgs;
use clap::builder::PossibleValuesParser;
use serde_json::Value;

use crate::cli::remote::{Message, Messages, Remote, Server};
use crate::output::Output;

/// How soon a stream that broke off is taken up again.
const RETRY: Duration = Duration::from_secs(1);

/// Follow the log of a running facilitator.
///
/// It goes on until Ctrl-C, through restarts of the facilitator too, and misses nothing.
///
/// Example: ccd402 events tail --type VerificationConfirmed --after 0 --json
#[derive(Debug, ClapArgs)]
pub(super) struct Args {
    #[command(flatten)]
    remote: Remote,
    /// Begin after this position [default: the end of the log]
    #[arg(long, value_name = "N")]
    after: Option<Position>,
    /// Only events of these types
    #[arg(
        long = "type", value_name = "TYPE", value_delimiter = ',',
        value_parser = PossibleValuesParser::new(Event::NAMES), hide_possible_values = true
    )]
    types: Vec<String>,
    /// Only events of this verification
    #[arg(long, value_name = "ID")]
    verification: Option<VerificationId>,
    /// End after so many events
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Print one JSON object an event
    #[arg(long)]
    json: bool,
}

/// How far it has come.
struct Tail {
    after: Option<Position>,
    left: Option<usize>,
    output: Output,
}

pub(super) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let mut query = String::new();
    if !args.types.is_empty() {
        query.push_str(&format!("&type={}", args.types.join(",")));
    }
    if let Some(verification) = args.verification {
        query.push_str(&format!("&verification={verification}"));
    }
    let server = args.remote.server()?;
    let output = Output::from_flag(args.json);
    let mut tail = Tail { after: args.after, left: args.limit, output };
    // The first time somebody must be there; from then on the facilitator may come and go.
    let mut is_open = false;
    while tail.left != Some(0) {
        match tail.follow(&server, &query, &mut is_open).await {
            Err(error) if !is_open => return Err(error),
            Err(error) => tracing::warn!(%error, "the stream broke off; trying again"),
            Ok(()) => {}
        }
        if tail.left != Some(0) {
            tokio::time::sleep(RETRY).await;
        }
    }
    Ok(ExitCode::SUCCESS)
}

impl Tail {
    async fn follow(
        &mut self,
        server: &Server,
        query: &str,
        is_open: &mut bool,
    ) -> anyhow::Result<()> {
        let after = self.after.map(|after| format!("after={after}")).unwrap_or_default();
        let mut messages = Messages::from(server.get(&format!("/v1/stream?{after}{query}")).await?);
        *is_open = true;
        while let Some(message) = messages.next().await? {
            self.message(message)?;
            if self.left == Some(0) {
                break;
            }
        }
        Ok(())
    }

    fn message(&mut self, Message { id, data }: Message) -> anyhow::Result<()> {
        if let Some(data) = data {
            let event: Value = serde_json::from_str(&data)?;
            self.output.print(&text(&event), &event);
            self.left = self.left.map(|left| left - 1);
        }
        if let Some(id) = id {
            self.after = Some(id.parse()?);
        }
        Ok(())
    }
}

fn text(event: &Value) -> String {
    let word = |name: &str| event[name].as_str().unwrap_or("-").to_owned();
    let (position, version) = (&event["position"], &event["version"]);
    let (time, kind, stream) = (word("time"), word("type"), word("stream"));
    format!("{position:>8}  {time}  {kind:<22} {stream} {version}")
}
