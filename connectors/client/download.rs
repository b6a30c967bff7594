//! Files of tickets: read piece by piece, wherever the vendor keeps them.

use bytes::Bytes;
use handoffd_core::Timestamp;

use super::{Answer, Client, Kind, Outgoing, TransportError, classify, ledger::Draw, limit::Permit};
use crate::contract::{Call, Error, Result, Sink};

/// How often an address may point to another one.
const HOPS_MAX: usize = 4;

/// One step of a download.
enum Hop {
    Done,
    /// The file is at another address.
    Elsewhere(url::Url),
}

impl Client {
    /// Reads a file, piece by piece, in one attempt; redirects are followed. At the account's own
    /// origin a request is signed and paced; anywhere else it carries no credential and draws
    /// from no quota. [`Error::Stale`]: the address leads nowhere (any more). [`Error::Refused`]:
    /// the file is longer than `bytes_max`, or whoever takes it wants no more.
    pub async fn download(&self, call: Call, at: &str, bytes_max: u64, into: &mut dyn Sink) -> Result<()> {
        let mut url = self.base_url.join(at).map_err(|_| bad_address())?;
        for _ in 0..HOPS_MAX {
            match self.hop(call, &url, bytes_max, into).await? {
                Hop::Done => return Ok(()),
                Hop::Elsewhere(next) => url = next,
            }
        }
        Err(Error::Malformed { what: "the address of an attachment, which leads on and on".to_owned() })
    }

    async fn hop(&self, call: Call, url: &url::Url, bytes_max: u64, into: &mut dyn Sink) -> Result<Hop> {
        let is_own = url.origin() == self.base_url.origin();
        // The sandbox serves files over plain HTTP; a vendor never does.
        if !is_own && url.scheme() != "https" && self.base_url.scheme() == "https" {
            return Err(bad_address());
        }
        let mut request = http::Request::get(url.as_str()).body(Bytes::new()).map_err(|_| bad_address())?;
        let mut permit = None;
        if is_own {
            permit = Some(self.admit_download(call).await?);
            let used = self.parts.authorizer.header(call).await?;
            let mut value = http::HeaderValue::from_str(used.expose()).map_err(|_| bad_address())?;
            value.set_sensitive(true);
            request.headers_mut().insert(http::header::AUTHORIZATION, value);
        }
        let timeout = call.deadline.since(self.now());
        let body_bytes_max = usize::try_from(bytes_max).unwrap_or(usize::MAX);
        let outgoing = Outgoing { request, upload: Vec::new(), timeout, body_bytes_max };
        if let Some(permit) = &mut permit {
            permit.sending();
        }
        let came = self.parts.transport.fetch(outgoing, into).await;
        let (head, body) = came.map_err(|error| failed(&error))?.into_parts();
        let answer = Answer { status: head.status, headers: head.headers, body, at: self.now() };
        if answer.status.is_redirection() {
            return next_address(url, &answer).map(Hop::Elsewhere);
        }
        self.end(answer, permit)
    }

    async fn admit_download(&self, call: Call) -> Result<Permit> {
        let draw = Draw { lane: call.lane, buckets: Vec::new(), cost: 1, op: "GET attachment".to_owned() };
        let admitted: std::result::Result<Permit, Timestamp> = self.limiter.admit(call, draw).await;
        admitted.map_err(|retry_at| Error::Throttled { retry_at })
    }

    fn end(&self, answer: Answer, permit: Option<Permit>) -> Result<Hop> {
        match (answer.status.as_u16(), permit) {
            (404 | 410, _) | (401 | 403, None) => Err(Error::Stale),
            (200..=299, None) => Ok(Hop::Done),
            (_, None) => Err(classify::classify(&answer, Kind::Read, &self.profile)),
            (_, Some(permit)) => {
                self.read(answer, Kind::Read, permit).map(|_| Hop::Done).map_err(|failed| failed.error)
            }
        }
    }
}

fn bad_address() -> Error {
    Error::Malformed { what: "the address of an attachment".to_owned() }
}

fn failed(error: &TransportError) -> Error {
    match error {
        TransportError::SinkRefused(why) => Error::Refused { why: why.clone() },
        TransportError::TooLong { limit } => {
            Error::Refused { why: format!("it is longer than {limit} bytes") }
        }
        error => classify::no_answer(error, Kind::Read),
    }
}

fn next_address(from: &url::Url, answer: &Answer) -> Result<url::Url> {
    let location = answer.headers.get(http::header::LOCATION).and_then(|at| at.to_str().ok());
    location.and_then(|at| from.join(at).ok()).ok_or_else(bad_address)
}
