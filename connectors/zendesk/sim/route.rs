//! From a request to its answer: sign-in, limits, then the endpoint.

use bytes::Bytes;
use handoffd_core::Timestamp;
use http::Request;

use super::{
    Sim,
    answer::{Answer, Call, Reply},
    oauth::{Caller, is_covered, missing_scope},
    read::number,
    users::counted,
    view::anonymous_json,
};

/// The host that answers name when a request names none.
const OWN_HOST: &str = "handoffd-sim.zendesk.com";

impl Sim {
    /// Answers one request.
    pub(super) fn answer(&mut self, request: Request<Bytes>, now: Timestamp) -> Reply {
        let mut call = Call::read(request, now, OWN_HOST);
        let pattern = pattern(&call);
        let reply = self.guarded(&mut call).unwrap_or_else(|refused| refused);
        // Paths that nothing answers to share one row, so that rows do not grow without end.
        let is_unknown = reply.is_no_endpoint();
        *self.served.entry(if is_unknown { "(unknown)".to_owned() } else { pattern }).or_default() += 1;
        let id = self.world.ids.hex();
        reply.with("x-request-id", id).with("x-zendesk-api-version", "v2")
    }

    fn guarded(&mut self, call: &mut Call) -> Answer {
        if !call.is_api {
            let is_token = call.path == ["oauth", "tokens"] && call.method == http::Method::POST;
            return match call.path.iter().map(String::as_str).collect::<Vec<_>>()[..] {
                _ if is_token => self.token(call),
                ["attachments", "token", token] if call.method == http::Method::GET => {
                    self.where_the_file_is(token, call)
                }
                ["stored", token] if call.method == http::Method::GET => self.download(token, call),
                _ => Err(Reply::no_endpoint()),
            };
        }
        match self.caller(call)? {
            Caller::Anonymous if call.path == ["users", "me"] && call.method == http::Method::GET => {
                return Ok(Reply::ok(anonymous_json()));
            }
            Caller::Anonymous => return Err(Reply::not_signed_in()),
            Caller::User { id, scope } => {
                call.user = id;
                if !is_covered(call, &scope) {
                    return Err(missing_scope(call));
                }
            }
        }
        let headers = self.limits.admit(call)?;
        let mut reply = self.endpoint(call).unwrap_or_else(|refused| refused);
        reply.headers.extend(headers);
        Ok(reply)
    }

    fn endpoint(&mut self, call: &Call) -> Answer {
        let path: Vec<&str> = call.path.iter().map(String::as_str).collect();
        match path.split_first() {
            Some((&"tickets", rest)) => self.below_tickets(rest, call),
            Some((&"users", rest)) => self.below_users(rest, call),
            Some((&"triggers", rest)) => self.below_triggers(rest, call),
            Some((&"webhooks", rest)) => self.below_webhooks(rest, call),
            Some((&"groups", rest)) => self.below_groups(rest, call),
            Some((&"organizations", rest)) => self.below_organizations(rest, call),
            Some((&"requests", rest)) => self.below_requests(rest, call),
            _ => self.elsewhere(&path, call),
        }
    }

    fn below_tickets(&mut self, path: &[&str], call: &Call) -> Answer {
        match (call.method.as_str(), path) {
            ("GET", []) => self.list_tickets(call),
            ("POST", []) => self.post_ticket(call),
            ("GET", ["count"]) => {
                let count = self.world.tickets.values().filter(|ticket| ticket.deleted.is_none()).count();
                Ok(Reply::ok(counted(count, call)))
            }
            ("GET", ["show_many"]) => self.show_many(call),
            ("PUT", ["update_many"]) => self.update_many(call),
            ("POST", ["create_many"]) => self.create_many(call),
            ("GET", ["recent"]) | ("DELETE", ["destroy_many"]) | ("PUT", ["mark_many_as_spam"]) => {
                self.ticket_chores(path, call)
            }
            ("GET", [id]) => self.show_ticket(number(id)?, call),
            ("PUT", [id]) => self.put_ticket(number(id)?, call),
            ("DELETE", [id]) => self.delete_ticket(number(id)?, call),
            ("GET" | "PUT" | "POST" | "DELETE", [id, "tags"]) => self.ticket_tags(number(id)?, call),
            ("GET", [id, "comments"]) => self.comments(number(id)?, call),
            ("GET", [id, "comments", "count"]) => {
                let count = self.world.live(number(id)?)?.comments.len();
                Ok(Reply::ok(counted(count, call)))
            }
            ("GET", [id, "audits"]) => self.audits(number(id)?, call),
            ("GET", [_, "audits", "count"]) => self.ticket_chores(path, call),
            ("GET", [id, "audits", audit]) => self.audit(number(id)?, number(audit)?),
            _ => self.ticket_chores(path, call),
        }
    }

    fn below_users(&mut self, path: &[&str], call: &Call) -> Answer {
        match (call.method.as_str(), path) {
            ("GET", []) => self.list_users(call),
            ("POST", []) => self.post_user(call, false),
            ("POST", ["create_or_update"]) => self.post_user(call, true),
            ("GET", ["me"]) => self.me(call),
            ("GET", ["count"]) => self.count_users(call),
            ("GET", ["show_many"]) => self.show_many_users(call),
            ("GET", ["search"]) => self.search_users(call),
            ("GET", ["autocomplete"]) | ("PUT", ["update_many"]) | ("DELETE", ["destroy_many"]) => {
                self.user_chores(path, call)
            }
            ("GET", [id]) => self.show_user(number(id)?, call),
            ("PUT", [id]) => self.put_user(number(id)?, call),
            ("GET", [id, "group_memberships"]) => self.memberships(call, Some(number(id)?), None),
            _ => self.user_chores(path, call),
        }
    }

    fn below_triggers(&mut self, path: &[&str], call: &Call) -> Answer {
        match (call.method.as_str(), path) {
            ("GET", []) => self.triggers(call, false),
            ("GET", ["active"]) => self.triggers(call, true),
            ("GET", ["search"]) => self.triggers(call, false),
            ("POST", []) => self.post_trigger(call),
            ("GET", [id]) => self.trigger(number(id)?, call),
            ("PUT", [id]) => self.put_trigger(number(id)?, call),
            ("DELETE", [id]) => self.delete_trigger(number(id)?),
            _ => Err(Reply::no_endpoint()),
        }
    }

    fn below_webhooks(&mut self, path: &[&str], call: &Call) -> Answer {
        match (call.method.as_str(), path) {
            ("GET", []) => self.webhooks(),
            ("POST", []) => self.post_webhook(call),
            ("GET", [id]) => self.webhook(id),
            ("GET", [id, "signing_secret"]) => self.signing_secret(id),
            ("PUT" | "PATCH", [id]) => self.put_webhook(id, call),
            ("DELETE", [id]) => self.delete_webhook(id),
            _ => Err(Reply::no_endpoint()),
        }
    }

    fn below_groups(&mut self, path: &[&str], call: &Call) -> Answer {
        match (call.method.as_str(), path) {
            ("GET", [] | ["assignable"]) => self.groups(call),
            ("GET", ["count"]) => Ok(Reply::ok(counted(self.world.groups.len(), call))),
            ("GET", [id]) => self.group(number(id)?, call),
            ("GET", [id, "users"]) => self.users_of_group(number(id)?, call),
            ("GET", [id, "memberships"]) => self.memberships(call, None, Some(number(id)?)),
            _ => self.group_chores(path, call),
        }
    }

    fn elsewhere(&mut self, path: &[&str], call: &Call) -> Answer {
        match (call.method.as_str(), path) {
            ("GET", ["incremental", "tickets", "cursor"]) => self.export_by_cursor(call),
            ("GET", ["incremental", "tickets"]) => self.export_by_time(call),
            ("GET", ["deleted_tickets"]) => self.deleted_tickets(call),
            ("GET", ["search"]) => self.search(call),
            ("GET", ["search", "count"]) => self.search_count(call),
            ("GET", ["incremental", "users", "cursor"]) => self.export_users(call, true),
            ("GET", ["incremental", "users"]) => self.export_users(call, false),
            ("GET", ["incremental", "organizations"]) => self.export_organizations(call),
            ("GET", ["incremental", "ticket_events"]) => self.export_events(call),
            ("DELETE", ["deleted_tickets", "destroy_many"]) => self.erase(&call.ids("ids"), call),
            ("PUT", ["deleted_tickets", "restore_many"]) => self.restore(&call.ids("ids"), call),
            ("DELETE", ["deleted_tickets", id]) => self.erase(&[number(id)?], call),
            ("PUT", ["deleted_tickets", id, "restore"]) => self.restore(&[number(id)?], call),
            ("GET", ["search", "export"]) => self.search_export(call),
            ("GET", ["ticket_metrics"]) => self.ticket_metrics(call),
            ("GET", ["ticket_metrics", id]) => self.ticket_chores(&[id, "metrics"], call),
            ("GET", ["ticket_audits"]) => self.all_audits(call),
            ("POST", ["uploads"]) => self.post_upload(call),
            ("DELETE", ["uploads", token]) => self.delete_upload(token),
            ("GET", ["attachments", id]) => self.attachment(number(id)?, call),
            ("GET", ["organization_memberships"]) => self.organization_memberships(call, None, None),
            ("GET", ["job_statuses", "show_many"]) => self.jobs(Some(&call.words("ids"))),
            ("GET", ["group_memberships", "assignable"]) => self.memberships(call, None, None),
            ("GET", ["group_memberships", user]) => self.membership(number(user)?, call),
            ("GET", ["organization_memberships", user]) => self.organization_membership(number(user)?, call),
            ("GET", ["group_memberships"]) => self.memberships(call, None, None),
            ("GET", ["ticket_fields"]) => self.ticket_fields(call),
            ("POST", ["ticket_fields"]) => self.post_ticket_field(call),
            ("POST", ["custom_statuses"]) => self.post_custom_status(call),
            ("PUT", ["comment_redactions", comment]) => self.redact_marked(number(comment)?, call),
            ("POST", ["imports", "tickets"]) => self.import_ticket(call),
            ("GET", ["ticket_fields", id]) => self.ticket_field(number(id)?, call),
            ("GET", ["custom_statuses"]) => self.custom_statuses(),
            ("GET", ["custom_statuses", id]) => self.custom_status(number(id)?),
            ("GET", ["tags"]) => self.tags(call),
            ("GET", ["job_statuses"]) => self.jobs(None),
            ("GET", ["job_statuses", id]) => self.job(id),
            _ => self.account(path, call),
        }
    }
}

/// `PUT /tickets/{id}`: the method, and the path with ids taken out.
fn pattern(call: &Call) -> String {
    let is_word = |part: &str| part.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    let path: String = call
        .path
        .iter()
        .map(|part| if is_word(part) { format!("/{part}") } else { "/{id}".to_owned() })
        .collect();
    format!("{} {path}", call.method)
}
