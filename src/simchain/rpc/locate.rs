//! Which block, account or token a request means, and the metadata that says which block answered.

use std::sync::Arc;

use concordium_rust_sdk::{
    base::{contracts_common::AccountAddress, id::constants::ArCurve},
    common::from_bytes,
    types::hashes::BlockHash,
    v2::generated::{
        self, AccountIdentifierInput, BlockHashInput,
        account_identifier_input::AccountIdentifierInput as Account,
        block_hash_input::BlockHashInput as Given,
    },
};
use tonic::{Response, Status, metadata::MetadataValue};

use crate::{blocks::Block, chain::Chain, state::AccountIx};

/// The block that a request names.
pub(super) fn block(chain: &Chain, input: Option<BlockHashInput>) -> Result<Arc<Block>, Status> {
    let input = input.and_then(|input| input.block_hash_input);
    let input = input.ok_or_else(|| Status::invalid_argument("missing field in request"))?;
    let found = match input {
        Given::Best(_) => Some(chain.tip()),
        Given::LastFinal(_) => Some(chain.last_finalized()),
        Given::Given(hash) => chain.find_block(&block_hash(&hash)?),
        Given::AbsoluteHeight(height) => chain.block(height.value),
        Given::RelativeHeight(relative) => {
            let first_era = relative.genesis_index.is_none_or(|index| index.value == 0);
            let height = relative.height.map_or(0, |height| height.value);
            chain.block(height).filter(|_| first_era)
        }
    };
    found.cloned().ok_or_else(|| Status::not_found("block not found."))
}

/// The account that a request names, wherever it is in the chain's history.
pub(super) fn account(
    chain: &Chain,
    input: Option<AccountIdentifierInput>,
) -> Result<AccountIx, Status> {
    let input = input.and_then(|input| input.account_identifier_input);
    let input = input.ok_or_else(|| Status::invalid_argument("missing field in request"))?;
    let found = match input {
        Account::Address(given) => chain.find_account(&address(given)?),
        Account::CredId(id) => {
            let id: ArCurve = from_bytes(&mut id.value.as_slice())
                .map_err(|_| Status::invalid_argument("Invalid credential registration ID."))?;
            chain.ledger.find_credential(&id)
        }
        Account::AccountIndex(index) => usize::try_from(index.value)
            .ok()
            .filter(|index| *index < chain.ledger.accounts().len())
            .map(AccountIx),
    };
    found.ok_or_else(|| Status::not_found("account or block not found."))
}

pub(super) fn address(address: generated::AccountAddress) -> Result<AccountAddress, Status> {
    let bytes = <[u8; 32]>::try_from(address.value);
    bytes.map(AccountAddress).map_err(|_| Status::invalid_argument("Invalid account address."))
}

fn block_hash(hash: &generated::BlockHash) -> Result<BlockHash, Status> {
    let bytes = <[u8; 32]>::try_from(hash.value.as_slice());
    bytes.map(Into::into).map_err(|_| Status::invalid_argument("Invalid block hash."))
}

/// An answer about a block, which says so in its metadata.
pub(super) fn about<T>(block: &Block, answer: T) -> Response<T> {
    let mut response = Response::new(answer);
    let hash = MetadataValue::try_from(block.hash.to_string()).expect("hex digits are ASCII");
    response.metadata_mut().insert("blockhash", hash);
    response
}
