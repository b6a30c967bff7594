//! The options of a Stripe account: its `settings` table.

use handoffd_core::AccountId;
use serde::{Deserialize, Deserializer, de};

use crate::contract::BadSettings;

/// The `settings` table of a Stripe account. All keys may be left out.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The `Stripe-Version` that every request names. Both shapes around the
    /// change of 2025-03-31 are read.
    pub api_version: String,
    /// Which records count: `true` live ones, `false` test ones, `"any"` both.
    /// A key belongs to one mode, so `"any"` mixes nothing; the probe warns of
    /// a test key, and facts from one say so.
    pub livemode: Livemode,
    /// Whether customers are also searched for without regard to letter case.
    /// Not available to merchants in India.
    pub search: bool,
    /// The connected account that is asked about (`acct_…`); none for the key's own.
    pub connected_account: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            api_version: "2026-06-24.dahlia".to_owned(),
            livemode: Livemode::Any,
            search: true,
            connected_account: None,
        }
    }
}

/// Which records count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Livemode {
    /// Those that say so.
    Only(bool),
    /// All.
    Any,
}

impl Livemode {
    /// Whether a record counts. One that does not say where it belongs does.
    pub fn admits(self, livemode: Option<bool>) -> bool {
        match (self, livemode) {
            (Self::Any, _) | (_, None) => true,
            (Self::Only(wanted), Some(is)) => wanted == is,
        }
    }
}

impl<'de> Deserialize<'de> for Livemode {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Livemode;
            fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                out.write_str("true, false or \"any\"")
            }
            fn visit_bool<E>(self, live: bool) -> Result<Livemode, E> {
                Ok(Livemode::Only(live))
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Livemode, E> {
                match text {
                    "any" => Ok(Livemode::Any),
                    _ => Err(E::invalid_value(de::Unexpected::Str(text), &self)),
                }
            }
        }
        input.deserialize_any(Visitor)
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
            bad(account, key.trim_start_matches('.'), &why)
        })?;
        settings.check(account)?;
        Ok(settings)
    }

    fn check(&self, account: &AccountId) -> Result<(), BadSettings> {
        if !is_version(&self.api_version) {
            let why = "must be a version as Stripe names them, for instance 2026-06-24.dahlia";
            return Err(bad(account, "api_version", why));
        }
        let is_account = |id: &String| {
            id.strip_prefix("acct_").is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_alphanumeric()))
        };
        if self.connected_account.as_ref().is_some_and(|id| !is_account(id)) {
            return Err(bad(
                account,
                "connected_account",
                "must be the id of an account, which begins with acct_",
            ));
        }
        Ok(())
    }
}

/// `YYYY-MM-DD`, and since 2024 `.` and a name.
fn is_version(text: &str) -> bool {
    let (day, name) = text.split_once('.').unwrap_or((text, "x"));
    let digits = |part: &str, count| part.len() == count && part.bytes().all(|b| b.is_ascii_digit());
    let parts: Vec<&str> = day.split('-').collect();
    let is_day = matches!(parts[..], [y, m, d] if digits(y, 4) && digits(m, 2) && digits(d, 2));
    is_day && !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase())
}

fn bad(account: &AccountId, key: &str, why: &str) -> BadSettings {
    BadSettings { account: account.clone(), key: key.to_owned(), why: why.to_owned() }
}

/// The key that serde complains about when it knows no such field.
fn unknown_key(message: &str) -> Option<String> {
    message.strip_prefix("unknown field `")?.split('`').next().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_empty_table_is_enough_and_every_key_is_read() {
        let id = AccountId::from("billing");
        assert_eq!(Settings::read(&id, &serde_json::Value::Null).unwrap(), Settings::default());
        assert_eq!(Settings::read(&id, &json!({})).unwrap(), Settings::default());
        let table = json!({"api_version": "2024-06-20", "livemode": true, "search": false,
            "connected_account": "acct_1A"});
        let settings = Settings::read(&id, &table).unwrap();
        assert_eq!((settings.api_version.as_str(), settings.livemode), ("2024-06-20", Livemode::Only(true)));
        assert_eq!((settings.search, settings.connected_account.as_deref()), (false, Some("acct_1A")));
        let any = Settings::read(&id, &json!({"livemode": "any"})).unwrap();
        assert_eq!(any.livemode, Livemode::Any);
        let test = Settings::read(&id, &json!({"livemode": false})).unwrap();
        assert_eq!(test.livemode, Livemode::Only(false));
    }

    #[test]
    fn errors_name_the_key() {
        let cases = [
            (json!({"api_verison": "x"}), "api_verison"),
            (json!({"api_version": "latest"}), "api_version"),
            (json!({"api_version": "2026-06-24\r\nx: y"}), "api_version"),
            (json!({"livemode": "yes"}), "livemode"),
            (json!({"livemode": 1}), "livemode"),
            (json!({"search": "no"}), "search"),
            (json!({"connected_account": "cus_1"}), "connected_account"),
        ];
        for (table, key) in cases {
            let error = Settings::read(&AccountId::from("billing"), &table).unwrap_err();
            assert!(error.to_string().starts_with(&format!("accounts.billing.settings.{key}: ")), "{error}");
        }
    }

    #[test]
    fn records_of_the_other_mode_do_not_count() {
        let rows = [
            (Livemode::Only(true), Some(false), false),
            (Livemode::Only(true), Some(true), true),
            (Livemode::Only(false), Some(true), false),
            (Livemode::Only(true), None, true),
            (Livemode::Any, Some(false), true),
        ];
        for (setting, record, counts) in rows {
            assert_eq!(setting.admits(record), counts, "{setting:?} {record:?}");
        }
    }
}
