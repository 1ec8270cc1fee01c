//! Many transactions at once.

use concordium_rust_sdk::{
    base::{
        contracts_common::Amount,
        transactions::{BlockItem, EncodedPayload, construct},
    },
    v2::BlockIdentifier,
};

use crate::support::TestChain;

#[tokio::test]
async fn thousands_of_transactions_fit_one_block() {
    const TRANSACTIONS: u64 = 2000;
    let mut chain = TestChain::start().await;
    let payer = chain.wallet(2000).await;
    let (from, expiry) = (payer.address, chain.expiry());
    let mut last = None;
    for nonce in 1..=TRANSACTIONS {
        let amount = Amount::from_micro_ccd(1);
        let transfer = construct::transfer(1, from, nonce.into(), expiry, from, amount);
        let item: BlockItem<EncodedPayload> = transfer.sign(&payer.account_keys).into();
        last = Some(chain.client.send_block_item(&item).await.unwrap());
    }
    let block = chain.handle.bake().unwrap();
    chain.details(&last.unwrap()).await;
    let at = BlockIdentifier::Given(block);
    let info = chain.client.get_block_info(at).await.unwrap().response;
    assert_eq!(info.transaction_count, TRANSACTIONS);
    let energy = 100 + 60 + 41 + 300;
    assert_eq!(info.transaction_energy_cost.energy, TRANSACTIONS * energy);
    assert_eq!(chain.balance(&from).await, 2_000_000_000 - TRANSACTIONS * energy * 1000);
}
