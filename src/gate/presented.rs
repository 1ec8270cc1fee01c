//! The payment that a request carries, taken out of its headers.
//!
//! Only the envelope is read here, to find the offer that was accepted; whether the payment is good
//! is the facilitator's business.

use ccd402_protocol::code::ReasonCode;
use ccd402_protocol::facilitator::VerifyRequest;
use ccd402_protocol::header::{self, PAYMENT_SIGNATURE, X_PAYMENT};
use ccd402_protocol::presented::PresentedPayment;
use ccd402_protocol::requirements::PaymentRequirements;
use ccd402_protocol::version::X402Version;
use http::HeaderMap;
use serde_json::{Map, Value};

/// A payment as it came, with the offer that it says it accepted.
#[derive(Debug, Clone)]
pub(crate) struct Presented {
    /// By the header that carried it.
    pub(crate) version: X402Version,
    /// The offer; `null` where a v1 payment names none.
    pub(crate) accepted: Value,
    payload: Value,
}

impl Presented {
    /// Takes the payment headers out, whatever they hold, so that they never reach the upstream. v2
    /// counts where both are there.
    ///
    /// # Errors
    /// The code with which a malformed one is answered (400).
    pub(crate) fn take(headers: &mut HeaderMap) -> Result<Option<Self>, ReasonCode> {
        let v2 = values(headers, PAYMENT_SIGNATURE);
        let v1 = values(headers, X_PAYMENT);
        let (version, values) =
            if v2.is_empty() { (X402Version::V1, v1) } else { (X402Version::V2, v2) };
        match values.as_slice() {
            [] => Ok(None),
            [value] => Self::decode(version, value).map(Some),
            _ => Err(ReasonCode::InvalidPayload),
        }
    }

    fn decode(version: X402Version, value: &[u8]) -> Result<Self, ReasonCode> {
        let payload: Map<String, Value> =
            header::decode(value).map_err(|_| ReasonCode::InvalidPayload)?;
        if payload.get("x402Version").and_then(Value::as_u64) != Some(version.into()) {
            return Err(ReasonCode::InvalidX402Version);
        }
        let accepted = match version {
            X402Version::V1 => payload
                .get("payload")
                .and_then(|payload| payload.pointer("/binding/accepted"))
                .unwrap_or(&Value::Null),
            X402Version::V2 => payload.get("accepted").ok_or(ReasonCode::InvalidPayload)?,
        };
        Ok(Self { version, accepted: accepted.clone(), payload: Value::Object(payload) })
    }

    /// What the facilitator is asked: this payment against exactly the offer that it accepted.
    ///
    /// # Errors
    /// The code with which a payload of another shape is answered (400).
    pub(crate) fn into_request(self) -> Result<VerifyRequest, ReasonCode> {
        let requirements = PaymentRequirements::decode(self.version, self.accepted.clone())
            .map_err(|refused| refused.code)?;
        PresentedPayment::assemble(self.version, requirements, self.payload.clone())
            .map_err(|refused| refused.code)?;
        Ok(VerifyRequest {
            x402_version: self.version,
            payment_payload: self.payload,
            payment_requirements: self.accepted,
        })
    }
}

fn values(headers: &mut HeaderMap, name: &str) -> Vec<Vec<u8>> {
    let values = headers.get_all(name).iter().map(|value| value.as_bytes().to_vec()).collect();
    headers.remove(name);
    values
}
