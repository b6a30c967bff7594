//! Which tickets are mirrored where.

use crate::{
    filter::{Candidate, bears},
    link::{Link, Standing},
    merge::Views,
    model::{
        ids::{AccountId, TicketKey},
        ticket::{Field, Fields},
    },
    policy::{Route, SyncPolicy},
};

/// A mirror that is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueMirror {
    /// The ticket that is mirrored.
    pub of: TicketKey,
    /// Where the mirror is made.
    pub at: AccountId,
}

/// The mirrors that the routes ask for and that are neither there nor being
/// made. A ticket that is gone or was merged away is not made again.
///
/// When a ticket was made is told by a view of it alone.
pub(crate) fn due_mirrors(link: &Link, views: &Views<'_>, policy: &SyncPolicy) -> Vec<DueMirror> {
    let mut due: Vec<DueMirror> = Vec::new();
    for (ticket, side) in link.sides.iter().filter(|(_, side)| side.standing == Standing::Live) {
        let shown = Candidate {
            fields: &side.shadow,
            requester: link.requester.as_ref(),
            created_at: views.get(ticket).map(|view| view.created_at),
        };
        for route in policy.routes.iter().filter(|route| applies(route, ticket, shown)) {
            let is_new = due.iter().all(|mirror| mirror.at != route.to);
            if is_new && is_free(link, policy, &route.to) {
                due.push(DueMirror { of: ticket.clone(), at: route.to.clone() });
            }
        }
    }
    due
}

fn applies(route: &Route, ticket: &TicketKey, shown: Candidate<'_>) -> bool {
    route.from == ticket.account
        && route.to != ticket.account
        && route.with_tags.iter().all(|tag| bears(shown.fields, tag))
        && route.when.takes(shown)
}

fn is_free(link: &Link, policy: &SyncPolicy, at: &AccountId) -> bool {
    let armed = policy.accounts.get(at).is_some_and(|account| account.creates_armed);
    let is_there = link.sides.keys().chain(&link.former).any(|ticket| ticket.account == *at);
    armed && !is_there && !link.creating.contains_key(at) && !link.create_parked.contains_key(at)
}

/// What a mirror starts with, before its vendor's own form: the base of every
/// field that it receives, and a subject in any case.
pub(crate) fn first_fields(link: &Link, mirror: &DueMirror, policy: &SyncPolicy) -> Fields {
    let receives = |field: &Field| policy.fields.get(field).is_some_and(|rule| rule.to.contains(&mirror.at));
    let mut fields: Fields = link
        .base
        .iter()
        .filter(|(field, _)| receives(field))
        .map(|(field, value)| (*field, value.clone()))
        .collect();
    let subject = link.sides.get(&mirror.of).and_then(|side| side.shadow.get(&Field::Subject));
    if let Some(subject) = subject {
        fields.entry(Field::Subject).or_insert_with(|| subject.clone());
    }
    fields
}
