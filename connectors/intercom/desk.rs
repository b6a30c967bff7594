//! One open account: asks, and reads what comes.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use handoffd_core::{
    Attachment, Comment, CommentsSeen, Fetched, Observed, Person, ReadBy, RemoteId, Role, Timestamp,
};
use serde::de::DeserializeOwned;
use serde_json::Value as Json;
use tokio::sync::OnceCell;

use super::{
    api::{plain, test},
    comments::{self, Messages},
    errors::duplicate_of,
    map::{Around, Mapping, requester_id, unnamed_requester},
    memory::Memory,
    record::Record,
    settings::{Category, RecordKind},
    states::States,
    wire,
};
use crate::{
    client::{Ask, Client, Kind, json::read_json},
    contract::{Call, Error, Result, Secret, Sink},
};

/// The most rows of a page of contacts that are asked for at once.
const CONTACTS_MAX: usize = 50;

/// The longest file that is read.
const DOWNLOAD_BYTES_MAX: u64 = 100 * 1024 * 1024;

/// One Intercom account.
pub struct Desk {
    /// Its HTTP client.
    pub client: Client,
    /// How its words are mapped.
    pub mapping: Mapping,
    /// The app's client secret, which signs its webhooks.
    pub webhook_secret: Option<Secret>,
    /// What saves requests.
    pub memory: Memory,
    /// The region that the base URL names.
    pub region: Option<&'static str>,
    me: OnceCell<Arc<wire::Me>>,
    states: OnceCell<Arc<States>>,
    ticket_type: OnceCell<Arc<wire::TicketType>>,
}

/// A record with its messages.
pub struct Whole {
    /// Which.
    pub record: Record,
    /// Its fields.
    pub observed: Observed,
    /// Its messages.
    pub messages: Messages,
    /// Ids and names of a conversation's tags; `None` of a ticket, which does not show them.
    pub tags: Option<Vec<(RemoteId, String)>>,
    /// The id of a conversation's first message.
    pub source: Option<RemoteId>,
    /// The app that made each part through the API, of the parts that say so.
    pub apps: BTreeMap<RemoteId, String>,
}

impl Desk {
    /// An account that nothing was sent to yet.
    pub fn new(
        client: Client,
        mapping: Mapping,
        webhook_secret: Option<Secret>,
        region: Option<&'static str>,
    ) -> Self {
        let memory = Memory::new(mapping.settings.search_page_rows);
        let (me, states, ticket_type) = (OnceCell::new(), OnceCell::new(), OnceCell::new());
        Self { client, mapping, webhook_secret, memory, region, me, states, ticket_type }
    }

    /// Sends a request and reads its answer.
    pub async fn ask<T: DeserializeOwned>(&self, call: Call, ask: Ask) -> Result<T> {
        let kind = ask.kind;
        let answer = self.client.send(call, ask).await?;
        read_json(&answer).map_err(|error| match kind {
            Kind::Read => error,
            Kind::Write | Kind::IdempotentWrite => unread(&error),
        })
    }

    /// Who we are; asked once.
    pub async fn me(&self, call: Call) -> Result<Arc<wire::Me>> {
        let ask = || async {
            let me: wire::Me = self.ask(call, self.mapping.get("/me")?).await?;
            match me.id.id() {
                Some(_) => Ok(Arc::new(me)),
                None => Err(Error::Malformed { what: "me: id: not a number".to_owned() }),
            }
        };
        self.me.get_or_try_init(ask).await.cloned()
    }

    /// The admin in whose name is written.
    pub async fn my_id(&self, call: Call) -> Result<RemoteId> {
        if let Some(id) = self.mapping.settings.named_admin() {
            return Ok(id);
        }
        let me = self.me(call).await?;
        me.id.id().ok_or_else(|| Error::Malformed { what: "me: id: not a number".to_owned() })
    }

    /// The states of tickets; asked once.
    pub async fn states(&self, call: Call) -> Result<Arc<States>> {
        let ask = || async {
            let listed: wire::Listed<wire::State> =
                self.ask(call, self.mapping.get("/ticket_states")?).await?;
            Ok(Arc::new(States::new(&listed.data, &self.mapping.settings)))
        };
        self.states.get_or_try_init(ask).await.cloned()
    }

    /// The type of the tickets that are made; asked once.
    pub async fn ticket_type(&self, call: Call) -> Result<Arc<wire::TicketType>> {
        let ask = || async { self.read_ticket_type(call).await.map(Arc::new) };
        self.ticket_type.get_or_try_init(ask).await.cloned()
    }

    /// The type of the tickets that are made, as it is now.
    pub async fn read_ticket_type(&self, call: Call) -> Result<wire::TicketType> {
        let id = self.mapping.settings.ticket_type_id.ok_or_else(|| Error::Refused {
            why: format!("set accounts.{}.settings.ticket_type_id", self.mapping.account),
        })?;
        self.ask(call, self.mapping.get(&format!("/ticket_types/{id}"))?).await
    }

    /// Records by id, one request each, with their messages.
    pub async fn fetch(&self, call: Call, ids: &[RemoteId]) -> Result<Vec<Fetched>> {
        let mut fetched = Vec::with_capacity(ids.len());
        for id in ids {
            fetched.push(self.fetch_one(call, id).await?);
        }
        Ok(fetched)
    }

    async fn fetch_one(&self, call: Call, id: &RemoteId) -> Result<Fetched> {
        let record = Record::read(id)?;
        if record.is_ticket() && self.is_conversation(call, &record.number).await? {
            let to = super::record::record_id(RecordKind::Conversation, &record.number);
            return Ok(Fetched::MovedTo { from: self.mapping.key(id.clone()), to: self.mapping.key(to) });
        }
        match self.whole(call, id).await {
            Ok(whole) => {
                let comments = CommentsSeen::All(whole.messages.comments);
                Ok(Fetched::Shown(Box::new(Observed { comments, ..whole.observed })))
            }
            Err(Error::Gone) => Ok(Fetched::Gone(self.mapping.key(id.clone()))),
            Err(error) => Err(error),
        }
    }

    /// Whether the ticket of this number is a conversation that became one:
    /// it keeps the conversation's id, and the conversation is what is kept in step.
    pub async fn is_conversation(&self, call: Call, number: &str) -> Result<bool> {
        if !self.mapping.settings.syncs(RecordKind::Conversation) {
            return Ok(false);
        }
        if let Some(known) = self.memory.is_conversation(number) {
            return Ok(known);
        }
        let path = format!("/conversations/{number}");
        let is = match self.client.send(call, self.mapping.get(&path)?).await {
            Ok(_) => true,
            Err(Error::Gone) => false,
            Err(error) => return Err(error),
        };
        self.memory.conversation_is(number.to_owned(), is);
        Ok(is)
    }

    /// A record with all its messages, in one request and those that its people take.
    pub async fn whole(&self, call: Call, id: &RemoteId) -> Result<Whole> {
        let record = Record::read(id)?;
        let answer = self.client.send(call, self.mapping.get(&record.path())?).await?;
        if record.is_ticket() {
            let ticket: wire::Ticket = read_json(&answer)?;
            if self.mapping.is_left_out(&ticket) {
                return Err(Error::Gone);
            }
            return self.whole_ticket(call, record, &ticket, answer.at).await;
        }
        let conversation: wire::Conversation = read_json(&answer)?;
        self.whole_conversation(call, record, &conversation, ReadBy::Fetch, answer.at).await
    }

    /// A conversation that was read.
    pub async fn whole_conversation(
        &self,
        call: Call,
        record: Record,
        conversation: &wire::Conversation,
        read_by: ReadBy,
        read_at: Timestamp,
    ) -> Result<Whole> {
        let malformed =
            |why: String| Error::Malformed { what: format!("conversation {}: {why}", record.number) };
        self.meet(call, unnamed_requester(conversation).as_slice()).await?;
        let states = States::default();
        let around = Around { read_by, read_at, people: &|id| self.memory.person(id), states: &states };
        let observed = self.mapping.conversation(conversation, &around).map_err(malformed)?;
        if observed.ticket.id.as_str() != record.number {
            return Err(malformed("id: another one".to_owned()));
        }
        let messages = comments::of_conversation(conversation).map_err(malformed)?;
        let tags = conversation.tags.iter().flat_map(|tags| &tags.tags);
        let tags = tags.filter_map(|tag| Some((tag.id.name_id()?, tag.name.text()?.trim().to_owned())));
        let whole = Whole {
            tags: Some(tags.collect()),
            source: conversation.source.id.name_id(),
            apps: apps(conversation.conversation_parts.as_ref()),
            record,
            observed,
            messages,
        };
        self.note_hidden(&whole);
        Ok(whole)
    }

    async fn whole_ticket(
        &self,
        call: Call,
        record: Record,
        ticket: &wire::Ticket,
        read_at: Timestamp,
    ) -> Result<Whole> {
        let malformed = |why: String| Error::Malformed { what: format!("ticket {}: {why}", record.number) };
        let observed = self.observed_ticket(call, ticket, ReadBy::Fetch, read_at).await?;
        if observed.ticket.id != record.id() {
            return Err(malformed("id: another one".to_owned()));
        }
        let messages = comments::of_ticket(ticket, observed.requester.as_ref()).map_err(malformed)?;
        let apps = apps(ticket.ticket_parts.as_ref());
        let whole = Whole { record, observed, messages, tags: None, source: None, apps };
        self.note_hidden(&whole);
        Ok(whole)
    }

    /// A ticket's fields.
    pub async fn observed_ticket(
        &self,
        call: Call,
        ticket: &wire::Ticket,
        read_by: ReadBy,
        read_at: Timestamp,
    ) -> Result<Observed> {
        let states = self.states(call).await?;
        self.meet(call, requester_id(&ticket.contacts).as_slice()).await?;
        let around = Around { read_by, read_at, people: &|id| self.memory.person(id), states: &states };
        let malformed = |why: String| Error::Malformed { what: format!("ticket: {why}") };
        self.mapping.ticket(ticket, &around).map_err(malformed)
    }

    /// Only ids are read from a notification, so another version does no harm; it is said once.
    pub fn note_version(&self, notification: &http::Request<bytes::Bytes>) {
        let wanted = self.mapping.settings.api_version.name();
        let told = super::probe::version_of(notification.headers()).filter(|told| *told != wanted);
        if let Some(told) = told.filter(|told| told.len() <= 16)
            && self.memory.is_notified_as(told)
        {
            tracing::warn!(
                account = %self.mapping.account,
                told,
                wanted,
                "Notifications come in another version of the API: choose it in the Developer Hub."
            );
        }
    }

    /// Intercom gives the newest 500 parts. That others are missing is said once.
    fn note_hidden(&self, whole: &Whole) {
        if self.memory.hides(&whole.observed.ticket.id, whole.messages.hidden) {
            tracing::warn!(
                ticket = %whole.observed.ticket,
                hidden = whole.messages.hidden,
                "Intercom gives only the newest 500 parts; messages older than those are not seen."
            );
        }
    }

    /// Every comment that Intercom gives, oldest first.
    pub async fn all_comments(&self, call: Call, id: &RemoteId) -> Result<Vec<Comment>> {
        self.whole(call, id).await.map(|whole| whole.messages.comments)
    }

    /// Looks up the contacts that are not known yet: several by one search, and
    /// by id those that the search's index does not have yet.
    pub async fn meet(&self, call: Call, ids: &[RemoteId]) -> Result<()> {
        let unknown: BTreeSet<&RemoteId> = ids.iter().filter(|id| self.memory.person(id).is_none()).collect();
        let unknown: Vec<&RemoteId> = unknown.into_iter().collect();
        if unknown.len() > 1 {
            for some in unknown.chunks(CONTACTS_MAX) {
                let named: Vec<&str> = some.iter().map(|id| id.as_str()).collect();
                let rows = u32::try_from(CONTACTS_MAX).unwrap_or(50);
                let ask = self.mapping.search("contacts", &[test("id", "IN", named)], rows, None)?;
                let found: wire::Listed<wire::Named> = self.ask(call, ask).await?;
                found.data.iter().for_each(|contact| self.met(contact));
            }
        }
        for id in unknown {
            if self.memory.person(id).is_some() {
                continue;
            }
            match self.ask::<wire::Named>(call, self.mapping.get(&format!("/contacts/{}", plain(id)?))?).await
            {
                Ok(contact) => self.met(&contact),
                // Deleted people keep their conversations.
                Err(Error::Gone | Error::Refused { .. }) => {
                    let nobody = Person {
                        id: Some(id.clone()),
                        name: String::new(),
                        email: None,
                        role: Role::Customer,
                    };
                    self.memory.met(id.clone(), nobody);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn met(&self, contact: &wire::Named) {
        let Some(id) = contact.id.name_id() else { return };
        let person = Person {
            id: Some(id.clone()),
            name: contact.name.text().unwrap_or_default(),
            email: contact.email.text(),
            role: Role::Customer,
        };
        self.memory.met(id, person);
    }

    /// The id of the contact with the person's address; made when there is none.
    /// Addresses are one however they are written. A user goes before a lead.
    pub async fn contact(&self, call: Call, person: &Person) -> Result<RemoteId> {
        let email = self.mapping.address(person)?;
        let ask = self.mapping.search("contacts", &[test("email", "=", email.as_str())], 50, None)?;
        let found: wire::Listed<wire::Named> = self.ask(call, ask).await?;
        let is_user = |contact: &&wire::Named| contact.role.text().as_deref() == Some("user");
        let best = found.data.iter().find(is_user).or_else(|| found.data.first());
        if let Some(id) = best.and_then(|contact| contact.id.name_id()) {
            return Ok(id);
        }
        let mut body = serde_json::json!({"role": "user", "email": email});
        if !person.name.trim().is_empty() {
            body["name"] = person.name.trim().into();
        }
        // The search's index is minutes behind: a second one is refused with the id of the first.
        let ask = self.mapping.send(http::Method::POST, "/contacts", &body, Kind::IdempotentWrite)?;
        match self.ask::<wire::Named>(call, ask).await {
            Ok(made) => made
                .id
                .name_id()
                .ok_or_else(|| Error::Unknown { why: "the new contact's answer has no id".to_owned() }),
            Err(error) => duplicate_of(&error).ok_or(error),
        }
    }

    /// Reads a file. Its address is signed and expires; listing the messages again makes a new one.
    pub async fn read_file(&self, call: Call, attachment: &Attachment, into: &mut dyn Sink) -> Result<()> {
        self.client.download(call, &attachment.at, DOWNLOAD_BYTES_MAX, into).await
    }

    /// The tests by which a search of tickets finds those that are kept in step.
    pub fn ticket_tests(&self) -> Vec<Json> {
        let categories = &self.mapping.settings.ticket_categories;
        let all = [Category::Customer, Category::BackOffice, Category::Tracker];
        if all.iter().all(|one| categories.contains(one)) {
            return Vec::new();
        }
        let named: Vec<&str> = categories.iter().map(|category| category.searched()).collect();
        vec![test("category", "IN", named)]
    }
}

fn apps(parts: Option<&wire::Parts>) -> BTreeMap<RemoteId, String> {
    let parts = parts.iter().flat_map(|parts| &parts.conversation_parts);
    parts.filter_map(|part| Some((part.id.name_id()?, part.app_package_code.text()?))).collect()
}

/// A write whose answer cannot be read was done, or may have been.
pub fn unread(error: &Error) -> Error {
    Error::Unknown { why: format!("it was written, but {error}") }
}

impl Mapping {
    /// Whether a ticket is of a category that is not kept in step.
    pub fn is_left_out(&self, ticket: &wire::Ticket) -> bool {
        let category = ticket.category.text().as_deref().and_then(Category::shown);
        category.is_some_and(|category| !self.settings.ticket_categories.contains(&category))
    }

    /// The address under which a requester is known, folded, or the one that stands for those who have none.
    pub fn address(&self, requester: &Person) -> Result<String> {
        let fallback = self.settings.fallback_requester_email.as_deref().map(str::to_lowercase);
        requester.email_folded().or(fallback).ok_or_else(|| Error::Refused {
            why: format!(
                "the requester has no e-mail address, by which Intercom's contacts are found: set \
                 accounts.{}.settings.fallback_requester_email to an address that stands for such people",
                self.account
            ),
        })
    }
}
