//! Makes the package of a handoff from everything that is known of it.

mod bound;
mod complete;
mod fields;
mod identity;
mod lineage;
mod resolve;
mod schema;
mod sources;
mod structured;
#[cfg(test)]
mod tests;
mod turns;
mod words;

use std::collections::{BTreeMap, BTreeSet};

pub(crate) use bound::{bound, note as note_left_out};
pub use complete::{Completeness, Repair, completeness, is_thin, repairs};
pub(crate) use lineage::with_attempts;
pub use resolve::resolution;
pub use schema::{SCHEMA_ID, schema};
pub use structured::{VALUE_CHARS_MAX, structured};
pub use turns::is_same;

use crate::{
    briefing::TicketFacts,
    model::{
        captured::Captured,
        handoff::Handoff,
        ids::{RemoteId, TicketKey},
        package::{About, Conversation, Customer, Issue, PACKAGE_VERSION, Package},
        time::Timestamp,
        turn::Turn,
    },
    thread::{ThreadRules, read_thread},
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

/// The least that [`PackageRules::bytes_max`] comes to: what must be said fits it.
pub const PACKAGE_BYTES_MIN: usize = 16 * 1024;

impl Default for PackageRules {
    /// Categories of common concerns by English and German words, no product areas.
    fn default() -> Self {
        Self {
            thread: ThreadRules {
                transfer_prefixes: vec!["transfer".to_owned()],
                inner_tools: BTreeSet::from(["think".to_owned()]),
                excerpt_chars_max: 160,
                hop: 1,
            },
            areas: Vec::new(),
            categories: words::default_categories(),
            bytes_max: 48 * 1024,
        }
    }
}

/// The package of a handoff. It holds what the handoffs before held, each thing once, and fits
/// [`PackageRules::bytes_max`]; what had to be left out is named.
///
/// `now` stands for the moment at which the record was first known, where that lies ahead of it.
pub fn assemble(material: &Material<'_>, rules: &PackageRules, now: Timestamp) -> Package {
    let record = material.record;
    let turns = turns::all(material);
    let thread = ThreadRules { hop: material.hop.max(1), ..rules.thread.clone() };
    let found = read_thread(&turns, &thread);
    let known = fields::Known { material, rules, turns: &turns, found: &found };
    let attempts = lineage::attempts(&known);
    let category = known.category(&attempts);
    let (from, to) = fields::owners(material);
    let mut package = Package {
        version: PACKAGE_VERSION.to_owned(),
        handoff: About {
            id: record.id.clone(),
            kind: record.kind,
            hop: material.hop.max(1),
            from,
            to,
            team: fields::team(material),
            take_by: record.wanted.deadline,
            reason: known.reason(),
            detected_at: record.detected_at.min(now),
        },
        conversation: Conversation {
            tickets: known.tickets(),
            subject: known.subject(),
            channel: known.channel(),
            language: known.language(),
            turns: u32::try_from(turns.len()).unwrap_or(u32::MAX),
            from: turns.iter().filter_map(|turn| turn.at).min(),
            until: turns.iter().filter_map(|turn| turn.at).max(),
        },
        customer: Customer { name: known.name(), email: known.email(), tier: known.tier() },
        issue: Issue {
            category,
            summary: known.summary(),
            goal: known.goal(),
            blocker: known.blocker(&attempts),
            product_area: known.product_area(),
            page: known.page(),
        },
        attempts: lineage::stated_attempts(&known, attempts),
        mood: lineage::mood(&known),
        promises: lineage::stated_promises(&known),
        open_question: known.open_question(),
        given: lineage::given(&known),
        facts: sources::facts(record),
        silent: sources::silent(record),
        lineage: lineage::hops(material.previous),
        left_out: lineage::left_out_before(&known),
    };
    bound(&mut package, rules.bytes_max.max(PACKAGE_BYTES_MIN));
    package
}
