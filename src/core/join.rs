//! Tickets that are one conversation already: found by what they have in common,
//! joined, followed up, merged. Nothing that stands somewhere is written there again.

use crate::{
    floor::{Floor, Holder},
    link::{CommentCopy, Link, Origin, Place, Side, Standing},
    merge::is_synced,
    model::{
        ids::{AccountId, HandoffId, TicketKey},
        ticket::Observed,
    },
    policy::SyncPolicy,
    reconcile::supersede,
};

mod card;
mod handed;
mod partner;

pub use card::{Card, JoinRules, MatchKey, Why, fits, fold_subject};
pub use handed::{OneHandoff, moved_to, one_handoff};
pub use partner::{Known, Partner, Tie, partner};

/// The most comments that two links may have together to be folded into one.
pub const FOLD_COPIES_MAX: usize = 5_000;

/// The link with a ticket that exists already and is the same conversation. Equal
/// fields become the base, others are conflicts; comments that both hold are one.
/// Nobody is mailed about what was said before. Reconcile it with a view of that ticket next.
pub fn join(link: &Link, ticket: &TicketKey, policy: &SyncPolicy, rules: &JoinRules) -> Link {
    let mut link = crate::reconcile::add_side(link, ticket, policy);
    leave_past(&mut link, |copy, sides| {
        !sides.iter().any(|side| *side != *ticket && !copy.places.contains_key(side))
    });
    if let Some(side) = link.sides.get_mut(ticket) {
        side.uniting = side.uniting.map(|_| rules.comments_apart_ms);
    }
    link
}

/// Marks comments as past: those that are nowhere still to be written.
fn leave_past(link: &mut Link, is_past: impl Fn(&CommentCopy, &[TicketKey]) -> bool) {
    let sides: Vec<_> = link.sides.keys().cloned().collect();
    for copy in link.copies.values_mut().filter(|copy| is_past(copy, &sides)) {
        copy.past = true;
    }
}

/// Whether a ticket that is no side yet follows up one that is or was a side.
pub fn follow_up_of(link: &Link, observed: &Observed) -> bool {
    let is_new = !link.sides.contains_key(&observed.ticket) && !link.former.contains(&observed.ticket);
    let followed = followed(observed);
    is_new && followed.is_some_and(|one| link.sides.contains_key(&one) || link.former.contains(&one))
}

fn followed(observed: &Observed) -> Option<TicketKey> {
    observed.follows.as_ref().map(|id| TicketKey::new(observed.ticket.account.clone(), id.clone()))
}

/// The link with a follow-up that somebody made at the vendor in the place of the
/// closed ticket: its fields win, and what stood on the closed one is not written
/// there again. Only for what [`follow_up_of`] says.
pub fn adopt(link: &Link, observed: &Observed) -> Link {
    let Some(closed) = followed(observed).filter(|_| follow_up_of(link, observed)) else {
        return link.clone();
    };
    let mut link = crate::reconcile::gone(link, &closed);
    let ticket = &observed.ticket;
    link.sides.insert(ticket.clone(), Side::default());
    let earlier: Vec<_> = link.former.iter().filter(|one| one.account == ticket.account).cloned().collect();
    for one in earlier.iter().chain([&closed]) {
        supersede(&mut link, one, ticket);
    }
    link
}

/// Why two links cannot be folded into one now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FoldRefused {
    /// It is one link.
    #[error("it is the same link")]
    Same,
    /// They belong to different link groups.
    #[error("the links belong to different link groups")]
    OtherGroup,
    /// A write of the other link is not settled: try again when it is.
    #[error("a write of the other link is not settled yet")]
    Busy,
    /// Handoffs are open on both links, and the other's briefing is on its way: try again when it is there.
    #[error("a handoff's briefing of the other link is on its way")]
    Handoff,
    /// Together they have more comments than [`FOLD_COPIES_MAX`].
    #[error("the links have more than {FOLD_COPIES_MAX} comments together")]
    TooLong,
}

/// One link of two that turned out to be one conversation: their tickets were
/// merged at a vendor, or are joined. `link` stays, `other` is to be forgotten,
/// in one commit; `other` has no writes open. `handoff` is what [`one_handoff`] says.
///
/// Where both have a ticket at one account, that of `link` goes on and the other
/// becomes a former one: nothing that stood there is written again. Comments that
/// both hold, at most `apart_ms` apart, are one.
pub fn fold(
    link: &Link,
    other: &Link,
    handoff: Option<HandoffId>,
    policy: &SyncPolicy,
    apart_ms: u64,
) -> Result<Link, FoldRefused> {
    check_fold(link, other)?;
    let mut link = link.clone();
    link.handoff = handoff;
    leave_past(&mut link, stands_everywhere);
    let mut other = other.clone();
    leave_past(&mut other, stands_everywhere);
    for copy in other.copies.into_values() {
        take_copy(&mut link, copy, apart_ms);
    }
    for ticket in other.former {
        if !link.former.contains(&ticket) && !link.sides.contains_key(&ticket) {
            link.former.push(ticket);
        }
    }
    for (ticket, side) in other.sides {
        take_side(&mut link, ticket, side, policy, apart_ms);
    }
    link.requester = link.requester.or(other.requester);
    link.by_hand.extend(other.by_hand);
    link.floor = one_floor(link.floor, other.floor);
    Ok(link)
}

/// The floor of two conversations that are one: people have it if they had one of them. It is a
/// new floor, so its token is one that neither had, unless both say the same.
fn one_floor(ours: Floor, theirs: Floor) -> Floor {
    if !theirs.is_known() || (ours.holder == theirs.holder && ours.token == theirs.token) {
        return ours;
    }
    let rank = |floor: &Floor| match floor.holder {
        Holder::Human => 2,
        Holder::Bot => 1,
        Holder::Nobody => 0,
    };
    let holder = if rank(&theirs) > rank(&ours) { theirs.holder } else { ours.holder };
    let token = ours.token.max(theirs.token).saturating_add(1);
    Floor { holder, token, since: ours.since.max(theirs.since) }
}

fn stands_everywhere(copy: &CommentCopy, sides: &[TicketKey]) -> bool {
    sides.iter().all(|side| copy.places.contains_key(side))
}

fn check_fold(link: &Link, other: &Link) -> Result<(), FoldRefused> {
    if link.id == other.id {
        return Err(FoldRefused::Same);
    }
    if link.group != other.group {
        return Err(FoldRefused::OtherGroup);
    }
    let is_sending =
        |copy: &CommentCopy| copy.places.values().any(|place| matches!(place, Place::Sending(_)));
    let is_out = other.sides.values().any(|side| !side.outstanding.is_empty());
    if is_out || !other.creating.is_empty() || other.copies.values().any(is_sending) {
        return Err(FoldRefused::Busy);
    }
    if link.copies.len() + other.copies.len() > FOLD_COPIES_MAX {
        return Err(FoldRefused::TooLong);
    }
    Ok(())
}

/// A comment of the other link: one that is here already, or a new one.
fn take_copy(link: &mut Link, copy: CommentCopy, apart_ms: u64) {
    let is_twin = |mine: &CommentCopy| {
        matches!((&mine.origin, &copy.origin), (Origin::Comment(_), Origin::Comment(_)))
            && mine.digest == copy.digest
            && mine.public == copy.public
            && (mine.by.is_none() || copy.by.is_none() || mine.by == copy.by)
            && mine.at.0.abs_diff(copy.at.0) <= apart_ms
            && !copy.places.keys().any(|ticket| mine.places.contains_key(ticket))
    };
    if let Some(mine) = link.copies.values_mut().find(|mine| is_twin(mine)) {
        if let Origin::Comment(key) = &copy.origin {
            mine.theirs.insert(key.ticket.clone());
        }
        mine.theirs.extend(copy.theirs);
        mine.places.extend(copy.places);
        mine.shown.extend(copy.shown);
        return;
    }
    link.copies.insert(link.next_copy, copy);
    link.next_copy += 1;
}

fn take_side(link: &mut Link, ticket: TicketKey, side: Side, policy: &SyncPolicy, apart_ms: u64) {
    if link.sides.contains_key(&ticket) {
        return;
    }
    let survivor = survivor_at(link, &ticket.account);
    if let Some(survivor) = survivor.filter(|_| side.standing != Standing::Gone) {
        supersede(link, &ticket, &survivor);
        return;
    }
    link.former.retain(|former| *former != ticket);
    let receives = policy.fields.iter().filter(|(_, rule)| rule.to.contains(&ticket.account));
    let behind = receives.map(|(field, _)| *field).filter(|field| is_synced(*field)).collect();
    let side = Side {
        behind,
        comments_seen: None,
        uniting: Some(apart_ms),
        rating: side.rating,
        made: side.made,
        standing: side.standing,
        ..Side::default()
    };
    link.sides.insert(ticket, side);
}

fn survivor_at(link: &Link, account: &AccountId) -> Option<TicketKey> {
    link.side_at(account).map(|(ticket, _)| ticket.clone())
}

#[cfg(test)]
mod tests;
