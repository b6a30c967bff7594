//! The one HTTP layer: pacing by lanes, deadlines, body caps, retries of reads,
//! and errors named by what the engine may do.

pub mod auth;
pub mod classify;
pub mod clock;
mod download;
pub mod json;
pub mod ledger;
pub mod limit;
pub mod oauth;
pub mod retry;
pub mod transport;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use handoffd_core::{AccountId, Timestamp};
use tracing::Instrument as _;

use self::{
    ledger::Draw,
    limit::{Limiter, Permit},
    retry::{Attempts, Next},
};
use crate::contract::{Call, Error, Lane, Result, Secret};
pub use auth::{Authorizer, StaticAuthorizer};
pub use clock::{SeededJitter, SystemClock, TokioClock};
pub use transport::{Content, Outgoing, ReqwestTransport, Transport, TransportError};

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
    /// What follows the request's body, streamed: the parts of an upload.
    pub upload: Vec<Content>,
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

/// One account's HTTP client. Clones share their pacing and their counts; make one per account.
#[derive(Clone)]
pub struct Client {
    account: AccountId,
    base_url: url::Url,
    profile: Profile,
    parts: ClientParts,
    limiter: Arc<Limiter>,
    sent: Arc<Mutex<Sent>>,
}

/// How many requests were sent, by method and what came: `2xx` … `5xx`, or `none`.
pub type Sent = BTreeMap<(String, &'static str), u64>;

impl Client {
    /// A client for one account.
    pub fn new(account: AccountId, base_url: url::Url, profile: Profile, parts: ClientParts) -> Self {
        let limiter = Limiter::new(profile.quota, Arc::clone(&parts.clock));
        Self { account, base_url, profile, parts, limiter, sent: Arc::default() }
    }

    /// The account.
    pub fn account(&self) -> &AccountId {
        &self.account
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        self.parts.clock.now()
    }

    /// What was sent so far.
    pub fn requests_sent(&self) -> Sent {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many requests wait for their turn, by lane.
    pub fn requests_waiting(&self) -> BTreeMap<Lane, usize> {
        self.limiter.waiting()
    }

    /// The account-wide quota as it is known now.
    pub fn quota(&self) -> Quota {
        self.limiter.quota()
    }

    /// Sends one request, paced and signed; reads are repeated within the
    /// call's deadline. `Ok` means 2xx.
    pub async fn send(&self, call: Call, ask: Ask) -> Result<Answer> {
        let op = classify::op(ask.request.method(), ask.request.uri().path());
        let span = tracing::info_span!(
            "call",
            account = %self.account,
            op,
            status = tracing::field::Empty,
            attempt = tracing::field::Empty
        );
        self.attempts(call, &ask, &op).instrument(span).await
    }

    async fn attempts(&self, call: Call, ask: &Ask, op: &str) -> Result<Answer> {
        let mut attempts = Attempts::new(ask.kind, call.deadline);
        let mut renewed = false;
        loop {
            tracing::Span::current().record("attempt", attempts.number());
            let failed = match self.attempt(call, ask, op, &mut renewed).await {
                Ok(answer) => return Ok(answer),
                Err(failed) => failed,
            };
            tracing::debug!(error = %failed.error, "An attempt failed.");
            let fraction = self.parts.jitter.fraction();
            match attempts.failed(failed.error, failed.floor, fraction, self.now()) {
                Next::Again(at) => self.parts.clock.sleep_until(at).await,
                Next::Stop(error) => return Err(error),
            }
        }
    }

    /// One attempt, and a second one with another credential when the first is refused.
    async fn attempt(&self, call: Call, ask: &Ask, op: &str, renewed: &mut bool) -> Result<Answer, Failed> {
        loop {
            let permit = self.turn(call, ask, op).await?;
            let used = self.parts.authorizer.header(call).await?;
            let failed = match self.once(call, ask, &used, permit).await {
                Ok(answer) => return Ok(answer),
                Err(failed) => failed,
            };
            if !failed.credential_refused || *renewed || !self.parts.authorizer.rejected(call, &used).await? {
                return Err(failed);
            }
            *renewed = true;
        }
    }

    async fn turn(&self, call: Call, ask: &Ask, op: &str) -> Result<Permit, Failed> {
        let draw =
            Draw { lane: call.lane, buckets: ask.buckets.clone(), cost: ask.cost.max(1), op: op.to_owned() };
        self.limiter.admit(call, draw).await.map_err(|retry_at| Error::Throttled { retry_at }.into())
    }

    async fn once(&self, call: Call, ask: &Ask, used: &Secret, mut permit: Permit) -> Result<Answer, Failed> {
        let request = self.signed(ask, used)?;
        let timeout = self.profile.timeout.min(call.deadline.since(self.now()));
        if timeout.is_zero() {
            return Err(Error::Transient { why: "the deadline passed before it was sent".to_owned() }.into());
        }
        let outgoing = Outgoing {
            request,
            upload: ask.upload.clone(),
            timeout,
            body_bytes_max: self.profile.body_bytes_max,
        };
        permit.sending();
        let response = match self.parts.transport.send(outgoing).await {
            Ok(response) => response,
            Err(error) => {
                if matches!(error, TransportError::NotSent(_)) {
                    permit.not_sent();
                }
                self.count(ask, None);
                return Err(classify::no_answer(&error, ask.kind).into());
            }
        };
        let (head, body) = response.into_parts();
        let answer = Answer { status: head.status, headers: head.headers, body, at: self.now() };
        self.count(ask, Some(answer.status));
        tracing::Span::current().record("status", answer.status.as_u16());
        self.read(answer, ask.kind, permit)
    }

    /// What the answer means, told to the limiter on the way.
    fn read(&self, answer: Answer, kind: Kind, permit: Permit) -> Result<Answer, Failed> {
        let seen = (self.profile.read_limits)(&answer.headers, answer.at);
        if answer.status.is_success() {
            permit.answered(&seen, None, answer.at);
            return Ok(answer);
        }
        let error = classify::classify(&answer, kind, &self.profile);
        let throttled = match &error {
            Error::Throttled { retry_at } => Some(*retry_at),
            _ => None,
        };
        permit.answered(&seen, throttled, answer.at);
        let floor = classify::retry_after(&answer.headers, answer.at);
        let credential_refused = matches!(error, Error::Unauthorized { .. });
        Err(Failed { error, floor, credential_refused })
    }

    fn count(&self, ask: &Ask, status: Option<http::StatusCode>) {
        let class = match status.map(|status| status.as_u16() / 100) {
            Some(1) => "1xx",
            Some(2) => "2xx",
            Some(3) => "3xx",
            Some(4) => "4xx",
            Some(_) => "5xx",
            None => "none",
        };
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        *sent.entry((ask.request.method().to_string(), class)).or_insert(0) += 1;
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

/// A failed attempt.
struct Failed {
    error: Error,
    /// The vendor asked not to be called before.
    floor: Option<Timestamp>,
    /// The vendor answered that the credential does not do.
    credential_refused: bool,
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self { error, floor: None, credential_refused: false }
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

#[cfg(test)]
mod tests;
