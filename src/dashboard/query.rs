//! Which verifications a page means, read from its URL and written back into others. The names are
//! the API's.

use std::fmt::Write as _;
use std::str::FromStr;

use ccd402_app::ports::read_model::{Filter, Status};
use ccd402_domain::tenant::TenantId;
use chrono::{DateTime, NaiveDateTime, SecondsFormat, Utc};

use crate::fault::Fault;

/// The parts of a query, in the order of its URL.
pub(crate) type Pairs = Vec<(String, String)>;

/// What a list is asked for.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Asked {
    pub(crate) filter: Filter,
    /// From the page before.
    pub(crate) cursor: Option<String>,
}

impl Asked {
    /// Reads a query; fields that were left empty say nothing.
    ///
    /// # Errors
    /// Names what is not what it should be: a filter that is ignored shows too much.
    pub(crate) fn read(pairs: Pairs, only: Option<TenantId>) -> Result<Self, Fault> {
        let mut pairs: Pairs =
            pairs.into_iter().filter(|(_, value)| !value.trim().is_empty()).collect();
        let status: Option<String> = take(&mut pairs, "status")?;
        let status = status.map(|name| Status::named(&name).ok_or_else(|| bad("status")));
        let wanted: Option<TenantId> = take(&mut pairs, "tenant")?;
        if only.is_some() && wanted.is_some() && wanted != only {
            // Another tenant's is not there.
            return Err(Fault::NotFound);
        }
        let filter = Filter {
            tenant: only.or(wanted),
            status: status.transpose()?,
            payer: take(&mut pairs, "payer")?,
            pay_to: take(&mut pairs, "payTo")?,
            asset: take(&mut pairs, "asset")?,
            network: take(&mut pairs, "network")?,
            resource: take(&mut pairs, "resource")?,
            transaction: take(&mut pairs, "transaction")?,
            from: take::<Moment>(&mut pairs, "from")?.map(|moment| moment.0),
            to: take::<Moment>(&mut pairs, "to")?.map(|moment| moment.0),
        };
        let cursor = take(&mut pairs, "cursor")?;
        match pairs.first() {
            None => Ok(Self { filter, cursor }),
            Some((name, _)) => {
                let name: String = name.chars().take(40).collect();
                Err(Fault::Malformed(format!(
                    "“{name}” is nothing that this page can be asked for"
                )))
            }
        }
    }
}

/// A filter as the query of a URL, without its `?`. A caller who has but one tenant says none.
pub(crate) fn written(filter: &Filter, with_tenant: bool) -> String {
    let time = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::AutoSi, true);
    let pairs = [
        ("tenant", filter.tenant.as_ref().filter(|_| with_tenant).map(ToString::to_string)),
        ("status", filter.status.map(|status| status.as_str().to_owned())),
        ("payer", filter.payer.map(|account| account.to_string())),
        ("payTo", filter.pay_to.map(|account| account.to_string())),
        ("asset", filter.asset.as_ref().map(ToString::to_string)),
        ("network", filter.network.as_ref().map(ToString::to_string)),
        ("resource", filter.resource.clone()),
        ("transaction", filter.transaction.map(|hash| hash.to_string())),
        ("from", filter.from.map(time)),
        ("to", filter.to.map(time)),
    ];
    let mut query = String::new();
    for (name, value) in pairs {
        if let Some(value) = value {
            push(&mut query, name, &value);
        }
    }
    query
}

/// Adds a pair to a query.
pub(crate) fn push(query: &mut String, name: &str, value: &str) {
    if !query.is_empty() {
        query.push('&');
    }
    query.push_str(name);
    query.push('=');
    for byte in value.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                query.push(char::from(byte));
            }
            _ => {
                let _ = write!(query, "%{byte:02X}");
            }
        }
    }
}

fn take<T: FromStr>(pairs: &mut Pairs, name: &'static str) -> Result<Option<T>, Fault> {
    let mut values = pairs.extract_if(.., |(found, _)| found == name).map(|(_, value)| value);
    let Some(value) = values.next() else { return Ok(None) };
    let is_twice = values.next().is_some();
    drop(values);
    match value.trim().parse() {
        Ok(value) if !is_twice => Ok(Some(value)),
        _ => Err(bad(name)),
    }
}

fn bad(name: &'static str) -> Fault {
    Fault::Malformed(match name {
        "status" => "The status is pending, confirmed or failed.".to_owned(),
        "from" | "to" => {
            format!("“{name}” is a time in UTC, such as 2026-11-22T15:00 or 2026-11-22T15:00:00Z.")
        }
        "payer" | "payTo" => format!("“{name}” is no Concordium account address."),
        "transaction" => "A transaction’s hash has 64 hex digits.".to_owned(),
        _ => format!("The value of “{name}” is not one."),
    })
}

/// A time, as programs and as browsers' fields write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment(pub(crate) DateTime<Utc>);

impl FromStr for Moment {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        if let Ok(at) = text.parse::<DateTime<Utc>>() {
            return Ok(Self(at));
        }
        let formats = ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S"];
        let local = formats.iter().find_map(|format| {
            NaiveDateTime::parse_from_str(text.trim_end_matches(" UTC"), format).ok()
        });
        local.map(|at| Self(at.and_utc())).ok_or(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Pairs {
        let pair = |pair: &str| pair.split_once('=').map(|(a, b)| (a.to_owned(), b.to_owned()));
        text.split('&').filter_map(pair).collect()
    }

    #[test]
    fn what_was_left_empty_says_nothing_and_what_is_unknown_is_refused() {
        let asked = Asked::read(pairs("status=&payer= &from=2026-11-22T15:00"), None).unwrap();
        let from = "2026-11-22T15:00:00Z".parse().unwrap();
        assert_eq!(asked.filter, Filter { from: Some(from), ..Filter::default() });
        for bad in
            ["status=paid", "stat=failed", "payer=x", "from=soon", "status=failed&status=failed"]
        {
            assert!(Asked::read(pairs(bad), None).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_tenant_keeps_to_its_own() {
        let own: TenantId = "shop".parse().unwrap();
        let asked = |text| Asked::read(pairs(text), Some(own.clone()));
        assert_eq!(asked("").unwrap().filter.tenant, Some(own.clone()));
        assert_eq!(asked("tenant=shop").unwrap().filter.tenant, Some(own.clone()));
        assert!(matches!(asked("tenant=other"), Err(Fault::NotFound)));
        let filter = asked("status=failed").unwrap().filter;
        assert_eq!(written(&filter, false), "status=failed");
        assert_eq!(written(&filter, true), "tenant=shop&status=failed");
    }

    #[test]
    fn a_filter_is_written_as_it_is_read() {
        let asked = Asked::read(
            vec![
                ("status".into(), "failed".into()),
                ("asset".into(), "EURR".into()),
                ("resource".into(), "https://a/?b=<c>&d".into()),
                ("from".into(), "2026-11-22T15:00:00Z".into()),
            ],
            None,
        );
        let text = written(&asked.unwrap().filter, true);
        assert_eq!(
            text,
            "status=failed&asset=EURR&resource=https%3A%2F%2Fa%2F%3Fb%3D%3Cc%3E%26d\
             &from=2026-11-22T15%3A00%3A00Z"
        );
    }
}
