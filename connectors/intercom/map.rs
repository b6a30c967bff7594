//! Intercom's words to canonical ones and back, and what it makes of what it is sent.

use std::collections::BTreeSet;

use handoffd_core::{
    AccountId, CommentsSeen, Field, Fields, Observed, OpKey, Person, Priority, Rating, ReadBy, RemoteId,
    Role, Status, TicketKey, Timestamp, Value, Version,
};

use super::{
    custom,
    record::record_id,
    settings::{RecordKind, Settings},
    states::States,
    wire,
};
use crate::{contract::CustomField, html};

/// The built-in attribute that is a ticket's title.
pub const TITLE: &str = "_default_title_";

/// The built-in attribute that is a ticket's first message.
pub const DESCRIPTION: &str = "_default_description_";

/// What stands for a subject that is nowhere.
const NO_SUBJECT: &str = "(no subject)";

/// The longest subject, in characters.
const SUBJECT_CHARS_MAX: usize = 255;

/// How much of the first message stands for a subject that nobody gave, in characters.
const FIRST_WORDS_CHARS: usize = 80;

/// The most files of a message.
const ATTACHMENTS_MAX: usize = 10;

/// The longest tag, in characters.
const TAG_CHARS_MAX: usize = 255;

/// What reading and writing one account's records takes.
#[derive(Clone, Debug)]
pub struct Mapping {
    /// The account.
    pub account: AccountId,
    /// Its options.
    pub settings: Settings,
    /// Its custom fields that are kept in step.
    pub custom: Vec<CustomField>,
}

/// What reading a record takes beside the record.
pub struct Around<'a> {
    /// How it was read.
    pub read_by: ReadBy,
    /// When, in our time.
    pub read_at: Timestamp,
    /// Contacts that were looked up.
    pub people: &'a dyn Fn(&RemoteId) -> Option<Person>,
    /// The states of tickets.
    pub states: &'a States,
}

impl Mapping {
    /// One of this account's records by id.
    pub fn key(&self, id: RemoteId) -> TicketKey {
        TicketKey { account: self.account.clone(), id }
    }

    /// The built-in fields that are shown and taken.
    pub fn fields(&self) -> &'static [Field] {
        match self.settings.priority_attribute {
            Some(_) => &super::FIELDS_WITH_PRIORITY,
            None => &super::FIELDS,
        }
    }

    /// The most files of a message: tickets take none from an API client until 2.16.
    pub fn attachments_max(&self) -> usize {
        if self.settings.has_tickets_alone() { 0 } else { ATTACHMENTS_MAX }
    }

    /// Reads a conversation without its comments. Errors name the place, without ticket text.
    pub fn conversation(
        &self,
        conversation: &wire::Conversation,
        around: &Around<'_>,
    ) -> Result<Observed, String> {
        let number = conversation.id.id().ok_or("id: not a number")?;
        let updated_at = conversation.updated_at.moment().ok_or("updated_at: not a time")?;
        let mut fields = self.read_attributes(&conversation.custom_attributes);
        fields.insert(Field::Subject, shown_subject(&conversation_subject(conversation)));
        if let Some(status) = conversation.state.text().as_deref().and_then(conversation_status) {
            fields.insert(Field::Status, Value::Status(status));
        }
        if let Some(tags) = &conversation.tags {
            fields.insert(Field::Tags, Value::Tags(tag_names(tags)));
        }
        fields.insert(Field::Assignee, Value::Owner(conversation.admin_assignee_id.id()));
        fields.insert(Field::Group, Value::Owner(conversation.team_assignee_id.id()));
        Ok(Observed {
            ticket: self.key(number),
            version: Version::from(updated_at),
            read_by: around.read_by,
            read_at: around.read_at,
            fields,
            requester: requester(&conversation.contacts, Some(&conversation.source), around.people),
            comments: CommentsSeen::NotLooked,
            comment_count: part_count(conversation),
            marker: self.marker(&conversation.custom_attributes),
            created_at: conversation.created_at.moment().unwrap_or(updated_at),
            follows: None,
            rating: conversation.conversation_rating.as_ref().and_then(rating),
        })
    }

    /// Reads a ticket without its comments.
    pub fn ticket(&self, ticket: &wire::Ticket, around: &Around<'_>) -> Result<Observed, String> {
        let number = ticket.id.id().ok_or("id: not a number")?;
        let updated_at = ticket.updated_at.moment().ok_or("updated_at: not a time")?;
        let mut fields = self.read_attributes(&ticket.ticket_attributes);
        let title = ticket.ticket_attributes.get(TITLE).and_then(|title| title.text());
        fields.insert(Field::Subject, shown_subject(&title.unwrap_or_default()));
        if let Some(status) = around.states.shown(&ticket.ticket_state) {
            fields.insert(Field::Status, status);
        }
        fields.insert(Field::Assignee, Value::Owner(ticket.admin_assignee_id.id()));
        fields.insert(Field::Group, Value::Owner(ticket.team_assignee_id.id()));
        let parts = ticket.ticket_parts.as_ref();
        Ok(Observed {
            ticket: self.key(record_id(RecordKind::Ticket, number.as_str())),
            version: Version::from(updated_at),
            read_by: around.read_by,
            read_at: around.read_at,
            fields,
            requester: requester(&ticket.contacts, None, around.people),
            comments: CommentsSeen::NotLooked,
            comment_count: parts.and_then(|parts| parts.total_count.count()),
            marker: self.marker(&ticket.ticket_attributes),
            created_at: ticket.created_at.moment().unwrap_or(updated_at),
            follows: None,
            rating: None,
        })
    }

    /// The fields that are kept in attributes: custom ones, and the priority where there is one.
    fn read_attributes(&self, values: &std::collections::BTreeMap<String, super::lenient::Loose>) -> Fields {
        let custom = self
            .custom
            .iter()
            .filter_map(|field| Some((Field::Custom(field.name), custom::read(field, values)?)));
        let mut fields: Fields = custom.collect();
        if let Some(name) = &self.settings.priority_attribute {
            let priority = custom::read_priority(values.get(name));
            fields.insert(Field::Priority, Value::Priority(priority));
        }
        fields
    }

    /// Our marker; a text that cannot be one is somebody else's.
    fn marker(&self, values: &std::collections::BTreeMap<String, super::lenient::Loose>) -> Option<OpKey> {
        let text = values.get(&self.settings.marker_attribute)?.text()?;
        let text = text.trim();
        let ours = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        (text.len() <= 80 && text.chars().all(ours)).then(|| OpKey::new(text))
    }

    /// What Intercom will show after it is sent these fields. Idempotent. What a
    /// record of the account cannot hold is left out.
    pub fn normalize(&self, fields: &Fields) -> Fields {
        fields.iter().filter_map(|(field, value)| Some((*field, self.normal(*field, value)?))).collect()
    }

    fn normal(&self, field: Field, value: &Value) -> Option<Value> {
        if let Field::Custom(_) = field {
            custom::native(&self.custom, field)?;
            return custom::holds(value).then(|| value.clone());
        }
        if !self.fields().contains(&field) {
            return None;
        }
        Some(match value {
            Value::Text(subject) => shown_subject(subject),
            Value::Status(status) => Value::Status(self.shown_status(*status)),
            Value::StatusDetail { status, detail } if self.settings.has_tickets_alone() => {
                Value::StatusDetail { status: *status, detail: detail.clone() }
            }
            Value::StatusDetail { status, .. } => Value::Status(self.shown_status(*status)),
            Value::Tags(tags) => Value::Tags(shown_tags(tags)),
            Value::Priority(_) | Value::Owner(_) => value.clone(),
            Value::Choice(_) | Value::Time(_) | Value::Typed(_) => return None,
        })
    }

    /// A conversation has three states; a ticket's four categories are those and
    /// `submitted`, which only an account without conversations can hold.
    fn shown_status(&self, status: Status) -> Status {
        match status {
            Status::New if self.settings.has_tickets_alone() => Status::New,
            Status::New | Status::Open => Status::Open,
            Status::Pending | Status::OnHold => Status::Pending,
            Status::Solved | Status::Closed => Status::Solved,
        }
    }
}

fn conversation_status(state: &str) -> Option<Status> {
    match state.trim() {
        "open" => Some(Status::Open),
        "snoozed" => Some(Status::Pending),
        "closed" => Some(Status::Solved),
        _ => None,
    }
}

/// The title; else an e-mail's subject; else the first words, as the inbox shows them.
fn conversation_subject(conversation: &wire::Conversation) -> String {
    if let Some(title) = conversation.title.text() {
        return title;
    }
    let source = &conversation.source;
    let shown = |html: Option<String>| html.map(|html| html::to_text(&html)).filter(|t| !t.trim().is_empty());
    if let Some(subject) = shown(source.subject.text()) {
        return subject;
    }
    let body = shown(source.body.text()).unwrap_or_default();
    let line = body.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    line.chars().take(FIRST_WORDS_CHARS).collect()
}

/// A subject as Intercom shows it.
fn shown_subject(subject: &str) -> Value {
    let Value::Text(line) = Value::subject(subject) else { return Value::Text(NO_SUBJECT.to_owned()) };
    let cut: String = line.chars().take(SUBJECT_CHARS_MAX).collect();
    match cut.trim_end() {
        "" => Value::Text(NO_SUBJECT.to_owned()),
        cut => Value::Text(cut.to_owned()),
    }
}

fn tag_names(tags: &wire::Tags) -> BTreeSet<String> {
    tags.tags.iter().filter_map(|tag| tag.name.text()).map(|name| name.trim().to_owned()).collect()
}

/// The tags that Intercom can hold: trimmed, at most [`TAG_CHARS_MAX`] characters.
fn shown_tags(tags: &BTreeSet<String>) -> BTreeSet<String> {
    let trimmed = tags.iter().map(|tag| tag.trim());
    trimmed.filter(|tag| !tag.is_empty() && tag.chars().count() <= TAG_CHARS_MAX).map(str::to_owned).collect()
}

/// How many parts there are in all: by id with the parts, in a search among the
/// statistics, which are missing at times.
fn part_count(conversation: &wire::Conversation) -> Option<u64> {
    let listed = conversation.conversation_parts.as_ref().and_then(|parts| parts.total_count.count());
    listed.or_else(|| conversation.statistics.count_conversation_parts.count())
}

/// Who asked: the first contact. Name and address stand on the first message if
/// they wrote it; else they were looked up.
fn requester(
    contacts: &wire::Contacts,
    source: Option<&wire::Source>,
    people: &dyn Fn(&RemoteId) -> Option<Person>,
) -> Option<Person> {
    let wrote = source.map(|source| &source.author).filter(|author| is_customer(author));
    let Some(id) = requester_id(contacts) else { return wrote.map(person) };
    if let Some(author) = wrote.filter(|author| author.id.name_id().as_ref() == Some(&id)) {
        let person = person(author);
        if person.email.is_some() {
            return Some(person);
        }
    }
    let unknown = || Person { id: Some(id.clone()), name: String::new(), email: None, role: Role::Customer };
    Some(people(&id).unwrap_or_else(unknown))
}

/// The id of the first contact.
pub fn requester_id(contacts: &wire::Contacts) -> Option<RemoteId> {
    contacts.contacts.first().and_then(|contact| contact.id.name_id())
}

/// The contact whom a conversation does not name well enough.
pub fn unnamed_requester(conversation: &wire::Conversation) -> Option<RemoteId> {
    let id = requester_id(&conversation.contacts)?;
    let author = &conversation.source.author;
    let named =
        is_customer(author) && author.id.name_id().as_ref() == Some(&id) && author.email.text().is_some();
    (!named).then_some(id)
}

/// Whether a contact wrote it. Unknown kinds count as colleagues, whose words are never taken for the customer's.
pub fn is_customer(author: &wire::Author) -> bool {
    matches!(author.kind.text().as_deref(), Some("user" | "lead" | "contact" | "visitor"))
}

/// Whether Intercom's AI agent or a workflow wrote it.
pub fn is_bot(author: &wire::Author) -> bool {
    matches!(author.kind.text().as_deref(), Some("bot" | "operator"))
}

/// Whoever wrote something.
pub fn person(author: &wire::Author) -> Person {
    Person {
        id: author.id.name_id(),
        name: author.name.text().unwrap_or_default(),
        email: author.email.text(),
        role: if is_customer(author) { Role::Customer } else { Role::Agent },
    }
}

/// A rating from 1 to 5, once it is given.
fn rating(rating: &wire::Rating) -> Option<Rating> {
    let stars = rating.rating.whole().filter(|stars| (1..=5).contains(stars))?;
    Some(Rating {
        percent: u8::try_from((stars - 1) * 25).ok()?,
        label: stars.to_string(),
        comment: rating.remark.text(),
        at: rating.updated_at.moment().or_else(|| rating.created_at.moment()),
    })
}

/// The words by which an attribute holds a priority.
pub fn priority_word(priority: Option<Priority>) -> serde_json::Value {
    priority.map_or(serde_json::Value::Null, |priority| priority.name().into())
}

/// Whether the record shows all these fields, as far as it shows them at all.
pub fn shows(observed: &Observed, set: &Fields) -> bool {
    set.iter().all(|(field, value)| shows_one(observed, *field, value))
}

/// Whether the record shows one of these fields so. What it never shows (the tags
/// of a ticket) may be missing, and is written once more: that changes nothing.
pub fn shows_one(observed: &Observed, field: Field, value: &Value) -> bool {
    observed.fields.get(&field).is_some_and(|shown| shown == value || same_status(shown, value))
}

/// A status of the category is as good as any other of it.
fn same_status(shown: &Value, wanted: &Value) -> bool {
    match (shown, wanted) {
        (Value::StatusDetail { .. }, Value::StatusDetail { .. }) => false,
        _ => shown.as_status().is_some() && shown.as_status() == wanted.as_status(),
    }
}
