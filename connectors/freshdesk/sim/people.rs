//! Contacts, agents, groups and companies.

use serde_json::{Value, json};

use super::{
    http::{Answer, Call, Checks, Paging},
    shape,
    ticket_write::is_email,
    world::{Contact, World},
};
use handoffd_core::Timestamp;

/// `GET /contacts`.
pub(super) fn contacts(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    call.only(&[
        "email",
        "mobile",
        "phone",
        "company_id",
        "state",
        "updated_since",
        "_updated_since",
        "unique_external_id",
        "page",
        "per_page",
    ])?;
    let paging = Paging::of(call, None)?;
    let since = call.param("updated_since").or_else(|| call.param("_updated_since"));
    let since = since.map(|text| Timestamp::parse(text).unwrap_or(Timestamp(i64::MAX)));
    let is = |name: &str, held: Option<&str>| {
        call.param(name).is_none_or(|want| held.is_some_and(|held| held.eq_ignore_ascii_case(want)))
    };
    let company = call.param("company_id").map(|text| text.parse::<i64>().unwrap_or(0));
    let deleted = call.param("state") == Some("deleted");
    let found: Vec<&Contact> = world
        .contacts
        .values()
        .filter(|contact| {
            contact.deleted == deleted && company.is_none_or(|id| contact.company_id == Some(id))
        })
        .filter(|contact| is("email", contact.email.as_deref()))
        .filter(|contact| is("mobile", contact.mobile.as_deref()))
        .filter(|contact| is("phone", contact.phone.as_deref()))
        .filter(|contact| is("unique_external_id", contact.unique_external_id.as_deref()))
        .filter(|contact| since.is_none_or(|since| contact.updated_at >= since))
        .collect();
    Ok(paging.answer(call, &found, |contact| shape::contact(contact)))
}

/// `GET /contacts/{id}`.
pub(super) fn contact(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    world.contacts.get(&call.id).map(|found| Answer::ok(shape::contact(found))).ok_or_else(Answer::not_found)
}

/// `POST /contacts`. An address, telephone number or outside id that somebody has is a 409.
pub(super) fn create_contact(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let wanted = read(world, call, Contact::default())?;
    let mut checks = Checks::default();
    if wanted.name.is_empty() {
        checks.missing("name", "It should be a/an String");
    }
    let reachable = [&wanted.email, &wanted.phone, &wanted.mobile, &wanted.twitter_id];
    if reachable.iter().all(|way| way.is_none()) && wanted.unique_external_id.is_none() {
        checks.missing(
            "email",
            "Please fill at least 1 of email, mobile, phone, twitter_id, unique_external_id fields.",
        );
    }
    checks.done()?;
    refuse_duplicate(world, &wanted)?;
    let id = world.add_contact(wanted, call.now);
    let made = world.contacts.get(&id).ok_or_else(Answer::not_found)?;
    Ok(Answer::json(201, shape::contact(made)))
}

/// `PUT /contacts/{id}`. A deleted contact answers 405.
pub(super) fn update_contact(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let old = world.contacts.get(&call.id).cloned().ok_or_else(Answer::not_found)?;
    if old.deleted {
        return Err(Answer::no_method("PUT", &["GET"]));
    }
    let wanted = read(world, call, old.clone())?;
    refuse_duplicate(world, &wanted)?;
    let shown = shape::contact(&wanted);
    if shown == shape::contact(&old) {
        return Ok(Answer::ok(shown));
    }
    let changed = Contact { updated_at: call.now, ..wanted };
    let shown = shape::contact(&changed);
    world.contacts.insert(call.id, changed);
    Ok(Answer::ok(shown))
}

/// `DELETE /contacts/{id}`: can be restored.
pub(super) fn delete_contact(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    mark_deleted(world, call, true)
}

/// `PUT /contacts/{id}/restore`.
pub(super) fn restore_contact(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    mark_deleted(world, call, false)
}

fn mark_deleted(world: &mut World, call: &Call, deleted: bool) -> Result<Answer, Answer> {
    let contact = world.contacts.get_mut(&call.id).filter(|contact| contact.deleted != deleted);
    let contact = contact.ok_or_else(Answer::not_found)?;
    contact.deleted = deleted;
    contact.updated_at = call.now;
    Ok(Answer::empty(204))
}

fn refuse_duplicate(world: &World, wanted: &Contact) -> Result<(), Answer> {
    let by_email = wanted.email.as_deref().and_then(|email| world.person_by_email(email));
    let others = || world.contacts.values().filter(|contact| contact.id != wanted.id);
    let by_external = wanted
        .unique_external_id
        .as_ref()
        .and_then(|external| others().find(|contact| contact.unique_external_id.as_ref() == Some(external)));
    let taken = [("email", by_email), ("unique_external_id", by_external.map(|contact| contact.id))];
    for (field, owner) in taken {
        if let Some(owner) = owner.filter(|owner| *owner != wanted.id) {
            return Err(Answer::json(
                409,
                json!({"description": "Validation failed", "errors": [{"field": field,
                    "message": "It should be a unique value", "additional_info": {"user_id": owner},
                    "code": "duplicate_value"}]}),
            ));
        }
    }
    Ok(())
}

const IGNORED: &[&str] = &["avatar", "custom_fields", "other_companies", "other_emails", "lookup_parameter"];

fn read(world: &World, call: &Call, old: Contact) -> Result<Contact, Answer> {
    let mut contact = old;
    let mut checks = Checks::default();
    for (name, value) in &call.body {
        if let Some(slot) = text_slot(&mut contact, name) {
            match value {
                Value::Null => *slot = None,
                Value::String(text) => *slot = Some(text.clone()),
                other => checks.mismatch(name, other, "String"),
            }
            continue;
        }
        match (name.as_str(), value) {
            ("name", Value::String(text)) => contact.name = text.clone(),
            ("name", other) => checks.mismatch("name", other, "String"),
            ("view_all_tickets", Value::Bool(all)) => contact.view_all_tickets = *all,
            ("view_all_tickets", other) => checks.mismatch("view_all_tickets", other, "Boolean"),
            ("company_id", Value::Null) => contact.company_id = None,
            ("company_id", value) => match value.as_i64() {
                Some(id) if world.companies.contains_key(&id) => contact.company_id = Some(id),
                Some(_) => checks.invalid("company_id", "There is no company matching the given company_id"),
                None => checks.mismatch("company_id", value, "Integer"),
            },
            ("tags", Value::Array(tags)) => {
                contact.tags = tags.iter().filter_map(Value::as_str).map(str::to_owned).collect();
            }
            ("tags", other) => checks.mismatch("tags", other, "Array"),
            (other, _) if IGNORED.contains(&other) => {}
            (other, _) => checks.unknown(other),
        }
    }
    if contact.email.as_deref().is_some_and(|email| !is_email(email)) {
        checks.invalid("email", "It should be in the 'valid email address' format");
    }
    checks.done().map(|()| contact)
}

fn text_slot<'a>(contact: &'a mut Contact, name: &str) -> Option<&'a mut Option<String>> {
    Some(match name {
        "email" => &mut contact.email,
        "phone" => &mut contact.phone,
        "mobile" => &mut contact.mobile,
        "twitter_id" => &mut contact.twitter_id,
        "unique_external_id" => &mut contact.unique_external_id,
        "description" => &mut contact.description,
        "job_title" => &mut contact.job_title,
        "address" => &mut contact.address,
        "language" => &mut contact.language,
        "time_zone" => &mut contact.time_zone,
        _ => return None,
    })
}

/// `GET /agents`.
pub(super) fn agents(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    call.only(&["email", "mobile", "phone", "state", "page", "per_page"])?;
    let paging = Paging::of(call, None)?;
    let wanted = |email: &str| call.param("email").is_none_or(|want| want.eq_ignore_ascii_case(email));
    let found: Vec<_> = world.agents.values().filter(|agent| wanted(&agent.email)).collect();
    Ok(paging.answer(call, &found, |agent| shape::agent(agent)))
}

/// `GET /agents/{id}`.
pub(super) fn agent(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    world.agents.get(&call.id).map(|found| Answer::ok(shape::agent(found))).ok_or_else(Answer::not_found)
}

/// `GET /agents/me`: the agent of the key.
pub(super) fn me(world: &mut World, _call: &Call) -> Result<Answer, Answer> {
    world.agents.get(&world.me).map(|found| Answer::ok(shape::agent(found))).ok_or_else(Answer::not_found)
}

/// `GET /groups`.
pub(super) fn groups(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let paging = Paging::of(call, None)?;
    let found: Vec<_> = world.groups.values().collect();
    Ok(paging.answer(call, &found, |group| shape::group(world, group)))
}

/// `GET /groups/{id}`.
pub(super) fn group(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let found = world.groups.get(&call.id).map(|group| Answer::ok(shape::group(world, group)));
    found.ok_or_else(Answer::not_found)
}

/// Lists of things that this account has none of.
pub(super) fn none(_world: &mut World, _call: &Call) -> Result<Answer, Answer> {
    Ok(Answer::ok(json!([])))
}
