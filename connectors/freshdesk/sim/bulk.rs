//! Several tickets at once, and tickets that begin with our own mail.

use serde_json::{Map, Value, json};

use super::{
    conversations,
    http::{Answer, Call, Checks, invalid},
    shape, ticket_write,
    world::World,
};

/// The source of a ticket that began with our own mail; none can be created with it.
const OUTBOUND: i64 = 10;

fn ids(value: &Value, name: &str) -> Result<Vec<i64>, Answer> {
    let ids: Option<Vec<i64>> = value.as_array().map(|list| list.iter().filter_map(Value::as_i64).collect());
    match ids.filter(|ids| !ids.is_empty()) {
        Some(ids) => Ok(ids),
        None => {
            let mut checks = Checks::default();
            checks.missing(name, "It should be a/an Array");
            Err(checks.done().err().unwrap_or_else(Answer::not_found))
        }
    }
}

fn accepted(call: &Call) -> Answer {
    let job = super::world::secret(call.now.0.unsigned_abs(), "job", 24).to_lowercase();
    Answer::json(202, json!({"job_id": job, "href": format!("{}/api/v2/jobs/{job}", call.base)}))
}

/// `GET /jobs/{id}`: every job was done at once.
pub(super) fn job(_world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let id = call.segments.last().map(String::as_str);
    Ok(Answer::ok(json!({"id": id, "status": "COMPLETED", "status_updated_at": call.now.to_string()})))
}

/// The same call with another body, on one ticket.
fn on(call: &Call, id: i64, body: Map<String, Value>) -> Call {
    Call { id, body, files: Vec::new(), ..call.clone() }
}

/// `POST /tickets/bulk_update`: properties and a reply, for each of the tickets.
pub(super) fn update(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let action = call.body.get("bulk_action").unwrap_or(&Value::Null);
    let object =
        |name: &str| action.get(name).and_then(Value::as_object).cloned().filter(|it| !it.is_empty());
    let (properties, reply) = (object("properties"), object("reply"));
    if properties.is_none() && reply.is_none() {
        return Err(invalid("properties", "Please specify properties or reply"));
    }
    for id in ids(&action["ids"], "ids")? {
        if world.live(id).is_none() {
            continue;
        }
        if let Some(properties) = &properties {
            ticket_write::update(world, &on(call, id, properties.clone()))?;
        }
        if let Some(reply) = &reply {
            conversations::reply(world, &on(call, id, reply.clone()))?;
        }
    }
    Ok(accepted(call))
}

/// `POST /tickets/bulk_delete`.
pub(super) fn delete(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let action = call.body.get("bulk_action").unwrap_or(&Value::Null);
    for id in ids(&action["ids"], "ids")? {
        if world.live(id).is_some() {
            world.set_deleted(id, true, call.now);
        }
    }
    Ok(accepted(call))
}

/// `PUT /tickets/merge`: the others are closed, and each ticket gets a note about it.
pub(super) fn merge(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let primary = call.body.get("primary_id").and_then(Value::as_i64);
    let primary = primary.filter(|id| world.live(*id).is_some());
    let primary =
        primary.ok_or_else(|| invalid("primary_id", "There is no ticket matching the given primary_id"))?;
    let others = ids(call.body.get("ticket_ids").unwrap_or(&Value::Null), "ticket_ids")?;
    if let Some(lost) = others.iter().find(|id| world.live(**id).is_none() || **id == primary) {
        return Err(invalid(
            "ticket_ids",
            format!("There is no ticket matching the given ticket_ids: {lost}"),
        ));
    }
    world.merge(&others, primary, world.me, call.now);
    Ok(Answer::empty(204))
}

/// `POST /tickets/outbound_email`: a ticket whose first message is mailed to the customer.
pub(super) fn outbound(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let mut checks = Checks::default();
    for name in ["email", "subject"] {
        if call.body.get(name).and_then(Value::as_str).is_none_or(str::is_empty) {
            checks.missing(name, "It should be a/an String");
        }
    }
    let config = call.body.get("email_config_id").and_then(Value::as_i64);
    match config {
        None => checks.missing("email_config_id", "It should be a/an Positive Integer"),
        Some(id) if id != super::account::EMAIL_CONFIG => {
            checks.invalid("email_config_id", "There is no email_config matching the given email_config_id");
        }
        Some(_) => {}
    }
    checks.done()?;
    let mut body = call.body.clone();
    body.remove("source");
    for (name, usual) in [("status", json!(5)), ("priority", json!(1)), ("description", json!("<div></div>"))]
    {
        body.entry(name.to_owned()).or_insert(usual);
    }
    let made = ticket_write::create(world, &Call { body, ..call.clone() })?;
    let id = made.body.as_ref().and_then(|body| body["id"].as_i64()).ok_or_else(Answer::not_found)?;
    world.mail_opening(id, call.now);
    let ticket = world.tickets.get_mut(&id).ok_or_else(Answer::not_found)?;
    ticket.email_config = config;
    ticket.fields.source = OUTBOUND;
    let ticket = world.live(id).ok_or_else(Answer::not_found)?;
    Ok(Answer { body: Some(Value::Object(shape::ticket(&world.look(call), ticket))), ..made })
}
