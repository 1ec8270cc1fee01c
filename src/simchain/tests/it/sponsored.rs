//! Sponsored transactions: the sponsor pays, and both must have signed.

use ccd402_simchain::{Funds, IdentitySpec};
use concordium_rust_sdk::{
    base::{
        contracts_common::Amount,
        transactions::{BlockItem, EncodedPayload, construct},
    },
    types::{AccountTransactionEffects, RejectReason},
};

use crate::support::{TestChain, effects};

/// Signature, header with sponsor, payload of a transfer, the transfer, the sponsor's signature.
const FEE: u64 = (100 + 94 + 41 + 300 + 100) * 1000;

#[tokio::test]
async fn sponsor_pays_the_fee_and_the_sender_only_the_amount() {
    let mut chain = TestChain::start().await;
    let (sender, sponsor) = (chain.wallet(2).await, chain.wallet(10).await);
    let payee = chain.wallet(0).await.address;
    let transaction = chain.sponsored([&sender, &sponsor], payee, 2_000_000).await;
    let details = chain.run(&BlockItem::AccountTransactionV1(transaction)).await;
    assert_eq!(details.cost.micro_ccd, 0);
    let paid = details.sponsor.as_ref().unwrap();
    assert_eq!((paid.sponsor, paid.cost.micro_ccd), (sponsor.address, FEE));
    assert!(matches!(effects(details), AccountTransactionEffects::AccountTransfer { .. }));
    assert_eq!(chain.balance(&sender.address).await, 0);
    assert_eq!(chain.balance(&sponsor.address).await, 10_000_000 - FEE);
    assert_eq!(chain.balance(&payee).await, 2_000_000);
    assert_eq!(chain.next(&sender).await.nonce, 2);
    assert_eq!(chain.next(&sponsor).await.nonce, 1);
}

#[tokio::test]
async fn sponsor_pays_for_a_rejected_transfer_too() {
    let mut chain = TestChain::start().await;
    let (sender, sponsor) = (chain.wallet(1).await, chain.wallet(10).await);
    let transaction = chain.sponsored([&sender, &sponsor], sponsor.address, 1_000_001).await;
    let details = chain.run(&BlockItem::AccountTransactionV1(transaction)).await;
    assert!(matches!(effects(details), AccountTransactionEffects::None { .. }));
    assert_eq!(chain.balance(&sender.address).await, 1_000_000);
    assert_eq!(chain.balance(&sponsor.address).await, 10_000_000 - FEE);
}

#[tokio::test]
async fn both_must_have_signed() {
    let mut chain = TestChain::start().await;
    let (sender, sponsor) = (chain.wallet(2).await, chain.wallet(10).await);
    let good = chain.sponsored([&sender, &sponsor], sponsor.address, 1).await;
    let mut unsigned = good.clone();
    unsigned.signatures.sponsor = None;
    // The stated energy covers more than what is missing.
    let mut swapped = good.clone();
    swapped.signatures.sponsor = Some(good.signatures.sender.clone());
    for bad in [unsigned, swapped] {
        let refusal = chain.refusal(&BlockItem::AccountTransactionV1(bad)).await;
        assert_eq!(refusal.message(), "Verification failed");
    }
    chain.run(&BlockItem::AccountTransactionV1(good)).await;
}

#[tokio::test]
async fn sponsor_who_cannot_pay_is_refused() {
    let mut chain = TestChain::start().await;
    let (sender, sponsor) = (chain.wallet(10).await, chain.wallet(0).await);
    let transaction = chain.sponsored([&sender, &sponsor], sponsor.address, 1).await;
    let refusal = chain.refusal(&BlockItem::AccountTransactionV1(transaction)).await;
    assert_eq!(refusal.message(), "The sender did not have enough funds to cover the costs");
}

#[tokio::test]
async fn as_many_keys_as_the_threshold_says_must_sign() {
    let mut chain = TestChain::start().await;
    let identity = IdentitySpec { keys: 3, threshold: 2, ..IdentitySpec::default() };
    let sender = chain.handle.issue(identity, Funds::ccd(10)).await.unwrap();
    let expiry = chain.expiry();
    let signed_by = |keys: usize, nonce: u64, energy_for: u32| -> BlockItem<EncodedPayload> {
        let (from, amount) = (sender.address, Amount::from_micro_ccd(1));
        let transfer = construct::transfer(energy_for, from, nonce.into(), expiry, from, amount);
        let mut transaction = transfer.sign(&sender.account_keys);
        for signatures in transaction.signature.signatures.values_mut() {
            while signatures.len() > keys {
                signatures.pop_last();
            }
        }
        transaction.into()
    };
    assert_eq!(chain.refusal(&signed_by(1, 1, 1)).await.message(), "Verification failed");
    let details = chain.run(&signed_by(2, 1, 2)).await;
    assert_eq!(details.cost.micro_ccd, (200 + 60 + 41 + 300) * 1000);
    // Energy stated for one signature does not last for two, and is used up.
    let details = chain.run(&signed_by(2, 2, 1)).await;
    assert_eq!(details.cost.micro_ccd, (100 + 60 + 41 + 300) * 1000);
    let AccountTransactionEffects::None { reject_reason, .. } = effects(details) else {
        panic!("a rejected transfer");
    };
    let reason = reject_reason.known_or_err().unwrap();
    assert!(matches!(reason, RejectReason::OutOfEnergy), "{reason:?}");
}
