//! Nested form parameters: `a[b]=c`, `a[]=x`, `a[0][b]=c`.

use serde_json::{Map, Value};

/// Deeper names than any of the vendor's are refused.
const DEPTH_MAX: usize = 12;

/// Reads form-encoded text into `params`. `None` when a name is nested too deep or not closed.
pub(super) fn read(encoded: &[u8], params: &mut Map<String, Value>) -> Option<()> {
    for (name, value) in url::form_urlencoded::parse(encoded) {
        let path = path(&name)?;
        insert(params, &path, Value::String(value.into_owned()));
    }
    Some(())
}

/// Turns objects whose names are all numbers into arrays.
pub(super) fn settle(value: Value) -> Value {
    let Value::Object(map) = value else { return value };
    let numbers: Option<Vec<u64>> = map.keys().map(|name| name.parse().ok()).collect();
    let mut settled: Vec<(String, Value)> =
        map.into_iter().map(|(name, held)| (name, settle(held))).collect();
    match numbers {
        Some(numbers) if !numbers.is_empty() => {
            settled.sort_by_key(|(name, _)| name.parse::<u64>().unwrap_or(u64::MAX));
            Value::Array(settled.into_iter().map(|(_, held)| held).collect())
        }
        _ => Value::Object(settled.into_iter().collect()),
    }
}

fn path(name: &str) -> Option<Vec<String>> {
    let Some((first, rest)) = name.split_once('[') else { return Some(vec![name.to_owned()]) };
    let inner = rest.strip_suffix(']')?;
    let mut parts = vec![first.to_owned()];
    parts.extend(inner.split("][").map(str::to_owned));
    let clean = parts.iter().all(|part| !part.contains(['[', ']']));
    (clean && parts.len() <= DEPTH_MAX).then_some(parts)
}

fn insert(into: &mut Map<String, Value>, path: &[String], value: Value) {
    let Some((name, rest)) = path.split_first() else { return };
    // `[]` is the next of a list.
    let name = if name.is_empty() { into.len().to_string() } else { name.clone() };
    if rest.is_empty() {
        into.insert(name, value);
        return;
    }
    let slot = into.entry(name).or_insert_with(|| Value::Object(Map::new()));
    if !slot.is_object() {
        *slot = Value::Object(Map::new());
    }
    if let Some(inner) = slot.as_object_mut() {
        insert(inner, rest, value);
    }
}
