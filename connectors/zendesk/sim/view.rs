//! Records as Zendesk's JSON shows them.

use handoffd_core::Timestamp;
use serde_json::{Map, Value, json};

use super::{
    answer::Call,
    state::{Audit, Comment, Group, Head, Ticket, User, priority_word, status_word},
    world::{BRAND, FORM, World},
};

/// Seconds since the epoch as `2026-11-22T08:00:00Z`.
pub(super) fn time(secs: i64) -> String {
    Timestamp::from_secs(secs).to_rfc3339_secs()
}

/// `via` of a ticket or comment.
pub(super) fn via(channel: &str, from: Option<&User>) -> Value {
    let (from, to) = match (channel, from) {
        ("email", Some(user)) => (
            json!({"address": user.email, "name": user.name}),
            json!({"address": "support@example.com", "name": "Support"}),
        ),
        _ => (json!({}), json!({})),
    };
    json!({"channel": channel, "source": {"from": from, "to": to, "rel": null}})
}

impl World {
    /// A ticket as lists and `GET /tickets/{id}` show it.
    pub(super) fn ticket_json(&self, ticket: &Ticket, call: &Call) -> Value {
        let head = &ticket.head;
        let custom_fields: Vec<Value> = self.custom_fields_json(head);
        let status = if ticket.deleted.is_some() { "deleted" } else { status_word(head.status) };
        let mut out = json!({
            "url": call.url(&format!("tickets/{}.json", ticket.id)),
            "id": ticket.id,
            "external_id": head.external_id,
            "via": self.ticket_via(ticket),
            "created_at": time(ticket.created_at),
            "updated_at": time(ticket.updated_at),
            "generated_timestamp": ticket.generated_at,
            "type": head.kind,
            "subject": head.subject,
            "raw_subject": head.subject,
            "description": ticket.comments.first().map(|comment| comment.body.as_str()),
            "priority": head.priority.map(priority_word),
            "status": status,
            "recipient": (ticket.channel == "email").then_some("support@example.com"),
            "requester_id": head.requester,
            "submitter_id": ticket.submitter,
            "assignee_id": head.assignee,
            "organization_id": self.org_of(head.requester),
            "group_id": head.group,
        });
        let more = json!({
            "collaborator_ids": head.collaborators(),
            "follower_ids": head.followers,
            "email_cc_ids": head.email_ccs,
            "forum_topic_id": null,
            "problem_id": head.problem_id,
            "has_incidents": false,
            "is_public": ticket.is_public(),
            "due_at": head.due_at,
            "tags": head.tags,
            "custom_fields": custom_fields,
            "satisfaction_rating": rating_json(ticket),
            "sharing_agreement_ids": [],
            "custom_status_id": head.custom_status,
            "encoded_id": format!("{:06X}-{:04X}", ticket.id, ticket.created_at.rem_euclid(0x1_0000)),
            "fields": custom_fields,
            "followup_ids": self.followups(ticket.id),
            "ticket_form_id": FORM,
            "brand_id": BRAND,
            "allow_channelback": false,
            "allow_attachments": true,
            "from_messaging_channel": false,
        });
        if let (Value::Object(out), Value::Object(more)) = (&mut out, more) {
            out.extend(more);
            if call.includes("comment_count") {
                out.insert("comment_count".to_owned(), json!(ticket.comments.len()));
            }
        }
        out
    }

    fn ticket_via(&self, ticket: &Ticket) -> Value {
        let Some(source) = ticket.follows else {
            return via(ticket.channel, self.users.get(&ticket.head.requester));
        };
        let subject = self.tickets.get(&source).map(|ticket| ticket.head.subject.as_str());
        let from = json!({"ticket_id": source, "subject": subject, "channel": ticket.channel});
        json!({"channel": ticket.channel, "source": {"from": from, "to": {}, "rel": "follow_up"}})
    }

    /// Every custom field of the account, with this ticket's value or null.
    fn custom_fields_json(&self, head: &Head) -> Vec<Value> {
        self.fields
            .iter()
            .filter(|field| field.is_custom)
            .map(|field| json!({"id": field.id, "value": head.custom_fields.get(&field.id)}))
            .collect()
    }

    pub(super) fn comment_json(&self, comment: &Comment, audit: Option<&Audit>, call: &Call) -> Value {
        json!({
            "id": comment.id,
            "type": "Comment",
            "author_id": comment.author,
            "body": comment.body,
            "html_body": self.html_shown(comment, &call.origin),
            "plain_body": comment.body,
            "public": comment.public,
            "attachments": self.files_json(&comment.files, call),
            "audit_id": comment.audit_id,
            "via": via(comment.channel, self.users.get(&comment.author)),
            "created_at": time(comment.created_at),
            "metadata": audit.map_or_else(|| json!({}), metadata_json),
        })
    }

    pub(super) fn audit_json(&self, ticket: i64, audit: &Audit) -> Value {
        json!({
            "id": audit.id,
            "ticket_id": ticket,
            "created_at": time(audit.created_at),
            "author_id": audit.author,
            "metadata": metadata_json(audit),
            "events": audit.events,
            "via": via(audit.channel, self.users.get(&audit.author)),
        })
    }

    pub(super) fn user_json(&self, user: &User, call: &Call) -> Value {
        let mut out = json!({
            "id": user.id,
            "url": call.url(&format!("users/{}.json", user.id)),
            "name": user.name,
            "email": user.email,
            "created_at": time(user.created_at),
            "updated_at": time(user.updated_at),
            "time_zone": "UTC",
            "iana_time_zone": "Etc/UTC",
            "phone": user.phone,
            "shared_phone_number": null,
            "photo": null,
            "locale_id": 1,
            "locale": "en-US",
            "organization_id": user.org,
            "role": user.role.word(),
            "verified": true,
            "external_id": user.external_id,
            "tags": user.tags,
        });
        let more = json!({
            "alias": "",
            "active": !user.deleted,
            "shared": false,
            "shared_agent": false,
            "last_login_at": null,
            "two_factor_auth_enabled": null,
            "signature": null,
            "details": "",
            "notes": "",
            "role_type": null,
            "custom_role_id": null,
            "moderator": user.role.is_staff(),
            "ticket_restriction": if user.role.is_staff() { Value::Null } else { json!("requested") },
            "only_private_comments": false,
            "restricted_agent": !user.role.is_staff(),
            "suspended": user.suspended,
            "default_group_id": user.group,
            "report_csv": false,
            "user_fields": {},
        });
        if let (Value::Object(out), Value::Object(more)) = (&mut out, more) {
            out.extend(more);
        }
        out
    }
}

fn rating_json(ticket: &Ticket) -> Value {
    match &ticket.rating {
        None => json!({"score": "unoffered"}),
        Some(rated) => json!({"id": rated.id, "score": rated.score, "comment": rated.comment,
            "created_at": time(rated.at), "reason": null}),
    }
}

pub(super) fn group_json(group: &Group, call: &Call) -> Value {
    json!({
        "id": group.id,
        "url": call.url(&format!("groups/{}.json", group.id)),
        "is_public": true,
        "name": group.name,
        "description": "",
        "default": group.name == "Support",
        "deleted": false,
        "created_at": time(group.created_at),
        "updated_at": time(group.created_at),
    })
}

/// `users/me` for nobody: 200, with a null id.
pub(super) fn anonymous_json() -> Value {
    json!({"user": {"id": null, "url": null, "name": "Anonymous user", "email": "invalid@example.com",
        "created_at": null, "updated_at": null, "time_zone": "UTC", "iana_time_zone": "Etc/UTC", "phone": null,
        "photo": null, "locale_id": 1, "locale": "en-US", "organization_id": null, "role": "end-user",
        "verified": false, "authenticity_token": null, "external_id": null, "tags": [], "alias": null,
        "active": false, "shared": false, "suspended": false, "user_fields": {}}})
}

fn metadata_json(audit: &Audit) -> Value {
    json!({"system": {"client": audit.client, "ip_address": "192.0.2.10", "location": "Reykjavik, 1, Iceland",
        "latitude": 64.1355, "longitude": -21.8954}, "custom": audit.custom})
}

/// A value as audits show it: a text, a whole number, or null.
fn scalar(value: &Value) -> Value {
    match value {
        Value::Null | Value::String(_) => value.clone(),
        Value::Number(number) if number.is_i64() => value.clone(),
        Value::Array(list) => {
            let words: Vec<&str> = list.iter().filter_map(Value::as_str).collect();
            json!(words.join(" "))
        }
        other => json!(other.to_string()),
    }
}

/// The fields of a ticket as audits name them, for telling two states apart.
pub(super) fn audited(head: &Head) -> Map<String, Value> {
    let id = |id: Option<i64>| id.map(|id| id.to_string());
    let fixed = json!({
        "subject": head.subject,
        "status": status_word(head.status),
        "custom_status_id": head.custom_status,
        "priority": head.priority.map(priority_word),
        "type": head.kind,
        "tags": head.tags.iter().map(String::as_str).collect::<Vec<_>>().join(" "),
        "assignee_id": id(head.assignee),
        "group_id": id(head.group),
        "requester_id": head.requester.to_string(),
        "external_id": head.external_id,
        "due_at": head.due_at,
        "problem_id": id(head.problem_id),
    });
    let mut out = match fixed {
        Value::Object(map) => map,
        _ => Map::new(),
    };
    out.extend(head.custom_fields.iter().map(|(id, value)| (id.to_string(), scalar(value))));
    out
}
