//! What an Intercom workspace holds.

use std::collections::{BTreeMap, BTreeSet};

use handoffd_core::{RemoteId, Timestamp};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{
    Options,
    catalog::{self, DataAttribute, TicketState, TicketType},
    files::File,
    hooks::Hooks,
};
use crate::sim::{MailSent, SimSetup};

/// A teammate, or the AI agent.
#[derive(Clone, Debug)]
pub(super) struct Admin {
    pub id: i64,
    /// The first name by which people act; `None` for the AI agent.
    pub first_name: Option<String>,
    pub name: String,
    pub email: String,
    pub team: i64,
    /// Whether it is the AI agent, whose messages have an author of type `bot`.
    pub is_bot: bool,
}

/// A team of admins.
#[derive(Clone, Debug)]
pub(super) struct Team {
    pub id: i64,
    pub name: &'static str,
}

/// A customer.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Contact {
    pub id: String,
    /// `user` or `lead`.
    pub role: String,
    pub email: Option<String>,
    pub external_id: Option<String>,
    pub name: Option<String>,
    pub phone: Option<String>,
    pub custom: BTreeMap<String, Value>,
    pub tags: Vec<i64>,
    pub archived: bool,
    pub unsubscribed: bool,
    pub created_at: i64,
    pub updated_at: i64,
    pub last_replied_at: Option<i64>,
    pub last_contacted_at: Option<i64>,
}

/// Who wrote something.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Author {
    /// An admin, or the AI agent.
    Admin(i64),
    Contact(String),
}

/// The state of a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Open,
    Closed,
    Snoozed,
}

impl State {
    pub fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closed => "closed",
            Self::Snoozed => "snoozed",
        }
    }
}

/// The first message, which is no part.
#[derive(Clone, Debug)]
pub(super) struct Source {
    /// `email` or `conversation`.
    pub kind: &'static str,
    pub id: i64,
    pub delivered_as: &'static str,
    /// HTML; empty without one.
    pub subject: String,
    /// HTML.
    pub body: String,
    pub author: Author,
    pub files: Vec<i64>,
    pub redacted: bool,
}

/// What a part says beside its body.
#[derive(Clone, Debug, Default)]
pub(super) enum Detail {
    #[default]
    None,
    /// Given to an admin or a team; to nobody without an id.
    Assigned { kind: &'static str, id: Option<i64> },
    /// The ticket's state by category, before and after.
    TicketState { from: &'static str, to: &'static str },
    /// An attribute of the ticket: its id, its name, its value.
    Attribute { id: i64, name: String, value: Value },
    /// An attribute of the conversation: its name and its value.
    ConversationAttribute { name: String, value: Value },
    /// Choices for the customer.
    QuickReplies(Vec<Value>),
}

/// A part of a conversation or ticket.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub id: i64,
    pub kind: &'static str,
    /// HTML.
    pub body: Option<String>,
    pub author: Author,
    pub created_at: i64,
    pub updated_at: i64,
    pub files: Vec<i64>,
    pub redacted: bool,
    /// The conversation's state when it was made.
    pub state: State,
    /// Tags that were put on the conversation at this part.
    pub tags: Vec<i64>,
    /// Whether it was made through the API.
    pub by_app: bool,
    pub detail: Detail,
}

impl Part {
    /// Whether it is a message that the customer can read.
    pub fn is_public(&self) -> bool {
        self.body.is_some() && self.kind != "note"
    }
}

/// A tag on a conversation.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tagged {
    pub tag: i64,
    pub at: i64,
    pub by: i64,
}

/// A customer's verdict.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Rating {
    /// 1 to 5.
    pub rating: u8,
    pub remark: String,
    pub contact: String,
    pub teammate: Option<i64>,
    pub at: i64,
}

/// Counts and times.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Stats {
    pub parts: i64,
    pub assignments: i64,
    pub reopens: i64,
    pub first_contact_reply_at: Option<i64>,
    pub last_contact_reply_at: Option<i64>,
    pub first_admin_reply_at: Option<i64>,
    pub last_admin_reply_at: Option<i64>,
    pub first_assignment_at: Option<i64>,
    pub last_assignment_at: Option<i64>,
    pub first_close_at: Option<i64>,
    pub last_close_at: Option<i64>,
    pub last_closed_by: Option<i64>,
}

/// What makes a ticket of a conversation.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Card {
    /// The number that people see, which the API takes nowhere.
    pub number: i64,
    pub type_id: i64,
    pub state_id: i64,
    /// By name.
    pub attributes: BTreeMap<String, Value>,
    pub shared: bool,
}

/// All that lists and the search index show.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Head {
    pub title: Option<String>,
    pub state: State,
    pub read: bool,
    pub priority: bool,
    pub waiting_since: Option<i64>,
    pub snoozed_until: Option<i64>,
    pub admin: Option<i64>,
    pub team: Option<i64>,
    pub contacts: Vec<String>,
    pub tags: Vec<Tagged>,
    pub custom: BTreeMap<String, Value>,
    pub teammates: BTreeSet<i64>,
    pub linked: BTreeSet<i64>,
    pub stats: Stats,
    pub rating: Option<Rating>,
    pub ai_participated: bool,
    pub updated_at: i64,
    pub card: Option<Card>,
}

/// A conversation, a ticket, or a conversation that became a ticket and is both.
#[derive(Clone, Debug)]
pub(super) struct Thread {
    pub id: i64,
    pub is_conversation: bool,
    pub source: Source,
    pub created_at: i64,
    pub head: Head,
    pub parts: Vec<Part>,
    pub deleted: bool,
    /// What the search index has seen, oldest first; `None` for a deletion.
    pub indexed: Vec<(i64, Option<Head>)>,
}

impl Thread {
    /// The state that the search index knows.
    pub fn indexed(&self, now: i64, lag: i64) -> Option<&Head> {
        let seen = self.indexed.iter().rev().find(|(at, _)| now.saturating_sub(*at) >= lag);
        seen.and_then(|(_, head)| head.as_ref())
    }
}

/// A ticket that is made later.
pub(super) struct Job {
    pub due: i64,
    pub ticket: Option<i64>,
    pub call: Option<super::http::Call>,
    pub failed: bool,
}

/// The workspace.
pub(super) struct World {
    pub seed: u64,
    pub options: Options,
    /// The code of the workspace, which is also the `app_id` of notifications.
    pub app: String,
    /// What `app_package_code` says of our own parts.
    pub package: String,
    pub token: String,
    pub tokens_made: u32,
    pub client_secret: String,
    pub admins: BTreeMap<i64, Admin>,
    pub teams: Vec<Team>,
    pub contacts: BTreeMap<String, Contact>,
    pub tags: BTreeMap<i64, String>,
    pub threads: BTreeMap<i64, Thread>,
    pub files: BTreeMap<i64, File>,
    pub attributes: Vec<DataAttribute>,
    pub ticket_types: BTreeMap<i64, TicketType>,
    pub ticket_states: Vec<TicketState>,
    pub jobs: BTreeMap<i64, Job>,
    /// The admin whose token the API uses.
    pub me: i64,
    pub bot: i64,
    pub support: i64,
    pub ai_agents: i64,
    pub mails: Vec<MailSent>,
    pub hooks: Hooks,
    pub started_at: i64,
    /// The last moment that this world heard of.
    pub now: Timestamp,
    /// When the next thing happens by itself: a snooze ends, a job is done.
    pub wake_at: i64,
    pub ids: Ids,
}

/// The next number of everything.
#[derive(Clone, Debug)]
pub(super) struct Ids {
    pub thread: i64,
    pub part: i64,
    pub message: i64,
    pub contact: u64,
    pub tag: i64,
    pub admin: i64,
    pub ticket_number: i64,
    pub attribute: i64,
    pub file: i64,
    pub job: i64,
    pub notification: u64,
}

impl Ids {
    fn of(seed: u64) -> Self {
        let spread = i64::try_from(seed % 97).unwrap_or(0);
        Self {
            thread: 215_472_000_000_101 + spread * 1_000_003,
            part: 28_300_000_001 + spread * 10_007,
            message: 403_918_000 + spread * 1_009,
            contact: 1,
            tag: 7_522_900 + spread,
            admin: 991_267_400 + spread * 100,
            ticket_number: 100 + spread,
            attribute: 12_800 + spread,
            file: 1_190_000_001 + spread,
            job: 20 + spread,
            notification: 1,
        }
    }
}

/// Gives a number and moves to the next.
pub(super) fn next(number: &mut i64) -> i64 {
    let given = *number;
    *number += 1;
    given
}

impl World {
    /// A fresh workspace: two teams, the AI agent, the integration's admin and one more.
    pub fn new(setup: &SimSetup, options: Options) -> Self {
        let seed = setup.seed;
        let spread = i64::try_from(seed % 97).unwrap_or(0);
        let app = secret(seed, "app", 8).to_lowercase();
        let mut ids = Ids::of(seed);
        let started_at = setup.now.as_secs();
        let (support, ai_agents) = (5_017_600 + spread * 10, 5_017_601 + spread * 10);
        let mut world = Self {
            seed,
            options,
            hooks: Hooks::new(&app, options.double_every),
            package: format!("handoffd-{}", &app[..4]),
            token: token(seed, 0),
            tokens_made: 0,
            client_secret: secret(seed, "client secret", 36).to_lowercase(),
            admins: BTreeMap::new(),
            teams: vec![Team { id: support, name: "Support" }, Team { id: ai_agents, name: "AI Agents" }],
            contacts: BTreeMap::new(),
            tags: BTreeMap::new(),
            threads: BTreeMap::new(),
            files: BTreeMap::new(),
            attributes: catalog::attributes(&options, &mut ids, started_at),
            ticket_types: catalog::ticket_types(&options, &mut ids, started_at),
            ticket_states: catalog::ticket_states(),
            jobs: BTreeMap::new(),
            me: 0,
            bot: 0,
            support,
            ai_agents,
            mails: Vec::new(),
            started_at,
            now: setup.now,
            wake_at: i64::MAX,
            ids,
            app,
        };
        world.me = world.add_admin(Some("handoffd"), "handoffd", support, false);
        world.bot = world.add_admin(None, "AI Agent", ai_agents, true);
        world
    }

    fn add_admin(&mut self, first: Option<&str>, name: &str, team: i64, is_bot: bool) -> i64 {
        let id = next(&mut self.ids.admin);
        let mailbox: String = name.to_lowercase().chars().filter(char::is_ascii_alphanumeric).collect();
        let email = format!("{mailbox}.{}@admins.intercom.example", id % 1_000);
        let first_name = first.map(str::to_owned);
        self.admins.insert(id, Admin { id, first_name, name: name.to_owned(), email, team, is_bot });
        id
    }

    /// The admin of this first name, hired now if nobody has it.
    pub fn hire(&mut self, first: &str) -> i64 {
        let known = self.admins.values().find(|admin| admin.first_name.as_deref() == Some(first));
        if let Some(admin) = known {
            return admin.id;
        }
        let support = self.support;
        self.add_admin(Some(first), first, support, false)
    }

    /// The team of this id.
    pub fn team(&self, id: i64) -> Option<&Team> {
        self.teams.iter().find(|team| team.id == id)
    }

    /// The id by which everybody else knows a thread: tickets have those of conversations with a
    /// `t` before them, because one number may be both.
    pub fn named(&self, id: i64) -> RemoteId {
        let is_ticket = self.threads.get(&id).is_some_and(|thread| !thread.is_conversation);
        RemoteId::new(if is_ticket { format!("t{id}") } else { id.to_string() })
    }

    /// A contact that is not archived.
    pub fn live_contact(&self, id: &str) -> Option<&Contact> {
        self.contacts.get(id).filter(|contact| !contact.archived)
    }

    /// Whoever of the contacts has this address, in any case: users before leads.
    pub fn contact_by_email(&self, email: &str) -> Option<&Contact> {
        let same = |contact: &&Contact| {
            !contact.archived && contact.email.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(email))
        };
        let users = || self.contacts.values().filter(|contact| contact.role == "user");
        users().find(same).or_else(|| self.contacts.values().find(same))
    }

    /// Whoever of the contacts has this id of the account's own.
    pub fn contact_by_external(&self, external: &str) -> Option<&Contact> {
        self.contacts
            .values()
            .find(|contact| !contact.archived && contact.external_id.as_deref() == Some(external))
    }

    /// Adds a contact under the next id.
    pub fn add_contact(&mut self, contact: Contact, now: i64) -> String {
        // As the vendor's: seconds, then numbers, in hex.
        let id = format!("{:08x}1bb69f9f{:08x}", now.rem_euclid(1 << 32), self.ids.contact + 0xb3a0);
        self.ids.contact += 1;
        self.contacts
            .insert(id.clone(), Contact { id: id.clone(), created_at: now, updated_at: now, ..contact });
        id
    }

    /// Finds or makes the contact of this address.
    pub fn contact_for(&mut self, email: &str, name: Option<&str>, role: &str, now: i64) -> String {
        if let Some(contact) = self.contact_by_email(email) {
            return contact.id.clone();
        }
        let (name, email) = (name.map(str::to_owned), Some(email.to_lowercase()));
        self.add_contact(Contact { name, email, role: role.to_owned(), ..Contact::default() }, now)
    }

    /// A thread that is not deleted.
    pub fn live(&self, id: i64) -> Option<&Thread> {
        self.threads.get(&id).filter(|thread| !thread.deleted)
    }

    /// A thread that conversations' paths answer for.
    pub fn conversation(&self, id: i64) -> Option<&Thread> {
        self.live(id).filter(|thread| thread.is_conversation)
    }

    /// A thread that tickets' paths answer for.
    pub fn ticket(&self, id: i64) -> Option<&Thread> {
        self.live(id).filter(|thread| thread.head.card.is_some())
    }

    /// The tag of this name, in any case; made if nobody has it.
    pub fn tag_named(&mut self, name: &str) -> i64 {
        let same = |own: &str| own.to_lowercase() == name.to_lowercase();
        if let Some((id, _)) = self.tags.iter().find(|(_, own)| same(own)) {
            return *id;
        }
        let id = next(&mut self.ids.tag);
        self.tags.insert(id, name.to_owned());
        id
    }

    /// The token is made anew: the old one is dead.
    pub fn renew_token(&mut self) {
        self.tokens_made += 1;
        self.token = token(self.seed, self.tokens_made);
    }
}

fn token(seed: u64, round: u32) -> String {
    format!("dG9rOj{}=", secret(seed, &format!("token {round}"), 50))
}

/// Letters and digits that only the seed decides.
pub(super) fn secret(seed: u64, label: &str, length: usize) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789";
    let mut out = String::new();
    let mut round = 0_u64;
    while out.len() < length {
        let digest = Sha256::digest(format!("intercom {seed} {label} {round}").as_bytes());
        out.extend(digest.iter().map(|byte| char::from(LETTERS[usize::from(*byte) % LETTERS.len()])));
        round += 1;
    }
    out.truncate(length);
    out
}

/// A UUID that only the seed decides.
pub(super) fn uuid(seed: u64, label: &str) -> String {
    let digest = hex::encode(Sha256::digest(format!("intercom uuid {seed} {label}").as_bytes()));
    format!(
        "{}-{}-4{}-8{}-{}",
        &digest[..8],
        &digest[8..12],
        &digest[13..16],
        &digest[17..20],
        &digest[20..32]
    )
}
