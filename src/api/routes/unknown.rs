//! What is answered where no route is, and where a route does not take the method.

use ccd402_protocol::code::ReasonCode;
use http::StatusCode;

use crate::problem::Problem;

pub(crate) async fn route_not_found() -> Problem {
    Problem::of(StatusCode::NOT_FOUND, ReasonCode::RouteNotFound)
}

/// The router adds `Allow`.
pub(crate) async fn method_not_allowed() -> Problem {
    Problem::of(StatusCode::METHOD_NOT_ALLOWED, ReasonCode::MethodNotAllowed)
}
