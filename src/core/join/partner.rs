//! Which ticket of another account is the same conversation, decided from both sides: what is
//! in doubt for one of two tickets is in doubt for the other, in whatever order they are looked at.

use std::collections::{BTreeMap, BTreeSet};

use super::card::{Card, JoinRules, Why, fits};
use crate::model::ids::{AccountId, TicketKey};

/// What a ticket has to do with the account that is asked about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tie {
    /// Nothing yet.
    #[default]
    Free,
    /// It was joined with a ticket there, by what they have in common.
    Joined,
    /// It has its own there for certain, or none: one was made for the other, or an admin said so.
    Certain,
}

/// A ticket that may play a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// What it may have in common with others.
    pub card: Card,
    /// What it has to do with the other account already.
    pub tie: Tie,
}

/// Which ticket of another account is the same conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Partner {
    /// None.
    None,
    /// This one.
    One(TicketKey, Why),
    /// It is not certain which of these belong together, of both accounts: none is joined, an admin decides.
    Ambiguous(BTreeSet<TicketKey>),
}

/// Finds the ticket of `at` that is the same conversation as `ticket`. `known` has
/// whatever fits it there, what fits those here, and what fits these there.
///
/// A marker or a reference decides; tickets that it binds are no candidates by anything less.
/// Of the others a pair is joined only if each fits nobody but the other.
pub fn partner(
    ticket: &TicketKey,
    at: &AccountId,
    known: &BTreeMap<TicketKey, Known>,
    rules: &JoinRules,
) -> Partner {
    let ground = Ground { known, pair: [&ticket.account, at], rules };
    let exact = ground.exact(ticket);
    if !exact.is_empty() {
        return ground.decide(ticket, &exact, |one| ground.exact(one));
    }
    ground.decide(ticket, &ground.guesses(ticket), |one| ground.guesses(one))
}

/// Tickets by why they fit.
type Fits = BTreeMap<TicketKey, Why>;

struct Ground<'a> {
    known: &'a BTreeMap<TicketKey, Known>,
    pair: [&'a AccountId; 2],
    rules: &'a JoinRules,
}

impl Ground<'_> {
    fn fits(&self, ticket: &TicketKey) -> Fits {
        let Some(mine) = self.known.get(ticket) else { return Fits::new() };
        let others = self.known.iter().filter(|(other, one)| {
            self.pair.contains(&&other.account) && one.tie != Tie::Certain && mine.tie != Tie::Certain
        });
        others
            .filter_map(|(other, one)| Some((other.clone(), fits(&mine.card, &one.card, self.rules)?)))
            .collect()
    }

    fn exact(&self, ticket: &TicketKey) -> Fits {
        self.fits(ticket).into_iter().filter(|(_, why)| why.is_exact()).collect()
    }

    /// What fits only by what others might have in common too; nothing for what is bound exactly.
    fn guesses(&self, ticket: &TicketKey) -> Fits {
        let all = self.fits(ticket);
        if all.values().any(|why| why.is_exact()) {
            return Fits::new();
        }
        all.into_iter().filter(|(other, _)| self.exact(other).is_empty()).collect()
    }

    fn decide(&self, ticket: &TicketKey, forth: &Fits, back: impl Fn(&TicketKey) -> Fits) -> Partner {
        let mut all: BTreeSet<TicketKey> = forth.keys().cloned().collect();
        all.extend(forth.keys().flat_map(|one| back(one).into_keys()));
        all.insert(ticket.clone());
        let is_free = |one: &TicketKey| self.known.get(one).is_some_and(|one| one.tie == Tie::Free);
        match forth.first_key_value() {
            None => Partner::None,
            Some((one, why)) if all.len() == 2 && is_free(one) => Partner::One(one.clone(), *why),
            Some(_) => Partner::Ambiguous(all),
        }
    }
}
