//! What an account is set up with: brand, form, views, macros, settings; and the lists that stay empty.

use serde_json::{Value, json};

use super::{
    Sim,
    answer::{Answer, Call, Reply},
    catalog::listed,
    read::number,
    state::{Group, Ticket, User},
    users::counted,
    view::{group_json, time},
    world::{BRAND, FORM},
};
use handoffd_core::Status;

/// Lists of things that this account has none of, by path.
const EMPTY: &[(&str, &str)] = &[
    ("activities", "activities"),
    ("automations", "automations"),
    ("automations/active", "automations"),
    ("custom_roles", "custom_roles"),
    ("dynamic_content/items", "items"),
    ("macros", "macros"),
    ("macros/active", "macros"),
    ("macros/search", "macros"),
    ("organization_fields", "organization_fields"),
    ("organization_subscriptions", "organization_subscriptions"),
    ("recipient_addresses", "recipient_addresses"),
    ("satisfaction_ratings", "satisfaction_ratings"),
    ("satisfaction_reasons", "reasons"),
    ("sharing_agreements", "sharing_agreements"),
    ("slas/policies", "sla_policies"),
    ("suspended_tickets", "suspended_tickets"),
    ("targets", "targets"),
    ("user_fields", "user_fields"),
    ("workspaces", "workspaces"),
];

/// The account's views: id, title, and which tickets it shows.
type View = (i64, &'static str, fn(&Ticket, i64) -> bool);

const VIEWS: [View; 4] = [
    (360_000_000_401, "Your unsolved tickets", |ticket, me| {
        ticket.head.assignee == Some(me) && ticket.head.status < Status::Solved
    }),
    (360_000_000_402, "Unassigned tickets", |ticket, _| {
        ticket.head.assignee.is_none() && ticket.head.status < Status::Solved
    }),
    (360_000_000_403, "All unsolved tickets", |ticket, _| ticket.head.status < Status::Solved),
    (360_000_000_404, "Recently solved tickets", |ticket, _| ticket.head.status == Status::Solved),
];

impl Sim {
    /// Paths that are answered from the account's set-up.
    pub(super) fn account(&mut self, path: &[&str], call: &Call) -> Answer {
        let joined = path.join("/");
        if call.method != http::Method::GET {
            return Err(Reply::no_endpoint());
        }
        if let Some((_, name)) = EMPTY.iter().find(|(known, _)| *known == joined) {
            return self.empty(name, call);
        }
        match path {
            ["account", "settings"] => Ok(Reply::ok(json!({"settings": settings()}))),
            ["brands"] => listed(call, "brands", vec![BRAND], |_| self.brand(call)),
            ["brands", id] if number(id)? == BRAND => Ok(Reply::ok(json!({"brand": self.brand(call)}))),
            ["ticket_forms"] => listed(call, "ticket_forms", vec![FORM], |_| self.form(call)),
            ["ticket_forms", "show_many"] => {
                let ids = call.ids("ids").into_iter().filter(|id| *id == FORM).collect();
                listed(call, "ticket_forms", ids, |_| self.form(call))
            }
            ["ticket_forms", id] if number(id)? == FORM => {
                Ok(Reply::ok(json!({"ticket_form": self.form(call)})))
            }
            ["locales"] | ["locales", "public" | "agent"] => {
                Ok(Reply::ok(json!({"locales": [self.locale(call)]})))
            }
            ["locales", _] => Ok(Reply::ok(json!({"locale": self.locale(call)}))),
            ["views", rest @ ..] => self.views(rest, call),
            ["autocomplete", "tags"] => self.tags_like(call),
            ["tags", "count"] => Ok(Reply::ok(counted(self.tags_starting("").len(), call))),
            ["problems"] => {
                self.chosen_tickets(call, |ticket| ticket.head.kind.as_deref() == Some("problem"))
            }
            _ => Err(Reply::no_endpoint()),
        }
    }

    fn views(&self, path: &[&str], call: &Call) -> Answer {
        match path {
            [] | ["active" | "compact"] => {
                listed(call, "views", VIEWS.iter().map(|view| view.0).collect(), |id| {
                    self.view_json(id, call)
                })
            }
            ["count"] => Ok(Reply::ok(counted(VIEWS.len(), call))),
            ["show_many"] => {
                let ids = call.ids("ids").into_iter().filter(|id| view(*id).is_ok()).collect();
                listed(call, "views", ids, |id| self.view_json(id, call))
            }
            ["search"] => {
                let wanted = call.param("query").unwrap_or_default().to_lowercase();
                let found = VIEWS.iter().filter(|view| view.1.to_lowercase().contains(&wanted));
                listed(call, "views", found.map(|view| view.0).collect(), |id| self.view_json(id, call))
            }
            ["count_many"] => {
                let ids = call.ids("ids").into_iter().filter(|id| view(*id).is_ok());
                let counts: Vec<Value> = ids.map(|id| self.view_count(id, call)).collect();
                Ok(Reply::ok(json!({"view_counts": counts})))
            }
            [id] => {
                let id = view(number(id)?)?.0;
                Ok(Reply::ok(json!({"view": self.view_json(id, call)})))
            }
            [id, "count"] => {
                let id = view(number(id)?)?.0;
                Ok(Reply::ok(json!({"view_count": self.view_count(id, call)})))
            }
            [id, "tickets"] => {
                let (_, _, shows) = view(number(id)?)?;
                self.chosen_tickets(call, |ticket| shows(ticket, call.user))
            }
            [id, "execute"] => self.execute_view(number(id)?, call),
            _ => Err(Reply::no_endpoint()),
        }
    }

    fn in_view(&self, id: i64, call: &Call) -> Vec<&Ticket> {
        let live = self.world.tickets.values().filter(|ticket| ticket.deleted.is_none());
        view(id)
            .map_or_else(|_| Vec::new(), |(_, _, shows)| live.filter(|one| shows(one, call.user)).collect())
    }

    fn view_count(&self, id: i64, call: &Call) -> Value {
        let count = self.in_view(id, call).len();
        json!({"view_id": id, "url": call.url(&format!("views/{id}/count.json")), "value": count,
            "pretty": count.to_string(), "fresh": true, "active": true})
    }

    fn execute_view(&self, id: i64, call: &Call) -> Answer {
        let id = view(id)?.0;
        let rows = self.in_view(id, call).into_iter().map(|ticket| {
            json!({"ticket_id": ticket.id, "ticket": {"id": ticket.id, "subject": ticket.head.subject,
                "status": super::state::status_word(ticket.head.status),
                "url": call.url(&format!("tickets/{}.json", ticket.id))},
                "subject": ticket.head.subject, "requester_id": ticket.head.requester,
                "group_id": ticket.head.group, "created": time(ticket.created_at), "priority": null})
        });
        let rows: Vec<Value> = rows.collect();
        Ok(Reply::ok(json!({"view": {"id": id, "url": call.url(&format!("views/{id}.json"))}, "groups": [],
            "columns": columns(), "rows": rows, "count": rows.len(), "next_page": null, "previous_page": null})))
    }

    fn view_json(&self, id: i64, call: &Call) -> Value {
        let at = VIEWS.iter().position(|view| view.0 == id).unwrap_or(0);
        json!({"id": id, "url": call.url(&format!("views/{id}.json")), "title": VIEWS[at].1,
            "raw_title": VIEWS[at].1, "active": true, "position": at + 1, "description": "", "default": false,
            "restriction": null, "conditions": {"all": [{"field": "status", "operator": "less_than",
            "value": "solved"}], "any": []}, "execution": {"group_by": null, "sort_by": "created_at",
            "group_order": "asc", "sort_order": "desc", "group": null, "sort": {"id": "created",
            "title": "Requested", "order": "desc"}, "columns": columns(), "fields": [], "custom_fields": []},
            "created_at": time(self.world.started_at), "updated_at": time(self.world.started_at)})
    }

    fn brand(&self, call: &Call) -> Value {
        let at = time(self.world.started_at);
        json!({"id": BRAND, "url": call.url(&format!("brands/{BRAND}.json")), "name": "Example",
            "brand_url": call.origin, "subdomain": "handoffd-sim", "host_mapping": null, "has_help_center": false,
            "help_center_state": "disabled", "active": true, "default": true, "is_deleted": false, "logo": null,
            "ticket_form_ids": [FORM], "signature_template": "{{agent.signature}}", "created_at": at,
            "updated_at": at})
    }

    fn form(&self, call: &Call) -> Value {
        let at = time(self.world.started_at);
        let fields: Vec<i64> = self.world.fields.iter().map(|field| field.id).collect();
        json!({"id": FORM, "url": call.url(&format!("ticket_forms/{FORM}.json")), "name": "Default Ticket Form",
            "raw_name": "Default Ticket Form", "display_name": "Default Ticket Form",
            "raw_display_name": "Default Ticket Form", "end_user_visible": true, "position": 1,
            "ticket_field_ids": fields, "active": true, "default": true, "in_all_brands": true,
            "restricted_brand_ids": [], "end_user_conditions": [], "agent_conditions": [], "created_at": at,
            "updated_at": at})
    }

    fn locale(&self, call: &Call) -> Value {
        let at = time(self.world.started_at);
        json!({"id": 1, "url": call.url("locales/en-US.json"), "locale": "en-US", "name": "English",
            "native_name": "English", "presentation_name": "English", "rtl": false, "default": true,
            "created_at": at, "updated_at": at})
    }

    fn tags_starting(&self, start: &str) -> std::collections::BTreeSet<&str> {
        let live = self.world.tickets.values().filter(|ticket| ticket.deleted.is_none());
        live.flat_map(|ticket| &ticket.head.tags)
            .map(String::as_str)
            .filter(|tag| tag.starts_with(start))
            .collect()
    }

    /// From the third letter on.
    fn tags_like(&self, call: &Call) -> Answer {
        let start = call.param("name").unwrap_or_default().to_lowercase();
        let found = if start.chars().count() < 2 { Default::default() } else { self.tags_starting(&start) };
        Ok(Reply::ok(json!({"tags": found})))
    }

    /// Making, renaming and removing groups.
    pub(super) fn group_chores(&mut self, path: &[&str], call: &Call) -> Answer {
        let named = |call: &Call| -> Result<Option<String>, Reply> {
            Ok(super::read::text(&call.object("group")?, "name")?
                .flatten()
                .filter(|name| !name.trim().is_empty()))
        };
        match (call.method.as_str(), path) {
            ("POST", []) => {
                let name = named(call)?.ok_or_else(|| Reply::invalid("name", "Name: cannot be blank"))?;
                let id = self.world.add_group(&name, call.now.as_secs());
                let made = Reply { status: 201, ..self.group(id, call)? };
                Ok(made.with("location", call.url(&format!("groups/{id}.json"))))
            }
            ("PUT", [id]) => {
                let (id, name) = (number(id)?, named(call)?);
                let group: &mut Group = self.world.groups.get_mut(&id).ok_or_else(Reply::no_record)?;
                group.name = name.unwrap_or_else(|| group.name.clone());
                Ok(Reply::ok(json!({"group": group_json(group, call)})))
            }
            ("DELETE", [id]) => {
                let id = number(id)?;
                let members = |user: &User| user.group == Some(id);
                if self.world.users.values().any(members) {
                    return Err(Reply::invalid("base", "Group still has agents"));
                }
                self.world.groups.remove(&id).map(|_| Reply::nothing()).ok_or_else(Reply::no_record)
            }
            _ => Err(Reply::no_endpoint()),
        }
    }
}

fn view(id: i64) -> Result<View, Reply> {
    VIEWS.into_iter().find(|view| view.0 == id).ok_or_else(Reply::no_record)
}

fn columns() -> Value {
    json!([{"id": "subject", "title": "Subject"}, {"id": "requester", "title": "Requester"},
        {"id": "created", "title": "Requested"}])
}

/// The parts of the settings that callers look at.
fn settings() -> Value {
    json!({
        "branding": {"header_color": "78A300", "page_background_color": "333333",
            "tab_background_color": "7FA239", "text_color": "FFFFFF", "header_logo_url": null, "favicon_url": null},
        "apps": {"use": true, "create_private": true, "create_public": false},
        "tickets": {"comments_public_by_default": true, "list_newest_comments_first": true, "collaboration": true,
            "private_attachments": false, "email_attachments": true, "agent_collision": true,
            "tagging": true, "list_empty_views": true, "maximum_personal_views_to_list": 8,
            "status_hold": true, "markdown_ticket_comments": false, "rich_text_comments": true,
            "emoji_autocompletion": true, "assign_tickets_upon_solve": true, "allow_group_reset": true,
            "agent_ticket_deletion": true, "has_color_text": true, "is_first_comment_private_enabled": true,
            "accepted_new_collaboration_tos": true, "custom_statuses_enabled": true},
        "agents": {"agent_workspace": true, "agent_home": false, "focus_mode": false, "aw_self_serve_migration_enabled": true},
        "active_features": {"customer_satisfaction": false, "user_tagging": true, "ticket_tagging": true,
            "topic_suggestion": false, "facebook": false, "twitter": false, "voice": false, "chat": false,
            "business_hours": false, "explore": false, "allow_ccs": true, "custom_statuses": true},
        "api": {"accepted_api_agreement": true, "api_password_access": "false", "api_token_access": "true"},
        "users": {"tagging": true, "time_zone_selection": true, "language_selection": true, "agent_created_welcome_emails": false,
            "end_user_phone_number_validation": false, "have_gravatars_enabled": true},
        "rule": {"macro_most_used": true, "macro_order": "alphabetical", "skill_based_filtered_views": [],
            "using_skill_based_routing": false},
        "limits": {"attachment_size": 52_428_800},
        "localization": {"locale_ids": [1], "time_zone": "UTC", "iana_time_zone": "Etc/UTC", "uses_12_hour_clock": false},
        "brands": {"default_brand_id": BRAND, "require_brand_on_new_tickets": false},
    })
}
