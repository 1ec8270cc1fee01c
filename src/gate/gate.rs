//! The gate: its routes, its seal, its facilitator, and how it names resources.
//!
//! What happens to one request is told in `story`.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use ccd402_client::facilitator::Facilitator;
use ccd402_domain::account::AccountAddress;
use ccd402_domain::binding::Resource;
use ccd402_protocol::code::ReasonCode;
use ccd402_protocol::network::NetworkId;
use ccd402_protocol::requirements::SCHEME_EXACT;
use chrono::Utc;
use http::header::HOST;
use http::uri::Authority;
use http::{HeaderMap, Method, Uri};

use crate::challenge::Sealer;
use crate::error::Error;
use crate::facilitator::Desk;
use crate::fee_payer::FeePayer;
use crate::offer::{Fresh, Offers, Sale, Seller};
use crate::price::Asked;
use crate::routes::Routes;
use crate::secret::Secret;

/// How long `/verify` may take where nothing is configured: longer than the 30 s that a facilitator
/// waits for finality, so that its answer is heard.
pub const VERIFY_TIMEOUT_DEFAULT: Duration = Duration::from_secs(45);
/// How long `/settle` may take, repeats included, where nothing is configured.
pub const SETTLE_TIMEOUT_DEFAULT: Duration = Duration::from_secs(45);
/// Longest URL of a resource, as the facilitator limits it.
const URL_BYTES_MAX: usize = 2_048;

/// What a gate is made of.
pub struct Options {
    /// What costs how much.
    pub routes: Routes,
    /// What its offers are sealed with.
    pub secret: Secret,
    /// Who decides about payments.
    pub facilitator: Arc<dyn Facilitator>,
    /// Where payments are made; see [`network_of`].
    pub network: NetworkId,
    /// How the world names this server. Without it a resource is named by `Host` and the request's
    /// own scheme, else `http`: say it behind TLS, and wherever a server answers to several names.
    pub public_url: Option<PublicUrl>,
    /// Who pays the fees of sponsored payments; an account of the facilitator's. Without it the
    /// facilitator is asked, and nothing sponsored is offered where it has none.
    pub fee_payer: Option<AccountAddress>,
    /// How long `/verify` may take.
    pub verify_timeout: Duration,
    /// How long `/settle` may take, repeats included.
    pub settle_timeout: Duration,
}

impl Options {
    /// Options with the default times and no public URL.
    #[must_use]
    pub fn new(
        routes: Routes,
        secret: Secret,
        facilitator: Arc<dyn Facilitator>,
        network: NetworkId,
    ) -> Self {
        Self {
            routes,
            secret,
            facilitator,
            network,
            public_url: None,
            fee_payer: None,
            verify_timeout: VERIFY_TIMEOUT_DEFAULT,
            settle_timeout: SETTLE_TIMEOUT_DEFAULT,
        }
    }
}

/// A gate, shared by everything that it stands before.
pub struct Gate {
    pub(crate) routes: Routes,
    pub(crate) sealer: Sealer,
    pub(crate) desk: Desk,
    pub(crate) fee_payer: FeePayer,
    pub(crate) network: NetworkId,
    public_url: Option<PublicUrl>,
}

impl Gate {
    /// A gate of these options.
    #[must_use]
    pub fn new(mut options: Options) -> Self {
        if options.public_url.is_none() && options.routes.are_discoverable() {
            tracing::warn!("without a public URL nothing for sale can be found by strangers");
            options.routes.hide();
        }
        let asked = Arc::clone(&options.facilitator);
        Self {
            routes: options.routes,
            sealer: Sealer::new(&options.secret),
            desk: Desk::new(options.facilitator, options.verify_timeout, options.settle_timeout),
            fee_payer: FeePayer::new(options.fee_payer, asked, options.network.clone()),
            network: options.network,
            public_url: options.public_url,
        }
    }

    /// Fresh offers of what is asked for; `asked` is there where its prices depend on the request.
    ///
    /// # Errors
    /// The code with which a request is answered that nothing can be offered to.
    pub(crate) async fn offers(
        &self,
        sale: &Sale<'_>,
        asked: Option<&Asked>,
    ) -> Result<Offers, ReasonCode> {
        let prices = sale.route.price.find(asked).await;
        let prices = prices.map_err(|_| ReasonCode::InternalError)?;
        let fee_payer = match sale.route.may_be_sponsored() {
            true => self.fee_payer.account().await,
            false => None,
        };
        let seller = Seller { network: &self.network, sealer: &self.sealer, fee_payer };
        let fresh = Fresh { now: Utc::now(), nonces: rand::random() };
        Offers::make(&seller, sale, prices, &fresh)
    }

    /// How the resource of a request is named.
    ///
    /// # Errors
    /// The code with which a request without a usable name is answered.
    pub(crate) fn resource(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
    ) -> Result<Resource, ReasonCode> {
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let url = match &self.public_url {
            Some(public) => format!("{public}{path}"),
            None => {
                let scheme = uri.scheme_str().unwrap_or("http");
                let authority = authority(uri, headers).ok_or(ReasonCode::MalformedRequest)?;
                format!("{scheme}://{authority}{path}")
            }
        };
        if url.len() > URL_BYTES_MAX {
            return Err(ReasonCode::RequestTooLarge);
        }
        Ok(Resource { method: method.as_str().to_owned(), url })
    }

    /// Scheme by which the world reaches this server, where that is configured.
    pub(crate) fn public_scheme(&self) -> Option<&'static str> {
        let https = |public: &PublicUrl| public.0.starts_with("https:");
        self.public_url.as_ref().map(|public| if https(public) { "https" } else { "http" })
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate")
            .field("routes", &self.routes)
            .field("network", &self.network)
            .field("public_url", &self.public_url)
            .finish_non_exhaustive()
    }
}

fn authority(uri: &Uri, headers: &HeaderMap) -> Option<String> {
    let host = match uri.authority() {
        Some(authority) => authority.clone(),
        None => headers.get(HOST)?.to_str().ok()?.parse::<Authority>().ok()?,
    };
    (!host.as_str().contains('@')).then(|| host.as_str().to_ascii_lowercase())
}

/// Base URL under which the world reaches the server: `https://example.com`, perhaps with a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl(String);

impl FromStr for PublicUrl {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let what = "public URL";
        let wrong = || Error::Url { url: text.to_owned(), what, rest: "perhaps a path" };
        let uri: Uri = text.parse().map_err(|_| wrong())?;
        let is_http = matches!(uri.scheme_str(), Some("http" | "https"));
        let has_host = uri.authority().is_some_and(|host| !host.as_str().contains('@'));
        if !is_http || !has_host || uri.query().is_some() || text.contains('#') {
            return Err(wrong());
        }
        Ok(Self(text.trim_end_matches('/').to_owned()))
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The one Concordium network for which the facilitator serves the scheme `exact`.
///
/// # Errors
/// Where the facilitator does not answer, or serves none or several.
pub async fn network_of(facilitator: &dyn Facilitator) -> Result<NetworkId, Error> {
    let supported = facilitator.supported().await?;
    let mut networks: Vec<NetworkId> = supported
        .kinds
        .iter()
        .filter(|kind| kind.scheme == SCHEME_EXACT)
        .filter_map(|kind| kind.network.parse().ok())
        .collect();
    networks.sort();
    networks.dedup();
    match networks.pop() {
        Some(network) if networks.is_empty() => Ok(network),
        popped => Err(Error::Networks(networks.len() + usize::from(popped.is_some()))),
    }
}
