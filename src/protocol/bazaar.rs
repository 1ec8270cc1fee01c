//! The extension `bazaar`: how a resource server says that strangers may find what it sells
//! (x402 v2, extensions/bazaar; in v1 `outputSchema.input` of the requirements).
//!
//! Only HTTP resources are read and written. Of what is declared only what a list shows is read;
//! its `schema` is passed over, because whoever sent the one could have sent the other to match.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::payload::ResourceInfo;

/// Name of the extension.
pub const BAZAAR: &str = "bazaar";
/// The type of resource that is read and written here.
pub const HTTP: &str = "http";

/// Methods whose parameters are in the URL.
const OF_QUERIES: [&str; 3] = ["GET", "HEAD", "DELETE"];
/// Methods whose parameters are in the body.
const OF_BODIES: [&str; 3] = ["POST", "PUT", "PATCH"];

/// What is declared of a resource, as it came: the payer may have written all of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Declaration {
    /// Its method, if it says one.
    pub method: Option<String>,
    /// For people.
    pub description: Option<String>,
    /// Media type of the content.
    pub mime_type: Option<String>,
}

#[derive(Deserialize)]
struct Input {
    r#type: String,
    #[serde(default)]
    method: Option<String>,
    /// v1 alone.
    #[serde(default)]
    discoverable: bool,
}

impl Declaration {
    /// What the requirements of v1 declare, where they say `discoverable`.
    pub(crate) fn of_v1(requirements: &Value) -> Option<Self> {
        let input = input(requirements.pointer("/outputSchema/input")?)?;
        let text = |name: &str| requirements.get(name)?.as_str().map(str::to_owned);
        input.discoverable.then(|| Self {
            method: input.method,
            description: text("description"),
            mime_type: text("mimeType"),
        })
    }

    /// What the extensions of v2 declare.
    pub(crate) fn of_v2(
        extensions: Option<&Map<String, Value>>,
        resource: Option<&ResourceInfo>,
    ) -> Option<Self> {
        let input = input(extensions?.get(BAZAAR)?.pointer("/info/input")?)?;
        Some(Self {
            method: input.method,
            description: resource.and_then(|resource| resource.description.clone()),
            mime_type: resource.and_then(|resource| resource.mime_type.clone()),
        })
    }
}

/// What is no input of an HTTP resource counts as none: a payment does not fail for want of a list.
fn input(value: &Value) -> Option<Input> {
    Input::deserialize(value).ok().filter(|input| input.r#type == HTTP)
}

/// `outputSchema` of v1 requirements that may be listed.
#[must_use]
pub fn output_schema(method: &str) -> Value {
    json!({ "input": { "type": HTTP, "method": method, "discoverable": true } })
}

/// The extension's value for a resource: `info`, and the `schema` that it meets. None for a method
/// that the extension does not know.
#[must_use]
pub fn extension(method: &str, mime_type: Option<&str>) -> Option<Value> {
    let mut input = json!({ "type": HTTP, "method": method });
    let mut properties = json!({
        "type": { "type": "string", "const": HTTP },
        "method": { "type": "string", "enum": [method] },
    });
    let mut required = vec!["type", "method"];
    if OF_BODIES.contains(&method) {
        // Both must be said. What a body holds is between client and server.
        input["bodyType"] = "json".into();
        input["body"] = json!({});
        properties["bodyType"] = json!({ "type": "string", "enum": ["json", "form-data", "text"] });
        properties["body"] = json!({ "type": "object" });
        required.extend(["bodyType", "body"]);
    } else if !OF_QUERIES.contains(&method) {
        return None;
    }
    let mut info = json!({ "input": input });
    let mut schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": { "input": {
            "type": "object",
            "properties": properties,
            "required": required,
            "additionalProperties": false,
        } },
        "required": ["input"],
    });
    if let Some(mime_type) = mime_type {
        info["output"] = json!({ "type": kind_of(mime_type) });
        schema["properties"]["output"] = json!({
            "type": "object",
            "properties": { "type": { "type": "string" } },
            "required": ["type"],
        });
    }
    Some(json!({ "info": info, "schema": schema }))
}

/// A media type in the extension's words, where it has one.
fn kind_of(mime_type: &str) -> &str {
    let essence = mime_type.split(';').next().unwrap_or_default().trim();
    match essence {
        "application/json" => "json",
        text if text.starts_with("text/") => "text",
        _ => essence,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v2(extension: Value) -> Option<Declaration> {
        let extensions = Map::from_iter([(BAZAAR.to_owned(), extension)]);
        Declaration::of_v2(Some(&extensions), None)
    }

    #[test]
    fn what_is_written_is_read() {
        let written = extension("GET", Some("application/json; charset=utf-8")).unwrap();
        assert_eq!(written["info"]["output"]["type"], "json");
        let declared = Declaration { method: Some("GET".into()), ..Declaration::default() };
        assert_eq!(v2(written), Some(declared.clone()));
        let v1 = json!({ "outputSchema": output_schema("GET"), "description": "News" });
        let declared = Declaration { description: Some("News".into()), ..declared };
        assert_eq!(Declaration::of_v1(&v1), Some(declared));
    }

    #[test]
    fn bodies_are_declared_as_the_extension_wants_them() {
        let written = extension("POST", None).unwrap();
        let [input, schema] =
            [&written["info"]["input"], &written["schema"]["properties"]["input"]];
        for name in schema["required"].as_array().unwrap() {
            assert!(input.get(name.as_str().unwrap()).is_some(), "{name}");
        }
        assert!(written["info"].get("output").is_none());
        assert_eq!(extension("OPTIONS", None), None);
    }

    #[test]
    fn what_is_none_of_it_declares_nothing() {
        let none = [
            json!(null),
            json!("bazaar"),
            json!({ "info": { "input": { "type": "mcp", "tool": "x" } } }),
            json!({ "info": { "input": { "type": "http", "method": 7 } } }),
            json!({ "input": { "type": "http" } }),
        ];
        for extension in none {
            assert_eq!(v2(extension.clone()), None, "{extension}");
        }
        assert_eq!(Declaration::of_v2(None, None), None);
        for input in [json!({ "type": "http" }), json!({ "type": "http", "discoverable": false })] {
            assert_eq!(Declaration::of_v1(&json!({ "outputSchema": { "input": input } })), None);
        }
    }
}
