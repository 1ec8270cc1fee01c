//! The JSON of `/discovery/resources`, as the official packages read it (x402 v2, section 8).
//!
//! `lastUpdated` is a text: the specification shows a number, but every published client, Go's
//! among them, reads a text.

use ccd402_app::ports::read_model::Shelf;
use ccd402_app::projections::resources::{Resource, Terms};
use ccd402_domain::listing::Listing;
use ccd402_protocol::bazaar::HTTP;
use ccd402_protocol::requirements::{Extra, FLOW_UPFRONT, METHOD_TRANSACTION_HASH, SCHEME_EXACT};
use ccd402_protocol::version::X402Version;
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;

/// Resources that may be found, those that were paid for last first.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DiscoveredResources<'a> {
    /// Of this answer.
    x402_version: X402Version,
    items: Vec<DiscoveredResource<'a>>,
    pagination: Pagination,
}

/// A resource that was paid for. Its seller, and for some texts a payer, has written what is said
/// of it.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct DiscoveredResource<'a> {
    /// URL, without a query.
    resource: &'a str,
    #[schemars(extend("enum" = [HTTP]))]
    r#type: &'static str,
    /// In which it was paid for last; `accepts` has that version's form.
    x402_version: X402Version,
    /// On what terms it was paid for lately, newest first. What it costs now says its 402.
    accepts: Vec<Accepted<'a>>,
    /// When it was paid for last.
    last_updated: DateTime<Utc>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mime_type: Option<&'a str>,
    metadata: Metadata<'a>,
}

#[derive(Serialize, JsonSchema)]
struct Metadata<'a> {
    /// HTTP method.
    method: &'a str,
}

/// PaymentRequirements without what every 402 makes afresh, as the challenge.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Accepted<'a> {
    scheme: &'static str,
    /// v1 names it in a word.
    network: &'a str,
    asset: String,
    /// Smallest units; v2.
    #[serde(skip_serializing_if = "Option::is_none")]
    amount: Option<String>,
    /// The same; v1.
    #[serde(skip_serializing_if = "Option::is_none")]
    max_amount_required: Option<String>,
    pay_to: String,
    max_timeout_seconds: u64,
    /// v1.
    #[serde(skip_serializing_if = "Option::is_none")]
    resource: Option<&'a str>,
    /// v1.
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    /// v1.
    #[serde(skip_serializing_if = "Option::is_none")]
    mime_type: Option<&'a str>,
    extra: Extra,
}

#[derive(Serialize, JsonSchema)]
struct Pagination {
    limit: usize,
    offset: u64,
    /// How many there are in all.
    total: u64,
}

impl<'a> DiscoveredResources<'a> {
    /// A part of the list.
    pub(crate) fn of(shelf: &'a Shelf, offset: u64, limit: usize) -> Self {
        Self {
            x402_version: X402Version::V2,
            items: shelf.resources.iter().map(DiscoveredResource::of).collect(),
            pagination: Pagination { limit, offset, total: shelf.total },
        }
    }
}

impl<'a> DiscoveredResource<'a> {
    fn of(listed: &'a Resource) -> Self {
        let listing = &listed.listing;
        Self {
            resource: &listing.url,
            r#type: HTTP,
            x402_version: listing.x402_version,
            accepts: listed.terms.iter().map(|terms| Accepted::of(listing, terms)).collect(),
            last_updated: listed.updated_at,
            description: listing.description.as_deref(),
            mime_type: listing.mime_type.as_deref(),
            metadata: Metadata { method: &listing.method },
        }
    }
}

impl<'a> Accepted<'a> {
    fn of(listing: &'a Listing, terms: &'a Terms) -> Self {
        let amount = Some(terms.amount.to_string());
        let both = Self {
            scheme: SCHEME_EXACT,
            network: terms.network.as_str(),
            asset: terms.asset.to_string(),
            amount: None,
            max_amount_required: None,
            pay_to: terms.pay_to.to_string(),
            max_timeout_seconds: listing.max_timeout_seconds,
            resource: None,
            description: None,
            mime_type: None,
            extra: extra(listing, terms),
        };
        match listing.x402_version {
            X402Version::V2 => Self { amount, ..both },
            X402Version::V1 => Self {
                network: terms.network.v1_name(),
                max_amount_required: amount,
                resource: Some(&listing.url),
                // Clients of v1 insist on both texts.
                description: Some(listing.description.as_deref().unwrap_or_default()),
                mime_type: Some(listing.mime_type.as_deref().unwrap_or_default()),
                ..both
            },
        }
    }
}

fn extra(listing: &Listing, terms: &Terms) -> Extra {
    let method = Some(listing.method.clone());
    match &terms.fee_payer {
        Some(fee_payer) => {
            Extra { fee_payer: Some(fee_payer.to_string()), method, ..Extra::default() }
        }
        None => Extra {
            asset_transfer_method: Some(METHOD_TRANSACTION_HASH.to_owned()),
            payment_flow: Some(FLOW_UPFRONT.to_owned()),
            method,
            ..Extra::default()
        },
    }
}
