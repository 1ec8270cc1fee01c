//! Faults: each one seen from a client.

use std::time::Duration;

use ccd402_simchain::{Fault, FaultKind};
use concordium_rust_sdk::{
    types::TransactionStatus,
    v2::{BlockIdentifier, FinalizedBlockInfo},
};
use futures::{Stream, StreamExt};
use tonic::Code;

use crate::support::{TestChain, connect};

async fn height(
    stream: &mut (impl Stream<Item = Result<FinalizedBlockInfo, tonic::Status>> + Unpin),
) -> Option<Result<u64, Code>> {
    let next = stream.next().await?;
    Some(next.map(|block| block.height.height).map_err(|status| status.code()))
}

#[tokio::test]
async fn stalled_stream_delivers_nothing_until_the_fault_ends() {
    let mut chain = TestChain::start().await;
    let mut stream = chain.client.get_finalized_blocks().await.unwrap();
    chain.handle.fault(Fault::new(FaultKind::StallStreams).lasting(Duration::from_secs(30)));
    chain.handle.bake().unwrap();
    let silent = tokio::time::timeout(Duration::from_millis(100), height(&mut stream)).await;
    assert!(silent.is_err());
    chain.handle.advance(Duration::from_secs(30)).unwrap();
    assert_eq!(height(&mut stream).await, Some(Ok(1)));
}

#[tokio::test]
async fn stalled_stream_loses_what_its_buffer_cannot_hold() {
    let mut chain = TestChain::start().await;
    let mut stream = chain.client.get_finalized_blocks().await.unwrap();
    chain.handle.fault(FaultKind::StallStreams);
    for _ in 0..150 {
        chain.handle.bake().unwrap();
    }
    chain.handle.clear_faults();
    for expected in 1..=100 {
        assert_eq!(height(&mut stream).await, Some(Ok(expected)));
    }
    chain.handle.bake().unwrap();
    assert_eq!(height(&mut stream).await, Some(Ok(151)));
}

#[tokio::test]
async fn skipped_blocks_are_missing_on_the_stream_and_there_by_height() {
    let mut chain = TestChain::start().await;
    let mut stream = chain.client.get_finalized_blocks().await.unwrap();
    chain.handle.fault(Fault::new(FaultKind::SkipNotifications).times(2));
    for _ in 0..3 {
        chain.handle.bake().unwrap();
    }
    assert_eq!(height(&mut stream).await, Some(Ok(3)));
    for height in 1..=2u64 {
        let at = BlockIdentifier::AbsoluteHeight(height.into());
        assert!(chain.client.get_block_info(at).await.unwrap().response.finalized);
    }
}

#[tokio::test]
async fn dropped_and_reset_streams_end_and_new_ones_flow() {
    let mut chain = TestChain::start().await;
    for (kind, end) in
        [(FaultKind::DropStreams, None), (FaultKind::ResetStreams, Some(Err(Code::Unavailable)))]
    {
        let mut stream = chain.client.get_finalized_blocks().await.unwrap();
        chain.handle.fault(kind);
        assert_eq!(height(&mut stream).await, end);
        let mut stream = chain.client.get_finalized_blocks().await.unwrap();
        chain.handle.bake().unwrap();
        assert!(height(&mut stream).await.unwrap().is_ok());
    }
}

#[tokio::test]
async fn rpcs_fail_and_take_long_as_often_as_asked_for() {
    let mut chain = TestChain::start().await;
    let method = Some("GetConsensusInfo".to_owned());
    let fail = FaultKind::FailRpc { method: method.clone(), code: 14, message: "gone".into() };
    chain.handle.fault(Fault::new(fail).times(1));
    assert!(chain.client.get_node_info().await.is_ok());
    assert!(chain.client.get_consensus_info().await.is_err());
    assert!(chain.client.get_consensus_info().await.is_ok());

    chain.handle.fault(Fault::new(FaultKind::SlowRpc { method, delay_ms: 5000 }).times(1));
    let mut client = chain.client.clone();
    let call = tokio::spawn(async move { client.get_consensus_info().await });
    // The clock stands still, so the call cannot return however long it is waited for.
    assert!(chain.client.get_node_info().await.is_ok());
    assert!(!call.is_finished());
    while !call.is_finished() {
        chain.handle.advance(Duration::from_secs(5)).unwrap();
        tokio::task::yield_now().await;
    }
    assert!(call.await.unwrap().is_ok());
}

#[tokio::test]
async fn blocks_wait_for_delayed_finality() {
    let mut chain = TestChain::start().await;
    let payer = chain.wallet(10).await;
    chain.handle.fault(Fault::new(FaultKind::DelayFinality).lasting(Duration::from_secs(60)));
    let item = chain.transfer(&payer, payer.address, 1).await;
    let hash = chain.client.send_block_item(&item).await.unwrap();
    chain.handle.bake().unwrap();
    let status = chain.client.get_block_item_status(&hash).await.unwrap();
    assert!(matches!(status, TransactionStatus::Committed(_)), "{status:?}");
    chain.handle.advance(Duration::from_secs(60)).unwrap();
    let status = chain.client.get_block_item_status(&hash).await.unwrap();
    assert!(matches!(status, TransactionStatus::Finalized(_)), "{status:?}");
}

#[tokio::test]
async fn abandoned_block_disappears_and_its_transactions_land_in_another() {
    let mut chain = TestChain::start_with(|options| {
        options.finality_delay = Duration::from_secs(10);
    })
    .await;
    let payer = chain.wallet(10).await;
    chain.handle.fault(FaultKind::AbandonBlock);
    let item = chain.transfer(&payer, payer.address, 1).await;
    let hash = chain.client.send_block_item(&item).await.unwrap();
    let doomed = chain.handle.bake().unwrap();
    let status = chain.client.get_block_item_status(&hash).await.unwrap();
    assert!(matches!(status, TransactionStatus::Committed(_)), "{status:?}");
    chain.handle.bake().unwrap();

    chain.handle.advance(Duration::from_secs(10)).unwrap();
    let status = chain.client.get_block_item_status(&hash).await.unwrap();
    assert!(matches!(status, TransactionStatus::Received), "{status:?}");
    let gone = chain.client.get_block_info(BlockIdentifier::Given(doomed)).await;
    assert!(gone.unwrap_err().is_not_found());
    assert_eq!(chain.balance(&payer.address).await, 10_000_000);

    let block = chain.handle.bake().unwrap();
    assert_ne!(block, doomed);
    chain.handle.advance(Duration::from_secs(10)).unwrap();
    let status = chain.client.get_block_item_status(&hash).await.unwrap();
    let TransactionStatus::Finalized(outcomes) = status else { panic!("{status:?}") };
    assert!(outcomes.contains_key(&block));
}

#[tokio::test]
async fn restarted_socket_cuts_connections_and_listens_again() {
    let mut chain = TestChain::start().await;
    let mut stream = chain.client.get_finalized_blocks().await.unwrap();
    let block = chain.handle.bake().unwrap();
    assert_eq!(height(&mut stream).await, Some(Ok(1)));
    chain.handle.fault(FaultKind::RestartSocket { down_ms: 10 });
    assert!(matches!(height(&mut stream).await, Some(Err(_)) | None));
    let url = chain.handle.url();
    let info = loop {
        // Refused until the socket is open again.
        let Ok(endpoint) = tonic::transport::Endpoint::from_shared(url.clone()) else { continue };
        if endpoint.connect().await.is_ok() {
            break connect(&url).await.get_consensus_info().await.unwrap();
        }
    };
    assert_eq!(info.last_finalized_block, block);
}
