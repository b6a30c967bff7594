//! Keeps a package within its bytes: the oldest detail goes first, and is named.

use crate::{
    briefing::shortened,
    model::package::{Package, Stated},
};

/// How much of old inputs and outcomes is kept, in characters.
const OLD_CHARS_MAX: usize = 40;

/// How many attempts at the new end keep their detail longest.
const NEWEST_WHOLE: usize = 6;

/// Names what was left out, with its number; `add` counts it to what was left out before.
pub(crate) fn note(left_out: &mut Vec<String>, what: &str, count: u64, add: bool) {
    if count == 0 {
        return;
    }
    let before =
        left_out.iter().position(|words| words.split_once(' ').is_some_and(|(_, rest)| rest == what));
    let known = before.map(|at| left_out.remove(at)).and_then(|words| words.split(' ').next()?.parse().ok());
    let known: u64 = known.unwrap_or(0);
    let count = if add { known.saturating_add(count) } else { known.max(count) };
    left_out.push(format!("{count} {what}"));
}

/// Brings the package below `bytes_max`.
pub(crate) fn bound(package: &mut Package, bytes_max: usize) {
    let steps: [fn(&mut Package) -> bool; 9] = [
        |package| shorten_attempts(package),
        |package| {
            drop_oldest(&mut package.given, 10, "older things that the customer gave", &mut package.left_out)
        },
        |package| drop_attempt(package, NEWEST_WHOLE),
        |package| drop_facts(package),
        |package| drop_oldest(&mut package.lineage, 8, "older handoffs", &mut package.left_out),
        |package| drop_promise(package, 4),
        |package| {
            drop_oldest(&mut package.given, 0, "older things that the customer gave", &mut package.left_out)
        },
        |package| drop_attempt(package, 1),
        |package| drop_promise(package, 1) || shorten_texts(package) || drop_silent(package),
    ];
    for step in steps {
        while !fits(package, bytes_max) {
            if !step(package) {
                break;
            }
        }
    }
}

fn fits(package: &Package, bytes_max: usize) -> bool {
    serde_json::to_vec(package).is_ok_and(|json| json.len() <= bytes_max)
}

/// Shortens what old attempts were given and answered, all at once.
fn shorten_attempts(package: &mut Package) -> bool {
    let Stated::Known(known) = &package.attempts else { return false };
    let mut all = known.value().clone();
    let old = all.len().saturating_sub(NEWEST_WHOLE);
    let is_long = |text: &String| text.chars().count() > OLD_CHARS_MAX;
    let long = all.iter().take(old).filter(|tried| is_long(&tried.inputs) || is_long(&tried.outcome)).count();
    if long == 0 {
        return false;
    }
    for tried in all.iter_mut().take(old) {
        tried.inputs = shortened(&tried.inputs, OLD_CHARS_MAX);
        tried.outcome = shortened(&tried.outcome, OLD_CHARS_MAX);
        tried.proofs.truncate(1);
    }
    package.attempts = Stated::known(all, known.proofs().to_vec());
    note(&mut package.left_out, "old attempts' details, in part", long as u64, false);
    true
}

fn drop_attempt(package: &mut Package, keep: usize) -> bool {
    let Stated::Known(known) = &package.attempts else { return false };
    let Some((_, newer)) = known.value().split_first().filter(|(_, newer)| newer.len() >= keep) else {
        return false;
    };
    package.attempts = Stated::known(newer.to_vec(), known.proofs().to_vec());
    note(&mut package.left_out, "older attempts", 1, true);
    true
}

fn drop_promise(package: &mut Package, keep: usize) -> bool {
    let Stated::Known(known) = &package.promises else { return false };
    let Some((_, newer)) = known.value().split_first().filter(|(_, newer)| newer.len() >= keep) else {
        return false;
    };
    package.promises = Stated::known(newer.to_vec(), known.proofs().to_vec());
    note(&mut package.left_out, "older promises", 1, true);
    true
}

fn drop_oldest<T>(all: &mut Vec<T>, keep: usize, what: &str, left_out: &mut Vec<String>) -> bool {
    if all.len() <= keep {
        return false;
    }
    all.remove(0);
    note(left_out, what, 1, true);
    true
}

fn drop_facts(package: &mut Package) -> bool {
    if package.facts.len() <= 8 {
        return false;
    }
    package.facts.pop();
    note(&mut package.left_out, "facts of context sources", 1, true);
    true
}

fn drop_silent(package: &mut Package) -> bool {
    let dropped = package.silent.pop_last().is_some() || package.facts.pop().is_some();
    if dropped {
        note(&mut package.left_out, "sources' statements", 1, true);
    }
    dropped
}

/// Shortens the texts of the fields, all at once.
fn shorten_texts(package: &mut Package) -> bool {
    const CHARS_MAX: usize = 100;
    let fields = [
        &mut package.handoff.reason,
        &mut package.conversation.subject,
        &mut package.conversation.channel,
        &mut package.conversation.language,
        &mut package.customer.name,
        &mut package.customer.email,
        &mut package.customer.tier,
        &mut package.issue.category,
        &mut package.issue.summary,
        &mut package.issue.goal,
        &mut package.issue.blocker,
        &mut package.issue.product_area,
        &mut package.issue.page,
        &mut package.open_question,
    ];
    let mut any = false;
    for field in fields {
        if let Stated::Known(known) = field
            && known.value().chars().count() > CHARS_MAX
        {
            let value = shortened(known.value(), CHARS_MAX);
            *field = Stated::known(value, known.proofs().iter().take(1).cloned());
            any = true;
        }
    }
    if any {
        note(&mut package.left_out, "long texts, in part", 1, false);
    }
    any
}
