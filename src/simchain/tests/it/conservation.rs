//! Whatever transactions do, no CCD and no token appears or disappears.

use ccd402_chain::wallet::WalletFile;
use ccd402_simchain::{FaultKind, Funds, IdentitySpec};
use concordium_rust_sdk::{
    base::{
        contracts_common::{AccountAddress, Amount},
        protocol_level_tokens::{TokenAmount, TokenOperations, operations},
        transactions::{BlockItem, EncodedPayload, construct},
    },
    v2::BlockIdentifier,
};
use futures::TryStreamExt;
use rand::{Rng, SeedableRng, rngs::StdRng};

use crate::support::TestChain;

/// Total microCCD and total units of EURR of all accounts.
async fn totals(chain: &mut TestChain) -> (u64, u64) {
    let at = BlockIdentifier::LastFinal;
    let accounts: Vec<AccountAddress> =
        chain.client.get_account_list(at).await.unwrap().response.try_collect().await.unwrap();
    let mut totals = (0, 0);
    for account in accounts {
        let info = chain.client.get_account_info(&account.into(), at).await.unwrap().response;
        totals.0 += info.account_amount.micro_ccd;
        let euros = info.tokens.iter().filter(|token| token.token_id.as_ref() == "EURR");
        totals.1 += euros.map(|token| token.state.balance.value()).sum::<u64>();
    }
    totals
}

async fn random_item(
    chain: &mut TestChain,
    wallets: &[WalletFile],
    rng: &mut StdRng,
) -> BlockItem<EncodedPayload> {
    let from = &wallets[rng.gen_range(0..wallets.len())];
    let to = match rng.gen_range(0..8) {
        0 => AccountAddress([9; 32]),
        _ => wallets[rng.gen_range(0..wallets.len())].address,
    };
    let (nonce, expiry) = (chain.next(from).await, chain.expiry());
    // Some of them are more than there is.
    let amount = rng.gen_range(0..60_000_000);
    let unsigned = if rng.gen_bool(0.5) {
        let amount = Amount::from_micro_ccd(amount);
        construct::transfer(1, from.address, nonce, expiry, to, amount)
    } else {
        let transfers = (0..rng.gen_range(0..3))
            .map(|_| operations::transfer_tokens(to, TokenAmount::from_raw(amount / 4, 6)));
        let operations: TokenOperations = transfers.collect();
        let id = "EURR".parse().unwrap();
        construct::token_update_operations(1, from.address, nonce, expiry, id, operations).unwrap()
    };
    if rng.gen_bool(0.3) {
        let sponsor = &wallets[rng.gen_range(0..wallets.len())];
        let mut unsigned = unsigned.extend();
        let unsigned = unsigned.add_sponsor(sponsor.address, 1).unwrap();
        let signed = unsigned.sign(&from.account_keys).sponsor(&sponsor.account_keys).unwrap();
        return BlockItem::AccountTransactionV1(signed.finalize().unwrap());
    }
    unsigned.sign(&from.account_keys).into()
}

#[tokio::test]
async fn ccd_and_tokens_are_conserved_over_random_transactions() {
    for seed in 0..3 {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut chain = TestChain::start_with(|options| options.seed = seed).await;
        let before = totals(&mut chain).await;
        let mut wallets = Vec::new();
        for _ in 0..3 {
            let funds = Funds::ccd(50).token("EURR", 20_000_000);
            wallets.push(chain.handle.issue(IdentitySpec::default(), funds).await.unwrap());
        }
        for _ in 0..60 {
            let item = random_item(&mut chain, &wallets, &mut rng).await;
            // Refused ones change nothing; what is received may succeed or be rejected.
            let _ = chain.client.send_block_item(&item).await;
            match rng.gen_range(0..10) {
                0 => chain.handle.fault(FaultKind::AbandonBlock),
                1..4 => drop(chain.handle.bake().unwrap()),
                _ => {}
            }
        }
        chain.handle.clear_faults();
        chain.handle.bake().unwrap();
        assert_eq!(totals(&mut chain).await, before, "seed {seed}");
    }
}
