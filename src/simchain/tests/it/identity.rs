//! Presentations made with an issued wallet alone verify against what the chain serves.

use std::marker::PhantomData;

use ccd402_chain::wallet::WalletFile;
use ccd402_simchain::{Funds, IdentitySpec};
use concordium_rust_sdk::{
    base::{
        cis4_types::CredentialStatus,
        id::{
            constants::{ArCurve, AttributeKind},
            id_proof_types::{AtomicStatement, AttributeInRangeStatement},
            types::{AttributeTag, GlobalContext},
        },
        web3id::{
            Challenge, CommitmentInputs, CredentialStatement, Presentation, Request,
            Web3IdAttribute, did::Network,
        },
    },
    v2::BlockIdentifier,
    web3id::get_public_data,
};

use crate::support::TestChain;

/// Born before the end of 2007.
fn request(wallet: &WalletFile) -> Request<ArCurve, Web3IdAttribute> {
    let date =
        |text: &str| Web3IdAttribute::String(AttributeKind::try_new(text.to_owned()).unwrap());
    let statement = AttributeInRangeStatement {
        attribute_tag: AttributeTag(3),
        lower: date("18000101"),
        upper: date("20080101"),
        _phantom: PhantomData,
    };
    Request {
        challenge: Challenge::new([7; 32]),
        credential_statements: vec![CredentialStatement::Account {
            network: Network::Testnet,
            cred_id: wallet.credential.as_ref().unwrap().registration_id,
            statement: vec![AtomicStatement::AttributeInRange { statement }],
        }],
    }
}

fn prove(
    wallet: &WalletFile,
    global: &GlobalContext<ArCurve>,
) -> Presentation<ArCurve, Web3IdAttribute> {
    let inputs = wallet.credential.as_ref().unwrap().proof_inputs().unwrap();
    request(wallet).prove(global, std::iter::once(CommitmentInputs::from(&inputs))).unwrap()
}

#[tokio::test]
async fn presentation_of_an_issued_wallet_verifies_against_the_chain() {
    let mut chain = TestChain::start().await;
    let wallet = chain.wallet(1).await;
    // What a payer has: the file.
    let wallet: WalletFile =
        serde_json::from_str(&serde_json::to_string(&wallet).unwrap()).unwrap();
    let at = BlockIdentifier::LastFinal;
    let global = chain.client.get_cryptographic_parameters(at).await.unwrap().response;
    let presentation = prove(&wallet, &global);
    let public =
        get_public_data(&mut chain.client, Network::Testnet, &presentation, at).await.unwrap();
    assert!(public.iter().all(|data| data.status == CredentialStatus::Active));
    let verified = presentation.verify(&global, public.iter().map(|data| &data.inputs)).unwrap();
    assert_eq!(verified, request(&wallet));
}

#[tokio::test]
async fn presentation_does_not_verify_against_another_account() {
    let mut chain = TestChain::start().await;
    let wallet = chain.wallet(1).await;
    let mut other = chain.wallet(1).await;
    // A proof over one's own commitments that claims to be about somebody else's credential.
    let at = BlockIdentifier::LastFinal;
    let global = chain.client.get_cryptographic_parameters(at).await.unwrap().response;
    let registration_id = wallet.credential.as_ref().unwrap().registration_id;
    other.credential.as_mut().unwrap().registration_id = registration_id;
    let presentation = prove(&other, &global);
    let public =
        get_public_data(&mut chain.client, Network::Testnet, &presentation, at).await.unwrap();
    assert!(presentation.verify(&global, public.iter().map(|data| &data.inputs)).is_err());
}

#[tokio::test]
async fn statement_that_does_not_hold_cannot_be_proven() {
    let mut chain = TestChain::start().await;
    let child = IdentitySpec::default().with("dob", "20150101");
    let wallet = chain.handle.issue(child, Funds::default()).await.unwrap();
    let at = BlockIdentifier::LastFinal;
    let global = chain.client.get_cryptographic_parameters(at).await.unwrap().response;
    let inputs = wallet.credential.as_ref().unwrap().proof_inputs().unwrap();
    let inputs = std::iter::once(CommitmentInputs::from(&inputs));
    if let Ok(presentation) = request(&wallet).prove(&global, inputs) {
        let client = &mut chain.client;
        let public = get_public_data(client, Network::Testnet, &presentation, at).await.unwrap();
        assert!(presentation.verify(&global, public.iter().map(|data| &data.inputs)).is_err());
    }
}

#[tokio::test]
async fn impossible_identities_are_declined() {
    let chain = TestChain::start().await;
    let declined = [
        IdentitySpec::default().with("shoeSize", "44"),
        IdentitySpec::default().with("lastName", &"x".repeat(32)),
        IdentitySpec { keys: 1, threshold: 2, ..IdentitySpec::default() },
        IdentitySpec { keys: 0, threshold: 0, ..IdentitySpec::default() },
    ];
    for spec in declined {
        assert!(chain.handle.issue(spec, Funds::default()).await.is_err());
    }
    let too_much = Funds { micro_ccd: u64::MAX, ..Funds::default() };
    assert!(chain.handle.issue(IdentitySpec::default(), too_much).await.is_err());
    let unknown = Funds::default().token("NOPE", 1);
    assert!(chain.handle.issue(IdentitySpec::default(), unknown).await.is_err());
}
