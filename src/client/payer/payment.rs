//! Builds what is presented: the payment header of either version, byte for byte what is repeated.

use ccd402_domain::account::AccountAddress;
use ccd402_domain::ids::TransactionHash;
use ccd402_protocol::header::{self, PAYMENT_HEADER_BYTES_MAX};
use ccd402_protocol::payload::{
    Binding, BindingKind, PaymentPayloadV1, PaymentPayloadV2, TransferPayload,
};
use ccd402_protocol::requirements::SCHEME_EXACT;
use ccd402_protocol::version::X402Version;
use serde_json::Value;

use crate::payer::demand::Offer;
use crate::payer::error::Error;

/// The transfer that pays, and the proof that goes with it.
pub(crate) struct Transferred<'a> {
    pub(crate) hash: TransactionHash,
    pub(crate) sender: AccountAddress,
    pub(crate) presentation: Option<&'a Value>,
}

/// The header's value.
///
/// # Errors
/// Where it would be longer than servers read; nothing has been sent then.
pub(crate) fn header(offer: &Offer, transferred: &Transferred<'_>) -> Result<String, Error> {
    let raw = offer.requirements.raw();
    // v2 has a place of its own for the accepted offer.
    let accepted = (offer.version == X402Version::V1).then(|| raw.clone());
    let payload = TransferPayload {
        tx_hash: transferred.hash.to_string(),
        sender: transferred.sender.to_string(),
        binding: Binding { kind: BindingKind::Memo, signatures: None, accepted },
        presentation: transferred.presentation.cloned(),
    };
    let payload = serde_json::to_value(payload).expect("a payload has JSON");
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
