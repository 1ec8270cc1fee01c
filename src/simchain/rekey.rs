//! New keys for an account that somebody has the wallet of.

use std::{collections::BTreeMap, sync::Arc};

use ccd402_chain::wallet::WalletFile;
use concordium_rust_sdk::{
    base::{
        base::{CredentialRegistrationID, Nonce},
        contracts_common::{AccountThreshold, SignatureThreshold},
        id::types::{AccountKeys, CredentialData, CredentialPublicKeys},
        transactions::{BlockItem, send},
    },
    common::types::{CredentialIndex, KeyIndex, KeyPair, TransactionTime},
    types::hashes::TransactionHash,
};

use crate::{Error, item::Item, node::Node};

/// Seconds that the transaction is valid.
const VALID_S: u64 = 3_600;

/// Has the account replace its keys by one new one; the wallet with that key. It signs once the
/// transaction is in a block.
pub(crate) fn rekey(
    node: &Node,
    wallet: &WalletFile,
) -> Result<(WalletFile, TransactionHash), Error> {
    let (nonce, credential) = {
        let chain = node.chain();
        let account = chain.find_account(&wallet.address);
        let account = account.ok_or_else(|| Error::Issue("there is no such account".to_owned()))?;
        (chain.next_sequence(account), *chain.ledger.account(account).credential.cred_id())
    };
    let pair = KeyPair::generate(&mut node.genesis.rng("rekey", nonce));
    let threshold = SignatureThreshold::ONE;
    let public = BTreeMap::from([(KeyIndex(0), (&pair).into())]);
    let public = CredentialPublicKeys { keys: public, threshold };
    let sent = send::update_credential_keys(
        &*wallet.account_keys,
        wallet.address,
        Nonce { nonce },
        TransactionTime { seconds: node.clock.now_ms() / 1000 + VALID_S },
        1,
        CredentialRegistrationID::new(credential),
        public,
    );
    let hash = node
        .submit(Item::new(BlockItem::AccountTransaction(sent)))
        .map_err(|refusal| Error::Issue(refusal.to_string()))?;
    let data = CredentialData { keys: BTreeMap::from([(KeyIndex(0), pair)]), threshold };
    let account_keys = Arc::new(AccountKeys {
        keys: BTreeMap::from([(CredentialIndex { index: 0 }, data)]),
        threshold: AccountThreshold::ONE,
    });
    let mut rekeyed = wallet.clone();
    rekeyed.account_keys = account_keys;
    Ok((rekeyed, hash))
}
