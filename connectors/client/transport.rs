//! How bytes travel: reqwest in the daemon, the simulated net in tests.

use bytes::Bytes;
use futures_util::future::BoxFuture;

/// Why no answer came, by whether the request may have arrived.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransportError {
    /// Nothing was sent: it certainly did not happen.
    #[error("not sent: {0}")]
    NotSent(String),
    /// It was sent, or may have been: it may have happened.
    #[error("no answer: {0}")]
    NoAnswer(String),
    /// The answer's body is longer than the cap.
    #[error("the answer is longer than {limit} bytes")]
    TooLong {
        /// The cap.
        limit: usize,
    },
}

/// One request with an absolute URI, with its bounds.
#[derive(Debug)]
pub struct Outgoing {
    /// Method, absolute URI, headers, body.
    pub request: http::Request<Bytes>,
    /// The longest wait for the whole answer.
    pub timeout: std::time::Duration,
    /// The longest body that is read.
    pub body_bytes_max: usize,
}

/// How bytes travel. Redirects are not followed.
pub trait Transport: Send + Sync {
    /// Sends one request and reads the whole answer.
    fn send(&self, outgoing: Outgoing) -> BoxFuture<'_, Result<http::Response<Bytes>, TransportError>>;
}
