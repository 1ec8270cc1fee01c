//! A wallet pays, and the chain tells what it paid.

use ccd402_app::ports::chain::{AssetInfo, Chain, TransactionStatus};
use ccd402_chain::payer::{Error, Transfer, Wallet};
use ccd402_domain::{
    amount::Amount,
    asset::Asset,
    ids::TransactionHash,
    memo,
    transaction::{FinalizedTransaction, Outcome},
};
use ccd402_simchain::{Fault, FaultKind, Funds, IdentitySpec};
use chrono::{TimeDelta, Utc};

use crate::support::*;

fn order(to: &Wallet, asset: &str, units: u64) -> Transfer {
    Transfer {
        to: to.address(),
        asset: asset.parse().unwrap(),
        amount: Amount::from_units(units),
        memo: Some(digest(7)),
        expires_at: Utc::now() + TimeDelta::minutes(5),
    }
}

async fn finalized(port: &impl Chain, hash: TransactionHash) -> FinalizedTransaction {
    match port.transaction(hash).await.unwrap() {
        TransactionStatus::Finalized(transaction) => *transaction,
        other => panic!("not final: {other:?}"),
    }
}

#[tokio::test]
async fn a_transfer_is_told_as_it_was_ordered() {
    let chain = chain().await;
    let port = port(&chain).await;
    let (payer, receiver) = (wallet(&chain).await, wallet(&chain).await);
    for (asset, memo) in [("CCD", true), ("CCD", false), ("eurr", true), ("EURR", false)] {
        let mut order = order(&receiver, asset, 1_500_000);
        if !memo {
            order.memo = None;
        }
        let before = receiver.balance(&order.asset).await.unwrap().units();
        let rich = payer.balance(&Asset::Ccd).await.unwrap().units();
        let signed = payer.build_transfer(&order).await.unwrap();
        let unknown = port.transaction(signed.hash).await.unwrap();
        assert_eq!(unknown, TransactionStatus::Unknown);
        assert_eq!(payer.send(&signed.bytes).await.unwrap(), signed.hash);
        let received = port.transaction(signed.hash).await.unwrap();
        assert_eq!(received, TransactionStatus::Received);
        chain.bake().unwrap();
        let transaction = finalized(&port, signed.hash).await;
        let Outcome::Transfer(transfer) = transaction.outcome else {
            panic!("{:?}", transaction.outcome);
        };
        assert_eq!(transaction.sender, Some(payer.address()));
        assert_eq!(transfer.to, order.to);
        assert_eq!(transfer.asset, order.asset);
        assert_eq!(transfer.amount, order.amount);
        assert_eq!(transfer.memo, order.memo.as_ref().map(memo::encode));
        assert_eq!(transaction.block, port.tip().await.unwrap());
        let after = receiver.balance(&order.asset).await.unwrap().units();
        assert_eq!(after, before + 1_500_000, "{asset}");
        let moved = if asset == "CCD" { 1_500_000 } else { 0 };
        let paid = rich - payer.balance(&Asset::Ccd).await.unwrap().units() - moved;
        let fee = payer.fee(&order.asset).await.unwrap().units();
        assert!(paid > 0 && paid <= fee && fee < 3 * paid, "{asset}: {paid} of at most {fee}");
        assert_eq!(payer.time_finalized().await.unwrap(), transaction.block.time);
    }
}

#[tokio::test]
async fn the_same_bytes_may_be_sent_again_before_and_after_they_are_final() {
    let chain = chain().await;
    let (payer, receiver) = (wallet(&chain).await, wallet(&chain).await);
    let before = receiver.balance(&Asset::Ccd).await.unwrap().units();
    let signed = payer.build_transfer(&order(&receiver, "CCD", 5)).await.unwrap();
    for _ in 0..2 {
        assert_eq!(payer.send(&signed.bytes).await.unwrap(), signed.hash);
    }
    chain.bake().unwrap();
    assert_eq!(payer.send(&signed.bytes).await.unwrap(), signed.hash);
    chain.bake().unwrap();
    let after = receiver.balance(&Asset::Ccd).await.unwrap().units();
    assert_eq!(after, before + 5);
}

#[tokio::test]
async fn a_transaction_that_the_node_will_not_take_is_refused_with_its_words() {
    let chain = chain().await;
    let (payer, receiver) = (wallet(&chain).await, wallet(&chain).await);
    let mut late = order(&receiver, "CCD", 5);
    late.expires_at = Utc::now() - TimeDelta::minutes(5);
    let signed = payer.build_transfer(&late).await.unwrap();
    assert!(matches!(payer.send(&signed.bytes).await, Err(Error::Refused(_))));
    assert!(matches!(payer.send(b"not a transaction").await, Err(Error::NotATransaction)));
    let nothing = payer.build_transfer(&order(&receiver, "NONE", 5)).await;
    assert!(matches!(nothing, Err(Error::NoToken(_))));
}

#[tokio::test]
async fn a_transfer_beyond_the_balance_is_told_as_rejected() {
    let chain = chain().await;
    let port = port(&chain).await;
    let (payer, receiver) = (wallet(&chain).await, wallet(&chain).await);
    for asset in ["CCD", "EURR"] {
        let signed = payer.build_transfer(&order(&receiver, asset, 900_000_000_000)).await.unwrap();
        payer.send(&signed.bytes).await.unwrap();
        chain.bake().unwrap();
        let outcome = finalized(&port, signed.hash).await.outcome;
        assert!(matches!(outcome, Outcome::Rejected { .. }), "{asset}: {outcome:?}");
    }
}

#[tokio::test]
async fn a_transaction_in_a_block_is_committed_until_the_block_is_final() {
    let chain = chain().await;
    let port = port(&chain).await;
    let (payer, receiver) = (wallet(&chain).await, wallet(&chain).await);
    chain.fault(Fault::new(FaultKind::DelayFinality));
    let signed = payer.build_transfer(&order(&receiver, "CCD", 5)).await.unwrap();
    payer.send(&signed.bytes).await.unwrap();
    chain.bake().unwrap();
    let status = payer.status(&signed.hash).await.unwrap();
    assert_eq!(status, TransactionStatus::Committed);
    chain.clear_faults();
    chain.bake().unwrap();
    finalized(&port, signed.hash).await;
}

#[tokio::test]
async fn decimals_come_from_the_chain_and_case_does_not_matter() {
    let chain = chain().await;
    let payer = wallet(&chain).await;
    for (asset, decimals) in [("CCD", 6), ("EURR", 6), ("dkkr", 2)] {
        assert_eq!(payer.decimals(&asset.parse().unwrap()).await.unwrap(), decimals);
    }
    assert_eq!(payer.balance(&"DKKR".parse().unwrap()).await.unwrap().units(), 0);
    let port = port(&chain).await;
    let told = Chain::token(&port, "Dkkr").await.unwrap();
    assert_eq!(told, Some(AssetInfo { asset: Asset::Token("DKKR".to_owned()), decimals: 2 }));
    assert_eq!(Chain::token(&port, "NONE").await.unwrap(), None);
}

#[tokio::test]
async fn a_wallet_of_another_network_is_not_opened() {
    let (chain, other) = (chain().await, chain_of(1).await);
    let file = chain.issue(IdentitySpec::default(), Funds::ccd(1)).await.unwrap();
    let opened = Wallet::open(file, nodes(&other).await);
    assert!(matches!(opened, Err(Error::OtherNetwork { .. })));
}
