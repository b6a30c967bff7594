//! A world with vendors, the daemon in it, and time.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, body::Body, extract::ConnectInfo};
use bytes::Bytes;
use futures_util::future::{BoxFuture, pending};
use handoffd::{
    app::{self, Outside},
    config::{self, Config, SecretRef},
    engine::Engine,
    http::{Agent, Site, SiteParts, public_router},
    status::Readiness,
    store::{Seq, blobs::Blobs, mem::MemStore},
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
use handoffd_core::{AccountId, RemoteId, Timestamp};
use http::{Request, Response};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde_json::json;
use tower::ServiceExt;

use crate::{
    acts::{Deed, Playwright},
    oracle::{Edit, Handover, Oracle, Said, Talk, What},
};

pub const ZENDESK: &str = "zendesk";
pub const FRESHDESK: &str = "freshdesk";
pub const STRIPE: &str = "stripe";
/// The two helpdesks.
pub const DESKS: [&str; 2] = [ZENDESK, FRESHDESK];

/// Monday, 2026-01-05, 09:00 UTC.
pub const START: Timestamp = Timestamp(1_767_603_600_000);
/// How often webhooks are looked for while people act.
const TICK: Duration = Duration::from_millis(250);
/// The same while nobody acts.
const QUIET_TICK: Duration = Duration::from_secs(5);

const WEBHOOK_SECRET: &str = "the-webhooks-are-signed-with-this";
const AGENT_TOKEN: &str = "the-ai-agent-signs-in-with-this";

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

/// A world and the daemon in it.
pub struct Life {
    pub world: World,
    pub oracle: Oracle,
    pub profile: Profile,
    pub crashes: u32,
    pub verbose: bool,
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
        for vendor in [ZENDESK, FRESHDESK, STRIPE] {
            let setup = SimSetup { seed, plan: "unlimited".to_owned(), now: clock.now() };
            let sim = connector(vendor).expect("a known vendor").simulator(setup);
            world.add(AccountId::new(vendor), sim, profile.faults.clone());
        }
        fill_stripe(&world);
        for desk in DESKS {
            let url = format!("https://handoffd.example/webhooks/{desk}");
            world.with(&AccountId::new(desk), |sim, _| sim.set_webhook(&url, WEBHOOK_SECRET));
        }
        let config = configure(&world);
        let (blobs, store) = (Blobs::memory(), Arc::new(MemStore::new(clock.clone())));
        let daemon = start(&config, &world, &clock, &blobs, store, seed, 1).await;
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
            runs: 1,
            metrics: String::new(),
        }
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
        for vendor in [ZENDESK, FRESHDESK, STRIPE] {
            let all = self.world.with(&AccountId::new(vendor), |sim, _| sim.credentials());
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
            start(&self.config, &self.world, &self.clock, &self.blobs, store, self.seed, self.runs).await;
    }

    fn say(&self, what: &str) {
        if self.verbose {
            eprintln!("{:>9} {what}", self.now().since(START).as_millis());
        }
    }

    /// Does it; answers with what is to be done later.
    async fn perform(&mut self, deed: Deed) -> Option<(Duration, Deed)> {
        self.say(&format!("{deed:.300?}"));
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
                let Seq(seq) = self.daemon.store.seq();
                self.daemon.store.crash_at(Seq(seq + commits), side);
            }
            Deed::Restart => {
                self.daemon.engine.shutdown(Duration::from_secs(20)).await;
                self.restart().await;
            }
        }
        None
    }

    fn talk(&mut self, number: u32) -> &mut Talk {
        self.oracle.talks.get_mut(&number).expect("a conversation that was opened")
    }

    fn human(&self, account: &str, act: HumanAct) -> Option<RemoteId> {
        match self.world.human(&AccountId::new(account), act) {
            Ok(id) => Some(id),
            Err(why) => {
                self.say(&format!("  refused: {why}"));
                None
            }
        }
    }

    /// The conversation's ticket at an account, if people can see one there.
    fn ticket_of(&self, number: u32, account: &str) -> Option<RemoteId> {
        let talk = self.oracle.talks.get(&number)?;
        if talk.home == account {
            return Some(talk.id.clone());
        }
        let mark = Talk::mark(number);
        let found = self
            .tickets(account)
            .into_iter()
            .find(|ticket| !ticket.deleted && ticket.subject.contains(&mark));
        found.map(|ticket| ticket.id)
    }

    fn shown(&self, number: u32, account: &str) -> Option<ShownTicket> {
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
        let opening = Said { account, who: Who::Customer, public: true, hushed: false, text };
        let talk = Talk {
            home: account,
            id,
            opened_at: at,
            bot_owns: to_bot,
            owner_since: at,
            said: vec![opening],
            edits: Vec::new(),
            touched: vec![at],
            handoffs: Vec::new(),
            deleted: Vec::new(),
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
            talk.said.push(Said { account, who, public, hushed, text });
        }
    }

    fn edit(&mut self, number: u32, account: &'static str, what: What) {
        let Some(ticket) = self.ticket_of(number, account) else { return };
        let act = match what.clone() {
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
            self.talk(number).edits.push(Edit { at, account, what });
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
    let mut request = request.map(Body::from);
    request.extensions_mut().insert(ConnectInfo(SocketAddr::from(([192, 0, 2, 7], 40_000))));
    tokio::select! {
        biased;
        () = store.crashed() => None,
        answer = router.oneshot(request) => {
            let answer = answer.expect("a router answers");
            let retry_after = answer.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
            Some((answer.status().as_u16(), retry_after))
        }
    }
}

async fn start(
    config: &Config,
    world: &World,
    clock: &Arc<dyn Clock>,
    blobs: &Blobs,
    store: Arc<MemStore>,
    seed: u64,
    run: u64,
) -> Daemon {
    let outside = Outside {
        clock: clock.clone(),
        jitter: Arc::new(SeededJitter::new(seed.wrapping_mul(1_000).wrapping_add(run))),
        transport: Arc::new(Mortal { inner: world.transport(), store: store.clone() }),
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

/// A plan for one customer, two customers under one address.
fn fill_stripe(world: &World) {
    let stripe = AccountId::new(STRIPE);
    let key = world.with(&stripe, |sim, _| sim.credentials()).expect("an account");
    let key = key["api_key"].as_str().expect("a key").to_owned();
    let post = |path: &str, form: &str| {
        let request = Request::post(format!("https://stripe.sim/v1/{path}"))
            .header("authorization", format!("Bearer {key}"))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Bytes::from(form.to_owned()))
            .expect("a request");
        let answer = world.with(&stripe, |sim, now| sim.handle(request, now)).expect("an account");
        assert!(answer.status().is_success(), "{path}: {:?}", answer.body());
        let body: serde_json::Value = serde_json::from_slice(answer.body()).expect("JSON");
        body["id"].as_str().expect("an id").to_owned()
    };
    let dana = post("customers", "email=dana%40example.com&name=Dana+Reyes");
    for _ in 0..2 {
        post("customers", "email=sam%40example.com&name=Sam");
    }
    let product = post("products", "name=Team+plan");
    let price = format!("product={product}&currency=eur&unit_amount=4900&recurring%5Binterval%5D=month");
    let price = post("prices", &price);
    let plan = "collection_method=send_invoice&days_until_due=14";
    post("subscriptions", &format!("customer={dana}&items%5B0%5D%5Bprice%5D={price}&{plan}"));
}

pub fn configure(world: &World) -> Config {
    let mut text = TEMPLATE.to_owned();
    for vendor in [ZENDESK, FRESHDESK, STRIPE] {
        let url = world.base_url(&AccountId::new(vendor)).expect("an account");
        text = text.replace(&format!("@{vendor}@"), url.as_str());
    }
    let mut config = config::load_text("the simulation's configuration", &text, &[]).expect("it loads");
    for (name, account) in &mut config.accounts {
        let id = AccountId::new(name);
        let all = world.with(&id, |sim, _| sim.credentials()).expect("an account");
        let value = |key: &str| all[key].as_str().expect("a credential").to_owned();
        let made = |key: &str| Some(SecretRef::Made(Secret::new(value(key))));
        if name == ZENDESK {
            account.auth.client_id = Some(value("client_id"));
            account.auth.client_secret = made("client_secret");
        } else {
            account.auth.key = made("api_key");
        }
        if name != STRIPE {
            account.webhook_secret = Some(SecretRef::Made(Secret::new(WEBHOOK_SECRET)));
            let (assignees, groups) = world.with(&id, |sim, _| sim.bot_marks()).expect("an account");
            account.bots.assignees = assignees.into_iter().map(|id| id.0).collect();
            account.bots.groups = groups.into_iter().map(|id| id.0).collect();
        }
        let settings = world.with(&id, |sim, _| sim.suggested_settings()).expect("an account");
        account.settings = serde_json::from_value(settings).expect("settings");
    }
    config
}

const TEMPLATE: &str = r#"
[engine]
poll = { every = "60s", jitter = "10s" }
resync = { every = "90m", jitter = "10m" }

[accounts.zendesk]
connector = "zendesk"
base_url = "@zendesk@"
auth = { method = "client_credentials", client_id = "made", client_secret = "env:MADE" }
webhook_secret = "env:MADE"

[accounts.freshdesk]
connector = "freshdesk"
base_url = "@freshdesk@"
auth = { method = "api_key", key = "env:MADE" }
webhook_secret = "env:MADE"

[accounts.stripe]
connector = "stripe"
base_url = "@stripe@"
auth = { method = "api_key", key = "env:MADE" }

[groups.support]
accounts = ["zendesk", "freshdesk"]
customer_facing = "zendesk"
routes = [
  { from = "zendesk", to = "freshdesk" },
  { from = "freshdesk", to = "zendesk" },
]

[agents.assistant]
token = "env:MADE"
"#;
