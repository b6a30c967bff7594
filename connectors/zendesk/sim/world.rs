//! The account that a simulator starts with, and its look-ups.

use std::collections::{BTreeMap, BTreeSet};

use handoffd_core::Status;
use serde_json::{Value, json};

use super::{
    answer::{Call, Reply},
    orgs::Org,
    state::{Group, Ids, Role, Ticket, User, status_word},
    triggers::{Trigger, standard_triggers},
    uploads::File,
    view::time,
};
use crate::sim::MailSent;

/// The only brand.
pub(super) const BRAND: i64 = 360_000_000_101;
/// The only ticket form.
pub(super) const FORM: i64 = 360_000_000_102;

/// A ticket field of the account.
#[derive(Clone, Debug)]
pub(super) struct TicketField {
    pub(super) id: i64,
    pub(super) kind: &'static str,
    pub(super) title: &'static str,
    pub(super) is_custom: bool,
    options: &'static [&'static str],
}

/// All records.
#[derive(Debug)]
pub(super) struct World {
    pub(super) ids: Ids,
    pub(super) account_id: i64,
    pub(super) started_at: i64,
    pub(super) users: BTreeMap<i64, User>,
    pub(super) groups: BTreeMap<i64, Group>,
    pub(super) tickets: BTreeMap<i64, Ticket>,
    pub(super) triggers: BTreeMap<i64, Trigger>,
    pub(super) fields: Vec<TicketField>,
    pub(super) orgs: BTreeMap<i64, Org>,
    pub(super) files: BTreeMap<i64, File>,
    /// The user for whom the OAuth client acts.
    pub(super) integration: i64,
    pub(super) bot: i64,
    pub(super) support_group: i64,
    pub(super) bot_group: i64,
    pub(super) mails: Vec<MailSent>,
}

/// The address of the user for whom the integration acts.
pub(super) const INTEGRATION_EMAIL: &str = "handoffd@example.com";
/// The AI agent's address.
pub(super) const BOT_EMAIL: &str = "ai-agent@example.com";

impl World {
    pub(super) fn new(seed: u64, now_secs: i64) -> Self {
        let mut ids = Ids::new(seed);
        let account_id = 22_000_000 + i64::try_from(seed % 1_000_000).unwrap_or(0);
        let mut world = Self {
            account_id,
            started_at: now_secs,
            users: BTreeMap::new(),
            groups: BTreeMap::new(),
            tickets: BTreeMap::new(),
            triggers: standard_triggers(&mut ids, now_secs),
            fields: standard_fields(),
            orgs: BTreeMap::new(),
            files: BTreeMap::new(),
            integration: 0,
            bot: 0,
            support_group: 0,
            bot_group: 0,
            mails: Vec::new(),
            ids,
        };
        world.support_group = world.add_group("Support", now_secs);
        world.bot_group = world.add_group("AI Agents", now_secs);
        let (support, bots) = (Some(world.support_group), Some(world.bot_group));
        world.integration =
            world.add_user("handoffd", Some(INTEGRATION_EMAIL), Role::Admin, support, now_secs);
        world.bot = world.add_user("AI Agent", Some(BOT_EMAIL), Role::Agent, bots, now_secs);
        world
    }

    pub(super) fn add_group(&mut self, name: &str, now_secs: i64) -> i64 {
        let id = self.ids.large();
        self.groups.insert(id, Group { id, name: name.to_owned(), created_at: now_secs });
        id
    }

    pub(super) fn add_user(
        &mut self,
        name: &str,
        email: Option<&str>,
        role: Role,
        group: Option<i64>,
        now_secs: i64,
    ) -> i64 {
        let id = self.ids.large();
        let user = User {
            id,
            name: name.to_owned(),
            email: email.map(str::to_lowercase),
            role,
            group,
            external_id: None,
            phone: None,
            tags: BTreeSet::new(),
            suspended: false,
            deleted: false,
            org: None,
            more_emails: Vec::new(),
            created_at: now_secs,
            updated_at: now_secs,
        };
        self.users.insert(id, user);
        id
    }

    pub(super) fn user_by_email(&self, email: &str) -> Option<&User> {
        let email = email.trim().to_lowercase();
        self.users
            .values()
            .find(|user| user.email.as_deref() == Some(email.as_str()) || user.more_emails.contains(&email))
    }

    /// The user with this address, made if there is none.
    pub(super) fn customer(&mut self, name: &str, email: &str, now_secs: i64) -> i64 {
        match self.user_by_email(email) {
            Some(user) => user.id,
            None => self.add_user(name, Some(email.trim()), Role::EndUser, None, now_secs),
        }
    }

    /// The human agent of this first name, hired on first use.
    pub(super) fn agent(&mut self, name: &str, now_secs: i64) -> i64 {
        let is_named = |user: &&User| user.role == Role::Agent && user.name == name && user.id != self.bot;
        if let Some(user) = self.users.values().find(is_named) {
            return user.id;
        }
        let email = format!("{}@agents.example.com", slug(name));
        self.add_user(name, Some(&email), Role::Agent, Some(self.support_group), now_secs)
    }

    pub(super) fn is_staff(&self, user: i64) -> bool {
        self.users.get(&user).is_some_and(|user| user.role.is_staff())
    }

    /// A ticket that is not deleted.
    pub(super) fn live(&self, id: i64) -> Result<&Ticket, Reply> {
        self.tickets.get(&id).filter(|ticket| ticket.deleted.is_none()).ok_or_else(Reply::no_record)
    }

    /// The id of the account's custom status for a category.
    pub(super) fn custom_status(status: Status) -> i64 {
        // Closed tickets keep the custom status of `solved`.
        let place = match status {
            Status::New => 1,
            Status::Open => 2,
            Status::Pending => 3,
            Status::OnHold => 4,
            Status::Solved | Status::Closed => 5,
        };
        360_000_000_200 + place
    }

    /// The category of a custom status.
    pub(super) fn category(custom_status: i64) -> Option<Status> {
        CATEGORIES.into_iter().find(|status| Self::custom_status(*status) == custom_status)
    }

    pub(super) fn custom_statuses_json(&self) -> Vec<(i64, Value)> {
        let labels = ["New", "Open", "Pending", "On-hold", "Solved"];
        let one = |(status, label): (Status, &str)| {
            let id = Self::custom_status(status);
            let shown = if status == Status::New || status == Status::OnHold { "Open" } else { label };
            let body = json!({"id": id, "status_category": status_word(status), "agent_label": label,
                "raw_agent_label": label, "end_user_label": shown, "raw_end_user_label": shown, "description": "",
                "raw_description": "", "end_user_description": "", "raw_end_user_description": "", "active": true,
                "default": true, "created_at": time(self.started_at), "updated_at": time(self.started_at)});
            (id, body)
        };
        CATEGORIES.into_iter().zip(labels).map(one).collect()
    }

    pub(super) fn field_json(&self, field: &TicketField, position: usize, call: &Call) -> Value {
        let mut out = json!({
            "url": call.url(&format!("ticket_fields/{}.json", field.id)),
            "id": field.id, "type": field.kind, "title": field.title, "raw_title": field.title,
            "description": field.title, "raw_description": field.title, "position": position, "active": true,
            "required": false, "collapsed_for_agents": false, "regexp_for_validation": null,
            "title_in_portal": field.title, "raw_title_in_portal": field.title, "visible_in_portal": false,
            "editable_in_portal": false, "required_in_portal": false, "tag": null, "removable": field.is_custom,
            "agent_description": null, "created_at": time(self.started_at), "updated_at": time(self.started_at),
        });
        let options: Vec<Value> =
            field.options.iter().map(|word| json!({"name": capitalised(word), "value": word})).collect();
        if let (Value::Object(out), false) = (&mut out, options.is_empty()) {
            out.insert("system_field_options".to_owned(), Value::Array(options));
        }
        out
    }
}

const CATEGORIES: [Status; 5] = [Status::New, Status::Open, Status::Pending, Status::OnHold, Status::Solved];

fn standard_fields() -> Vec<TicketField> {
    let field = |place: i64, kind, title, options| TicketField {
        id: 360_000_000_300 + place,
        kind,
        title,
        is_custom: false,
        options,
    };
    vec![
        field(1, "subject", "Subject", &[]),
        field(2, "description", "Description", &[]),
        field(3, "status", "Status", &["open", "pending", "hold", "solved"]),
        field(4, "tickettype", "Type", &["question", "incident", "problem", "task"]),
        field(5, "priority", "Priority", &["low", "normal", "high", "urgent"]),
        field(6, "group", "Group", &[]),
        field(7, "assignee", "Assignee", &[]),
        field(8, "custom_status", "Ticket status", &[]),
        TicketField { is_custom: true, ..field(20, "text", "Order number", &[]) },
        TicketField { is_custom: true, ..field(21, "checkbox", "VIP", &[]) },
    ]
}

fn capitalised(word: &str) -> String {
    let mut signs = word.chars();
    signs.next().map(|first| first.to_uppercase().chain(signs).collect()).unwrap_or_default()
}

fn slug(name: &str) -> String {
    let clean: String =
        name.to_lowercase().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    if name.is_ascii() { clean } else { format!("{clean}-{}", hex::encode(name)) }
}
