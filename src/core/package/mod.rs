//! Makes the package of a handoff from everything that is known of it.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    briefing::TicketFacts,
    model::{
        captured::Captured,
        handoff::Handoff,
        ids::{RemoteId, TicketKey},
        package::Package,
        turn::Turn,
    },
    thread::ThreadRules,
};

/// Everything that a package is made from.
#[derive(Clone, Debug)]
pub struct Material<'a> {
    /// The record: kind, owners, what was told, what the sources answered.
    pub record: &'a Handoff,
    /// Which hop it is, from 1.
    pub hop: u32,
    /// What the ticket shows.
    pub ticket: &'a TicketFacts,
    /// The conversation's tickets, the one with the briefing first.
    pub tickets: Vec<TicketKey>,
    /// What the AI agent streamed and told.
    pub captured: Option<&'a Captured>,
    /// Messages on the tickets since the handoff before, oldest first; all of them for the first.
    pub turns: &'a [Turn],
    /// The package of the handoff before: what it holds goes on.
    pub previous: Option<&'a Package>,
    /// Names of agents and groups by their ids at the ticket's helpdesk, where they are known.
    pub names: &'a BTreeMap<RemoteId, String>,
}

/// What counts when a package is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackageRules {
    /// How a conversation is read.
    pub thread: ThreadRules,
    /// Parts of the product by what begins a route: `/billing` is `Billing`.
    pub areas: Vec<(String, String)>,
    /// Categories by words that tell of them.
    pub categories: BTreeMap<String, BTreeSet<String>>,
    /// The most bytes of a package as JSON.
    pub bytes_max: usize,
}
