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

/// All that stands still in a link. What concerns a ticket that is gone is over.
pub fn causes(link: &Link) -> BTreeSet<Cause> {
    let there =
        |ticket: &&TicketKey| link.sides.get(*ticket).is_some_and(|side| side.standing != Standing::Gone);
    let creates = link.create_parked.keys().cloned().map(Cause::Create);
    let sides = link.sides.iter().filter(|(_, side)| side.parked.is_some()).map(|(ticket, _)| ticket);
    let comments = link.copies.iter().flat_map(|(number, copy)| {
        let parked = copy.places.iter().filter(|(_, place)| matches!(place, Place::Parked(_)));
        parked.map(move |(ticket, _)| (*number, ticket))
    });
    let comments = comments.filter(|(_, ticket)| there(ticket));
    creates
        .chain(sides.filter(there).cloned().map(Cause::Side))
        .chain(comments.map(|(number, ticket)| Cause::Comment { number, ticket: ticket.clone() }))
        .collect()
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
                copy.places.remove(&ticket);
                done.again += 1;
            }
        }
    }
    (link, done)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::Timestamp;

    #[test]
    fn what_a_handoff_writes_is_left_to_its_record() {
        let (ticket, key) = (TicketKey::new("zd", "1"), OpKey("h1-briefing".to_owned()));
        let none = serde_json::json!({
            "id": Link::id_for(&ticket), "group": "support", "base": {}, "sides": {}, "former": [], "creating": {},
            "create_parked": {}, "requester": null, "handoff": "h1", "next_op": 0, "next_copy": 1,
        });
        let mut link: Link = serde_json::from_value(none).expect("a link");
        let place = Place::Parked("refused".to_owned());
        let copy = CommentCopy::new(Origin::Ours(key.clone()), false, String::new(), Timestamp(0));
        link.copies.insert(0, copy.at(ticket.clone(), place));
        let (after, done) = unpark(&link, &ticket.account, true);
        assert_eq!((&after, done), (&link, Unparked::default()), "nobody would write it again");
        assert_eq!(forget_ours(&link, &OpKey("h2-briefing".to_owned())), link);
        assert_eq!(forget_ours(&link, &key).copies.len(), 0);
    }
}
