//! What was seen of handoffs, and what AI agents said.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use handoffd_core::{
    Comment, CommentsSeen, Detected, Field, Handoff, HandoffId, HandoffKind, Observed, Owner, Role,
    SeenMessage, TicketKey, Timestamp, Value,
    handoff::{
        Ground, HandoffEvent, HandoffStep, Said, Seen, Sign, awaits_word, detect_handoff, handed_before,
        is_open, let_go, open_or_join, taken_back, taken_up, waits_for_words, without_ours,
    },
    link::{Link, Origin},
};

use super::{Fault, Inner, Look, moves::goes_on_at, name_write};
use crate::store::{
    Key, Write,
    tables::{self, INTAKES, IntakeRow, JournalRow},
};

/// How far a vendor's clock may be behind ours.
const CLOCKS_DIFFER: Duration = Duration::from_secs(2);

/// What the signs of one look come to.
pub(in crate::engine) struct Signs {
    pub(in crate::engine) writes: Vec<Write>,
    pub(in crate::engine) steps: Vec<HandoffStep>,
    pub(in crate::engine) journal: Vec<JournalRow>,
    /// Something is to be carried out at once.
    pub(in crate::engine) acted: bool,
}

impl Inner {
    /// Every change of owner that a view shows against what was known before. What `last` wrote
    /// itself, and what is on its way, changes nobody's hands.
    fn detect(
        &self,
        link: &Link,
        observed: &BTreeMap<TicketKey, Observed>,
        last: Option<&Handoff>,
    ) -> Vec<Detected> {
        let seen = observed.iter().filter_map(|(ticket, shown)| {
            let side = link.sides.get(ticket).filter(|side| shown.version >= side.seen)?;
            let placed = last.filter(|last| last.ticket == *ticket).map(|last| &last.placed);
            let flying =
                side.in_flight.iter().flat_map(|(field, all)| all.iter().map(move |one| (field, one)));
            let known = match before_follow_up(link, shown) {
                Some(earlier) if side.shadow.is_empty() => earlier,
                _ => without_ours(&side.shadow, &shown.fields, placed.into_iter().flatten().chain(flying)),
            };
            let rules = &self.parts.rules;
            // Who let go before an AI agent handed over to nobody in particular had it before that one.
            let is_anybodys = last.is_some_and(|last| last.ticket == *ticket && waits_for_anybody(last));
            let known = if is_anybodys { known } else { with_let_go(known, &side.let_go) };
            let named = || last.and_then(|last| taken_up(last, &known, shown, rules));
            let back = || last.and_then(|last| taken_back(last, &known, shown, rules));
            detect_handoff(ticket, &known, shown, rules).or_else(named).or_else(back)
        });
        seen.collect()
    }

    /// What an AI agent handed over before its ticket was looked at for the first time.
    fn detect_first(&self, look: &Look, announced: bool) -> Option<Detected> {
        let shown =
            look.starting.as_ref().and_then(|link| link.sides.keys().find_map(|at| look.observed.get(at)))?;
        let comments = match &shown.comments {
            CommentsSeen::All(comments) => comments.as_slice(),
            CommentsSeen::NotLooked => &[],
        };
        let by_bot = comments.iter().filter(|comment| {
            let author = comment.author().id.as_ref();
            comment.is_public() && author.is_some_and(|id| self.is_bot(&shown.ticket.account, id))
        });
        let spoke = by_bot.map(Comment::at).max();
        handed_before(shown, spoke, announced, &self.parts.rules, self.now())
    }

    /// Keeps who let a ticket go, until somebody has it.
    fn keep_let_go(&self, before: &Link, after: &mut Link, observed: &BTreeMap<TicketKey, Observed>) {
        for (ticket, shown) in observed {
            let (Some(was), Some(marks)) =
                (before.sides.get(ticket), self.parts.rules.bots.get(&ticket.account))
            else {
                continue;
            };
            if shown.version >= was.seen
                && let Some(side) = after.sides.get_mut(ticket)
            {
                side.let_go = let_go(&was.let_go, &was.shadow, &shown.fields, marks);
            }
        }
    }

    /// Takes in what was said and seen of handoffs. The records, and the writes
    /// that they call for, travel in the commit of the look.
    pub(in crate::engine) async fn take_signs(
        &self,
        look: &mut Look,
        before: &Link,
        after: &mut Link,
    ) -> Result<Signs, Fault> {
        let mut signs = Signs { writes: Vec::new(), steps: Vec::new(), journal: Vec::new(), acted: false };
        let stored = self.handoff_of(after).await?;
        let mut last = stored.clone();
        let detected = self.detect(before, &look.observed, last.as_ref());
        self.keep_let_go(before, after, &look.observed);
        let rules = self.rules_of(after);
        let sources = self.sources();
        let spoke = self.bot_spoke(after);
        let ground = Ground { sources: &sources, rules: &rules, now: self.now(), heard: heard(after), spoke };
        // Who was the next owner until now may have spoken before they passed it on.
        if let Some(record) = &stored {
            let spoke = self.owner_spoke(look, before, after, record, Whose::OfThisRecord);
            let events: Vec<HandoffEvent> = spoke.into_iter().collect();
            last = Some(self.advance_all(record.clone(), &events, &rules, &mut signs.steps));
        }
        let mut gathered = self.gather(after, detected, last.as_ref(), &mut signs.writes).await?;
        let first = self.detect_first(look, gathered.iter().any(says_it_hands_over));
        if let Some(detected) = first.filter(|_| !gathered.iter().any(|sign| matches!(sign, Sign::Seen(_)))) {
            gathered.push(Sign::Seen(Box::new(Seen { link: after.id.clone(), detected })));
        }
        for sign in gathered {
            for step in open_or_join(last.as_ref(), &sign, &ground).into_steps() {
                signs.writes.extend(name_write(&sign, &step.record));
                last = Some(step.record.clone());
                signs.steps.push(step);
            }
        }
        let Some(record) = last else { return Ok(signs) };
        let record = {
            let known = signs.steps.iter().map(|step| &step.record).chain(stored.as_ref());
            let answered = known.filter(|known| known.id != record.id).filter_map(|known| known.accepted_at);
            let old = answered.chain(spoke).max();
            let events =
                self.events(look, before, after, &record, stored.as_ref().map(|stored| &stored.id), old);
            self.advance_all(record, &events, &rules, &mut signs.steps)
        };
        signs.journal = self.signs_journal(stored.as_ref(), &signs.steps);
        after.handoff = Some(record.id.clone());
        self.carry_records(look, after, stored.as_ref(), &record, &mut signs).await?;
        Ok(signs)
    }

    /// Every record that a step changed, as it is now, with what its effects call for.
    async fn carry_records(
        &self,
        look: &mut Look,
        after: &mut Link,
        stored: Option<&Handoff>,
        newest: &Handoff,
        signs: &mut Signs,
    ) -> Result<(), Fault> {
        let mut records: Vec<Handoff> = Vec::new();
        for step in &signs.steps {
            match records.iter_mut().find(|record| record.id == step.record.id) {
                Some(record) => *record = step.record.clone(),
                None => records.push(step.record.clone()),
            }
        }
        let steps = signs.steps.clone();
        look.changed = records.clone();
        for record in records {
            let (record, writes) = self.carry_effects(look, after, record, &steps).await?;
            signs.acted |= record.id == newest.id && !writes.is_empty();
            signs.writes.extend(writes);
            if stored != Some(&record) {
                let before = stored.filter(|stored| stored.id == record.id);
                signs.writes.extend(self.told_status(before, &record).await?);
                signs.writes.push(self.handoff_write(&record));
            }
        }
        Ok(())
    }

    /// Where the steps moved each record, for the journal.
    fn signs_journal(&self, stored: Option<&Handoff>, steps: &[HandoffStep]) -> Vec<JournalRow> {
        let mut known: BTreeMap<&HandoffId, &Handoff> =
            stored.map(|stored| (&stored.id, stored)).into_iter().collect();
        let mut journal = Vec::new();
        for step in steps {
            journal.extend(self.handoff_journal(known.insert(&step.record.id, &step.record), &step.record));
        }
        journal
    }

    /// What went back to an AI agent, what AI agents said of the link's tickets, then what else was
    /// seen: who announces a handoff has the conversation, so it went back to it before. Where the
    /// word on the handoff `last` is still to come, it is that, and the way back came after it.
    async fn gather(
        &self,
        link: &Link,
        detected: Vec<Detected>,
        last: Option<&Handoff>,
        writes: &mut Vec<Write>,
    ) -> Result<Vec<Sign>, Fault> {
        let seen = detected.into_iter().map(|detected| Seen { link: link.id.clone(), detected });
        let (back, other): (Vec<Seen>, Vec<Seen>) =
            seen.partition(|seen| seen.detected.kind == HandoffKind::HumanToAi);
        let as_sign = |seen: Seen| Sign::Seen(Box::new(seen));
        let mut signs = Vec::new();
        for ticket in link.sides.keys().chain(&link.former) {
            let goes_on = goes_on_at(link, ticket);
            // A ticket that goes on after a closed one is being made.
            if goes_on.is_none() && link.creating.contains_key(&ticket.account) {
                continue;
            }
            let prefix = Key::of(&[ticket.account.as_str(), ticket.id.as_str(), ""]);
            for (key, row) in tables::read_all::<IntakeRow>(&*self.parts.store, INTAKES, &prefix, 100).await?
            {
                let Some(ticket) = goes_on.clone() else {
                    let why = "the ticket is closed for good or deleted, and none goes on after it";
                    writes.extend(self.failed_intake(key, row.value, why).await?);
                    continue;
                };
                writes.push(Write::Delete(INTAKES, key));
                let intake = IntakeRow { ticket, ..row.value };
                signs.push(Sign::Said(Box::new(self.said(link, intake))));
            }
        }
        let awaited = last.is_some_and(|last| awaits_word(last, self.now()));
        let place = if awaited { signs.len().min(1) } else { 0 };
        signs.splice(place..place, back.into_iter().map(as_sign));
        signs.extend(other.into_iter().map(as_sign));
        Ok(signs)
    }

    fn said(&self, link: &Link, intake: IntakeRow) -> Said {
        let group = intake.wanted.queue.as_ref();
        let group = group.and_then(|queue| self.queue_at(link, &intake.ticket.account, queue));
        Said {
            agent: intake.agent,
            key: intake.key,
            ticket: intake.ticket,
            link: Some(link.id.clone()),
            at: intake.at,
            kind: intake.kind,
            to: group.map(|group| Owner::Human { assignee: None, group: Some(group) }),
            wanted: intake.wanted,
            told: intake.told,
        }
    }

    /// What the look shows about an open handoff: the next owner's words, the end. Words until `old`
    /// answered the handoff before, or the AI agent spoke after them.
    fn events(
        &self,
        look: &Look,
        before: &Link,
        after: &Link,
        record: &Handoff,
        stored: Option<&HandoffId>,
        old: Option<Timestamp>,
    ) -> Vec<HandoffEvent> {
        let whose = match stored == Some(&record.id) {
            true => Whose::Anybodys,
            false => Whose::OfWhoTookIt { old },
        };
        let mut events: Vec<HandoffEvent> =
            self.owner_spoke(look, before, after, record, whose).into_iter().collect();
        if !is_open(record) {
            return events;
        }
        let status = after.base.get(&Field::Status).and_then(Value::as_status);
        if status.is_some_and(|status| {
            matches!(status, handoffd_core::Status::Solved | handoffd_core::Status::Closed)
        }) {
            events.push(HandoffEvent::Solved);
        }
        events
    }

    /// The first public message of a human agent that counts as the next owner's, among those that
    /// this look took in. Words of ours, those that an AI agent said through us, and those of
    /// whoever passed it on are no next owner's.
    fn owner_spoke(
        &self,
        look: &Look,
        before: &Link,
        after: &Link,
        record: &Handoff,
        whose: Whose,
    ) -> Option<HandoffEvent> {
        if !waits_for_words(record) {
            return None;
        }
        let new = after.copies.iter().filter(|(number, copy)| {
            let is_new = !before.copies.contains_key(number);
            // A handoff that is known only now may have been answered before.
            copy.public && (is_new || matches!(whose, Whose::OfWhoTookIt { .. }))
        });
        let mut spoken = new.filter_map(|(number, copy)| {
            let Origin::Comment(key) = &copy.origin else { return None };
            let shown = look.observed.get(&key.ticket).and_then(|shown| match &shown.comments {
                CommentsSeen::All(comments) => comments.iter().find(|comment| comment.id() == &key.id),
                CommentsSeen::NotLooked => None,
            });
            // What was taken in at another ticket before is remembered with who wrote it.
            let (who, said_at, by_agent) = match (shown, &copy.writer) {
                (Some(shown), _) => {
                    (shown.author().id.as_ref(), shown.at(), shown.author().role == Role::Agent)
                }
                (None, Some(writer)) => (writer.id.as_ref(), copy.at, copy.by == Some(Role::Agent)),
                (None, None) => return None,
            };
            let is_bot = who.is_some_and(|id| self.is_bot(&key.ticket.account, id));
            if !by_agent || is_bot || passed_on(record, before, &key.ticket, who) {
                return None;
            }
            let is_new = !before.copies.contains_key(number);
            let named = is_new && record.ticket == key.ticket && is_named(record, who);
            // What the AI agent had at the last look, it had until this one: who spoke since then
            // spoke to a customer who was waiting for a person.
            let is_newer = matches!(whose, Whose::OfWhoTookIt { old } if old.is_none_or(|old| copy.at > old));
            let waited = is_new && is_newer && record.from == Some(Owner::Bot);
            let late_enough = copy.at.plus(CLOCKS_DIFFER) >= record.began() || waited;
            let counts = match whose {
                Whose::OfThisRecord => named || (late_enough && names_nobody(record)),
                Whose::Anybodys | Whose::OfWhoTookIt { .. } => named || late_enough,
            };
            let message = SeenMessage { ticket: key.ticket.clone(), id: key.id.clone(), at: said_at };
            counts.then_some(HandoffEvent::OwnerSpoke { at: copy.at, message })
        });
        spoken.next()
    }

    /// When an AI agent that is known by its user said something to the customer last.
    fn bot_spoke(&self, link: &Link) -> Option<Timestamp> {
        let by_bot = link.copies.values().filter(|copy| {
            let Origin::Comment(key) = &copy.origin else { return false };
            let who = copy.writer.as_ref().and_then(|writer| writer.id.as_ref());
            copy.public && who.is_some_and(|id| self.is_bot(&key.ticket.account, id))
        });
        by_bot.map(|copy| copy.at).max()
    }

    /// Whether an agent of a helpdesk is an AI agent.
    pub(super) fn is_bot(&self, account: &handoffd_core::AccountId, id: &handoffd_core::RemoteId) -> bool {
        let speaks = |voice: &crate::engine::Voice| voice.speaks_as.get(account) == Some(id);
        self.parts.rules.bots.get(account).is_some_and(|marks| marks.assignees.contains(id))
            || self.parts.voices.values().any(speaks)
    }
}

/// Whose words are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whose {
    /// The next owner's of a record that may be over with this look: theirs alone.
    OfThisRecord,
    /// Those of anybody who answers.
    Anybodys,
    /// Those of anybody who answers, of a handoff that this look made known.
    OfWhoTookIt {
        /// Words until then belong to the handoff before.
        old: Option<Timestamp>,
    },
}

/// What was known of a ticket, with whoever let it go where nobody has it.
fn with_let_go(mut known: handoffd_core::Fields, let_go: &handoffd_core::Fields) -> handoffd_core::Fields {
    let is_nobodys = [Field::Assignee, Field::Group]
        .iter()
        .all(|field| matches!(known.get(field), None | Some(Value::Owner(None))));
    if is_nobodys {
        known.extend(let_go.clone());
    }
    known
}

/// Whether this person is the one who handed over: the owner before, or the user as whom an AI agent
/// had the ticket, however it is marked.
fn passed_on(
    record: &Handoff,
    before: &Link,
    ticket: &TicketKey,
    who: Option<&handoffd_core::RemoteId>,
) -> bool {
    if is_named(record, who) {
        return false;
    }
    match &record.from {
        Some(Owner::Human { assignee, .. }) => who.is_some() && assignee.as_ref() == who,
        Some(Owner::Bot) => {
            let shadow = before.sides.get(ticket).map(|side| &side.shadow);
            let had = shadow.and_then(|shadow| match shadow.get(&Field::Assignee) {
                Some(Value::Owner(owner)) => owner.as_ref(),
                _ => None,
            });
            let detected_now = before.handoff.as_ref() != Some(&record.id);
            detected_now && who.is_some() && had == who
        }
        Some(Owner::Nobody) | None => false,
    }
}

/// Whether an AI agent handed over to nobody in particular, and nobody has it yet.
fn waits_for_anybody(record: &Handoff) -> bool {
    let to_nobody = matches!(record.to, None | Some(Owner::Nobody));
    is_open(record) && record.kind == HandoffKind::AiToHuman && to_nobody
}

/// Whether the handoff goes to no person in particular.
fn names_nobody(record: &Handoff) -> bool {
    !matches!(&record.to, Some(Owner::Human { assignee: Some(_), .. }))
}

/// Whether the handoff names this person as the next owner.
fn is_named(record: &Handoff, person: Option<&handoffd_core::RemoteId>) -> bool {
    match &record.to {
        Some(handoffd_core::Owner::Human { assignee, .. }) => person.is_some() && assignee.as_ref() == person,
        _ => false,
    }
}

/// Whether an AI agent says that it hands over to people.
fn says_it_hands_over(sign: &Sign) -> bool {
    matches!(sign, Sign::Said(said) if said.kind == HandoffKind::AiToHuman)
}

/// When the customer said something last.
fn heard(link: &Link) -> Option<Timestamp> {
    let theirs = link.copies.values().filter(|copy| copy.public && copy.by == Some(Role::Customer));
    theirs.map(|copy| copy.at).max()
}

/// What the closed ticket showed that a new one follows up: whoever had it hands over to whoever has
/// the new one.
fn before_follow_up(link: &Link, shown: &Observed) -> Option<handoffd_core::Fields> {
    let closed = TicketKey::new(shown.ticket.account.clone(), shown.follows.clone()?);
    let earlier = link.sides.get(&closed)?;
    let owners: BTreeSet<Field> = [Field::Assignee, Field::Group, Field::Tags, Field::Status].into();
    let known = earlier.shadow.iter().filter(|(field, _)| owners.contains(field));
    let mut known: handoffd_core::Fields = known.map(|(field, value)| (*field, value.clone())).collect();
    known.insert(Field::Status, Value::Status(handoffd_core::Status::Closed));
    Some(known)
}
