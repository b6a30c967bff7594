//! Reading: the feed, tickets, comments, people.

use std::{collections::BTreeMap, time::Duration};

use handoffd_core::{Comment, Fetched, Observed, Person, ReadBy, RemoteId, TicketKey, Timestamp};
use serde_json::value::RawValue;

use super::{
    Adapter,
    api::{self, ExportFrom},
    errors,
    map::{self, People, Reading, Row},
    memory, wire,
};
use crate::{
    client::{Answer, json::read_json},
    contract::{Call, Changes, Cursor, Error, FeedRow, FeedStart, Result},
};

/// Zendesk holds at most 5000 comments on a ticket: 50 pages, and some room.
const COMMENT_PAGES_MAX: usize = 60;
/// The last minute is not in the export.
const WITHHELD: Duration = Duration::from_secs(60);

impl Adapter {
    /// One page of the export.
    pub(super) async fn read_changes(&self, call: Call, from: FeedStart) -> Result<Changes> {
        let from = match from {
            FeedStart::Since(since) => ExportFrom::start(since, self.http.now()),
            FeedStart::After(cursor) => resume(&cursor)?,
        };
        loop {
            let rows = self.memory.page_rows();
            match self.http.send(call, api::export(&from, rows)?).await {
                Ok(answer) => return self.changes_in(&answer, &from),
                // The same page takes as long the next time: only a smaller one helps.
                Err(Error::Transient { why }) if why == errors::TOO_SLOW => {
                    if !self.memory.shrink_page() || self.http.now() >= call.deadline {
                        return Err(Error::Transient { why });
                    }
                }
                Err(Error::Refused { why }) if matches!(from, ExportFrom::After(_)) => {
                    return Err(Error::CursorRefused { why });
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn changes_in(&self, answer: &Answer, from: &ExportFrom) -> Result<Changes> {
        let page: wire::ExportPage = read_json(answer)?;
        let people = map::people(page.users);
        let rows = page.tickets.iter().enumerate();
        let rows: Vec<FeedRow> = rows.map(|(at, row)| self.feed_row(at, row, &people, answer.at)).collect();
        let next = page.after_cursor.filter(|cursor| !cursor.is_empty()).map(ExportFrom::After);
        let next = next.unwrap_or_else(|| from.clone());
        let ended = page.end_of_stream == Some(true);
        // Going on from the same place would read the same page for ever.
        let more = !ended && next != *from;
        if ended {
            self.memory.caught_up();
        }
        let complete_until = ended.then(|| vendor_now(answer).minus(WITHHELD));
        Ok(Changes { rows, next: cursor(&next), more, complete_until })
    }

    fn feed_row(&self, at: usize, raw: &RawValue, people: &People, read_at: Timestamp) -> FeedRow {
        let read = serde_json::from_str::<wire::Ticket>(raw.get())
            .map_err(|error| format!("not a ticket ({:?} at column {})", error.classify(), error.column()))
            .and_then(|ticket| self.row(&ticket, people, ReadBy::Feed, read_at));
        match read {
            Ok(Row::Shown(observed)) => FeedRow::Changed(observed),
            Ok(Row::Gone(ticket)) => FeedRow::Gone(ticket),
            Err(what) => {
                let id = serde_json::from_str::<wire::RowId>(raw.get()).ok().and_then(|row| row.id);
                FeedRow::Unreadable { id, what: format!("tickets[{at}].{what}") }
            }
        }
    }

    /// A ticket as it is shown, remembered, with its comment count where that can be believed.
    pub(super) fn row(
        &self,
        ticket: &wire::Ticket,
        people: &People,
        by: ReadBy,
        at: Timestamp,
    ) -> Result<Row, String> {
        let reading = Reading { account: self.http.account(), settings: &self.settings, by, at };
        let mut row = map::row(ticket, people, reading)?;
        if let Row::Shown(observed) = &mut row {
            let seen = memory::Ticket {
                requester: ticket.requester_id.clone(),
                count: ticket.comment_count,
                quiet: ticket.tags.as_ref().is_some_and(|tags| tags.contains(&self.settings.quiet_tag)),
            };
            observed.comment_count = self.memory.seen(&observed.ticket.id, seen);
        }
        Ok(row)
    }

    /// Tickets by id, in the order asked.
    pub(super) async fn read_many(&self, call: Call, tickets: &[RemoteId]) -> Result<Vec<Fetched>> {
        let mut found = BTreeMap::new();
        let askable: Vec<&RemoteId> = tickets.iter().filter(|id| api::is_number(id)).collect();
        for ids in askable.chunks(api::IDS_MAX) {
            self.read_some(call, ids, &mut found).await?;
        }
        let gone = |id: &RemoteId| Fetched::Gone(TicketKey::new(self.http.account().clone(), id.clone()));
        Ok(tickets.iter().map(|id| found.get(id).cloned().map_or_else(|| gone(id), Fetched::Shown)).collect())
    }

    async fn read_some(
        &self,
        call: Call,
        ids: &[&RemoteId],
        found: &mut BTreeMap<RemoteId, Box<Observed>>,
    ) -> Result<()> {
        let answer = match self.http.send(call, api::show_many(ids)?).await {
            Ok(answer) => answer,
            Err(Error::Gone) => return Ok(()),
            Err(error) => return Err(error),
        };
        let page: wire::TicketsPage = read_json(&answer)?;
        let people = map::people(page.users);
        for (at, ticket) in page.tickets.iter().enumerate() {
            let row = self.row(ticket, &people, ReadBy::Fetch, answer.at);
            match row.map_err(|what| Error::Malformed { what: format!("tickets[{at}].{what}") })? {
                Row::Shown(observed) => drop(found.insert(observed.ticket.id.clone(), observed)),
                Row::Gone(_) => {}
            }
        }
        Ok(())
    }

    /// One ticket as Zendesk writes it; [`Error::Gone`] when it is deleted.
    pub(super) async fn read_raw(&self, call: Call, ticket: &RemoteId) -> Result<RawTicket> {
        if !api::is_number(ticket) {
            return Err(Error::Gone);
        }
        let answer = self.http.send(call, api::show_many(&[ticket])?).await?;
        let page: wire::TicketsPage = read_json(&answer)?;
        let people = map::people(page.users);
        let row = page.tickets.into_iter().find(|row| row.id.as_ref() == Some(ticket));
        let row = row.ok_or(Error::Gone)?;
        self.observed(row, &people, ReadBy::Fetch, answer.at)
    }

    /// A ticket with the tags that Zendesk shows, the quiet one among them.
    pub(super) fn observed(
        &self,
        ticket: wire::Ticket,
        people: &People,
        by: ReadBy,
        at: Timestamp,
    ) -> Result<RawTicket> {
        match self.row(&ticket, people, by, at) {
            Ok(Row::Shown(observed)) => Ok(RawTicket { observed, tags: ticket.tags.unwrap_or_default() }),
            Ok(Row::Gone(_)) => Err(Error::Gone),
            Err(what) => Err(Error::Malformed { what: format!("ticket.{what}") }),
        }
    }

    /// Every comment of a ticket, oldest first.
    pub(super) async fn read_comments(&self, call: Call, ticket: &RemoteId) -> Result<Vec<Comment>> {
        let mut shown = Vec::new();
        let mut people = People::new();
        let mut after: Option<String> = None;
        for _ in 0..COMMENT_PAGES_MAX {
            let answer = self.http.send(call, api::comments(ticket, after.as_deref())?).await?;
            let page: wire::CommentsPage = read_json(&answer)?;
            shown.extend(page.comments);
            people.extend(map::people(page.users));
            match page.meta.next(after.as_deref()) {
                Some(next) => after = Some(next),
                None => return self.listed(call, ticket, &shown, &people).await,
            }
        }
        Err(Error::Malformed { what: format!("comments: more than {COMMENT_PAGES_MAX} pages") })
    }

    async fn listed(
        &self,
        call: Call,
        ticket: &RemoteId,
        shown: &[wire::Comment],
        people: &People,
    ) -> Result<Vec<Comment>> {
        let requester = self.requester(call, ticket, shown, people).await?;
        let comments = map::comments(shown, people, requester.as_ref(), &self.settings);
        let public = comments.iter().filter(|comment| comment.is_public()).count();
        if self.memory.listed(ticket, comments.len() as u64, public as u64) {
            tracing::info!(account = %self.http.account(), "Comment counts leave private notes out here and are not used.");
        }
        Ok(comments)
    }

    /// Who asked, when that can change what a comment is: an agent may be a requester too.
    async fn requester(
        &self,
        call: Call,
        ticket: &RemoteId,
        shown: &[wire::Comment],
        people: &People,
    ) -> Result<Option<RemoteId>> {
        let end_user =
            |id: &RemoteId| people.get(id).is_some_and(|user| user.role.as_deref() == Some("end-user"));
        if shown.iter().all(|comment| comment.author_id.as_ref().is_some_and(end_user)) {
            return Ok(None);
        }
        if let Some(known) = self.memory.requester(ticket) {
            return Ok(Some(known));
        }
        self.read_raw(call, ticket).await?;
        Ok(self.memory.requester(ticket))
    }

    /// The id of a person, made by e-mail when unknown.
    pub(super) async fn find_or_make(&self, call: Call, person: &Person) -> Result<RemoteId> {
        let email = api::email_of(person);
        let email =
            email.ok_or_else(|| Error::Refused { why: "the person has no e-mail address".to_owned() })?;
        let answer = self.http.send(call, api::people_by_email(&email)?).await?;
        let found: wire::UsersPage = read_json(&answer)?;
        // The search finds what resembles the address too.
        let folded = email.to_lowercase();
        let same = found
            .users
            .iter()
            .find(|user| user.email.as_deref().is_some_and(|theirs| theirs.trim().to_lowercase() == folded));
        if let Some(id) = same.and_then(|user| user.id.clone()) {
            return Ok(id);
        }
        // Asking again gives the same person, so a lost answer is no more than a delay.
        let answer =
            self.http.send(call, api::upsert_person(person, &email)?).await.map_err(|e| match e {
                Error::Unknown { why } => Error::Transient { why },
                other => other,
            })?;
        let made: wire::OneUser = read_json(&answer)?;
        made.user.id.ok_or_else(|| Error::Malformed { what: "user.id: none".to_owned() })
    }
}

/// A ticket as Zendesk shows it.
#[derive(Debug)]
pub(super) struct RawTicket {
    /// In canonical form.
    pub observed: Box<Observed>,
    /// Every tag, the quiet one too.
    pub tags: Vec<String>,
}

fn cursor(from: &ExportFrom) -> Cursor {
    Cursor(match from {
        ExportFrom::Start(secs) => format!("start:{secs}"),
        ExportFrom::After(cursor) => format!("after:{cursor}"),
    })
}

fn resume(cursor: &Cursor) -> Result<ExportFrom> {
    let start = cursor.0.strip_prefix("start:").and_then(|secs| secs.parse().ok()).map(ExportFrom::Start);
    let after = cursor.0.strip_prefix("after:").map(|after| ExportFrom::After(after.to_owned()));
    start.or(after).ok_or_else(|| Error::CursorRefused { why: "not a cursor of this connector".to_owned() })
}

/// Zendesk's own time where it tells it and it is behind ours.
fn vendor_now(answer: &Answer) -> Timestamp {
    let date = answer.headers.get(http::header::DATE).and_then(|date| date.to_str().ok());
    let told = date.and_then(|date| jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(date).ok());
    told.map_or(answer.at, |told| Timestamp(told.as_millisecond()).min(answer.at))
}
