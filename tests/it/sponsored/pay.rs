//! The payer meets sponsored offers at a shop, with wallets that have CCD and wallets without.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ccd402::compose::wallet::ChainWallet;
use ccd402_chain::payer::{Transfer, Wallet};
use ccd402_client::payer::Payer;
use ccd402_client::payer::answer::Answer;
use ccd402_client::payer::error::Error;
use ccd402_client::payer::journal::Journal;
use ccd402_client::payer::options::{Limit, Options, Step};
use ccd402_client::payer::record::{Record, State};
use ccd402_domain::amount::Amount;
use ccd402_domain::asset::Asset;
use ccd402_simchain::{FaultKind, Funds, IdentitySpec};
use chrono::{TimeDelta, Utc};
use futures::future::join_all;
use serde_json::json;
use tempfile::TempDir;

use super::kit::{PRICE, Stage};
use super::shop::{CONTENT, Shop};
use crate::process::{Process, arg, run};

/// A wallet's file.
const FILE: &str = "payer.json";
/// Longest that any test waits for anything that must happen.
const PATIENCE: Duration = Duration::from_secs(60);

/// Somebody with a wallet and its journal.
struct Purse {
    wallet: Arc<ChainWallet>,
    dir: TempDir,
}

impl Purse {
    /// With so much money, in smallest units.
    async fn new(stage: &Stage, micro_ccd: u64, eurr: u64) -> (Self, Wallet) {
        let funds = Funds { micro_ccd, ..Funds::ccd(0) }.token("EURR", eurr);
        let file = stage.chain.issue(IdentitySpec::default(), funds).await.unwrap();
        let twin = Wallet::open(file.clone(), stage.nodes.clone()).unwrap();
        let dir = tempfile::tempdir().unwrap();
        file.write(dir.path().join(FILE)).unwrap();
        let wallet = Wallet::open(file, stage.nodes.clone()).unwrap();
        let wallet = Arc::new(ChainWallet::new(wallet));
        (Self { wallet, dir }, twin)
    }

    /// The wallet as a file, for the program.
    fn file(&self) -> PathBuf {
        self.dir.path().join(FILE)
    }

    fn journal(&self) -> Journal {
        Journal::open(self.dir.path().join("payments")).unwrap()
    }

    fn records(&self) -> Vec<Record> {
        self.journal().records().unwrap()
    }

    fn payer(&self, observer: impl Fn(Step) + Send + Sync + 'static) -> Payer {
        let limit = |asset: &str| Limit {
            asset: asset.parse().unwrap(),
            amount: Amount::from_units(PRICE),
        };
        let options = Options {
            limits: vec![limit("CCD"), limit("EURR")],
            timeout: PATIENCE,
            lock_timeout: PATIENCE,
            observer: Some(Arc::new(observer)),
            ..Options::default()
        };
        Payer::new(self.wallet.clone(), self.journal(), options).unwrap()
    }

    async fn pay(&self, url: &str) -> Result<Record, Error> {
        let mut answer: Answer = self.payer(|_| {}).get(url).await?;
        assert_eq!(answer.bytes(100).await?, CONTENT.as_bytes());
        Ok(answer.payment.unwrap().record)
    }

    /// A run that dies between writing its payment down and handing it in.
    async fn die_with_the_payment_written(&self, url: &str) {
        let payer = self.payer(|step| {
            assert!(!matches!(step, Step::Recorded { .. }), "the run dies here");
        });
        let url = url.to_owned();
        let run = tokio::spawn(async move { payer.get(&url).await.map(drop) });
        assert!(run.await.unwrap_err().is_panic());
        assert!(self.records().iter().any(Record::is_open));
    }
}

async fn until(is_so: impl Fn() -> bool) {
    let waited = tokio::time::timeout(PATIENCE, async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    waited.await.unwrap();
}

async fn held(wallet: &Wallet) -> (u64, u64) {
    let ccd = wallet.balance(&Asset::Ccd).await.unwrap().units();
    (ccd, wallet.balance(&"EURR".parse().unwrap()).await.unwrap().units())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_price_is_all_that_it_takes_and_nothing_of_it_must_be_ccd() {
    let stage = Stage::new().await;
    let shop = Shop::open(&stage, &["CCD", "EURR"], 30).await;
    let (purse, wallet) = Purse::new(&stage, PRICE, PRICE).await;
    let first = purse.pay(&shop.url("one")).await.unwrap();
    assert_eq!((&first.asset, held(&wallet).await), (&Asset::Ccd, (0, PRICE)));
    // Without any CCD the second offer is the one that it can pay.
    let second = purse.pay(&shop.url("two")).await.unwrap();
    assert_eq!((second.asset.to_string().as_str(), held(&wallet).await), ("EURR", (0, 0)));
    let error = purse.pay(&shop.url("three")).await.unwrap_err();
    assert_eq!(error.code(), "insufficient_funds", "{error}");
    for (record, asset) in [(&first, "CCD"), (&second, "EURR")] {
        assert_eq!(stage.received(asset).await, PRICE);
        assert!(matches!(record.state, State::Paid { .. }));
        let found = wallet.numbered(record.sequence_number().unwrap()).await.unwrap().unwrap();
        assert_eq!(Some(found.hash), record.transaction());
    }
    assert_eq!(wallet.numbered(3).await.unwrap(), None);
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_died_before_it_handed_its_payment_in_pays_once() {
    let stage = Stage::new().await;
    let shop = Shop::open(&stage, &["EURR"], 30).await;
    let (purse, wallet) = Purse::new(&stage, 0, 3 * PRICE).await;
    let url = shop.url("report");
    purse.die_with_the_payment_written(&url).await;
    assert_eq!((shop.payments(), held(&wallet).await.1), (0, 3 * PRICE));
    let record = purse.pay(&url).await.unwrap();
    assert_eq!(purse.records(), [record]);
    assert_eq!((shop.payments(), stage.received("EURR").await), (1, PRICE));
    assert_eq!(held(&wallet).await.1, 2 * PRICE);
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_settlement_that_takes_long_is_asked_for_again_with_the_same_payment() {
    let stage = Stage::new().await;
    let shop = Shop::open(&stage, &["CCD"], 1).await;
    let (purse, _) = Purse::new(&stage, PRICE, 0).await;
    stage.chain.fault(FaultKind::DelayFinality);
    let url = shop.url("report");
    let payer = purse.payer(|_| {});
    let run = tokio::spawn(async move { payer.get(&url).await?.bytes(100).await });
    let pending = Some("settlement_pending".to_owned());
    until(|| shop.told.lock().unwrap().contains(&pending)).await;
    stage.chain.clear_faults();
    assert_eq!(run.await.unwrap().unwrap(), CONTENT.as_bytes());
    assert!(shop.presented.lock().unwrap().len() > 1);
    assert_eq!((shop.payments(), stage.received("CCD").await), (1, PRICE));
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_payments_of_one_wallet_fly_at_once() {
    const FLIGHTS: u64 = 10;
    let stage = Stage::new().await;
    let shop = Shop::open(&stage, &["EURR"], 30).await;
    let (purse, wallet) = Purse::new(&stage, 0, FLIGHTS * PRICE).await;
    let runs = (0..FLIGHTS).map(|number| {
        let url = shop.url(&number.to_string());
        let purse = &purse;
        async move { purse.pay(&url).await }
    });
    let mut numbers: Vec<_> = join_all(runs)
        .await
        .into_iter()
        .map(|record| record.unwrap().sequence_number().unwrap())
        .collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=FLIGHTS).collect::<Vec<_>>());
    assert_eq!(stage.received("EURR").await, FLIGHTS * PRICE);
    // Several of them share a block.
    for record in purse.records() {
        let found = wallet.numbered(record.sequence_number().unwrap()).await.unwrap().unwrap();
        assert_eq!(Some(found.hash), record.transaction());
    }
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_that_another_transaction_took_is_seen_on_chain_and_paid_anew() {
    let stage = Stage::new().await;
    let shop = Shop::open(&stage, &["CCD"], 30).await;
    let (purse, wallet) = Purse::new(&stage, 10 * PRICE, 0).await;
    let url = shop.url("report");
    purse.die_with_the_payment_written(&url).await;
    let transfer = Transfer {
        to: stage.sponsor,
        asset: Asset::Ccd,
        amount: Amount::from_units(1),
        memo: None,
        expires_at: Utc::now() + TimeDelta::minutes(1),
    };
    let other = wallet.build_transfer(&transfer).await.unwrap();
    wallet.send(&other.bytes).await.unwrap();
    let found = tokio::time::timeout(PATIENCE, async {
        loop {
            if let Some(found) = wallet.numbered(1).await.unwrap() {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    assert_eq!(found.await.unwrap().hash, other.hash);
    let record = purse.pay(&url).await.unwrap();
    assert_eq!(record.sequence_number(), Some(2));
    assert_eq!((shop.payments(), stage.received("CCD").await), (1, PRICE));
    let failed = purse.records().into_iter().find(|it| it.sequence_number() == Some(1)).unwrap();
    assert!(matches!(failed.state, State::Failed { .. }), "{failed:?}");
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_pays_what_is_sponsored_unless_it_is_told_not_to() {
    let stage = Stage::new().await;
    let shop = Shop::open(&stage, &["EURR"], 30).await;
    let (purse, _) = Purse::new(&stage, 0, 3 * PRICE).await;
    let (file, node, url) = (purse.file(), stage.chain.url(), shop.url("report"));
    let wallet = arg(&file);
    let pay = ["pay", &url, "--wallet", wallet, "--node", &node, "--max-amount", "5 EURR"];
    let refused = run(&[&pay[..], &["--way", "hash", "--json"]].concat()).await;
    assert_eq!(refused.code, 1, "{refused:?}");
    assert_eq!(refused.lines()[0]["code"], "no_offer_for_wallet", "{refused:?}");
    let paid = run(&[&pay[..], &["--way", "sponsored", "--json"]].concat()).await;
    assert_eq!(paid.code, 0, "{paid:?}");
    let result = paid.lines().remove(0);
    assert_eq!((&result["content"], &result["paid"]), (&json!(CONTENT), &json!(true)), "{result}");
    assert_eq!(result["transaction"], result["receipt"]["transaction"], "{result}");
    let steps = result["steps"].as_array().unwrap();
    assert_eq!((&steps[0]["fee"], &steps[0]["sponsor"]), (&json!("0"), &json!(stage.sponsor)));
    assert_eq!((&steps[1]["step"], steps[1]["digest"].is_string()), (&json!("recorded"), true));
    assert!(steps.iter().all(|step| step["step"] != "sent"), "{result}");
    assert_eq!(stage.received("EURR").await, PRICE);
    // Two runs at once, for two resources: neither waits for the other, nor signs its number.
    let urls = [shop.url("one"), shop.url("two")];
    let [one, two] = urls.each_ref().map(|url| {
        let pay = ["pay", url, "--wallet", wallet, "--node", &node, "--max-amount", "5 EURR"];
        async move { run(&pay).await }
    });
    let (one, two) = tokio::join!(one, two);
    assert_eq!((one.stdout.as_str(), two.stdout.as_str()), (CONTENT, CONTENT), "{one:?} {two:?}");
    assert!(one.stderr.contains("nothing for the chain"), "{}", one.stderr);
    assert_eq!((shop.payments(), stage.received("EURR").await), (3, 3 * PRICE));
    let wrong = run(&[&pay[..], &["--way", "cash"]].concat()).await;
    assert_eq!(wrong.code, 2, "{wrong:?}");
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_killed_while_its_payment_settles_pays_once() {
    let stage = Stage::new().await;
    let shop = Shop::open(&stage, &["EURR"], 1).await;
    let (purse, wallet) = Purse::new(&stage, 0, 3 * PRICE).await;
    let (node, url) = (stage.chain.url(), shop.url("report"));
    let file = purse.file();
    let pay = ["pay", &url, "--wallet", arg(&file), "--node", &node, "--max-amount", "5 EURR"];
    stage.chain.fault(FaultKind::DelayFinality);
    let mut payer = Process::spawn(&pay);
    payer.says("waiting").await;
    payer.kill().await;
    // An answer that is still on its way would be lost with the content.
    until(|| shop.told.lock().unwrap().len() == shop.presented.lock().unwrap().len()).await;
    stage.chain.clear_faults();
    let paid = run(&[&pay[..], &["--json"]].concat()).await;
    assert_eq!((paid.code, &paid.lines()[0]["content"]), (0, &json!(CONTENT)), "{paid:?}");
    assert_eq!(paid.lines()[0]["steps"][0]["step"], "resumed", "{paid:?}");
    assert_eq!((shop.payments(), stage.received("EURR").await), (1, PRICE));
    assert_eq!(held(&wallet).await.1, 2 * PRICE);
    stage.stop().await;
}
