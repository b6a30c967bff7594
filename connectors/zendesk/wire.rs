//! Zendesk's JSON, as far as it is read.
//!
//! Reading is lenient throughout: a `null` may stand anywhere, an id is a
//! number or a text, an unknown word is kept as text, an unknown key is ignored.
//! Only the list that a page is about must be there: a page without it would
//! read as "nothing is there".

use handoffd_core::RemoteId;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::lenient::{count, flag, id, list, or_default, or_nothing, said_id, said_text, tags, text, words};

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
    /// Whether the customer can read it.
    #[serde(deserialize_with = "flag")]
    pub public: Option<bool>,
    /// When.
    #[serde(deserialize_with = "text")]
    pub created_at: Option<String>,
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
}

/// A page of the cursor export.
#[derive(Debug, Deserialize)]
pub struct ExportPage {
    /// Rows, to be read one by one.
    #[serde(deserialize_with = "or_default")]
    pub tickets: Vec<Box<RawValue>>,
    /// The requesters and others, if side-loaded.
    #[serde(default, deserialize_with = "list")]
    pub users: Vec<User>,
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
    #[serde(deserialize_with = "list")]
    pub tickets: Vec<Ticket>,
    /// The people, if side-loaded.
    #[serde(default, deserialize_with = "list")]
    pub users: Vec<User>,
}

/// A page of comments.
#[derive(Debug, Deserialize)]
pub struct CommentsPage {
    /// The comments.
    #[serde(deserialize_with = "list")]
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
    #[serde(deserialize_with = "list")]
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
    #[serde(deserialize_with = "list")]
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
