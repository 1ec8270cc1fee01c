//! The wallet file: the keys of one account and what its credential needs to prove statements about
//! its owner. It also reads the key export of Concordium's Browser Wallet, which pays but proves
//! nothing. It does not encrypt what it writes (the file is readable by its owner alone), and it
//! never talks to a node. The text of a file is wiped from memory once it is read or written.

use std::{
    collections::BTreeMap,
    fmt, fs, io,
    io::{Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use concordium_rust_sdk::{
    base::{
        base::CredentialRegistrationID,
        common::{from_bytes, to_bytes},
        contracts_common::AccountAddress,
        id::{
            constants::{ArCurve, AttributeKind},
            types::{AccountKeys, AttributeTag, IpIdentity},
        },
        pedersen_commitment::Randomness,
        web3id::{OwnedCommitmentInputs, Web3IdAttribute},
    },
    types::WalletAccount,
};
use ed25519_dalek::SigningKey;
use serde::{Deserialize, Serialize, de::IgnoredAny};
use zeroize::Zeroizing;

/// The only version of the format that there is.
const VERSION: u32 = 1;

/// Longest file that is read: a wallet of one credential is about 4 KiB.
const FILE_BYTES_MAX: u64 = 256 * 1024;

/// Networks by the name that a Browser Wallet export gives them.
const EXPORT_NETWORKS: [(&str, &str); 2] = [
    ("mainnet", "ccd:9dd9ca4d19e9393877d2c44b70f89acb"),
    ("testnet", "ccd:4221332d34e1694168c2a0c0b3fd0f27"),
];

/// What a credential needs to prove with: owned, and ready to be borrowed by `Request::prove`.
pub type ProofInputs = OwnedCommitmentInputs<ArCurve, Web3IdAttribute, SigningKey>;

/// Why a wallet file could not be read or written, with what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file could not be read.
    #[error("cannot read the wallet {path}: {source}; check the path and its permissions")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file could not be written.
    #[error("cannot write the wallet {path}: {source}; choose a directory that you may write to")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// There is a file already, and keys are never overwritten.
    #[error("{0} exists and keys are never overwritten: choose another name or move it away")]
    Exists(PathBuf),
    /// The file is longer than any wallet.
    #[error("{0} is longer than {FILE_BYTES_MAX} bytes: this is no wallet file")]
    TooLong(PathBuf),
    /// The content is not a wallet.
    #[error("{path} is no wallet: {reason}")]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong, never with a key in it.
        reason: String,
    },
    /// The credential's secrets do not fit together.
    #[error("the wallet's credential is damaged: {0}; restore the file from a backup")]
    Credential(String),
}

/// One account: where it lives, the keys that sign for it, and perhaps a credential.
///
/// JSON in camelCase, `version` 1. `Debug` shows no secret.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WalletFile {
    /// Version of the format, always 1.
    version: u32,
    /// CAIP-2 id of the network: `ccd:` and the first 32 hex digits of the genesis hash.
    pub network: String,
    /// Address of the account, in Base58Check.
    pub address: AccountAddress,
    /// The keys that sign for the account, with their thresholds.
    pub account_keys: Arc<AccountKeys>,
    /// The credential to prove statements with; none in a wallet that only pays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<Credential>,
}

/// A credential of the account together with the secrets behind its commitments.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Credential {
    /// Registration id, in hex: how statements name the credential.
    pub registration_id: CredentialRegistrationID,
    /// The identity provider that issued the identity.
    pub issuer: IpIdentity,
    /// Values of the attributes by their name: `dob`, `nationality`, `countryOfResidence`, …
    pub attributes: BTreeMap<AttributeTag, AttributeKind>,
    /// Randomness of the commitment to each attribute, the same tags.
    randomness: BTreeMap<AttributeTag, Opening>,
}

/// What tells the formats apart. Secrets are not read into it: the text that holds them is wiped.
#[derive(Default, Deserialize)]
struct Head {
    #[serde(default)]
    version: Option<serde_json::Value>,
    #[serde(default, rename = "type")]
    kind: Option<IgnoredAny>,
    #[serde(default)]
    environment: Option<String>,
}

/// Randomness of one Pedersen commitment, as hex in JSON; its `Debug` shows nothing.
///
/// Kept as bytes because the SDK's own type may not cross threads.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
struct Opening([u8; 32]);

impl TryFrom<String> for Opening {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| "randomness is not 64 hex digits")?;
        Ok(Self(bytes))
    }
}

impl From<Opening> for String {
    fn from(opening: Opening) -> Self {
        hex::encode(opening.0)
    }
}

impl WalletFile {
    /// A wallet of `address` on `network` (`ccd:…`), with or without a credential.
    #[must_use]
    pub fn new(
        network: String,
        address: AccountAddress,
        account_keys: AccountKeys,
        credential: Option<Credential>,
    ) -> Self {
        let account_keys = Arc::new(account_keys);
        Self { version: VERSION, network, address, account_keys, credential }
    }

    /// Reads a wallet file of ours, or a key export of Concordium's Browser Wallet.
    ///
    /// # Errors
    /// If the file cannot be read, is too long, or is neither of the two formats.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let failed = |source| Error::Read { path: path.to_owned(), source };
        let file = fs::File::open(path).map_err(failed)?;
        // Room for all of it at once: a text that grows leaves copies of the keys behind.
        let bytes = file.metadata().map_err(failed)?.len().min(FILE_BYTES_MAX);
        let mut text = Zeroizing::new(String::with_capacity(bytes as usize + 2));
        file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text).map_err(failed)?;
        if text.len() as u64 > FILE_BYTES_MAX {
            return Err(Error::TooLong(path.to_owned()));
        }
        Self::parse(&text).map_err(|reason| Error::Format { path: path.to_owned(), reason })
    }

    /// Reads the text of such a file, as it may stand in a variable.
    ///
    /// # Errors
    /// What is wrong with it, never with a key in it.
    pub fn from_text(text: &str) -> Result<Self, String> {
        Self::parse(text)
    }

    /// Writes the wallet to a new file that only its owner may read, and makes it durable.
    ///
    /// # Errors
    /// If there is a file already, or it cannot be written.
    pub fn write(&self, path: impl AsRef<Path>) -> Result<(), Error> {
        let path = path.as_ref();
        let text = serde_json::to_string_pretty(self).expect("every field has a JSON form");
        let text = Zeroizing::new(text);
        let opened = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        let mut file = opened.map_err(|source| match source.kind() {
            io::ErrorKind::AlreadyExists => Error::Exists(path.to_owned()),
            _ => Error::Write { path: path.to_owned(), source },
        })?;
        let written = file
            .write_all(text.as_bytes())
            .and_then(|()| file.write_all(b"\n"))
            .and_then(|()| file.sync_all())
            .and_then(|()| sync_directory(path));
        written.map_err(|source| Error::Write { path: path.to_owned(), source })
    }

    fn parse(text: &str) -> Result<Self, String> {
        // Errors of serde_json name a position and a type; a secret of the wrong type would be
        // quoted by them, so only the position is passed on.
        let head = match serde_json::from_str::<Head>(text) {
            Ok(head) => head,
            // JSON, but nothing of a wallet.
            Err(error) if error.is_data() => Head::default(),
            Err(e) => return Err(format!("not JSON (line {}, column {})", e.line(), e.column())),
        };
        if head.kind.is_some() {
            return Self::from_browser_wallet(&head.environment.unwrap_or_default(), text);
        }
        match head.version.as_ref().and_then(serde_json::Value::as_u64) {
            Some(1) => {}
            Some(v) => return Err(format!("version {v} is newer than this program: upgrade it")),
            None => return Err("`version` is missing: make one with `ccd402 wallet new`".into()),
        }
        let wallet: Self = serde_json::from_str(text).map_err(|_| {
            "a field is missing or malformed: make a new one with `ccd402 wallet new`".to_owned()
        })?;
        wallet.check()?;
        Ok(wallet)
    }

    fn from_browser_wallet(environment: &str, text: &str) -> Result<Self, String> {
        let name = environment.to_ascii_lowercase();
        let network = EXPORT_NETWORKS.iter().find(|(known, _)| *known == name);
        let Some((_, network)) = network else {
            return Err("its `environment` is neither mainnet nor testnet".to_owned());
        };
        let account: WalletAccount = serde_json::from_str(text).map_err(|_| {
            "not an account exported by the Browser Wallet: export the private key again".to_owned()
        })?;
        let wallet = Self::new((*network).to_owned(), account.address, account.keys, None);
        wallet.check()?;
        Ok(wallet)
    }

    fn check(&self) -> Result<(), String> {
        let digits = self.network.strip_prefix("ccd:").unwrap_or_default();
        if digits.len() != 32 || !digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            return Err("`network` is not `ccd:` and 32 hex digits".to_owned());
        }
        let credentials = &self.account_keys.keys;
        if credentials.is_empty() || credentials.values().any(|c| c.keys.is_empty()) {
            return Err("it holds no keys".to_owned());
        }
        let Some(credential) = &self.credential else { return Ok(()) };
        if !credential.attributes.keys().eq(credential.randomness.keys()) {
            return Err("attributes and randomness have different tags".to_owned());
        }
        Ok(())
    }
}

impl Credential {
    /// A credential of a registration id, issued by `issuer`, with each attribute's value and the
    /// randomness of its commitment.
    #[must_use]
    pub fn new(
        registration_id: CredentialRegistrationID,
        issuer: IpIdentity,
        attributes: BTreeMap<AttributeTag, (AttributeKind, Randomness<ArCurve>)>,
    ) -> Self {
        let mut values = BTreeMap::new();
        let mut randomness = BTreeMap::new();
        for (tag, (value, opening)) in attributes {
            let bytes = to_bytes(&opening).try_into().expect("a scalar of the curve is 32 bytes");
            values.insert(tag, value);
            randomness.insert(tag, Opening(bytes));
        }
        Self { registration_id, issuer, attributes: values, randomness }
    }

    /// The inputs of `web3id::Request::prove`, by `CommitmentInputs::from(&inputs)`.
    ///
    /// # Errors
    /// If a stored randomness is no scalar of the curve.
    pub fn proof_inputs(&self) -> Result<ProofInputs, Error> {
        let values = self
            .attributes
            .iter()
            .map(|(tag, value)| (*tag, Web3IdAttribute::String(value.clone())))
            .collect();
        let mut randomness = BTreeMap::new();
        for (tag, Opening(bytes)) in &self.randomness {
            let opening: Randomness<ArCurve> = from_bytes(&mut bytes.as_slice())
                .map_err(|_| Error::Credential(format!("randomness of {tag} is no scalar")))?;
            randomness.insert(*tag, opening);
        }
        Ok(ProofInputs::Account { issuer: self.issuer, values, randomness })
    }
}

impl fmt::Debug for WalletFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WalletFile")
            .field("network", &self.network)
            .field("address", &self.address)
            .field("credential", &self.credential)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tags: Vec<String> = self.attributes.keys().map(ToString::to_string).collect();
        f.debug_struct("Credential")
            .field("issuer", &self.issuer)
            .field("tags", &tags)
            .finish_non_exhaustive()
    }
}

fn sync_directory(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|p| !p.as_os_str().is_empty());
    fs::File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(test)]
#[path = "wallet_tests.rs"]
mod tests;
