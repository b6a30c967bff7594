//! What waits for an admin: listing it, trying it again, putting it away.

use std::collections::BTreeSet;

use handoffd_core::{
    LinkId, TicketKey,
    unpark::{MAY_BE_THERE, Unparked, causes, unpark},
};
use serde::{Deserialize, Serialize};

use super::{
    Engine, Fault,
    backfill::BACKFILL,
    doubts::JOIN,
    handoffs::Again,
    look::Look,
    outbox::{EVENT, WEBHOOK},
};
use crate::store::{
    Commit, CommitError, Key, ReadError, Write,
    tables::{self, BACKFILLS, BackfillPhase, BackfillRow, JOURNAL, JournalRow, PARKED, ParkedRow, Wake},
};

/// The most journal rows that are shown with one parked thing.
const JOURNAL_SHOWN: usize = 20;

/// A parked thing with what an admin needs to mend it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParkedThing {
    /// Its name for `retry` and `drop`: the kind, a slash, the name.
    pub id: String,
    /// What was stored.
    #[serde(flatten)]
    pub row: ParkedRow,
    /// Of a ticket in doubt: the tickets of the account that may be the same conversation.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub candidates: BTreeSet<TicketKey>,
    /// What to do.
    pub remedy: String,
}

/// A parked thing in full.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ParkedDetail {
    /// The thing.
    #[serde(flatten)]
    pub thing: ParkedThing,
    /// The tickets of its conversation.
    pub tickets: Vec<TicketKey>,
    /// The last entries of its conversation's journal, oldest first.
    pub journal: Vec<JournalRow>,
}

/// What an admin asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ParkedOrder {
    /// Which: [`ParkedThing::id`].
    pub id: String,
    /// What to do with it.
    pub order: Order,
    /// Send messages again that may be at the vendor already.
    #[serde(default)]
    pub send_again: bool,
    /// Of a ticket in doubt: this ticket of the other account is the same conversation.
    #[serde(default)]
    pub join: Option<TicketKey>,
    /// Of a ticket in doubt: none of the other account is, and its routes apply.
    #[serde(default)]
    pub alone: bool,
}

/// What to do with a parked thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Try it again now.
    Retry,
    /// Put it away: it stays undone.
    Drop,
}

/// Why an order is not carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OrderError {
    /// There is no such thing.
    #[error("nothing is parked as {0:?}; `handoffd parked list` names what is")]
    NotThere(String),
    /// The configuration has no such helpdesk account in a link group.
    #[error("{0:?} is no helpdesk account of a link group")]
    NoSuchAccount(String),
    /// It may be at the vendor already.
    #[error(
        "{0}: {left} of it may be at the vendor although no answer came; look there, then retry with --send-again if it is not, or drop it if it is",
        left = .1
    )]
    MayBeThere(String, usize),
    /// Only doubts are decided by hand.
    #[error(
        "{0}: --join and --alone are for tickets that are parked as {JOIN}/…, because it is not certain which are one conversation"
    )]
    NoDoubt(String),
    /// The two cannot be joined.
    #[error("{0} cannot be joined with {1}: {2}")]
    CannotJoin(String, String, String),
    /// Nothing would be written: a handoff that needs it no more.
    #[error("{0}: {1}; put it away with `handoffd parked drop {0}`")]
    Over(String, String),
    /// It is being worked on; try again.
    #[error("{0} is being worked on; try again in a moment")]
    Busy(String),
    /// The store does not take it.
    #[error("the store: {0}")]
    Store(String),
}

impl From<ReadError> for OrderError {
    fn from(error: ReadError) -> Self {
        Self::Store(error.to_string())
    }
}

impl From<CommitError> for OrderError {
    fn from(error: CommitError) -> Self {
        Self::Store(error.to_string())
    }
}

impl Engine {
    /// Everything that is parked.
    pub async fn parked(&self) -> Result<Vec<ParkedThing>, ReadError> {
        let rows =
            tables::read_all::<ParkedRow>(&*self.parts.store, PARKED, &Key::of(&[]), usize::MAX).await?;
        let mut things = Vec::new();
        for (_, row) in rows {
            things.push(self.thing(row.value).await?);
        }
        Ok(things)
    }

    /// One parked thing with its conversation's journal.
    pub async fn parked_detail(&self, id: &str) -> Result<ParkedDetail, OrderError> {
        let row = self.parked_row(id).await?;
        let link = self.link_of_parked(&row).await?;
        let (mut tickets, mut journal) = (Vec::new(), Vec::new());
        if let Some(link) = &link {
            if let Some(stored) = tables::read_link(&*self.parts.store, link).await? {
                tickets = stored.link.sides.into_keys().collect();
            }
            let prefix = tables::link_prefix(link);
            let rows =
                tables::read_all::<JournalRow>(&*self.parts.store, JOURNAL, &prefix, usize::MAX).await?;
            let skip = rows.len().saturating_sub(JOURNAL_SHOWN);
            journal = rows.into_iter().skip(skip).map(|(_, row)| row.value).collect();
        }
        Ok(ParkedDetail { thing: self.thing(row).await?, tickets, journal })
    }

    async fn thing(&self, row: ParkedRow) -> Result<ParkedThing, ReadError> {
        let link = match row.link.as_ref().filter(|_| row.kind == JOIN) {
            Some(link) => tables::read_link(&*self.parts.store, link).await?,
            None => None,
        };
        let doubts = link.and_then(|stored| stored.link.doubts.get(&row.account).cloned());
        let at = |ticket: &TicketKey| ticket.account == row.account;
        Ok(thing(row.clone(), doubts.unwrap_or_default().into_iter().filter(at).collect()))
    }

    /// Carries out an admin's order; answers with what was done, in words.
    pub async fn parked_order(&self, order: &ParkedOrder) -> Result<String, OrderError> {
        let row = self.parked_row(&order.id).await?;
        let away = Write::Delete(PARKED, tables::parked_key(&row));
        match order.order {
            Order::Drop => {
                let mut writes = vec![away];
                writes.extend(self.finished_backfill(&row).await?);
                writes.extend(self.events_ordered(&row, false).await?);
                self.parts.store.commit(Commit { writes, ..Commit::default() }).await?;
                self.backfill_now.notify_waiters();
                tracing::info!(id = order.id, "A parked thing was put away by an admin.");
                Ok(format!("{} is put away; {}", order.id, after_drop(&row.kind)))
            }
            Order::Retry if row.kind == JOIN => self.retry_doubt(&row, order).await,
            Order::Retry if order.join.is_some() || order.alone => Err(OrderError::NoDoubt(order.id.clone())),
            Order::Retry => {
                let done = self.retry_parked(&row, away, order).await?;
                tracing::info!(id = order.id, "A parked thing is tried again at an admin's word.");
                Ok(done)
            }
        }
    }

    /// A backfill that is put away is over: nothing waits for its index any more.
    async fn finished_backfill(&self, row: &ParkedRow) -> Result<Option<Write>, OrderError> {
        if row.kind != BACKFILL {
            return Ok(None);
        }
        let key = Key::of(&[row.account.as_str()]);
        let backfill = tables::read::<BackfillRow>(&*self.parts.store, BACKFILLS, &key).await?;
        Ok(backfill.map(|stored| {
            let over =
                BackfillRow { phase: BackfillPhase::Done, finished_at: Some(self.now()), ..stored.value };
            tables::put(BACKFILLS, key, &over)
        }))
    }

    async fn retry_parked(
        &self,
        row: &ParkedRow,
        away: Write,
        order: &ParkedOrder,
    ) -> Result<String, OrderError> {
        let link = self.link_of_parked(row).await?;
        let wake = match (&link, ticket_of(row)) {
            (_, Some(ticket)) => Some(Wake::Ticket { ticket, cause: "api".to_owned() }),
            (Some(link), None) => Some(Wake::Link { link: link.clone() }),
            (None, None) => None,
        };
        let jobs = wake.map(|wake| {
            let order_key = match (&link, &wake) {
                (Some(link), _) => link.to_string(),
                (None, Wake::Ticket { ticket, .. }) => ticket.to_string(),
                (None, Wake::Link { link }) => link.to_string(),
            };
            wake.job(&order_key, self.now())
        });
        let jobs: Vec<_> = jobs.into_iter().collect();
        let mut writes = vec![away];
        writes.extend(self.events_ordered(row, true).await?);
        let more = Commit { writes, jobs, ..Commit::default() };
        let Some(link) = link.filter(|_| row.kind == "write") else {
            self.parts.store.commit(more).await?;
            if row.kind == BACKFILL {
                self.forget_turn(&row.account);
            }
            self.backfill_now.notify_waiters();
            self.events_now.notify_one();
            return Ok(format!("{} is tried again", order.id));
        };
        let Some(more) = self.retry_handoff(&link, row, order, more).await? else {
            return Ok(format!("{} is tried again", order.id));
        };
        let done = self.unpark_link(&link, row, order, more).await?;
        Ok(format!("{}: {} of its conversation at {} is tried again", order.id, done.again, row.account))
    }

    /// Writes a parked briefing, or what goes with it, again; `None` where that is done. What is no
    /// handoff's is given back.
    async fn retry_handoff(
        &self,
        link: &LinkId,
        row: &ParkedRow,
        order: &ParkedOrder,
        mut more: Commit,
    ) -> Result<Option<Commit>, OrderError> {
        let _taken = self.take(link).await;
        let Some(stored) = tables::read_link(&*self.parts.store, link).await? else { return Ok(Some(more)) };
        let mut look = Look::at(link.clone(), "api");
        let failed = |fault| match fault {
            Fault::Later { .. } => OrderError::Busy(order.id.clone()),
            Fault::Park { why } | Fault::Store { why } => OrderError::Store(why),
        };
        let again = self.handoff_again(&mut look, &stored.link, &row.name).await.map_err(failed)?;
        let (after, writes) = match again {
            Again::NoHandoffs => return Ok(Some(more)),
            Again::Over(why) => return Err(OrderError::Over(order.id.clone(), why)),
            Again::Sent(..) if is_in_doubt(row) && !order.send_again => {
                return Err(OrderError::MayBeThere(order.id.clone(), 1));
            }
            Again::Sent(after, writes) => (after, writes),
        };
        more.writes.extend(writes);
        let done = self.store_link_and(&look, Some(&stored), &after, more, Vec::new()).await;
        done.map_err(failed).map(|()| None)
    }

    async fn unpark_link(
        &self,
        link: &LinkId,
        row: &ParkedRow,
        order: &ParkedOrder,
        more: Commit,
    ) -> Result<Unparked, OrderError> {
        let _taken = self.take(link).await;
        let Some(stored) = tables::read_link(&*self.parts.store, link).await? else {
            self.parts.store.commit(more).await?;
            return Ok(Unparked::default());
        };
        let (after, done) = unpark(&stored.link, &row.account, order.send_again);
        let stays = row.causes.as_ref().is_some_and(|own| !own.is_disjoint(&causes(&after)));
        if stays || (done.left > 0 && done.again == 0) {
            return Err(OrderError::MayBeThere(order.id.clone(), done.left));
        }
        let look = Look::at(link.clone(), "api");
        let stored = self.store_link_and(&look, Some(&stored), &after, more, Vec::new()).await;
        stored.map_err(|fault| match fault {
            Fault::Later { .. } => OrderError::Busy(order.id.clone()),
            Fault::Park { why } | Fault::Store { why } => OrderError::Store(why),
        })?;
        Ok(done)
    }

    async fn parked_row(&self, id: &str) -> Result<ParkedRow, OrderError> {
        let not_there = || OrderError::NotThere(id.to_owned());
        let (kind, name) = id.split_once('/').ok_or_else(not_there)?;
        let row = tables::read::<ParkedRow>(&*self.parts.store, PARKED, &Key::of(&[kind, name])).await?;
        row.map(|row| row.value).ok_or_else(not_there)
    }

    async fn link_of_parked(&self, row: &ParkedRow) -> Result<Option<LinkId>, ReadError> {
        if row.link.is_some() {
            return Ok(row.link.clone());
        }
        if let Some(link) = row.name.strip_prefix("l/").filter(|_| row.kind == "work") {
            return Ok(Some(LinkId::new(link)));
        }
        match ticket_of(row) {
            Some(ticket) => tables::link_of(&*self.parts.store, &ticket).await,
            None => Ok(None),
        }
    }
}

/// What becomes of a thing that is put away.
fn after_drop(kind: &str) -> &'static str {
    match kind {
        BACKFILL => "what it had not taken in stays undone until `handoffd backfill --restart`",
        WEBHOOK => "events that waited for it are dropped, later ones are posted",
        "work" | "row" => "the ticket is looked at again when it changes",
        _ => "it stays undone",
    }
}

/// The ticket that a parked job or row is about.
fn ticket_of(row: &ParkedRow) -> Option<TicketKey> {
    let name = match row.kind.as_str() {
        "work" => row.name.strip_prefix("t/")?,
        "row" => &row.name,
        JOIN => return super::doubts::ticket_of(row),
        _ => return None,
    };
    TicketKey::try_from(name.to_owned()).ok()
}

fn thing(row: ParkedRow, candidates: BTreeSet<TicketKey>) -> ParkedThing {
    let id = format!("{}/{}", row.kind, row.name);
    let remedy = remedy(&id, &row, &candidates);
    ParkedThing { id, row, candidates, remedy }
}

/// Whether a write may be at the vendor although nobody saw it there.
fn is_in_doubt(row: &ParkedRow) -> bool {
    row.reason.contains("not answered") || row.reason.contains(MAY_BE_THERE)
}

/// What an admin is to do.
fn remedy(id: &str, row: &ParkedRow, candidates: &BTreeSet<TicketKey>) -> String {
    let account = &row.account;
    let retry = format!("`handoffd parked retry {id}`");
    match row.kind.as_str() {
        "write" if is_in_doubt(row) => format!(
            "Look at {account} whether it is there. If not: `handoffd parked retry {id} --send-again`. If it is: `handoffd parked drop {id}`."
        ),
        "write" => format!(
            "Mend at {account} what the reason names, then {retry}. A change of the ticket at {account} tries it again as well."
        ),
        JOIN => {
            let names: Vec<String> = candidates.iter().map(TicketKey::to_string).collect();
            let example = names.first().cloned().unwrap_or_else(|| format!("{account}/ID"));
            format!(
                "Look at them. To join it with one of {}: `handoffd parked retry {id} --join {example}`. If it has none there: `handoffd parked retry {id} --alone`, and its routes apply to it. After tickets were merged or changed at their helpdesk {retry} decides again.",
                if names.is_empty() { account.to_string() } else { names.join(", ") }
            )
        }
        "row" => format!(
            "The ticket is read again when it changes or with {retry}. If {account} keeps showing it so, please report the reason's words: they name the place in the vendor's answer, never its text."
        ),
        BACKFILL => format!(
            "Mend what the reason names (a permission, the credential, the configuration), then {retry}: the history goes on where it stopped. If {account} keeps answering so, please report the reason's words. Other link groups go on meanwhile."
        ),
        EVENT | WEBHOOK => format!(
            "Mend the receiver or its address, then {retry}: what waited is posted under the ids that it had, in the order in which it happened."
        ),
        _ => format!(
            "Mend what the reason names (the configuration, a permission, the ticket itself), then {retry}. Its neighbours go on meanwhile."
        ),
    }
}

#[cfg(test)]
mod tests {
    use handoffd_core::{AccountId, Timestamp};

    use super::*;

    #[test]
    fn every_kind_has_a_remedy_that_names_the_command() {
        for (kind, name, reason) in [
            ("write", "l1-3", "sent, not answered and not found; never sent again"),
            ("write", "l1-4", "refused: too long"),
            ("row", "desk/7", "status: a number"),
            ("work", "t/desk/7", "an internal invariant is broken"),
            ("join", "desk/7:other", "it is not certain"),
            ("event", "evt_1", "handoff.returned for ada was not taken in 9 tries: it answered 500"),
            ("webhook", "ada", "the receiver of ada answered 410 Gone: it wants no more events"),
            ("backfill", "desk", "a page of its history cannot be read: tickets: a number"),
        ] {
            let row = ParkedRow {
                kind: kind.to_owned(),
                name: name.to_owned(),
                account: AccountId::new("desk"),
                link: None,
                reason: reason.to_owned(),
                since: Timestamp(0),
                causes: None,
            };
            let thing = thing(row, BTreeSet::new());
            assert!(thing.remedy.contains(&format!("handoffd parked retry {kind}/{name}")), "{thing:?}");
            let asks = thing.remedy.contains("--send-again");
            assert_eq!(asks, reason.contains("not answered"), "only what may be there is asked about");
        }
    }
}
