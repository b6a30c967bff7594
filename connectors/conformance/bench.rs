//! One helpdesk account, its simulator, and the net between them.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use handoffd_core::{
    AccountId, Attachment, Body, Carried, Comment, Fetched, Field, FieldKind, FieldName, Fields, Mail,
    Message, Observed, OpKey, Person, PrivateMessage, PrivateText, PublicMessage, PublicText, RemoteId, Role,
    Status, TicketKey, Timestamp,
    intent::{Applied, Intent, Update},
};
use serde_json::Value as Json;

use super::{Requests, recorder, signing};
use crate::{
    client::{
        ClientParts, Clock as _, Content, Outgoing, SeededJitter, StaticAuthorizer, TokioClock, Transport,
        TransportError,
    },
    contract::{
        AccountSetup, Attempted, Call, Changes, Connector, Cursor, CustomField, Error, Feed, FeedRow,
        FeedStart, Helpdesk, Lane, Opened, Secret, Sink, Supply,
    },
    sim::{HumanAct, ShownTicket, SimSetup, VendorSim, Who, faults::Faults, world::World},
};

/// 2026-11-22T08:00:00Z.
pub const NOW: Timestamp = Timestamp::from_secs(1_795_334_400);
/// The secret of the account's webhooks.
pub const SECRET: &str = "hook-s3cret-0123456789";
/// The customer of most tickets.
pub const ANN: &str = "ann@example.test";

/// What the suite must be told of a vendor.
pub struct Terms {
    /// The connector's name.
    pub name: &'static str,
    /// How the account is simulated, where it is not the vendor's usual one.
    pub simulator: Option<fn(SimSetup) -> Box<dyn VendorSim>>,
    /// Settings that make pages of the feed small, as JSON.
    pub small_pages: &'static str,
    /// How many rows such a page has.
    pub page_rows: usize,
    /// Settings that the simulated account does not fulfil, as JSON.
    pub lacking: &'static str,
    /// Whether a creation that is sent twice is done once by the vendor itself.
    pub creates_once: bool,
    /// Whether the vendor tells which ticket goes on after a merge.
    pub tells_merges: bool,
    /// What the vendor's API has no way to do.
    pub cannot: &'static [Cannot],
    /// How many requests things cost.
    pub requests: Requests,
}

/// Something that a vendor's API has no way to do, and that no capability tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cannot {
    /// No feed tells which tickets were deleted: a webhook and the next fetch do.
    TellDeletions,
    /// Changes of the subject, and tags that are taken off, ring nobody: the feed tells of them.
    RingForFields,
    /// An agent's public words are always mailed: silent ones are shown as a private note.
    SaySilently,
    /// A new ticket takes no files: the text names them.
    CreateWithFiles,
    /// Tags are taken, and neither shown nor taken off again; putting one on rings nobody.
    ShowTags,
    /// Nobody there can set a priority.
    SetPriority,
    /// What a customer thought of the help is not shown.
    TellRatings,
}

impl Terms {
    /// Whether a ticket shows the field when it is read.
    pub fn shows(&self, field: Field) -> bool {
        field != Field::Tags || self.can(Cannot::ShowTags)
    }

    /// What is read of a ticket that has these fields.
    pub fn shown(&self, fields: Fields) -> Fields {
        fields.into_iter().filter(|(field, _)| self.shows(*field)).collect()
    }

    /// Starts the vendor.
    pub fn start(&self, setup: SimSetup) -> Box<dyn VendorSim> {
        match self.simulator {
            Some(start) => start(setup),
            None => connector(self.name).simulator(setup),
        }
    }

    /// Whether the vendor's API can do it.
    pub fn can(&self, what: Cannot) -> bool {
        !self.cannot.contains(&what)
    }
}

/// The next requests that a fault befalls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hits {
    /// The next one.
    Next,
    /// The next one that is no `GET`.
    NextWrite,
    /// Each that is no `GET`, until it is called off.
    EveryWrite,
    /// Each, until it is called off.
    Every,
}

/// The world's net, with faults for chosen requests.
pub struct Net {
    world: World,
    trouble: Mutex<Option<(Hits, Faults)>>,
    /// What an answer's body becomes.
    garbled: Mutex<Option<Bytes>>,
    /// Every object of an answer has fields more than we know.
    adds_fields: AtomicBool,
    /// Requests to other hosts than the account's own: the host, and whether a credential was on it.
    strangers: Mutex<Vec<(String, bool)>>,
}

impl Net {
    /// The net of this world, without trouble.
    pub fn of(world: &World) -> Arc<Self> {
        Arc::new(Self {
            world: world.clone(),
            trouble: Mutex::default(),
            garbled: Mutex::default(),
            adds_fields: AtomicBool::default(),
            strangers: Mutex::default(),
        })
    }

    /// Brings trouble to the next requests, or calls it off.
    pub fn trouble(&self, trouble: Option<(Hits, Faults)>) {
        *self.trouble.lock().unwrap() = trouble;
    }

    /// Puts this in place of the body of every answer that says 2xx.
    pub fn garble(&self, body: Option<&str>) {
        *self.garbled.lock().unwrap() = body.map(|body| Bytes::copy_from_slice(body.as_bytes()));
    }

    /// Adds fields that nobody knows to every object of an answer.
    pub fn add_fields(&self, adds: bool) {
        self.adds_fields.store(adds, Ordering::Relaxed);
    }

    /// Requests to other hosts than the account's own: the host, and whether a credential was on it.
    pub fn strangers(&self) -> Vec<(String, bool)> {
        self.strangers.lock().unwrap().clone()
    }

    fn seen(&self, answer: http::Response<Bytes>) -> http::Response<Bytes> {
        if let Some(body) = self.garbled.lock().unwrap().clone() {
            return answer.map(|_| body);
        }
        if !self.adds_fields.load(Ordering::Relaxed) {
            return answer;
        }
        answer.map(|body| match serde_json::from_slice(&body) {
            Ok(json) => Bytes::from(with_more_fields(json).to_string()),
            Err(_) => body,
        })
    }

    fn fault_for(&self, is_write: bool) -> Option<Faults> {
        let mut trouble = self.trouble.lock().unwrap();
        let (hits, faults) = trouble.clone()?;
        let hit = is_write || matches!(hits, Hits::Next | Hits::Every);
        if hit && matches!(hits, Hits::Next | Hits::NextWrite) {
            *trouble = None;
        }
        hit.then_some(faults)
    }
}

impl Transport for Net {
    fn send(&self, outgoing: Outgoing) -> BoxFuture<'_, Result<http::Response<Bytes>, TransportError>> {
        Box::pin(async move {
            recorder::saw(&outgoing);
            let faults = self.fault_for(outgoing.request.method() != http::Method::GET);
            let host = outgoing.request.uri().host().unwrap().to_owned();
            if host != "desk.sim" {
                let is_signed = outgoing.request.headers().contains_key(http::header::AUTHORIZATION);
                self.strangers.lock().unwrap().push((host.clone(), is_signed));
            }
            let account = host.trim_end_matches(".sim").rsplit('.').next().unwrap_or_default();
            let account = AccountId::from(account);
            self.world.set_faults(&account, faults.unwrap_or_default());
            let (method, uri) = (outgoing.request.method().clone(), outgoing.request.uri().clone());
            let answer = self.world.transport().send(outgoing).await;
            if let Ok(answer) = &answer {
                recorder::heard(&method, &uri, answer);
            }
            self.world.set_faults(&account, Faults::none());
            match answer {
                Ok(answer) if answer.status().is_success() => Ok(self.seen(answer)),
                answer => answer,
            }
        })
    }
}

fn with_more_fields(json: Json) -> Json {
    match json {
        Json::Object(object) => {
            let mut more: serde_json::Map<String, Json> =
                object.into_iter().map(|(name, value)| (name, with_more_fields(value))).collect();
            // Side-loads and maps by id hold objects alone; a text among those is no field.
            more.insert("zz_new_field".to_owned(), serde_json::json!({"deep": [1, null, "text"]}));
            Json::Object(more)
        }
        Json::Array(rows) => Json::Array(rows.into_iter().map(with_more_fields).collect()),
        other => other,
    }
}

/// One account that is open.
pub struct Bench {
    /// How it was opened.
    pub terms: &'static Terms,
    /// The adapter.
    pub desk: Arc<dyn Helpdesk>,
    /// The simulator behind the net.
    pub world: World,
    /// The net.
    pub net: Arc<Net>,
    /// The time.
    pub clock: TokioClock,
    settings: Json,
    custom: Vec<CustomField>,
    /// Mails that say that a customer's request was received.
    greeted: AtomicUsize,
}

/// The account's name.
pub fn account() -> AccountId {
    AccountId::from("desk")
}

/// The connector of this name.
pub fn connector(name: &str) -> &'static dyn Connector {
    crate::connector(name).unwrap_or_else(|| panic!("no connector is named {name}"))
}

impl Bench {
    /// With the settings that the simulator suggests.
    pub async fn open(terms: &'static Terms) -> Self {
        Self::open_with(terms, "{}").await
    }

    /// With small pages of the feed.
    pub async fn with_small_pages(terms: &'static Terms) -> Self {
        Self::open_with(terms, terms.small_pages).await
    }

    /// With these settings beside the suggested ones.
    pub async fn open_with(terms: &'static Terms, more: &str) -> Self {
        let clock = TokioClock::starting_at(NOW);
        let sim = terms.start(SimSetup { seed: 7, plan: "unlimited".to_owned(), now: NOW });
        let mut settings = sim.suggested_settings();
        let more: serde_json::Map<String, Json> = serde_json::from_str(more).unwrap();
        settings.as_object_mut().expect("settings are a table").extend(more);
        let world = World::new(7, Arc::new(clock));
        world.add(account(), sim, Faults::none());
        let net = Net::of(&world);
        let header = signing::any_header(terms.name, &world, &net, &clock).await;
        let desk = open_desk(terms.name, &net, &clock, &settings, header, Some(SECRET), &[]);
        let greeted = AtomicUsize::new(0);
        Self { terms, desk, world, net, clock, settings, custom: Vec::new(), greeted }
    }

    /// A new client of the same account, which remembers nothing.
    pub async fn reopen(&mut self) {
        let header = signing::any_header(self.terms.name, &self.world, &self.net, &self.clock).await;
        self.desk = self.with_header(header, Some(SECRET));
    }

    /// A new client that keeps these custom fields in step.
    pub async fn reopen_with(&mut self, custom: Vec<CustomField>) {
        self.custom = custom;
        self.reopen().await;
    }

    /// An admin makes a status, and says in the settings what it means where the vendor has no word for it.
    pub async fn make_status(&mut self, label: &str, status: Status) -> Result<RemoteId, String> {
        let before = self.sim(|sim| sim.suggested_settings());
        let act = HumanAct::MakeStatus { label: label.to_owned(), status };
        let made = self.world.human(&account(), act)?;
        let after = self.sim(|sim| sim.suggested_settings());
        if let (true, Json::Object(after)) = (before != after, after) {
            self.settings.as_object_mut().expect("settings are a table").extend(after);
            self.reopen().await;
        }
        Ok(made)
    }

    /// Another client of the same account.
    pub fn with_header(&self, header: Secret, webhook_secret: Option<&str>) -> Arc<dyn Helpdesk> {
        let Self { terms, net, clock, settings, custom, .. } = self;
        open_desk(terms.name, net, clock, settings, header, webhook_secret, custom)
    }

    /// A person does something that the vendor allows.
    pub fn human(&self, act: HumanAct) -> RemoteId {
        self.world.human(&account(), act.clone()).unwrap_or_else(|why| panic!("{act:?}: {why}"))
    }

    /// Looks at the simulator.
    pub fn sim<T>(&self, look: impl FnOnce(&mut dyn VendorSim) -> T) -> T {
        self.world.with(&account(), |sim, _| look(sim)).unwrap()
    }

    /// A ticket of Ann's.
    pub fn ticket(&self, subject: &str) -> RemoteId {
        self.ticket_of("Ann", ANN, subject, "Hello, it is broken.")
    }

    /// A ticket of a customer's.
    pub fn ticket_of(&self, name: &str, email: &str, subject: &str, text: &str) -> RemoteId {
        let (name, email, subject) = (name.to_owned(), email.to_owned(), subject.to_owned());
        let before = self.sim(|sim| sim.mails_sent().len());
        let ticket =
            self.human(HumanAct::Open { name, email, subject, text: text.to_owned(), to_bot: false });
        let greeted = self.sim(|sim| sim.mails_sent().len()) - before;
        self.greeted.fetch_add(greeted, Ordering::Relaxed);
        ticket
    }

    /// Somebody writes.
    pub fn say(&self, ticket: &RemoteId, who: Who, text: &str, public: bool) {
        self.human(HumanAct::Say { ticket: ticket.clone(), who, text: text.to_owned(), public });
    }

    /// The ticket as a person sees it.
    pub fn shown(&self, ticket: &RemoteId) -> ShownTicket {
        let shown = self.sim(|sim| sim.tickets().into_iter().find(|shown| shown.id == *ticket));
        shown.expect("the ticket is at the vendor")
    }

    /// How many mails went out so far, other than those to a customer who opened a ticket.
    pub fn mails(&self) -> usize {
        self.sim(|sim| sim.mails_sent().len()) - self.greeted.load(Ordering::Relaxed)
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Time goes by.
    pub async fn wait(&self, secs: u64) {
        tokio::time::sleep(Duration::from_secs(secs)).await;
    }

    /// Time enough for every change so far to be in the feed.
    pub async fn pass_blind_spot(&self) {
        tokio::time::sleep(self.desk.capabilities().feed_blind_spot + Duration::from_secs(2)).await;
    }

    /// A call with all the time that pacing may take.
    pub fn call(&self) -> Call {
        self.call_of(3_600)
    }

    /// A call with a deadline so many seconds from now.
    pub fn call_of(&self, secs: u64) -> Call {
        Call { lane: Lane::Live, deadline: self.now().plus(Duration::from_secs(secs)) }
    }

    /// One ticket by id, which is there.
    pub async fn get(&self, ticket: &RemoteId) -> Observed {
        let fetched = self.desk.fetch_many(self.call(), std::slice::from_ref(ticket)).await.unwrap();
        match fetched.into_iter().next() {
            Some(Fetched::Shown(observed)) => *observed,
            other => panic!("{other:?}"),
        }
    }

    /// Every comment.
    pub async fn comments(&self, ticket: &RemoteId) -> Vec<Comment> {
        self.desk.comments(self.call(), ticket).await.unwrap()
    }

    /// One page.
    pub async fn page(&self, feed: Feed, from: FeedStart) -> Changes {
        self.desk.changes(self.call(), feed, from).await.unwrap()
    }

    /// A feed to its end: the rows, where to go on, and how far it is complete.
    pub async fn read_feed(&self, feed: Feed, mut from: FeedStart) -> (Vec<FeedRow>, Cursor, Timestamp) {
        let mut rows = Vec::new();
        for _ in 0..200 {
            let page = self.page(feed, from).await;
            rows.extend(page.rows);
            if !page.more {
                let until = page.complete_until.expect("a feed at its end says how far it is complete");
                return (rows, page.next, until);
            }
            assert_eq!(page.complete_until, None, "nothing is complete while pages follow");
            from = FeedStart::After(page.next);
        }
        panic!("the feed does not end")
    }

    /// The id of a person there.
    pub async fn person(&self, name: &str, email: &str) -> RemoteId {
        self.desk.ensure_person(self.call(), &Person::customer(name, email)).await.unwrap()
    }

    /// Does a write that must work.
    pub async fn apply(&self, intent: &Intent, author: Option<&RemoteId>) -> Applied {
        self.desk
            .apply(self.call(), intent, author, &[])
            .await
            .unwrap_or_else(|why| panic!("{intent:?}: {why}"))
    }

    /// Tries a write with files.
    pub async fn try_apply(
        &self,
        intent: &Intent,
        author: Option<&RemoteId>,
        files: &[Supply],
    ) -> Result<Applied, Error> {
        self.desk.apply(self.call(), intent, author, files).await
    }

    /// The bytes of a file.
    pub async fn download(&self, ticket: &RemoteId, attachment: &Attachment) -> Result<Vec<u8>, Error> {
        let mut bytes = Gathered(Vec::new());
        self.desk.download(self.call(), ticket, attachment, &mut bytes).await?;
        Ok(bytes.0)
    }

    /// Looks for a lost write.
    pub async fn find(
        &self,
        intent: &Intent,
        sent_at: Timestamp,
        claimed: &BTreeSet<RemoteId>,
        author: Option<&RemoteId>,
    ) -> Result<Option<Applied>, Error> {
        let lost = Attempted { intent, sent_at, claimed, author };
        self.desk.find_applied(self.call(), lost).await
    }
}

fn open_desk(
    name: &str,
    net: &Arc<Net>,
    clock: &TokioClock,
    settings: &Json,
    header: Secret,
    webhook_secret: Option<&str>,
    custom: &[CustomField],
) -> Arc<dyn Helpdesk> {
    let setup = AccountSetup {
        id: account(),
        base_url: net.world.base_url(&account()).unwrap(),
        webhook_secret: webhook_secret.map(Secret::new),
        settings: settings.clone(),
        custom: custom.to_vec(),
    };
    match connector(name).open(setup, parts(net, clock, header)) {
        Ok(Opened::Helpdesk(desk)) => desk,
        Ok(Opened::ContextSource(_)) => panic!("{name} is no helpdesk"),
        Err(bad) => panic!("{bad}"),
    }
}

/// What a client is made of here.
pub fn parts(net: &Arc<Net>, clock: &TokioClock, header: Secret) -> ClientParts {
    ClientParts {
        transport: Arc::clone(net) as Arc<dyn Transport>,
        clock: Arc::new(*clock),
        jitter: Arc::new(SeededJitter::new(1)),
        authorizer: Arc::new(StaticAuthorizer(header)),
    }
}

/// The ticket's key.
pub fn key(ticket: &RemoteId) -> TicketKey {
    TicketKey::new(account(), ticket.clone())
}

/// An update without a condition.
pub fn update(ticket: &RemoteId, set: Fields, message: Option<Message>, op: &str) -> Intent {
    Intent::Update(Update { at: key(ticket), set, message, if_version: None, key: OpKey::from(op) })
}

/// Somebody who works at the other helpdesk.
pub fn bo() -> Person {
    Person { id: None, name: "Bo".to_owned(), email: Some("bo@acme.test".to_owned()), role: Role::Agent }
}

/// Public words of Bo's.
pub fn public(text: &str, mail: Mail) -> Message {
    Message::Public(public_by(bo(), text, mail))
}

/// Public words of anybody's.
pub fn public_by(author: Person, text: &str, mail: Mail) -> PublicMessage {
    PublicMessage {
        author,
        text: PublicText::shown_publicly(Body::inline(text)),
        mail,
        attachments: Vec::new(),
    }
}

/// Public words of Ann's.
pub fn anns(text: &str) -> Message {
    Message::Public(public_by(Person::customer("Ann", ANN), text, Mail::Silent))
}

/// A private note; `None` for our own words.
pub fn private(text: &str, author: Option<Person>) -> Message {
    Message::Private(PrivateMessage {
        author,
        text: PrivateText::new(Body::inline(text)),
        attachments: Vec::new(),
    })
}

/// The message with these files on it.
pub fn with_files(message: Message, files: &[(&str, &str, &[u8])]) -> Message {
    let carried: Vec<Carried> = files.iter().map(|(name, kind, bytes)| carried(name, kind, bytes)).collect();
    match message {
        Message::Public(message) => Message::Public(PublicMessage { attachments: carried, ..message }),
        Message::Private(message) => Message::Private(PrivateMessage { attachments: carried, ..message }),
    }
}

/// A file of a ticket elsewhere.
pub fn carried(name: &str, content_type: &str, bytes: &[u8]) -> Carried {
    Carried {
        from: TicketKey::new("elsewhere", "9"),
        comment: RemoteId::from("91"),
        attachment: Attachment {
            id: RemoteId::from("911"),
            name: name.to_owned(),
            content_type: content_type.to_owned(),
            size: Some(bytes.len() as u64),
            inline: false,
            at: "https://elsewhere.test/911".to_owned(),
        },
    }
}

/// The same files at hand.
pub fn supplies(files: &[(&str, &str, &[u8])]) -> Vec<Supply> {
    let supply = |(name, content_type, bytes): &(&str, &str, &[u8])| Supply {
        name: (*name).to_owned(),
        content_type: (*content_type).to_owned(),
        content: Content::Bytes(Bytes::copy_from_slice(bytes)),
    };
    files.iter().map(supply).collect()
}

/// A custom field by a name of ours.
pub fn custom(name: &str, native: &RemoteId, kind: FieldKind) -> CustomField {
    CustomField { name: FieldName::new(name).unwrap(), native: native.to_string(), kind }
}

/// A custom field's key.
pub fn custom_key(name: &str) -> Field {
    Field::Custom(FieldName::new(name).unwrap())
}

/// Keeps what a download gives.
pub struct Gathered(pub Vec<u8>);

impl Sink for Gathered {
    fn take(&mut self, piece: &[u8]) -> Result<(), String> {
        self.0.extend_from_slice(piece);
        Ok(())
    }
}
