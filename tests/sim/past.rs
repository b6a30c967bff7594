//! Helpdesks with a history, and an engine over them without listeners.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use futures_util::future::BoxFuture;

use handoffd::{
    app::{self, Outside},
    config::Config,
    engine::{Engine, backfill::BackfillOrder, dry::DryRun},
    store::{blobs::Blobs, mem::MemStore},
};
use handoffd_connectors::{
    client::{
        Clock,
        clock::{SeededJitter, TokioClock},
        transport::{Outgoing, Transport, TransportError},
    },
    connector,
    sim::{HumanAct, MailSent, ShownTicket, SimSetup, Who, faults::Faults, world::World},
};
use handoffd_core::{AccountId, RemoteId};
use http::Response;

use crate::world::{CUSTOMERS, DESKS, FRESHDESK, Mortal, START, STRIPE, ZENDESK, configure};

/// Counts what was used of each vendor's quota, as its answers say.
#[derive(Clone)]
struct Metered {
    inner: Arc<dyn Transport>,
    units: Arc<Mutex<BTreeMap<String, u64>>>,
}

impl Transport for Metered {
    fn send(&self, outgoing: Outgoing) -> BoxFuture<'_, Result<Response<Bytes>, TransportError>> {
        Box::pin(async move {
            let host = outgoing.request.uri().host().unwrap_or_default().to_owned();
            let answer = self.inner.send(outgoing).await?;
            let told = answer.headers().get("x-ratelimit-used-currentrequest");
            let told = told.map(|told| told.to_str().expect("ASCII").parse().expect("a number"));
            *self.units.lock().expect("no panic").entry(host).or_default() += told.unwrap_or(1);
            Ok(answer)
        })
    }
}

/// Helpdesks in virtual time, and what the daemon stored.
pub struct Past {
    pub clock: Arc<dyn Clock>,
    pub world: World,
    pub config: Config,
    pub store: Arc<MemStore>,
    blobs: Blobs,
    runs: u64,
    units: Arc<Mutex<BTreeMap<String, u64>>>,
}

impl Past {
    /// Empty helpdesks on these plans; tickets are mirrored from `from` only, or from both.
    pub fn new(plans: [&str; 2], from: Option<&str>, latency_ms: u64) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(TokioClock::starting_at(START));
        let world = World::new(1, clock.clone());
        world.keep_log();
        for (vendor, plan) in [(ZENDESK, plans[0]), (FRESHDESK, plans[1]), (STRIPE, "unlimited")] {
            let setup = SimSetup { seed: 1, plan: plan.to_owned(), now: clock.now() };
            let sim = connector(vendor).expect("a known vendor").simulator(setup);
            let faults = Faults { latency_ms: latency_ms..=latency_ms, ..Faults::none() };
            world.add(AccountId::new(vendor), sim, faults);
        }
        let mut config = configure(&world);
        if let Some(from) = from {
            let group = config.groups.get_mut("support").expect("the group");
            group.routes.retain(|route| route.from.as_str() == from);
        }
        let store = Arc::new(MemStore::new(clock.clone()));
        Self { clock, world, config, store, blobs: Blobs::memory(), runs: 0, units: Arc::default() }
    }

    /// A new engine over what is stored; the one before is dead.
    pub async fn engine(&mut self, dry: Option<Arc<DryRun>>) -> Engine {
        self.runs += 1;
        self.store = Arc::new(MemStore::open(self.store.snapshot(), self.clock.clone()));
        let metered = Metered { inner: self.world.transport(), units: self.units.clone() };
        let outside = Outside {
            clock: self.clock.clone(),
            jitter: Arc::new(SeededJitter::new(self.runs)),
            transport: Arc::new(Mortal { inner: Arc::new(metered), store: self.store.clone() }),
        };
        let parts = app::engine_parts(&self.config, self.store.clone(), self.blobs.clone(), &outside).await;
        let mut parts = parts.expect("a good configuration");
        (parts.run, parts.dry) = (format!("run-{}", self.runs), dry);
        Engine::new(parts)
    }

    /// How many units of its quota a helpdesk was asked for; a request that does not say counts as one.
    pub fn units_used(&self, desk: &str) -> u64 {
        let units = self.units.lock().expect("no panic");
        units.iter().filter(|(host, _)| host.starts_with(desk)).map(|(_, units)| units).sum()
    }

    pub async fn sleep(&self, time: Duration) {
        self.clock.sleep_until(self.clock.now().plus(time)).await;
    }

    pub fn act(&self, desk: &str, act: HumanAct) -> RemoteId {
        self.world.human(&AccountId::new(desk), act).expect("the act is allowed")
    }

    /// A conversation of a customer's message and these, each a second after the other.
    pub async fn talk(&self, desk: &str, number: usize, subject: &str, said: &[(Who, bool)]) -> RemoteId {
        let (name, email) = CUSTOMERS[number % CUSTOMERS.len()];
        let open = HumanAct::Open {
            name: name.to_owned(),
            email: email.to_owned(),
            subject: subject.to_owned(),
            text: format!("The first message of {subject}, long enough."),
            to_bot: false,
        };
        let ticket = self.act(desk, open);
        for (at, (who, public)) in said.iter().enumerate() {
            self.sleep(Duration::from_secs(2)).await;
            let text = format!("Message {at} of {subject}.");
            self.act(desk, HumanAct::Say { ticket: ticket.clone(), who: who.clone(), text, public: *public });
        }
        self.sleep(Duration::from_secs(2)).await;
        ticket
    }

    pub fn tickets(&self, desk: &str) -> Vec<ShownTicket> {
        self.world.with(&AccountId::new(desk), |sim, _| sim.tickets()).expect("a vendor")
    }

    pub fn mails(&self) -> Vec<MailSent> {
        let mails = |desk: &str| self.world.with(&AccountId::new(desk), |sim, _| sim.mails_sent().to_vec());
        DESKS.iter().flat_map(|desk| mails(desk).expect("a vendor")).collect()
    }

    /// What was served, by helpdesk and endpoint.
    pub fn served(&self) -> BTreeMap<String, u64> {
        let mut all = BTreeMap::new();
        for desk in DESKS {
            let counts = self.world.with(&AccountId::new(desk), |sim, _| sim.requests_served());
            let counts = counts.expect("a vendor").into_iter();
            all.extend(counts.map(|(pattern, count)| (format!("{desk} {pattern}"), count)));
        }
        all
    }

    /// Takes in the history of both and does what is due.
    pub async fn backfill(&self, engine: &Engine, restart: bool) {
        let order = BackfillOrder { accounts: Vec::new(), since: None, restart };
        engine.order_backfill(&order).await.expect("an order");
        engine.take_in_history().await.expect("a history");
        self.drain(engine).await;
    }

    /// Waits until nothing is due within ten minutes.
    pub async fn drain(&self, engine: &Engine) {
        for _ in 0..4_000 {
            if engine.is_idle(Duration::from_secs(600)).await {
                return;
            }
            self.sleep(Duration::from_secs(1)).await;
        }
        panic!("it does not come to rest");
    }
}

/// Runs a test in virtual time.
pub fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    runtime.block_on(test);
    runtime.shutdown_background();
}
