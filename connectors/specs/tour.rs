//! A walk through the whole contract, for those who listen to what is sent.
//!
//! The conformance suite says what must come of things; this only does them, each
//! once, and takes a refusal for an answer. So a request is heard even of what a
//! vendor can do and no suite asks for.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use bytes::Bytes;
use handoffd_core::{
    Attachment, Carried, Field, FieldKind, FieldName, Fields, Mail, Message, OpKey, Person, PrivateMessage,
    RemoteId, Status, TicketKey, Timestamp, Typed, Value,
    intent::{Amend, Amendment, Delete, EditNote, Import, Imported, Intent},
};

use super::canned::with_more;
use crate::{
    client::{Clock as _, Content, TokioClock},
    conformance::{
        bench::{ANN, NOW, Net, account, anns, bo, connector, key, parts, private, public, update},
        create::mirror,
        signing::any_header,
    },
    contract::{
        AccountSetup, Attempted, Call, Catalog, CustomField, FeedStart, Helpdesk, Lane, Opened, Provision,
        Sink, Supply,
    },
    sim::{HumanAct, SimSetup, Who, faults::Faults, world::World},
};

const KINDS: [FieldKind; 6] = [
    FieldKind::Text,
    FieldKind::Number,
    FieldKind::Boolean,
    FieldKind::Date,
    FieldKind::Choice,
    FieldKind::Choices,
];

/// Does everything that the contract has at a helpdesk, on a ticket that a customer opened.
pub async fn whole(name: &'static str) {
    walk(name, "{}", false).await;
}

/// The same with more settings, a JSON object, and on a ticket that we made.
pub async fn on_made(name: &'static str, settings: &'static str) {
    walk(name, settings, true).await;
}

async fn walk(name: &'static str, settings: &'static str, on_made: bool) {
    let tour = Tour::open(name, settings);
    let plain = tour.desk(Vec::new()).await;
    tour.provision(&*plain).await;
    let catalog = plain.catalog(tour.call()).await.unwrap_or_default();
    let desk = tour.desk(custom(&catalog)).await;
    let ticket = match on_made {
        true => tour.create(&*desk).await.expect("a ticket is made"),
        false => tour.ticket("Broken", false),
    };
    tour.set_fields(&*desk, &ticket, &catalog).await;
    tour.write(&*desk, &ticket).await;
    if !on_made {
        tour.create(&*desk).await;
    }
    tour.read(&*desk, &ticket).await;
    tour.amend(&*desk, &ticket).await;
    let gone = Intent::Delete(Delete { at: key(&ticket), key: OpKey::from("l0-delete") });
    tour.apply(&*desk, &gone, None, &[]).await;
}

/// The custom fields that can be kept in step.
fn custom(catalog: &Catalog) -> Vec<CustomField> {
    let known = catalog.fields.iter().filter_map(|field| Some((field.native.clone(), field.kind?)));
    let named = known.enumerate().map(|(at, (native, kind))| CustomField {
        name: FieldName::new(&format!("c{at}")).expect("a name"),
        native,
        kind,
    });
    named.collect()
}

/// Something that a field of this kind can hold.
fn typed(kind: FieldKind, options: &[String]) -> Typed {
    let option = options.first().cloned().unwrap_or_else(|| "one".to_owned());
    match kind {
        FieldKind::Text => Typed::Text("some text".to_owned()),
        FieldKind::Number => Typed::Number("-1.5".to_owned()),
        FieldKind::Boolean => Typed::Boolean(true),
        FieldKind::Date => Typed::Date("2026-11-22".to_owned()),
        FieldKind::Choice => Typed::Choice(option),
        FieldKind::Choices => Typed::Choices([option].into()),
    }
}

/// Takes everything and keeps nothing.
struct Nowhere;

impl Sink for Nowhere {
    fn take(&mut self, _piece: &[u8]) -> Result<(), String> {
        Ok(())
    }
}

struct Tour {
    name: &'static str,
    settings: &'static str,
    world: World,
    net: Arc<Net>,
    clock: TokioClock,
}

impl Tour {
    fn open(name: &'static str, settings: &'static str) -> Self {
        let clock = TokioClock::starting_at(NOW);
        let world = World::new(7, Arc::new(clock));
        let setup = SimSetup { seed: 7, plan: "unlimited".to_owned(), now: NOW };
        world.add(account(), connector(name).simulator(setup), Faults::none());
        let net = Net::of(&world);
        Self { name, settings, world, net, clock }
    }

    async fn desk(&self, custom: Vec<CustomField>) -> Arc<dyn Helpdesk> {
        let header = any_header(self.name, &self.world, &self.net, &self.clock).await;
        let suggested = self.world.with(&account(), |sim, _| sim.suggested_settings()).expect("it is there");
        let setup = AccountSetup {
            id: account(),
            base_url: self.world.base_url(&account()).expect("it is there"),
            webhook_secret: None,
            settings: with_more(suggested, self.settings),
            custom,
        };
        match connector(self.name).open(setup, parts(&self.net, &self.clock, header)) {
            Ok(Opened::Helpdesk(desk)) => desk,
            Ok(Opened::ContextSource(_)) => panic!("{} is no helpdesk", self.name),
            Err(bad) => panic!("{bad}"),
        }
    }

    fn call(&self) -> Call {
        Call { lane: Lane::Live, deadline: self.clock.now().plus(Duration::from_secs(3_600)) }
    }

    fn human(&self, act: HumanAct) -> RemoteId {
        self.world.human(&account(), act.clone()).unwrap_or_else(|why| panic!("{act:?}: {why}"))
    }

    /// A ticket with an answer and a note, solved if it is to be an old one.
    fn ticket(&self, subject: &str, solved: bool) -> RemoteId {
        let (name, email) = ("Ann".to_owned(), ANN.to_owned());
        let text = "Hello, it is broken.".to_owned();
        let open = HumanAct::Open { name, email, subject: subject.to_owned(), text, to_bot: false };
        let ticket = self.human(open);
        for public in [true, false] {
            let (who, text) = (Who::Agent("Bo".to_owned()), "Is it?".to_owned());
            self.human(HumanAct::Say { ticket: ticket.clone(), who, text, public });
        }
        if solved {
            self.human(HumanAct::SetStatus { ticket: ticket.clone(), status: Status::Solved });
        }
        ticket
    }

    /// Does it, and looks for it as if its answer were lost.
    async fn apply(
        &self,
        desk: &dyn Helpdesk,
        intent: &Intent,
        author: Option<&RemoteId>,
        files: &[Supply],
    ) -> Option<RemoteId> {
        let claimed = BTreeSet::new();
        let sent_at = self.clock.now();
        let applied = desk.apply(self.call(), intent, author, files).await;
        drop(desk.find_applied(self.call(), Attempted { intent, sent_at, claimed: &claimed, author }).await);
        applied.ok().map(|applied| applied.ticket.id)
    }

    async fn provision(&self, desk: &dyn Helpdesk) {
        for (at, kind) in KINDS.into_iter().enumerate() {
            let options = vec!["one".to_owned(), "two".to_owned()];
            let item = Provision::Field { native: format!("cf_tour_{at}"), kind, options };
            drop(desk.provision(self.call(), &item).await);
        }
        for status in [Status::Open, Status::Pending, Status::OnHold, Status::Solved] {
            let item = Provision::Status { label: format!("Tour {status:?}"), status };
            drop(desk.provision(self.call(), &item).await);
        }
    }

    async fn set_fields(&self, desk: &dyn Helpdesk, ticket: &RemoteId, catalog: &Catalog) {
        let owner = |id: Option<&RemoteId>| Value::Owner(id.cloned());
        let mut values = vec![
            (Field::Type, Value::Choice(catalog.types.first().cloned())),
            (Field::Type, Value::Choice(None)),
            (Field::DueAt, Value::Time(Some(NOW.plus(Duration::from_secs(86_400))))),
            (Field::DueAt, Value::Time(None)),
            (Field::Ccs, Value::Tags(["cy@example.test".to_owned()].into())),
            (Field::Requester, Value::Choice(Some("dee@example.test".to_owned()))),
            (Field::Assignee, owner(catalog.agents.first().map(|agent| &agent.id))),
            (Field::Group, owner(catalog.teams.first().map(|team| &team.id))),
            (Field::Assignee, owner(None)),
            (Field::Group, owner(None)),
        ];
        let details = catalog.statuses.iter().filter(|status| !status.default);
        values.extend(details.map(|status| {
            let detail = status.native.clone();
            (Field::Status, Value::StatusDetail { status: status.status, detail })
        }));
        for (field, known) in
            custom(catalog).iter().zip(catalog.fields.iter().filter(|one| one.kind.is_some()))
        {
            values.push((Field::Custom(field.name), Value::Typed(Some(typed(field.kind, &known.options)))));
            values.push((Field::Custom(field.name), Value::Typed(None)));
        }
        for (at, (field, value)) in values.into_iter().enumerate() {
            let set = desk.normalize(&Fields::from([(field, value)]));
            self.apply(desk, &update(ticket, set, None, &format!("l0-set-{at}")), None, &[]).await;
        }
    }

    /// Every kind of message, bare and with a file.
    async fn write(&self, desk: &dyn Helpdesk, ticket: &RemoteId) {
        let ann = desk.ensure_person(self.call(), &Person::customer("Ann", ANN)).await.ok();
        let new = Person::customer("Eve", "eve@example.test");
        drop(desk.ensure_person(self.call(), &new).await);
        let messages = [
            (public("Use water.", Mail::Send), None),
            (public("Use sand.", Mail::Silent), None),
            (anns("It burns."), ann.as_ref()),
            (private("Handed over.", Some(bo())), None),
            (private("Briefing.", None), None),
        ];
        for (at, (message, author)) in messages.into_iter().enumerate() {
            let bare = update(ticket, Fields::new(), Some(message.clone()), &format!("l0-say-{at}"));
            self.apply(desk, &bare, author, &[]).await;
            let (message, files) = with_file(message, ticket);
            let full = update(ticket, Fields::new(), Some(message), &format!("l0-file-{at}"));
            self.apply(desk, &full, author, &files).await;
        }
    }

    /// Makes tickets of every kind; the first of them.
    async fn create(&self, desk: &dyn Helpdesk) -> Option<RemoteId> {
        let ann = desk.ensure_person(self.call(), &Person::customer("Ann", ANN)).await.ok();
        let author = ann.as_ref().filter(|_| desk.capabilities().creates_as_author);
        let old = self.ticket("Long ago", true);
        let import = Import {
            created_at: Timestamp::from_secs(1_600_000_000),
            opening_at: Timestamp::from_secs(1_600_000_000),
            messages: vec![
                Imported {
                    message: public("Past.", Mail::Silent),
                    at: Timestamp::from_secs(1_600_000_100),
                    number: 1,
                    author: None,
                },
                Imported {
                    message: private("Note.", None),
                    at: Timestamp::from_secs(1_600_000_200),
                    number: 2,
                    author: None,
                },
            ],
        };
        let mut first = None;
        for (at, (opening, follows, import)) in [
            (Some("Hello"), None, None),
            (None, None, None),
            (Some("Again"), Some(old), None),
            (Some("Old"), None, Some(import)),
        ]
        .into_iter()
        .enumerate()
        {
            let mut intent = mirror("Ann", ANN, opening, &format!("l0-new-{at}"));
            let mut files = Vec::new();
            if let Intent::Create(create) = &mut intent {
                create.ticket.follows = follows;
                create.ticket.import = import;
                if let Some(opening) = create.ticket.opening.take() {
                    let (message, supplied) = with_file(Message::Public(opening), &RemoteId::from("1"));
                    let Message::Public(opening) = message else { panic!("it stays public") };
                    (create.ticket.opening, files) = (Some(opening), supplied);
                }
            }
            let made = self.apply(desk, &intent, author, &files).await;
            first = first.or(made);
        }
        first
    }

    async fn read(&self, desk: &dyn Helpdesk, ticket: &RemoteId) {
        for feed in desk.feeds() {
            let mut from = FeedStart::Since(NOW.minus(Duration::from_secs(3_600)));
            for _ in 0..3 {
                let Ok(page) = desk.changes(self.call(), *feed, from).await else { break };
                from = FeedStart::After(page.next);
                tokio::time::sleep(Duration::from_secs(120)).await;
            }
        }
        let mut from = FeedStart::Since(Timestamp(0));
        for _ in 0..20 {
            let Ok(page) = desk.history(self.call(), from).await else { break };
            from = FeedStart::After(page.next);
            if !page.more {
                break;
            }
        }
        drop(desk.fetch_many(self.call(), std::slice::from_ref(ticket)).await);
        drop(desk.probe(self.call()).await);
        for comment in desk.comments(self.call(), ticket).await.unwrap_or_default() {
            for attachment in comment.attachments() {
                drop(desk.download(self.call(), ticket, attachment, &mut Nowhere).await);
            }
        }
    }

    async fn amend(&self, desk: &dyn Helpdesk, ticket: &RemoteId) {
        let Message::Private(note) = private("Told anew.", None) else { panic!("it is a note") };
        let comments = desk.comments(self.call(), ticket).await.unwrap_or_default();
        for (at, comment) in comments.iter().enumerate() {
            self.amend_one(desk, ticket, comment.id(), &note, at).await;
        }
    }

    async fn amend_one(
        &self,
        desk: &dyn Helpdesk,
        ticket: &RemoteId,
        comment: &RemoteId,
        note: &PrivateMessage,
        at: usize,
    ) {
        let at_ticket: TicketKey = key(ticket);
        let op = |what: &str| OpKey::new(format!("l0-{what}-{at}"));
        let edit = EditNote {
            at: at_ticket.clone(),
            comment: comment.clone(),
            message: note.clone(),
            key: op("edit"),
        };
        self.apply(desk, &Intent::EditNote(edit), None, &[]).await;
        let changes = [
            ("rewrite", Amendment::Rewrite(Message::Private(note.clone()))),
            ("reword", Amendment::Rewrite(public("Told anew.", Mail::Silent))),
            ("hide", Amendment::Hide(note.clone())),
            ("redact", Amendment::Redact),
        ];
        for (what, change) in changes {
            let amend = Amend { at: at_ticket.clone(), comment: comment.clone(), change, key: op(what) };
            self.apply(desk, &Intent::Amend(amend), None, &[]).await;
        }
    }
}

/// The message with a file, and the file.
fn with_file(mut message: Message, from: &RemoteId) -> (Message, Vec<Supply>) {
    let content = Bytes::from_static(b"a small file");
    let attachment = Attachment {
        id: RemoteId::from("1"),
        name: "small.txt".to_owned(),
        content_type: "text/plain".to_owned(),
        size: Some(content.len() as u64),
        inline: false,
        at: "https://elsewhere.test/small.txt".to_owned(),
    };
    let carried = vec![Carried { from: key(from), comment: RemoteId::from("1"), attachment }];
    match &mut message {
        Message::Public(message) => message.attachments = carried,
        Message::Private(message) => message.attachments = carried,
    }
    let (name, content_type) = ("small.txt".to_owned(), "text/plain".to_owned());
    (message, vec![Supply { name, content_type, content: Content::Bytes(content) }])
}
