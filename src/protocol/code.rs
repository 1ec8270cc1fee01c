//! The stable codes that say why a payment was refused or a request could not be served.
//!
//! One table: the code on the wire, a title for people, whether trying again can help. Each code
//! has a page `ops/errors/<code>.md`, which a test checks. Event logs hold codes: one that is given no
//! more stays in the table.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

macro_rules! codes {
    ($($variant:ident $wire:literal $retryable:literal $title:literal;)+) => {
        /// Why a payment was refused, or a request could not be served.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum ReasonCode {
            $(#[doc = $title] $variant,)+
        }

        impl ReasonCode {
            /// Every code there is, in the order of the table.
            pub const ALL: &'static [ReasonCode] = &[$(ReasonCode::$variant,)+];

            /// The code as it goes over the wire: stable, snake_case.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(ReasonCode::$variant => $wire,)+ }
            }

            /// A short sentence for people.
            #[must_use]
            pub fn title(self) -> &'static str {
                match self { $(ReasonCode::$variant => $title,)+ }
            }

            /// Whether the same request may succeed later without being changed.
            #[must_use]
            pub fn is_retryable(self) -> bool {
                match self { $(ReasonCode::$variant => $retryable,)+ }
            }
        }
    };
}

codes! {
    InsufficientFunds "insufficient_funds" false "The payer cannot afford the payment";
    InvalidNetwork "invalid_network" false "The payment names another network";
    InvalidPayload "invalid_payload" false "The payment payload is malformed";
    InvalidPaymentRequirements "invalid_payment_requirements" false "The payment requirements are malformed or not the ones accepted";
    InvalidScheme "invalid_scheme" false "The payment's scheme is not the one required";
    UnsupportedScheme "unsupported_scheme" false "This facilitator does not serve the scheme or its way of transfer";
    InvalidX402Version "invalid_x402_version" false "The version of x402 is unknown";
    InvalidTransactionState "invalid_transaction_state" false "The transaction is in a state that cannot pay";
    UnexpectedVerifyError "unexpected_verify_error" true "The payment could not be verified because of a fault on our side";
    UnexpectedSettleError "unexpected_settle_error" true "The payment could not be settled because of a fault on our side";
    DuplicateSettlement "duplicate_settlement" false "The payment was settled before";
    SettlementPending "settlement_pending" true "The settlement is not final yet";
    TransactionPending "transaction_pending" true "The transaction is not final yet";
    TransactionNotFound "transaction_not_found" false "The transaction never reached the chain";
    TransactionFailedOnChain "transaction_failed_on_chain" false "The transaction is on chain but was rejected there";
    TransactionNotATransfer "transaction_not_a_transfer" false "The transaction is not a single transfer";
    TransferOutsideChallenge "transfer_outside_challenge" false "The transfer was not made while the challenge was open";
    RecipientMismatch "recipient_mismatch" false "The transfer went to another account";
    AmountMismatch "amount_mismatch" false "The transfer is not of the exact amount";
    AssetTypeMismatch "asset_type_mismatch" false "The transfer is of another kind of asset";
    TokenIdMismatch "token_id_mismatch" false "The transfer is of another token";
    InvalidSenderAddress "invalid_sender_address" false "The sender is not a Concordium address";
    PaymentNotBound "payment_not_bound" false "The payment is not bound to this request";
    PaymentAlreadyUsed "payment_already_used" false "The payment was used before";
    ChallengeExpired "challenge_expired" false "The challenge has expired";
    ChallengeNotOurs "challenge_not_ours" false "The challenge was not issued here";
    InvalidTransactionVersion "invalid_transaction_version" false "The signed transaction is not of version 1";
    InvalidTransactionFormat "invalid_transaction_format" false "The signed transaction cannot be read";
    SponsorMismatch "sponsor_mismatch" false "The transaction names another sponsor than the offer";
    FeePayerNotManagedByFacilitator "fee_payer_not_managed_by_facilitator" false "The offer's fee payer is not an account of this facilitator";
    TransactionExpired "transaction_expired" false "The signed transaction has expired";
    ExpiryTooFarInFuture "expiry_too_far_in_future" false "The signed transaction expires later than the offer allows";
    MissingSenderSignature "missing_sender_signature" false "The sender has not signed the transaction";
    InvalidSenderSignature "invalid_sender_signature" false "The sender's signatures do not hold";
    UnexpectedTokenOperationsCount "unexpected_token_operations_count" false "The transaction is not exactly one transfer";
    SponsorAsSender "sponsor_as_sender" false "A sponsor of this facilitator is the sender";
    SponsorAsRecipient "sponsor_as_recipient" false "A sponsor of this facilitator is the recipient";
    EnergyOutOfBounds "energy_out_of_bounds" false "The transaction's energy, signatures or size are out of bounds";
    PreflightNonceMismatch "preflight_nonce_mismatch" false "The sequence number is not the payer's next one";
    PreflightInsufficientFunds "preflight_insufficient_funds" false "The payer does not hold enough CCD";
    PreflightInsufficientTokenFunds "preflight_insufficient_token_funds" false "The payer does not hold enough of the token";
    PreflightInsufficientSponsorFunds "preflight_insufficient_sponsor_funds" true "The sponsor cannot afford the fee now";
    SponsorBudgetExceeded "sponsor_budget_exceeded" true "The tenant's budget of sponsored fees is spent for today";
    PreflightTokenPaused "preflight_token_paused" false "The token is paused";
    PreflightTokenNotAllowed "preflight_token_not_allowed" false "The token's allow list is without the payer or the recipient";
    PreflightTokenDenied "preflight_token_denied" false "The payer or the recipient is on the token's deny list";
    // Given by nobody any more; stands in older logs.
    PreflightTokenTransferRefused "preflight_token_transfer_refused" false "The token did not allow the transfer";
    IdentityRequired "identity_required" false "An identity proof is required and missing";
    IdentityStatementMismatch "identity_statement_mismatch" false "The identity proof states something else";
    IdentityChallengeMismatch "identity_challenge_mismatch" false "The identity proof was made for another request";
    IdentityCredentialNotPayer "identity_credential_not_payer" false "The credential does not belong to the payer";
    IdentityCredentialInactive "identity_credential_inactive" false "The credential is not active";
    IdentityIssuerNotAccepted "identity_issuer_not_accepted" false "The credential's issuer is not accepted";
    IdentityProofInvalid "identity_proof_invalid" false "The identity proof does not verify";
    MalformedRequest "malformed_request" false "The request is not what this route takes";
    RequestTooLarge "request_too_large" false "The request is larger than the limit";
    IdempotencyKeyReused "idempotency_key_reused" false "The Idempotency-Key was used with another body";
    AssetNotFound "asset_not_found" false "There is no such asset on this network";
    VerificationNotFound "verification_not_found" false "There is no such verification";
    ReservationNotHeld "reservation_not_held" false "The reservation is not held any more";
    WebhookNotFound "webhook_not_found" false "There is no such webhook";
    WebhookUrlRefused "webhook_url_refused" false "Webhooks may not be sent to this URL";
    WebhookLimitReached "webhook_limit_reached" false "The tenant has as many webhooks as it may";
    DeliveryNotFound "delivery_not_found" false "The webhook hears of no such event";
    DeliveryOutOfOrder "delivery_out_of_order" true "An earlier event of the verification is still to be delivered";
    JobNotFound "job_not_found" false "There is no such job";
    JobRunning "job_running" true "The job runs at this moment";
    KeyRequired "key_required" false "An API key is required and missing";
    KeyInvalid "key_invalid" false "The API key is unknown or malformed";
    KeyExpired "key_expired" false "The API key has expired";
    KeyRevoked "key_revoked" false "The API key was revoked";
    ScopeMissing "scope_missing" false "The API key does not allow this";
    RateLimited "rate_limited" true "The API key has sent too many requests";
    TooManyInFlight "too_many_in_flight" true "The API key has too many requests in progress";
    TooManyWaiting "too_many_waiting" true "Too many of the tenant's verifications wait for a transaction";
    KeyLimitReached "key_limit_reached" false "There are as many API keys as there may be";
    KeyNotFound "key_not_found" false "There is no such API key";
    RouteNotFound "route_not_found" false "There is no such route";
    MethodNotAllowed "method_not_allowed" false "The route does not take this method";
    Overloaded "overloaded" true "Too much is waiting; try again later";
    NodeUnavailable "node_unavailable" true "No Concordium node can be reached";
    LogUnavailable "log_unavailable" true "The event log cannot be written";
    QueueUnavailable "queue_unavailable" true "The job queue cannot be reached";
    ProjectionBehind "projection_behind" true "The read model has not come that far yet";
    FacilitatorUnavailable "facilitator_unavailable" true "The facilitator cannot be reached";
    UpstreamUnavailable "upstream_unavailable" true "The server behind the gate cannot be reached";
    InternalError "internal_error" true "A fault on our side";
}

/// A text that is none of the codes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a reason code")]
pub struct NotACode;

impl FromStr for ReasonCode {
    type Err = NotACode;

    fn from_str(text: &str) -> Result<Self, NotACode> {
        Self::ALL.iter().copied().find(|code| code.as_str() == text).ok_or(NotACode)
    }
}

impl fmt::Display for ReasonCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for ReasonCode {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for ReasonCode {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(|_| serde::de::Error::custom(format!("unknown reason code {text}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_that_older_logs_hold_is_still_read() {
        let held = r#""preflight_token_transfer_refused""#;
        let read: ReasonCode = serde_json::from_str(held).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), held, "and repeated as it was said");
    }

    #[test]
    fn every_code_reads_back_from_its_own_text() {
        for code in ReasonCode::ALL {
            assert_eq!(code.as_str().parse(), Ok(*code));
            assert!(
                code.as_str()
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
            );
        }
    }
}
