//! A chain kept in a directory goes on where it stopped, however it stopped.

use std::{fs, io::Write, path::Path};

use ccd402_simchain::{Error, Funds, IdentitySpec, Options, SimChain};
use concordium_rust_sdk::base::transactions::BlockItem;

use crate::support::TestChain;

async fn open(directory: &Path) -> TestChain {
    TestChain::start_with(|options| options.data_dir = Some(directory.to_owned())).await
}

#[tokio::test]
async fn restarted_chain_has_the_same_genesis_blocks_and_balances() {
    let directory = tempfile::tempdir().unwrap();
    let mut chain = open(directory.path()).await;
    let payer = chain.wallet(10).await;
    let item = chain.transfer(&payer, payer.address, 1).await;
    chain.run(&item).await;
    let sponsor = chain.wallet(10).await;
    let sponsored = chain.sponsored([&payer, &sponsor], payer.address, 1).await;
    chain.run(&BlockItem::AccountTransactionV1(sponsored)).await;
    let before = chain.client.get_consensus_info().await.unwrap();
    let balance = chain.balance(&payer.address).await;
    let network = chain.handle.network_id();
    chain.handle.shutdown().await;

    let mut chain = open(directory.path()).await;
    let after = chain.client.get_consensus_info().await.unwrap();
    assert_eq!(chain.handle.network_id(), network);
    assert_eq!(after.genesis_block, before.genesis_block);
    assert_eq!(after.last_finalized_block, before.last_finalized_block);
    assert_eq!(chain.balance(&payer.address).await, balance);
    chain.details(&item.hash()).await;
    // A new account, and the old one's next payment.
    let payee = chain.wallet(0).await;
    let item = chain.transfer(&payer, payee.address, 5).await;
    chain.run(&item).await;
    assert_eq!(chain.balance(&payee.address).await, 5);
}

#[tokio::test]
async fn restarted_faucet_issues_new_identities_whatever_failed_before() {
    let directory = tempfile::tempdir().unwrap();
    let chain = open(directory.path()).await;
    let impossible = IdentitySpec::default().with("shoeSize", "44");
    assert!(chain.handle.issue(impossible, Funds::default()).await.is_err());
    let before = chain.wallet(1).await.address;
    chain.handle.shutdown().await;
    let chain = open(directory.path()).await;
    let after = [chain.wallet(1).await.address, chain.wallet(1).await.address];
    assert!(!after.contains(&before) && after[0] != after[1]);
}

#[tokio::test]
async fn record_that_was_being_written_is_cut_off_and_damage_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let chain = open(directory.path()).await;
    let block = chain.handle.bake().unwrap();
    chain.handle.shutdown().await;
    let path = directory.path().join("chain.log");
    let whole = fs::read(&path).unwrap();
    fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(&[0, 0, 0, 40, 1]).unwrap();
    let mut chain = open(directory.path()).await;
    let info = chain.client.get_consensus_info().await.unwrap();
    assert_eq!(info.last_finalized_block, block);
    chain.handle.shutdown().await;
    assert_eq!(fs::read(&path).unwrap(), whole);

    // A record's content, a length, and the seed in the record of genesis.
    for at in [60, 34, 20] {
        let mut damaged = whole.clone();
        damaged[at] ^= 1;
        fs::write(&path, damaged).unwrap();
        let data_dir = Some(directory.path().to_owned());
        let options = Options { data_dir, ..Options::default() };
        let error = SimChain::start(options).await.err().unwrap();
        assert!(matches!(error, Error::Damaged { .. }), "{error}");
    }
}

#[tokio::test]
async fn one_directory_serves_one_chain() {
    let directory = tempfile::tempdir().unwrap();
    let chain = open(directory.path()).await;
    let options = Options { data_dir: Some(directory.path().to_owned()), ..Options::default() };
    let error = SimChain::start(options).await.err().unwrap();
    assert!(matches!(error, Error::Locked(_)), "{error}");
    chain.handle.shutdown().await;
}
