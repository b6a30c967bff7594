//! Reading what may be anything: Zendesk sends `null` where it promises none,
//! and numbers as text.

use handoffd_core::RemoteId;
use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_json::Value;

/// Reads an id: a number or a text that is not empty.
pub fn id<'de, D: Deserializer<'de>>(from: D) -> Result<Option<RemoteId>, D::Error> {
    Ok(text_of(&Value::deserialize(from)?).filter(|id| !id.is_empty()).map(RemoteId))
}

/// Reads text; numbers become text, everything else is `None`.
pub fn text<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    Ok(text_of(&Value::deserialize(from)?))
}

/// Reads text where `null` is told apart from nothing said.
pub fn said_text<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Option<String>>, D::Error> {
    text(from).map(Some)
}

/// Reads an id where `null` is told apart from nothing said.
pub fn said_id<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Option<RemoteId>>, D::Error> {
    id(from).map(Some)
}

fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.trim().to_owned()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Reads a truth value, also as text.
pub fn flag<'de, D: Deserializer<'de>>(from: D) -> Result<Option<bool>, D::Error> {
    Ok(match Value::deserialize(from)? {
        Value::Bool(flag) => Some(flag),
        Value::String(text) => text.parse().ok(),
        _ => None,
    })
}

/// Reads a count, also as text.
pub fn count<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    Ok(text_of(&Value::deserialize(from)?).and_then(|text| text.parse().ok()))
}

/// Tags: a list, or (in webhooks) one text with spaces between them.
pub fn tags<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Vec<String>>, D::Error> {
    Ok(match Value::deserialize(from)? {
        Value::Array(tags) => Some(tags.iter().filter_map(text_of).collect()),
        Value::String(tags) => Some(tags.split_whitespace().map(str::to_owned).collect()),
        _ => None,
    })
}

/// Reads a list of ids; `None` when there is no list.
pub fn ids<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Vec<RemoteId>>, D::Error> {
    Ok(match Value::deserialize(from)? {
        Value::Array(ids) => Some(ids.iter().filter_map(text_of).map(RemoteId).collect()),
        _ => None,
    })
}

/// Reads one word or a list of words; truth values become words.
pub fn words<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    let value = Value::deserialize(from)?;
    let one = |value: &Value| match value {
        Value::Bool(flag) => Some(flag.to_string()),
        other => text_of(other),
    };
    Ok(match &value {
        Value::Array(words) => words.iter().filter_map(one).collect(),
        other => one(other).into_iter().collect(),
    })
}

/// Reads what may be `null`.
pub fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(from: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

/// Reads what is good to have: anything unreadable is nothing.
pub fn or_nothing<'de, D: Deserializer<'de>, T: DeserializeOwned + Default>(from: D) -> Result<T, D::Error> {
    Ok(serde_json::from_value(Value::deserialize(from)?).unwrap_or_default())
}

/// A list in which a `null`, for the whole or for an entry, is nothing.
pub fn list<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Vec<T>, D::Error> {
    let entries: Option<Vec<Option<T>>> = Option::deserialize(from)?;
    Ok(entries.unwrap_or_default().into_iter().flatten().collect())
}
