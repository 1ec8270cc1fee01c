//! Builds what is presented: the payment header of either version, byte for byte what is repeated.

use ccd402_domain::account::AccountAddress;
use ccd402_domain::ids::TransactionHash;
use ccd402_protocol::header::{self, PAYMENT_HEADER_BYTES_MAX};
use ccd402_protocol::payload::{
    Binding, BindingKind, PaymentPayloadV1, PaymentPayloadV2, TransferPayload,
};
use ccd402_protocol::requirements::SCHEME_EXACT;
use ccd402_protocol::sponsored::SignedTransaction;
use ccd402_protocol::version::X402Version;
use serde_json::{Value, json};

use crate::payer::demand::Offer;
use crate::payer::error::Error;

/// What pays, and what goes with it.
pub(crate) enum Paying<'a> {
    /// By transaction hash.
    Hash { hash: TransactionHash, sender: AccountAddress, presentation: Option<&'a Value> },
    /// By what the payer has signed for a sponsor.
    Sponsored(&'a SignedTransaction),
}

/// The header's value.
///
/// # Errors
/// Where it would be longer than servers read; nothing has been sent then.
pub(crate) fn header(offer: &Offer, paying: &Paying<'_>) -> Result<String, Error> {
    let raw = offer.requirements.raw();
    let payload = match paying {
        Paying::Sponsored(transaction) => json!({ "signedTransaction": transaction }),
        Paying::Hash { hash, sender, presentation } => {
            // v2 has a place of its own for the accepted offer.
            let accepted = (offer.version == X402Version::V1).then(|| raw.clone());
            let payload = TransferPayload {
                tx_hash: hash.to_string(),
                sender: sender.to_string(),
                binding: Binding { kind: BindingKind::Memo, signatures: None, accepted },
                presentation: presentation.cloned(),
            };
            serde_json::to_value(payload).expect("a payload has JSON")
        }
    };
    let header = match offer.version {
        X402Version::V1 => header::encode(&PaymentPayloadV1 {
            x402_version: X402Version::V1,
            scheme: SCHEME_EXACT.to_owned(),
            network: offer.requirements.fields().network.clone(),
            payload,
        }),
        X402Version::V2 => header::encode(&PaymentPayloadV2 {
            x402_version: X402Version::V2,
            resource: offer.resource.clone(),
            accepted: raw.clone(),
            payload,
            extensions: offer.extensions.clone(),
        }),
    };
    let header = header.expect("a payment has JSON");
    if header.len() > PAYMENT_HEADER_BYTES_MAX {
        let reason = format!("the payment would take more than {PAYMENT_HEADER_BYTES_MAX} bytes");
        return Err(Error::NoOffer(reason));
    }
    Ok(header)
}
