//! `…/search`: the vendor's query language over an index that can stay behind.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::{
    http::{Call, Fault},
    lists::limit,
    world::{Kept, Kind, World},
};

/// One clause: `email:'a@b.c'`, `-status:"active"`, `metadata['k']:'v'`, `created>1700000000`.
#[derive(Clone, Debug)]
struct Clause {
    negated: bool,
    /// The names on the way to the value.
    field: Vec<String>,
    how: How,
    value: Wanted,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    Is,
    Has,
    Above,
    AtLeast,
    Below,
    AtMost,
}

#[derive(Clone, Debug)]
enum Wanted {
    Text(String),
    Number(i64),
    Null,
}

struct Query {
    clauses: Vec<Clause>,
    any: bool,
}

/// `GET /v1/customers/search`.
pub(super) fn customers(world: &mut World, call: &Call) -> Result<Value, Fault> {
    search(world, call, Kind::Customer, &["created", "email", "metadata", "name", "phone"])
}

/// `GET /v1/subscriptions/search`.
pub(super) fn subscriptions(world: &mut World, call: &Call) -> Result<Value, Fault> {
    search(world, call, Kind::Subscription, &["canceled_at", "created", "metadata", "status"])
}

/// `GET /v1/invoices/search`.
pub(super) fn invoices(world: &mut World, call: &Call) -> Result<Value, Fault> {
    let known = &["created", "currency", "customer", "metadata", "number", "status", "subscription", "total"];
    search(world, call, Kind::Invoice, known)
}

/// `GET /v1/charges/search`.
pub(super) fn charges(world: &mut World, call: &Call) -> Result<Value, Fault> {
    let known = &["amount", "created", "currency", "customer", "disputed", "metadata", "refunded", "status"];
    search(world, call, Kind::Charge, known)
}

fn search(world: &World, call: &Call, kind: Kind, fields: &[&str]) -> Result<Value, Fault> {
    call.only(&["query", "limit", "page"])?;
    let limit = limit(call)?;
    let text = call.need("query")?;
    let query = read(text)?;
    for clause in &query.clauses {
        let name = clause.field.first().map_or("", String::as_str);
        if !fields.contains(&name) {
            let known = fields.join(", ");
            let message = format!(
                "Field `{name}` is an unsupported search field for this resource. Supported fields: {known}."
            );
            return Err(Fault::bad("query", message));
        }
    }
    let start = match call.text("page") {
        None => 0,
        Some(page) => read_page(page).ok_or_else(|| Fault::bad("page", "Invalid page token."))?,
    };
    let found: Vec<&Value> = world
        .newest(kind)
        .into_iter()
        .filter(|kept| kept.now["deleted"] != json!(true))
        .filter(|kept| indexed(kept, world.search_lag, call.now).is_some_and(|object| query.takes(object)))
        .map(|kept| &kept.now)
        .collect();
    let end = start.saturating_add(limit);
    let has_more = found.len() > end;
    let page: Vec<&&Value> = found.iter().skip(start).take(limit).collect();
    let next_page = has_more.then(|| URL_SAFE_NO_PAD.encode(format!("after {end}")));
    Ok(
        json!({"object": "search_result", "url": call.path, "has_more": has_more, "next_page": next_page, "data": page}),
    )
}

fn read_page(page: &str) -> Option<usize> {
    let bytes = URL_SAFE_NO_PAD.decode(page).ok()?;
    std::str::from_utf8(&bytes).ok()?.strip_prefix("after ")?.parse().ok()
}

/// What the index knows of an object.
fn indexed(kept: &Kept, lag: i64, now: i64) -> Option<&Value> {
    if now.saturating_sub(kept.changed_at) >= lag { Some(&kept.now) } else { kept.before.as_ref() }
}

impl Query {
    fn takes(&self, object: &Value) -> bool {
        let takes = |clause: &Clause| clause.takes(object) != clause.negated;
        if self.any { self.clauses.iter().any(takes) } else { self.clauses.iter().all(takes) }
    }
}

impl Clause {
    fn takes(&self, object: &Value) -> bool {
        let mut held = object;
        for name in &self.field {
            held = &held[name.as_str()];
        }
        match (&self.value, held) {
            (Wanted::Null, held) => held.is_null(),
            (Wanted::Number(wanted), held) => held.as_i64().is_some_and(|held| match self.how {
                How::Is | How::Has => held == *wanted,
                How::Above => held > *wanted,
                How::AtLeast => held >= *wanted,
                How::Below => held < *wanted,
                How::AtMost => held <= *wanted,
            }),
            (Wanted::Text(wanted), Value::String(held)) => {
                let (wanted, held) = (wanted.to_lowercase(), held.to_lowercase());
                if self.how == How::Has { held.contains(&wanted) } else { held == wanted }
            }
            (Wanted::Text(wanted), Value::Number(held)) => held.to_string() == *wanted,
            (Wanted::Text(wanted), Value::Bool(held)) => held.to_string() == *wanted,
            (Wanted::Text(_), _) => false,
        }
    }
}

fn bad() -> Fault {
    Fault::bad(
        "query",
        "We were unable to parse your search query. Try using the format `metadata[\"key\"]:\"value\"` to query for metadata or key:\"value\" to query for other fields.",
    )
}

fn read(text: &str) -> Result<Query, Fault> {
    let mut rest = text.trim();
    let mut clauses = Vec::new();
    let mut joins = Vec::new();
    loop {
        let (clause, tail) = clause(rest).ok_or_else(bad)?;
        clauses.push(clause);
        rest = tail.trim_start();
        if rest.is_empty() {
            break;
        }
        let word = rest.split_whitespace().next().unwrap_or("");
        match word.to_ascii_uppercase().as_str() {
            "AND" => joins.push(false),
            "OR" => joins.push(true),
            // Two clauses side by side are both meant.
            _ => {
                joins.push(false);
                continue;
            }
        }
        rest = rest[word.len()..].trim_start();
    }
    let any = joins.first() == Some(&true);
    if joins.iter().any(|join| *join != any) || clauses.len() > 10 {
        return Err(Fault::bad("query", "You cannot combine AND and OR in the same query."));
    }
    Ok(Query { clauses, any })
}

fn clause(text: &str) -> Option<(Clause, &str)> {
    let (negated, rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let end = rest.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_' && letter != '.')?;
    let (name, mut rest) = rest.split_at(end);
    if name.is_empty() {
        return None;
    }
    let mut field: Vec<String> = name.split('.').map(str::to_owned).collect();
    if let Some(inner) = rest.strip_prefix('[') {
        let (key, tail) = quoted(inner)?;
        field.push(key);
        rest = tail.strip_prefix(']')?;
    }
    let operators = [
        (">=", How::AtLeast),
        ("<=", How::AtMost),
        (">", How::Above),
        ("<", How::Below),
        (":", How::Is),
        ("~", How::Has),
    ];
    let (mark, how) = operators.into_iter().find(|(mark, _)| rest.starts_with(mark))?;
    rest = &rest[mark.len()..];
    let (value, rest) = value(rest)?;
    Some((Clause { negated, field, how, value }, rest))
}

fn value(text: &str) -> Option<(Wanted, &str)> {
    if text.starts_with(['\'', '"']) {
        return quoted(text).map(|(text, rest)| (Wanted::Text(text), rest));
    }
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    if word.eq_ignore_ascii_case("null") {
        return Some((Wanted::Null, rest));
    }
    word.parse().ok().map(|number| (Wanted::Number(number), rest))
}

/// Text in single or double quotes, where `\` keeps the next letter as it is.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mark = text.chars().next().filter(|mark| matches!(mark, '\'' | '"'))?;
    let mut out = String::new();
    let mut letters = text.char_indices().skip(1);
    while let Some((at, letter)) = letters.next() {
        match letter {
            '\\' => out.push(letters.next()?.1),
            letter if letter == mark => return Some((out, &text[at + 1..])),
            letter => out.push(letter),
        }
    }
    None
}
