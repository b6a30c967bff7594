//! Replies and notes.

use serde_json::Value;

use super::{
    files, html,
    http::{Answer, Call, Checks, Paging},
    shape,
    world::{Conversation, Draft, World},
};

/// `GET /tickets/{id}/conversations`: oldest first.
pub(super) fn list(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    call.only(&["page", "per_page"])?;
    let paging = Paging::of(call, None)?;
    let ticket = world.kept(call.id, call.now).ok_or_else(Answer::not_found)?;
    if ticket.deleted_at.is_some() && !world.options.trash_readable {
        return Err(super::tickets::forbidden());
    }
    let look = world.look(call);
    Ok(paging.answer(call, &ticket.conversations, |said| shape::conversation(&look, ticket.id, said)))
}

/// `POST /tickets/{id}/reply`: mails the requester.
pub(super) fn reply(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let form =
        read(world, call, &["body", "from_email", "user_id", "cc_emails", "bcc_emails", "attachments"])?;
    if let Some(user) = form.user_id.filter(|user| !world.agents.contains_key(user)) {
        let mut checks = Checks::default();
        checks.invalid("user_id", format!("There is no agent matching the given user_id: {user}"));
        checks.done()?;
    }
    let draft = Draft { source: 0, incoming: false, private: false, ..form.into_draft(world.me) };
    say(world, call, draft)
}

/// `POST /tickets/{id}/notes`: mails no customer; private unless told otherwise.
pub(super) fn note(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let known = &["body", "private", "incoming", "notify_emails", "user_id", "attachments"];
    let form = read(world, call, known)?;
    let draft = form.into_draft(world.me);
    say(world, call, draft)
}

fn say(world: &mut World, call: &Call, draft: Draft) -> Result<Answer, Answer> {
    let reply = draft.source == 0;
    let draft = Draft { attachments: world.keep_files(call), ..draft };
    let said = world.say(call.id, draft, call.now).ok_or_else(Answer::not_found)?;
    let mut shown = shape::conversation(&world.look(call), call.id, &said);
    if reply {
        shown["replied_to"] = Value::from(said.to_emails);
    }
    Ok(Answer::json(201, shown))
}

struct Form {
    body: String,
    user_id: Option<i64>,
    private: bool,
    incoming: bool,
    cc_emails: Vec<String>,
    bcc_emails: Vec<String>,
}

impl Form {
    fn into_draft(self, me: i64) -> Draft {
        Draft {
            user_id: self.user_id.unwrap_or(me),
            incoming: self.incoming,
            private: self.private,
            source: 2,
            body: html::sanitise(&self.body),
            cc_emails: self.cc_emails,
            bcc_emails: self.bcc_emails,
            attachments: Vec::new(),
        }
    }
}

fn read(world: &World, call: &Call, known: &[&str]) -> Result<Form, Answer> {
    world.live(call.id).ok_or_else(Answer::not_found)?;
    let mut checks = Checks::default();
    for name in call.body.keys().filter(|name| !known.contains(&name.as_str())) {
        checks.unknown(name);
    }
    files::check(call, &mut checks);
    let body = body(call, &mut checks);
    let user_id = user(world, call, &mut checks);
    let private = flag(call, "private", &mut checks).unwrap_or(true);
    let incoming = flag(call, "incoming", &mut checks).unwrap_or(false);
    let cc_emails = addresses(call, "cc_emails", &mut checks);
    let bcc_emails = addresses(call, "bcc_emails", &mut checks);
    addresses(call, "notify_emails", &mut checks);
    checks.done()?;
    Ok(Form { body, user_id, private, incoming, cc_emails, bcc_emails })
}

fn body(call: &Call, checks: &mut Checks) -> String {
    match call.body.get("body") {
        None | Some(Value::Null) => checks.missing("body", "It should be a/an String"),
        Some(Value::String(text)) if text.trim().is_empty() => {
            checks.invalid("body", "It should not be blank as this is a mandatory field");
        }
        Some(Value::String(text)) => return text.clone(),
        Some(other) => checks.mismatch("body", other, "String"),
    }
    String::new()
}

fn user(world: &World, call: &Call, checks: &mut Checks) -> Option<i64> {
    let value = call.body.get("user_id").filter(|value| !value.is_null())?;
    let Some(id) = value.as_i64() else {
        checks.mismatch("user_id", value, "Integer");
        return None;
    };
    if !world.is_person(id) {
        checks.invalid("user_id", "There is no contact matching the given user_id");
    }
    Some(id)
}

fn flag(call: &Call, name: &str, checks: &mut Checks) -> Option<bool> {
    let value = call.body.get(name)?;
    if !value.is_boolean() {
        checks.mismatch(name, value, "Boolean");
    }
    value.as_bool()
}

fn addresses(call: &Call, name: &str, checks: &mut Checks) -> Vec<String> {
    let Some(value) = call.body.get(name).filter(|value| !value.is_null()) else { return Vec::new() };
    let texts = value.as_array().and_then(|list| {
        list.iter().map(|item| item.as_str().map(str::to_owned)).collect::<Option<Vec<String>>>()
    });
    if texts.is_none() {
        checks.mismatch(name, value, "Array");
    }
    texts.unwrap_or_default()
}

/// `PUT /conversations/{id}`: notes only.
pub(super) fn edit(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let (ticket, at) = find(world, call, |said| said.source == 2)?;
    let mut checks = Checks::default();
    for name in call.body.keys().filter(|name| !matches!(name.as_str(), "body" | "attachments")) {
        checks.unknown(name);
    }
    let body = body(call, &mut checks);
    checks.done()?;
    world.rewrite(ticket, at, html::sanitise(&body), call.now);
    let said = world.live(ticket).and_then(|kept| kept.conversations.get(at));
    let said = said.ok_or_else(Answer::not_found)?;
    Ok(Answer::ok(shape::conversation(&world.look(call), ticket, said)))
}

/// `DELETE /conversations/{id}`: notes and our own replies, not what came in.
pub(super) fn delete(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let (ticket, at) = find(world, call, |said| said.source == 2 || !said.incoming)?;
    world.unsay(ticket, at, call.now);
    Ok(Answer::empty(204))
}

fn find(world: &World, call: &Call, can: fn(&Conversation) -> bool) -> Result<(i64, usize), Answer> {
    let (ticket, at) = world.said(call.id).ok_or_else(Answer::not_found)?;
    let said = world.live(ticket).and_then(|kept| kept.conversations.get(at));
    if said.is_some_and(can) { Ok((ticket, at)) } else { Err(Answer::no_method(&call.method, &[])) }
}
