//! The payer's side: a wallet that proves, signs, and sends transfers through the nodes.
//!
//! It decides neither whether to pay nor how much: that is the client's business. It remembers
//! nothing; whoever pays writes down the signed transfer before it is sent.

use std::{collections::BTreeMap, fmt, sync::Arc};

use ccd402_app::ports::chain::TransactionStatus;
use ccd402_domain::{
    account::AccountAddress,
    amount::{Amount, CCD_DECIMALS},
    asset::Asset,
    ids::{Digest, TransactionHash},
    transaction::FinalizedTransaction,
};
use ccd402_protocol::{
    identity::IdentityRequirement, network::NetworkId, payload::AccountSignatures,
    sponsored::SignedTransaction,
};
use chrono::{DateTime, Utc};
use concordium_rust_sdk::{
    base::{
        base::Nonce,
        common::types::{KeyIndex, Signature},
        hashes::TransactionSignHash,
        id::{
            constants::ArCurve,
            types::{AccountKeys, GlobalContext},
        },
        transactions::{ExactSizeTransactionSigner, TransactionSigner},
        web3id::{Challenge, CommitmentInputs, CredentialStatement, Request, Web3IdAttribute},
    },
    signatures::calculate_message_hash,
    types::AccountInfo,
    v2::{AccountIdentifier, BlockIdentifier},
};

use crate::{
    block, codec,
    error::{Error as ChainError, Failure},
    fee,
    nodes::Nodes,
    numbered,
    parameters::{Parameters, Token},
    presentation::{self, Statement},
    processors::{self, Processors},
    provable,
    sponsored::{Signable, order},
    status,
    submit::{self, Submitted},
    transfer,
    wallet::{self, Credential, WalletFile},
};
pub use crate::{
    sponsored::Order,
    transfer::{Signed, Transfer},
};

/// Why the wallet could not do it, in words for its owner.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The nodes could not be asked.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The wallet's own file is damaged.
    #[error(transparent)]
    File(#[from] wallet::Error),
    /// The wallet belongs to another network than the nodes.
    #[error("the wallet is of network {wallet} but the node is on {node}")]
    OtherNetwork {
        /// Where its account is.
        wallet: String,
        /// Where the nodes are.
        node: NetworkId,
    },
    /// The account is not on the chain.
    #[error("account {0} does not exist on this network")]
    NoAccount(AccountAddress),
    /// There is no such token.
    #[error("there is no token {0} on this network")]
    NoToken(String),
    /// The credential cannot prove what is asked; nothing was sent.
    #[error("cannot prove what is asked: {0}")]
    CannotProve(String),
    /// The node refuses the transaction; it will never be on chain as it is.
    #[error("the node refuses the transaction: {0}")]
    Refused(String),
    /// The signed bytes are not a transaction.
    #[error("the bytes are not a signed transaction")]
    NotATransaction,
}

/// One account that can prove, sign and pay. Its `Debug` shows the address alone.
pub struct Wallet {
    file: Arc<WalletFile>,
    nodes: Nodes,
    parameters: Parameters,
    processors: Processors,
}

impl Wallet {
    /// A wallet that pays through these nodes.
    ///
    /// # Errors
    /// If its account is on another network than the nodes.
    pub fn open(file: WalletFile, nodes: Nodes) -> Result<Self, Error> {
        if file.network != nodes.network().as_str() {
            let node = nodes.network().clone();
            return Err(Error::OtherNetwork { wallet: file.network, node });
        }
        let parameters = Parameters::new(nodes.clone());
        let processors = Processors::new(processors::Options::default());
        Ok(Self { file: Arc::new(file), nodes, parameters, processors })
    }

    /// The account's address.
    #[must_use]
    pub fn address(&self) -> AccountAddress {
        codec::address(&self.file.address)
    }

    /// The network that it is on.
    #[must_use]
    pub fn network(&self) -> &NetworkId {
        self.nodes.network()
    }

    /// What the account can spend of an asset; zero of a token that it has never held.
    ///
    /// # Errors
    /// If the nodes cannot be asked or the account does not exist.
    pub async fn balance(&self, asset: &Asset) -> Result<Amount, Error> {
        let account = self.account().await?;
        let units = match asset {
            Asset::Ccd => account.available_balance.micro_ccd,
            Asset::Token(id) => {
                let held = account.tokens.iter();
                let mut held = held.filter(|held| held.token_id.as_ref().eq_ignore_ascii_case(id));
                held.next().map_or(0, |held| held.state.balance.value())
            }
        };
        Ok(Amount::from_units(units))
    }

    /// Decimals of an asset's amounts.
    ///
    /// # Errors
    /// If the nodes cannot be asked or there is no such token.
    pub async fn decimals(&self, asset: &Asset) -> Result<u8, Error> {
        match asset {
            Asset::Ccd => Ok(CCD_DECIMALS),
            Asset::Token(id) => {
                let token = self.parameters.token(id).await?;
                token.map(|token| token.decimals).ok_or_else(|| Error::NoToken(id.clone()))
            }
        }
    }

    /// What the chain charges for a transfer at most, in microCCD.
    ///
    /// # Errors
    /// If the nodes cannot be asked.
    pub async fn fee(&self, asset: &Asset) -> Result<Amount, Error> {
        let signatures = u64::from(self.keys().num_keys());
        Ok(fee::most(&self.nodes, asset, signatures).await?)
    }

    /// Time of the last finalized block.
    ///
    /// # Errors
    /// If the nodes cannot be asked.
    pub async fn time_finalized(&self) -> Result<DateTime<Utc>, Error> {
        Ok(block::last_final(&self.nodes).await?.time)
    }

    /// Why the wallet's credential cannot prove what is asked; none if it can.
    #[must_use]
    pub fn why_not(&self, required: &IdentityRequirement) -> Option<String> {
        self.provable(required).err()
    }

    /// Proves what is asked, for this challenge; gives Concordium's JSON of a presentation.
    ///
    /// # Errors
    /// `CannotProve` when the credential cannot, with the attribute that fails.
    pub async fn prove(
        &self,
        required: &IdentityRequirement,
        challenge: &Digest,
    ) -> Result<String, Error> {
        let (credential, statement) = self.provable(required).map_err(Error::CannotProve)?;
        let request = Request {
            challenge: Challenge::new(*challenge.as_bytes()),
            credential_statements: vec![CredentialStatement::Account {
                network: presentation::did_network(self.network()),
                cred_id: credential.registration_id,
                statement,
            }],
        };
        let credential = credential.clone();
        let parameters = self.parameters.cryptographic().await?;
        let proven = self.processors.run(move || proven(&credential, request, &parameters));
        proven.await?.unwrap_or_else(|| Err(no_proof()))
    }

    /// Signs a digest as a message, with as many keys as the account demands.
    #[must_use]
    pub fn sign_message(&self, digest: &Digest) -> AccountSignatures {
        let hash = calculate_message_hash(digest.as_bytes(), self.file.address);
        let signed = self.keys().sign_transaction_hash(&TransactionSignHash::from(hash));
        let of_credential = |keys: BTreeMap<KeyIndex, Signature>| {
            keys.into_iter().map(|(key, signature)| (key.0, hex::encode(signature.sig))).collect()
        };
        let credentials = signed.signatures.into_iter();
        credentials.map(|(credential, keys)| (credential.index, of_credential(keys))).collect()
    }

    /// Builds and signs a transfer with the account's next sequence number; nothing is sent.
    ///
    /// # Errors
    /// If the nodes cannot be asked, or there is no such token.
    pub async fn build_transfer(&self, transfer: &Transfer) -> Result<Signed, Error> {
        let nonce = Nonce { nonce: self.next_sequence_number().await? };
        let token = self.token(&transfer.asset).await?;
        Ok(transfer::sign(transfer, (self.file.address, nonce), token.as_ref(), self.keys()))
    }

    /// The sequence number of the account's next transaction, those that wait for a block counted.
    ///
    /// # Errors
    /// If the nodes cannot be asked.
    pub async fn next_sequence_number(&self) -> Result<u64, Error> {
        let address = self.file.address;
        let asked = self.nodes.ask("GetNextAccountSequenceNumber", |mut client| async move {
            client.get_next_account_sequence_number(&address).await
        });
        let next = asked.await.map_err(|f| f.into_error("the next sequence number"))?;
        Ok(next.nonce.nonce)
    }

    /// Signs a transfer whose fee a sponsor pays, with this sequence number; nothing is sent.
    ///
    /// # Errors
    /// If the nodes cannot be asked, or there is no such token.
    pub async fn sign_order(
        &self,
        order: &Order,
        sequence_number: u64,
    ) -> Result<SignedTransaction, Error> {
        let token = self.token(&order.asset).await?;
        let sender = (self.address(), sequence_number);
        self.sign_transaction(order::write(order, sender, token.as_ref(), self.keys()))
    }

    /// Signs a sponsored transaction as it stands; signatures that it has are replaced.
    ///
    /// # Errors
    /// `NotATransaction` where it says what cannot be one.
    pub fn sign_transaction(
        &self,
        transaction: SignedTransaction,
    ) -> Result<SignedTransaction, Error> {
        order::sign(transaction, self.keys()).map_err(|_| Error::NotATransaction)
    }

    /// What the sender of such a transaction signs, by which it is known before its sponsor signs.
    ///
    /// # Errors
    /// `NotATransaction` where it says what cannot be one.
    pub fn digest_of(&self, transaction: &SignedTransaction) -> Result<Digest, Error> {
        let signable = Signable::read(transaction).map_err(|_| Error::NotATransaction)?;
        Ok(signable.transaction().digest)
    }

    /// The account's final transaction with this sequence number; none while the number is free.
    ///
    /// # Errors
    /// If the nodes cannot be asked.
    pub async fn numbered(&self, number: u64) -> Result<Option<FinalizedTransaction>, Error> {
        Ok(numbered::find(&self.nodes, &self.address(), number).await?)
    }

    /// Sends signed bytes; bytes that the chain has already are sent with success.
    ///
    /// # Errors
    /// `Refused` when the node will not take them. After `Chain(Unavailable)` they may have been
    /// taken: send the same bytes again.
    pub async fn send(&self, signed: &[u8]) -> Result<TransactionHash, Error> {
        let item = codec::block_item(signed).ok_or(Error::NotATransaction)?;
        match submit::send(&self.nodes, &item).await? {
            Submitted::Taken(hash) => Ok(hash),
            Submitted::Refused(text) => Err(Error::Refused(text)),
        }
    }

    /// What has become of a transaction.
    ///
    /// # Errors
    /// If the nodes cannot be asked.
    pub async fn status(&self, hash: &TransactionHash) -> Result<TransactionStatus, Error> {
        Ok(status::of(&self.nodes, hash).await?)
    }

    /// None for CCD.
    async fn token(&self, asset: &Asset) -> Result<Option<Token>, Error> {
        let Asset::Token(id) = asset else { return Ok(None) };
        let token = self.parameters.token(id).await?;
        token.map(Some).ok_or_else(|| Error::NoToken(id.clone()))
    }

    fn keys(&self) -> &AccountKeys {
        &self.file.account_keys
    }

    async fn account(&self) -> Result<AccountInfo, Error> {
        let account = AccountIdentifier::Address(self.file.address);
        let asked = self.nodes.ask("GetAccountInfo", |mut client| async move {
            Ok(client.get_account_info(&account, BlockIdentifier::LastFinal).await?.response)
        });
        asked.await.map_err(|failure| match failure {
            Failure::NotFound => Error::NoAccount(self.address()),
            other => other.into_error("the account").into(),
        })
    }

    /// The credential and the statements that it can prove, or why it cannot.
    fn provable(
        &self,
        required: &IdentityRequirement,
    ) -> Result<(&Credential, Vec<Statement>), String> {
        let Some(credential) = &self.file.credential else {
            return Err("the wallet holds no credential, it can only pay".to_owned());
        };
        let statements = presentation::statements(required).map_err(|refused| refused.detail)?;
        let issuer = credential.issuer.0;
        if required.issuers.as_ref().is_some_and(|accepted| !accepted.contains(&issuer)) {
            return Err(format!("the credential's identity provider, {issuer}, is not accepted"));
        }
        match provable::why_not(&statements, &credential.attributes) {
            Some(why) => Err(why),
            None => Ok((credential, statements)),
        }
    }
}

impl fmt::Debug for Wallet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wallet").field("address", &self.file.address).finish_non_exhaustive()
    }
}

/// Makes the proof: milliseconds of CPU work. The secrets are read here because the SDK's own type
/// of them may not cross threads.
fn proven(
    credential: &Credential,
    request: Request<ArCurve, Web3IdAttribute>,
    parameters: &GlobalContext<ArCurve>,
) -> Result<String, Error> {
    let inputs = credential.proof_inputs()?;
    let inputs = [CommitmentInputs::from(&inputs)];
    let presentation = request.prove(parameters, inputs.into_iter()).map_err(|_| no_proof())?;
    Ok(serde_json::to_string(&presentation).expect("a presentation has a JSON form"))
}

fn no_proof() -> Error {
    Error::CannotProve("no proof can be made of it, though every statement holds".to_owned())
}
