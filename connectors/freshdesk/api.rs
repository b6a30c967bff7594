//! Requests as values. Nothing here sends.

use std::collections::BTreeMap;

use handoffd_core::{
    Field, Fields, Mail, Message, OpKey, Person, PrivateMessage, PublicMessage, RemoteId, Role, Status,
    Timestamp, Value, intent::Create,
};
use http::Method;
use serde_json::{Value as Json, json};

use super::{
    fields::{Due, addresses},
    form::{self, Members},
    map::Mapping,
    settings::Endpoint,
    words,
};
use crate::{
    client::{
        Ask, Kind,
        json::{get, json as json_ask},
    },
    contract::{Error, Result, Supply},
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
    pub fn create(&self, create: &Create, files: &[Supply], due: Due) -> Result<Ask> {
        // Freshdesk wants a subject, a status and a priority, told or not.
        let mut fields = Fields::from([
            (Field::Subject, Value::subject("")),
            (Field::Status, Value::Status(Status::New)),
            (Field::Priority, Value::Priority(None)),
        ]);
        fields.extend(create.ticket.fields.clone());
        let mut body = self.fields_body(&fields, due)?;
        if let Some(Value::Tags(ccs)) = create.ticket.fields.get(&Field::Ccs) {
            // A creation takes them wherever an update does or not.
            body.insert("cc_emails", json!(addresses(ccs.iter().map(String::as_str))));
        }
        let (kept, lines) = words::fitting(files, self.settings.attachments_bytes_max);
        let opening = create.ticket.opening.as_ref().map(|opening| opening.text.body());
        body.insert("description", words::opening_html(opening, &lines)?.into());
        body.insert("source", self.settings.source.into());
        body.insert("email", self.address(&create.ticket.requester)?.into());
        if !create.ticket.requester.name.trim().is_empty() {
            body.insert("name", create.ticket.requester.name.trim().into());
        }
        let custom = body.entry("custom_fields").or_insert_with(|| json!({}));
        if let Json::Object(custom) = custom {
            custom.insert(self.settings.marker_field.clone(), create.key.as_str().into());
        }
        let ask = form::post("/api/v2/tickets", &body, &kept)?;
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
    pub fn set_fields(&self, ticket: &RemoteId, set: &Fields, due: Due) -> Result<Ask> {
        self.change(ticket, &self.fields_body(set, due)?)
    }

    /// Rewrites a ticket's first message. Repeating it changes nothing more.
    pub fn set_description(&self, ticket: &RemoteId, html: String) -> Result<Ask> {
        self.change(ticket, &Members::from([("description", html.into())]))
    }

    fn change(&self, ticket: &RemoteId, members: &Members) -> Result<Ask> {
        let path = format!("/api/v2/tickets/{}", number(ticket)?);
        let ask = json_ask(Method::PUT, &path, members, Kind::IdempotentWrite)?;
        Ok(self.drawing_from(ask, Endpoint::TicketsUpdate))
    }

    /// Adds a message. Only public words of agents that nobody has mailed yet become a reply,
    /// which Freshdesk mails; a customer's own never do. `private` is always said: left
    /// out, it would depend on the vendor's default. `author`: whose name stands on it.
    pub fn message(
        &self,
        ticket: &RemoteId,
        message: &Message,
        author: Option<&RemoteId>,
        files: &[Supply],
        key: &OpKey,
    ) -> Result<Ask> {
        let path = format!("/api/v2/tickets/{}", number(ticket)?);
        let (kept, lines) = words::fitting(files, self.settings.attachments_bytes_max);
        let mut members = Members::from([("body", words::message_html(message, key, &lines)?.into())]);
        if let Some(author) = author {
            members.insert("user_id", whole(author)?.into());
        }
        let by_customer = author.is_some() && writer(message) == Some(Role::Customer);
        if let Message::Public(PublicMessage { mail: Mail::Send, .. }) = message
            && !by_customer
        {
            return form::post(&format!("{path}/reply"), &members, &kept);
        }
        let is_private = matches!(message, Message::Private(_));
        members.insert("private", is_private.into());
        members.insert("incoming", (by_customer && !is_private).into());
        form::post(&format!("{path}/notes"), &members, &kept)
    }

    /// Contacts with this address.
    pub fn contacts_of(&self, email: &str) -> Result<Ask> {
        let ask = get(&format!("/api/v2/contacts?email={}", escaped(email)))?;
        Ok(self.drawing_from(ask, Endpoint::ContactsList))
    }
}

/// An owner in a body.
pub fn owner_json(owner: Option<&RemoteId>) -> Result<Json> {
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

impl Mapping {
    /// Adds a private note that stands for a message which the customer is to see no more.
    pub fn private_copy(
        &self,
        ticket: &RemoteId,
        note: &PrivateMessage,
        author: Option<&RemoteId>,
        lines: &[String],
        key: &OpKey,
    ) -> Result<Ask> {
        let mut members = Members::from([
            ("body", words::note_html(note, key, lines)?.into()),
            ("private", true.into()),
            ("incoming", false.into()),
        ]);
        if let Some(author) = author {
            members.insert("user_id", whole(author)?.into());
        }
        form::post(&format!("/api/v2/tickets/{}/notes", number(ticket)?), &members, &[])
    }
}

/// Who said a message first.
fn writer(message: &Message) -> Option<Role> {
    match message {
        Message::Public(message) => Some(message.author.role),
        Message::Private(message) => message.author.as_ref().map(|author| author.role),
    }
}

/// Rewrites a note: replies and messages that came in are not rewritten. Repeating it changes nothing more.
pub fn rewrite(comment: &RemoteId, html: String) -> Result<Ask> {
    let path = format!("/api/v2/conversations/{}", number(comment)?);
    json_ask(Method::PUT, &path, &Members::from([("body", html.into())]), Kind::IdempotentWrite)
}

/// Rewrites a private note of ours.
pub fn edit_note(comment: &RemoteId, message: &PrivateMessage, key: &OpKey) -> Result<Ask> {
    rewrite(comment, words::note_html(message, key, &[])?)
}

/// Deletes a note or a reply for ever; a message that came in is not deleted.
pub fn delete_conversation(comment: &RemoteId) -> Result<Ask> {
    delete(&format!("/api/v2/conversations/{}", number(comment)?))
}

/// Deletes a file for ever.
pub fn delete_attachment(attachment: &RemoteId) -> Result<Ask> {
    delete(&format!("/api/v2/attachments/{}", number(attachment)?))
}

/// Puts a ticket into the trash.
pub fn delete_ticket(ticket: &RemoteId) -> Result<Ask> {
    delete(&format!("/api/v2/tickets/{}", number(ticket)?))
}

fn delete(path: &str) -> Result<Ask> {
    let mut ask = get(path)?;
    *ask.request.method_mut() = Method::DELETE;
    Ok(Ask { kind: Kind::IdempotentWrite, ..ask })
}

/// A new contact. A second one with the same address is refused with the id of
/// the first, so repeating it changes nothing more.
pub fn create_contact(name: &str, email: &str) -> Result<Ask> {
    let body = BTreeMap::from([("name", name), ("email", email)]);
    json_ask(Method::POST, "/api/v2/contacts", &body, Kind::IdempotentWrite)
}

/// Who we are.
pub fn me() -> Result<Ask> {
    get("/api/v2/agents/me")
}

/// The fields that tickets have.
pub fn ticket_fields() -> Result<Ask> {
    get("/api/v2/ticket_fields")
}

/// One page of the account's agents.
pub fn agents(page: u32) -> Result<Ask> {
    get(&format!("/api/v2/agents?per_page={PER_PAGE}&page={page}"))
}

/// One agent.
pub fn agent(id: &RemoteId) -> Result<Ask> {
    get(&format!("/api/v2/agents/{}", number(id)?))
}

/// One contact.
pub fn contact(id: &RemoteId) -> Result<Ask> {
    get(&format!("/api/v2/contacts/{}", number(id)?))
}

/// One page of the account's groups.
pub fn groups(page: u32) -> Result<Ask> {
    get(&format!("/api/v2/groups?per_page={PER_PAGE}&page={page}"))
}

/// One page of the ratings that came since.
pub fn ratings(since: i64, page: u32, per_page: usize) -> Result<Ask> {
    let since = Timestamp::from_secs(since).to_rfc3339_secs();
    get(&format!(
        "/api/v2/surveys/satisfaction_ratings?created_since={since}&per_page={per_page}&page={page}"
    ))
}

/// How many tickets changed since a day, by the search index, which lags. The query stands in quotes.
pub fn count_since(day: &str) -> Result<Ask> {
    get(&format!("/api/v2/search/tickets?query={}", escaped(&format!("\"updated_at:>'{day}'\""))))
}

/// Makes a ticket field. Needs an administrator's key.
pub fn create_field(members: &Members) -> Result<Ask> {
    json_ask(Method::POST, "/api/v2/admin/ticket_fields", members, Kind::Write)
}
