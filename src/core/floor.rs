//! Who may speak to the customer: one floor per conversation.
//!
//! An AI agent that answers through us names the token under which it has the floor. The token
//! grows with every change of holder and never goes back, so words that were written before a
//! person took over are known as such, however late they come.

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use crate::{
    comments,
    handoff::owner_of,
    link::{Change, CommentCopy, Link, Origin, Place, Standing},
    model::{
        comment::Comment,
        handoff::{HandoffKind, Owner},
        ids::{AccountId, CommentKey, OpKey, RemoteId, TicketKey},
        person::Role,
        ticket::{CommentsSeen, Field, Fields, Observed},
        time::Timestamp,
    },
    policy::{BotMarks, HandoffRules, SyncPolicy},
};

/// How far a vendor's clock may be behind ours.
const CLOCKS_DIFFER: Duration = Duration::from_secs(2);

/// Who has the floor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Holder {
    /// The AI agent.
    Bot,
    /// People: somebody, or a team that is to take it.
    Human,
    /// Nobody yet: the first who speaks has it.
    #[default]
    Nobody,
}

/// The floor of a conversation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Floor {
    /// Who has it.
    pub holder: Holder,
    /// Grows with every change of holder.
    pub token: u64,
    /// Since when, in our time; zero: it was not told yet.
    pub since: Timestamp,
}

impl Floor {
    /// Whether it was told at all.
    pub fn is_known(&self) -> bool {
        self.since > Timestamp(0)
    }

    fn passed_to(self, holder: Holder, now: Timestamp) -> Self {
        if self.holder == holder {
            return self;
        }
        Self { holder, token: self.token.saturating_add(1), since: now.max(self.since) }
    }
}

/// Words come too late: somebody else has the floor, or the token is of before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the floor was taken: its token is {token} now")]
pub struct FloorTaken {
    /// Who has it now.
    pub holder: Holder,
    /// The token now.
    pub token: u64,
}

/// Something that may move the floor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FloorNews {
    /// A person said something to the customer.
    Spoke,
    /// A ticket shows another kind of owner than before.
    Owner {
        /// Before.
        from: Holder,
        /// Now.
        to: Holder,
        /// Whether another ticket of the conversation shows that the AI agent owns it.
        bot_elsewhere: bool,
    },
    /// A handoff became known.
    Handoff(HandoffKind),
}

/// The floor after what happened, in order.
///
/// Whoever is handed the conversation has it; who speaks to the customer takes it. People who are
/// named on a ticket that nobody owned take it, unless the AI agent owns the conversation at
/// another helpdesk: there it is not theirs. The AI agent gets it back by owning a ticket again.
/// A person who lets go of a ticket does not give the floor to the AI agent.
pub fn floor_after(floor: &Floor, news: &[FloorNews], now: Timestamp) -> Floor {
    news.iter().fold(*floor, |floor, news| {
        let holder = match *news {
            FloorNews::Spoke => Holder::Human,
            FloorNews::Handoff(HandoffKind::AiToHuman | HandoffKind::HumanToHuman) => Holder::Human,
            FloorNews::Handoff(HandoffKind::HumanToAi) => Holder::Bot,
            FloorNews::Owner { from, to: Holder::Bot, .. } if from != Holder::Bot => Holder::Bot,
            FloorNews::Owner { from: Holder::Bot, to: Holder::Human | Holder::Nobody, .. } => Holder::Human,
            FloorNews::Owner { from: Holder::Nobody, to: Holder::Human, bot_elsewhere: false } => {
                Holder::Human
            }
            FloorNews::Owner { .. } => floor.holder,
        };
        floor.passed_to(holder, now)
    })
}

/// Whether words that name this token may be said by the AI agent.
pub fn may_speak(floor: &Floor, token: u64) -> Result<(), FloorTaken> {
    match floor.holder {
        Holder::Bot | Holder::Nobody if floor.token == token => Ok(()),
        holder => Err(FloorTaken { holder, token: floor.token }),
    }
}

/// The floor of a conversation that is looked at for the first time, by who owns its tickets.
pub fn first_floor(link: &Link, rules: &HandoffRules, now: Timestamp) -> Floor {
    let owners: BTreeSet<Holder> = live(link)
        .filter_map(|(ticket, side)| Some(holder_of(&side.shadow, rules.bots.get(&ticket.account)?)))
        .collect();
    let holder = match (owners.contains(&Holder::Bot), owners.contains(&Holder::Human)) {
        (true, _) => Holder::Bot,
        (false, true) => Holder::Human,
        (false, false) => Holder::Nobody,
    };
    Floor { holder, token: link.floor.token, since: now }
}

fn live(link: &Link) -> impl Iterator<Item = (&TicketKey, &crate::link::Side)> {
    link.sides.iter().filter(|(_, side)| side.standing == Standing::Live)
}

fn holder_of(fields: &Fields, marks: &BotMarks) -> Holder {
    match owner_of(fields, marks) {
        Owner::Bot => Holder::Bot,
        Owner::Human { .. } => Holder::Human,
        Owner::Nobody => Holder::Nobody,
    }
}

/// Agents that speak for AI agents, by account, beside those that the marks name.
pub type Voices = BTreeMap<AccountId, BTreeSet<RemoteId>>;

/// What views of a conversation's tickets say about its floor, against what `link` knows: first
/// who spoke, then who owns them. Views that are older than what is known say nothing of owners.
pub fn floor_news(
    link: &Link,
    observed: &BTreeMap<TicketKey, Observed>,
    rules: &HandoffRules,
    voices: &Voices,
    sent: Option<&OpKey>,
) -> Vec<FloorNews> {
    let mut news = Vec::new();
    if observed.values().any(|view| people_spoke(link, view, rules, voices, sent)) {
        news.push(FloorNews::Spoke);
    }
    let owners: Vec<(Holder, Holder)> = live(link)
        .filter_map(|(ticket, side)| {
            let marks = rules.bots.get(&ticket.account)?;
            let before = holder_of(&side.shadow, marks);
            let view = observed.get(ticket).filter(|view| view.version >= side.seen);
            Some((before, view.map_or(before, |view| holder_of(&shown(&side.shadow, view), marks))))
        })
        .collect();
    let bots = owners.iter().filter(|(_, now)| *now == Holder::Bot).count();
    for (from, to) in owners.into_iter().filter(|(from, to)| from != to) {
        let bot_elsewhere = bots > usize::from(to == Holder::Bot);
        news.push(FloorNews::Owner { from, to, bot_elsewhere });
    }
    news
}

/// The owner's fields that a ticket shows; what the view does not hold is as it was.
fn shown(shadow: &Fields, view: &Observed) -> Fields {
    [Field::Assignee, Field::Group, Field::Tags, Field::Status]
        .into_iter()
        .filter_map(|field| Some((field, view.fields.get(&field).or_else(|| shadow.get(&field))?.clone())))
        .collect()
}

/// Whether a view shows public words of a person that the link does not know, and that were
/// said since the floor changed hands last. Words under `sent` are looked at as if they were not
/// on their way.
fn people_spoke(
    link: &Link,
    view: &Observed,
    rules: &HandoffRules,
    voices: &Voices,
    sent: Option<&OpKey>,
) -> bool {
    let CommentsSeen::All(all) = &view.comments else { return false };
    let since = link.floor.since;
    comments::unknown(link, &view.ticket, all, sent).iter().any(|comment| {
        comment.is_public()
            && comment.author().role == Role::Agent
            && !is_bot(comment, &view.ticket.account, rules, voices)
            && comment.at().plus(CLOCKS_DIFFER) >= since
    })
}

/// Whether an AI agent wrote a comment.
pub fn is_bot(comment: &Comment, account: &AccountId, rules: &HandoffRules, voices: &Voices) -> bool {
    let Some(id) = &comment.author().id else { return false };
    let marked = rules.bots.get(account).is_some_and(|marks| marks.assignees.contains(id));
    marked || voices.get(account).is_some_and(|voices| voices.contains(id))
}

/// What an AI agent said on the conversation's tickets that `before` did not know and `after` does:
/// where it stands, and what it says.
pub fn heard_of_bots<'a>(
    before: &Link,
    after: &Link,
    observed: &'a BTreeMap<TicketKey, Observed>,
    rules: &HandoffRules,
    voices: &Voices,
) -> Vec<(CommentKey, &'a Comment)> {
    let new = after.copies.iter().filter(|(number, copy)| copy.public && !before.copies.contains_key(number));
    new.filter_map(|(_, copy)| {
        let Origin::Comment(key) = &copy.origin else { return None };
        let CommentsSeen::All(all) = &observed.get(&key.ticket)?.comments else { return None };
        let comment = all.iter().find(|comment| *comment.id() == key.id)?;
        is_bot(comment, &key.ticket.account, rules, voices).then(|| (key.clone(), comment))
    })
    .collect()
}

/// The link with words of the AI agent on their way to a ticket, so that a look at the ticket's
/// comments does not take them for a person's. Commit it together with the write; settling the
/// write makes them a message that was written there, to be carried to the other tickets once.
pub fn words_leave(link: &Link, ticket: &TicketKey, key: &OpKey, digest: String, now: Timestamp) -> Link {
    let mut link = link.clone();
    let copy = CommentCopy {
        by: Some(Role::Agent),
        by_bot: true,
        ..CommentCopy::new(Origin::Ours(key.clone()), true, digest, now)
    };
    link.copies.insert(link.next_copy, copy.at(ticket.clone(), Place::Sending(key.clone())));
    link.next_copy += 1;
    link
}

/// Takes back words of the AI agent that became visible after people took the floor: hidden, else
/// taken out, wherever the helpdesk can; people are told where it cannot.
pub fn take_back(
    link: &mut Link,
    ticket: &TicketKey,
    comment: &RemoteId,
    policy: &SyncPolicy,
) -> Vec<crate::decision::Decision> {
    let here = Place::Here(comment.clone());
    let found = link.copies.iter().find(|(_, copy)| copy.by_bot && copy.places.get(ticket) == Some(&here));
    let Some(number) = found.map(|(number, _)| *number) else { return Vec::new() };
    let places: Vec<TicketKey> = link.copies[&number].places.keys().cloned().collect();
    let mut decisions = Vec::new();
    for place in places {
        let can = policy.can(&place.account);
        let change = if can.hide || !can.redact { Change::Hide } else { Change::Redact };
        comments::change::want(link, number, &place, change, policy, &mut decisions);
    }
    if let Some(copy) = link.copies.get_mut(&number) {
        // Wherever it is carried from now on, people alone read it.
        copy.public = false;
        copy.hidden = true;
    }
    decisions
}
