//! The main job, told: a 402, an identity proof, a transfer, the content, the receipt.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use anyhow::{bail, ensure};
use ccd402_chain::payer::Wallet;
use ccd402_client::payer::Payer;
use ccd402_client::payer::journal::Journal;
use ccd402_client::payer::options::{Limit, Options, Step};
use ccd402_domain::amount::Amount;
use ccd402_domain::asset::Asset;
use ccd402_simchain::{Funds, IdentitySpec};

use super::Teller;
use crate::compose::wallet::ChainWallet;
use crate::devnet::Devnet;
use crate::devnet::hand::Hand;
use crate::devnet::shop::{FLAKY, REPORT, REPORT_TEXT};

/// Largest content that the demo reads.
const CONTENT_BYTES_MAX: usize = 64 * 1024;

/// Who plays.
pub(super) struct Cast {
    /// Born in 1990, with money.
    pub(super) payer: Hand,
    /// Somebody else with money.
    pub(super) stranger: Hand,
    /// 15 years old.
    pub(super) minor: Hand,
    /// Has the fee, but not what the article costs as well.
    pub(super) poor: Hand,
}

/// Tells the main job; the cast goes on to the refusals.
pub(super) async fn tell(teller: &mut Teller, devnet: &Devnet, dir: &Path) -> Option<Cast> {
    let cast = teller.step("Issue identities and fund accounts", cast(devnet)).await?;
    let url = format!("{}{REPORT}", devnet.gate_url());
    teller.step("Ask for the report without paying", ask(&cast.payer, &url)).await?;
    let content = pay(devnet, dir, &url);
    teller.step("Prove the age, pay, hand the hash over, read the report", content).await?;
    let flaky = format!("{}{FLAKY}", devnet.gate_url());
    let paid_once = stumble(&cast.payer, &flaky);
    teller.step("A shop that fails at first: pay once, read all the same", paid_once).await?;
    Some(cast)
}

async fn cast(devnet: &Devnet) -> anyhow::Result<(Cast, String)> {
    let adult = IdentitySpec::default;
    let minor = adult().with("dob", "20110501");
    let (payer, stranger, minor, poor) = tokio::try_join!(
        devnet.hand(adult(), Funds::ccd(100)),
        devnet.hand(adult(), Funds::ccd(100)),
        devnet.hand(minor, Funds::ccd(100)),
        devnet.hand(adult(), Funds::ccd(1)),
    )?;
    let detail = format!(
        "payer     {}  born 1990-02-03\nstranger  {}\nminor     {}  born 2011-05-01\n\
         poor      {}  has 1 CCD: the fee, but not the price as well",
        payer.wallet().address(),
        stranger.wallet().address(),
        minor.wallet().address(),
        poor.wallet().address(),
    );
    Ok((Cast { payer, stranger, minor, poor }, detail))
}

async fn ask(payer: &Hand, url: &str) -> anyhow::Result<((), String)> {
    let offer = payer.offer(url).await?;
    let transfer = offer.transfer()?;
    let detail = format!(
        "402: {} {} to {}\nto prove: {}",
        transfer.amount.to_decimal(6),
        transfer.asset,
        transfer.to,
        offer.raw["extra"]["identity"]["statement"]
    );
    Ok(((), detail))
}

/// Pays as a new user's program would: with the client library.
async fn pay(devnet: &Devnet, dir: &Path, url: &str) -> anyhow::Result<((), String)> {
    let file = devnet.wallet(IdentitySpec::default(), Funds::ccd(10)).await?;
    let wallet = ChainWallet::new(Wallet::open(file, devnet.nodes().clone())?);
    let began = Instant::now();
    let told = Arc::new(Mutex::new(Vec::new()));
    let listener = Arc::clone(&told);
    let observe = move |step: Step| {
        let line = format!("{:>5.1} s  {}", began.elapsed().as_secs_f32(), told_as(&step));
        listener.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    };
    let options = Options {
        limits: vec![Limit { asset: Asset::Ccd, amount: Amount::from_units(5_000_000) }],
        observer: Some(Arc::new(observe)),
        ..Options::default()
    };
    let journal = Journal::open(dir.join("payments"))?;
    let payer = Payer::new(Arc::new(wallet), journal, options)?;
    let mut answer = payer.get(url).await?;
    let content = answer.bytes(CONTENT_BYTES_MAX).await?;
    ensure!(content == REPORT_TEXT.as_bytes(), "the content is not the report");
    let Some(paid) = &answer.payment else { bail!("the report was free") };
    let mut lines = told.lock().unwrap_or_else(PoisonError::into_inner).clone();
    lines.push(format!("   200  {}", REPORT_TEXT.trim_end()));
    let Some(hash) = paid.record.transaction() else { bail!("no transaction has paid") };
    lines.push(format!("receipt: transaction {hash}"));
    Ok(((), lines.join("\n")))
}

async fn stumble(payer: &Hand, url: &str) -> anyhow::Result<((), String)> {
    let offer = payer.offer(url).await?;
    let payment = payer.pay(&offer).await?;
    let first = payer.present(url, &payment).await?;
    ensure!(first.status == 500, "the first answer was {}, not 500", first.status);
    let second = payer.present(url, &payment).await?;
    ensure!(second.status == 200, "the second answer was {} {}", second.status, second.code);
    Ok(((), format!("500, then with the same payment 200: {}", second.body.trim_end())))
}

fn told_as(step: &Step) -> String {
    match step {
        Step::Quoted(quote) => format!(
            "402: {} {} to {}; proves: {}",
            quote.amount,
            quote.asset,
            quote.pay_to,
            quote.proves.join(", ")
        ),
        Step::Resumed { payment } => format!("going on with {payment}"),
        Step::Closed { payment, reason } => format!("{payment} is closed: {reason}"),
        Step::Recorded { payment } => format!("proof made, {payment} signed and written down"),
        Step::Sent { .. } => "transfer sent to the chain".to_owned(),
        Step::Finalized { .. } => "transfer final".to_owned(),
        Step::Waiting { why } => format!("waiting: {why}"),
        Step::Accepted { status } => format!("payment verified and accepted: {status}"),
    }
}
