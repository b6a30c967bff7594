//! Several vendors and the net between them and us.
//!
//! Each account has a vendor of its own behind a host of its own, its own faults
//! and its own randomness, so that one more account changes nothing for the
//! others. What happened is folded into a hash: the same seed and the same
//! calls give the same hash.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use handoffd_core::{AccountId, RemoteId, Timestamp};
use http::{Request, Response};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use sha2::{Digest, Sha256};

use super::{
    HumanAct, VendorSim,
    faults::{Faults, RequestFate, RequestFault, WebhookFate},
};
use crate::client::{
    Clock,
    transport::{Outgoing, Transport, TransportError},
};

/// The most lines of the log; the oldest go first.
const LOG_LINES_MAX: usize = 10_000;

/// The status and the `Retry-After` of our answer to a webhook; `None` for no answer.
pub type WebhookAnswer = Option<(u16, Option<u32>)>;

/// Something that went over the net.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceLine {
    /// When it was decided what becomes of it.
    pub at: Timestamp,
    /// Whose it is.
    pub account: AccountId,
    /// A request's method, or `WEBHOOK`.
    pub method: String,
    /// A request's path without its query; a webhook's number.
    pub path: String,
    /// The status that the vendor gave, or that we gave to a webhook; `None` where none was given.
    pub status: Option<u16>,
    /// What went wrong; empty for nothing.
    pub fault: String,
}

impl fmt::Display for TraceLine {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, account, method, path, status, fault } = self;
        let status = status.map_or_else(|| "-".to_owned(), |status| status.to_string());
        write!(out, "{} {account} {method} {path} {status} {fault}", at.0)
    }
}

/// Several vendors in memory, and the net.
#[derive(Clone)]
pub struct World {
    shared: Arc<Shared>,
}

struct Shared {
    seed: u64,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    vendors: BTreeMap<AccountId, Vendor>,
    /// Webhooks on their way, by when they arrive and in what order they set out.
    on_the_way: BTreeMap<(Timestamp, u64), OnTheWay>,
    set_out: u64,
    trace: Trace,
}

struct Vendor {
    sim: Box<dyn VendorSim>,
    faults: Faults,
    random: ChaCha8Rng,
    requests: u64,
}

/// A webhook that arrives later.
struct OnTheWay {
    account: AccountId,
    id: u64,
    request: Request<Bytes>,
    /// Whether the vendor still waits for its answer.
    reported: bool,
}

#[derive(Default)]
struct Trace {
    hash: Sha256,
    lines: Option<VecDeque<TraceLine>>,
}

impl Trace {
    fn add(&mut self, line: TraceLine, contents: &[&[u8]]) {
        self.hash.update(line.to_string());
        for part in contents {
            self.hash.update((part.len() as u64).to_be_bytes());
            self.hash.update(part);
        }
        if let Some(lines) = &mut self.lines {
            if lines.len() >= LOG_LINES_MAX {
                lines.pop_front();
            }
            lines.push_back(line);
        }
    }
}

impl World {
    /// A world without vendors.
    pub fn new(seed: u64, clock: Arc<dyn Clock>) -> Self {
        Self { shared: Arc::new(Shared { seed, clock, state: Mutex::default() }) }
    }

    /// Adds a vendor as this account, or replaces it. Its host is the account's
    /// name and `.sim`, as `zendesk-main.sim`.
    pub fn add(&self, account: AccountId, sim: Box<dyn VendorSim>, faults: Faults) {
        let random = random_of(self.shared.seed, &account);
        self.lock().vendors.insert(account, Vendor { sim, faults, random, requests: 0 });
    }

    /// The accounts, sorted.
    pub fn accounts(&self) -> Vec<AccountId> {
        self.lock().vendors.keys().cloned().collect()
    }

    /// Where an account's API is; `None` for an account that is not there or
    /// whose name cannot stand in a host.
    pub fn base_url(&self, account: &AccountId) -> Option<url::Url> {
        self.lock().vendors.contains_key(account).then_some(())?;
        url::Url::parse(&format!("https://{}/", host_of(account))).ok()
    }

    /// The net as a transport, to every vendor of this world.
    pub fn transport(&self) -> Arc<dyn Transport> {
        Arc::new(SimNet(self.clone()))
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }

    /// Looks at a vendor or changes it, over no net. `None` for an account that is not there.
    pub fn with<T>(
        &self,
        account: &AccountId,
        act: impl FnOnce(&mut dyn VendorSim, Timestamp) -> T,
    ) -> Option<T> {
        let now = self.now();
        let mut state = self.lock();
        Some(act(state.vendors.get_mut(account)?.sim.as_mut(), now))
    }

    /// A person does something at a vendor. Answers with the ticket's id, or why the vendor refuses.
    pub fn human(&self, account: &AccountId, act: HumanAct) -> Result<RemoteId, String> {
        self.with(account, |sim, now| sim.human(act, now))
            .unwrap_or_else(|| Err(format!("there is no account {account}")))
    }

    /// Sets an account's faults from now on.
    pub fn set_faults(&self, account: &AccountId, faults: Faults) {
        if let Some(vendor) = self.lock().vendors.get_mut(account) {
            vendor.faults = faults;
        }
    }

    /// Ends all faults. Webhooks on their way still arrive late.
    pub fn calm(&self) {
        for vendor in self.lock().vendors.values_mut() {
            vendor.faults = Faults::none();
        }
    }

    /// How many requests were sent to each account, those that a fault ate included.
    pub fn requests(&self) -> BTreeMap<AccountId, u64> {
        self.lock().vendors.iter().map(|(account, vendor)| (account.clone(), vendor.requests)).collect()
    }

    /// A hash of everything that went over the net so far, in hex.
    pub fn trace_hash(&self) -> String {
        hex::encode(self.lock().trace.hash.clone().finalize())
    }

    /// Keeps the last lines from now on, for [`World::log`].
    pub fn keep_log(&self) {
        self.lock().trace.lines.get_or_insert_default();
    }

    /// The last lines, if they are kept.
    pub fn log(&self) -> Vec<TraceLine> {
        self.lock().trace.lines.iter().flatten().cloned().collect()
    }

    /// When the next webhook arrives, or the next attempt is due.
    pub fn next_webhook_at(&self) -> Option<Timestamp> {
        let state = self.lock();
        let on_the_way = state.on_the_way.keys().next().map(|(at, _)| *at);
        let due = state.vendors.values().filter_map(|vendor| vendor.sim.webhook_next_at());
        due.chain(on_the_way).min()
    }

    /// Delivers what is due now, one after the other, and tells the vendors the
    /// answers. Says how many were delivered; what comes due meanwhile waits for the next call.
    pub async fn pump_webhooks<F, Answered>(&self, deliver: F) -> usize
    where
        F: Fn(AccountId, Request<Bytes>) -> Answered,
        Answered: Future<Output = WebhookAnswer>,
    {
        let now = self.now();
        let mut delivered = 0;
        for hook in self.take_webhooks(now) {
            let OnTheWay { account, id, request, reported } = hook.webhook;
            let body = request.body().clone();
            let answer = deliver(account.clone(), request).await;
            delivered += 1;
            let heard = if hook.answer_heard { answer } else { None };
            let status = answer.map(|(status, _)| status);
            let line = webhook_line(self.now(), &account, id, status, hook.fault);
            self.lock().trace.add(line, &[&body]);
            if reported {
                let now = self.now();
                self.with(&account, |sim, _| sim.webhook_answered(id, heard, now));
            }
        }
        delivered
    }

    /// Draws what becomes of the webhooks that are due; gives those that arrive now.
    fn take_webhooks(&self, now: Timestamp) -> Vec<Arrival> {
        let mut guard = self.lock();
        let state = &mut *guard;
        let mut arriving = state.take_arrived(now);
        for (account, vendor) in &mut state.vendors {
            for out in vendor.sim.webhooks_due(now) {
                let fate = vendor.faults.draw_webhook(&mut vendor.random);
                let webhook =
                    OnTheWay { account: account.clone(), id: out.id, request: out.request, reported: true };
                let later = |wait_ms| now.plus(Duration::from_millis(wait_ms));
                match fate {
                    WebhookFate::Delivered => arriving.push(Arrival::plain(webhook)),
                    WebhookFate::AnsweredLate => {
                        arriving.push(Arrival { answer_heard: false, fault: "answered late", webhook });
                    }
                    WebhookFate::Doubled(wait_ms) => {
                        let again = webhook.again();
                        arriving.push(Arrival { fault: "doubled", ..Arrival::plain(webhook) });
                        state.on_the_way.insert((later(wait_ms), state.set_out), again);
                        state.set_out += 1;
                    }
                    WebhookFate::Delayed(wait_ms) => {
                        state.on_the_way.insert((later(wait_ms), state.set_out), webhook);
                        state.set_out += 1;
                    }
                    WebhookFate::Lost | WebhookFate::Unanswered => {
                        let (answer, fault) = match fate {
                            WebhookFate::Lost => (Some((200, None)), "lost"),
                            _ => (None, "unanswered"),
                        };
                        vendor.sim.webhook_answered(out.id, answer, now);
                        state.trace.add(webhook_line(now, account, out.id, None, fault), &[]);
                    }
                }
            }
        }
        arriving
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A webhook that arrives now.
struct Arrival {
    webhook: OnTheWay,
    /// Whether the vendor hears our answer.
    answer_heard: bool,
    fault: &'static str,
}

impl Arrival {
    fn plain(webhook: OnTheWay) -> Self {
        Self { webhook, answer_heard: true, fault: "" }
    }
}

impl OnTheWay {
    /// The same once more, whose answer nobody waits for.
    fn again(&self) -> Self {
        Self { account: self.account.clone(), request: self.request.clone(), reported: false, id: self.id }
    }
}

impl State {
    fn take_arrived(&mut self, now: Timestamp) -> Vec<Arrival> {
        let later = self.on_the_way.split_off(&(Timestamp(now.0.saturating_add(1)), 0));
        let arrived = std::mem::replace(&mut self.on_the_way, later);
        arrived.into_values().map(|webhook| Arrival { fault: "late", ..Arrival::plain(webhook) }).collect()
    }
}

fn webhook_line(at: Timestamp, account: &AccountId, id: u64, status: Option<u16>, fault: &str) -> TraceLine {
    let (method, path) = ("WEBHOOK".to_owned(), id.to_string());
    TraceLine { at, account: account.clone(), method, path, status, fault: fault.to_owned() }
}

fn host_of(account: &AccountId) -> String {
    format!("{}.sim", account.as_str().to_lowercase())
}

/// Whether it is the account's host, or one below it, where a vendor keeps files.
fn is_host_of(account: &AccountId, host: &str) -> bool {
    let own = host_of(account);
    host == own || host.strip_suffix(own.as_str()).is_some_and(|below| below.ends_with('.'))
}

/// The account's own randomness, made from its name.
fn random_of(seed: u64, account: &AccountId) -> ChaCha8Rng {
    let hash = Sha256::new().chain_update(seed.to_be_bytes()).chain_update(account.as_str()).finalize();
    ChaCha8Rng::from_seed(hash.into())
}

struct SimNet(World);

/// What came back over the net, before the way back.
type Came = Result<Response<Bytes>, TransportError>;

impl Transport for SimNet {
    fn send(&self, outgoing: Outgoing) -> BoxFuture<'_, Came> {
        Box::pin(self.0.send(outgoing))
    }
}

impl World {
    async fn send(&self, outgoing: Outgoing) -> Came {
        let (timeout, body_bytes_max) = (outgoing.timeout, outgoing.body_bytes_max);
        let request = outgoing.gathered().await?;
        let clock = &self.shared.clock;
        let deadline = clock.now().plus(timeout);
        let (account, fate) = self.draw(&request)?;
        let arrives = clock.now().plus(Duration::from_millis(fate.there_ms));
        if arrives > deadline {
            clock.sleep_until(deadline).await;
            return Err(self.timed_out(&account, &request));
        }
        clock.sleep_until(arrives).await;
        let came = self.arrive(&account, request, fate.fault);
        let comes_back = clock.now().plus(Duration::from_millis(fate.back_ms));
        if comes_back > deadline || fate.fault == Some(RequestFault::Lost) {
            clock.sleep_until(deadline).await;
            return Err(TransportError::NoAnswer("timed out".to_owned()));
        }
        clock.sleep_until(comes_back).await;
        match came {
            Ok(answer) if answer.body().len() > body_bytes_max => {
                Err(TransportError::TooLong { limit: body_bytes_max })
            }
            came => came,
        }
    }

    /// Finds the vendor behind the host and draws what becomes of the request.
    fn draw(&self, request: &Request<Bytes>) -> Result<(AccountId, RequestFate), TransportError> {
        let host = request.uri().host().unwrap_or_default();
        let mut state = self.lock();
        let found = state.vendors.iter_mut().find(|(account, _)| is_host_of(account, host));
        let Some((account, vendor)) = found else {
            return Err(TransportError::NotSent(format!("there is no host {host}")));
        };
        vendor.requests += 1;
        Ok((account.clone(), vendor.faults.draw_request(&mut vendor.random)))
    }

    /// The request reaches the vendor, or what a fault makes of that.
    fn arrive(&self, account: &AccountId, request: Request<Bytes>, fault: Option<RequestFault>) -> Came {
        let now = self.now();
        let mut state = self.lock();
        let Some(vendor) = state.vendors.get_mut(account) else {
            return Err(TransportError::NotSent("the account is gone".to_owned()));
        };
        let (method, uri, sent) =
            (request.method().to_string(), request.uri().clone(), request.body().clone());
        let answer = match fault {
            None | Some(RequestFault::AnswerLost | RequestFault::ErrorAfter(_)) => {
                Some(vendor.sim.handle(request, now))
            }
            Some(_) => None,
        };
        let line = TraceLine {
            at: now,
            account: account.clone(),
            method,
            path: uri.path().to_owned(),
            status: answer.as_ref().map(|answer| answer.status().as_u16()),
            fault: fault.map_or_else(String::new, |fault| format!("{fault:?}")),
        };
        let query = uri.query().unwrap_or_default().as_bytes();
        let shown = answer.as_ref().map_or(&[][..], |answer| answer.body());
        state.trace.add(line, &[query, &sent, shown]);
        after(answer, fault)
    }

    fn timed_out(&self, account: &AccountId, request: &Request<Bytes>) -> TransportError {
        let line = TraceLine {
            at: self.now(),
            account: account.clone(),
            method: request.method().to_string(),
            path: request.uri().path().to_owned(),
            status: None,
            fault: "timed out on its way".to_owned(),
        };
        self.lock().trace.add(line, &[]);
        TransportError::NoAnswer("timed out".to_owned())
    }
}

/// What the fault leaves of the vendor's answer.
fn after(answer: Option<Response<Bytes>>, fault: Option<RequestFault>) -> Came {
    let no_answer = || Err(TransportError::NoAnswer("the connection was cut".to_owned()));
    match fault {
        None => answer.map_or_else(no_answer, Ok),
        Some(RequestFault::Refused) => Err(TransportError::NotSent("the connection was refused".to_owned())),
        Some(RequestFault::Lost | RequestFault::AnswerLost) => no_answer(),
        Some(RequestFault::ErrorBefore(status) | RequestFault::ErrorAfter(status)) => {
            Ok(gateway(status, "The service is unavailable", None))
        }
        Some(RequestFault::Throttled(secs)) => Ok(gateway(429, "Too many requests", Some(secs))),
    }
}

/// An answer as a gateway before the vendor gives it: HTML, none of the vendor's headers.
fn gateway(status: u16, words: &str, retry_after: Option<u32>) -> Response<Bytes> {
    let mut answer = Response::new(Bytes::from(format!("<html><body><h1>{words}</h1></body></html>")));
    *answer.status_mut() = http::StatusCode::from_u16(status).unwrap_or(http::StatusCode::BAD_GATEWAY);
    let html = http::HeaderValue::from_static("text/html");
    answer.headers_mut().insert(http::header::CONTENT_TYPE, html);
    if let Some(secs) = retry_after {
        answer.headers_mut().insert(http::header::RETRY_AFTER, secs.into());
    }
    answer
}

#[cfg(test)]
mod tests;
