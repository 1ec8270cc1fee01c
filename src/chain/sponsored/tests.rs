//! The codec against what the TypeScript SDK writes, byte for byte; no chain is asked.

mod format;

use ccd402_domain::{
    account::AccountAddress,
    asset::Asset,
    sponsored::{energy, rules::SenderSignature, transaction::Operation},
};
use ccd402_protocol::sponsored::{SignedTransaction, TransactionPayload};
use concordium_rust_sdk::base::{
    id::types::AccountKeys,
    transactions::{AccountAccessStructure, cost},
};
use serde_json::Value;

use super::*;
use crate::{account::Account, codec, wallet::WalletFile};

/// What the TypeScript SDK writes; `npm run golden` in its folder makes it anew.
const GOLDEN: &str = include_str!("../../../tests/conformance/websdk/sponsored.golden.json");
const NETWORK: &str = "ccd:4221332d34e1694168c2a0c0b3fd0f27";

fn golden() -> Value {
    serde_json::from_str(GOLDEN).unwrap()
}

fn examples() -> Vec<Value> {
    golden()["examples"].as_array().unwrap().clone()
}

fn account(byte: u8) -> AccountAddress {
    AccountAddress::from_bytes([byte; 32])
}

fn keys(json: &Value) -> AccountKeys {
    serde_json::from_value(json.clone()).unwrap()
}

fn sender_of(example: &Value) -> Account {
    let keys = AccountAccessStructure::from(&keys(&example["senderKeys"]));
    Account::with_keys(account(1), keys)
}

fn sponsor_wallet() -> WalletFile {
    let keys = keys(&golden()["sponsorKeys"]);
    WalletFile::new(NETWORK.to_owned(), codec::sdk_address(&account(3)), keys, None)
}

fn sponsor() -> Sponsor {
    Sponsor::open(&sponsor_wallet(), &NETWORK.parse().unwrap()).unwrap()
}

fn sponsor_account() -> Account {
    let keys = AccountAccessStructure::from(&keys(&golden()["sponsorKeys"]));
    Account::with_keys(account(3), keys)
}

fn wire(example: &Value) -> SignedTransaction {
    SignedTransaction::decode(&example["payload"]).unwrap()
}

fn text<'a>(example: &'a Value, field: &str) -> &'a str {
    example[field].as_str().unwrap()
}

/// The transaction signed by three keys, of which each is needed, with one thing changed.
fn changed(change: impl FnOnce(&mut SignedTransaction)) -> (Signable, Account) {
    let example = examples().remove(4);
    let mut wire = wire(&example);
    change(&mut wire);
    (Signable::read(&wire).unwrap(), sender_of(&example))
}

#[test]
fn bytes_digest_energy_and_hash_are_those_of_the_sdk() {
    for example in examples() {
        let name = text(&example, "name");
        let signable = Signable::read(&wire(&example)).unwrap();
        let transaction = signable.transaction();
        assert_eq!(transaction.digest.to_string(), text(&example, "digest"), "{name}");
        assert_eq!(transaction.energy.total(), example["energy"].as_u64(), "{name}");
        let sender = sender_of(&example);
        assert_eq!(signable.signature(Some(&sender)), SenderSignature::Holds, "{name}");
        let signed = sponsor().sign(&signable, &sender).unwrap();
        assert_eq!(hex::encode(&signed.bytes), text(&example, "blockItem"), "{name}");
        assert_eq!(signed.hash.to_string(), text(&example, "hash"), "{name}");
        assert!(is_signed_by_both(&signed.bytes, &sender, &sponsor_account()), "{name}");
        let item = codec::block_item(&signed.bytes).unwrap();
        assert_eq!(codec::transaction_hash(&item.hash()), signed.hash, "{name}");
    }
}

#[test]
fn what_it_says_is_read() {
    let read = |at: usize| {
        let signable = Signable::read(&wire(&examples()[at])).unwrap();
        signable.transaction().clone()
    };
    for (at, memo) in [(0, None), (1, Some(vec![0x42, 1, 2]))] {
        let transaction = read(at);
        assert_eq!((transaction.sender, transaction.sponsor), (account(1), account(3)));
        assert_eq!((transaction.sequence_number, transaction.expires_at_s), (42, 1_800_000_000));
        assert_eq!((transaction.asset, transaction.signatures), (Asset::Ccd, 1));
        let [Operation::Transfer(transfer)] = &transaction.operations[..] else { panic!("{at}") };
        assert_eq!((transfer.to, transfer.amount.units()), (account(2), 1_000_000));
        assert_eq!((transfer.decimals, &transfer.memo), (None, &memo));
    }
    // CBOR of the text "paid".
    for (at, memo) in [(2, None), (3, Some(vec![0x64, b'p', b'a', b'i', b'd']))] {
        let transaction = read(at);
        assert_eq!(transaction.asset, Asset::Token("EURR".to_owned()));
        let [Operation::Transfer(transfer)] = &transaction.operations[..] else { panic!("{at}") };
        assert_eq!((transfer.to, transfer.amount.units()), (account(2), 5_000_000));
        assert_eq!((transfer.decimals, &transfer.memo), (Some(6), &memo));
    }
    assert_eq!(read(4).signatures, 3);
}

#[test]
fn costs_are_those_of_the_sdk() {
    assert_eq!(energy::CCD_TRANSFER, cost::SIMPLE_TRANSFER.energy);
    assert_eq!(energy::TOKEN_UPDATE, cost::PLT_OPERATIONS_TRANSACTIONS.energy);
    assert_eq!(energy::TOKEN_TRANSFER, cost::PLT_TRANSFER.energy);
}

#[test]
fn energy_that_is_not_stated_is_what_the_payload_costs() {
    for example in examples() {
        let mut silent = wire(&example);
        silent.header.execution_energy_amount = None;
        let signable = Signable::read(&silent).unwrap();
        assert_eq!(signable.transaction().digest.to_string(), text(&example, "digest"));
    }
}

#[test]
fn whatever_is_changed_the_signatures_hold_no_more() {
    type Change = fn(&mut SignedTransaction);
    let rows: [(&str, Change); 13] = [
        ("sender", |wire| wire.header.sender = account(7).to_string()),
        ("nonce", |wire| wire.header.nonce += 1),
        ("expiry", |wire| wire.header.expiry += 1),
        ("execution", |wire| wire.header.execution_energy_amount = Some(301)),
        ("signatures stated", |wire| wire.header.num_signatures += 1),
        ("sponsor", |wire| wire.header.sponsor.account = account(7).to_string()),
        ("signatures of the sponsor", |wire| wire.header.sponsor.num_signatures += 1),
        ("recipient and amount", |wire| {
            wire.payload =
                TransactionPayload::Transfer { to_address: account(7).to_string(), amount: 1 };
        }),
        ("a memo", |wire| {
            wire.payload = TransactionPayload::TransferWithMemo {
                to_address: account(2).to_string(),
                memo: "00".to_owned(),
                amount: 1_000_000,
            };
        }),
        ("a key's signature at another key", |wire| {
            let keys = wire.signatures.sender.get_mut(&0).unwrap();
            let other = keys[&0].clone();
            keys.insert(1, other);
        }),
        ("a signature of a key that is not there", |wire| {
            let keys = wire.signatures.sender.get_mut(&0).unwrap();
            keys.insert(2, "00".repeat(64));
        }),
        ("under the credential's threshold", |wire| {
            wire.signatures.sender.get_mut(&0).unwrap().pop_last();
        }),
        ("under the account's threshold", |wire| drop(wire.signatures.sender.remove(&1))),
    ];
    let (whole, sender) = changed(|_| {});
    assert_eq!(whole.signature(Some(&sender)), SenderSignature::Holds);
    assert_eq!(whole.signature(None), SenderSignature::NoAccount);
    for (name, change) in rows {
        let (signable, sender) = changed(change);
        assert_eq!(signable.signature(Some(&sender)), SenderSignature::DoesNotHold, "{name}");
        assert!(sponsor().sign(&signable, &sender).is_err(), "{name}");
    }
}

#[test]
fn signatures_of_the_right_keys_for_another_account_do_not_hold() {
    let example = examples().remove(0);
    let keys = AccountAccessStructure::from(&keys(&example["senderKeys"]));
    let other = Account::with_keys(account(9), keys);
    let signable = Signable::read(&wire(&example)).unwrap();
    assert_eq!(signable.signature(Some(&other)), SenderSignature::DoesNotHold);
}

#[test]
fn both_must_have_signed_what_is_finished() {
    let example = examples().remove(0);
    let (sender, ours) = (sender_of(&example), sponsor_account());
    let whole = hex::decode(text(&example, "blockItem")).unwrap();
    // Kind; the sender's signatures: a credential, a key, 64 bytes; then as much of the sponsor's.
    let length = 1 + 1 + 1 + 1 + 2 + 64;
    let unsigned = [&whole[..1 + length], &[0], &whole[1 + 2 * length..]].concat();
    assert!(codec::block_item(&unsigned).is_some(), "it is a transaction all the same");
    let swapped = [&whole[..1 + length], &whole[1..1 + length], &whole[1 + 2 * length..]].concat();
    let mut damaged = whole.clone();
    *damaged.last_mut().unwrap() ^= 1;
    assert!(is_signed_by_both(&whole, &sender, &ours));
    for bytes in [&unsigned, &swapped, &damaged, &whole[1..].to_vec(), &Vec::new()] {
        assert!(!is_signed_by_both(bytes, &sender, &ours));
    }
    assert!(!is_signed_by_both(&whole, &ours, &sender));
    assert!(!is_signed_by_both(&whole, &sender, &sender));
}

#[test]
fn a_sponsor_signs_only_what_names_it_and_has_energy_for_it() {
    let example = examples().remove(0);
    let (signable, sender) = (Signable::read(&wire(&example)).unwrap(), sender_of(&example));
    let others = WalletFile::new(
        NETWORK.to_owned(),
        codec::sdk_address(&account(4)),
        keys(&golden()["sponsorKeys"]),
        None,
    );
    let others = Sponsor::open(&others, &NETWORK.parse().unwrap()).unwrap();
    assert_eq!(others.sign(&signable, &sender), Err(Error::OtherSponsor(account(4))));
    // An account of ours that needs more signatures than the transaction has energy for.
    let several = WalletFile::new(
        NETWORK.to_owned(),
        codec::sdk_address(&account(3)),
        keys(&examples()[4]["senderKeys"]),
        None,
    );
    let several = Sponsor::open(&several, &NETWORK.parse().unwrap()).unwrap();
    assert_eq!(several.described().signatures, 3);
    let refused = several.sign(&signable, &sender);
    assert_eq!(refused, Err(Error::TooFewStated { stated: 1, signs: 3 }));
    assert!(!several.signs_for(&sponsor_account()) && sponsor().signs_for(&sponsor_account()));
    assert!(!others.signs_for(&sponsor_account()), "another account with the same keys");
    let elsewhere = Sponsor::open(&sponsor_wallet(), &NETWORK.replace('4', "5").parse().unwrap());
    assert!(matches!(elsewhere, Err(Error::OtherNetwork { .. })));
}

#[test]
fn debug_shows_no_key() {
    let shown = format!("{:?}", sponsor());
    assert!(shown.contains(account(3).as_str()) && !shown.contains("1515"), "{shown}");
}
