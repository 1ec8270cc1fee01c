//! JSON Schemas of the values that are texts or numbers with rules of their own. Structs derive theirs.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::code::ReasonCode;
use crate::network::NetworkId;
use crate::version::X402Version;

impl JsonSchema for NetworkId {
    fn schema_name() -> Cow<'static, str> {
        "NetworkId".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "A Concordium network: ccd: and the first 32 hex digits of its genesis \
                            hash (CAIP-2). Read, never written: concordium, concordium-testnet.",
            "pattern": "^(ccd:[0-9a-f]{32}|concordium|concordium-testnet)$",
        })
    }
}

impl JsonSchema for X402Version {
    fn schema_name() -> Cow<'static, str> {
        "X402Version".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "integer",
            "description": "The version of x402 that is spoken.",
            "enum": [1, 2],
        })
    }
}

impl JsonSchema for ReasonCode {
    fn schema_name() -> Cow<'static, str> {
        "ReasonCode".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        // Not their list: a code more changes no shape of an event.
        json_schema!({
            "type": "string",
            "description": "Why: a stable code. Each has a page in ops/errors.",
            "pattern": "^[a-z0-9_]+$",
        })
    }
}
