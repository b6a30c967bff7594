//! Requests as values. Nothing here sends.

use std::collections::BTreeMap;

use handoffd_core::{
    Body, Field, Fields, Mail, Message, OpKey, Person, PrivateMessage, PublicMessage, RemoteId, Status,
    Timestamp, Value, intent::Create,
};
use http::Method;
use serde::Serialize;
use serde_json::Value as Json;

use super::{
    html,
    map::{Mapping, NO_OPENING, priority_id},
    settings::Endpoint,
};
use crate::{
    client::{
        Ask, Kind,
        json::{get, json},
    },
    contract::{Error, Result},
};

/// Rows of a page: the vendor's maximum.
pub const PER_PAGE: usize = 100;

/// The last page that the vendor gives of any list.
pub const PAGE_MAX: u32 = 300;

/// How many conversations come with a ticket: the oldest.
pub const EMBEDDED_MAX: usize = 10;

/// A folder of tickets that the plain list leaves out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Folder {
    /// The trash.
    Deleted,
    /// Spam.
    Spam,
}

impl Folder {
    fn filter(self) -> &'static str {
        match self {
            Self::Deleted => "deleted",
            Self::Spam => "spam",
        }
    }
}

/// The id as part of a path: digits only, so that no id leads elsewhere.
fn number(id: &RemoteId) -> Result<&str> {
    let digits = !id.as_str().is_empty() && id.as_str().bytes().all(|byte| byte.is_ascii_digit());
    digits
        .then_some(id.as_str())
        .ok_or_else(|| Error::Refused { why: "the id is not a Freshdesk id".to_owned() })
}

/// The id as a number in a body.
fn whole(id: &RemoteId) -> Result<i64> {
    number(id)?.parse().map_err(|_| Error::Refused { why: "the id is too long for Freshdesk".to_owned() })
}

/// The text in a query.
fn escaped(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// The text of a message. It is at hand: the executor fetches what was put aside.
fn words(body: &Body) -> Result<&str> {
    body.text().ok_or_else(|| Error::Refused { why: "the message's text is not at hand".to_owned() })
}

/// The line by which a note in our own words is found again.
pub fn reference(key: &OpKey) -> String {
    format!("[ref {key}]")
}

/// The text of a private note as Freshdesk will show it.
pub fn note_text(message: &PrivateMessage, key: &OpKey) -> Result<String> {
    let text = words(message.text.body())?;
    Ok(match message.author {
        Some(_) => text.to_owned(),
        None => format!("{text}\n\n{}", reference(key)),
    })
}

/// The text of a message as Freshdesk will show it.
pub fn message_text(message: &Message, key: &OpKey) -> Result<String> {
    match message {
        Message::Public(message) => Ok(words(message.text.body())?.to_owned()),
        Message::Private(message) => note_text(message, key),
    }
}

impl Mapping {
    fn drawing_from(&self, ask: Ask, endpoint: Endpoint) -> Ask {
        Ask { buckets: vec![self.settings.plan.bucket(endpoint)], ..ask }
    }

    /// One page of the tickets changed since, oldest change first, with their
    /// requesters. `updated_since` is never left out: the list would then hold
    /// only what was made in the last 30 days, without a word.
    pub fn list(&self, since: i64, page: u32, cost: u32) -> Result<Ask> {
        let since = Timestamp::from_secs(since).to_rfc3339_secs();
        let path = format!(
            "/api/v2/tickets?updated_since={since}&order_by=updated_at&order_type=asc\
             &per_page={PER_PAGE}&page={page}&include=requester"
        );
        Ok(Ask { cost, ..self.drawing_from(get(&path)?, Endpoint::TicketsList) })
    }

    /// One page of a folder's tickets changed since, oldest change first.
    pub fn list_folder(&self, folder: Folder, since: i64, page: u32) -> Result<Ask> {
        let since = Timestamp::from_secs(since).to_rfc3339_secs();
        let path = format!(
            "/api/v2/tickets?filter={}&updated_since={since}&order_by=updated_at&order_type=asc\
             &per_page={PER_PAGE}&page={page}",
            folder.filter()
        );
        Ok(self.drawing_from(get(&path)?, Endpoint::TicketsList))
    }

    /// The newest changes of a folder, for accounts that know no `updated_since` there.
    pub fn list_folder_newest(&self, folder: Folder) -> Result<Ask> {
        let path = format!(
            "/api/v2/tickets?filter={}&order_by=updated_at&order_type=desc&per_page={PER_PAGE}&page=1",
            folder.filter()
        );
        Ok(self.drawing_from(get(&path)?, Endpoint::TicketsList))
    }

    /// A requester's tickets, newest first.
    pub fn list_of(&self, email: &str) -> Result<Ask> {
        let path = format!(
            "/api/v2/tickets?email={}&order_by=created_at&order_type=desc&per_page={PER_PAGE}",
            escaped(email)
        );
        Ok(self.drawing_from(get(&path)?, Endpoint::TicketsList))
    }

    /// A new ticket with its marker.
    pub fn create(&self, create: &Create) -> Result<Ask> {
        // Freshdesk wants a subject, a status and a priority, told or not.
        let mut fields = Fields::from([
            (Field::Subject, Value::subject("")),
            (Field::Status, Value::Status(Status::New)),
            (Field::Priority, Value::Priority(None)),
        ]);
        fields.extend(create.ticket.fields.clone());
        let mut body = self.fields_body(&fields)?;
        let opening = match &create.ticket.opening {
            Some(message) => words(message.text.body())?,
            None => NO_OPENING,
        };
        body.insert("description", html::from_text(opening).into());
        body.insert("source", self.settings.source.into());
        body.insert("email", self.address(&create.ticket.requester)?.into());
        if !create.ticket.requester.name.trim().is_empty() {
            body.insert("name", create.ticket.requester.name.trim().into());
        }
        let marker = BTreeMap::from([(self.settings.marker_field.clone(), create.key.to_string())]);
        body.insert("custom_fields", serde_json::json!(marker));
        let ask = json(Method::POST, "/api/v2/tickets", &body, Kind::Write)?;
        Ok(self.drawing_from(ask, Endpoint::TicketsCreate))
    }

    /// The address under which a requester is known, or the one that stands for those who have none.
    pub fn address(&self, requester: &Person) -> Result<String> {
        let own = requester.email.as_deref().map(str::trim).filter(|email| !email.is_empty());
        let fallback = self.settings.fallback_requester_email.as_deref();
        own.or(fallback).map(str::to_owned).ok_or_else(|| Error::Refused {
            why: format!(
                "the requester has no e-mail address, which Freshdesk needs as `email`: set \
                 accounts.{}.settings.fallback_requester_email to an address that stands for such people",
                self.account
            ),
        })
    }

    /// Sets fields. Repeating it changes nothing more.
    pub fn set_fields(&self, ticket: &RemoteId, set: &Fields) -> Result<Ask> {
        let path = format!("/api/v2/tickets/{}", number(ticket)?);
        let ask = json(Method::PUT, &path, &self.fields_body(set)?, Kind::IdempotentWrite)?;
        Ok(self.drawing_from(ask, Endpoint::TicketsUpdate))
    }

    fn fields_body(&self, fields: &Fields) -> Result<BTreeMap<&'static str, Json>> {
        let mut body = BTreeMap::new();
        for (field, value) in self.normalize(fields) {
            let (key, value) = match (field, value) {
                (Field::Group, Value::Owner(owner)) => ("group_id", owner_json(owner.as_ref())?),
                (_, Value::Owner(owner)) => ("responder_id", owner_json(owner.as_ref())?),
                (_, Value::Text(subject)) => ("subject", subject.into()),
                (_, Value::Status(status)) => ("status", self.statuses.id(status).into()),
                (_, Value::Priority(priority)) => {
                    ("priority", priority_id(priority.unwrap_or(self.settings.default_priority)).into())
                }
                (_, Value::Tags(tags)) => ("tags", serde_json::json!(tags)),
                (_, Value::StatusDetail { .. } | Value::Choice(_) | Value::Time(_) | Value::Typed(_)) => {
                    continue;
                }
            };
            body.insert(key, value);
        }
        Ok(body)
    }

    /// Contacts with this address.
    pub fn contacts_of(&self, email: &str) -> Result<Ask> {
        let ask = get(&format!("/api/v2/contacts?email={}", escaped(email)))?;
        Ok(self.drawing_from(ask, Endpoint::ContactsList))
    }
}

fn owner_json(owner: Option<&RemoteId>) -> Result<Json> {
    owner.map_or(Ok(Json::Null), |id| Ok(Json::from(whole(id)?)))
}

/// A ticket with its requester and its oldest ten conversations.
pub fn ticket(id: &RemoteId, cost: u32) -> Result<Ask> {
    let ask = get(&format!("/api/v2/tickets/{}?include=requester,conversations", number(id)?))?;
    Ok(Ask { cost, ..ask })
}

/// One page of a ticket's conversations, oldest first.
pub fn conversations(ticket: &RemoteId, page: u32) -> Result<Ask> {
    get(&format!("/api/v2/tickets/{}/conversations?per_page={PER_PAGE}&page={page}", number(ticket)?))
}

#[derive(Serialize)]
struct Words {
    body: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    private: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    incoming: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<i64>,
}

/// Adds a message. Only public words of ours that nobody has mailed yet become
/// a reply, which Freshdesk mails; the customer's own never do. `private` is
/// always said: left out, it would depend on the vendor's default.
pub fn message(ticket: &RemoteId, message: &Message, author: Option<&RemoteId>, key: &OpKey) -> Result<Ask> {
    let path = format!("/api/v2/tickets/{}", number(ticket)?);
    let body = html::from_text(&message_text(message, key)?);
    match message {
        Message::Public(PublicMessage { mail: Mail::Send, .. }) if author.is_none() => {
            let words = Words { body, private: None, incoming: None, user_id: None };
            json(Method::POST, &format!("{path}/reply"), &words, Kind::Write)
        }
        Message::Public(_) => {
            let user_id = author.map(whole).transpose()?;
            let words = Words { body, private: Some(false), incoming: Some(author.is_some()), user_id };
            json(Method::POST, &format!("{path}/notes"), &words, Kind::Write)
        }
        Message::Private(_) => {
            let words = Words { body, private: Some(true), incoming: Some(false), user_id: None };
            json(Method::POST, &format!("{path}/notes"), &words, Kind::Write)
        }
    }
}

/// Rewrites a note. Repeating it changes nothing more.
pub fn edit_note(comment: &RemoteId, message: &PrivateMessage, key: &OpKey) -> Result<Ask> {
    let path = format!("/api/v2/conversations/{}", number(comment)?);
    let body = html::from_text(&note_text(message, key)?);
    let words = Words { body, private: None, incoming: None, user_id: None };
    json(Method::PUT, &path, &words, Kind::IdempotentWrite)
}

/// A new contact. A second one with the same address is refused with the id of
/// the first, so repeating it changes nothing more.
pub fn create_contact(name: &str, email: &str) -> Result<Ask> {
    let body = BTreeMap::from([("name", name), ("email", email)]);
    json(Method::POST, "/api/v2/contacts", &body, Kind::IdempotentWrite)
}

/// Who we are.
pub fn me() -> Result<Ask> {
    get("/api/v2/agents/me")
}

/// The fields that tickets have.
pub fn ticket_fields() -> Result<Ask> {
    get("/api/v2/ticket_fields")
}
