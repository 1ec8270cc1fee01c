//! The terms of one thing for sale: price, recipient, methods, and what payers must prove.
//!
//! The same settings stand outside and in `[[route]]` tables, hence a struct of their own.

use std::collections::BTreeSet;

use anyhow::Context as _;
use ccd402_domain::account::AccountAddress;
use ccd402_domain::preset::Preset;
use ccd402_gate::routes::{CHALLENGE_LIFE_DEFAULT, Route};
use ccd402_gate::ways::{Flow, Way};
use clap::Args;
use http::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

use crate::config::gate::prices::{self, Decimals};
use crate::config::span::Span;

/// What something costs, and who may have it.
#[derive(Debug, Clone, Default, Args, Deserialize, JsonSchema)]
pub(super) struct Terms {
    /// Price: a number and an asset, as in "1.5 CCD"; several, and the payer chooses one
    #[arg(long, env = "CCD402_GATE_PRICE", value_name = "PRICE", value_delimiter = ',')]
    #[serde(default, deserialize_with = "one_or_many")]
    #[schemars(with = "Option<OneOrMany<String>>")]
    price: Option<Vec<String>>,
    /// Decimals of the tokens in the prices: one number for all of them, or one for each, in order
    /// [default: as the facilitator says that the chain has them]
    #[arg(long, env = "CCD402_GATE_DECIMALS", value_name = "N", value_delimiter = ',')]
    #[serde(default, deserialize_with = "one_or_many")]
    #[schemars(with = "Option<OneOrMany<u8>>")]
    decimals: Option<Vec<u8>>,
    /// Ways of paying: `sponsored` (the facilitator pays the fee; not with a proof), `hash` (the payer
    /// does) [default: both]
    #[arg(long, env = "CCD402_GATE_WAYS", value_name = "WAY", value_delimiter = ',')]
    #[serde(default, deserialize_with = "one_or_many")]
    #[schemars(with = "Option<OneOrMany<String>>")]
    ways: Option<Vec<String>>,
    /// When a sponsored payment is settled: `authorization`, after the server has answered and only if
    /// it did not fail; `upfront`, before it is asked [default: authorization]
    #[arg(long, env = "CCD402_GATE_FLOW", value_name = "FLOW")]
    flow: Option<String>,
    /// Account that is paid
    #[arg(long, env = "CCD402_GATE_PAY_TO", value_name = "ADDRESS")]
    pay_to: Option<AccountAddress>,
    /// Methods that cost something; others pass [default: GET,HEAD]
    #[arg(long, env = "CCD402_GATE_METHODS", value_name = "METHOD", value_delimiter = ',')]
    methods: Option<Vec<String>>,
    /// Years of age that payers must prove; 0 for none
    #[arg(long, env = "CCD402_GATE_MIN_AGE", value_name = "YEARS")]
    min_age: Option<u32>,
    /// Nationalities that payers must have, one of them (two letters)
    #[arg(long, env = "CCD402_GATE_NATIONALITY_IN", value_name = "CC", value_delimiter = ',')]
    nationality_in: Option<Vec<String>>,
    /// Nationalities that payers must not have
    #[arg(long, env = "CCD402_GATE_NATIONALITY_NOT_IN", value_name = "CC", value_delimiter = ',')]
    nationality_not_in: Option<Vec<String>>,
    /// Countries in which payers must live, one of them
    #[arg(long, env = "CCD402_GATE_RESIDENCE_IN", value_name = "CC", value_delimiter = ',')]
    residence_in: Option<Vec<String>>,
    /// Countries in which payers must not live
    #[arg(long, env = "CCD402_GATE_RESIDENCE_NOT_IN", value_name = "CC", value_delimiter = ',')]
    residence_not_in: Option<Vec<String>>,
    /// Identity providers that are accepted, by number [default: all]
    #[arg(long, env = "CCD402_GATE_ISSUERS", value_name = "N", value_delimiter = ',')]
    issuers: Option<Vec<u32>>,
    /// What is for sale, for people
    #[arg(long, env = "CCD402_GATE_DESCRIPTION", value_name = "TEXT")]
    description: Option<String>,
    /// Media type of what is for sale
    #[arg(long, env = "CCD402_GATE_MIME_TYPE", value_name = "TYPE")]
    mime_type: Option<String>,
    /// How long a payer may take, 1s to 24h [default: 5m]
    #[arg(long, env = "CCD402_GATE_CHALLENGE_LIFE", value_name = "TIME")]
    challenge_life: Option<Span>,
    /// Let facilitators tell strangers what is for sale, once somebody has paid for it: URL without
    /// query, description and terms. It needs --public-url [default: false]
    #[arg(long, env = "CCD402_GATE_DISCOVERABLE", value_name = "BOOL", num_args = 0..=1,
        default_missing_value = "true", require_equals = true)]
    discoverable: Option<bool>,
}

/// A value of the file that may be one or a list.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
enum OneOrMany<T> {
    One(T),
    Many(Vec<T>),
}

fn one_or_many<'de, D, T>(deserializer: D) -> Result<Option<Vec<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Ok(Some(match OneOrMany::deserialize(deserializer)? {
        OneOrMany::One(one) => vec![one],
        OneOrMany::Many(many) => many,
    }))
}

impl Terms {
    /// These terms, and for those that are missing the other ones.
    pub(super) fn or(self, other: Self) -> Self {
        // Decimals belong to the prices that they were said with.
        let decimals =
            if self.price.is_some() { self.decimals } else { self.decimals.or(other.decimals) };
        Self {
            price: self.price.or(other.price),
            decimals,
            ways: self.ways.or(other.ways),
            flow: self.flow.or(other.flow),
            pay_to: self.pay_to.or(other.pay_to),
            methods: self.methods.or(other.methods),
            min_age: self.min_age.or(other.min_age),
            nationality_in: self.nationality_in.or(other.nationality_in),
            nationality_not_in: self.nationality_not_in.or(other.nationality_not_in),
            residence_in: self.residence_in.or(other.residence_in),
            residence_not_in: self.residence_not_in.or(other.residence_not_in),
            issuers: self.issuers.or(other.issuers),
            description: self.description.or(other.description),
            mime_type: self.mime_type.or(other.mime_type),
            challenge_life: self.challenge_life.or(other.challenge_life),
            discoverable: self.discoverable.or(other.discoverable),
        }
    }

    /// The tokens that its prices are in.
    pub(super) fn tokens(&self) -> BTreeSet<String> {
        self.price.as_deref().map(prices::tokens).unwrap_or_default()
    }

    /// The route with this pattern.
    pub(super) fn route(self, path: &str, decimals: Decimals<'_>) -> anyhow::Result<Route> {
        let prices = self.price.context("say with --price what it costs, like \"1.5 CCD\"")?;
        Ok(Route {
            pattern: path.parse()?,
            methods: self.methods.map_or_else(|| Ok(Route::methods_default()), methods)?,
            price: prices::parsed(&prices, &self.decimals.unwrap_or_default(), decimals)?.into(),
            ways: self.ways.map_or_else(|| Ok(Route::ways_default()), |names| ways(&names))?,
            flow: self.flow.map_or_else(|| Ok(Flow::default()), |flow| flow.parse())?,
            pay_to: self.pay_to.context("say with --pay-to which account is paid")?,
            identity: Preset {
                min_age: self.min_age.filter(|years| *years > 0),
                nationality_in: self.nationality_in.unwrap_or_default(),
                nationality_not_in: self.nationality_not_in.unwrap_or_default(),
                residence_in: self.residence_in.unwrap_or_default(),
                residence_not_in: self.residence_not_in.unwrap_or_default(),
                issuers: self.issuers.unwrap_or_default(),
            },
            description: self.description,
            mime_type: self.mime_type,
            challenge_life: self.challenge_life.map_or(CHALLENGE_LIFE_DEFAULT, |life| life.0),
            discoverable: self.discoverable.unwrap_or(false),
        })
    }
}

fn methods(names: Vec<String>) -> anyhow::Result<Vec<Method>> {
    let read = |name: String| {
        Method::from_bytes(name.as_bytes()).with_context(|| format!("{name:?} is not a method"))
    };
    names.into_iter().map(read).collect()
}

fn ways(names: &[String]) -> anyhow::Result<Vec<Way>> {
    names.iter().map(|name| name.trim().parse::<Way>().map_err(Into::into)).collect()
}
