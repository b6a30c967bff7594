//! JSON of conversations, and of what a notification is about.

use serde_json::{Map, Value, json};

use super::{
    html,
    http::Version,
    world::{Author, Detail, Head, Part, Thread, World},
};

/// At most so many parts are shown, the newest.
pub(super) const PARTS_MAX: usize = 500;

/// How an answer is to be written.
pub(super) struct Style<'a> {
    /// Scheme and host of the attachments' addresses.
    pub base: &'a str,
    pub version: Version,
    /// Bodies as plain text.
    pub plain: bool,
    pub now: i64,
}

impl Style<'_> {
    pub fn body(&self, world: &World, html: &str) -> String {
        if self.plain { html::to_text(html) } else { world.with_addresses(html, self.base, self.now) }
    }
}

impl World {
    /// A conversation as lists and the search show it: in the given state, without parts.
    pub fn conversation_row(&self, thread: &Thread, head: &Head, style: &Style<'_>) -> Map<String, Value> {
        let reply_at = head.stats.first_contact_reply_at;
        let row = json!({
            "type": "conversation", "id": thread.id.to_string(), "title": head.title,
            "created_at": thread.created_at, "updated_at": head.updated_at,
            "waiting_since": head.waiting_since, "snoozed_until": head.snoozed_until,
            "source": self.source_json(thread, style), "contacts": self.contacts_json(head),
            "first_contact_reply":
                reply_at.map(|at| json!({"created_at": at, "type": "conversation", "url": null})),
            "admin_assignee_id": head.admin, "team_assignee_id": head.team,
            "open": head.state.word() != "closed", "state": head.state.word(), "read": head.read,
            "tags": self.tags_json(head), "priority": if head.priority { "priority" } else { "not_priority" },
            "sla_applied": null, "statistics": null, "conversation_rating": rating_json(self, head),
            "teammates": teammates_json(head), "custom_attributes": head.custom, "topics": {},
            "ticket": head.card.as_ref().map(|_| self.ticket_reference(thread)),
            "linked_objects": self.linked_json(head), "ai_agent": null,
            "ai_agent_participated": head.ai_participated,
        });
        let mut row = into_map(row);
        // Of a conversation that no admin touched there is nothing yet.
        if head.stats.last_admin_reply_at.or(head.stats.last_close_at).is_some() {
            row.insert("statistics".to_owned(), statistics_json(thread, head));
        }
        row
    }

    /// A conversation by itself, with its newest parts.
    pub fn conversation_json(&self, thread: &Thread, style: &Style<'_>) -> Value {
        let mut row = self.conversation_row(thread, &thread.head, style);
        row.insert("statistics".to_owned(), statistics_json(thread, &thread.head));
        let hidden = thread.parts.len().saturating_sub(PARTS_MAX);
        let shown: Vec<Value> =
            thread.parts[hidden..].iter().map(|part| self.part_json(part, style)).collect();
        let parts = json!({"type": "conversation_part.list", "conversation_parts": shown,
            "total_count": thread.parts.len()});
        row.insert("conversation_parts".to_owned(), parts);
        Value::Object(row)
    }

    fn source_json(&self, thread: &Thread, style: &Style<'_>) -> Value {
        let source = &thread.source;
        json!({"type": source.kind, "id": source.id.to_string(), "delivered_as": source.delivered_as,
            "subject": style.body(self, &source.subject), "body": style.body(self, &source.body),
            "author": self.author_json(&source.author),
            "attachments": self.files_json(&source.files, style.base, style.now),
            "url": null, "redacted": source.redacted})
    }

    /// A part of a conversation.
    pub fn part_json(&self, part: &Part, style: &Style<'_>) -> Value {
        let mut shown = json!({
            "type": "conversation_part", "id": part.id.to_string(), "part_type": part.kind,
            "body": part.body.as_deref().map(|body| style.body(self, body)), "created_at": part.created_at,
            "updated_at": part.updated_at, "notified_at": part.created_at,
            "assigned_to": assigned_to(&part.detail), "author": self.author_json(&part.author),
            "attachments": self.files_json(&part.files, style.base, style.now), "external_id": null,
            "redacted": part.redacted, "email_message_metadata": null,
        });
        if style.version >= Version::V2_13 {
            let tags: Vec<Value> = part.tags.iter().map(|tag| self.tag_json(*tag)).collect();
            shown["state"] = json!(part.state.word());
            shown["tags"] = json!(tags);
            shown["event_details"] = event_details(&part.detail);
            shown["app_package_code"] = if part.by_app { json!(self.package) } else { Value::Null };
        }
        if style.version >= Version::V2_14 {
            shown["metadata"] = match &part.detail {
                Detail::QuickReplies(options) => json!({"quick_reply_options": options}),
                _ => json!({}),
            };
        }
        shown
    }

    /// Whoever wrote something.
    pub fn author_json(&self, author: &Author) -> Value {
        match author {
            Author::Contact(id) => {
                let contact = self.contacts.get(id);
                let role = contact.map_or("user", |contact| contact.role.as_str());
                let (name, email) = contact.map(|contact| (&contact.name, &contact.email)).unzip();
                json!({"type": role, "id": id, "name": name.cloned().flatten(),
                    "email": email.cloned().flatten().unwrap_or_default()})
            }
            Author::Admin(id) => {
                let Some(admin) = self.admins.get(id) else { return Value::Null };
                if admin.is_bot {
                    return json!({"type": "bot", "id": id.to_string(), "name": admin.name,
                        "email": admin.email, "from_ai_agent": true, "is_ai_answer": true});
                }
                json!({"type": "admin", "id": id.to_string(), "name": admin.name, "email": admin.email})
            }
        }
    }

    /// The customers of a thread.
    pub fn contacts_json(&self, head: &Head) -> Value {
        let contacts = head.contacts.iter().map(|id| {
            let external = self.contacts.get(id).and_then(|contact| contact.external_id.as_deref());
            json!({"type": "contact", "id": id, "external_id": external})
        });
        json!({"type": "contact.list", "contacts": contacts.collect::<Vec<_>>()})
    }

    fn tags_json(&self, head: &Head) -> Value {
        let tags = head.tags.iter().map(|tagged| {
            let mut tag = self.tag_json(tagged.tag);
            tag["applied_at"] = json!(tagged.at);
            tag["applied_by"] = json!({"type": "admin", "id": tagged.by.to_string()});
            tag
        });
        json!({"type": "tag.list", "tags": tags.collect::<Vec<_>>()})
    }

    /// A tag by itself.
    pub fn tag_json(&self, id: i64) -> Value {
        json!({"type": "tag", "id": id.to_string(), "name": self.tags.get(&id).map_or("", String::as_str)})
    }

    /// What a thread is linked with.
    pub fn linked_json(&self, head: &Head) -> Value {
        let linked = head.linked.iter().filter_map(|id| self.live(*id)).map(|other| {
            let category = other.head.card.as_ref().map(|card| self.category(card).word());
            let kind = if other.head.card.is_some() { "ticket" } else { "conversation" };
            json!({"type": kind, "id": other.id.to_string(), "category": category})
        });
        let linked: Vec<Value> = linked.collect();
        json!({"type": "list", "total_count": linked.len(), "has_more": false, "data": linked})
    }

    /// What a notification is about. Shapes differ from topic to topic: of a
    /// message on a ticket the ticket stands beside the part, of a part's
    /// redaction and tag the conversation is only named.
    pub fn item(&self, id: i64, topic: &str, part: Option<i64>, now: i64) -> Option<Value> {
        let style = Style { base: "https://api.intercom.io", version: Version::default(), plain: false, now };
        let thread = self.threads.get(&id)?;
        let part = part.and_then(|part| thread.parts.iter().find(|one| one.id == part));
        Some(match topic {
            "conversation.deleted" => json!({"type": "conversation", "id": id.to_string(), "deleted": true}),
            "conversation_part.redacted" => match part {
                Some(part) => with_id(self.part_json(part, &style), id),
                None => with_id(self.source_json(thread, &style), id),
            },
            "conversation_part.tag.created" => {
                let tag = thread.head.tags.last().map(|tagged| self.tag_json(tagged.tag));
                let part = part.map(|part| self.part_json(part, &style));
                json!({"type": "conversation_part_tag", "conversation_id": id.to_string(), "tag": tag,
                    "conversation_part": part})
            }
            "ticket.note.created" | "ticket.admin.replied" | "ticket.contact.replied" => {
                let ticket = self.ticket_json(thread, &thread.head, Some(0), &style);
                json!({"type": "ticket_part", "ticket": ticket,
                    "ticket_part": part.map(|part| self.ticket_part_json(part, &style))})
            }
            topic if topic.starts_with("ticket.") => {
                self.ticket_json(thread, &thread.head, Some(usize::from(part.is_some())), &style)
            }
            _ => {
                let mut row = self.conversation_row(thread, &thread.head, &style);
                let parts: Vec<Value> = part.iter().map(|part| self.part_json(part, &style)).collect();
                let list = json!({"type": "conversation_part.list", "total_count": parts.len(),
                    "conversation_parts": parts});
                row.insert("conversation_parts".to_owned(), list);
                Value::Object(row)
            }
        })
    }
}

fn with_id(mut item: Value, id: i64) -> Value {
    item["conversation_id"] = json!(id.to_string());
    item
}

fn assigned_to(detail: &Detail) -> Value {
    match detail {
        Detail::Assigned { kind, id } => {
            json!({"type": if id.is_some() { kind } else { "nobody_admin" }, "id": id.map(|id| id.to_string())})
        }
        _ => Value::Null,
    }
}

fn event_details(detail: &Detail) -> Value {
    match detail {
        Detail::ConversationAttribute { name, value } => {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            json!({"attribute": {"name": name}, "value": {"name": value}})
        }
        _ => json!({}),
    }
}

fn teammates_json(head: &Head) -> Value {
    let teammates: Vec<Value> =
        head.teammates.iter().map(|id| json!({"type": "admin", "id": id.to_string()})).collect();
    json!({"type": "admin.list", "teammates": teammates})
}

fn rating_json(world: &World, head: &Head) -> Value {
    let Some(rating) = &head.rating else { return Value::Null };
    let external = world.contacts.get(&rating.contact).and_then(|contact| contact.external_id.as_deref());
    json!({"rating": rating.rating, "remark": rating.remark, "created_at": rating.at, "updated_at": rating.at,
        "contact": {"type": "contact", "id": rating.contact, "external_id": external},
        "teammate": {"type": "admin", "id": rating.teammate.map(|id| id.to_string())}})
}

/// Counts and times; those that never came are left out.
fn statistics_json(thread: &Thread, head: &Head) -> Value {
    let stats = &head.stats;
    let since = |at: Option<i64>| at.map(|at| at.saturating_sub(thread.created_at).max(0));
    let all = [
        ("time_to_assignment", since(stats.first_assignment_at)),
        ("time_to_admin_reply", since(stats.first_admin_reply_at)),
        ("time_to_first_close", since(stats.first_close_at)),
        ("time_to_last_close", since(stats.last_close_at)),
        ("first_contact_reply_at", stats.first_contact_reply_at),
        ("first_assignment_at", stats.first_assignment_at),
        ("first_admin_reply_at", stats.first_admin_reply_at),
        ("first_close_at", stats.first_close_at),
        ("last_assignment_at", stats.last_assignment_at),
        ("last_contact_reply_at", stats.last_contact_reply_at),
        ("last_admin_reply_at", stats.last_admin_reply_at),
        ("last_close_at", stats.last_close_at),
        ("count_reopens", Some(stats.reopens)),
        ("count_assignments", Some(stats.assignments)),
        ("count_conversation_parts", Some(stats.parts)),
    ];
    let mut shown: Map<String, Value> =
        all.into_iter().filter_map(|(name, value)| Some((name.to_owned(), json!(value?)))).collect();
    shown.insert("type".to_owned(), json!("conversation_statistics"));
    if let Some(admin) = stats.last_closed_by {
        shown.insert("last_closed_by_id".to_owned(), json!(admin.to_string()));
    }
    Value::Object(shown)
}

/// The object inside.
pub(super) fn into_map(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}
