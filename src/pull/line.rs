//! One line of output: a ticket in canonical form, or what became of one.

use std::collections::BTreeMap;

use handoffd_connectors::contract::FeedRow;
use handoffd_core::{
    AccountId, Attachment, Comment, CommentsSeen, Field, FieldName, Observed, Person, Rating, RemoteId, Role,
    TicketKey, Timestamp, Typed, Value,
};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use super::Pulled;

/// The vendor's own names of custom fields, by the names under which the adapter shows them.
pub type Names = BTreeMap<FieldName, String>;

/// A line.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Line {
    /// A ticket as its helpdesk shows it.
    Ticket(Box<Ticket>),
    /// A ticket that is deleted or spam.
    Gone {
        /// The account.
        account: AccountId,
        /// The ticket.
        id: RemoteId,
    },
    /// A ticket that was merged into another.
    Merged {
        /// The account.
        account: AccountId,
        /// The ticket.
        id: RemoteId,
        /// The ticket that holds the conversation.
        into: RemoteId,
    },
    /// A rating that came by itself.
    Rating {
        /// The account.
        account: AccountId,
        /// The ticket.
        id: RemoteId,
        /// The rating.
        rating: RatingLine,
    },
    /// A row that could not be read, or a ticket whose comments could not.
    Unreadable {
        /// The account.
        account: AccountId,
        /// The ticket, if the row says so much.
        id: Option<RemoteId>,
        /// Where and why, without ticket text.
        what: String,
    },
}

/// A ticket in canonical form.
#[derive(Clone, Debug, Serialize)]
pub struct Ticket {
    account: AccountId,
    id: RemoteId,
    version: i64,
    created_at: String,
    subject: Option<String>,
    status: Option<&'static str>,
    status_detail: Option<String>,
    priority: Option<&'static str>,
    kind: Option<String>,
    due_at: Option<String>,
    tags: Vec<String>,
    ccs: Vec<String>,
    requester: Option<PersonLine>,
    assignee: Option<RemoteId>,
    group: Option<RemoteId>,
    follows: Option<RemoteId>,
    rating: Option<RatingLine>,
    custom: BTreeMap<String, Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    comments: Option<Vec<CommentLine>>,
}

/// A person.
#[derive(Clone, Debug, Serialize)]
struct PersonLine {
    id: Option<RemoteId>,
    name: String,
    email: Option<String>,
    role: &'static str,
}

/// A rating.
#[derive(Clone, Debug, Serialize)]
pub struct RatingLine {
    percent: u8,
    label: String,
    comment: Option<String>,
    at: Option<String>,
}

#[derive(Clone, Debug, Serialize)]
struct CommentLine {
    id: RemoteId,
    public: bool,
    author: PersonLine,
    at: String,
    text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    html: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    redacted: bool,
    attachments: Vec<FileLine>,
}

/// A file, without the address: it expires, and may let anybody in.
#[derive(Clone, Debug, Serialize)]
struct FileLine {
    id: RemoteId,
    name: String,
    content_type: String,
    size: Option<u64>,
    inline: bool,
}

impl Line {
    /// The line of a row.
    pub fn of(row: FeedRow, account: &AccountId, names: &Names, with_comments: bool) -> Self {
        match row {
            FeedRow::Changed(observed) => Self::Ticket(Box::new(ticket(*observed, names, with_comments))),
            FeedRow::Gone(ticket) => Self::gone(&ticket),
            FeedRow::Moved { from, to } => {
                Self::Merged { account: account.clone(), id: from.id, into: to.id }
            }
            FeedRow::Rated { ticket, rating } => {
                Self::Rating { account: account.clone(), id: ticket.id, rating: rating_line(rating) }
            }
            FeedRow::Unreadable { id, what } => Self::unreadable(account, id.as_ref(), &what),
        }
    }

    /// The line of a ticket that is gone.
    pub fn gone(ticket: &TicketKey) -> Self {
        Self::Gone { account: ticket.account.clone(), id: ticket.id.clone() }
    }

    /// The line of what could not be read.
    pub fn unreadable(account: &AccountId, id: Option<&RemoteId>, what: &str) -> Self {
        Self::Unreadable { account: account.clone(), id: id.cloned(), what: what.to_owned() }
    }

    /// Whether comments were listed for it.
    pub fn has_comments(&self) -> bool {
        matches!(self, Self::Ticket(ticket) if ticket.comments.is_some())
    }

    /// Adds this line to the counts.
    pub fn count(&self, pulled: &mut Pulled) {
        match self {
            Self::Ticket(ticket) => {
                pulled.tickets += 1;
                pulled.comments += ticket.comments.as_ref().map_or(0, |all| all.len() as u64);
            }
            Self::Gone { .. } | Self::Merged { .. } => pulled.gone += 1,
            Self::Rating { .. } => {}
            Self::Unreadable { .. } => pulled.unreadable += 1,
        }
    }
}

fn ticket(observed: Observed, names: &Names, with_comments: bool) -> Ticket {
    let mut ticket = Ticket {
        account: observed.ticket.account,
        id: observed.ticket.id,
        version: observed.version.0,
        created_at: observed.created_at.to_string(),
        subject: None,
        status: None,
        status_detail: None,
        priority: None,
        kind: None,
        due_at: None,
        tags: Vec::new(),
        ccs: Vec::new(),
        requester: observed.requester.map(person),
        assignee: None,
        group: None,
        follows: observed.follows,
        rating: observed.rating.map(rating_line),
        custom: BTreeMap::new(),
        comments: None,
    };
    for (field, value) in observed.fields {
        set(&mut ticket, field, value, names);
    }
    if let (true, CommentsSeen::All(comments)) = (with_comments, observed.comments) {
        ticket.comments = Some(comments.into_iter().map(comment).collect());
    }
    ticket
}

fn set(ticket: &mut Ticket, field: Field, value: Value, names: &Names) {
    match (field, value) {
        (_, Value::Text(text)) => ticket.subject = Some(text),
        (_, Value::Status(status)) => ticket.status = Some(status.name()),
        (_, Value::StatusDetail { status, detail }) => {
            (ticket.status, ticket.status_detail) = (Some(status.name()), Some(detail));
        }
        (_, Value::Priority(priority)) => ticket.priority = priority.map(|priority| priority.name()),
        (Field::Ccs, Value::Tags(ccs)) => ticket.ccs = ccs.into_iter().collect(),
        (_, Value::Tags(tags)) => ticket.tags = tags.into_iter().collect(),
        (Field::Group, Value::Owner(owner)) => ticket.group = owner,
        (_, Value::Owner(owner)) => ticket.assignee = owner,
        (Field::Type, Value::Choice(kind)) => ticket.kind = kind,
        (_, Value::Choice(_)) => {}
        (_, Value::Time(at)) => ticket.due_at = at.map(|at| at.to_string()),
        (Field::Custom(name), Value::Typed(Some(typed))) => {
            let native = names.get(&name).cloned().unwrap_or_else(|| name.as_str().to_owned());
            // Text, digits and lists of text are always JSON.
            ticket.custom.extend(json_of(typed).ok().map(|value| (native, value)));
        }
        (_, Value::Typed(_)) => {}
    }
}

pub(super) fn json_of(typed: Typed) -> Result<Box<RawValue>, serde_json::Error> {
    match typed {
        Typed::Text(text) | Typed::Date(text) | Typed::Choice(text) => to_raw_value(&text),
        // A number keeps its digits: a float would round long ones.
        Typed::Number(text) => RawValue::from_string(text.clone()).or_else(|_| to_raw_value(&text)),
        Typed::Boolean(yes) => to_raw_value(&yes),
        Typed::Choices(all) => to_raw_value(&all),
    }
}

fn person(person: Person) -> PersonLine {
    let role = match person.role {
        Role::Customer => "customer",
        Role::Agent => "agent",
    };
    PersonLine { id: person.id, name: person.name, email: person.email, role }
}

fn rating_line(rating: Rating) -> RatingLine {
    let at = rating.at.map(|at: Timestamp| at.to_string());
    RatingLine { percent: rating.percent, label: rating.label, comment: rating.comment, at }
}

fn comment(comment: Comment) -> CommentLine {
    CommentLine {
        id: comment.id().clone(),
        public: comment.is_public(),
        at: comment.at().to_string(),
        text: comment.body().text().unwrap_or_default().to_owned(),
        html: comment.body().html().map(str::to_owned),
        redacted: comment.is_redacted(),
        attachments: comment.attachments().iter().map(file).collect(),
        author: person(comment.author().clone()),
    }
}

fn file(attachment: &Attachment) -> FileLine {
    FileLine {
        id: attachment.id.clone(),
        name: attachment.name.clone(),
        content_type: attachment.content_type.clone(),
        size: attachment.size,
        inline: attachment.inline,
    }
}
