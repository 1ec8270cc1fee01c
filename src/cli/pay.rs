//! `ccd402 pay`: gets a resource, and pays for it where that is asked for.
//!
//! What may be paid is decided in the client crate; here are the flags, the question on a terminal,
//! and where content and story go.

mod content;
mod question;
mod teller;

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use ccd402_chain::nodes::{Nodes, Options as NodeOptions};
use ccd402_chain::payer::Wallet;
use ccd402_chain::wallet::WalletFile;
use ccd402_client::payer::Payer;
use ccd402_client::payer::answer::Answer;
use ccd402_client::payer::error::Error;
use ccd402_client::payer::journal::Journal;
use ccd402_client::payer::options::{Consent, Limit, Options, Way};
use ccd402_client::payer::request::Request;
use ccd402_domain::money::Money;
use clap::{Args as ClapArgs, ValueEnum};
use http::{HeaderName, HeaderValue, Method};

use crate::cli::pay::content::Destination;
use crate::cli::pay::question::Terminal;
use crate::cli::pay::teller::Teller;
use crate::compose::wallet::ChainWallet;
use crate::config::span::Span;

/// Shortest and longest --timeout.
const TIMEOUT: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(3_600));
/// How much longer another run with the same wallet is waited for than this one may take itself.
const LOCK_EXTRA: Duration = Duration::from_secs(30);

/// Get a resource and pay for it: prove, transfer, present, and come back with the content.
///
/// Where an offer names a sponsor, the transfer is signed and handed in, the sponsor sends it and
/// pays its fee, and no CCD is needed.
///
/// Content goes to stdout, the story to stderr. Nothing is paid without --max-amount or a yes on
/// the terminal. Payments are written down in `WALLET.payments` before they are sent: a run that
/// was stopped is finished by the next one for the same URL, which does not pay again.
#[derive(Debug, ClapArgs)]
pub struct Args {
    /// What to get
    url: String,
    /// Wallet file that proves and pays (`ccd402 wallet new`, or a Browser Wallet export)
    #[arg(long, env = "CCD402_WALLET", value_name = "FILE")]
    wallet: PathBuf,
    /// gRPC URL of a Concordium node of the wallet's network
    #[arg(long, env = "CCD402_NODE", value_name = "URL")]
    node: String,
    /// Most that it may cost, as "5 CCD" or "2 EURR"; repeat it for several assets
    ///
    /// Without it the price is shown and asked for on a terminal; elsewhere nothing is paid.
    #[arg(long, env = "CCD402_MAX_AMOUNT", value_name = "AMOUNT")]
    max_amount: Vec<Money>,
    /// Pay in this way alone, and refuse the other
    ///
    /// Without it the offer that costs least is taken, and a sponsored one where there is no CCD for
    /// the fee.
    #[arg(long, env = "CCD402_WAY", value_name = "WAY", value_enum)]
    way: Option<WayArg>,
    /// Do not ask on a terminal when the price is within --max-amount
    #[arg(long, requires = "max_amount")]
    yes: bool,
    /// Give up a payment for this URL that was sent and refused, and pay anew
    #[arg(long)]
    pay_again: bool,
    /// HTTP method
    #[arg(long, value_name = "METHOD", default_value = "GET")]
    method: Method,
    /// Header of the request as "Name: value"; may be repeated
    #[arg(long = "header", value_name = "HEADER", value_parser = header)]
    headers: Vec<(HeaderName, HeaderValue)>,
    /// File that holds the request's body
    #[arg(long, value_name = "FILE")]
    body: Option<PathBuf>,
    /// File to write the content to, in place of stdout
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// How long to wait for the payment to be accepted
    #[arg(long, env = "CCD402_TIMEOUT", value_name = "TIME", default_value = "120s")]
    timeout: Span,
    /// Print one JSON object: status, content, receipt and steps; never asks
    #[arg(long)]
    json: bool,
}

/// A way of paying, as a flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum WayArg {
    /// Sign a transfer, and let the sponsor that the offer names pay its fee and send it
    Sponsored,
    /// Send a transfer, and hand its hash in
    Hash,
}

impl From<WayArg> for Way {
    fn from(way: WayArg) -> Self {
        match way {
            WayArg::Sponsored => Self::Sponsored,
            WayArg::Hash => Self::Hash,
        }
    }
}

fn header(text: &str) -> Result<(HeaderName, HeaderValue), String> {
    let (name, value) = text.split_once(':').ok_or("write \"Name: value\"")?;
    let name = name.trim().parse().map_err(|_| "the name is no header's")?;
    let value = value.trim().parse().map_err(|_| "the value is no header's")?;
    Ok((name, value))
}

/// Runs the command.
///
/// # Errors
/// Where it cannot even ask: no wallet, no node, no such file. A payment that cannot or may not be
/// made is told with its reason and ends in exit code 1.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let request = match request(&args)? {
        Ok(request) => request,
        Err(error) => {
            eprintln!("error: {error}");
            return Ok(ExitCode::from(2));
        }
    };
    let teller = Teller::start(args.json);
    let destination = Destination::new(args.output.as_deref(), args.json)?;
    let payer = payer(&args, &teller).await?;
    let paid = match Box::pin(payer.request(&request)).await {
        Ok(answer) => received(answer, destination).await?,
        Err(error) => Err(error),
    };
    Ok(match paid {
        Ok((answer, content)) => teller.answered(&answer, content),
        Err(error) => teller.failed(&error),
    })
}

async fn received(
    mut answer: Answer,
    destination: Destination,
) -> anyhow::Result<Result<(Answer, content::Received), Error>> {
    let content = destination.receive(&mut answer).await?;
    Ok(content.map(|content| (answer, content)))
}

fn request(args: &Args) -> anyhow::Result<Result<Request, Error>> {
    let body = match &args.body {
        None => Vec::new(),
        Some(file) => std::fs::read(file).with_context(|| format!("{}", file.display()))?,
    };
    let request = Request::new(args.method.clone(), &args.url).and_then(|request| {
        let headers = args.headers.iter().cloned();
        headers.fold(request.body(body), |request, (name, value)| request?.header(name, value))
    });
    Ok(request)
}

async fn payer(args: &Args, teller: &Teller) -> anyhow::Result<Payer> {
    let timeout = args.timeout.within("--timeout", TIMEOUT.0, TIMEOUT.1)?;
    let file = WalletFile::read(&args.wallet)?;
    let nodes = Nodes::connect(NodeOptions::new(vec![args.node.clone()]))
        .await
        .with_context(|| format!("cannot reach a Concordium node at {}", args.node))?;
    let wallet = Wallet::open(file, nodes)?;
    let mut limits = Vec::new();
    for money in &args.max_amount {
        let decimals = wallet.decimals(&money.asset).await?;
        let amount = money.units(Some(decimals)).context("--max-amount")?;
        limits.push(Limit { asset: money.asset.clone(), amount });
    }
    let is_terminal = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    let asks = is_terminal && !args.json && !args.yes;
    let options = Options {
        limits,
        way: args.way.map(Way::from),
        consent: asks.then(|| Arc::new(Terminal) as Arc<dyn Consent>),
        pay_again: args.pay_again,
        timeout,
        lock_timeout: timeout + LOCK_EXTRA,
        observer: Some(teller.observer()),
        ..Options::default()
    };
    let journal = Journal::open(payments_of(&args.wallet))?;
    Ok(Payer::new(Arc::new(ChainWallet::new(wallet)), journal, options)?)
}

/// `<wallet>.payments`, beside the wallet.
fn payments_of(wallet: &Path) -> PathBuf {
    let mut name = wallet.as_os_str().to_owned();
    name.push(".payments");
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_journal_lies_beside_the_wallet() {
        assert_eq!(payments_of(Path::new("a/alice.json")), Path::new("a/alice.json.payments"));
    }

    #[test]
    fn headers_are_written_as_on_the_wire() {
        let (name, value) = header("Accept:  text/html, */*").unwrap();
        assert_eq!((name.as_str(), value.to_str().unwrap()), ("accept", "text/html, */*"));
        for wrong in ["accept", "a b: c", ": c", "a: b\nc: d"] {
            assert!(header(wrong).is_err(), "{wrong:?}");
        }
    }
}
