//! How bytes travel: reqwest in the daemon, the simulated net in tests.

use std::{error::Error as _, time::Duration};

use bytes::{Bytes, BytesMut};
use futures_util::future::BoxFuture;

/// How long a connection may take to come up.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

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

/// The net, over reqwest and rustls. Connections are kept and shared.
#[derive(Clone, Debug)]
pub struct ReqwestTransport {
    http: reqwest::Client,
}

/// The TLS stack or the resolver of the system cannot be set up.
#[derive(Debug, thiserror::Error)]
#[error("the HTTP client cannot be set up: {0}")]
pub struct CannotSetUp(String);

impl ReqwestTransport {
    /// Sets up TLS with the system's roots. Connects to nothing.
    pub fn new() -> Result<Self, CannotSetUp> {
        let http = reqwest::Client::builder()
            .user_agent(concat!("handoffd/", env!("CARGO_PKG_VERSION")))
            // A redirect could carry a credential to another host.
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .connect_timeout(CONNECT_TIMEOUT)
            .build()
            .map_err(|error| CannotSetUp(words(error)))?;
        Ok(Self { http })
    }

    async fn exchange(&self, outgoing: Outgoing) -> Result<http::Response<Bytes>, TransportError> {
        let Outgoing { request, timeout, body_bytes_max } = outgoing;
        let mut request = reqwest::Request::try_from(request).map_err(failure)?;
        *request.timeout_mut() = Some(timeout);
        let response = self.http.execute(request).await.map_err(failure)?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = read_body(response, body_bytes_max).await?;
        let mut answer = http::Response::new(body);
        *answer.status_mut() = status;
        *answer.headers_mut() = headers;
        Ok(answer)
    }
}

impl Transport for ReqwestTransport {
    fn send(&self, outgoing: Outgoing) -> BoxFuture<'_, Result<http::Response<Bytes>, TransportError>> {
        Box::pin(self.exchange(outgoing))
    }
}

async fn read_body(mut response: reqwest::Response, limit: usize) -> Result<Bytes, TransportError> {
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| TransportError::NoAnswer(words(error)))? {
        if body.len() + chunk.len() > limit {
            return Err(TransportError::TooLong { limit });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

/// Whether the request may have arrived. Only a connection that never came up
/// and a request that could not be built are certain.
fn failure(error: reqwest::Error) -> TransportError {
    if error.is_connect() || error.is_builder() {
        TransportError::NotSent(words(error))
    } else {
        TransportError::NoAnswer(words(error))
    }
}

/// The error and its causes without the URL, whose query may name a person.
fn words(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        words.push_str(": ");
        words.push_str(&error.to_string());
        cause = error.source();
    }
    words
}
