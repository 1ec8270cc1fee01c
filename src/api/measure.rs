//! Requests in numbers: how many, how long, what came of them. No label names a caller or a thing.

use std::time::Duration;

use ccd402_protocol::code::ReasonCode;
use http::{Method, StatusCode};
use metrics::{counter, histogram};

/// A request was answered.
pub(crate) fn answered(method: &Method, route: &str, status: StatusCode, took: Duration) {
    let method = match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::DELETE => "DELETE",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        _ => "other",
    };
    let (route, status) = (route.to_owned(), status.as_str().to_owned());
    let labels = [("method", method.into()), ("route", route.into()), ("status", status.into())];
    let labels: [(&'static str, metrics::SharedString); 3] = labels;
    histogram!("ccd402_http_request_seconds", &labels).record(took.as_secs_f64());
}

/// A request was not served, for that reason.
pub(crate) fn refused(code: ReasonCode) {
    counter!("ccd402_http_problems_total", "code" => code.as_str()).increment(1);
}
