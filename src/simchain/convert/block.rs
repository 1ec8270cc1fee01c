//! Blocks and the state of consensus, with every field that protocol 6 and later requires.

use std::sync::Arc;

use concordium_rust_sdk::v2::generated::{
    AbsoluteBlockHeight, BakerId, BlockHeight, BlockInfo, BlockItem, ConsensusInfo, Duration,
    Energy, Epoch, GenesisIndex, ProtocolVersion, Round, SendBlockItemRequest, StateHash,
    TransactionHash, block_item, send_block_item_request,
};
use tonic::IntoRequest;

use super::{block_hash, timestamp};
use crate::{blocks::Block, chain::Chain, item::Item};

/// Milliseconds of an epoch.
const EPOCH_MS: u64 = 60 * 60 * 1000;
/// Milliseconds until a round times out.
const ROUND_TIMEOUT_MS: u64 = 10_000;

pub(crate) fn block_info(chain: &Chain, block: &Block) -> BlockInfo {
    let final_by_then = chain.last_finalized().height.min(block.height.saturating_sub(1));
    let last_finalized = chain.block(final_by_then).map_or(block.parent, |b| b.hash);
    BlockInfo {
        hash: Some(block_hash(&block.hash)),
        height: Some(AbsoluteBlockHeight { value: block.height }),
        parent_block: Some(block_hash(&block.parent)),
        last_finalized_block: Some(block_hash(&last_finalized)),
        genesis_index: Some(GenesisIndex { value: 0 }),
        era_block_height: Some(BlockHeight { value: block.height }),
        receive_time: timestamp(block.slot_time_ms),
        arrive_time: timestamp(block.slot_time_ms),
        slot_number: None,
        slot_time: timestamp(block.slot_time_ms),
        baker: (block.height > 0).then_some(BakerId { value: 0 }),
        finalized: block.height <= chain.last_finalized().height,
        transaction_count: u32::try_from(block.items.len()).unwrap_or(u32::MAX),
        transactions_energy_cost: Some(Energy { value: block.energy }),
        transactions_size: block.size,
        state_hash: Some(StateHash { value: block.state_hash().to_vec() }),
        protocol_version: ProtocolVersion::ProtocolVersion10.into(),
        round: Some(Round { value: block.round }),
        epoch: Some(epoch(chain, block)),
    }
}

pub(crate) fn consensus_info(chain: &Chain, block_time_ms: u64) -> ConsensusInfo {
    let (tip, last) = (chain.tip(), chain.last_finalized());
    let genesis = block_hash(&chain.genesis.hash);
    let made = u32::try_from(tip.height).unwrap_or(u32::MAX);
    let some = |block: &Arc<Block>| (block.height > 0).then_some(block.slot_time_ms);
    let period = Some(block_time_ms as f64 / 1000.0);
    ConsensusInfo {
        best_block: Some(block_hash(&tip.hash)),
        genesis_block: Some(genesis.clone()),
        genesis_time: timestamp(chain.genesis.time_ms),
        slot_duration: None,
        epoch_duration: Some(Duration { value: EPOCH_MS }),
        last_finalized_block: Some(block_hash(&last.hash)),
        best_block_height: Some(AbsoluteBlockHeight { value: tip.height }),
        last_finalized_block_height: Some(AbsoluteBlockHeight { value: last.height }),
        blocks_received_count: made,
        block_last_received_time: some(tip).and_then(timestamp),
        block_receive_latency_ema: 0.0,
        block_receive_latency_emsd: 0.0,
        block_receive_period_ema: period,
        block_receive_period_emsd: Some(0.0),
        blocks_verified_count: made,
        block_last_arrived_time: some(tip).and_then(timestamp),
        block_arrive_latency_ema: 0.0,
        block_arrive_latency_emsd: 0.0,
        block_arrive_period_ema: period,
        block_arrive_period_emsd: Some(0.0),
        transactions_per_block_ema: 0.0,
        transactions_per_block_emsd: 0.0,
        finalization_count: u32::try_from(last.height).unwrap_or(u32::MAX),
        last_finalized_time: some(last).and_then(timestamp),
        finalization_period_ema: period,
        finalization_period_emsd: Some(0.0),
        protocol_version: ProtocolVersion::ProtocolVersion10.into(),
        genesis_index: Some(GenesisIndex { value: 0 }),
        current_era_genesis_block: Some(genesis),
        current_era_genesis_time: timestamp(chain.genesis.time_ms),
        current_timeout_duration: Some(Duration { value: ROUND_TIMEOUT_MS }),
        current_round: Some(Round { value: tip.round + 1 }),
        current_epoch: Some(epoch(chain, tip)),
        trigger_block_time: timestamp(chain.genesis.time_ms + EPOCH_MS),
    }
}

/// A block item as GetBlockItems shows it: the SDK's own encoding of a submission.
pub(crate) fn block_item(item: &Item) -> BlockItem {
    use block_item::BlockItem as Shown;
    use send_block_item_request::BlockItem as Sent;
    let request: tonic::Request<SendBlockItemRequest> = (&item.body).into_request();
    let sent = request.into_inner().block_item;
    let shown = sent.map(|sent| match sent {
        Sent::AccountTransaction(tx) => Shown::AccountTransaction(tx),
        Sent::CredentialDeployment(message) => Shown::CredentialDeployment(message),
        Sent::UpdateInstruction(update) => Shown::UpdateInstruction(update),
        Sent::AccountTransactionV1(tx) => Shown::AccountTransactionV1(tx),
        Sent::RawBlockItem(bytes) => Shown::RawBlockItem(bytes),
    });
    BlockItem {
        hash: Some(TransactionHash { value: item.hash.as_ref().to_vec() }),
        block_item: shown,
    }
}

fn epoch(chain: &Chain, block: &Block) -> Epoch {
    Epoch { value: block.slot_time_ms.saturating_sub(chain.genesis.time_ms) / EPOCH_MS }
}
