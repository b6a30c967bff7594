//! What the simulators answer, judged by the vendor's own description: a simulator that
//! answers otherwise than the vendor proves nothing.
//!
//! Answers are heard while the conformance suite runs. `null` may stand anywhere, as it does in
//! real traffic, and fields that the description does not know are nothing to it.

use std::collections::{BTreeMap, BTreeSet};

use http::Method;
use jsonschema::{Draft, Validator};
use serde_json::{Value as Json, json};

use super::{
    Exception,
    description::{entries, read, resolved},
    requests::Judged,
    shared,
};
use crate::conformance::{
    Check,
    recorder::{Exchange, exchanged_by},
};

/// Checks every answer to the checks' requests. Paths that the description lacks are
/// judged with the requests, not here.
pub fn all_are_described(judged: &Judged, checks: &[Check], excused: &[Exception]) {
    let Some(file) = shared(judged.file) else { return };
    let heard = exchanged_by(checks);
    let description = Description::of(read(&file));
    let mut validators = BTreeMap::new();
    let (mut said, mut judged_count) = (BTreeMap::<String, String>::new(), 0_usize);
    for one in heard.iter().filter(|one| one.status.is_success()) {
        let path = (judged.spelled)(one.uri.path());
        let Some((template, operation)) = description.operation(&one.method, &path) else { continue };
        judged_count += 1;
        let place = format!("{} {template} {}", one.method, one.status.as_u16());
        let validator = validators
            .entry(place.clone())
            .or_insert_with(|| description.validator(operation, one.status.as_u16()));
        for (why, value) in objections(validator, one) {
            said.entry(format!("{place}: {why}")).or_insert(value);
        }
    }
    println!("{}: {judged_count} answers were judged, of {:#?}", judged.name, validators.keys());
    let mut met = BTreeSet::new();
    let is_excused = |line: &str| {
        let fits = |one: &Exception| line.starts_with(one.request) && line.contains(one.said);
        excused.iter().position(fits)
    };
    let mut left = Vec::new();
    for (line, value) in &said {
        match is_excused(line) {
            Some(at) => drop(met.insert(at)),
            None => left.push(format!("{line}\n    {value}")),
        }
    }
    assert!(judged_count > 100, "{judged_count} answers are not the suite's");
    assert!(left.is_empty(), "the simulator of {} answers\n  {}", judged.name, left.join("\n  "));
    let stale = excused.iter().enumerate().filter(|(at, _)| !met.contains(at));
    let stale: Vec<&str> = stale.map(|(_, one)| one.request).collect();
    assert!(stale.is_empty(), "exceptions that nothing needs any more: {stale:?}");
}

/// What the description says against one answer: where, without numbers, and what stands there.
fn objections(validator: &Expected, one: &Exchange) -> Vec<(String, String)> {
    let validator = match validator {
        Expected::Nothing => return Vec::new(),
        Expected::NoSuchStatus => return vec![("no such status".to_owned(), String::new())],
        Expected::Body(validator) => validator,
    };
    // An answer without a body is described as an empty text.
    let read = match one.body.is_empty() {
        true => Ok(json!("")),
        false => serde_json::from_slice(&one.body),
    };
    let Ok(body) = read else {
        return vec![("no JSON".to_owned(), String::from_utf8_lossy(&one.body).into_owned())];
    };
    let found = validator.iter_errors(&body).map(|error| {
        let place: Vec<String> = error.instance_path.to_string().split('/').map(without_number).collect();
        let rule = error.schema_path.to_string();
        let rule = rule.rsplit('/').find(|part| part.parse::<u64>().is_err()).unwrap_or_default().to_owned();
        let missing = match &error.kind {
            jsonschema::error::ValidationErrorKind::Required { property } => format!(" {property}"),
            _ => String::new(),
        };
        let mut shown = error.instance.to_string();
        shown.truncate(shown.char_indices().nth(300).map_or(shown.len(), |(at, _)| at));
        (format!("{} breaks {rule}{missing}", place.join("/")), shown)
    });
    found.collect()
}

fn without_number(part: &str) -> String {
    if part.parse::<u64>().is_ok() { "*".to_owned() } else { part.to_owned() }
}

/// What an operation answers with a status.
enum Expected {
    /// The description names no such status.
    NoSuchStatus,
    /// No JSON is described.
    Nothing,
    /// This.
    Body(Box<Validator>),
}

struct Description {
    root: Json,
}

impl Description {
    fn of(mut root: Json) -> Self {
        allow_null(&mut root);
        Self { root }
    }

    /// The operation of a path, and the path as the file spells it: the one with the fewest holes.
    fn operation(&self, method: &Method, path: &str) -> Option<(&str, &Json)> {
        let fits = |template: &str| {
            let (spelled, sent): (Vec<&str>, Vec<&str>) =
                (template.split('/').collect(), path.split('/').collect());
            let same = |(spelled, sent): (&&str, &&str)| spelled.starts_with('{') || spelled == sent;
            spelled.len() == sent.len() && spelled.iter().zip(&sent).all(same)
        };
        let found = entries(self.root.get("paths")).filter(|(template, _)| fits(template));
        let (template, operations) = found.min_by_key(|(template, _)| template.matches('{').count())?;
        Some((template.as_str(), operations.get(method.as_str().to_ascii_lowercase())?))
    }

    fn validator(&self, operation: &Json, status: u16) -> Expected {
        let answers = operation.get("responses");
        let named = answers.and_then(|answers| answers.get(status.to_string()));
        let Some(answer) = named.or_else(|| answers?.get("default")) else { return Expected::NoSuchStatus };
        let content = resolved(&self.root, answer).pointer("/content/application~1json/schema");
        let Some(schema) = content.filter(|schema| schema.as_object().is_some_and(|one| !one.is_empty()))
        else {
            return Expected::Nothing;
        };
        let whole = json!({"allOf": [schema], "components": self.root["components"]});
        let built = jsonschema::options().with_draft(Draft::Draft4).build(&whole);
        Expected::Body(Box::new(built.unwrap_or_else(|why| panic!("no schema: {why}"))))
    }
}

/// `null` may stand wherever something may: the descriptions forbid it and the vendors send it.
fn allow_null(at: &mut Json) {
    match at {
        Json::Object(object) => {
            if let Some(Json::String(kind)) = object.get("type") {
                let kinds = json!([kind, "null"]);
                object.insert("type".to_owned(), kinds);
                if let Some(Json::Array(words)) = object.get_mut("enum") {
                    words.push(Json::Null);
                }
            }
            // What is one of several kinds is, as `null`, each of them.
            if let Some(Json::Array(several)) = object.remove("oneOf") {
                object.insert("anyOf".to_owned(), Json::Array(several));
            }
            object.values_mut().for_each(allow_null);
        }
        Json::Array(rows) => rows.iter_mut().for_each(allow_null),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::StatusCode;

    use super::*;

    fn said(body: &str, status: u16) -> Vec<String> {
        let root = json!({
            "paths": {"/a/{id}": {"get": {"responses": {"200": {"content": {"application/json": {"schema":
                {"$ref": "#/components/schemas/A"}}}}, "204": {"description": "nothing"}}}}},
            "components": {"schemas": {"A": {"type": "object", "required": ["id"], "properties": {
                "id": {"type": "integer"}, "kind": {"type": "string", "enum": ["x"]},
                "rows": {"type": "array", "items": {"$ref": "#/components/schemas/A"}}}}}}});
        let description = Description::of(root);
        let (template, operation) = description.operation(&Method::GET, "/a/7").expect("it is described");
        assert_eq!(template, "/a/{id}");
        let one = Exchange {
            method: Method::GET,
            uri: "/a/7".parse().unwrap(),
            status: StatusCode::from_u16(status).unwrap(),
            body: Bytes::from(body.to_owned()),
        };
        let found = objections(&description.validator(operation, status), &one);
        found.into_iter().map(|(why, _)| why).collect()
    }

    #[test]
    fn what_is_not_described_is_told() {
        let none: [&str; 0] = [];
        assert_eq!(
            said(r#"{"id": 1, "kind": "x", "more": {}, "rows": [{"id": 2, "kind": null}]}"#, 200),
            none
        );
        assert_eq!(said("", 204), none);
        assert_eq!(said("", 201), ["no such status"]);
        assert_eq!(said("<html>", 200), ["no JSON"]);
        assert_eq!(said(r#"{"kind": "x"}"#, 200), [" breaks required \"id\""]);
        let deep = r#"{"id": "1", "rows": [{"id": 1}, {"id": 2, "kind": "y"}]}"#;
        assert_eq!(said(deep, 200), ["/id breaks type", "/rows/*/kind breaks enum"]);
    }
}
