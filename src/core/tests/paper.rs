//! Helpdesks, people and the engine on paper, for the planner's check.

mod extra;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use handoffd_core::{
    Attachment, Body, Comment, CommentsSeen, Field, Fields, Message, Observed, OpKey, Person, Priority,
    PrivateComment, PrivateMessage, PrivateText, PublicComment, PublicText, ReadBy, RemoteId, Role, Status,
    TicketKey, Timestamp, Value, Version,
    filter::Filter,
    intent::{Amendment, Applied, Intent, Outcome, Update},
    link::{Link, Standing},
    policy::{ConflictRule, Normalize, Route, SyncPolicy},
    reconcile::{add_side, reconcile, settle, start_link},
    settle::note_leaves,
};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

pub use extra::plain;
use extra::widen;

use crate::{
    planner_check::settle_is_idempotent,
    rows::{Vendors, policy, show_decision, ticket, view_of},
};

/// A helpdesk with one ticket.
#[derive(Debug)]
pub struct Desk {
    pub fields: Fields,
    pub comments: Vec<Comment>,
    version: i64,
    next_comment: i64,
    /// Whether it says how many comments there are.
    counts: bool,
    /// Whether its answers name the version and show the ticket.
    answers: bool,
    /// Whether its versions are whole seconds.
    coarse: bool,
    /// Earlier views, as pages of a feed may still carry them.
    pages: Vec<Observed>,
    /// Fields that a person changed since the last fetch.
    unread: BTreeSet<Field>,
    /// Tags that a person changed since the last fetch.
    unread_tags: BTreeSet<String>,
    /// Whether it is closed for good and takes no writes.
    pub closed: bool,
}

impl Desk {
    fn touch(&mut self, now: i64) {
        self.version =
            if self.coarse { self.version.max(now / 1_000 * 1_000) } else { now.max(self.version + 1) };
    }
}

/// What people did to a field since all sides last agreed.
#[derive(Debug, Default)]
pub struct Register {
    pub last: Option<Value>,
    pub contested: bool,
    pub editors: BTreeSet<TicketKey>,
}

/// A write whose outcome is known and not settled.
#[derive(Debug)]
pub struct Sent {
    pub intent: Intent,
    pub outcome: Outcome,
}

/// Everything.
pub struct World {
    pub rng: ChaCha8Rng,
    /// For what came later, so that older cases stay as they are; `None` in those.
    extra: Option<ChaCha8Rng>,
    pub now: i64,
    pub desks: BTreeMap<TicketKey, Desk>,
    pub link: Link,
    pub policy: SyncPolicy,
    pub unsettled: Vec<Sent>,
    queues: BTreeMap<TicketKey, VecDeque<Intent>>,
    dirty: BTreeSet<TicketKey>,
    again: bool,
    counter: u64,
    pub writes: u64,
    pub registers: BTreeMap<Field, Register>,
    /// By folded tag: must be there, must not be, or anything goes.
    pub tags: BTreeMap<String, Option<bool>>,
    /// What people said where, in order, and whether publicly.
    pub said: BTreeMap<TicketKey, Vec<(String, bool)>>,
    /// Messages that may be missing, by ticket.
    pub given_up: BTreeSet<(TicketKey, String)>,
    pub briefed: BTreeSet<(TicketKey, String)>,
    /// What people said and made private later.
    pub hidden: BTreeSet<String>,
    /// Whether people have stopped for good.
    pub calm: bool,
    pub trace: Vec<String>,
}

fn fold(tag: &str) -> String {
    tag.to_lowercase().replace(' ', "_")
}

fn random_fields(rng: &mut ChaCha8Rng) -> Fields {
    Fields::from([
        (Field::Subject, Value::subject(&format!("start {}", rng.random_range(0..1_000)))),
        (Field::Status, Value::Status(Status::ALL[rng.random_range(0..6)])),
        (Field::Priority, Value::Priority(Some(Priority::ALL[rng.random_range(0..4)]))),
        (Field::Tags, Value::Tags(BTreeSet::from(["Seed One".to_owned(), "seed2".to_owned()]))),
    ])
}

impl World {
    pub fn new(mut rng: ChaCha8Rng, extras: bool) -> Self {
        let mut extra = extras.then(|| rng.clone());
        if let Some(extra) = &mut extra {
            extra.set_stream(1);
        }
        let names: &[&str] = if rng.random_bool(0.5) { &["a", "b"] } else { &["a", "b", "c"] };
        let mut policy = policy(names);
        for account in policy.accounts.values_mut() {
            account.conditional_writes = rng.random_bool(0.5);
        }
        policy.private_notes = rng.random_bool(0.7);
        let ids = names.iter().map(|name| ((*name).into(), "5".into()));
        policy.agents.insert("bo@example.org".to_owned(), ids.collect());
        if rng.random_bool(0.3) {
            let chosen = names[rng.random_range(0..names.len())];
            policy.fields.values_mut().for_each(|rule| rule.conflict = ConflictRule::Account(chosen.into()));
        }
        if let Some(extra) = &mut extra {
            widen(&mut policy, extra);
        }
        let fields = random_fields(&mut rng);
        let first = view_of("a", 1_000, fields.clone());
        let link = start_link(policy.group.clone(), &first, &policy);
        let mut world = Self {
            rng,
            extra,
            now: 1_000_000,
            desks: BTreeMap::new(),
            link,
            policy,
            unsettled: Vec::new(),
            queues: BTreeMap::new(),
            dirty: BTreeSet::new(),
            again: false,
            counter: 0,
            writes: 0,
            registers: BTreeMap::new(),
            tags: BTreeMap::new(),
            said: BTreeMap::new(),
            given_up: BTreeSet::new(),
            briefed: BTreeSet::new(),
            hidden: BTreeSet::new(),
            calm: false,
            trace: Vec::new(),
        };
        world.open_desk(&ticket("a"), fields.clone(), 1_000);
        for name in &names[1..] {
            world.join_or_route(name, &fields);
        }
        for tag in ["seed_one", "seed2"] {
            world.tags.insert(tag.to_owned(), Some(true));
        }
        world
    }

    /// Another account gets a mirror, or has a ticket already that is joined.
    fn join_or_route(&mut self, name: &str, fields: &Fields) {
        match self.rng.random_range(0..3) {
            0 => self.policy.routes.push(Route {
                from: "a".into(),
                to: name.into(),
                with_tags: BTreeSet::new(),
                when: Filter::default(),
            }),
            joined => {
                let fields = if joined == 1 { fields.clone() } else { random_fields(&mut self.rng) };
                let key = ticket(name);
                self.open_desk(&key, Vendors.normalize(&key.account, &fields), 2_000);
                self.link = add_side(&self.link, &key, &self.policy);
                for field in Field::SYNCED {
                    self.registers.entry(field).or_default().contested = true;
                }
            }
        }
        self.dirty.insert(ticket("a"));
    }

    fn open_desk(&mut self, key: &TicketKey, fields: Fields, version: i64) {
        let desk = Desk {
            fields,
            comments: Vec::new(),
            version,
            next_comment: 1,
            counts: self.rng.random_bool(0.5),
            answers: self.rng.random_bool(0.7),
            coarse: self.rng.random_bool(0.3),
            pages: Vec::new(),
            unread: BTreeSet::new(),
            unread_tags: BTreeSet::new(),
            closed: false,
        };
        self.desks.insert(key.clone(), desk);
        self.dirty.insert(key.clone());
    }

    fn next(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }

    fn pick_desk(&mut self) -> TicketKey {
        let at = self.rng.random_range(0..self.desks.len());
        self.desks.keys().nth(at).cloned().expect("a desk")
    }

    /// A ticket as its helpdesk shows it this moment.
    pub fn fresh(&self, key: &TicketKey, list: bool) -> Observed {
        let desk = &self.desks[key];
        let mut view = view_of(key.account.as_str(), desk.version, desk.fields.clone());
        view.read_at = Timestamp(self.now);
        view.comment_count = desk.counts.then_some(desk.comments.len() as u64);
        if list {
            view.comments = CommentsSeen::All(desk.comments.clone());
        }
        view
    }

    fn changed(&mut self, key: &TicketKey) {
        self.now += 1;
        let now = self.now;
        self.desks.get_mut(key).expect("a desk").touch(now);
        let mut page = self.fresh(key, false);
        page.read_by = ReadBy::Feed;
        self.desks.get_mut(key).expect("a desk").pages.push(page);
        self.dirty.insert(key.clone());
    }

    // People.

    pub fn human(&mut self) {
        let key = self.pick_desk();
        if self.desks[&key].closed || self.act_extra(&key) {
            return;
        }
        match self.rng.random_range(0..6) {
            0 | 1 => self.edit(&key),
            2 => self.add_tag(&key),
            3 => self.remove_tag(&key),
            _ => self.say(&key),
        }
    }

    fn edit(&mut self, key: &TicketKey) {
        let (field, value) = match self.rng.random_range(0..3) {
            0 => (Field::Subject, Value::subject(&format!("subject {}", self.next()))),
            1 => (Field::Status, Value::Status(Status::ALL[self.rng.random_range(0..6)])),
            _ => (Field::Priority, Value::Priority(Some(Priority::ALL[self.rng.random_range(0..4)]))),
        };
        self.set(key, field, value);
    }

    fn set(&mut self, key: &TicketKey, field: Field, value: Value) {
        let shown = Vendors.normalize(&key.account, &Fields::from([(field, value)]));
        let value = shown[&field].clone();
        if self.desks[key].fields.get(&field) == Some(&value) {
            return;
        }
        let is_quiet = self.is_quiet(field);
        let register = self.registers.entry(field).or_default();
        if is_quiet {
            *register = Register::default();
        }
        register.editors.insert(key.clone());
        register.contested |= register.editors.len() > 1;
        register.last = Some(value.clone());
        self.trace.push(format!("{} {key}: a person sets {field} {value}", self.now));
        let desk = self.desks.get_mut(key).expect("a desk");
        desk.fields.insert(field, value);
        desk.unread.insert(field);
        self.changed(key);
    }

    /// Whether all sides show the base of a field, and nothing is on its way.
    fn is_quiet(&self, field: Field) -> bool {
        let Some(base) = self.link.base.get(&field) else { return false };
        let is_under_way = |intent: &Intent| match intent {
            Intent::Create(_) => true,
            Intent::Update(update) => update.set.contains_key(&field),
            Intent::EditNote(_) | Intent::Amend(_) | Intent::Delete(_) => false,
        };
        let queued = self.queues.values().flatten().any(is_under_way);
        let sent = self.unsettled.iter().any(|sent| is_under_way(&sent.intent));
        !queued
            && !sent
            && self.desks.iter().all(|(key, desk)| {
                let wanted = Vendors.normalize(&key.account, &Fields::from([(field, base.clone())]));
                self.link.sides.get(key).is_some_and(|side| {
                    !side.behind.contains(&field)
                        && !side.in_flight.contains_key(&field)
                        && side.shadow.get(&field) == desk.fields.get(&field)
                        && wanted.get(&field) == desk.fields.get(&field)
                })
            })
    }

    fn tags_at(&mut self, key: &TicketKey) -> &mut BTreeSet<String> {
        let desk = self.desks.get_mut(key).expect("a desk");
        let entry = desk.fields.entry(Field::Tags).or_insert_with(|| Value::Tags(BTreeSet::new()));
        match entry {
            Value::Tags(tags) => tags,
            other => panic!("{other:?} as tags"),
        }
    }

    fn add_tag(&mut self, key: &TicketKey) {
        let number = self.next();
        let tag = if key.account.as_str() == "b" { format!("tag_{number}") } else { format!("Tag {number}") };
        self.tags.insert(fold(&tag), Some(true));
        self.trace.push(format!("{} {key}: a person adds the tag {tag}", self.now));
        self.desks.get_mut(key).expect("a desk").unread_tags.insert(fold(&tag));
        self.tags_at(key).insert(tag);
        self.changed(key);
    }

    fn remove_tag(&mut self, key: &TicketKey) {
        let is_quiet = self.is_quiet(Field::Tags);
        let tags: Vec<_> = self.tags_at(key).iter().cloned().collect();
        if tags.is_empty() {
            return;
        }
        let tag = tags[self.rng.random_range(0..tags.len())].clone();
        self.tags_at(key).remove(&tag);
        self.tags.insert(fold(&tag), is_quiet.then_some(false));
        self.trace.push(format!("{} {key}: a person removes the tag {tag}", self.now));
        self.desks.get_mut(key).expect("a desk").unread_tags.insert(fold(&tag));
        self.changed(key);
    }

    fn say(&mut self, key: &TicketKey) {
        let public = self.rng.random_bool(0.7);
        let text = format!("comment {}", self.next());
        self.said.entry(key.clone()).or_default().push((text.clone(), public));
        self.trace.push(format!("{} {key}: a person says {text}, public {public}", self.now));
        let author = Person { role: Role::Agent, ..Person::customer("Bo", "bo@example.org") };
        let files = self.files();
        self.put_comment(key, &text, public, author, files);
        self.changed(key);
    }

    fn put_comment(
        &mut self,
        key: &TicketKey,
        text: &str,
        public: bool,
        author: Person,
        attachments: Vec<Attachment>,
    ) -> RemoteId {
        let at = Timestamp(self.now);
        let desk = self.desks.get_mut(key).expect("a desk");
        let id = RemoteId::from(desk.next_comment);
        desk.next_comment += 1;
        let body = Body::inline(text);
        desk.comments.push(if public {
            let text = PublicText::shown_publicly(body);
            Comment::Public(PublicComment {
                id: id.clone(),
                author,
                text,
                at,
                mailed: true,
                attachments,
                redacted: false,
            })
        } else {
            Comment::Private(PrivateComment {
                id: id.clone(),
                author,
                text: PrivateText::new(body),
                at,
                attachments,
                redacted: false,
            })
        });
        id
    }

    // The engine.

    /// A trigger: some tickets are looked at, some by an old page.
    pub fn look(&mut self) {
        let mut views = BTreeMap::new();
        for key in self.desks.keys().cloned().collect::<Vec<_>>() {
            let view = match self.rng.random_range(0..4) {
                0 => self.page(&key),
                1 => Some(self.fetch(&key, false)),
                2 => Some(self.fetch(&key, true)),
                _ => None,
            };
            views.extend(view.map(|view| (key, view)));
        }
        self.reconcile(views);
    }

    fn page(&mut self, key: &TicketKey) -> Option<Observed> {
        let pages = self.desks[key].pages.len();
        (pages > 0).then(|| self.desks[key].pages[self.rng.random_range(0..pages)].clone())
    }

    fn fetch(&mut self, key: &TicketKey, list: bool) -> Observed {
        self.now += 1;
        // A ticket that is no side yet stays to be looked at.
        if self.link.sides.contains_key(key) {
            self.dirty.remove(key);
            let desk = self.desks.get_mut(key).expect("a desk");
            desk.unread.clear();
            desk.unread_tags.clear();
        }
        self.fresh(key, list)
    }

    pub fn look_at_dirty(&mut self) {
        let mut views = BTreeMap::new();
        for key in self.dirty.clone() {
            let view = self.fetch(&key, false);
            views.insert(key, view);
        }
        self.again = false;
        self.reconcile(views);
    }

    /// Reconciles, reads what the plan asks for, and reconciles again.
    fn reconcile(&mut self, mut views: BTreeMap<TicketKey, Observed>) {
        for _ in 0..6 {
            let shown: Vec<_> = views.values().map(show_view).collect();
            self.trace.push(format!("{} reconcile {}", self.now, shown.join(" | ")));
            let plan = reconcile(&self.link, &views, &self.policy, &Vendors, Timestamp(self.now));
            self.trace.extend(plan.decisions.iter().map(|one| format!("    {}", show_decision(one))));
            self.link = plan.link;
            for intent in plan.intents {
                self.trace.push(format!("    plans {intent:?}"));
                if let Intent::Amend(amend) = &intent {
                    let word = if matches!(amend.change, Amendment::Hide(_)) { "hides" } else { "rewrites" };
                    self.trace.push(format!("    {} {word} {}", amend.at, amend.comment));
                }
                let at = TicketKey::new(intent.account().clone(), "1");
                self.queues.entry(at).or_default().push_back(intent);
            }
            self.again |= plan.requeue_after.is_some();
            if plan.must_read_first.is_empty() && plan.look_at_comments.is_empty() {
                return;
            }
            if self.rng.random_bool(0.2) && !self.calm {
                self.human();
            }
            for key in plan.must_read_first.union(&plan.look_at_comments) {
                let list = plan.look_at_comments.contains(key)
                    || views.get(key).is_some_and(|view| matches!(view.comments, CommentsSeen::All(_)));
                let view = self.fetch(key, list);
                views.insert(key.clone(), view);
            }
        }
        self.again = true;
    }

    pub fn is_at_rest(&self) -> bool {
        self.dirty.is_empty() && !self.again && self.unsettled.is_empty() && !self.has_sendable()
    }

    pub fn has_sendable(&self) -> bool {
        self.queues.iter().any(|(key, queue)| !queue.is_empty() && !self.is_waiting(key))
    }

    /// Writes to one ticket are sent one after the other.
    fn is_waiting(&self, key: &TicketKey) -> bool {
        self.unsettled.iter().any(|sent| *sent.intent.account() == key.account)
    }

    pub fn send_one(&mut self, may_fail: bool) {
        let free: Vec<_> = self
            .queues
            .iter()
            .filter(|(key, queue)| !queue.is_empty() && !self.is_waiting(key))
            .map(|(key, _)| key.clone())
            .collect();
        if free.is_empty() {
            return;
        }
        let key = free[self.rng.random_range(0..free.len())].clone();
        let Some(intent) = self.queues.get_mut(&key).and_then(VecDeque::pop_front) else { return };
        let outcome = self.deliver(&key, &intent, may_fail);
        self.trace.push(format!("{} {key}: {} -> {outcome:?}", self.now, intent.key()));
        self.unsettled.push(Sent { intent, outcome });
        if self.rng.random_bool(0.6) {
            let last = self.unsettled.len() - 1;
            self.settle_at(last);
        }
    }

    fn deliver(&mut self, key: &TicketKey, intent: &Intent, may_fail: bool) -> Outcome {
        if self.desks.get(key).is_some_and(|desk| desk.closed) && !matches!(intent, Intent::Create(_)) {
            return Outcome::Closed;
        }
        let luck = if may_fail { self.rng.random_range(0..100) } else { 100 };
        if luck < 10 {
            return Outcome::NotApplied;
        }
        if luck < 13 {
            self.give_up(key, intent);
            return Outcome::Lost;
        }
        if luck < 14 && matches!(intent, Intent::Update(_)) {
            self.give_up(key, intent);
            return Outcome::Refused("no".to_owned());
        }
        let Some(applied) = self.land(key, intent) else {
            self.trace.push("    stale".to_owned());
            return Outcome::NotApplied;
        };
        // An answer that never came; `Applied` may also be one that was looked up.
        if luck < 18 && matches!(intent, Intent::Update(_)) {
            self.give_up(key, intent);
            return Outcome::Lost;
        }
        Outcome::Applied(Box::new(applied))
    }

    fn give_up(&mut self, key: &TicketKey, intent: &Intent) {
        if let Intent::Update(Update { message: Some(message), .. }) = intent {
            let text = plain(message.body().text().expect("text")).to_owned();
            self.given_up.insert((key.clone(), text));
        }
    }

    /// The write happens at the helpdesk; `None` when its condition does not hold.
    fn land(&mut self, key: &TicketKey, intent: &Intent) -> Option<Applied> {
        self.writes += 1;
        let comment = match intent {
            Intent::Create(create) => {
                assert!(!self.desks.contains_key(key), "a mirror made twice");
                let version = self.now;
                self.open_desk(key, create.ticket.fields.clone(), version);
                let opening = create.ticket.opening.clone().map(Message::Public);
                opening.map(|message| self.put_message(key, &message))
            }
            Intent::Update(update) => {
                let desk = &self.desks[key];
                if update.if_version.is_some_and(|version| version.0 != desk.version) {
                    return None;
                }
                // A condition that holds says that nothing there is unknown.
                let is_blind = update.if_version.is_none() || desk.coarse;
                self.overwrite(key, &update.set, is_blind);
                update.message.as_ref().map(|message| self.put_message(key, message))
            }
            Intent::Amend(amend) => self.amend(key, amend)?,
            Intent::EditNote(_) | Intent::Delete(_) => None,
        };
        self.changed(key);
        let desk = &self.desks[key];
        let mut shown = self.fresh(key, false);
        shown.read_by = ReadBy::Answer;
        let version = desk.answers.then_some(Version(desk.version));
        Some(Applied {
            ticket: key.clone(),
            version,
            shown: desk.answers.then_some(shown),
            comment,
            written_at: None,
            imported: Vec::new(),
            unset: None,
        })
    }

    fn put_message(&mut self, key: &TicketKey, message: &Message) -> RemoteId {
        let text = message.body().text().expect("text").to_owned();
        let author = Person { role: Role::Agent, ..Person::customer("Us", "us@example.org") };
        let files = message.attachments().iter().map(|one| one.attachment.clone()).collect();
        self.put_comment(key, &text, matches!(message, Message::Public(_)), author, files)
    }

    /// Fields are set, over whatever a person did since we last looked.
    fn overwrite(&mut self, key: &TicketKey, set: &Fields, is_blind: bool) {
        let shown = Vendors.normalize(&key.account, set);
        let desk = self.desks.get_mut(key).expect("a desk");
        for field in set.keys().filter(|field| is_blind && desk.unread.contains(field)) {
            self.registers.entry(*field).or_default().contested = true;
        }
        if is_blind && set.contains_key(&Field::Tags) {
            for tag in std::mem::take(&mut desk.unread_tags) {
                self.tags.insert(tag, None);
            }
        }
        desk.fields.extend(shown);
    }

    pub fn settle_one(&mut self) {
        if !self.unsettled.is_empty() {
            let at = self.rng.random_range(0..self.unsettled.len());
            self.settle_at(at);
        }
    }

    fn settle_at(&mut self, at: usize) {
        let sent = self.unsettled.remove(at);
        self.trace.push(format!("{} settles {} {:?}", self.now, sent.intent.key(), sent.outcome));
        let settled = settle(&self.link, &sent.intent, &sent.outcome, &self.policy, &Vendors);
        settle_is_idempotent(&settled.link, &sent, self);
        self.trace.extend(settled.decisions.iter().map(|one| format!("    {}", show_decision(one))));
        self.link = settled.link;
        for key in settled.withdraw {
            self.withdraw(&key);
        }
        let mut views: BTreeMap<_, _> = BTreeMap::new();
        if let Outcome::Applied(applied) = sent.outcome {
            views.extend(applied.shown.map(|view| (view.ticket.clone(), view)));
        }
        for key in settled.read_again {
            let view = self.fetch(&key, false);
            views.insert(key, view);
        }
        self.reconcile(views);
    }

    fn withdraw(&mut self, key: &OpKey) {
        for queue in self.queues.values_mut() {
            if let Some(at) = queue.iter().position(|intent| intent.key() == key) {
                let intent = queue.remove(at).expect("an intent");
                let out = Outcome::NotApplied;
                self.link = settle(&self.link, &intent, &out, &self.policy, &Vendors).link;
            }
        }
    }

    /// A briefing leaves for a ticket, beside the plans.
    pub fn brief(&mut self) {
        let key = self.pick_desk();
        if self.link.sides.get(&key).is_none_or(|side| side.standing != Standing::Live) {
            return;
        }
        let op = OpKey::from(format!("h{}-0", self.next()).as_str());
        let text = format!("briefing {op}");
        self.briefed.insert((key.clone(), text.clone()));
        let note = PrivateMessage {
            author: None,
            text: PrivateText::new(Body::inline(&text)),
            attachments: Vec::new(),
        };
        let message = Some(Message::Private(note));
        let update = Update { at: key.clone(), set: Fields::new(), message, if_version: None, key: op };
        self.link = note_leaves(&self.link, &update, Timestamp(self.now));
        self.trace.push(format!("{} {key}: a briefing leaves, {text}", self.now));
        self.queues.entry(key).or_default().push_front(Intent::Update(update));
    }
}

fn show_view(view: &Observed) -> String {
    let fields: Vec<_> = view.fields.iter().map(|(field, value)| format!("{field}={value}")).collect();
    let comments = match &view.comments {
        CommentsSeen::NotLooked => format!("{:?}", view.comment_count),
        CommentsSeen::All(comments) => {
            comments.iter().filter_map(|one| one.body().text()).collect::<Vec<_>>().join(", ")
        }
    };
    format!("{}@{} {:?} {} [{comments}]", view.ticket, view.version.0, view.read_by, fields.join(" "))
}
