//! Tests of the wallet file. What its proofs are worth is tested against the simulated chain.

use std::os::unix::fs::PermissionsExt;

use concordium_rust_sdk::base::{curve_arithmetic::Curve, id::types::AccountKeys};

use super::*;

const NETWORK: &str = "ccd:0123456789abcdef0123456789abcdef";

fn wallet() -> WalletFile {
    let mut rng = rand::thread_rng();
    let attributes = [(3u8, "19900203"), (5, "DK")].map(|(tag, text)| {
        let value = AttributeKind::try_new(text.to_owned()).unwrap();
        (AttributeTag(tag), (value, Randomness::generate(&mut rng)))
    });
    let registration_id = CredentialRegistrationID::new(ArCurve::generate(&mut rng));
    let credential = Credential::new(registration_id, IpIdentity(0), attributes.into());
    let keys = AccountKeys::singleton(&mut rng);
    WalletFile::new(NETWORK.to_owned(), AccountAddress([7; 32]), keys, Some(credential))
}

fn json(wallet: &WalletFile) -> serde_json::Value {
    serde_json::to_value(wallet).unwrap()
}

#[test]
fn written_wallet_reads_back_the_same_and_only_its_owner_may_read_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("payer.json");
    let wallet = wallet();
    wallet.write(&path).unwrap();
    assert_eq!(json(&WalletFile::read(&path).unwrap()), json(&wallet));
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(matches!(wallet.write(&path), Err(Error::Exists(_))));
}

#[test]
fn proof_inputs_hold_every_attribute_with_its_randomness() {
    let ProofInputs::Account { values, randomness, .. } =
        wallet().credential.unwrap().proof_inputs().unwrap()
    else {
        panic!("inputs of an account credential");
    };
    assert_eq!(values.len(), 2);
    assert!(values.keys().eq(randomness.keys()));
}

#[test]
fn debug_shows_no_secret_and_no_attribute() {
    let wallet = wallet();
    let shown = format!("{wallet:?}");
    let json = json(&wallet).to_string();
    for secret in json.split('"').filter(|s| s.len() == 64) {
        assert!(!shown.contains(secret), "{secret} is shown");
    }
    assert!(json.contains("19900203") && !shown.contains("19900203"));
}

#[test]
fn browser_wallet_export_pays_and_proves_nothing() {
    let ours = json(&wallet());
    let export = serde_json::json!({
        "type": "concordium-browser-wallet-account", "v": 0, "environment": "testnet",
        "value": {
            "accountKeys": ours["accountKeys"], "credentials": {"0": "ab"},
            "address": ours["address"],
        },
    });
    let wallet = WalletFile::parse(&export.to_string()).unwrap();
    assert_eq!(wallet.network, "ccd:4221332d34e1694168c2a0c0b3fd0f27");
    assert_eq!(json(&wallet)["accountKeys"], ours["accountKeys"]);
    assert!(wallet.credential.is_none());
}

#[test]
fn damaged_wallets_are_refused_without_quoting_them() {
    type Damage = fn(&mut serde_json::Value);
    let damaged: [(&str, Damage); 5] = [
        ("version 2", |w| w["version"] = 2.into()),
        ("network", |w| w["network"] = "ccd:ABC".into()),
        ("malformed", |w| w["accountKeys"] = "SECRET".into()),
        ("malformed", |w| w["credential"]["randomness"]["dob"] = "SECRET".into()),
        ("different tags", |w| w["credential"]["attributes"]["sex"] = "1".into()),
    ];
    for (expected, damage) in damaged {
        let mut value = json(&wallet());
        damage(&mut value);
        let reason = WalletFile::parse(&value.to_string()).unwrap_err();
        assert!(reason.contains(expected) && !reason.contains("SECRET"), "{reason}");
    }
}

#[test]
fn a_file_too_long_is_not_read_to_its_end() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("long.json");
    fs::write(&path, vec![b' '; FILE_BYTES_MAX as usize + 1]).unwrap();
    assert!(matches!(WalletFile::read(&path), Err(Error::TooLong(_))));
}
