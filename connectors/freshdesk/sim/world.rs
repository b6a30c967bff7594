//! What a Freshdesk account holds, and the changes that both the API and people make.

use std::collections::BTreeMap;

use handoffd_core::{RemoteId, Timestamp};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{
    Options,
    companies::Company,
    fields::{self, CustomField},
    files::File,
    hooks::Hooks,
    html,
};
use crate::sim::{MailSent, SimSetup};

/// How long the search index stays behind.
const INDEX_LAG_MS: i64 = 60_000;
/// A deleted ticket stays in the trash this long.
const TRASH_MS: i64 = 30 * 24 * 3_600_000;

/// Status ids. 6 and 7 are an account's own, as a fresh account has them.
pub(super) const OPEN: i64 = 2;
pub(super) const PENDING: i64 = 3;
pub(super) const RESOLVED: i64 = 4;
pub(super) const CLOSED: i64 = 5;
pub(super) const WAITING_ON_CUSTOMER: i64 = 6;
pub(super) const WAITING_ON_THIRD_PARTY: i64 = 7;

/// A status of the account.
#[derive(Clone, Debug)]
pub(super) struct Status {
    pub id: i64,
    /// The agents' word.
    pub label: String,
    /// The customers' word.
    pub customers: String,
    /// What people mean by it. The vendor itself does not say.
    pub means: handoffd_core::Status,
}

/// What a customer thought of the help they got.
#[derive(Clone, Debug)]
pub(super) struct Rated {
    pub id: i64,
    pub ticket: i64,
    /// 103 to 101, 100, -101 to -103.
    pub answer: i64,
    pub feedback: Option<String>,
    pub at: Timestamp,
}

/// A customer.
#[derive(Clone, Debug, Default)]
pub(super) struct Contact {
    pub id: i64,
    pub name: String,
    pub email: Option<String>,
    pub phone: Option<String>,
    pub mobile: Option<String>,
    pub twitter_id: Option<String>,
    pub unique_external_id: Option<String>,
    pub description: Option<String>,
    pub job_title: Option<String>,
    pub address: Option<String>,
    pub language: Option<String>,
    pub time_zone: Option<String>,
    pub view_all_tickets: bool,
    pub company_id: Option<i64>,
    pub tags: Vec<String>,
    pub deleted: bool,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// An agent.
#[derive(Clone, Debug)]
pub(super) struct Agent {
    pub id: i64,
    /// The first name by which people act; `None` for the AI agent.
    pub first_name: Option<String>,
    pub name: String,
    pub email: String,
    pub group: i64,
    pub created_at: Timestamp,
}

/// A group of agents.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub id: i64,
    pub name: &'static str,
    pub description: &'static str,
    pub created_at: Timestamp,
}

/// A reply or a note.
#[derive(Clone, Debug)]
pub(super) struct Conversation {
    pub id: i64,
    pub user_id: i64,
    pub incoming: bool,
    pub private: bool,
    /// 0 reply, 2 note.
    pub source: i64,
    pub body: String,
    pub to_emails: Vec<String>,
    pub from_email: Option<String>,
    pub cc_emails: Vec<String>,
    pub bcc_emails: Vec<String>,
    /// The numbers of its files.
    pub attachments: Vec<i64>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// When things happened to a ticket.
#[derive(Clone, Debug, Default)]
pub(super) struct Stats {
    pub agent_responded_at: Option<Timestamp>,
    pub requester_responded_at: Option<Timestamp>,
    pub first_responded_at: Option<Timestamp>,
    pub status_updated_at: Option<Timestamp>,
    pub reopened_at: Option<Timestamp>,
    pub resolved_at: Option<Timestamp>,
    pub closed_at: Option<Timestamp>,
    pub pending_since: Option<Timestamp>,
}

/// What can be set on a ticket.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Fields {
    pub subject: String,
    /// Stored HTML.
    pub description: String,
    pub status: i64,
    pub priority: i64,
    pub source: i64,
    pub kind: Option<String>,
    pub requester_id: i64,
    pub responder_id: Option<i64>,
    pub group_id: Option<i64>,
    pub company_id: Option<i64>,
    pub cc_emails: Vec<String>,
    pub tags: Vec<String>,
    pub custom: BTreeMap<String, Value>,
    pub due_by: Timestamp,
    pub fr_due_by: Timestamp,
}

/// A ticket.
#[derive(Clone, Debug)]
pub(super) struct Ticket {
    pub id: i64,
    pub fields: Fields,
    pub spam: bool,
    pub deleted_at: Option<Timestamp>,
    pub stats: Stats,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub conversations: Vec<Conversation>,
    /// The numbers of its files.
    pub attachments: Vec<i64>,
    /// The ticket that it was merged into, which no answer tells.
    pub merged_into: Option<i64>,
    /// The mailbox that it was sent from, of a ticket that we began.
    pub email_config: Option<i64>,
    /// What the search index has seen, oldest first.
    pub indexed: Vec<Indexed>,
}

/// One state of a ticket as the search index keeps it.
#[derive(Clone, Debug)]
pub(super) struct Indexed {
    pub at: Timestamp,
    pub fields: Fields,
    pub updated_at: Timestamp,
}

/// A message that is about to be put on a ticket.
pub(super) struct Draft {
    pub user_id: i64,
    pub incoming: bool,
    pub private: bool,
    pub source: i64,
    pub body: String,
    pub cc_emails: Vec<String>,
    pub bcc_emails: Vec<String>,
    /// The numbers of its files.
    pub attachments: Vec<i64>,
}

/// The account.
pub(super) struct World {
    pub seed: u64,
    pub api_key: String,
    pub keys_made: u32,
    pub tickets: BTreeMap<i64, Ticket>,
    pub contacts: BTreeMap<i64, Contact>,
    pub agents: BTreeMap<i64, Agent>,
    pub groups: BTreeMap<i64, Group>,
    pub companies: BTreeMap<i64, Company>,
    pub files: BTreeMap<i64, File>,
    /// As answers list them, oldest first.
    pub time_entries: Vec<Value>,
    pub custom_fields: Vec<CustomField>,
    pub statuses: Vec<Status>,
    pub ratings: Vec<Rated>,
    /// The agent whose key the API uses.
    pub me: i64,
    pub bot: i64,
    pub support: i64,
    pub ai_agents: i64,
    /// How the account differs from the usual one.
    pub options: Options,
    pub mails: Vec<MailSent>,
    pub hooks: Hooks,
    next_ticket: i64,
    next_person: i64,
    next_conversation: i64,
}

impl World {
    /// A fresh account: two groups, the AI agent and the integration's agent.
    pub fn new(setup: &SimSetup, options: Options) -> Self {
        let spread = i64::try_from(setup.seed % 97).unwrap_or(0);
        let now = Timestamp::from_secs(setup.now.as_secs());
        let groups_from = 43_000_100_000 + spread * 100;
        let mut world = Self {
            seed: setup.seed,
            api_key: secret(setup.seed, "key 0", 20),
            keys_made: 0,
            tickets: BTreeMap::new(),
            contacts: BTreeMap::new(),
            agents: BTreeMap::new(),
            groups: BTreeMap::new(),
            companies: BTreeMap::new(),
            files: BTreeMap::new(),
            time_entries: Vec::new(),
            custom_fields: fields::custom_fields(options.marker_field),
            statuses: fields::statuses(),
            ratings: Vec::new(),
            me: 0,
            bot: 0,
            support: groups_from + 1,
            ai_agents: groups_from + 2,
            options,
            mails: Vec::new(),
            hooks: Hooks::default(),
            next_ticket: 2_001 + spread * 13,
            next_person: 43_012_000_001 + spread * 1_000,
            next_conversation: 43_098_000_001 + spread * 1_000_000,
        };
        let (support, ai_agents) = (world.support, world.ai_agents);
        for (id, name, description) in
            [(support, "Support", "People who answer"), (ai_agents, "AI Agents", "Agents that are programs")]
        {
            world.groups.insert(id, Group { id, name, description, created_at: now });
        }
        world.me = world.add_agent(Some("handoffd"), "handoffd", "handoffd", support, now);
        world.bot = world.add_agent(None, "AI Agent", "ai-agent", ai_agents, now);
        world
    }

    fn add_agent(
        &mut self,
        first: Option<&str>,
        name: &str,
        mailbox: &str,
        group: i64,
        now: Timestamp,
    ) -> i64 {
        let id = self.person_id();
        let email = format!("{mailbox}@agents.freshdesk.example");
        let first_name = first.map(str::to_owned);
        self.agents
            .insert(id, Agent { id, first_name, name: name.to_owned(), email, group, created_at: now });
        id
    }

    /// The next id of a contact or an agent, which share one row of numbers.
    pub fn person_id(&mut self) -> i64 {
        self.next_person += 1;
        self.next_person
    }

    /// The agent of this first name, hired now if nobody has it.
    pub fn hire(&mut self, first: &str, now: Timestamp) -> i64 {
        let known = self.agents.values().find(|agent| agent.first_name.as_deref() == Some(first));
        if let Some(agent) = known {
            return agent.id;
        }
        let mailbox: String =
            first.to_lowercase().chars().filter(|letter| letter.is_ascii_alphanumeric()).collect();
        let mailbox = format!("{mailbox}.{}", self.next_person % 1_000);
        let support = self.support;
        self.add_agent(Some(first), first, &mailbox, support, now)
    }

    /// The address of a contact or an agent.
    pub fn email_of(&self, person: i64) -> Option<&str> {
        match self.contacts.get(&person) {
            Some(contact) => contact.email.as_deref(),
            None => self.agents.get(&person).map(|agent| agent.email.as_str()),
        }
    }

    /// Whether the id is of a contact or an agent.
    pub fn is_person(&self, id: i64) -> bool {
        self.contacts.get(&id).is_some_and(|contact| !contact.deleted) || self.agents.contains_key(&id)
    }

    /// Who has this address, in any case.
    pub fn person_by_email(&self, email: &str) -> Option<i64> {
        let same = |other: &str| other.eq_ignore_ascii_case(email);
        let contact = self.contacts.values().find(|contact| contact.email.as_deref().is_some_and(same));
        let agent = || self.agents.values().find(|agent| same(&agent.email));
        contact.map(|contact| contact.id).or_else(|| agent().map(|agent| agent.id))
    }

    /// Finds or makes the contact of this address.
    pub fn contact_for(&mut self, email: &str, name: Option<&str>, now: Timestamp) -> i64 {
        if let Some(id) = self.person_by_email(email) {
            return id;
        }
        let name = name.map_or_else(|| email.split('@').next().unwrap_or(email).to_owned(), str::to_owned);
        let contact = Contact { name, email: Some(email.to_owned()), ..Contact::default() };
        self.add_contact(contact, now)
    }

    /// Adds a contact under the next id.
    pub fn add_contact(&mut self, contact: Contact, now: Timestamp) -> i64 {
        let id = self.person_id();
        self.contacts.insert(id, Contact { id, created_at: now, updated_at: now, ..contact });
        id
    }

    /// Adds a ticket. Nobody is mailed about it in this world.
    pub fn open(&mut self, fields: Fields, now: Timestamp) -> i64 {
        let id = self.next_ticket;
        self.next_ticket += 1;
        let mut stats = Stats { status_updated_at: Some(now), ..Stats::default() };
        note_status(&mut stats, OPEN, fields.status, now);
        let ticket = Ticket {
            id,
            fields,
            spam: false,
            deleted_at: None,
            stats,
            created_at: now,
            updated_at: now,
            conversations: Vec::new(),
            attachments: Vec::new(),
            merged_into: None,
            email_config: None,
            indexed: Vec::new(),
        };
        self.tickets.insert(id, ticket);
        self.changed(id, now);
        id
    }

    /// A ticket that is not in the trash.
    pub fn live(&self, id: i64) -> Option<&Ticket> {
        self.tickets.get(&id).filter(|ticket| ticket.deleted_at.is_none())
    }

    /// A ticket, in the trash or not; one that lay there for 30 days is gone.
    pub fn kept(&self, id: i64, now: Timestamp) -> Option<&Ticket> {
        self.tickets.get(&id).filter(|ticket| !ticket.is_gone(now))
    }

    /// Replaces a ticket's fields. Nothing happens when they are the same.
    pub fn set_fields(&mut self, id: i64, fields: Fields, now: Timestamp) {
        let Some(ticket) = self.tickets.get_mut(&id) else { return };
        if ticket.fields == fields {
            return;
        }
        note_status(&mut ticket.stats, ticket.fields.status, fields.status, now);
        ticket.fields = fields;
        self.changed(id, now);
    }

    /// Puts a message on a ticket: a customer's reopens it, an agent's reply is mailed.
    pub fn say(&mut self, id: i64, draft: Draft, now: Timestamp) -> Option<Conversation> {
        let requester = self.live(id)?.fields.requester_id;
        let to = self.email_of(requester).map(str::to_owned);
        let mailed = draft.source == 0 && !draft.incoming && !draft.private;
        let conversation_id = self.next_conversation;
        self.next_conversation += 1;
        let by_customer = draft.incoming && !draft.private;
        let conversation = Conversation {
            id: conversation_id,
            user_id: draft.user_id,
            incoming: draft.incoming,
            private: draft.private,
            source: draft.source,
            body: draft.body,
            to_emails: to.iter().filter(|_| mailed).cloned().collect(),
            from_email: mailed.then(|| "Support <support@acme.freshdesk.example>".to_owned()),
            cc_emails: draft.cc_emails,
            bcc_emails: draft.bcc_emails,
            attachments: draft.attachments,
            created_at: now,
            updated_at: now,
        };
        let ticket = self.tickets.get_mut(&id)?;
        ticket.conversations.push(conversation.clone());
        ticket.note_message(by_customer, draft.private, now);
        if let Some(to) = to.filter(|_| mailed) {
            let comment = Some(RemoteId::from(conversation_id));
            self.mails.push(MailSent { to, ticket: RemoteId::from(id), comment, at: now });
        }
        self.changed(id, now);
        Some(conversation)
    }

    /// Where a message is: its ticket, if that is not in the trash, and its place there.
    pub fn said(&self, id: i64) -> Option<(i64, usize)> {
        let live = self.tickets.values().filter(|ticket| ticket.deleted_at.is_none());
        let at = |ticket: &Ticket| ticket.conversations.iter().position(|said| said.id == id);
        live.filter_map(|ticket| Some((ticket.id, at(ticket)?))).next()
    }

    /// Writes over a message.
    pub fn rewrite(&mut self, ticket: i64, at: usize, body: String, now: Timestamp) {
        let kept = self.tickets.get_mut(&ticket).and_then(|kept| kept.conversations.get_mut(at));
        if let Some(said) = kept {
            said.body = body;
            said.updated_at = now;
            self.changed(ticket, now);
        }
    }

    /// Takes a message away, with its files.
    pub fn unsay(&mut self, ticket: i64, at: usize, now: Timestamp) {
        let Some(kept) = self.tickets.get_mut(&ticket).filter(|kept| at < kept.conversations.len()) else {
            return;
        };
        for file in kept.conversations.remove(at).attachments {
            self.files.remove(&file);
        }
        self.changed(ticket, now);
    }

    /// Mails the opening message of a ticket that we began.
    pub fn mail_opening(&mut self, id: i64, now: Timestamp) {
        let requester = self.live(id).map(|ticket| ticket.fields.requester_id);
        if let Some(to) = requester.and_then(|id| self.email_of(id)).map(str::to_owned) {
            let comment = Some(RemoteId::from("description"));
            self.mails.push(MailSent { to, ticket: RemoteId::from(id), comment, at: now });
        }
    }

    /// The ticket changed: its time moves, the index hears of it, the rule fires.
    pub fn changed(&mut self, id: i64, now: Timestamp) {
        let Some(ticket) = self.tickets.get_mut(&id) else { return };
        ticket.updated_at = now;
        let seen = Timestamp(now.0.saturating_sub(INDEX_LAG_MS));
        let old = ticket.indexed.iter().rposition(|row| row.at <= seen).unwrap_or(0);
        ticket.indexed.drain(..old);
        ticket.indexed.push(Indexed { at: now, fields: ticket.fields.clone(), updated_at: now });
        self.hooks.fire(id, now);
    }

    /// Moves a ticket to the trash or back. That is no update of the ticket, so no rule fires.
    pub fn set_deleted(&mut self, id: i64, deleted: bool, now: Timestamp) {
        if let Some(ticket) = self.tickets.get_mut(&id) {
            ticket.deleted_at = deleted.then_some(now);
            ticket.updated_at = now;
        }
    }

    /// Marks a ticket as spam, which is no update of it either.
    pub fn set_spam(&mut self, id: i64, now: Timestamp) {
        if let Some(ticket) = self.tickets.get_mut(&id) {
            ticket.spam = true;
            ticket.updated_at = now;
        }
    }

    /// Adds a custom field, empty on every ticket. Answers with its name.
    pub fn add_field(&mut self, field: CustomField) -> Result<String, &'static str> {
        if self.custom_fields.iter().any(|known| known.name == field.name) {
            return Err("It should be a unique value");
        }
        let name = field.name.clone();
        for ticket in self.tickets.values_mut() {
            ticket.fields.custom.insert(name.clone(), Value::Null);
        }
        self.custom_fields.push(field);
        Ok(name)
    }

    /// Closes tickets and goes on in another one. Each of them gets a private note about it,
    /// whose words are not verified.
    pub fn merge(&mut self, others: &[i64], into: i64, by: i64, now: Timestamp) {
        let note = |text: String| Draft {
            user_id: by,
            incoming: false,
            private: true,
            source: 2,
            body: html::from_plain(&text),
            cc_emails: Vec::new(),
            bcc_emails: Vec::new(),
            attachments: Vec::new(),
        };
        for other in others {
            self.say(*other, note(format!("This ticket is closed and merged into ticket {into}")), now);
            if let Some(fields) = self.live(*other).map(|ticket| ticket.fields.clone()) {
                self.set_fields(*other, Fields { status: CLOSED, ..fields }, now);
            }
            if let Some(ticket) = self.tickets.get_mut(other) {
                ticket.merged_into = Some(into);
            }
        }
        let listed: Vec<String> = others.iter().map(i64::to_string).collect();
        let text = format!("Tickets with id {} are merged into this ticket.", listed.join(", "));
        self.say(into, note(text), now);
    }

    /// The fields of a new ticket before anything is set.
    pub fn blank_fields(&self, requester_id: i64, now: Timestamp) -> Fields {
        Fields {
            subject: String::new(),
            description: html::from_plain(""),
            status: OPEN,
            priority: 1,
            source: 2,
            kind: None,
            requester_id,
            responder_id: None,
            group_id: None,
            company_id: None,
            cc_emails: Vec::new(),
            tags: Vec::new(),
            custom: self.custom_fields.iter().map(|field| (field.name.clone(), Value::Null)).collect(),
            due_by: now.plus(std::time::Duration::from_secs(3 * 24 * 3_600)),
            fr_due_by: now.plus(std::time::Duration::from_secs(24 * 3_600)),
        }
    }

    /// A new key for the integration's agent; the old one is dead.
    pub fn regenerate_key(&mut self) {
        self.keys_made += 1;
        self.api_key = secret(self.seed, &format!("key {}", self.keys_made), 20);
    }
}

impl Ticket {
    /// Whether the trash was emptied of it.
    pub fn is_gone(&self, now: Timestamp) -> bool {
        self.deleted_at.is_some_and(|at| now.0.saturating_sub(at.0) > TRASH_MS)
    }

    /// The state that the search index knows.
    pub fn indexed(&self, now: Timestamp) -> Option<&Indexed> {
        self.indexed.iter().rev().find(|row| now.0.saturating_sub(row.at.0) >= INDEX_LAG_MS)
    }

    fn note_message(&mut self, by_customer: bool, private: bool, now: Timestamp) {
        if by_customer {
            self.stats.requester_responded_at = Some(now);
            if matches!(self.fields.status, PENDING | RESOLVED | CLOSED) {
                note_status(&mut self.stats, self.fields.status, OPEN, now);
                self.fields.status = OPEN;
            }
        } else if !private {
            self.stats.agent_responded_at = Some(now);
            self.stats.first_responded_at.get_or_insert(now);
        }
    }
}

fn note_status(stats: &mut Stats, from: i64, to: i64, now: Timestamp) {
    if from == to {
        return;
    }
    stats.status_updated_at = Some(now);
    stats.pending_since = (to == PENDING).then_some(now);
    let answered = |status| matches!(status, RESOLVED | CLOSED);
    if answered(to) {
        stats.resolved_at.get_or_insert(now);
        stats.closed_at = if to == CLOSED { Some(now) } else { None };
    } else if answered(from) {
        stats.reopened_at = Some(now);
        stats.resolved_at = None;
        stats.closed_at = None;
    }
}

/// Letters and digits that only the seed decides.
pub(super) fn secret(seed: u64, label: &str, length: usize) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789";
    let mut out = String::new();
    let mut round = 0_u64;
    while out.len() < length {
        let digest = Sha256::digest(format!("freshdesk {seed} {label} {round}").as_bytes());
        out.extend(digest.iter().map(|byte| char::from(LETTERS[usize::from(*byte) % LETTERS.len()])));
        round += 1;
    }
    out.truncate(length);
    out
}
