//! Comments: an add-only set. Which ones are new, which ones a side lacks, and
//! in what form they are written there.

pub(crate) mod change;
pub mod form;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use crate::{
    comments::form::Original,
    decision::Decision,
    link::{Change, CommentCopy, Link, Origin, Place, Side, Standing},
    merge::Views,
    model::{
        comment::Comment,
        ids::{CommentKey, OpKey, RemoteId, TicketKey},
        ticket::{CommentsSeen, Observed, Version},
    },
    policy::SyncPolicy,
};

/// A comment written this shortly after a full look may share the version of
/// that look, so the version is not held to be known whole. Covers the vendors'
/// whole seconds and the difference between their clocks and ours.
pub const DOUBT: Duration = Duration::from_secs(5);

/// How far apart, in milliseconds, two tickets of one helpdesk may show the same
/// message, where one goes on from the other.
pub const TWIN_MS: u64 = 600_000;

/// Whether the comments of a view settle what is to be known of them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken {
    /// They do, as far as they were looked at.
    Known,
    /// They are ignored, because a message of ours is on its way to the ticket
    /// and may be among the unknown ones.
    Ignored,
    /// Some are missing and may be deleted: they are to be listed again after a while.
    Doubtful,
}

/// Takes the comments of one accepted view into the link. `explained`: it is no
/// newer than what is known, or shows why it is.
pub(crate) fn take_comments(
    link: &mut Link,
    view: &Observed,
    explained: bool,
    policy: &SyncPolicy,
    decisions: &mut Vec<Decision>,
) -> Taken {
    match &view.comments {
        CommentsSeen::All(comments) => take_all(link, view, comments, policy, decisions),
        CommentsSeen::NotLooked => {
            if let Some(side) = link.sides.get_mut(&view.ticket) {
                note_unlooked(side, view, explained);
            }
            Taken::Known
        }
    }
}

/// A view without comments says at most that there are others than were seen. As
/// many as were seen, on a ticket that changed in nothing that is shown, may be the
/// same ones hidden, redacted or edited.
fn note_unlooked(side: &mut Side, view: &Observed, explained: bool) {
    match view.comment_count {
        // What became of them since is told by a full look alone.
        Some(count) if (explained || count == 0) && side.comments_seen == Some(count) => {}
        Some(_) => side.comments_seen = None,
        None if view.version > side.comments_at => side.comments_seen = None,
        None => {}
    }
}

fn take_all(
    link: &mut Link,
    view: &Observed,
    comments: &[Comment],
    policy: &SyncPolicy,
    decisions: &mut Vec<Decision>,
) -> Taken {
    let ticket = &view.ticket;
    let known = known_at(link, ticket);
    let has_unknown = comments.iter().any(|comment| !known.contains_key(comment.id()));
    // What is only counted is not on its way: nothing unknown is ours.
    if has_unknown && is_sending(link, ticket) && !policy.at_once {
        if let Some(side) = link.sides.get_mut(ticket) {
            side.comments_seen = None;
        }
        return Taken::Ignored;
    }
    for comment in comments {
        match known.get(comment.id()) {
            Some(number) => change::watch(link, ticket, *number, comment, policy, decisions),
            None => take_unknown(link, ticket, comment, comments, policy, decisions),
        }
    }
    let is_doubtful = change::watch_missing(link, view, comments, policy, decisions);
    if let Some(side) = link.sides.get_mut(ticket) {
        let listed = u64::try_from(comments.len()).unwrap_or(u64::MAX);
        side.comments_seen = (!is_doubtful).then(|| view.comment_count.unwrap_or(listed));
        side.comments_at = known_until(view);
    }
    if is_doubtful { Taken::Doubtful } else { Taken::Known }
}

/// The version up to which a full look is certain.
fn known_until(view: &Observed) -> Version {
    let read_soon =
        view.read_at.0.saturating_sub(view.version.0) < i64::try_from(DOUBT.as_millis()).unwrap_or(0);
    if read_soon { Version(view.version.0.saturating_sub(1)) } else { view.version }
}

/// The comments that are known to stand on a ticket, by their ids there.
fn known_at(link: &Link, ticket: &TicketKey) -> BTreeMap<RemoteId, u64> {
    let here = |(number, copy): (&u64, &CommentCopy)| match copy.places.get(ticket) {
        Some(Place::Here(id)) => Some((id.clone(), *number)),
        _ => None,
    };
    link.copies.iter().filter_map(here).collect()
}

/// The comments of a ticket that the link does not know, and that are no words of ours whose write
/// was not answered. Words on their way under `unsent` are not there yet.
pub(crate) fn unknown<'a>(
    link: &Link,
    ticket: &TicketKey,
    comments: &'a [Comment],
    unsent: Option<&OpKey>,
) -> Vec<&'a Comment> {
    let known = known_at(link, ticket);
    let may_be_ours = |comment: &Comment| {
        let digests = form::digests(comment.body());
        link.copies.values().any(|copy| match copy.places.get(ticket) {
            Some(Place::Sending(key)) => Some(key) != unsent && says(copy, &digests),
            Some(Place::Parked(_)) => says(copy, &digests),
            Some(Place::Here(_) | Place::Before(_)) | None => false,
        })
    };
    comments.iter().filter(|one| !known.contains_key(one.id()) && !may_be_ours(one)).collect()
}

/// Whether a message is on its way to a ticket, or one there is being changed.
pub(crate) fn is_sending(link: &Link, ticket: &TicketKey) -> bool {
    change::is_amending(link, ticket)
        || link.copies.values().any(|copy| matches!(copy.places.get(ticket), Some(Place::Sending(_))))
}

/// Takes in a comment that is not known on its ticket.
fn take_unknown(
    link: &mut Link,
    ticket: &TicketKey,
    comment: &Comment,
    all: &[Comment],
    policy: &SyncPolicy,
    decisions: &mut Vec<Decision>,
) {
    let key = CommentKey::new(ticket.clone(), comment.id().clone());
    if let Some(number) = find_unanswered(link, ticket, comment) {
        stand(link, number, comment, &key);
        decisions.push(Decision::Arrived { number, comment: key });
        if comment.is_public() && link.copies.get(&number).is_some_and(|copy| !copy.public) {
            change::want(link, number, ticket, Change::Hide, policy, decisions);
        }
        return;
    }
    if take_amended(link, ticket, comment, all) {
        return;
    }
    if let Some(number) = find_twin(link, ticket, comment) {
        stand(link, number, comment, &key);
        if let Some(copy) = link.copies.get_mut(&number) {
            copy.theirs.insert(ticket.clone());
        }
        decisions.push(Decision::United { number, comment: key });
        return;
    }
    let number = link.next_copy;
    let origin = Origin::Comment(key.clone());
    let copy = CommentCopy::new(origin, comment.is_public(), form::digest(comment.body()), comment.at());
    // What two joined tickets hold is past; a mirror that turned up is just late.
    let past = link.sides.values().filter_map(|side| side.uniting).any(|apart| apart < u64::MAX);
    let copy =
        CommentCopy { by: Some(comment.author().role), writer: form::writer(comment.author()), past, ..copy };
    link.next_copy += 1;
    link.copies.insert(number, copy);
    stand(link, number, comment, &key);
    decisions.push(Decision::Comment { number, comment: key, public: comment.is_public() });
}

/// A copy stands on a ticket as this comment.
fn stand(link: &mut Link, number: u64, comment: &Comment, key: &CommentKey) {
    let Some(copy) = link.copies.get_mut(&number) else { return };
    copy.places.insert(key.ticket.clone(), Place::Here(key.id.clone()));
    if copy.by_bot && matches!(copy.origin, Origin::Ours(_)) {
        // What the AI agent said through us was written there, like anybody's words.
        copy.origin = Origin::Comment(key.clone());
    }
    copy.shown.insert(key.ticket.clone(), change::shown(comment));
}

/// A helpdesk that hides a message by writing it anew gives it another id. Where
/// the answer is missing, the new one is known by its text.
fn take_amended(link: &mut Link, ticket: &TicketKey, comment: &Comment, all: &[Comment]) -> bool {
    let digests = form::digests(comment.body());
    let is_it = |copy: &&mut CommentCopy| {
        change::amended_by(copy, ticket).is_some()
            && copy.public == comment.is_public()
            && says(copy, &digests)
    };
    let Some(copy) = link.copies.values_mut().find(is_it) else { return false };
    let old = copy.places.get(ticket).cloned();
    let here = Place::Here(comment.id().clone());
    let is_old_there = all.iter().any(|one| old == Some(Place::Here(one.id().clone())));
    if !is_old_there {
        copy.places.insert(ticket.clone(), here);
        return true;
    }
    // Both stand there: the new one is nobody's words, and the old one is still to be changed.
    let Some(key) = change::amended_by(copy, ticket).cloned() else { return false };
    let filler = CommentCopy::new(Origin::Ours(key), false, String::new(), comment.at());
    link.copies.insert(link.next_copy, filler.at(ticket.clone(), here));
    link.next_copy += 1;
    true
}

/// A copy of ours whose write was never answered and that is this comment after
/// all: the same text in the same visibility, or our own note that names its write.
fn find_unanswered(link: &Link, ticket: &TicketKey, comment: &Comment) -> Option<u64> {
    let digests = form::digests(comment.body());
    let is_it = |copy: &CommentCopy| {
        let names_it = match &copy.origin {
            Origin::Ours(key) => comment.body().text().is_some_and(|text| text.contains(key.as_str())),
            Origin::Comment(_) => false,
        };
        // One that was hidden since may stand there as it was sent.
        let looks_so = copy.public == comment.is_public() || copy.hidden;
        looks_so && (says(copy, &digests) || names_it)
    };
    let parked = |copy: &CommentCopy| matches!(copy.places.get(ticket), Some(Place::Parked(_)));
    link.copies.iter().find(|(_, copy)| parked(copy) && is_it(copy)).map(|(number, _)| *number)
}

/// Whether a copy says what a comment says, as it was taken in or as it was shown last.
fn says(copy: &CommentCopy, digests: &BTreeSet<String>) -> bool {
    digests.contains(&copy.digest) || copy.shown.values().any(|shown| digests.contains(&shown.digest))
}

/// A copy that stands on another ticket of the conversation, or on an earlier one
/// of this helpdesk, and that this comment repeats: the same words by the same
/// kind of person at nearly the same time.
fn find_twin(link: &Link, ticket: &TicketKey, comment: &Comment) -> Option<u64> {
    let uniting = link.sides.values().filter_map(|side| side.uniting).max();
    let digests = form::digests(comment.body());
    let apart = |copy: &CommentCopy| copy.at.0.abs_diff(comment.at().0);
    let is_twin = |copy: &CommentCopy| {
        let apart_max = match copy.places.get(ticket) {
            None => uniting,
            Some(Place::Before(_)) => Some(uniting.unwrap_or(0).max(TWIN_MS)),
            Some(Place::Here(_) | Place::Sending(_) | Place::Parked(_)) => None,
        };
        apart_max.is_some_and(|most| apart(copy) <= most)
            && matches!(copy.origin, Origin::Comment(_))
            && copy.public == comment.is_public()
            && copy.by.is_none_or(|by| by == comment.author().role)
            && says(copy, &digests)
    };
    let twins = link.copies.iter().filter(|(_, copy)| is_twin(copy));
    twins.min_by_key(|(number, copy)| (apart(copy), **number)).map(|(number, _)| *number)
}

/// Once all comments of a link are known, those of a ticket that was joined are united.
pub(crate) fn end_uniting(link: &mut Link) {
    let mut live = link.sides.values().filter(|side| side.standing == Standing::Live);
    if live.all(|side| side.comments_seen.is_some()) {
        link.sides.values_mut().for_each(|side| side.uniting = None);
    }
}

/// The tickets whose comments have to be looked at before it is known what
/// they hold. None where nobody would receive them.
pub(crate) fn unlooked(link: &Link, views: &Views<'_>, policy: &SyncPolicy) -> BTreeSet<TicketKey> {
    // A ticket that is closed for good can still be read.
    let there = link.sides.iter().filter(|(_, side)| side.standing != Standing::Gone);
    let is_lone = there.clone().count() < 2 && link.sides.values().all(|side| side.uniting.is_none());
    if is_lone && link.creating.is_empty() && link.handoff.is_none() {
        return BTreeSet::new();
    }
    there
        .filter(|(ticket, side)| {
            let looked = views.get(ticket).is_some_and(|view| matches!(view.comments, CommentsSeen::All(_)));
            side.comments_seen.is_none() && !looked && (policy.at_once || !is_sending(link, ticket))
        })
        .map(|(ticket, _)| ticket.clone())
        .collect()
}

/// The comments that a side lacks and is to have, in order.
pub(crate) fn pending(link: &Link, ticket: &TicketKey, policy: &SyncPolicy) -> Vec<u64> {
    link.copies
        .iter()
        .filter(|(_, copy)| {
            matches!(copy.origin, Origin::Comment(_))
                && !copy.places.contains_key(ticket)
                && (copy.public || policy.private_notes)
        })
        .map(|(number, _)| *number)
        .collect()
}

/// Where the text of a copy is to be had.
pub(crate) enum Source<'a> {
    /// Here.
    Text(Original<'a>),
    /// On this ticket, whose comments were not looked at.
    Look(TicketKey),
    /// Nowhere.
    Lost,
}

/// Finds the text of a copy: at its origin, or at another side that has it.
pub(crate) fn source<'a>(link: &Link, views: &Views<'a>, copy: &CommentCopy) -> Source<'a> {
    let origin = match &copy.origin {
        Origin::Comment(key) => Some(&key.ticket),
        Origin::Ours(_) => None,
    };
    let others = copy.places.keys().filter(|ticket| Some(*ticket) != origin);
    for ticket in origin.into_iter().chain(others) {
        let Some(Place::Here(id)) = copy.places.get(ticket) else { continue };
        if link.sides.get(ticket).is_none_or(|side| side.standing == Standing::Gone) {
            continue;
        }
        let Some((ticket, view)) = views.get_key_value(ticket) else { return Source::Look(ticket.clone()) };
        let CommentsSeen::All(comments) = &view.comments else { return Source::Look((*ticket).clone()) };
        if let Some(comment) = comments.iter().find(|comment| comment.id() == id) {
            return Source::Text(Original { ticket, comment });
        }
    }
    Source::Lost
}

/// The number of the copy that a write carries to a ticket.
pub(crate) fn carried_by(link: &Link, ticket: &TicketKey, key: &OpKey) -> Option<u64> {
    let sending = Place::Sending(key.clone());
    link.copies.iter().find(|(_, copy)| copy.places.get(ticket) == Some(&sending)).map(|(number, _)| *number)
}

/// Where a copy was written first; `None` for our own words.
pub(crate) fn origin(copy: &CommentCopy) -> Option<TicketKey> {
    match &copy.origin {
        Origin::Comment(key) => Some(key.ticket.clone()),
        Origin::Ours(_) => None,
    }
}

/// Every comment that is mirrored at all, in order.
pub(crate) fn all_mirrored(link: &Link, policy: &SyncPolicy) -> Vec<u64> {
    let mirrored = |copy: &CommentCopy| {
        matches!(copy.origin, Origin::Comment(_)) && (copy.public || policy.private_notes)
    };
    link.copies.iter().filter(|(_, copy)| mirrored(copy)).map(|(number, _)| *number).collect()
}
