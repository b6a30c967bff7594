//! How complete a package is, whether it is thin, and what could mend that.

use super::fields::ASKED_FOR_PERSON;
use crate::model::{
    handoff::HandoffKind,
    package::{Package, Stated},
    turn::Proof,
};

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

impl Completeness {
    /// The share that is known, in whole percent, rounded down.
    pub fn percent(&self) -> u32 {
        self.known.saturating_mul(100).checked_div(self.required).unwrap_or(100)
    }
}

/// How much of what a package must say it says: who (a name or an address), tier, category, summary,
/// goal, blocker, attempts, mood, product area, reason, open question and promises. What cannot be there
/// counts as answered.
pub fn completeness(package: &Package) -> Completeness {
    let who = why_missing(&package.customer.name).and(why_missing(&package.customer.email));
    let fields = [
        ("identity", who),
        ("tier", why_missing(&package.customer.tier)),
        ("category", why_missing(&package.issue.category)),
        ("summary", why_missing(&package.issue.summary)),
        ("goal", why_missing(&package.issue.goal)),
        ("blocker", why_missing(&package.issue.blocker)),
        ("attempts", why_missing(&package.attempts)),
        ("mood", why_missing(&package.mood)),
        ("product_area", why_missing(&package.issue.product_area)),
        ("reason", why_missing(&package.handoff.reason)),
        ("open_question", why_missing(&package.open_question)),
        ("promises", why_missing(&package.promises)),
    ];
    let required = u32::try_from(fields.len()).unwrap_or(u32::MAX);
    let missing: Vec<_> = fields.into_iter().filter_map(|(field, why)| Some((field, why?))).collect();
    let known = required.saturating_sub(u32::try_from(missing.len()).unwrap_or(u32::MAX));
    Completeness { required, known, missing }
}

fn why_missing<T>(field: &Stated<T>) -> Option<String> {
    match field {
        Stated::Unknown { why } => Some(why.clone()),
        Stated::Known(_) | Stated::NotApplicable { .. } => None,
    }
}

/// Why a package is thin: it holds hardly more than the conversation itself, or less. `None` for one
/// that is not.
pub fn is_thin(package: &Package) -> Option<String> {
    let knows_steps = package.attempts.value().is_some_and(|attempts| !attempts.is_empty());
    let knows_reason = was_given(&package.handoff.reason);
    let knows_blocker = package.issue.blocker.value().is_some();
    if knows_steps || knows_reason || knows_blocker {
        return None;
    }
    Some(match (package.conversation.turns, package.issue.goal.value()) {
        (0, None) => "empty: no messages came, and nothing was stated".to_owned(),
        (0, Some(_)) => "no messages came: nothing but the ticket's subject is known".to_owned(),
        (1, _) => "only one message: no steps, no reason and no blocker are known".to_owned(),
        (turns, _) => {
            format!("only a transcript of {turns} turns: no steps, no reason and no blocker are known")
        }
    })
}

/// Whether somebody gave the reason. What we read off the transcript or the ticket is no more than those.
fn was_given(reason: &Stated<String>) -> bool {
    let is_told = |proof: &Proof| matches!(proof, Proof::Told { .. });
    let is_shown = |proof: &Proof| matches!(proof, Proof::Ticket { .. });
    reason.value().is_some_and(|words| {
        reason.proofs().iter().any(is_told)
            || words != ASKED_FOR_PERSON && !reason.proofs().iter().all(is_shown)
    })
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
    if is_thin(package).is_none() {
        return Vec::new();
    }
    let mut repairs = Vec::new();
    if package.conversation.turns == 0 {
        repairs.push(Repair::ReadMessages);
    }
    if package.handoff.kind == HandoffKind::AiToHuman {
        repairs.push(Repair::AskAgent);
    }
    if !package.silent.is_empty() {
        repairs.push(Repair::AskSources);
    }
    repairs
}
