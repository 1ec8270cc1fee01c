//! JSON Schemas of the values that are texts with rules of their own. Structs derive theirs.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::account::AccountAddress;
use crate::amount::Amount;
use crate::asset::Asset;
use crate::ids::{BlockHash, Digest, TransactionHash};
use crate::key::command::KeyName;
use crate::key::scope::{Scope, Scopes};
use crate::tenant::TenantId;

macro_rules! texts {
    ($($name:ident, $pattern:literal, $description:literal;)+) => {
        $(impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({
                    "type": "string",
                    "description": $description,
                    "pattern": $pattern,
                })
            }
        })+
    };
}

texts! {
    AccountAddress, "^[1-9A-HJ-NP-Za-km-z]{50}$",
        "A Concordium account address in Base58Check with version byte 1.";
    Amount, "^(0|[1-9][0-9]{0,19})$",
        "An amount in the asset's smallest unit: microCCD, or the token's.";
    Asset, "^[A-Za-z0-9.%-]{1,128}$",
        "CCD, or the id of a protocol-level token.";
    TransactionHash, "^[0-9a-fA-F]{64}$",
        "The hash of a block item on Concordium, 64 hex digits.";
    BlockHash, "^[0-9a-fA-F]{64}$",
        "The hash of a block on Concordium, 64 hex digits.";
    Digest, "^[0-9a-fA-F]{64}$",
        "A SHA-256, 64 hex digits.";
    KeyName, "^[^\\u0000-\\u001f\\u007f-\\u009f]{1,100}$",
        "What people call a key.";
    Scope, "^(submit|read|operate)$",
        "One thing that a caller may be allowed.";
    TenantId, "^[a-z0-9][a-z0-9-]{0,62}$",
        "A tenant's name.";
}

impl JsonSchema for Scopes {
    fn schema_name() -> Cow<'static, str> {
        "Scopes".into()
    }

    fn json_schema(schemas: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "array",
            "description": "What a key allows.",
            "items": schemas.subschema_for::<Scope>(),
            "uniqueItems": true,
            "minItems": 1,
        })
    }
}
