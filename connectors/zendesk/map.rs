//! Between Zendesk's words and the canonical ones. Pure.

use std::collections::{BTreeMap, BTreeSet};

use handoffd_core::{
    AccountId, Body, Comment, CommentsSeen, Field, Fields, Observed, OpKey, Person, Priority, PrivateComment,
    PrivateText, PublicComment, PublicText, ReadBy, RemoteId, Role, Status, TicketKey, Timestamp, Value,
    Version,
};

use super::{body, settings::Settings, wire};

/// The longest marker that is ours.
const KEY_CHARS_MAX: usize = 80;

/// People by id, as a side-load gives them.
pub type People = BTreeMap<RemoteId, wire::User>;

/// What a ticket row is.
#[derive(Debug)]
pub enum Row {
    /// It is there.
    Shown(Box<Observed>),
    /// It is deleted, or its content is.
    Gone(TicketKey),
}

/// How and when something was read.
#[derive(Clone, Copy, Debug)]
pub struct Reading<'a> {
    /// At which account.
    pub account: &'a AccountId,
    /// With which options.
    pub settings: &'a Settings,
    /// How.
    pub by: ReadBy,
    /// When, in our time.
    pub at: Timestamp,
}

/// The people of a side-load, by id.
pub fn people(users: Vec<wire::User>) -> People {
    users.into_iter().filter_map(|user| Some((user.id.clone()?, user))).collect()
}

/// A ticket as it is shown. The error names the field that cannot be read.
///
/// The requester is told only when it was side-loaded: nobody is half known.
pub fn row(ticket: &wire::Ticket, people: &People, reading: Reading<'_>) -> Result<Row, String> {
    let id = ticket.id.clone().ok_or("id: none")?;
    let key = TicketKey::new(reading.account.clone(), id);
    if matches!(ticket.status.as_deref(), Some("deleted" | "scrubbed")) {
        return Ok(Row::Gone(key));
    }
    let updated_at = moment(ticket.updated_at.as_deref()).ok_or("updated_at: not a time")?;
    let requester = ticket.requester_id.as_ref().and_then(|id| people.get(id));
    Ok(Row::Shown(Box::new(Observed {
        ticket: key,
        version: Version::from(updated_at),
        read_by: reading.by,
        read_at: reading.at,
        fields: fields(ticket, reading.settings),
        requester: requester.map(|user| person(user, Role::Customer)),
        comments: CommentsSeen::NotLooked,
        comment_count: None,
        marker: ticket.external_id.as_deref().and_then(marker),
        created_at: moment(ticket.created_at.as_deref()).unwrap_or(updated_at),
        follows: None,
        rating: None,
    })))
}

fn moment(text: Option<&str>) -> Option<Timestamp> {
    Timestamp::parse(text?).ok()
}

/// The key, if it can be one of ours: `external_id` may belong to another system.
fn marker(text: &str) -> Option<OpKey> {
    let ours = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let fits = !text.is_empty() && text.len() <= KEY_CHARS_MAX && text.chars().all(ours);
    fits.then(|| OpKey::from(text))
}

/// A person in the role that they have on the ticket at hand.
pub fn person(user: &wire::User, role: Role) -> Person {
    let email = user.email.clone().filter(|email| !email.is_empty());
    Person { id: user.id.clone(), name: user.name.clone().unwrap_or_default(), email, role }
}

/// The fields that a ticket tells. What it does not tell, and words that are
/// not known, are left out: that is not "empty".
pub fn fields(ticket: &wire::Ticket, settings: &Settings) -> Fields {
    let mut fields = Fields::new();
    if let Some(subject) = &ticket.subject {
        fields.insert(Field::Subject, Value::subject(subject.as_deref().unwrap_or_default()));
    }
    if let Some(status) = ticket.status.as_deref().and_then(status) {
        fields.insert(Field::Status, Value::Status(status));
    }
    match ticket.priority.as_ref().map(|told| told.as_deref().map(priority)) {
        Some(None) => drop(fields.insert(Field::Priority, Value::Priority(None))),
        Some(Some(Some(known))) => drop(fields.insert(Field::Priority, Value::Priority(Some(known)))),
        Some(Some(None)) | None => {}
    }
    if let Some(told) = &ticket.tags {
        fields.insert(Field::Tags, Value::Tags(tags(told, &settings.quiet_tag)));
    }
    if let Some(owner) = &ticket.assignee_id {
        fields.insert(Field::Assignee, Value::Owner(owner.clone()));
    }
    if let Some(owner) = &ticket.group_id {
        fields.insert(Field::Group, Value::Owner(owner.clone()));
    }
    fields
}

fn status(word: &str) -> Option<Status> {
    Some(match word.to_ascii_lowercase().as_str() {
        "new" => Status::New,
        "open" => Status::Open,
        "pending" => Status::Pending,
        "hold" => Status::OnHold,
        "solved" => Status::Solved,
        // Tickets are archived 120 days after they were closed.
        "closed" | "archived" => Status::Closed,
        _ => return None,
    })
}

/// The word for a status. Never `closed`, which nothing undoes.
pub fn status_word(status: Status) -> &'static str {
    match status {
        Status::New => "new",
        Status::Open => "open",
        Status::Pending => "pending",
        Status::OnHold => "hold",
        Status::Solved | Status::Closed => "solved",
    }
}

fn priority(word: &str) -> Option<Priority> {
    Priority::ALL.into_iter().find(|priority| priority.name().eq_ignore_ascii_case(word))
}

/// A tag as Zendesk keeps it; `None` when nothing is left of it.
///
/// The characters that Zendesk takes are documented as letters, digits and
/// `-_:/`; its API has been seen to take `.` and `+` too.
pub fn tag(text: &str) -> Option<String> {
    let joined = text.split_whitespace().collect::<Vec<_>>().join("_").to_lowercase();
    let kept: String = joined.chars().filter(|c| c.is_alphanumeric() || "-_:/.+".contains(*c)).collect();
    Some(kept).filter(|tag| !tag.is_empty())
}

fn tags<'a>(texts: impl IntoIterator<Item = &'a String>, quiet: &str) -> BTreeSet<String> {
    texts.into_iter().filter_map(|text| tag(text)).filter(|tag| tag != quiet).collect()
}

/// What Zendesk will show after it is sent these fields. Idempotent.
///
/// `Closed` becomes `Solved`: the API would take `closed`, and nothing undoes
/// it. `New` stays: what a ticket shows must stay what it is, and a mirror of a
/// new ticket is made new. Only Zendesk has `New`, and no update can bring a
/// ticket back to it, so an update that asks for it writes `open`.
pub fn normalize(fields: &Fields, settings: &Settings) -> Fields {
    let held = fields.iter().filter(|(field, _)| super::FIELDS.contains(field));
    held.map(|(field, value)| (*field, normal(value, settings))).collect()
}

fn normal(value: &Value, settings: &Settings) -> Value {
    match value {
        Value::Text(text) => Value::subject(text),
        Value::Status(Status::Closed) => Value::Status(Status::Solved),
        Value::Status(Status::OnHold) if !settings.has_hold_status => Value::Status(Status::Open),
        Value::Tags(texts) => Value::Tags(tags(texts, &settings.quiet_tag)),
        Value::StatusDetail { status, .. } => normal(&Value::Status(*status), settings),
        Value::Status(_)
        | Value::Priority(_)
        | Value::Owner(_)
        | Value::Choice(_)
        | Value::Time(_)
        | Value::Typed(_) => value.clone(),
    }
}

/// Comments in canonical form, in the order given. Comments without an id are not shown.
///
/// The customer is the requester, and whoever else is an end user. A public
/// comment of an agent counts as mailed where the account's triggers mail.
pub fn comments(
    shown: &[wire::Comment],
    people: &People,
    requester: Option<&RemoteId>,
    settings: &Settings,
) -> Vec<Comment> {
    let mut last = Timestamp(0);
    let mut comments = Vec::with_capacity(shown.len());
    for comment in shown {
        let Some(id) = comment.id.clone() else { continue };
        let at = moment(comment.created_at.as_deref()).unwrap_or(last);
        last = at;
        let author = author(comment.author_id.as_ref(), people, requester);
        let text = comment.plain_body.as_ref().or(comment.body.as_ref()).map_or("", String::as_str);
        let body = Body::inline(&text.replace("&nbsp;", " "));
        comments.push(if comment.public == Some(true) {
            let mailed = settings.mails_public_replies && author.role == Role::Agent;
            Comment::Public(PublicComment {
                id,
                author,
                text: PublicText::shown_publicly(body),
                at,
                mailed,
                attachments: Vec::new(),
                redacted: false,
            })
        } else {
            Comment::Private(PrivateComment {
                id,
                author,
                text: PrivateText::new(body),
                at,
                attachments: Vec::new(),
                redacted: false,
            })
        });
    }
    comments
}

fn author(id: Option<&RemoteId>, people: &People, requester: Option<&RemoteId>) -> Person {
    let user = id.and_then(|id| people.get(id));
    let end_user = user.is_some_and(|user| user.role.as_deref() == Some("end-user"));
    let asked = id.is_some() && id == requester;
    let role = if asked || end_user { Role::Customer } else { Role::Agent };
    match user {
        Some(user) => person(user, role),
        None => Person { id: id.cloned(), name: String::new(), email: None, role },
    }
}

/// An id as JSON: a number where it is one, for that is what Zendesk documents.
pub fn id_json(id: &RemoteId) -> serde_json::Value {
    match id.as_str().parse::<u64>() {
        Ok(number) => number.into(),
        Err(_) => id.as_str().into(),
    }
}

/// Fields as a write sends them. `creating`: only then a ticket can be `new`.
pub fn write_fields(write: &mut body::TicketWrite, set: &Fields, creating: bool) {
    for value in set {
        match value {
            (_, Value::Text(subject)) => write.subject = Some(subject.clone()),
            (_, Value::Status(Status::New)) if !creating => write.status = Some("open"),
            (_, Value::Status(status)) => write.status = Some(status_word(*status)),
            (_, Value::Priority(priority)) => write.priority = Some(priority.map(Priority::name)),
            (_, Value::Tags(tags)) => write.tags = Some(tags.iter().cloned().collect()),
            (Field::Group, Value::Owner(owner)) => write.group_id = Some(owner_json(owner.as_ref())),
            (_, Value::Owner(owner)) => write.assignee_id = Some(owner_json(owner.as_ref())),
            (_, Value::StatusDetail { .. } | Value::Choice(_) | Value::Time(_) | Value::Typed(_)) => {}
        }
    }
}

fn owner_json(owner: Option<&RemoteId>) -> serde_json::Value {
    owner.map_or(serde_json::Value::Null, id_json)
}
