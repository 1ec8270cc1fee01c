//! Accounts and the rest of what clients ask before they pay.

use concordium_rust_sdk::{
    types::{AbsoluteBlockHeight, AccountTransactionEffects, BlockItemSummaryDetails},
    v2::{AccountIdentifier, BlockIdentifier},
};
use futures::{StreamExt, TryStreamExt};

use crate::support::{TestChain, effects};

#[tokio::test]
async fn account_is_found_by_address_alias_credential_and_index() {
    let mut chain = TestChain::start().await;
    let wallet = chain.wallet(3).await;
    let registration_id = wallet.credential.as_ref().unwrap().registration_id;
    let alias = wallet.address.get_alias(77).unwrap();
    let at = BlockIdentifier::LastFinal;
    let by_address = AccountIdentifier::from(wallet.address);
    let info = chain.client.get_account_info(&by_address, at).await.unwrap().response;
    assert_eq!(info.account_amount.micro_ccd, 3_000_000);
    assert_eq!(info.account_amount, info.available_balance);
    for id in [alias.into(), registration_id.into(), info.account_index.into()] {
        let found = chain.client.get_account_info(&id, at).await.unwrap();
        assert_eq!(found.response.account_address, wallet.address);
        assert_eq!(found.block_hash, chain.client.get_consensus_info().await.unwrap().best_block);
    }
}

#[tokio::test]
async fn old_blocks_are_answered_from_their_own_state() {
    let mut chain = TestChain::start().await;
    let (payer, payee) = (chain.wallet(10).await, chain.wallet(0).await);
    let before = BlockIdentifier::Given(chain.handle.bake().unwrap());
    let item = chain.transfer(&payer, payee.address, 1).await;
    chain.run(&item).await;
    let info = chain.client.get_account_info(&payer.address.into(), before).await.unwrap();
    assert_eq!(info.response.account_amount.micro_ccd, 10_000_000);
    let genesis = BlockIdentifier::AbsoluteHeight(AbsoluteBlockHeight { height: 0 });
    let missing = chain.client.get_account_info(&payer.address.into(), genesis).await;
    assert!(missing.unwrap_err().is_not_found());
}

#[tokio::test]
async fn blocks_explain_where_a_new_account_and_its_money_come_from() {
    let mut chain = TestChain::start().await;
    let wallet = chain.wallet(5).await;
    let height = chain.client.get_consensus_info().await.unwrap().last_finalized_block_height;
    let mut seen = Vec::new();
    for height in 1..=height.height {
        let at = BlockIdentifier::AbsoluteHeight(AbsoluteBlockHeight { height });
        let events = chain.client.get_block_transaction_events(at).await.unwrap().response;
        let items = chain.client.get_block_items(at).await.unwrap().response;
        let items: Vec<_> = items.try_collect().await.unwrap();
        let hashes: Vec<_> =
            items.into_iter().map(|item| item.known_or_err().unwrap().hash()).collect();
        let events: Vec<_> = events.try_collect().await.unwrap();
        assert_eq!(events.iter().map(|event| event.hash).collect::<Vec<_>>(), hashes);
        seen.extend(events);
    }
    let mut details = seen.into_iter().map(|event| event.details.known_or_err().unwrap());
    let Some(BlockItemSummaryDetails::AccountCreation(created)) = details.next() else {
        panic!("first an account is created");
    };
    assert_eq!(created.address, wallet.address);
    let Some(BlockItemSummaryDetails::AccountTransaction(funded)) = details.next() else {
        panic!("then it is funded");
    };
    let AccountTransactionEffects::AccountTransfer { amount, to } = effects(funded) else {
        panic!("by a transfer");
    };
    assert_eq!((amount.micro_ccd, to), (5_000_000, wallet.address));
    assert!(details.next().is_none());
}

#[tokio::test]
async fn parameters_are_those_by_which_fees_are_charged() {
    let mut chain = TestChain::start().await;
    let at = BlockIdentifier::LastFinal;
    let parameters = chain.client.get_block_chain_parameters(at).await.unwrap().response;
    let rate = parameters.energy_rate().unwrap();
    assert_eq!(rate.ccd_cost(501.into()).micro_ccd, 501_000);
    let providers = chain.client.get_identity_providers(at).await.unwrap().response;
    assert_eq!(providers.count().await, 1);
    let guardians = chain.client.get_anonymity_revokers(at).await.unwrap().response;
    assert_eq!(guardians.map(Result::unwrap).count().await, 3);
    assert!(chain.client.get_node_info().await.is_ok());
}

#[tokio::test]
async fn what_is_not_simulated_says_so() {
    let mut chain = TestChain::start().await;
    let error = chain.client.get_banned_peers().await.unwrap_err();
    assert!(error.to_string().contains("not simulated"), "{error}");
}

#[tokio::test]
async fn new_keys_sign_from_their_block_on_and_the_old_ones_no_more() {
    let mut chain = TestChain::start().await;
    let (old, payee) = (chain.wallet(10).await, chain.wallet(0).await);
    let (new, hash) = chain.handle.rekey(&old).unwrap();
    let before = BlockIdentifier::Given(chain.handle.bake().unwrap());
    let effects = chain.details(&hash).await.effects.known_or_err().unwrap();
    assert!(matches!(effects, AccountTransactionEffects::CredentialKeysUpdated { .. }));

    let by_old = chain.transfer(&old, payee.address, 1).await;
    assert_eq!(chain.refusal(&by_old).await.message(), "Verification failed");
    let by_new = chain.transfer(&new, payee.address, 1).await;
    chain.run(&by_new).await;
    assert_eq!(chain.balance(&payee.address).await, 1);
    let info = chain.client.get_account_info(&old.address.into(), before).await.unwrap();
    assert_eq!(info.response.account_credentials.len(), 1);
}
