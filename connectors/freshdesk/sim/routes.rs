//! Which path is answered by what, and what it costs.

use super::{
    account, bulk, companies, conversations, fields, files,
    http::{Answer, Call},
    limits::Class,
    people, ratings, search, ticket_write, tickets,
    world::World,
};

/// Answers one kind of request.
pub(super) type Handler = fn(&mut World, &Call) -> Result<Answer, Answer>;

/// A path that exists.
pub(super) struct Route {
    /// The path with `{id}` for its number, `{word}` for any name.
    pub pattern: &'static str,
    /// The number.
    pub id: i64,
    /// What answers each method.
    pub methods: &'static [(&'static str, Handler)],
}

type Entry = (&'static str, &'static [(&'static str, Handler)]);

/// Every path below `/api/v2`. The first that fits counts.
const ROUTES: &[Entry] = &[
    ("tickets", &[("GET", tickets::list), ("POST", ticket_write::create)]),
    ("tickets/bulk_update", &[("POST", bulk::update)]),
    ("tickets/bulk_delete", &[("POST", bulk::delete)]),
    ("tickets/merge", &[("PUT", bulk::merge)]),
    ("tickets/outbound_email", &[("POST", bulk::outbound)]),
    ("tickets/{id}", &[("GET", tickets::view), ("PUT", ticket_write::update), ("DELETE", tickets::delete)]),
    ("tickets/{id}/restore", &[("PUT", tickets::restore)]),
    ("tickets/{id}/reply", &[("POST", conversations::reply)]),
    ("tickets/{id}/notes", &[("POST", conversations::note)]),
    ("tickets/{id}/conversations", &[("GET", conversations::list)]),
    ("tickets/{id}/satisfaction_ratings", &[("GET", ratings::of_ticket)]),
    ("tickets/{id}/time_entries", &[("GET", account::time_entries), ("POST", account::keep_time)]),
    ("conversations/{id}", &[("PUT", conversations::edit), ("DELETE", conversations::delete)]),
    ("contacts", &[("GET", people::contacts), ("POST", people::create_contact)]),
    ("contacts/autocomplete", &[("GET", account::autocomplete)]),
    ("contacts/{id}/make_agent", &[("PUT", account::make_agent)]),
    ("contacts/{id}/hard_delete", &[("DELETE", account::hard_delete)]),
    (
        "contacts/{id}",
        &[("GET", people::contact), ("PUT", people::update_contact), ("DELETE", people::delete_contact)],
    ),
    ("contacts/{id}/restore", &[("PUT", people::restore_contact)]),
    ("agents", &[("GET", people::agents)]),
    ("agents/me", &[("GET", people::me)]),
    ("agents/{id}", &[("GET", people::agent), ("PUT", account::update_agent)]),
    ("groups", &[("GET", people::groups)]),
    ("groups/{id}", &[("GET", people::group)]),
    ("companies", &[("GET", companies::list), ("POST", companies::create)]),
    ("companies/autocomplete", &[("GET", companies::autocomplete)]),
    (
        "companies/{id}",
        &[("GET", companies::view), ("PUT", companies::update), ("DELETE", companies::delete)],
    ),
    ("roles", &[("GET", account::roles)]),
    ("roles/{id}", &[("GET", account::view_role)]),
    ("email_configs", &[("GET", account::mailboxes)]),
    ("email_configs/{id}", &[("GET", account::view_mailbox)]),
    ("products", &[("GET", account::products)]),
    ("products/{id}", &[("GET", account::view_product)]),
    ("settings/helpdesk", &[("GET", account::settings)]),
    ("account", &[("GET", account::account)]),
    ("sla_policies", &[("GET", people::none)]),
    ("business_hours", &[("GET", people::none)]),
    ("scenario_automations", &[("GET", people::none)]),
    ("canned_response_folders", &[("GET", people::none)]),
    ("solutions/categories", &[("GET", people::none)]),
    ("search/companies", &[("GET", search::companies)]),
    ("company_fields", &[("GET", people::none)]),
    ("contact_fields", &[("GET", people::none)]),
    ("ticket_fields", &[("GET", fields::list)]),
    ("admin/ticket_fields", &[("GET", fields::admin_list), ("POST", fields::admin_create)]),
    ("attachments/{id}", &[("DELETE", files::delete)]),
    ("admin/ticket_fields/{id}", &[("GET", fields::admin_view)]),
    ("search/tickets", &[("GET", search::tickets)]),
    ("search/contacts", &[("GET", search::contacts)]),
    ("jobs/{word}", &[("GET", bulk::job)]),
    ("surveys", &[("GET", people::none)]),
    ("surveys/satisfaction_ratings", &[("GET", ratings::list)]),
    ("time_entries", &[("GET", account::time_entries)]),
];

/// The route of a path, if there is one.
pub(super) fn find(segments: &[String]) -> Option<Route> {
    ROUTES.iter().find_map(|(pattern, methods)| {
        let parts: Vec<&str> = pattern.split('/').collect();
        if parts.len() != segments.len() {
            return None;
        }
        let mut id = 0;
        for (part, given) in parts.iter().zip(segments) {
            match *part {
                "{id}" => id = given.parse().ok().filter(|id| *id > 0)?,
                "{word}" => {}
                part if part == given => {}
                _ => return None,
            }
        }
        Some(Route { pattern, id, methods })
    })
}

/// The limit that a request counts against.
pub(super) fn class(method: &str, pattern: &str) -> Class {
    match (method, pattern) {
        ("POST", "tickets") => Class::TicketCreate,
        ("PUT", "tickets/{id}") => Class::TicketUpdate,
        ("GET", "tickets") => Class::TicketsList,
        ("GET", "contacts") => Class::ContactsList,
        _ => Class::Other,
    }
}

/// The credits that a request costs: two more for each thing that a list
/// embeds, one more for each that a single ticket embeds. Sources conflict;
/// the answer's header says what was taken.
pub(super) fn cost(call: &Call, pattern: &str) -> u32 {
    let embedded = u32::try_from(call.includes().len()).unwrap_or(u32::MAX).min(10);
    match (call.method.as_str(), pattern) {
        ("GET", "tickets") => 1 + 2 * embedded,
        ("GET", "tickets/{id}") => 1 + embedded,
        _ => 1,
    }
}
