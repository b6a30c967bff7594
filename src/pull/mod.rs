//! `handoffd pull`: an account's tickets as lines of JSON. Reads only; goes on where it stopped.
//!
//! A page of a feed is read, the comments of its tickets are listed side by side, the lines are
//! written in the page's order, and only then the resume point moves. Memory holds one page. A
//! ticket whose comments cannot be read is one line that says so; the others go on. Where a vendor
//! gives the comments of its whole history in bulk they come first, and wait in files.

mod line;
mod out;
mod recent;

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::{StreamExt as _, stream};
use handoffd_connectors::{
    client::Clock,
    contract::{Call, Changes, Error, Feed, FeedRow, FeedStart, Helpdesk, Lane},
};
use handoffd_core::{AccountId, CommentsSeen, RemoteId, Timestamp};

use crate::engine::spool::Spool;

pub use line::{Line, Names};
pub use out::{Out, OutError, State};

/// The form of the lines, as JSON Schema.
pub const SCHEMA: &str = include_str!("../../config/pull.schema.json");

/// The longest that one call may take, waiting for the vendor's limit included.
const CALL: Duration = Duration::from_secs(300);
/// The wait after a failure that passes, doubled each time in a row.
const REST: Duration = Duration::from_secs(2);
/// How often in a row a call may fail for a passing reason.
const TRIES: u32 = 8;
/// From this quota on, in requests a minute, comments are listed ticket by ticket although they come in
/// bulk: exports in bulk have a limit of their own, some 10 pages of 1000 a minute.
const BULK_BELOW: f64 = 2_500.0;
/// How often it is told how far a page is.
const TOLD_EVERY: Duration = Duration::from_secs(5);
/// How many tickets' comments are listed side by side.
const AT_ONCE: usize = 8;
/// How far before the moment up to which all was pulled a feed begins whose cursor is refused.
const LOOK_BACK: Duration = Duration::from_secs(3_600);

/// What is to be pulled.
pub struct Order {
    /// The account.
    pub account: AccountId,
    /// Changes since then; `None`: everything.
    pub since: Option<Timestamp>,
    /// Whether comments are listed.
    pub comments: bool,
    /// The account's custom fields, by the names under which the adapter shows them.
    pub names: Names,
}

/// What was pulled.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Pulled {
    /// Comments that came in bulk, ahead of their tickets.
    pub ahead: u64,
    /// Lines of tickets.
    pub tickets: u64,
    /// Comments on them.
    pub comments: u64,
    /// Lines of tickets that are deleted, spam or merged.
    pub gone: u64,
    /// Lines of rows, and of tickets whose comments, could not be read.
    pub unreadable: u64,
    /// Pages read.
    pub pages: u64,
    /// Feeds whose resume point the vendor refused, with when they began again.
    pub begun_again: BTreeMap<String, Timestamp>,
}

/// Why a pull stopped. What was written until then stays, and the next one goes on from there.
#[derive(Debug, thiserror::Error)]
pub enum PullError {
    /// The vendor.
    #[error("{account}: {error}; run the same command again to go on from here")]
    Vendor {
        /// Which account.
        account: AccountId,
        /// What it said.
        error: Error,
    },
    /// The output.
    #[error(transparent)]
    Out(#[from] OutError),
}

/// Pulls until the vendor has no more. `progress` is told after each page, and now and then how many
/// tickets of the next page are at hand.
pub async fn pull(
    desk: &Arc<dyn Helpdesk>,
    clock: &dyn Clock,
    order: &Order,
    out: &mut Out,
    mut progress: impl FnMut(&Pulled, usize),
) -> Result<Pulled, PullError> {
    let puller = Puller { desk, clock, order, spool: out.spool() };
    let mut pulled = Pulled::default();
    for feed in desk.feeds() {
        let mut from = puller.source(*feed, out);
        loop {
            let page = match from {
                Source::Changes => puller.page(*feed, out, &mut pulled).await?,
                Source::History => match puller.past(out, &mut pulled).await? {
                    Some(page) => Some(page),
                    None => {
                        from = Source::Changes;
                        continue;
                    }
                },
            };
            let Some((start, page)) = page else { break };
            let (next, more, complete) = (page.next.clone(), page.more, page.complete_until);
            let at_hand = AtomicUsize::new(0);
            let written = {
                let asked = Asked { from, feed: *feed, start, listed: pulled.comments > 0 };
                let lines = puller.lines(asked, page, &at_hand);
                tokio::pin!(lines);
                loop {
                    tokio::select! {
                        biased;
                        done = &mut lines => break done?,
                        () = clock.sleep_until(clock.now().plus(TOLD_EVERY)) => {
                            progress(&pulled, at_hand.load(Ordering::Relaxed));
                        }
                    }
                }
            };
            pulled.pages += 1;
            let feed = if from == Source::History { HISTORY } else { feed.0 };
            out.write(feed, &written, next, complete, |line| line.count(&mut pulled))?;
            progress(&pulled, 0);
            if !more {
                break;
            }
        }
    }
    puller.spool.clear();
    out.finish()?;
    Ok(pulled)
}

/// The name under which the resume point in the history is kept.
const HISTORY: &str = "history";

/// Where tickets are read from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    /// The feed of changes; comments are listed ticket by ticket.
    Changes,
    /// The history, comments in bulk.
    History,
}

/// Where a page came from.
struct Asked {
    from: Source,
    feed: Feed,
    start: FeedStart,
    /// Whether the comments of any ticket could be listed before.
    listed: bool,
}

struct Puller<'a> {
    desk: &'a Arc<dyn Helpdesk>,
    clock: &'a dyn Clock,
    order: &'a Order,
    spool: Spool,
}

impl Puller<'_> {
    fn call(&self) -> Call {
        Call { lane: Lane::Backfill, deadline: self.clock.now().plus(CALL) }
    }

    fn start(&self, out: &Out, feed: Feed) -> FeedStart {
        match out.cursor(feed.0) {
            Some(cursor) => FeedStart::After(cursor),
            None => FeedStart::Since(self.order.since.unwrap_or_default()),
        }
    }

    /// A pull goes on with what it began with.
    fn source(&self, feed: Feed, out: &Out) -> Source {
        let is_first = self.desk.feeds().first() == Some(&feed);
        let bulk = self.order.comments && self.desk.capabilities().history_has_comments;
        let quota = self.desk.quota();
        let per_minute = f64::from(quota.count) * 60.0 / quota.per.as_secs_f64().max(0.001);
        let pays = per_minute < BULK_BELOW || out.cursor(HISTORY).is_some();
        match is_first && bulk && pays && out.cursor(feed.0).is_none() {
            true => Source::History,
            false => Source::Changes,
        }
    }

    /// The next page of the history and where it began, its comments put aside; `None` where it
    /// may not be read. One whose resume point is refused begins again, once.
    async fn past(&self, out: &Out, pulled: &mut Pulled) -> Result<Option<(FeedStart, Changes)>, PullError> {
        let known = out.cursor(HISTORY);
        let is_new = known.is_none();
        if is_new {
            self.spool.clear();
        }
        let since = FeedStart::Since(self.order.since.unwrap_or_default());
        let mut start = known.map_or(since, FeedStart::After);
        let page = loop {
            match self.patiently(|| self.desk.history(self.call(), start.clone())).await {
                Ok(page) => break page,
                Err(Error::Forbidden { .. } | Error::Refused { .. }) if is_new => return Ok(None),
                Err(Error::CursorRefused { .. }) if matches!(start, FeedStart::After(_)) => {
                    self.spool.clear();
                    start = self.again(out, HISTORY, pulled);
                }
                Err(error) => return Err(self.failed(error)),
            }
        };
        pulled.ahead += page.comments.len() as u64;
        self.spool.add(&page.comments).map_err(|why| out.spool_failed(why))?;
        // The vendor's time of the newest change so far: those that are left are newer.
        let changed = |row: &FeedRow| match row {
            FeedRow::Changed(observed) => Some(Timestamp(observed.version.0)),
            _ => None,
        };
        let complete_until = page.rows.iter().filter_map(changed).max();
        let (rows, next, more) = (page.rows, page.next, page.more);
        Ok(Some((start, Changes { rows, next, more, complete_until })))
    }

    /// The next page and where it began; `None` where the plan has no such feed. A feed whose
    /// resume point is refused begins again, once.
    async fn page(
        &self,
        feed: Feed,
        out: &Out,
        pulled: &mut Pulled,
    ) -> Result<Option<(FeedStart, Changes)>, PullError> {
        let mut start = self.start(out, feed);
        loop {
            match self.patiently(|| self.desk.changes(self.call(), feed, start.clone())).await {
                Ok(page) => return Ok(Some((start, page))),
                // A feed beside the first tells of deletions or ratings, which not every plan has.
                Err(Error::Forbidden { .. }) if self.desk.feeds().first() != Some(&feed) => return Ok(None),
                Err(Error::CursorRefused { .. }) if matches!(start, FeedStart::After(_)) => {
                    start = self.again(out, feed.0, pulled);
                }
                Err(error) => return Err(self.failed(error)),
            }
        }
    }

    /// A little before the moment up to which all of a feed was pulled.
    fn again(&self, out: &Out, feed: &str, pulled: &mut Pulled) -> FeedStart {
        let since = self.order.since.unwrap_or_default();
        let from = out.complete_until(feed).map_or(since, |complete| complete.minus(LOOK_BACK).max(since));
        pulled.begun_again.insert(feed.to_owned(), from);
        FeedStart::Since(from)
    }

    async fn lines(
        &self,
        asked: Asked,
        page: Changes,
        at_hand: &AtomicUsize,
    ) -> Result<Vec<Line>, PullError> {
        let lines = stream::iter(page.rows).map(|row| self.line(row)).buffered(AT_ONCE);
        let lines = lines.inspect(|_| {
            at_hand.fetch_add(1, Ordering::Relaxed);
        });
        let lines: Vec<Result<Line, (RemoteId, Error)>> = lines.collect().await;
        let listed = lines.iter().flatten().any(Line::has_comments) || asked.listed;
        let failed: Vec<&Error> =
            lines.iter().filter_map(|line| line.as_ref().err()).map(|(_, error)| error).collect();
        if let Some(error) = failed.iter().find(|error| !is_of_the_ticket(error)) {
            return Err(self.failed((*error).clone()));
        }
        // Where no ticket at all may be listed, it is the credential.
        let is_barred = |error: &&&Error| matches!(error, Error::Forbidden { .. });
        if let Some(error) = failed.iter().find(is_barred).filter(|_| !listed && failed.len() > 1) {
            return Err(self.failed((*error).clone()));
        }
        // A helpdesk that is down is no fault of its tickets.
        if failed.iter().any(|error| passes(error)) {
            self.is_there(&asked).await.map_err(|error| self.failed(error))?;
        }
        let unreadable =
            |(id, error): (RemoteId, Error)| Line::unreadable(&self.order.account, Some(&id), &why(&error));
        Ok(lines.into_iter().map(|line| line.unwrap_or_else(unreadable)).collect())
    }

    /// Reads a page once more, to see whether the helpdesk answers at all.
    async fn is_there(&self, asked: &Asked) -> Result<(), Error> {
        let start = || asked.start.clone();
        match asked.from {
            Source::Changes => {
                let page = self.patiently(|| self.desk.changes(self.call(), asked.feed, start())).await;
                page.map(|_| ())
            }
            Source::History => self.patiently(|| self.desk.history(self.call(), start())).await.map(|_| ()),
        }
    }

    async fn line(&self, row: FeedRow) -> Result<Line, (RemoteId, Error)> {
        let mut row = row;
        if let FeedRow::Changed(observed) = &mut row
            && self.order.comments
            && observed.comments == CommentsSeen::NotLooked
        {
            let ticket = observed.ticket.id.clone();
            if let Some(comments) = self.spool.take(&ticket, observed.comment_count) {
                observed.comments = CommentsSeen::All(comments);
                return Ok(Line::of(row, &self.order.account, &self.order.names, true));
            }
            match self.patiently(|| self.desk.comments(self.call(), &ticket)).await {
                Ok(comments) => observed.comments = CommentsSeen::All(comments),
                Err(Error::Gone) => return Ok(Line::gone(&observed.ticket)),
                Err(error) => return Err((ticket, error)),
            }
        }
        Ok(Line::of(row, &self.order.account, &self.order.names, self.order.comments))
    }

    /// Waits out limits and passing failures.
    async fn patiently<T, F: Future<Output = Result<T, Error>>>(
        &self,
        call: impl Fn() -> F,
    ) -> Result<T, Error> {
        let mut tries = 0;
        loop {
            let wait_until = match call().await {
                Err(Error::Throttled { retry_at }) => retry_at,
                Err(Error::Transient { .. }) if tries < TRIES => {
                    tries += 1;
                    self.clock.now().plus(REST * 2_u32.pow(tries - 1))
                }
                came => return came,
            };
            self.clock.sleep_until(wait_until).await;
        }
    }

    fn failed(&self, error: Error) -> PullError {
        PullError::Vendor { account: self.order.account.clone(), error }
    }
}

/// Whether a failure to list a ticket's comments may be that ticket's own.
fn is_of_the_ticket(error: &Error) -> bool {
    passes(error)
        || matches!(error, Error::Malformed { .. } | Error::Refused { .. } | Error::Forbidden { .. })
}

fn passes(error: &Error) -> bool {
    matches!(error, Error::Transient { .. } | Error::Unknown { .. })
}

/// Why a ticket's line says that it is unreadable.
fn why(error: &Error) -> String {
    match error {
        Error::Malformed { what } | Error::Refused { why: what } => what.clone(),
        error => format!("its comments cannot be listed: {error}"),
    }
}

/// The names under which custom fields are shown, from what the account has.
pub fn names_of(natives: impl IntoIterator<Item = String>) -> BTreeMap<handoffd_core::FieldName, String> {
    let mut names = BTreeMap::new();
    for native in natives {
        let slug: String = native
            .to_lowercase()
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
            .take(handoffd_core::FIELD_NAME_CHARS_MAX - 4)
            .collect();
        let numbered = (1..1_000).map(|at| if at == 1 { slug.clone() } else { format!("{slug}_{at}") });
        let free = numbered
            .filter_map(|name| handoffd_core::FieldName::new(&name).ok())
            .find(|name| !names.contains_key(name));
        if let Some(name) = free {
            names.insert(name, native);
        }
    }
    names
}

#[cfg(test)]
mod tests;
