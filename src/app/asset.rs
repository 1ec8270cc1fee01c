//! What an asset is on this facilitator's network.

use ccd402_domain::amount::CCD_DECIMALS;
use ccd402_domain::asset::Asset;

use crate::error::Error;
use crate::facilitator::Facilitator;
use crate::ports::chain::AssetInfo;

impl Facilitator {
    /// An asset as the chain knows it; none if there is no such token.
    ///
    /// # Errors
    /// Where the chain cannot be asked.
    pub async fn asset(&self, asset: &Asset) -> Result<Option<AssetInfo>, Error> {
        match asset {
            Asset::Ccd => Ok(Some(AssetInfo { asset: Asset::Ccd, decimals: CCD_DECIMALS })),
            Asset::Token(id) => Ok(self.chain.token(id).await?),
        }
    }
}
