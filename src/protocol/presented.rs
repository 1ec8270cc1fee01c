//! A payment as it was presented to `/verify` or `/settle`, in one shape for both versions.
//!
//! Decoding is strict and says what is wrong by code; whether the payment is good is decided
//! elsewhere.

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::bazaar::Declaration;
use crate::code::ReasonCode;
use crate::identity::{EXTENSION, IdentityRequirement};
use crate::payload::{PaymentPayloadV1, PaymentPayloadV2, TransferPayload};
use crate::requirements::{METHOD_TRANSACTION_HASH, PaymentRequirements};
use crate::sponsored::SignedTransaction;
use crate::version::X402Version;

/// Longest explanation of a refusal that is passed on.
const DETAIL_CHARS_MAX: usize = 300;

/// A request that is JSON of the right outer type but cannot be honoured.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {detail}")]
pub struct Refused {
    /// Stable code.
    pub code: ReasonCode,
    /// What is wrong, for people; never holds payload values.
    pub detail: String,
}

impl Refused {
    /// A refusal; over-long details are cut.
    #[must_use]
    pub fn new(code: ReasonCode, detail: impl Into<String>) -> Self {
        let detail: String = detail.into().chars().take(DETAIL_CHARS_MAX).collect();
        Self { code, detail }
    }
}

/// Why a body could not be taken as a payment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Not JSON, or not a VerifyRequest at all: HTTP 400.
    #[error("the body is not a VerifyRequest: {0}")]
    Malformed(String),
    /// A VerifyRequest that is refused: HTTP 200 with the code.
    #[error(transparent)]
    Refused(#[from] Refused),
}

/// A payment as presented, in the way of paying that its offer asks for.
#[derive(Debug, Clone, PartialEq)]
pub enum Presented {
    /// The payer has sent the transfer and hands in its hash.
    TransactionHash(PresentedPayment),
    /// The payer hands in the transfer, signed, for the facilitator to sponsor and send.
    Sponsored(PresentedSponsored),
}

/// A sponsored payment, as presented. A transaction that cannot be read is kept as its refusal:
/// the rules about scheme, network and offer come before it.
pub type PresentedSponsored = PresentedPayment<Result<SignedTransaction, Refused>>;

/// What was presented, with the payload of one way of paying.
#[derive(Debug, Clone, PartialEq)]
pub struct PresentedPayment<P = TransferPayload> {
    /// Of the request.
    pub version: X402Version,
    /// What the resource server asks for.
    pub requirements: PaymentRequirements,
    /// Scheme that the payer names.
    pub scheme: String,
    /// Network that the payer names.
    pub network: String,
    /// The offer that the payer says it accepted.
    pub accepted: Option<Value>,
    /// The resource that the payer names (v2).
    pub resource: Option<String>,
    /// Hash, sender, binding, presentation; or a signed transaction.
    pub payload: P,
    /// Identity requirement echoed in the extensions (v2).
    pub identity_extension: Option<IdentityRequirement>,
    /// What is declared of the resource, where it may be listed.
    pub declared: Option<Declaration>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Outer {
    x402_version: u64,
    payment_payload: Map<String, Value>,
    payment_requirements: Map<String, Value>,
}

/// A request's version, what is asked for, and what was paid.
type Request = (X402Version, PaymentRequirements, Value);

fn request(body: &[u8]) -> Result<Request, DecodeError> {
    let outer: Outer = serde_json::from_slice(body)
        .map_err(|error| DecodeError::Malformed(without_values(&error)))?;
    let version = X402Version::try_from(outer.x402_version)
        .map_err(|error| Refused::new(ReasonCode::InvalidX402Version, error.to_string()))?;
    let requirements =
        PaymentRequirements::decode(version, Value::Object(outer.payment_requirements))?;
    Ok((version, requirements, Value::Object(outer.payment_payload)))
}

impl Presented {
    /// Reads the body of `/verify`, `/settle` or `/v1/verifications`.
    ///
    /// # Errors
    /// As [`PresentedPayment::decode`].
    pub fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        let (version, requirements, payload) = request(body)?;
        Ok(Self::assemble(version, requirements, payload)?)
    }

    /// Joins what the server asks for with the PaymentPayload that the payer sent.
    ///
    /// `extra.assetTransferMethod` of the requirements says which way of paying it is; without it,
    /// it is a sponsored transaction, as the scheme's specification has it.
    ///
    /// # Errors
    /// As [`PresentedPayment::decode`].
    pub fn assemble(
        version: X402Version,
        requirements: PaymentRequirements,
        payload: Value,
    ) -> Result<Self, Refused> {
        if requirements.fields().extra.asset_transfer_method.is_some() {
            return PresentedPayment::assemble(version, requirements, payload)
                .map(Self::TransactionHash);
        }
        let presented = envelope(version, requirements, payload)?;
        Ok(Self::Sponsored(presented.map(|payload| SignedTransaction::decode(&payload))))
    }
}

impl PresentedPayment {
    /// Reads the body of `/verify`, `/settle` or `/v1/verifications`, paid by transaction hash.
    ///
    /// # Errors
    /// [`DecodeError::Malformed`] for what is no VerifyRequest; [`DecodeError::Refused`] with
    /// `invalid_x402_version`, `invalid_payment_requirements`, `unsupported_scheme` or
    /// `invalid_payload` for one that cannot be honoured.
    pub fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        let (version, requirements, payload) = request(body)?;
        Ok(Self::assemble(version, requirements, payload)?)
    }

    /// Joins what the server asks for with the PaymentPayload that the payer sent.
    ///
    /// # Errors
    /// As [`PresentedPayment::decode`].
    pub fn assemble(
        version: X402Version,
        requirements: PaymentRequirements,
        payload: Value,
    ) -> Result<Self, Refused> {
        if let Some(method) = &requirements.fields().extra.asset_transfer_method
            && method != METHOD_TRANSACTION_HASH
        {
            let detail = format!("extra.assetTransferMethod is not \"{METHOD_TRANSACTION_HASH}\"");
            return Err(Refused::new(ReasonCode::UnsupportedScheme, detail));
        }
        let mut presented = envelope(version, requirements, payload)?;
        let payload = std::mem::take(&mut presented.payload);
        let payload: TransferPayload = serde_json::from_value(payload).map_err(invalid_payload)?;
        let mut presented = presented.map(|_| payload);
        if version == X402Version::V1 {
            presented.accepted = presented.payload.binding.accepted.take();
        }
        Ok(presented)
    }
}

impl<P> PresentedPayment<P> {
    fn map<Q>(self, read: impl FnOnce(P) -> Q) -> PresentedPayment<Q> {
        PresentedPayment {
            version: self.version,
            requirements: self.requirements,
            scheme: self.scheme,
            network: self.network,
            accepted: self.accepted,
            resource: self.resource,
            payload: read(self.payload),
            identity_extension: self.identity_extension,
            declared: self.declared,
        }
    }
}

/// What both ways of paying have in common.
fn envelope(
    version: X402Version,
    requirements: PaymentRequirements,
    payload: Value,
) -> Result<PresentedPayment<Value>, Refused> {
    match version {
        X402Version::V1 => from_v1(requirements, payload),
        X402Version::V2 => from_v2(requirements, payload),
    }
}

fn from_v1(
    requirements: PaymentRequirements,
    payload: Value,
) -> Result<PresentedPayment<Value>, Refused> {
    let outer: PaymentPayloadV1 = serde_json::from_value(payload).map_err(invalid_payload)?;
    same_version(outer.x402_version, X402Version::V1)?;
    let declared = Declaration::of_v1(requirements.raw());
    Ok(PresentedPayment {
        version: X402Version::V1,
        requirements,
        scheme: outer.scheme,
        network: outer.network,
        accepted: None,
        resource: None,
        payload: outer.payload,
        identity_extension: None,
        declared,
    })
}

fn from_v2(
    requirements: PaymentRequirements,
    payload: Value,
) -> Result<PresentedPayment<Value>, Refused> {
    let outer: PaymentPayloadV2 = serde_json::from_value(payload).map_err(invalid_payload)?;
    same_version(outer.x402_version, X402Version::V2)?;
    // As a rule it is the very offer, which is read already.
    let other = (outer.accepted != *requirements.raw())
        .then(|| PaymentRequirements::decode(X402Version::V2, outer.accepted.clone()))
        .transpose()?;
    let accepted = other.as_ref().unwrap_or(&requirements).fields();
    let (scheme, network) = (accepted.scheme.clone(), accepted.network.clone());
    let identity_extension = outer
        .extensions
        .as_ref()
        .and_then(|extensions| extensions.get(EXTENSION))
        .map(|extension| extension.get("info").cloned().unwrap_or(Value::Null))
        .map(serde_json::from_value)
        .transpose()
        .map_err(invalid_payload)?;
    let declared = Declaration::of_v2(outer.extensions.as_ref(), outer.resource.as_ref());
    Ok(PresentedPayment {
        version: X402Version::V2,
        requirements,
        scheme,
        network,
        accepted: Some(outer.accepted),
        resource: outer.resource.map(|resource| resource.url),
        payload: outer.payload,
        identity_extension,
        declared,
    })
}

fn same_version(inner: X402Version, outer: X402Version) -> Result<(), Refused> {
    if inner == outer {
        return Ok(());
    }
    let detail = "x402Version of the payload differs from that of the request";
    Err(Refused::new(ReasonCode::InvalidX402Version, detail))
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err wants")]
fn invalid_payload(error: serde_json::Error) -> Refused {
    Refused::new(ReasonCode::InvalidPayload, without_values(&error))
}

/// serde's explanation without what was found in the payload, which may be a proof.
pub(crate) fn without_values(error: &serde_json::Error) -> String {
    const QUOTING: [&str; 5] =
        ["invalid type", "invalid value", "invalid length", "unknown variant", "unknown field"];
    let text = error.to_string();
    let Some(kind) = QUOTING.into_iter().find(|kind| text.starts_with(kind)) else { return text };
    match text.rsplit_once(", expected ") {
        Some((_, expected)) => format!("{kind}, expected {expected}"),
        None => kind.to_owned(),
    }
}

#[cfg(test)]
mod tests;
