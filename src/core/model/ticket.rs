//! A ticket's fields, and what a helpdesk showed of a ticket.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde::{Deserialize, Serialize};

use super::{
    comment::Comment,
    ids::{OpKey, RemoteId, TicketKey},
    person::Person,
    time::Timestamp,
};

/// A field of a ticket that handoffd reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Field {
    /// One line of text.
    Subject,
    /// Where the ticket stands.
    Status,
    /// How urgent it is; absent where nobody said.
    Priority,
    /// Labels; merge as a set.
    Tags,
    /// The agent who owns the ticket, by that helpdesk's own id. Watched for handoffs.
    Assignee,
    /// The group or team that owns the ticket, by that helpdesk's own id. Watched for handoffs.
    Group,
}

impl Field {
    /// The name in configuration, logs and pages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Subject => "subject",
            Self::Status => "status",
            Self::Priority => "priority",
            Self::Tags => "tags",
            Self::Assignee => "assignee",
            Self::Group => "group",
        }
    }

    /// Every field, in order.
    pub const ALL: [Self; 6] =
        [Self::Subject, Self::Status, Self::Priority, Self::Tags, Self::Assignee, Self::Group];

    /// The fields that a link group may keep in step.
    pub const SYNCED: [Self; 4] = [Self::Subject, Self::Status, Self::Priority, Self::Tags];
}

impl fmt::Display for Field {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

/// Where a ticket stands, in words that every helpdesk can be mapped to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Nobody has touched it.
    New,
    /// Somebody is on it.
    Open,
    /// Waiting for the customer.
    Pending,
    /// Waiting for a third party.
    OnHold,
    /// Answered; may be reopened.
    Solved,
    /// Final.
    Closed,
}

impl Status {
    /// Every status, in order.
    pub const ALL: [Self; 6] =
        [Self::New, Self::Open, Self::Pending, Self::OnHold, Self::Solved, Self::Closed];

    /// The name in configuration, logs and pages.
    pub fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Open => "open",
            Self::Pending => "pending",
            Self::OnHold => "on_hold",
            Self::Solved => "solved",
            Self::Closed => "closed",
        }
    }
}

/// How urgent a ticket is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// Low.
    Low,
    /// Normal, or medium.
    Normal,
    /// High.
    High,
    /// Urgent.
    Urgent,
}

impl Priority {
    /// Every priority, in order.
    pub const ALL: [Self; 4] = [Self::Low, Self::Normal, Self::High, Self::Urgent];

    /// The name in configuration, logs and pages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Normal => "normal",
            Self::High => "high",
            Self::Urgent => "urgent",
        }
    }
}

/// The longest subject that is kept in step, in characters. Longer ones are cut
/// by [`Value::subject`], so that a link's row stays small.
pub const SUBJECT_CHARS_MAX: usize = 1_000;

/// The value of one field. The variant always fits the [`Field`] it is stored under.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Value {
    /// Of [`Field::Subject`]: make it with [`Value::subject`].
    Text(String),
    /// Of [`Field::Status`].
    Status(Status),
    /// Of [`Field::Priority`].
    Priority(Option<Priority>),
    /// Of [`Field::Tags`].
    Tags(BTreeSet<String>),
    /// Of [`Field::Assignee`] and [`Field::Group`].
    Owner(Option<RemoteId>),
}

impl Value {
    /// A subject: one line, cut at [`SUBJECT_CHARS_MAX`].
    pub fn subject(text: &str) -> Self {
        let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        Self::Text(line.trim().chars().take(SUBJECT_CHARS_MAX).collect())
    }

    /// The tags, if this is a set of tags.
    pub fn as_tags(&self) -> Option<&BTreeSet<String>> {
        match self {
            Self::Tags(tags) => Some(tags),
            _ => None,
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(out, "{text:?}"),
            Self::Status(status) => out.write_str(status.name()),
            Self::Priority(priority) => out.write_str(priority.map_or("none", Priority::name)),
            Self::Tags(tags) => {
                write!(out, "[{}]", tags.iter().map(String::as_str).collect::<Vec<_>>().join(", "))
            }
            Self::Owner(owner) => out.write_str(owner.as_ref().map_or("nobody", RemoteId::as_str)),
        }
    }
}

/// Field values of one ticket. A field that is not in the map is not known, which is not "empty".
pub type Fields = BTreeMap<Field, Value>;

/// How new a view of a ticket is, in its own vendor's time.
///
/// Comparable within one ticket only. Vendors keep whole seconds, so two
/// changes within one second share a version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Version(pub i64);

impl From<Timestamp> for Version {
    fn from(at: Timestamp) -> Self {
        Self(at.0)
    }
}

/// How a view of a ticket was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReadBy {
    /// From a page of a feed, which may be older than what we know.
    Feed,
    /// By id, just now.
    Fetch,
    /// From the answer to a write of ours.
    Answer,
}

/// What was looked at of a ticket's comments.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CommentsSeen {
    /// Nobody looked: this is never "no comments".
    NotLooked,
    /// All comments, in the vendor's own order, oldest first.
    All(Vec<Comment>),
}

/// One view of one ticket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observed {
    /// Which ticket.
    pub ticket: TicketKey,
    /// The vendor's version of this view.
    pub version: Version,
    /// How it was read.
    pub read_by: ReadBy,
    /// When it was read, in our time.
    pub read_at: Timestamp,
    /// The fields as this helpdesk shows them.
    pub fields: Fields,
    /// Who asked.
    pub requester: Option<Person>,
    /// The comments, if they were looked at.
    pub comments: CommentsSeen,
    /// How many comments there are, if the vendor said so without listing them.
    pub comment_count: Option<u64>,
    /// Our own marker on the ticket, if the vendor shows one: the [`OpKey`] of the creation.
    pub marker: Option<OpKey>,
    /// When the ticket was created, in the vendor's time.
    pub created_at: Timestamp,
}

/// What became of a ticket that was asked for by id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fetched {
    /// It is there.
    Shown(Box<Observed>),
    /// It is deleted, spam, or not visible any more.
    Gone(TicketKey),
    /// It was merged into another ticket.
    MovedTo {
        /// The ticket that was asked for.
        from: TicketKey,
        /// The ticket that holds the conversation.
        to: TicketKey,
    },
}
