//! Why a token update is rejected, in the words and CBOR of the token module.

use concordium_rust_sdk::{
    base::protocol_level_tokens::{
        AddressNotFoundRejectReason, CborHolderAccount, DeserializationFailureRejectReason,
        MintWouldOverflowRejectReason, OperationNotPermittedRejectReason, TokenAmount,
        TokenBalanceInsufficientRejectReason, UnsupportedOperationRejectReason,
    },
    common::cbor::{CborSerialize, cbor_encode},
    v2::generated::{plt, reject_reason::Reason},
};

/// A reason of the token module, before it is known which token it is about.
pub(super) struct Failure {
    kind: &'static str,
    details: Vec<u8>,
}

impl Failure {
    fn new(kind: &'static str, details: &impl CborSerialize) -> Self {
        let details = cbor_encode(details).expect("reasons of the SDK have a CBOR form");
        Self { kind, details }
    }

    pub(super) fn into_reason(self, token_id: plt::TokenId) -> Reason {
        Reason::TokenUpdateTransactionFailed(plt::TokenModuleRejectReason {
            token_id: Some(token_id),
            r#type: self.kind.to_owned(),
            details: Some(plt::Cbor { value: self.details }),
        })
    }
}

pub(super) fn malformed(cause: &str) -> Failure {
    let cause = Some(cause.to_owned());
    Failure::new("deserializationFailure", &DeserializationFailureRejectReason { cause })
}

pub(super) fn no_account(index: usize, address: CborHolderAccount) -> Failure {
    Failure::new("addressNotFound", &AddressNotFoundRejectReason { index, address })
}

pub(super) fn insufficient(index: usize, available: TokenAmount, required: TokenAmount) -> Failure {
    let details = TokenBalanceInsufficientRejectReason {
        index,
        available_balance: available,
        required_balance: required,
    };
    Failure::new("tokenBalanceInsufficient", &details)
}

pub(super) fn unsupported(index: usize, operation: &str) -> Failure {
    let details = UnsupportedOperationRejectReason {
        index,
        operation_type: operation.to_owned(),
        reason: Some("the token has no lists".to_owned()),
    };
    Failure::new("unsupportedOperation", &details)
}

pub(super) fn not_permitted(
    index: usize,
    address: Option<CborHolderAccount>,
    reason: &str,
) -> Failure {
    let reason = Some(reason.to_owned());
    let details = OperationNotPermittedRejectReason { index, address, reason };
    Failure::new("operationNotPermitted", &details)
}

pub(super) fn overflow(index: usize, requested: TokenAmount, supply: TokenAmount) -> Failure {
    let details = MintWouldOverflowRejectReason {
        index,
        requested_amount: requested,
        current_supply: supply,
        max_representable_amount: TokenAmount::from_raw(u64::MAX, supply.decimals()),
    };
    Failure::new("mintWouldOverflow", &details)
}
