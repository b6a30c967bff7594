//! What AI agents streamed of a conversation, and which ticket it is about.

use std::collections::{BTreeMap, BTreeSet};

use handoffd_core::{
    TicketKey, Timestamp,
    model::{
        captured::Captured,
        turn::{Proof, Turn},
    },
};
use serde::{Deserialize, Serialize};

use super::{Key, ReadError, Row, Store, Table, Write, put, read, read_all};

/// What was streamed of a conversation, by AI agent and the conversation's id.
pub const CAPTURES: Table = Table("captures");
/// Which ticket a conversation is about, by AI agent and the conversation's id.
pub const CONVERSATIONS: Table = Table("conversations");
/// Conversations that are about a ticket, by account, ticket, AI agent and the conversation's id.
pub const TALKS: Table = Table("talks");

/// How many conversations of one ticket are read.
const TALKS_MAX: usize = 16;
/// How many turns are kept of several conversations together, the newest.
const TURNS_MAX: usize = 80;
/// How many pages are kept of several conversations together, the newest.
const PAGES_MAX: usize = 20;

/// What was streamed of one conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaptureRow {
    /// When something was added last; the row is kept `handoff.captured_keep` from then.
    pub at: Timestamp,
    /// What was streamed.
    pub captured: Captured,
}

/// Which ticket a conversation is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConversationRow {
    /// When it was said last; kept as long as what was streamed.
    pub at: Timestamp,
    /// The ticket.
    pub ticket: TicketKey,
}

/// The key of a conversation in [`CAPTURES`] and [`CONVERSATIONS`].
pub fn conversation_key(agent: &str, conversation: &str) -> Key {
    Key::of(&[agent, conversation])
}

fn talk_key(ticket: &TicketKey, agent: &str, conversation: &str) -> Key {
    Key::of(&[ticket.account.as_str(), ticket.id.as_str(), agent, conversation])
}

/// The writes that say which ticket a conversation is about, both ways; `before` is what
/// was known of it.
pub fn bind_writes(
    agent: &str,
    conversation: &str,
    before: Option<&TicketKey>,
    ticket: &TicketKey,
    at: Timestamp,
) -> Vec<Write> {
    let row = ConversationRow { at, ticket: ticket.clone() };
    let mut writes = vec![
        put(CONVERSATIONS, conversation_key(agent, conversation), &row),
        put(TALKS, talk_key(ticket, agent, conversation), &row),
    ];
    if let Some(before) = before.filter(|before| *before != ticket) {
        writes.push(Write::Delete(TALKS, talk_key(before, agent, conversation)));
    }
    writes
}

/// What was streamed of one conversation.
pub async fn capture_row(
    store: &dyn Store,
    agent: &str,
    conversation: &str,
) -> Result<Option<Row<CaptureRow>>, ReadError> {
    read(store, CAPTURES, &conversation_key(agent, conversation)).await
}

/// The ticket that a conversation was said to be about.
pub async fn ticket_of_conversation(
    store: &dyn Store,
    agent: &str,
    conversation: &str,
) -> Result<Option<TicketKey>, ReadError> {
    let row = read::<ConversationRow>(store, CONVERSATIONS, &conversation_key(agent, conversation)).await?;
    Ok(row.map(|row| row.value.ticket))
}

/// The conversations that are about a ticket: AI agent and the conversation's id.
pub async fn conversations_of(
    store: &dyn Store,
    ticket: &TicketKey,
) -> Result<Vec<(String, String)>, ReadError> {
    let prefix = Key::of(&[ticket.account.as_str(), ticket.id.as_str(), ""]);
    let rows = read_all::<ConversationRow>(store, TALKS, &prefix, TALKS_MAX).await?;
    let mut found: Vec<(Timestamp, (String, String))> = rows
        .into_iter()
        .filter_map(|(key, row)| {
            let mut parts = key.parts().into_iter().skip(2);
            Some((row.value.at, (parts.next()?, parts.next()?)))
        })
        .collect();
    found.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    Ok(found.into_iter().map(|(_, talk)| talk).collect())
}

/// What was streamed of the conversations about a ticket, as one; `None` where nothing was.
pub async fn captured_of(store: &dyn Store, ticket: &TicketKey) -> Result<Option<Captured>, ReadError> {
    let mut all = Vec::new();
    for (agent, conversation) in conversations_of(store, ticket).await? {
        if let Some(row) = capture_row(store, &agent, &conversation).await? {
            all.push(row.value.captured);
        }
    }
    Ok(merged(all).map(|captured| Captured { ticket: Some(ticket.clone()), ..captured }))
}

/// Several conversations as one: in the order of time, what is newer wins, bounds hold.
fn merged(mut all: Vec<Captured>) -> Option<Captured> {
    all.sort_by_key(|captured| captured.at);
    let mut all = all.into_iter();
    let mut whole = all.next()?;
    for newer in all {
        take(&mut whole, newer);
    }
    Some(whole)
}

fn take(whole: &mut Captured, newer: Captured) {
    let known: BTreeSet<String> = whole.turns.iter().map(turn_name).collect();
    whole.turns.extend(newer.turns.into_iter().filter(|turn| !known.contains(&turn_name(turn))));
    // Turns without a time stay behind those of their conversation: the sort is stable.
    whole.turns.sort_by_key(|turn| turn.at.unwrap_or(newer.at));
    let too_many = whole.turns.len().saturating_sub(TURNS_MAX);
    whole.turns.drain(..too_many);
    let left_out = u32::try_from(too_many).unwrap_or(u32::MAX);
    whole.turns_left_out = whole.turns_left_out.saturating_add(newer.turns_left_out).saturating_add(left_out);
    whole.first = match (whole.first.take(), newer.first) {
        (Some(ours), Some(theirs)) => Some(if theirs.at < ours.at { theirs } else { ours }),
        (ours, theirs) => ours.or(theirs),
    };
    whole.pages.extend(newer.pages);
    whole.pages.sort_by_key(|page| page.at);
    let too_many = whole.pages.len().saturating_sub(PAGES_MAX);
    whole.pages.drain(..too_many);
    for (area, secs) in newer.behaviour.dwell_secs {
        let sum = whole.behaviour.dwell_secs.entry(area).or_default();
        *sum = sum.saturating_add(secs);
    }
    add_counts(&mut whole.behaviour.failed, newer.behaviour.failed);
    add_counts(&mut whole.behaviour.errors, newer.behaviour.errors);
    whole.behaviour.events = whole.behaviour.events.saturating_add(newer.behaviour.events);
    whole.stated.extend(newer.stated);
    whole.seen.extend(newer.seen);
    whole.at = whole.at.max(newer.at);
}

/// What tells a turn from another: two conversations may count their messages alike.
fn turn_name(turn: &Turn) -> String {
    format!("{:?} {:?} {:?} {}", turn.proof, turn.by, turn.at, turn.text)
}

type Counts = BTreeMap<String, (u32, Proof)>;

fn add_counts(whole: &mut Counts, newer: Counts) {
    for (name, (times, proof)) in newer {
        let known = whole.get(&name).map_or(0, |(known, _)| *known);
        whole.insert(name, (known.saturating_add(times), proof));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use handoffd_connectors::client::clock::SystemClock;
    use handoffd_core::model::turn::Party;

    use super::*;
    use crate::store::{Commit, mem::MemStore};

    fn said(id: &str, at: i64) -> Turn {
        let at = Some(Timestamp(at));
        let proof = Proof::Event { id: id.to_owned(), at };
        Turn { proof, by: Party::Customer, at, public: true, text: id.to_owned(), call: None }
    }

    fn captured(at: i64, turns: Vec<Turn>) -> Captured {
        Captured { turns, at: Timestamp(at), ..Captured::default() }
    }

    #[tokio::test]
    async fn what_was_streamed_is_found_by_its_ticket_and_moves_with_its_binding() {
        let store = MemStore::new(Arc::new(SystemClock));
        let (one, two) = (TicketKey::new("zd", "1"), TicketKey::new("zd", "2"));
        let row = CaptureRow { at: Timestamp(5), captured: captured(5, vec![said("a", 5)]) };
        let mut writes = bind_writes("ada", "c/1", None, &one, Timestamp(5));
        writes.push(put(CAPTURES, conversation_key("ada", "c/1"), &row));
        store.commit(Commit { writes, ..Commit::default() }).await.expect("stored");
        assert_eq!(ticket_of_conversation(&store, "ada", "c/1").await, Ok(Some(one.clone())));
        assert_eq!(ticket_of_conversation(&store, "bob", "c/1").await, Ok(None));
        let found = captured_of(&store, &one).await.expect("readable").expect("there");
        assert_eq!((found.ticket, found.turns.len()), (Some(one.clone()), 1));

        let writes = bind_writes("ada", "c/1", Some(&one), &two, Timestamp(6));
        store.commit(Commit { writes, ..Commit::default() }).await.expect("stored");
        assert_eq!(captured_of(&store, &one).await, Ok(None));
        assert!(captured_of(&store, &two).await.expect("readable").is_some());
        let other = TicketKey::new("zd", "20");
        assert_eq!(captured_of(&store, &other).await, Ok(None), "a ticket whose id begins alike");
    }

    #[test]
    fn several_conversations_of_a_ticket_are_one_in_the_order_of_time() {
        let older = captured(9, vec![said("a", 1), said("c", 5)]);
        let newer = captured(10, vec![said("b", 3), said("c", 5)]);
        let whole = merged(vec![newer, older]).expect("some");
        let ids: Vec<&str> = whole.turns.iter().map(|turn| turn.text.as_str()).collect();
        assert_eq!((ids, whole.at), (vec!["a", "b", "c"], Timestamp(10)));
        let many = (0..100).map(|at| said(&at.to_string(), at)).collect();
        let whole = merged(vec![captured(1, Vec::new()), captured(2, many)]).expect("some");
        assert_eq!((whole.turns.len(), whole.turns_left_out), (TURNS_MAX, 100 - TURNS_MAX as u32));
        assert_eq!(whole.turns[0].text, "20", "the newest are kept");
    }
}
