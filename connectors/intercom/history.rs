//! The account's history, oldest first: windows over the time of creation. The
//! first is the whole; one that holds many records is halved before it is read,
//! one that held few is followed by a wider one. Within a window the order is
//! Intercom's. First the conversations, then the tickets.

use serde::{Deserialize, Serialize};

use super::{
    desk::Desk,
    feed::{SearchPage, window},
    settings::RecordKind,
};
use crate::contract::{Call, Cursor, Error, FeedRow, FeedStart, History, Result};

/// The narrowest window, in seconds.
const SPAN_MIN: i64 = 60;
/// The widest: more than Intercom's age.
const SPAN_MAX: i64 = 100 * 365 * 86_400;
/// A window with more rows than this is halved.
const ROWS_MANY: u64 = 1_000;
/// A window with fewer than this is followed by one twice as wide.
const ROWS_FEW: u64 = 250;

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
    fn starting_at(from: i64, now: i64, in_tickets: bool, total: Option<u64>) -> Self {
        let span = (now - from + 1).clamp(SPAN_MIN, SPAN_MAX);
        Self { in_tickets, from, since: from, span, after: None, total }
    }

    /// Half the window, if it holds too many rows to be read in one go.
    fn narrower(&self, held: Option<u64>) -> Option<Self> {
        let many = held.is_some_and(|held| held > ROWS_MANY) && self.after.is_none();
        (many && self.span > SPAN_MIN).then(|| Self { span: (self.span / 2).max(SPAN_MIN), ..self.clone() })
    }

    fn kind(&self) -> RecordKind {
        if self.in_tickets { RecordKind::Ticket } else { RecordKind::Conversation }
    }

    /// The window behind one that held so many rows.
    fn later(&self, held: Option<u64>) -> Self {
        let span = match held {
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
            return self.after_kind(&point, Vec::new(), now);
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
        if let Some(narrower) = point.narrower(page.total) {
            return history(Vec::new(), &narrower, true);
        }
        let rows = self.feed_rows(call, point.kind(), &page).await?;
        self.after_window(&point, page, rows, now)
    }

    fn after_window(&self, point: &Point, page: SearchPage, rows: Vec<FeedRow>, now: i64) -> Result<History> {
        if let Some(after) = page.next.filter(|after| point.after.as_ref() != Some(after)) {
            return history(rows, &Point { after: Some(after), ..point.clone() }, true);
        }
        self.memory.caught_up();
        if point.since + point.span > now {
            return self.after_kind(point, rows, now);
        }
        history(rows, &point.later(page.total), true)
    }

    /// Behind the conversations come the tickets; behind those nothing.
    fn after_kind(&self, point: &Point, rows: Vec<FeedRow>, now: i64) -> Result<History> {
        if point.in_tickets {
            return history(rows, point, false);
        }
        let more = self.mapping.settings.syncs(RecordKind::Ticket);
        history(rows, &Point::starting_at(point.from, now, true, point.total), more)
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
        Ok(Point::starting_at(from, self.client.now().as_secs(), false, total))
    }
}

fn history(rows: Vec<FeedRow>, next: &Point, more: bool) -> Result<History> {
    let cursor = serde_json::to_string(next)
        .map(Cursor)
        .map_err(|error| Error::Malformed { what: format!("the cursor cannot be written: {error}") })?;
    Ok(History { rows, comments: Vec::new(), doubtful: Vec::new(), next: cursor, more, total: next.total })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_follow_one_another_without_a_gap() {
        let mut at = Point::starting_at(1_000, 1_999, false, None);
        assert_eq!((at.since, at.span), (1_000, 1_000));
        for (held, span) in [(Some(0), 2_000), (None, 4_000), (Some(500), 4_000)] {
            let next = at.later(held);
            assert_eq!((next.since, next.span), (at.since + at.span, span), "{held:?}");
            at = next;
        }
    }

    #[test]
    fn a_full_window_is_halved_and_not_left() {
        let full = Point::starting_at(0, 86_399, false, None);
        let half = full.narrower(Some(1_001)).unwrap();
        assert_eq!((half.since, half.span), (0, 43_200));
        assert_eq!(full.narrower(Some(1_000)), None);
        let going = Point { after: Some("x".to_owned()), ..full.clone() };
        assert_eq!(going.narrower(Some(9_999)), None, "it is being read");
        assert_eq!(Point { span: SPAN_MIN, ..full }.narrower(Some(9_999)), None);
    }
}
