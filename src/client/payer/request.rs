//! What a payer asks a resource server for. How it is sent is said in `exchange`.

use ccd402_domain::binding::Resource;
use ccd402_protocol::header::{PAYMENT_SIGNATURE, X_PAYMENT};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use reqwest::Url;

use crate::payer::error::Error;

/// Longest body of a request: it is kept, to be sent again with the payment.
pub const BODY_BYTES_MAX: usize = 1024 * 1024;
/// Longest URL: facilitators refuse payments for longer ones.
pub const URL_BYTES_MAX: usize = 2_048;

/// A request that can be repeated. `Debug` hides headers and body.
#[derive(Clone)]
pub struct Request {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Request {
    /// A `GET` of this URL.
    ///
    /// # Errors
    /// As [`Request::new`].
    pub fn get(url: &str) -> Result<Self, Error> {
        Self::new(Method::GET, url)
    }

    /// A request without headers of its own and without a body.
    ///
    /// # Errors
    /// Where the text is no http or https URL, is too long, or carries a password.
    pub fn new(method: Method, url: &str) -> Result<Self, Error> {
        let wrong = |reason: &str| Err(Error::Request(reason.to_owned()));
        let Ok(mut url) = Url::parse(url) else { return wrong("its URL is not a URL") };
        if !matches!(url.scheme(), "http" | "https") {
            return wrong("its URL is neither http nor https");
        }
        if !url.username().is_empty() || url.password().is_some() {
            return wrong("its URL carries a user name; use a header");
        }
        url.set_fragment(None);
        if url.as_str().len() > URL_BYTES_MAX {
            return wrong("its URL is too long");
        }
        Ok(Self { method, url, headers: HeaderMap::new(), body: Vec::new() })
    }

    /// The request with one more header.
    ///
    /// # Errors
    /// For the headers that carry payments: the payer writes them.
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Result<Self, Error> {
        if [X_PAYMENT, PAYMENT_SIGNATURE].contains(&name.as_str()) {
            return Err(Error::Request(format!("the header {name} is the payer's to write")));
        }
        self.headers.append(name, value);
        Ok(self)
    }

    /// The request with a body.
    ///
    /// # Errors
    /// Where it is longer than [`BODY_BYTES_MAX`].
    pub fn body(mut self, body: Vec<u8>) -> Result<Self, Error> {
        if body.len() > BODY_BYTES_MAX {
            return Err(Error::Request(format!("its body is longer than {BODY_BYTES_MAX} bytes")));
        }
        self.body = body;
        Ok(self)
    }

    /// What is paid for.
    pub(crate) fn resource(&self) -> Resource {
        Resource { method: self.method.to_string(), url: self.url.to_string() }
    }
}

impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Request({} {})", self.method, self.url)
    }
}
