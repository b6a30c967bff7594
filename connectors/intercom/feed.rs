//! The feeds: searches by change time, over windows of whole seconds.
//!
//! A search's cursor goes on behind a sort key over an index that moves: a row
//! that changes meanwhile leaves its place, and is met again by the next pass,
//! which begins `overlap_secs` (a setting) before this one began. So nothing
//! depends on the order of the rows, which is not documented. A cursor that
//! Intercom does not take any more is answered by a narrower window. Rows carry
//! no parts: each changed conversation is read whole, by id.

use std::time::Duration;

use handoffd_core::{ReadBy, RemoteId, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, value::RawValue};

use super::{
    api::test,
    desk::Desk,
    errors,
    lenient::Loose,
    map::{Around, unnamed_requester},
    record::record_id,
    settings::RecordKind,
    states::States,
    wire,
};
use crate::{
    client::{Answer, json::read_json},
    contract::{Call, Changes, Cursor, Error, Feed, FeedRow, FeedStart, Result},
};

/// Changed conversations.
pub const CONVERSATIONS: Feed = Feed("conversations");

/// Changed tickets.
pub const TICKETS: Feed = Feed("tickets");

/// How far the vendor's clock may be behind ours, where it does not tell its time.
const CLOCK_SKEW: Duration = Duration::from_secs(30);

/// A resume point. Times are whole seconds, as Intercom keeps them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Point {
    /// Where the window begins; its own second is in it.
    since: i64,
    /// Where it ends, without its own second; open where nobody narrowed it.
    until: Option<i64>,
    /// The search's own cursor.
    after: Option<String>,
    /// When the pass began: everything before is in it.
    started: Option<i64>,
}

/// One page of a search.
pub struct SearchPage {
    /// The rows, still to be read.
    pub rows: Vec<Box<RawValue>>,
    /// Where it goes on.
    pub next: Option<String>,
    /// How many rows there are on all pages.
    pub total: Option<u64>,
    /// The answer, for its time.
    pub answer: Answer,
}

impl Point {
    fn starting_at(since: i64) -> Self {
        Self { since: since.max(0), until: None, after: None, started: None }
    }

    /// The tests of the window.
    fn tests(&self) -> Vec<Json> {
        window("updated_at", self.since, self.until)
    }

    /// Half the window, from its start; `None` where it cannot be narrower.
    fn narrower(&self, now: i64) -> Option<Self> {
        let end = self.until.unwrap_or(now + 1);
        let half = self.since + (end - self.since) / 2;
        (half > self.since).then(|| Self { until: Some(half), after: None, ..self.clone() })
    }
}

/// The tests of a window: from `since` on, before `until`. Whether `>` takes in
/// its own second is told both ways, so the second before is named.
pub fn window(field: &str, since: i64, until: Option<i64>) -> Vec<Json> {
    let mut tests = vec![test(field, ">", since - 1)];
    tests.extend(until.map(|until| test(field, "<", until)));
    tests
}

/// The feed's kind of record.
pub fn kind_of(feed: Feed) -> Result<RecordKind> {
    match feed {
        CONVERSATIONS => Ok(RecordKind::Conversation),
        TICKETS => Ok(RecordKind::Ticket),
        Feed(other) => Err(Error::Malformed { what: format!("no feed is named {other}") }),
    }
}

/// The name of a search.
pub fn searched(kind: RecordKind) -> &'static str {
    match kind {
        RecordKind::Conversation => "conversations",
        RecordKind::Ticket => "tickets",
    }
}

/// Reads one row alone. The error names the place, without ticket text.
pub fn read_row<T: for<'de> Deserialize<'de>>(row: &RawValue) -> Result<T, String> {
    let mut reader = serde_json::Deserializer::from_str(row.get());
    serde_path_to_error::deserialize(&mut reader)
        .map_err(|error| format!("{}: not of the expected kind", error.path()))
}

/// What the row says of itself where the whole of it cannot be read.
fn unreadable(kind: RecordKind, row: &RawValue, at: usize, why: &str) -> FeedRow {
    #[derive(Deserialize)]
    struct Id {
        #[serde(default)]
        id: Loose,
    }
    let number = serde_json::from_str::<Id>(row.get()).ok().and_then(|row| row.id.id());
    let id = number.map(|number| record_id(kind, number.as_str()));
    FeedRow::Unreadable { id, what: format!("[{at}].{why}") }
}

/// The vendor's time when it answered, if it says so.
fn vendor_time(answer: &Answer) -> Option<Timestamp> {
    let text = answer.headers.get(http::header::DATE)?.to_str().ok()?;
    let moment = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
    Some(Timestamp(moment.as_millisecond()))
}

fn saved(point: &impl Serialize) -> Result<Cursor> {
    serde_json::to_string(point)
        .map(Cursor)
        .map_err(|error| Error::Malformed { what: format!("the cursor cannot be written: {error}") })
}

impl Desk {
    fn overlap_secs(&self) -> i64 {
        i64::try_from(self.mapping.settings.overlap_secs).unwrap_or(i64::MAX / 4)
    }

    /// One page of a feed.
    pub async fn read_feed(&self, call: Call, feed: Feed, from: FeedStart) -> Result<Changes> {
        let kind = kind_of(feed)?;
        let point = match &from {
            FeedStart::Since(since) => Point::starting_at(since.as_secs() - self.overlap_secs()),
            FeedStart::After(cursor) => serde_json::from_str(&cursor.0).map_err(|_| {
                Error::CursorRefused { why: format!("it is no cursor of the feed {}", feed.0) }
            })?,
        };
        if !self.mapping.settings.syncs(kind) {
            return self.nothing(&point);
        }
        let mut tests = point.tests();
        if kind == RecordKind::Ticket {
            tests.extend(self.ticket_tests());
        }
        let page = match self.search_page(call, kind, &tests, point.after.as_deref()).await {
            Ok(page) => page,
            Err(error) => return self.behind_a_refused_cursor(&point, error),
        };
        let rows = self.feed_rows(call, kind, &page).await?;
        self.after_page(point, page, rows)
    }

    /// A kind of record that is not kept in step has no changes.
    fn nothing(&self, point: &Point) -> Result<Changes> {
        let until = self.client.now();
        Ok(Changes { rows: Vec::new(), next: saved(point)?, more: false, complete_until: Some(until) })
    }

    /// A search's cursor that is not taken any more: the window is read again, half as wide.
    fn behind_a_refused_cursor(&self, point: &Point, error: Error) -> Result<Changes> {
        let refused = point.after.is_some() && matches!(error, Error::Refused { .. });
        let narrower = point.narrower(self.client.now().as_secs()).filter(|_| refused).ok_or(error)?;
        Ok(Changes { rows: Vec::new(), next: saved(&narrower)?, more: true, complete_until: None })
    }

    fn after_page(&self, point: Point, page: SearchPage, rows: Vec<FeedRow>) -> Result<Changes> {
        let started = point.started.unwrap_or_else(|| self.asked_at(&page.answer));
        let going = Point { started: Some(started), ..point.clone() };
        if let Some(after) = page.next {
            if point.after.as_ref() == Some(&after) {
                return Err(Error::Malformed {
                    what: "pages.next: a cursor that leads to itself".to_owned(),
                });
            }
            let next = Point { after: Some(after), ..going };
            return Ok(Changes { rows, next: saved(&next)?, more: true, complete_until: None });
        }
        self.memory.caught_up();
        if let Some(until) = point.until {
            let next = Point { since: until, until: None, after: None, ..going };
            return Ok(Changes { rows, next: saved(&next)?, more: true, complete_until: None });
        }
        let complete = started - self.overlap_secs();
        let next = Point::starting_at(complete);
        let complete_until = Some(Timestamp::from_secs(complete));
        Ok(Changes { rows, next: saved(&next)?, more: false, complete_until })
    }

    /// The second, by the vendor's clock, in which a page was asked for, or one before it.
    fn asked_at(&self, answer: &Answer) -> i64 {
        match vendor_time(answer) {
            Some(now) => now.min(answer.at.plus(CLOCK_SKEW)).as_secs() - 1,
            None => answer.at.minus(CLOCK_SKEW).as_secs(),
        }
    }

    /// A page of a search, smaller if Intercom cannot answer in time.
    pub async fn search_page(
        &self,
        call: Call,
        kind: RecordKind,
        tests: &[Json],
        after: Option<&str>,
    ) -> Result<SearchPage> {
        loop {
            let ask = self.mapping.search(searched(kind), tests, self.memory.page_rows(), after)?;
            let answer = match self.client.send(call, ask).await {
                // The same page takes as long the next time: only a smaller one helps.
                Err(Error::Transient { why }) if why == errors::TOO_SLOW => {
                    if !self.memory.shrink_page() || self.client.now() >= call.deadline {
                        return Err(Error::Transient { why });
                    }
                    continue;
                }
                answered => answered?,
            };
            let page: wire::Page = read_json(&answer)?;
            let (next, total) = (page.next(), page.total_count.count());
            return Ok(SearchPage { rows: page.conversations, next, total, answer });
        }
    }

    /// The rows of a page, each read alone.
    pub async fn feed_rows(&self, call: Call, kind: RecordKind, page: &SearchPage) -> Result<Vec<FeedRow>> {
        match kind {
            RecordKind::Conversation => self.conversation_rows(call, page).await,
            RecordKind::Ticket => self.ticket_rows(call, page).await,
        }
    }

    async fn conversation_rows(&self, call: Call, page: &SearchPage) -> Result<Vec<FeedRow>> {
        let read: Vec<Result<wire::Conversation, String>> =
            page.rows.iter().map(|row| read_row(row)).collect();
        let unnamed: Vec<RemoteId> = read.iter().flatten().filter_map(unnamed_requester).collect();
        self.meet(call, &unnamed).await?;
        let states = States::default();
        let around = Around {
            read_by: ReadBy::Feed,
            read_at: page.answer.at,
            people: &|id| self.memory.person(id),
            states: &states,
        };
        let rows = read.iter().zip(&page.rows).enumerate().map(|(at, (read, row))| {
            let observed =
                read.as_ref().map_err(Clone::clone).and_then(|one| self.mapping.conversation(one, &around));
            match observed {
                Ok(observed) => FeedRow::Changed(Box::new(observed)),
                Err(why) => unreadable(RecordKind::Conversation, row, at, &why),
            }
        });
        Ok(rows.collect())
    }

    async fn ticket_rows(&self, call: Call, page: &SearchPage) -> Result<Vec<FeedRow>> {
        let read: Vec<Result<wire::Ticket, String>> = page.rows.iter().map(|row| read_row(row)).collect();
        let known = read.iter().flatten();
        let people: Vec<RemoteId> =
            known.filter_map(|ticket| super::map::requester_id(&ticket.contacts)).collect();
        self.meet(call, &people).await?;
        let mut rows = Vec::with_capacity(read.len());
        for (at, (read, row)) in read.iter().zip(&page.rows).enumerate() {
            let ticket = match read {
                Ok(ticket) => ticket,
                Err(why) => {
                    rows.push(unreadable(RecordKind::Ticket, row, at, why));
                    continue;
                }
            };
            if let Some(number) = ticket.id.id()
                && self.is_conversation(call, number.as_str()).await?
            {
                continue;
            }
            match self.observed_ticket(call, ticket, ReadBy::Feed, page.answer.at).await {
                Ok(observed) => rows.push(FeedRow::Changed(Box::new(observed))),
                Err(Error::Malformed { what }) => rows.push(unreadable(RecordKind::Ticket, row, at, &what)),
                Err(error) => return Err(error),
            }
        }
        Ok(rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_halved_until_it_is_a_second() {
        let mut point =
            Point { since: 1_000, until: None, after: Some("x".to_owned()), started: Some(1_900) };
        let mut ends = Vec::new();
        while let Some(next) = point.narrower(1_007) {
            assert_eq!((next.since, next.after.as_ref(), next.started), (1_000, None, Some(1_900)));
            ends.extend(next.until);
            point = next;
        }
        assert_eq!(ends, [1_004, 1_002, 1_001]);
    }

    #[test]
    fn a_window_names_its_own_seconds() {
        let tests = serde_json::to_string(&window("updated_at", 100, Some(200))).unwrap();
        assert_eq!(
            tests,
            r#"[{"field":"updated_at","operator":">","value":99},{"field":"updated_at","operator":"<","value":200}]"#
        );
    }
}
