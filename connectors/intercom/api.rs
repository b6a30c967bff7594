//! Requests as values. Nothing here sends. Each names the API's version: left
//! out, the app's own default would decide what answers look like.

use handoffd_core::{
    Body, Field, Fields, Mail, Message, OpKey, PrivateMessage, PublicMessage, RemoteId, Role, Status,
    Timestamp, Value,
};
use http::{HeaderName, HeaderValue, Method};
use serde_json::{Map, Value as Json, json};

use super::{
    custom,
    lenient::is_plain,
    map::{Mapping, TITLE, priority_word},
    quiet,
    record::Record,
    settings::{RecordKind, SilentReplies},
    states::States,
};
use crate::{
    client::{Ask, Kind, json as requests},
    contract::{Error, Result},
    html,
};

/// The header that names the API's version.
pub const VERSION: HeaderName = HeaderName::from_static("intercom-version");

/// A test of one field of a search.
pub fn test(field: &str, operator: &str, value: impl Into<Json>) -> Json {
    json!({"field": field, "operator": operator, "value": value.into()})
}

/// The id as part of a path: letters and digits only, so that no id leads elsewhere.
pub fn plain(id: &RemoteId) -> Result<&str> {
    let plain = is_plain(id.as_str()).then_some(id.as_str());
    plain.ok_or_else(|| Error::Refused { why: "the id is not an Intercom id".to_owned() })
}

/// The text of a message. It is at hand: the executor fetches what was put aside.
pub fn words(body: &Body) -> Result<&str> {
    body.text().ok_or_else(|| Error::Refused { why: "the message's text is not at hand".to_owned() })
}

/// The message's HTML: its own, or that of its text.
fn markup(body: &Body) -> Result<String> {
    let text = words(body)?;
    Ok(body.html().map_or_else(|| html::from_text(text), str::to_owned))
}

/// The line by which a note in our own words is found again.
pub fn reference(key: &OpKey) -> String {
    format!("[ref {key}]")
}

/// How a message is written on a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Writing {
    /// Whose words they are: a contact's, or an admin's.
    pub by_contact: bool,
    /// The author's id.
    pub author: RemoteId,
    /// Whether it goes in as a note.
    pub note: bool,
    /// Whether the customer is not to be told.
    pub quiet: bool,
    /// Plain text for a contact, HTML for an admin.
    pub body: String,
}

impl Mapping {
    /// The request with the API's version on it.
    fn versioned(&self, mut ask: Ask) -> Ask {
        let version = HeaderValue::from_static(self.settings.api_version.name());
        ask.request.headers_mut().insert(VERSION, version);
        ask
    }

    /// A read.
    pub fn get(&self, path: &str) -> Result<Ask> {
        Ok(self.versioned(requests::get(path)?))
    }

    /// A request with a body.
    pub fn send(&self, method: Method, path: &str, body: &Json, kind: Kind) -> Result<Ask> {
        Ok(self.versioned(requests::json(method, path, body, kind)?))
    }

    /// A search: it is a POST that reads.
    pub fn search(&self, what: &str, tests: &[Json], rows: u32, after: Option<&str>) -> Result<Ask> {
        let mut pagination = json!({"per_page": rows});
        if let Some(after) = after {
            pagination["starting_after"] = after.into();
        }
        let query = json!({"operator": "AND", "value": tests});
        let body = json!({"query": query, "pagination": pagination});
        self.send(Method::POST, &format!("/{what}/search"), &body, Kind::Read)
    }

    /// How a message is to be written: by whom, and whether as a note.
    ///
    /// The customer's own words are a contact's reply, of which nobody is
    /// mailed. Public words of an agent that are to be silent are a quiet reply
    /// where the record and the version have one, else what the settings say.
    pub fn writing(
        &self,
        record: &Record,
        message: &Message,
        author: Option<&RemoteId>,
        me: &RemoteId,
        key: &OpKey,
    ) -> Result<Writing> {
        let admin = |body, note, quiet| {
            let author = author.unwrap_or(me).clone();
            Writing { by_contact: false, author, note, quiet, body }
        };
        match message {
            Message::Private(private) => {
                let writer = private.author.as_ref().map(|person| person.role);
                let body = note_markup(private, key)?;
                let author = author.filter(|_| writer != Some(Role::Customer)).unwrap_or(me).clone();
                Ok(Writing { by_contact: false, author, note: true, quiet: false, body })
            }
            Message::Public(PublicMessage { author: writer, text, .. }) if writer.role == Role::Customer => {
                let contact = author.ok_or_else(|| Error::Refused {
                    why: "Intercom takes the customer's words from a contact alone".to_owned(),
                })?;
                let body = words(text.body())?.to_owned();
                let author = contact.clone();
                Ok(Writing { by_contact: true, author, note: false, quiet: false, body })
            }
            Message::Public(public) => {
                let silent = public.mail == Mail::Silent;
                let can_be_quiet = record.is_ticket() || self.settings.api_version.replies_quietly();
                if silent && !can_be_quiet && self.settings.silent_replies == SilentReplies::Note {
                    return Ok(admin(quiet_markup(public)?, true, false));
                }
                Ok(admin(markup(public.text.body())?, false, silent && can_be_quiet))
            }
        }
    }

    /// Adds a message.
    pub fn reply(&self, record: &Record, writing: &Writing, files: Vec<Json>) -> Result<Ask> {
        let mut body = if writing.by_contact {
            json!({"message_type": "comment", "type": "user", "intercom_user_id": plain(&writing.author)?})
        } else {
            let kind = if writing.note { "note" } else { "comment" };
            json!({"message_type": kind, "type": "admin", "admin_id": plain(&writing.author)?})
        };
        body["body"] = writing.body.as_str().into();
        if !files.is_empty() {
            body["attachment_files"] = files.into();
        }
        if writing.quiet {
            body["skip_notifications"] = true.into();
        }
        self.send(Method::POST, &format!("{}/reply", record.path()), &body, Kind::Write)
    }

    /// What is kept in a record's attributes, by the attributes' names.
    pub fn attributes(&self, kind: RecordKind, set: &Fields) -> Map<String, Json> {
        let mut values = Map::new();
        for (field, value) in set {
            if let Some(native) = custom::native(&self.custom, *field) {
                values.insert(native.to_owned(), custom::written(kind, value));
            }
            if let (Field::Priority, Value::Priority(priority), Some(name)) =
                (field, value, &self.settings.priority_attribute)
            {
                values.insert(name.clone(), priority_word(*priority));
            }
        }
        values
    }

    /// Sets a conversation's title and attributes; `None` if there is nothing to set.
    pub fn put_conversation(
        &self,
        record: &Record,
        set: &Fields,
        marker: Option<&OpKey>,
    ) -> Result<Option<Ask>> {
        let mut body = Map::new();
        if let Some(Value::Text(subject)) = set.get(&Field::Subject) {
            body.insert("title".to_owned(), subject.as_str().into());
        }
        let mut attributes = self.attributes(RecordKind::Conversation, set);
        if let Some(key) = marker {
            attributes.insert(self.settings.marker_attribute.clone(), key.as_str().into());
        }
        if !attributes.is_empty() {
            body.insert("custom_attributes".to_owned(), attributes.into());
        }
        if body.is_empty() {
            return Ok(None);
        }
        self.send(Method::PUT, &record.path(), &body.into(), Kind::IdempotentWrite).map(Some)
    }

    /// Opens, snoozes or closes a conversation.
    pub fn conversation_state(
        &self,
        record: &Record,
        status: Status,
        me: &RemoteId,
        now: Timestamp,
    ) -> Result<Ask> {
        let mut body = json!({"type": "admin", "admin_id": plain(me)?});
        body["message_type"] = match status {
            Status::New | Status::Open => "open",
            Status::Pending | Status::OnHold => "snoozed",
            Status::Solved | Status::Closed => "close",
        }
        .into();
        if matches!(status, Status::Pending | Status::OnHold) {
            let secs = i64::try_from(self.settings.snooze_secs).unwrap_or(i64::MAX / 4);
            body["snoozed_until"] = (now.as_secs() + secs).into();
        }
        self.send(Method::POST, &format!("{}/parts", record.path()), &body, Kind::IdempotentWrite)
    }

    /// Gives a conversation to an admin or a team, or to nobody.
    pub fn assign(&self, record: &Record, kind: &str, to: Option<&RemoteId>, me: &RemoteId) -> Result<Ask> {
        let to = to.map_or(Ok("0"), plain)?;
        let body =
            json!({"message_type": "assignment", "type": kind, "admin_id": plain(me)?, "assignee_id": to});
        self.send(Method::POST, &format!("{}/parts", record.path()), &body, Kind::IdempotentWrite)
    }

    /// Sets a ticket's title, attributes, state and owner, telling nobody.
    pub fn put_ticket(
        &self,
        record: &Record,
        set: &Fields,
        states: &States,
        owner: Option<Option<&RemoteId>>,
        me: &RemoteId,
    ) -> Result<Option<Ask>> {
        let mut body = Map::new();
        let mut attributes = self.attributes(RecordKind::Ticket, set);
        if let Some(Value::Text(subject)) = set.get(&Field::Subject) {
            attributes.insert(TITLE.to_owned(), subject.as_str().into());
        }
        if !attributes.is_empty() {
            body.insert("ticket_attributes".to_owned(), attributes.into());
        }
        if let Some(id) = set.get(&Field::Status).and_then(|status| states.id_of(status)) {
            body.insert("ticket_state_id".to_owned(), id.into());
        }
        if let Some(owner) = owner {
            let to = owner.map_or(Ok("0"), plain)?;
            body.insert("assignee_id".to_owned(), to.into());
        }
        if body.is_empty() {
            return Ok(None);
        }
        body.insert(
            "admin_id".to_owned(),
            plain(me)?.parse::<i64>().map_or_else(|_| me.as_str().into(), Json::from),
        );
        body.insert("skip_notifications".to_owned(), true.into());
        self.send(Method::PUT, &record.path(), &body.into(), Kind::IdempotentWrite).map(Some)
    }

    /// The tag of this name, made if there is none.
    pub fn tag_named(&self, name: &str) -> Result<Ask> {
        self.send(Method::POST, "/tags", &json!({"name": name}), Kind::IdempotentWrite)
    }

    /// Puts a tag on a record.
    pub fn add_tag(&self, record: &Record, tag: &RemoteId, me: &RemoteId) -> Result<Ask> {
        let body = json!({"id": plain(tag)?, "admin_id": plain(me)?});
        self.send(Method::POST, &format!("{}/tags", record.path()), &body, Kind::IdempotentWrite)
    }

    /// Takes a tag off a record.
    pub fn remove_tag(&self, record: &Record, tag: &RemoteId, me: &RemoteId) -> Result<Ask> {
        let path = format!("{}/tags/{}", record.path(), plain(tag)?);
        self.send(Method::DELETE, &path, &json!({"admin_id": plain(me)?}), Kind::IdempotentWrite)
    }

    /// Takes out what a message of a conversation says.
    pub fn redact(&self, record: &Record, message: &RemoteId, is_source: bool) -> Result<Ask> {
        let mut body = json!({"conversation_id": record.number});
        let (kind, name) =
            if is_source { ("source", "source_id") } else { ("conversation_part", "conversation_part_id") };
        body["type"] = kind.into();
        body[name] = plain(message)?.into();
        self.send(Method::POST, "/conversations/redact", &body, Kind::IdempotentWrite)
    }

    /// Deletes a record for good. The request has no body.
    pub fn delete(&self, record: &Record) -> Result<Ask> {
        let mut ask = self.get(&record.path())?;
        *ask.request.method_mut() = Method::DELETE;
        Ok(Ask { kind: Kind::IdempotentWrite, ..ask })
    }
}

/// A note's HTML. Our own words end with a line by which they are found; a
/// colleague's that look like public words sent as a note are told apart.
fn note_markup(message: &PrivateMessage, key: &OpKey) -> Result<String> {
    let markup = markup(message.text.body())?;
    if message.author.is_none() {
        return Ok(format!("{markup}{}", html::from_text(&reference(key))));
    }
    if quiet::begins(words(message.text.body())?) {
        return Ok(format!("{}{markup}", html::from_text("Note:")));
    }
    Ok(markup)
}

fn quiet_markup(message: &PublicMessage) -> Result<String> {
    let markup = markup(message.text.body())?;
    Ok(format!("{}{markup}", html::from_text(&quiet::line(&message.author.name))))
}
