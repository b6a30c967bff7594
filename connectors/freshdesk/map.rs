//! Freshdesk's words to canonical ones and back, and what it makes of what it is sent.

use std::collections::BTreeSet;

use handoffd_core::{
    AccountId, Body, Comment, CommentsSeen, Field, Fields, Observed, OpKey, Person, Priority, PrivateComment,
    PrivateText, PublicComment, PublicText, ReadBy, RemoteId, Role, Status, TicketKey, Timestamp, Value,
    Version, fold_text,
};

use super::{
    html,
    settings::{Settings, StatusTable},
    wire,
};

/// The comment id of a ticket's first message, which has none at Freshdesk.
pub const DESCRIPTION: &str = "description";

/// What stands as the first message of a mirror whose conversation has no
/// public message yet. It is never read as a comment.
pub const NO_OPENING: &str = "This conversation began with internal notes only.";

/// What stands for an empty subject: Freshdesk wants one.
const NO_SUBJECT: &str = "(no subject)";

/// The longest subject, in characters.
const SUBJECT_CHARS_MAX: usize = 255;

/// The longest tag, in characters.
const TAG_CHARS_MAX: usize = 32;

/// Web chat, whose description is its first conversation too.
const SOURCE_WEB_CHAT: i64 = 15;

/// A ticket that an agent began by writing an e-mail.
const SOURCE_OUTBOUND: i64 = 10;

/// A note among conversations.
const CONVERSATION_NOTE: i64 = 2;

/// A forward to a third party, and its answers: never the customer's to see.
const CONVERSATION_FORWARD: i64 = 8;

/// What reading and writing one account's tickets takes.
#[derive(Clone, Debug)]
pub struct Mapping {
    /// The account.
    pub account: AccountId,
    /// Its options.
    pub settings: Settings,
    /// Its statuses.
    pub statuses: StatusTable,
}

/// What a ticket is.
#[derive(Clone, Debug)]
pub enum Read {
    /// It is there.
    Shown(Box<Observed>),
    /// It is in the trash or spam.
    Gone(TicketKey),
}

impl Mapping {
    /// One of this account's tickets by id.
    pub fn key(&self, id: &RemoteId) -> TicketKey {
        TicketKey { account: self.account.clone(), id: id.clone() }
    }

    /// Reads a ticket without its comments. Errors name the place, without ticket text.
    pub fn ticket(&self, ticket: &wire::Ticket, read_by: ReadBy, read_at: Timestamp) -> Result<Read, String> {
        let id = ticket.id.id().ok_or("id: not a number")?;
        if ticket.deleted.flag() || ticket.spam.flag() {
            return Ok(Read::Gone(self.key(&id)));
        }
        let updated_at = ticket.updated_at.moment().ok_or("updated_at: not a time")?;
        Ok(Read::Shown(Box::new(Observed {
            ticket: self.key(&id),
            version: Version::from(updated_at),
            read_by,
            read_at,
            fields: self.fields(ticket),
            requester: ticket.requester.as_ref().map(customer),
            comments: CommentsSeen::NotLooked,
            comment_count: None,
            marker: self.marker(ticket),
            created_at: ticket.created_at.moment().unwrap_or(updated_at),
            follows: None,
            rating: None,
        })))
    }

    /// The fields that the ticket shows; what cannot be read is left out, which says "not known".
    fn fields(&self, ticket: &wire::Ticket) -> Fields {
        let mut fields = Fields::new();
        let subject = ticket.subject.text().unwrap_or_default();
        fields.insert(Field::Subject, shown_subject(&subject));
        if let Some(status) = ticket.status.whole() {
            fields.insert(Field::Status, Value::Status(self.statuses.status(status)));
        }
        if let Some(priority) = ticket.priority.whole().and_then(read_priority) {
            fields.insert(Field::Priority, Value::Priority(Some(priority)));
        }
        if let Some(tags) = &ticket.tags {
            let tags = tags.iter().filter_map(wire::Scalar::text).map(|tag| tag.trim().to_owned()).collect();
            fields.insert(Field::Tags, Value::Tags(tags));
        }
        fields.insert(Field::Assignee, Value::Owner(ticket.responder_id.id()));
        fields.insert(Field::Group, Value::Owner(ticket.group_id.id()));
        fields
    }

    /// Our marker; a text that cannot be one is somebody else's.
    fn marker(&self, ticket: &wire::Ticket) -> Option<OpKey> {
        let text = ticket.custom_fields.as_ref()?.get(&self.settings.marker_field)?.text()?;
        let text = text.trim();
        let ours = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        (text.len() <= 80 && text.chars().all(ours)).then(|| OpKey::new(text))
    }

    /// What Freshdesk will show after it is sent these fields. Idempotent.
    pub fn normalize(&self, fields: &Fields) -> Fields {
        let held = fields.iter().filter(|(field, _)| super::FIELDS.contains(field));
        held.map(|(field, value)| (*field, self.normal(value))).collect()
    }

    fn normal(&self, value: &Value) -> Value {
        match value {
            Value::Text(subject) => shown_subject(subject),
            Value::Status(status) => Value::Status(self.shown_status(*status)),
            Value::Priority(priority) => {
                Value::Priority(Some(priority.unwrap_or(self.settings.default_priority)))
            }
            Value::Tags(tags) => Value::Tags(shown_tags(tags)),
            Value::StatusDetail { status, .. } => Value::Status(self.shown_status(*status)),
            Value::Owner(_) | Value::Choice(_) | Value::Time(_) | Value::Typed(_) => value.clone(),
        }
    }

    fn shown_status(&self, status: Status) -> Status {
        self.statuses.status(self.statuses.id(status))
    }

    /// Every comment of a ticket, oldest first: the description, then the conversations.
    ///
    /// A conversation that cannot be read spoils the whole: "all comments" must be all.
    pub fn comments(
        &self,
        ticket: &wire::Ticket,
        conversations: &[wire::Conversation],
    ) -> Result<Vec<Comment>, String> {
        let opening = description(ticket)?;
        let mut comments: Vec<Comment> = Vec::with_capacity(conversations.len() + 1);
        let mut seen = BTreeSet::new();
        for (at, conversation) in conversations.iter().enumerate() {
            let comment =
                comment(ticket, conversation).map_err(|why| format!("conversations[{at}].{why}"))?;
            if seen.insert(comment.id().clone()) {
                comments.push(comment);
            }
        }
        comments.sort_by_key(Comment::at);
        let Some(opening) = opening else { return Ok(comments) };
        if ticket.source.whole() == Some(SOURCE_WEB_CHAT)
            && comments.first().is_some_and(|first| says_the_same(&opening, first))
        {
            comments.remove(0);
        }
        comments.insert(0, opening);
        Ok(comments)
    }
}

/// The number of a priority.
pub fn priority_id(priority: Priority) -> i64 {
    match priority {
        Priority::Low => 1,
        Priority::Normal => 2,
        Priority::High => 3,
        Priority::Urgent => 4,
    }
}

fn read_priority(id: i64) -> Option<Priority> {
    Priority::ALL.into_iter().find(|priority| priority_id(*priority) == id)
}

fn shown_subject(subject: &str) -> Value {
    let Value::Text(line) = Value::subject(subject) else { return Value::Text(NO_SUBJECT.to_owned()) };
    let cut: String = line.chars().take(SUBJECT_CHARS_MAX).collect();
    match cut.trim_end() {
        "" => Value::Text(NO_SUBJECT.to_owned()),
        cut => Value::Text(cut.to_owned()),
    }
}

/// The tags that Freshdesk can hold: trimmed, at most [`TAG_CHARS_MAX`] characters.
fn shown_tags(tags: &BTreeSet<String>) -> BTreeSet<String> {
    let trimmed = tags.iter().map(|tag| tag.trim());
    trimmed.filter(|tag| !tag.is_empty() && tag.chars().count() <= TAG_CHARS_MAX).map(str::to_owned).collect()
}

fn customer(person: &wire::Person) -> Person {
    Person {
        id: person.id.id(),
        name: person.name.text().unwrap_or_default(),
        email: person.email.text(),
        role: Role::Customer,
    }
}

/// Who asked, as far as the ticket says.
fn requester(ticket: &wire::Ticket) -> Person {
    let named = ticket.requester.as_ref().map(customer);
    let id = ticket.requester_id.id();
    match named {
        Some(person) => Person { id: person.id.or(id), ..person },
        None => Person { id, name: String::new(), email: None, role: Role::Customer },
    }
}

/// The first message; `None` where there is none, or where it is our own filler.
fn description(ticket: &wire::Ticket) -> Result<Option<Comment>, String> {
    let text = message_text(&ticket.description, &ticket.description_text, ticket.attachments.as_deref());
    let Some(text) = text.filter(|text| fold_text(text) != NO_OPENING) else { return Ok(None) };
    Ok(Some(Comment::Public(PublicComment {
        id: RemoteId::from(DESCRIPTION),
        author: requester(ticket),
        text: PublicText::shown_publicly(Body::inline(&text)),
        at: ticket.created_at.moment().ok_or("created_at: not a time")?,
        mailed: ticket.source.whole() == Some(SOURCE_OUTBOUND),
        attachments: Vec::new(),
        redacted: false,
    })))
}

fn comment(ticket: &wire::Ticket, conversation: &wire::Conversation) -> Result<Comment, String> {
    let id = conversation.id.id().ok_or("id: not a number")?;
    let at = conversation.created_at.moment().ok_or("created_at: not a time")?;
    let files = conversation.attachments.as_deref();
    let text = message_text(&conversation.body, &conversation.body_text, files).unwrap_or_default();
    let body = Body::inline(&text);
    let author = author(ticket, conversation);
    let source = conversation.source.whole();
    if conversation.private.flag() || source == Some(CONVERSATION_FORWARD) {
        return Ok(Comment::Private(PrivateComment {
            id,
            author,
            text: PrivateText::new(body),
            at,
            attachments: Vec::new(),
            redacted: false,
        }));
    }
    let mailed = author.role == Role::Agent && delivered(conversation, source);
    Ok(Comment::Public(PublicComment {
        id,
        author,
        text: PublicText::shown_publicly(body),
        at,
        mailed,
        attachments: Vec::new(),
        redacted: false,
    }))
}

/// Whether Freshdesk has brought an agent's public words to the customer: it
/// mails replies, and hands messages of other channels to those. A public note
/// it only shows.
fn delivered(conversation: &wire::Conversation, source: Option<i64>) -> bool {
    match source {
        Some(source) => source != CONVERSATION_NOTE,
        None => conversation.to_emails.as_ref().is_some_and(|to| !to.is_empty()),
    }
}

/// The customer's words are those of the requester, and whatever came in.
fn author(ticket: &wire::Ticket, conversation: &wire::Conversation) -> Person {
    let user = conversation.user_id.id();
    let asked = requester(ticket);
    if user.is_some() && user == asked.id {
        return asked;
    }
    if !conversation.incoming.flag() {
        return Person { id: user, name: String::new(), email: None, role: Role::Agent };
    }
    let (name, email) = conversation.from_email.text().map_or((String::new(), None), |from| mailbox(&from));
    Person { id: user, name, email, role: Role::Customer }
}

/// `Name <address>`, or an address alone.
fn mailbox(from: &str) -> (String, Option<String>) {
    let (name, address) = match from.rsplit_once('<') {
        Some((name, address)) => (name.trim().trim_matches('"'), address.trim_end().trim_end_matches('>')),
        None => ("", from.trim()),
    };
    (name.to_owned(), address.contains('@').then(|| address.trim().to_owned()))
}

/// What a message says: its HTML as text, else its text, else the names of its files.
fn message_text(
    html: &wire::Scalar,
    plain: &wire::Scalar,
    files: Option<&[wire::Attachment]>,
) -> Option<String> {
    let from_html = html.text().map(|html| html::to_text(&html));
    let text = from_html.filter(|text| !text.trim().is_empty()).or_else(|| plain.text());
    if text.is_some() {
        return text;
    }
    let names: Vec<String> = files
        .unwrap_or_default()
        .iter()
        .map(|file| format!("[attachment: {}]", file.name.text().unwrap_or_else(|| "unnamed".to_owned())))
        .collect();
    (!names.is_empty()).then(|| names.join("\n"))
}

fn says_the_same(opening: &Comment, first: &Comment) -> bool {
    let folded = |comment: &Comment| comment.body().text().map(fold_text);
    first.is_public() && first.author().role == Role::Customer && folded(opening) == folded(first)
}

/// Whether the ticket shows all these fields.
pub fn shows(observed: &Observed, set: &Fields) -> bool {
    set.iter().all(|(field, value)| observed.fields.get(field) == Some(value))
}
