//! Trying again what was parked, because an admin has mended what stood in its way.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{
    link::{CommentCopy, Link, Origin, Place, Standing},
    model::ids::{AccountId, OpKey, TicketKey},
};

/// How the reason begins of a message that may be at the vendor although nobody saw it there.
pub const MAY_BE_THERE: &str = "it was sent and not answered";

/// Something of a conversation that stands still until an admin or the helpdesk moves it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// A mirror is not made at this account.
    Create(AccountId),
    /// Nothing is written to this ticket.
    Side(TicketKey),
    /// A message is not written to this ticket.
    Comment {
        /// The message, by number.
        number: u64,
        /// The ticket.
        ticket: TicketKey,
    },
}

impl Cause {
    /// The account that it is about.
    pub fn account(&self) -> &AccountId {
        match self {
            Self::Create(account) => account,
            Self::Side(ticket) | Self::Comment { ticket, .. } => &ticket.account,
        }
    }
}

/// All that stands still in a link. What concerns a ticket that is gone is over; a message that
/// stood still where the conversation does not go on is missing where it does.
pub fn causes(link: &Link) -> BTreeSet<Cause> {
    let there = |ticket: &&TicketKey| is_there(link, ticket);
    let creates = link.create_parked.keys().cloned().map(Cause::Create);
    let sides = link.sides.iter().filter(|(_, side)| side.parked.is_some()).map(|(ticket, _)| ticket);
    let comments = link.copies.iter().flat_map(|(number, copy)| {
        let parked = copy.places.iter().filter(|(_, place)| matches!(place, Place::Parked(_)));
        let missed = parked.filter(|(ticket, _)| {
            is_there(link, ticket) || later(copy, ticket).iter().any(|ticket| is_there(link, ticket))
        });
        missed.map(move |(ticket, _)| (*number, ticket))
    });
    creates
        .chain(sides.filter(there).cloned().map(Cause::Side))
        .chain(comments.map(|(number, ticket)| Cause::Comment { number, ticket: ticket.clone() }))
        .collect()
}

fn is_there(link: &Link, ticket: &TicketKey) -> bool {
    link.sides.get(ticket).is_some_and(|side| side.standing != Standing::Gone)
}

/// The tickets of its helpdesk at which the conversation went on after `ticket`, and where the
/// message is not written because that one was to have it.
fn later(copy: &CommentCopy, ticket: &TicketKey) -> BTreeSet<TicketKey> {
    let mut found = BTreeSet::from([ticket.clone()]);
    loop {
        let before = found.len();
        let follows = |place: &Place| matches!(place, Place::Before(earlier) if found.contains(earlier));
        let more: Vec<TicketKey> =
            copy.places.iter().filter(|(_, place)| follows(place)).map(|(at, _)| at.clone()).collect();
        found.extend(more);
        if found.len() == before {
            found.remove(ticket);
            return found;
        }
    }
}

/// What trying again comes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unparked {
    /// How many things are tried again.
    pub again: usize,
    /// How many messages may be at the vendor already and were left alone.
    pub left: usize,
}

/// Whether it is a note or a message of our own, which is written for a handoff or not at all.
fn is_of_handoff(copy: &CommentCopy) -> bool {
    matches!(copy.origin, Origin::Ours(_)) && !copy.by_bot
}

/// The link without the message of ours that a parked write was to carry: the write that carries it
/// now announces it anew.
pub fn forget_ours(link: &Link, key: &OpKey) -> Link {
    let mut link = link.clone();
    let is_it = |copy: &CommentCopy| {
        copy.origin == Origin::Ours(key.clone())
            && copy.places.values().all(|place| matches!(place, Place::Parked(_)))
    };
    link.copies.retain(|_, copy| !is_it(copy));
    link
}

/// The link with everything that is parked at `account` decided again, but for what a handoff writes,
/// which its record decides. Messages that may be at
/// the vendor already are sent again only if `send_again`, after an admin has looked that they are not.
pub fn unpark(link: &Link, account: &AccountId, send_again: bool) -> (Link, Unparked) {
    let mut link = link.clone();
    let mut done = Unparked::default();
    if let Some(reason) = link.create_parked.get(account).cloned() {
        match reason.starts_with(MAY_BE_THERE) && !send_again {
            true => done.left += 1,
            false => {
                link.create_parked.remove(account);
                done.again += 1;
            }
        }
    }
    for (_, side) in link.sides.iter_mut().filter(|(ticket, _)| ticket.account == *account) {
        done.again += usize::from(side.parked.take().is_some());
        side.rewritten.clear();
    }
    for copy in link.copies.values_mut().filter(|copy| !is_of_handoff(copy)) {
        let here = |place: &Place| match place {
            Place::Parked(reason) => Some(reason.starts_with(MAY_BE_THERE)),
            Place::Here(_) | Place::Sending(_) | Place::Before(_) => None,
        };
        let parked = copy.places.iter().filter(|(ticket, _)| ticket.account == *account);
        let parked: Vec<_> =
            parked.filter_map(|(ticket, place)| Some((ticket.clone(), here(place)?))).collect();
        for (ticket, may_be_there) in parked {
            if may_be_there && !send_again {
                done.left += 1;
            } else {
                let later = later(copy, &ticket);
                copy.places.retain(|at, _| *at != ticket && !later.contains(at));
                done.again += 1;
            }
        }
    }
    (link, done)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::{ids::CommentKey, time::Timestamp},
        reconcile::{gone, moved},
    };

    fn link_of(ticket: &TicketKey) -> Link {
        let none = serde_json::json!({
            "id": Link::id_for(ticket), "group": "support", "base": {}, "sides": {}, "former": [], "creating": {},
            "create_parked": {}, "requester": null, "handoff": "h1", "next_op": 0, "next_copy": 1,
        });
        serde_json::from_value(none).expect("a link")
    }

    #[test]
    fn a_message_that_stood_still_on_a_closed_ticket_is_missing_on_its_follow_ups() {
        let (home, closed) = (TicketKey::new("fd", "7"), TicketKey::new("zd", "1"));
        let (next, last) = (TicketKey::new("zd", "2"), TicketKey::new("zd", "3"));
        let mut link = link_of(&home);
        for ticket in [&home, &closed] {
            link.sides.entry(ticket.clone()).or_default();
        }
        let copy = CommentCopy::new(
            Origin::Comment(CommentKey::new(home.clone(), "c1")),
            true,
            String::new(),
            Timestamp(0),
        );
        let copy = copy.at(closed.clone(), Place::Parked(MAY_BE_THERE.to_owned()));
        link.copies.insert(1, copy);
        let stands = BTreeSet::from([Cause::Comment { number: 1, ticket: closed.clone() }]);
        assert_eq!(causes(&link), stands);
        link = moved(&link, &closed, &next);
        assert_eq!(causes(&link), stands, "nobody wrote it on the follow-up");
        link = moved(&link, &next, &last);
        assert_eq!(causes(&link), stands);
        let (kept, done) = unpark(&link, &closed.account, false);
        assert_eq!((causes(&kept), done), (stands, Unparked { again: 0, left: 1 }));
        let (again, done) = unpark(&link, &closed.account, true);
        assert_eq!((causes(&again), done), (BTreeSet::new(), Unparked { again: 1, left: 0 }));
        assert!(!again.copies[&1].places.contains_key(&last), "it is written where the conversation goes on");
        assert_eq!(causes(&gone(&link, &last)), BTreeSet::new(), "what was deleted misses nothing");
    }

    #[test]
    fn what_a_handoff_writes_is_left_to_its_record() {
        let (ticket, key) = (TicketKey::new("zd", "1"), OpKey("h1-briefing".to_owned()));
        let mut link = link_of(&ticket);
        let place = Place::Parked("refused".to_owned());
        let copy = CommentCopy::new(Origin::Ours(key.clone()), false, String::new(), Timestamp(0));
        link.copies.insert(0, copy.at(ticket.clone(), place));
        let (after, done) = unpark(&link, &ticket.account, true);
        assert_eq!((&after, done), (&link, Unparked::default()), "nobody would write it again");
        assert_eq!(forget_ours(&link, &OpKey("h2-briefing".to_owned())), link);
        assert_eq!(forget_ours(&link, &key).copies.len(), 0);
    }
}
