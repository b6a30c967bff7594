//! What context sources say, and why the others say nothing.

use std::collections::BTreeMap;

use crate::{
    briefing::{day_text, money_text, one_line, shortened},
    model::{
        fact::{Fact, FactKey, FactValue, Sensitivity},
        handoff::{Handoff, SourceAnswer},
        ids::AccountId,
        package::Stated,
        turn::Proof,
    },
};

/// How many facts are kept of all sources.
const FACTS_MAX: usize = 40;

/// Every fact that agents may see, in the order of their sources.
pub(super) fn facts(record: &Handoff) -> Vec<Fact> {
    let all = record.sources.values().flat_map(|answer| match answer {
        SourceAnswer::Facts(facts) => facts.as_slice(),
        _ => &[],
    });
    all.filter(|fact| fact.sensitivity == Sensitivity::Agents).take(FACTS_MAX).cloned().collect()
}

/// Why each of the others says nothing.
pub(super) fn silent(record: &Handoff) -> BTreeMap<AccountId, String> {
    record
        .sources
        .iter()
        .filter_map(|(account, answer)| Some((account.clone(), why(account, answer)?)))
        .collect()
}

fn why(account: &AccountId, answer: &SourceAnswer) -> Option<String> {
    match answer {
        SourceAnswer::Waiting => Some(format!("{account} gave no answer in time")),
        SourceAnswer::Nobody => Some(format!("{account} knows nobody by this e-mail")),
        SourceAnswer::Ambiguous(matches) => {
            Some(format!("{account} has {} records that match, none was picked", matches.len()))
        }
        SourceAnswer::Failed(why) => Some(format!("{account} failed: {}", shortened(&one_line(why), 120))),
        SourceAnswer::Facts(_) => None,
    }
}

/// Why no source says something.
pub(super) fn why_none(record: &Handoff, what: &str) -> String {
    let silent: Vec<String> = silent(record).into_values().collect();
    match (record.sources.is_empty(), silent.is_empty()) {
        (true, _) => format!("no source says {what}: none is configured"),
        (false, true) => format!("no source says {what}"),
        (false, false) => shortened(&silent.join("; "), 200),
    }
}

/// The first fact of a kind in words; `None` where no source says so.
pub(super) fn first(record: &Handoff, key: FactKey) -> Option<Stated<String>> {
    let fact = facts(record).into_iter().find(|fact| fact.key == key && !text(fact).is_empty())?;
    let proof = Proof::Fact { source: fact.source.clone(), record: fact.record.clone(), at: fact.fetched_at };
    Some(Stated::known(text(&fact), [proof]))
}

fn text(fact: &Fact) -> String {
    let value = match &fact.value {
        FactValue::Text(text) => shortened(&one_line(text), 120),
        FactValue::Count(count) => count.to_string(),
        FactValue::Money { minor, currency } => money_text(*minor, &one_line(currency)),
        FactValue::Time(at) => day_text(*at),
    };
    match fact.detail.as_deref().map(one_line).filter(|detail| !detail.is_empty()) {
        Some(detail) if !value.is_empty() => format!("{value} ({})", shortened(&detail, 80)),
        _ => value,
    }
}
