//! Vendors in memory: the sandbox, and the other end of every test.
//!
//! Simulators are written from the vendors' documentation with JSON of their
//! own, never from an adapter's `wire.rs`.

pub mod faults;
pub mod world;

use std::collections::BTreeMap;

use bytes::Bytes;
use handoffd_core::{Field, FieldKind, Priority, RemoteId, Status, Timestamp, Typed, Value};
use serde::{Deserialize, Serialize};

/// What a simulator is started with.
#[derive(Clone, Debug)]
pub struct SimSetup {
    /// Makes ids and credentials; the same seed gives the same world.
    pub seed: u64,
    /// The vendor's plan by name, which sets the limits; `unlimited` switches them off.
    pub plan: String,
    /// The time at the start.
    pub now: Timestamp,
}

/// Who acts at a simulated helpdesk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Who {
    /// The ticket's requester.
    Customer,
    /// A human agent, by first name; hired on first use.
    Agent(String),
    /// The AI agent: an agent user in the AI agents' group.
    Bot,
}

/// Something a person does at a helpdesk, outside our API use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HumanAct {
    /// A customer opens a ticket, which the AI agent owns from the start if `to_bot`.
    Open {
        /// The customer's name.
        name: String,
        /// The customer's address.
        email: String,
        /// The subject.
        subject: String,
        /// The first message, plain text.
        text: String,
        /// Whether it goes to the AI agent.
        to_bot: bool,
    },
    /// Somebody writes on a ticket.
    Say {
        /// The ticket.
        ticket: RemoteId,
        /// Who.
        who: Who,
        /// The message, plain text.
        text: String,
        /// Whether the customer can read it.
        public: bool,
    },
    /// An agent sets the subject.
    SetSubject {
        /// The ticket.
        ticket: RemoteId,
        /// The new one.
        subject: String,
    },
    /// An agent sets the status. Refused where the vendor has no such status.
    SetStatus {
        /// The ticket.
        ticket: RemoteId,
        /// The new one.
        status: Status,
    },
    /// An agent sets the priority. `None` is refused where the vendor has none.
    SetPriority {
        /// The ticket.
        ticket: RemoteId,
        /// The new one.
        priority: Option<Priority>,
    },
    /// An agent adds and removes tags.
    Tag {
        /// The ticket.
        ticket: RemoteId,
        /// Tags to add.
        add: Vec<String>,
        /// Tags to remove.
        remove: Vec<String>,
    },
    /// The ticket is given to somebody; `None` to nobody.
    Assign {
        /// The ticket.
        ticket: RemoteId,
        /// To whom; `Customer` is refused.
        to: Option<Who>,
    },
    /// An agent deletes the ticket.
    Delete {
        /// The ticket.
        ticket: RemoteId,
    },
    /// Somebody writes with markup and files.
    SayRich {
        /// The ticket.
        ticket: RemoteId,
        /// Who.
        who: Who,
        /// The message, HTML as that person's editor makes it. `cid:NAME` as an image's source
        /// stands for the file of that name, shown inline.
        html: String,
        /// Whether the customer can read it.
        public: bool,
        /// The files on it.
        files: Vec<SimFile>,
    },
    /// An agent sets the type, the due time, the addresses in copy or the requester
    /// ([`Field::Type`], [`Field::DueAt`], [`Field::Ccs`], [`Field::Requester`]).
    /// Refused where the vendor has no such field or value.
    SetField {
        /// The ticket.
        ticket: RemoteId,
        /// Which field.
        field: Field,
        /// The new value.
        value: Value,
    },
    /// An admin makes a custom ticket field. Answers with the vendor's name or id of it.
    MakeField {
        /// What people see.
        title: String,
        /// What it holds.
        kind: FieldKind,
        /// Its options.
        options: Vec<String>,
    },
    /// An agent fills in a custom field.
    SetCustom {
        /// The ticket.
        ticket: RemoteId,
        /// The vendor's name or id of the field.
        native: String,
        /// The new value; `None` empties it.
        value: Option<Typed>,
    },
    /// An admin makes a custom status. Answers with the vendor's id of it. Refused where there are none.
    MakeStatus {
        /// What people see.
        label: String,
        /// Its category.
        status: Status,
    },
    /// An agent sets a custom status.
    SetStatusDetail {
        /// The ticket.
        ticket: RemoteId,
        /// The vendor's id of the status.
        native: String,
    },
    /// An agent hides a public comment from the customer. Refused where nobody can.
    Hide {
        /// The ticket.
        ticket: RemoteId,
        /// The comment.
        comment: RemoteId,
    },
    /// An agent takes a comment's content out for good. Refused where nobody can.
    Redact {
        /// The ticket.
        ticket: RemoteId,
        /// The comment.
        comment: RemoteId,
    },
    /// An agent rewrites a comment. Refused where nobody can.
    Edit {
        /// The ticket.
        ticket: RemoteId,
        /// The comment.
        comment: RemoteId,
        /// The new text, plain.
        text: String,
    },
    /// An agent merges the ticket into another of the same requester.
    Merge {
        /// The ticket that ends.
        ticket: RemoteId,
        /// The ticket that goes on.
        into: RemoteId,
    },
    /// An agent marks the ticket as spam. Refused where there is no such thing.
    Spam {
        /// The ticket.
        ticket: RemoteId,
    },
    /// The customer says what they think of the help they got.
    Rate {
        /// The ticket.
        ticket: RemoteId,
        /// From 0, the worst on the vendor's scale, to 100, the best.
        percent: u8,
        /// What they write with it.
        comment: Option<String>,
    },
}

/// A file that a person attaches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SimFile {
    /// Its name.
    pub name: String,
    /// Its media type.
    pub content_type: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// One request that the vendor sends to us.
#[derive(Clone, Debug)]
pub struct WebhookOut {
    /// The simulator's number for this attempt's delivery; given back in [`VendorSim::webhook_answered`].
    pub id: u64,
    /// Method, headers and body; the URI is the target that was set.
    pub request: http::Request<Bytes>,
}

/// An e-mail that the vendor would have sent to a customer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailSent {
    /// The address.
    pub to: String,
    /// The ticket.
    pub ticket: RemoteId,
    /// The comment that it carries; `None` for "we received your request".
    pub comment: Option<RemoteId>,
    /// When.
    pub at: Timestamp,
}

/// A ticket as a person looking at the vendor's screen would see it, for test oracles.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownTicket {
    /// Its id.
    pub id: RemoteId,
    /// The subject.
    pub subject: String,
    /// The status, in canonical words.
    pub status: Status,
    /// The priority, in canonical words.
    pub priority: Option<Priority>,
    /// The tags, sorted.
    pub tags: Vec<String>,
    /// The requester's address.
    pub requester: String,
    /// The assignee: `bot`, an agent's first name, or nothing.
    pub assignee: Option<String>,
    /// Deleted at the vendor, or spam.
    pub deleted: bool,
    /// The type.
    pub kind: Option<String>,
    /// When it is due.
    pub due_at: Option<Timestamp>,
    /// The addresses in copy, folded, sorted.
    pub ccs: Vec<String>,
    /// The custom fields that are not empty, by the vendor's name or id, in words.
    pub custom: BTreeMap<String, String>,
    /// The vendor's id of the custom status, if it is not the category's own.
    pub status_detail: Option<String>,
    /// The ticket that it was merged into.
    pub merged_into: Option<RemoteId>,
    /// The closed ticket that it follows up.
    pub follows: Option<RemoteId>,
    /// When it was made, as the vendor shows it.
    pub created_at: Timestamp,
    /// The conversation from the first message on, oldest first.
    pub comments: Vec<ShownComment>,
}

/// A comment as a person would see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownComment {
    /// Its id; the opening message of a vendor that gives it none has the id `description`.
    pub id: RemoteId,
    /// Whether the customer can read it.
    pub public: bool,
    /// Whether it is shown as written by the customer.
    pub by_customer: bool,
    /// The text as shown, tags of markup removed.
    pub text: String,
    /// The HTML as shown; empty where there is none.
    pub html: String,
    /// Whose name stands on it.
    pub author: String,
    /// When, as the vendor shows it.
    pub at: Timestamp,
    /// The files on it.
    pub files: Vec<SimFile>,
}

/// A vendor in memory.
pub trait VendorSim: Send {
    /// The vendor's name.
    fn name(&self) -> &'static str;
    /// Answers one API request. The URI's path and query count; its host does not.
    fn handle(&mut self, request: http::Request<Bytes>, now: Timestamp) -> http::Response<Bytes>;
    /// A person does something. Answers with the ticket's id, or why the vendor refuses.
    fn human(&mut self, act: HumanAct, now: Timestamp) -> Result<RemoteId, String>;
    /// Where webhooks go from now on, and the secret that they carry or are signed with.
    fn set_webhook(&mut self, url: &str, secret: &str);
    /// Webhook attempts that are due; each is given once.
    fn webhooks_due(&mut self, now: Timestamp) -> Vec<WebhookOut>;
    /// What became of an attempt: the status and the `Retry-After` of the
    /// answer, or `None` for no answer. Schedules the vendor's own retries.
    fn webhook_answered(&mut self, id: u64, answer: Option<(u16, Option<u32>)>, now: Timestamp);
    /// When the next webhook attempt is due.
    fn webhook_next_at(&self) -> Option<Timestamp>;
    /// The mails that customers would have had.
    fn mails_sent(&self) -> &[MailSent];
    /// Every ticket, as shown.
    fn tickets(&self) -> Vec<ShownTicket>;
    /// Every way of signing in, as one JSON object of names and values.
    fn credentials(&self) -> serde_json::Value;
    /// Values that an account's `settings` need in this world (bot ids and the like).
    fn suggested_settings(&self) -> serde_json::Value;
    /// The ids by which the AI agent is recognised: assignee ids and group ids.
    fn bot_marks(&self) -> (Vec<RemoteId>, Vec<RemoteId>);
    /// How many API requests were answered, by method and path pattern.
    fn requests_served(&self) -> std::collections::BTreeMap<String, u64>;
    /// Makes every access token unusable now, as an expiry would.
    fn expire_tokens(&mut self);
}
