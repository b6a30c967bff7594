//! The daemon's tables: what a row is, how its key is made, and typed access.

use std::collections::{BTreeMap, BTreeSet};

use handoffd_connectors::contract::{Cursor, Disarms};
use handoffd_core::{
    AccountId, HandoffId, HandoffKind, LinkId, OpKey, RemoteId, TicketKey, Timestamp, Told,
    intent::Intent,
    link::{CommentCopy, Link, Origin, Place},
    reconcile::Decision,
    unpark::Cause,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{Commit, Guard, Key, NewJob, Page, ReadError, Rev, Store, Table, Write, codec};

mod captures;
mod outgoing;

pub use handoffd_core::Wanted;

pub use captures::{
    CAPTURES, CONVERSATIONS, CaptureRow, ConversationRow, TALKS, bind_writes, capture_row, captured_of,
    conversation_key, conversations_of, ticket_of_conversation,
};
pub use outgoing::{
    OUTBOX, OutboxRow, PROMISES, PromiseRow, SPEAKING, SPEECHES, SpeechRow, SpeechState, event_id,
    outbox_key, promise_key, promise_key_of, speaking_key, speech_id,
};

/// Links, by id.
pub const LINKS: Table = Table("links");
/// Comments of links, by link and number.
pub const COPIES: Table = Table("copies");
/// Which link a ticket belongs to, by account and ticket.
pub const TICKETS: Table = Table("tickets");
/// Writes that are not settled, by link and number.
pub const INTENTS: Table = Table("intents");
/// Resume points of feeds, by account and feed.
pub const CURSORS: Table = Table("cursors");
/// Handoffs, by id.
pub const HANDOFFS: Table = Table("handoffs");
/// What was known of a handoff when its briefing was composed last, by handoff.
pub const PACKAGES: Table = Table("packages");
/// Which handoff an AI agent means by the id that it was given, where that is another's.
pub const HANDOFF_NAMES: Table = Table("handoff_names");
/// Handoffs told by AI agents and not taken in yet, by account, ticket and handoff.
pub const INTAKES: Table = Table("intakes");
/// What was decided and done, by link and commit time.
pub const JOURNAL: Table = Table("journal");
/// Signed webhook deliveries that were taken, by account and id.
pub const DELIVERIES: Table = Table("deliveries");
/// Things that wait for an admin, by kind and name.
pub const PARKED: Table = Table("parked");
/// What is known of an account's standing, by account.
pub const ACCOUNTS: Table = Table("accounts");
/// Ids of people, by account and e-mail.
pub const PEOPLE: Table = Table("people");
/// Answers to API calls that carried an idempotency key, by agent and key.
pub const ANSWERS: Table = Table("answers");
/// How far the history of an account was taken in, by account.
pub const BACKFILLS: Table = Table("backfills");
/// Ratings that a feed told and that their links do not know yet, by account and ticket.
pub const RATINGS: Table = Table("ratings");
/// Tickets that may be conversations of another account's, by group and match key, while histories are taken in.
pub const MATCHES: Table = Table("matches");

/// Every table, for checks and exports.
pub const ALL: [Table; 24] = [
    LINKS,
    COPIES,
    TICKETS,
    INTENTS,
    CURSORS,
    HANDOFFS,
    PACKAGES,
    HANDOFF_NAMES,
    INTAKES,
    JOURNAL,
    DELIVERIES,
    PARKED,
    ACCOUNTS,
    PEOPLE,
    ANSWERS,
    BACKFILLS,
    MATCHES,
    CAPTURES,
    CONVERSATIONS,
    TALKS,
    SPEECHES,
    SPEAKING,
    OUTBOX,
    PROMISES,
];

/// A write on its way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IntentRow {
    /// The write. Long text is put aside.
    pub intent: Intent,
    /// The handoff whose briefing it carries.
    pub handoff: Option<HandoffId>,
    /// The message of an AI agent that it carries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speech: Option<String>,
    /// Which run of the daemon committed it: another run cannot know whether it was sent.
    pub run: String,
    /// How often it was tried and certainly did not happen.
    pub attempts: u32,
    /// How often it was looked for.
    pub lookups: u32,
    /// When it was sent first, if its answer is missing.
    pub sent_at: Option<Timestamp>,
    /// When it was committed first.
    pub made_at: Timestamp,
    /// When another run of the daemon found it unsettled.
    pub found_at: Option<Timestamp>,
    /// Not to be tried or looked for before.
    pub due: Timestamp,
    /// What went wrong last, for people.
    pub last_error: Option<String>,
}

/// A resume point.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CursorRow {
    /// Where to go on; `None` after the vendor refused the last one.
    pub cursor: Option<Cursor>,
    /// Every change before this moment of the vendor's time was taken in.
    pub complete_until: Option<Timestamp>,
    /// When a page was read last.
    pub read_at: Timestamp,
}

/// How far the history of an account was taken in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackfillRow {
    /// The account.
    pub account: AccountId,
    /// Changes since then are history that counts.
    pub since: Timestamp,
    /// What is being done.
    pub phase: BackfillPhase,
    /// Only its index is wanted, because tickets of other accounts are matched with it.
    #[serde(default)]
    pub index_only: bool,
    /// Its tickets were taken in, this time or before.
    #[serde(default)]
    pub taken_in: bool,
    /// Where the phase goes on; `None` at its beginning.
    pub cursor: Option<Cursor>,
    /// Not used any more.
    pub page: Option<Cursor>,
    /// How many tickets of the page in hand were looked at. After a restart it is gone through
    /// once more, whole: it may hold other tickets by then.
    pub page_done: u64,
    /// How many of those were parked.
    #[serde(default)]
    pub page_parked: u64,
    /// How many tickets the account has, if it says so.
    pub total: Option<u64>,
    /// Tickets entered into the index of match keys.
    pub indexed: u64,
    /// Comments that were read in bulk, before the tickets.
    #[serde(default)]
    pub comments: u64,
    /// Tickets looked at.
    pub looked: u64,
    /// Tickets that were parked.
    pub parked: u64,
    /// When it began.
    pub started_at: Timestamp,
    /// When it was finished.
    pub finished_at: Option<Timestamp>,
}

impl BackfillRow {
    /// One of which nothing is done yet.
    pub fn new(account: AccountId, since: Timestamp, phase: BackfillPhase, started_at: Timestamp) -> Self {
        Self {
            account,
            since,
            phase,
            index_only: false,
            taken_in: false,
            cursor: None,
            page: None,
            page_done: 0,
            page_parked: 0,
            total: None,
            indexed: 0,
            comments: 0,
            looked: 0,
            parked: 0,
            started_at,
            finished_at: None,
        }
    }
}

/// What is being done about an account's history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BackfillPhase {
    /// Its tickets are entered into the index of match keys.
    Index,
    /// Its tickets are looked at, each a conversation.
    Tickets,
    /// Everything is taken in.
    Done,
}

/// A handoff told by an AI agent, on its way to a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IntakeRow {
    /// The handoff's id.
    pub id: HandoffId,
    /// The ticket that it is about.
    pub ticket: TicketKey,
    /// The AI agent's name in the configuration.
    pub agent: String,
    /// Its idempotency key.
    pub key: String,
    /// What it told.
    pub told: Told,
    /// When.
    pub at: Timestamp,
    /// The AI agent's own id of the conversation, where it has one.
    #[serde(default)]
    pub conversation: Option<String>,
    /// Where it asks that the conversation go.
    #[serde(default)]
    pub wanted: Wanted,
    /// Between whom.
    #[serde(default = "from_ai")]
    pub kind: HandoffKind,
}

fn from_ai() -> HandoffKind {
    HandoffKind::AiToHuman
}

/// One thing that was decided or done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JournalRow {
    /// A decision of the core.
    Decided {
        /// When.
        at: Timestamp,
        /// What woke the link.
        cause: String,
        /// The decision.
        decision: Decision,
    },
    /// What came of a write.
    Wrote {
        /// When.
        at: Timestamp,
        /// The write.
        key: OpKey,
        /// At which account.
        account: AccountId,
        /// What came of it, in words.
        outcome: String,
    },
    /// A handoff moved on.
    Handoff {
        /// When.
        at: Timestamp,
        /// Which.
        id: HandoffId,
        /// To which state.
        state: String,
    },
}

/// Something that waits for an admin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParkedRow {
    /// What it is, for instance `write`, `row`, `feed`, `ticket`, `link`.
    pub kind: String,
    /// Its name: a ticket, a write, a feed.
    pub name: String,
    /// The account.
    pub account: AccountId,
    /// The link, if there is one.
    pub link: Option<LinkId>,
    /// Why, in words for an admin.
    pub reason: String,
    /// When it was parked first.
    pub since: Timestamp,
    /// Of a write: what stands still because of it, so that the row goes when that does;
    /// `None` in rows of other kinds, and in those of before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub causes: Option<BTreeSet<Cause>>,
}

impl ParkedRow {
    /// Whether what stood still because of a write moves again: `gone` of its link does
    /// since the last commit, `standing` does not.
    pub fn is_over(&self, gone: &BTreeSet<Cause>, standing: &BTreeSet<Cause>) -> bool {
        match &self.causes {
            Some(causes) => !causes.is_disjoint(gone) && causes.is_disjoint(standing),
            None => {
                let is_here = |cause: &Cause| *cause.account() == self.account;
                gone.iter().any(is_here) && !standing.iter().any(is_here)
            }
        }
    }
}

/// What is known of an account's standing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountRow {
    /// Why nothing is sent to it, and since when.
    pub paused: Option<(String, Timestamp)>,
    /// What is switched off there, and why.
    pub disarmed: BTreeMap<String, String>,
    /// Feeds that are paused, and why.
    pub feeds_paused: BTreeMap<String, String>,
    /// Who we are there.
    pub identity: Option<String>,
}

impl AccountRow {
    /// The name under which a disarmed capability is stored.
    pub fn capability(disarms: Disarms) -> &'static str {
        match disarms {
            Disarms::Nothing => "nothing",
            Disarms::Creates => "creates",
            Disarms::Writes => "writes",
            Disarms::Reads => "reads",
        }
    }
}

/// What is to be looked at when a job is due.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wake {
    /// A ticket.
    Ticket {
        /// Which.
        ticket: TicketKey,
        /// What asked for it, for the journal: `webhook`, `poll`, `resync`, `api`.
        cause: String,
    },
    /// A link: writes that are due, or work left over.
    Link {
        /// Which.
        link: LinkId,
    },
}

impl Wake {
    /// The job's name: asking twice is asking once.
    pub fn job_id(&self) -> String {
        match self {
            Self::Ticket { ticket, .. } => format!("t/{ticket}"),
            Self::Link { link } => format!("l/{link}"),
        }
    }

    /// The job that wakes it.
    pub fn job(&self, order_key: &str, run_at: Timestamp) -> NewJob {
        NewJob {
            id: self.job_id(),
            order_key: order_key.to_owned(),
            run_at,
            body: serde_json::to_vec(self).unwrap_or_default(),
        }
    }

    /// Reads a job's body.
    pub fn read(job: &NewJob) -> Option<Self> {
        serde_json::from_slice(&job.body).ok()
    }
}

/// A row with its revision.
#[derive(Clone, Debug)]
pub struct Row<T> {
    /// The row.
    pub value: T,
    /// The commit that wrote it.
    pub rev: Rev,
}

/// The version of the records' form. Grows when a form changes; old ones are then migrated at start.
const SCHEMA: u16 = 1;

/// Reads a stored record.
pub fn record<T: DeserializeOwned>(table: Table, key: &Key, value: &[u8]) -> Result<T, ReadError> {
    codec::from_row(table, key, SCHEMA, value).map_err(|error| ReadError::Corrupt { why: error.to_string() })
}

/// Reads one row.
pub async fn read<T: DeserializeOwned>(
    store: &dyn Store,
    table: Table,
    key: &Key,
) -> Result<Option<Row<T>>, ReadError> {
    match store.get(table, key).await? {
        None => Ok(None),
        Some(found) => {
            let value = record(table, key, &found.value)?;
            Ok(Some(Row { value, rev: found.rev }))
        }
    }
}

/// Reads every row under a prefix, page by page, up to `rows_max`.
pub async fn read_all<T: DeserializeOwned>(
    store: &dyn Store,
    table: Table,
    prefix: &Key,
    rows_max: usize,
) -> Result<Vec<(Key, Row<T>)>, ReadError> {
    let mut rows = Vec::new();
    let mut after: Option<Key> = None;
    loop {
        let page: Page = store.page(table, prefix, after.as_ref(), 500).await?;
        after = page.rows.last().map(|(key, _)| key.clone());
        for (key, found) in page.rows {
            let value = record(table, &key, &found.value)?;
            rows.push((key, Row { value, rev: found.rev }));
            if rows.len() >= rows_max {
                return Ok(rows);
            }
        }
        if !page.more {
            return Ok(rows);
        }
    }
}

/// A row to be set.
pub fn put<T: Serialize>(table: Table, key: Key, value: &T) -> Write {
    Write::Put(table, key, codec::to_row(table, SCHEMA, value).expect("the daemon's records are always JSON"))
}

/// The key of a ticket in [`TICKETS`].
pub fn ticket_key(ticket: &TicketKey) -> Key {
    Key::of(&[ticket.account.as_str(), ticket.id.as_str()])
}

/// The key of a comment's row; numbers sort.
pub fn copy_key(link: &LinkId, number: u64) -> Key {
    Key::of(&[link.as_str(), &format!("{number:08}")])
}

/// The prefix of everything of a link.
pub fn link_prefix(link: &LinkId) -> Key {
    Key::of(&[link.as_str(), ""])
}

/// The key of a write's row: writes of a link sort as they were decided.
pub fn intent_key(link: &LinkId, key: &OpKey) -> Key {
    let number = key.as_str().rsplit('-').next().and_then(|tail| tail.parse::<u64>().ok());
    match number {
        Some(number) => Key::of(&[link.as_str(), &format!("{number:08}"), key.as_str()]),
        None => Key::of(&[link.as_str(), "handoff", key.as_str()]),
    }
}

/// The key of a feed's cursor.
pub fn cursor_key(account: &AccountId, feed: &str) -> Key {
    Key::of(&[account.as_str(), feed])
}

/// The key of a parked thing.
pub fn parked_key(row: &ParkedRow) -> Key {
    Key::of(&[&row.kind, &row.name])
}

/// The key of a journal row.
pub fn journal_key(link: &LinkId, at: Timestamp, number: usize) -> Key {
    Key::of(&[link.as_str(), &format!("{:013}-{number:09}", at.0.max(0))])
}

/// A link with its comments, as stored.
#[derive(Clone, Debug)]
pub struct LinkRow {
    /// The link.
    pub link: Link,
    /// The commit that wrote it.
    pub rev: Rev,
}

/// Reads a link with all of its comments.
pub async fn read_link(store: &dyn Store, id: &LinkId) -> Result<Option<LinkRow>, ReadError> {
    let Some(row) = read::<Link>(store, LINKS, &Key::of(&[id.as_str()])).await? else { return Ok(None) };
    let mut link = row.value;
    let copies = read_all::<CommentCopy>(store, COPIES, &link_prefix(id), usize::MAX).await?;
    for (key, copy) in copies {
        let number = key.parts().get(1).and_then(|number| number.parse().ok()).unwrap_or(u64::MAX);
        // A commit in chunks may have been cut short before the link's own row: comments
        // beyond its count, and writes and tickets that it does not know, never happened.
        if number < link.next_copy {
            let copy = without_unknown_tickets(&link, copy.value);
            link.copies.insert(number, without_unknown_writes(&link, copy));
        }
    }
    Ok(Some(LinkRow { link, rev: row.rev }))
}

/// Tickets that neither are nor were sides are those of a link that was to be folded in.
fn without_unknown_tickets(link: &Link, mut copy: CommentCopy) -> CommentCopy {
    let knows = |ticket: &TicketKey| link.sides.contains_key(ticket) || link.former.contains(ticket);
    copy.places.retain(|ticket, place| match place {
        Place::Before(earlier) => knows(ticket) && knows(earlier),
        Place::Here(_) | Place::Sending(_) | Place::Parked(_) => knows(ticket),
    });
    copy.shown.retain(|ticket, _| knows(ticket));
    copy.due.retain(|ticket, _| knows(ticket));
    copy.theirs.retain(knows);
    copy
}

fn without_unknown_writes(link: &Link, mut copy: CommentCopy) -> CommentCopy {
    let origin = copy.origin.clone();
    copy.places.retain(|ticket, place| match place {
        // Notes of ours are announced with their write and are on no side's list.
        Place::Sending(key) if origin == Origin::Ours(key.clone()) => true,
        Place::Sending(key) => link.sides.get(ticket).is_some_and(|side| side.outstanding.contains(key)),
        Place::Here(_) | Place::Parked(_) | Place::Before(_) => true,
    });
    copy
}

/// The link of a ticket.
pub async fn link_of(store: &dyn Store, ticket: &TicketKey) -> Result<Option<LinkId>, ReadError> {
    Ok(read::<LinkId>(store, TICKETS, &ticket_key(ticket)).await?.map(|row| row.value))
}

/// The writes that turn `before` into `after`: the link's row, the comments
/// that changed, and the index of tickets that are new to it.
pub fn link_writes(before: Option<&Link>, after: &Link) -> Vec<Write> {
    let mut writes = Vec::new();
    if before != Some(after) {
        writes.push(put(LINKS, Key::of(&[after.id.as_str()]), after));
    }
    for (number, copy) in &after.copies {
        if before.and_then(|link| link.copies.get(number)) != Some(copy) {
            writes.push(put(COPIES, copy_key(&after.id, *number), copy));
        }
    }
    for number in before.into_iter().flat_map(|link| link.copies.keys()) {
        if !after.copies.contains_key(number) {
            writes.push(Write::Delete(COPIES, copy_key(&after.id, *number)));
        }
    }
    let known: BTreeSet<&TicketKey> =
        before.map(|link| link.sides.keys().chain(&link.former).collect()).unwrap_or_default();
    for ticket in after.sides.keys().chain(&after.former).filter(|ticket| !known.contains(ticket)) {
        writes.push(put(TICKETS, ticket_key(ticket), &after.id));
    }
    writes
}

/// The guard that nobody changed the link since it was read.
pub fn link_guard(id: &LinkId, rev: Option<Rev>) -> Guard {
    let key = Key::of(&[id.as_str()]);
    match rev {
        Some(rev) => Guard::Rev(LINKS, key, rev),
        None => Guard::Absent(LINKS, key),
    }
}

/// Splits writes so that each commit stays within the store's bound. The guard
/// and the link's row travel in the last, so that whatever came before is
/// harmless if the last fails.
pub fn in_chunks(mut commit: Commit, ops_max: usize) -> Vec<Commit> {
    let mut chunks = Vec::new();
    while commit.ops() > ops_max {
        let spare = commit.ops() - ops_max;
        let movable: Vec<usize> = (0..commit.writes.len())
            .filter(|at| matches!(&commit.writes[*at], Write::Put(table, ..) if *table == COPIES || *table == JOURNAL))
            .take(spare.min(ops_max))
            .collect();
        if movable.is_empty() {
            break;
        }
        let mut first = Commit::default();
        for at in movable.into_iter().rev() {
            first.writes.insert(0, commit.writes.remove(at));
        }
        chunks.push(first);
    }
    chunks.push(commit);
    chunks
}

/// The remote id of a person, if it was learnt before.
pub async fn person_at(
    store: &dyn Store,
    account: &AccountId,
    email: &str,
) -> Result<Option<RemoteId>, ReadError> {
    let key = Key::of(&[account.as_str(), &email.to_lowercase()]);
    Ok(read::<RemoteId>(store, PEOPLE, &key).await?.map(|row| row.value))
}

/// When a row of a table with an end of life was written: journal rows say it in
/// their key, deliveries and answers in their value.
pub fn written_at(table: Table, key: &Key, value: &[u8]) -> Option<Timestamp> {
    #[derive(Deserialize)]
    struct Dated {
        at: Timestamp,
    }
    if table == SPEECHES {
        let speech: SpeechRow = record(table, key, value).ok()?;
        return speech.state.is_settled().then_some(speech.at);
    }
    if table == PROMISES {
        let promise: PromiseRow = record(table, key, value).ok()?;
        return promise.raised_at;
    }
    if table == JOURNAL {
        let parts = key.parts();
        let (millis, _) = parts.get(1)?.split_once('-')?;
        return millis.parse().ok().map(Timestamp);
    }
    record::<Dated>(table, key, value).ok().map(|dated| dated.at)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use handoffd_connectors::client::clock::SystemClock;
    use handoffd_core::{
        Body, Fields, GroupId, Message, PrivateMessage, PrivateText, intent::Update, link::Side,
        settle::note_leaves,
    };

    use super::*;
    use crate::store::mem::MemStore;

    fn link_of(ticket: &TicketKey) -> Link {
        let none = serde_json::json!({
            "id": Link::id_for(ticket), "group": GroupId::new("support"), "base": {}, "sides": {},
            "former": [], "creating": {}, "create_parked": {}, "requester": null, "handoff": null,
            "next_op": 0, "next_copy": 0,
        });
        let link: Link = serde_json::from_value(none).expect("a link");
        Link { sides: BTreeMap::from([(ticket.clone(), Side::default())]), ..link }
    }

    #[tokio::test]
    async fn a_note_on_its_way_is_still_on_its_way_when_it_is_read_again() {
        let store = MemStore::new(Arc::new(SystemClock));
        let ticket = TicketKey::new("zendesk", "1");
        let text = PrivateText::new(Body::inline("for agents only"));
        let briefing = Update {
            at: ticket.clone(),
            set: Fields::new(),
            message: Some(Message::Private(PrivateMessage { author: None, text, attachments: Vec::new() })),
            if_version: None,
            key: OpKey::new("h1-briefing"),
        };
        let link = note_leaves(&link_of(&ticket), &briefing, Timestamp(7));
        let commit = Commit { writes: link_writes(None, &link), ..Commit::default() };
        store.commit(commit).await.expect("stored");
        let read = read_link(&store, &link.id).await.expect("readable").expect("there");
        assert_eq!(read.link.copies.len(), 1);
        assert_eq!(read.link, link, "else a look takes the note for somebody's words and mirrors it");
    }
}
