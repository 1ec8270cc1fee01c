//! The tower layer, and the story of one request through the gate.
//!
//! It never buffers a body, and every branch that is not "verified and settled" ends without
//! content.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::extract::OriginalUri;
use bytes::Bytes;
use ccd402_domain::binding::Resource;
use ccd402_protocol::code::ReasonCode;
use ccd402_protocol::facilitator::{SettleResponse, VerifyResponse};
use ccd402_protocol::header::{self, PAYMENT_RESPONSE, X_PAYMENT_RESPONSE};
use ccd402_protocol::version::X402Version;
use http::header::CACHE_CONTROL;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use serde_json::Value;
use tower::{BoxError, Layer, Service, ServiceExt as _};

use crate::answer::{payment_required, problem, retry_after, stable};
use crate::facilitator::Unanswered;
use crate::gate::Gate;
use crate::presented::Presented;
use crate::reservation::Reservation;
use crate::routes::Route;
use crate::target;

/// Tells the upstream which account paid. A client's own copy is removed.
pub const PAYER: HeaderName = HeaderName::from_static("x-ccd402-payer");
/// Tells the upstream the verification's id. A client's own copy is removed.
pub const VERIFICATION: HeaderName = HeaderName::from_static("x-ccd402-verification");

/// Seconds after which a payment that is not final yet is worth another try.
const PENDING_RETRY_SECONDS: u64 = 1;

/// Puts a gate before a service, such as an axum router.
///
/// It reads the URI that the client sent, also inside nested routers.
#[derive(Debug, Clone)]
pub struct GateLayer {
    gate: Arc<Gate>,
}

impl GateLayer {
    /// A layer of this gate.
    #[must_use]
    pub fn new(gate: Arc<Gate>) -> Self {
        Self { gate }
    }
}

impl<S> Layer<S> for GateLayer {
    type Service = GateService<S>;

    fn layer(&self, inner: S) -> GateService<S> {
        GateService { gate: Arc::clone(&self.gate), inner }
    }
}

/// A service behind a gate.
#[derive(Debug, Clone)]
pub struct GateService<S> {
    gate: Arc<Gate>,
    inner: S,
}

impl<S, B> Service<Request<Body>> for GateService<S>
where
    S: Service<Request<Body>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<BoxError>,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // Whether the inner service is ready is waited for once the payment is good.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let gate = Arc::clone(&self.gate);
        let inner = self.inner.clone();
        Box::pin(async move {
            let answered = serve(&gate, inner, request).await;
            Ok(answered.unwrap_or_else(|refused| *refused))
        })
    }
}

/// An answer of the gate's own, which ends the story early.
type Refused = Box<Response<Body>>;

/// The story: what does it ask for, was it paid, is the payment good, what does the upstream say,
/// use the payment up, hand out the content.
async fn serve<S, B>(
    gate: &Gate,
    inner: S,
    mut request: Request<Body>,
) -> Result<Response<Body>, Refused>
where
    S: Service<Request<Body>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<BoxError>,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    request.headers_mut().remove(PAYER);
    request.headers_mut().remove(VERIFICATION);
    let Some((route, resource)) = asked(gate, &request)? else {
        return pass(inner, request).await;
    };
    let refuse = |code: &str| Box::new(payment_required(gate.offers(route, &resource), Some(code)));
    let presented = match Presented::take(request.headers_mut()) {
        Ok(Some(presented)) => presented,
        Ok(None) => return Ok(payment_required(gate.offers(route, &resource), None)),
        Err(code) => return Ok(problem(code)),
    };
    if !gate.sealer.is_ours(&presented.accepted, &resource) {
        return Err(refuse(ReasonCode::ChallengeNotOurs.as_str()));
    }
    let version = presented.version;
    let payment = Arc::new(presented.into_request().map_err(|code| Box::new(problem(code)))?);

    let (verified, reservation) =
        gate.desk.verify(Arc::clone(&payment)).await.map_err(unavailable)?;
    if !verified.is_valid {
        let reason = verified.invalid_reason.as_deref();
        let code = stable(reason, ReasonCode::UnexpectedVerifyError);
        return Err(pause_if_pending(refuse(code), code));
    }
    announce(&verified, request.headers_mut());

    let response = upstream_answer(inner, request, reservation).await?;
    let settled = gate.desk.settle(&payment).await.map_err(unavailable)?;
    if !settled.success {
        let code = stable(settled.error_reason.as_deref(), ReasonCode::UnexpectedSettleError);
        let mut refused = pause_if_pending(refuse(code), code);
        report(version, &settled, refused.headers_mut());
        return Err(refused);
    }
    Ok(paid(version, &settled, response))
}

/// What the request asks for, if it costs anything.
fn asked<'a>(
    gate: &'a Gate,
    request: &Request<Body>,
) -> Result<Option<(&'a Route, Resource)>, Refused> {
    let sent = request.extensions().get::<OriginalUri>().map(|OriginalUri(uri)| uri);
    let uri = sent.unwrap_or(request.uri());
    let route = target::select(&gate.routes, request.method(), uri, request.headers())
        .map_err(|_| Box::new(problem(ReasonCode::MalformedRequest)))?;
    let Some(route) = route else { return Ok(None) };
    let resource = gate
        .resource(request.method(), uri, request.headers())
        .map_err(|code| Box::new(problem(code)))?;
    Ok(Some((route, resource)))
}

/// To the upstream and back. Where it cannot be reached there is a 502.
async fn pass<S, B>(inner: S, request: Request<Body>) -> Result<Response<Body>, Refused>
where
    S: Service<Request<Body>, Response = Response<B>>,
    S::Error: Into<BoxError>,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    match inner.oneshot(request).await {
        Ok(response) => Ok(response.map(Body::new)),
        Err(error) => {
            let error: BoxError = error.into();
            tracing::warn!(%error, "the upstream could not be reached");
            Err(Box::new(problem(ReasonCode::UpstreamUnavailable)))
        }
    }
}

/// The upstream's answer, where it is one to be paid for; else the payment is given back first.
async fn upstream_answer<S, B>(
    inner: S,
    request: Request<Body>,
    reservation: Reservation,
) -> Result<Response<Body>, Refused>
where
    S: Service<Request<Body>, Response = Response<B>>,
    S::Error: Into<BoxError>,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let failed = match pass(inner, request).await {
        Ok(response) if !response.status().is_server_error() => {
            reservation.keep();
            return Ok(response);
        }
        Ok(response) => Box::new(response),
        Err(refused) => refused,
    };
    reservation.release().await;
    Err(failed)
}

fn unavailable(unanswered: Unanswered) -> Refused {
    Box::new(match unanswered {
        Unanswered::Overloaded => {
            retry_after(problem(ReasonCode::Overloaded), PENDING_RETRY_SECONDS)
        }
        Unanswered::Unavailable(None) => problem(ReasonCode::FacilitatorUnavailable),
        Unanswered::Unavailable(Some(seconds)) => {
            retry_after(problem(ReasonCode::FacilitatorUnavailable), seconds)
        }
    })
}

fn pause_if_pending(refused: Refused, code: &str) -> Refused {
    let pending = [ReasonCode::TransactionPending, ReasonCode::SettlementPending];
    if pending.iter().any(|own| own.as_str() == code) {
        return Box::new(retry_after(*refused, PENDING_RETRY_SECONDS));
    }
    refused
}

/// Tells the upstream who paid, as far as the facilitator says.
fn announce(verified: &VerifyResponse, headers: &mut HeaderMap) {
    let verification =
        verified.extra.as_ref().and_then(|extra| extra.get("verification")).and_then(Value::as_str);
    for (name, text) in [(PAYER, verified.payer.as_deref()), (VERIFICATION, verification)] {
        if let Some(value) = text.and_then(|text| HeaderValue::from_str(text).ok()) {
            headers.insert(name, value);
        }
    }
}

/// The facilitator's answer in the header of the version that was used.
fn report(version: X402Version, settled: &SettleResponse, headers: &mut HeaderMap) {
    headers.remove(X_PAYMENT_RESPONSE);
    headers.remove(PAYMENT_RESPONSE);
    let name = match version {
        X402Version::V1 => X_PAYMENT_RESPONSE,
        X402Version::V2 => PAYMENT_RESPONSE,
    };
    let value = header::encode(settled).ok().and_then(|text| HeaderValue::from_str(&text).ok());
    if let Some(value) = value {
        headers.insert(name, value);
    }
}

fn paid(
    version: X402Version,
    settled: &SettleResponse,
    mut response: Response<Body>,
) -> Response<Body> {
    report(version, settled, response.headers_mut());
    let private = HeaderValue::from_static("private");
    response.headers_mut().entry(CACHE_CONTROL).or_insert(private);
    response
}
