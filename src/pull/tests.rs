//! Pulls from the simulated helpdesks.

use std::{
    path::Path,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use futures_util::future::BoxFuture;

use handoffd_connectors::{
    REGISTRY,
    client::{
        ClientParts, SeededJitter, StaticAuthorizer, TokioClock,
        transport::{Outgoing, Transport, TransportError},
    },
    connector,
    contract::{AccountSetup, Credentials, Helpdesk, Opened, Secret},
    sim::{HumanAct, SimSetup, Who, faults::Faults, world::World},
};
use handoffd_core::{AccountId, RemoteId, Timestamp};
use serde_json::Value;

use super::*;

const NOW: Timestamp = Timestamp(1_790_000_000_000);

struct Bench {
    world: World,
    clock: TokioClock,
    desk: Arc<dyn Helpdesk>,
    account: AccountId,
    broken: Arc<Broken>,
}

/// A net in which some paths are answered with an error, always.
struct Broken {
    inner: Arc<dyn Transport>,
    paths: Mutex<Vec<(String, u16)>>,
}

impl Transport for Broken {
    fn send(&self, outgoing: Outgoing) -> BoxFuture<'_, Result<http::Response<Bytes>, TransportError>> {
        let paths = self.paths.lock().expect("not poisoned");
        let path = outgoing.request.uri().path();
        let status = paths.iter().find(|(part, _)| path.contains(part.as_str())).map(|(_, status)| *status);
        let Some(status) = status else { return self.inner.send(outgoing) };
        let answer = http::Response::builder().status(status).body(Bytes::from_static(b"{}"));
        Box::pin(async move { Ok(answer.expect("an answer")) })
    }
}

impl Bench {
    fn open(name: &str) -> Option<Self> {
        let clock = TokioClock::starting_at(NOW);
        let account = AccountId::new("desk");
        let world = World::new(3, Arc::new(clock));
        let sim = connector(name)?.simulator(SimSetup { seed: 3, plan: "unlimited".to_owned(), now: NOW });
        let (credentials, settings) = (sim.credentials(), sim.suggested_settings());
        world.add(account.clone(), sim, Faults::none());
        let setup = AccountSetup {
            id: account.clone(),
            base_url: world.base_url(&account)?,
            webhook_secret: None,
            settings,
            custom: Vec::new(),
        };
        let header = header(name, &credentials);
        let broken = Arc::new(Broken { inner: world.transport(), paths: Mutex::default() });
        let parts = ClientParts {
            transport: broken.clone(),
            clock: Arc::new(clock),
            jitter: Arc::new(SeededJitter::new(1)),
            authorizer: Arc::new(StaticAuthorizer(header)),
        };
        match connector(name)?.open(setup, parts).expect("the settings fit") {
            Opened::Helpdesk(desk) => Some(Self { world, clock, desk, account, broken }),
            Opened::ContextSource(_) => None,
        }
    }

    fn human(&self, act: HumanAct) -> RemoteId {
        self.world.human(&self.account, act).expect("the vendor takes it")
    }

    fn ticket(&self, subject: &str, replies: usize) -> RemoteId {
        let (name, email) = ("Ann".to_owned(), "ann@customer.test".to_owned());
        let text = format!("{subject}: it does not work");
        let ticket =
            self.human(HumanAct::Open { name, email, subject: subject.to_owned(), text, to_bot: false });
        for at in 0..replies {
            let (who, text) = (Who::Agent("Bo".to_owned()), format!("reply {at}"));
            self.human(HumanAct::Say { ticket: ticket.clone(), who, text, public: at % 2 == 0 });
        }
        ticket
    }

    /// Requests about the ticket itself are answered so from now on.
    fn break_ticket(&self, ticket: &RemoteId, status: u16) {
        let part = format!("/tickets/{ticket}/");
        self.broken.paths.lock().expect("not poisoned").push((part, status));
    }

    fn order(&self, comments: bool) -> Order {
        Order { account: self.account.clone(), since: None, comments, names: Names::new() }
    }

    async fn pull(&self, path: &Path) -> Result<Pulled, PullError> {
        let mut out = Out::file(path, &self.account, true, false)?;
        pull(&self.desk, &self.clock, &self.order(true), &mut out, |_, _| {}).await
    }
}

/// The header of whatever way of signing in needs no request.
fn header(name: &str, credentials: &Value) -> Secret {
    let text = |key: &str| credentials[key].as_str().map(str::to_owned);
    let secret = |key: &str| text(key).map(Secret::new);
    let ways = [
        secret("api_key").map(|key| Credentials::ApiKey { key }),
        text("email").zip(secret("api_token")).map(|(email, token)| Credentials::ApiToken { email, token }),
        secret("access_token").map(|token| Credentials::Bearer { token }),
        secret("bearer").map(|token| Credentials::Bearer { token }),
    ];
    let spec = connector(name).expect("it is registered").auth();
    ways.into_iter().flatten().find_map(|way| (spec.header)(&way)).expect("a way to sign in")
}

fn helpdesks() -> impl Iterator<Item = &'static str> {
    REGISTRY.iter().map(|connector| connector.name())
}

fn lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).expect("the file is there");
    text.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect()
}

#[tokio::test(start_paused = true)]
async fn every_helpdesk_is_pulled_whole_and_each_line_has_the_form() {
    let schema: Value = serde_json::from_str(SCHEMA).expect("the schema is JSON");
    let valid = jsonschema::validator_for(&schema).expect("the schema is a schema");
    for name in helpdesks() {
        let Some(bench) = Bench::open(name) else { continue };
        let whole = bench.ticket("Broken cup", 3);
        let lonely = bench.ticket("No handle", 0);
        let away = bench.ticket("Never mind", 0);
        bench.human(HumanAct::Delete { ticket: away.clone() });
        bench.clock.sleep_until(bench.clock.now().plus(Duration::from_secs(120))).await;
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("out.ndjson");
        let pulled = bench.pull(&path).await.expect("it is pulled");
        assert_eq!((pulled.tickets, pulled.comments, pulled.unreadable), (2, 5, 0), "{name}");
        let lines = lines(&path);
        for line in &lines {
            let wrong: Vec<String> = valid.iter_errors(line).map(|error| error.to_string()).collect();
            assert!(wrong.is_empty(), "{name}: {line}: {wrong:?}");
        }
        let of =
            |id: &RemoteId| lines.iter().rfind(|line| line["id"] == id.as_str() && line["type"] == "ticket");
        let told = of(&whole).expect("it is there");
        assert_eq!(told["subject"], "Broken cup", "{name}");
        let comments = told["comments"].as_array().expect("comments");
        let told: Vec<_> =
            comments.iter().map(|one| (one["text"].as_str(), one["public"].as_bool())).collect();
        let first = Some("Broken cup: it does not work");
        let expected = [
            (first, Some(true)),
            (Some("reply 0"), Some(true)),
            (Some("reply 1"), Some(false)),
            (Some("reply 2"), Some(true)),
        ];
        assert_eq!(told, expected, "{name}");
        assert!(of(&lonely).is_some() && of(&away).is_none(), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_pull_that_was_cut_goes_on_and_a_whole_one_adds_what_changed() {
    for name in helpdesks() {
        let Some(bench) = Bench::open(name) else { continue };
        let first = bench.ticket("First", 1);
        bench.clock.sleep_until(bench.clock.now().plus(Duration::from_secs(120))).await;
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("out.ndjson");
        bench.pull(&path).await.expect("it is pulled");
        let before = std::fs::read(&path).expect("the file");
        // What a killed pull wrote beyond its resume point is cut off.
        let half = [before.clone(), b"{\"type\":\"tick".to_vec()].concat();
        std::fs::write(&path, half).expect("written");
        bench.human(HumanAct::Say {
            ticket: first.clone(),
            who: Who::Customer,
            text: "any news?".to_owned(),
            public: true,
        });
        let second = bench.ticket("Second", 0);
        bench.clock.sleep_until(bench.clock.now().plus(Duration::from_secs(300))).await;
        bench.pull(&path).await.expect("it goes on");
        let after = std::fs::read(&path).expect("the file");
        assert!(after.starts_with(&before), "{name}: what was pulled stays");
        let lines = lines(&path);
        let last = |id: &RemoteId| lines.iter().rfind(|line| line["id"] == id.as_str()).expect("it is told");
        assert_eq!(last(&first)["comments"].as_array().map(Vec::len), Some(3), "{name}");
        assert_eq!(last(&second)["subject"], "Second", "{name}");
    }
}

/// A feed reads its newest part again, for whoever came while it was read.
#[tokio::test(start_paused = true)]
async fn what_a_feed_tells_twice_is_written_once() {
    for name in helpdesks() {
        let Some(bench) = Bench::open(name) else { continue };
        for at in 0..120 {
            bench.ticket(&format!("Ticket {at}"), 0);
        }
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("out.ndjson");
        bench.clock.sleep_until(bench.clock.now().plus(Duration::from_secs(70))).await;
        for _ in 0..3 {
            bench.pull(&path).await.expect("it is pulled");
        }
        let mut ids: Vec<String> = lines(&path).iter().map(|line| line["id"].to_string()).collect();
        assert_eq!(ids.len(), 120, "{name}");
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), 120, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_ticket_that_cannot_be_read_is_said_and_the_others_go_on() {
    for status in [500, 403] {
        let bench = Bench::open("freshdesk").expect("a helpdesk");
        let tickets: Vec<RemoteId> = (0..5).map(|at| bench.ticket(&format!("Ticket {at}"), 12)).collect();
        bench.clock.sleep_until(bench.clock.now().plus(Duration::from_secs(120))).await;
        bench.break_ticket(&tickets[2], status);
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("out.ndjson");
        for run in 0..2 {
            let pulled = bench.pull(&path).await.unwrap_or_else(|error| panic!("{status}: {error}"));
            let first = (pulled.tickets, pulled.unreadable);
            assert_eq!(first.1, u64::from(run == 0), "{status}: the second run goes on behind it");
        }
        let lines = lines(&path);
        let schema: Value = serde_json::from_str(SCHEMA).expect("the schema is JSON");
        let valid = jsonschema::validator_for(&schema).expect("the schema is a schema");
        assert!(lines.iter().all(|line| valid.is_valid(line)), "{lines:?}");
        for (at, ticket) in tickets.iter().enumerate() {
            let of: Vec<&Value> = lines.iter().filter(|line| line["id"] == ticket.as_str()).collect();
            let kind = if at == 2 { "unreadable" } else { "ticket" };
            assert!(!of.is_empty() && of.iter().all(|line| line["type"] == kind), "{status}: {of:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_helpdesk_that_is_down_or_bars_every_ticket_stops_the_pull() {
    for (paths, status) in
        [(["/tickets", "/conversations"], 500), (["/conversations", "/conversations"], 403)]
    {
        let bench = Bench::open("freshdesk").expect("a helpdesk");
        for at in 0..3 {
            bench.ticket(&format!("Ticket {at}"), 12);
        }
        bench.clock.sleep_until(bench.clock.now().plus(Duration::from_secs(120))).await;
        for path in paths {
            bench.broken.paths.lock().expect("not poisoned").push((path.to_owned(), status));
        }
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("out.ndjson");
        assert!(matches!(bench.pull(&path).await, Err(PullError::Vendor { .. })), "{status}");
        assert!(
            std::fs::read(&path).expect("the file").is_empty(),
            "{status}: no ticket is called unreadable"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_refused_resume_point_heals() {
    for name in helpdesks() {
        let Some(bench) = Bench::open(name) else { continue };
        let old = bench.ticket("Long ago", 1);
        bench.clock.sleep_until(bench.clock.now().plus(Duration::from_secs(86_400))).await;
        bench.ticket("Lately", 1);
        bench.clock.sleep_until(bench.clock.now().plus(Duration::from_secs(300))).await;
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("out.ndjson");
        bench.pull(&path).await.expect("it is pulled");
        let before = lines(&path).len();
        let state_path = dir.path().join("out.ndjson.state");
        let state = std::fs::read(&state_path).expect("the resume point");
        let mut state: State = serde_json::from_slice(&state).expect("a resume point");
        for cursor in state.cursors.values_mut() {
            cursor.0 = "what the vendor knows no more".to_owned();
        }
        let feeds = state.cursors.len();
        std::fs::write(&state_path, serde_json::to_vec(&state).expect("JSON")).expect("written");
        let new = bench.ticket("New", 1);
        bench.clock.sleep_until(bench.clock.now().plus(Duration::from_secs(300))).await;
        let pulled = bench.pull(&path).await.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(pulled.begun_again.len(), feeds, "{name}");
        let added = lines(&path).split_off(before);
        assert!(added.iter().any(|line| line["id"] == new.as_str()), "{name}: {added:?}");
        assert!(added.iter().all(|line| line["id"] != old.as_str()), "{name}: it looks back a little only");
        assert_eq!(bench.pull(&path).await.expect("it goes on").begun_again.len(), 0, "{name}");
    }
}

#[test]
fn numbers_keep_their_digits() {
    for digits in ["0.1234567890123456789012345", "12345678901234567890123", "-1.5", "7"] {
        let Some(handoffd_core::Value::Typed(Some(typed))) = handoffd_core::Value::number(digits) else {
            panic!("{digits} is a number")
        };
        assert_eq!(line::json_of(typed).expect("JSON").get(), digits);
    }
}

#[tokio::test(start_paused = true)]
async fn without_comments_no_ticket_costs_a_request() {
    for name in helpdesks() {
        let Some(bench) = Bench::open(name) else { continue };
        for at in 0..20 {
            bench.ticket(&format!("Ticket {at}"), 1);
        }
        bench.clock.sleep_until(bench.clock.now().plus(Duration::from_secs(120))).await;
        let before = bench.world.requests()[&bench.account];
        let dir = tempfile::tempdir().expect("a directory");
        let mut out =
            Out::file(&dir.path().join("out"), &bench.account, false, false).expect("the file can be made");
        let pulled = pull(&bench.desk, &bench.clock, &bench.order(false), &mut out, |_, _| {}).await;
        assert_eq!(pulled.expect("it is pulled").tickets, 20, "{name}");
        let requests = bench.world.requests()[&bench.account] - before;
        assert!(requests < 10, "{name}: {requests} requests for 20 tickets");
    }
}

#[tokio::test(start_paused = true)]
async fn comments_in_bulk_cost_no_request_each_and_survive_a_cut() {
    let bench = Bench::open("zendesk").expect("a helpdesk");
    let mut expected = 0;
    for at in 0..60 {
        bench.ticket(&format!("Ticket {at}"), at % 4);
        expected += 1 + at as u64 % 4;
        bench.clock.sleep_until(bench.clock.now().plus(Duration::from_secs(2))).await;
    }
    bench.clock.sleep_until(bench.clock.now().plus(Duration::from_secs(120))).await;
    let before = bench.world.requests()[&bench.account];
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("out.ndjson");
    let pulled = bench.pull(&path).await.expect("it is pulled");
    assert_eq!((pulled.tickets, pulled.comments, pulled.ahead), (60, expected, expected));
    let requests = bench.world.requests()[&bench.account] - before;
    assert!(requests < 12, "{requests} requests for 60 tickets");
    assert!(!dir.path().join("out.ndjson.comments").exists(), "nothing is left behind");
    let whole = lines(&path);

    // Cut after the comments, and those that waited lost: they are listed by request.
    let cut = dir.path().join("cut.ndjson");
    let mut out = Out::file(&cut, &bench.account, true, false).expect("a new file");
    let start = FeedStart::Since(Timestamp::default());
    let call = Call { lane: Lane::Backfill, deadline: bench.clock.now().plus(CALL) };
    let page = bench.desk.history(call, start).await.expect("a page of comments");
    out.write(HISTORY, &[], page.next, None, |_| {}).expect("written");
    drop(out);
    let pulled = bench.pull(&cut).await.expect("it goes on");
    assert_eq!((pulled.tickets, pulled.comments), (60, expected));
    assert_eq!(lines(&cut), whole);
}

#[test]
fn a_file_that_belongs_to_something_else_is_left_alone() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("out.ndjson");
    let (mine, other) = (AccountId::new("mine"), AccountId::new("other"));
    let mut out = Out::file(&path, &mine, true, false).expect("a new file");
    let cursor = handoffd_connectors::contract::Cursor("c".to_owned());
    out.write("tickets", &[], cursor, None, |_| {}).expect("written");
    for (account, comments) in [(&other, true), (&mine, false)] {
        let refused = Out::file(&path, account, comments, false).err().expect("it is refused");
        assert!(refused.to_string().contains("--restart"), "{refused}");
    }
    // What was cut before its first page ended is begun anew.
    let begun = dir.path().join("begun.ndjson");
    drop(Out::file(&begun, &mine, true, false).expect("a new file"));
    std::fs::write(&begun, "{\"type\":\"tick").expect("written");
    drop(Out::file(&begun, &mine, true, false).expect("it goes on"));
    assert_eq!(std::fs::read(&begun).expect("the file"), b"");
    let precious = dir.path().join("notes.txt");
    std::fs::write(&precious, "do not lose").expect("written");
    assert!(Out::file(&precious, &mine, true, false).is_err());
    assert_eq!(std::fs::read_to_string(&precious).expect("the file"), "do not lose");
}

#[test]
fn custom_fields_have_names_of_their_own() {
    let names = names_of(["Plan Name", "plan-name", "360001", "Größe"].map(str::to_owned));
    let shown: Vec<(&str, &str)> =
        names.iter().map(|(name, native)| (name.as_str(), native.as_str())).collect();
    assert_eq!(
        shown,
        [("360001", "360001"), ("gr__e", "Größe"), ("plan_name", "Plan Name"), ("plan_name_2", "plan-name")]
    );
}
