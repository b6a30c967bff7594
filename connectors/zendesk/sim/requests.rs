//! `/requests`: tickets as the customer sees them.

use serde_json::{Map, Value, json};

use super::{
    Sim,
    answer::{Answer, Call, Reply},
    page::{self, Rows},
    read::number,
    state::{Comment, Ticket, priority_word, status_word},
    view::{time, via},
    world::FORM,
};
use handoffd_core::Status;

impl Sim {
    pub(super) fn below_requests(&mut self, path: &[&str], call: &Call) -> Answer {
        match (call.method.as_str(), path) {
            ("GET", []) => {
                let wanted = call.words("status");
                self.list_requests(call, call.user, |ticket| {
                    wanted.is_empty() || wanted.contains(&status_word(ticket.head.status))
                })
            }
            ("GET", ["open"]) => {
                self.list_requests(call, call.user, |ticket| ticket.head.status < Status::Solved)
            }
            ("GET", ["solved"]) => {
                self.list_requests(call, call.user, |ticket| ticket.head.status >= Status::Solved)
            }
            ("GET", ["search"]) => {
                let words = call.param("query").unwrap_or_default().to_lowercase();
                self.list_requests(call, call.user, |ticket| {
                    ticket.head.subject.to_lowercase().contains(&words)
                        || ticket.comments.iter().any(|comment| comment.body.to_lowercase().contains(&words))
                })
            }
            ("POST", []) => {
                let id = self.create_from(&call.object("request")?, call)?;
                let location = call.url(&format!("requests/{id}.json"));
                Ok(Reply { status: 201, ..self.request(id, call)? }.with("location", location))
            }
            ("GET", [id]) => self.request(number(id)?, call),
            ("PUT", [id]) => self.put_request(number(id)?, call),
            ("GET", [id, "comments"]) => self.request_comments(number(id)?, call),
            ("GET", [id, "comments", comment]) => self.request_comment(number(id)?, number(comment)?, call),
            _ => Err(Reply::no_endpoint()),
        }
    }

    pub(super) fn list_requests(
        &self,
        call: &Call,
        requester: i64,
        wanted: impl Fn(&Ticket) -> bool,
    ) -> Answer {
        let chosen = self.world.tickets.values().filter(|ticket| {
            ticket.deleted.is_none()
                && ticket.is_public()
                && ticket.head.requester == requester
                && wanted(ticket)
        });
        let places =
            chosen.map(|ticket| (ticket.updated_at, ticket.id)).collect::<std::collections::BTreeSet<_>>();
        let rows = Rows { name: "requests", places: places.into_iter().collect(), descending: true };
        let draw =
            |id: i64| self.world.live(id).map_or(Value::Null, |ticket| self.request_json(ticket, call));
        Ok(Reply::ok(Value::Object(page::listed(call, rows, draw)?)))
    }

    fn shown_request(&self, id: i64) -> Result<&Ticket, Reply> {
        self.world.live(id).ok().filter(|ticket| ticket.is_public()).ok_or_else(Reply::no_record)
    }

    fn request(&self, id: i64, call: &Call) -> Answer {
        Ok(Reply::ok(json!({"request": self.request_json(self.shown_request(id)?, call)})))
    }

    /// A comment, or `solved`.
    fn put_request(&mut self, id: i64, call: &Call) -> Answer {
        self.shown_request(id)?;
        let sent = call.object("request")?;
        let mut ticket = Map::new();
        if let Some(comment) = sent.get("comment") {
            ticket.insert("comment".to_owned(), comment.clone());
        }
        if sent.get("solved") == Some(&Value::Bool(true)) {
            ticket.insert("status".to_owned(), json!("solved"));
        }
        self.update_from(id, &ticket, call)?;
        self.request(id, call)
    }

    fn request_comments(&self, id: i64, call: &Call) -> Answer {
        let ticket = self.shown_request(id)?;
        let public: Vec<&Comment> = ticket.comments.iter().filter(|comment| comment.public).collect();
        let places = public.iter().map(|comment| (comment.id, comment.id)).collect();
        let draw = |id: i64| {
            let found = public.iter().find(|comment| comment.id == id);
            found.map_or(Value::Null, |comment| self.request_comment_json(ticket, comment, call))
        };
        let rows = Rows { name: "comments", places, descending: call.param("sort_order") == Some("desc") };
        let mut body = page::listed(call, rows, draw)?;
        let authors: std::collections::BTreeSet<i64> = public.iter().map(|comment| comment.author).collect();
        let users = authors.iter().filter_map(|id| self.world.users.get(id));
        let users = users.map(|user| {
            json!({"id": user.id, "name": user.name, "photo": null, "agent": user.role.is_staff(),
                "organization_id": user.org})
        });
        body.insert("users".to_owned(), users.collect());
        Ok(Reply::ok(Value::Object(body)))
    }

    fn request_comment(&self, id: i64, comment: i64, call: &Call) -> Answer {
        let ticket = self.shown_request(id)?;
        let found = ticket.comments.iter().find(|one| one.public && one.id == comment);
        let found = found.ok_or_else(Reply::no_record)?;
        Ok(Reply::ok(json!({"comment": self.request_comment_json(ticket, found, call)})))
    }

    fn request_comment_json(&self, ticket: &Ticket, comment: &Comment, call: &Call) -> Value {
        json!({"id": comment.id, "type": "Comment", "author_id": comment.author, "request_id": ticket.id,
            "body": comment.body, "html_body": comment.html, "plain_body": comment.body, "public": true,
            "url": call.url(&format!("requests/{}/comments/{}.json", ticket.id, comment.id)),
            "attachments": self.world.files_json(&comment.files, call), "created_at": time(comment.created_at)})
    }

    fn request_json(&self, ticket: &Ticket, call: &Call) -> Value {
        let head = &ticket.head;
        json!({
            "url": call.url(&format!("requests/{}.json", ticket.id)),
            "id": ticket.id,
            "status": status_word(head.status),
            "custom_status_id": head.custom_status,
            "priority": head.priority.map(priority_word),
            "type": head.kind,
            "subject": head.subject,
            "description": ticket.comments.first().map(|comment| comment.body.as_str()),
            "organization_id": self.world.org_of(head.requester),
            "via": via(ticket.channel, self.world.users.get(&head.requester)),
            "custom_fields": [],
            "fields": [],
            "requester_id": head.requester,
            "collaborator_ids": head.collaborators(),
            "email_cc_ids": head.email_ccs,
            "is_public": true,
            "due_at": head.due_at,
            "can_be_solved_by_me": head.assignee.is_some() && head.status < Status::Solved,
            "solved": head.status >= Status::Solved,
            "created_at": time(ticket.created_at),
            "updated_at": time(ticket.updated_at),
            "recipient": null,
            "followup_source_id": null,
            "assignee_id": head.assignee,
            "group_id": head.group,
            "ticket_form_id": FORM,
        })
    }
}
