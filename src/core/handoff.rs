//! Did this conversation change hands, and what is to be done about it?
//!
//! [`detect_handoff`] compares two views of one ticket. [`open_or_join`] ties
//! what was seen and what an AI agent said to one record. [`advance_handoff`]
//! is the state machine of that record. All three are values in, values out.

mod advance;
mod again;
mod breach;
mod late;
mod open;
#[cfg(test)]
mod tests;

use std::time::Duration;

use sha2::{Digest, Sha256};

pub use advance::{
    Effect, HandoffEvent, HandoffStep, News, Settled, advance_handoff, due_events, next_wake, read_back_at,
    still_asks, waits_for_words, wants_assignment, wants_hold, wants_placing, wants_read_back,
};
pub use again::tried_again;
pub use breach::{Breach, breach, in_time};
pub use late::with_news;
pub use open::{Ground, Opening, Said, Seen, Sign, awaits_word, open_or_join};

use crate::{
    model::{
        handoff::{Detected, Handoff, HandoffKind, HandoffState, Owner},
        ids::{HandoffId, LinkId, OpKey, RemoteId, TicketKey},
        ticket::{Field, Fields, Observed, Status, Value},
        time::Timestamp,
    },
    policy::{BotMarks, HandoffRules},
};

/// How old a ticket, and an AI agent's words on it, may be when it is seen first: what was handed over
/// longer ago has been picked up.
const FIRST_SIGHT: Duration = Duration::from_secs(15 * 60);

/// Who owns a ticket that shows `fields`.
///
/// An AI agent owns it when its assignee, its group, its status or one of its tags bears a
/// mark. One mark is enough: a marked tag that stays on a ticket after a person
/// took it hides the handoff, so mark only tags that the AI agent takes off.
/// Fields that are not in the map count as empty.
pub fn owner_of(fields: &Fields, marks: &BotMarks) -> Owner {
    let assignee = owner_field(fields, Field::Assignee);
    let group = owner_field(fields, Field::Group);
    let tagged = fields
        .get(&Field::Tags)
        .and_then(Value::as_tags)
        .is_some_and(|tags| tags.iter().any(|tag| marks.tags.contains(tag)));
    let status = fields.get(&Field::Status).is_some_and(|status| match status {
        Value::StatusDetail { status, detail } => {
            marks.statuses.contains(detail) || marks.statuses.contains(status.name())
        }
        Value::Status(status) => marks.statuses.contains(status.name()),
        _ => false,
    });
    let is_bot = tagged
        || status
        || assignee.as_ref().is_some_and(|id| marks.assignees.contains(id))
        || group.as_ref().is_some_and(|id| marks.groups.contains(id));
    match (is_bot, &assignee, &group) {
        (true, ..) => Owner::Bot,
        (false, None, None) => Owner::Nobody,
        _ => Owner::Human { assignee, group },
    }
}

fn owner_field(fields: &Fields, field: Field) -> Option<RemoteId> {
    match fields.get(&field) {
        Some(Value::Owner(owner)) => owner.clone(),
        _ => None,
    }
}

/// Whether a ticket changed hands between its shadow and what it shows.
///
/// A field that one of the two does not hold counts as unchanged, so a first
/// view (no shadow) is never a handoff. A ticket that people own and that was solved before
/// is a change of hands too, for [`open_or_join`] to judge: whoever solved it may not be who has
/// it now.
pub fn detect_handoff(
    ticket: &TicketKey,
    shadow: &Fields,
    shown: &Observed,
    rules: &HandoffRules,
) -> Option<Detected> {
    let marks = rules.bots.get(&ticket.account)?;
    let from = owner_of(&overlaid(shadow, &shown.fields), marks);
    let to = owner_of(&overlaid(&shown.fields, shadow), marks);
    let reopened = is_solved(shadow) == Some(true) && is_solved(&shown.fields) == Some(false);
    let kind = match handoff_kind(&from, &to) {
        Some(HandoffKind::HumanToHuman) if !rules.between_people => return None,
        Some(kind) => kind,
        None if reopened && matches!(to, Owner::Human { .. }) => HandoffKind::HumanToHuman,
        None => return None,
    };
    Some(Detected { kind, ticket: ticket.clone(), from, to, version: shown.version.0, reopened })
}

/// Which people let a ticket go that nobody has had since: their fields, to tell who hands over to
/// whom when somebody takes it. `before` is what was known of that, `known` the ticket as it was.
pub fn let_go(before: &Fields, known: &Fields, shown: &Fields, marks: &BotMarks) -> Fields {
    let was = overlaid(known, shown);
    match (owner_of(&was, marks), owner_of(&overlaid(shown, known), marks)) {
        (Owner::Human { .. }, Owner::Nobody) => {
            let owners = [Field::Assignee, Field::Group];
            owners.into_iter().filter_map(|field| Some((field, was.get(&field)?.clone()))).collect()
        }
        (_, Owner::Nobody) => before.clone(),
        _ => Fields::new(),
    }
}

/// Somebody takes what an AI agent handed over to nobody in particular, or to a group: the handoff's
/// next owner has a name.
pub fn taken_up(
    record: &Handoff,
    known: &Fields,
    shown: &Observed,
    rules: &HandoffRules,
) -> Option<Detected> {
    let marks = rules.bots.get(&shown.ticket.account)?;
    let is_no_person = |owner: &Owner| matches!(owner, Owner::Nobody | Owner::Human { assignee: None, .. });
    let waits =
        record.ticket == shown.ticket && is_open(record) && record.to.as_ref().is_none_or(is_no_person);
    let was = owner_of(&overlaid(known, &shown.fields), marks);
    let to = owner_of(&overlaid(&shown.fields, known), marks);
    let by_person = matches!(to, Owner::Human { assignee: Some(_), .. });
    let of_group = by_person && is_no_person(&was) && record.accepted_at.is_none();
    let of_nobody = was == Owner::Nobody && matches!(to, Owner::Human { .. });
    if !waits || !(of_group || of_nobody) {
        return None;
    }
    let (ticket, version) = (shown.ticket.clone(), shown.version.0);
    Some(Detected { kind: HandoffKind::HumanToHuman, ticket, from: was, to, version, reopened: false })
}

/// An AI agent takes again what it had handed over to nobody in particular, before anybody was
/// seen to have it: it has the conversation back.
pub fn taken_back(
    record: &Handoff,
    known: &Fields,
    shown: &Observed,
    rules: &HandoffRules,
) -> Option<Detected> {
    let marks = rules.bots.get(&shown.ticket.account)?;
    let waits = record.ticket == shown.ticket
        && is_open(record)
        && record.kind != HandoffKind::HumanToAi
        && matches!(record.to, None | Some(Owner::Nobody));
    let from = owner_of(&overlaid(known, &shown.fields), marks);
    let to = owner_of(&overlaid(&shown.fields, known), marks);
    (waits && from == Owner::Nobody && to == Owner::Bot).then(|| Detected {
        kind: HandoffKind::HumanToAi,
        ticket: shown.ticket.clone(),
        from,
        to,
        version: shown.version.0,
        reopened: false,
    })
}

/// What an AI agent had handed over before its ticket was seen for the first time: a person has it,
/// and the AI agent had spoken there, or announces it just now. `spoke` is when it spoke last. On a
/// group's ticket it may still be speaking.
pub fn handed_before(
    shown: &Observed,
    spoke: Option<Timestamp>,
    announced: bool,
    rules: &HandoffRules,
    now: Timestamp,
) -> Option<Detected> {
    let marks = rules.bots.get(&shown.ticket.account)?;
    let to = owner_of(&shown.fields, marks);
    let lately = |at: Timestamp| now.since(at) <= FIRST_SIGHT;
    let is_new = announced || (lately(shown.created_at) && spoke.is_some_and(lately));
    let is_over = is_solved(&shown.fields) == Some(true);
    (is_new && !is_over && matches!(to, Owner::Human { assignee: Some(_), .. })).then(|| Detected {
        kind: HandoffKind::AiToHuman,
        ticket: shown.ticket.clone(),
        from: Owner::Bot,
        to,
        version: shown.version.0,
        reopened: false,
    })
}

/// What was known of a ticket's owners, where what it shows now is of our own making: owners that a
/// handoff placed, values on their way, and owners whose name in the link group, which is
/// kept in step, did not change since our last write.
pub fn without_ours<'a>(
    shadow: &Fields,
    shown: &Fields,
    ours: impl IntoIterator<Item = (&'a Field, &'a Value)>,
) -> Fields {
    let mut known = shadow.clone();
    for (field, value) in ours {
        if shown.get(field) == Some(value) {
            known.insert(*field, value.clone());
        }
    }
    for (raw, named) in [(Field::Assignee, Field::Agent), (Field::Group, Field::Team)] {
        let is_somebody = |value: &&Value| **value != Value::Choice(None);
        let synced =
            shown.get(&named).filter(is_somebody).is_some_and(|name| shadow.get(&named) == Some(name));
        if let (true, Some(owner)) = (synced, shown.get(&raw)) {
            known.insert(raw, owner.clone());
        }
    }
    known
}

/// Whether a ticket that shows `fields` is solved; `None` where they do not say.
pub fn is_solved(fields: &Fields) -> Option<bool> {
    let status = fields.get(&Field::Status)?.as_status()?;
    Some(matches!(status, Status::Solved | Status::Closed))
}

/// The owner's fields of `fields`; what it does not hold is taken from `rest`.
fn overlaid(fields: &Fields, rest: &Fields) -> Fields {
    [Field::Assignee, Field::Group, Field::Tags, Field::Status]
        .into_iter()
        .filter_map(|field| Some((field, fields.get(&field).or_else(|| rest.get(&field))?.clone())))
        .collect()
}

/// The kind of handoff that a change of owner is; `None` when nobody hands
/// anything over.
///
/// An AI agent that lets go without naming a next owner hands over to humans:
/// somebody must take it. What nobody owned is assigned, not handed over. A
/// person who lets go gives it to nobody, which is no handoff either.
fn handoff_kind(from: &Owner, to: &Owner) -> Option<HandoffKind> {
    match (from, to) {
        (Owner::Bot, Owner::Human { .. } | Owner::Nobody) => Some(HandoffKind::AiToHuman),
        (Owner::Human { .. }, Owner::Bot) => Some(HandoffKind::HumanToAi),
        (Owner::Human { .. }, Owner::Human { .. }) if !same_hands(from, to) => {
            Some(HandoffKind::HumanToHuman)
        }
        _ => None,
    }
}

/// Whether two human owners of one helpdesk are the same hands: the same
/// person, whatever the group says, or a group whose ticket one of its people took.
fn same_hands(from: &Owner, to: &Owner) -> bool {
    let (Owner::Human { assignee: was, group: group_was }, Owner::Human { assignee: is, group: group_is }) =
        (from, to)
    else {
        return from == to;
    };
    match (was, is) {
        (Some(was), Some(is)) => was == is,
        (None, Some(_)) => group_is == group_was || group_is.is_none(),
        (None, None) => group_was == group_is,
        (Some(_), None) => false,
    }
}

/// Whether a handoff of this kind gets a briefing. An AI agent gets a conversation back with a
/// resolution instead, at its own address.
pub fn needs_briefing(kind: HandoffKind) -> bool {
    match kind {
        HandoffKind::AiToHuman | HandoffKind::HumanToHuman => true,
        HandoffKind::HumanToAi => false,
    }
}

/// Whether something can still happen to the record. One back to the AI agent is over as soon as
/// it is known.
pub fn is_open(record: &Handoff) -> bool {
    needs_briefing(record.kind)
        && match record.state {
            HandoffState::Detected
            | HandoffState::Packaging
            | HandoffState::Delivering
            | HandoffState::Delivered
            | HandoffState::Accepted
            | HandoffState::InProgress => true,
            HandoffState::Resolved
            | HandoffState::HandedBack
            | HandoffState::Failed
            | HandoffState::Expired
            | HandoffState::PassedOn
            | HandoffState::Suppressed => false,
        }
}

/// The id of a handoff that an AI agent announced: the same for every repeat of the request.
pub fn handoff_id_from_api(agent: &str, key: &str) -> HandoffId {
    handoff_id(&["api", agent, key])
}

/// The id of a handoff that was seen at a helpdesk: the same for every repeat of the view.
pub fn handoff_id_native(link: &LinkId, detected: &Detected) -> HandoffId {
    let kind = detected.kind.name();
    let (from, to) = (owner_text(&detected.from), owner_text(&detected.to));
    let ticket = detected.ticket.to_string();
    let version = detected.version.to_string();
    let what = if detected.reopened { "reopened" } else { kind };
    handoff_id(&["native", link.as_str(), &ticket, &version, what, &from, &to])
}

/// An owner as one text, for ids.
fn owner_text(owner: &Owner) -> String {
    match owner {
        Owner::Bot => "bot".to_owned(),
        Owner::Nobody => "nobody".to_owned(),
        Owner::Human { assignee, group } => {
            let part = |id: &Option<RemoteId>| id.as_ref().map_or(String::new(), |id| format!("={id}"));
            format!("human {} {}", part(assignee), part(group))
        }
    }
}

/// `h` and 20 hex digits. The parts' lengths are hashed too, so that no two
/// lists of parts look alike.
fn handoff_id(parts: &[&str]) -> HandoffId {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    HandoffId(format!("h{}", &hex::encode(hash.finalize())[..20]))
}

/// The name of the one write that carries a handoff's briefing.
pub fn briefing_key(id: &HandoffId) -> OpKey {
    OpKey(format!("{id}-briefing"))
}

/// The name of the one write that carries a handoff's briefing without fields, after the helpdesk
/// refused it with them.
pub fn bare_key(id: &HandoffId) -> OpKey {
    OpKey(format!("{id}-bare"))
}

/// The name of the one write that names the next owner.
pub fn assign_key(id: &HandoffId) -> OpKey {
    OpKey(format!("{id}-assign"))
}

/// The name of a write that carries what goes beside the briefing and was not written with it,
/// counted from 1.
pub fn place_key(id: &HandoffId, number: u32) -> OpKey {
    OpKey(format!("{id}-place-{number}"))
}

/// The name of the one message that tells the customer to hold.
pub fn holding_key(id: &HandoffId) -> OpKey {
    OpKey(format!("{id}-hold"))
}

/// The name of the one write that brings custom fields up to what came late.
pub fn fields_key(id: &HandoffId) -> OpKey {
    OpKey(format!("{id}-fields"))
}

/// The name of the one write that carries what came late.
pub fn late_key(id: &HandoffId) -> OpKey {
    OpKey(format!("{id}-late"))
}
