//! Any JSON value, for reading what tools were sent and what they answered.
//! Keeps the order of keys, and numbers as they print.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor},
};

use crate::briefing::one_line;

/// The longest text that is read as JSON, in bytes. Longer text stays text.
const JSON_BYTES_MAX: usize = 256 * 1024;

/// How many entries of a list are shown.
const LIST_SHOWN: usize = 3;

/// How much is written of one value, in bytes, before it is shortened further.
const FLAT_BYTES_MAX: usize = 2_000;

/// Keys whose values are never shown.
const HIDDEN_KEYS: [&str; 9] =
    ["password", "passwd", "secret", "api_key", "access_token", "authorization", "cvv", "cvc", "card_number"];

/// A JSON value.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Json {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    List(Vec<Json>),
    Map(Vec<(String, Json)>),
}

impl Json {
    /// Reads text as JSON; text that is none stays text.
    pub(super) fn read(text: &str) -> Self {
        if text.len() > JSON_BYTES_MAX {
            return Self::Text(text.to_owned());
        }
        serde_json::from_str(text).unwrap_or_else(|_| Self::Text(text.to_owned()))
    }

    /// The value under a key; null where there is none. Of two, the last.
    pub(super) fn get(&self, key: &str) -> &Self {
        match self {
            Self::Map(entries) => {
                entries.iter().rev().find(|(name, _)| name == key).map_or(&Self::Null, |(_, value)| value)
            }
            _ => &Self::Null,
        }
    }

    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn items(&self) -> &[Self] {
        match self {
            Self::List(items) => items,
            _ => &[],
        }
    }

    /// Null, false, and empty text, lists and maps.
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Null | Self::Bool(false) => true,
            Self::Bool(true) | Self::Number(_) => false,
            Self::Text(text) => text.trim().is_empty(),
            Self::List(items) => items.is_empty(),
            Self::Map(entries) => entries.is_empty(),
        }
    }

    /// One readable line: `user id: mia_li_3668, cabin: economy`.
    pub(super) fn flat(&self) -> String {
        let mut out = String::new();
        self.write_flat(&mut out, false);
        out
    }

    fn write_flat(&self, out: &mut String, inner: bool) {
        if out.len() > FLAT_BYTES_MAX {
            return;
        }
        match self {
            Self::Null => out.push_str("none"),
            Self::Bool(value) => out.push_str(if *value { "yes" } else { "no" }),
            Self::Number(number) => out.push_str(number),
            Self::Text(text) => out.push_str(&one_line(text)),
            Self::List(items) => write_list(items, out),
            Self::Map(entries) if inner => {
                out.push('(');
                write_entries(entries, out);
                out.push(')');
            }
            Self::Map(entries) => write_entries(entries, out),
        }
    }
}

fn write_entries(entries: &[(String, Json)], out: &mut String) {
    for (at, (key, value)) in entries.iter().enumerate() {
        if at > 0 {
            out.push_str(", ");
        }
        out.push_str(&words(key));
        out.push_str(": ");
        if HIDDEN_KEYS.contains(&key.to_ascii_lowercase().as_str()) {
            out.push_str("***");
        } else {
            value.write_flat(out, true);
        }
        if out.len() > FLAT_BYTES_MAX {
            return;
        }
    }
}

fn write_list(items: &[Json], out: &mut String) {
    if items.is_empty() {
        out.push_str("nothing");
    }
    if items.len() > LIST_SHOWN {
        out.push_str(&format!("{} in all: ", items.len()));
    }
    for (at, item) in items.iter().take(LIST_SHOWN).enumerate() {
        if at > 0 {
            out.push_str("; ");
        }
        item.write_flat(out, true);
    }
}

/// A name in code as words: `get_userDetails` becomes `get user details`.
pub(crate) fn words(name: &str) -> String {
    let mut spaced = String::new();
    let mut after_small = false;
    for c in name.chars() {
        if after_small && c.is_uppercase() {
            spaced.push(' ');
            spaced.extend(c.to_lowercase());
        } else {
            spaced.push(if matches!(c, '_' | '-' | '.') { ' ' } else { c });
        }
        after_small = c.is_lowercase() || c.is_ascii_digit();
    }
    one_line(&spaced)
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        input.deserialize_any(JsonVisitor)
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_none<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Number(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Number(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Json, E> {
        Ok(Json::Number(value.to_string()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(Json::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Json, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            map.push(entry);
        }
        Ok(Json::Map(map))
    }
}
