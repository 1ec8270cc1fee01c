//! A chain on a driven clock, a client of it, and what most tests do with them.

use std::time::{Duration, SystemTime};

use ccd402_chain::wallet::WalletFile;
use ccd402_simchain::{Clock, DrivenClock, Funds, Handle, IdentitySpec, Options, SimChain};
use concordium_rust_sdk::{
    base::{
        contracts_common::{AccountAddress, Amount},
        transactions::{AccountTransactionV1, BlockItem, EncodedPayload, Memo, construct},
    },
    common::types::TransactionTime,
    types::{
        AccountTransactionDetails, AccountTransactionEffects, BlockItemSummaryDetails, Nonce,
        TransactionStatus, hashes::TransactionHash,
    },
    v2,
};

/// Blocks are made by the test and are final at once.
pub(crate) struct TestChain {
    pub(crate) handle: Handle,
    pub(crate) client: v2::Client,
    pub(crate) clock: DrivenClock,
}

impl TestChain {
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    pub(crate) async fn start_with(change: impl FnOnce(&mut Options)) -> Self {
        let clock = DrivenClock::new(SystemTime::now());
        let mut options = Options {
            block_time: Duration::ZERO,
            finality_delay: Duration::ZERO,
            clock: Clock::Driven(clock.clone()),
            ..Options::default()
        };
        change(&mut options);
        let handle = SimChain::start(options).await.unwrap();
        let client = connect(&handle.url()).await;
        Self { handle, client, clock }
    }

    pub(crate) async fn wallet(&self, ccd: u32) -> WalletFile {
        self.handle.issue(IdentitySpec::default(), Funds::ccd(ccd)).await.unwrap()
    }

    pub(crate) async fn next(&mut self, wallet: &WalletFile) -> Nonce {
        self.client.get_next_account_sequence_number(&wallet.address).await.unwrap().nonce
    }

    pub(crate) async fn balance(&mut self, address: &AccountAddress) -> u64 {
        let info = self
            .client
            .get_account_info(&(*address).into(), v2::BlockIdentifier::LastFinal)
            .await
            .unwrap();
        info.response.account_amount.micro_ccd
    }

    /// A transfer of microCCD with a memo, that expires in ten minutes of the chain.
    pub(crate) async fn transfer(
        &mut self,
        from: &WalletFile,
        to: AccountAddress,
        micro_ccd: u64,
    ) -> BlockItem<EncodedPayload> {
        let nonce = self.next(from).await;
        let memo = Memo::try_from(vec![0x42, 1, 2]).unwrap();
        let amount = Amount::from_micro_ccd(micro_ccd);
        let keys = &from.account_keys;
        construct::transfer_with_memo(1, from.address, nonce, self.expiry(), to, amount, memo)
            .sign(keys)
            .into()
    }

    /// A transfer of microCCD from the first wallet, paid for by the second.
    pub(crate) async fn sponsored(
        &mut self,
        [sender, sponsor]: [&WalletFile; 2],
        to: AccountAddress,
        micro_ccd: u64,
    ) -> AccountTransactionV1<EncodedPayload> {
        let (nonce, expiry) = (self.next(sender).await, self.expiry());
        let amount = Amount::from_micro_ccd(micro_ccd);
        construct::transfer(1, sender.address, nonce, expiry, to, amount)
            .extend()
            .add_sponsor(sponsor.address, 1)
            .unwrap()
            .sign(&sender.account_keys)
            .sponsor(&sponsor.account_keys)
            .unwrap()
            .finalize()
            .unwrap()
    }

    pub(crate) fn expiry(&self) -> TransactionTime {
        let now = self.clock.now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        TransactionTime { seconds: now.as_secs() + 600 }
    }

    /// Sends, makes a block and gives what the item did.
    pub(crate) async fn run(
        &mut self,
        item: &BlockItem<EncodedPayload>,
    ) -> AccountTransactionDetails {
        let hash = self.client.send_block_item(item).await.unwrap();
        assert_eq!(hash, item.hash());
        self.handle.bake().unwrap();
        self.details(&hash).await
    }

    pub(crate) async fn details(&mut self, hash: &TransactionHash) -> AccountTransactionDetails {
        let status = self.client.get_block_item_status(hash).await.unwrap();
        let TransactionStatus::Finalized(outcomes) = status else { panic!("{status:?}") };
        let summary = outcomes.into_values().next().unwrap();
        match summary.details.known_or_err().unwrap() {
            BlockItemSummaryDetails::AccountTransaction(details) => details,
            other => panic!("{other:?}"),
        }
    }

    /// The error text with which the chain refuses an item.
    pub(crate) async fn refusal(&mut self, item: &BlockItem<EncodedPayload>) -> tonic::Status {
        match self.client.send_block_item(item).await.unwrap_err() {
            concordium_rust_sdk::endpoints::RPCError::CallError(status) => status,
            other => panic!("{other}"),
        }
    }
}

pub(crate) fn effects(details: AccountTransactionDetails) -> AccountTransactionEffects {
    details.effects.known_or_err().unwrap()
}

pub(crate) async fn connect(url: &str) -> v2::Client {
    let endpoint = v2::Endpoint::from_shared(url.to_owned()).unwrap();
    v2::Client::new(endpoint).await.unwrap()
}
