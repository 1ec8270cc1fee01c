//! The beginning of a chain: cryptographic parameters, one identity provider, three privacy
//! guardians, two accounts and the tokens. It follows from a seed and a time; nothing here is
//! secret in any sense that matters, because whoever knows the seed can make it all again.

use std::collections::BTreeMap;

use concordium_rust_sdk::{
    base::{
        contracts_common::AccountAddress,
        curve_arithmetic::Curve,
        elgamal,
        id::{
            constants::{ArCurve, IpPairing},
            types::{
                AccountKeys, ArIdentity, ArInfo, CredentialPublicKeys, Description, GlobalContext,
                InitialCredentialDeploymentValues, IpIdentity, IpInfo, Policy, YearMonth,
                account_address_from_registration_id,
            },
        },
        ps_sig,
    },
    types::hashes::BlockHash,
};
use ed25519_dalek::SigningKey;
use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;
use sha2::{Digest, Sha256};

use crate::state::{
    AccountIx, AccountState, Credential, Holding, Ledger, Opening, Token, TokenSpec,
};

/// Privacy guardians, and how many of them must agree to reveal an identity.
const GUARDIANS: u32 = 3;
/// Attributes that an identity can have at most.
const ATTRIBUTES_MAX: usize = 24;
/// MicroCCD of the faucet at genesis: ten billion CCD.
const FAUCET_MICRO_CCD: u64 = 10_000_000_000_000_000;

/// Position of the baker's account: the first of genesis.
pub(crate) const BAKER: AccountIx = AccountIx(0);
/// Position of the faucet, which governs all tokens: the second of genesis.
pub(crate) const GOVERNANCE: AccountIx = AccountIx(1);

/// The tokens of every simulated chain.
pub(crate) const TOKENS: [TokenSpec; 4] = [
    token("EURR", "Simulated euro", 6),
    token("USDR", "Simulated dollar", 6),
    token("DKKR", "Simulated krone", 2),
    // For accounts that its governance allows.
    TokenSpec { has_lists: true, ..token("SEKR", "Simulated krona with lists", 2) },
];

const fn token(id: &'static str, name: &'static str, decimals: u8) -> TokenSpec {
    TokenSpec { id, name, decimals, supply: 1_000_000_000_000, has_lists: false }
}

/// An account of genesis and its keys.
pub(crate) struct Founder {
    pub(crate) address: AccountAddress,
    pub(crate) keys: AccountKeys,
    credential: Credential,
}

/// What the chain begins with, and what it needs to issue identities.
pub(crate) struct Genesis {
    pub(crate) time_ms: u64,
    pub(crate) hash: BlockHash,
    pub(crate) global: GlobalContext<ArCurve>,
    pub(crate) provider: IpInfo<IpPairing>,
    pub(crate) provider_key: ps_sig::SecretKey<IpPairing>,
    pub(crate) guardians: BTreeMap<ArIdentity, ArInfo<ArCurve>>,
    /// Bakes all blocks and earns all fees.
    pub(crate) baker: Founder,
    /// Funds new accounts; also the governance account of all tokens.
    pub(crate) faucet: Founder,
}

impl Genesis {
    pub(crate) fn new(seed: u64, time_ms: u64) -> Self {
        let hash = genesis_hash(seed, time_ms);
        let global = GlobalContext::generate(format!("ccd402 simulated chain {seed}"));
        let mut rng = rng(&hash, "genesis", 0);
        let guardians = (1..=GUARDIANS).map(|n| guardian(n, &global, &mut rng)).collect();
        let (provider, provider_key) = provider(&mut rng);
        let baker = Founder::new(&mut rng);
        let faucet = Founder::new(&mut rng);
        Self { time_ms, hash, global, provider, provider_key, guardians, baker, faucet }
    }

    /// The ledger after genesis.
    pub(crate) fn ledger(&self) -> Ledger {
        let mut ledger = Ledger::default();
        ledger.open(self.baker.opening(0), 0);
        let faucet = ledger.open(self.faucet.opening(FAUCET_MICRO_CCD), 0);
        for spec in &TOKENS {
            let token = ledger.add_token(Token::new(spec));
            let all = Holding { units: spec.units(), is_allowed: spec.has_lists, is_denied: false };
            ledger.edit(faucet, 0).tokens.insert(token, all);
        }
        ledger.settle(0);
        ledger
    }

    /// Randomness for one purpose, different for each `n`.
    pub(crate) fn rng(&self, purpose: &str, n: u64) -> ChaCha20Rng {
        rng(&self.hash, purpose, n)
    }
}

impl Founder {
    fn new(rng: &mut ChaCha20Rng) -> Self {
        let keys = AccountKeys::singleton(rng);
        let reg_id = ArCurve::generate(rng);
        let data = keys.keys.values().next().expect("a singleton has one credential");
        let cred_account = CredentialPublicKeys {
            keys: data.keys.iter().map(|(index, pair)| (*index, pair.into())).collect(),
            threshold: data.threshold,
        };
        let icdv = InitialCredentialDeploymentValues {
            cred_account,
            reg_id,
            ip_identity: IpIdentity(0),
            policy: Policy {
                valid_to: YearMonth { year: 2099, month: 12 },
                created_at: YearMonth { year: 2020, month: 1 },
                policy_vec: BTreeMap::new(),
                _phantom: std::marker::PhantomData,
            },
        };
        let address = account_address_from_registration_id(&reg_id);
        Self { address, keys, credential: Credential::Initial { icdv } }
    }

    fn opening(&self, balance: u64) -> Opening {
        let state = AccountState::new(balance);
        Opening { address: self.address, credential: self.credential.clone(), state }
    }
}

fn genesis_hash(seed: u64, time_ms: u64) -> BlockHash {
    let mut hasher = Sha256::new();
    hasher.update(b"ccd402/simchain/genesis/v1");
    hasher.update(seed.to_be_bytes());
    hasher.update(time_ms.to_be_bytes());
    <[u8; 32]>::from(hasher.finalize()).into()
}

fn rng(hash: &BlockHash, purpose: &str, n: u64) -> ChaCha20Rng {
    let mut hasher = Sha256::new();
    hasher.update(b"ccd402/simchain/random/v1");
    hasher.update(hash.as_ref());
    hasher.update(n.to_be_bytes());
    hasher.update(purpose.as_bytes());
    ChaCha20Rng::from_seed(hasher.finalize().into())
}

fn guardian(
    n: u32,
    global: &GlobalContext<ArCurve>,
    rng: &mut ChaCha20Rng,
) -> (ArIdentity, ArInfo<ArCurve>) {
    let ar_identity = ArIdentity::try_from(n).expect("guardians are numbered from one");
    let secret = elgamal::SecretKey::generate(&global.on_chain_commitment_key.g, rng);
    let info = ArInfo {
        ar_identity,
        ar_description: description(&format!("Simulated privacy guardian {n}")),
        ar_public_key: elgamal::PublicKey::from(&secret),
    };
    (ar_identity, info)
}

fn provider(rng: &mut ChaCha20Rng) -> (IpInfo<IpPairing>, ps_sig::SecretKey<IpPairing>) {
    // The signature covers five values of the identity itself, the guardians and the attributes.
    let length = 5 + GUARDIANS as usize + ATTRIBUTES_MAX;
    let secret = ps_sig::SecretKey::<IpPairing>::generate(length, rng);
    let cdi_key = SigningKey::generate(rng);
    let info = IpInfo {
        ip_identity: IpIdentity(0),
        ip_description: description("Simulated identity provider"),
        ip_verify_key: ps_sig::PublicKey::from(&secret),
        ip_cdi_verify_key: cdi_key.verifying_key(),
    };
    (info, secret)
}

fn description(name: &str) -> Description {
    let description = "Exists on a simulated chain only".to_owned();
    Description { name: name.to_owned(), url: "https://example.com".to_owned(), description }
}
