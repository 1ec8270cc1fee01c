//! Transfers of CCD: what is received, what is refused, what is rejected and what it costs.

use concordium_rust_sdk::{
    base::{
        contracts_common::{AccountAddress, Amount},
        transactions::{BlockItem, construct},
    },
    common::types::TransactionTime,
    types::{AccountTransactionEffects, Nonce, RejectReason, TransactionStatus},
};
use tonic::Code;

use crate::support::{TestChain, effects};

/// MicroCCD that a transfer with the tests' memo of three bytes costs: 100 for the signature, 60
/// for the header, 46 for the payload, 300 for the transfer, at 1000 a unit.
const FEE: u64 = (100 + 60 + 46 + 300) * 1000;

#[tokio::test]
async fn transfer_with_memo_finalizes_and_is_paid_for() {
    let mut chain = TestChain::start().await;
    let (payer, payee) = (chain.wallet(100).await, chain.wallet(0).await);
    let item = chain.transfer(&payer, payee.address, 2_500_000).await;
    let hash = chain.client.send_block_item(&item).await.unwrap();
    let status = chain.client.get_block_item_status(&hash).await.unwrap();
    assert!(matches!(status, TransactionStatus::Received));
    chain.handle.bake().unwrap();

    let details = chain.details(&hash).await;
    assert_eq!(details.cost.micro_ccd, FEE);
    assert_eq!(details.sender, payer.address);
    let AccountTransactionEffects::AccountTransferWithMemo { amount, to, memo } = effects(details)
    else {
        panic!("a transfer with memo");
    };
    assert_eq!((amount.micro_ccd, to), (2_500_000, payee.address));
    assert_eq!(memo.as_ref(), &vec![0x42, 1, 2]);
    assert_eq!(chain.balance(&payee.address).await, 2_500_000);
    assert_eq!(chain.balance(&payer.address).await, 100_000_000 - 2_500_000 - FEE);
}

#[tokio::test]
async fn transfer_of_more_than_there_is_is_rejected_and_paid_for() {
    let mut chain = TestChain::start().await;
    let payer = chain.wallet(1).await;
    let item = chain.transfer(&payer, payer.address, 1_000_000).await;
    let details = chain.run(&item).await;
    let AccountTransactionEffects::None { reject_reason, .. } = effects(details) else {
        panic!("a rejected transfer");
    };
    let reason = reject_reason.known_or_err().unwrap();
    assert!(matches!(reason, RejectReason::AmountTooLarge { .. }), "{reason:?}");
    assert_eq!(chain.balance(&payer.address).await, 1_000_000 - FEE);

    let item = chain.transfer(&payer, AccountAddress([9; 32]), 1).await;
    let refusal = chain.refusal(&item).await;
    assert_eq!(refusal.message(), "The sender did not have enough funds to cover the costs");
}

#[tokio::test]
async fn transfer_to_nobody_is_rejected() {
    let mut chain = TestChain::start().await;
    let payer = chain.wallet(10).await;
    let item = chain.transfer(&payer, AccountAddress([9; 32]), 1).await;
    let AccountTransactionEffects::None { reject_reason, .. } = effects(chain.run(&item).await)
    else {
        panic!("a rejected transfer");
    };
    let reason = reject_reason.known_or_err().unwrap();
    assert!(matches!(reason, RejectReason::InvalidAccountReference { .. }), "{reason:?}");
}

#[tokio::test]
async fn what_a_node_refuses_is_refused_in_its_words() {
    let mut chain = TestChain::start().await;
    let (payer, other) = (chain.wallet(10).await, chain.wallet(10).await);
    let expiry = chain.expiry();
    let now = expiry.seconds - 600;
    let make = |nonce: u64, seconds: u64, signer: &_| -> BlockItem<_> {
        let expiry = TransactionTime { seconds };
        let (nonce, amount) = (Nonce { nonce }, Amount::from_micro_ccd(1));
        construct::transfer(1, payer.address, nonce, expiry, other.address, amount)
            .sign(signer)
            .into()
    };
    let keys = &payer.account_keys;
    let cases = [
        (make(1, now - 1, keys), "Stale"),
        (make(1, now + 3 * 3600, keys), "Expiry too late"),
        (make(1, now + 60, &other.account_keys), "Verification failed"),
        (make(0, now + 60, keys), "Duplicate nonce"),
        (make(2, now + 60, keys), "Nonce too large"),
    ];
    for (item, text) in cases {
        let refusal = chain.refusal(&item).await;
        assert_eq!((refusal.code(), refusal.message()), (Code::InvalidArgument, text));
    }
    let item = make(1, now + 60, keys);
    chain.client.send_block_item(&item).await.unwrap();
    assert_eq!(chain.refusal(&item).await.code(), Code::AlreadyExists);
    let second = make(2, now + 60, keys);
    chain.client.send_block_item(&second).await.unwrap();
    chain.handle.bake().unwrap();
    chain.details(&item.hash()).await;
    chain.details(&second.hash()).await;
    assert_eq!(chain.refusal(&item).await.code(), Code::AlreadyExists);
}

#[tokio::test]
async fn transaction_that_expires_while_it_waits_is_never_in_a_block() {
    let mut chain = TestChain::start().await;
    let payer = chain.wallet(10).await;
    let item = chain.transfer(&payer, payer.address, 1).await;
    let hash = chain.client.send_block_item(&item).await.unwrap();
    chain.clock.advance(std::time::Duration::from_secs(601));
    chain.handle.bake().unwrap();
    let status = chain.client.get_block_item_status(&hash).await;
    assert!(status.unwrap_err().is_not_found());
    assert_eq!(chain.next(&payer).await.nonce, 1);
}
