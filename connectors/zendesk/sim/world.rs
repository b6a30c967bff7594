//! The account that a simulator starts with, and its look-ups.

use std::collections::{BTreeMap, BTreeSet};

use handoffd_core::Status;

use super::{
    answer::Reply,
    fields::{CustomStatus, TicketField, standard_fields, standard_statuses},
    orgs::Org,
    state::{Group, Ids, Role, Ticket, User},
    triggers::{Trigger, standard_triggers},
    uploads::File,
};
use crate::sim::MailSent;

/// The only brand.
pub(super) const BRAND: i64 = 360_000_000_101;
/// The only ticket form.
pub(super) const FORM: i64 = 360_000_000_102;

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
    pub(super) statuses: BTreeMap<i64, CustomStatus>,
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
            statuses: standard_statuses(),
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
}

fn slug(name: &str) -> String {
    let clean: String =
        name.to_lowercase().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    if name.is_ascii() { clean } else { format!("{clean}-{}", hex::encode(name)) }
}
