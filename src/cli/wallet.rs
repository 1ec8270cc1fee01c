//! `ccd402 wallet`: makes wallets on a simulated chain, and shows what a wallet holds.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use ccd402_chain::nodes::{Nodes, Options as NodeOptions};
use ccd402_chain::payer::Wallet;
use ccd402_chain::wallet::WalletFile;
use ccd402_domain::amount::CCD_DECIMALS;
use ccd402_domain::asset::Asset;
use ccd402_domain::money::Money;
use ccd402_simchain::{Control, Funds, IdentitySpec};
use clap::{Args as ClapArgs, Subcommand};
use serde_json::json;

use crate::output::Output;

/// Make a wallet on a simulated chain, or show what a wallet holds.
#[derive(Debug, ClapArgs)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make an account with an identity and write its wallet file
    ///
    /// The simulated chain issues the identity, deploys its credential and funds the account. On a
    /// real network use Concordium's Browser Wallet and its key export.
    New(New),
    /// Show address, attributes and, with --node, balances; never keys
    Show(Show),
}

#[derive(Debug, ClapArgs)]
struct New {
    /// File to write, readable by its owner only; never overwritten
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Money to begin with, as "100 CCD" or "5 EURR"; repeat it for several assets
    #[arg(long, value_name = "AMOUNT")]
    fund: Vec<Money>,
    /// gRPC URL of the simulated chain
    #[arg(long, env = "CCD402_NODE", value_name = "URL", default_value = "http://127.0.0.1:20000")]
    node: String,
    /// Date of birth, YYYYMMDD
    #[arg(long, value_name = "DATE", default_value = "19900203")]
    dob: String,
    /// Nationality, two letters
    #[arg(long, value_name = "CC", default_value = "DK")]
    nationality: String,
    /// Country of residence, two letters
    #[arg(long, value_name = "CC", default_value = "DK")]
    residence: String,
    /// Another attribute as name=value (firstName, lastName, sex, …); may be repeated
    #[arg(long = "attribute", value_name = "NAME=VALUE", value_parser = name_value)]
    attributes: Vec<(String, String)>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, ClapArgs)]
struct Show {
    /// The wallet file
    file: PathBuf,
    /// gRPC URL of a node, to show balances
    #[arg(long, env = "CCD402_NODE", value_name = "URL")]
    node: Option<String>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

fn name_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write name=value".to_owned()),
    }
}

/// Runs the command.
///
/// # Errors
/// Where the chain or the file refuses.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    match args.command {
        Command::New(new) => make(new).await?,
        Command::Show(shown) => show(shown).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn make(new: New) -> anyhow::Result<()> {
    let mut attributes: BTreeMap<String, String> = new.attributes.into_iter().collect();
    attributes.insert("dob".to_owned(), new.dob);
    attributes.insert("nationality".to_owned(), new.nationality);
    attributes.insert("countryOfResidence".to_owned(), new.residence);
    let nodes = connect(&new.node).await?;
    let chain = ccd402_chain::concordium::Concordium::new(nodes, Default::default());
    let mut funds = Funds::ccd(0);
    for money in &new.fund {
        match &money.asset {
            Asset::Ccd => funds.micro_ccd += money.units(None)?.units(),
            Asset::Token(id) => {
                let decimals = chain.token(id).await?.map(|token| token.decimals);
                funds = funds.token(id, money.units(decimals)?.units());
            }
        }
    }
    let control = Control::connect(&new.node).await?;
    let identity = IdentitySpec { attributes, ..IdentitySpec::default() };
    let wallet = control.issue(identity, funds).await.context(
        "the chain made no account; `wallet new` needs a simulated chain (`ccd402 simchain`)",
    )?;
    wallet.write(&new.out)?;
    let (address, file) = (wallet.address.to_string(), new.out.display().to_string());
    Output::from_flag(new.json).print(
        &format!("account {address} written to {file}"),
        &json!({ "address": address, "network": wallet.network, "file": file }),
    );
    Ok(())
}

async fn show(args: Show) -> anyhow::Result<()> {
    let file = WalletFile::read(&args.file)?;
    let attributes: BTreeMap<String, String> = file
        .credential
        .iter()
        .flat_map(|credential| &credential.attributes)
        .map(|(tag, value)| (tag.to_string(), value.to_string()))
        .collect();
    let (address, network) = (file.address.to_string(), file.network.clone());
    let mut text = format!("account  {address}\nnetwork  {network}");
    for (name, value) in &attributes {
        text.push_str(&format!("\nproves   {name} = {value}"));
    }
    if attributes.is_empty() {
        text.push_str("\nproves   nothing: this wallet can pay where no identity is asked for");
    }
    let mut balance = None;
    if let Some(node) = &args.node {
        let wallet = Wallet::open(file, connect(node).await?)?;
        let amount = wallet.balance(&Asset::Ccd).await?;
        text.push_str(&format!("\nholds    {} CCD", amount.to_decimal(CCD_DECIMALS)));
        balance = Some(amount);
    }
    let value = json!({
        "address": address, "network": network, "attributes": attributes, "microCcd": balance,
    });
    Output::from_flag(args.json).print(&text, &value);
    Ok(())
}

async fn connect(node: &str) -> anyhow::Result<Nodes> {
    Nodes::connect(NodeOptions::new(vec![node.to_owned()]))
        .await
        .with_context(|| format!("cannot reach a Concordium node at {node}"))
}
