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
    client::{Clock, Jitter, Transport, transport::Outgoing},
    connector,
    sim::{HumanAct, MailSent, ShownTicket, SimSetup, VendorSim, faults::Faults},
};
use handoffd_core::RemoteId;
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
    /// Draws the failures.
    pub jitter: Arc<dyn Jitter>,
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
    jitter: Arc<dyn Jitter>,
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
                jitter: setup.jitter.clone(),
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
    let roll = || served.jitter.fraction();
    if roll() < served.faults.status_5xx_before {
        return plain(StatusCode::BAD_GATEWAY, "injected: the vendor failed before it did anything");
    }
    if roll() < served.faults.throttled {
        let mut response = plain(StatusCode::TOO_MANY_REQUESTS, "injected: the limit is used up");
        response.headers_mut().insert("retry-after", http::HeaderValue::from_static("1"));
        return response;
    }
    let request = http::Request::from_parts(parts, body);
    let now = served.clock.now();
    let response = locked(&served.sim).handle(request, now);
    if roll() < served.faults.status_5xx_after {
        return plain(StatusCode::GATEWAY_TIMEOUT, "injected: the answer was lost after the vendor did it");
    }
    response.map(Body::from)
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
            if served.jitter.fraction() < served.faults.webhook_lost {
                continue;
            }
            let twice = served.jitter.fraction() < served.faults.webhook_doubled;
            let served = served.clone();
            deliveries.spawn(async move {
                for _ in 0..=usize::from(twice) {
                    let answer = deliver(&served, webhook.request.clone()).await;
                    let now = served.clock.now();
                    locked(&served.sim).webhook_answered(webhook.id, answer, now);
                }
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

async fn deliver(served: &Served, request: http::Request<Bytes>) -> Option<(u16, Option<u32>)> {
    let outgoing = Outgoing { request, timeout: Duration::from_secs(10), body_bytes_max: 64 * 1024 };
    let response = served.transport.send(outgoing).await.ok()?;
    let retry_after =
        response.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
    Some((response.status().as_u16(), retry_after))
}
