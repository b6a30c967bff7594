//! The adapter and the simulator, which were written apart from the same
//! documentation, must understand each other.

use handoffd_core::{
    Comment, CommentsSeen, Fetched, Observed, Priority, Role, Status,
    intent::{Create, EditNote, NewTicket},
};
use serde_json::json;

use super::*;
use crate::{
    contract::{Attempted, Credentials, Feed, FeedRow, FeedStart, Helpdesk, Opened},
    freshdesk::sim::{Options, start_with},
    sim::{HumanAct, SimSetup, VendorSim, Who},
};

struct Net {
    sim: Mutex<Box<dyn VendorSim>>,
    clock: TokioClock,
    /// The answer to the next write is lost.
    loses_write: Mutex<bool>,
}

impl Transport for Net {
    fn send(&self, outgoing: Outgoing) -> BoxFuture<'_, Result<http::Response<Bytes>, TransportError>> {
        let is_write = outgoing.request.method() != http::Method::GET;
        let answer =
            self.sim.lock().unwrap().handle(outgoing.request, crate::client::Clock::now(&self.clock));
        let lost = is_write && std::mem::take(&mut *self.loses_write.lock().unwrap());
        Box::pin(
            async move { if lost { Err(TransportError::NoAnswer("cut".to_owned())) } else { Ok(answer) } },
        )
    }
}

struct Bench {
    desk: Arc<dyn Helpdesk>,
    net: Arc<Net>,
}

const SECRET: &str = "hook-s3cret-0123456789";

fn bench() -> Bench {
    bench_of(Options::default(), json!({}))
}

/// An unusual account, with settings beside the suggested ones.
fn bench_of(options: Options, more: Json) -> Bench {
    let connector = crate::connector("freshdesk").unwrap();
    let clock = TokioClock::starting_at(NOW);
    let sim = start_with(SimSetup { seed: 7, plan: "unlimited".to_owned(), now: NOW }, options);
    let credentials = sim.credentials();
    let key = credentials.get("api_key").and_then(Json::as_str).unwrap_or_else(|| panic!("{credentials}"));
    let header = (connector.auth().header)(&Credentials::ApiKey { key: Secret::new(key) }).unwrap();
    let mut settings = sim.suggested_settings();
    settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let net = Arc::new(Net { sim: Mutex::new(sim), clock, loses_write: Mutex::new(false) });
    let http = ClientParts {
        transport: net.clone(),
        clock: Arc::new(clock),
        jitter: Arc::new(SeededJitter::new(1)),
        authorizer: Arc::new(StaticAuthorizer(header)),
    };
    let setup = AccountSetup {
        id: AccountId::from("fd"),
        base_url: "https://acme.freshdesk.test".parse().unwrap(),
        webhook_secret: Some(Secret::new(SECRET)),
        settings,
        custom: Vec::new(),
    };
    let Opened::Helpdesk(desk) = connector.open(setup, http).unwrap() else { panic!("it is a helpdesk") };
    Bench { desk, net }
}

impl Bench {
    fn human(&self, act: HumanAct) -> RemoteId {
        self.net.sim.lock().unwrap().human(act, self.now()).unwrap()
    }

    fn now(&self) -> Timestamp {
        crate::client::Clock::now(&self.net.clock)
    }

    fn call(&self) -> Call {
        Call { lane: Lane::Live, deadline: self.now().plus(Duration::from_secs(20)) }
    }

    fn open(&self, text: &str) -> RemoteId {
        self.human(HumanAct::Open {
            name: "Ann".to_owned(),
            email: "ann@example.test".to_owned(),
            subject: "Cannot sign in".to_owned(),
            text: text.to_owned(),
            to_bot: false,
        })
    }

    async fn get(&self, ticket: &RemoteId) -> Observed {
        match self.desk.fetch_many(self.call(), std::slice::from_ref(ticket)).await.unwrap().remove(0) {
            Fetched::Shown(observed) => *observed,
            other => panic!("{other:?}"),
        }
    }

    /// `who, public or private: text`.
    async fn told(&self, ticket: &RemoteId) -> Vec<String> {
        let line = |comment: &Comment| {
            let who = if comment.author().role == Role::Customer { "customer" } else { "agent" };
            let kind = match comment {
                Comment::Public(comment) if comment.mailed => "mailed",
                Comment::Public(_) => "public",
                Comment::Private(_) => "private",
            };
            format!("{who}, {kind}: {}", comment.body().text().unwrap())
        };
        let comments = self.desk.comments(self.call(), ticket).await.unwrap();
        if let CommentsSeen::All(embedded) = self.get(ticket).await.comments {
            assert_eq!(embedded, comments, "both ways of reading agree");
        }
        comments.iter().map(line).collect()
    }

    fn update(&self, ticket: &RemoteId, set: Fields, message: Option<Message>) -> Intent {
        let at = TicketKey::new("fd", ticket.clone());
        Intent::Update(Update { at, set, message, if_version: None, key: OpKey::from("l0a1b2-7") })
    }

    async fn feed(&self, name: &'static str, mut from: FeedStart) -> (Vec<FeedRow>, FeedStart) {
        let mut rows = Vec::new();
        for _ in 0..20 {
            let changes = self.desk.changes(self.call(), Feed(name), from).await.unwrap();
            rows.extend(changes.rows);
            from = FeedStart::After(changes.next);
            if !changes.more {
                assert!(changes.complete_until.is_some());
                return (rows, from);
            }
        }
        panic!("the feed does not end")
    }

    async fn wait(&self, secs: u64) {
        tokio::time::sleep(Duration::from_secs(secs)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_people_do_is_seen() {
    let bench = bench();
    let ticket = bench.open("Hello,\n\nit says <wrong> & \"no\".");
    let (rows, from) = bench.feed("tickets", FeedStart::Since(NOW)).await;
    let [FeedRow::Changed(observed)] = rows.as_slice() else { panic!("{rows:?}") };
    let fetched = bench.get(&ticket).await;
    assert_eq!((observed.version, &observed.fields), (fetched.version, &fetched.fields));
    assert_eq!(
        observed.requester.as_ref().and_then(|person| person.email.as_deref()),
        Some("ann@example.test")
    );

    bench.wait(300).await;
    let say = |who: Who, text: &str, public: bool| HumanAct::Say {
        ticket: ticket.clone(),
        who,
        text: text.to_owned(),
        public,
    };
    bench.human(say(Who::Agent("Bo".to_owned()), "Try a\nreset.", true));
    bench.human(say(Who::Agent("Bo".to_owned()), "VIP", false));
    bench.human(say(Who::Customer, "It worked", true));
    bench.human(HumanAct::SetPriority { ticket: ticket.clone(), priority: Some(Priority::High) });
    bench.human(HumanAct::Tag { ticket: ticket.clone(), add: vec!["vip".to_owned()], remove: Vec::new() });
    bench.human(HumanAct::Assign { ticket: ticket.clone(), to: Some(Who::Bot) });
    assert_eq!(
        bench.told(&ticket).await,
        [
            "customer, public: Hello,\n\nit says <wrong> & \"no\".",
            "agent, mailed: Try a\nreset.",
            "agent, private: VIP",
            "customer, public: It worked",
        ]
    );
    let (rows, from) = bench.feed("tickets", from).await;
    let Some(FeedRow::Changed(observed)) = rows.last() else { panic!("{rows:?}") };
    assert_eq!(observed.fields[&Field::Priority], Value::Priority(Some(Priority::High)));
    assert_eq!(observed.fields[&Field::Tags], tags(&["vip"]));
    let bots = bench.net.sim.lock().unwrap().bot_marks().0;
    let Value::Owner(Some(owner)) = &observed.fields[&Field::Assignee] else { panic!("nobody owns it") };
    assert!(bots.contains(owner));

    bench.wait(300).await;
    bench.human(HumanAct::Delete { ticket: ticket.clone() });
    let (rows, _) = bench.feed("deleted", FeedStart::Since(NOW)).await;
    assert!(matches!(rows.as_slice(), [FeedRow::Gone(key)] if key.id == ticket), "{rows:?}");
    let fetched = bench.desk.fetch_many(bench.call(), std::slice::from_ref(&ticket)).await.unwrap();
    assert!(matches!(fetched.as_slice(), [Fetched::Gone(_)]));
    bench.feed("tickets", from).await;
}

#[tokio::test(start_paused = true)]
async fn many_tickets_are_all_seen() {
    let bench = bench();
    let mut made = BTreeSet::new();
    for at in 0..250 {
        made.insert(bench.open(&format!("Ticket {at}")));
        if at % 60 == 0 {
            bench.wait(1).await;
        }
    }
    let (rows, _) = bench.feed("tickets", FeedStart::Since(NOW)).await;
    let seen: BTreeSet<RemoteId> = rows
        .iter()
        .map(|row| match row {
            FeedRow::Changed(observed) => observed.ticket.id.clone(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(seen, made);
}

#[tokio::test(start_paused = true)]
async fn what_we_write_is_shown_as_normalized() {
    let bench = bench();
    let fields = Fields::from([
        (Field::Subject, Value::subject("Ünï <b> & more")),
        (Field::Status, Value::Status(Status::New)),
        (Field::Priority, Value::Priority(None)),
        (Field::Tags, tags(&["Billing", "two words"])),
    ]);
    let create = Intent::Create(Create {
        at: AccountId::from("fd"),
        ticket: NewTicket {
            requester: Person::customer("Ann", "ann@example.test"),
            opening: Some(public_message("Hello,\n\n  it is <b>\n# broken", Mail::Silent)),
            fields: fields.clone(),
            follows: None,
            import: None,
        },
        key: OpKey::from("l0a1b2-0"),
    });
    let made = bench.desk.apply(bench.call(), &create, None, &[]).await.unwrap();
    let ticket = made.ticket.id.clone();
    let observed = bench.get(&ticket).await;
    assert_eq!(observed.marker, Some(OpKey::from("l0a1b2-0")));
    assert_eq!(made.version, Some(observed.version));
    for (field, value) in bench.desk.normalize(&fields) {
        assert_eq!(observed.fields.get(&field), Some(&value), "{field}");
    }

    bench.wait(2).await;
    let ann =
        bench.desk.ensure_person(bench.call(), &Person::customer("Ann", "ann@example.test")).await.unwrap();
    assert_eq!(observed.requester.unwrap().id.as_ref(), Some(&ann));
    let set = Fields::from([(Field::Status, Value::Status(Status::Solved)), (Field::Tags, tags(&["vip"]))]);
    let reply = bench.update(&ticket, set.clone(), Some(public("We fixed it", Mail::Send)));
    let applied = bench.desk.apply(bench.call(), &reply, None, &[]).await.unwrap();
    let observed = bench.get(&ticket).await;
    assert_eq!(applied.version, Some(observed.version));
    for (field, value) in set {
        assert_eq!(observed.fields.get(&field), Some(&value), "{field}");
    }
    let silent = bench.update(&ticket, Fields::new(), Some(public("From elsewhere", Mail::Silent)));
    bench.desk.apply(bench.call(), &silent, None, &[]).await.unwrap();
    let theirs = bench.update(&ticket, Fields::new(), Some(public("Thanks", Mail::Silent)));
    bench.desk.apply(bench.call(), &theirs, Some(&ann), &[]).await.unwrap();
    let brief = bench.update(&ticket, Fields::new(), Some(private("Short", None)));
    let brief = bench.desk.apply(bench.call(), &brief, None, &[]).await.unwrap();
    let edit = Intent::EditNote(EditNote {
        at: brief.ticket,
        comment: brief.comment.unwrap(),
        message: note("Longer", None),
        key: OpKey::from("l0a1b2-9"),
    });
    bench.desk.apply(bench.call(), &edit, None, &[]).await.unwrap();
    assert_eq!(
        bench.told(&ticket).await,
        [
            "customer, public: Hello,\n\n  it is <b>\n# broken",
            "agent, mailed: We fixed it",
            "agent, public: From elsewhere",
            "customer, public: Thanks",
            "agent, private: Longer\n\n[ref l0a1b2-9]",
        ]
    );
    let mails: Vec<Option<RemoteId>> =
        bench.net.sim.lock().unwrap().mails_sent().iter().map(|mail| mail.comment.clone()).collect();
    assert_eq!(mails.iter().flatten().count(), 1, "only the reply was mailed: {mails:?}");
}

#[tokio::test(start_paused = true)]
async fn lost_writes_are_found() {
    let bench = bench();
    let ticket = bench.open("Hello");
    let ann =
        bench.desk.ensure_person(bench.call(), &Person::customer("Ann", "ann@example.test")).await.unwrap();
    bench.wait(5).await;
    let create = Intent::Create(Create {
        at: AccountId::from("fd"),
        ticket: NewTicket {
            requester: Person::customer("Ann", "ann@example.test"),
            opening: None,
            fields: subject("Mirror"),
            follows: None,
            import: None,
        },
        key: OpKey::from("l0a1b2-0"),
    });
    let set = Fields::from([(Field::Status, Value::Status(Status::Pending))]);
    let rows = [
        (create, None),
        (bench.update(&ticket, set.clone(), None), None),
        (bench.update(&ticket, Fields::new(), Some(public("A <reply>\n\n  with lines", Mail::Send))), None),
        (bench.update(&ticket, set, Some(public("A note", Mail::Silent))), None),
        (bench.update(&ticket, Fields::new(), Some(public("Thanks", Mail::Silent))), Some(&ann)),
        (bench.update(&ticket, Fields::new(), Some(private("Brief", None))), None),
    ];
    let mut claimed = BTreeSet::new();
    for (intent, author) in rows {
        let sent_at = bench.now();
        let lost = || Attempted { intent: &intent, sent_at, claimed: &claimed, author };
        let before = bench.desk.find_applied(bench.call(), lost()).await.unwrap();
        assert!(before.is_none(), "it was not sent yet: {intent:?}");
        *bench.net.loses_write.lock().unwrap() = true;
        let sent = bench.desk.apply(bench.call(), &intent, author, &[]).await;
        if let Err(error) = sent {
            assert!(matches!(error, crate::contract::Error::Unknown { .. }), "{error:?}");
            let found = bench.desk.find_applied(bench.call(), lost()).await.unwrap().expect("it was applied");
            claimed.extend(found.comment);
        } else {
            let Intent::Update(update) = &intent else { panic!("a creation is never repeated") };
            assert!(update.message.is_none(), "a message is never repeated");
        }
        bench.wait(1).await;
    }
    let tickets = bench.net.sim.lock().unwrap().tickets();
    let shape: Vec<(usize, Status)> =
        tickets.iter().map(|ticket| (ticket.comments.len(), ticket.status)).collect();
    assert_eq!(shape, [(5, Status::Open), (1, Status::Open)], "the customer's words opened it again");
    let mirror = bench.told(&tickets[1].id).await;
    assert_eq!(mirror, Vec::<String>::new(), "the filler is nobody's words");
}

#[tokio::test(start_paused = true)]
async fn its_webhooks_are_read() {
    let bench = bench();
    bench.net.sim.lock().unwrap().set_webhook("https://handoffd.test/hooks/fd", SECRET);
    let ticket = bench.open("He said \"no\"\nand left");
    bench.human(HumanAct::SetSubject { ticket: ticket.clone(), subject: "A \"quoted\" subject".to_owned() });
    bench.wait(60).await;
    let due = bench.net.sim.lock().unwrap().webhooks_due(bench.now());
    assert!(!due.is_empty());
    for webhook in due {
        let delivery = bench.desk.read_webhook(&webhook.request, bench.now()).unwrap();
        assert_eq!((delivery.id, delivery.tickets), (None, vec![ticket.clone()]));
        let mut forged = webhook.request.clone();
        forged.headers_mut().clear();
        *forged.uri_mut() = "/hooks/fd".parse().unwrap();
        *forged.body_mut() = Bytes::from(json!({"ticket_id": ticket.as_str(), "token": "guess"}).to_string());
        assert!(bench.desk.read_webhook(&forged, bench.now()).is_err());
    }
}

#[tokio::test(start_paused = true)]
async fn a_probe_finds_the_sandbox_whole() {
    let bench = bench();
    let probe = bench.desk.probe(bench.call()).await.unwrap();
    assert_eq!(probe.problems, []);
    assert!(probe.identity.contains("(agent "), "{}", probe.identity);
}

fn mirror(ccs: &[&str]) -> Intent {
    let fields = Fields::from([(Field::Subject, Value::subject("Mirror")), (Field::Ccs, tags(ccs))]);
    let requester = Person::customer("Ann", "ann@example.test");
    let ticket = NewTicket { requester, opening: None, fields, follows: None, import: None };
    Intent::Create(Create { at: AccountId::from("fd"), ticket, key: OpKey::from("l0a1b2-0") })
}

#[tokio::test(start_paused = true)]
async fn addresses_in_copy_are_written_where_the_account_takes_them() {
    for takes in [false, true] {
        let options = Options { updates_ccs: takes, ..Options::default() };
        let bench = bench_of(options, json!({"writes_ccs": takes}));
        let made = bench.desk.apply(bench.call(), &mirror(&["bo@x.test"]), None, &[]).await.unwrap();
        let ticket = made.ticket.id;
        assert_eq!(bench.get(&ticket).await.fields[&Field::Ccs], tags(&["bo@x.test"]), "a creation does");
        let set =
            Fields::from([(Field::Ccs, tags(&["cy@x.test"])), (Field::Subject, Value::subject("Other"))]);
        assert_eq!(bench.desk.normalize(&set).contains_key(&Field::Ccs), takes);
        bench.desk.apply(bench.call(), &bench.update(&ticket, set, None), None, &[]).await.unwrap();
        let shown = bench.get(&ticket).await.fields;
        let expected = if takes { "cy@x.test" } else { "bo@x.test" };
        assert_eq!(shown[&Field::Ccs], tags(&[expected]));
        assert_eq!(shown[&Field::Subject], Value::subject("Other"), "the rest is written all the same");
    }
}

#[tokio::test(start_paused = true)]
async fn an_early_due_time_is_taken_with_the_first_response() {
    let bench = bench();
    let ticket = bench.open("Hello");
    let due = Value::Time(Some(NOW.plus(Duration::from_secs(3_600))));
    let set = Fields::from([(Field::DueAt, due.clone())]);
    bench.desk.apply(bench.call(), &bench.update(&ticket, set, None), None, &[]).await.unwrap();
    assert_eq!(bench.get(&ticket).await.fields[&Field::DueAt], due, "before the response was due");
}

#[tokio::test(start_paused = true)]
async fn what_a_plan_or_a_key_lacks_is_named() {
    let options = Options { surveys: false, admin: false, ..Options::default() };
    let bench = bench_of(options, json!({}));
    let probe = bench.desk.probe(bench.call()).await.unwrap();
    let [problem] = probe.problems.as_slice() else { panic!("{:?}", probe.problems) };
    assert!(problem.what.contains("ratings") && problem.what.contains("Surveys"), "{}", problem.what);
    let (rows, _) = bench.feed("ratings", FeedStart::Since(NOW)).await;
    assert!(rows.is_empty());
    let item = crate::contract::Provision::Field {
        native: "cf_made".to_owned(),
        kind: FieldKind::Text,
        options: Vec::new(),
    };
    let made = bench.desk.provision(bench.call(), &item).await;
    let Err(crate::contract::Error::Refused { why }) = made else { panic!("{made:?}") };
    assert!(why.contains("administrator") && why.contains("cf_made"), "{why}");
}

#[tokio::test(start_paused = true)]
async fn a_merged_ticket_leads_to_the_other() {
    let bench = bench();
    let (from, to) = (bench.open("One"), bench.open("Two"));
    bench.human(HumanAct::Merge { ticket: from.clone(), into: to.clone() });
    let fetched = bench.desk.fetch_many(bench.call(), std::slice::from_ref(&from)).await.unwrap();
    let key = |id: &RemoteId| TicketKey::new("fd", id.clone());
    assert_eq!(fetched, [Fetched::MovedTo { from: key(&from), to: key(&to) }]);
}
