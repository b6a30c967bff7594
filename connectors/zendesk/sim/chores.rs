//! What else is done with tickets: bulk deletion, the trash, merging, hiding, counting.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{
    Sim,
    answer::{Answer, Call, Reply},
    page::{self, Rows},
    read::{self, number},
    state::{Ticket, User},
    users::counted,
    view::time,
};
use handoffd_core::Status;

impl Sim {
    pub(super) fn ticket_chores(&mut self, path: &[&str], call: &Call) -> Answer {
        match (call.method.as_str(), path) {
            ("GET", ["recent"]) => {
                let mut recent: Vec<&Ticket> =
                    self.world.tickets.values().filter(|ticket| ticket.deleted.is_none()).collect();
                recent.sort_by_key(|ticket| std::cmp::Reverse((ticket.updated_at, ticket.id)));
                let ids: BTreeSet<i64> = recent.iter().take(5).map(|ticket| ticket.id).collect();
                self.chosen_tickets(call, |ticket| ids.contains(&ticket.id))
            }
            ("DELETE", ["destroy_many"]) => self.destroy_many(call),
            ("PUT", ["mark_many_as_spam"]) => self.destroy_many(call),
            ("PUT", [id, "mark_as_spam"]) => {
                let act = read::act(call, &Map::new());
                self.spam(number(id)?, &act).map_err(|refusal| refusal.reply())?;
                Ok(Reply::empty(200))
            }
            ("POST", [id, "merge"]) => self.merge(number(id)?, call),
            ("GET", [id, "audits", "count"]) => {
                Ok(Reply::ok(counted(self.world.live(number(id)?)?.audits.len(), call)))
            }
            ("PUT", [id, "comments", comment, "make_private"]) => {
                self.make_private(number(id)?, number(comment)?, call)
            }
            ("PUT", [id, "comments", comment, "redact"]) => self.redact(number(id)?, number(comment)?, call),
            ("GET", [id, "collaborators" | "email_ccs" | "followers"]) => {
                self.watchers(number(id)?, path.last().copied().unwrap_or_default(), call)
            }
            ("GET", [id, "incidents"]) => {
                let id = self.world.live(number(id)?)?.id;
                self.chosen_tickets(call, |ticket| ticket.head.problem_id == Some(id))
            }
            ("GET", [id, "related"]) => self.related_to(number(id)?),
            ("GET", [id, "metrics"]) => {
                let ticket = self.world.live(number(id)?)?;
                Ok(Reply::ok(json!({"ticket_metric": metric_json(ticket, call)})))
            }
            _ => Err(Reply::no_endpoint()),
        }
    }

    /// Tickets that are not deleted, by id.
    pub(super) fn chosen_tickets(&self, call: &Call, wanted: impl Fn(&Ticket) -> bool) -> Answer {
        let chosen = self.world.tickets.values().filter(|ticket| ticket.deleted.is_none() && wanted(ticket));
        let places = chosen.map(|ticket| (ticket.id, ticket.id)).collect();
        let page = page::cut(call, Rows { name: "tickets", places, descending: false })?;
        Ok(Reply::ok(self.with_side_loads(page.around, "tickets", &page.ids, call)))
    }

    fn destroy_many(&mut self, call: &Call) -> Answer {
        let act = read::act(call, &Map::new());
        let mut results = Vec::new();
        for id in call.ids("ids") {
            results.push(match self.delete(id, &act) {
                Ok(()) => {
                    json!({"id": id, "action": "delete", "status": "Deleted", "success": true})
                }
                Err(_) => json!({"id": id, "action": "delete", "status": "Failed",
                    "success": false, "error": "TicketNotFound"}),
            });
        }
        Ok(Reply::ok(json!({"job_status": self.finish_job(results, "Bulk Delete Ticket", call)})))
    }

    fn watchers(&self, id: i64, which: &str, call: &Call) -> Answer {
        let head = &self.world.live(id)?.head;
        let wanted = match which {
            "email_ccs" => head.email_ccs.clone(),
            "followers" => head.followers.clone(),
            _ => head.collaborators(),
        };
        self.listed_users(call, |user: &User| wanted.contains(&user.id))
    }

    fn related_to(&self, id: i64) -> Answer {
        let id = self.world.live(id)?.id;
        let incidents =
            self.world.tickets.values().filter(|ticket| ticket.head.problem_id == Some(id)).count();
        Ok(Reply::ok(json!({"topic_id": null, "followup_source_ids": [], "from_archive": false,
            "incidents": incidents, "twitter": null})))
    }

    /// `PUT /deleted_tickets/{id}/restore`, one or many.
    pub(super) fn restore(&mut self, ids: &[i64], call: &Call) -> Answer {
        for id in ids {
            let gone = self.world.tickets.get_mut(id).filter(|ticket| ticket.deleted.is_some());
            let ticket = gone.ok_or_else(Reply::no_record)?;
            ticket.deleted = None;
            ticket.updated_at = call.now.as_secs();
            ticket.generated_at = call.now.as_secs();
        }
        Ok(Reply::empty(200))
    }

    /// `DELETE /deleted_tickets/{id}`, one or many: for ever.
    pub(super) fn erase(&mut self, ids: &[i64], call: &Call) -> Answer {
        let is_gone = |id: &i64| self.world.tickets.get(id).is_some_and(|ticket| ticket.deleted.is_some());
        if !ids.iter().all(is_gone) {
            return Err(Reply::no_record());
        }
        self.world.tickets.retain(|id, _| !ids.contains(id));
        let done = |id: &i64| json!({"id": id, "action": "delete", "status": "Deleted", "success": true});
        let results = ids.iter().map(done).collect();
        Ok(Reply::ok(json!({"job_status": self.finish_job(results, "Permanently Delete Tickets", call)})))
    }

    pub(super) fn ticket_metrics(&self, call: &Call) -> Answer {
        let live = self.world.tickets.values().filter(|ticket| ticket.deleted.is_none());
        let places = live.map(|ticket| (ticket.id, ticket.id)).collect();
        let draw = |id: i64| self.world.live(id).map_or(Value::Null, |ticket| metric_json(ticket, call));
        let rows = Rows { name: "ticket_metrics", places, descending: true };
        Ok(Reply::ok(Value::Object(page::listed(call, rows, draw)?)))
    }

    /// `GET /ticket_audits`: of every ticket, by cursor.
    pub(super) fn all_audits(&self, call: &Call) -> Answer {
        let live = self.world.tickets.values().filter(|ticket| ticket.deleted.is_none());
        let audits: std::collections::BTreeMap<i64, Value> = live
            .flat_map(|ticket| ticket.audits.iter().map(move |audit| (ticket.id, audit)))
            .map(|(ticket, audit)| (audit.id, self.world.audit_json(ticket, audit)))
            .collect();
        let places = audits.keys().map(|id| (*id, *id)).collect();
        let rows = Rows { name: "audits", places, descending: true };
        let draw = |id: i64| audits.get(&id).cloned().unwrap_or_default();
        Ok(Reply::ok(Value::Object(page::listed(call, rows, draw)?)))
    }
}

fn metric_json(ticket: &Ticket, call: &Call) -> Value {
    let none = json!({"calendar": null, "business": null});
    let solved = ticket.head.status >= Status::Solved;
    let replies = ticket
        .comments
        .iter()
        .skip(1)
        .filter(|comment| comment.public && comment.author != ticket.head.requester)
        .count();
    let last = ticket.comments.last().map(|comment| time(comment.created_at));
    json!({
        "url": call.url(&format!("ticket_metrics/{}.json", ticket.id)),
        "id": ticket.id,
        "ticket_id": ticket.id,
        "created_at": time(ticket.created_at),
        "updated_at": time(ticket.updated_at),
        "group_stations": i64::from(ticket.head.group.is_some()),
        "assignee_stations": i64::from(ticket.head.assignee.is_some()),
        "reopens": 0,
        "replies": replies,
        "assignee_updated_at": ticket.head.assignee.map(|_| time(ticket.updated_at)),
        "requester_updated_at": time(ticket.created_at),
        "status_updated_at": time(ticket.updated_at),
        "custom_status_updated_at": time(ticket.updated_at),
        "initially_assigned_at": ticket.head.assignee.map(|_| time(ticket.created_at)),
        "assigned_at": ticket.head.assignee.map(|_| time(ticket.created_at)),
        "solved_at": solved.then(|| time(ticket.updated_at)),
        "latest_comment_added_at": last,
        "reply_time_in_minutes": none,
        "first_resolution_time_in_minutes": none,
        "full_resolution_time_in_minutes": none,
        "agent_wait_time_in_minutes": none,
        "requester_wait_time_in_minutes": none,
        "on_hold_time_in_minutes": {"calendar": 0, "business": 0},
        "reply_time_in_seconds": {"calendar": null},
    })
}
