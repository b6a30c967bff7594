//! Which record a sign of a handoff belongs to.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::{
    Effect, HandoffEvent, HandoffStep, News, advance_handoff, handoff_id_from_api, handoff_id_native,
    is_open, needs_briefing, same_hands,
};
use crate::{
    model::{
        handoff::{Detected, Evidence, Handoff, HandoffKind, HandoffState, Owner, Told, Wanted},
        ids::{AccountId, HandoffId, LinkId, TicketKey},
        ticket::Fields,
        time::Timestamp,
    },
    policy::HandoffRules,
};

/// How long after the first sign of a handoff the other one may come.
const OTHER_SIGN: Duration = Duration::from_secs(15 * 60);

/// For how long an AI agent may finish its sentence when a person has answered.
const AFTERWORD: Duration = Duration::from_secs(60);

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
    /// Between whom.
    pub kind: HandoffKind,
    /// When it said so, in our time.
    pub at: Timestamp,
    /// Where it asks that it go, in its own words.
    pub wanted: Wanted,
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

/// What a sign is judged by, beside the record before.
#[derive(Clone, Copy, Debug)]
pub struct Ground<'a> {
    /// Whom to ask when a handoff opens.
    pub sources: &'a BTreeSet<AccountId>,
    /// The rules.
    pub rules: &'a HandoffRules,
    /// The time.
    pub now: Timestamp,
    /// When the customer said something last, where that is known.
    pub heard: Option<Timestamp>,
    /// When an AI agent that is known by its user said something to the customer last.
    pub spoke: Option<Timestamp>,
}

/// Ties a sign to a record.
///
/// `last` is the conversation's newest handoff, open or closed.
///
/// There is one open stretch per conversation. Until somebody accepted it, all
/// that an AI agent does or says belongs to it: a request first and the native
/// change minutes later, or the other way round. The first request, and the
/// first change of each ticket, belong to it even after the acceptance, unless the AI agent spoke again
/// since: it had the conversation back, and nobody saw it. People
/// who pass the ticket on before the briefing is there correct the target;
/// after that it is the next hop. When the AI agent gets the
/// conversation back, or hands over once more what somebody accepted, the
/// stretch is over. A request and a change that belong together make one handoff
/// also when the ticket is solved before the second of them comes. A solved ticket that
/// is open again goes on with who had it, and is the next hop with anybody else.
pub fn open_or_join(last: Option<&Handoff>, sign: &Sign, ground: &Ground<'_>) -> Opening {
    match sign {
        Sign::Seen(seen) => take_seen(last, seen, ground),
        Sign::Said(said) => take_said(last, said, ground),
    }
}

fn take_seen(last: Option<&Handoff>, seen: &Seen, ground: &Ground<'_>) -> Opening {
    let Detected { kind, ticket, from, to, reopened, .. } = &seen.detected;
    let id = handoff_id_native(&seen.link, &seen.detected);
    if last.is_some_and(|last| last.id == id) {
        return Opening::Ignored;
    }
    if *reopened && same_hands(from, to) {
        return take_reopened(last, id, seen, ground);
    }
    let new = |before| new_after(last, from_seen(id.clone(), seen, ground), before, ground);
    let native = Evidence::Native { ticket: ticket.clone() };
    let missing = |last: &&Handoff| was_announced(last) && !was_seen(last, ticket);
    if *kind == HandoffKind::AiToHuman
        && let Some(last) = last.filter(|last| resolved_lately(last, ground.now)).filter(missing)
    {
        return too_late(last, native);
    }
    let echoed =
        |last: &&Handoff| last.kind == *kind && !was_seen(last, ticket) && is_late_sign(last, ground.now);
    if *kind == HandoffKind::HumanToAi
        && let Some(last) = last.filter(echoed)
    {
        return too_late(last, native);
    }
    let Some(open) = last.filter(|last| is_open(last)) else { return new(None) };
    match kind {
        HandoffKind::AiToHuman
            if !is_accepted(open) || !(was_seen(open, ticket) || had_it_again(open, ground)) =>
        {
            join(open, news_seen(open, seen), ground)
        }
        HandoffKind::HumanToHuman if is_same_stretch(open, &seen.detected, ground.now) => {
            join(open, news_seen(open, seen), ground)
        }
        HandoffKind::HumanToHuman => new(Some((open, HandoffEvent::PassedOn))),
        HandoffKind::AiToHuman | HandoffKind::HumanToAi => new(Some((open, HandoffEvent::HandedBack))),
    }
}

/// A solved ticket is open again, with the people who had it at the helpdesk.
fn take_reopened(last: Option<&Handoff>, id: HandoffId, seen: &Seen, ground: &Ground<'_>) -> Opening {
    let Some(last) = last else { return Opening::Ignored };
    let same = last.kind != HandoffKind::HumanToAi
        && last.to.as_ref().is_none_or(|to| *to == Owner::Nobody || same_hands(to, &seen.detected.to));
    match (same, last.state) {
        (true, HandoffState::Resolved) => {
            let step = advance_handoff(last, &HandoffEvent::Reopened, ground.rules, ground.now);
            Opening::Joined(Box::new(step))
        }
        (true, _) => Opening::Ignored,
        // Who has it now is not who was told of it.
        (false, _) if is_open(last) => Opening::Ignored,
        (false, _) => new_after(Some(last), from_seen(id, seen, ground), None, ground),
    }
}

fn take_said(last: Option<&Handoff>, said: &Said, ground: &Ground<'_>) -> Opening {
    let sign = Evidence::Api { agent: said.agent.clone(), key: said.key.clone() };
    let id = handoff_id_from_api(&said.agent, &said.key);
    if let Some(last) = last.filter(|last| last.id == id || last.evidence.contains(&sign)) {
        return Opening::Joined(Box::new(HandoffStep { record: last.clone(), effects: Vec::new() }));
    }
    let missing = |last: &&Handoff| match last.kind == said.kind {
        true => !was_announced(last),
        false => said.kind == HandoffKind::AiToHuman && is_unasked(last),
    };
    let over = |last: &&Handoff| match said.kind {
        HandoffKind::HumanToAi => is_late_sign(last, ground.now),
        HandoffKind::AiToHuman | HandoffKind::HumanToHuman => resolved_lately(last, ground.now),
    };
    if let Some(last) = last.filter(over).filter(missing) {
        return too_late(last, sign);
    }
    let new = |before| new_after(last, from_said(id.clone(), sign.clone(), said, ground), before, ground);
    match last.filter(|last| is_open(last)) {
        None => new(None),
        Some(open) if said.kind == HandoffKind::HumanToAi => new(Some((open, HandoffEvent::HandedBack))),
        Some(open) if said.kind == HandoffKind::HumanToHuman && is_next_hop(open) => {
            new(Some((open, HandoffEvent::PassedOn)))
        }
        Some(open) if is_accepted(open) && was_announced(open) => new(Some((open, HandoffEvent::HandedBack))),
        Some(open) => {
            let news = News {
                evidence: Some(sign),
                link: said.link.clone(),
                began_at: Some(said.at),
                to: said
                    .to
                    .clone()
                    .filter(|_| is_unnamed(open) && open.ticket.account == said.ticket.account),
                told: said.told.clone(),
                wanted: said.wanted.clone(),
                ..News::default()
            };
            join(open, news, ground)
        }
    }
}

/// The next hop of a conversation, and what becomes of the record before it.
fn new_after(
    last: Option<&Handoff>,
    record: Handoff,
    before: Option<(&Handoff, HandoffEvent)>,
    ground: &Ground<'_>,
) -> Opening {
    let in_a_row = last.filter(|last| is_in_a_row(last, ground)).map_or(0, |last| match record.kind {
        HandoffKind::AiToHuman => last.in_a_row.saturating_add(1),
        HandoffKind::HumanToHuman | HandoffKind::HumanToAi => last.in_a_row,
    });
    let record = Handoff {
        previous: last.map(|last| last.id.clone()),
        hop: last.map_or(1, |last| last.hop.max(1).saturating_add(1)),
        in_a_row,
        unasked: record.kind == HandoffKind::HumanToHuman && last.is_some_and(is_unasked),
        ..record
    };
    let record = Handoff {
        state: if is_at_once(last, &record, ground) { HandoffState::Suppressed } else { record.state },
        ..record
    };
    let before =
        before.map(|(open, event)| Box::new(advance_handoff(open, &event, ground.rules, ground.now)));
    Opening::New { new: Box::new(opened(record, ground)), before }
}

/// Whether an AI agent hands over what was opened again, and the customer said nothing since the
/// handoff before.
fn is_at_once(last: Option<&Handoff>, record: &Handoff, ground: &Ground<'_>) -> bool {
    let silent = |last: &Handoff| ground.heard.is_some_and(|heard| heard <= last.detected_at);
    record.kind == HandoffKind::AiToHuman && record.reopened && last.is_some_and(silent)
}

/// Whether nothing but handing over happened since the last handoff, and lately.
fn is_in_a_row(last: &Handoff, ground: &Ground<'_>) -> bool {
    let silent = ground.heard.is_none_or(|heard| heard <= last.detected_at);
    silent && ground.now.since(last.detected_at) <= Duration::from_millis(ground.rules.loop_ms)
}

/// Whether the other sign of a handoff may still be on its way although the
/// ticket is solved: it was solved before, or as soon as the briefing was there.
fn resolved_lately(last: &Handoff, now: Timestamp) -> bool {
    last.state == HandoffState::Resolved && is_late_sign(last, now)
}

/// Whether another sign of a handoff may still come.
fn is_late_sign(last: &Handoff, now: Timestamp) -> bool {
    now.since(last.detected_at) <= OTHER_SIGN
}

/// A sign that a closed record was short of: it gets no second briefing.
fn too_late(last: &Handoff, sign: Evidence) -> Opening {
    let mut record = last.clone();
    record.evidence.insert(sign);
    Opening::Joined(Box::new(HandoffStep { record, effects: Vec::new() }))
}

fn join(open: &Handoff, news: News, ground: &Ground<'_>) -> Opening {
    let event = HandoffEvent::Evidence(Box::new(news));
    Opening::Joined(Box::new(advance_handoff(open, &event, ground.rules, ground.now)))
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
        // Who takes up what waited for anybody hands nothing over.
        began_at: (*from != Owner::Nobody).then_some(Timestamp(seen.detected.version)),
        ticket: first_native.then(|| ticket.clone()),
        from: here.then(|| from.clone()),
        to: here.then(|| to.clone()),
        told: Told::default(),
        wanted: Wanted::default(),
    }
}

/// Whether a change between people is one with the open stretch: the same change at another
/// helpdesk, whose ids say nothing here; or before the briefing is there; or to the same target.
fn is_same_stretch(open: &Handoff, detected: &Detected, now: Timestamp) -> bool {
    if open.ticket.account != detected.ticket.account {
        let echo = !was_seen(open, &detected.ticket) && is_late_sign(open, now);
        return echo || !is_accepted(open);
    }
    // Who takes up what nobody has, or a ticket of their group, hands nothing over.
    let taken_up = detected.from == Owner::Nobody || same_hands(&detected.from, &detected.to);
    let undelivered = open.delivered_at.is_none() && !is_accepted(open);
    let unnamed = is_unnamed(open) && !is_accepted(open);
    // Where the group was told, and a person has it since, another of the group is the next owner.
    let to_group = matches!(open.to, Some(Owner::Human { assignee: None, .. }));
    let had_it =
        is_accepted(open) && to_group && matches!(detected.from, Owner::Human { assignee: Some(_), .. });
    let same = !had_it && open.to.as_ref().is_some_and(|to| same_hands(to, &detected.to));
    taken_up || undelivered || unnamed || same
}

/// Whether the AI agent spoke on after a person had answered: what it hands over now is another time.
fn had_it_again(open: &Handoff, ground: &Ground<'_>) -> bool {
    let answered = open.accepted_at.map(|at| at.plus(AFTERWORD));
    answered.zip(ground.spoke).is_some_and(|(answered, spoke)| spoke > answered)
}

/// Whether people who say that they pass it on mean another handoff than the open one: not that which
/// was seen already, and not one whose briefing is still on its way.
fn is_next_hop(open: &Handoff) -> bool {
    let seen_before = open.kind == HandoffKind::HumanToHuman && !was_announced(open);
    !seen_before && (open.delivered_at.is_some() || is_accepted(open))
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

/// Whether a handoff was seen whose AI agent said nothing of it yet, and may still.
pub fn awaits_word(record: &Handoff, now: Timestamp) -> bool {
    record.kind == HandoffKind::AiToHuman
        && is_open(record)
        && !was_announced(record)
        && is_late_sign(record, now)
}

/// Whether people have the conversation of an AI agent that said nothing of it yet.
fn is_unasked(record: &Handoff) -> bool {
    let is_first = record.kind == HandoffKind::AiToHuman;
    (is_first || record.unasked) && !was_announced(record)
}

/// Starts a record on its way. One that goes round in a loop is only kept, and one back to the AI
/// agent ends with what the agent is told.
fn opened(record: Handoff, ground: &Ground<'_>) -> HandoffStep {
    if record.state == HandoffState::Suppressed {
        let why = "handed over at once after it was opened again, while the customer said nothing".to_owned();
        return HandoffStep { record: Handoff { failure: Some(why), ..record }, effects: vec![Effect::Done] };
    }
    if record.kind == HandoffKind::AiToHuman && record.in_a_row >= ground.rules.loop_max.max(1) {
        let why = format!("handed over {} times while the customer said nothing", record.in_a_row + 1);
        let record = Handoff { state: HandoffState::Suppressed, failure: Some(why), ..record };
        return HandoffStep { record, effects: vec![Effect::Done] };
    }
    if !needs_briefing(record.kind) {
        return HandoffStep { record, effects: vec![Effect::Return] };
    }
    let event = HandoffEvent::Opened { sources: ground.sources.clone() };
    advance_handoff(&record, &event, ground.rules, ground.now)
}

fn from_seen(id: HandoffId, seen: &Seen, ground: &Ground<'_>) -> Handoff {
    let Detected { kind, ticket, from, to, reopened, .. } = &seen.detected;
    Handoff {
        kind: *kind,
        state: first_state(*kind),
        link: Some(seen.link.clone()),
        from: Some(from.clone()),
        to: Some(to.clone()),
        reopened: *reopened,
        began_at: Some(Timestamp(seen.detected.version).min(ground.now)),
        ..blank(id, ticket.clone(), Evidence::Native { ticket: ticket.clone() }, ground.rules, ground.now)
    }
}

fn from_said(id: HandoffId, sign: Evidence, said: &Said, ground: &Ground<'_>) -> Handoff {
    let (from, to) = match said.kind {
        HandoffKind::AiToHuman => (Some(Owner::Bot), said.to.clone()),
        HandoffKind::HumanToHuman => (None, said.to.clone()),
        HandoffKind::HumanToAi => (None, Some(Owner::Bot)),
    };
    Handoff {
        kind: said.kind,
        state: first_state(said.kind),
        link: said.link.clone(),
        from,
        to,
        told: said.told.clone(),
        wanted: said.wanted.clone(),
        began_at: Some(said.at.min(ground.now)),
        ..blank(id, said.ticket.clone(), sign, ground.rules, ground.now)
    }
}

/// Where a record starts. One back to the AI agent is over as soon as it is seen.
fn first_state(kind: HandoffKind) -> HandoffState {
    match kind {
        HandoffKind::HumanToAi => HandoffState::HandedBack,
        HandoffKind::AiToHuman | HandoffKind::HumanToHuman => HandoffState::Detected,
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
        began_at: None,
        deadline: now.plus(Duration::from_millis(rules.enrich_ms)),
        briefing_key: None,
        briefing_comment: None,
        delivered_at: None,
        late_key: None,
        late_facts: false,
        accepted_at: None,
        failure: None,
        briefing: None,
        previous: None,
        hop: 1,
        reopened: false,
        in_a_row: 0,
        wanted: Wanted::default(),
        bare: None,
        assign_key: None,
        unassigned: None,
        unplaced: false,
        place_key: None,
        placings: 0,
        holding_key: None,
        unheld: false,
        visible: None,
        read_backs: 0,
        read_again: None,
        first_reply: None,
        placed: Fields::new(),
        trouble: None,
        unread: false,
        template: None,
        thin: None,
        unasked: false,
        completeness: None,
    }
}
