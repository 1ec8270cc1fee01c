//! Signatures over the binding digest, against the keys on chain.

use ccd402_app::ports::chain::{Chain, SignatureCheck};
use ccd402_domain::account::AccountAddress;
use ccd402_protocol::{code::ReasonCode, payload::AccountSignatures};

use ccd402_simchain::IdentitySpec;

use crate::support::*;

#[tokio::test]
async fn only_the_payers_own_signatures_over_the_digest_hold() {
    let chain = chain().await;
    let port = port(&chain).await;
    let (payer, other) = (wallet(&chain).await, wallet(&chain).await);
    let signed = payer.sign_message(&digest(1));
    let unknown_key: AccountSignatures = [(0, [(200, signed[&0][&0].clone())].into())].into();
    let unknown_credential: AccountSignatures = [(9, signed[&0].clone())].into();
    let damaged: AccountSignatures = [(0, [(0, "00".repeat(64))].into())].into();
    let one_too_many: AccountSignatures =
        [(0, [(0, signed[&0][&0].clone()), (1, "00".repeat(64))].into())].into();
    let short: AccountSignatures = [(0, [(0, "00".to_owned())].into())].into();
    let nobody = AccountAddress::from_bytes([5; 32]);
    let rows = [
        ("as it should be", signed.clone(), 1, payer.address(), true),
        ("other digest", signed.clone(), 2, payer.address(), false),
        ("other account", signed.clone(), 1, other.address(), false),
        ("no account", signed.clone(), 1, nobody, false),
        ("signed by another", other.sign_message(&digest(1)), 1, payer.address(), false),
        ("nothing signed", AccountSignatures::new(), 1, payer.address(), false),
        ("unknown key", unknown_key, 1, payer.address(), false),
        ("unknown credential", unknown_credential, 1, payer.address(), false),
        ("damaged", damaged, 1, payer.address(), false),
        ("one good, one unknown", one_too_many, 1, payer.address(), false),
        ("too short", short, 1, payer.address(), false),
    ];
    for (row, signatures, number, payer, holds) in rows {
        let check = SignatureCheck { signatures, digest: digest(number), payer };
        let checked = port.check_signature(check).await.unwrap();
        let code = checked.map_err(|rejection| rejection.code);
        let expected = if holds { Ok(()) } else { Err(ReasonCode::PaymentNotBound) };
        assert_eq!(code, expected, "{row}");
    }
}

#[tokio::test]
async fn fewer_signatures_than_the_threshold_do_not_hold() {
    let chain = chain().await;
    let port = port(&chain).await;
    let payer =
        wallet_of(&chain, IdentitySpec { keys: 3, threshold: 2, ..Default::default() }).await;
    let enough = payer.sign_message(&digest(1));
    assert_eq!(enough[&0].len(), 2);
    let mut too_few = enough.clone();
    too_few.get_mut(&0).unwrap().pop_last();
    for (signatures, holds) in [(enough, true), (too_few, false)] {
        let check = SignatureCheck { signatures, digest: digest(1), payer: payer.address() };
        assert_eq!(port.check_signature(check).await.unwrap().is_ok(), holds);
    }
}
