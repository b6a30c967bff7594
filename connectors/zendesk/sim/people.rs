//! What else is asked about users: their tickets, identities, groups, and many at once.

use serde_json::{Map, Value, json};

use super::{
    Sim,
    answer::{Answer, Call, Reply},
    catalog::listed,
    page,
    read::{self, looks_like_email, number},
    state::User,
    view::{group_json, time},
};

/// Users that one request may name.
const MANY_MAX: usize = 100;

impl Sim {
    pub(super) fn user_chores(&mut self, path: &[&str], call: &Call) -> Answer {
        match (call.method.as_str(), path) {
            ("GET", ["autocomplete"]) => {
                let start = call.param("name").unwrap_or_default().to_lowercase();
                self.listed_users(call, |user| user.name.to_lowercase().starts_with(&start))
            }
            ("POST", ["create_many"]) => self.many_users(call, false),
            ("POST", ["create_or_update_many"]) => self.many_users(call, true),
            ("PUT", ["update_many"]) => self.update_many_users(call),
            ("DELETE", ["destroy_many"]) => self.delete_many_users(call),
            ("DELETE", [id]) => {
                let id = self.delete_user(number(id)?, call)?;
                let user = self.world.users.get(&id).ok_or_else(Reply::no_record)?;
                Ok(Reply::ok(json!({"user": self.world.user_json(user, call)})))
            }
            ("GET", [id, rest @ ..]) => {
                let id = self.known(number(id)?)?;
                self.about_user(id, rest, call)
            }
            ("POST", [id, "identities"]) => {
                let id = self.known(number(id)?)?;
                self.add_identity(id, call)
            }
            _ => Err(Reply::no_endpoint()),
        }
    }

    fn known(&self, id: i64) -> Result<i64, Reply> {
        let user = self.world.users.get(&id).filter(|user| !user.deleted);
        user.map(|user| user.id).ok_or_else(Reply::no_record)
    }

    fn about_user(&self, id: i64, path: &[&str], call: &Call) -> Answer {
        match path {
            ["tickets", "requested"] => self.chosen_tickets(call, |ticket| ticket.head.requester == id),
            ["tickets", "assigned"] => self.chosen_tickets(call, |ticket| ticket.head.assignee == Some(id)),
            ["tickets", "ccd"] => self.chosen_tickets(call, |ticket| ticket.head.email_ccs.contains(&id)),
            ["tickets", "followed"] => {
                self.chosen_tickets(call, |ticket| ticket.head.followers.contains(&id))
            }
            ["requests"] => self.list_requests(call, id, |_| true),
            ["groups"] => {
                let group = self.world.users.get(&id).and_then(|user| user.group);
                listed(call, "groups", group.into_iter().collect(), |id| {
                    self.world.groups.get(&id).map_or(Value::Null, |group| group_json(group, call))
                })
            }
            ["organizations"] => {
                let own = self.world.org_of(id);
                self.organizations(call, |org| Some(org.id) == own)
            }
            ["organization_memberships"] => self.organization_memberships(call, Some(id), None),
            ["identities"] => {
                let all = self.identities(id, call);
                let ids = (0..all.len()).filter_map(|at| i64::try_from(at).ok()).collect();
                listed(call, "identities", ids, |at| {
                    usize::try_from(at).ok().and_then(|at| all.get(at).cloned()).unwrap_or_default()
                })
            }
            ["identities", identity] => {
                let wanted = number(identity)?;
                let found = self.identities(id, call).into_iter().find(|one| one["id"] == wanted);
                Ok(Reply::ok(json!({"identity": found.ok_or_else(Reply::no_record)?})))
            }
            ["related"] => {
                let live = || self.world.tickets.values().filter(|ticket| ticket.deleted.is_none());
                Ok(Reply::ok(json!({"user_related": {
                    "requested_tickets": live().filter(|ticket| ticket.head.requester == id).count(),
                    "assigned_tickets": live().filter(|ticket| ticket.head.assignee == Some(id)).count(),
                    "ccd_tickets": live().filter(|ticket| ticket.head.email_ccs.contains(&id)).count(),
                    "organization_subscriptions": 0}})))
            }
            _ => Err(Reply::no_endpoint()),
        }
    }

    /// The main address, other addresses, the telephone. Ids follow the user's.
    fn identities(&self, id: i64, call: &Call) -> Vec<Value> {
        let Some(user) = self.world.users.get(&id) else { return Vec::new() };
        let emails = user.email.iter().chain(&user.more_emails).map(|email| ("email", email));
        let all = emails.chain(user.phone.iter().map(|phone| ("phone_number", phone)));
        let one = |(at, (kind, value)): (usize, (&str, &String))| {
            let own = id.saturating_mul(10).saturating_add(i64::try_from(at).unwrap_or(9)) % (1 << 53);
            json!({"id": own, "url": call.url(&format!("users/{id}/identities/{own}.json")), "user_id": id,
                "type": kind, "value": value, "verified": true, "primary": at == 0 || kind != "email",
                "created_at": time(user.created_at), "updated_at": time(user.updated_at),
                "undeliverable_count": 0, "deliverable_state": "deliverable"})
        };
        all.enumerate().map(one).collect()
    }

    fn add_identity(&mut self, id: i64, call: &Call) -> Answer {
        let sent = call.object("identity")?;
        let given = |key: &str| read::text(&sent, key).map(|text| text.flatten().unwrap_or_default());
        let (kind, value) = (given("type")?, given("value")?);
        match kind.as_str() {
            "email" if !looks_like_email(&value) => {
                return Err(Reply::invalid("value", "Value: is not properly formatted"));
            }
            "email" if self.world.user_by_email(&value).is_some() => {
                let why = format!("Value: {value} is already being used by another user");
                return Err(Reply::invalid("value", &why));
            }
            "email" | "phone_number" => {}
            _ => return Err(Reply::invalid("type", "Type: is not included in the list")),
        }
        let Some(user) = self.world.users.get_mut(&id) else { return Err(Reply::no_record()) };
        match kind.as_str() {
            "phone_number" => user.phone = Some(value.clone()),
            _ if user.email.is_none() => user.email = Some(value.to_lowercase()),
            _ => user.more_emails.push(value.to_lowercase()),
        }
        let value = if kind == "email" { value.to_lowercase() } else { value };
        let made = self.identities(id, call).into_iter().find(|one| one["value"] == value.as_str());
        Ok(Reply::json(201, json!({"identity": made})))
    }

    fn many_users(&mut self, call: &Call, may_exist: bool) -> Answer {
        let sent = call.json()?;
        let Some(Value::Array(many)) = sent.get("users") else {
            return Err(Reply::bad_parameter("users", "It must be an array"));
        };
        if many.len() > MANY_MAX {
            return Err(Reply::bad_parameter("users", "It must have at most 100 users"));
        }
        let mut results = Vec::new();
        for (index, one) in many.iter().enumerate() {
            let fields = one.as_object().cloned().unwrap_or_default();
            results.push(match self.keep_user(&fields, may_exist, call) {
                Ok((id, true)) => json!({"id": id, "index": index, "status": "Created"}),
                Ok((id, false)) => json!({"id": id, "index": index, "status": "Updated"}),
                Err(_) => json!({"id": 0, "index": index, "status": "Failed", "error": "UserCreateError"}),
            });
        }
        Ok(Reply::ok(json!({"job_status": self.finish_job(results, "Bulk Create User", call)})))
    }

    fn update_many_users(&mut self, call: &Call) -> Answer {
        let sent = call.json()?;
        let object = |value: &Value| value.as_object().cloned().unwrap_or_default();
        let work: Vec<(i64, Map<String, Value>)> = match (sent.get("user"), sent.get("users")) {
            (Some(one), _) => call.ids("ids").into_iter().map(|id| (id, object(one))).collect(),
            (None, Some(Value::Array(many))) => {
                many.iter().map(|one| (one["id"].as_i64().unwrap_or(0), object(one))).collect()
            }
            _ => return Err(Reply::bad_parameter("user", "It must be an object")),
        };
        let mut results = Vec::new();
        for (id, fields) in work {
            let saved = self.known(id).and_then(|id| self.save_user(id, &fields, call));
            results.push(match saved {
                Ok(()) => json!({"id": id, "action": "update", "status": "Updated", "success": true}),
                Err(_) => json!({"id": id, "action": "update", "status": "Failed", "success": false, "error": "UserUpdateError"}),
            });
        }
        Ok(Reply::ok(json!({"job_status": self.finish_job(results, "Bulk Update User", call)})))
    }

    fn delete_many_users(&mut self, call: &Call) -> Answer {
        let mut results = Vec::new();
        for id in call.ids("ids") {
            results.push(match self.delete_user(id, call) {
                Ok(id) => json!({"id": id, "action": "delete", "status": "Deleted", "success": true}),
                Err(_) => json!({"id": id, "action": "delete", "status": "Failed", "success": false, "error": "UserDeleteError"}),
            });
        }
        Ok(Reply::ok(json!({"job_status": self.finish_job(results, "Bulk Delete User", call)})))
    }

    /// Soft: the user still reads back, not active, and their address is free again.
    fn delete_user(&mut self, id: i64, call: &Call) -> Result<i64, Reply> {
        let id = self.known(id)?;
        if id == self.world.integration {
            return Err(Reply::invalid("base", "You cannot delete yourself"));
        }
        let busy = self.world.tickets.values().any(|ticket| {
            ticket.deleted.is_none()
                && ticket.head.requester == id
                && ticket.head.status < handoffd_core::Status::Closed
        });
        if busy {
            return Err(Reply::invalid(
                "base",
                "User cannot be deleted: requester of tickets that are not closed",
            ));
        }
        if let Some(user) = self.world.users.get_mut(&id) {
            user.deleted = true;
            user.email = None;
            user.more_emails.clear();
            user.org = None;
            user.updated_at = call.now.as_secs();
        }
        Ok(id)
    }

    /// `GET /incremental/users` and `/incremental/users/cursor`: all of them on one page.
    pub(super) fn export_users(&self, call: &Call, by_cursor: bool) -> Answer {
        let start = match (call.number("start_time")?, call.param("cursor")) {
            (Some(start), _) => start,
            (None, Some(cursor)) => cursor.parse().unwrap_or(0),
            (None, None) => return Err(Reply::bad_parameter("start_time", "It must be present")),
        };
        let rows: Vec<&User> = self.world.users.values().filter(|user| user.updated_at >= start).collect();
        let end = rows.iter().map(|user| user.updated_at + 1).max().unwrap_or(start);
        let shown: Value = rows.iter().map(|user| self.world.user_json(user, call)).collect();
        if by_cursor {
            let next = call.url_with(&["start_time"], &[("cursor", end.to_string())]);
            return Ok(Reply::ok(json!({"users": shown, "after_cursor": end.to_string(), "after_url": next,
                "before_cursor": null, "before_url": null, "end_of_stream": true})));
        }
        let mut around = page::offset_around(call, 1, 1_000, rows.len());
        around.remove("previous_page");
        around.insert("end_time".to_owned(), json!(end));
        around.insert("end_of_stream".to_owned(), json!(true));
        around.insert("users".to_owned(), shown);
        Ok(Reply::ok(Value::Object(around)))
    }
}
