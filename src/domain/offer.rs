//! What is asked for, and the rules about it that both ways of paying share: scheme, network,
//! accepted offer, price and resource.
//!
//! Nothing here looks at what was paid.

use ccd402_protocol::code::ReasonCode;
use ccd402_protocol::network::NetworkId;
use ccd402_protocol::presented::PresentedPayment;
use ccd402_protocol::requirements::{Fields, SCHEME_EXACT};

use crate::account::AccountAddress;
use crate::amount::Amount;
use crate::asset::Asset;
use crate::binding::Resource;
use crate::rejection::Rejection;

/// Longest URL of a resource.
const URL_BYTES_MAX: usize = 2_048;
/// Longest HTTP method.
const METHOD_BYTES_MAX: usize = 32;

/// What an offer wants to be paid.
pub(crate) struct Price {
    pub(crate) pay_to: AccountAddress,
    pub(crate) asset: Asset,
    pub(crate) amount: Amount,
}

pub(crate) fn reject<T>(code: ReasonCode, detail: &str) -> Result<T, Rejection> {
    Err(Rejection::new(code, detail))
}

/// A value of the requirements, or their refusal with its name.
pub(crate) fn requirement<T, E: std::fmt::Display>(
    name: &str,
    value: Result<T, E>,
) -> Result<T, Rejection> {
    value.map_err(|error| {
        Rejection::new(ReasonCode::InvalidPaymentRequirements, format!("{name}: {error}"))
    })
}

/// Scheme, network and accepted offer, in this order.
pub(crate) fn check<P>(
    presented: &PresentedPayment<P>,
    network: &NetworkId,
) -> Result<(), Rejection> {
    scheme(presented)?;
    on_network(presented, network)?;
    accepted(presented)
}

/// Recipient, asset and amount, in this order.
pub(crate) fn price(fields: &Fields) -> Result<Price, Rejection> {
    Ok(Price {
        pay_to: requirement("payTo", fields.pay_to.parse())?,
        asset: requirement("asset", fields.asset.parse())?,
        amount: requirement("amount", amount(&fields.amount))?,
    })
}

/// What is paid for, if it is said.
pub(crate) fn resource<P>(presented: &PresentedPayment<P>) -> Result<Option<Resource>, Rejection> {
    let fields = presented.requirements.fields();
    let by_server = [fields.resource.as_ref(), fields.extra.resource.as_ref()];
    let mut named = by_server.into_iter().flatten();
    let url = match (named.next(), &presented.resource) {
        (None, None) => return Ok(None),
        (Some(url), _) | (None, Some(url)) if url.len() > URL_BYTES_MAX => {
            return reject(
                ReasonCode::InvalidPaymentRequirements,
                "the resource's URL is too long",
            );
        }
        (Some(url), Some(by_payer)) if url != by_payer => {
            return reject(ReasonCode::PaymentNotBound, "the payload names another resource");
        }
        (Some(url), _) | (None, Some(url)) => url,
    };
    if named.any(|other| other != url) {
        let detail = "resource and extra.resource differ";
        return reject(ReasonCode::InvalidPaymentRequirements, detail);
    }
    if url.is_empty() {
        return reject(ReasonCode::InvalidPaymentRequirements, "the resource's URL is empty");
    }
    let method = fields.extra.method.clone().unwrap_or_else(|| "GET".to_owned());
    if !is_method(&method) {
        let detail = "extra.method is not an HTTP method in capitals";
        return reject(ReasonCode::InvalidPaymentRequirements, detail);
    }
    Ok(Some(Resource { method, url: url.clone() }))
}

fn scheme<P>(presented: &PresentedPayment<P>) -> Result<(), Rejection> {
    if presented.requirements.fields().scheme != SCHEME_EXACT {
        return reject(ReasonCode::UnsupportedScheme, "the scheme required is not \"exact\"");
    }
    if presented.scheme != SCHEME_EXACT {
        return reject(ReasonCode::InvalidScheme, "the payload's scheme is not \"exact\"");
    }
    Ok(())
}

fn on_network<P>(presented: &PresentedPayment<P>, ours: &NetworkId) -> Result<(), Rejection> {
    let named = [&presented.requirements.fields().network, &presented.network];
    if named.iter().all(|name| name.parse().is_ok_and(|id: NetworkId| id == *ours)) {
        return Ok(());
    }
    let detail = format!("this facilitator verifies payments on {ours} only");
    Err(Rejection::new(ReasonCode::InvalidNetwork, detail))
}

fn accepted<P>(presented: &PresentedPayment<P>) -> Result<(), Rejection> {
    match &presented.accepted {
        Some(accepted) if accepted != presented.requirements.raw() => reject(
            ReasonCode::InvalidPaymentRequirements,
            "the offer that was accepted is not the one required",
        ),
        _ => Ok(()),
    }
}

fn amount(text: &str) -> Result<Amount, String> {
    match text.parse::<Amount>() {
        Ok(amount) if amount.units() == 0 => Err("nothing to pay".to_owned()),
        Ok(amount) => Ok(amount),
        Err(error) => Err(error.to_string()),
    }
}

pub(crate) fn is_method(text: &str) -> bool {
    let is_allowed = |b: u8| b.is_ascii_uppercase() || b == b'-';
    (1..=METHOD_BYTES_MAX).contains(&text.len()) && text.bytes().all(is_allowed)
}
