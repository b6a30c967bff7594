//! The rest of a briefing: every statement with where it comes from.

use super::{
    Item, Package, fact_text,
    text::{age_text, quoted},
    unquoted, why_silent,
};
use crate::model::{
    fact::{Fact, FactKey, Match, Sensitivity},
    handoff::{Attempt, Evidence, Handoff, SourceAnswer},
    ids::AccountId,
    time::Timestamp,
};

/// The lines of the rest.
pub(super) fn items(package: &Package<'_>, now: Timestamp) -> Vec<Item> {
    let handoff = package.handoff;
    let mut items = Vec::new();
    ticket(package, &mut items);
    told(handoff, &mut items);
    attempts(handoff, &mut items);
    for (account, answer) in &handoff.sources {
        source(account, answer, now, &mut items);
    }
    items.push(Item::heading("Signs of this handoff:"));
    items.extend(handoff.evidence.iter().map(|sign| Item::new(format!("- {}", sign_text(sign)))));
    items.push(Item::new(format!("- handoff {}", handoff.id)));
    items
}

fn ticket(package: &Package<'_>, items: &mut Vec<Item>) {
    let ticket = &package.ticket;
    let subject = ticket.subject.as_deref().map_or("unknown (not shown)".to_owned(), quoted);
    let status = ticket.status.map_or("unknown (not shown)", |status| status.name());
    items.push(Item::heading("Ticket:"));
    items.push(Item::new(format!("- subject {subject}, status {status} ({})", package.handoff.ticket)));
    let wants = package.handoff.told.customer_wants.as_deref();
    items.extend(wants.map(|words| Item::new(format!("- the customer's first message: {}", quoted(words)))));
}

fn told(handoff: &Handoff, items: &mut Vec<Item>) {
    let told = &handoff.told;
    let lines = [
        ("reason", &told.reason),
        ("summary", &told.summary),
        ("the customer's e-mail", &told.customer_email),
    ];
    if lines.iter().any(|(_, words)| words.is_some()) {
        items.push(Item::heading("Told by the AI agent, not checked:"));
    }
    for (name, words) in lines {
        items.extend(words.as_ref().map(|words| Item::new(format!("- {name}: {}", quoted(words)))));
    }
}

fn attempts(handoff: &Handoff, items: &mut Vec<Item>) {
    let told = &handoff.told;
    if told.attempts.is_empty() {
        return;
    }
    items.push(Item::heading("Tried by the AI agent, oldest first:"));
    if told.attempts_left_out > 0 {
        items.push(Item::new(format!("- {} older attempts are left out", told.attempts_left_out)));
    }
    items.extend(told.attempts.iter().map(|attempt| Item::new(attempt_text(attempt))));
}

fn attempt_text(attempt: &Attempt) -> String {
    let or_none = |text: &str, none: &str| match text.is_empty() {
        true => none.to_owned(),
        false => quoted(text),
    };
    format!(
        "- {}, with {}: {}{} ({})",
        unquoted(&attempt.action),
        or_none(&attempt.inputs, "no inputs"),
        if attempt.failed { "failed, " } else { "" },
        or_none(&attempt.outcome, "no answer in the transcript"),
        unquoted(&attempt.evidence),
    )
}

fn source(account: &AccountId, answer: &SourceAnswer, now: Timestamp, items: &mut Vec<Item>) {
    items.push(Item::heading(format!("From {account}:")));
    if let Some(why) = why_silent(account, answer) {
        items.push(Item::new(format!("- unknown ({why})")));
    }
    match answer {
        SourceAnswer::Ambiguous(matches) => items.extend(matches.iter().map(match_item)),
        SourceAnswer::Facts(facts) => facts_items(facts, now, items),
        SourceAnswer::Waiting | SourceAnswer::Nobody | SourceAnswer::Failed(_) => {}
    }
}

fn match_item(found: &Match) -> Item {
    let (label, id, rule) = (quoted(&found.label), unquoted(&found.id), unquoted(&found.rule));
    Item::new(format!("- may be {label} ({id}, found by {rule})"))
}

fn facts_items(facts: &[Fact], now: Timestamp, items: &mut Vec<Item>) {
    let mut shown: Vec<&Fact> = facts.iter().filter(|fact| fact.sensitivity == Sensitivity::Agents).collect();
    shown.sort_by_key(|fact| fact.key);
    items.extend(shown.iter().map(|fact| fact_item(fact, now)));
    match (facts.is_empty(), facts.len() - shown.len()) {
        (true, _) => items.push(Item::new("- unknown (it knows the customer and says nothing more)")),
        (false, 0) => {}
        (false, hidden) => items.push(Item::new(format!("- restricted, not shown here: {hidden}"))),
    }
}

fn fact_item(fact: &Fact, now: Timestamp) -> Item {
    let name = match fact.key {
        FactKey::Customer => "customer",
        FactKey::Plan => "plan",
        FactKey::OpenInvoice => "open invoice",
        FactKey::FailedPayment => "failed payment",
        FactKey::CustomerSince => "customer since",
    };
    Item {
        stem: format!("- {name}: {} [{} {}", fact_text(fact), fact.source, unquoted(&fact.record)),
        tail: format!(", {} old]", age_text(now, fact.fetched_at)),
        is_heading: false,
    }
}

fn sign_text(sign: &Evidence) -> String {
    match sign {
        Evidence::Native { ticket } => format!("the owner of {ticket} changed"),
        Evidence::Api { agent, key } => format!("{} said so (request {})", unquoted(agent), unquoted(key)),
    }
}
