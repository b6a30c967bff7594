//! `/search`: offset paging only, a thousand results, and an index that lags.

use serde_json::{Map, Value, json};

use super::{
    Sim,
    answer::{Answer, Call, Reply},
    page,
    state::{Ticket, User, priority_word, status_of, status_word},
};
use handoffd_core::Timestamp;

const RESULTS_MAX: i64 = 1_000;
/// A new ticket is found after this many seconds; the vendor says minutes.
const LAG_SECS: i64 = 60;

/// One term of a query.
struct Term {
    name: String,
    /// `:`, `<`, `>`, `<=` or `>=`; empty for plain words.
    sign: &'static str,
    value: String,
}

impl Sim {
    pub(super) fn search(&self, call: &Call) -> Answer {
        if page::by_cursor(call) {
            return Err(Reply::bad_paging(
                "InvalidPaginationParameter",
                "Invalid pagination parameter",
                "page must be an integer",
            ));
        }
        let per_page = call.number("per_page")?.unwrap_or(100).clamp(1, 100);
        let page = call.number("page")?.unwrap_or(1).max(1);
        if page.saturating_mul(per_page) > RESULTS_MAX {
            return Err(Reply::json(
                422,
                json!({"error": "Invalid search", "description": "Invalid search: Requested response size was greater than Search Response Limits"}),
            ));
        }
        let found = self.found(call);
        let mut body: Map<String, Value> = page::offset_around(call, page, per_page, found.len());
        let skip = usize::try_from((page - 1) * per_page).unwrap_or(usize::MAX);
        let take = usize::try_from(per_page).unwrap_or(0);
        body.insert("results".to_owned(), found.into_iter().skip(skip).take(take).collect());
        body.insert("facets".to_owned(), Value::Null);
        Ok(Reply::ok(Value::Object(body)))
    }

    /// `GET /search/export`: by cursor, of one type.
    pub(super) fn search_export(&self, call: &Call) -> Answer {
        let Some(kind) = call.param("filter[type]") else {
            return Err(Reply::bad_parameter("filter[type]", "It must be present"));
        };
        let size = call.number("page[size]")?.unwrap_or(100).clamp(1, 1_000);
        let size = usize::try_from(size).unwrap_or(1);
        let after = call.param("page[after]").unwrap_or("0");
        let start: usize =
            after.parse().map_err(|_| Reply::bad_parameter("page[after]", "It is not a cursor"))?;
        let found: Vec<Value> =
            self.found(call).into_iter().filter(|row| row["result_type"] == kind).collect();
        let end = start.saturating_add(size).min(found.len());
        let has_more = end < found.len();
        let cursor = has_more.then(|| end.to_string());
        let next = cursor.as_ref().map(|cursor| call.url_with(&[], &[("page[after]", cursor.clone())]));
        let rows: Vec<Value> = found.into_iter().skip(start).take(size).collect();
        Ok(Reply::ok(json!({"results": rows, "facets": null, "links": {"next": next, "prev": null},
            "meta": {"has_more": has_more, "after_cursor": cursor, "before_cursor": null}})))
    }

    pub(super) fn search_count(&self, call: &Call) -> Answer {
        Ok(Reply::ok(json!({"count": self.found(call).len()})))
    }

    fn found(&self, call: &Call) -> Vec<Value> {
        let mut terms = terms(call.param("query").unwrap_or_default());
        let kind = terms.iter().find(|term| term.name == "type").map(|term| term.value.clone());
        terms.retain(|term| term.name != "type");
        let wants = |name: &str| kind.as_deref().is_none_or(|kind| kind == name);
        let mut out = Vec::new();
        if wants("ticket") {
            let mut tickets: Vec<&Ticket> = self
                .world
                .tickets
                .values()
                .filter(|ticket| {
                    ticket.deleted.is_none() && ticket.created_at <= call.now.as_secs() - LAG_SECS
                })
                .filter(|ticket| terms.iter().all(|term| self.ticket_matches(ticket, term, call)))
                .collect();
            sort(&mut tickets, call);
            out.extend(tickets.iter().map(|ticket| typed("ticket", self.world.ticket_json(ticket, call))));
        }
        if wants("user") {
            let users =
                self.world.users.values().filter(|user| terms.iter().all(|term| user_matches(user, term)));
            out.extend(users.map(|user| typed("user", self.world.user_json(user, call))));
        }
        out
    }

    fn ticket_matches(&self, ticket: &Ticket, term: &Term, call: &Call) -> bool {
        let head = &ticket.head;
        let value = term.value.as_str();
        match (term.name.as_str(), term.sign) {
            ("", _) => {
                let has = |text: &str| text.to_lowercase().contains(value);
                has(&head.subject) || ticket.comments.iter().any(|comment| has(&comment.body))
            }
            ("status", ":") => status_word(head.status) == value,
            ("status", sign) => {
                status_of(value).is_some_and(|status| compares(head.status as i64, sign, status as i64))
            }
            ("tags", _) => {
                if value == "none" {
                    head.tags.is_empty()
                } else {
                    head.tags.contains(value)
                }
            }
            ("priority", _) => head.priority.map_or("none", priority_word) == value,
            ("external_id", _) => {
                head.external_id.as_deref().is_some_and(|id| id.eq_ignore_ascii_case(value))
            }
            ("subject", _) => head.subject.to_lowercase().contains(value.trim_matches('*')),
            ("requester", _) => self.is_user(head.requester, value, call),
            ("assignee", _) if value == "none" => head.assignee.is_none(),
            ("assignee", _) => head.assignee.is_some_and(|user| self.is_user(user, value, call)),
            ("group", _) => head.group.is_some_and(|group| group.to_string() == value),
            ("created", sign) => is_dated(ticket.created_at, sign, value),
            ("updated", sign) => is_dated(ticket.updated_at, sign, value),
            _ => false,
        }
    }

    fn is_user(&self, id: i64, value: &str, call: &Call) -> bool {
        let Some(user) = self.world.users.get(&id) else { return false };
        value == id.to_string()
            || (value == "me" && id == call.user)
            || user.email.as_deref() == Some(value)
            || user.name.to_lowercase() == value
    }
}

fn user_matches(user: &User, term: &Term) -> bool {
    let email = user.email.as_deref().unwrap_or_default();
    match term.name.as_str() {
        "" | "name" => user.name.to_lowercase().contains(&term.value) || email == term.value,
        "email" => email == term.value,
        "role" => user.role.word() == term.value,
        "external_id" => user.external_id.as_deref() == Some(term.value.as_str()),
        _ => false,
    }
}

fn typed(kind: &str, mut record: Value) -> Value {
    if let Value::Object(record) = &mut record {
        record.insert("result_type".to_owned(), json!(kind));
    }
    record
}

fn sort(tickets: &mut [&Ticket], call: &Call) {
    let by_update = call.param("sort_by") == Some("updated_at");
    tickets.sort_by_key(|ticket| (if by_update { ticket.updated_at } else { ticket.created_at }, ticket.id));
    // Newest first unless asked otherwise.
    if call.param("sort_order") != Some("asc") {
        tickets.reverse();
    }
}

fn compares(left: i64, sign: &str, right: i64) -> bool {
    match sign {
        "<" => left < right,
        "<=" => left <= right,
        ">" => left > right,
        ">=" => left >= right,
        _ => left == right,
    }
}

/// A moment or a day; `:` means that very day.
fn is_dated(at: i64, sign: &str, value: &str) -> bool {
    let day = Timestamp::parse(&format!("{value}T00:00:00Z"));
    match (day, Timestamp::parse(&value.to_uppercase())) {
        (Ok(day), _) if sign == ":" => (day.as_secs()..day.as_secs() + 86_400).contains(&at),
        (Ok(moment), _) | (Err(_), Ok(moment)) => compares(at, sign, moment.as_secs()),
        _ => false,
    }
}

/// Cuts a query at white space outside quotes, all in lower case.
fn terms(query: &str) -> Vec<Term> {
    let mut words = vec![String::new()];
    let mut quoted = false;
    for sign in query.to_lowercase().chars() {
        match sign {
            '"' => quoted = !quoted,
            sign if sign.is_whitespace() && !quoted => words.push(String::new()),
            sign => words.last_mut().expect("there is always a word").push(sign),
        }
    }
    words.into_iter().filter(|word| !word.is_empty()).map(|word| term(&word)).collect()
}

fn term(word: &str) -> Term {
    const NAMES: [&str; 14] = [
        "type",
        "status",
        "tags",
        "priority",
        "external_id",
        "subject",
        "requester",
        "assignee",
        "group",
        "created",
        "updated",
        "email",
        "role",
        "name",
    ];
    let at = word.find([':', '<', '>']).filter(|at| NAMES.contains(&&word[..*at]));
    let Some(at) = at else {
        return Term { name: String::new(), sign: "", value: word.to_owned() };
    };
    let rest = &word[at..];
    let sign = ["<=", ">=", "<", ">", ":"].into_iter().find(|sign| rest.starts_with(sign)).unwrap_or(":");
    Term { name: word[..at].to_owned(), sign, value: rest[sign.len()..].to_owned() }
}
