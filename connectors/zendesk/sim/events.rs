//! Ticket events as webhooks carry them: ids are texts, enums are in capitals.

use serde_json::{Value, json};

use super::{
    change::Act,
    state::{Head, Ticket, priority_word, status_word},
    triggers::Occasion,
    view::time,
    world::{BRAND, FORM, World},
};
use handoffd_core::Timestamp;

type Event = (&'static str, Value);

/// The events of one save, as event type and body.
pub(super) fn of_save(world: &mut World, occasion: &Occasion) -> Vec<(String, String)> {
    let Some(ticket) = world.tickets.get(&occasion.ticket) else { return Vec::new() };
    let mut events: Vec<Event> = Vec::new();
    if occasion.created {
        events.push(("created", json!({})));
    }
    if let Some(comment) =
        occasion.comment.and_then(|(id, ..)| ticket.comments.iter().find(|one| one.id == id))
    {
        let name = world.users.get(&comment.author).map(|user| user.name.as_str());
        let author = json!({"id": comment.author.to_string(), "is_staff": world.is_staff(comment.author), "name": name});
        events.push((
            "comment_added",
            json!({"comment": {"id": comment.id.to_string(), "body": comment.body, "is_public": comment.public,
                "author": author}}),
        ));
    }
    if !occasion.created {
        events.extend(changes(&occasion.before, &ticket.head, world));
    }
    bodies(world, occasion.ticket, occasion.user, events, occasion.now)
}

/// The event of a deletion.
pub(super) fn of_deletion(world: &mut World, ticket: i64, act: &Act) -> Vec<(String, String)> {
    bodies(world, ticket, act.user, vec![("soft_deleted", json!({}))], act.now)
}

/// One event that no save makes.
pub(super) fn of_one(
    world: &mut World,
    ticket: i64,
    kind: &'static str,
    told: Value,
    act: &Act,
) -> Vec<(String, String)> {
    bodies(world, ticket, act.user, vec![(kind, told)], act.now)
}

fn changes(before: &Head, after: &Head, world: &World) -> Vec<Event> {
    let mut out: Vec<Event> = Vec::new();
    let mut pair = |kind, previous: Value, current: Value| {
        if previous != current {
            out.push((kind, json!({"previous": previous, "current": current})));
        }
    };
    let status = |head: &Head| json!(status_word(head.status).to_uppercase());
    let priority = |head: &Head| json!(head.priority.map(|value| priority_word(value).to_uppercase()));
    let kind = |head: &Head| json!(head.kind.as_ref().map(|word| word.to_uppercase()));
    let id = |id: Option<i64>| json!(id.map(|id| id.to_string()));
    pair("status_changed", status(before), status(after));
    pair(
        "custom_status_changed",
        json!(before.custom_status.to_string()),
        json!(after.custom_status.to_string()),
    );
    pair("priority_changed", priority(before), priority(after));
    pair("type_changed", kind(before), kind(after));
    pair("subject_changed", json!(before.subject), json!(after.subject));
    pair("agent_assignment_changed", id(before.assignee), id(after.assignee));
    pair("group_assignment_changed", id(before.group), id(after.group));
    pair("requester_changed", id(Some(before.requester)), id(Some(after.requester)));
    pair("external_id_changed", json!(before.external_id), json!(after.external_id));
    pair("problem_link_changed", id(before.problem_id), id(after.problem_id));
    pair("task_due_at_changed", json!(before.due_at), json!(after.due_at));
    let listed = |ids: &std::collections::BTreeSet<i64>| ids.iter().map(i64::to_string).collect::<Vec<_>>();
    let (had, has) = (listed(&before.email_ccs), listed(&after.email_ccs));
    if had != has {
        out.push(("email_ccs_changed", json!({"previous": had, "current": has})));
    }
    let added: Vec<&String> = after.tags.difference(&before.tags).collect();
    let removed: Vec<&String> = before.tags.difference(&after.tags).collect();
    if !(added.is_empty() && removed.is_empty()) {
        out.push(("tags_changed", json!({"tags_added": added, "tags_removed": removed})));
    }
    for field in world.fields.iter().filter(|field| field.is_custom) {
        let (old, new) = (before.custom_fields.get(&field.id), after.custom_fields.get(&field.id));
        if old != new {
            let about = json!({"id": field.id.to_string(), "title": field.title, "type": field.kind});
            let event = json!({"custom_field": about, "previous": {"value": old}, "current": {"value": new}});
            out.push(("custom_field_changed", event));
        }
    }
    out
}

fn bodies(
    world: &mut World,
    ticket: i64,
    actor: i64,
    events: Vec<Event>,
    now: Timestamp,
) -> Vec<(String, String)> {
    let Some(detail) = world.tickets.get(&ticket).map(|ticket| detail(ticket, actor)) else {
        return Vec::new();
    };
    let sequence = world.ids.hex();
    let mut out = Vec::new();
    for (position, (kind, mut event)) in (1..).zip(events) {
        let kind = format!("zen:event-type:ticket.{kind}");
        if let Value::Object(event) = &mut event {
            let meta = json!({"sequence": {"id": sequence, "position": position}});
            event.insert("meta".to_owned(), meta);
        }
        let body = json!({
            "account_id": world.account_id,
            "id": world.ids.uuid(),
            "type": kind,
            "subject": format!("zen:ticket:{ticket}"),
            "time": precise(now),
            "zendesk_event_version": "2022-11-06",
            "detail": detail,
            "event": event,
        });
        out.push((kind, body.to_string()));
    }
    out
}

fn detail(ticket: &Ticket, actor: i64) -> Value {
    let head = &ticket.head;
    let id = |id: Option<i64>| id.map(|id| id.to_string());
    let status =
        if ticket.deleted.is_some() { "DELETED".to_owned() } else { status_word(head.status).to_uppercase() };
    let channel = if ticket.channel == "api" { "web_service" } else { ticket.channel };
    json!({
        "id": ticket.id.to_string(),
        "actor_id": actor.to_string(),
        "assignee_id": id(head.assignee),
        "group_id": id(head.group),
        "brand_id": BRAND.to_string(),
        "form_id": FORM.to_string(),
        "custom_status": head.custom_status.to_string(),
        "requester_id": head.requester.to_string(),
        "submitter_id": ticket.submitter.to_string(),
        "organization_id": null,
        "external_id": head.external_id,
        "subject": head.subject,
        "description": ticket.comments.first().map(|comment| comment.body.as_str()),
        "status": status,
        "priority": head.priority.map(|value| priority_word(value).to_uppercase()),
        "type": head.kind.as_ref().map(|word| word.to_uppercase()),
        "tags": head.tags,
        "is_public": ticket.is_public(),
        "created_at": time(ticket.created_at),
        "updated_at": time(ticket.updated_at),
        "via": {"channel": channel},
    })
}

/// With nine digits of fraction, as events have it.
fn precise(now: Timestamp) -> String {
    let secs = now.to_rfc3339_secs();
    let secs = secs.strip_suffix('Z').unwrap_or(&secs);
    format!("{secs}.{:03}000000Z", now.0.rem_euclid(1_000))
}
