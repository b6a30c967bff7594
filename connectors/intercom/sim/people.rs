//! Contacts.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    http::{Answer, Call, Version},
    world::{Contact, World},
};

/// A contact.
pub(super) fn contact_json(world: &World, contact: &Contact) -> Value {
    let id = &contact.id;
    let attached = |what: &str| {
        json!({"type": "list", "data": [], "url": format!("/contacts/{id}/{what}"), "total_count": 0,
            "has_more": false})
    };
    let mut tags = attached("tags");
    tags["total_count"] = json!(contact.tags.len());
    let named = |tag: &i64| json!({"type": "tag", "id": tag.to_string(), "url": format!("/tags/{tag}")});
    tags["data"] = contact.tags.iter().map(named).collect();
    let mut shown = json!({
        "type": "contact", "id": id, "workspace_id": world.app, "external_id": contact.external_id,
        "role": contact.role, "email": contact.email, "phone": contact.phone, "name": contact.name,
        "avatar": null, "owner_id": null, "social_profiles": {"type": "list", "data": []},
        "has_hard_bounced": false, "marked_email_as_spam": false,
        "unsubscribed_from_emails": contact.unsubscribed, "created_at": contact.created_at,
        "updated_at": contact.updated_at, "last_replied_at": contact.last_replied_at,
        "last_contacted_at": contact.last_contacted_at, "custom_attributes": contact.custom,
        "location": {"type": "location", "country": null, "region": null, "city": null},
        "tags": tags, "notes": attached("notes"), "companies": attached("companies"),
        "opted_out_subscription_types": attached("subscriptions"),
        "opted_in_subscription_types": attached("subscriptions"),
    });
    for name in NULLS {
        shown[name] = Value::Null;
    }
    if let Some((_, domain)) = contact.email.as_deref().and_then(|email| email.split_once('@')) {
        shown["email_domain"] = json!(domain);
    }
    shown
}

/// What nothing is known of in this world.
const NULLS: &[&str] = &[
    "signed_up_at",
    "last_seen_at",
    "last_email_opened_at",
    "last_email_clicked_at",
    "language_override",
    "browser",
    "browser_version",
    "browser_language",
    "os",
    "android_app_name",
    "android_app_version",
    "android_device",
    "android_os_version",
    "android_sdk_version",
    "android_last_seen_at",
    "ios_app_name",
    "ios_app_version",
    "ios_device",
    "ios_os_version",
    "ios_sdk_version",
    "ios_last_seen_at",
];

/// What a request sets.
#[derive(Default)]
struct Wish {
    role: Option<String>,
    email: Option<String>,
    external_id: Option<String>,
    name: Option<String>,
    phone: Option<String>,
    custom: BTreeMap<String, Value>,
    unsubscribed: Option<bool>,
}

fn wish(call: &Call) -> Result<Wish, Answer> {
    let text = |name: &str| call.text(name).map(|text| text.map(str::to_owned));
    let role = text("role")?;
    if role.as_deref().is_some_and(|role| role != "user" && role != "lead") {
        return Err(Answer::invalid("role must be user or lead"));
    }
    let email = text("email")?.map(|email| email.to_lowercase());
    if email.as_deref().is_some_and(|email| !is_address(email)) {
        return Err(Answer::invalid("email is invalid"));
    }
    let custom = match call.given("custom_attributes") {
        None => BTreeMap::new(),
        Some(Value::Object(map)) => map.clone().into_iter().collect(),
        Some(_) => return Err(Answer::invalid("custom_attributes must be an object")),
    };
    let unsubscribed = call.flag("unsubscribed_from_emails")?;
    let (external_id, name, phone) = (text("external_id")?, text("name")?, text("phone")?);
    Ok(Wish { role, email, external_id, name, phone, custom, unsubscribed })
}

fn is_address(email: &str) -> bool {
    let parts = email.split_once('@');
    !email.contains(char::is_whitespace)
        && parts.is_some_and(|(name, host)| !name.is_empty() && !host.is_empty() && !host.contains('@'))
}

/// A user's address and own id are unique; leads may have the address of others.
fn conflict(world: &World, wish: &Wish, own: Option<&Contact>) -> Result<(), Answer> {
    let role = wish.role.as_deref().or(own.map(|own| own.role.as_str()));
    let is_lead = role == Some("lead");
    let same = |contact: &&Contact| own.is_none_or(|own| own.id != contact.id) && !contact.archived;
    let email = |contact: &&Contact| {
        !is_lead && contact.role == "user" && wish.email.is_some() && contact.email == wish.email
    };
    let external = |contact: &&Contact| wish.external_id.is_some() && contact.external_id == wish.external_id;
    let found = world.contacts.values().filter(same).find(|contact| email(contact) || external(contact));
    match found {
        None => Ok(()),
        Some(contact) => {
            let message = format!("A contact matching those details already exists with id={}", contact.id);
            Err(Answer::error(409, "conflict", &message))
        }
    }
}

/// `POST /contacts`.
pub(super) fn create(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let wish = wish(call)?;
    if wish.email.is_none() && wish.external_id.is_none() && wish.role.is_none() {
        return Err(Answer::missing("email"));
    }
    conflict(world, &wish, None)?;
    let contact = Contact {
        role: wish.role.unwrap_or_else(|| "user".to_owned()),
        email: wish.email,
        external_id: wish.external_id,
        name: wish.name,
        phone: wish.phone,
        custom: wish.custom,
        unsubscribed: wish.unsubscribed.unwrap_or(false),
        ..Contact::default()
    };
    let id = world.add_contact(contact, call.now);
    let topic = match world.contacts[&id].role.as_str() {
        "lead" => "contact.lead.created",
        _ => "contact.user.created",
    };
    told(world, topic, &id, call.now);
    view_of(world, &id)
}

fn told(world: &mut World, topic: &str, id: &str, now: i64) {
    if world.hooks.listening()
        && let Some(contact) = world.contacts.get(id)
    {
        let item = contact_json(world, contact);
        world.notify_with(topic, item, now);
    }
}

fn view_of(world: &World, id: &str) -> Result<Answer, Answer> {
    let contact = world.contacts.get(id).ok_or_else(Answer::no_contact)?;
    Ok(Answer::ok(contact_json(world, contact)))
}

/// `GET /contacts/{id}`.
pub(super) fn view(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    view_of(world, call.at(0))
}

/// `GET /contacts/find_by_external_id/{id}`: users only.
pub(super) fn by_external(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    if call.version < Version::V2_13 {
        return Err(Answer::not_found());
    }
    let found = world.contact_by_external(call.at(0)).filter(|contact| contact.role == "user");
    let id = found.ok_or_else(Answer::no_contact)?.id.clone();
    view_of(world, &id)
}

/// `PUT /contacts/{id}`.
pub(super) fn update(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let wish = wish(call)?;
    let own = world.live_contact(call.at(0)).ok_or_else(Answer::no_contact)?;
    conflict(world, &wish, Some(own))?;
    let (before, id) = (own.clone(), own.id.clone());
    let Some(contact) = world.contacts.get_mut(&id) else { return Err(Answer::no_contact()) };
    let set = |place: &mut Option<String>, name: &str, wanted: Option<String>| match call.body.get(name) {
        None => {}
        Some(_) => *place = wanted,
    };
    set(&mut contact.email, "email", wish.email);
    set(&mut contact.external_id, "external_id", wish.external_id);
    set(&mut contact.name, "name", wish.name);
    set(&mut contact.phone, "phone", wish.phone);
    contact.role = wish.role.unwrap_or_else(|| before.role.clone());
    contact.unsubscribed = wish.unsubscribed.unwrap_or(before.unsubscribed);
    contact.custom.extend(wish.custom);
    if *contact != before {
        contact.updated_at = call.now;
        let topic = if before.role == "lead" { "contact.lead.updated" } else { "contact.user.updated" };
        let new_email = contact.email != before.email;
        told(world, topic, &id, call.now);
        if new_email {
            told(world, "contact.email.updated", &id, call.now);
        }
    }
    view_of(world, &id)
}

/// `GET /contacts/{id}/tags`.
pub(super) fn tags(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let contact = world.live_contact(call.at(0)).ok_or_else(Answer::no_contact)?;
    let tags: Vec<Value> = contact.tags.iter().map(|tag| world.tag_json(*tag)).collect();
    Ok(Answer::ok(json!({"type": "list", "data": tags})))
}

/// `POST /contacts/{id}/tags`.
pub(super) fn tag(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let tag = call.needed_id("id")?;
    let known = world.tags.contains_key(&tag);
    let contact = world.contacts.get_mut(call.at(0)).filter(|one| !one.archived);
    let contact = contact.ok_or_else(Answer::no_contact)?;
    if !known {
        return Err(Answer::not_found());
    }
    if !contact.tags.contains(&tag) {
        contact.tags.push(tag);
    }
    Ok(Answer::ok(world.tag_json(tag)))
}

/// `DELETE /contacts/{id}/tags/{id}`.
pub(super) fn untag(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let tag = call.number_at(1);
    let contact = world.contacts.get_mut(call.at(0)).filter(|one| !one.archived);
    let contact = contact.ok_or_else(Answer::no_contact)?;
    let before = contact.tags.len();
    contact.tags.retain(|one| *one != tag);
    if contact.tags.len() == before {
        return Err(Answer::not_found());
    }
    Ok(Answer::ok(world.tag_json(tag)))
}

/// What a contact may have and nobody has in this world: companies, segments, subscriptions, notes.
pub(super) fn nothing(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    world.live_contact(call.at(0)).ok_or_else(Answer::no_contact)?;
    let pages = json!({"type": "pages", "page": 1, "next": null, "per_page": 50, "total_pages": 0});
    Ok(Answer::ok(json!({"type": "list", "data": [], "total_count": 0, "pages": pages})))
}

/// `DELETE /contacts/{id}`: for ever. Its conversations keep naming it.
pub(super) fn delete(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let contact = world.contacts.get(call.at(0)).ok_or_else(Answer::no_contact)?;
    let (id, external) = (contact.id.clone(), contact.external_id.clone());
    told(world, "contact.deleted", &id, call.now);
    world.contacts.remove(&id);
    Ok(Answer::ok(json!({"type": "contact", "id": id, "external_id": external, "deleted": true})))
}

/// `POST /contacts/{id}/archive`.
pub(super) fn archive(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    set_archived(world, call, true)
}

/// `POST /contacts/{id}/unarchive`.
pub(super) fn unarchive(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    set_archived(world, call, false)
}

fn set_archived(world: &mut World, call: &Call, archived: bool) -> Result<Answer, Answer> {
    let contact = world.contacts.get_mut(call.at(0)).ok_or_else(Answer::no_contact)?;
    contact.archived = archived;
    contact.updated_at = call.now;
    let (id, external) = (contact.id.clone(), contact.external_id.clone());
    told(world, if archived { "contact.archived" } else { "contact.unarchived" }, &id, call.now);
    Ok(Answer::ok(json!({"type": "contact", "id": id, "external_id": external, "archived": archived})))
}

/// `POST /contacts/merge`: a lead goes into a user, and its conversations with it.
pub(super) fn merge(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let named = |name: &str| call.text(name)?.ok_or_else(|| Answer::missing(name));
    let (from, into) = (named("from")?.to_owned(), named("into")?.to_owned());
    let role = |id: &str| world.live_contact(id).map(|contact| contact.role.clone());
    match (role(&from).as_deref(), role(&into).as_deref()) {
        (Some("lead"), Some("user")) => {}
        (None, _) | (_, None) => return Err(Answer::no_contact()),
        _ => return Err(Answer::invalid("Only a lead can be merged into a user")),
    }
    let theirs = world.threads.values().filter(|thread| thread.head.contacts.contains(&from));
    let theirs: Vec<i64> = theirs.map(|thread| thread.id).collect();
    for id in theirs {
        if let Some(thread) = world.threads.get_mut(&id) {
            let contacts = &mut thread.head.contacts;
            contacts.retain(|one| *one != into);
            contacts.iter_mut().filter(|one| **one == from).for_each(|one| one.clone_from(&into));
        }
        world.touch(id, call.now);
    }
    if let Some(contact) = world.contacts.get_mut(&from) {
        contact.archived = true;
    }
    told(world, "contact.merged", &into, call.now);
    view_of(world, &into)
}
