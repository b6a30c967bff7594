//! What is added to a conversation: replies, notes, states, assignments, customers, tags.

use serde_json::{Value, json};

use super::{
    change::Draft,
    conversations::{found, whole},
    files, html,
    http::{Answer, Call, Version, id_of},
    world::{Author, Detail, State, World},
};

/// The admin that a request names.
pub(super) fn admin(world: &World, call: &Call) -> Result<i64, Answer> {
    let id = call.needed_id("admin_id")?;
    world.admins.contains_key(&id).then_some(id).ok_or_else(Answer::no_admin)
}

/// The contact that a request names, by the vendor's id, by address or by the account's own id.
pub(super) fn contact<'a>(
    world: &'a World,
    given: &serde_json::Map<String, Value>,
) -> Result<&'a super::world::Contact, Answer> {
    let text = |name: &str| given.get(name).and_then(Value::as_str);
    let found = match (text("intercom_user_id"), text("email"), text("user_id")) {
        (Some(id), ..) => world.live_contact(id),
        (None, Some(email), _) => world.contact_by_email(email),
        (None, None, Some(external)) => world.contact_by_external(external),
        (None, None, None) => return Err(Answer::missing("intercom_user_id")),
    };
    found.ok_or_else(Answer::no_contact)
}

/// Reads a reply or note. Whether the thread takes it is for the caller to say.
pub(super) fn reply_draft(world: &mut World, call: &Call) -> Result<Draft, Answer> {
    let created_at = call.moment("created_at")?.unwrap_or(call.now);
    let body = call.text("body")?;
    let kind = match call.text("message_type")? {
        Some("comment") => "comment",
        Some("note") => "note",
        Some("quick_reply") => "quick_reply",
        _ => return Err(Answer::invalid("message_type must be comment, note or quick_reply")),
    };
    let files = files::read(call)?;
    let (author, body, detail) = match call.text("type")? {
        Some("admin") => {
            let author = Author::Admin(admin(world, call)?);
            let detail = quick_replies(call, kind)?;
            if body.is_none() && kind != "quick_reply" {
                return Err(Answer::invalid("Body is required"));
            }
            (author, body.map(html::sanitise), detail)
        }
        Some("user") => {
            if kind != "comment" {
                return Err(Answer::invalid("message_type must be comment for a user"));
            }
            let contact = contact(world, &call.body)?.id.clone();
            let body = body.ok_or_else(|| Answer::invalid("Body is required"))?;
            (Author::Contact(contact), Some(html::from_plain(body)), Detail::None)
        }
        _ => return Err(Answer::invalid("type must be admin or user")),
    };
    let draft = Draft::plain(kind, author, true, call.now);
    Ok(Draft { body, created_at, files: world.keep_files(files), detail, ..draft })
}

fn quick_replies(call: &Call, kind: &str) -> Result<Detail, Answer> {
    if kind != "quick_reply" {
        return Ok(Detail::None);
    }
    let options = call.given("reply_options").and_then(Value::as_array).cloned().unwrap_or_default();
    let whole = |option: &Value| option["text"].is_string() && option["uuid"].is_string();
    if options.is_empty() || !options.iter().all(whole) {
        return Err(Answer::invalid("reply_options need text and uuid"));
    }
    Ok(Detail::QuickReplies(options))
}

/// `POST /conversations/{id}/reply`. `last` is the newest conversation of the contact.
pub(super) fn reply(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let id = match call.at(0) {
        "last" => last_of(world, call)?,
        _ => found(world, call)?.id,
    };
    // Before 2.15 nothing is known of it here, and what is not known is not heard.
    let silent = call.version >= Version::V2_15
        && call.text("type")? == Some("admin")
        && call.flag("skip_notifications")? == Some(true);
    let draft = Draft { silent, ..reply_draft(world, call)? };
    post(world, id, draft, call.now)?;
    whole(world, id, call)
}

fn last_of(world: &World, call: &Call) -> Result<i64, Answer> {
    let contact = contact(world, &call.body)?.id.clone();
    let of_contact = world.threads.values().filter(|thread| {
        thread.is_conversation && !thread.deleted && thread.head.contacts.contains(&contact)
    });
    of_contact.map(|thread| thread.id).next_back().ok_or_else(Answer::not_found)
}

/// Puts a reply on a thread. A contact must take part in it.
pub(super) fn post(world: &mut World, id: i64, draft: Draft, now: i64) -> Result<i64, Answer> {
    let thread = world.live(id).ok_or_else(Answer::not_found)?;
    let made = match &draft.author {
        Author::Admin(_) => world.add(id, draft, now),
        Author::Contact(contact) if thread.head.contacts.contains(contact) => {
            world.customer_says(id, draft, now)
        }
        Author::Contact(_) => return Err(Answer::no_contact()),
    };
    made.ok_or_else(Answer::not_found)
}

/// `POST /conversations/{id}/parts`: closes, opens, snoozes, assigns.
pub(super) fn manage(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let id = found(world, call)?.id;
    let by = admin(world, call)?;
    let body = call.text("body")?.map(html::sanitise);
    let draft = Draft::plain("close", Author::Admin(by), true, call.now);
    match call.text("message_type")? {
        Some("close") => {
            world.set_state(id, State::Closed, None, Draft { body, ..draft }, call.now);
        }
        Some("open") => {
            world.set_state(id, State::Open, None, Draft { kind: "open", ..draft }, call.now);
        }
        Some("snoozed") => {
            let until = call.moment("snoozed_until")?.ok_or_else(|| Answer::missing("snoozed_until"))?;
            if until <= call.now {
                return Err(Answer::invalid("snoozed_until must be in the future"));
            }
            let draft = Draft { kind: "snoozed", ..draft };
            world.set_state(id, State::Snoozed, Some(until), draft, call.now);
        }
        Some("assignment") => {
            let (kind, to) = assignee(world, call)?;
            world.assign(id, kind, to, Draft { body, ..draft }, call.now);
        }
        _ => return Err(Answer::invalid("message_type must be close, open, snoozed or assignment")),
    }
    whole(world, id, call)
}

fn assignee(world: &World, call: &Call) -> Result<(&'static str, Option<i64>), Answer> {
    let to = Some(call.needed_id("assignee_id")?).filter(|to| *to != 0);
    let none = || Answer::error(404, "assignee_not_found", "Assignee not found");
    match call.text("type")? {
        Some("admin") if to.is_none_or(|to| world.admins.contains_key(&to)) => Ok(("admin", to)),
        Some("team") if to.is_none_or(|to| world.team(to).is_some()) => Ok(("team", to)),
        Some("admin" | "team") => Err(none()),
        _ => Err(Answer::invalid("type must be admin or team")),
    }
}

/// `POST /conversations/{id}/customers`: one more contact takes part.
pub(super) fn attach(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let id = found(world, call)?.id;
    let customer = call.given("customer").and_then(Value::as_object);
    let customer = customer.ok_or_else(|| Answer::missing("customer"))?;
    if call.given("admin_id").is_some() {
        admin(world, call)?;
    } else {
        contact(world, customer.get("customer").and_then(Value::as_object).unwrap_or(&call.body))?;
    }
    let contact = match contact(world, customer) {
        Ok(contact) => contact.id.clone(),
        // An address that nobody has becomes a lead.
        Err(refused) => match customer.get("email").and_then(Value::as_str) {
            Some(email) if email.contains('@') => world.contact_for(email, None, "lead", call.now),
            _ => return Err(refused),
        },
    };
    let Some(thread) = world.threads.get_mut(&id) else { return Err(Answer::not_found()) };
    if !thread.head.contacts.contains(&contact) {
        thread.head.contacts.push(contact);
        world.touch(id, call.now);
        world.notify(id, "conversation.contact.attached", None, call.now);
    }
    let customers = world.live(id).map(|thread| thread.head.contacts.clone()).unwrap_or_default();
    let customers: Vec<Value> = customers.iter().map(|id| json!({"type": "user", "id": id})).collect();
    let mut answer = whole(world, id, call)?;
    if let super::http::Content::Json(body) = &mut answer.content {
        body["customers"] = json!(customers);
    }
    Ok(answer)
}

/// `DELETE /conversations/{id}/customers/{contact_id}`: never the last.
pub(super) fn detach(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let id = found(world, call)?.id;
    admin(world, call)?;
    let contact = call.at(1).to_owned();
    let Some(thread) = world.threads.get_mut(&id) else { return Err(Answer::not_found()) };
    if !thread.head.contacts.contains(&contact) {
        return Err(Answer::no_contact());
    }
    if thread.head.contacts.len() == 1 {
        let message = "Removing the last customer is not allowed";
        return Err(Answer::error(422, "parameter_invalid", message));
    }
    thread.head.contacts.retain(|one| *one != contact);
    world.touch(id, call.now);
    world.notify(id, "conversation.contact.detached", None, call.now);
    whole(world, id, call)
}

/// The tag that a request names.
fn tag(world: &World, call: &Call) -> Result<i64, Answer> {
    let id = call.given("id").and_then(id_of).ok_or_else(|| Answer::missing("id"))?;
    world.tags.contains_key(&id).then_some(id).ok_or_else(no_tag)
}

fn no_tag() -> Answer {
    Answer::error(404, "tag_not_found", "Tag not found")
}

fn no_thread(call: &Call) -> Answer {
    if call.segments.first().is_some_and(|first| first == "tickets") {
        return Answer::error(404, "ticket_not_found", "Ticket not found");
    }
    Answer::error(404, "not_found", "Conversation not found")
}

fn tagged(world: &World, call: &Call) -> Result<i64, Answer> {
    let id = call.number_at(0);
    let found = match call.segments.first().map(String::as_str) {
        Some("tickets") => world.ticket(id),
        _ => world.conversation(id),
    };
    found.map(|thread| thread.id).ok_or_else(|| no_thread(call))
}

/// `POST /conversations/{id}/tags` and `POST /tickets/{id}/tags`.
pub(super) fn add_tag(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let id = tagged(world, call)?;
    let (tag, by) = (tag(world, call)?, admin(world, call)?);
    world.tag(id, tag, by, call.now);
    let mut shown = world.tag_json(tag);
    shown["applied_at"] = json!(call.now);
    shown["applied_by"] = json!({"type": "admin", "id": by.to_string()});
    Ok(Answer::ok(shown))
}

/// `DELETE /conversations/{id}/tags/{id}` and `DELETE /tickets/{id}/tags/{id}`.
pub(super) fn remove_tag(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let id = tagged(world, call)?;
    let tag = call.number_at(1);
    if !world.tags.contains_key(&tag) {
        return Err(no_tag());
    }
    admin(world, call)?;
    world.untag(id, tag, call.now);
    Ok(Answer::ok(world.tag_json(tag)))
}
