//! Registration of data: nothing changes but that the block contains it.

use concordium_rust_sdk::{
    base::transactions::RegisteredData, v2::generated::account_transaction_effects::Effect,
};

/// The effect of registering `data`.
pub(super) fn register(data: &RegisteredData) -> Effect {
    Effect::DataRegistered(data.into())
}
