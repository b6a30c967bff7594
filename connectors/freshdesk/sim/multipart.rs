//! `multipart/form-data`, which carries attachments: parts to the JSON that they stand for.

use bytes::Bytes;
use serde_json::{Map, Value};

use super::fields::{CustomField, Kind};

/// A file in a form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Upload {
    pub name: String,
    pub kind: String,
    pub bytes: Bytes,
}

/// Fields that are whole numbers in JSON.
const NUMBERS: &[&str] = &[
    "company_id",
    "email_config_id",
    "group_id",
    "priority",
    "product_id",
    "requester_id",
    "responder_id",
    "source",
    "status",
    "user_id",
];
/// Fields that are truth values in JSON.
const FLAGS: &[&str] = &["incoming", "private", "view_all_tickets"];

/// The most parts of a form.
const PARTS_MAX: usize = 300;

/// The fields and the files of a form. `None` when it is broken.
pub(super) fn read(
    kind: &str,
    body: &Bytes,
    custom: &[CustomField],
) -> Option<(Map<String, Value>, Vec<Upload>)> {
    let boundary = parameter(kind, "boundary")?;
    let mark = format!("--{boundary}");
    let (mut fields, mut files) = (Map::new(), Vec::new());
    let mut rest = find(body, mark.as_bytes())? + mark.len();
    for _ in 0..PARTS_MAX {
        let tail = body.slice(rest..);
        if tail.starts_with(b"--") {
            return Some((fields, files));
        }
        let part_at = rest + find(&tail, b"\r\n")? + 2;
        let part = body.slice(part_at..);
        let end = find(&part, format!("\r\n{mark}").as_bytes())?;
        let (name, file, bytes) = one(&part.slice(..end))?;
        match file {
            Some((file, kind)) => files.push(Upload { name: file, kind, bytes }),
            None => insert(&mut fields, &name, std::str::from_utf8(&bytes).ok()?, custom),
        }
        rest = part_at + end + 2 + mark.len();
    }
    None
}

type Part = (String, Option<(String, String)>, Bytes);

fn one(part: &Bytes) -> Option<Part> {
    let gap = find(part, b"\r\n\r\n")?;
    let head = std::str::from_utf8(&part[..gap]).ok()?;
    let header = |wanted: &str| {
        head.split("\r\n").find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.trim().eq_ignore_ascii_case(wanted).then(|| value.trim())
        })
    };
    let disposition = header("content-disposition")?;
    let kind = header("content-type").unwrap_or("application/octet-stream").to_owned();
    let file = parameter(disposition, "filename").map(|file| (file, kind));
    Some((parameter(disposition, "name")?, file, part.slice(gap + 4..)))
}

/// `name="value"` or `name=value` of a header. A value in quotes may hold a semicolon.
fn parameter(header: &str, wanted: &str) -> Option<String> {
    let (_, mut rest) = header.split_once(';')?;
    loop {
        let (name, value) = rest.split_once('=')?;
        let quoted = value.strip_prefix('"').and_then(|inner| inner.split_once('"'));
        let (value, behind) = match quoted {
            Some((value, behind)) => (value, behind.trim_start().strip_prefix(';').unwrap_or("")),
            None => value.split_once(';').unwrap_or((value, "")),
        };
        if name.trim().eq_ignore_ascii_case(wanted) {
            return Some(value.trim().replace("%22", "\"").replace("%0D", "\r").replace("%0A", "\n"));
        }
        rest = behind;
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

/// `a[]` is the next of a list, `a[b]` a member of an object.
fn insert(fields: &mut Map<String, Value>, name: &str, text: &str, custom: &[CustomField]) {
    let Some((outer, inner)) = name.strip_suffix(']').and_then(|name| name.split_once('[')) else {
        fields.insert(name.to_owned(), typed(name, text));
        return;
    };
    if inner.is_empty() {
        let slot = fields.entry(outer.to_owned()).or_insert_with(|| Value::Array(Vec::new()));
        if let Value::Array(list) = slot {
            list.push(Value::String(text.to_owned()));
        }
        return;
    }
    let slot = fields.entry(outer.to_owned()).or_insert_with(|| Value::Object(Map::new()));
    if let Value::Object(object) = slot {
        let kind = custom.iter().find(|field| field.name == inner).map(|field| &field.kind);
        let value = match kind {
            _ if text.is_empty() => Value::Null,
            Some(Kind::Number | Kind::Decimal) => number(text),
            Some(Kind::Checkbox) => flag(text),
            _ => Value::String(text.to_owned()),
        };
        object.insert(inner.to_owned(), value);
    }
}

fn typed(name: &str, text: &str) -> Value {
    match name {
        _ if NUMBERS.contains(&name) => number(text),
        _ if FLAGS.contains(&name) => flag(text),
        _ => Value::String(text.to_owned()),
    }
}

fn number(text: &str) -> Value {
    let read = serde_json::from_str::<serde_json::Number>(text.trim());
    read.map_or_else(|_| Value::String(text.to_owned()), Value::Number)
}

fn flag(text: &str) -> Value {
    text.trim().parse::<bool>().map_or_else(|_| Value::String(text.to_owned()), Value::Bool)
}
