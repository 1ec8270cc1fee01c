//! How an offer may be paid, and when a payment is settled.

use std::fmt;
use std::str::FromStr;

use ccd402_protocol::requirements::{Extra, FLOW_UPFRONT};

/// A way of paying.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// The payer sends a transfer, pays its fee, and hands in the transaction's hash.
    Hash,
    /// The payer hands in a signed transaction; the facilitator pays its fee and sends it. Offered in
    /// x402 v2 only, without an identity proof, and where the fee payer is known.
    Sponsored,
}

/// When a sponsored payment is settled. One by transaction hash is on chain already: it is verified,
/// which holds it, the server behind is asked, and then it is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Flow {
    /// Verify, ask the server behind, settle; the content leaves only if that succeeded.
    ///
    /// Nobody pays for a server that fails. But one payment that is shown several times at once may
    /// have the server asked as often, and one that cannot be settled has it asked for nothing: take
    /// it where asking is cheap and has no effect.
    #[default]
    Authorization,
    /// Settle, then ask the server behind: it is asked once for a payment, and only once it is paid.
    ///
    /// Where the server then fails, the payer has paid all the same: the failure carries the receipt
    /// in `PAYMENT-RESPONSE`, the payment is not taken again, and what to do about it is between
    /// payer and seller. Who hangs up after that has paid as well.
    Upfront,
}

/// A text that names nothing here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is neither {}", known.join(" nor "))]
pub struct Unknown {
    text: String,
    known: [&'static str; 2],
}

impl Flow {
    /// `extra.paymentFlow` of a sponsored offer; the specification's default is not written.
    pub(crate) fn wire(self) -> Option<String> {
        match self {
            Self::Authorization => None,
            Self::Upfront => Some(FLOW_UPFRONT.to_owned()),
        }
    }

    /// The flow of an offer that the gate has sealed, whatever the route says by now.
    pub(crate) fn of(extra: &Extra) -> Self {
        let is_upfront = extra.payment_flow.as_deref() == Some(FLOW_UPFRONT);
        let is_by_hash = extra.asset_transfer_method.is_some();
        if is_upfront && !is_by_hash { Self::Upfront } else { Self::Authorization }
    }
}

impl FromStr for Way {
    type Err = Unknown;

    fn from_str(text: &str) -> Result<Self, Unknown> {
        match text {
            "hash" => Ok(Self::Hash),
            "sponsored" => Ok(Self::Sponsored),
            _ => Err(Unknown { text: text.to_owned(), known: ["hash", "sponsored"] }),
        }
    }
}

impl FromStr for Flow {
    type Err = Unknown;

    fn from_str(text: &str) -> Result<Self, Unknown> {
        match text {
            "authorization" => Ok(Self::Authorization),
            "upfront" => Ok(Self::Upfront),
            _ => Err(Unknown { text: text.to_owned(), known: ["authorization", "upfront"] }),
        }
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hash => "hash",
            Self::Sponsored => "sponsored",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_sponsored_offer_that_says_so_is_settled_first() {
        let extra = |method: Option<&str>, flow: Option<&str>| Extra {
            asset_transfer_method: method.map(str::to_owned),
            payment_flow: flow.map(str::to_owned),
            ..Extra::default()
        };
        let rows = [
            (None, None, Flow::Authorization),
            (None, Some("upfront"), Flow::Upfront),
            (None, Some("authorization"), Flow::Authorization),
            (Some("transaction-hash"), Some("upfront"), Flow::Authorization),
        ];
        for (method, flow, expected) in rows {
            assert_eq!(Flow::of(&extra(method, flow)), expected, "{method:?} {flow:?}");
        }
        for flow in [Flow::Authorization, Flow::Upfront] {
            assert_eq!(Flow::of(&extra(None, flow.wire().as_deref())), flow);
        }
    }
}
