//! Intercom's JSON, as far as it is used. Nulls, missing keys and unknown
//! values are tolerated: what a record really needs is asked for where it is
//! mapped, which names the place.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::lenient::{Loose, null_is_empty, or_nothing};

/// A conversation: from a search without its parts, by id with the newest 500.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Conversation {
    /// Its id.
    pub id: Loose,
    /// The title, where somebody gave one.
    pub title: Loose,
    /// When it was made, unix seconds.
    pub created_at: Loose,
    /// When it changed last, unix seconds.
    pub updated_at: Loose,
    /// `open`, `snoozed` or `closed`.
    pub state: Loose,
    /// The admin who owns it; null or 0 for nobody.
    pub admin_assignee_id: Loose,
    /// The team that owns it.
    pub team_assignee_id: Loose,
    /// The first message, which is no part.
    #[serde(deserialize_with = "or_nothing")]
    pub source: Source,
    /// Who takes part, the requester first.
    #[serde(deserialize_with = "or_nothing")]
    pub contacts: Contacts,
    /// Its labels.
    #[serde(deserialize_with = "or_nothing")]
    pub tags: Option<Tags>,
    /// Values by the attributes' names.
    #[serde(deserialize_with = "or_nothing")]
    pub custom_attributes: BTreeMap<String, Loose>,
    /// What the customer thought of the help.
    #[serde(deserialize_with = "or_nothing")]
    pub conversation_rating: Option<Rating>,
    /// Counts and times; null on search results at times.
    #[serde(deserialize_with = "or_nothing")]
    pub statistics: Statistics,
    /// What was said and done after the first message.
    #[serde(deserialize_with = "or_nothing")]
    pub conversation_parts: Option<Parts>,
}

/// The first message of a conversation.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Source {
    /// `email`, `conversation`, `sms` and more; an open set.
    #[serde(rename = "type")]
    pub kind: Loose,
    /// The message's id.
    pub id: Loose,
    /// `customer_initiated`, `admin_initiated` and more; an open set.
    pub delivered_as: Loose,
    /// HTML; of e-mails alone.
    pub subject: Loose,
    /// HTML.
    pub body: Loose,
    /// Who wrote it.
    #[serde(deserialize_with = "or_nothing")]
    pub author: Author,
    /// Its files.
    #[serde(deserialize_with = "or_nothing")]
    pub attachments: Vec<File>,
    /// Its content was taken out.
    pub redacted: Loose,
}

/// Whoever wrote something.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Author {
    /// `user`, `lead`, `contact`, `admin`, `bot`, `team`; an open set.
    #[serde(rename = "type")]
    pub kind: Loose,
    /// Its id.
    pub id: Loose,
    /// The display name.
    pub name: Loose,
    /// The address.
    pub email: Loose,
}

/// A file on a message. Its address may expire.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct File {
    /// The file's name.
    pub name: Loose,
    /// Where it is.
    pub url: Loose,
    /// Its media type.
    pub content_type: Loose,
    /// Its size in bytes.
    pub filesize: Loose,
}

/// Contacts by id.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Contacts {
    /// In order.
    pub contacts: Vec<Named>,
}

/// Something that has an id and perhaps a name and an address.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Named {
    /// Its id.
    pub id: Loose,
    /// Its name.
    pub name: Loose,
    /// Its address.
    pub email: Loose,
    /// Of a contact: `user` or `lead`.
    pub role: Loose,
}

/// Labels.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Tags {
    /// In no order.
    pub tags: Vec<Named>,
}

/// What the customer thought of the help.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Rating {
    /// 1 to 5; null while it is only asked for.
    pub rating: Loose,
    /// What they wrote with it.
    pub remark: Loose,
    /// When it was asked for.
    pub created_at: Loose,
    /// When it was given, where the version shows it.
    pub updated_at: Loose,
}

/// Counts of a conversation.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Statistics {
    /// How many parts there are.
    pub count_conversation_parts: Loose,
}

/// The newest parts, and how many there are in all.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Parts {
    /// Oldest first, at most 500.
    #[serde(alias = "ticket_parts", deserialize_with = "null_is_empty")]
    pub conversation_parts: Vec<Part>,
    /// All there are.
    pub total_count: Loose,
}

/// A part of a conversation or ticket.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Part {
    /// Its id.
    pub id: Loose,
    /// `comment`, `note`, `close`, `assignment` and more; an open set.
    pub part_type: Loose,
    /// HTML; null for what is no message.
    pub body: Loose,
    /// When it was made, unix seconds.
    pub created_at: Loose,
    /// Who made it.
    #[serde(deserialize_with = "or_nothing")]
    pub author: Author,
    /// Its files.
    #[serde(deserialize_with = "or_nothing")]
    pub attachments: Vec<File>,
    /// Its content was taken out.
    pub redacted: Loose,
    /// The app that made it through the API; null for people (from 2.13).
    pub app_package_code: Loose,
}

/// A ticket, from a search or by its long id.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Ticket {
    /// Its long id.
    pub id: Loose,
    /// `Customer`, `Back-office` or `Tracker`.
    pub category: Loose,
    /// Values by the attributes' names; title and description among them.
    #[serde(deserialize_with = "or_nothing")]
    pub ticket_attributes: BTreeMap<String, Loose>,
    /// Where it stands.
    #[serde(deserialize_with = "or_nothing")]
    pub ticket_state: State,
    /// Who takes part, the requester first.
    #[serde(deserialize_with = "or_nothing")]
    pub contacts: Contacts,
    /// The admin who owns it; `"0"` for nobody.
    pub admin_assignee_id: Loose,
    /// The team that owns it.
    pub team_assignee_id: Loose,
    /// When it was made, unix seconds.
    pub created_at: Loose,
    /// When it changed last, unix seconds.
    pub updated_at: Loose,
    /// What was said and done.
    #[serde(deserialize_with = "or_nothing")]
    pub ticket_parts: Option<Parts>,
    /// Whether the customer sees it.
    pub is_shared: Loose,
}

/// A state of tickets.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct State {
    /// Its id.
    pub id: Loose,
    /// `submitted`, `in_progress`, `waiting_on_customer` or `resolved`.
    pub category: Loose,
    /// What teammates see.
    pub internal_label: Loose,
    /// It is not used any more.
    pub archived: Loose,
}

/// A page of a search. The rows are read one by one.
#[derive(Debug, Deserialize)]
pub struct Page {
    /// The rows; `null` for none.
    #[serde(alias = "tickets", alias = "data", deserialize_with = "null_is_empty")]
    pub conversations: Vec<Box<RawValue>>,
    /// Where to go on.
    #[serde(default)]
    pub pages: Option<Pages>,
    /// How many rows there are on all pages.
    #[serde(default)]
    pub total_count: Loose,
}

impl Page {
    /// The cursor of the next page.
    pub fn next(&self) -> Option<String> {
        self.pages.as_ref()?.next.as_ref()?.starting_after.text()
    }
}

/// Where a search goes on.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Pages {
    /// Nothing at the end.
    #[serde(deserialize_with = "or_nothing")]
    pub next: Option<Next>,
}

/// The cursor of a page.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Next {
    /// Opaque.
    pub starting_after: Loose,
}

/// A list under `data`, `admins` or `teams`.
#[derive(Clone, Debug, Deserialize)]
#[serde(bound(deserialize = "T: Deserialize<'de>"))]
pub struct Listed<T> {
    /// The rows.
    #[serde(alias = "admins", alias = "teams", deserialize_with = "null_is_empty")]
    pub data: Vec<T>,
}

/// `GET /me`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Me {
    /// The admin whose token it is.
    pub id: Loose,
    /// The name.
    pub name: Loose,
    /// The address.
    pub email: Loose,
    /// The workspace.
    #[serde(deserialize_with = "or_nothing")]
    pub app: App,
}

/// A workspace.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct App {
    /// Its id.
    pub id_code: Loose,
    /// `US`, `EU` or `AU`.
    pub region: Loose,
}

/// An attribute: of conversations, or of a type of tickets.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Attribute {
    /// Its id.
    pub id: Loose,
    /// The name by which values are kept.
    pub name: Loose,
    /// What people see.
    pub label: Loose,
    /// `string`, `integer`, `float`, `boolean`, `date`, `list`, `decimal`, `datetime`, `files`.
    pub data_type: Loose,
    /// Options of a conversation's attribute: texts, or objects with a `value`.
    #[serde(deserialize_with = "or_nothing")]
    pub options: Vec<serde_json::Value>,
    /// Options of a ticket's attribute.
    #[serde(deserialize_with = "or_nothing")]
    pub input_options: InputOptions,
    /// Whether the API may write it.
    pub api_writable: Loose,
    /// Whether a ticket must have it when it is made.
    pub required_to_create: Loose,
    /// Made by Intercom.
    pub default: Loose,
    /// Made by people.
    pub custom: Loose,
    /// It is not used any more.
    pub archived: Loose,
}

/// Options of a ticket's attribute.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct InputOptions {
    /// Ids and labels.
    pub list_options: Vec<ListOption>,
}

/// An option of a list.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct ListOption {
    /// Its id.
    pub id: Loose,
    /// What people see.
    pub label: Loose,
}

/// A type of tickets.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct TicketType {
    /// Its id.
    pub id: Loose,
    /// Its name.
    pub name: Loose,
    /// `Customer`, `Back-office` or `Tracker`.
    pub category: Loose,
    /// Its attributes.
    #[serde(deserialize_with = "or_nothing")]
    pub ticket_type_attributes: Option<Listed<Attribute>>,
}

impl TicketType {
    /// Its attributes that are in use.
    pub fn attributes(&self) -> impl Iterator<Item = &Attribute> {
        let all = self.ticket_type_attributes.iter().flat_map(|list| &list.data);
        all.filter(|attribute| attribute.archived.flag() != Some(true))
    }
}

/// The answer to a new conversation: a message.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Made {
    /// The message's id.
    pub id: Loose,
    /// The conversation's id.
    pub conversation_id: Loose,
}

/// The body of an answer that is an error. Only identifiers of it are ever shown.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Problem {
    /// What is wrong.
    #[serde(deserialize_with = "or_nothing")]
    pub errors: Vec<Flaw>,
}

/// One thing that is wrong.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Flaw {
    /// For instance `parameter_invalid`.
    pub code: Loose,
    /// In words, which may quote values.
    pub message: Loose,
}
