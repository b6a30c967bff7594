//! Zendesk's JSON, as far as it is read.
//!
//! Reading is lenient throughout: a `null` may stand anywhere, an id is a
//! number or a text, an unknown word is kept as text, an unknown key is ignored.
//! Only the list that a page is about must be there, and no `null`: a page
//! without it would read as "nothing is there", which is "deleted", "no news"
//! or "no trigger mails". People are no such list: nobody is known by heart.

use handoffd_core::RemoteId;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::lenient::{
    count, flag, id, ids, list, or_default, or_nothing, said_id, said_text, tags, text, words,
};

/// A ticket.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Ticket {
    /// Its id.
    #[serde(deserialize_with = "id")]
    pub id: Option<RemoteId>,
    /// Our marker, or another system's id.
    #[serde(deserialize_with = "text")]
    pub external_id: Option<String>,
    /// One line of text; `Some(None)` is `null`, `None` is not told.
    #[serde(deserialize_with = "said_text")]
    pub subject: Option<Option<String>>,
    /// The status, or the category of a custom status.
    #[serde(deserialize_with = "text")]
    pub status: Option<String>,
    /// The priority.
    #[serde(deserialize_with = "said_text")]
    pub priority: Option<Option<String>>,
    /// The tags; `None` when the answer does not say.
    #[serde(deserialize_with = "tags")]
    pub tags: Option<Vec<String>>,
    /// Who asked.
    #[serde(deserialize_with = "id")]
    pub requester_id: Option<RemoteId>,
    /// The agent who owns it.
    #[serde(deserialize_with = "said_id")]
    pub assignee_id: Option<Option<RemoteId>>,
    /// The group that owns it.
    #[serde(deserialize_with = "said_id")]
    pub group_id: Option<Option<RemoteId>>,
    /// When it was made.
    #[serde(deserialize_with = "text")]
    pub created_at: Option<String>,
    /// When its last event happened.
    #[serde(deserialize_with = "text")]
    pub updated_at: Option<String>,
    /// How many comments it has, when side-loaded.
    #[serde(deserialize_with = "count")]
    pub comment_count: Option<u64>,
    /// What kind of request it is.
    #[serde(rename = "type", deserialize_with = "said_text")]
    pub kind: Option<Option<String>>,
    /// When a task is due.
    #[serde(deserialize_with = "said_text")]
    pub due_at: Option<Option<String>>,
    /// Who is copied on mails.
    #[serde(deserialize_with = "ids")]
    pub email_cc_ids: Option<Vec<RemoteId>>,
    /// The values of the account's custom fields.
    #[serde(deserialize_with = "or_nothing")]
    pub custom_fields: Option<Vec<CustomValue>>,
    /// Which status of the category it has.
    #[serde(deserialize_with = "id")]
    pub custom_status_id: Option<RemoteId>,
    /// What the customer thought.
    #[serde(deserialize_with = "or_nothing")]
    pub satisfaction_rating: Option<Satisfaction>,
    /// How it came to be.
    #[serde(deserialize_with = "or_nothing")]
    pub via: Via,
    /// The closed ticket that it follows up, where that is told outright.
    #[serde(deserialize_with = "id")]
    pub via_followup_source_id: Option<RemoteId>,
}

/// A custom field's value.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct CustomValue {
    /// The field.
    #[serde(deserialize_with = "id")]
    pub id: Option<RemoteId>,
    /// A text, number, truth value, list or `null`.
    pub value: serde_json::Value,
}

/// What the customer thought.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Satisfaction {
    /// `good`, `bad`, `offered`, `unoffered`.
    #[serde(deserialize_with = "text")]
    pub score: Option<String>,
    /// What they wrote with it.
    #[serde(deserialize_with = "text")]
    pub comment: Option<String>,
    /// When.
    #[serde(deserialize_with = "text")]
    pub created_at: Option<String>,
}

/// How something came to be.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Via {
    /// From where to where.
    #[serde(deserialize_with = "or_nothing")]
    pub source: ViaSource,
}

/// From where to where.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ViaSource {
    /// Where it came from.
    #[serde(deserialize_with = "or_nothing")]
    pub from: ViaEnd,
    /// Where it went.
    #[serde(deserialize_with = "or_nothing")]
    pub to: ViaEnd,
    /// What they have to do with each other: `follow_up`, `merge` and more.
    #[serde(deserialize_with = "text")]
    pub rel: Option<String>,
}

/// One end of it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ViaEnd {
    /// The ticket, if it is one.
    #[serde(deserialize_with = "id")]
    pub ticket_id: Option<RemoteId>,
}

/// A status of the account.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct CustomStatus {
    /// Its id.
    #[serde(deserialize_with = "id")]
    pub id: Option<RemoteId>,
    /// Its category.
    #[serde(deserialize_with = "text")]
    pub status_category: Option<String>,
    /// What agents see.
    #[serde(deserialize_with = "text")]
    pub agent_label: Option<String>,
    /// Whether it can be chosen.
    #[serde(deserialize_with = "flag")]
    pub active: Option<bool>,
    /// Whether it is what its category means without further detail.
    #[serde(deserialize_with = "flag")]
    pub default: Option<bool>,
}

/// A person.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct User {
    /// The id; `null` for the anonymous user.
    #[serde(deserialize_with = "id")]
    pub id: Option<RemoteId>,
    /// The display name.
    #[serde(deserialize_with = "text")]
    pub name: Option<String>,
    /// The address.
    #[serde(deserialize_with = "text")]
    pub email: Option<String>,
    /// `end-user`, `agent`, `admin`.
    #[serde(deserialize_with = "text")]
    pub role: Option<String>,
}

/// A comment.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Comment {
    /// Its id.
    #[serde(deserialize_with = "id")]
    pub id: Option<RemoteId>,
    /// Who wrote it.
    #[serde(deserialize_with = "id")]
    pub author_id: Option<RemoteId>,
    /// The text.
    #[serde(deserialize_with = "text")]
    pub body: Option<String>,
    /// The text without formatting.
    #[serde(deserialize_with = "text")]
    pub plain_body: Option<String>,
    /// The text as it looks.
    #[serde(deserialize_with = "text")]
    pub html_body: Option<String>,
    /// The files on it.
    #[serde(deserialize_with = "list")]
    pub attachments: Vec<Attachment>,
    /// Whether the customer can read it.
    #[serde(deserialize_with = "flag")]
    pub public: Option<bool>,
    /// When.
    #[serde(deserialize_with = "text")]
    pub created_at: Option<String>,
}

/// A file on a comment.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Attachment {
    /// Its id.
    #[serde(deserialize_with = "id")]
    pub id: Option<RemoteId>,
    /// Its name.
    #[serde(deserialize_with = "text")]
    pub file_name: Option<String>,
    /// Its media type.
    #[serde(deserialize_with = "text")]
    pub content_type: Option<String>,
    /// Where it is.
    #[serde(deserialize_with = "text")]
    pub content_url: Option<String>,
    /// Where it is under the account's own domain.
    #[serde(deserialize_with = "text")]
    pub mapped_content_url: Option<String>,
    /// How long it is.
    #[serde(deserialize_with = "count")]
    pub size: Option<u64>,
    /// Whether it is shown in the text.
    #[serde(deserialize_with = "flag")]
    pub inline: Option<bool>,
}

/// An audit: one update of a ticket.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Audit {
    /// When.
    #[serde(deserialize_with = "text")]
    pub created_at: Option<String>,
    /// What its writer attached.
    #[serde(deserialize_with = "or_nothing")]
    pub metadata: Metadata,
    /// What happened in it.
    #[serde(deserialize_with = "list")]
    pub events: Vec<Event>,
    /// How it came to be.
    #[serde(deserialize_with = "or_nothing")]
    pub via: Via,
}

/// What the writer of an audit attached.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Metadata {
    /// The ticket's `metadata` as it was sent.
    #[serde(deserialize_with = "or_nothing")]
    pub custom: Custom,
}

/// The part of it that is ours.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Custom {
    /// The marker.
    #[serde(deserialize_with = "text")]
    pub handoffd_op: Option<String>,
}

/// One event of an audit.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Event {
    /// Its id; for a comment also the comment's.
    #[serde(deserialize_with = "id")]
    pub id: Option<RemoteId>,
    /// `Comment`, `Change` and many more.
    #[serde(rename = "type", deserialize_with = "text")]
    pub kind: Option<String>,
    /// A comment's text.
    #[serde(deserialize_with = "text")]
    pub body: Option<String>,
    /// How it came to be, if otherwise than its audit.
    #[serde(deserialize_with = "or_nothing")]
    pub via: Via,
}

/// A page of the cursor export.
#[derive(Debug, Deserialize)]
pub struct ExportPage {
    /// Rows, to be read one by one.
    pub tickets: Vec<Box<RawValue>>,
    /// The requesters and others, if side-loaded.
    #[serde(default, deserialize_with = "list")]
    pub users: Vec<User>,
    /// The statuses of the account's own, if side-loaded.
    #[serde(default, deserialize_with = "list")]
    pub custom_statuses: Vec<CustomStatus>,
    /// Where to go on.
    #[serde(default, deserialize_with = "text")]
    pub after_cursor: Option<String>,
    /// Whether this was the last page for now.
    #[serde(default, deserialize_with = "flag")]
    pub end_of_stream: Option<bool>,
}

/// Several tickets.
#[derive(Debug, Deserialize)]
pub struct TicketsPage {
    /// The tickets.
    pub tickets: Vec<Ticket>,
    /// The people, if side-loaded.
    #[serde(default, deserialize_with = "list")]
    pub users: Vec<User>,
    /// The statuses of the account's own, if side-loaded.
    #[serde(default, deserialize_with = "list")]
    pub custom_statuses: Vec<CustomStatus>,
}

/// A page of comments.
#[derive(Debug, Deserialize)]
pub struct CommentsPage {
    /// The comments.
    pub comments: Vec<Comment>,
    /// The people, if side-loaded.
    #[serde(default, deserialize_with = "list")]
    pub users: Vec<User>,
    /// How to go on.
    #[serde(default, deserialize_with = "or_default")]
    pub meta: Meta,
}

/// A page of audits.
#[derive(Debug, Deserialize)]
pub struct AuditsPage {
    /// The audits.
    pub audits: Vec<Audit>,
    /// How to go on.
    #[serde(default, deserialize_with = "or_default")]
    pub meta: Meta,
}

/// Cursor paging.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Meta {
    /// Whether there is another page.
    #[serde(deserialize_with = "flag")]
    pub has_more: Option<bool>,
    /// Where it begins.
    #[serde(deserialize_with = "text")]
    pub after_cursor: Option<String>,
}

impl Meta {
    /// Where the next page begins, if there is one beyond `last`.
    pub fn next(self, last: Option<&str>) -> Option<String> {
        let next = self.after_cursor.filter(|_| self.has_more == Some(true));
        next.filter(|cursor| Some(cursor.as_str()) != last)
    }
}

/// The answer to a write of a ticket.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Written {
    /// The ticket after it.
    #[serde(deserialize_with = "or_default")]
    pub ticket: Option<Ticket>,
    /// What the write was.
    #[serde(deserialize_with = "or_default")]
    pub audit: Audit,
}

/// People found.
#[derive(Debug, Deserialize)]
pub struct UsersPage {
    /// The people.
    #[serde(deserialize_with = "list")]
    pub users: Vec<User>,
    /// How to go on.
    #[serde(default, deserialize_with = "or_default")]
    pub meta: Meta,
}

/// The account's statuses.
#[derive(Debug, Deserialize)]
pub struct StatusesPage {
    /// The statuses.
    pub custom_statuses: Vec<CustomStatus>,
}

/// One status.
#[derive(Debug, Deserialize)]
pub struct OneStatus {
    /// The status.
    pub custom_status: CustomStatus,
}

/// A page of ticket fields.
#[derive(Debug, Deserialize)]
pub struct FieldsPage {
    /// The fields.
    pub ticket_fields: Vec<TicketField>,
    /// How to go on.
    #[serde(default, deserialize_with = "or_default")]
    pub meta: Meta,
}

/// One ticket field.
#[derive(Debug, Deserialize)]
pub struct OneField {
    /// The field.
    pub ticket_field: TicketField,
}

/// A field of tickets.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct TicketField {
    /// Its id.
    #[serde(deserialize_with = "id")]
    pub id: Option<RemoteId>,
    /// What it holds: `text`, `tagger` and many more; `tickettype` for the built-in type.
    #[serde(rename = "type", deserialize_with = "text")]
    pub kind: Option<String>,
    /// What people see.
    #[serde(deserialize_with = "text")]
    pub title: Option<String>,
    /// Whether it is in use.
    #[serde(deserialize_with = "flag")]
    pub active: Option<bool>,
    /// Whether it is a custom one.
    #[serde(deserialize_with = "flag")]
    pub removable: Option<bool>,
    /// Whether customers see it.
    #[serde(deserialize_with = "flag")]
    pub visible_in_portal: Option<bool>,
    /// The options of a custom one.
    #[serde(deserialize_with = "list")]
    pub custom_field_options: Vec<FieldOption>,
    /// The options of a built-in one.
    #[serde(deserialize_with = "list")]
    pub system_field_options: Vec<FieldOption>,
}

/// An option.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct FieldOption {
    /// What tickets hold: of a custom field, a tag.
    #[serde(deserialize_with = "text")]
    pub value: Option<String>,
}

/// A page of groups.
#[derive(Debug, Deserialize)]
pub struct GroupsPage {
    /// The groups.
    pub groups: Vec<Group>,
    /// How to go on.
    #[serde(default, deserialize_with = "or_default")]
    pub meta: Meta,
}

/// A group of agents.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Group {
    /// Its id.
    #[serde(deserialize_with = "id")]
    pub id: Option<RemoteId>,
    /// Its name.
    #[serde(deserialize_with = "text")]
    pub name: Option<String>,
    /// Whether it is gone.
    #[serde(deserialize_with = "flag")]
    pub deleted: Option<bool>,
}

/// The answer to an upload.
#[derive(Debug, Deserialize)]
pub struct Uploaded {
    /// The upload.
    pub upload: Upload,
}

/// A file that waits for its comment.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Upload {
    /// What the comment names.
    #[serde(deserialize_with = "text")]
    pub token: Option<String>,
}

/// A page of the export of events.
#[derive(Debug, Deserialize)]
pub struct EventsPage {
    /// The events, by time.
    pub ticket_events: Vec<TicketEvent>,
    /// The time of the last one, in seconds.
    #[serde(default, deserialize_with = "text")]
    pub end_time: Option<String>,
    /// Whether this was the last page for now.
    #[serde(default, deserialize_with = "flag")]
    pub end_of_stream: Option<bool>,
}

/// One update of a ticket, as the export of events tells it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct TicketEvent {
    /// Its id, which is the audit's.
    #[serde(deserialize_with = "id")]
    pub id: Option<RemoteId>,
    /// Of which ticket.
    #[serde(deserialize_with = "id")]
    pub ticket_id: Option<RemoteId>,
    /// When, in seconds.
    #[serde(deserialize_with = "text")]
    pub timestamp: Option<String>,
    /// What happened, each to be read alone.
    #[serde(deserialize_with = "or_default")]
    pub child_events: Vec<Box<RawValue>>,
}

/// What every event within one tells.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ChildEvent {
    /// `Comment`, `Create`, `Change` and many more.
    #[serde(deserialize_with = "text")]
    pub event_type: Option<String>,
    /// Who asks from now on, if that is what happened.
    #[serde(deserialize_with = "id")]
    pub requester_id: Option<RemoteId>,
}

/// One person.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct OneUser {
    /// The person.
    #[serde(deserialize_with = "or_default")]
    pub user: User,
}

/// A page of triggers.
#[derive(Debug, Deserialize)]
pub struct TriggersPage {
    /// The triggers.
    pub triggers: Vec<Trigger>,
    /// How to go on.
    #[serde(default, deserialize_with = "or_default")]
    pub meta: Meta,
}

/// A trigger of the account.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Trigger {
    /// Its id.
    #[serde(deserialize_with = "id")]
    pub id: Option<RemoteId>,
    /// Whether it runs.
    #[serde(deserialize_with = "flag")]
    pub active: Option<bool>,
    /// What it does.
    #[serde(deserialize_with = "list")]
    pub actions: Vec<Rule>,
    /// When it does it.
    #[serde(deserialize_with = "or_default")]
    pub conditions: Conditions,
}

/// When a trigger runs.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Conditions {
    /// All of these hold.
    #[serde(deserialize_with = "list")]
    pub all: Vec<Rule>,
    /// One of these holds.
    #[serde(deserialize_with = "list")]
    pub any: Vec<Rule>,
}

/// A condition or an action.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Rule {
    /// About what.
    #[serde(deserialize_with = "text")]
    pub field: Option<String>,
    /// The comparison.
    #[serde(deserialize_with = "text")]
    pub operator: Option<String>,
    /// A value or a list of them.
    #[serde(deserialize_with = "words")]
    pub value: Vec<String>,
}

/// The id of a row that cannot be read otherwise.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct RowId {
    /// The id.
    #[serde(deserialize_with = "id")]
    pub id: Option<RemoteId>,
}
