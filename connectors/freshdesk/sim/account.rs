//! How the account is set up: roles, mailboxes, products, settings, time kept.

use serde_json::{Value, json};

use super::{
    http::{Answer, Call, Checks, Paging},
    shape,
    world::{Agent, World},
};

const ROLES: [(i64, &str, &str); 3] = [
    (43_000_700_001, "Account Administrator", "Has complete control over the help desk."),
    (43_000_700_002, "Administrator", "Can configure all features, but not the account."),
    (43_000_700_003, "Agent", "Can log, view, reply, update and resolve tickets and manage contacts."),
];

/// The only mailbox.
pub(super) const EMAIL_CONFIG: i64 = 43_000_800_001;
const PRODUCT: i64 = 43_000_900_001;

fn made(world: &World) -> String {
    world.groups.values().next().map_or_else(String::new, |group| group.created_at.to_string())
}

fn role((id, name, description): (i64, &str, &str), at: &str) -> Value {
    json!({"id": id, "name": name, "description": description, "default": true, "agent_type": 1,
        "created_at": at, "updated_at": at})
}

/// `GET /roles`.
pub(super) fn roles(world: &mut World, _call: &Call) -> Result<Answer, Answer> {
    let at = made(world);
    Ok(Answer::ok(ROLES.into_iter().map(|one| role(one, &at)).collect()))
}

/// `GET /roles/{id}`.
pub(super) fn view_role(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let found = ROLES.into_iter().find(|(id, ..)| *id == call.id).ok_or_else(Answer::not_found)?;
    Ok(Answer::ok(role(found, &made(world))))
}

fn mailbox(world: &World) -> Value {
    let at = made(world);
    json!({"id": EMAIL_CONFIG, "name": "Support", "product_id": null, "to_email": "support@acme.freshdesk.example",
        "reply_email": "support@acme.freshdesk.example", "group_id": world.support, "primary_role": true,
        "active": true, "created_at": at, "updated_at": at})
}

/// `GET /email_configs`.
pub(super) fn mailboxes(world: &mut World, _call: &Call) -> Result<Answer, Answer> {
    Ok(Answer::ok(json!([mailbox(world)])))
}

/// `GET /email_configs/{id}`.
pub(super) fn view_mailbox(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    if call.id == EMAIL_CONFIG { Ok(Answer::ok(mailbox(world))) } else { Err(Answer::not_found()) }
}

fn product(world: &World) -> Value {
    let at = made(world);
    json!({"id": PRODUCT, "name": "Main product", "description": "", "primary_email": "support@acme.freshdesk.example",
        "default": true, "created_at": at, "updated_at": at})
}

/// `GET /products`.
pub(super) fn products(world: &mut World, _call: &Call) -> Result<Answer, Answer> {
    Ok(Answer::ok(json!([product(world)])))
}

/// `GET /products/{id}`.
pub(super) fn view_product(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    if call.id == PRODUCT { Ok(Answer::ok(product(world))) } else { Err(Answer::not_found()) }
}

/// `GET /settings/helpdesk`.
pub(super) fn settings(_world: &mut World, _call: &Call) -> Result<Answer, Answer> {
    Ok(Answer::ok(json!({"primary_language": "en", "supported_languages": [], "portal_languages": []})))
}

/// `GET /account`.
pub(super) fn account(world: &mut World, _call: &Call) -> Result<Answer, Answer> {
    Ok(Answer::ok(
        json!({"account_id": 43_001, "account_name": "Acme", "account_domain": "acme.freshdesk.example",
        "tier_type": "Sandbox", "timezone": "UTC", "data_center": "US", "total_agents": {"full_time": world.agents.len(),
        "occasional": 0, "field_service": 0, "collaborators": 0}}),
    ))
}

/// `PUT /agents/{id}`: taken, and only the ticket scope is looked at.
pub(super) fn update_agent(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let agent = world.agents.get(&call.id).ok_or_else(Answer::not_found)?;
    let mut checks = Checks::default();
    let known = [
        "occasional",
        "signature",
        "ticket_scope",
        "group_ids",
        "role_ids",
        "skill_ids",
        "agent_type",
        "focus_mode",
        "available",
        "contact",
        "email",
        "name",
        "language",
        "time_zone",
    ];
    for name in call.body.keys().filter(|name| !known.contains(&name.as_str())) {
        checks.unknown(name);
    }
    checks.done()?;
    Ok(Answer::ok(shape::agent(agent)))
}

/// `PUT /contacts/{id}/make_agent`: the contact becomes an agent of the same id.
pub(super) fn make_agent(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let contact = world.contacts.get(&call.id).filter(|contact| !contact.deleted);
    let contact = contact.cloned().ok_or_else(Answer::not_found)?;
    let Some(email) = contact.email.clone() else {
        let mut checks = Checks::default();
        checks.missing("email", "Contact with email id can only be converted to agent");
        return Err(checks.done().err().unwrap_or_else(Answer::not_found));
    };
    let agent = Agent {
        id: contact.id,
        first_name: Some(contact.name.clone()),
        name: contact.name.clone(),
        email,
        group: world.support,
        created_at: call.now,
    };
    let mut shown = shape::contact(&contact);
    shown["agent"] = shape::agent(&agent);
    world.contacts.remove(&call.id);
    world.agents.insert(call.id, agent);
    Ok(Answer::ok(shown))
}

/// `DELETE /contacts/{id}/hard_delete`: for ever; a live contact needs `force=true`.
pub(super) fn hard_delete(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let contact = world.contacts.get_mut(&call.id).ok_or_else(Answer::not_found)?;
    if !contact.deleted && !call.param("force").is_some_and(|force| force.eq_ignore_ascii_case("true")) {
        return Err(Answer::no_method("DELETE", &[]));
    }
    // Its tickets keep naming it, so it stays as an empty shell.
    let id = contact.id;
    *contact = super::world::Contact { id, deleted: true, ..Default::default() };
    Ok(Answer::empty(204))
}

/// `GET /contacts/autocomplete?term=`: ids and names.
pub(super) fn autocomplete(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let term = call.param("term").unwrap_or_default().to_lowercase();
    let found = world.contacts.values().filter(|contact| {
        !contact.deleted
            && (contact.name.to_lowercase().contains(&term)
                || contact.email.as_deref().is_some_and(|email| email.to_lowercase().contains(&term)))
    });
    Ok(Answer::ok(found.map(|contact| json!({"id": contact.id, "name": contact.name})).collect()))
}

/// `POST /tickets/{id}/time_entries`.
pub(super) fn keep_time(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let ticket = world.live(call.id).ok_or_else(Answer::not_found)?;
    let company = ticket.fields.company_id;
    let text = |name: &str| call.body.get(name).and_then(Value::as_str).map(str::to_owned);
    let now = call.now.to_string();
    let id = 43_000_600_001 + i64::try_from(world.time_entries.len()).unwrap_or(0);
    let entry = json!({"id": id, "ticket_id": call.id, "company_id": company,
        "agent_id": call.body.get("agent_id").and_then(Value::as_i64).unwrap_or(world.me),
        "billable": call.body.get("billable").and_then(Value::as_bool).unwrap_or(true),
        "note": text("note"), "time_spent": text("time_spent").unwrap_or_else(|| "00:00".to_owned()),
        "timer_running": call.body.get("timer_running").and_then(Value::as_bool).unwrap_or(false),
        "executed_at": text("executed_at").unwrap_or_else(|| now.clone()),
        "start_time": text("start_time").unwrap_or_else(|| now.clone()), "created_at": now, "updated_at": now});
    world.time_entries.push(entry.clone());
    Ok(Answer::json(201, entry))
}

/// `GET /time_entries`, and `GET /tickets/{id}/time_entries`.
pub(super) fn time_entries(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let paging = Paging::of(call, None)?;
    if call.id != 0 {
        world.kept(call.id, call.now).ok_or_else(Answer::not_found)?;
    }
    let wanted = |entry: &&Value| call.id == 0 || entry["ticket_id"] == call.id;
    let found: Vec<&Value> = world.time_entries.iter().filter(wanted).collect();
    Ok(paging.answer(call, &found, |entry| (*entry).clone()))
}
