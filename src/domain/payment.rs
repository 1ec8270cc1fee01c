//! A payment as the facilitator understands it, and the rules that need no IO for one by transaction
//! hash. Those of a sponsored one are in `sponsored`.
//!
//! Reading a [`Payment`] from what was presented applies, in this order: scheme, network, accepted
//! offer, way of transfer, offer's values, challenge, resource, payload, identity, time. The first
//! rule that fails names the refusal. Those that every way of paying has are in `offer`. Nothing
//! here looks at the chain.

use std::collections::BTreeMap;

use ccd402_protocol::code::ReasonCode;
use ccd402_protocol::identity::IdentityRequirement;
use ccd402_protocol::network::NetworkId;
use ccd402_protocol::payload::{AccountSignatures, BindingKind};
use ccd402_protocol::presented::PresentedPayment;
use ccd402_protocol::requirements::FLOW_UPFRONT;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::account::AccountAddress;
use crate::amount::Amount;
use crate::asset::Asset;
use crate::binding::{self, Resource};
use crate::challenge::{Challenge, Window};
use crate::ids::{Digest, TransactionHash};
use crate::offer::{self, Price, reject};
use crate::rejection::Rejection;
use crate::sponsored::payment::Sponsored;

/// Longest time that a challenge may be open.
const WINDOW_MAX: TimeDelta = TimeDelta::hours(24);
/// Credentials, and keys of a credential, that may sign.
const SIGNATURES_MAX: usize = 16;

/// A payment that somebody says was made: what was asked for, and the transfer that should be it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Payment {
    /// Where it was made.
    pub network: NetworkId,
    /// The transfer.
    pub transaction: TransactionHash,
    /// Who paid.
    pub payer: AccountAddress,
    /// Who must have been paid.
    pub pay_to: AccountAddress,
    /// In what.
    pub asset: Asset,
    /// Exactly how much.
    pub amount: Amount,
    /// For what.
    pub resource: Resource,
    /// What ties the transfer to this very request.
    pub digest: Digest,
    /// Where the digest is found.
    pub binding: BindingKind,
    /// When the transfer counts.
    pub window: Window,
    /// What the payer must have proven.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<IdentityRequirement>,
    /// When the payment is used up.
    pub consume_on: ConsumeOn,
    /// What it has besides where the facilitator sends it; absent where the payer did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sponsored: Option<Box<Sponsored>>,
}

/// When a payment is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum ConsumeOn {
    /// At the first valid `/verify`.
    Verify,
    /// At `/settle`; `/verify` reserves it for a while.
    Settle,
}

/// What the payer handed in as proof. Kept beside the log, never in it, until it is checked.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Proofs {
    /// Zero-knowledge presentation: Concordium's JSON as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub presentation: Option<String>,
    /// The account's signatures over the binding digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signatures: Option<AccountSignatures>,
}

/// What this facilitator allows.
#[derive(Debug, Clone)]
pub struct Policy {
    /// The only network that it verifies.
    pub network: NetworkId,
    /// How long after the challenge has closed a transfer made in time may be handed in.
    pub presentation_grace: TimeDelta,
    /// How far clocks may disagree.
    pub clock_skew: TimeDelta,
}

impl Payment {
    /// Reads a payment and its proofs, applying every rule that needs no IO.
    ///
    /// # Errors
    /// The first rule that fails.
    pub fn read(
        presented: &PresentedPayment,
        policy: &Policy,
        now: DateTime<Utc>,
    ) -> Result<(Self, Proofs), Rejection> {
        offer::check(presented, &policy.network)?;
        let consume_on = way_of_transfer(presented)?;
        let Price { pay_to, asset, amount } = offer::price(presented.requirements.fields())?;
        let window = challenge(presented)?;
        let Some(resource) = offer::resource(presented)? else {
            return reject(ReasonCode::InvalidPaymentRequirements, "the resource is missing");
        };
        let payer = presented.payload.sender.parse().map_err(|_| {
            Rejection::new(ReasonCode::InvalidSenderAddress, "payload.sender is not an address")
        })?;
        let transaction = presented.payload.tx_hash.parse().map_err(|_| {
            Rejection::new(ReasonCode::InvalidPayload, "payload.txHash is not 64 hex digits")
        })?;
        let proofs = proofs(presented)?;
        let identity = identity(presented, &proofs)?;
        in_time(window, identity.as_ref(), policy, now)?;
        let payment = Self {
            network: policy.network.clone(),
            transaction,
            payer,
            pay_to,
            asset,
            amount,
            digest: binding::digest(&resource, presented.requirements.raw()),
            resource,
            binding: presented.payload.binding.kind,
            window,
            identity,
            consume_on,
            sponsored: None,
        };
        Ok((payment, proofs))
    }

    /// Whether a presentation must be checked: one is asked for, or it is the binding.
    #[must_use]
    pub fn needs_presentation(&self) -> bool {
        self.identity.is_some() || self.binding == BindingKind::Presentation
    }

    /// Whether the account's signatures must be checked. Those of a sponsored payment were.
    #[must_use]
    pub fn needs_signature(&self) -> bool {
        self.binding == BindingKind::Signature && self.sponsored.is_none()
    }
}

fn way_of_transfer(presented: &PresentedPayment) -> Result<ConsumeOn, Rejection> {
    let extra = &presented.requirements.fields().extra;
    if extra.asset_transfer_method.is_none() {
        return reject(ReasonCode::UnsupportedScheme, "extra.assetTransferMethod is missing");
    }
    if extra.payment_flow.as_deref().is_some_and(|flow| flow != FLOW_UPFRONT) {
        return reject(ReasonCode::UnsupportedScheme, "extra.paymentFlow is not \"upfront\"");
    }
    match extra.consume_on.as_deref() {
        None | Some("verify") => Ok(ConsumeOn::Verify),
        Some("settle") => Ok(ConsumeOn::Settle),
        Some(_) => reject(
            ReasonCode::InvalidPaymentRequirements,
            "extra.consumeOn is neither \"verify\" nor \"settle\"",
        ),
    }
}

fn challenge(presented: &PresentedPayment) -> Result<Window, Rejection> {
    let Some(text) = &presented.requirements.fields().extra.challenge else {
        return reject(ReasonCode::InvalidPaymentRequirements, "extra.challenge is missing");
    };
    match text.parse::<Challenge>() {
        Ok(challenge) => Ok(challenge.window),
        Err(_) => reject(ReasonCode::ChallengeNotOurs, "extra.challenge is not a gate's challenge"),
    }
}

fn proofs(presented: &PresentedPayment) -> Result<Proofs, Rejection> {
    let payload = &presented.payload;
    let proofs = Proofs {
        presentation: payload.presentation.as_ref().map(ToString::to_string),
        signatures: payload.binding.signatures.clone(),
    };
    match payload.binding.kind {
        BindingKind::Presentation if proofs.presentation.is_none() => {
            reject(ReasonCode::PaymentNotBound, "the presentation that should bind it is missing")
        }
        BindingKind::Signature if has_no_signature(proofs.signatures.as_ref()) => {
            reject(ReasonCode::PaymentNotBound, "the signatures that should bind it are missing")
        }
        _ if too_many_signatures(proofs.signatures.as_ref()) => {
            reject(ReasonCode::InvalidPayload, "binding.signatures holds too many")
        }
        _ => Ok(proofs),
    }
}

fn has_no_signature(signatures: Option<&AccountSignatures>) -> bool {
    signatures.is_none_or(|credentials| credentials.values().all(BTreeMap::is_empty))
}

fn too_many_signatures(signatures: Option<&AccountSignatures>) -> bool {
    signatures.is_some_and(|credentials| {
        credentials.len() > SIGNATURES_MAX
            || credentials.values().any(|keys| keys.len() > SIGNATURES_MAX)
    })
}

fn identity(
    presented: &PresentedPayment,
    proofs: &Proofs,
) -> Result<Option<IdentityRequirement>, Rejection> {
    let by_server = presented.requirements.fields().extra.identity.as_ref();
    let echoed = presented.identity_extension.as_ref();
    if let (Some(required), Some(echoed)) = (by_server, echoed)
        && required != echoed
    {
        let detail = "the extension echoes another identity requirement";
        return reject(ReasonCode::IdentityStatementMismatch, detail);
    }
    let Some(required) = by_server.or(echoed) else { return Ok(None) };
    if !required.is_within_bounds() {
        let detail = "the identity requirement is empty or too large";
        return reject(ReasonCode::InvalidPaymentRequirements, detail);
    }
    if proofs.presentation.is_none() {
        return reject(ReasonCode::IdentityRequired, "payload.presentation is missing");
    }
    Ok(Some(required.clone()))
}

fn in_time(
    window: Window,
    identity: Option<&IdentityRequirement>,
    policy: &Policy,
    now: DateTime<Utc>,
) -> Result<(), Rejection> {
    if window.opens_at > now + policy.clock_skew {
        return reject(ReasonCode::ChallengeNotOurs, "the challenge was issued in the future");
    }
    if window.closes_at - window.opens_at > WINDOW_MAX {
        return reject(ReasonCode::ChallengeNotOurs, "the challenge is open for too long");
    }
    let grace = window.closes_at + policy.presentation_grace;
    let valid_for = identity
        .and_then(|required| required.valid_for)
        // What is too long to be counted ends with the grace.
        .and_then(|seconds| TimeDelta::try_seconds(i64::try_from(seconds).ok()?))
        .and_then(|life| window.opens_at.checked_add_signed(life));
    if now > grace || valid_for.is_some_and(|until| now > until) {
        let detail = format!("it closed at {} and may not be handed in any more", window.closes_at);
        return Err(Rejection::new(ReasonCode::ChallengeExpired, detail));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
