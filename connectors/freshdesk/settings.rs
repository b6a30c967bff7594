//! An account's own options: the `settings` table, checked.

use std::{
    collections::{BTreeMap, BTreeSet},
    num::NonZeroU32,
    time::Duration,
};

use handoffd_core::{AccountId, Priority, Status, Value};
use serde::Deserialize;

use crate::{client::Quota, contract::BadSettings};

/// The smallest overlap of two passes over the feed. It is not documented
/// whether `updated_since` includes its own second.
const OVERLAP_SECS_MIN: u64 = 60;

/// The most that an account can say it takes: nobody takes more.
const ATTACHMENTS_BYTES_MAX: u64 = 100 * 1024 * 1024;

/// The custom field that holds our marker, unless the settings name another.
pub const MARKER_FIELD: &str = "cf_handoff_key";

/// The `settings` table of a Freshdesk account.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The Freshdesk plan, which sets the pace until a header says otherwise.
    pub plan: Plan,
    /// The quota of an old account that is still counted by the hour.
    pub requests_per_hour: Option<NonZeroU32>,
    /// The ticket's custom text field that holds our marker.
    pub marker_field: String,
    /// What a ticket without priority gets: Freshdesk has no "none".
    pub default_priority: Priority,
    /// The `source` of tickets that we make; 2 is the portal.
    pub source: u32,
    /// What status ids mean, added to 2 open, 3 pending, 4 solved, 5 closed.
    pub statuses: BTreeMap<String, Status>,
    /// Which id a status is written as, where several ids mean it and the lowest is not wanted.
    pub write_statuses: BTreeMap<Status, i64>,
    /// The address that stands for requesters who have none; without it their tickets are refused.
    pub fallback_requester_email: Option<String>,
    /// How far a new pass over the feed reaches back behind the newest change, in seconds.
    pub overlap_secs: u64,
    /// The header in which webhooks carry the secret.
    pub webhook_header: String,
    /// The longest message that is sent, in bytes of plain text.
    pub message_bytes_max: usize,
    /// The most bytes of all attachments of one message together: 20 MiB, 15 MiB on older plans.
    pub attachments_bytes_max: u64,
    /// Whether the account takes `cc_emails` on updates too. As far as is known they are
    /// taken at creation only, so that by default they are shown and not written.
    pub writes_ccs: bool,
    /// Custom text fields of several lines. All others hold one line of 255 characters.
    pub paragraph_fields: BTreeSet<String>,
    /// How the note begins that Freshdesk leaves on a ticket that was merged into another one;
    /// the other one's number follows. Empty: merged tickets are only seen as closed.
    pub merge_note: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            plan: Plan::Growth,
            requests_per_hour: None,
            marker_field: MARKER_FIELD.to_owned(),
            default_priority: Priority::Low,
            source: 2,
            statuses: BTreeMap::new(),
            write_statuses: BTreeMap::new(),
            fallback_requester_email: None,
            overlap_secs: 90,
            webhook_header: "X-Handoffd-Secret".to_owned(),
            message_bytes_max: 65_536,
            attachments_bytes_max: 20 * 1024 * 1024,
            writes_ccs: false,
            paragraph_fields: BTreeSet::new(),
            merge_note: "This ticket is closed and merged into ticket".to_owned(),
        }
    }
}

/// A Freshdesk plan by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Plan {
    /// 50 requests a minute.
    Trial,
    /// 200 requests a minute.
    Growth,
    /// 400 requests a minute.
    Pro,
    /// 700 requests a minute.
    Enterprise,
    /// No limit worth pacing for: a sandbox.
    Unlimited,
}

/// An endpoint with a limit of its own beside the account's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// `GET /tickets`.
    TicketsList,
    /// `POST /tickets`.
    TicketsCreate,
    /// `PUT /tickets/{id}`.
    TicketsUpdate,
    /// `GET /contacts`.
    ContactsList,
}

impl Endpoint {
    /// The bucket's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::TicketsList => "tickets-list",
            Self::TicketsCreate => "tickets-create",
            Self::TicketsUpdate => "tickets-update",
            Self::ContactsList => "contacts-list",
        }
    }
}

impl Plan {
    /// Requests a minute of the whole account, and of one endpoint. Source:
    /// the vendor's article 225439; a trial's endpoints are not documented,
    /// so they are taken as the smallest plan's share.
    fn per_minute(self, endpoint: Option<Endpoint>) -> u32 {
        let (total, write, list) = match self {
            Self::Trial => (50, 20, 20),
            Self::Growth => (200, 80, 20),
            Self::Pro => (400, 160, 100),
            Self::Enterprise => (700, 280, 200),
            Self::Unlimited => (60_000, 60_000, 60_000),
        };
        match endpoint {
            None => total,
            Some(Endpoint::TicketsCreate | Endpoint::TicketsUpdate) => write,
            Some(Endpoint::TicketsList | Endpoint::ContactsList) => list,
        }
    }

    /// The bucket of an endpoint.
    pub fn bucket(self, endpoint: Endpoint) -> (String, Quota) {
        let quota = Quota { count: self.per_minute(Some(endpoint)), per: Duration::from_secs(60) };
        (endpoint.name().to_owned(), quota)
    }
}

impl Settings {
    /// The account-wide quota until a header says otherwise.
    pub fn quota(&self) -> Quota {
        match self.requests_per_hour {
            Some(count) => Quota { count: count.get(), per: Duration::from_secs(3_600) },
            None => Quota { count: self.plan.per_minute(None), per: Duration::from_secs(60) },
        }
    }

    /// Reads and checks the table; `null` is an empty one.
    pub fn read(account: &AccountId, table: &serde_json::Value) -> Result<(Self, StatusTable), BadSettings> {
        let bad = |key: &str, why: String| BadSettings { account: account.clone(), key: key.to_owned(), why };
        let settings: Self = match table {
            serde_json::Value::Null => Self::default(),
            table => serde_path_to_error::deserialize(table).map_err(|error| {
                let why = error.inner().to_string();
                bad(&key_of(&error.path().to_string(), &why), why)
            })?,
        };
        settings.check().map_err(|(key, why)| bad(key, why))?;
        let table = StatusTable::new(&settings).map_err(|(key, why)| bad(&key, why))?;
        Ok((settings, table))
    }

    fn check(&self) -> Result<(), (&'static str, String)> {
        let plain_name =
            |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !plain_name(&self.marker_field) {
            let why = "write the field's name as the API shows it, for instance \"cf_handoff_key\"";
            return Err(("marker_field", why.to_owned()));
        }
        if self.overlap_secs < OVERLAP_SECS_MIN || self.overlap_secs > 86_400 {
            return Err(("overlap_secs", format!("write a number from {OVERLAP_SECS_MIN} to 86400")));
        }
        if http::HeaderName::from_bytes(self.webhook_header.as_bytes()).is_err() {
            return Err(("webhook_header", "this is not a name that a header can have".to_owned()));
        }
        if self.message_bytes_max < 1_000 {
            return Err(("message_bytes_max", "write at least 1000".to_owned()));
        }
        if !(1..=ATTACHMENTS_BYTES_MAX).contains(&self.attachments_bytes_max) {
            let why = format!("write a number of bytes from 1 to {ATTACHMENTS_BYTES_MAX}");
            return Err(("attachments_bytes_max", why));
        }
        if let Some(name) = self.paragraph_fields.iter().find(|name| !plain_name(name)) {
            return Err(("paragraph_fields", format!("{name:?} is not a field's name as the API shows it")));
        }
        match &self.fallback_requester_email {
            Some(email) if !email.contains('@') => {
                Err(("fallback_requester_email", "this is not an e-mail address".to_owned()))
            }
            _ => Ok(()),
        }
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

/// What status ids mean, both ways.
#[derive(Clone, Debug)]
pub struct StatusTable {
    read: BTreeMap<i64, Status>,
    write: BTreeMap<Status, i64>,
}

impl StatusTable {
    fn new(settings: &Settings) -> Result<Self, (String, String)> {
        let mut read = BTreeMap::from([
            (2, Status::Open),
            (3, Status::Pending),
            (4, Status::Solved),
            (5, Status::Closed),
        ]);
        for (id, status) in &settings.statuses {
            let number = id.parse::<i64>().ok().filter(|number| *number > 0).ok_or_else(|| {
                (format!("statuses.{id}"), "the key is the status's number at Freshdesk".to_owned())
            })?;
            read.insert(number, *status);
        }
        for (status, id) in &settings.write_statuses {
            if read.get(id) != Some(status) {
                let why =
                    format!("{id} does not mean {0}: write {id} = \"{0}\" under statuses too", status.name());
                return Err((format!("write_statuses.{}", status.name()), why));
            }
        }
        let mut table = Self { read, write: settings.write_statuses.clone() };
        for status in Status::ALL {
            let id = table.choose(status);
            table.write.entry(status).or_insert(id);
        }
        Ok(table)
    }

    /// The lowest id that means the status, or the nearest status that there is.
    fn choose(&self, status: Status) -> i64 {
        let nearest: &[Status] = match status {
            Status::New => &[Status::New, Status::Open],
            Status::Open => &[Status::Open, Status::New],
            Status::Pending => &[Status::Pending, Status::OnHold],
            Status::OnHold => &[Status::OnHold, Status::Pending],
            Status::Solved => &[Status::Solved, Status::Closed],
            Status::Closed => &[Status::Closed, Status::Solved],
        };
        nearest.iter().find_map(|wanted| self.id_of(*wanted)).unwrap_or(2)
    }

    fn id_of(&self, status: Status) -> Option<i64> {
        let configured = self.write.get(&status).copied();
        configured.or_else(|| self.read.iter().find(|(_, means)| **means == status).map(|(id, _)| *id))
    }

    /// What the id means; an id that nobody mapped reads as open.
    pub fn status(&self, id: i64) -> Status {
        self.read.get(&id).copied().unwrap_or(Status::Open)
    }

    /// Whether somebody said what the id means.
    pub fn knows(&self, id: i64) -> bool {
        self.read.contains_key(&id)
    }

    /// Whether the id is what its status is written as without further detail.
    pub fn is_default(&self, id: i64) -> bool {
        self.id(self.status(id)) == id
    }

    /// What a ticket of this id shows.
    pub fn shown(&self, id: i64) -> Value {
        let status = self.status(id);
        if self.is_default(id) {
            return Value::Status(status);
        }
        Value::StatusDetail { status, detail: id.to_string() }
    }

    /// The id that the value is written as: the detail's, if that is an id of the same
    /// status here, else the status's own. `None` for what is no status.
    pub fn id_for(&self, value: &Value) -> Option<i64> {
        match value {
            Value::Status(status) => Some(self.id(*status)),
            Value::StatusDetail { status, detail } => {
                let named = detail.parse::<i64>().ok().filter(|id| *id > 0 && self.status(*id) == *status);
                Some(named.unwrap_or_else(|| self.id(*status)))
            }
            _ => None,
        }
    }

    /// The id that the status is written as.
    pub fn id(&self, status: Status) -> i64 {
        self.write.get(&status).copied().unwrap_or(2)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(table: serde_json::Value) -> Result<(Settings, StatusTable), BadSettings> {
        Settings::read(&AccountId::from("fd"), &table)
    }

    #[test]
    fn errors_name_the_key() {
        let rows = [
            (json!({"plna": "pro"}), "accounts.fd.settings.plna: unknown field `plna`"),
            (json!({"plan": "gold"}), "accounts.fd.settings.plan: unknown variant `gold`"),
            (json!({"overlap_secs": 5}), "accounts.fd.settings.overlap_secs: write a number from 60"),
            (
                json!({"marker_field": "my field"}),
                "accounts.fd.settings.marker_field: write the field's name",
            ),
            (json!({"statuses": {"6": "waiting"}}), "accounts.fd.settings.statuses.6: unknown variant"),
            (json!({"statuses": {"six": "pending"}}), "accounts.fd.settings.statuses.six: the key is"),
            (
                json!({"write_statuses": {"on_hold": 7}}),
                "accounts.fd.settings.write_statuses.on_hold: 7 does not",
            ),
            (json!({"webhook_header": "X Y"}), "accounts.fd.settings.webhook_header: "),
            (json!({"fallback_requester_email": "x"}), "accounts.fd.settings.fallback_requester_email: "),
            (json!({"message_bytes_max": 3}), "accounts.fd.settings.message_bytes_max: "),
            (json!({"requests_per_hour": 0}), "accounts.fd.settings.requests_per_hour: "),
            (json!({"attachments_bytes_max": 0}), "accounts.fd.settings.attachments_bytes_max: "),
            (json!({"paragraph_fields": ["my field"]}), "accounts.fd.settings.paragraph_fields: "),
        ];
        for (table, expected) in rows {
            let error = read(table.clone()).expect_err("it is wrong").to_string();
            assert!(error.starts_with(expected), "{error} for {table}");
        }
        assert!(read(serde_json::Value::Null).is_ok());
    }

    #[test]
    fn statuses_are_written_as_the_lowest_id_that_means_them() {
        let (_, plain) = read(json!({})).unwrap();
        let ids = |table: &StatusTable| Status::ALL.map(|status| table.id(status));
        assert_eq!(ids(&plain), [2, 2, 3, 3, 4, 5]);
        let (_, mapped) = read(json!({"statuses": {"6": "pending", "7": "on_hold", "12": "new"}})).unwrap();
        assert_eq!(ids(&mapped), [12, 2, 3, 7, 4, 5]);
        assert_eq!((mapped.status(6), mapped.status(99)), (Status::Pending, Status::Open));
        let told = json!({"statuses": {"6": "pending"}, "write_statuses": {"pending": 6}});
        assert_eq!(ids(&read(told).unwrap().1), [2, 2, 6, 6, 4, 5]);
        let (_, turned) = read(json!({"statuses": {"2": "new", "5": "solved"}})).unwrap();
        assert_eq!(ids(&turned), [2, 2, 3, 3, 4, 4]);
    }

    #[test]
    fn a_status_of_the_accounts_own_is_named_by_its_id() {
        let told = json!({"statuses": {"6": "pending", "7": "on_hold"}});
        let (_, table) = read(told).unwrap();
        let detail = |status, detail: &str| Value::StatusDetail { status, detail: detail.to_owned() };
        let rows = [
            (3, Value::Status(Status::Pending)),
            (6, detail(Status::Pending, "6")),
            (7, Value::Status(Status::OnHold)),
            (12, detail(Status::Open, "12")),
        ];
        for (id, shown) in rows {
            assert_eq!(table.shown(id), shown);
            assert_eq!(table.id_for(&shown), Some(id), "and back");
        }
        let elsewhere = [(detail(Status::Solved, "6"), 4), (detail(Status::OnHold, "waiting"), 7)];
        for (value, id) in elsewhere {
            assert_eq!(table.id_for(&value), Some(id), "{value}");
        }
    }

    #[test]
    fn plans_set_the_pace() {
        let (growth, _) = read(json!({})).unwrap();
        assert_eq!(growth.quota(), Quota { count: 200, per: Duration::from_secs(60) });
        assert_eq!(growth.plan.bucket(Endpoint::TicketsList).1.count, 20);
        assert_eq!(growth.plan.bucket(Endpoint::TicketsUpdate).1.count, 80);
        let (old, _) = read(json!({"plan": "pro", "requests_per_hour": 3000})).unwrap();
        assert_eq!(old.quota(), Quota { count: 3_000, per: Duration::from_secs(3_600) });
        assert_eq!(
            old.plan.bucket(Endpoint::TicketsList),
            ("tickets-list".to_owned(), Quota { count: 100, per: Duration::from_secs(60) })
        );
    }
}
