//! An account's own options: the `settings` table, checked.

use std::collections::BTreeMap;

use handoffd_core::{AccountId, RemoteId, Status};
use serde::Deserialize;

use super::limits::SLICE;
use crate::{client::Quota, contract::BadSettings};

/// The smallest overlap of two passes over a feed. How long the index of conversations
/// stays behind is not documented; that of contacts "can take a few minutes".
const OVERLAP_SECS_MIN: u64 = 10;

/// The most rows of a search's page: the vendor's maximum.
const PAGE_ROWS_MAX: u32 = 150;

/// The attribute that holds our marker, unless the settings name another.
pub const MARKER_FIELD: &str = "handoff_key";

/// The `settings` table of an Intercom account.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The rate limit, until a header says otherwise.
    pub plan: Plan,
    /// The version of the API that is asked for. From 2.15 on replies can be quiet.
    pub api_version: ApiVersion,
    /// What is kept in step.
    pub records: Vec<RecordKind>,
    /// Which tickets are kept in step.
    pub ticket_categories: Vec<Category>,
    /// What a mirror is made as.
    pub create: RecordKind,
    /// The type of the tickets that are made.
    pub ticket_type_id: Option<u64>,
    /// The attribute, of conversations and of tickets, that holds our marker.
    pub marker_attribute: String,
    /// The attribute that holds the priority in words; without one there is none,
    /// because Intercom's own mark cannot be written.
    pub priority_attribute: Option<String>,
    /// What becomes of an agent's public words that nobody is to be mailed about,
    /// where Intercom would mail them.
    pub silent_replies: SilentReplies,
    /// How long a conversation is snoozed that waits for somebody, in seconds.
    pub snooze_secs: u64,
    /// The admin in whose name is written; the token's own if not said.
    pub admin_id: Option<u64>,
    /// The address that stands for requesters who have none; without it their tickets are refused.
    pub fallback_requester_email: Option<String>,
    /// How far a new pass over a feed reaches back, in seconds: how late the index may be.
    pub overlap_secs: u64,
    /// How many rows a page of a search is asked for.
    pub search_page_rows: u32,
    /// The longest message that is sent, in bytes of plain text.
    pub message_bytes_max: usize,
    /// The longest file that is sent, in bytes. Files travel inside JSON.
    pub attachment_bytes_max: u64,
    /// The ticket state that a category means without further detail, by the state's id, where
    /// it is not the first one that Intercom lists.
    pub ticket_states: BTreeMap<Status, u64>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            plan: Plan::Standard,
            api_version: ApiVersion::V2_14,
            records: vec![RecordKind::Conversation, RecordKind::Ticket],
            ticket_categories: vec![Category::Customer],
            create: RecordKind::Conversation,
            ticket_type_id: None,
            marker_attribute: MARKER_FIELD.to_owned(),
            priority_attribute: None,
            silent_replies: SilentReplies::Note,
            snooze_secs: 7 * 24 * 60 * 60,
            admin_id: None,
            fallback_requester_email: None,
            overlap_secs: 300,
            search_page_rows: 50,
            message_bytes_max: 65_536,
            attachment_bytes_max: 10 * 1024 * 1024,
            ticket_states: BTreeMap::new(),
        }
    }
}

/// A rate limit by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Plan {
    /// 10,000 requests a minute: 1,666 in ten seconds.
    Standard,
    /// 500 requests a minute: 83 in ten seconds, as development workspaces have.
    Small,
    /// No limit worth pacing for: a sandbox.
    Unlimited,
}

impl Plan {
    /// The account-wide quota until a header says otherwise.
    pub fn quota(self) -> Quota {
        let count = match self {
            Self::Standard => 1_666,
            Self::Small => 83,
            Self::Unlimited => 100_000,
        };
        Quota { count, per: SLICE }
    }
}

/// A version of Intercom's API that this adapter speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub enum ApiVersion {
    /// What this adapter was written for.
    #[serde(rename = "2.14")]
    V2_14,
    /// Admins' replies can be sent without a notification.
    #[serde(rename = "2.15")]
    V2_15,
}

impl ApiVersion {
    /// As the header says it.
    pub fn name(self) -> &'static str {
        match self {
            Self::V2_14 => "2.14",
            Self::V2_15 => "2.15",
        }
    }

    /// Whether an admin's reply on a conversation can be quiet.
    pub fn replies_quietly(self) -> bool {
        self >= Self::V2_15
    }
}

/// A kind of record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordKind {
    /// A conversation.
    #[serde(alias = "conversations")]
    Conversation,
    /// A ticket.
    #[serde(alias = "tickets")]
    Ticket,
}

/// Who tickets of a type are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// Customers see them.
    Customer,
    /// Teammates alone.
    BackOffice,
    /// Many tickets of one cause.
    Tracker,
}

impl Category {
    /// As a search names it.
    pub fn searched(self) -> &'static str {
        match self {
            Self::Customer => "request",
            Self::BackOffice => "task",
            Self::Tracker => "tracker",
        }
    }

    /// As a ticket shows it; an unknown one is nobody's.
    pub fn shown(text: &str) -> Option<Self> {
        match text.trim() {
            "Customer" => Some(Self::Customer),
            "Back-office" => Some(Self::BackOffice),
            "Tracker" => Some(Self::Tracker),
            _ => None,
        }
    }
}

/// What becomes of public words that nobody is to be mailed about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SilentReplies {
    /// A note that says in its first line that it is a public reply.
    Note,
    /// A reply. Intercom mails it to a customer who is away.
    Reply,
}

impl Settings {
    /// Reads and checks the table; `null` is an empty one.
    pub fn read(account: &AccountId, table: &serde_json::Value) -> Result<Self, BadSettings> {
        let bad = |key: &str, why: String| BadSettings { account: account.clone(), key: key.to_owned(), why };
        let settings: Self = match table {
            serde_json::Value::Null => Self::default(),
            table => serde_path_to_error::deserialize(table).map_err(|error| {
                let why = error.inner().to_string();
                bad(&key_of(&error.path().to_string(), &why), why)
            })?,
        };
        settings.check().map_err(|(key, why)| bad(key, why))?;
        Ok(settings)
    }

    fn check(&self) -> Result<(), (&'static str, String)> {
        self.check_records()?;
        let name = |name: &str| !name.trim().is_empty() && name.len() <= 190;
        if !name(&self.marker_attribute) {
            return Err((
                "marker_attribute",
                "write the attribute's name, for instance \"handoff_key\"".into(),
            ));
        }
        if self.priority_attribute.as_deref().is_some_and(|one| !name(one) || one == self.marker_attribute) {
            return Err(("priority_attribute", "write the name of an attribute of its own".into()));
        }
        if !(OVERLAP_SECS_MIN..=86_400).contains(&self.overlap_secs) {
            return Err(("overlap_secs", format!("write a number from {OVERLAP_SECS_MIN} to 86400")));
        }
        if !(1..=PAGE_ROWS_MAX).contains(&self.search_page_rows) {
            return Err(("search_page_rows", format!("write a number from 1 to {PAGE_ROWS_MAX}")));
        }
        if !(60..=366 * 86_400).contains(&self.snooze_secs) {
            return Err(("snooze_secs", "write a number from 60 to 31622400".into()));
        }
        if self.message_bytes_max < 1_000 {
            return Err(("message_bytes_max", "write at least 1000".into()));
        }
        match &self.fallback_requester_email {
            Some(email) if !email.contains('@') => {
                Err(("fallback_requester_email", "this is not an e-mail address".into()))
            }
            _ => Ok(()),
        }
    }

    fn check_records(&self) -> Result<(), (&'static str, String)> {
        if self.records.is_empty() {
            return Err(("records", "write at least one of \"conversation\" and \"ticket\"".into()));
        }
        if !self.records.contains(&self.create) {
            return Err(("create", "what is made must be among records".into()));
        }
        if self.create == RecordKind::Ticket && self.ticket_type_id.is_none() {
            return Err((
                "ticket_type_id",
                "tickets have a type: write its id, see GET /ticket_types".into(),
            ));
        }
        if self.syncs(RecordKind::Ticket) && self.ticket_categories.is_empty() {
            return Err(("ticket_categories", "write at least \"customer\"".into()));
        }
        Ok(())
    }

    /// Whether such records are kept in step.
    pub fn syncs(&self, kind: RecordKind) -> bool {
        self.records.contains(&kind)
    }

    /// Whether every record is a ticket, so that statuses are those of tickets.
    pub fn has_tickets_alone(&self) -> bool {
        !self.syncs(RecordKind::Conversation)
    }

    /// The admin that the configuration names.
    pub fn named_admin(&self) -> Option<RemoteId> {
        self.admin_id.map(|id| RemoteId::new(id.to_string()))
    }
}

/// The key that serde complains about: an unknown one is named in the words only.
fn key_of(path: &str, why: &str) -> String {
    let unknown = why.strip_prefix("unknown field `").and_then(|rest| rest.split_once('`'));
    match (path, unknown) {
        ("." | "?", Some((key, _))) => key.to_owned(),
        ("." | "?", None) => String::new(),
        (path, _) => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(table: serde_json::Value) -> Result<Settings, BadSettings> {
        Settings::read(&AccountId::from("ic"), &table)
    }

    #[test]
    fn errors_name_the_key() {
        let rows = [
            (json!({"plna": "small"}), "accounts.ic.settings.plna: unknown field `plna`"),
            (json!({"plan": "gold"}), "accounts.ic.settings.plan: unknown variant `gold`"),
            (json!({"api_version": "2.11"}), "accounts.ic.settings.api_version: unknown variant `2.11`"),
            (json!({"records": []}), "accounts.ic.settings.records: write at least one"),
            (json!({"records": ["ticket"]}), "accounts.ic.settings.create: what is made"),
            (json!({"create": "ticket"}), "accounts.ic.settings.ticket_type_id: tickets have a type"),
            (json!({"marker_attribute": " "}), "accounts.ic.settings.marker_attribute: "),
            (json!({"priority_attribute": "handoff_key"}), "accounts.ic.settings.priority_attribute: "),
            (json!({"overlap_secs": 1}), "accounts.ic.settings.overlap_secs: write a number from 10"),
            (json!({"search_page_rows": 151}), "accounts.ic.settings.search_page_rows: "),
            (json!({"snooze_secs": 1}), "accounts.ic.settings.snooze_secs: "),
            (json!({"message_bytes_max": 3}), "accounts.ic.settings.message_bytes_max: "),
            (json!({"fallback_requester_email": "x"}), "accounts.ic.settings.fallback_requester_email: "),
            (json!({"ticket_categories": []}), "accounts.ic.settings.ticket_categories: "),
            (json!({"ticket_states": {"waiting": 7}}), "accounts.ic.settings.ticket_states"),
        ];
        for (table, expected) in rows {
            let error = read(table.clone()).expect_err("it is wrong").to_string();
            assert!(error.starts_with(expected), "{error} for {table}");
        }
        assert!(read(serde_json::Value::Null).is_ok());
        let tickets =
            read(json!({"records": ["tickets"], "create": "ticket", "ticket_type_id": 53})).unwrap();
        assert!(tickets.has_tickets_alone());
    }

    #[test]
    fn plans_set_the_pace() {
        assert_eq!(read(json!({})).unwrap().plan.quota(), Quota { count: 1_666, per: SLICE });
        assert_eq!(read(json!({"plan": "small"})).unwrap().plan.quota().count, 83);
    }

    #[test]
    fn quiet_replies_need_a_newer_version() {
        assert!(!read(json!({})).unwrap().api_version.replies_quietly());
        let newer = read(json!({"api_version": "2.15"})).unwrap();
        assert!(newer.api_version.replies_quietly());
        assert_eq!(newer.api_version.name(), "2.15");
    }
}
