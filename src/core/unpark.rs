//! Trying again what was parked, because an admin has mended what stood in its way.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{
    link::{Link, Place, Standing},
    model::ids::{AccountId, TicketKey},
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

/// The link with everything that is parked at `account` decided again. Messages that may be at
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
    for copy in link.copies.values_mut() {
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
