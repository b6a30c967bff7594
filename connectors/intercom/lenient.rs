//! JSON values of which only the simple ones count, in any spelling: ids come
//! as numbers and as text, depending on the record and the API's version.

use std::fmt;

use handoffd_core::{RemoteId, Timestamp};
use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_json::Value;

/// A day has so many seconds.
const DAY_SECS: i64 = 24 * 60 * 60;

/// Any JSON value.
#[derive(Clone, Default, PartialEq, Deserialize)]
#[serde(transparent)]
pub struct Loose(pub Value);

impl fmt::Debug for Loose {
    /// Values are ticket text: only their kind is shown.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self.0 {
            Value::Null => "null",
            Value::Bool(_) => "flag",
            Value::Number(_) => "number",
            Value::String(_) => "text",
            Value::Array(_) | Value::Object(_) => "list or object",
        })
    }
}

impl Loose {
    /// A whole number, written as a number or as text.
    pub fn whole(&self) -> Option<i64> {
        match &self.0 {
            Value::Number(number) => number.as_i64(),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        }
    }

    /// A count.
    pub fn count(&self) -> Option<u64> {
        self.whole().and_then(|number| u64::try_from(number).ok())
    }

    /// A numeric id. `0` is Intercom's "nobody" in some versions.
    pub fn id(&self) -> Option<RemoteId> {
        self.whole().filter(|number| *number > 0).map(RemoteId::from)
    }

    /// An id of any letters and digits: contacts have hexadecimal ones.
    pub fn name_id(&self) -> Option<RemoteId> {
        self.text().map(|text| text.trim().to_owned()).filter(|text| is_plain(text)).map(RemoteId::new)
    }

    /// A text that is not blank; numbers and flags as they are written.
    pub fn text(&self) -> Option<String> {
        let text = match &self.0 {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            Value::Bool(flag) => flag.to_string(),
            Value::Null | Value::Array(_) | Value::Object(_) => return None,
        };
        (!text.trim().is_empty()).then_some(text)
    }

    /// Yes or no, if it says so.
    pub fn flag(&self) -> Option<bool> {
        match &self.0 {
            Value::Bool(flag) => Some(*flag),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        }
    }

    /// A moment: Intercom counts unix seconds.
    pub fn moment(&self) -> Option<Timestamp> {
        self.whole().filter(|secs| *secs > 0).map(Timestamp::from_secs)
    }

    /// A day, `YYYY-MM-DD`, from unix seconds or from an ISO text.
    pub fn day(&self) -> Option<String> {
        let text = match (self.whole(), &self.0) {
            (Some(secs), _) => Timestamp::from_secs(secs).to_rfc3339_secs(),
            (None, Value::String(text)) => text.trim().to_owned(),
            _ => return None,
        };
        let day = text.get(..10)?;
        Timestamp::parse(&format!("{day}T00:00:00Z")).ok().map(|_| day.to_owned())
    }
}

/// The first second of a day, `YYYY-MM-DD`.
pub fn day_start(day: &str) -> Option<i64> {
    let at = Timestamp::parse(&format!("{day}T00:00:00Z")).ok()?.as_secs();
    Some(at - at.rem_euclid(DAY_SECS))
}

/// Whether an id leads nowhere else when it stands in a path.
pub fn is_plain(id: &str) -> bool {
    !id.is_empty() && id.len() <= 64 && id.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Reads a list, of which `null` is the empty one. A list that is left out stays an error.
pub fn null_is_empty<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Vec<T>, D::Error> {
    Ok(Option::<Vec<T>>::deserialize(from)?.unwrap_or_default())
}

/// Reads what is good to have: anything unreadable is nothing.
pub fn or_nothing<'de, D: Deserializer<'de>, T: DeserializeOwned + Default>(from: D) -> Result<T, D::Error> {
    Ok(serde_json::from_value(Value::deserialize(from)?).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_read_in_any_spelling() {
        let rows = [
            (json!(12), Some("12"), Some("12"), None),
            (json!("12"), Some("12"), Some("12"), None),
            (json!("0"), None, Some("0"), None),
            (json!(0), None, Some("0"), None),
            (json!(null), None, None, None),
            (json!(true), None, Some("true"), Some(true)),
            (json!("false"), None, Some("false"), Some(false)),
            (json!(" "), None, None, None),
            (json!([1]), None, None, None),
            (json!({"a": 1}), None, None, None),
            (json!(1.5), None, Some("1.5"), None),
        ];
        for (value, id, text, flag) in rows {
            let loose = Loose(value.clone());
            assert_eq!(loose.id(), id.map(RemoteId::from), "{value}");
            assert_eq!(loose.text().as_deref(), text, "{value}");
            assert_eq!(loose.flag(), flag, "{value}");
        }
        assert_eq!(Loose(json!("../x")).name_id(), None, "it would lead elsewhere");
        assert_eq!(Loose(json!("6762f1261bb69f9f2193bba7")).name_id().unwrap().as_str().len(), 24);
    }

    #[test]
    fn days_are_days_in_either_form() {
        let day = |value| Loose(value).day();
        assert_eq!(day(json!(1_795_334_400)).as_deref(), Some("2026-11-22"));
        assert_eq!(day(json!("2026-11-22T23:59:59Z")).as_deref(), Some("2026-11-22"));
        assert_eq!(day(json!("2026-11-22")).as_deref(), Some("2026-11-22"));
        assert_eq!(day(json!("2026-13-22")), None);
        assert_eq!(day(json!("soon")), None);
        assert_eq!(day_start("2026-11-22"), Some(1_795_305_600));
        assert_eq!(day(json!(day_start("2026-11-22").unwrap())).as_deref(), Some("2026-11-22"));
    }

    #[test]
    fn debug_shows_no_value() {
        assert_eq!(format!("{:?}", Loose(json!("my secret"))), "text");
    }
}
