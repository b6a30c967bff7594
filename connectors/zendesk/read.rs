//! Reading: the feed, tickets, comments, people.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use handoffd_core::{Comment, Fetched, Observed, Person, ReadBy, RemoteId, TicketKey, Timestamp};
use serde_json::value::RawValue;

use super::{
    Adapter,
    api::{self, ExportFrom},
    errors,
    map::{self, Dialect, People, Reading, Row},
    memory,
    statuses::Statuses,
    wire,
};
use crate::{
    client::{Answer, json::read_json},
    contract::{Call, Changes, Cursor, Error, FeedRow, FeedStart, Result},
};

/// Zendesk holds at most 5000 comments on a ticket: 50 pages, and some room.
const COMMENT_PAGES_MAX: usize = 60;
/// The last minute is not in the export.
const WITHHELD: Duration = Duration::from_secs(60);

/// A page of the export, its rows in canonical form.
pub(super) struct Page {
    /// The rows.
    pub rows: Vec<FeedRow>,
    /// Where to go on.
    pub next: ExportFrom,
    /// Whether another page is ready now.
    pub more: bool,
    /// Whether this was the last page for now.
    ended: bool,
    /// Zendesk's own time.
    vendor_now: Timestamp,
}

impl Adapter {
    /// One page of the export, for the feed.
    pub(super) async fn read_changes(&self, call: Call, from: FeedStart) -> Result<Changes> {
        let from = match from {
            FeedStart::Since(since) => ExportFrom::start(since, self.http.now()),
            FeedStart::After(cursor) => resume(&cursor)?,
        };
        let page = self.export_page(call, from).await?;
        let complete_until = page.ended.then(|| page.vendor_now.minus(WITHHELD));
        Ok(Changes { rows: page.rows, next: cursor(&page.next), more: page.more, complete_until })
    }

    /// One page of the export.
    pub(super) async fn export_page(&self, call: Call, from: ExportFrom) -> Result<Page> {
        loop {
            let rows = self.memory.page_rows();
            match self.http.send(call, api::export(&from, rows)?).await {
                Ok(answer) => return self.page_in(call, &answer, &from).await,
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

    async fn page_in(&self, call: Call, answer: &Answer, from: &ExportFrom) -> Result<Page> {
        let page: wire::ExportPage = read_json(answer)?;
        let tickets: Vec<Result<wire::Ticket, String>> =
            page.tickets.iter().map(|raw| decoded(raw)).collect();
        let readable: Vec<&wire::Ticket> = tickets.iter().filter_map(|ticket| ticket.as_ref().ok()).collect();
        let beside = Beside { users: page.users, statuses: page.custom_statuses };
        let known = self.learn(call, &readable, beside).await?;
        let mut rows = Vec::with_capacity(tickets.len());
        for (at, (ticket, raw)) in tickets.into_iter().zip(&page.tickets).enumerate() {
            rows.push(self.feed_row(call, at, ticket, raw, &known, answer.at).await?);
        }
        let next = page.after_cursor.filter(|cursor| !cursor.is_empty()).map(ExportFrom::After);
        let next = next.unwrap_or_else(|| from.clone());
        let ended = page.end_of_stream == Some(true);
        // Going on from the same place would read the same page for ever.
        let more = !ended && next != *from;
        if ended {
            self.memory.caught_up();
        }
        Ok(Page { rows, next, more, ended, vendor_now: vendor_now(answer) })
    }

    async fn feed_row(
        &self,
        call: Call,
        at: usize,
        ticket: Result<wire::Ticket, String>,
        raw: &RawValue,
        known: &Known,
        read_at: Timestamp,
    ) -> Result<FeedRow> {
        let merged = ticket.as_ref().is_ok_and(map::is_merged);
        let read = ticket.and_then(|ticket| self.row(&ticket, known, ReadBy::Feed, read_at));
        Ok(match read {
            Ok(Row::Shown(observed)) if merged => match self.merged_into(call, &observed.ticket.id).await? {
                Some(to) => FeedRow::Moved { to: self.key(to), from: observed.ticket },
                None => FeedRow::Changed(observed),
            },
            Ok(Row::Shown(observed)) => FeedRow::Changed(observed),
            Ok(Row::Gone(ticket)) => FeedRow::Gone(ticket),
            Err(what) => {
                let id = serde_json::from_str::<wire::RowId>(raw.get()).ok().and_then(|row| row.id);
                FeedRow::Unreadable { id, what: format!("tickets[{at}].{what}") }
            }
        })
    }

    fn key(&self, ticket: RemoteId) -> TicketKey {
        TicketKey::new(self.http.account().clone(), ticket)
    }

    /// The ticket in which this one ended: only its audits say so.
    async fn merged_into(&self, call: Call, ticket: &RemoteId) -> Result<Option<RemoteId>> {
        if let Some(known) = self.memory.merged_into(ticket) {
            return Ok(Some(known));
        }
        let answer = match self.http.send(call, api::audits(ticket, None)?).await {
            Ok(answer) => answer,
            Err(Error::Gone | Error::Forbidden { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let page: wire::AuditsPage = read_json(&answer)?;
        let target = map::merge_target(&page.audits, ticket);
        if let Some(target) = &target {
            self.memory.merged(ticket, target);
        }
        Ok(target)
    }

    /// What belongs to these tickets: from beside them, from memory, and what neither has, asked for.
    async fn learn(&self, call: Call, tickets: &[&wire::Ticket], beside: Beside) -> Result<Known> {
        self.memory.statuses(|statuses| statuses.learn(&beside.statuses));
        let in_copy = tickets.iter().flat_map(|ticket| ticket.email_cc_ids.iter().flatten());
        let people = self.people_of(call, in_copy.cloned().collect(), map::people(beside.users)).await?;
        let used = tickets.iter().filter_map(|ticket| ticket.custom_status_id.clone()).collect();
        self.learn_statuses(call, used).await?;
        Ok(Known { people, statuses: self.memory.statuses(|statuses| statuses.clone()) })
    }

    /// These people, beside those who are shown already.
    pub(super) async fn people_of(
        &self,
        call: Call,
        ids: BTreeSet<RemoteId>,
        mut shown: People,
    ) -> Result<People> {
        self.memory.met(&shown);
        let mut missing = Vec::new();
        for id in ids {
            if shown.contains_key(&id) {
                continue;
            }
            match self.memory.person(&id) {
                Some(user) => drop(shown.insert(id, user)),
                None => missing.push(id),
            }
        }
        let missing: Vec<&RemoteId> = missing.iter().filter(|id| api::is_number(id)).collect();
        for ids in missing.chunks(api::IDS_MAX) {
            let answer = self.http.send(call, api::people(ids)?).await?;
            let page: wire::UsersPage = read_json(&answer)?;
            let people = map::people(page.users);
            self.memory.met(&people);
            shown.extend(people);
        }
        Ok(shown)
    }

    async fn learn_statuses(&self, call: Call, used: BTreeSet<RemoteId>) -> Result<()> {
        let unknown = |id: &&RemoteId| self.memory.statuses(|statuses| !statuses.knows(id));
        if !used.iter().any(|id| unknown(&id)) {
            return Ok(());
        }
        match self.http.send(call, api::statuses()?).await {
            Ok(answer) => {
                let page: wire::StatusesPage = read_json(&answer)?;
                self.memory.statuses(|statuses| statuses.learn(&page.custom_statuses));
            }
            // An account without custom statuses.
            Err(Error::Forbidden { .. } | Error::Gone) => {}
            Err(error) => return Err(error),
        }
        self.memory.statuses(|statuses| used.iter().for_each(|id| statuses.give_up(id)));
        Ok(())
    }

    /// A ticket as it is shown, remembered, with its comment count where that can be believed.
    fn row(&self, ticket: &wire::Ticket, known: &Known, by: ReadBy, at: Timestamp) -> Result<Row, String> {
        let dialect = Dialect { settings: &self.settings, custom: &self.custom, statuses: &known.statuses };
        let reading = Reading { account: self.http.account(), dialect, by, at };
        let mut row = map::row(ticket, &known.people, reading)?;
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
        let gone = |id: &RemoteId| Fetched::Gone(self.key(id.clone()));
        Ok(tickets.iter().map(|id| found.get(id).cloned().unwrap_or_else(|| gone(id))).collect())
    }

    /// At most [`api::IDS_MAX`] tickets.
    pub(super) async fn read_some(
        &self,
        call: Call,
        ids: &[&RemoteId],
        found: &mut BTreeMap<RemoteId, Fetched>,
    ) -> Result<()> {
        let answer = match self.show_many(call, ids).await {
            Ok(answer) => answer,
            Err(Error::Gone) => return Ok(()),
            Err(error) => return Err(error),
        };
        let page: wire::TicketsPage = read_json(&answer)?;
        let beside = Beside { users: page.users, statuses: page.custom_statuses };
        let known = self.learn(call, &page.tickets.iter().collect::<Vec<_>>(), beside).await?;
        for (at, ticket) in page.tickets.iter().enumerate() {
            let row = self.row(ticket, &known, ReadBy::Fetch, answer.at);
            let row = row.map_err(|what| Error::Malformed { what: format!("tickets[{at}].{what}") })?;
            let Row::Shown(observed) = row else { continue };
            let id = observed.ticket.id.clone();
            let target = if map::is_merged(ticket) { self.merged_into(call, &id).await? } else { None };
            let fetched = match target {
                Some(to) => Fetched::MovedTo { to: self.key(to), from: observed.ticket },
                None => Fetched::Shown(observed),
            };
            found.insert(id, fetched);
        }
        Ok(())
    }

    /// Tickets that are not there are not in the list, or the list is not. That an
    /// account which answers 404 to everything, suspended or renamed, has no list
    /// says nothing about tickets.
    async fn show_many(&self, call: Call, ids: &[&RemoteId]) -> Result<Answer> {
        match self.http.send(call, api::show_many(ids)?).await {
            Err(Error::Gone) => match self.http.send(call, api::me()?).await {
                Err(Error::Gone) => {
                    Err(Error::Transient { why: "Zendesk answers 404 to everything".to_owned() })
                }
                Ok(_) => Err(Error::Gone),
                Err(error) => Err(error),
            },
            answered => answered,
        }
    }

    /// One ticket as Zendesk writes it; [`Error::Gone`] when it is deleted.
    pub(super) async fn read_raw(&self, call: Call, ticket: &RemoteId) -> Result<RawTicket> {
        if !api::is_number(ticket) {
            return Err(Error::Gone);
        }
        let answer = self.show_many(call, &[ticket]).await?;
        let page: wire::TicketsPage = read_json(&answer)?;
        let row = page.tickets.into_iter().find(|row| row.id.as_ref() == Some(ticket));
        let row = row.ok_or(Error::Gone)?;
        let beside = Beside { users: page.users, statuses: page.custom_statuses };
        self.observed(call, row, beside, ReadBy::Fetch, answer.at).await
    }

    /// A ticket with the tags that Zendesk shows, the quiet one among them.
    pub(super) async fn observed(
        &self,
        call: Call,
        ticket: wire::Ticket,
        beside: Beside,
        by: ReadBy,
        at: Timestamp,
    ) -> Result<RawTicket> {
        let mut known = self.learn(call, &[&ticket], beside).await?;
        if let Some(id) = &ticket.requester_id
            && let Some(user) = self.memory.person(id)
        {
            known.people.entry(id.clone()).or_insert(user);
        }
        match self.row(&ticket, &known, by, at) {
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
            self.memory.met(&people);
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
        let mut making = self.made.lock().await;
        if let Some(id) = making.lately(&folded, self.http.now()) {
            return Ok(id);
        }
        // Asking again gives the same person, so a lost answer is no more than a delay.
        let answer =
            self.http.send(call, api::upsert_person(person, &email)?).await.map_err(|e| match e {
                Error::Unknown { why } => Error::Transient { why },
                other => other,
            })?;
        let made: wire::OneUser = read_json(&answer)?;
        let id = made.user.id.ok_or_else(|| Error::Malformed { what: "user.id: none".to_owned() })?;
        making.add(folded, id.clone(), self.http.now());
        Ok(id)
    }
}

/// What an answer has beside its tickets.
#[derive(Debug, Default)]
pub(super) struct Beside {
    /// People.
    pub users: Vec<wire::User>,
    /// Statuses of the account's own.
    pub statuses: Vec<wire::CustomStatus>,
}

/// What tickets are read with.
struct Known {
    people: People,
    statuses: Statuses,
}

fn decoded(raw: &RawValue) -> Result<wire::Ticket, String> {
    serde_json::from_str::<wire::Ticket>(raw.get())
        .map_err(|error| format!("not a ticket ({:?} at column {})", error.classify(), error.column()))
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
