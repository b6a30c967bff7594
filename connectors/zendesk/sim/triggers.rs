//! The account's triggers, and the mails that they send.
//!
//! As at the vendor, triggers are checked from the top after every save; one
//! that changes the ticket makes the checking start again, and each fires at
//! most once per save. So a trigger that takes a tag off lets an earlier one,
//! which that tag held back, fire after all.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{
    state::{Head, Ids, priority_of, priority_word, status_of, status_word, tags_of},
    view::audited,
    world::World,
};
use crate::sim::MailSent;
use handoffd_core::{RemoteId, Timestamp};

/// The tag that the standard notifications leave alone.
pub(super) const QUIET: &str = "handoffd_quiet";

#[derive(Clone, Debug)]
pub(super) struct Trigger {
    pub(super) id: i64,
    pub(super) title: String,
    pub(super) active: bool,
    pub(super) position: i64,
    pub(super) all: Vec<Value>,
    pub(super) any: Vec<Value>,
    pub(super) actions: Vec<Value>,
    pub(super) created_at: i64,
    pub(super) updated_at: i64,
}

/// The save that triggers look at.
#[derive(Clone, Debug)]
pub(super) struct Occasion {
    pub(super) ticket: i64,
    pub(super) created: bool,
    /// The state before; on creation the first one.
    pub(super) before: Head,
    /// Who saved.
    pub(super) user: i64,
    pub(super) channel: &'static str,
    /// Id, author, and whether it is public.
    pub(super) comment: Option<(i64, i64, bool)>,
    pub(super) now: Timestamp,
}

/// What triggers did beside changing the ticket.
#[derive(Debug, Default)]
pub(super) struct Done {
    /// Audit events.
    pub(super) events: Vec<Value>,
    /// Webhook id and body.
    pub(super) webhooks: Vec<(String, String)>,
}

/// The two notifications that every new account has, with the quiet tag excepted.
pub(super) fn standard_triggers(ids: &mut Ids, now_secs: i64) -> BTreeMap<i64, Trigger> {
    let condition = |field: &str, operator: &str, value: &str| json!({"field": field, "operator": operator, "value": value});
    let notify = |subject: &str, body: &str| json!({"field": "notification_user", "value": ["requester_id", subject, body]});
    let mut trigger = |position, title: &str, all, actions| {
        let id = ids.large();
        let (created_at, updated_at) = (now_secs, now_secs);
        let title = title.to_owned();
        (
            id,
            Trigger {
                id,
                title,
                active: true,
                position,
                all,
                any: Vec::new(),
                actions,
                created_at,
                updated_at,
            },
        )
    };
    BTreeMap::from([
        trigger(
            1,
            "Notify requester of received request",
            vec![
                condition("update_type", "is", "Create"),
                condition("ticket_is_public", "is", "public"),
                condition("status", "is_not", "solved"),
                condition("current_tags", "not_includes", QUIET),
            ],
            vec![notify("[Request received]", "Your request ({{ticket.id}}) has been received.")],
        ),
        trigger(
            2,
            "Notify requester of comment update",
            vec![
                condition("update_type", "is", "Change"),
                condition("comment_is_public", "is", "true"),
                condition("role", "is_not", "requester_id"),
                condition("current_tags", "not_includes", QUIET),
            ],
            vec![notify("Re: {{ticket.title}}", "Your request ({{ticket.id}}) has been updated.")],
        ),
    ])
}

impl World {
    /// Runs the triggers over a save.
    pub(super) fn run_triggers(&mut self, occasion: &Occasion) -> Done {
        let mut done = Done::default();
        let mut fired = BTreeSet::new();
        let mut order: Vec<Trigger> =
            self.triggers.values().filter(|trigger| trigger.active).cloned().collect();
        order.sort_by_key(|trigger| (trigger.position, trigger.id));
        let mut place = 0;
        while let Some(trigger) = order.get(place) {
            place += 1;
            if fired.contains(&trigger.id) || !self.fires(trigger, occasion) {
                continue;
            }
            fired.insert(trigger.id);
            if self.act(trigger, occasion, &mut done) {
                place = 0;
            }
        }
        done
    }

    fn fires(&self, trigger: &Trigger, occasion: &Occasion) -> bool {
        let met = |condition: &Value| self.is_met(condition, occasion);
        trigger.all.iter().all(met) && (trigger.any.is_empty() || trigger.any.iter().any(met))
    }

    /// A condition that this world does not know is not met.
    fn is_met(&self, condition: &Value, occasion: &Occasion) -> bool {
        let Some(ticket) = self.tickets.get(&occasion.ticket) else { return false };
        let head = &ticket.head;
        let word = |name: &str| condition.get(name).map(text_of).unwrap_or_default();
        let (field, operator, value) = (word("field"), word("operator"), word("value"));
        let is = |holds: bool| {
            if operator.starts_with("is_not") || operator.starts_with("not") { !holds } else { holds }
        };
        match field.as_str() {
            "update_type" => {
                is(value.eq_ignore_ascii_case(if occasion.created { "Create" } else { "Change" }))
            }
            "current_tags" => {
                let wanted = tags_of([value.as_str()]);
                is(wanted.iter().any(|tag| head.tags.contains(tag)))
            }
            "status" => is(status_word(head.status) == value),
            "priority" => is(head.priority.map_or("", priority_word) == value),
            "type" => is(head.kind.as_deref().unwrap_or_default() == value),
            "group_id" => is(id_text(head.group) == value),
            "assignee_id" => is(id_text(head.assignee) == value),
            "ticket_is_public" => is(ticket.is_public() == (value == "public")),
            "comment_is_public" => {
                let shown = occasion.comment.map(|(_, _, public)| public);
                is(match value.as_str() {
                    "false" => shown == Some(false),
                    "not_relevant" => shown.is_some(),
                    _ => shown == Some(true),
                })
            }
            "role" => is(self.is_in_role(occasion.user, &value, head)),
            "current_via_id" => is(via_number(occasion.channel) == value),
            _ => false,
        }
    }

    fn is_in_role(&self, user: i64, role: &str, head: &Head) -> bool {
        match role {
            "requester_id" => user == head.requester,
            "assignee_id" => head.assignee == Some(user),
            "agent" => self.is_staff(user),
            "end_user" => !self.is_staff(user),
            id => user.to_string() == id,
        }
    }

    /// Whether the ticket was changed.
    fn act(&mut self, trigger: &Trigger, occasion: &Occasion, done: &mut Done) -> bool {
        let Some(before) = self.tickets.get(&occasion.ticket).map(|ticket| audited(&ticket.head)) else {
            return false;
        };
        for action in &trigger.actions {
            let field = action.get("field").map(text_of).unwrap_or_default();
            let value = action.get("value").cloned().unwrap_or_default();
            match field.as_str() {
                "notification_user" => self.notify(trigger, occasion, &value, done),
                "notification_webhook" => self.call_webhook(occasion, &value, done),
                _ => self.set(occasion.ticket, &field, &text_of(&value)),
            }
        }
        let Some(after) = self.tickets.get(&occasion.ticket).map(|ticket| audited(&ticket.head)) else {
            return false;
        };
        let via = rule(trigger);
        let changed = after.iter().filter(|(name, value)| before.get(*name) != Some(*value));
        let events: Vec<Value> = changed
            .map(|(name, value)| {
                json!({"id": self.ids.large(), "type": "Change", "field_name": name, "value": value,
                    "previous_value": before.get(name), "via": via})
            })
            .collect();
        let is_changed = !events.is_empty();
        done.events.extend(events);
        is_changed
    }

    fn set(&mut self, ticket: i64, field: &str, value: &str) {
        let Some(head) = self.tickets.get_mut(&ticket).map(|ticket| &mut ticket.head) else { return };
        match field {
            "current_tags" => head.tags.extend(tags_of([value])),
            "set_tags" => head.tags = tags_of([value]),
            "remove_tags" => {
                let gone = tags_of([value]);
                head.tags.retain(|tag| !gone.contains(tag));
            }
            "priority" => head.priority = priority_of(value).or(head.priority),
            "status" => {
                head.status = status_of(value).unwrap_or(head.status);
                head.custom_status = World::custom_status(head.status);
            }
            "group_id" => head.group = value.parse().ok().or(head.group),
            "assignee_id" => head.assignee = value.parse().ok().or(head.assignee),
            _ => {}
        }
    }

    /// Mails the requester, unless the requester wrote the comment or saved the ticket.
    ///
    /// "We received your request" goes to the requester though they saved it themselves.
    fn notify(&mut self, trigger: &Trigger, occasion: &Occasion, value: &Value, done: &mut Done) {
        let Some(ticket) = self.tickets.get(&occasion.ticket) else { return };
        let requester = ticket.head.requester;
        let to_requester = value.get(0).map(text_of).as_deref() == Some("requester_id");
        let by_requester =
            occasion.user == requester || occasion.comment.is_some_and(|(_, author, _)| author == requester);
        let address = self.users.get(&requester).and_then(|user| user.email.clone());
        let (true, Some(to)) = (to_requester && (occasion.created || !by_requester), address) else { return };
        let comment = occasion.comment.filter(|_| !occasion.created).map(|(id, ..)| RemoteId::from(id));
        self.mails.push(MailSent { to, ticket: RemoteId::from(occasion.ticket), comment, at: occasion.now });
        done.events.push(json!({"id": self.ids.large(), "type": "Notification", "subject": value.get(1),
            "body": value.get(2), "recipients": [requester], "via": rule(trigger)}));
    }

    fn call_webhook(&self, occasion: &Occasion, value: &Value, done: &mut Done) {
        let Some(ticket) = self.tickets.get(&occasion.ticket) else { return };
        let (hook, body) = (value.get(0).map(text_of), value.get(1).map(text_of));
        let (Some(hook), Some(body)) = (hook, body) else { return };
        // Not escaped, as at the vendor: a quote in a subject breaks the JSON.
        let body = body
            .replace("{{ticket.id}}", &ticket.id.to_string())
            .replace("{{ticket.title}}", &ticket.head.subject)
            .replace("{{ticket.status}}", status_word(ticket.head.status))
            .replace("{{ticket.external_id}}", ticket.head.external_id.as_deref().unwrap_or_default())
            .replace("{{ticket.updated_at_with_timestamp}}", &occasion.now.to_rfc3339_secs());
        done.webhooks.push((hook, body));
    }
}

fn rule(trigger: &Trigger) -> Value {
    json!({"channel": "rule", "source": {"from": {"id": trigger.id, "title": trigger.title}, "to": {}, "rel": "trigger"}})
}

fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().map(text_of).collect::<Vec<_>>().join(" "),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

fn id_text(id: Option<i64>) -> String {
    id.map(|id| id.to_string()).unwrap_or_default()
}

/// Zendesk numbers its channels: 0 web form, 4 mail, 5 API.
fn via_number(channel: &str) -> &'static str {
    match channel {
        "email" => "4",
        "api" => "5",
        _ => "0",
    }
}
