//! The offer that a sponsored payment pays, and who may sponsor it.
//!
//! Nothing here looks at the transaction.

use ccd402_protocol::code::ReasonCode;
use ccd402_protocol::network::NetworkId;
use ccd402_protocol::presented::PresentedPayment;

use crate::account::AccountAddress;
use crate::amount::Amount;
use crate::asset::Asset;
use crate::binding::Resource;
use crate::offer::{self, Price, reject, requirement};
use crate::rejection::Rejection;
use crate::sponsored::energy::Bounds;

/// What this facilitator sponsors.
#[derive(Debug, Clone)]
pub struct Policy {
    /// The only network.
    pub network: NetworkId,
    /// The accounts that it pays fees from.
    pub sponsors: Vec<Sponsor>,
    /// How much one transaction may cost.
    pub bounds: Bounds,
}

/// An account of ours that pays fees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sponsor {
    /// Its address.
    pub address: AccountAddress,
    /// How many signatures it makes.
    pub signatures: u64,
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// Where.
    pub network: NetworkId,
    /// Who is paid.
    pub pay_to: AccountAddress,
    /// In what.
    pub asset: Asset,
    /// Exactly how much.
    pub amount: Amount,
    /// How far ahead the transaction may expire.
    pub max_timeout_seconds: u64,
    /// Who pays the fee.
    pub fee_payer: AccountAddress,
    /// For what, where that is said.
    pub resource: Option<Resource>,
}

impl Offer {
    /// Reads an offer, applying the rules that need no transaction: scheme, network, accepted
    /// offer, price, fee payer, resource, identity.
    ///
    /// # Errors
    /// The first rule that fails. An offer that asks for an identity proof fails with
    /// `identity_required`, because a sponsored payment carries none.
    pub fn read<P>(
        presented: &PresentedPayment<P>,
        network: &NetworkId,
    ) -> Result<Self, Rejection> {
        offer::check(presented, network)?;
        let fields = presented.requirements.fields();
        let Price { pay_to, asset, amount } = offer::price(fields)?;
        let Some(fee_payer) = &fields.extra.fee_payer else {
            return reject(ReasonCode::InvalidPaymentRequirements, "extra.feePayer is missing");
        };
        let fee_payer = requirement("extra.feePayer", fee_payer.parse())?;
        let resource = offer::resource(presented)?;
        if fields.extra.identity.is_some() || presented.identity_extension.is_some() {
            let detail = "a sponsored payment carries no identity proof: pay by transaction hash";
            return reject(ReasonCode::IdentityRequired, detail);
        }
        Ok(Self {
            network: network.clone(),
            pay_to,
            asset,
            amount,
            max_timeout_seconds: fields.max_timeout_seconds,
            fee_payer,
            resource,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::sample::identity;
    use crate::sponsored::sample::{Request, fee_payer};

    fn code(request: &Request) -> Option<ReasonCode> {
        request.offer().err().map(|rejection| rejection.code)
    }

    #[test]
    fn both_versions_ask_for_the_same() {
        let (one, two) = (Request::v1().offer().unwrap(), Request::v2().offer().unwrap());
        assert_eq!(one, two);
        assert_eq!((two.fee_payer, two.amount.units()), (fee_payer(), 1_500_000));
        assert_eq!((two.asset, two.max_timeout_seconds), (Asset::Ccd, 60));
    }

    #[test]
    fn each_rule_names_its_refusal() {
        use ReasonCode as R;
        let v2 = Request::v2;
        let rows = [
            ("scheme", v2().ask("/scheme", json!("upto")), R::UnsupportedScheme),
            ("network", v2().ask("/network", json!("eip155:1")), R::InvalidNetwork),
            (
                "accepted something cheaper",
                v2().with("/paymentPayload/accepted/amount", json!("1")),
                R::InvalidPaymentRequirements,
            ),
            ("payTo", v2().ask("/payTo", json!("nobody")), R::InvalidPaymentRequirements),
            ("asset", v2().ask("/asset", json!("ccd")), R::InvalidPaymentRequirements),
            ("amount", v2().ask("/amount", json!("0")), R::InvalidPaymentRequirements),
            (
                "no fee payer",
                v2().ask("/extra/feePayer", json!(null)),
                R::InvalidPaymentRequirements,
            ),
            (
                "a fee payer that is no account",
                v2().ask("/extra/feePayer", json!("us")),
                R::InvalidPaymentRequirements,
            ),
            (
                "another resource",
                v2().ask("/extra/resource", json!("https://other.example")),
                R::PaymentNotBound,
            ),
            ("identity", v2().ask("/extra/identity", identity()), R::IdentityRequired),
            (
                "identity that the payer echoes",
                v2().with(
                    "/paymentPayload/extensions",
                    json!({ "concordium-identity": { "info": identity() } }),
                ),
                R::IdentityRequired,
            ),
        ];
        for (name, request, expected) in rows {
            assert_eq!(code(&request), Some(expected), "{name}");
        }
    }

    #[test]
    fn the_resource_need_not_be_named() {
        let unnamed = Request::v2().with("/paymentPayload/resource", json!(null));
        assert_eq!(unnamed.offer().unwrap().resource, None);
    }
}
