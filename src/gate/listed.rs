//! What the gate says of a resource that strangers may find: the extension `bazaar` of its offers,
//! and the same in every payment that it hands on.
//!
//! In v2 a payer echoes what the offer declared, and so could say anything. The facilitator is told
//! what the seller says, whatever was echoed. In v1 it stands in the sealed offer.

use ccd402_domain::binding::Resource;
use ccd402_protocol::bazaar::{self, BAZAAR};
use ccd402_protocol::facilitator::VerifyRequest;
use ccd402_protocol::payload::ResourceInfo;
use ccd402_protocol::version::X402Version;
use serde_json::{Map, Value};

use crate::offer::Sale;
use crate::routes::Route;

/// A resource as v2 describes it.
pub(crate) fn info(route: &Route, resource: &Resource) -> ResourceInfo {
    ResourceInfo {
        url: resource.url.clone(),
        description: route.description.clone(),
        mime_type: route.mime_type.clone(),
    }
}

/// The value of the extension, where the route wants to be found.
pub(crate) fn extension(sale: &Sale<'_>) -> Option<Value> {
    if !sale.route.discoverable {
        return None;
    }
    bazaar::extension(&sale.resource.method, sale.route.mime_type.as_deref())
}

/// `outputSchema` of v1, where the route wants to be found.
pub(crate) fn output_schema(sale: &Sale<'_>) -> Option<Value> {
    extension(sale).map(|_| bazaar::output_schema(&sale.resource.method))
}

/// Puts what the seller says in the place of what the payer has echoed.
pub(crate) fn restate(sale: &Sale<'_>, request: &mut VerifyRequest) {
    if request.x402_version == X402Version::V1 {
        return;
    }
    let Some(payload) = request.payment_payload.as_object_mut() else { return };
    let Some(extension) = extension(sale) else {
        if let Some(Value::Object(extensions)) = payload.get_mut("extensions") {
            extensions.remove(BAZAAR);
        }
        return;
    };
    let extensions = payload.entry("extensions").or_insert(Value::Null);
    match extensions {
        Value::Object(extensions) => drop(extensions.insert(BAZAAR.to_owned(), extension)),
        _ => *extensions = Value::Object(Map::from_iter([(BAZAAR.to_owned(), extension)])),
    }
    // One that names another resource stays as it is, and is refused.
    let echoed = payload.get("resource").and_then(|resource| resource.get("url"));
    if echoed.is_none_or(|url| *url == sale.resource.url)
        && let Ok(info) = serde_json::to_value(info(sale.route, sale.resource))
    {
        payload.insert("resource".to_owned(), info);
    }
}
