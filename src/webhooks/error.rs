//! Why webhooks cannot be sent at all. A receiver that does not answer is no error: that is recorded.

/// The sender cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The HTTP client cannot be set up.
    #[error("the HTTP client of webhooks cannot be set up: {0}")]
    Client(String),
}
