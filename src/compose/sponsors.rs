//! The accounts that pay fees: their keys, whether they sign for what the chain knows, and a watch over
//! their money.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use ccd402_app::facilitator::Facilitator;
use ccd402_app::ports::chain::Chain as _;
use ccd402_app::sponsored::{Options as AppOptions, SponsorFunds};
use ccd402_chain::concordium::Concordium;
use ccd402_chain::sponsored::{Sponsor, Sponsors};
use ccd402_chain::wallet::WalletFile;
use ccd402_domain::sponsored::energy::Bounds;
use metrics::gauge;

/// Most sponsors: each payment's offer names one.
const SPONSORS_MAX: usize = 16;
/// How often their money is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// How payments are sponsored; not at all where there is no wallet.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Keys of the accounts that pay fees. The first is the one that offers name.
    pub wallets: Vec<WalletFile>,
    /// What one transaction may cost.
    pub bounds: Bounds,
    /// Holds, budgets and what the accounts must keep.
    pub limits: AppOptions,
}

/// The sponsors, where there are any.
///
/// # Errors
/// Where a wallet cannot sponsor on this network; the message says what to do.
pub(crate) async fn open(
    chain: &Arc<Concordium>,
    options: &Options,
) -> anyhow::Result<Option<Arc<Sponsors>>> {
    ensure!(options.wallets.len() <= SPONSORS_MAX, "there may be {SPONSORS_MAX} sponsors at most");
    let mut sponsors = Vec::new();
    for wallet in &options.wallets {
        let sponsor = Sponsor::open(wallet, chain.network())?;
        let address = sponsor.described().address;
        let account = chain.account(&address).await?.with_context(|| {
            format!("the sponsor's account {address} is not on this network: check the wallet")
        })?;
        ensure!(
            sponsor.signs_for(&account),
            "the wallet of sponsor {address} does not sign for the account as it is on chain: its \
             keys were changed; export the wallet anew"
        );
        sponsors.push(sponsor);
    }
    if sponsors.is_empty() {
        return Ok(None);
    }
    Ok(Some(Arc::new(Sponsors::new(Arc::clone(chain), sponsors, options.bounds))))
}

/// Measures the sponsors' money and warns where it runs out, for as long as it is awaited.
pub(crate) async fn watch(facilitator: Arc<Facilitator>) {
    let mut warned = false;
    loop {
        // A chain that cannot be asked is told of elsewhere.
        let funds = facilitator.sponsor_funds().await.unwrap_or_default();
        funds.iter().for_each(measure);
        let low = funds.iter().find(|funds| funds.is_low);
        if let Some(low) = low
            && !warned
        {
            let (address, available) = (low.address, low.available);
            tracing::warn!(
                sponsor.address = %address, available_micro_ccd = %available,
                "a sponsor runs out of money: send CCD to its account; until then payments that \
                 it would sponsor are refused"
            );
        }
        warned = low.is_some();
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn measure(funds: &SponsorFunds) {
    let sponsor = funds.address.to_string();
    gauge!("ccd402_sponsor_available_microccd", "sponsor" => sponsor.clone())
        .set(funds.available.units() as f64);
    gauge!("ccd402_sponsor_promised_microccd", "sponsor" => sponsor.clone())
        .set(funds.promised.units() as f64);
    gauge!("ccd402_sponsor_low", "sponsor" => sponsor).set(if funds.is_low { 1.0 } else { 0.0 });
}
