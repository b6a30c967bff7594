//! The incremental exports.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Map, Value, json};

use super::{
    Sim,
    answer::{Answer, Call, Reply},
    page::Place,
    state::Ticket,
};

/// What changed within this many seconds is not exported yet.
const WITHHELD_SECS: i64 = 60;
const PAGE_MAX: i64 = 1_000;

impl Sim {
    /// `GET /incremental/tickets/cursor`.
    pub(super) fn export_by_cursor(&self, call: &Call) -> Answer {
        self.admin_only(call)?;
        let size = page_size(call)?;
        self.refuse_large(size)?;
        // Who sends the start again starts again, cursor or not.
        let mark = match (self.start_time(call)?, call.param("cursor")) {
            (Some(start), _) => (start, i64::MIN),
            (None, Some(cursor)) => read_cursor(cursor)?,
            (None, None) => return Err(Reply::bad_parameter("start_time", "It must be present")),
        };
        let mut places = self.exported(call);
        places.retain(|place| *place > mark);
        let rest = places.len().saturating_sub(size);
        places.truncate(size);
        let last = places.last().copied().unwrap_or((mark.0, mark.1.max(0)));
        let after = write_cursor(last);
        let mut around = Map::new();
        let after_url = call.url_with(&["start_time"], &[("cursor", after.clone())]);
        around.insert("after_cursor".to_owned(), json!(after));
        around.insert("after_url".to_owned(), json!(after_url));
        around.insert("before_cursor".to_owned(), Value::Null);
        around.insert("before_url".to_owned(), Value::Null);
        around.insert("end_of_stream".to_owned(), json!(rest == 0));
        let ids: Vec<i64> = places.iter().map(|(_, id)| *id).collect();
        Ok(Reply::ok(self.with_side_loads(around, "tickets", &ids, call)))
    }

    /// `GET /incremental/tickets`: the rows of the last second are given together,
    /// and again on the next page.
    pub(super) fn export_by_time(&self, call: &Call) -> Answer {
        self.admin_only(call)?;
        let size = page_size(call)?;
        self.refuse_large(size)?;
        let Some(start) = self.start_time(call)? else {
            return Err(Reply::bad_parameter("start_time", "It must be present"));
        };
        let mut places = self.exported(call);
        places.retain(|(at, _)| *at >= start);
        let total = places.len();
        let end = places.get(size.saturating_sub(1)).map_or(i64::MAX, |(at, _)| *at);
        places.retain(|(at, _)| *at <= end);
        let end_time = places.last().map_or(start, |(at, _)| *at);
        let mut around = Map::new();
        let next = call.url_with(&[], &[("start_time", end_time.to_string())]);
        around.insert("count".to_owned(), json!(places.len()));
        around.insert("end_time".to_owned(), json!(end_time));
        around.insert("next_page".to_owned(), json!(next));
        around.insert("end_of_stream".to_owned(), json!(places.len() == total));
        let ids: Vec<i64> = places.iter().map(|(_, id)| *id).collect();
        Ok(Reply::ok(self.with_side_loads(around, "tickets", &ids, call)))
    }

    /// `GET /incremental/ticket_events`: one event for each audit. Without the side-load
    /// a comment is told by two flags. The last second's events come together, and again on the next page.
    pub(super) fn export_events(&self, call: &Call) -> Answer {
        self.admin_only(call)?;
        let size = page_size(call)?;
        self.refuse_large(size)?;
        let Some(start) = self.start_time(call)? else {
            return Err(Reply::bad_parameter("start_time", "It must be present"));
        };
        let newest = call.now.as_secs() - WITHHELD_SECS;
        let audits = self.world.tickets.values().flat_map(|ticket| {
            ticket.audits.iter().map(move |audit| (audit.created_at, audit.id, ticket, audit))
        });
        let mut rows: Vec<_> = audits.filter(|(at, ..)| (start..=newest).contains(at)).collect();
        rows.sort_by_key(|(at, id, ..)| (*at, *id));
        let total = rows.len();
        let end = rows.get(size.saturating_sub(1)).map_or(i64::MAX, |(at, ..)| *at);
        rows.retain(|(at, ..)| *at <= end);
        let end_time = rows.last().map_or(start, |(at, ..)| *at);
        let events: Vec<Value> = rows
            .iter()
            .map(|(at, id, ticket, audit)| {
                let children: Vec<Value> =
                    audit.events.iter().map(|event| self.child_event(event, ticket, call)).collect();
                json!({"id": id, "ticket_id": ticket.id, "timestamp": at, "updater_id": audit.author,
                    "created_at": super::view::time(*at), "event_type": "Audit", "via": audit.channel,
                    "system": {"client": audit.client}, "metadata": {}, "child_events": children})
            })
            .collect();
        let next = call.url_with(&[], &[("start_time", end_time.to_string())]);
        Ok(Reply::ok(json!({"count": events.len(), "end_time": end_time, "next_page": next,
            "end_of_stream": events.len() == total, "ticket_events": events})))
    }

    /// An audit's event in the words of this export: a field is named by a key of its own.
    fn child_event(&self, event: &Value, ticket: &Ticket, call: &Call) -> Value {
        let kind = event.get("type").and_then(Value::as_str).unwrap_or_default();
        if kind == "Comment" {
            let id = event.get("id").and_then(Value::as_i64);
            let Some(comment) = ticket.comments.iter().find(|comment| Some(comment.id) == id) else {
                return Value::Null;
            };
            if !call.includes("comment_events") {
                return json!({"id": comment.id, "event_type": "Comment", "comment_present": true,
                    "comment_public": comment.public});
            }
            let mut shown = self.world.comment_json(comment, None, call);
            if let Value::Object(shown) = &mut shown {
                shown.insert("event_type".to_owned(), json!("Comment"));
                shown.insert("via_reference_id".to_owned(), Value::Null);
            }
            return shown;
        }
        let mut out = Map::new();
        out.insert("id".to_owned(), event.get("id").cloned().unwrap_or_default());
        out.insert("event_type".to_owned(), json!(kind));
        if let Some(name) = event.get("field_name").and_then(Value::as_str) {
            out.insert(name.to_owned(), event.get("value").cloned().unwrap_or_default());
            if let Some(previous) = event.get("previous_value") {
                out.insert("previous_value".to_owned(), previous.clone());
            }
        }
        Value::Object(out)
    }

    /// Every row that may be seen by now, by time of generation and id.
    fn exported(&self, call: &Call) -> Vec<Place> {
        let newest = call.now.as_secs() - WITHHELD_SECS;
        let without_deleted = call.param("exclude_deleted") == Some("true");
        let seen = |ticket: &&Ticket| {
            ticket.generated_at <= newest && !(without_deleted && ticket.deleted.is_some())
        };
        let mut places: Vec<Place> =
            self.world.tickets.values().filter(seen).map(|ticket| (ticket.generated_at, ticket.id)).collect();
        places.sort_unstable();
        places
    }

    fn start_time(&self, call: &Call) -> Result<Option<i64>, Reply> {
        let start = call.number("start_time")?;
        if start.is_some_and(|start| start > call.now.as_secs() - WITHHELD_SECS) {
            return Err(Reply::json(
                422,
                json!({"error": "StartTimeTooRecent", "description": "Too recent start_time. Use a start_time older than 60 seconds"}),
            ));
        }
        Ok(start)
    }

    /// The vendor's gateway gives up on large pages, and always on the same ones.
    fn refuse_large(&self, size: usize) -> Result<(), Reply> {
        match self.page_limit {
            Some(limit) if size > limit => Err(Reply::text(504, "504 Gateway Time-out")),
            _ => Ok(()),
        }
    }

    pub(super) fn admin_only(&self, call: &Call) -> Result<(), Reply> {
        let is_admin =
            self.world.users.get(&call.user).is_some_and(|user| user.role == super::state::Role::Admin);
        if is_admin { Ok(()) } else { Err(Reply::forbidden()) }
    }
}

fn page_size(call: &Call) -> Result<usize, Reply> {
    let size = call.number("per_page")?.or(call.number("page[size]")?).unwrap_or(PAGE_MAX).clamp(1, PAGE_MAX);
    Ok(usize::try_from(size).unwrap_or(1))
}

/// `1576613539.0||467|` in base 64.
fn write_cursor(place: Place) -> String {
    STANDARD.encode(format!("{}.0||{}|", place.0, place.1))
}

fn read_cursor(cursor: &str) -> Result<Place, Reply> {
    let read = || -> Option<Place> {
        let text = String::from_utf8(STANDARD.decode(cursor).ok()?).ok()?;
        let (at, id) = text.strip_suffix('|')?.split_once(".0||")?;
        Some((at.parse().ok()?, id.parse().ok()?))
    };
    read().ok_or_else(|| Reply::bad_parameter("cursor", "It is not a cursor of this export"))
}
