//! What a 402 says: its offers, of both versions, and why a payment was refused.
//!
//! Reading is lenient about what it does not need and bounded in everything. Whether an offer may
//! be accepted is said in `offer`.

use ccd402_protocol::facilitator::SettleResponse;
use ccd402_protocol::header;
use ccd402_protocol::identity::{EXTENSION, IdentityRequirement};
use ccd402_protocol::payload::ResourceInfo;
use ccd402_protocol::required::{PaymentRequiredV1, PaymentRequiredV2};
use ccd402_protocol::requirements::PaymentRequirements;
use ccd402_protocol::version::X402Version;
use http::HeaderMap;
use serde_json::{Map, Value};

/// Offers of one 402 that are looked at.
const OFFERS_MAX: usize = 32;
/// Longest text of a server's that is shown to people.
const TEXT_CHARS_MAX: usize = 200;

/// A 402, read.
#[derive(Debug, Default)]
pub(crate) struct Demand {
    /// Those of v2 first.
    pub(crate) offers: Vec<Offer>,
    /// Why the payment that was sent is refused: a code.
    pub(crate) error: Option<String>,
    /// Why there are no offers, for people.
    pub(crate) unreadable: Option<String>,
}

/// One offer, with what its 402 says beside it.
#[derive(Debug, Clone)]
pub(crate) struct Offer {
    pub(crate) version: X402Version,
    pub(crate) requirements: PaymentRequirements,
    /// The v2 resource.
    pub(crate) resource: Option<ResourceInfo>,
    /// The v2 extensions, to be echoed.
    pub(crate) extensions: Option<Map<String, Value>>,
    /// What must be proven, said in the requirements or in the extensions.
    pub(crate) identity: Option<IdentityRequirement>,
    /// For people.
    pub(crate) description: Option<String>,
}

impl Demand {
    /// Reads a 402; `body` is `None` where it was longer than what is read.
    pub(crate) fn read(headers: &HeaderMap, body: Option<&[u8]>) -> Self {
        let mut demand = Self::default();
        if let Some(value) = headers.get(header::PAYMENT_REQUIRED) {
            match header::decode::<PaymentRequiredV2>(value.as_bytes()) {
                Ok(required) if required.x402_version == X402Version::V2 => demand.add_v2(required),
                Ok(_) => demand.unreadable("its PAYMENT-REQUIRED is not of version 2"),
                Err(error) => demand.unreadable(&error.to_string()),
            }
        }
        match body.map(serde_json::from_slice::<PaymentRequiredV1>) {
            Some(Ok(required)) if required.x402_version == X402Version::V1 => {
                demand.add_v1(required);
            }
            // The body of a v2 answer is free.
            Some(Ok(_)) => {}
            Some(Err(error)) => demand.unreadable(&error.to_string()),
            None => demand.unreadable("its body is too long"),
        }
        if demand.error.is_none() {
            demand.error = receipt(headers).and_then(|receipt| receipt.error_reason);
        }
        demand
    }

    fn add_v2(&mut self, required: PaymentRequiredV2) {
        let PaymentRequiredV2 { error, resource, accepts, extensions, .. } = required;
        self.error = error.map(|text| shown(&text));
        for raw in accepts.into_iter().take(OFFERS_MAX) {
            match offer_v2(raw, &resource, extensions.as_ref()) {
                Ok(offer) => self.offers.push(offer),
                Err(reason) => self.unreadable(&reason),
            }
        }
    }

    fn add_v1(&mut self, required: PaymentRequiredV1) {
        if self.error.is_none() {
            self.error = required.error.map(|text| shown(&text));
        }
        for raw in required.accepts.into_iter().take(OFFERS_MAX) {
            match offer_v1(raw) {
                Ok(offer) => self.offers.push(offer),
                Err(reason) => self.unreadable(&reason),
            }
        }
    }

    fn unreadable(&mut self, reason: &str) {
        self.unreadable.get_or_insert_with(|| shown(reason));
    }
}

fn offer_v1(raw: Value) -> Result<Offer, String> {
    let description = raw.get("description").and_then(Value::as_str).map(shown);
    let requirements =
        PaymentRequirements::decode(X402Version::V1, raw).map_err(|refused| refused.to_string())?;
    Ok(Offer {
        version: X402Version::V1,
        identity: requirements.fields().extra.identity.clone(),
        requirements,
        resource: None,
        extensions: None,
        description,
    })
}

fn offer_v2(
    raw: Value,
    resource: &ResourceInfo,
    extensions: Option<&Map<String, Value>>,
) -> Result<Offer, String> {
    let requirements =
        PaymentRequirements::decode(X402Version::V2, raw).map_err(|refused| refused.to_string())?;
    let announced = extensions
        .and_then(|extensions| extensions.get(EXTENSION))
        .map(|extension| extension.get("info").cloned().unwrap_or(Value::Null))
        .map(serde_json::from_value::<IdentityRequirement>)
        .transpose()
        .map_err(|error| format!("its extension {EXTENSION}: {error}"))?;
    let required = requirements.fields().extra.identity.clone();
    if let (Some(required), Some(announced)) = (&required, &announced)
        && required != announced
    {
        return Err("it asks for two different identity proofs".to_owned());
    }
    Ok(Offer {
        version: X402Version::V2,
        identity: required.or(announced),
        requirements,
        resource: Some(resource.clone()),
        extensions: extensions.cloned(),
        description: resource.description.as_deref().map(shown),
    })
}

/// What the resource server says about the settlement, of either version.
pub(crate) fn receipt(headers: &HeaderMap) -> Option<SettleResponse> {
    [header::PAYMENT_RESPONSE, header::X_PAYMENT_RESPONSE]
        .iter()
        .filter_map(|name| headers.get(*name))
        .find_map(|value| header::decode(value.as_bytes()).ok())
}

/// A server's text made fit for a terminal: short, and without control characters.
pub(crate) fn shown(text: &str) -> String {
    let is_plain = |c: &char| !c.is_control();
    text.chars().filter(is_plain).take(TEXT_CHARS_MAX).collect()
}
