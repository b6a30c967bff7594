//! `/tickets` and what lies below.

use handoffd_core::Timestamp;
use serde_json::{Map, Value, json};

use super::{
    Sim,
    answer::{Answer, Call, Content, Reply},
    change::Refusal,
    page::{self, Place, Rows},
    read,
    state::Ticket,
};

/// An answer that an `Idempotency-Key` brings back.
#[derive(Clone, Debug)]
pub(super) struct Remembered {
    request: bytes::Bytes,
    answer: Reply,
    until: Timestamp,
}

/// How long a key is remembered, in seconds.
const KEY_SECS: i64 = 7_200;
/// Characters that a key may have.
const KEY_MAX: usize = 255;
const LOOKUP: &str = "x-idempotency-lookup";

impl Sim {
    pub(super) fn list_tickets(&self, call: &Call) -> Answer {
        let wanted = call.param("external_id");
        let chosen = self.world.tickets.values().filter(|ticket| ticket.deleted.is_none());
        let chosen =
            chosen.filter(|ticket| wanted.is_none_or(|id| ticket.head.external_id.as_deref() == Some(id)));
        let (key, descending) = order(call)?;
        let mut places: Vec<Place> = chosen.map(|ticket| (sort_key(ticket, key), ticket.id)).collect();
        places.sort_unstable();
        let page = page::cut(call, Rows { name: "tickets", places, descending })?;
        Ok(Reply::ok(self.with_side_loads(page.around, "tickets", &page.ids, call)))
    }

    pub(super) fn show_many(&self, call: &Call) -> Answer {
        let ids = call.ids("ids");
        if ids.len() > 100 {
            return Err(Reply::bad_parameter("ids", "It must have at most 100 ids"));
        }
        let found: Vec<i64> = ids.into_iter().filter(|id| self.world.live(*id).is_ok()).collect();
        let around = page::offset_around(call, 1, 100, found.len());
        Ok(Reply::ok(self.with_side_loads(around, "tickets", &found, call)))
    }

    pub(super) fn show_ticket(&self, id: i64, call: &Call) -> Answer {
        let ticket = self.world.live(id)?;
        let mut body = self.with_side_loads(Map::new(), "tickets", &[id], call);
        if let Value::Object(body) = &mut body {
            body.remove("tickets");
            body.insert("ticket".to_owned(), self.world.ticket_json(ticket, call));
        }
        Ok(Reply::ok(body))
    }

    /// The rows under their name, with users and groups beside them if asked for.
    pub(super) fn with_side_loads(
        &self,
        around: Map<String, Value>,
        name: &str,
        ids: &[i64],
        call: &Call,
    ) -> Value {
        let tickets: Vec<&Ticket> = ids.iter().filter_map(|id| self.world.tickets.get(id)).collect();
        let mut body = around;
        body.insert(
            name.to_owned(),
            tickets.iter().map(|ticket| self.world.ticket_json(ticket, call)).collect(),
        );
        if call.includes("users") {
            let named = |ticket: &&Ticket| {
                [Some(ticket.head.requester), Some(ticket.submitter), ticket.head.assignee]
            };
            let mut users: std::collections::BTreeSet<i64> =
                tickets.iter().flat_map(named).flatten().collect();
            users.extend(tickets.iter().flat_map(|ticket| ticket.head.collaborators()));
            let users = users.iter().filter_map(|id| self.world.users.get(id));
            body.insert("users".to_owned(), users.map(|user| self.world.user_json(user, call)).collect());
        }
        if call.includes("custom_statuses") {
            let used: std::collections::BTreeSet<i64> =
                tickets.iter().map(|ticket| ticket.head.custom_status).collect();
            let statuses = used.iter().filter_map(|id| self.world.statuses.get(id));
            let statuses = statuses.map(|status| self.world.status_json(status));
            body.insert("custom_statuses".to_owned(), statuses.collect());
        }
        if call.includes("groups") {
            let groups = self.world.groups.values();
            body.insert(
                "groups".to_owned(),
                groups.map(|group| super::view::group_json(group, call)).collect(),
            );
        }
        Value::Object(body)
    }

    /// Creates, or gives back what the same `Idempotency-Key` was answered.
    pub(super) fn post_ticket(&mut self, call: &Call) -> Answer {
        let Some(key) = call.header("idempotency-key").map(str::to_owned) else {
            return self.create_ticket(call);
        };
        if key.is_empty() || key.len() > KEY_MAX {
            return Err(idempotent_error("Idempotency-Key must have from 1 to 255 characters"));
        }
        self.remembered.retain(|_, kept| call.now < kept.until);
        if let Some(kept) = self.remembered.get(&key) {
            if kept.request != call.body {
                return Err(idempotent_error(
                    "The request differs from the first one with this Idempotency-Key",
                ));
            }
            return Ok(kept.answer.clone().with(LOOKUP, "hit"));
        }
        // Only a creation is remembered: what was refused may be tried again.
        let answer = self.create_ticket(call).map_err(|refused| refused.with(LOOKUP, "miss"))?;
        let until = Timestamp::from_secs(call.now.as_secs() + KEY_SECS);
        let kept = Remembered { request: call.body.clone(), answer: answer.clone(), until };
        self.remembered.insert(key, kept);
        Ok(answer.with(LOOKUP, "miss"))
    }

    fn create_ticket(&mut self, call: &Call) -> Answer {
        let id = self.create_from(&call.object("ticket")?, call)?;
        let ticket = self.world.live(id)?;
        let location = call.url(&format!("tickets/{id}.json"));
        let (shown, audit) = (self.world.ticket_json(ticket, call), ticket.audits.last());
        let audit = audit.map(|audit| self.world.audit_json(id, audit));
        if call.param("async") == Some("true") {
            let result = json!({"id": id, "index": 0, "status": "Created"});
            let job = self.finish_job(vec![result], "Bulk Create Ticket", call);
            return Ok(Reply::json(202, json!({"ticket": {"id": id}, "job_status": job})));
        }
        Ok(Reply::json(201, json!({"ticket": shown, "audit": audit})).with("location", location))
    }

    /// Creates from the fields that a caller sent.
    pub(super) fn create_from(&mut self, ticket: &Map<String, Value>, call: &Call) -> Result<i64, Reply> {
        let mut ticket = ticket.clone();
        // The vendor advises against it, but a description makes the first comment.
        if !ticket.contains_key("comment")
            && let Some(description) = read::text(&ticket, "description")?.flatten()
        {
            ticket.insert("comment".to_owned(), json!({"body": description}));
        }
        let mut change = self.change(&ticket, call)?;
        let submitter = read::id(&ticket, "submitter_id")?.flatten();
        if submitter.is_some_and(|user| !self.world.users.contains_key(&user)) {
            return Err(Reply::invalid("submitter", "Submitter is not a user of this account"));
        }
        // The first comment is the requester's unless somebody else is named.
        if let Some(note) = change.note.as_mut().filter(|note| note.author.is_none()) {
            note.author = submitter.or(change.requester);
        }
        self.create(change, submitter, &read::act(call, &ticket)).map_err(|refusal| refusal.reply())
    }

    pub(super) fn put_ticket(&mut self, id: i64, call: &Call) -> Answer {
        let sent = call.object("ticket")?;
        let audit = self.update_from(id, &sent, call)?;
        let ticket = self.world.ticket_json(self.world.live(id)?, call);
        Ok(Reply::ok(json!({"ticket": ticket, "audit": audit})))
    }

    /// Updates with the fields that a caller sent.
    pub(super) fn update_from(
        &mut self,
        id: i64,
        sent: &Map<String, Value>,
        call: &Call,
    ) -> Result<Value, Reply> {
        let ticket = self.world.live(id)?;
        // The flag's mere presence counts, even `false`.
        if sent.contains_key("safe_update") {
            let stamp = read::text(sent, "updated_stamp")?.flatten();
            let stamp = stamp.and_then(|text| Timestamp::parse(&text).ok()).map(Timestamp::as_secs);
            if stamp != Some(ticket.updated_at) {
                return Err(Reply::json(
                    409,
                    json!({"error": "UpdateConflict", "description": "Safe Update prevented the update due to outdated ticket data. Please fetch the latest ticket data and try again."}),
                ));
            }
        }
        let change = self.change(sent, call)?;
        self.update(id, &change, &read::act(call, sent)).map_err(|refusal| refusal.reply())
    }

    pub(super) fn delete_ticket(&mut self, id: i64, call: &Call) -> Answer {
        let act = read::act(call, &Map::new());
        self.delete(id, &act).map_err(|refusal| refusal.reply())?;
        Ok(Reply::nothing())
    }

    /// GET shows, PUT adds, POST sets, DELETE removes.
    pub(super) fn ticket_tags(&mut self, id: i64, call: &Call) -> Answer {
        let mut tags = self.world.live(id)?.head.tags.clone();
        if call.method == http::Method::GET {
            return Ok(Reply::ok(json!({"tags": tags})));
        }
        let sent = call.json()?;
        let Value::Object(sent) = sent else {
            return Err(Reply::bad_parameter("tags", "It must be an array"));
        };
        let given = read::tags(sent.get("tags").unwrap_or(&Value::Null))?;
        let status = match call.method.as_str() {
            "PUT" => {
                tags.extend(given);
                200
            }
            "POST" => {
                tags = given;
                201
            }
            _ => {
                tags.retain(|tag| !given.contains(tag));
                204
            }
        };
        let mut fields = sent;
        fields.insert("tags".to_owned(), json!(tags));
        self.update_from(id, &fields, call)?;
        if status == 204 {
            return Ok(Reply::nothing());
        }
        Ok(Reply::json(status, json!({"tags": self.world.live(id)?.head.tags})))
    }

    pub(super) fn comments(&self, id: i64, call: &Call) -> Answer {
        let ticket = self.world.live(id)?;
        let places = ticket.comments.iter().map(|comment| (comment.id, comment.id)).collect();
        let page = page::cut(call, Rows { name: "comments", places, descending: newest_first(call) })?;
        let shown: Vec<_> = page
            .ids
            .iter()
            .filter_map(|id| ticket.comments.iter().find(|comment| comment.id == *id))
            .collect();
        let draw = |comment: &&super::state::Comment| {
            let audit = ticket.audits.iter().find(|audit| audit.id == comment.audit_id);
            self.world.comment_json(comment, audit, call)
        };
        let mut body = page.around;
        body.insert("comments".to_owned(), shown.iter().map(draw).collect());
        if call.includes("users") {
            let authors: std::collections::BTreeSet<i64> =
                shown.iter().map(|comment| comment.author).collect();
            let users = authors.iter().filter_map(|id| self.world.users.get(id));
            body.insert("users".to_owned(), users.map(|user| self.world.user_json(user, call)).collect());
        }
        Ok(Reply::ok(Value::Object(body)))
    }

    pub(super) fn audits(&self, id: i64, call: &Call) -> Answer {
        let ticket = self.world.live(id)?;
        let places = ticket.audits.iter().map(|audit| (audit.id, audit.id)).collect();
        let draw = |audit_id: i64| {
            let audit = ticket.audits.iter().find(|audit| audit.id == audit_id);
            audit.map_or(Value::Null, |audit| self.world.audit_json(id, audit))
        };
        let rows = Rows { name: "audits", places, descending: newest_first(call) };
        Ok(Reply::ok(Value::Object(page::listed(call, rows, draw)?)))
    }

    pub(super) fn audit(&self, id: i64, audit: i64) -> Answer {
        let ticket = self.world.live(id)?;
        let audit = ticket.audits.iter().find(|one| one.id == audit).ok_or_else(Reply::no_record)?;
        Ok(Reply::ok(json!({"audit": self.world.audit_json(id, audit)})))
    }

    pub(super) fn deleted_tickets(&self, call: &Call) -> Answer {
        let gone = |ticket: &Ticket| ticket.deleted.map(|(at, _)| (at, ticket.id));
        let mut places: Vec<Place> = self.world.tickets.values().filter_map(gone).collect();
        places.sort_unstable();
        let draw = |id: i64| {
            let Some((ticket, (at, by))) = self.world.tickets.get(&id).and_then(|t| Some((t, t.deleted?)))
            else {
                return Value::Null;
            };
            let name = self.world.users.get(&by).map(|user| user.name.as_str());
            let subject = &ticket.head.subject;
            json!({"id": id, "subject": subject, "description": ticket.comments.first().map(|c| c.body.as_str()),
                "actor": {"id": by, "name": name}, "deleted_at": super::view::time(at),
                "previous_state": super::state::status_word(ticket.head.status)})
        };
        let rows = Rows { name: "deleted_tickets", places, descending: false };
        Ok(Reply::ok(Value::Object(page::listed(call, rows, draw)?)))
    }

    /// One update for several tickets, or each with its own; done at once.
    pub(super) fn update_many(&mut self, call: &Call) -> Answer {
        let sent = call.json()?;
        let object = |value: &Value| value.as_object().cloned().unwrap_or_default();
        let work: Vec<(i64, Map<String, Value>)> = match (sent.get("ticket"), sent.get("tickets")) {
            (Some(one), _) => call.ids("ids").into_iter().map(|id| (id, object(one))).collect(),
            (None, Some(Value::Array(many))) => many
                .iter()
                .map(|one| (read::id(&object(one), "id").ok().flatten().flatten().unwrap_or(0), object(one)))
                .collect(),
            _ => return Err(Reply::bad_parameter("ticket", "It must be an object")),
        };
        if work.len() > 100 {
            return Err(Reply::bad_parameter("tickets", "It must have at most 100 tickets"));
        }
        let mut results = Vec::new();
        for (id, fields) in work {
            let fields = self.with_tag_edits(id, fields);
            results.push(match self.update_from(id, &fields, call) {
                Ok(_) => {
                    json!({"id": id, "action": "update", "status": "Updated", "success": true})
                }
                Err(refused) => json!({"id": id, "action": "update", "status": "Failed",
                    "success": false, "error": error_word(&refused)}),
            });
        }
        let job = self.finish_job(results, "Bulk Update Ticket", call);
        Ok(Reply::ok(json!({"job_status": job})))
    }

    /// `additional_tags` and `remove_tags`, which work in jobs only.
    fn with_tag_edits(&self, id: i64, mut fields: Map<String, Value>) -> Map<String, Value> {
        let words = |value: Option<Value>| value.map(|value| read::tags(&value).unwrap_or_default());
        let (add, remove) = (words(fields.remove("additional_tags")), words(fields.remove("remove_tags")));
        if let (true, Ok(ticket)) = (add.is_some() || remove.is_some(), self.world.live(id)) {
            let mut tags = ticket.head.tags.clone();
            tags.extend(add.unwrap_or_default());
            let gone = remove.unwrap_or_default();
            tags.retain(|tag| !gone.contains(tag));
            fields.insert("tags".to_owned(), json!(tags));
        }
        fields
    }

    pub(super) fn create_many(&mut self, call: &Call) -> Answer {
        let sent = call.json()?;
        let Some(Value::Array(many)) = sent.get("tickets") else {
            return Err(Reply::bad_parameter("tickets", "It must be an array"));
        };
        if many.len() > 100 {
            return Err(Reply::bad_parameter("tickets", "It must have at most 100 tickets"));
        }
        let mut results = Vec::new();
        for (index, one) in many.iter().enumerate() {
            let made = self.create_from(&one.as_object().cloned().unwrap_or_default(), call);
            results.push(match made {
                Ok(id) => {
                    json!({"id": id, "index": index, "status": "Created"})
                }
                Err(refused) => json!({"id": 0, "index": index, "status": "Failed",
                    "error": error_word(&refused)}),
            });
        }
        let job = self.finish_job(results, "Bulk Create Ticket", call);
        Ok(Reply::ok(json!({"job_status": job})))
    }
}

fn idempotent_error(why: &str) -> Reply {
    Reply::json(400, json!({"error": "IdempotentRequestError", "description": why}))
}

fn error_word(refused: &Reply) -> String {
    match &refused.body {
        Content::Json(body) => {
            let word = body.get("error").and_then(Value::as_str).unwrap_or("InvalidAttribute");
            if refused.status == 404 { "TicketNotFound".to_owned() } else { word.to_owned() }
        }
        _ => Refusal::Gone.text(),
    }
}

/// `sort` counts under cursors, `sort_by` and `sort_order` under offsets; each is
/// passed over without a word under the other.
fn order(call: &Call) -> Result<(&'static str, bool), Reply> {
    if page::by_cursor(call) {
        let sort = call.param("sort").unwrap_or("id");
        let (descending, name) = sort.strip_prefix('-').map_or((false, sort), |name| (true, name));
        return match ["updated_at", "id", "status"].into_iter().find(|known| *known == name) {
            Some(name) => Ok((name, descending)),
            None => Err(Reply::bad_paging(
                "InvalidPaginationParameter",
                "Invalid pagination parameter",
                "sort must be one of updated_at, id, status",
            )),
        };
    }
    let names = ["updated_at", "id", "status", "created_at", "priority"];
    let name = call.param("sort_by").and_then(|name| names.into_iter().find(|known| *known == name));
    Ok((name.unwrap_or("id"), call.param("sort_order") == Some("desc")))
}

fn sort_key(ticket: &Ticket, name: &str) -> i64 {
    match name {
        "updated_at" => ticket.updated_at,
        "created_at" => ticket.created_at,
        "status" => i64::from(ticket.head.status as u8),
        "priority" => ticket.head.priority.map_or(0, |priority| i64::from(priority as u8) + 1),
        _ => ticket.id,
    }
}

fn newest_first(call: &Call) -> bool {
    if page::by_cursor(call) {
        call.param("sort").is_some_and(|sort| sort.starts_with('-'))
    } else {
        call.param("sort_order").is_some_and(|order| order.eq_ignore_ascii_case("desc"))
    }
}
