//! The terms of one thing for sale: price, recipient, methods, and what payers must prove.
//!
//! The same settings stand outside and in `[[route]]` tables, hence a struct of their own.

use anyhow::Context as _;
use ccd402_domain::account::AccountAddress;
use ccd402_domain::preset::Preset;
use ccd402_gate::routes::{CHALLENGE_LIFE_DEFAULT, Price, Route};
use clap::Args;
use http::Method;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::span::Span;

/// What something costs, and who may have it.
#[derive(Debug, Clone, Default, Args, Deserialize, JsonSchema)]
pub(super) struct Terms {
    /// Price: a number and an asset, as in "1.5 CCD"
    #[arg(long, env = "CCD402_GATE_PRICE", value_name = "PRICE")]
    price: Option<String>,
    /// Decimals of the price's asset, where that is a token
    #[arg(long, env = "CCD402_GATE_DECIMALS", value_name = "N")]
    decimals: Option<u8>,
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
}

impl Terms {
    /// These terms, and for those that are missing the other ones.
    pub(super) fn or(self, other: Self) -> Self {
        // Decimals belong to the price that they were said with.
        let decimals =
            if self.price.is_some() { self.decimals } else { self.decimals.or(other.decimals) };
        Self {
            price: self.price.or(other.price),
            decimals,
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
        }
    }

    /// The route with this pattern.
    pub(super) fn route(self, path: &str) -> anyhow::Result<Route> {
        let price = self.price.context("say with --price what it costs, like \"1.5 CCD\"")?;
        Ok(Route {
            pattern: path.parse()?,
            methods: self.methods.map_or_else(|| Ok(Route::methods_default()), methods)?,
            price: Price::parse(&price, self.decimals)?,
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
        })
    }
}

fn methods(names: Vec<String>) -> anyhow::Result<Vec<Method>> {
    let read = |name: String| {
        Method::from_bytes(name.as_bytes()).with_context(|| format!("{name:?} is not a method"))
    };
    names.into_iter().map(read).collect()
}
