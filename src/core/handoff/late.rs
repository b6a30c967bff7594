//! What became known after a package was made.

use crate::{
    model::package::{Package, Stated, Tried},
    package::with_attempts,
};

/// A package with what is known only now. `fresh` is made from what came late alone: what was
/// stated before stays, but for what connected systems say, of which the newest counts.
#[must_use]
pub fn with_news(stored: Package, fresh: Package) -> Package {
    let mut package = stored;
    let or = |known: &mut Stated<String>, new: Stated<String>| *known = known.clone().or(new);
    or(&mut package.handoff.reason, fresh.handoff.reason);
    or(&mut package.conversation.channel, fresh.conversation.channel);
    or(&mut package.conversation.language, fresh.conversation.language);
    or(&mut package.customer.name, fresh.customer.name);
    or(&mut package.customer.email, fresh.customer.email);
    package.customer.tier = fresh.customer.tier.or(package.customer.tier);
    or(&mut package.issue.category, fresh.issue.category);
    or(&mut package.issue.goal, fresh.issue.goal);
    or(&mut package.issue.blocker, fresh.issue.blocker);
    or(&mut package.issue.product_area, fresh.issue.product_area);
    or(&mut package.issue.page, fresh.issue.page);
    or(&mut package.open_question, fresh.open_question);
    package.mood = package.mood.or(fresh.mood);
    package.promises = package.promises.or(fresh.promises);
    package.attempts = all_attempts(package.attempts, fresh.attempts);
    let known = package.given.clone();
    package.given.extend(fresh.given.into_iter().filter(|given| !known.contains(given)));
    package.facts = fresh.facts;
    package.silent = fresh.silent;
    package
}

/// The attempts of both, each once.
fn all_attempts(stored: Stated<Vec<Tried>>, fresh: Stated<Vec<Tried>>) -> Stated<Vec<Tried>> {
    let (Some(known), Some(new)) = (stored.value(), fresh.value()) else { return stored.or(fresh) };
    let all: Vec<Tried> = with_attempts(known, new);
    let proofs: Vec<_> = stored.proofs().iter().chain(fresh.proofs()).cloned().collect();
    Stated::known(all, proofs)
}
