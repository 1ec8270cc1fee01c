//! Presentations: one row for each reason to refuse one, with real proofs.

use std::{
    num::NonZeroUsize,
    time::{Duration, SystemTime},
};

use ccd402_app::ports::chain::{Chain, ChainError, PresentationCheck};
use ccd402_chain::{concordium, concordium::Concordium, payer, payer::Wallet, processors};
use ccd402_domain::{account::AccountAddress, ids::Digest, verification::event::Proven};
use ccd402_protocol::{
    code::ReasonCode::{self, *},
    identity::{AtomicStatement, IdentityRequirement},
};
use ccd402_simchain::{Clock, DrivenClock, IdentitySpec, Options, SimChain};
use serde_json::Value;

use crate::support::*;

/// Longer than any credential is valid.
const LIFETIME: Duration = Duration::from_secs(40 * 365 * 86_400);

fn check(
    presentation: &str,
    required: Option<IdentityRequirement>,
    challenge: Digest,
    payer: AccountAddress,
) -> PresentationCheck {
    PresentationCheck { presentation: presentation.to_owned(), required, challenge, payer }
}

async fn outcome(port: &Concordium, check: PresentationCheck) -> Result<Proven, ReasonCode> {
    port.check_presentation(check).await.unwrap().map_err(|rejection| rejection.code)
}

/// The presentation with one part of its JSON changed.
fn changed(presentation: &str, change: impl FnOnce(&mut Value)) -> String {
    let mut value = serde_json::from_str(presentation).unwrap();
    change(&mut value);
    value.to_string()
}

fn subject(presentation: &mut Value) -> &mut Value {
    &mut presentation["verifiableCredential"][0]["credentialSubject"]
}

#[tokio::test]
async fn each_reason_to_refuse_a_presentation_is_told() {
    let chain = chain().await;
    let port = port(&chain).await;
    let (payer, other) = (wallet(&chain).await, wallet(&chain).await);
    let adult = born_before("20080101");
    let proof = payer.prove(&adult, &digest(1)).await.unwrap();
    let only_issuer = |issuer| IdentityRequirement { issuers: Some(vec![issuer]), ..adult.clone() };

    let other_proof = other.prove(&adult, &digest(1)).await.unwrap();
    let other_proof: Value = serde_json::from_str(&other_proof).unwrap();
    let moved = changed(&proof, |p| p["presentationContext"] = digest(2).to_string().into());
    let borrowed = changed(&proof, |p| {
        let theirs = &other_proof["verifiableCredential"][0]["credentialSubject"];
        subject(p)["proof"] = theirs["proof"].clone();
    });
    let doubled = changed(&proof, |p| {
        let credentials = p["verifiableCredential"].as_array_mut().unwrap();
        credentials.push(credentials[0].clone());
    });
    let without = changed(&proof, |p| p["verifiableCredential"] = Value::Array(Vec::new()));
    let empty = changed(&proof, |p| {
        subject(p)["statement"] = Value::Array(Vec::new());
        subject(p)["proof"]["proofValue"] = Value::Array(Vec::new());
    });
    let stricter = changed(&proof, |p| subject(p)["statement"][0]["upper"] = "19600101".into());
    let issued_elsewhere = changed(&proof, |p| {
        p["verifiableCredential"][0]["issuer"] = "did:ccd:testnet:idp:77".into();
    });
    let on_mainnet = proof.replace("did:ccd:testnet", "did:ccd:mainnet");
    let long = format!("{proof}{}", " ".repeat(64 * 1024));

    let wanted = || Some(adult.clone());
    let own = payer.address();
    let rows = [
        (
            "other statement",
            &proof,
            Some(born_before("20070101")),
            1,
            own,
            IdentityStatementMismatch,
        ),
        ("two credentials", &doubled, wanted(), 1, own, IdentityStatementMismatch),
        ("no credential", &without, wanted(), 1, own, IdentityStatementMismatch),
        ("nothing proven", &empty, None, 1, own, IdentityStatementMismatch),
        ("other challenge", &proof, wanted(), 2, own, IdentityChallengeMismatch),
        ("other payer", &proof, wanted(), 1, other.address(), IdentityCredentialNotPayer),
        ("other payer, binding", &proof, None, 1, other.address(), IdentityCredentialNotPayer),
        ("other network", &on_mainnet, wanted(), 1, own, IdentityCredentialNotPayer),
        ("issuer not accepted", &proof, Some(only_issuer(77)), 1, own, IdentityIssuerNotAccepted),
        (
            "false issuer",
            &issued_elsewhere,
            Some(only_issuer(77)),
            1,
            own,
            IdentityIssuerNotAccepted,
        ),
        ("moved to a challenge", &moved, wanted(), 2, own, IdentityProofInvalid),
        ("moved, binding", &moved, None, 2, own, IdentityProofInvalid),
        ("proof of another", &borrowed, wanted(), 1, own, IdentityProofInvalid),
        (
            "stricter than proven",
            &stricter,
            Some(born_before("19600101")),
            1,
            own,
            IdentityProofInvalid,
        ),
        ("too long", &long, wanted(), 1, own, IdentityProofInvalid),
        ("no JSON", &"{".to_owned(), wanted(), 1, own, IdentityProofInvalid),
    ];
    for (row, presentation, required, challenge, payer, code) in rows {
        let check = check(presentation, required, digest(challenge), payer);
        assert_eq!(outcome(&port, check).await, Err(code), "{row}");
    }
}

#[tokio::test]
async fn a_presentation_that_holds_is_proven_for_every_alias_of_the_payer() {
    let chain = chain().await;
    let port = port(&chain).await;
    let payer = wallet(&chain).await;
    let adult = born_before("20080101");
    let proof = payer.prove(&adult, &digest(1)).await.unwrap();
    let mut alias = *payer.address().as_bytes();
    alias[31] ^= 1;
    for required in [Some(adult), None] {
        for payer in [payer.address(), AccountAddress::from_bytes(alias)] {
            let check = check(&proof, required.clone(), digest(1), payer);
            let proven = outcome(&port, check).await.unwrap();
            assert_eq!(proven.revealed, None);
        }
    }
}

#[tokio::test]
async fn what_is_revealed_is_kept_as_a_hash_that_the_presentation_salts() {
    let chain = chain().await;
    let port = port(&chain).await;
    let payer = wallet(&chain).await;
    let reveal =
        required(AtomicStatement::RevealAttribute { attribute_tag: "nationality".to_owned() });
    let mut hashes = Vec::new();
    for number in [1, 2] {
        let proof = payer.prove(&reveal, &digest(number)).await.unwrap();
        let check = check(&proof, Some(reveal.clone()), digest(number), payer.address());
        hashes.push(outcome(&port, check).await.unwrap().revealed.unwrap());
    }
    assert_ne!(hashes[0], hashes[1]);
}

#[tokio::test]
async fn an_expired_credential_is_inactive() {
    let clock = DrivenClock::new(SystemTime::now());
    let options = Options {
        block_time: Duration::ZERO,
        finality_delay: Duration::ZERO,
        clock: Clock::Driven(clock.clone()),
        ..Options::default()
    };
    let chain = SimChain::start(options).await.unwrap();
    let payer = wallet(&chain).await;
    let adult = born_before("20080101");
    let proof = payer.prove(&adult, &digest(1)).await.unwrap();
    let check = check(&proof, Some(adult), digest(1), payer.address());
    assert!(outcome(&port(&chain).await, check.clone()).await.is_ok());
    clock.advance(LIFETIME);
    chain.bake().unwrap();
    let later = port(&chain).await;
    assert_eq!(outcome(&later, check).await, Err(IdentityCredentialInactive));
}

#[tokio::test]
async fn more_proofs_than_may_wait_are_told_to_come_back() {
    let chain = chain().await;
    let payer = wallet(&chain).await;
    let adult = born_before("20080101");
    let proof = payer.prove(&adult, &digest(1)).await.unwrap();
    let options = concordium::Options {
        processors: processors::Options { running_max: NonZeroUsize::MIN, waiting_max: 0 },
        ..Default::default()
    };
    let port = Concordium::new(nodes(&chain).await, options);
    let check = check(&proof, Some(adult), digest(1), payer.address());
    // The first warms what is asked of the node, so that the others meet at the processor.
    assert!(outcome(&port, check.clone()).await.is_ok());
    let many = [(); 16].map(|()| port.check_presentation(check.clone()));
    let many = futures::future::join_all(many).await;
    assert!(many.iter().any(|result| matches!(result, Ok(Ok(_)))), "{many:?}");
    assert!(many.contains(&Err(ChainError::Busy)), "{many:?}");
}

async fn why(wallet: &Wallet, required: &IdentityRequirement) -> String {
    match wallet.prove(required, &digest(1)).await {
        Err(payer::Error::CannotProve(why)) => why,
        other => panic!("expected a reason, not {other:?}"),
    }
}

#[tokio::test]
async fn a_wallet_says_what_it_cannot_prove() {
    let chain = chain().await;
    let child = wallet_of(&chain, IdentitySpec::default().with("dob", "20120101")).await;
    let reason = why(&child, &born_before("20080101")).await;
    assert_eq!(reason, "date of birth 2012-.. is not before 2008-01-01");
    let elsewhere = IdentityRequirement { issuers: Some(vec![77]), ..born_before("20200101") };
    assert!(why(&child, &elsewhere).await.contains("is not accepted"));
    assert_eq!(child.why_not(&born_before("20200101")), None);
}
