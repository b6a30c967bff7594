//! Between Zendesk's words and the canonical ones. Pure.

use std::collections::{BTreeMap, BTreeSet};

use handoffd_core::{
    AccountId, Comment, CommentsSeen, Field, Fields, Observed, OpKey, Person, Priority, PrivateComment,
    PrivateText, PublicComment, PublicText, Rating, ReadBy, RemoteId, Role, Status, TicketKey, Timestamp,
    Typed, Value, Version,
};

use super::{body, fields as custom_fields, files, settings::Settings, statuses::Statuses, wire};
use crate::contract::CustomField;

/// The words of the type field.
pub const TYPES: [&str; 4] = ["question", "incident", "problem", "task"];
/// The tag that Zendesk puts on a ticket that ended in another.
const MERGED: &str = "closed_by_merge";

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
    /// How the account is spoken to.
    pub dialect: Dialect<'a>,
    /// How.
    pub by: ReadBy,
    /// When, in our time.
    pub at: Timestamp,
}

/// What is particular to an account.
#[derive(Clone, Copy, Debug)]
pub struct Dialect<'a> {
    /// Its options.
    pub settings: &'a Settings,
    /// The custom fields that are kept in step.
    pub custom: &'a [CustomField],
    /// What is known of its statuses.
    pub statuses: &'a Statuses,
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
        fields: fields(ticket, people, reading.dialect),
        requester: requester.map(|user| person(user, Role::Customer)),
        comments: CommentsSeen::NotLooked,
        comment_count: None,
        marker: ticket.external_id.as_deref().and_then(marker),
        created_at: moment(ticket.created_at.as_deref()).unwrap_or(updated_at),
        follows: follows(ticket),
        rating: ticket.satisfaction_rating.as_ref().and_then(rating),
    })))
}

fn follows(ticket: &wire::Ticket) -> Option<RemoteId> {
    let source = &ticket.via.source;
    let told = source.from.ticket_id.clone().filter(|_| source.rel.as_deref() == Some("follow_up"));
    told.or_else(|| ticket.via_followup_source_id.clone())
}

/// A rating that a customer gave; an offer alone is none.
fn rating(shown: &wire::Satisfaction) -> Option<Rating> {
    let label = shown.score.clone()?;
    // Filters and older exports tell apart whether words came with it.
    let percent = match label.split('_').next() {
        Some("good") => 100,
        Some("bad") => 0,
        _ => return None,
    };
    let comment = shown.comment.clone().filter(|comment| !comment.is_empty());
    Some(Rating { percent, label, comment, at: moment(shown.created_at.as_deref()) })
}

/// Whether the ticket ended in another one.
pub fn is_merged(ticket: &wire::Ticket) -> bool {
    let closed = matches!(ticket.status.as_deref(), Some("closed" | "archived"));
    closed && ticket.tags.as_ref().is_some_and(|tags| tags.iter().any(|tag| tag == MERGED))
}

/// The ticket in which one ended, as its audits tell: outright, or in the words of the note that
/// Zendesk leaves on it.
pub fn merge_target(audits: &[wire::Audit], own: &RemoteId) -> Option<RemoteId> {
    let other = |id: &RemoteId| id != own;
    let told = |via: &wire::Via| {
        let merge = via.source.rel.as_deref() == Some("merge");
        let ends = [&via.source.to.ticket_id, &via.source.from.ticket_id];
        ends.into_iter().flatten().find(|id| merge && other(id)).cloned()
    };
    let outright = audits.iter().find_map(|audit| {
        told(&audit.via).or_else(|| audit.events.iter().find_map(|event| told(&event.via)))
    });
    let notes = audits.iter().flat_map(|audit| &audit.events).filter_map(|event| event.body.as_deref());
    outright.or_else(|| notes.filter_map(first_number).find(|id| other(id)))
}

/// The first `#123` of a text: the subject that may follow it can hold others.
fn first_number(text: &str) -> Option<RemoteId> {
    let numbers =
        text.split('#').skip(1).map(|rest| rest.chars().take_while(char::is_ascii_digit).collect::<String>());
    numbers.filter(|number| !number.is_empty()).map(RemoteId).next()
}

pub(super) fn moment(text: Option<&str>) -> Option<Timestamp> {
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
pub fn fields(ticket: &wire::Ticket, people: &People, dialect: Dialect<'_>) -> Fields {
    let mut fields = Fields::new();
    if let Some(subject) = &ticket.subject {
        fields.insert(Field::Subject, Value::subject(subject.as_deref().unwrap_or_default()));
    }
    if let Some(status) = ticket.status.as_deref().and_then(status) {
        let value = dialect.statuses.value(status, ticket.custom_status_id.as_ref());
        fields.insert(Field::Status, value);
    }
    match ticket.priority.as_ref().map(|told| told.as_deref().map(priority)) {
        Some(None) => drop(fields.insert(Field::Priority, Value::Priority(None))),
        Some(Some(Some(known))) => drop(fields.insert(Field::Priority, Value::Priority(Some(known)))),
        Some(Some(None)) | None => {}
    }
    custom_fields::read_all(ticket, dialect.custom, &mut fields);
    if let Some(told) = &ticket.tags {
        // Options travel as the values of their fields.
        let options = custom_fields::tags_of(&fields, dialect.custom);
        let told = told.iter().filter(|tag| !options.contains(*tag));
        fields.insert(Field::Tags, Value::Tags(tags(told, &dialect.settings.quiet_tag)));
    }
    if let Some(owner) = &ticket.assignee_id {
        fields.insert(Field::Assignee, Value::Owner(owner.clone()));
    }
    if let Some(owner) = &ticket.group_id {
        fields.insert(Field::Group, Value::Owner(owner.clone()));
    }
    fields.extend(more_fields(ticket, people));
    fields
}

/// Type, due time, copies and requester.
fn more_fields(ticket: &wire::Ticket, people: &People) -> Fields {
    let mut fields = Fields::new();
    match ticket.kind.as_ref().map(|told| told.as_deref().map(custom_fields::kind)) {
        Some(None) => drop(fields.insert(Field::Type, Value::Choice(None))),
        Some(Some(Some(known))) => drop(fields.insert(Field::Type, Value::Choice(Some(known)))),
        Some(Some(None)) | None => {}
    }
    match ticket.due_at.as_ref().map(|told| told.as_deref().map(|at| moment(Some(at)))) {
        Some(None) => drop(fields.insert(Field::DueAt, Value::Time(None))),
        Some(Some(Some(at))) => drop(fields.insert(Field::DueAt, Value::Time(Some(at)))),
        Some(Some(None)) | None => {}
    }
    let email =
        |id: &RemoteId| people.get(id).map(|user| user.email.as_deref().and_then(custom_fields::address));
    // Half of them would read as if the others had been taken off.
    let ccs: Option<Vec<Option<String>>> =
        ticket.email_cc_ids.as_ref().and_then(|ids| ids.iter().map(email).collect());
    if let Some(ccs) = ccs {
        fields.insert(Field::Ccs, Value::Tags(ccs.into_iter().flatten().collect()));
    }
    if let Some(requester) = ticket.requester_id.as_ref().and_then(email) {
        fields.insert(Field::Requester, Value::Choice(requester));
    }
    fields
}

/// A status in canonical words.
pub fn status(word: &str) -> Option<Status> {
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
pub fn normalize(fields: &Fields, settings: &Settings, custom: &[CustomField]) -> Fields {
    let one = |(field, value): (&Field, &Value)| Some((*field, normal_of(*field, value, settings, custom)?));
    let mut kept: Fields = fields.iter().filter_map(one).collect();
    // Only tasks are due.
    if kept.get(&Field::Type).is_some_and(|kind| *kind != Value::Choice(Some("task".to_owned()))) {
        kept.entry(Field::DueAt).and_modify(|due| *due = Value::Time(None));
    }
    kept
}

/// `None` for what this account cannot hold.
fn normal_of(field: Field, value: &Value, settings: &Settings, custom: &[CustomField]) -> Option<Value> {
    match (field, value) {
        (Field::Custom(name), _) => {
            let kind = custom.iter().find(|field| field.name == name)?.kind;
            custom_fields::normal(value, kind)
        }
        _ if !super::FIELDS.contains(&field) => None,
        (Field::Type, Value::Choice(Some(word))) => Some(Value::Choice(Some(custom_fields::kind(word)?))),
        (Field::Requester, Value::Choice(email)) => {
            Some(Value::Choice(Some(custom_fields::address(email.as_deref()?)?)))
        }
        (Field::Ccs, Value::Tags(emails)) => {
            Some(Value::Tags(emails.iter().filter_map(|email| custom_fields::address(email)).collect()))
        }
        (Field::DueAt, Value::Time(at)) => Some(Value::Time(at.map(|at| Timestamp::from_secs(at.as_secs())))),
        _ => Some(normal(value, settings)),
    }
}

fn normal(value: &Value, settings: &Settings) -> Value {
    match value {
        Value::Text(text) => Value::subject(text),
        Value::Status(Status::Closed) => Value::Status(Status::Solved),
        Value::Status(Status::OnHold) if !settings.has_hold_status => Value::Status(Status::Open),
        Value::Tags(texts) => Value::Tags(tags(texts, &settings.quiet_tag)),
        Value::StatusDetail { status, detail } => {
            let plain = normal(&Value::Status(*status), settings);
            let is_id = !detail.is_empty() && detail.bytes().all(|byte| byte.is_ascii_digit());
            match plain.as_status().filter(|_| is_id) {
                Some(status) => Value::StatusDetail { status, detail: detail.clone() },
                None => plain,
            }
        }
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
        let files::Said { body, attachments, redacted } = files::said(comment);
        comments.push(if comment.public == Some(true) {
            let mailed = settings.mails_public_replies && author.role == Role::Agent;
            Comment::Public(PublicComment {
                id,
                author,
                text: PublicText::shown_publicly(body),
                at,
                mailed,
                attachments,
                redacted,
            })
        } else {
            Comment::Private(PrivateComment {
                id,
                author,
                text: PrivateText::new(body),
                at,
                attachments,
                redacted,
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

/// Fields as a write sends them. `creating`: only then a ticket can be `new`, and who asks is told
/// otherwise. `ccs_now`: who is in copy before.
pub fn write_fields(
    write: &mut body::TicketWrite,
    set: &Fields,
    creating: bool,
    dialect: Dialect<'_>,
    ccs_now: &BTreeSet<String>,
) {
    for value in set {
        match value {
            (Field::Status, value) => write_status(write, value, creating, dialect.statuses),
            (Field::Subject, Value::Text(subject)) => write.subject = Some(subject.clone()),
            (_, Value::Priority(priority)) => write.priority = Some(priority.map(Priority::name)),
            (Field::Tags, Value::Tags(tags)) => write.tags = Some(tags.iter().cloned().collect()),
            (Field::Ccs, Value::Tags(ccs)) => write.email_ccs = Some(copies(ccs, ccs_now)),
            (Field::Group, Value::Owner(owner)) => write.group_id = Some(owner_json(owner.as_ref())),
            (_, Value::Owner(owner)) => write.assignee_id = Some(owner_json(owner.as_ref())),
            (Field::Type, Value::Choice(kind)) => write.kind = Some(kind.clone()),
            (Field::DueAt, Value::Time(at)) => write.due_at = Some(at.map(Timestamp::to_rfc3339_secs)),
            (Field::Requester, Value::Choice(Some(email))) if !creating => {
                // Zendesk makes nobody without a name, and leaves the name of who is known.
                write.requester = Some(body::RequesterWrite { name: email.clone(), email: email.clone() });
            }
            (Field::Custom(name), Value::Typed(typed)) => {
                write_custom(write, *name, typed.as_ref(), dialect.custom);
            }
            _ => {}
        }
    }
}

fn write_status(write: &mut body::TicketWrite, value: &Value, creating: bool, statuses: &Statuses) {
    match value {
        Value::StatusDetail { detail, .. } => {
            write.custom_status_id = Some(id_json(&RemoteId(detail.clone())));
        }
        Value::Status(status) => {
            let status = if *status == Status::New && !creating { Status::Open } else { *status };
            write.status = Some(status_word(status));
            let category = if status == Status::Closed { Status::Solved } else { status };
            write.custom_status_id = statuses.default_of(category).map(id_json);
        }
        _ => {}
    }
}

fn write_custom(
    write: &mut body::TicketWrite,
    name: handoffd_core::FieldName,
    typed: Option<&Typed>,
    custom: &[CustomField],
) {
    if let Some(field) = custom.iter().find(|field| field.name == name) {
        let id = id_json(&RemoteId(field.native.clone()));
        write.custom_fields.push(body::CustomFieldWrite { id, value: custom_fields::write(typed) });
    }
}

/// Zendesk adds and takes off, one by one.
fn copies(wanted: &BTreeSet<String>, now: &BTreeSet<String>) -> Vec<body::CcWrite> {
    let put = wanted.difference(now).map(|email| (email, "put"));
    let delete = now.difference(wanted).map(|email| (email, "delete"));
    put.chain(delete).map(|(email, action)| body::CcWrite { user_email: email.clone(), action }).collect()
}

fn owner_json(owner: Option<&RemoteId>) -> serde_json::Value {
    owner.map_or(serde_json::Value::Null, id_json)
}
