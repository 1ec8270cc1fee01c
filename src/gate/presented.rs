//! The payment that a request carries, taken out of its headers.
//!
//! It is read as far as the gate must know what it asks for: which offer was accepted, and so when it
//! is to be settled. Whether the payment is good is the facilitator's business.

use ccd402_domain::challenge::Challenge;
use ccd402_protocol::code::ReasonCode;
use ccd402_protocol::facilitator::VerifyRequest;
use ccd402_protocol::header::{self, PAYMENT_SIGNATURE, X_PAYMENT};
use ccd402_protocol::presented;
use ccd402_protocol::requirements::{Fields, PaymentRequirements};
use ccd402_protocol::sponsored::SignedTransaction;
use ccd402_protocol::version::X402Version;
use http::HeaderMap;
use serde_json::{Map, Value};

use crate::ways::Flow;

/// A payment as it came, with the offer that it says it accepted.
#[derive(Debug, Clone)]
pub(crate) struct Presented {
    /// By the header that carried it.
    pub(crate) version: X402Version,
    /// The offer; `null` where a v1 payment names none.
    pub(crate) accepted: Value,
    payload: Value,
}

/// A payment for an offer of ours, ready to be asked about.
#[derive(Debug, Clone)]
pub(crate) struct Payment {
    /// Its version.
    pub(crate) version: X402Version,
    /// When it is settled.
    pub(crate) flow: Flow,
    /// What the facilitator is asked.
    pub(crate) request: VerifyRequest,
}

/// Why a payment is not even asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unasked {
    /// It has another shape than its offer wants: 400.
    Malformed(ReasonCode),
    /// It is refused: 402.
    Refused(ReasonCode),
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

    /// This payment against exactly the offer that it accepted.
    ///
    /// # Errors
    /// Why the facilitator is not asked at all.
    pub(crate) fn into_payment(self) -> Result<Payment, Unasked> {
        let malformed = |code| Unasked::Malformed(code);
        let requirements = PaymentRequirements::decode(self.version, self.accepted.clone())
            .map_err(|refused| malformed(refused.code))?;
        let fields = requirements.fields().clone();
        let payment =
            presented::Presented::assemble(self.version, requirements, self.payload.clone())
                .map_err(|refused| malformed(refused.code))?;
        if let presented::Presented::Sponsored(payment) = payment {
            let transaction = payment.payload.map_err(|refused| malformed(refused.code))?;
            if !is_for_its_time(&transaction, &fields) {
                return Err(Unasked::Refused(ReasonCode::ChallengeExpired));
            }
        }
        Ok(Payment {
            version: self.version,
            flow: Flow::of(&fields.extra),
            request: VerifyRequest {
                x402_version: self.version,
                payment_payload: self.payload,
                payment_requirements: self.accepted,
            },
        })
    }
}

/// Whether a sponsored transaction can only pay while its offer is open, give or take the time that
/// a payer is allowed.
///
/// Nothing else holds it to that: no memo ties it to a challenge, and with an old offer somebody could
/// pay an old price for ever. The time that counts is the transaction's own expiry, so that one which
/// was sent in time is taken however late it is shown again.
fn is_for_its_time(transaction: &SignedTransaction, fields: &Fields) -> bool {
    let challenge = fields.extra.challenge.as_deref().and_then(|text| text.parse().ok());
    let Some(closes_at) = challenge.map(|challenge: Challenge| challenge.window.closes_at) else {
        return false;
    };
    let closes_at = closes_at.timestamp().try_into().unwrap_or(0_u64);
    transaction.header.expiry <= closes_at.saturating_add(fields.max_timeout_seconds)
}

fn values(headers: &mut HeaderMap, name: &str) -> Vec<Vec<u8>> {
    let values = headers.get_all(name).iter().map(|value| value.as_bytes().to_vec()).collect();
    headers.remove(name);
    values
}
