//! Reads feeds: what a page shows becomes jobs, and the cursor moves in the
//! last commit of the page, never before its rows.

use handoffd_connectors::contract::{Changes, Disarms, Error, Feed, FeedRow, FeedStart, Lane};
use handoffd_core::{Fetched, Rating, RemoteId, TicketKey, Timestamp};

use super::{Desk, Engine};
use crate::store::{
    Commit, Guard, Key, Write,
    tables::{self, CursorRow, ParkedRow, Row},
};

/// How many rows of a page go into one commit.
const ROWS_PER_COMMIT: usize = 40;

/// What one pass over a feed came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeedPass {
    /// Every change before this moment of the vendor's time was taken in.
    pub complete_until: Option<Timestamp>,
    /// More is ready now.
    pub more: bool,
    /// How many rows were taken in.
    pub rows: usize,
}

/// Why a pass over a feed stopped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PassError {
    /// The account is paused, or reading is switched off there.
    #[error("{0}")]
    Off(String),
    /// The vendor.
    #[error(transparent)]
    Vendor(#[from] Error),
    /// The store.
    #[error("the store: {0}")]
    Store(String),
}

impl Engine {
    pub(super) async fn run_poller(&self, desk: &Desk, feed: Feed) {
        loop {
            let again_at = match self.read_feed(desk, feed).await {
                Ok(pass) if pass.more => self.now(),
                Ok(_) => self.now().plus(self.jittered(desk.poll)),
                Err(error) => self.after_failed_pass(desk, feed, &error),
            };
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return,
                () = self.poll_now.notified() => {}
                () = self.parts.clock.sleep_until(again_at) => {}
            }
        }
    }

    fn after_failed_pass(&self, desk: &Desk, feed: Feed, error: &PassError) -> Timestamp {
        let usual = self.now().plus(self.jittered(desk.poll));
        match error {
            PassError::Off(_) => usual,
            PassError::Vendor(Error::Throttled { retry_at }) => (*retry_at).max(self.now()),
            // The pause of the account was said, once for all of its feeds.
            PassError::Vendor(Error::Unauthorized { .. }) => usual,
            error => {
                tracing::warn!(account = %desk.id, feed = feed.0, %error, "The feed could not be read; it is tried again.");
                usual
            }
        }
    }

    /// Reads up to the configured number of pages of a feed.
    pub async fn read_feed(&self, desk: &Desk, feed: Feed) -> Result<FeedPass, PassError> {
        if desk.is_paused() {
            return Err(PassError::Off(format!("{} is paused", desk.id)));
        }
        if !desk.reads_armed() {
            return Err(PassError::Off(format!("reading {} is switched off", desk.id)));
        }
        let mut rows = 0;
        for _ in 0..self.parts.config.feed_pages_max {
            let row = self.cursor(desk, feed).await?;
            let start = match row.as_ref().and_then(|row| row.value.cursor.clone()) {
                Some(cursor) => FeedStart::After(cursor),
                None => FeedStart::Since(self.first_start(row.as_ref())),
            };
            match desk.helpdesk.changes(self.call(Lane::Live), feed, start).await {
                Ok(changes) => {
                    rows += changes.rows.len();
                    let (more, complete_until) = (changes.more, changes.complete_until);
                    self.take_in(desk, feed, row.as_ref(), changes).await?;
                    self.feed_works(desk, feed).await;
                    if !more {
                        return Ok(FeedPass { complete_until, more, rows });
                    }
                }
                Err(error) => return Err(self.failed_page(desk, feed, row.as_ref(), error).await),
            }
        }
        Ok(FeedPass { complete_until: None, more: true, rows })
    }

    /// The first read looks back a little; after a refused cursor, to where the feed was complete.
    fn first_start(&self, row: Option<&Row<CursorRow>>) -> Timestamp {
        let look_back = self.now().minus(self.parts.config.look_back.0);
        match row.and_then(|row| row.value.complete_until) {
            Some(complete) => {
                complete.max(self.now().minus(self.parts.config.look_back.0 * 24)).min(look_back)
            }
            None => look_back,
        }
    }

    async fn cursor(&self, desk: &Desk, feed: Feed) -> Result<Option<Row<CursorRow>>, PassError> {
        let key = tables::cursor_key(&desk.id, feed.0);
        let row = tables::read(&*self.parts.store, tables::CURSORS, &key).await;
        row.map_err(|error| PassError::Store(error.to_string()))
    }

    /// Commits a page: jobs first, in chunks, the cursor with the last of them.
    async fn take_in(
        &self,
        desk: &Desk,
        feed: Feed,
        before: Option<&Row<CursorRow>>,
        changes: Changes,
    ) -> Result<(), PassError> {
        let mut commits = vec![Commit::default()];
        for row in changes.rows {
            if commits.last().is_some_and(|commit| commit.ops() >= ROWS_PER_COMMIT) {
                commits.push(Commit::default());
            }
            let Some(commit) = commits.last_mut() else { break };
            self.take_row(desk, feed, row, commit).await;
        }
        if let Some(last) = commits.last_mut() {
            let complete_until = changes.complete_until.or(before.and_then(|row| row.value.complete_until));
            let cursor = CursorRow { cursor: Some(changes.next), complete_until, read_at: self.now() };
            let (guard, write) = self.cursor_write(desk, feed, before, &cursor);
            last.guards.push(guard);
            last.writes.push(write);
        }
        for commit in commits {
            let committed = self.parts.store.commit(commit).await;
            committed.map_err(|error| PassError::Store(error.to_string()))?;
        }
        if let Some(until) = changes.complete_until {
            self.parts.metrics.feed_complete(&desk.id, until);
        }
        Ok(())
    }

    fn cursor_write(
        &self,
        desk: &Desk,
        feed: Feed,
        before: Option<&Row<CursorRow>>,
        cursor: &CursorRow,
    ) -> (Guard, Write) {
        let key = tables::cursor_key(&desk.id, feed.0);
        let guard = match before {
            Some(row) => Guard::Rev(tables::CURSORS, key.clone(), row.rev),
            None => Guard::Absent(tables::CURSORS, key.clone()),
        };
        (guard, tables::put(tables::CURSORS, key, cursor))
    }

    async fn take_row(&self, desk: &Desk, feed: Feed, row: FeedRow, commit: &mut Commit) {
        let due = self.now().plus(self.parts.config.debounce.0);
        match row {
            FeedRow::Changed(observed) => {
                let ticket = observed.ticket.clone();
                commit.jobs.push(self.ticket_job(&ticket, "poll", due).await);
                self.views.keep(ticket, Fetched::Shown(observed));
            }
            FeedRow::Gone(ticket) => {
                commit.jobs.push(self.ticket_job(&ticket, "poll", due).await);
                self.views.keep(ticket.clone(), Fetched::Gone(ticket));
            }
            FeedRow::Moved { from, to } => {
                commit.jobs.push(self.ticket_job(&from, "poll", due).await);
                self.views.keep(from.clone(), Fetched::MovedTo { from, to });
            }
            // Passes overlap: the newest ratings come again.
            FeedRow::Rated { ticket, rating } if self.knows_rating(&ticket, &rating).await => {}
            FeedRow::Rated { ticket, rating } => {
                // The ticket itself does not show it: it is kept until the look that the job makes.
                commit.writes.push(tables::put(tables::RATINGS, tables::ticket_key(&ticket), &rating));
                commit.jobs.push(self.ticket_job(&ticket, "poll", due).await);
            }
            FeedRow::Unreadable { id, what } => {
                commit.writes.extend(self.park_row(desk, feed, id.as_ref(), &what).await);
            }
        }
    }

    async fn knows_rating(&self, ticket: &TicketKey, rating: &Rating) -> bool {
        let store = &*self.parts.store;
        let Ok(Some(link)) = tables::link_of(store, ticket).await else { return false };
        let Ok(Some(row)) = tables::read_link(store, &link).await else { return false };
        row.link.sides.get(ticket).is_some_and(|side| side.rating.as_ref() == Some(rating))
    }

    /// Parks a row that cannot be read; a row that is parked for this already is not said again.
    async fn park_row(&self, desk: &Desk, feed: Feed, id: Option<&RemoteId>, what: &str) -> Option<Write> {
        let place = match id {
            Some(id) => TicketKey::new(desk.id.clone(), id.clone()).to_string(),
            None => format!("{}/{}", desk.id, feed.0),
        };
        let row = ParkedRow {
            kind: "row".to_owned(),
            name: place,
            account: desk.id.clone(),
            link: None,
            reason: what.to_owned(),
            since: self.now(),
            causes: None,
        };
        let key = tables::parked_key(&row);
        let known = tables::read::<ParkedRow>(&*self.parts.store, tables::PARKED, &key).await.ok().flatten();
        let looked_at = Key::of(&["work", &format!("t/{}", row.name)]);
        let is_parked = matches!(self.parts.store.get(tables::PARKED, &looked_at).await, Ok(Some(_)));
        if is_parked || known.is_some_and(|known| known.value.reason == row.reason) {
            return None;
        }
        tracing::warn!(account = %desk.id, feed = feed.0, place = row.name, what, "A row of the feed cannot be read and is parked.");
        self.parts.metrics.parked("row");
        Some(tables::put(tables::PARKED, key, &row))
    }

    async fn failed_page(
        &self,
        desk: &Desk,
        feed: Feed,
        row: Option<&Row<CursorRow>>,
        error: Error,
    ) -> PassError {
        match &error {
            Error::CursorRefused { why } => {
                tracing::warn!(account = %desk.id, feed = feed.0, why, "The cursor is refused; the feed starts again from a bounded look-back.");
                if let Some(row) = row {
                    let start = CursorRow { cursor: None, ..row.value.clone() };
                    let (guard, write) = self.cursor_write(desk, feed, Some(row), &start);
                    let commit = Commit { guards: vec![guard], writes: vec![write], ..Commit::default() };
                    if let Err(error) = self.parts.store.commit(commit).await {
                        return PassError::Store(error.to_string());
                    }
                }
            }
            Error::Malformed { what } => {
                let changed = desk.change_standing(|standing| {
                    standing.feeds_paused.insert(feed.0.to_owned(), what.clone());
                });
                if changed {
                    tracing::error!(account = %desk.id, feed = feed.0, what, "A page of the feed cannot be read; the feed waits with its cursor kept.");
                    self.store_standing(desk).await;
                }
            }
            error => self.learn(desk, error, Disarms::Reads).await,
        }
        PassError::Vendor(error)
    }

    async fn feed_works(&self, desk: &Desk, feed: Feed) {
        if desk.change_standing(|standing| {
            standing.feeds_paused.remove(feed.0);
        }) {
            self.store_standing(desk).await;
        }
    }

    /// The resume points of an account's feeds, for people.
    pub async fn cursors(&self, desk: &Desk) -> Vec<(Feed, Option<CursorRow>)> {
        let mut found = Vec::new();
        for feed in desk.helpdesk.feeds() {
            let row = self.cursor(desk, *feed).await.ok().flatten();
            found.push((*feed, row.map(|row| row.value)));
        }
        found
    }
}

/// The key prefix of an account's rows.
pub fn account_prefix(desk: &Desk) -> Key {
    Key::of(&[desk.id.as_str(), ""])
}
