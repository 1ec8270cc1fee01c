//! `ccd402 gate`: a reverse proxy that asks for payment, before any HTTP server.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use ccd402_client::facilitator::Facilitator;
use ccd402_client::http::{HttpFacilitator, Options as FacilitatorOptions};
use ccd402_gate::gate::{Gate, Options, network_of};
use ccd402_gate::proxy::Proxy;
use ccd402_gate::secret::Secret;
use clap::Args as ClapArgs;
use serde_json::json;
use tokio::net::TcpListener;

use crate::config::file;
use crate::config::gate::{Decimals, Settings};
use crate::output::Output;
use crate::shutdown;

/// Put a price before any HTTP server: a reverse proxy that hands out content for payment.
///
/// Requests that are for sale are answered 402 with what they cost until they carry a payment that
/// the facilitator finds good; all others pass. Browsers get a page that says what to do. Who has
/// paid is told to the server in X-Ccd402-Payer. Settings come from flags, then CCD402_GATE_*
/// variables, then the TOML file, then defaults. Liveness: /.well-known/ccd402/health.
///
/// Example: ccd402 gate --upstream http://127.0.0.1:8000 --path '/articles/*' --price "1.5 CCD"
/// --pay-to 3kBx2h5Y2veb4hZgAJWPrr8RyQESKm5TjzF3ti1QQ4VSYLwK1G --min-age 18
#[derive(Debug, ClapArgs)]
pub struct Args {
    /// TOML file with the settings below, by their names with underscores, and [[route]] tables
    #[arg(long, env = "CCD402_GATE_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    settings: Settings,
    /// Print one JSON object when ready
    #[arg(long)]
    json: bool,
}

/// Runs the command.
///
/// # Errors
/// Where the gate cannot start or its socket fails.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let settings = args.settings.or(file::read(args.config.as_deref())?);
    let listen = settings.clone().plan(Decimals::AsWritten)?.listen;
    let started = start(settings).await?;
    let listener =
        TcpListener::bind(listen).await.with_context(|| format!("cannot listen on {listen}"))?;
    let url = format!("http://{}", listener.local_addr()?);
    Output::from_flag(args.json).print(
        &format!("gate for {} on {url}, before {}", started.network, started.upstream),
        &json!({
            "event": "ready", "url": url, "network": started.network, "upstream": started.upstream,
        }),
    );
    started.proxy.serve(listener, shutdown::requested()).await?;
    Ok(ExitCode::SUCCESS)
}

struct Started {
    proxy: Proxy,
    network: String,
    upstream: String,
}

async fn start(settings: Settings) -> anyhow::Result<Started> {
    let url = settings.facilitator().to_owned();
    let mut options =
        FacilitatorOptions::new(&url).with_context(|| format!("the facilitator {url}"))?;
    options.api_key.clone_from(&settings.facilitator_key);
    let facilitator = Arc::new(HttpFacilitator::new(options)?);
    let decimals = decimals(&*facilitator, settings.tokens()).await?;
    let plan = settings.plan(Decimals::Known(&decimals))?;
    let network = match plan.network {
        Some(network) => network,
        None => network_of(&*facilitator)
            .await
            .with_context(|| format!("start the facilitator {url} first, or say --network"))?,
    };
    let secret = Secret::read_or_create(&plan.secret_file)?;
    let upstream = plan.proxy.upstream.to_string();
    let mut options = Options::new(plan.routes, secret, facilitator, network.clone());
    options.public_url = plan.public_url;
    options.fee_payer = plan.fee_payer;
    options.verify_timeout = plan.verify_timeout;
    options.settle_timeout = plan.settle_timeout;
    let proxy = Proxy::new(Arc::new(Gate::new(options)), plan.proxy)?;
    Ok(Started { proxy, network: network.to_string(), upstream })
}

/// Decimals of the tokens that prices are in. Of those that the facilitator cannot tell there is none.
async fn decimals(
    facilitator: &dyn Facilitator,
    tokens: BTreeSet<String>,
) -> anyhow::Result<BTreeMap<String, u8>> {
    let mut known = BTreeMap::new();
    for token in tokens {
        match facilitator.decimals(&token).await {
            Ok(Some(decimals)) => drop(known.insert(token, decimals)),
            Ok(None) => bail!("the facilitator's network has no token {token}"),
            Err(error) => {
                tracing::warn!(%error, token, "the facilitator does not tell a token's decimals");
            }
        }
    }
    Ok(known)
}
