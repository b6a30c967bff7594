//! Which path is answered by what.

use super::{
    conversations,
    http::{Answer, Call},
    parts, people, search, tickets, workspace,
    world::World,
};

/// Answers one kind of request.
pub(super) type Handler = fn(&mut World, &Call) -> Result<Answer, Answer>;

/// A path that exists.
pub(super) struct Route {
    /// The path with `{id}` for whatever stands there.
    pub pattern: &'static str,
    /// What stands there, in order.
    pub captured: Vec<String>,
    /// What answers each method.
    pub methods: &'static [(&'static str, Handler)],
}

type Entry = (&'static str, &'static [(&'static str, Handler)]);

/// Every path. The first that fits counts.
const ROUTES: &[Entry] = &[
    ("me", &[("GET", workspace::me)]),
    ("admins", &[("GET", workspace::admins)]),
    ("admins/{id}", &[("GET", workspace::admin)]),
    ("teams", &[("GET", workspace::teams)]),
    ("teams/{id}", &[("GET", workspace::team)]),
    ("tags", &[("GET", workspace::tags), ("POST", workspace::put_tag)]),
    ("tags/{id}", &[("GET", workspace::tag), ("DELETE", workspace::delete_tag)]),
    ("data_attributes", &[("GET", workspace::data_attributes), ("POST", workspace::create_attribute)]),
    ("articles/search", &[("GET", workspace::articles)]),
    ("messages", &[("POST", conversations::message)]),
    ("conversations", &[("GET", search::list_conversations), ("POST", conversations::create)]),
    ("conversations/search", &[("POST", search::conversations)]),
    ("conversations/redact", &[("POST", conversations::redact)]),
    (
        "conversations/{id}",
        &[("GET", conversations::view), ("PUT", conversations::update), ("DELETE", conversations::delete)],
    ),
    ("conversations/{id}/reply", &[("POST", parts::reply)]),
    ("conversations/{id}/parts", &[("POST", parts::manage)]),
    ("conversations/{id}/tags", &[("POST", parts::add_tag)]),
    ("conversations/{id}/tags/{id}", &[("DELETE", parts::remove_tag)]),
    ("conversations/{id}/customers", &[("POST", parts::attach)]),
    ("conversations/{id}/customers/{id}", &[("DELETE", parts::detach)]),
    ("conversations/{id}/convert", &[("POST", tickets::convert)]),
    ("ticket_types", &[("GET", workspace::ticket_types)]),
    ("ticket_types/{id}", &[("GET", workspace::ticket_type)]),
    ("ticket_types/{id}/attributes", &[("POST", workspace::create_ticket_attribute)]),
    ("ticket_types/{id}/attributes/{id}", &[("PUT", workspace::update_ticket_attribute)]),
    ("ticket_states", &[("GET", workspace::ticket_states)]),
    ("tickets", &[("POST", tickets::create)]),
    ("tickets/search", &[("POST", search::tickets)]),
    ("tickets/enqueue", &[("POST", tickets::enqueue)]),
    ("tickets/{id}", &[("GET", tickets::view), ("PUT", tickets::update), ("DELETE", tickets::delete)]),
    ("tickets/{id}/reply", &[("POST", tickets::reply)]),
    ("tickets/{id}/tags", &[("POST", parts::add_tag)]),
    ("tickets/{id}/tags/{id}", &[("DELETE", parts::remove_tag)]),
    ("jobs/status/{id}", &[("GET", tickets::job)]),
    ("contacts", &[("GET", search::list_contacts), ("POST", people::create)]),
    ("contacts/search", &[("POST", search::contacts)]),
    ("contacts/merge", &[("POST", people::merge)]),
    ("contacts/find_by_external_id/{id}", &[("GET", people::by_external)]),
    ("contacts/{id}", &[("GET", people::view), ("PUT", people::update), ("DELETE", people::delete)]),
    ("contacts/{id}/tags", &[("GET", people::tags), ("POST", people::tag)]),
    ("contacts/{id}/tags/{id}", &[("DELETE", people::untag)]),
    ("contacts/{id}/companies", &[("GET", people::nothing)]),
    ("contacts/{id}/segments", &[("GET", people::nothing)]),
    ("contacts/{id}/subscriptions", &[("GET", people::nothing)]),
    ("contacts/{id}/notes", &[("GET", people::nothing)]),
    ("contacts/{id}/archive", &[("POST", people::archive)]),
    ("contacts/{id}/unarchive", &[("POST", people::unarchive)]),
];

/// The route of a path, if there is one.
pub(super) fn find(segments: &[String]) -> Option<Route> {
    ROUTES.iter().find_map(|(pattern, methods)| {
        let parts: Vec<&str> = pattern.split('/').collect();
        if parts.len() != segments.len() {
            return None;
        }
        let mut captured = Vec::new();
        for (part, given) in parts.iter().zip(segments) {
            match *part {
                "{id}" => captured.push(decoded(given)),
                part if part == given => {}
                _ => return None,
            }
        }
        Some(Route { pattern, captured, methods })
    })
}

/// A part of a path without its escapes.
fn decoded(part: &str) -> String {
    let bytes = part.replace('+', "%2B");
    let pairs = url::form_urlencoded::parse(bytes.as_bytes());
    pairs
        .map(|(name, value)| if value.is_empty() { name.into_owned() } else { format!("{name}={value}") })
        .collect()
}
