//! A world with vendors, the daemon in it, and time.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Router, body::Body, extract::ConnectInfo};
use bytes::Bytes;
use futures_util::future::{BoxFuture, pending};
use handoffd::{
    app::{self, Outside},
    config::Config,
    engine::Engine,
    http::{Agent, Site, SiteParts, public_router},
    status::Readiness,
    store::{
        Seq,
        blobs::Blobs,
        mem::{CrashSide, MemStore},
    },
};
use handoffd_connectors::{
    client::{
        Clock,
        clock::{SeededJitter, TokioClock},
        transport::{Outgoing, Transport, TransportError},
    },
    connector,
    contract::Secret,
    sim::{
        HumanAct, MailSent, ShownTicket, SimSetup, Who,
        faults::Faults,
        world::{WebhookAnswer, World},
    },
};
use handoffd_core::{AccountId, RemoteId, Timestamp, Typed, Value};
use http::{Request, Response};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde_json::json;
use tower::ServiceExt;

pub use crate::setup::configure;
use crate::{
    acts::{Deed, Playwright},
    oracle::{Edit, Handover, Oracle, Said, Talk, What},
    setup::{Made, PRIORITY, configure_all, fill_stripe, furnish},
};

pub const ZENDESK: &str = "zendesk";
pub const FRESHDESK: &str = "freshdesk";
pub const INTERCOM: &str = "intercom";
pub const STRIPE: &str = "stripe";
/// The two helpdesks of the worlds that were drawn first.
pub const DESKS: [&str; 2] = [ZENDESK, FRESHDESK];

/// Monday, 2026-01-05, 09:00 UTC.
pub const START: Timestamp = Timestamp(1_767_603_600_000);
/// How often webhooks are looked for while people act.
const TICK: Duration = Duration::from_millis(250);
/// The same while nobody acts.
const QUIET_TICK: Duration = Duration::from_secs(5);

pub const WEBHOOK_SECRET: &str = "the-webhooks-are-signed-with-this";
pub const AGENT_TOKEN: &str = "the-ai-agent-signs-in-with-this";

/// Customers: one with a plan, one who is two customers at Stripe, two unknown there.
pub const CUSTOMERS: [(&str, &str); 4] = [
    ("Dana Reyes", "dana@example.com"),
    ("Sam Twice", "sam@example.com"),
    ("Kim Novak", "kim@example.com"),
    ("Ola Berg", "ola@example.com"),
];

/// What kind of life a seed leads.
#[derive(Clone, Debug)]
pub struct Profile {
    /// The helpdesks that there are.
    pub desks: Vec<&'static str>,
    /// Which of them mails the customer when nobody has yet.
    pub facing: &'static str,
    /// Whether everything that a ticket is travels and happens.
    pub rich: bool,
    pub faults: Faults,
    pub crashes: bool,
    pub expiries: bool,
    pub deletes: bool,
    pub talks_max: usize,
    pub draws: usize,
    pub pause_ms_max: u64,
    /// Within what time the daemon surely takes in what a person did.
    pub intake_within: Duration,
    /// How long after people stopped the end is judged.
    pub quiet: Duration,
}

/// Passes requests on until the process dies; then whatever is on its way is
/// dropped and nothing is sent any more.
pub struct Mortal {
    pub inner: Arc<dyn Transport>,
    pub store: Arc<MemStore>,
}

impl Transport for Mortal {
    fn send(&self, outgoing: Outgoing) -> BoxFuture<'_, Result<Response<Bytes>, TransportError>> {
        Box::pin(async move {
            tokio::select! {
                biased;
                () = self.store.crashed() => pending().await,
                came = self.inner.send(outgoing) => came,
            }
        })
    }
}

/// What a vendor answers to a request instead of doing it; `None` where it does it.
pub type Refusal = dyn Fn(&Request<Bytes>) -> Option<Response<Bytes>> + Send + Sync;

/// Changes the bodies of a vendor's answers.
pub type Spoil = dyn Fn(&mut serde_json::Value) + Send + Sync;

/// The net, with somebody in it who refuses requests and spoils answers.
pub struct Tamper {
    inner: Arc<dyn Transport>,
    refusals: Mutex<Vec<Arc<Refusal>>>,
    spoils: Mutex<Vec<Arc<Spoil>>>,
}

impl Tamper {
    /// A net in which nobody does anything yet.
    pub fn over(inner: Arc<dyn Transport>) -> Arc<Self> {
        Arc::new(Self { inner, refusals: Mutex::default(), spoils: Mutex::default() })
    }

    /// From now on these requests are refused.
    pub fn refuse(&self, rule: impl Fn(&Request<Bytes>) -> Option<Response<Bytes>> + Send + Sync + 'static) {
        self.refusals.lock().expect("a lock").push(Arc::new(rule));
    }

    /// From now on every answer in JSON is changed so.
    pub fn spoil(&self, rule: impl Fn(&mut serde_json::Value) + Send + Sync + 'static) {
        self.spoils.lock().expect("a lock").push(Arc::new(rule));
    }

    /// From now on all is as it is.
    pub fn mend(&self) {
        self.refusals.lock().expect("a lock").clear();
        self.spoils.lock().expect("a lock").clear();
    }
}

impl Transport for Tamper {
    fn send(&self, outgoing: Outgoing) -> BoxFuture<'_, Result<Response<Bytes>, TransportError>> {
        let refusals = self.refusals.lock().expect("a lock").clone();
        let spoils = self.spoils.lock().expect("a lock").clone();
        Box::pin(async move {
            if let Some(refused) = refusals.iter().find_map(|rule| rule(&outgoing.request)) {
                return Ok(refused);
            }
            let answer = self.inner.send(outgoing).await?;
            if spoils.is_empty() {
                return Ok(answer);
            }
            let Ok(mut body) = serde_json::from_slice(answer.body()) else { return Ok(answer) };
            spoils.iter().for_each(|rule| rule(&mut body));
            Ok(answer.map(|_| Bytes::from(body.to_string())))
        })
    }
}

struct AlwaysReady;

impl Readiness for AlwaysReady {
    fn not_ready(&self) -> Option<String> {
        None
    }
}

/// One run of the daemon.
struct Daemon {
    engine: Engine,
    router: Router,
    store: Arc<MemStore>,
}

/// A world before the daemon is in it.
pub struct Ground {
    pub world: World,
    pub clock: Arc<dyn Clock>,
    pub config: Config,
    pub made: Made,
    pub tamper: Arc<Tamper>,
}

/// A world and the daemon in it.
pub struct Life {
    pub world: World,
    pub oracle: Oracle,
    pub profile: Profile,
    pub crashes: u32,
    pub verbose: bool,
    /// What admins made at the helpdesks.
    pub made: Made,
    /// Spoils answers on their way.
    pub tamper: Arc<Tamper>,
    seed: u64,
    clock: Arc<dyn Clock>,
    config: Config,
    blobs: Blobs,
    daemon: Daemon,
    runs: u64,
    metrics: String,
}

impl Life {
    /// A world at its beginning, with the daemon started.
    pub async fn begin(seed: u64, profile: Profile, verbose: bool) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(TokioClock::starting_at(START));
        let world = World::new(seed, clock.clone());
        world.keep_log();
        for vendor in profile.desks.iter().chain([&STRIPE]) {
            let setup = SimSetup { seed, plan: "unlimited".to_owned(), now: clock.now() };
            let sim = connector(vendor).expect("a known vendor").simulator(setup);
            world.add(AccountId::new(*vendor), sim, profile.faults.clone());
        }
        fill_stripe(&world);
        let mut made = Made::default();
        let config = if profile.rich {
            world.calm();
            made = furnish(&world, &profile.desks);
            let outside = Outside {
                clock: clock.clone(),
                jitter: Arc::new(SeededJitter::new(seed)),
                transport: world.transport(),
            };
            let config = configure_all(&world, &profile.desks, profile.facing, &made, &outside).await;
            clock.sleep_until(START.plus(Duration::from_secs(2 * 3_600))).await;
            for vendor in profile.desks.iter().chain([&STRIPE]) {
                world.set_faults(&AccountId::new(*vendor), profile.faults.clone());
            }
            config
        } else {
            configure(&world)
        };
        let tamper = Tamper::over(world.transport());
        Self::over(seed, profile, verbose, Ground { world, clock, config, made, tamper }).await
    }

    /// The daemon started in a world that is there already.
    pub async fn over(seed: u64, profile: Profile, verbose: bool, ground: Ground) -> Self {
        let Ground { world, clock, config, made, tamper } = ground;
        for desk in &profile.desks {
            let url = format!("https://handoffd.example/webhooks/{desk}");
            world.with(&AccountId::new(*desk), |sim, _| sim.set_webhook(&url, WEBHOOK_SECRET));
        }
        let (blobs, store) = (Blobs::memory(), Arc::new(MemStore::new(clock.clone())));
        let daemon = start(&config, tamper.clone(), &clock, &blobs, store, seed, 1).await;
        Self {
            world,
            oracle: Oracle::default(),
            profile,
            crashes: 0,
            verbose,
            seed,
            clock,
            config,
            blobs,
            daemon,
            made,
            tamper,
            runs: 1,
            metrics: String::new(),
        }
    }

    /// Brings a request to the public listener; `None` when the daemon dies meanwhile.
    pub async fn ask(&self, request: Request<Bytes>) -> Option<Response<Bytes>> {
        answer_of(self.daemon.router.clone(), self.daemon.store.clone(), request).await
    }

    /// The daemon dies at a commit that is so many away.
    pub fn crash_in(&self, commits: u64, side: CrashSide) {
        let Seq(seq) = self.daemon.store.seq();
        self.daemon.store.crash_at(Seq(seq + commits), side);
    }

    /// The daemon is stopped and started again.
    pub async fn stop_and_start(&mut self) {
        self.daemon.engine.shutdown(Duration::from_secs(20)).await;
        self.restart().await;
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub fn engine(&self) -> &Engine {
        &self.daemon.engine
    }

    pub fn tickets(&self, account: &str) -> Vec<ShownTicket> {
        self.world.with(&AccountId::new(account), |sim, _| sim.tickets()).unwrap_or_default()
    }

    pub fn mails(&self, account: &str) -> Vec<MailSent> {
        self.world.with(&AccountId::new(account), |sim, _| sim.mails_sent().to_vec()).unwrap_or_default()
    }

    /// Every metrics text of every run.
    pub fn metrics(&self) -> String {
        format!("{}{}", self.metrics, self.daemon.engine.parts().metrics.render())
    }

    /// Every secret of this world.
    pub fn secrets(&self) -> Vec<String> {
        let mut secrets = vec![WEBHOOK_SECRET.to_owned(), AGENT_TOKEN.to_owned()];
        for vendor in self.world.accounts() {
            let all = self.world.with(&vendor, |sim, _| sim.credentials());
            let all = all.and_then(|all| all.as_object().cloned()).unwrap_or_default();
            let secret = all.into_iter().filter(|(name, _)| name != "email" && name != "client_id");
            secrets.extend(secret.filter_map(|(_, value)| value.as_str().map(str::to_owned)));
        }
        secrets.retain(|secret| secret.len() >= 8);
        secrets
    }

    /// People act; then nobody does, the net is calm, and the daemon finishes.
    pub async fn live(&mut self) {
        let mut play = Playwright::new(ChaCha8Rng::seed_from_u64(self.seed), self.profile.clone());
        let mut due: BTreeMap<(Timestamp, u64), Deed> = BTreeMap::new();
        let (mut number, mut draws) = (0, 0);
        let mut next_draw = self.now();
        while draws < self.profile.draws || !due.is_empty() {
            let now = self.now();
            if draws < self.profile.draws && now >= next_draw {
                draws += 1;
                next_draw = now.plus(play.pause());
                for (wait, deed) in play.draw(&self.oracle, now) {
                    number += 1;
                    due.insert((now.plus(wait), number), deed);
                }
            }
            while let Some(entry) = due.first_entry().filter(|entry| entry.key().0 <= self.now()) {
                let deed = entry.remove();
                if let Some((wait, again)) = self.perform(deed).await {
                    number += 1;
                    due.insert((self.now().plus(wait), number), again);
                }
            }
            self.pass(TICK).await;
        }
        self.world.calm();
        let end = self.now().plus(self.profile.quiet);
        let restless = self.now().plus(Duration::from_secs(600));
        while self.now() < end {
            let tick = if self.now() < restless { TICK } else { QUIET_TICK };
            self.pass(tick).await;
        }
    }

    /// Webhooks come, time passes, and a daemon that died is started again.
    pub async fn pass(&mut self, tick: Duration) {
        let (router, store) = (self.daemon.router.clone(), self.daemon.store.clone());
        self.world.pump_webhooks(|_, request| deliver(router.clone(), store.clone(), request)).await;
        let until = self.now().plus(tick);
        let crashed = tokio::select! {
            biased;
            () = self.daemon.store.crashed() => true,
            () = self.clock.sleep_until(until) => false,
        };
        if crashed {
            self.crashes += 1;
            self.say("The daemon died.");
            self.restart().await;
        }
    }

    /// A new process over what is left.
    async fn restart(&mut self) {
        self.metrics.push_str(&self.daemon.engine.parts().metrics.render());
        self.runs += 1;
        let store = Arc::new(MemStore::open(self.daemon.store.snapshot(), self.clock.clone()));
        self.daemon =
            start(&self.config, self.tamper.clone(), &self.clock, &self.blobs, store, self.seed, self.runs)
                .await;
    }

    pub fn say(&self, what: &str) {
        if self.verbose {
            eprintln!("{:>9} {what}", self.now().since(START).as_millis());
        }
    }

    /// Does it; answers with what is to be done later.
    async fn perform(&mut self, deed: Deed) -> Option<(Duration, Deed)> {
        self.say(&format!("{deed:.300?}"));
        let deed = self.perform_more(deed)?;
        match deed {
            Deed::Open { number, account, customer, to_bot, text } => {
                self.open(number, account, customer, to_bot, text);
            }
            Deed::Say { talk, account, who, public, text } => self.speak(talk, account, who, public, text),
            Deed::Edit { talk, account, what } => self.edit(talk, account, what),
            Deed::Assign { talk, to } => self.assign(talk, to),
            Deed::Announce { talk, key, again } => {
                if !self.announce(talk, &key).await {
                    return Some((Duration::from_secs(5), Deed::Announce { talk, key, again }));
                }
            }
            Deed::Delete { talk, account } => {
                if let Some(ticket) = self.ticket_of(talk, account)
                    && self.human(account, HumanAct::Delete { ticket }).is_some()
                {
                    let now = self.now();
                    self.talk(talk).deleted.push((account, now));
                }
            }
            Deed::ExpireTokens => {
                self.world.with(&AccountId::new(ZENDESK), |sim, _| sim.expire_tokens());
            }
            Deed::Crash { commits, side } => {
                self.crash_in(commits, side);
            }
            Deed::Attach { .. }
            | Deed::Amend { .. }
            | Deed::TakeOver { .. }
            | Deed::Close { .. }
            | Deed::Merge { .. }
            | Deed::Spam { .. }
            | Deed::Rate { .. } => {}
            Deed::Restart => {
                self.stop_and_start().await;
            }
        }
        None
    }

    pub fn talk(&mut self, number: u32) -> &mut Talk {
        self.oracle.talks.get_mut(&number).expect("a conversation that was opened")
    }

    pub fn human(&self, account: &str, act: HumanAct) -> Option<RemoteId> {
        match self.world.human(&AccountId::new(account), act) {
            Ok(id) => Some(id),
            Err(why) => {
                self.say(&format!("  refused: {why}"));
                None
            }
        }
    }

    /// The conversation's ticket at an account, if people can see one there.
    pub fn ticket_of(&self, number: u32, account: &str) -> Option<RemoteId> {
        let talk = self.oracle.talks.get(&number)?;
        if talk.home == account && talk.closed.is_empty() {
            return Some(talk.id.clone());
        }
        let mark = Talk::mark(number);
        let of_talk = |ticket: &&ShownTicket| {
            !ticket.deleted && ticket.merged_into.is_none() && ticket.subject.contains(&mark)
        };
        // Where one follows up another, people work on the last.
        let found: Vec<ShownTicket> = self.tickets(account).iter().filter(of_talk).cloned().collect();
        let followed: BTreeSet<_> = found.iter().filter_map(|ticket| ticket.follows.clone()).collect();
        found.into_iter().find(|ticket| !followed.contains(&ticket.id)).map(|ticket| ticket.id)
    }

    pub fn shown(&self, number: u32, account: &str) -> Option<ShownTicket> {
        let id = self.ticket_of(number, account)?;
        self.tickets(account).into_iter().find(|ticket| ticket.id == id)
    }

    fn open(&mut self, number: u32, account: &'static str, customer: usize, to_bot: bool, text: String) {
        let (name, email) = CUSTOMERS[customer];
        let act = HumanAct::Open {
            name: name.to_owned(),
            email: email.to_owned(),
            subject: format!("{} opened", Talk::mark(number)),
            text: text.clone(),
            to_bot,
        };
        let Some(id) = self.human(account, act) else { return };
        let at = self.now();
        let opening = Said::plain(account, Who::Customer, true, text);
        let talk = Talk {
            home: account,
            id,
            customer,
            opened_at: at,
            bot_owns: to_bot,
            owner_since: at,
            said: vec![opening],
            edits: Vec::new(),
            touched: vec![at],
            handoffs: Vec::new(),
            deleted: Vec::new(),
            closed: Vec::new(),
            merged: None,
            rated: BTreeMap::new(),
            ccs: BTreeSet::new(),
        };
        self.oracle.talks.insert(number, talk);
    }

    fn speak(&mut self, number: u32, account: &'static str, who: Who, public: bool, text: String) {
        let Some(ticket) = self.ticket_of(number, account) else { return };
        let bears_quiet = |shown: &ShownTicket| shown.tags.iter().any(|tag| tag == "handoffd_quiet");
        let shown = self.shown(number, account);
        let hushed = shown.as_ref().is_some_and(bears_quiet);
        let act = HumanAct::Say { ticket, who: who.clone(), text: text.clone(), public };
        if self.human(account, act).is_some() {
            let at = self.now();
            let talk = self.talk(number);
            talk.touched.push(at);
            talk.said.push(Said { hushed, ..Said::plain(account, who, public, text) });
        }
    }

    fn edit(&mut self, number: u32, account: &'static str, what: What) {
        let Some(ticket) = self.ticket_of(number, account) else { return };
        let act = match what.clone() {
            What::Priority(priority) if account == INTERCOM => {
                let value = Some(Typed::Text(priority.name().to_owned()));
                HumanAct::SetCustom { ticket, native: PRIORITY.to_owned(), value }
            }
            What::Set(field, value) => HumanAct::SetField { ticket, field, value },
            What::Custom(name, value) => {
                let Some(native) = self.made.custom.get(name).and_then(|at| at.get(account)) else { return };
                HumanAct::SetCustom { ticket, native: native.clone(), value }
            }
            What::Waiting => {
                let Some(native) = self.made.waiting.get(account) else { return };
                HumanAct::SetStatusDetail { ticket, native: native.clone() }
            }
            What::Subject(subject) => HumanAct::SetSubject { ticket, subject },
            What::Status(status) => HumanAct::SetStatus { ticket, status },
            What::Priority(priority) => HumanAct::SetPriority { ticket, priority: Some(priority) },
            What::Tagged(tag) => HumanAct::Tag { ticket, add: vec![tag], remove: Vec::new() },
            What::Untagged(tag) => HumanAct::Tag { ticket, add: Vec::new(), remove: vec![tag] },
        };
        let before = self.shown(number, account);
        // What was so already is no edit.
        if self.human(account, act).is_some() && self.shown(number, account) != before {
            let at = self.now();
            let talk = self.talk(number);
            if let What::Set(_, Value::Tags(ccs)) = &what {
                talk.ccs.extend(ccs.iter().cloned());
            }
            talk.edits.push(Edit { at, account, what });
        }
    }

    fn assign(&mut self, number: u32, to: Who) {
        let talk = self.talk(number);
        let (home, ticket, to_bot) = (talk.home, talk.id.clone(), to == Who::Bot);
        if self.human(home, HumanAct::Assign { ticket, to: Some(to) }).is_none() {
            return;
        }
        let at = self.now();
        let talk = self.talk(number);
        talk.touched.push(at);
        if talk.bot_owns != to_bot {
            talk.owner_since = at;
        }
        match talk.handoffs.last_mut().filter(|last| !last.over) {
            Some(last) if to_bot => last.over = true,
            Some(last) if talk.bot_owns => (last.native, last.at) = (true, at),
            None if talk.bot_owns && !to_bot => {
                talk.handoffs.push(Handover { at, announced: false, native: true, over: false });
            }
            _ => {}
        }
        talk.bot_owns = to_bot;
    }

    /// The AI agent posts its handoff; whether it was taken.
    async fn announce(&mut self, number: u32, key: &str) -> bool {
        let talk = self.talk(number);
        let body = json!({
            "conversation": { "account": talk.home, "ticket_id": talk.id.as_str() },
            "reason": "a person is needed",
            "transcript": [
                { "role": "user", "content": "Please help me" },
                { "role": "assistant", "content": null, "tool_calls": [
                    { "id": "c1", "function": { "name": "find_charges", "arguments": "{}" } } ] },
                { "role": "tool", "tool_call_id": "c1", "content": "Error: none found" },
            ],
        });
        let request = Request::post("https://handoffd.example/v1/handoffs")
            .header("authorization", format!("Bearer {AGENT_TOKEN}"))
            .header("content-type", "application/json")
            .header("idempotency-key", key)
            .body(Bytes::from(body.to_string()))
            .expect("a request");
        let (router, store) = (self.daemon.router.clone(), self.daemon.store.clone());
        let answer = deliver(router, store, request).await;
        if !matches!(answer, Some((202, _))) {
            self.say(&format!("  the handoff was answered {answer:?}"));
            return false;
        }
        let at = self.now();
        let talk = self.talk(number);
        match talk.handoffs.last_mut().filter(|last| !last.over) {
            Some(last) => (last.announced, last.at) = (true, at),
            None => talk.handoffs.push(Handover { at, announced: true, native: false, over: false }),
        }
        true
    }
}

/// Brings a request to the daemon's public listener; `None` when the daemon dies meanwhile.
async fn deliver(router: Router, store: Arc<MemStore>, request: Request<Bytes>) -> WebhookAnswer {
    let answer = answer_of(router, store, request).await?;
    let retry_after = answer.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
    Some((answer.status().as_u16(), retry_after))
}

/// The same, with the whole answer.
async fn answer_of(router: Router, store: Arc<MemStore>, request: Request<Bytes>) -> Option<Response<Bytes>> {
    let mut request = request.map(Body::from);
    request.extensions_mut().insert(ConnectInfo(SocketAddr::from(([192, 0, 2, 7], 40_000))));
    let answered = async {
        let (head, body) = router.oneshot(request).await.expect("a router answers").into_parts();
        let body = axum::body::to_bytes(body, 1 << 20).await.expect("a short answer");
        Response::from_parts(head, body)
    };
    tokio::select! {
        biased;
        () = store.crashed() => None,
        answer = answered => Some(answer),
    }
}

async fn start(
    config: &Config,
    net: Arc<dyn Transport>,
    clock: &Arc<dyn Clock>,
    blobs: &Blobs,
    store: Arc<MemStore>,
    seed: u64,
    run: u64,
) -> Daemon {
    let outside = Outside {
        clock: clock.clone(),
        jitter: Arc::new(SeededJitter::new(seed.wrapping_mul(1_000).wrapping_add(run))),
        transport: Arc::new(Mortal { inner: net, store: store.clone() }),
    };
    let mut parts = app::engine_parts(config, store.clone(), blobs.clone(), &outside)
        .await
        .expect("a good configuration");
    parts.run = format!("run-{run}");
    let engine = Engine::new(parts);
    let agent = Agent::new("assistant".to_owned(), None, Some(Secret::new(AGENT_TOKEN)), None);
    let site = Site::new(SiteParts {
        engine: engine.clone(),
        server: config.server.clone(),
        agents: vec![agent.expect("a good token")],
        admin_token: Secret::new("nobody asks for this"),
        readiness: Arc::new(AlwaysReady),
    });
    engine.start();
    Daemon { engine, router: public_router(site), store }
}
