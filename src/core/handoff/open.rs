//! Which record a sign of a handoff belongs to.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::{
    HandoffEvent, HandoffStep, News, advance_handoff, handoff_id_from_api, handoff_id_native, is_open,
    needs_briefing, same_hands,
};
use crate::{
    model::{
        handoff::{Detected, Evidence, Handoff, HandoffKind, HandoffState, Owner, Told},
        ids::{AccountId, HandoffId, LinkId, TicketKey},
        time::Timestamp,
    },
    policy::HandoffRules,
};

/// How long after the first sign of a handoff the other one may come.
const OTHER_SIGN: Duration = Duration::from_secs(15 * 60);

/// What makes a handoff known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sign {
    /// The owner changed at a helpdesk.
    Seen(Box<Seen>),
    /// An AI agent said so.
    Said(Box<Said>),
}

/// A change of owner that was seen, with the conversation that it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The conversation.
    pub link: LinkId,
    /// The change.
    pub detected: Detected,
}

/// What an AI agent said through the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// The agent's name in the configuration.
    pub agent: String,
    /// The request's idempotency key.
    pub key: String,
    /// The ticket that it named.
    pub ticket: TicketKey,
    /// The conversation, where it is known already.
    pub link: Option<LinkId>,
    /// To whom it hands over, by the ids of the ticket's helpdesk; `None` where it does not say.
    pub to: Option<Owner>,
    /// The rest.
    pub told: Told,
}

/// What a sign makes of a conversation's handoffs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opening {
    /// A record of its own. It is the conversation's handoff from then on if it [`is_open`].
    New {
        /// The record, with what to do.
        new: Box<HandoffStep>,
        /// What the sign makes of the record before it, where it changes it.
        before: Option<Box<HandoffStep>>,
    },
    /// It belongs to the last record. A repeat changes nothing there and has no effects.
    Joined(Box<HandoffStep>),
    /// It was taken in before, as the last record.
    Ignored,
}

impl Opening {
    /// Every record to be stored, with what to do, in order.
    pub fn into_steps(self) -> Vec<HandoffStep> {
        match self {
            Self::New { new, before } => before.into_iter().chain([new]).map(|step| *step).collect(),
            Self::Joined(step) => vec![*step],
            Self::Ignored => Vec::new(),
        }
    }
}

/// Ties a sign to a record.
///
/// `last` is the conversation's newest handoff that gets a briefing, open or
/// closed; `sources` are asked when a new one opens.
///
/// There is one open stretch per conversation. Until somebody accepted it, all
/// that an AI agent does or says belongs to it: a request first and the native
/// change minutes later, or the other way round. The first request, and the
/// first change of each ticket, belong to it even after the acceptance. People
/// who pass the ticket on before the briefing is there correct the target;
/// after that it is a handoff of its own. When the AI agent gets the
/// conversation back, or hands over once more what somebody accepted, the
/// stretch is over. A request and a change that belong together make one handoff
/// also when the ticket is solved before the second of them comes.
pub fn open_or_join(
    last: Option<&Handoff>,
    sign: &Sign,
    sources: &BTreeSet<AccountId>,
    rules: &HandoffRules,
    now: Timestamp,
) -> Opening {
    match sign {
        Sign::Seen(seen) => take_seen(last, seen, sources, rules, now),
        Sign::Said(said) => take_said(last, said, sources, rules, now),
    }
}

fn take_seen(
    last: Option<&Handoff>,
    seen: &Seen,
    sources: &BTreeSet<AccountId>,
    rules: &HandoffRules,
    now: Timestamp,
) -> Opening {
    let id = handoff_id_native(&seen.link, &seen.detected);
    if last.is_some_and(|last| last.id == id) {
        return Opening::Ignored;
    }
    let new = || Box::new(opened(from_seen(id.clone(), seen, rules, now), sources, rules, now));
    let ticket = &seen.detected.ticket;
    let missing = |last: &&Handoff| was_announced(last) && !was_seen(last, ticket);
    if seen.detected.kind == HandoffKind::AiToHuman
        && let Some(last) = last.filter(|last| resolved_lately(last, now)).filter(missing)
    {
        return too_late(last, Evidence::Native { ticket: ticket.clone() });
    }
    let open = last.filter(|last| is_open(last));
    let Some(open) = open else { return Opening::New { new: new(), before: None } };
    match seen.detected.kind {
        HandoffKind::AiToHuman if !is_accepted(open) || !was_seen(open, &seen.detected.ticket) => {
            join(open, news_seen(open, seen), rules, now)
        }
        HandoffKind::HumanToHuman if is_same_stretch(open, &seen.detected) => {
            join(open, news_seen(open, seen), rules, now)
        }
        HandoffKind::HumanToHuman => {
            let target = News { to: Some(seen.detected.to.clone()), ..News::default() };
            let here = open.ticket.account == seen.detected.ticket.account;
            let event = HandoffEvent::Evidence(Box::new(target));
            let before = here.then(|| Box::new(advance_handoff(open, &event, rules, now)));
            Opening::New { new: new(), before }
        }
        HandoffKind::HumanToAi if open.ticket.account != seen.detected.ticket.account => {
            Opening::New { new: new(), before: None }
        }
        HandoffKind::AiToHuman | HandoffKind::HumanToAi => {
            let before = advance_handoff(open, &HandoffEvent::HandedBack, rules, now);
            Opening::New { new: new(), before: Some(Box::new(before)) }
        }
    }
}

fn take_said(
    last: Option<&Handoff>,
    said: &Said,
    sources: &BTreeSet<AccountId>,
    rules: &HandoffRules,
    now: Timestamp,
) -> Opening {
    let sign = Evidence::Api { agent: said.agent.clone(), key: said.key.clone() };
    let id = handoff_id_from_api(&said.agent, &said.key);
    if let Some(last) = last.filter(|last| last.id == id || last.evidence.contains(&sign)) {
        return Opening::Joined(Box::new(HandoffStep { record: last.clone(), effects: Vec::new() }));
    }
    let missing = |last: &&Handoff| !was_announced(last);
    if let Some(last) = last.filter(|last| resolved_lately(last, now)).filter(missing) {
        return too_late(last, sign);
    }
    let new = || Box::new(opened(from_said(id.clone(), sign.clone(), said, rules, now), sources, rules, now));
    match last.filter(|last| is_open(last)) {
        None => Opening::New { new: new(), before: None },
        Some(open) if is_accepted(open) && was_announced(open) => {
            let before = advance_handoff(open, &HandoffEvent::HandedBack, rules, now);
            Opening::New { new: new(), before: Some(Box::new(before)) }
        }
        Some(open) => {
            let news = News {
                evidence: Some(sign),
                link: said.link.clone(),
                to: said
                    .to
                    .clone()
                    .filter(|_| is_unnamed(open) && open.ticket.account == said.ticket.account),
                told: said.told.clone(),
                ..News::default()
            };
            join(open, news, rules, now)
        }
    }
}

/// Whether the other sign of a handoff may still be on its way although the
/// ticket is solved: it was solved before, or as soon as the briefing was there.
fn resolved_lately(last: &Handoff, now: Timestamp) -> bool {
    last.state == HandoffState::Resolved && now.since(last.detected_at) <= OTHER_SIGN
}

/// A sign that a closed record was short of: it gets no second briefing.
fn too_late(last: &Handoff, sign: Evidence) -> Opening {
    let mut record = last.clone();
    record.evidence.insert(sign);
    Opening::Joined(Box::new(HandoffStep { record, effects: Vec::new() }))
}

fn join(open: &Handoff, news: News, rules: &HandoffRules, now: Timestamp) -> Opening {
    let event = HandoffEvent::Evidence(Box::new(news));
    Opening::Joined(Box::new(advance_handoff(open, &event, rules, now)))
}

/// What a change of owner adds to an open record. Owners are ids of one
/// helpdesk, so a change at another one does not rename them. The first ticket
/// that is seen to change hands is where the next owner looks.
fn news_seen(open: &Handoff, seen: &Seen) -> News {
    let Detected { ticket, from, to, .. } = &seen.detected;
    let first_native = !open.evidence.iter().any(|sign| matches!(sign, Evidence::Native { .. }));
    let here = first_native || open.ticket.account == ticket.account;
    News {
        evidence: Some(Evidence::Native { ticket: ticket.clone() }),
        link: Some(seen.link.clone()),
        ticket: first_native.then(|| ticket.clone()),
        from: here.then(|| from.clone()),
        to: here.then(|| to.clone()),
        told: Told::default(),
    }
}

/// Whether a change between people is one with the open stretch: at another
/// helpdesk, whose ids say nothing here; or before the briefing is there; or
/// to the same target.
fn is_same_stretch(open: &Handoff, detected: &Detected) -> bool {
    let elsewhere = open.ticket.account != detected.ticket.account;
    let undelivered = open.delivered_at.is_none();
    let same_target = open.to.as_ref().is_none_or(|to| *to == Owner::Nobody || same_hands(to, &detected.to));
    !is_accepted(open) && (elsewhere || undelivered || same_target)
}

fn is_accepted(record: &Handoff) -> bool {
    matches!(record.state, HandoffState::Accepted | HandoffState::InProgress)
}

/// Whether nobody is named yet as the next owner.
fn is_unnamed(record: &Handoff) -> bool {
    matches!(record.to, None | Some(Owner::Nobody))
}

/// Whether the ticket itself was seen to change hands.
fn was_seen(record: &Handoff, ticket: &TicketKey) -> bool {
    record.evidence.contains(&Evidence::Native { ticket: ticket.clone() })
}

fn was_announced(record: &Handoff) -> bool {
    record.evidence.iter().any(|sign| matches!(sign, Evidence::Api { .. }))
}

/// Starts a record on its way; one that gets no briefing is only kept.
fn opened(
    record: Handoff,
    sources: &BTreeSet<AccountId>,
    rules: &HandoffRules,
    now: Timestamp,
) -> HandoffStep {
    advance_handoff(&record, &HandoffEvent::Opened { sources: sources.clone() }, rules, now)
}

fn from_seen(id: HandoffId, seen: &Seen, rules: &HandoffRules, now: Timestamp) -> Handoff {
    let Detected { kind, ticket, from, to, .. } = &seen.detected;
    Handoff {
        kind: *kind,
        state: first_state(*kind),
        link: Some(seen.link.clone()),
        from: Some(from.clone()),
        to: Some(to.clone()),
        ..blank(id, ticket.clone(), Evidence::Native { ticket: ticket.clone() }, rules, now)
    }
}

fn from_said(id: HandoffId, sign: Evidence, said: &Said, rules: &HandoffRules, now: Timestamp) -> Handoff {
    Handoff {
        link: said.link.clone(),
        from: Some(Owner::Bot),
        to: said.to.clone(),
        told: said.told.clone(),
        ..blank(id, said.ticket.clone(), sign, rules, now)
    }
}

/// Where a record starts. A change between people is only known, for nothing is
/// done about it; one back to the AI agent is over as soon as it is seen.
fn first_state(kind: HandoffKind) -> HandoffState {
    match kind {
        HandoffKind::HumanToAi if !needs_briefing(kind) => HandoffState::HandedBack,
        _ => HandoffState::Detected,
    }
}

fn blank(id: HandoffId, ticket: TicketKey, sign: Evidence, rules: &HandoffRules, now: Timestamp) -> Handoff {
    Handoff {
        id,
        link: None,
        ticket,
        kind: HandoffKind::AiToHuman,
        state: HandoffState::Detected,
        from: None,
        to: None,
        evidence: BTreeSet::from([sign]),
        told: Told::default(),
        sources: BTreeMap::new(),
        detected_at: now,
        deadline: now.plus(Duration::from_millis(rules.enrich_ms)),
        briefing_key: None,
        briefing_comment: None,
        delivered_at: None,
        late_key: None,
        late_facts: false,
        accepted_at: None,
        failure: None,
        briefing: None,
    }
}
