//! Conversations as records: read, opened, changed, deleted.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    change::Opening,
    files, html,
    http::{Answer, Call, Version},
    shape::Style,
    tickets::Edit,
    world::{Author, Thread, World},
};

/// How a conversation is to be written for this call.
pub(super) fn style(call: &Call) -> Style<'_> {
    let plain = call.param("display_as").or_else(|| call.given("display_as").and_then(Value::as_str))
        == Some("plaintext");
    Style { base: &call.base, version: call.version, plain, now: call.now }
}

/// The conversation in the path.
pub(super) fn found<'a>(world: &'a World, call: &Call) -> Result<&'a Thread, Answer> {
    world.conversation(call.number_at(0)).ok_or_else(Answer::not_found)
}

/// The whole conversation as an answer.
pub(super) fn whole(world: &World, id: i64, call: &Call) -> Result<Answer, Answer> {
    let thread = world.conversation(id).ok_or_else(Answer::not_found)?;
    Ok(Answer::ok(world.conversation_json(thread, &style(call))))
}

/// `GET /conversations/{id}`.
pub(super) fn view(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    whole(world, found(world, call)?.id, call)
}

/// `POST /conversations`: from a contact, in plain text. Answers with the message.
pub(super) fn create(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let from = call.given("from").ok_or_else(|| Answer::missing("from"))?;
    if !matches!(from["type"].as_str(), Some("user" | "lead" | "contact")) {
        return Err(Answer::invalid("from type must be user, lead or contact"));
    }
    let body = call.text("body")?.ok_or_else(|| Answer::invalid("Body is required"))?;
    let contact = from["id"].as_str().and_then(|id| world.live_contact(id)).ok_or_else(Answer::no_contact)?;
    let contact = contact.id.clone();
    let created_at = call.moment("created_at")?.unwrap_or(call.now);
    let files = files::read(call)?;
    let opening = Opening {
        is_conversation: true,
        kind: "conversation",
        delivered_as: "customer_initiated",
        subject: String::new(),
        body: html::from_plain(body),
        author: Author::Contact(contact.clone()),
        contacts: vec![contact],
        files: world.keep_files(files),
        admin: None,
        team: None,
        card: None,
        created_at,
    };
    let id = world.open(opening, call.now);
    world.notify(id, "conversation.user.created", None, call.now);
    let message = world.live(id).map_or(0, |thread| thread.source.id);
    Ok(Answer::ok(json!({"type": "user_message", "id": message.to_string(), "created_at": created_at,
        "body": body, "message_type": "inapp", "conversation_id": id.to_string()})))
}

/// `POST /messages`: from an admin to a contact, who is mailed. Only with
/// `create_conversation_without_contact_reply` there is a conversation at once.
pub(super) fn message(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let body = call.text("body")?.ok_or_else(|| Answer::invalid("Body is required"))?;
    let kind = match call.text("message_type")? {
        Some("email") => "email",
        Some("in_app" | "inapp") => "inapp",
        _ => return Err(Answer::invalid("message_type must be in_app or email")),
    };
    let subject = call.text("subject")?.unwrap_or_default();
    if kind == "email" && subject.is_empty() {
        return Err(Answer::error(422, "parameter_not_found", "No subject supplied for email message"));
    }
    let from = call.given("from").and_then(|from| super::http::id_of(&from["id"])).unwrap_or(0);
    let admin = world.admins.get(&from).map(|admin| admin.id).ok_or_else(Answer::no_admin)?;
    let to = call.given("to").and_then(|to| to["id"].as_str()).unwrap_or_default();
    let contact = world.live_contact(to).ok_or_else(Answer::no_contact)?.id.clone();
    let created_at = call.moment("created_at")?.unwrap_or(call.now);
    let mut answer = json!({"type": "admin_message", "id": "", "created_at": created_at, "subject": subject,
        "body": html::sanitise(body), "message_type": kind});
    if call.flag("create_conversation_without_contact_reply")? == Some(true) {
        let opening = Opening {
            is_conversation: true,
            kind: if kind == "email" { "email" } else { "conversation" },
            delivered_as: "admin_initiated",
            subject: if subject.is_empty() { String::new() } else { html::from_plain(subject) },
            body: html::sanitise(body),
            author: Author::Admin(admin),
            contacts: vec![contact],
            files: Vec::new(),
            admin: None,
            team: None,
            card: None,
            created_at,
        };
        let id = world.open(opening, call.now);
        let source = world.live(id).map(|thread| thread.source.id);
        world.mail(id, source, call.now);
        world.notify(id, "conversation.admin.single.created", None, call.now);
        answer["id"] = json!(source.unwrap_or_default().to_string());
        answer["conversation_id"] = json!(id.to_string());
    } else {
        answer["id"] = json!(super::world::next(&mut world.ids.message).to_string());
    }
    Ok(Answer::ok(answer))
}

/// `PUT /conversations/{id}`: whether it was read, its title, its attributes.
pub(super) fn update(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let id = found(world, call)?.id;
    let read = call.flag("read")?;
    let title = match call.body.get("title") {
        Some(_) if call.version < Version::V2_13 => None,
        Some(Value::String(title)) => Some(Some(title.clone())),
        Some(Value::Null) => Some(None),
        Some(_) => return Err(Answer::invalid("title must be a string")),
        None => None,
    };
    if call.text("company_id")?.is_some() {
        return Err(Answer::error(404, "company_not_found", "Company Not Found"));
    }
    let custom = custom_attributes(world, call)?;
    let Some(thread) = world.threads.get_mut(&id) else { return Err(Answer::not_found()) };
    let before = thread.head.clone();
    if let Some(read) = read {
        thread.head.read = read;
    }
    if let Some(title) = title {
        thread.head.title = title;
    }
    let (is_new, read_now) = (thread.head != before, thread.head.read && !before.read);
    if is_new {
        world.touch(id, call.now);
    }
    world.set_custom(id, custom, &Edit { by: world.me, by_app: true, silent: false, now: call.now });
    if read_now {
        world.notify(id, "conversation.read", None, call.now);
    }
    whole(world, id, call)
}

/// Attributes must be in the workspace, once, and of their type.
fn custom_attributes(world: &World, call: &Call) -> Result<BTreeMap<String, Value>, Answer> {
    let Some(given) = call.given("custom_attributes") else { return Ok(BTreeMap::new()) };
    let given = given.as_object().ok_or_else(|| Answer::invalid("custom_attributes must be an object"))?;
    let mut admitted = BTreeMap::new();
    for (name, value) in given {
        let same = world.attributes.iter().filter(|attribute| {
            attribute.model == "conversation" && !attribute.archived && attribute.name == *name
        });
        let same: Vec<_> = same.collect();
        let attribute = match same.as_slice() {
            [] => return Err(Answer::invalid(&format!("Custom attribute '{name}' does not exist"))),
            [one] => one,
            _ => return Err(Answer::invalid(&format!("There are several attributes named '{name}'"))),
        };
        let wrong = || Answer::invalid(&format!("Custom attribute '{name}' has a value of a wrong type"));
        admitted.insert(name.clone(), attribute.admit(value).ok_or_else(wrong)?);
    }
    Ok(admitted)
}

/// `DELETE /conversations/{id}`.
pub(super) fn delete(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    if call.version < Version::V2_13 {
        return Err(Answer::not_found());
    }
    let id = found(world, call)?.id;
    world.delete(id, call.now);
    Ok(Answer::ok(json!({"id": id.to_string(), "object": "conversation", "deleted": true})))
}

/// `POST /conversations/redact`.
pub(super) fn redact(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let gone = || {
        let message = "Conversation part or message not found";
        Answer::error(404, "conversation_part_or_message_not_found", message)
    };
    let refused = || {
        let message = "The part has no body, or the message was not created by a contact";
        Answer::error(422, "conversation_part_not_redactable", message)
    };
    let id = call.needed_id("conversation_id")?;
    let thread = world.conversation(id).ok_or_else(gone)?;
    let part = match call.text("type")? {
        Some("source") => {
            if call.needed_id("source_id")? != thread.source.id {
                return Err(gone());
            }
            if !matches!(thread.source.author, Author::Contact(_)) {
                return Err(refused());
            }
            None
        }
        Some("conversation_part") => {
            let wanted = call.needed_id("conversation_part_id")?;
            let part = thread.parts.iter().find(|part| part.id == wanted).ok_or_else(gone)?;
            if part.body.is_none() {
                return Err(refused());
            }
            Some(wanted)
        }
        _ => return Err(Answer::invalid("type must be conversation_part or source")),
    };
    world.redact(id, part, call.now);
    whole(world, id, call)
}
