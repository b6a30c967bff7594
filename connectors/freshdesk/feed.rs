//! The feeds: windows over lists ordered by change time.
//!
//! Freshdesk numbers pages over a moving list: a row that changes while pages
//! are read leaves its place, and the rows behind it slip onto a page that was
//! read already. So a pass does not turn pages where it can help it: the next
//! window begins one second before the last row's change and is read from page
//! 1 again. Pages are turned only inside a second or two that hold more rows
//! than a page. Every pass begins `overlap_secs` (a setting) before the
//! newest change of the last one; rows that come again are told by their version.

use std::time::Duration;

use handoffd_core::{ReadBy, RemoteId, TicketKey, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{
    api::{Folder, PAGE_MAX, PER_PAGE},
    desk::Desk,
    map::Read,
    ratings::RATINGS,
    wire,
};
use crate::{
    client::{Answer, json::read_json},
    contract::{Call, Changes, Cursor, Error, Feed, FeedRow, FeedStart, Result},
};

/// Changed tickets.
pub const TICKETS: Feed = Feed("tickets");

/// Tickets in the trash and in spam, which the plain list leaves out.
pub const DELETED: Feed = Feed("deleted");

/// How long a change may take to show in the list. Not documented; the overlap covers more.
pub const BLIND_SPOT: Duration = Duration::from_secs(5);

/// How far a pass over a list has come. Times are whole seconds, as Freshdesk keeps them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Spot {
    /// Where the pass began.
    floor: i64,
    /// Where the window begins.
    since: i64,
    /// The page to read.
    page: u32,
    /// The newest change seen in this pass.
    newest: Option<i64>,
}

/// A resume point of [`TICKETS`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TicketsPoint {
    list: Spot,
}

/// A resume point of [`DELETED`]: two folders, read in turn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FoldersPoint {
    deleted: Spot,
    spam: Spot,
    /// The spam folder is next; every deletion before this moment is read.
    in_spam: Option<Timestamp>,
    /// The account knows no `updated_since` with a filter: only the newest page is read.
    newest_only: bool,
}

/// What a page showed, as far as paging depends on it.
struct PageSeen {
    /// The newest change on it.
    newest: Option<i64>,
    /// Whether another page follows.
    more: bool,
}

/// What is to be read next.
#[derive(Debug, PartialEq, Eq)]
struct Step {
    next: Spot,
    /// The pass goes on.
    more: bool,
    /// Rows were left behind: more changed at once than the vendor gives pages for.
    wall: bool,
}

impl Spot {
    fn starting_at(since: i64) -> Self {
        Self { floor: since, since, page: 1, newest: None }
    }

    /// Where to go after a page. Each step moves the window or the page on, so that a pass ends.
    fn after(&self, page: &PageSeen, overlap_secs: i64) -> Step {
        let newest = self.newest.max(page.newest);
        if !page.more {
            let floor = newest.map_or(self.floor, |newest| self.floor.max(newest - overlap_secs));
            return Step { next: Self::starting_at(floor), more: false, wall: false };
        }
        let going = Self { newest, ..self.clone() };
        match page.newest {
            Some(last) if last - 1 > self.since => {
                let next = Self { since: last - 1, page: 1, ..going };
                Step { next, more: true, wall: false }
            }
            _ if self.page < PAGE_MAX => {
                Step { next: Self { page: self.page + 1, ..going }, more: true, wall: false }
            }
            _ => going.past_the_wall(),
        }
    }

    /// The second that holds more rows than there are pages is passed over.
    fn past_the_wall(&self) -> Step {
        let next = Self { since: self.since + 1, page: 1, ..self.clone() };
        Step { next, more: true, wall: true }
    }
}

/// The row that says loudly that rows were left behind.
fn wall_row(since: i64) -> FeedRow {
    let second = Timestamp::from_secs(since);
    FeedRow::Unreadable {
        id: None,
        what: format!(
            "more than {} tickets changed within {second}: those behind page {PAGE_MAX} are left to the resync",
            PAGE_MAX as usize * PER_PAGE
        ),
    }
}

/// Whether another page follows: the `Link` header says so, and a full page does where there is none.
pub fn more_follows(answer: &Answer, rows: usize) -> bool {
    let links = answer.headers.get_all(http::header::LINK);
    let next = links.iter().filter_map(|link| link.to_str().ok()).any(|link| link.contains("rel=\"next\""));
    next || rows >= PER_PAGE
}

/// What the row says of itself where the whole of it cannot be read.
pub fn unreadable(row: &RawValue, at: usize, why: &str) -> FeedRow {
    #[derive(Deserialize)]
    struct Id {
        #[serde(default)]
        id: wire::Scalar,
    }
    let id = serde_json::from_str::<Id>(row.get()).ok().and_then(|row| row.id.id());
    FeedRow::Unreadable { id, what: format!("[{at}].{why}") }
}

/// Reads one row alone. The error names the place, without ticket text.
pub fn read_row(row: &RawValue) -> Result<wire::Ticket, String> {
    let mut reader = serde_json::Deserializer::from_str(row.get());
    serde_path_to_error::deserialize(&mut reader)
        .map_err(|error| format!("{}: not of the expected kind", error.path()))
}

/// The rows of a list, each still to be read.
pub fn rows_of(answer: &Answer) -> Result<Vec<Box<RawValue>>> {
    read_json(answer)
}

/// The resume point that a cursor holds.
pub fn point<T: for<'de> Deserialize<'de>>(cursor: &Cursor, feed: Feed) -> Result<T> {
    serde_json::from_str(&cursor.0)
        .map_err(|_| Error::CursorRefused { why: format!("it is no cursor of the feed {}", feed.0) })
}

/// A resume point as a cursor.
pub fn saved(point: &impl Serialize) -> Result<Cursor> {
    serde_json::to_string(point)
        .map(Cursor)
        .map_err(|error| Error::Malformed { what: format!("the cursor cannot be written: {error}") })
}

/// The vendor's time when it answered, if it says so.
fn vendor_time(answer: &Answer) -> Option<Timestamp> {
    let text = answer.headers.get(http::header::DATE)?.to_str().ok()?;
    let moment = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
    Some(Timestamp(moment.as_millisecond()))
}

impl Desk {
    /// One page of a feed.
    pub async fn read_feed(&self, call: Call, feed: Feed, from: FeedStart) -> Result<Changes> {
        match feed {
            TICKETS => self.read_tickets(call, from).await,
            DELETED => self.read_folders(call, from).await,
            RATINGS => self.read_ratings(call, from).await,
            Feed(other) => Err(Error::Malformed { what: format!("no feed is named {other}") }),
        }
    }

    /// The overlap of two passes.
    pub fn overlap_secs(&self) -> i64 {
        i64::try_from(self.mapping.settings.overlap_secs).unwrap_or(i64::MAX / 4)
    }

    /// Where a first pass begins: the vendor's clock may be behind ours.
    pub fn first_second(&self, since: Timestamp) -> i64 {
        (since.as_secs() - self.overlap_secs()).max(0)
    }

    fn first_spot(&self, since: Timestamp) -> Spot {
        Spot::starting_at(self.first_second(since))
    }

    /// The moment before which every change is in a list that was read to its
    /// end: by the vendor's clock, or by ours with the overlap for its error.
    pub fn known_until(&self, answer: &Answer, newest: Option<i64>) -> Timestamp {
        let ours = || answer.at.minus(Duration::from_secs(self.mapping.settings.overlap_secs));
        let asked = vendor_time(answer).map_or_else(ours, |now| now.minus(BLIND_SPOT));
        newest.map_or(asked, |newest| asked.max(Timestamp::from_secs(newest)))
    }

    async fn read_tickets(&self, call: Call, from: FeedStart) -> Result<Changes> {
        let spot = match &from {
            FeedStart::Since(since) => self.first_spot(*since),
            FeedStart::After(cursor) => point::<TicketsPoint>(cursor, TICKETS)?.list,
        };
        let ask = self.mapping.list(spot.since, spot.page, self.list_cost.now())?;
        let answer = match self.client.send(call, ask).await {
            Ok(answer) => answer,
            Err(error) => return wall_before_its_page(&spot, error),
        };
        self.list_cost.learn(&answer.headers);
        let raw = rows_of(&answer)?;
        let mut newest = None;
        let mut rows = Vec::with_capacity(raw.len());
        for (at, row) in raw.iter().enumerate() {
            let (row, changed) = self.read_ticket_row(row, at, answer.at);
            newest = newest.max(changed);
            rows.push(row);
        }
        let seen = PageSeen { newest, more: more_follows(&answer, raw.len()) };
        let step = spot.after(&seen, self.overlap_secs());
        if step.wall {
            rows.push(wall_row(spot.since));
        }
        let known_until = self.known_until(&answer, spot.newest.max(newest));
        let complete_until = (!step.more).then_some(known_until);
        Ok(Changes { rows, next: saved(&TicketsPoint { list: step.next })?, more: step.more, complete_until })
    }

    fn read_ticket_row(&self, row: &RawValue, at: usize, read_at: Timestamp) -> (FeedRow, Option<i64>) {
        let ticket = match read_row(row) {
            Ok(ticket) => ticket,
            Err(why) => return (unreadable(row, at, &why), None),
        };
        let changed = ticket.updated_at.moment().map(Timestamp::as_secs);
        let row = match self.mapping.ticket(&ticket, ReadBy::Feed, read_at) {
            Ok(Read::Shown(observed)) => FeedRow::Changed(observed),
            Ok(Read::Gone(key)) => FeedRow::Gone(key),
            Err(why) => unreadable(row, at, &why),
        };
        (row, changed)
    }

    async fn read_folders(&self, call: Call, from: FeedStart) -> Result<Changes> {
        let at = match &from {
            FeedStart::Since(since) => {
                let spot = self.first_spot(*since);
                FoldersPoint { deleted: spot.clone(), spam: spot, in_spam: None, newest_only: false }
            }
            FeedStart::After(cursor) => point::<FoldersPoint>(cursor, DELETED)?,
        };
        let (folder, spot) = match at.in_spam {
            Some(_) => (Folder::Spam, &at.spam),
            None => (Folder::Deleted, &at.deleted),
        };
        let (answer, newest_only) = self.folder_page(call, folder, spot, at.newest_only).await?;
        let raw = rows_of(&answer)?;
        let (mut rows, newest) = self.gone_rows(&raw, spot.floor);
        let seen = PageSeen { newest, more: !newest_only && more_follows(&answer, raw.len()) };
        let step = spot.after(&seen, self.overlap_secs());
        if step.wall {
            rows.push(wall_row(spot.since));
        }
        let known_until = self.known_until(&answer, spot.newest.max(newest));
        let (in_spam, complete_until) = match (at.in_spam, step.more) {
            (folder, true) => (folder, None),
            (None, false) => (Some(known_until), None),
            (Some(deleted_until), false) => (None, Some(known_until.min(deleted_until))),
        };
        let (deleted, spam) = match at.in_spam {
            Some(_) => (at.deleted, step.next),
            None => (step.next, at.spam),
        };
        let next = saved(&FoldersPoint { deleted, spam, in_spam, newest_only })?;
        Ok(Changes { rows, next, more: complete_until.is_none(), complete_until })
    }

    /// A page of a folder; where the vendor refuses `updated_since` with a filter, its newest page.
    async fn folder_page(
        &self,
        call: Call,
        folder: Folder,
        spot: &Spot,
        newest_only: bool,
    ) -> Result<(Answer, bool)> {
        if !newest_only {
            match self.client.send(call, self.mapping.list_folder(folder, spot.since, spot.page)?).await {
                Err(Error::Refused { .. }) => {}
                answered => return Ok((answered?, false)),
            }
        }
        let answer = self.client.send(call, self.mapping.list_folder_newest(folder)?).await?;
        Ok((answer, true))
    }

    /// The rows of a folder that changed since `floor`: its tickets are gone.
    fn gone_rows(&self, raw: &[Box<RawValue>], floor: i64) -> (Vec<FeedRow>, Option<i64>) {
        let mut newest = None;
        let mut rows = Vec::new();
        for (at, row) in raw.iter().enumerate() {
            let read = read_row(row).and_then(|ticket| gone(&ticket));
            match read {
                Ok((_, changed)) if changed < floor => newest = newest.max(Some(changed)),
                Ok((id, changed)) => {
                    newest = newest.max(Some(changed));
                    let account = self.mapping.account.clone();
                    rows.push(FeedRow::Gone(TicketKey { account, id }));
                }
                Err(why) => rows.push(unreadable(row, at, &why)),
            }
        }
        (rows, newest)
    }
}

fn gone(ticket: &wire::Ticket) -> Result<(RemoteId, i64), String> {
    let id = ticket.id.id().ok_or("id: not a number")?;
    let changed = ticket.updated_at.moment().ok_or("updated_at: not a time")?;
    Ok((id, changed.as_secs()))
}

/// The vendor may refuse a page before the documented last one: past page 1
/// that is the same wall, met earlier.
fn wall_before_its_page(spot: &Spot, error: Error) -> Result<Changes> {
    if spot.page == 1 || !matches!(error, Error::Refused { .. }) {
        return Err(error);
    }
    let step = spot.past_the_wall();
    let next = saved(&TicketsPoint { list: step.next })?;
    Ok(Changes { rows: vec![wall_row(spot.since)], next, more: true, complete_until: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spot(floor: i64, since: i64, page: u32, newest: Option<i64>) -> Spot {
        Spot { floor, since, page, newest }
    }

    #[test]
    fn each_page_leads_on() {
        let full = |newest| PageSeen { newest, more: true };
        let last = |newest| PageSeen { newest, more: false };
        let rows = [
            // A full page moves the window, and reads its last second again.
            (spot(100, 100, 1, None), full(Some(250)), spot(100, 249, 1, Some(250)), true, false),
            (spot(100, 249, 1, Some(250)), full(Some(300)), spot(100, 299, 1, Some(300)), true, false),
            // A second that fills a page has its pages turned.
            (spot(100, 249, 1, Some(250)), full(Some(250)), spot(100, 249, 2, Some(250)), true, false),
            (spot(100, 249, 7, Some(250)), full(Some(260)), spot(100, 259, 1, Some(260)), true, false),
            (spot(100, 249, 7, Some(250)), full(None), spot(100, 249, 8, Some(250)), true, false),
            // Behind the last page there is only the next second.
            (spot(100, 249, 300, Some(250)), full(Some(250)), spot(100, 250, 1, Some(250)), true, true),
            (spot(100, 249, 300, Some(250)), full(None), spot(100, 250, 1, Some(250)), true, true),
            // Caught up: the next pass overlaps, but never falls behind its own start.
            (spot(100, 100, 1, None), last(Some(1_000)), spot(910, 910, 1, None), false, false),
            (spot(100, 299, 1, Some(300)), last(Some(300)), spot(210, 210, 1, None), false, false),
            (spot(100, 299, 2, Some(300)), last(None), spot(210, 210, 1, None), false, false),
            (spot(910, 910, 1, None), last(Some(950)), spot(910, 910, 1, None), false, false),
            (spot(910, 910, 1, None), last(None), spot(910, 910, 1, None), false, false),
        ];
        for (from, page, next, more, wall) in rows {
            let label = format!("{from:?}");
            assert_eq!(from.after(&page, 90), Step { next, more, wall }, "{label}");
        }
    }

    #[test]
    fn a_pass_over_one_endless_second_ends() {
        let mut at = spot(100, 100, 1, None);
        let mut walls = 0;
        for _ in 0..2_000 {
            let step = at.after(&PageSeen { newest: Some(103), more: at.since < 103 }, 90);
            walls += usize::from(step.wall);
            at = step.next;
            if !step.more {
                break;
            }
        }
        assert_eq!((at.floor, walls), (100, 1), "it stopped, said once that rows were left");
    }
}
