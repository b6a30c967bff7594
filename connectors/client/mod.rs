//! The one HTTP layer: pacing by lanes, deadlines, body caps, retries of reads,
//! and errors named by what the engine may do.

pub mod auth;
pub mod classify;
pub mod clock;
pub mod json;
pub mod limit;
pub mod retry;
pub mod transport;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use handoffd_core::{AccountId, Timestamp};

use crate::contract::{Call, Error, Result, Secret};
pub use auth::{Authorizer, StaticAuthorizer};
pub use clock::{SeededJitter, SystemClock, TokioClock};
pub use transport::{Outgoing, ReqwestTransport, Transport, TransportError};

/// The time, as an argument: real in the daemon, virtual in tests.
pub trait Clock: Send + Sync {
    /// The time.
    fn now(&self) -> Timestamp;
    /// Waits until then; returns at once when it is past.
    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'_, ()>;
}

/// Randomness, as an argument: a fraction in `[0, 1)` for jitter.
pub trait Jitter: Send + Sync {
    /// The next fraction.
    fn fraction(&self) -> f64;
}

/// What a client is made of.
#[derive(Clone)]
pub struct ClientParts {
    /// How bytes travel.
    pub transport: Arc<dyn Transport>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Jitter.
    pub jitter: Arc<dyn Jitter>,
    /// Who signs requests.
    pub authorizer: Arc<dyn Authorizer>,
}

/// So many requests in so much time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// How many.
    pub count: u32,
    /// In how long.
    pub per: Duration,
}

/// What a header told about a limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitSeen {
    /// The bucket: `""` is the account's own.
    pub bucket: String,
    /// The size of the window, if told.
    pub total: Option<u32>,
    /// What is left of it.
    pub remaining: u32,
    /// When it is full again, if told.
    pub resets_at: Option<Timestamp>,
}

/// Whether a request changes anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It reads: may be repeated.
    Read,
    /// It writes: never repeated without a look.
    Write,
    /// It writes, and the vendor promises that repeating the same bytes does nothing more.
    IdempotentWrite,
}

/// A request to a vendor: the request's URI is a path with a query, under the account's base URL.
#[derive(Clone, Debug)]
pub struct Ask {
    /// Method, path and query, headers (no credential), body.
    pub request: http::Request<Bytes>,
    /// Whether it changes anything.
    pub kind: Kind,
    /// Endpoint buckets that it draws from beside the account's, with their documented size.
    pub buckets: Vec<(String, Quota)>,
    /// How many units of the account's quota it costs.
    pub cost: u32,
}

/// A vendor's answer, any status.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: http::StatusCode,
    /// The headers.
    pub headers: http::HeaderMap,
    /// The whole body, at most [`Profile::body_bytes_max`].
    pub body: Bytes,
    /// When it came, in our time.
    pub at: Timestamp,
}

/// What the client must know of a vendor.
#[derive(Clone)]
pub struct Profile {
    /// The account-wide quota until a header says otherwise.
    pub quota: Quota,
    /// Reads the limit headers.
    pub read_limits: fn(&http::HeaderMap, Timestamp) -> Vec<LimitSeen>,
    /// Names what an answer outside 2xx means, for the statuses that are the
    /// vendor's own; `None` leaves it to the client's defaults.
    pub classify: fn(&Answer, Kind) -> Option<Error>,
    /// The wait after a 429 without `Retry-After`.
    pub retry_after_default: Duration,
    /// The longest answer that is read.
    pub body_bytes_max: usize,
    /// The longest wait for one answer.
    pub timeout: Duration,
}

/// One account's HTTP client.
#[derive(Clone)]
pub struct Client {
    account: AccountId,
    base_url: url::Url,
    profile: Profile,
    parts: ClientParts,
}

impl Client {
    /// A client for one account.
    pub fn new(account: AccountId, base_url: url::Url, profile: Profile, parts: ClientParts) -> Self {
        Self { account, base_url, profile, parts }
    }

    /// The account.
    pub fn account(&self) -> &AccountId {
        &self.account
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        self.parts.clock.now()
    }

    /// Sends one request, paced and signed; reads are repeated within the
    /// call's deadline. `Ok` means 2xx.
    pub async fn send(&self, call: Call, ask: Ask) -> Result<Answer> {
        let used = self.parts.authorizer.header(call).await?;
        match self.once(call, &ask, &used).await {
            Err(Error::Unauthorized { .. }) if self.parts.authorizer.rejected(call, &used).await? => {
                let used = self.parts.authorizer.header(call).await?;
                self.once(call, &ask, &used).await
            }
            answered => answered,
        }
    }

    async fn once(&self, call: Call, ask: &Ask, used: &Secret) -> Result<Answer> {
        let request = self.signed(ask, used)?;
        let timeout = self.profile.timeout.min(call.deadline.since(self.now()));
        let outgoing = Outgoing { request, timeout, body_bytes_max: self.profile.body_bytes_max };
        let response = match self.parts.transport.send(outgoing).await {
            Ok(response) => response,
            Err(error) => return Err(classify::no_answer(&error, ask.kind)),
        };
        let (head, body) = response.into_parts();
        let answer = Answer { status: head.status, headers: head.headers, body, at: self.now() };
        if answer.status.is_success() {
            return Ok(answer);
        }
        Err(classify::classify(&answer, ask.kind, &self.profile))
    }

    /// The request with its absolute URI and its credential.
    fn signed(&self, ask: &Ask, used: &Secret) -> Result<http::Request<Bytes>> {
        let mut request = ask.request.clone();
        *request.uri_mut() = absolute(&self.base_url, ask.request.uri())?;
        let mut value = http::HeaderValue::from_str(used.expose()).map_err(|_| Error::Unauthorized {
            why: "the credential holds bytes no header can".to_owned(),
        })?;
        value.set_sensitive(true);
        request.headers_mut().insert(http::header::AUTHORIZATION, value);
        Ok(request)
    }
}

/// The URI under the account's origin. One that leads elsewhere is refused: it
/// would carry the credential there.
fn absolute(base_url: &url::Url, uri: &http::Uri) -> Result<http::Uri> {
    let origin = base_url.origin().ascii_serialization();
    let elsewhere = || Error::Malformed { what: "a URI that leads away from base_url".to_owned() };
    let mut path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
    if uri.authority().is_some() {
        let theirs = url::Url::parse(&uri.to_string()).map_err(|_| elsewhere())?;
        if theirs.origin() != base_url.origin() {
            return Err(elsewhere());
        }
    } else {
        path = format!("{}{path}", base_url.path().trim_end_matches('/'));
    }
    format!("{origin}{path}").parse().map_err(|_| elsewhere())
}
