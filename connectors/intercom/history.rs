//! The account's history, oldest first: windows over the time of creation,
//! which widen where little was made and narrow where much was. Within a window
//! the order is Intercom's. First the conversations, then the tickets.

use serde::{Deserialize, Serialize};

use super::{
    desk::Desk,
    feed::{SearchPage, window},
    settings::RecordKind,
};
use crate::contract::{Call, Cursor, Error, FeedRow, FeedStart, History, Result};

/// The first window, in seconds: a day.
const SPAN_FIRST: i64 = 86_400;
/// The widest window: 90 days.
const SPAN_MAX: i64 = 90 * 86_400;
/// The narrowest: a minute.
const SPAN_MIN: i64 = 60;
/// A window with more rows than this is halved for the next.
const ROWS_MANY: u64 = 1_000;
/// A window with fewer than this is doubled.
const ROWS_FEW: u64 = 100;

/// A resume point.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Point {
    /// The conversations are read.
    in_tickets: bool,
    /// Where the whole begins.
    from: i64,
    /// Where the window begins.
    since: i64,
    /// How wide it is.
    span: i64,
    /// The search's own cursor.
    after: Option<String>,
    /// How many records there are in all.
    total: Option<u64>,
}

impl Point {
    fn starting_at(from: i64, in_tickets: bool, total: Option<u64>) -> Self {
        Self { in_tickets, from, since: from, span: SPAN_FIRST, after: None, total }
    }

    fn kind(&self) -> RecordKind {
        if self.in_tickets { RecordKind::Ticket } else { RecordKind::Conversation }
    }

    /// The window behind one that held so many rows.
    fn later(&self, held: Option<u64>) -> Self {
        let span = match held {
            Some(held) if held > ROWS_MANY => self.span / 2,
            Some(held) if held >= ROWS_FEW => self.span,
            _ => self.span.saturating_mul(2),
        };
        let since = self.since + self.span;
        Self { since, span: span.clamp(SPAN_MIN, SPAN_MAX), after: None, ..self.clone() }
    }
}

impl Desk {
    /// One page of the history.
    pub async fn read_history(&self, call: Call, from: FeedStart) -> Result<History> {
        let point = match &from {
            FeedStart::Since(since) => self.first_point(call, since.as_secs().max(0)).await?,
            FeedStart::After(cursor) => serde_json::from_str(&cursor.0)
                .map_err(|_| Error::CursorRefused { why: "it is no cursor of the history".to_owned() })?,
        };
        let now = self.client.now().as_secs();
        if !self.mapping.settings.syncs(point.kind()) || point.since > now {
            return self.after_kind(&point, Vec::new());
        }
        let mut tests = window("created_at", point.since, Some(point.since + point.span));
        if point.in_tickets {
            tests.extend(self.ticket_tests());
        }
        let page = match self.search_page(call, point.kind(), &tests, point.after.as_deref()).await {
            Ok(page) => page,
            Err(Error::Refused { .. }) if point.after.is_some() => {
                // The cursor is not taken any more: the window is read again, narrower.
                let span = (point.span / 2).max(SPAN_MIN);
                return history(Vec::new(), &Point { span, after: None, ..point }, true);
            }
            Err(error) => return Err(error),
        };
        let rows = self.feed_rows(call, point.kind(), &page).await?;
        self.after_window(&point, page, rows, now)
    }

    fn after_window(&self, point: &Point, page: SearchPage, rows: Vec<FeedRow>, now: i64) -> Result<History> {
        if let Some(after) = page.next.filter(|after| point.after.as_ref() != Some(after)) {
            return history(rows, &Point { after: Some(after), ..point.clone() }, true);
        }
        self.memory.caught_up();
        if point.since + point.span > now {
            return self.after_kind(point, rows);
        }
        history(rows, &point.later(page.total), true)
    }

    /// Behind the conversations come the tickets; behind those nothing.
    fn after_kind(&self, point: &Point, rows: Vec<FeedRow>) -> Result<History> {
        if point.in_tickets {
            return history(rows, point, false);
        }
        let more = self.mapping.settings.syncs(RecordKind::Ticket);
        history(rows, &Point::starting_at(point.from, true, point.total), more)
    }

    /// Where it begins, with the number of records in all.
    async fn first_point(&self, call: Call, from: i64) -> Result<Point> {
        let mut total = Some(0);
        for kind in [RecordKind::Conversation, RecordKind::Ticket] {
            if !self.mapping.settings.syncs(kind) {
                continue;
            }
            let mut tests = window("created_at", from, None);
            if kind == RecordKind::Ticket {
                tests.extend(self.ticket_tests());
            }
            let ask = self.mapping.search(super::feed::searched(kind), &tests, 1, None)?;
            let page: super::wire::Page = self.ask(call, ask).await?;
            total = total.and_then(|sum: u64| Some(sum + page.total_count.count()?));
        }
        Ok(Point::starting_at(from, false, total))
    }
}

fn history(rows: Vec<FeedRow>, next: &Point, more: bool) -> Result<History> {
    let cursor = serde_json::to_string(next)
        .map(Cursor)
        .map_err(|error| Error::Malformed { what: format!("the cursor cannot be written: {error}") })?;
    Ok(History { rows, comments: Vec::new(), next: cursor, more, total: next.total })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_follow_one_another_without_a_gap() {
        let mut at = Point::starting_at(1_000, false, None);
        for (held, span) in [
            (Some(0), 2 * SPAN_FIRST),
            (None, 4 * SPAN_FIRST),
            (Some(500), 4 * SPAN_FIRST),
            (Some(5_000), 2 * SPAN_FIRST),
        ] {
            let next = at.later(held);
            assert_eq!((next.since, next.span), (at.since + at.span, span), "{held:?}");
            at = next;
        }
        let wide = Point { span: SPAN_MAX, ..at.clone() };
        assert_eq!(wide.later(Some(0)).span, SPAN_MAX);
        let narrow = Point { span: SPAN_MIN, ..at };
        assert_eq!(narrow.later(Some(9_999)).span, SPAN_MIN);
    }
}
