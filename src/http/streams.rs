//! What an AI agent sends of a conversation, on its way into the conversation's row.

use std::collections::{BTreeMap, VecDeque};

use handoffd_core::{
    TicketKey, Timestamp,
    briefing::text,
    capture::{CaptureEvent, Taken, What, capture},
    model::{captured::Captured, turn::Party},
};
use serde::Serialize;

use super::{Site, agents::Agent};
use crate::store::{
    Guard, ReadError, Write,
    tables::{self, CAPTURES, CaptureRow},
};

/// How often a row that others change at the same time is read again.
pub(super) const TRIES_MAX: u32 = 64;

/// What became of events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Counts {
    /// They are kept.
    pub(super) taken: u32,
    /// They came before.
    pub(super) repeated: u32,
    /// There was nothing in them, or they are older than all that there is room for.
    pub(super) left_out: u32,
}

/// Events on their way into their conversation's row.
pub(super) struct Folded {
    /// That nobody changed the row meanwhile.
    pub(super) guard: Guard,
    /// The row, and the binding of the conversation to its ticket.
    pub(super) writes: Vec<Write>,
    pub(super) counts: Counts,
    /// Turns that lost their place to newer ones.
    pub(super) turns_dropped: u32,
}

/// A conversation, as its AI agent calls it.
pub(super) struct Talk<'a> {
    pub(super) agent: &'a Agent,
    pub(super) id: &'a str,
    /// The ticket that it is about, where that is known.
    pub(super) ticket: Option<&'a TicketKey>,
}

/// Folds events into their conversation's row, to be committed. `again`: they tell the
/// conversation from its beginning, so what was streamed of it is not taken twice.
pub(super) async fn fold(
    site: &Site,
    talk: &Talk<'_>,
    events: &[CaptureEvent],
    again: bool,
    now: Timestamp,
) -> Result<Folded, ReadError> {
    let (store, agent) = (&*site.engine.parts().store, talk.agent.name.as_str());
    let key = tables::conversation_key(agent, talk.id);
    let row = tables::capture_row(store, agent, talk.id).await?;
    let guard = match &row {
        Some(row) => Guard::Rev(CAPTURES, key.clone(), row.rev),
        None => Guard::Absent(CAPTURES, key.clone()),
    };
    let mut captured = row.map(|row| row.value.captured).unwrap_or_default();
    let dropped_before = captured.turns_left_out;
    let rules = site.engine.capture_rules(agent);
    let (mut counts, mut known) = (Counts::default(), Known::of(&captured));
    for event in events {
        if again && known.has(event) {
            counts.repeated += 1;
            continue;
        }
        match capture(&mut captured, event, &rules) {
            Taken::Taken => counts.taken += 1,
            Taken::Repeated => counts.repeated += 1,
            Taken::Empty | Taken::TooOld => counts.left_out += 1,
        }
    }
    let turns_dropped = captured.turns_left_out.saturating_sub(dropped_before);
    captured.at = now.max(captured.at);
    let before = tables::ticket_of_conversation(store, agent, talk.id).await?;
    let ticket = talk.ticket.or(before.as_ref());
    captured.ticket = ticket.cloned().or(captured.ticket);
    let mut writes = vec![tables::put(CAPTURES, key, &CaptureRow { at: now, captured })];
    if let Some(ticket) = ticket {
        writes.extend(tables::bind_writes(agent, talk.id, before.as_ref(), ticket, now));
    }
    Ok(Folded { guard, writes, counts, turns_dropped })
}

/// What was streamed of a conversation, to tell what a whole transcript says again. Each thing
/// that was streamed stands for one that is told.
#[derive(Default)]
struct Known {
    said: BTreeMap<(bool, String), u32>,
    /// Of each tool, whether its calls were answered.
    calls: BTreeMap<String, VecDeque<bool>>,
    /// Answers to calls that were streamed with theirs, by the call's id and by the tool.
    answered: Vec<(Option<String>, String)>,
}

impl Known {
    fn of(captured: &Captured) -> Self {
        let mut known = Self::default();
        for turn in &captured.turns {
            match &turn.call {
                Some(call) => {
                    known.calls.entry(call.name.clone()).or_default().push_back(!call.outcome.is_empty());
                }
                None => *known.said.entry(said_key(&turn.by, &turn.text)).or_default() += 1,
            }
        }
        known
    }

    /// Whether this was streamed; it stands for one thing that is told.
    fn has(&mut self, event: &CaptureEvent) -> bool {
        match &event.what {
            What::Turn { by, text, .. } => match self.said.get_mut(&said_key(by, text)) {
                Some(times) if *times > 0 => {
                    *times -= 1;
                    true
                }
                _ => false,
            },
            What::ToolCall { call_id, name, .. } => {
                let streamed = self.calls.get_mut(name).and_then(VecDeque::pop_front);
                if streamed == Some(true) {
                    self.answered.push((call_id.clone(), name.clone()));
                }
                streamed.is_some()
            }
            What::ToolResult { call_id, name, .. } => {
                let fits = |(id, tool): &(Option<String>, String)| match (call_id, name) {
                    (Some(_), _) => id == call_id,
                    (None, Some(name)) => tool == name,
                    (None, None) => true,
                };
                let found = self.answered.iter().position(fits);
                found.map(|at| self.answered.remove(at)).is_some()
            }
            What::PageView { .. } | What::Product { .. } | What::State(_) => false,
        }
    }
}

fn said_key(by: &Party, words: &str) -> (bool, String) {
    (*by == Party::Customer, text::shortened(&text::one_line(words), 200))
}

/// Whether an AI agent may speak of a ticket.
pub(super) fn may_use(agent: &Agent, ticket: &TicketKey) -> bool {
    agent.accounts.as_ref().is_none_or(|accounts| accounts.contains(ticket.account.as_str()))
}

/// The ticket that an account and an id name, or which of them is wrong, and why.
pub(super) fn ticket_of(
    site: &Site,
    agent: &Agent,
    account: &str,
    id: &str,
) -> Result<TicketKey, (Part, String)> {
    let ticket = TicketKey::new(account, id);
    if !site.engine.is_linked(account) || !may_use(agent, &ticket) {
        let message = format!("there is no helpdesk account {account:?} whose tickets you may hand over");
        return Err((Part::Account, message));
    }
    if !crate::engine::is_ticket_id(id) {
        return Err((Part::Ticket, "is the ticket's id at its helpdesk".to_owned()));
    }
    Ok(ticket)
}

/// A part of a ticket's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// The account.
    Account,
    /// The ticket's id there.
    Ticket,
}

#[cfg(test)]
mod tests {
    use handoffd_core::{capture::CaptureRules, model::turn::Outcome};

    use super::*;

    fn event(what: What) -> CaptureEvent {
        CaptureEvent { id: None, place: None, at: None, what }
    }

    fn said(by: Party, text: &str) -> CaptureEvent {
        event(What::Turn { by, text: text.to_owned(), public: true })
    }

    fn called(id: &str) -> CaptureEvent {
        let name = "find_charges".to_owned();
        event(What::ToolCall { call_id: Some(id.to_owned()), name, inputs: "{}".to_owned() })
    }

    fn answered(id: &str) -> CaptureEvent {
        let (call_id, outcome) = (Some(id.to_owned()), "2 charges".to_owned());
        event(What::ToolResult { call_id, name: None, outcome, result: Outcome::Unclear })
    }

    #[test]
    fn a_transcript_of_what_was_streamed_adds_only_what_is_new() {
        let mut captured = Captured::default();
        let streamed =
            [said(Party::Customer, "Help!"), called("s1"), answered("s1"), said(Party::Customer, "yes")];
        for event in &streamed {
            assert_eq!(capture(&mut captured, event, &CaptureRules::default()), Taken::Taken);
        }
        let mut known = Known::of(&captured);
        let told = [
            (said(Party::Customer, "Help!"), true),
            (said(Party::Bot { name: None }, "Help!"), false),
            (called("c1"), true),
            (answered("c1"), true),
            (called("c2"), false),
            (answered("c2"), false),
            (said(Party::Customer, "yes"), true),
            (said(Party::Customer, "yes"), false),
        ];
        for (at, (event, is_known)) in told.iter().enumerate() {
            assert_eq!(known.has(event), *is_known, "{at}");
        }
    }

    #[test]
    fn an_answer_that_was_not_streamed_is_still_taken() {
        let mut captured = Captured::default();
        capture(&mut captured, &called("s1"), &CaptureRules::default());
        let mut known = Known::of(&captured);
        assert!(known.has(&called("c1")));
        assert!(!known.has(&answered("c1")), "the call was streamed without its answer");
    }
}
