//! The story of one request through the gate.
//!
//! It never buffers a body, and every branch that is not "settled" ends without content. A payment is
//! settled after the server behind was asked, or before, as the offer says that it accepted.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::OriginalUri;
use bytes::Bytes;
use ccd402_domain::binding::Resource;
use ccd402_protocol::code::ReasonCode;
use ccd402_protocol::facilitator::SettleResponse;
use ccd402_protocol::header::{self, PAYMENT_RESPONSE, X_PAYMENT_RESPONSE};
use ccd402_protocol::version::X402Version;
use http::header::CACHE_CONTROL;
use http::{HeaderMap, HeaderValue, Request, Response};
use serde_json::{Map, Value};
use tower::{BoxError, Service, ServiceExt as _};

use crate::answer::{payment_required, problem, retry_after, stable};
use crate::facilitator::Unanswered;
use crate::gate::Gate;
use crate::layer::{PAYER, VERIFICATION};
use crate::listed;
use crate::negotiate::wants_page;
use crate::offer::Sale;
use crate::page::Page;
use crate::presented::{Payment, Presented, Unasked};
use crate::price::Asked;
use crate::reservation::Reservation;
use crate::routes::Route;
use crate::target;
use crate::ways::Flow;

/// Seconds after which a payment that is not final yet is worth another try.
const PENDING_RETRY_SECONDS: u64 = 1;

/// An answer of the gate's own, which ends the story early.
pub(crate) type Refused = Box<Response<Body>>;

/// A request for something that costs, as far as its answers depend on it.
struct Visit<'a> {
    gate: &'a Gate,
    route: &'a Route,
    resource: Resource,
    wants_page: bool,
    /// Only where prices depend on it.
    asked: Option<Asked>,
}

/// The story: what does it ask for, was it paid, for which offer of ours, and then as the offer's
/// flow has it.
///
/// # Errors
/// The answer where the story ends early.
pub(crate) async fn serve<S, B>(
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
    let presented = Presented::take(request.headers_mut());
    let visit = Visit::new(gate, route, resource, &request);
    let presented = match presented {
        Ok(Some(presented)) => presented,
        Ok(None) => return Ok(visit.demand(None).await),
        Err(code) => return Ok(problem(code)),
    };
    if !gate.sealer.is_ours(&presented.accepted, &visit.resource) {
        return Err(visit.refuse(ReasonCode::ChallengeNotOurs.as_str()).await);
    }
    let mut payment = match presented.into_payment() {
        Ok(payment) => payment,
        Err(Unasked::Malformed(code)) => return Ok(problem(code)),
        Err(Unasked::Refused(code)) => return Err(visit.refuse(code.as_str()).await),
    };
    let sale = Sale { route: visit.route, resource: &visit.resource };
    listed::restate(&sale, &mut payment.request);
    match payment.flow {
        Flow::Authorization => settled_after(&visit, inner, request, payment).await,
        Flow::Upfront => settled_before(&visit, inner, request, payment).await,
    }
}

/// Is the payment good, what does the upstream say, use the payment up, hand out the content.
async fn settled_after<S, B>(
    visit: &Visit<'_>,
    inner: S,
    mut request: Request<Body>,
    payment: Payment,
) -> Result<Response<Body>, Refused>
where
    S: Service<Request<Body>, Response = Response<B>>,
    S::Error: Into<BoxError>,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let version = payment.version;
    let payment = Arc::new(payment.request);
    let (verified, reservation) =
        visit.gate.desk.verify(Arc::clone(&payment)).await.map_err(unavailable)?;
    if !verified.is_valid {
        let reason = verified.invalid_reason.as_deref();
        return Err(visit.refuse(stable(reason, ReasonCode::UnexpectedVerifyError)).await);
    }
    announce(verified.payer.as_deref(), verified.extra.as_ref(), request.headers_mut());

    let response = upstream_answer(inner, request, reservation).await?;
    let settled = visit.gate.desk.settle(&payment).await.map_err(unavailable)?;
    visit.must_be_settled(version, &settled).await?;
    Ok(paid(version, &settled, response))
}

/// Use the payment up, then ask the upstream, and hand out what it says.
///
/// Where the upstream fails, the payer has paid: the receipt says so. The payment is not taken again,
/// because nothing that remembers nothing could tell a second try from a second use.
async fn settled_before<S, B>(
    visit: &Visit<'_>,
    inner: S,
    mut request: Request<Body>,
    payment: Payment,
) -> Result<Response<Body>, Refused>
where
    S: Service<Request<Body>, Response = Response<B>>,
    S::Error: Into<BoxError>,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let settled = visit.gate.desk.settle_first(&payment.request).await.map_err(unavailable)?;
    visit.must_be_settled(payment.version, &settled).await?;
    announce(settled.payer.as_deref(), settled.extra.as_ref(), request.headers_mut());
    let response = pass(inner, request).await.unwrap_or_else(|refused| *refused);
    if response.status().is_server_error() {
        tracing::warn!(
            tx.hash = %settled.transaction,
            status = response.status().as_u16(),
            "the upstream failed after it was paid for"
        );
    }
    Ok(paid(payment.version, &settled, response))
}

impl<'a> Visit<'a> {
    fn new(gate: &'a Gate, route: &'a Route, resource: Resource, request: &Request<Body>) -> Self {
        let asked = route.price.depends().then(|| Asked {
            method: request.method().clone(),
            uri: uri(request).clone(),
            headers: request.headers().clone(),
        });
        let wants_page = wants_page(request.method(), request.headers());
        Self { gate, route, resource, wants_page, asked }
    }

    /// A 402 with fresh offers.
    async fn demand(&self, refusal: Option<&str>) -> Response<Body> {
        let sale = Sale { route: self.route, resource: &self.resource };
        let offers = self.gate.offers(&sale, self.asked.as_ref()).await;
        let page = Page { sale, network: &self.gate.network };
        payment_required(offers, refusal, self.wants_page.then_some(&page))
    }

    /// The same, because the payment that came is not taken.
    async fn refuse(&self, code: &str) -> Refused {
        self.gate.fee_payer.hear(code);
        let refused = self.demand(Some(code)).await;
        let pending = [ReasonCode::TransactionPending, ReasonCode::SettlementPending];
        if pending.iter().any(|own| own.as_str() == code) {
            return Box::new(retry_after(refused, PENDING_RETRY_SECONDS));
        }
        Box::new(refused)
    }

    async fn must_be_settled(
        &self,
        version: X402Version,
        settled: &SettleResponse,
    ) -> Result<(), Refused> {
        if settled.success {
            return Ok(());
        }
        let reason = settled.error_reason.as_deref();
        let mut refused = self.refuse(stable(reason, ReasonCode::UnexpectedSettleError)).await;
        report(version, settled, refused.headers_mut());
        Err(refused)
    }
}

/// The URI that the client sent, also inside nested routers.
fn uri(request: &Request<Body>) -> &http::Uri {
    let sent = request.extensions().get::<OriginalUri>().map(|OriginalUri(uri)| uri);
    sent.unwrap_or(request.uri())
}

/// What the request asks for, if it costs anything.
fn asked<'a>(
    gate: &'a Gate,
    request: &Request<Body>,
) -> Result<Option<(&'a Route, Resource)>, Refused> {
    let uri = uri(request);
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

/// Tells the upstream who paid, as far as the facilitator says.
fn announce(payer: Option<&str>, extra: Option<&Map<String, Value>>, headers: &mut HeaderMap) {
    let verification = extra.and_then(|extra| extra.get("verification")).and_then(Value::as_str);
    for (name, text) in [(PAYER, payer), (VERIFICATION, verification)] {
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
