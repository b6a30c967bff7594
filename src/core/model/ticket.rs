//! A ticket's fields, and what a helpdesk showed of a ticket.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use arrayvec::ArrayString;
use serde::{Deserialize, Serialize};

use super::{
    comment::Comment,
    ids::{OpKey, RemoteId, TicketKey},
    person::Person,
    time::Timestamp,
};

/// The name of a custom field in a link group: lower-case letters, digits and `_`,
/// at most [`FIELD_NAME_CHARS_MAX`] characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FieldName(ArrayString<FIELD_NAME_CHARS_MAX>);

/// The longest name of a custom field.
pub const FIELD_NAME_CHARS_MAX: usize = 40;

/// A text that cannot name a custom field or a field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} names no field: a custom field's name has lower-case letters, digits and _, at most {FIELD_NAME_CHARS_MAX}"
)]
pub struct BadFieldName(pub String);

impl FieldName {
    /// Checks the name.
    pub fn new(name: &str) -> Result<Self, BadFieldName> {
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        let bad = || BadFieldName(name.chars().take(FIELD_NAME_CHARS_MAX * 2).collect());
        if name.is_empty() || !name.chars().all(fits) {
            return Err(bad());
        }
        ArrayString::from(name).map(Self).map_err(|_| bad())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

/// A field of a ticket that handoffd reads. Written and shown by its name;
/// a custom field as `custom:name`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Field {
    /// One line of text.
    Subject,
    /// Where the ticket stands.
    Status,
    /// How urgent it is; absent where nobody said.
    Priority,
    /// Labels; merge as a set.
    Tags,
    /// The agent who owns the ticket, by that helpdesk's own id. Watched for handoffs, never synced.
    Assignee,
    /// The group or team that owns the ticket, by that helpdesk's own id. Watched for handoffs, never synced.
    Group,
    /// What kind of request it is.
    Type,
    /// When it is due.
    DueAt,
    /// Addresses in copy, folded; merge as a set.
    Ccs,
    /// Who asked, by folded address.
    Requester,
    /// The agent who owns the ticket, by the name that the link group gives them.
    Agent,
    /// The group or team that owns the ticket, by the name that the link group gives it.
    Team,
    /// Tags by the account's own words, and tags that do not travel, where [`Field::Tags`] holds
    /// other words. Made by the mapping for filters, never synced.
    OwnTags,
    /// A custom field of the link group.
    Custom(FieldName),
}

impl Field {
    /// The name in configuration, logs and pages, without the mark of custom fields.
    pub fn name(&self) -> &str {
        match self {
            Self::Subject => "subject",
            Self::Status => "status",
            Self::Priority => "priority",
            Self::Tags => "tags",
            Self::Assignee => "assignee",
            Self::Group => "group",
            Self::Type => "type",
            Self::DueAt => "due_at",
            Self::Ccs => "ccs",
            Self::Requester => "requester",
            Self::Agent => "agent",
            Self::Team => "team",
            Self::OwnTags => "own_tags",
            Self::Custom(name) => name.as_str(),
        }
    }

    /// Every field that is not custom, in order.
    pub const BUILT_IN: [Self; 13] = [
        Self::Subject,
        Self::Status,
        Self::Priority,
        Self::Tags,
        Self::Assignee,
        Self::Group,
        Self::Type,
        Self::DueAt,
        Self::Ccs,
        Self::Requester,
        Self::Agent,
        Self::Team,
        Self::OwnTags,
    ];

    /// The fields that are kept in step unless the configuration says otherwise.
    pub const SYNCED: [Self; 4] = [Self::Subject, Self::Status, Self::Priority, Self::Tags];

    /// Whether a link group may keep it in step. Owners are synced by the names
    /// of the link group, never by a helpdesk's ids.
    pub fn may_be_synced(self) -> bool {
        !matches!(self, Self::Assignee | Self::Group | Self::OwnTags)
    }

    /// Whether it merges as a set.
    pub fn is_set(self) -> bool {
        matches!(self, Self::Tags | Self::Ccs)
    }
}

/// What a custom field's name begins with where fields are written as text.
const CUSTOM: &str = "custom:";

impl From<Field> for String {
    fn from(field: Field) -> Self {
        field.to_string()
    }
}

impl TryFrom<String> for Field {
    type Error = BadFieldName;

    fn try_from(text: String) -> Result<Self, BadFieldName> {
        match text.strip_prefix(CUSTOM) {
            Some(name) => FieldName::new(name).map(Self::Custom),
            None => Self::BUILT_IN.into_iter().find(|field| field.name() == text).ok_or(BadFieldName(text)),
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::Custom(_) = self {
            out.write_str(CUSTOM)?;
        }
        out.write_str(self.name())
    }
}

/// What a custom field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldKind {
    /// Text.
    Text,
    /// A decimal number.
    Number,
    /// Yes or no.
    Boolean,
    /// A day.
    Date,
    /// One of the account's own options.
    Choice,
    /// Several of the account's own options; a register, not merged as a set.
    Choices,
}

/// A custom field's value, by its [`FieldKind`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Typed {
    /// Text, at most [`SUBJECT_CHARS_MAX`] characters: make it with [`Value::text`].
    Text(String),
    /// A decimal number in its shortest form, such as `-1.5`: make it with [`Value::number`].
    Number(String),
    /// Yes or no.
    Boolean(bool),
    /// A day, `YYYY-MM-DD`.
    Date(String),
    /// One option, by the account's own name for it.
    Choice(String),
    /// Several options.
    Choices(BTreeSet<String>),
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
    /// Of [`Field::Tags`], [`Field::Ccs`] and [`Field::OwnTags`].
    Tags(BTreeSet<String>),
    /// Of [`Field::Assignee`] and [`Field::Group`].
    Owner(Option<RemoteId>),
    /// Of [`Field::Status`], where the status is one of the account's own making: the category,
    /// and which one it is. A connector names it by the vendor's id, the mapping by the link group's word.
    StatusDetail {
        /// The category.
        status: Status,
        /// Which status of that category.
        detail: String,
    },
    /// Of [`Field::Type`], [`Field::Requester`], [`Field::Agent`] and [`Field::Team`].
    Choice(Option<String>),
    /// Of [`Field::DueAt`].
    Time(Option<Timestamp>),
    /// Of [`Field::Custom`]; `None` when it is empty.
    Typed(Option<Typed>),
}

impl Value {
    /// A subject: one line, cut at [`SUBJECT_CHARS_MAX`].
    pub fn subject(text: &str) -> Self {
        let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        Self::Text(line.trim().chars().take(SUBJECT_CHARS_MAX).collect())
    }

    /// The status's category, if this is a status.
    pub fn as_status(&self) -> Option<Status> {
        match self {
            Self::Status(status) | Self::StatusDetail { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// The value of a custom text field: cut at [`SUBJECT_CHARS_MAX`]; empty text is no value.
    pub fn text(text: &str) -> Self {
        let text: String = text.replace("\r\n", "\n").trim().chars().take(SUBJECT_CHARS_MAX).collect();
        Self::Typed(Some(text).filter(|text| !text.is_empty()).map(Typed::Text))
    }

    /// The value of a custom number field, in its shortest form; `None` if the text is no decimal number.
    pub fn number(text: &str) -> Option<Self> {
        let text = text.trim();
        let (sign, digits) = text.strip_prefix('-').map_or(("", text), |digits| ("-", digits));
        let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
        let are_digits = |text: &str| text.chars().all(|c| c.is_ascii_digit());
        if whole.len() + part.len() == 0
            || whole.len() + part.len() > 40
            || !are_digits(whole)
            || !are_digits(part)
        {
            return None;
        }
        let (whole, part) = (whole.trim_start_matches('0'), part.trim_end_matches('0'));
        let whole = if whole.is_empty() { "0" } else { whole };
        let sign = if whole == "0" && part.is_empty() { "" } else { sign };
        let dot = if part.is_empty() { "" } else { "." };
        Some(Self::Typed(Some(Typed::Number(format!("{sign}{whole}{dot}{part}")))))
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
            Self::StatusDetail { status, detail } => write!(out, "{} ({detail})", status.name()),
            Self::Choice(choice) => out.write_str(choice.as_deref().unwrap_or("none")),
            Self::Time(at) => match at {
                Some(at) => at.fmt(out),
                None => out.write_str("never"),
            },
            Self::Typed(typed) => match typed {
                Some(typed) => typed.fmt(out),
                None => out.write_str("empty"),
            },
        }
    }
}

impl fmt::Display for Typed {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(out, "{text:?}"),
            Self::Number(text) | Self::Date(text) | Self::Choice(text) => out.write_str(text),
            Self::Boolean(yes) => out.write_str(if *yes { "yes" } else { "no" }),
            Self::Choices(all) => {
                write!(out, "[{}]", all.iter().map(String::as_str).collect::<Vec<_>>().join(", "))
            }
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
    /// The closed ticket that this one follows up, if the vendor says so.
    #[serde(default)]
    pub follows: Option<RemoteId>,
    /// What the customer thought of the help they got, if they said so. Read only.
    #[serde(default)]
    pub rating: Option<Rating>,
}

/// A customer's rating of the help they got.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Rating {
    /// From 0, the worst that the vendor's scale has, to 100, the best.
    pub percent: u8,
    /// The vendor's own word or number for it.
    pub label: String,
    /// What the customer wrote with it.
    pub comment: Option<String>,
    /// When, in the vendor's time, if it says so.
    pub at: Option<Timestamp>,
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
