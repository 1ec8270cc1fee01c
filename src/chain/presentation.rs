//! The checks of a zero-knowledge presentation, each a pure function: what it says, whose
//! credential it is, and that it proves what it says.
//!
//! It asks no node and picks no thread: `concordium` does, in the order cheap, node, processor.

use std::collections::BTreeMap;

use ccd402_domain::{
    account::AccountAddress, ids::Digest, rejection::Rejection, verification::event::Proven,
};
use ccd402_protocol::{
    code::ReasonCode as Code,
    identity::{IdentityRequirement, SET_VALUES_MAX, STATEMENTS_MAX},
    network::{MAINNET, NetworkId},
};
use chrono::{DateTime, Utc};
use concordium_rust_sdk::{
    base::{
        base::CredentialRegistrationID,
        common::Versioned,
        id::{
            constants::{ArCurve, AttributeKind},
            id_proof_types::{AtomicProof, AtomicStatement},
            types::{AccountCredentialWithoutProofs, AttributeTag, GlobalContext, IpIdentity},
        },
        web3id::{
            self, CredentialProof, CredentialStatement, CredentialsInputs, Web3IdAttribute,
            did::Network,
        },
    },
    types::AccountInfo,
    v2::Upward,
};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use crate::codec;

/// Longest presentation that is read, in bytes of JSON: sixteen statements take about 30 kB.
pub(crate) const BYTES_MAX: usize = 64 * 1024;

/// Sets the hash of revealed values apart from every other hash.
const REVEALED_DOMAIN: &[u8] = b"ccd402/revealed/v1";

/// A statement about one attribute of an account's credential.
pub(crate) type Statement = AtomicStatement<ArCurve, AttributeTag, Web3IdAttribute>;
type Credential = Versioned<Upward<AccountCredentialWithoutProofs<ArCurve, AttributeKind>>>;

/// A presentation whose words are right; whether they are true is not known yet.
pub(crate) struct Claim {
    presentation: web3id::Presentation<ArCurve, Web3IdAttribute>,
    /// The credential that it is about.
    pub(crate) credential: CredentialRegistrationID,
    /// Who it says has issued the credential.
    pub(crate) issuer: IpIdentity,
}

/// What a presentation must say.
pub(crate) struct Wanted {
    /// The network of the credential.
    pub(crate) network: NetworkId,
    /// The challenge that it must be made for.
    pub(crate) challenge: Digest,
    /// The statements and issuers asked for; none if any statement will do.
    pub(crate) required: Option<IdentityRequirement>,
}

/// Refuses what is too long or made for another challenge, before any proof is decoded.
pub(crate) fn glance(json: &str, challenge: &Digest) -> Result<(), Rejection> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Head {
        presentation_context: Digest,
    }
    if json.len() > BYTES_MAX {
        return Err(invalid(&format!("a presentation is at most {BYTES_MAX} bytes")));
    }
    let head: Head = serde_json::from_str(json).map_err(|_| invalid("this is no presentation"))?;
    if head.presentation_context != *challenge {
        return Err(Rejection::of(Code::IdentityChallengeMismatch));
    }
    Ok(())
}

/// Reads a presentation and compares its words with those wanted: a millisecond of CPU work a
/// statement, for the points of the proofs.
pub(crate) fn read(json: &str, wanted: &Wanted) -> Result<Claim, Rejection> {
    let presentation: web3id::Presentation<ArCurve, Web3IdAttribute> =
        serde_json::from_str(json).map_err(|_| invalid("this is no presentation"))?;
    if presentation.presentation_context.as_ref() != wanted.challenge.as_bytes() {
        return Err(Rejection::of(Code::IdentityChallengeMismatch));
    }
    let mismatch = |detail: &str| Rejection::new(Code::IdentityStatementMismatch, detail);
    let [proof] = &presentation.verifiable_credential[..] else {
        return Err(mismatch("exactly one credential must be presented"));
    };
    let &CredentialProof::Account { network, cred_id, issuer, .. } = proof else {
        return Err(mismatch("the credential must be one of an account"));
    };
    let CredentialStatement::Account { statement, .. } = proof.statement() else {
        return Err(mismatch("the credential must be one of an account"));
    };
    if network != did_network(&wanted.network) {
        let detail = "the credential is one of another network";
        return Err(Rejection::new(Code::IdentityCredentialNotPayer, detail));
    }
    match &wanted.required {
        // A proof of nothing proves nothing, not even that somebody holds the credential.
        None if !is_within_bounds(&statement) => {
            return Err(mismatch("between one and sixteen statements, of non-empty sets"));
        }
        None => {}
        Some(required) => check_required(required, &statement, issuer)?,
    }
    Ok(Claim { presentation, credential: cred_id, issuer })
}

fn invalid(detail: &str) -> Rejection {
    Rejection::new(Code::IdentityProofInvalid, detail)
}

fn check_required(
    required: &IdentityRequirement,
    statement: &[Statement],
    issuer: IpIdentity,
) -> Result<(), Rejection> {
    if statements(required)? != statement {
        return Err(Rejection::of(Code::IdentityStatementMismatch));
    }
    let is_accepted = |accepted: &Vec<u32>| accepted.contains(&issuer.0);
    if required.issuers.as_ref().is_none_or(is_accepted) {
        return Ok(());
    }
    let detail = format!("identity provider {issuer} is not among those accepted");
    Err(Rejection::new(Code::IdentityIssuerNotAccepted, detail))
}

/// The statements of a requirement in the SDK's words.
pub(crate) fn statements(required: &IdentityRequirement) -> Result<Vec<Statement>, Rejection> {
    let cannot = |detail: &str| Rejection::new(Code::InvalidPaymentRequirements, detail);
    if !required.is_within_bounds() {
        return Err(cannot("the identity statements are too many or empty"));
    }
    let json = serde_json::to_value(&required.statement).expect("statements have a JSON form");
    serde_json::from_value(json)
        .map_err(|_| cannot("an identity statement names an unknown attribute or a long value"))
}

/// The commitments that the proofs are about, if the credential is an active one of the sender.
pub(crate) fn commitments(
    claim: &Claim,
    account: Option<&AccountInfo>,
    sender: &AccountAddress,
    now: DateTime<Utc>,
) -> Result<CredentialsInputs<ArCurve>, Rejection> {
    let account = account
        .filter(|account| codec::address(&account.account_address).is_alias_of(sender))
        .ok_or_else(|| Rejection::of(Code::IdentityCredentialNotPayer))?;
    let inactive = |detail: &str| Rejection::new(Code::IdentityCredentialInactive, detail);
    let held = account.account_credentials.values().find_map(|held| known(held, claim));
    let credential =
        held.ok_or_else(|| inactive("the credential has been removed from the account"))?;
    if credential.issuer() != claim.issuer {
        let detail = "the credential was issued by another identity provider than it says";
        return Err(Rejection::new(Code::IdentityIssuerNotAccepted, detail));
    }
    let AccountCredentialWithoutProofs::Normal { cdv, commitments } = credential else {
        return Err(inactive("an initial credential proves nothing"));
    };
    let from = cdv.policy.created_at.lower();
    let until = cdv.policy.valid_to.upper();
    if from.is_none_or(|from| now < from) || until.is_none_or(|until| now >= until) {
        return Err(inactive("the credential is not valid at this time"));
    }
    Ok(CredentialsInputs::Account { commitments: commitments.cmm_attributes.clone() })
}

fn known<'a>(
    held: &'a Credential,
    claim: &Claim,
) -> Option<&'a AccountCredentialWithoutProofs<ArCurve, AttributeKind>> {
    let Upward::Known(held) = &held.value else { return None };
    (held.cred_id() == claim.credential.as_ref()).then_some(held)
}

impl Claim {
    /// What is proven, if the proofs hold for these commitments: milliseconds of CPU work.
    ///
    /// The revealed values are hashed together with the whole presentation, which is not kept: by
    /// themselves they are too few for a hash to hide.
    pub(crate) fn proven(
        &self,
        json: &str,
        parameters: &GlobalContext<ArCurve>,
        commitments: &CredentialsInputs<ArCurve>,
    ) -> Result<Proven, Rejection> {
        let commitments = std::iter::once(commitments);
        let verified = self.presentation.verify(parameters, commitments);
        verified.map_err(|_| Rejection::of(Code::IdentityProofInvalid))?;
        let revealed = self.revealed();
        Ok(Proven {
            presentation: digest_of(&[json.as_bytes()]),
            issuer: self.issuer.0,
            revealed: (!revealed.is_empty()).then(|| {
                let values = serde_json::to_vec(&revealed).expect("attributes have a JSON form");
                digest_of(&[REVEALED_DOMAIN, json.as_bytes(), &values])
            }),
        })
    }

    /// The values that the proofs reveal, by the name of their attribute.
    fn revealed(&self) -> BTreeMap<String, &Web3IdAttribute> {
        let credentials = self.presentation.verifiable_credential.iter();
        let proofs = credentials.filter_map(|credential| match credential {
            CredentialProof::Account { proofs, .. } => Some(proofs),
            CredentialProof::Web3Id { .. } => None,
        });
        proofs
            .flatten()
            .filter_map(|(statement, proof)| match proof {
                AtomicProof::RevealAttribute { attribute, .. } => {
                    Some((statement.attribute().to_string(), attribute))
                }
                _ => None,
            })
            .collect()
    }
}

fn digest_of(parts: &[&[u8]]) -> Digest {
    let hasher = parts.iter().fold(Sha256::new(), |hasher, part| hasher.chain_update(part));
    Digest::from_bytes(hasher.finalize().into())
}

/// The network's name in decentralized identifiers, which know two: every network that is not the
/// one where CCD is money counts as a test network.
pub(crate) fn did_network(network: &NetworkId) -> Network {
    if network.as_str() == MAINNET { Network::Mainnet } else { Network::Testnet }
}

fn is_within_bounds(statements: &[Statement]) -> bool {
    let set_fits = |statement: &Statement| {
        let set = match statement {
            AtomicStatement::AttributeInSet { statement } => &statement.set,
            AtomicStatement::AttributeNotInSet { statement } => &statement.set,
            _ => return true,
        };
        (1..=SET_VALUES_MAX).contains(&set.len())
    };
    (1..=STATEMENTS_MAX).contains(&statements.len()) && statements.iter().all(set_fits)
}
