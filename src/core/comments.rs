//! Comments: an add-only set. Which ones are new, which ones a side lacks, and
//! in what form they are written there.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use crate::{
    decision::Decision,
    link::{CommentCopy, Link, Origin, Place, Side, Standing, text_digest},
    merge::Views,
    model::{
        comment::{Body, Comment, Mail, Message, PrivateMessage, PrivateText, PublicMessage},
        ids::{AccountId, CommentKey, OpKey, RemoteId, TicketKey},
        person::Role,
        ticket::{CommentsSeen, Observed, Version},
    },
    policy::SyncPolicy,
};

/// A comment written this shortly after a full look may share the version of
/// that look, so the version is not held to be known whole. Covers the vendors'
/// whole seconds and the difference between their clocks and ours.
pub const DOUBT: Duration = Duration::from_secs(5);

/// Takes the comments of one accepted view into the link. Returns whether the
/// view has to be ignored because a message of ours is on its way to the ticket
/// and may be among the unknown ones.
pub(crate) fn take_comments(link: &mut Link, view: &Observed, decisions: &mut Vec<Decision>) -> bool {
    match &view.comments {
        CommentsSeen::All(comments) => take_all(link, view, comments, decisions),
        CommentsSeen::NotLooked => {
            if let Some(side) = link.sides.get_mut(&view.ticket) {
                note_unlooked(side, view);
            }
            false
        }
    }
}

/// A view without comments says at most that there are others than were seen.
fn note_unlooked(side: &mut Side, view: &Observed) {
    match view.comment_count {
        Some(count) if side.comments_seen == Some(count) => {
            side.comments_at = side.comments_at.max(view.version);
        }
        Some(_) => side.comments_seen = None,
        None if view.version > side.comments_at => side.comments_seen = None,
        None => {}
    }
}

fn take_all(link: &mut Link, view: &Observed, comments: &[Comment], decisions: &mut Vec<Decision>) -> bool {
    let ticket = &view.ticket;
    let known = known_at(link, ticket);
    let has_unknown = comments.iter().any(|comment| !known.contains_key(comment.id()));
    if has_unknown && is_sending(link, ticket) {
        if let Some(side) = link.sides.get_mut(ticket) {
            side.comments_seen = None;
        }
        return true;
    }
    for comment in comments {
        match known.get(comment.id()) {
            Some(number) => watch_visibility(link, ticket, *number, comment, decisions),
            None => take_unknown(link, ticket, comment, decisions),
        }
    }
    if let Some(side) = link.sides.get_mut(ticket) {
        let listed = u64::try_from(comments.len()).unwrap_or(u64::MAX);
        side.comments_seen = Some(view.comment_count.unwrap_or(listed));
        side.comments_at = known_until(view);
    }
    false
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

/// Whether a message is on its way to a ticket.
pub(crate) fn is_sending(link: &Link, ticket: &TicketKey) -> bool {
    link.copies.values().any(|copy| matches!(copy.places.get(ticket), Some(Place::Sending(_))))
}

/// A public comment that was made private at its origin is private from then on.
fn watch_visibility(
    link: &mut Link,
    ticket: &TicketKey,
    number: u64,
    comment: &Comment,
    decisions: &mut Vec<Decision>,
) {
    let Some(copy) = link.copies.get_mut(&number) else { return };
    if copy.public && !comment.is_public() {
        copy.public = false;
        let comment = CommentKey::new(ticket.clone(), comment.id().clone());
        decisions.push(Decision::Hidden { number, comment });
    }
}

fn take_unknown(link: &mut Link, ticket: &TicketKey, comment: &Comment, decisions: &mut Vec<Decision>) {
    let key = CommentKey::new(ticket.clone(), comment.id().clone());
    if let Some(number) = find_unanswered(link, ticket, comment) {
        if let Some(copy) = link.copies.get_mut(&number) {
            copy.places.insert(ticket.clone(), Place::Here(comment.id().clone()));
        }
        decisions.push(Decision::Arrived { number, comment: key });
        return;
    }
    let number = link.next_copy;
    let copy = CommentCopy {
        origin: Origin::Comment(key.clone()),
        public: comment.is_public(),
        digest: digest(comment.body()),
        at: comment.at(),
        places: BTreeMap::from([(ticket.clone(), Place::Here(comment.id().clone()))]),
    };
    link.next_copy += 1;
    link.copies.insert(number, copy);
    decisions.push(Decision::Comment { number, comment: key, public: comment.is_public() });
}

/// The digest under which a body is remembered.
pub(crate) fn digest(body: &Body) -> String {
    match body {
        Body::Inline(text) | Body::Rich { text, .. } => text_digest(text),
        Body::Blob { hash, .. } | Body::RichBlob { hash, .. } => hash.clone(),
    }
}

/// A copy of ours whose write was never answered and that is this comment after
/// all: the same text in the same visibility, or our own note that names its write.
fn find_unanswered(link: &Link, ticket: &TicketKey, comment: &Comment) -> Option<u64> {
    let shown = digest(comment.body());
    let is_it = |copy: &CommentCopy| {
        let names_it = match &copy.origin {
            Origin::Ours(key) => comment.body().text().is_some_and(|text| text.contains(key.as_str())),
            Origin::Comment(_) => false,
        };
        copy.public == comment.is_public() && (copy.digest == shown || names_it)
    };
    let parked = |copy: &CommentCopy| matches!(copy.places.get(ticket), Some(Place::Parked(_)));
    link.copies.iter().find(|(_, copy)| parked(copy) && is_it(copy)).map(|(number, _)| *number)
}

/// The live tickets whose comments have to be looked at before it is known what
/// they hold. None where nobody would receive them.
pub(crate) fn unlooked(link: &Link, views: &Views<'_>) -> BTreeSet<TicketKey> {
    let live = link.sides.iter().filter(|(_, side)| side.standing == Standing::Live);
    if live.clone().count() < 2 && link.creating.is_empty() && link.handoff.is_none() {
        return BTreeSet::new();
    }
    live.filter(|(ticket, side)| {
        let looked = views.get(ticket).is_some_and(|view| matches!(view.comments, CommentsSeen::All(_)));
        side.comments_seen.is_none() && !looked && !is_sending(link, ticket)
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
    Text(&'a Comment),
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
        let Some(CommentsSeen::All(comments)) = views.get(ticket).map(|view| &view.comments) else {
            return Source::Look(ticket.clone());
        };
        if let Some(comment) = comments.iter().find(|comment| comment.id() == id) {
            return Source::Text(comment);
        }
    }
    Source::Lost
}

/// The message that carries a comment to `account`. Private once it was ever private.
pub(crate) fn message(
    copy: &CommentCopy,
    comment: &Comment,
    account: &AccountId,
    policy: &SyncPolicy,
) -> Message {
    match comment {
        Comment::Public(public) if copy.public => {
            let unheard = !public.mailed && public.author.role != Role::Customer;
            let mail = if unheard && *account == policy.customer_facing { Mail::Send } else { Mail::Silent };
            Message::Public(PublicMessage {
                author: public.author.clone(),
                text: public.text.clone(),
                mail,
                attachments: Vec::new(),
            })
        }
        Comment::Public(public) => private(&public.author, public.text.clone().into()),
        Comment::Private(note) => private(&note.author, note.text.clone()),
    }
}

fn private(author: &crate::model::person::Person, text: PrivateText) -> Message {
    Message::Private(PrivateMessage { author: Some(author.clone()), text, attachments: Vec::new() })
}

/// The number of the copy that a write carries to a ticket.
pub(crate) fn carried_by(link: &Link, ticket: &TicketKey, key: &OpKey) -> Option<u64> {
    let sending = Place::Sending(key.clone());
    link.copies.iter().find(|(_, copy)| copy.places.get(ticket) == Some(&sending)).map(|(number, _)| *number)
}

/// The opening message of a mirror: silent, as the making of a mirror always is.
pub(crate) fn opening(comment: &Comment) -> Option<PublicMessage> {
    match comment {
        Comment::Public(public) => Some(PublicMessage {
            author: public.author.clone(),
            text: public.text.clone(),
            mail: Mail::Silent,
            attachments: Vec::new(),
        }),
        Comment::Private(_) => None,
    }
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
