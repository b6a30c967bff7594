//! What becomes of comments after they were taken in: hidden, redacted, edited.
//! What happens where a comment was written happens to its copies, or an alarm
//! says that it does not.

use std::{collections::BTreeSet, time::Duration};

use crate::{
    comments::form::{self, Original},
    decision::Decision,
    intent::Amendment,
    link::{Change, CommentCopy, Link, Missing, Origin, Place, Shown, Standing},
    merge::Views,
    model::{
        comment::Comment,
        ids::{CommentKey, OpKey, RemoteId, TicketKey},
        ticket::{CommentsSeen, Observed},
    },
    policy::{Can, SyncPolicy},
};

/// How long an original must be missing before it counts as deleted. Pages that moved
/// under their reader, and a vendor's own copies that are behind, do not last so long.
pub const DELETED_AFTER: Duration = Duration::from_secs(30);

/// The most originals of one ticket that are taken for deleted by one look.
const DELETED_AT_ONCE_MAX: usize = 3;

impl Change {
    /// The word for it, for an admin.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hide => "hide",
            Self::Redact => "redact",
            Self::Rewrite => "rewrite",
        }
    }

    fn possible(self, can: Can) -> bool {
        match self {
            Self::Hide => can.hide,
            Self::Redact => can.redact,
            Self::Rewrite => can.rewrite,
        }
    }
}

/// What a ticket shows of a comment.
pub(crate) fn shown(comment: &Comment) -> Shown {
    Shown {
        digest: form::digest(comment.body()),
        public: comment.is_public(),
        redacted: comment.is_redacted(),
    }
}

/// A known comment is seen again. A public one that was made private is private from then on.
pub(crate) fn watch(
    link: &mut Link,
    ticket: &TicketKey,
    number: u64,
    comment: &Comment,
    policy: &SyncPolicy,
    decisions: &mut Vec<Decision>,
) {
    let Some(copy) = link.copies.get_mut(&number) else { return };
    let changes = changes(copy, ticket, comment);
    let is_origin = matches!(&copy.origin, Origin::Comment(key) if key.ticket == *ticket);
    let mut wanted = Vec::new();
    for change in changes {
        let comment = CommentKey::new(ticket.clone(), comment.id().clone());
        decisions.push(match change {
            Change::Hide => {
                copy.public = false;
                copy.hidden = true;
                Decision::Hidden { number, comment }
            }
            Change::Redact if is_origin => Decision::Redacted { number, comment },
            Change::Redact | Change::Rewrite => Decision::Edited { number, comment, original: is_origin },
        });
        if is_origin {
            wanted.push(change);
        }
    }
    for change in wanted {
        spread(link, number, ticket, change, policy, decisions);
    }
}

/// What became of an original becomes of its copies.
fn spread(
    link: &mut Link,
    number: u64,
    origin: &TicketKey,
    change: Change,
    policy: &SyncPolicy,
    decisions: &mut Vec<Decision>,
) {
    let is_making = !link.creating.is_empty();
    let Some(copy) = link.copies.get_mut(&number) else { return };
    if is_making {
        copy.due_where_made.insert(change);
    }
    for other in others(copy, origin) {
        want(link, number, &other, change, policy, decisions);
    }
}

/// The tickets that a copy stands on beside its origin.
fn others(copy: &CommentCopy, origin: &TicketKey) -> Vec<TicketKey> {
    copy.places.keys().filter(|other| *other != origin).cloned().collect()
}

/// Looks for originals that all comments of their ticket lack: deleted, if they
/// were lacking some time ago too. Returns whether there are others to be looked for again.
pub(crate) fn watch_missing(
    link: &mut Link,
    view: &Observed,
    comments: &[Comment],
    policy: &SyncPolicy,
    decisions: &mut Vec<Decision>,
) -> bool {
    let ticket = &view.ticket;
    if !policy.can(&ticket.account).lists_lack_deleted {
        return false;
    }
    let listed: BTreeSet<&RemoteId> = comments.iter().map(Comment::id).collect();
    let (mut deleted, mut is_doubtful) = (Vec::new(), false);
    for (number, copy) in &mut link.copies {
        let Origin::Comment(key) = &copy.origin else { continue };
        if key.ticket != *ticket || copy.places.get(ticket) != Some(&Place::Here(key.id.clone())) {
            continue;
        }
        copy.missing = match copy.missing {
            _ if listed.contains(&key.id) => None,
            None => Some(Missing::Since(view.read_at)),
            Some(Missing::Since(at)) if view.read_at.since(at) >= DELETED_AFTER => {
                deleted.push((*number, key.clone()));
                Some(Missing::Deleted)
            }
            known => known,
        };
        is_doubtful |= matches!(copy.missing, Some(Missing::Since(_)));
    }
    let is_cut = deleted.len() > DELETED_AT_ONCE_MAX;
    for (number, comment) in deleted {
        match is_cut {
            true => doubt(link, number, ticket, decisions),
            false => delete(link, number, comment, policy, decisions),
        }
    }
    is_doubtful
}

/// An original was deleted.
fn delete(
    link: &mut Link,
    number: u64,
    comment: CommentKey,
    policy: &SyncPolicy,
    decisions: &mut Vec<Decision>,
) {
    let Some(copy) = link.copies.get_mut(&number) else { return };
    let was_redacted = copy.shown.get(&comment.ticket).is_some_and(|shown| shown.redacted);
    // There is no text any more to be hidden or rewritten by.
    for due in copy.due.values_mut() {
        due.retain(|change, key| *change == Change::Redact || key.is_some());
    }
    let origin = comment.ticket.clone();
    decisions.push(Decision::Deleted { number, comment });
    if !was_redacted {
        spread(link, number, &origin, Change::Redact, policy, decisions);
    }
}

/// So many originals are missing at once that rather the list was cut short.
fn doubt(link: &Link, number: u64, origin: &TicketKey, decisions: &mut Vec<Decision>) {
    let Some(copy) = link.copies.get(&number) else { return };
    for ticket in others(copy, origin) {
        let reason = "many originals are missing at once, which a list that is cut short shows too: redact \
                      this copy by hand if its original was deleted"
            .to_owned();
        decisions.push(Decision::NotAmended { number, ticket, change: Change::Redact, reason });
    }
}

/// How a comment differs from what its ticket showed of it before.
fn changes(copy: &mut CommentCopy, ticket: &TicketKey, comment: &Comment) -> Vec<Change> {
    let now = shown(comment);
    let before = copy.shown.get(ticket).cloned();
    let was_public = before.as_ref().map_or(copy.public, |before| before.public);
    let kept = Shown { public: now.public && (was_public || before.is_none()), ..now.clone() };
    copy.shown.insert(ticket.clone(), kept);
    // What we are changing ourselves is nobody's change.
    let is_amended = copy.due.get(ticket).is_some_and(|due| due.values().any(Option::is_some));
    if is_amended || matches!(copy.origin, Origin::Ours(_)) {
        return Vec::new();
    }
    let mut changes = Vec::new();
    if was_public && !now.public && copy.public {
        changes.push(Change::Hide);
    }
    let Some(before) = before else { return changes };
    if now.redacted && !before.redacted {
        changes.push(Change::Redact);
    } else if !now.redacted && now.digest != before.digest {
        changes.push(Change::Rewrite);
    }
    changes
}

/// One copy is to follow: noted as due, or an alarm.
pub(crate) fn want(
    link: &mut Link,
    number: u64,
    ticket: &TicketKey,
    change: Change,
    policy: &SyncPolicy,
    decisions: &mut Vec<Decision>,
) {
    let standing = link.sides.get(ticket).map(|side| side.standing);
    let Some(copy) = link.copies.get_mut(&number) else { return };
    let is_there = match copy.places.get(ticket) {
        Some(Place::Here(_) | Place::Sending(_)) => true,
        Some(Place::Parked(_)) => false,
        Some(Place::Before(_)) | None => return,
    };
    let obstacle = match standing {
        Some(Standing::Gone) => return,
        Some(Standing::Closed) => Some("the ticket is closed for good".to_owned()),
        None => Some("the ticket is kept in step no more".to_owned()),
        Some(Standing::Live) if copy.theirs.contains(ticket) => Some("people wrote it there".to_owned()),
        Some(Standing::Live) => (!change.possible(policy.can(&ticket.account)))
            .then(|| format!("{} cannot {} messages for us", ticket.account, change.name())),
    };
    match obstacle {
        None => {
            let due = copy.due.entry(ticket.clone()).or_default();
            if change == Change::Redact {
                due.remove(&Change::Rewrite);
            }
            due.insert(change, None);
        }
        // Nobody knows whether it is there at all: should it turn up, it is said then.
        Some(_) if !is_there => {}
        Some(reason) => {
            decisions.push(Decision::NotAmended { number, ticket: ticket.clone(), change, reason });
        }
    }
}

/// A ticket was made with a comment as it was when that was decided: it follows
/// what became of it since.
pub(crate) fn want_where_made(
    link: &mut Link,
    number: u64,
    ticket: &TicketKey,
    policy: &SyncPolicy,
    decisions: &mut Vec<Decision>,
) {
    let changes = link.copies.get(&number).map(|copy| copy.due_where_made.clone()).unwrap_or_default();
    for change in changes {
        want(link, number, ticket, change, policy, decisions);
    }
}

/// A change that a ticket is to receive now: of which comment, which one.
pub(crate) struct Due {
    pub number: u64,
    pub comment: RemoteId,
    pub change: Change,
}

/// The changes that a ticket is to receive: one of each comment at a time,
/// because a helpdesk may give it a new id.
pub(crate) fn due(link: &Link, ticket: &TicketKey) -> Vec<Due> {
    let of_copy = |(number, copy): (&u64, &CommentCopy)| {
        let Some(Place::Here(id)) = copy.places.get(ticket) else { return None };
        let change = *copy.due.get(ticket)?.keys().next()?;
        Some(Due { number: *number, comment: id.clone(), change })
    };
    link.copies.iter().filter_map(of_copy).collect()
}

/// What is to be done for a due change.
pub(crate) enum Remedy {
    /// This.
    Amend(Amendment),
    /// The original's comments are to be listed first.
    Look(TicketKey),
    /// Nothing: the original is not there any more.
    Lost,
}

/// The amendment for a due change, from what the original says now.
pub(crate) fn remedy(
    link: &Link,
    views: &Views<'_>,
    due: &Due,
    ticket: &TicketKey,
    policy: &SyncPolicy,
) -> Remedy {
    if due.change == Change::Redact {
        return Remedy::Amend(Amendment::Redact);
    }
    let Some(copy) = link.copies.get(&due.number) else { return Remedy::Lost };
    let Origin::Comment(key) = &copy.origin else { return Remedy::Lost };
    if link.sides.get(&key.ticket).is_none_or(|side| side.standing == Standing::Gone) {
        return Remedy::Lost;
    }
    let Some(CommentsSeen::All(comments)) = views.get(&key.ticket).map(|view| &view.comments) else {
        return Remedy::Look(key.ticket.clone());
    };
    let Some(comment) = comments.iter().find(|comment| *comment.id() == key.id) else { return Remedy::Lost };
    let original = Original { ticket: &key.ticket, comment };
    Remedy::Amend(match due.change {
        Change::Hide => Amendment::Hide(form::private(original, &ticket.account, policy)),
        Change::Redact | Change::Rewrite => {
            Amendment::Rewrite(form::message(copy, original, &ticket.account, policy))
        }
    })
}

/// Whether a write of ours that changes a comment of the ticket is outstanding:
/// the comment may have another id afterwards.
pub(crate) fn is_amending(link: &Link, ticket: &TicketKey) -> bool {
    let Some(side) = link.sides.get(ticket) else { return false };
    let keys = link.copies.values().filter_map(|copy| copy.due.get(ticket)).flat_map(|due| due.values());
    keys.flatten().any(|key| side.outstanding.contains(key))
}

/// The write that changed, or may have changed, a comment of the ticket without
/// saying so.
pub(crate) fn amended_by<'a>(copy: &'a CommentCopy, ticket: &TicketKey) -> Option<&'a OpKey> {
    copy.due.get(ticket)?.values().flatten().next()
}

/// A change is there, or given up: it is due no more, unless it has become due anew since.
pub(crate) fn done(copy: &mut CommentCopy, ticket: &TicketKey, change: Change, key: &OpKey) {
    let Some(due) = copy.due.get_mut(ticket) else { return };
    if due.get(&change) == Some(&Some(key.clone())) {
        due.remove(&change);
    }
    if due.is_empty() {
        copy.due.remove(ticket);
    }
}
