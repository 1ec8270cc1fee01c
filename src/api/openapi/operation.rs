//! One operation of the API, as OpenAPI 3.1 writes it.
//!
//! It knows the form alone; what the operations are stands beside it, a file a group of routes.

use ccd402_protocol::code::ReasonCode;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

use crate::openapi::Access;

pub(super) const JSON: &str = "application/json";
const PROBLEM: &str = "application/problem+json";

/// An operation in the making.
pub(super) struct Operation {
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    value: Map<String, Value>,
}

/// A body with an example that a reader can try.
pub(super) struct Body {
    pub(super) media: &'static str,
    pub(super) schema: Value,
    pub(super) example: Value,
}

impl Body {
    /// JSON of a type.
    pub(super) fn json<T: JsonSchema>(schemas: &mut SchemaGenerator, example: Value) -> Self {
        let schema = schemas.subschema_for::<T>();
        Self { media: JSON, schema: schema.into(), example }
    }

    fn content(self) -> Value {
        json!({ self.media: { "schema": self.schema, "example": self.example } })
    }
}

impl Operation {
    /// An operation by its route; its id is what generated clients call it.
    pub(super) fn new(
        (method, path): (&'static str, &'static str),
        (id, tag): (&str, &str),
        (summary, description): (&str, &str),
    ) -> Self {
        let value = Map::from_iter([
            ("operationId".to_owned(), json!(id)),
            ("tags".to_owned(), json!([tag])),
            ("summary".to_owned(), json!(summary)),
            ("description".to_owned(), json!(description)),
            ("parameters".to_owned(), json!([])),
            ("responses".to_owned(), json!({})),
        ]);
        let operation = Self { method, path, value };
        let names = path.split('{').skip(1).filter_map(|rest| rest.split('}').next());
        names.fold(operation, |operation, name| {
            operation.parameter(("path", name), &json!({ "type": "string" }), "Which one.")
        })
    }

    /// Who may call it.
    pub(super) fn access(mut self, access: Access) -> Self {
        self.value.insert("security".into(), access.security());
        self.value.insert("x-scope".into(), access.as_str().into());
        if !matches!(access, Access::Open) {
            use ReasonCode as C;
            return self.problems(&[
                (401, &[C::KeyRequired, C::KeyInvalid, C::KeyExpired, C::KeyRevoked]),
                (403, &[C::ScopeMissing]),
                (429, &[C::RateLimited, C::TooManyInFlight]),
            ]);
        }
        self
    }

    /// A parameter in the query, a header or the path.
    pub(super) fn parameter(
        mut self,
        (place, name): (&str, &str),
        schema: &Value,
        description: &str,
    ) -> Self {
        let parameter = json!({
            "in": place, "name": name, "required": place == "path",
            "schema": schema, "description": description,
        });
        if let Some(Value::Array(parameters)) = self.value.get_mut("parameters") {
            parameters.retain(|known| known["name"] != name);
            parameters.push(parameter);
        }
        self
    }

    /// A parameter in the query.
    pub(super) fn query(self, name: &str, schema: &Value, description: &str) -> Self {
        self.parameter(("query", name), schema, description)
    }

    /// What must be sent.
    pub(super) fn body(self, body: Body) -> Self {
        self.bodies(vec![body])
    }

    /// What must be sent, in one of several forms.
    pub(super) fn bodies(mut self, bodies: Vec<Body>) -> Self {
        let mut content = Map::new();
        for body in bodies {
            if let Value::Object(one) = body.content() {
                content.extend(one);
            }
        }
        self.value.insert("requestBody".into(), json!({ "required": true, "content": content }));
        self.problems(&[
            (413, &[ReasonCode::RequestTooLarge]),
            (415, &[ReasonCode::MalformedRequest]),
        ])
    }

    /// An answer.
    pub(super) fn answer(mut self, status: u16, description: &str, body: Option<Body>) -> Self {
        let mut answer = json!({ "description": description });
        if let Some(body) = body {
            answer["content"] = body.content();
        }
        self.respond(status, answer);
        self
    }

    /// The same answer in another form.
    pub(super) fn or(mut self, status: u16, body: Body) -> Self {
        let answers = self.value.get_mut("responses");
        let answer = answers.and_then(|answers| answers.get_mut(status.to_string()));
        if let (Some(answer), Value::Object(forms)) = (answer, body.content()) {
            for (media, form) in forms {
                answer["content"][media] = form;
            }
        }
        self
    }

    /// Problems that it may answer with, by status.
    pub(super) fn problems(mut self, problems: &[(u16, &[ReasonCode])]) -> Self {
        for (status, codes) in problems {
            let mut answer = problem(codes);
            if matches!(status, 429 | 503) {
                answer["headers"] = json!({ "Retry-After": {
                    "description": "Seconds after which to try again.",
                    "schema": { "type": "integer" },
                } });
            }
            self.respond(*status, answer);
        }
        self
    }

    /// The problems that every route under `/v1` may answer with.
    pub(super) fn common(self) -> Self {
        use ReasonCode as C;
        self.problems(&[
            (400, &[C::MalformedRequest]),
            (431, &[C::RequestTooLarge]),
            (500, &[C::InternalError]),
            (503, &[C::Overloaded, C::LogUnavailable]),
        ])
    }

    /// A position of the log that must be in the answer.
    pub(super) fn min_position(self) -> Self {
        let about = "An event that must be in the answer, such as the `asOf` of another one.";
        let position = json!({ "type": "integer", "format": "uint64", "minimum": 0 });
        self.query("minPosition", &position, about)
    }

    /// As [`Operation::common`], of a route that reads the read model.
    pub(super) fn common_as_of(self) -> Self {
        use ReasonCode as C;
        let behind = [C::ProjectionBehind, C::Overloaded, C::LogUnavailable];
        self.min_position().common().problems(&[(503, &behind)])
    }

    /// The operation as OpenAPI writes it.
    pub(super) fn into_value(self) -> Value {
        Value::Object(self.value)
    }

    fn respond(&mut self, status: u16, answer: Value) {
        if let Some(Value::Object(answers)) = self.value.get_mut("responses") {
            answers.insert(status.to_string(), answer);
        }
    }
}

fn problem(codes: &[ReasonCode]) -> Value {
    let named: Vec<_> = codes.iter().map(|code| format!("`{code}`: {}", code.title())).collect();
    json!({
        "description": named.join(" · "),
        "content": { PROBLEM: { "schema": { "$ref": "#/components/schemas/Problem" } } },
    })
}
