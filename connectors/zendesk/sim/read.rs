//! What callers send, read into changes.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{
    Sim,
    answer::{Call, Reply},
    change::{Act, Change, Note},
    state::{priority_of, status_of, tags_of},
    text::{html_of, plain_of, tidy, wrapped},
};

type Object = Map<String, Value>;

/// Characters that a comment can hold.
const COMMENT_MAX: usize = 65_536;

/// A text, or a number or truth value as text. `None` if the key is missing.
pub(super) fn text(object: &Object, key: &str) -> Result<Option<Option<String>>, Reply> {
    match object.get(key) {
        None => Ok(None),
        Some(Value::Null) => Ok(Some(None)),
        Some(Value::String(text)) => Ok(Some(Some(text.clone()))),
        Some(Value::Number(number)) => Ok(Some(Some(number.to_string()))),
        Some(Value::Bool(flag)) => Ok(Some(Some(flag.to_string()))),
        Some(_) => Err(Reply::bad_parameter(key, "It must be a string")),
    }
}

/// An id, as a number or in digits. Nothing in it is null.
pub(super) fn id(object: &Object, key: &str) -> Result<Option<Option<i64>>, Reply> {
    match object.get(key) {
        None => Ok(None),
        Some(Value::Null) => Ok(Some(None)),
        Some(Value::String(text)) if text.is_empty() => Ok(Some(None)),
        Some(value) => value
            .as_i64()
            .or_else(|| value.as_str()?.parse().ok())
            .map(|id| Some(Some(id)))
            .ok_or_else(|| Reply::bad_parameter(key, "It must be an integer")),
    }
}

/// An id in a path.
pub(super) fn number(id: &str) -> Result<i64, Reply> {
    id.parse().map_err(|_| Reply::bad_parameter("id", "Invalid parameter: id must be an integer"))
}

/// Tags as a list of texts or as one text.
pub(super) fn tags(value: &Value) -> Result<std::collections::BTreeSet<String>, Reply> {
    match value {
        Value::Null => Ok(tags_of([])),
        Value::String(text) => Ok(tags_of([text.as_str()])),
        Value::Array(list) => Ok(tags_of(list.iter().filter_map(Value::as_str))),
        _ => Err(Reply::bad_parameter("tags", "It must be an array")),
    }
}

/// The act of an API call on a ticket.
pub(super) fn act(call: &Call, ticket: &Object) -> Act {
    let custom = ticket.get("metadata").and_then(|metadata| {
        // What is not one of the vendor's own keys is custom as well.
        let metadata = metadata.as_object()?;
        metadata.get("custom").and_then(Value::as_object).cloned().or_else(|| Some(metadata.clone()))
    });
    Act {
        user: call.user,
        channel: "api",
        client: call.client(),
        custom: custom.unwrap_or_default(),
        now: call.now,
    }
}

impl Sim {
    /// Reads the fields of a ticket. The comment's text may be missing on update.
    pub(super) fn change(&mut self, ticket: &Object, call: &Call) -> Result<Change, Reply> {
        let mut change = Change {
            subject: text(ticket, "subject")?.map(Option::unwrap_or_default),
            tags: ticket.get("tags").map(tags).transpose()?,
            assignee: id(ticket, "assignee_id")?,
            group: id(ticket, "group_id")?,
            external_id: text(ticket, "external_id")?,
            due_at: text(ticket, "due_at")?,
            problem_id: id(ticket, "problem_id")?,
            custom_fields: custom_fields(ticket)?,
            custom_status: id(ticket, "custom_status_id")?.flatten(),
            ..Change::default()
        };
        if let Some(Some(word)) = text(ticket, "status")? {
            let status = status_of(&word.to_lowercase());
            change.status = Some(status.ok_or_else(|| Reply::invalid("status", "Status: is invalid"))?);
        }
        if let Some(word) = text(ticket, "priority")? {
            change.priority = Some(one_of(word, "priority", priority_of)?);
        }
        if let Some(word) = text(ticket, "type")? {
            let kind = |word: &str| is_type(word).then(|| word.to_owned());
            change.kind = Some(one_of(word, "type", kind)?);
        }
        if let Some(Some(email)) = text(ticket, "assignee_email")? {
            let user = self.world.user_by_email(&email).map(|user| user.id);
            change.assignee =
                Some(Some(user.ok_or_else(|| Reply::invalid("assignee", "Assignee: is not an agent"))?));
        }
        change.note = self.note(ticket.get("comment"))?;
        if let Some(note) = &mut change.note {
            let uploads = ticket.get("comment").and_then(|comment| comment.get("uploads"));
            note.files = self.uploaded(uploads, call.now.as_secs());
        }
        change.follows = id(ticket, "via_followup_source_id")?.flatten();
        change.email_ccs =
            self.people(ticket, &["email_ccs", "email_cc_ids", "collaborators", "collaborator_ids"], call)?;
        change.followers = self.people(ticket, &["followers", "follower_ids"], call)?;
        change.requester = self.requester(ticket, call)?;
        Ok(change)
    }

    /// `requester_id`, or an inline requester who is found by address or made.
    fn requester(&mut self, ticket: &Object, call: &Call) -> Result<Option<i64>, Reply> {
        if let Some(Some(user)) = id(ticket, "requester_id")? {
            return Ok(Some(user));
        }
        let Some(requester) = ticket.get("requester").and_then(Value::as_object) else {
            return Ok(None);
        };
        let email = text(requester, "email")?.flatten().unwrap_or_default();
        let name = text(requester, "name")?.flatten().unwrap_or_default();
        if let Some(user) = self.world.user_by_email(&email) {
            return Ok(Some(user.id));
        }
        if name.trim().is_empty() {
            return Err(Reply::invalid("requester", "Requester: Name: is too short (minimum one character)"));
        }
        if !email.is_empty() && !looks_like_email(&email) {
            return Err(Reply::invalid("requester", "Requester: Email: is not properly formatted"));
        }
        let email = Some(email.trim()).filter(|email| !email.is_empty());
        let role = super::state::Role::EndUser;
        Ok(Some(self.world.add_user(name.trim(), email, role, None, call.now.as_secs())))
    }

    /// Users named by id, by address, or as `{user_id | user_email | email, action}`. `None` if nobody spoke of them.
    fn people(
        &mut self,
        ticket: &Object,
        keys: &[&str],
        call: &Call,
    ) -> Result<Option<Vec<(i64, bool)>>, Reply> {
        let mut out = None;
        for key in keys {
            let Some(value) = ticket.get(*key) else { continue };
            let Value::Array(list) = value else {
                return Err(Reply::bad_parameter(key, "It must be an array"));
            };
            let out = out.get_or_insert_with(Vec::new);
            for one in list {
                let is_added = one.get("action").and_then(Value::as_str) != Some("delete");
                let id = one.get("user_id").unwrap_or(one);
                let id = id.as_i64().or_else(|| id.as_str()?.parse().ok());
                let address = one.get("user_email").or_else(|| one.get("email")).unwrap_or(one).as_str();
                match (id.filter(|id| self.world.users.contains_key(id)), address) {
                    (Some(id), _) => out.push((id, is_added)),
                    (None, Some(email)) if looks_like_email(email) => {
                        let name = email.split('@').next().unwrap_or(email).to_owned();
                        let name = one
                            .get("name")
                            .or_else(|| one.get("user_name"))
                            .and_then(Value::as_str)
                            .unwrap_or(&name);
                        out.push((self.world.customer(name, email, call.now.as_secs()), is_added));
                    }
                    _ => return Err(Reply::invalid(key, &format!("{key}: is not a user of this account"))),
                }
            }
        }
        Ok(out)
    }

    /// A comment; one without any text is no comment.
    pub(super) fn note(&self, comment: Option<&Value>) -> Result<Option<Note>, Reply> {
        let comment = match comment {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::String(text)) => {
                Object::from_iter([("body".to_owned(), Value::String(text.clone()))])
            }
            Some(Value::Object(comment)) => comment.clone(),
            Some(_) => return Err(Reply::bad_parameter("comment", "It must be an object")),
        };
        let given = |key: &str| text(&comment, key).map(Option::flatten);
        let (body, html) = match (given("html_body")?, given("body")?) {
            (Some(html), _) => (plain_of(&html), wrapped(&html)),
            (None, Some(body)) => (tidy(&body), html_of(&tidy(&body))),
            (None, None) => return Ok(None),
        };
        if body.is_empty() {
            return Ok(None);
        }
        if body.chars().count() > COMMENT_MAX {
            return Err(Reply::invalid("comment", "Comment: is too long (maximum is 65536 characters)"));
        }
        let author = id(&comment, "author_id")?.flatten();
        if author.is_some_and(|author| !self.world.users.contains_key(&author)) {
            return Err(Reply::invalid("comment", "Comment: author is not a user of this account"));
        }
        let public = match comment.get("public") {
            Some(Value::Bool(public)) => Some(*public),
            Some(Value::String(word)) => Some(word == "true"),
            _ => None,
        };
        Ok(Some(Note { author, body, html, public, files: Vec::new() }))
    }
}

/// The words that a ticket's type can be.
pub(super) fn is_type(word: &str) -> bool {
    ["problem", "incident", "question", "task"].contains(&word)
}

fn one_of<T>(
    word: Option<String>,
    field: &str,
    known: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>, Reply> {
    match word.filter(|word| !word.is_empty()) {
        None => Ok(None),
        Some(word) => match known(&word.to_lowercase()) {
            Some(value) => Ok(Some(value)),
            None => Err(Reply::invalid(field, &format!("{field}: is not a known value"))),
        },
    }
}

/// A list of `{id, value}`, or an object of ids and values.
fn custom_fields(ticket: &Object) -> Result<BTreeMap<i64, Value>, Reply> {
    let mut out = BTreeMap::new();
    for key in ["custom_fields", "fields"] {
        match ticket.get(key) {
            Some(Value::Array(list)) => {
                for field in list.iter().filter_map(Value::as_object) {
                    if let Some(Some(number)) = id(field, "id")? {
                        out.insert(number, field.get("value").cloned().unwrap_or_default());
                    }
                }
            }
            Some(Value::Object(map)) => {
                let pairs = map.iter().filter_map(|(id, value)| Some((id.parse().ok()?, value.clone())));
                out.extend(pairs);
            }
            _ => {}
        }
    }
    Ok(out)
}

/// One `@` with something on both sides and no white space.
pub(super) fn looks_like_email(text: &str) -> bool {
    text.trim().split_once('@').is_some_and(|(name, host)| {
        !name.is_empty()
            && !host.is_empty()
            && !host.contains('@')
            && !text.trim().contains(char::is_whitespace)
    })
}
