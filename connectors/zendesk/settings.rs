//! The options of a Zendesk account: its `settings` table.

use std::time::Duration;

use handoffd_core::AccountId;
use serde::Deserialize;

use crate::{
    client::Quota,
    contract::{BadSettings, CustomField},
};

/// The smallest page of the export that is asked for.
pub const PAGE_ROWS_MIN: u32 = 10;
/// The largest page that the export gives.
pub const PAGE_ROWS_MAX: u32 = 1_000;

/// The `settings` table of a Zendesk account. All keys may be left out.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The plan, which sets the requests a minute until a header tells more.
    pub plan: Plan,
    /// The tag that marks a silent update. The account's triggers that mail the
    /// requester must exclude it. It is put on and taken off by us and is never
    /// among a ticket's tags as the rest of handoffd sees them.
    pub quiet_tag: String,
    /// Whether a trigger of the account mails public replies of agents to the
    /// customer. `false` makes another account mail them.
    pub mails_public_replies: bool,
    /// Whether writes wait until every such trigger excludes `quiet_tag`.
    pub require_quiet_trigger: bool,
    /// Whether the `comment_count` of the side-load may be believed to count
    /// every comment. Its meaning is not documented; it stops being believed
    /// by itself when it is seen to leave private comments out.
    pub trust_comment_count: bool,
    /// How many tickets a page of the export holds, 10 to 1000. It shrinks by
    /// itself while Zendesk cannot answer in time.
    pub export_page_rows: u32,
    /// Whether the account has the status "on hold", which an admin must switch
    /// on. Without it, "on hold" of another helpdesk becomes "open" here.
    pub has_hold_status: bool,
    /// How old a webhook's signed timestamp may be, in seconds. Off when left
    /// out: Zendesk documents no window, and a replay only makes us look again.
    pub webhook_tolerance_secs: Option<u32>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            plan: Plan::Growth,
            quiet_tag: "handoffd_quiet".to_owned(),
            mails_public_replies: true,
            require_quiet_trigger: true,
            trust_comment_count: true,
            export_page_rows: PAGE_ROWS_MAX,
            has_hold_status: true,
            webhook_tolerance_secs: None,
        }
    }
}

/// A plan by the requests a minute that Zendesk grants it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Plan {
    /// Essential (legacy): 10.
    Essential,
    /// Suite or Support Team: 200.
    Team,
    /// Suite Growth: 400.
    Growth,
    /// Suite or Support Professional: 400.
    Professional,
    /// Suite or Support Enterprise: 700.
    Enterprise,
    /// Suite Enterprise Plus: 2500.
    EnterprisePlus,
    /// Any plan with the High Volume add-on: 2500.
    HighVolume,
}

impl Plan {
    /// The account's quota until a header says otherwise.
    pub fn quota(self) -> Quota {
        let count = match self {
            Self::Essential => 10,
            Self::Team => 200,
            Self::Growth | Self::Professional => 400,
            Self::Enterprise => 700,
            Self::EnterprisePlus | Self::HighVolume => 2_500,
        };
        Quota { count, per: Duration::from_secs(60) }
    }
}

impl Settings {
    /// Reads and checks the `settings` table; `null` is an empty one.
    pub fn read(account: &AccountId, table: &serde_json::Value) -> Result<Self, BadSettings> {
        if table.is_null() {
            return Ok(Self::default());
        }
        let settings: Self = serde_path_to_error::deserialize(table).map_err(|error| {
            let why = error.inner().to_string();
            let key = unknown_key(&why).unwrap_or_else(|| error.path().to_string());
            bad(account, key.trim_start_matches('.'), why)
        })?;
        settings.check(account)?;
        Ok(settings)
    }

    fn check(&self, account: &AccountId) -> Result<(), BadSettings> {
        let rows = PAGE_ROWS_MIN..=PAGE_ROWS_MAX;
        if !rows.contains(&self.export_page_rows) {
            let why = format!("must be {PAGE_ROWS_MIN} to {PAGE_ROWS_MAX}, is {}", self.export_page_rows);
            return Err(bad(account, "export_page_rows", why));
        }
        if super::map::tag(&self.quiet_tag).as_deref() != Some(self.quiet_tag.as_str()) {
            let why = "must be a tag as Zendesk keeps it: lower case, without spaces".to_owned();
            return Err(bad(account, "quiet_tag", why));
        }
        Ok(())
    }
}

/// Checks that every custom field is named as Zendesk names them: by a number.
pub fn check_custom(account: &AccountId, custom: &[CustomField]) -> Result<(), BadSettings> {
    let is_id = |field: &&CustomField| !super::api::is_number(&handoffd_core::RemoteId(field.native.clone()));
    match custom.iter().find(is_id) {
        Some(field) => {
            let why = format!(
                "{:?} is no id of a ticket field, which is a number; `handoffd provision --apply` makes a field of that name and prints its id",
                field.native
            );
            Err(bad(account, &format!("custom.{}", field.name.as_str()), why))
        }
        None => Ok(()),
    }
}

fn bad(account: &AccountId, key: &str, why: String) -> BadSettings {
    BadSettings { account: account.clone(), key: key.to_owned(), why }
}

/// The key that serde complains about when it knows no such field.
fn unknown_key(message: &str) -> Option<String> {
    let rest = message.strip_prefix("unknown field `")?;
    rest.split('`').next().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_empty_table_is_enough() {
        let id = AccountId::from("zd");
        assert_eq!(Settings::read(&id, &serde_json::Value::Null).unwrap(), Settings::default());
        assert_eq!(Settings::read(&id, &json!({})).unwrap(), Settings::default());
        let set = Settings::read(&id, &json!({"plan": "enterprise", "quiet_tag": "hush"})).unwrap();
        assert_eq!((set.plan.quota().count, set.quiet_tag.as_str()), (700, "hush"));
    }

    #[test]
    fn errors_name_the_key() {
        let cases = [
            (json!({"quiet_tga": "x"}), "quiet_tga"),
            (json!({"quiet_tag": "Two Words"}), "quiet_tag"),
            (json!({"quiet_tag": ""}), "quiet_tag"),
            (json!({"export_page_rows": 5000}), "export_page_rows"),
            (json!({"export_page_rows": "many"}), "export_page_rows"),
            (json!({"plan": "free"}), "plan"),
            (json!({"mails_public_replies": "yes"}), "mails_public_replies"),
        ];
        for (table, key) in cases {
            let error = Settings::read(&AccountId::from("zd"), &table).unwrap_err();
            let start = format!("accounts.zd.settings.{key}: ");
            assert!(error.to_string().starts_with(&start), "{error}");
        }
    }
}
