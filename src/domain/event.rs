//! Every event of the log: its type name, its version, and the JSON of its data.
//!
//! Events are history. A type is never edited: a change adds a version and an upcaster in `store`.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::follower::BlockFollowed;
use crate::ids::{Digest, VerificationId};
use crate::key::event::{KeyCreated, KeyRevoked};
use crate::operator::OperatorActed;
use crate::rejection::Rejection;
use crate::sponsored::holds::HoldsChanged;
use crate::verification::event::{
    BindingVerified, IdentityVerified, PaymentConsumed, PaymentReleased, PaymentReserved,
    TransactionSigned, TransferFinalized, VerificationConfirmed, VerificationFailed,
    VerificationRequested,
};
use crate::webhook::event::{
    WebhookChanged, WebhookCheckpointed, WebhookCreated, WebhookDeleted, WebhookDelivered,
    WebhookDisabled, WebhookEnabled, WebhookSecretRotated,
};

macro_rules! events {
    ($($(#[$doc:meta])* $name:ident;)+) => {
        /// An event of the log.
        #[derive(Debug, Clone, PartialEq)]
        pub enum Event {
            $($(#[$doc])* $name($name),)+
        }

        impl Event {
            /// Names of all types, in the order of the table.
            pub const NAMES: &'static [&'static str] = &[$(stringify!($name),)+];

            /// The JSON Schema of each type's data, by name, in the order of the table.
            #[cfg(feature = "schema")]
            #[must_use]
            pub fn schemas() -> Vec<(&'static str, schemars::Schema)> {
                vec![$((stringify!($name), schemars::schema_for!($name)),)+]
            }

            /// Name of the type, without its version.
            #[must_use]
            pub fn name(&self) -> &'static str {
                match self { $(Event::$name(_) => stringify!($name),)+ }
            }

            /// The data's JSON text.
            ///
            /// # Errors
            /// Never for the types as they are; serde's signature allows it.
            pub fn to_json(&self) -> Result<Vec<u8>, serde_json::Error> {
                let mut json = Vec::new();
                self.write_json(&mut json)?;
                Ok(json)
            }

            /// Writes the data's JSON text behind what is there.
            ///
            /// # Errors
            /// As for [`Event::to_json`].
            pub fn write_json(&self, out: &mut Vec<u8>) -> Result<(), serde_json::Error> {
                match self { $(Event::$name(data) => serde_json::to_writer(out, data),)+ }
            }

            /// Reads data of the type of that name, in its newest version.
            ///
            /// # Errors
            /// Where the name is unknown or the data is not of that type.
            pub fn from_json(name: &str, data: &Value) -> Result<Self, EventError> {
                match name {
                    $(stringify!($name) => $name::deserialize(data)
                        .map(Event::$name)
                        .map_err(|error| EventError::Data { name: name.to_owned(), error }),)+
                    _ => Err(EventError::UnknownType(name.to_owned())),
                }
            }

            /// As [`Event::from_json`], straight from the text, which is a lot quicker.
            ///
            /// # Errors
            /// As for [`Event::from_json`].
            pub fn read_json(name: &str, data: &str) -> Result<Self, EventError> {
                match name {
                    $(stringify!($name) => serde_json::from_str(data)
                        .map(Event::$name)
                        .map_err(|error| EventError::Data { name: name.to_owned(), error }),)+
                    _ => Err(EventError::UnknownType(name.to_owned())),
                }
            }
        }

        $(impl From<$name> for Event {
            fn from(data: $name) -> Self {
                Event::$name(data)
            }
        })+
    };
}

events! {
    /// Somebody handed in a payment.
    VerificationRequested;
    /// The presentation holds.
    IdentityVerified;
    /// The account's signatures over the binding digest hold.
    BindingVerified;
    /// The sponsor has signed the payer's transaction; it is sent from now on.
    TransactionSigned;
    /// What a payer's sponsored payments on their way will take.
    HoldsChanged;
    /// The transfer is final and right; the payer's proofs are still being checked.
    TransferFinalized;
    /// The payment is good, final and claimed.
    VerificationConfirmed;
    /// The payment is refused for good.
    VerificationFailed;
    /// A resource server holds the payment until it has answered.
    PaymentReserved;
    /// It gave it back.
    PaymentReleased;
    /// The payment is used up.
    PaymentConsumed;
    /// The follower has applied a block.
    BlockFollowed;
    /// An answer was given under an Idempotency-Key.
    AnswerRecorded;
    /// Somebody wants to be told of a tenant's verifications.
    WebhookCreated;
    /// Its settings were changed.
    WebhookChanged;
    /// It has a new secret.
    WebhookSecretRotated;
    /// It is told again.
    WebhookEnabled;
    /// It is told no more for the time being.
    WebhookDisabled;
    /// It is gone for good.
    WebhookDeleted;
    /// How far its deliveries have come.
    WebhookCheckpointed;
    /// A delivery was tried.
    WebhookDelivered;
    /// An API key was made.
    KeyCreated;
    /// An API key was taken back.
    KeyRevoked;
    /// An operator wants something done to a job, a key or a delivery.
    OperatorActed;
}

/// An event that cannot be read back.
#[derive(Debug, thiserror::Error)]
pub enum EventError {
    /// Written by a newer version of this software.
    #[error("unknown event type {0:?}: this log was written by a newer version")]
    UnknownType(String),
    /// Not the data of its type.
    #[error("the data of a {name} cannot be read: {error}")]
    Data {
        /// The type.
        name: String,
        /// What is wrong.
        error: serde_json::Error,
    },
}

/// What was answered under an Idempotency-Key, so that a repeat hears the same.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct AnswerRecorded {
    /// What it was about.
    pub verification: VerificationId,
    /// SHA-256 of the request's body.
    pub body: Digest,
    /// Absent where the answer was yes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejection: Option<Rejection>,
    /// The reservation that was handed out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reservation: Option<crate::ids::ReservationId>,
}
