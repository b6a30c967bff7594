//! Takes in the history of accounts: page by page, resumable at any point, in the backfill lane.
//!
//! First the tickets of every account of the group are entered into an index of match keys, so that
//! a conversation which two helpdesks hold already is joined and not made twice. Then each
//! account's tickets are looked at, oldest first, as if somebody had asked for each; the resume
//! point moves with every ticket that is done.

use std::{collections::BTreeMap, sync::PoisonError};

use futures_util::{StreamExt as _, stream};
use handoffd_connectors::contract::{Error, FeedRow, FeedStart, History, Lane};
use handoffd_core::{AccountId, CommentsSeen, Fetched, GroupId, Observed, RemoteId, TicketKey, Timestamp};
use serde::{Deserialize, Serialize};

use super::{
    Desk, Engine, Fault, Inner,
    parked::OrderError,
    turns::{self, Halt, Next, REST},
};
use crate::store::{
    Commit, Key, ReadError, Write,
    tables::{self, BACKFILLS, BackfillPhase, BackfillRow, PARKED, ParkedRow, Wake},
};

/// What asked for a look that belongs to a backfill.
pub const BACKFILL: &str = "backfill";

/// After how many tickets the resume point is stored.
const SAVE_EVERY: u64 = 20;
/// How many requests a ticket costs, as long as nothing is known.
const REQUESTS_GUESSED: f64 = 3.0;

/// How far a backfill is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BackfillStatus {
    /// What is stored of it.
    #[serde(flatten)]
    pub row: BackfillRow,
    /// The account's quota: requests a minute.
    pub requests_per_minute: f64,
    /// How many tickets a minute were looked at in this run of the daemon.
    pub tickets_per_minute: Option<f64>,
    /// How long the rest takes about, in seconds, where it can be told.
    pub about_secs_left: Option<u64>,
    /// Why it does not go on until an admin looks: its own reason, or that it waits for another
    /// account's that is parked.
    #[serde(default)]
    pub parked_because: Option<String>,
}

/// Which histories to take in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackfillOrder {
    /// The accounts; empty: every helpdesk account of a link group.
    #[serde(default)]
    pub accounts: Vec<AccountId>,
    /// Tickets that changed since; `None`: everything.
    pub since: Option<Timestamp>,
    /// Begin anew what was finished or begun before.
    #[serde(default)]
    pub restart: bool,
}

/// The pace of this run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    since: Timestamp,
    looked: u64,
}

impl Engine {
    /// Stores what is to be taken in; the work begins at once and goes on after every restart.
    pub async fn order_backfill(&self, order: &BackfillOrder) -> Result<Vec<BackfillRow>, OrderError> {
        let accounts = self.backfill_accounts(&order.accounts)?;
        let mut rows = Vec::new();
        let mut writes = Vec::new();
        for account in &accounts {
            let known = self.known_backfill(account).await?;
            if let Some(known) = known.filter(|row| !order.restart && (!row.index_only || row.taken_in)) {
                rows.push(known);
                continue;
            }
            let since = order.since.unwrap_or_default();
            self.spool(account).clear();
            self.forget_turn(account);
            let row = self.new_backfill(account, since, false);
            writes.push(tables::put(BACKFILLS, Key::of(&[account.as_str()]), &row));
            rows.push(row);
        }
        // Who has the other ticket of a conversation is known of every account of the group.
        let begun: Vec<AccountId> = rows
            .iter()
            .filter(|row| row.phase == BackfillPhase::Index)
            .map(|row| row.account.clone())
            .collect();
        for account in self.fellows(&begun).filter(|fellow| !begun.contains(fellow)) {
            let known = self.known_backfill(&account).await?;
            // One that is under way is in the index, or comes there by itself.
            if known.as_ref().is_some_and(|row| row.finished_at.is_none()) {
                continue;
            }
            let known = known.unwrap_or_else(|| self.new_backfill(&account, Timestamp::default(), true));
            let (phase, cursor, finished_at) = (BackfillPhase::Index, None, None);
            let row = BackfillRow { phase, cursor, finished_at, index_only: true, indexed: 0, ..known };
            writes.push(tables::put(BACKFILLS, Key::of(&[account.as_str()]), &row));
            rows.retain(|other| other.account != account);
            rows.push(row);
        }
        self.parts.store.commit(Commit { writes, ..Commit::default() }).await?;
        self.backfill_now.notify_waiters();
        Ok(rows)
    }

    async fn known_backfill(&self, account: &AccountId) -> Result<Option<BackfillRow>, ReadError> {
        let key = Key::of(&[account.as_str()]);
        let row = tables::read::<BackfillRow>(&*self.parts.store, BACKFILLS, &key).await?;
        Ok(row.map(|row| row.value))
    }

    fn new_backfill(&self, account: &AccountId, since: Timestamp, index_only: bool) -> BackfillRow {
        let group = self.parts.desks.get(account).and_then(|desk| desk.group.clone());
        let joins = group.is_some_and(|group| {
            let accounts = self.parts.groups.get(&group).map_or(0, |group| group.accounts.len());
            accounts > 1 && self.join_rules(&group).joins()
        });
        let phase = if joins { BackfillPhase::Index } else { BackfillPhase::Tickets };
        BackfillRow { index_only, ..BackfillRow::new(account.clone(), since, phase, self.now()) }
    }

    /// The other helpdesk accounts of these accounts' link groups.
    fn fellows(&self, accounts: &[AccountId]) -> impl Iterator<Item = AccountId> {
        let group = |account: &AccountId| self.parts.desks.get(account)?.group.clone();
        let groups: Vec<GroupId> = accounts.iter().filter_map(group).collect();
        let desks = self.parts.desks.values();
        desks
            .filter(move |desk| desk.group.as_ref().is_some_and(|group| groups.contains(group)))
            .map(|desk| desk.id.clone())
    }

    fn backfill_accounts(&self, asked: &[AccountId]) -> Result<Vec<AccountId>, OrderError> {
        let grouped = |desk: &&std::sync::Arc<Desk>| desk.group.is_some();
        if asked.is_empty() {
            return Ok(self.parts.desks.values().filter(grouped).map(|desk| desk.id.clone()).collect());
        }
        for account in asked {
            if self.parts.desks.get(account).is_none_or(|desk| desk.group.is_none()) {
                return Err(OrderError::NoSuchAccount(account.to_string()));
            }
        }
        Ok(asked.to_vec())
    }

    /// How far every backfill is.
    pub async fn backfills(&self) -> Result<Vec<BackfillStatus>, ReadError> {
        let rows = self.backfill_rows().await?;
        let indexing = turns::indexing(&rows, |account| self.group_of(account));
        let mut all = Vec::new();
        for row in &rows {
            let own = self.parked_history(&row.account).await;
            let awaited = self.group_of(&row.account).and_then(|group| indexing.get(&group).copied());
            let awaited =
                awaited.filter(|other| row.phase == BackfillPhase::Tickets && other.account != row.account);
            let others = match awaited {
                Some(other) => self
                    .parked_history(&other.account)
                    .await
                    .map(|_| format!("it waits for {}, whose history is parked", other.account)),
                None => None,
            };
            let why = own.or(others).filter(|_| row.finished_at.is_none());
            all.push(self.backfill_status(row.clone(), why));
        }
        Ok(all)
    }

    fn backfill_status(&self, row: BackfillRow, parked_because: Option<String>) -> BackfillStatus {
        let quota = self.parts.desks.get(&row.account).map(|desk| desk.helpdesk.quota());
        let per_minute =
            quota.map_or(0.0, |quota| f64::from(quota.count) * 60.0 / quota.per.as_secs_f64().max(0.001));
        let paces = self.paces.lock().unwrap_or_else(PoisonError::into_inner);
        let measured = paces.get(&row.account).and_then(|pace| {
            let minutes = self.now().since(pace.since).as_secs_f64() / 60.0;
            (pace.looked >= 20 && minutes > 0.0).then(|| pace.looked as f64 / minutes)
        });
        let guessed = per_minute / REQUESTS_GUESSED;
        let left = row.total.map(|total| total.saturating_sub(row.looked) as f64);
        let about = left.map(|left| (left * 60.0 / measured.unwrap_or(guessed).max(0.001)) as u64);
        let is_over = row.finished_at.is_some();
        let about_secs_left = if is_over { Some(0) } else { about.map(|secs| secs.max(1)) };
        BackfillStatus {
            row,
            requests_per_minute: per_minute,
            tickets_per_minute: measured,
            about_secs_left,
            parked_because,
        }
    }

    /// How many conversations are known.
    pub async fn conversations(&self) -> Result<u64, ReadError> {
        let (mut count, mut after) = (0_u64, None);
        loop {
            let page = self.parts.store.page(tables::LINKS, &Key(Vec::new()), after.as_ref(), 500).await?;
            count += page.rows.len() as u64;
            after = page.rows.last().map(|(key, _)| key.clone());
            if !page.more {
                return Ok(count);
            }
        }
    }

    async fn backfill_rows(&self) -> Result<Vec<BackfillRow>, ReadError> {
        let all = Key(Vec::new());
        let rows = tables::read_all::<BackfillRow>(&*self.parts.store, BACKFILLS, &all, usize::MAX).await?;
        Ok(rows.into_iter().map(|(_, row)| row.value).collect())
    }

    /// Goes on with whatever is not finished, for ever.
    pub(super) async fn run_backfills(&self) {
        loop {
            let ordered = self.backfill_now.notified();
            if let Err(why) = self.take_in_history().await {
                tracing::warn!(why, "The history cannot be taken in now; it goes on later.");
                if !self.rest_until(self.now().plus(REST)).await {
                    return;
                }
                continue;
            }
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return,
                () = ordered => {}
            }
        }
    }

    /// Takes in what was ordered, until all is done or parked, or the daemon stops.
    pub async fn take_in_history(&self) -> Result<(), String> {
        while !self.stop.is_cancelled() {
            let ordered = self.backfill_now.notified();
            let rows = self.backfill_rows().await.map_err(|error| error.to_string())?;
            let open = rows.into_iter().filter(|row| row.finished_at.is_none()).collect();
            let row = match self.next_history(open).await {
                Next::Nothing => return Ok(()),
                Next::Page(row) => row,
                Next::Rest(until) => {
                    tokio::select! {
                        biased;
                        () = ordered => {}
                        // A rest that a stop cuts short ends the loop.
                        _ = self.rest_until(until) => {}
                    }
                    continue;
                }
            };
            let Some(desk) = self.parts.desks.get(&row.account).cloned() else {
                self.park_backfill(&row.account, "the account is not configured any more").await?;
                continue;
            };
            match self.history_step(&desk, row).await? {
                None => {}
                Some(Halt::Until(at)) => self.rest_history(&desk.id, at),
                Some(Halt::Anew(at)) => {
                    self.begin_anew(&desk.id).await?;
                    self.rest_history(&desk.id, at);
                }
                Some(Halt::Parked(why)) => self.park_backfill(&desk.id, &why).await?,
            }
        }
        Ok(())
    }

    /// The resume point is refused: the phase's tickets are gone through once more.
    async fn begin_anew(&self, account: &AccountId) -> Result<(), String> {
        let key = Key::of(&[account.as_str()]);
        let row = tables::read::<BackfillRow>(&*self.parts.store, BACKFILLS, &key).await;
        let Some(row) = row.map_err(|error| error.to_string())? else { return Ok(()) };
        let (page_done, page_parked) = (row.value.looked, row.value.parked);
        let row = BackfillRow { cursor: None, page_done, page_parked, indexed: 0, comments: 0, ..row.value };
        self.save_backfill(&row).await
    }

    async fn history_step(&self, desk: &Desk, row: BackfillRow) -> Result<Option<Halt>, String> {
        if desk.is_paused() {
            return Ok(Some(Halt::Until(self.now().plus(self.parts.config.paused_recheck.0))));
        }
        match row.phase {
            BackfillPhase::Index => self.index_page(desk, row).await,
            BackfillPhase::Tickets => self.tickets_page(desk, row).await,
            BackfillPhase::Done => {
                self.save_backfill(&BackfillRow { finished_at: Some(self.now()), ..row }).await.map(|()| None)
            }
        }
    }

    /// Enters one page of tickets into the index of match keys.
    async fn index_page(&self, desk: &Desk, mut row: BackfillRow) -> Result<Option<Halt>, String> {
        // A ticket's twin may have changed long before the ticket did.
        let start = row.cursor.clone().map_or(FeedStart::Since(Timestamp::default()), FeedStart::After);
        let Some(feed) = desk.helpdesk.feeds().first().copied() else {
            row.phase = BackfillPhase::Tickets;
            return self.save_backfill(&row).await.map(|()| None);
        };
        let page = match desk.helpdesk.changes(self.call(Lane::Backfill), feed, start).await {
            Ok(page) => page,
            Err(error) => return Ok(Some(self.page_failed(desk, &error).await)),
        };
        self.page_read(&desk.id);
        let group = desk.group.clone().unwrap_or_else(|| GroupId::new(""));
        let mut seen = Vec::new();
        for one in page.rows {
            if let FeedRow::Changed(observed) = one {
                seen.push(*observed);
            }
        }
        if self.join_rules(&group).first_message
            && let Some(error) = self.list_first_messages(desk, &mut seen).await
        {
            return Ok(Some(self.page_failed(desk, &error).await));
        }
        let mut cards = Vec::new();
        for observed in &seen {
            cards.push(self.card_of(&group, observed).await.map_err(|error| error.to_string())?);
        }
        row.indexed += self.enter_matches(&group, &cards).await?;
        row.cursor = Some(page.next);
        if !page.more {
            // A search index that counts tickets may lag behind them.
            if row.since == Timestamp::default() {
                row.total = row.total.max(Some(row.indexed));
            }
            row.phase = if row.index_only { BackfillPhase::Done } else { BackfillPhase::Tickets };
            row.cursor = None;
        }
        self.save_backfill(&row).await?;
        Ok(None)
    }

    /// Lists the comments of tickets that came without them; answers with what went wrong.
    async fn list_first_messages(&self, desk: &Desk, seen: &mut [Observed]) -> Option<Error> {
        let at_once = self.parts.config.backfill_at_once.max(1);
        let unlisted = seen.iter().enumerate().filter(|(_, one)| one.comments == CommentsSeen::NotLooked);
        let unlisted: Vec<(usize, RemoteId)> =
            unlisted.map(|(at, one)| (at, one.ticket.id.clone())).collect();
        let mut listed = stream::iter(unlisted)
            .map(|(at, id)| async move { (at, desk.helpdesk.comments(self.call(Lane::Backfill), &id).await) })
            .buffer_unordered(at_once);
        while let Some((at, one)) = listed.next().await {
            match one {
                Ok(comments) => seen[at].comments = CommentsSeen::All(comments),
                // Without its messages it is found by what else is known of it.
                Err(Error::Gone | Error::Malformed { .. } | Error::Refused { .. }) => {}
                Err(error) => return Some(error),
            }
        }
        None
    }

    /// Looks at the tickets of one page; the next page is read meanwhile.
    async fn tickets_page(&self, desk: &Desk, mut row: BackfillRow) -> Result<Option<Halt>, String> {
        let start = row.cursor.clone().map_or(FeedStart::Since(row.since), FeedStart::After);
        let mut asked_at = self.now();
        let mut page = match desk.helpdesk.history(self.call(Lane::Backfill), start).await {
            Ok(page) => page,
            Err(error) => return Ok(Some(self.page_failed(desk, &error).await)),
        };
        loop {
            self.page_read(&desk.id);
            row.total = page.total.max(row.total);
            let next = page.more.then(|| FeedStart::After(page.next.clone()));
            let ahead = async {
                match next {
                    Some(start) => Some(desk.helpdesk.history(self.call(Lane::Backfill), start).await),
                    None => None,
                }
            };
            let after = page.next.clone();
            let ahead_at = self.now();
            let (done, ahead) = tokio::join!(self.look_at_page(desk, &mut row, page, asked_at), ahead);
            asked_at = ahead_at;
            done?;
            if self.stop.is_cancelled() {
                return Ok(None);
            }
            (row.cursor, row.page_done, row.page_parked) = (Some(after), 0, 0);
            let Some(ahead) = ahead else {
                row.phase = BackfillPhase::Done;
                row.taken_in = true;
                row.finished_at = Some(self.now());
                self.save_backfill(&row).await?;
                self.after_history(desk, &row).await?;
                return Ok(None);
            };
            self.save_backfill(&row).await?;
            page = match ahead {
                Ok(page) => page,
                Err(error) => return Ok(Some(self.page_failed(desk, &error).await)),
            };
        }
    }

    /// Looks at every ticket of a page, several at once. One that was cut short is looked at again,
    /// whole: what it holds is another thing by then, and looking twice does no harm.
    async fn look_at_page(
        &self,
        desk: &Desk,
        row: &mut BackfillRow,
        page: History,
        asked_at: Timestamp,
    ) -> Result<(), String> {
        let spool = self.spool(&desk.id);
        spool
            .add(&page.comments, asked_at)
            .and_then(|()| spool.doubt(&page.doubtful, asked_at))
            .map_err(|error| format!("comments cannot be kept: {error}"))?;
        row.comments += page.comments.len() as u64;
        row.looked = row.looked.saturating_sub(std::mem::take(&mut row.page_done));
        row.parked = row.parked.saturating_sub(std::mem::take(&mut row.page_parked));
        let at_once = self.parts.config.backfill_at_once.max(1);
        let mut looks = stream::iter(page.rows).map(|one| self.look_at_row(desk, one)).buffered(at_once);
        while let Some(parked) = looks.next().await {
            // A ticket that was cut short by a stop is looked at again after the next start.
            if self.stop.is_cancelled() {
                break;
            }
            row.looked += 1;
            row.page_done += 1;
            let parked = u64::from(parked?);
            row.parked += parked;
            row.page_parked += parked;
            self.paced(&desk.id, row.looked);
            if row.page_done.is_multiple_of(SAVE_EVERY) {
                self.save_backfill(row).await?;
            }
        }
        Ok(())
    }

    /// Looks at one ticket until it is settled or put off; says whether it was parked.
    async fn look_at_row(&self, desk: &Desk, row: FeedRow) -> Result<bool, String> {
        let ticket = match row {
            FeedRow::Changed(observed) => self.keep_view(desk, *observed),
            FeedRow::Gone(ticket) => {
                self.views.keep(ticket.clone(), Fetched::Gone(ticket.clone()));
                ticket
            }
            FeedRow::Moved { from, to } => {
                self.views.keep(from.clone(), Fetched::MovedTo { from: from.clone(), to });
                from
            }
            FeedRow::Rated { .. } => return Ok(false),
            FeedRow::Unreadable { id, what } => {
                let write =
                    self.park_history_row(desk, id.map(|id| TicketKey::new(desk.id.clone(), id)), &what);
                self.stored(Commit { writes: vec![write], ..Commit::default() }).await?;
                return Ok(true);
            }
        };
        let wake = Wake::Ticket { ticket: ticket.clone(), cause: BACKFILL.to_owned() };
        for _ in 0..self.parts.config.rounds_max {
            match self.looked(&wake).await {
                Ok(None) => return self.is_in_doubt(&ticket).await.map_err(|error| error.to_string()),
                Ok(Some((link, at))) => {
                    let job = Wake::Link { link: link.clone() }.job(link.as_str(), at);
                    self.stored(Commit { jobs: vec![job], ..Commit::default() }).await?;
                    return Ok(false);
                }
                Err(Fault::Later { at, .. }) => {
                    if !self.rest_until(at).await {
                        return Ok(false);
                    }
                }
                Err(Fault::Park { why }) => {
                    let write = self.park_history_row(desk, Some(ticket), &why);
                    self.stored(Commit { writes: vec![write], ..Commit::default() }).await?;
                    return Ok(true);
                }
                Err(Fault::Store { why }) => return Err(why),
            }
        }
        // Others keep it busy: their jobs bring it in step.
        let job = self.ticket_job(&ticket, "poll", self.now().plus(REST)).await;
        self.stored(Commit { jobs: vec![job], ..Commit::default() }).await?;
        Ok(false)
    }

    /// Keeps a view for the look, with the comments that came in bulk.
    fn keep_view(&self, desk: &Desk, mut observed: Observed) -> TicketKey {
        let ticket = observed.ticket.clone();
        if observed.comments == CommentsSeen::NotLooked
            && let Some(comments) =
                self.spool(&desk.id).take(&ticket.id, observed.comment_count, observed.version)
        {
            observed.comments = CommentsSeen::All(comments);
        }
        self.views.keep(ticket.clone(), Fetched::Shown(Box::new(observed)));
        ticket
    }

    fn spool(&self, account: &AccountId) -> super::spool::Spool {
        super::spool::Spool::at(self.parts.blobs.history_dir().join(account.as_str()))
    }

    fn paced(&self, account: &AccountId, looked: u64) {
        let mut paces = self.paces.lock().unwrap_or_else(PoisonError::into_inner);
        let pace = paces.entry(account.clone()).or_insert(Pace { since: self.now(), looked: 0 });
        pace.looked += 1;
        self.parts.metrics.backfilled(account, looked);
    }

    /// The last page was taken in: what was kept for it goes.
    async fn after_history(&self, desk: &Desk, row: &BackfillRow) -> Result<(), String> {
        self.spool(&desk.id).clear();
        tracing::info!(account = %desk.id, tickets = row.looked, parked = row.parked, "The account's history is taken in.");
        let rows = self.backfill_rows().await.map_err(|error| error.to_string())?;
        match rows.iter().all(|row| row.finished_at.is_some()) {
            true => self.drop_matches().await,
            false => Ok(()),
        }
    }

    /// Why an account's history is parked, if it is.
    pub(super) async fn parked_history(&self, account: &AccountId) -> Option<String> {
        let key = Key::of(&[BACKFILL, account.as_str()]);
        let row = tables::read::<ParkedRow>(&*self.parts.store, PARKED, &key).await.ok().flatten();
        row.map(|row| row.value.reason)
    }

    async fn park_backfill(&self, account: &AccountId, why: &str) -> Result<(), String> {
        tracing::error!(%account, why, "The backfill is parked until an admin looks.");
        self.forget_turn(account);
        self.parts.metrics.parked(BACKFILL);
        let row = ParkedRow {
            kind: BACKFILL.to_owned(),
            name: account.to_string(),
            account: account.clone(),
            link: None,
            reason: why.to_owned(),
            since: self.now(),
            causes: None,
        };
        let write = tables::put(PARKED, tables::parked_key(&row), &row);
        self.stored(Commit { writes: vec![write], ..Commit::default() }).await
    }

    fn park_history_row(&self, desk: &Desk, ticket: Option<TicketKey>, why: &str) -> Write {
        let name = ticket.map_or_else(|| format!("{}/history", desk.id), |ticket| ticket.to_string());
        tracing::warn!(account = %desk.id, ticket = name, why, "A ticket of the history is parked.");
        self.parts.metrics.parked("row");
        let row = ParkedRow {
            kind: "row".to_owned(),
            name,
            account: desk.id.clone(),
            link: None,
            reason: why.to_owned(),
            since: self.now(),
            causes: None,
        };
        tables::put(PARKED, tables::parked_key(&row), &row)
    }

    async fn save_backfill(&self, row: &BackfillRow) -> Result<(), String> {
        let write = tables::put(BACKFILLS, Key::of(&[row.account.as_str()]), row);
        self.stored(Commit { writes: vec![write], ..Commit::default() }).await
    }

    pub(super) async fn stored(&self, commit: Commit) -> Result<(), String> {
        self.parts.store.commit(commit).await.map(|_| ()).map_err(|error| error.to_string())
    }
}

impl Inner {
    /// The accounts whose history is or was taken in, with when that was ordered.
    pub(super) async fn histories(&self) -> Result<BTreeMap<AccountId, Timestamp>, ReadError> {
        let all = Key(Vec::new());
        let rows = tables::read_all::<BackfillRow>(&*self.parts.store, BACKFILLS, &all, usize::MAX).await?;
        let ordered =
            rows.into_iter().map(|(_, row)| row.value).filter(|row| !row.index_only || row.taken_in);
        Ok(ordered.map(|row| (row.account, row.started_at)).collect())
    }

    /// How far the histories of a group are taken in.
    pub(super) async fn history_stage(&self, group: &GroupId) -> Result<Stage, ReadError> {
        let all = Key(Vec::new());
        let rows = tables::read_all::<BackfillRow>(&*self.parts.store, BACKFILLS, &all, usize::MAX).await?;
        let group_of =
            |account: &AccountId| self.parts.desks.get(account).and_then(|desk| desk.group.clone());
        let open = rows
            .iter()
            .map(|(_, row)| &row.value)
            .filter(|row| row.finished_at.is_none() && group_of(&row.account).as_ref() == Some(group));
        Ok(open.fold(Stage::Over, |stage, row| match (stage, row.phase) {
            (Stage::Indexing, _) | (_, BackfillPhase::Index) => Stage::Indexing,
            _ => Stage::Matching,
        }))
    }
}

/// How far the histories of a group are taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Nothing is being taken in.
    Over,
    /// They are being entered into the index: nothing new is mirrored until it is known which
    /// conversations the other side holds already.
    Indexing,
    /// The index is whole: tickets are joined.
    Matching,
}

/// The paces of this run, by account.
pub(super) type Paces = BTreeMap<AccountId, Pace>;
