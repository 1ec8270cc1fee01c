//! What `exact` means, in whatever way it is paid: this recipient, this amount, this asset.

use ccd402_protocol::code::ReasonCode;

use crate::account::AccountAddress;
use crate::amount::Amount;
use crate::asset::Asset;
use crate::rejection::Rejection;

/// Whether it is the account that must be paid, by any of its aliases.
pub(crate) fn recipient(found: &AccountAddress, wanted: &AccountAddress) -> Result<(), Rejection> {
    if found.is_alias_of(wanted) {
        return Ok(());
    }
    let detail = format!("{found} is paid, {wanted} is required");
    Err(Rejection::new(ReasonCode::RecipientMismatch, detail))
}

/// Whether it is the amount, neither less nor more.
pub(crate) fn amount(found: Amount, wanted: Amount) -> Result<(), Rejection> {
    if found == wanted {
        return Ok(());
    }
    let detail = format!("{found} smallest units are paid, exactly {wanted} are required");
    Err(Rejection::new(ReasonCode::AmountMismatch, detail))
}

/// Whether it is the asset.
pub(crate) fn asset(found: &Asset, wanted: &Asset) -> Result<(), Rejection> {
    if found == wanted {
        return Ok(());
    }
    let code = match (found, wanted) {
        (Asset::Token(_), Asset::Token(_)) => ReasonCode::TokenIdMismatch,
        _ => ReasonCode::AssetTypeMismatch,
    };
    Err(Rejection::new(code, format!("{found} is paid, {wanted} is required")))
}
