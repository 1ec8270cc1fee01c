//! Protocol-level tokens: what transfers move, what they cost and why they are rejected.

use ccd402_chain::wallet::WalletFile;
use ccd402_simchain::{Funds, IdentitySpec, List};
use concordium_rust_sdk::{
    base::{
        contracts_common::AccountAddress,
        protocol_level_tokens::{
            CborMemo, TokenAmount, TokenEventDetails, TokenId, TokenModuleRejectReasonType,
            TokenOperation, TokenOperations, operations,
        },
        transactions::{BlockItem, EncodedPayload, Memo, construct},
    },
    common::to_bytes,
    types::{AccountTransactionEffects, RejectReason},
    v2::BlockIdentifier,
};
use futures::TryStreamExt;

use crate::support::{TestChain, effects};

async fn holder(chain: &TestChain, units: u64) -> WalletFile {
    let funds = Funds::ccd(100).token("EURR", units);
    chain.handle.issue(IdentitySpec::default(), funds).await.unwrap()
}

async fn update(
    chain: &mut TestChain,
    from: &WalletFile,
    id: &str,
    operations: impl IntoIterator<Item = TokenOperation>,
) -> BlockItem<EncodedPayload> {
    let nonce = chain.next(from).await;
    let operations: TokenOperations = operations.into_iter().collect();
    let id: TokenId = id.parse().unwrap();
    let expiry = chain.expiry();
    construct::token_update_operations(1, from.address, nonce, expiry, id, operations)
        .unwrap()
        .sign(&from.account_keys)
        .into()
}

async fn tokens(chain: &mut TestChain, of: AccountAddress) -> Option<u64> {
    let at = BlockIdentifier::LastFinal;
    let info = chain.client.get_account_info(&of.into(), at).await.unwrap().response;
    let token = info.tokens.into_iter().find(|token| token.token_id.as_ref() == "EURR")?;
    Some(token.state.balance.value())
}

fn euros(units: u64) -> TokenAmount {
    TokenAmount::from_raw(units, 6)
}

#[tokio::test]
async fn token_transfer_moves_tokens_and_shows_its_memo() {
    let mut chain = TestChain::start().await;
    let (payer, payee) = (holder(&chain, 5_000_000).await, chain.wallet(0).await);
    let memo = CborMemo::Raw(Memo::try_from(vec![0x42, 1, 2]).unwrap());
    let transfer = operations::transfer_tokens_with_memo(payee.address, euros(1_500_000), memo);
    // Ids are the same in any case.
    let item = update(&mut chain, &payer, "eurr", [transfer]).await;
    let details = chain.run(&item).await;
    let BlockItem::AccountTransaction(transaction) = &item else { panic!("version 0") };
    let payload = to_bytes(&transaction.payload).len() as u64;
    assert_eq!(details.cost.micro_ccd, (100 + 60 + payload + 300 + 100) * 1000);

    let AccountTransactionEffects::TokenUpdate { events } = effects(details) else {
        panic!("a token update");
    };
    let [event] = events.as_slice() else { panic!("one event") };
    assert_eq!(event.token_id.as_ref(), "EURR");
    let TokenEventDetails::Transfer(event) = &event.event else {
        panic!("a transfer");
    };
    assert_eq!(event.amount, euros(1_500_000));
    assert_eq!(event.memo.as_ref().unwrap().as_ref(), &vec![0x42, 1, 2]);
    assert_eq!(tokens(&mut chain, payee.address).await, Some(1_500_000));
    assert_eq!(tokens(&mut chain, payer.address).await, Some(3_500_000));
}

#[tokio::test]
async fn rejected_update_changes_no_balance_and_says_why() {
    let mut chain = TestChain::start().await;
    let (payer, payee) = (holder(&chain, 1000).await, chain.wallet(0).await);
    type Expected = fn(&TokenModuleRejectReasonType) -> bool;
    let one = operations::transfer_tokens(payee.address, euros(600));
    let cases: [(Vec<TokenOperation>, Expected); 5] = [
        (vec![one.clone(), one.clone()], |reason| {
            matches!(reason, TokenModuleRejectReasonType::TokenBalanceInsufficient(r)
                if r.index == 1 && r.available_balance == euros(400))
        }),
        (
            vec![one.clone(), operations::transfer_tokens(AccountAddress([9; 32]), euros(1))],
            |reason| matches!(reason, TokenModuleRejectReasonType::AddressNotFound(_)),
        ),
        (vec![operations::transfer_tokens(payee.address, TokenAmount::from_raw(1, 2))], |reason| {
            matches!(reason, TokenModuleRejectReasonType::DeserializationFailure(_))
        }),
        (vec![operations::mint_tokens(euros(1))], |reason| {
            matches!(reason, TokenModuleRejectReasonType::OperationNotPermitted(_))
        }),
        (vec![one, operations::add_token_deny_list(payee.address)], |reason| {
            matches!(reason, TokenModuleRejectReasonType::UnsupportedOperation(_))
        }),
    ];
    for (operations, expected) in cases {
        let item = update(&mut chain, &payer, "EURR", operations).await;
        let AccountTransactionEffects::None { reject_reason, .. } = effects(chain.run(&item).await)
        else {
            panic!("a rejected update");
        };
        let reason = reject_reason.known_or_err().unwrap();
        let RejectReason::TokenUpdateTransactionFailed { reject_reason } = reason else {
            panic!("{reason:?}");
        };
        let reason = reject_reason.decode_reject_reason().unwrap().known_or_err().unwrap();
        assert!(expected(&reason), "{reason:?}");
        assert_eq!(tokens(&mut chain, payer.address).await, Some(1000));
        assert_eq!(tokens(&mut chain, payee.address).await.unwrap_or_default(), 0);
    }
}

#[tokio::test]
async fn unknown_token_is_rejected() {
    let mut chain = TestChain::start().await;
    let payer = holder(&chain, 1000).await;
    let transfer = operations::transfer_tokens(payer.address, euros(1));
    let item = update(&mut chain, &payer, "NOPE", [transfer]).await;
    let AccountTransactionEffects::None { reject_reason, .. } = effects(chain.run(&item).await)
    else {
        panic!("a rejected update");
    };
    let reason = reject_reason.known_or_err().unwrap();
    assert!(matches!(reason, RejectReason::NonExistentTokenId { .. }), "{reason:?}");
}

#[tokio::test]
async fn tokens_of_genesis_are_listed_with_their_decimals() {
    let mut chain = TestChain::start().await;
    let at = BlockIdentifier::LastFinal;
    let ids: Vec<_> =
        chain.client.get_token_list(&at).await.unwrap().response.try_collect().await.unwrap();
    let mut decimals = Vec::new();
    for id in ids {
        let info = chain.client.get_token_info(id, at).await.unwrap().response;
        let state = info.token_state.decode_module_state().unwrap();
        assert_eq!(state.paused, Some(false));
        decimals.push((String::from(info.token_id), info.token_state.decimals));
    }
    let expected = [("EURR", 6), ("USDR", 6), ("DKKR", 2), ("SEKR", 2)];
    assert_eq!(decimals, expected.map(|(id, decimals)| (id.to_owned(), decimals)));
}

#[tokio::test]
async fn lists_say_who_may_send_and_receive() {
    let mut chain = TestChain::start().await;
    let funds = Funds::ccd(100).token("SEKR", 500);
    let payer = chain.handle.issue(IdentitySpec::default(), funds).await.unwrap();
    let payee = chain.wallet(100).await;
    let euros = |units| TokenAmount::from_raw(units, 2);
    let pay = [operations::transfer_tokens(payee.address, euros(100))];
    type Change = Option<(List, AccountAddress, bool)>;
    let rows: [(Change, bool); 6] = [
        (None, false),
        (Some((List::Allow, payee.address, true)), true),
        (Some((List::Deny, payee.address, true)), false),
        (Some((List::Deny, payee.address, false)), true),
        (Some((List::Allow, payer.address, false)), false),
        (Some((List::Allow, payer.address, true)), true),
    ];
    for (row, (change, is_paid)) in rows.into_iter().enumerate() {
        if let Some((list, account, is_listed)) = change {
            chain.handle.set_listed("SEKR", list, account, is_listed).await.unwrap();
        }
        let item = update(&mut chain, &payer, "SEKR", pay.clone()).await;
        let effects = effects(chain.run(&item).await);
        let was_paid = matches!(effects, AccountTransactionEffects::TokenUpdate { .. });
        assert_eq!(was_paid, is_paid, "row {row}: {effects:?}");
    }
    let (of, at) = (payee.address.into(), BlockIdentifier::LastFinal);
    let mut info = chain.client.get_account_info(&of, at).await.unwrap().response;
    let held = info.tokens.remove(0).state;
    let lists = held.decode_module_state().unwrap();
    assert_eq!((lists.allow_list, lists.deny_list), (Some(true), Some(false)));
    assert_eq!(held.balance, euros(300));
}
