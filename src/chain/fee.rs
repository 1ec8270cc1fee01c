//! What transactions cost at most. What it cost in the end stands in its block.

use ccd402_domain::{amount::Amount, asset::Asset};
pub(crate) use concordium_rust_sdk::types::chain_parameters::EnergyRate as Rate;
use concordium_rust_sdk::{base::base::Energy, v2::BlockIdentifier};

use crate::{error::Error, nodes::Nodes};

/// Energy of one signature.
const SIGNATURE: u64 = 100;
/// A CCD transfer with the binding digest in its memo, without signatures: header, payload, 300.
const CCD: u64 = 800;
/// A transfer of a protocol-level token, likewise.
const TOKEN: u64 = 1_200;

/// What energy costs.
pub(crate) async fn rate(nodes: &Nodes, block: BlockIdentifier) -> Result<Rate, Error> {
    let asked = nodes.ask("GetBlockChainParameters", |mut client| async move {
        Ok(client.get_block_chain_parameters(block).await?.response)
    });
    let parameters = asked.await.map_err(|failure| failure.into_error("the chain's fees"))?;
    parameters
        .energy_rate()
        .map_err(|error| Error::NotUnderstood(format!("the chain's fees: {error}")))
}

/// Fee of so much energy, in microCCD at the chain's present rates.
pub(crate) async fn of(nodes: &Nodes, energy: u64) -> Result<Amount, Error> {
    let rate = rate(nodes, BlockIdentifier::LastFinal).await?;
    Ok(Amount::from_units(rate.ccd_cost(Energy { energy }).micro_ccd))
}

/// Fee of a transfer with so many signatures, in microCCD at the chain's present rates.
pub(crate) async fn most(nodes: &Nodes, asset: &Asset, signatures: u64) -> Result<Amount, Error> {
    let energy = SIGNATURE * signatures
        + match asset {
            Asset::Ccd => CCD,
            Asset::Token(_) => TOKEN,
        };
    of(nodes, energy).await
}
