//! The account's smaller lists: groups, fields, statuses, triggers, webhooks, jobs.

use serde_json::{Map, Value, json};

use super::{
    Sim,
    answer::{Answer, Call, Reply},
    page::{self, Rows},
    read,
    triggers::Trigger,
    view::{group_json, time},
    webhooks::Hook,
};

/// Jobs that can still be looked up.
const JOBS_KEPT: usize = 100;

impl Sim {
    /// An empty list of a resource that this world does not have.
    pub(super) fn empty(&self, name: &'static str, call: &Call) -> Answer {
        listed(call, name, Vec::new(), |_| Value::Null)
    }

    pub(super) fn groups(&self, call: &Call) -> Answer {
        let ids = self.world.groups.keys().copied().collect();
        listed(call, "groups", ids, |id| {
            self.world.groups.get(&id).map_or(Value::Null, |group| group_json(group, call))
        })
    }

    pub(super) fn group(&self, id: i64, call: &Call) -> Answer {
        let group = self.world.groups.get(&id).ok_or_else(Reply::no_record)?;
        Ok(Reply::ok(json!({"group": group_json(group, call)})))
    }

    /// Each agent is in one group; the membership has the agent's id.
    pub(super) fn memberships(&self, call: &Call, user: Option<i64>, group: Option<i64>) -> Answer {
        let wanted = |one: &&super::state::User| {
            one.group.is_some()
                && !one.deleted
                && user.is_none_or(|id| one.id == id)
                && group.is_none_or(|id| one.group == Some(id))
        };
        let ids = self.world.users.values().filter(wanted).map(|user| user.id).collect();
        listed(call, "group_memberships", ids, |id| self.membership_json(id, call))
    }

    pub(super) fn membership(&self, user: i64, call: &Call) -> Answer {
        let known = self.world.users.get(&user).is_some_and(|user| user.group.is_some() && !user.deleted);
        if !known {
            return Err(Reply::no_record());
        }
        Ok(Reply::ok(json!({"group_membership": self.membership_json(user, call)})))
    }

    fn membership_json(&self, id: i64, call: &Call) -> Value {
        let group = self.world.users.get(&id).and_then(|user| user.group);
        json!({"id": id, "url": call.url(&format!("group_memberships/{id}.json")), "user_id": id,
            "group_id": group, "default": true, "created_at": time(self.world.started_at),
            "updated_at": time(self.world.started_at)})
    }

    pub(super) fn ticket_fields(&self, call: &Call) -> Answer {
        let ids = self.world.fields.iter().map(|field| field.id).collect();
        listed(call, "ticket_fields", ids, |id| self.field(id, call))
    }

    pub(super) fn ticket_field(&self, id: i64, call: &Call) -> Answer {
        match self.field(id, call) {
            Value::Null => Err(Reply::no_record()),
            field => Ok(Reply::ok(json!({"ticket_field": field}))),
        }
    }

    fn field(&self, id: i64, call: &Call) -> Value {
        let found = self.world.fields.iter().enumerate().find(|(_, field)| field.id == id);
        found.map_or(Value::Null, |(at, field)| self.world.field_json(field, at + 1, call))
    }

    /// How many tickets have each tag, the most used first.
    pub(super) fn tags(&self, call: &Call) -> Answer {
        let mut counts = std::collections::BTreeMap::<&str, i64>::new();
        for ticket in self.world.tickets.values().filter(|ticket| ticket.deleted.is_none()) {
            for tag in &ticket.head.tags {
                *counts.entry(tag).or_default() += 1;
            }
        }
        let mut all: Vec<(i64, &str)> = counts.into_iter().map(|(tag, count)| (-count, tag)).collect();
        all.sort_unstable();
        let ids = (0..all.len()).filter_map(|at| i64::try_from(at).ok()).collect();
        listed(call, "tags", ids, |at| {
            let tag = usize::try_from(at).ok().and_then(|at| all.get(at));
            tag.map_or(Value::Null, |(count, name)| json!({"name": name, "count": -count}))
        })
    }

    pub(super) fn triggers(&self, call: &Call, only_active: bool) -> Answer {
        let mut all: Vec<&Trigger> =
            self.world.triggers.values().filter(|one| one.active || !only_active).collect();
        all.sort_by_key(|trigger| (trigger.position, trigger.id));
        let wanted = call.param("active");
        let titled = call.param("query").unwrap_or_default().to_lowercase();
        let ids: Vec<i64> = all
            .iter()
            .filter(|trigger| wanted.is_none_or(|word| word == trigger.active.to_string()))
            .filter(|trigger| trigger.title.to_lowercase().contains(&titled))
            .map(|trigger| trigger.id)
            .collect();
        listed(call, "triggers", ids, |id| {
            self.world.triggers.get(&id).map_or(Value::Null, |trigger| trigger_json(trigger, call))
        })
    }

    pub(super) fn trigger(&self, id: i64, call: &Call) -> Answer {
        let trigger = self.world.triggers.get(&id).ok_or_else(Reply::no_record)?;
        Ok(Reply::ok(json!({"trigger": trigger_json(trigger, call)})))
    }

    pub(super) fn post_trigger(&mut self, call: &Call) -> Answer {
        let sent = call.object("trigger")?;
        let title = read::text(&sent, "title")?.flatten().unwrap_or_default();
        if title.is_empty() || !sent.contains_key("actions") {
            return Err(Reply::invalid("base", "Title and actions: cannot be blank"));
        }
        let position = self.world.triggers.values().map(|trigger| trigger.position).max().unwrap_or(0) + 1;
        let (id, now) = (self.world.ids.large(), call.now.as_secs());
        let mut trigger = Trigger {
            id,
            title,
            active: true,
            position,
            all: Vec::new(),
            any: Vec::new(),
            actions: Vec::new(),
            created_at: now,
            updated_at: now,
        };
        fill_trigger(&mut trigger, &sent)?;
        self.world.triggers.insert(id, trigger);
        Ok(Reply { status: 201, ..self.trigger(id, call)? })
    }

    pub(super) fn put_trigger(&mut self, id: i64, call: &Call) -> Answer {
        let sent = call.object("trigger")?;
        let trigger = self.world.triggers.get_mut(&id).ok_or_else(Reply::no_record)?;
        fill_trigger(trigger, &sent)?;
        trigger.updated_at = call.now.as_secs();
        self.trigger(id, call)
    }

    pub(super) fn delete_trigger(&mut self, id: i64) -> Answer {
        self.world.triggers.remove(&id).map(|_| Reply::nothing()).ok_or_else(Reply::no_record)
    }

    pub(super) fn webhooks(&self) -> Answer {
        let all: Vec<Value> = self.hooks.all.values().map(hook_json).collect();
        Ok(Reply::ok(json!({"webhooks": all, "meta": {"has_more": false, "after_cursor": null,
            "before_cursor": null}, "links": {"next": null, "prev": null}})))
    }

    pub(super) fn webhook(&self, id: &str) -> Answer {
        let hook = self.hooks.all.get(id).ok_or_else(Reply::no_record)?;
        Ok(Reply::ok(json!({"webhook": hook_json(hook)})))
    }

    pub(super) fn signing_secret(&self, id: &str) -> Answer {
        let hook = self.hooks.all.get(id).ok_or_else(Reply::no_record)?;
        Ok(Reply::ok(json!({"signing_secret": {"algorithm": "SHA256", "secret": hook.secret}})))
    }

    pub(super) fn post_webhook(&mut self, call: &Call) -> Answer {
        let sent = call.object("webhook")?;
        let field = |name: &str| read::text(&sent, name).map(|text| text.flatten().unwrap_or_default());
        let endpoint = field("endpoint")?;
        if endpoint.parse::<http::Uri>().ok().and_then(|uri| uri.host().map(str::to_owned)).is_none() {
            return Err(Reply::bad_paging(
                "InvalidEndpoint",
                "Invalid endpoint",
                "The endpoint is not a URL",
            ));
        }
        let subscriptions = match sent.get("subscriptions") {
            Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            _ => Vec::new(),
        };
        let (name, active) = (field("name")?, field("status")? != "inactive");
        let (id, secret) = (self.world.ids.ulid(), self.world.ids.secret());
        let created_at = call.now.as_secs();
        let hook = Hook { id: id.clone(), name, endpoint, subscriptions, secret, active, created_at };
        let shown = hook_json(&hook);
        self.hooks.all.insert(id, hook);
        Ok(Reply::json(201, json!({"webhook": shown})))
    }

    /// `PUT` and `PATCH` set what is named.
    pub(super) fn put_webhook(&mut self, id: &str, call: &Call) -> Answer {
        let sent = call.object("webhook")?;
        let hook = self.hooks.all.get_mut(id).ok_or_else(Reply::no_record)?;
        let field = |name: &str| read::text(&sent, name).map(Option::flatten);
        hook.name = field("name")?.unwrap_or_else(|| hook.name.clone());
        hook.endpoint = field("endpoint")?.unwrap_or_else(|| hook.endpoint.clone());
        if let Some(status) = field("status")? {
            hook.active = status != "inactive";
        }
        if let Some(Value::Array(names)) = sent.get("subscriptions") {
            hook.subscriptions = names.iter().filter_map(Value::as_str).map(str::to_owned).collect();
        }
        Ok(Reply::nothing())
    }

    pub(super) fn delete_webhook(&mut self, id: &str) -> Answer {
        self.hooks.all.remove(id).map(|_| Reply::nothing()).ok_or_else(Reply::no_record)
    }

    /// Records a job that is done already.
    pub(super) fn finish_job(&mut self, results: Vec<Value>, kind: &str, call: &Call) -> Value {
        let id = self.world.ids.hex();
        let job = json!({"id": id, "job_type": kind, "url": call.url(&format!("job_statuses/{id}.json")),
            "total": results.len(), "progress": results.len(), "status": "completed",
            "message": format!("Completed at {}", call.now.to_rfc3339_secs()), "results": results});
        self.jobs.push((id, job.clone()));
        if self.jobs.len() > JOBS_KEPT {
            self.jobs.remove(0);
        }
        job
    }

    pub(super) fn job(&self, id: &str) -> Answer {
        let (_, job) = self.jobs.iter().find(|(one, _)| one == id).ok_or_else(Reply::no_record)?;
        Ok(Reply::ok(json!({"job_status": job})))
    }

    /// Every job that is kept, or those of these ids.
    pub(super) fn jobs(&self, ids: Option<&[&str]>) -> Answer {
        let wanted = self.jobs.iter().filter(|(id, _)| ids.is_none_or(|ids| ids.contains(&id.as_str())));
        let all: Vec<&Value> = wanted.map(|(_, job)| job).collect();
        Ok(Reply::ok(
            json!({"job_statuses": all, "count": all.len(), "next_page": null, "previous_page": null}),
        ))
    }
}

/// A list in the order given: the place in it is the sort key.
pub(super) fn listed(call: &Call, name: &'static str, ids: Vec<i64>, draw: impl Fn(i64) -> Value) -> Answer {
    let places = (0..).zip(ids).collect();
    let body: Map<String, Value> = page::listed(call, Rows { name, places, descending: false }, draw)?;
    Ok(Reply::ok(Value::Object(body)))
}

fn fill_trigger(trigger: &mut Trigger, sent: &Map<String, Value>) -> Result<(), Reply> {
    let list = |value: Option<&Value>| value.and_then(Value::as_array).cloned();
    if let Some(Some(title)) = read::text(sent, "title")? {
        trigger.title = title;
    }
    if let Some(active) = sent.get("active").and_then(Value::as_bool) {
        trigger.active = active;
    }
    if let Some(position) = sent.get("position").and_then(Value::as_i64) {
        trigger.position = position;
    }
    if let Some(conditions) = sent.get("conditions") {
        trigger.all = list(conditions.get("all")).unwrap_or_default();
        trigger.any = list(conditions.get("any")).unwrap_or_default();
    }
    if let Some(actions) = list(sent.get("actions")) {
        trigger.actions = actions;
    }
    Ok(())
}

fn trigger_json(trigger: &Trigger, call: &Call) -> Value {
    json!({"id": trigger.id, "url": call.url(&format!("triggers/{}.json", trigger.id)), "title": trigger.title,
        "raw_title": trigger.title, "active": trigger.active, "position": trigger.position, "default": false,
        "description": "", "category_id": "10001", "conditions": {"all": trigger.all, "any": trigger.any},
        "actions": trigger.actions, "created_at": time(trigger.created_at), "updated_at": time(trigger.updated_at)})
}

fn hook_json(hook: &Hook) -> Value {
    json!({"id": hook.id, "name": hook.name, "endpoint": hook.endpoint, "http_method": "POST",
        "request_format": "json", "status": if hook.active { "active" } else { "inactive" },
        "subscriptions": hook.subscriptions, "created_at": time(hook.created_at), "created_by": "sim"})
}
