//! The sandbox: simulated vendors behind real listeners on loopback.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    extract::{Request, State},
    http::{Response, StatusCode},
};
use handoffd_connectors::{
    client::{Clock, Transport, transport::Outgoing},
    connector,
    sim::{
        HumanAct, MailSent, ShownTicket, SimSetup, VendorSim,
        faults::{Faults, RequestFault, WebhookFate},
    },
};
use handoffd_core::RemoteId;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// The longest request body that a simulated vendor reads.
const BODY_BYTES_MAX: usize = 25 * 1024 * 1024;
/// How often due webhooks are looked for.
const WEBHOOK_TICK: Duration = Duration::from_millis(5);

/// What a sandbox is started with.
pub struct SandboxSetup {
    /// The vendors, by connector name.
    pub vendors: Vec<String>,
    /// Where the first vendor listens; the others take the ports after it. Port 0: any free ports.
    pub listen: SocketAddr,
    /// Makes ids and credentials.
    pub seed: u64,
    /// The vendors' plan, which sets their limits.
    pub plan: String,
    /// Failures to inject.
    pub faults: Faults,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// How webhooks travel.
    pub transport: Arc<dyn Transport>,
}

/// A sandbox that cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// There is no such vendor.
    #[error("there is no vendor {name:?}; vendors: {known}")]
    NoVendor {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// Only loopback is served: the sandbox's credentials protect nothing.
    #[error("{0} is not a loopback address; the sandbox serves this machine only")]
    NotLoopback(IpAddr),
    /// The address cannot be listened on.
    #[error("cannot listen on {at}: {why}")]
    Listen {
        /// Where.
        at: SocketAddr,
        /// What the system says.
        why: std::io::Error,
    },
}

type SharedSim = Arc<Mutex<Box<dyn VendorSim>>>;

/// One simulated vendor that is served.
#[derive(Clone)]
struct Served {
    sim: SharedSim,
    faults: Faults,
    clock: Arc<dyn Clock>,
    random: Arc<Mutex<ChaCha8Rng>>,
    transport: Arc<dyn Transport>,
}

/// Simulated vendors at work.
pub struct Sandbox {
    vendors: BTreeMap<String, (String, Served)>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

fn locked(sim: &SharedSim) -> MutexGuard<'_, Box<dyn VendorSim>> {
    sim.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Sandbox {
    /// Starts the vendors and serves them.
    pub async fn start(setup: SandboxSetup) -> Result<Self, SandboxError> {
        if !setup.listen.ip().is_loopback() {
            return Err(SandboxError::NotLoopback(setup.listen.ip()));
        }
        let mut sandbox =
            Self { vendors: BTreeMap::new(), tasks: TaskTracker::new(), stop: CancellationToken::new() };
        for (number, name) in setup.vendors.iter().enumerate() {
            let vendor = connector(name).ok_or_else(|| no_vendor(name))?;
            let sim_setup = SimSetup { seed: setup.seed, plan: setup.plan.clone(), now: setup.clock.now() };
            let served = Served {
                sim: Arc::new(Mutex::new(vendor.simulator(sim_setup))),
                faults: setup.faults.clone(),
                clock: setup.clock.clone(),
                random: Arc::new(Mutex::new(ChaCha8Rng::seed_from_u64(setup.seed))),
                transport: setup.transport.clone(),
            };
            let at = nth_address(setup.listen, number);
            let listener = TcpListener::bind(at).await.map_err(|why| SandboxError::Listen { at, why })?;
            let at = listener.local_addr().map_err(|why| SandboxError::Listen { at, why })?;
            sandbox.serve(listener, served.clone());
            sandbox.vendors.insert(name.clone(), (format!("http://{at}"), served));
        }
        Ok(sandbox)
    }

    fn serve(&self, listener: TcpListener, served: Served) {
        let stop = self.stop.clone();
        let router = Router::new().fallback(answer).with_state(served.clone());
        self.tasks.spawn(async move {
            let stopped = stop.clone();
            let serving = axum::serve(listener, router)
                .with_graceful_shutdown(async move { stopped.cancelled().await });
            if let Err(error) = serving.await {
                tracing::error!(%error, "A sandbox vendor stopped serving.");
            }
        });
        let stop = self.stop.clone();
        self.tasks.spawn(async move { pump_webhooks(served, stop).await });
    }

    /// Where a vendor is.
    pub fn base_url(&self, vendor: &str) -> Option<&str> {
        self.vendors.get(vendor).map(|(url, _)| url.as_str())
    }

    /// One JSON object: where every vendor is and how to sign in.
    pub fn announce(&self) -> Value {
        let vendors = self.vendors.iter().map(|(name, (url, served))| {
            let credentials = locked(&served.sim).credentials();
            (name.clone(), json!({ "base_url": url, "credentials": credentials }))
        });
        json!({ "vendors": vendors.collect::<serde_json::Map<_, _>>() })
    }

    /// Uses a vendor's simulator.
    pub fn with<T>(&self, vendor: &str, act: impl FnOnce(&mut dyn VendorSim) -> T) -> Option<T> {
        let (_, served) = self.vendors.get(vendor)?;
        Some(act(&mut **locked(&served.sim)))
    }

    /// A person does something at a vendor.
    pub fn human(&self, vendor: &str, act: HumanAct) -> Result<RemoteId, String> {
        let Some((_, served)) = self.vendors.get(vendor) else { return Err(format!("no vendor {vendor}")) };
        let now = served.clock.now();
        locked(&served.sim).human(act, now)
    }

    /// People do something at several vendors at once: nobody can look in between.
    pub fn at_once(&self, acts: Vec<(&str, HumanAct)>) -> Result<(), String> {
        let mut held = Vec::new();
        for (vendor, act) in acts {
            let (_, served) = self.vendors.get(vendor).ok_or_else(|| format!("no vendor {vendor}"))?;
            held.push((locked(&served.sim), served.clock.now(), act));
        }
        for (sim, now, act) in &mut held {
            sim.human(act.clone(), *now)?;
        }
        Ok(())
    }

    /// Every ticket of a vendor, as shown.
    pub fn tickets(&self, vendor: &str) -> Vec<ShownTicket> {
        self.with(vendor, |sim| sim.tickets()).unwrap_or_default()
    }

    /// The mails that customers would have had, of all vendors.
    pub fn mails(&self) -> Vec<(String, MailSent)> {
        let mails = self.vendors.iter().flat_map(|(name, (_, served))| {
            let sent = locked(&served.sim).mails_sent().to_vec();
            sent.into_iter().map(|mail| (name.clone(), mail)).collect::<Vec<_>>()
        });
        mails.collect()
    }

    /// Stops serving.
    pub async fn shutdown(self) {
        self.stop.cancel();
        self.tasks.close();
        // Clients may hold connections open; they are not waited for long.
        let _ = tokio::time::timeout(Duration::from_secs(2), self.tasks.wait()).await;
    }
}

fn no_vendor(name: &str) -> SandboxError {
    let known: Vec<_> = handoffd_connectors::REGISTRY.iter().map(|connector| connector.name()).collect();
    SandboxError::NoVendor { name: name.to_owned(), known: known.join(", ") }
}

fn nth_address(first: SocketAddr, number: usize) -> SocketAddr {
    let step = u16::try_from(number).unwrap_or(u16::MAX);
    match first.port() {
        0 => first,
        port => SocketAddr::new(first.ip(), port.saturating_add(step)),
    }
}

/// Any free port on loopback.
pub fn any_port() -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0)
}

async fn answer(State(served): State<Served>, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, BODY_BYTES_MAX).await else {
        return plain(StatusCode::PAYLOAD_TOO_LARGE, "the body is too long");
    };
    let mut request = http::Request::from_parts(parts, body);
    // The server leaves the body of the answer out by itself.
    if request.method() == http::Method::HEAD {
        *request.method_mut() = http::Method::GET;
    }
    let fate = {
        let mut random = served.random.lock().unwrap_or_else(PoisonError::into_inner);
        served.faults.draw_request(&mut *random)
    };
    tokio::time::sleep(Duration::from_millis(fate.there_ms)).await;
    let response = match fate.fault {
        Some(RequestFault::Refused | RequestFault::Lost) => cut_off(),
        Some(RequestFault::ErrorBefore(status)) => failed(status),
        Some(RequestFault::Throttled(secs)) => {
            let mut response = plain(StatusCode::TOO_MANY_REQUESTS, "injected: the limit is used up");
            response.headers_mut().insert("retry-after", http::HeaderValue::from(secs));
            response
        }
        fault @ (None | Some(RequestFault::AnswerLost | RequestFault::ErrorAfter(_))) => {
            let now = served.clock.now();
            let response = locked(&served.sim).handle(request, now);
            match fault {
                Some(RequestFault::ErrorAfter(status)) => failed(status),
                Some(_) => cut_off(),
                None => response.map(Body::from),
            }
        }
    };
    tokio::time::sleep(Duration::from_millis(fate.back_ms)).await;
    response
}

fn failed(status: u16) -> Response<Body> {
    plain(StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY), "injected: the vendor failed")
}

/// An answer that breaks off, as when a connection is lost.
fn cut_off() -> Response<Body> {
    let broken = std::io::Error::new(std::io::ErrorKind::ConnectionReset, "injected: the connection is lost");
    Response::new(Body::from_stream(futures_util::stream::iter([Err::<Bytes, _>(broken)])))
}

fn plain(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response
}

/// Delivers webhooks as they come due, and tells the vendor how it went.
async fn pump_webhooks(served: Served, stop: CancellationToken) {
    let deliveries = TaskTracker::new();
    loop {
        let now = served.clock.now();
        let due = locked(&served.sim).webhooks_due(now);
        for webhook in due {
            let fate = {
                let mut random = served.random.lock().unwrap_or_else(PoisonError::into_inner);
                served.faults.draw_webhook(&mut *random)
            };
            let served = served.clone();
            deliveries.spawn(async move {
                let answer = deliver_as(&served, webhook.request, fate).await;
                let now = served.clock.now();
                locked(&served.sim).webhook_answered(webhook.id, answer, now);
            });
        }
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            () = tokio::time::sleep(WEBHOOK_TICK) => {}
        }
    }
    deliveries.close();
    let _ = tokio::time::timeout(Duration::from_secs(1), deliveries.wait()).await;
}

/// Delivers one webhook, or does what becomes of it instead. What the vendor hears.
async fn deliver_as(
    served: &Served,
    request: http::Request<Bytes>,
    fate: WebhookFate,
) -> Option<(u16, Option<u32>)> {
    match fate {
        WebhookFate::Delivered => deliver(served, request).await,
        WebhookFate::Lost => Some((200, None)),
        WebhookFate::Unanswered => None,
        WebhookFate::AnsweredLate => {
            deliver(served, request).await;
            None
        }
        WebhookFate::Doubled(wait_ms) => {
            let answer = deliver(served, request.clone()).await;
            tokio::time::sleep(Duration::from_millis(wait_ms)).await;
            deliver(served, request).await;
            answer
        }
        WebhookFate::Delayed(wait_ms) => {
            tokio::time::sleep(Duration::from_millis(wait_ms)).await;
            deliver(served, request).await
        }
    }
}

async fn deliver(served: &Served, request: http::Request<Bytes>) -> Option<(u16, Option<u32>)> {
    let outgoing =
        Outgoing { request, upload: Vec::new(), timeout: Duration::from_secs(10), body_bytes_max: 64 * 1024 };
    let response = served.transport.send(outgoing).await.ok()?;
    let retry_after =
        response.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
    Some((response.status().as_u16(), retry_after))
}
