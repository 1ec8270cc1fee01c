//! `GET /v1/stats`: what verifications amount to, as JSON or as a table for spreadsheets.
//!
//! The lag and the jobs that wait are told only where they are asked for: everything else follows
//! from the log alone.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use ccd402_app::ports::log::Position;
use ccd402_app::ports::read_model::Step;
use ccd402_app::stats::Query as Asking;
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, VARY};
use http::{HeaderMap, StatusCode, Uri};

use crate::api::Api;
use crate::caller::Caller;
use crate::filter::Asked;
use crate::problem::Problem;
use crate::query::Query;
use crate::reply;
use crate::sheet;
use crate::wire::stats::{Lag, Stats};

const CSV: HeaderValue = HeaderValue::from_static("text/csv; charset=utf-8");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// How the answer is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    Json,
    Csv,
}

pub(crate) async fn stats(
    State(api): State<Arc<Api>>,
    caller: Caller,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Response, Problem> {
    let mut query = Query::of(&uri)?;
    let Asked { filter, min_position } = Asked::take(&mut query, &caller)?;
    let (step, step_name) = step(query.take::<String>("step")?.as_deref())?;
    let is_lag_asked = query.take("lag")?.unwrap_or(false);
    let format = format(query.take::<String>("format")?.as_deref(), &headers)?;
    query.end()?;
    let asking = Asking { filter, step, min_position };
    let counted = api.reads.stats(&asking).await.map_err(|error| api.fault(error))?;
    let lag = if is_lag_asked { Some(lag(&api, counted.as_of).await) } else { None };
    let told = Stats::of(&counted, step_name, lag);
    let mut response = match format {
        Format::Json => reply::json(StatusCode::OK, &told),
        Format::Csv => {
            ([(CONTENT_TYPE, CSV), (CACHE_CONTROL, NO_STORE)], sheet::of(&told)).into_response()
        }
    };
    response.headers_mut().insert(VARY, HeaderValue::from_static("accept"));
    Ok(response)
}

async fn lag(api: &Api, as_of: Position) -> Lag {
    // A queue that cannot be asked is no reason to tell nothing of the rest.
    let jobs = api.jobs.depth().await.map_err(|error| tracing::warn!(%error, "no depth")).ok();
    Lag::of(api.reads.lag(as_of), jobs)
}

fn step(name: Option<&str>) -> Result<(Step, &'static str), Problem> {
    match name {
        Some("minute") => Ok((Step::Minute, "minute")),
        None | Some("hour") => Ok((Step::Hour, "hour")),
        Some("day") => Ok((Step::Day, "day")),
        Some(_) => Err(Problem::malformed("step is minute, hour or day")),
    }
}

/// What the query says counts more than what the headers say.
fn format(name: Option<&str>, headers: &HeaderMap) -> Result<Format, Problem> {
    match name {
        Some("json") => Ok(Format::Json),
        Some("csv") => Ok(Format::Csv),
        Some(_) => Err(Problem::malformed("format is json or csv")),
        None if weight(headers, "text/csv") > weight(headers, "application/json") => {
            Ok(Format::Csv)
        }
        None => Ok(Format::Json),
    }
}

/// How much a caller wants a media type by name, in thousandths.
fn weight(headers: &HeaderMap, media: &str) -> u16 {
    let values = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let ranges = values.flat_map(|value| value.split(','));
    let weights = ranges.filter_map(|range| {
        let mut parts = range.split(';').map(str::trim);
        parts.next().filter(|name| name.eq_ignore_ascii_case(media))?;
        let q = parts.find_map(|part| part.strip_prefix("q=").or(part.strip_prefix("Q=")));
        let q = q.map_or(Some(1.0), |q| q.parse::<f32>().ok())?;
        Some((q.clamp(0.0, 1.0) * 1_000.0) as u16)
    });
    weights.max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_told_to_who_wants_it_more_than_json() {
        let accepts = |value: &str| {
            let headers = HeaderMap::from_iter([(ACCEPT, value.parse().unwrap())]);
            format(None, &headers).unwrap() == Format::Csv
        };
        for csv in ["text/csv", "TEXT/CSV; q=0.5", "text/csv, application/json;q=0.9, */*"] {
            assert!(accepts(csv), "{csv}");
        }
        for json in ["*/*", "", "application/json", "application/json, text/csv", "text/csv;q=0"] {
            assert!(!accepts(json), "{json}");
        }
        let headers = HeaderMap::from_iter([(ACCEPT, "text/csv".parse().unwrap())]);
        assert!(format(Some("json"), &headers).unwrap() == Format::Json);
        assert!(format(Some("xml"), &headers).is_err());
    }
}
