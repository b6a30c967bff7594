//! Makes the package of a handoff from everything that is known of it.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    briefing::TicketFacts,
    model::{
        captured::Captured,
        handoff::Handoff,
        ids::{RemoteId, TicketKey},
        package::{Package, Resolution},
        time::Timestamp,
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

/// The package of a handoff.
pub fn assemble(material: &Material<'_>, rules: &PackageRules, now: Timestamp) -> Package {
    let _ = (material, rules, now);
    unreachable!("written next")
}

/// What an AI agent is told when it gets the conversation of the material back.
pub fn resolution(material: &Material<'_>, rules: &PackageRules, now: Timestamp) -> Resolution {
    let _ = (material, rules, now);
    unreachable!("written next")
}

/// How much of what a package must say it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completeness {
    /// How many fields are required.
    pub required: u32,
    /// How many of them are known, or cannot be.
    pub known: u32,
    /// The others, with why they are not known.
    pub missing: Vec<(&'static str, String)>,
}

/// How much of what a package must say it says.
pub fn completeness(package: &Package) -> Completeness {
    let _ = package;
    Completeness { required: 0, known: 0, missing: Vec::new() }
}

/// Why a package is thin: hardly more than a transcript, or less. `None` for one that is not.
pub fn is_thin(package: &Package) -> Option<String> {
    let _ = package;
    None
}

/// What could mend a thin package.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Repair {
    /// Read the ticket's messages: no turn was read.
    ReadMessages,
    /// Ask the context sources again: some did not answer in time, or failed.
    AskSources,
    /// Ask the AI agent: its steps did not come.
    AskAgent,
}

/// What could mend a thin package, the most promising first; empty for one that is not thin.
pub fn repairs(package: &Package) -> Vec<Repair> {
    let _ = package;
    Vec::new()
}

/// Short values for a helpdesk's custom fields, by what they are.
pub fn structured(package: &Package) -> BTreeMap<&'static str, String> {
    let _ = package;
    BTreeMap::new()
}
