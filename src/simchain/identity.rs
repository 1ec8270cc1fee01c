//! Issues identities and makes the credentials of new accounts from them, with the cryptography of
//! the real chain: the person and the identity provider are both played here. It does not submit
//! anything; a credential is deployed by a block item like any other.

use std::{collections::BTreeMap, convert::Infallible};

use ccd402_chain::wallet::{Credential, WalletFile};
use chrono::{DateTime, Datelike, Utc};
use concordium_rust_sdk::{
    base::{
        base::CredentialRegistrationID,
        contracts_common::SignatureThreshold,
        dodis_yampolskiy_prf as prf,
        id::{
            account_holder::{create_credential, generate_pio_v1_with_rng},
            constants::{ArCurve, AttributeKind, BaseField, IpPairing},
            identity_provider::sign_identity_object_v1_with_rng,
            secret_sharing::Threshold,
            types::{
                AccCredentialInfo, AccountCredential, AccountCredentialMessage, AccountKeys,
                AttributeList, AttributeTag, CredentialData, CredentialHolderInfo,
                HasAttributeRandomness, IdCredentials, IdObjectUseData, IdentityObjectV1,
                IpContext, Policy, YearMonth, account_address_from_registration_id,
            },
        },
        pedersen_commitment::Randomness,
        ps_sig::SigRetrievalRandomness,
    },
    common::types::{CredentialIndex, KeyIndex, KeyPair, TransactionTime},
};
use either::Either;
use rand_chacha::ChaCha20Rng;

use crate::{Error, genesis::Genesis, network_id, options::IdentitySpec};

/// The message that deploys a credential, as block items carry it.
pub(crate) type Deployment = AccountCredentialMessage<IpPairing, ArCurve, AttributeKind>;

/// Keys of an account at most.
const KEYS_MAX: u8 = 16;
/// Guardians that must agree to reveal an identity.
const REVOCATION_THRESHOLD: u8 = 2;
/// Seconds that a deployment may wait for its block.
const DEPLOYMENT_VALID_S: u64 = 3600;

/// A new account: what deploys it, and the wallet of its owner.
pub(crate) struct Issued {
    pub(crate) deployment: Deployment,
    pub(crate) wallet: WalletFile,
}

/// Issues the `n`th identity and makes its account, as of `now_ms`.
///
/// Takes about half a second of computing, so never call it on an async thread.
pub(crate) fn issue(
    genesis: &Genesis,
    spec: &IdentitySpec,
    n: u64,
    now_ms: u64,
) -> Result<Issued, Error> {
    let mut rng = genesis.rng("identity", n);
    let attributes = attribute_list(spec, now_ms)?;
    let context = IpContext::new(&genesis.provider, &genesis.guardians, &genesis.global);
    let owner = owner(&mut rng);
    let threshold = Threshold::try_from(REVOCATION_THRESHOLD).expect("the threshold is not zero");
    let failed = || Error::Issue("the identity could not be made".to_owned());
    let (request, _) =
        generate_pio_v1_with_rng(&context, threshold, &owner, &mut rng).ok_or_else(failed)?;
    let signature = sign_identity_object_v1_with_rng(
        &request,
        &genesis.provider,
        &attributes,
        &genesis.provider_key,
        &mut rng,
    )
    .map_err(|_| failed())?;
    let identity = IdentityObjectV1 { pre_identity_object: request, alist: attributes, signature };

    let data = account_keys(spec, &mut rng)?;
    let openings = Openings::new(&identity.alist, &mut rng);
    let expiry = TransactionTime { seconds: now_ms / 1000 + DEPLOYMENT_VALID_S };
    let policy = Policy {
        valid_to: identity.alist.valid_to,
        created_at: identity.alist.created_at,
        policy_vec: BTreeMap::new(),
        _phantom: std::marker::PhantomData,
    };
    let (cdi, _) = create_credential(
        context,
        &identity,
        &owner,
        0,
        policy,
        &data,
        &openings,
        &Either::Left(expiry),
    )
    .map_err(|_| failed())?;

    let registration_id = cdi.values.cred_id;
    let values = identity.alist.alist.into_iter();
    let attributes = values.map(|(tag, value)| (tag, (value, openings.0[&tag].clone()))).collect();
    let credential = Credential::new(
        CredentialRegistrationID::new(registration_id),
        genesis.provider.ip_identity,
        attributes,
    );
    let wallet = WalletFile::new(
        network_id(&genesis.hash),
        account_address_from_registration_id(&registration_id),
        AccountKeys::from((CredentialIndex { index: 0 }, data)),
        Some(credential),
    );
    let credential = AccountCredential::Normal { cdi };
    Ok(Issued { deployment: Deployment { message_expiry: expiry, credential }, wallet })
}

/// Randomness of the commitments to attributes, decided by the seed and kept for the wallet.
struct Openings(BTreeMap<AttributeTag, Randomness<ArCurve>>);

impl Openings {
    fn new(attributes: &AttributeList<BaseField, AttributeKind>, rng: &mut ChaCha20Rng) -> Self {
        Self(attributes.alist.keys().map(|tag| (*tag, Randomness::generate(rng))).collect())
    }
}

impl HasAttributeRandomness<ArCurve> for Openings {
    type ErrorType = Infallible;

    fn get_attribute_commitment_randomness(
        &self,
        tag: &AttributeTag,
    ) -> Result<Randomness<ArCurve>, Infallible> {
        Ok(self.0[tag].clone())
    }
}

fn owner(rng: &mut ChaCha20Rng) -> IdObjectUseData<IpPairing, ArCurve> {
    let cred_holder_info = CredentialHolderInfo { id_cred: IdCredentials::generate(rng) };
    let aci = AccCredentialInfo { cred_holder_info, prf_key: prf::SecretKey::generate(rng) };
    IdObjectUseData { aci, randomness: SigRetrievalRandomness::generate_non_zero(rng) }
}

fn attribute_list(
    spec: &IdentitySpec,
    now_ms: u64,
) -> Result<AttributeList<BaseField, AttributeKind>, Error> {
    let mut alist = BTreeMap::new();
    for (name, value) in &spec.attributes {
        let tag: AttributeTag =
            name.parse().map_err(|_| Error::Issue(format!("there is no attribute `{name}`")))?;
        let value = AttributeKind::try_new(value.clone())
            .map_err(|_| Error::Issue(format!("the value of `{name}` exceeds 31 bytes")))?;
        alist.insert(tag, value);
    }
    let created_at = month(now_ms);
    let valid_to = YearMonth { year: created_at.year + 10, ..created_at };
    let max_accounts = 200;
    Ok(AttributeList { valid_to, created_at, max_accounts, alist, _phantom: Default::default() })
}

fn month(now_ms: u64) -> YearMonth {
    let now = i64::try_from(now_ms).ok().and_then(DateTime::<Utc>::from_timestamp_millis);
    let now = now.unwrap_or_default();
    let year = u16::try_from(now.year()).unwrap_or(1970).clamp(1970, 9000);
    YearMonth { year, month: u8::try_from(now.month()).expect("months are 1 to 12") }
}

fn account_keys(spec: &IdentitySpec, rng: &mut ChaCha20Rng) -> Result<CredentialData, Error> {
    if !(1..=KEYS_MAX).contains(&spec.keys) || !(1..=spec.keys).contains(&spec.threshold) {
        let reason = format!("an account has 1 to {KEYS_MAX} keys and a threshold within them");
        return Err(Error::Issue(reason));
    }
    let keys = (0..spec.keys).map(|index| (KeyIndex(index), KeyPair::generate(rng))).collect();
    let threshold = SignatureThreshold::try_from(spec.threshold).expect("checked to be positive");
    Ok(CredentialData { keys, threshold })
}
