//! What execution costs, in energy and in CCD. The rates are served to clients as chain parameters,
//! so that what they compute is what is charged. The costs themselves are the SDK's.

use concordium_rust_sdk::base::{
    protocol_level_tokens::TokenOperation,
    transactions::{Payload, cost},
};

/// Energy that one euro buys, as a divisor: a unit costs 1/50,000 euro.
pub(crate) const ENERGY_PER_EURO: u64 = 50_000;
/// MicroCCD that one euro buys.
pub(crate) const MICRO_CCD_PER_EURO: u64 = 50_000_000;
/// Energy of one block at most.
pub(crate) const BLOCK_ENERGY_MAX: u64 = 10_000_000;

/// MicroCCD that energy costs, rounded up.
pub(crate) fn fee(energy: u64) -> u64 {
    let micro = u128::from(energy) * u128::from(MICRO_CCD_PER_EURO);
    let fee = micro.div_ceil(u128::from(ENERGY_PER_EURO));
    u64::try_from(fee).unwrap_or(u64::MAX)
}

/// Energy of executing a payload that takes effect at once; none for kinds that are not supported,
/// and the part before its operations for a token update.
pub(crate) fn of_payload(payload: &Payload) -> Option<u64> {
    let energy = match payload {
        Payload::Transfer { .. } | Payload::TransferWithMemo { .. } => cost::SIMPLE_TRANSFER,
        Payload::RegisterData { .. } => cost::REGISTER_DATA,
        Payload::TokenUpdate { .. } => cost::PLT_OPERATIONS_TRANSACTIONS,
        Payload::UpdateCredentialKeys { keys, .. } => {
            cost::update_credential_keys(1, u16::try_from(keys.keys.len()).unwrap_or(u16::MAX))
        }
        _ => return None,
    };
    Some(energy.energy)
}

/// Energy of one operation of a token update.
pub(crate) fn of_operation(operation: &TokenOperation) -> u64 {
    let energy = match operation {
        TokenOperation::Transfer(_) => cost::PLT_TRANSFER,
        TokenOperation::Mint(_) => cost::PLT_MINT,
        TokenOperation::Burn(_) => cost::PLT_BURN,
        TokenOperation::Pause(_) | TokenOperation::Unpause(_) => cost::PLT_PAUSE,
        TokenOperation::AddAllowList(_)
        | TokenOperation::RemoveAllowList(_)
        | TokenOperation::AddDenyList(_)
        | TokenOperation::RemoveDenyList(_) => cost::PLT_LIST_UPDATE,
    };
    energy.energy
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fees_round_up_and_never_overflow() {
        assert_eq!(fee(0), 0);
        assert_eq!(fee(501), 501_000);
        assert_eq!(fee(u64::MAX), u64::MAX);
    }
}
