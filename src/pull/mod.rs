//! `handoffd pull`: an account's tickets as lines of JSON. Reads only; goes on where it stopped.
//!
//! A page of a feed is read, the comments of its tickets are listed side by side, the lines are
//! written in the page's order, and only then the resume point moves. Memory holds one page. Where
//! a vendor gives the comments of its whole history in bulk they come first, and wait in files.

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
use handoffd_core::{AccountId, CommentsSeen, Timestamp};

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
/// How often it is told how far a page is.
const TOLD_EVERY: Duration = Duration::from_secs(5);
/// How many tickets' comments are listed side by side.
const AT_ONCE: usize = 8;

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
    /// Lines of rows that could not be read.
    pub unreadable: u64,
    /// Pages read.
    pub pages: u64,
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
                Source::Changes => puller.page(*feed, out).await?,
                Source::History => match puller.past(out, &mut pulled).await? {
                    Some(page) => Some(page),
                    None => {
                        from = Source::Changes;
                        continue;
                    }
                },
            };
            let Some(page) = page else { break };
            let (next, more) = (page.next.clone(), page.more);
            let at_hand = AtomicUsize::new(0);
            let written = {
                let lines = puller.lines(page, &at_hand);
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
            out.write(feed, &written, next, |line| line.count(&mut pulled))?;
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

    /// A pull that began with the feed goes on with it.
    fn source(&self, feed: Feed, out: &Out) -> Source {
        let is_first = self.desk.feeds().first() == Some(&feed);
        let bulk = self.order.comments && self.desk.capabilities().history_has_comments;
        match is_first && bulk && out.cursor(feed.0).is_none() {
            true => Source::History,
            false => Source::Changes,
        }
    }

    /// The next page of the history, its comments put aside; `None` where it may not be read.
    async fn past(&self, out: &Out, pulled: &mut Pulled) -> Result<Option<Changes>, PullError> {
        let known = out.cursor(HISTORY);
        let is_new = known.is_none();
        if is_new {
            self.spool.clear();
        }
        let start = known.map_or(FeedStart::Since(self.order.since.unwrap_or_default()), FeedStart::After);
        let page = match self.patiently(|| self.desk.history(self.call(), start.clone())).await {
            Ok(page) => page,
            Err(Error::Forbidden { .. } | Error::Refused { .. }) if is_new => return Ok(None),
            Err(error) => return Err(self.failed(error)),
        };
        pulled.ahead += page.comments.len() as u64;
        self.spool.add(&page.comments).map_err(|why| out.spool_failed(why))?;
        let (rows, next, more) = (page.rows, page.next, page.more);
        Ok(Some(Changes { rows, next, more, complete_until: None }))
    }

    /// The next page; `None` where the plan has no such feed.
    async fn page(&self, feed: Feed, out: &Out) -> Result<Option<Changes>, PullError> {
        let start = self.start(out, feed);
        match self.patiently(|| self.desk.changes(self.call(), feed, start.clone())).await {
            Ok(page) => Ok(Some(page)),
            // A feed beside the first tells of deletions or ratings, which not every plan has.
            Err(Error::Forbidden { .. }) if self.desk.feeds().first() != Some(&feed) => Ok(None),
            Err(error) => Err(self.failed(error)),
        }
    }

    async fn lines(&self, page: Changes, at_hand: &AtomicUsize) -> Result<Vec<Line>, PullError> {
        let lines = stream::iter(page.rows).map(|row| self.line(row)).buffered(AT_ONCE);
        let lines = lines.inspect(|_| {
            at_hand.fetch_add(1, Ordering::Relaxed);
        });
        let lines: Vec<Result<Line, Error>> = lines.collect().await;
        lines.into_iter().collect::<Result<_, _>>().map_err(|error| self.failed(error))
    }

    async fn line(&self, row: FeedRow) -> Result<Line, Error> {
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
                Err(Error::Malformed { what } | Error::Refused { why: what }) => {
                    return Ok(Line::unreadable(&self.order.account, Some(&ticket), &what));
                }
                Err(error) => return Err(error),
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
