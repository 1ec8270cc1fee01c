//! Blocks and how clients hear of them.

use concordium_rust_sdk::{types::AbsoluteBlockHeight, v2::BlockIdentifier};
use futures::StreamExt;

use crate::support::TestChain;

#[tokio::test]
async fn consensus_info_names_the_network_and_the_last_block() {
    let mut chain = TestChain::start().await;
    let block = chain.handle.bake().unwrap();
    let info = chain.client.get_consensus_info().await.unwrap();
    assert_eq!(info.genesis_block, chain.handle.genesis_hash());
    assert_eq!((info.best_block, info.last_finalized_block), (block, block));
    assert!(info.concordium_bft_status.is_some());
    let id = format!("ccd:{}", &info.genesis_block.to_string()[..32]);
    assert_eq!(chain.handle.network_id(), id);
}

#[tokio::test]
async fn finalized_blocks_are_streamed_and_linked_by_their_parents() {
    let mut chain = TestChain::start().await;
    let mut stream = chain.client.get_finalized_blocks().await.unwrap();
    let mut parent = chain.handle.genesis_hash();
    for height in 1..=3 {
        let hash = chain.handle.bake().unwrap();
        let announced = stream.next().await.unwrap().unwrap();
        assert_eq!(
            (announced.height, announced.block_hash),
            (AbsoluteBlockHeight { height }, hash)
        );
        let at = BlockIdentifier::AbsoluteHeight(announced.height);
        let info = chain.client.get_block_info(at).await.unwrap().response;
        assert_eq!((info.block_hash, info.block_parent, info.finalized), (hash, parent, true));
        parent = hash;
    }
}
