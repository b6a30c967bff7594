//! What came of a write, recorded in its link.
//!
//! Settling sets only what was written. Where the answer shows something else
//! in a field that was sent, the shadow is what was sent all the same: the
//! difference wakes the link like an edit, so that all sides come to agree on
//! what the helpdesk made of it. [`crate::merge::REWRITES_MAX`] bounds that.

use std::collections::BTreeSet;

use crate::{
    comments::{self, form},
    decision::Decision,
    intent::{Amend, Amendment, Applied, Create, Delete, Intent, Outcome, Unset, Update},
    link::{Change, CommentCopy, Link, Origin, Place, Side, Standing},
    merge::{Ground, confirm, refresh_behind},
    model::{
        comment::Message,
        ids::{CommentKey, OpKey, RemoteId, TicketKey},
        ticket::{Field, Value, Version},
        time::Timestamp,
    },
    policy::{Normalize, SyncPolicy},
    reconcile::{gone, supersede},
};

/// The link after a write came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    /// The link as it is now. Reconcile it next, with the answer's view if there is one.
    pub link: Link,
    /// What was decided and why, for the journal.
    pub decisions: Vec<Decision>,
    /// Tickets to be fetched by id before the link is reconciled next: what they
    /// show now cannot be told from the answer.
    pub read_again: BTreeSet<TicketKey>,
    /// Later writes to the same ticket that must not be sent: settle them as
    /// [`Outcome::NotApplied`], so that messages keep their order.
    pub withdraw: BTreeSet<OpKey>,
}

/// Records what came of a write. Settling a write twice changes nothing.
pub fn settle(
    link: &Link,
    intent: &Intent,
    outcome: &Outcome,
    policy: &SyncPolicy,
    vendors: &dyn Normalize,
) -> Settled {
    let mut settling = Settling {
        out: Settled {
            link: link.clone(),
            decisions: Vec::new(),
            read_again: BTreeSet::new(),
            withdraw: BTreeSet::new(),
        },
        ground: Ground { policy, vendors },
    };
    match intent {
        Intent::Create(create) => settling.create(create, outcome),
        Intent::Update(update) => settling.update(update, outcome),
        Intent::EditNote(edit) => settling.edit_note(&edit.at, outcome),
        Intent::Amend(amend) => settling.amend(amend, outcome),
        Intent::Delete(delete) => settling.delete(delete, outcome),
    }
    settling.out
}

/// The link with a note of ours on its way to a ticket, so that a look at the
/// ticket's comments does not take it for somebody's words. Commit it together
/// with the write; [`settle`] does the rest.
pub fn note_leaves(link: &Link, update: &Update, now: Timestamp) -> Link {
    let mut link = link.clone();
    if is_own_note(update) && find_ours(&link, &update.key).is_none() {
        add_ours(&mut link, update, Place::Sending(update.key.clone()), now);
    }
    link
}

/// The same with public words of ours, which nobody at a helpdesk wrote: they are no next owner's
/// and are not mirrored.
pub fn words_leave(link: &Link, update: &Update, now: Timestamp) -> Link {
    let mut link = link.clone();
    if update.message.is_some() && find_ours(&link, &update.key).is_none() {
        add_ours(&mut link, update, Place::Sending(update.key.clone()), now);
    }
    link
}

/// Whether a write does nothing but carry what was said in the past: a ticket that is
/// made with such a message or with its history, or such a message.
pub fn is_past(link: &Link, intent: &Intent) -> bool {
    let number = match intent {
        Intent::Create(create) if create.ticket.import.is_some() => return true,
        Intent::Create(create) => link.openings.get(&create.key).copied(),
        Intent::Update(update) => comments::carried_by(link, &update.at, &update.key),
        Intent::EditNote(_) | Intent::Amend(_) | Intent::Delete(_) => None,
    };
    number.and_then(|number| link.copies.get(&number)).is_some_and(|copy| copy.past)
}

/// Whether an update carries our own words.
fn is_own_note(update: &Update) -> bool {
    matches!(&update.message, Some(Message::Private(note)) if note.author.is_none())
}

fn find_ours(link: &Link, key: &OpKey) -> Option<u64> {
    let ours = Origin::Ours(key.clone());
    link.copies.iter().find(|(_, copy)| copy.origin == ours).map(|(number, _)| *number)
}

fn add_ours(link: &mut Link, update: &Update, place: Place, at: Timestamp) {
    let Some(message) = &update.message else { return };
    let origin = Origin::Ours(update.key.clone());
    let is_public = matches!(message, Message::Public(_));
    let copy = CommentCopy::new(origin, is_public, form::digest(message.body()), at);
    link.copies.insert(link.next_copy, copy.at(update.at.clone(), place));
    link.next_copy += 1;
}

const CLOSED: &str = "the ticket is closed and takes no writes";

struct Settling<'a> {
    out: Settled,
    ground: Ground<'a>,
}

impl Settling<'_> {
    fn update(&mut self, update: &Update, outcome: &Outcome) {
        let was_out = self.close(&update.at, &update.key);
        match outcome {
            Outcome::Applied(applied) if is_put_off(applied) => {
                self.applied_message(update, applied);
                if was_out {
                    self.take_back(update);
                    self.read_again(&update.at, true);
                }
            }
            Outcome::Applied(applied) => {
                self.applied_fields(update, applied);
                self.applied_message(update, applied);
                self.raise_version(update, applied);
            }
            Outcome::NotApplied => {
                self.unplan_message(update);
                if was_out {
                    self.take_back(update);
                    self.withdraw_later(update);
                    // The condition did not hold: it would not hold again.
                    self.read_again(&update.at, update.if_version.is_some());
                }
            }
            Outcome::Lost => {
                self.forget_shown(update);
                let reason = "it was sent and not answered, and was not found when looked for";
                self.park_message(update, reason);
            }
            Outcome::Closed => {
                self.close_side(&update.at);
                if is_own_note(update) {
                    self.park_message(update, CLOSED);
                } else {
                    // It is said on the follow-up, or parked by the next plan.
                    self.unplan_message(update);
                }
                if was_out {
                    self.take_back(update);
                    self.withdraw_later(update);
                }
            }
            Outcome::Refused(reason) => {
                self.park_message(update, reason);
                if was_out && !update.set.is_empty() {
                    self.take_back(update);
                    self.park_side(&update.at, reason);
                }
            }
        }
    }

    fn read_again(&mut self, ticket: &TicketKey, needed: bool) {
        if needed {
            self.out.read_again.insert(ticket.clone());
        }
    }

    /// The ticket takes no writes any more.
    fn close_side(&mut self, ticket: &TicketKey) {
        let Some(side) = self.out.link.sides.get_mut(ticket) else { return };
        if side.standing != Standing::Live {
            return;
        }
        side.standing = Standing::Closed;
        side.behind.clear();
        side.rewritten.clear();
        self.out.decisions.push(Decision::Closed { ticket: ticket.clone() });
    }

    /// Takes the write off the side's list; says whether it was there.
    fn close(&mut self, ticket: &TicketKey, key: &OpKey) -> bool {
        let side = self.out.link.sides.get_mut(ticket);
        side.is_some_and(|side| side.outstanding.remove(key))
    }

    fn applied_fields(&mut self, update: &Update, applied: &Applied) {
        let shown = applied.shown.as_ref().map(|view| &view.fields);
        for (field, sent) in &update.set {
            let Some(side) = self.out.link.sides.get_mut(&update.at) else { return };
            let flying = side.in_flight.get(field).is_some_and(|values| values.contains(sent));
            // A value that has shown up already is in the shadow, or a person's newer edit is.
            if flying && land(side, *field, sent, applied.version) {
                self.out.read_again.insert(update.at.clone());
            }
            if flying {
                let counts =
                    self.ground.rule(*field).is_some_and(|rule| rule.from.contains(&update.at.account));
                count_rewriting(side, *field, sent, shown.and_then(|fields| fields.get(field)), counts);
                if side.standing == Standing::Live {
                    refresh_behind(&mut self.out.link, &update.at, *field, self.ground);
                }
            }
        }
    }

    fn raise_version(&mut self, update: &Update, applied: &Applied) {
        let Some(side) = self.out.link.sides.get_mut(&update.at) else { return };
        // Without a look and without a condition, the new version may hide a person's edit.
        let is_known = update.if_version.is_some() || applied.shown.is_some();
        let Some(version) = applied.version.filter(|_| is_known) else { return };
        side.seen = side.seen.max(version);
    }

    fn applied_message(&mut self, update: &Update, applied: &Applied) {
        if update.message.is_none() {
            return;
        }
        let link = &mut self.out.link;
        let number = comments::carried_by(link, &update.at, &update.key)
            .or_else(|| is_own_note(update).then(|| find_ours(link, &update.key)).flatten());
        match number {
            Some(number) => place(link, number, &update.at, applied.comment.as_ref()),
            None if is_own_note(update) => self.own_note(update, applied),
            None => {}
        }
    }

    /// A note of ours that nobody announced: new, or taken in already as somebody's words.
    fn own_note(&mut self, update: &Update, applied: &Applied) {
        let link = &mut self.out.link;
        let id = applied.comment.clone();
        let here = id.clone().map(Place::Here);
        let taken = link
            .copies
            .values_mut()
            .find(|copy| here.is_some() && copy.places.get(&update.at) == here.as_ref());
        if let Some(copy) = taken {
            copy.origin = Origin::Ours(update.key.clone());
            return;
        }
        let at = applied.shown.as_ref().map_or(Timestamp(0), |view| view.read_at);
        add_ours(link, update, Place::Sending(update.key.clone()), at);
        if let Some(number) = find_ours(link, &update.key) {
            place(link, number, &update.at, id.as_ref());
        }
    }

    /// Values that are certainly not there are not in flight.
    fn take_back(&mut self, update: &Update) {
        let Some(side) = self.out.link.sides.get_mut(&update.at) else { return };
        for (field, sent) in &update.set {
            let Some(values) = side.in_flight.get_mut(field) else { continue };
            if let Some(at) = values.iter().rposition(|value| value == sent) {
                values.remove(at);
            }
            if values.is_empty() {
                side.in_flight.remove(field);
                side.overtaken.remove(field);
            }
        }
    }

    /// A lost value that was shown since is not in flight.
    fn forget_shown(&mut self, update: &Update) {
        let Some(side) = self.out.link.sides.get_mut(&update.at) else { return };
        for (field, sent) in &update.set {
            if side.shadow.get(field) == Some(sent) {
                arrive(side, *field, sent);
            }
        }
    }

    /// The message is planned again.
    fn unplan_message(&mut self, update: &Update) {
        let link = &mut self.out.link;
        if let Some(number) = comments::carried_by(link, &update.at, &update.key) {
            let is_ours = link.copies.get(&number).is_some_and(|copy| matches!(copy.origin, Origin::Ours(_)));
            if is_ours {
                link.copies.remove(&number);
            } else if let Some(copy) = link.copies.get_mut(&number) {
                copy.places.remove(&update.at);
                copy.due.remove(&update.at);
                copy.shown.remove(&update.at);
            }
        }
    }

    fn withdraw_later(&mut self, update: &Update) {
        let Some(side) = self.out.link.sides.get(&update.at) else { return };
        let later = side.outstanding.iter().filter(|key| op_number(key) > op_number(&update.key));
        self.out.withdraw.extend(later.cloned());
    }

    fn park_message(&mut self, update: &Update, reason: &str) {
        let link = &mut self.out.link;
        if let Some(number) = comments::carried_by(link, &update.at, &update.key) {
            if let Some(copy) = link.copies.get_mut(&number) {
                copy.places.insert(update.at.clone(), Place::Parked(reason.to_owned()));
            }
            let (ticket, reason) = (update.at.clone(), reason.to_owned());
            self.out.decisions.push(Decision::CommentParked { number, ticket, reason });
        } else if is_own_note(update) && find_ours(link, &update.key).is_none() {
            add_ours(link, update, Place::Parked(reason.to_owned()), Timestamp(0));
        }
    }

    fn park_side(&mut self, ticket: &TicketKey, reason: &str) {
        if let Some(side) = self.out.link.sides.get_mut(ticket) {
            side.parked = Some(reason.to_owned());
        }
        let (ticket, reason) = (ticket.clone(), reason.to_owned());
        self.out.decisions.push(Decision::Parked { ticket, reason });
    }

    /// An amendment may be repeated: one that is not certain stays due. Where it
    /// is certain that it will never be, that is an alarm.
    fn amend(&mut self, amend: &Amend, outcome: &Outcome) {
        if !self.close(&amend.at, &amend.key) {
            return;
        }
        if *outcome == Outcome::Closed {
            self.close_side(&amend.at);
        }
        let change = match amend.change {
            Amendment::Hide(_) => Change::Hide,
            Amendment::Redact => Change::Redact,
            Amendment::Rewrite(_) => Change::Rewrite,
        };
        let here = Place::Here(amend.comment.clone());
        let link = &mut self.out.link;
        let found = link.copies.iter_mut().find(|(_, copy)| copy.places.get(&amend.at) == Some(&here));
        let Some((number, copy)) = found else { return };
        let reason = match outcome {
            Outcome::NotApplied | Outcome::Lost => return,
            Outcome::Refused(reason) => Some(reason.clone()),
            Outcome::Closed => Some(CLOSED.to_owned()),
            Outcome::Applied(applied) => {
                copy.shown.remove(&amend.at);
                if let Some(id) = &applied.comment {
                    copy.places.insert(amend.at.clone(), Place::Here(id.clone()));
                }
                None
            }
        };
        comments::change::done(copy, &amend.at, change, &amend.key);
        if let Some(reason) = reason {
            let (number, ticket) = (*number, amend.at.clone());
            self.out.decisions.push(Decision::NotAmended { number, ticket, change, reason });
        }
    }

    fn delete(&mut self, delete: &Delete, outcome: &Outcome) {
        if !self.close(&delete.at, &delete.key) {
            return;
        }
        match outcome {
            Outcome::Applied(_) => self.out.link = gone(&self.out.link, &delete.at),
            Outcome::NotApplied | Outcome::Lost => {}
            Outcome::Refused(reason) => self.park_side(&delete.at, reason),
            Outcome::Closed => self.park_side(&delete.at, CLOSED),
        }
    }

    fn edit_note(&mut self, ticket: &TicketKey, outcome: &Outcome) {
        let Outcome::Applied(applied) = outcome else { return };
        let Some(side) = self.out.link.sides.get_mut(ticket) else { return };
        side.seen = side.seen.max(applied.version.unwrap_or_default());
    }

    fn create(&mut self, create: &Create, outcome: &Outcome) {
        let link = &mut self.out.link;
        if link.creating.get(&create.at) != Some(&create.key) {
            return;
        }
        link.creating.remove(&create.at);
        let opening = link.openings.remove(&create.key);
        match outcome {
            Outcome::Applied(applied) => self.created(create, applied, opening),
            Outcome::NotApplied => {}
            Outcome::Lost => {
                self.park_create(create, "it was sent and not answered, and was not found when looked for")
            }
            Outcome::Closed => self.park_create(create, CLOSED),
            Outcome::Refused(reason) => self.park_create(create, reason),
        }
        if self.out.link.creating.is_empty() {
            self.out.link.copies.values_mut().for_each(|copy| copy.due_where_made.clear());
        }
    }

    fn park_create(&mut self, create: &Create, reason: &str) {
        let (at, reason) = (create.at.clone(), reason.to_owned());
        self.out.link.create_parked.insert(at.clone(), reason.clone());
        self.out.decisions.push(Decision::CreateParked { at, reason });
    }

    /// The new ticket is a side. What it shows otherwise than it was sent is
    /// behind, so that one update tries to set it.
    fn created(&mut self, create: &Create, applied: &Applied, opening: Option<u64>) {
        let link = &mut self.out.link;
        let ticket = &applied.ticket;
        if link.sides.contains_key(ticket) {
            return;
        }
        let mut shadow = create.ticket.fields.clone();
        shadow.extend(applied.shown.iter().flat_map(|view| view.fields.clone()));
        let shown = applied.shown.as_ref().map(|view| view.version);
        let seen = applied.version.or(shown).unwrap_or_default();
        let comments_at = Version(seen.0.saturating_sub(1));
        let comments_seen = Some(0);
        let followed = create.ticket.follows.as_ref().map(|id| TicketKey::new(create.at.clone(), id.clone()));
        // A follow-up of a ticket that people made is theirs too.
        let made = followed.as_ref().and_then(|ticket| link.sides.get(ticket)).is_none_or(|side| side.made);
        let side = Side { shadow, seen, comments_seen, comments_at, made, ..Side::default() };
        link.sides.insert(ticket.clone(), side);
        if let Some(followed) = followed {
            supersede(link, &followed, ticket);
        }
        match (opening, &applied.comment) {
            (Some(number), comment) => place(link, number, ticket, comment.as_ref()),
            // Without a public message to open with, the helpdesk has words of
            // ours in its place: nobody's, so they are not mirrored back.
            (None, Some(comment)) => add_filler(link, create, ticket, comment),
            (None, None) => {}
        }
        place_imported(link, create, applied);
        let imported = create.ticket.import.iter().flat_map(|import| &import.messages);
        for number in opening.into_iter().chain(imported.map(|one| one.number)) {
            let (policy, decisions) = (self.ground.policy, &mut self.out.decisions);
            comments::change::want_where_made(link, number, ticket, policy, decisions);
        }
        for (field, _) in self.ground.fields() {
            refresh_behind(link, ticket, field, self.ground);
        }
        self.out.decisions.push(Decision::Created { ticket: ticket.clone() });
        self.read_again(ticket, seen == Version::default());
    }
}

/// The messages that a ticket was made with stand there.
fn place_imported(link: &mut Link, create: &Create, applied: &Applied) {
    let messages = create.ticket.import.iter().flat_map(|import| &import.messages);
    let is_told =
        create.ticket.import.as_ref().is_some_and(|one| one.messages.len() == applied.imported.len());
    for (at, imported) in messages.enumerate() {
        let id = applied.imported.get(at).filter(|_| is_told);
        place(link, imported.number, &applied.ticket, id);
    }
}

fn add_filler(link: &mut Link, create: &Create, ticket: &TicketKey, comment: &RemoteId) {
    let origin = Origin::Ours(create.key.clone());
    let copy = CommentCopy::new(origin, false, String::new(), Timestamp::default());
    link.copies.insert(link.next_copy, copy.at(ticket.clone(), Place::Here(comment.clone())));
    link.next_copy += 1;
}

/// Whether the message alone is there: its fields are decided again.
fn is_put_off(applied: &Applied) -> bool {
    matches!(applied.unset, Some(Unset::Later(_)))
}

/// The number of a write within its link, as [`Link::take_op`] gave it.
fn op_number(key: &OpKey) -> Option<u64> {
    key.as_str().rsplit_once('-').and_then(|(_, number)| number.parse().ok())
}

/// Sets the shadow to a value that was written, unless a newer view has been
/// taken in. Says whether the order of the two is in doubt.
fn land(side: &mut Side, field: Field, sent: &Value, version: Option<Version>) -> bool {
    let is_newest = version.is_some_and(|version| version > side.seen);
    let is_older = version.is_some_and(|version| version < side.seen);
    let overtaken = side.overtaken.contains(&field);
    if overtaken && !is_newest {
        // The person's edit is in the shadow and the base already. If ours came
        // first it is over; if not, it will show up and must count as ours.
        if is_older {
            arrive(side, field, sent);
        }
        return !is_older;
    }
    let doubt = !is_newest && side.shadow.get(&field) != Some(sent);
    side.shadow.insert(field, sent.clone());
    arrive(side, field, sent);
    doubt
}

/// Takes a value and all older ones out of flight, the same value sent before included.
fn arrive(side: &mut Side, field: Field, sent: &Value) {
    while confirm(side, field, sent) {}
}

/// Counts how often in a row the answer shows something else than was sent.
fn count_rewriting(side: &mut Side, field: Field, sent: &Value, shown: Option<&Value>, counts: bool) {
    match shown {
        Some(shown) if shown != sent => *side.rewritten.entry(field).or_default() += 1,
        // Where changes do not count, the count bounds overruling as well.
        Some(_) if counts => {
            side.rewritten.remove(&field);
        }
        Some(_) | None => {}
    }
}

/// A message stands on a ticket. Without an id it is found by its text at the next look.
fn place(link: &mut Link, number: u64, ticket: &TicketKey, id: Option<&RemoteId>) {
    let place = match id {
        Some(id) => Place::Here(id.clone()),
        None => Place::Parked("it was sent and not answered with the id that it has there".to_owned()),
    };
    let Some(copy) = link.copies.get_mut(&number) else { return };
    if copy.places.get(ticket) == Some(&place) {
        return;
    }
    copy.places.insert(ticket.clone(), place);
    if let (true, Origin::Ours(_), Some(id)) = (copy.by_bot, &copy.origin, id) {
        // What the AI agent said through us was written there, like anybody's words.
        copy.origin = Origin::Comment(CommentKey::new(ticket.clone(), id.clone()));
    }
    let Some(side) = link.sides.get_mut(ticket).filter(|side| side.standing == Standing::Live) else {
        return;
    };
    side.comments_seen = side.comments_seen.filter(|_| id.is_some()).map(|count| count + 1);
}
