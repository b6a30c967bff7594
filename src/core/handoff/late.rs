//! What became known after a package was made.

use crate::{
    model::{
        package::{About, Conversation, Customer, Issue, Package, Stated, Tried},
        turn::Proof,
    },
    package::{PACKAGE_BYTES_MIN, bound, note_left_out, with_attempts},
};

/// A package with what is known only now. `fresh` is made from what came late alone: what was
/// stated before stays, but for what connected systems say, of which the newest counts. It fits
/// `bytes_max` (at least [`PACKAGE_BYTES_MIN`]); what had to be left out is named.
#[must_use]
pub fn with_news(stored: Package, fresh: Package, bytes_max: usize) -> Package {
    let mut package = stored;
    // Taken apart, so that a field that is added cannot be forgotten here.
    let Package {
        version: _,
        handoff: About { id: _, kind: _, hop: _, from: _, to: _, team: _, take_by: _, reason, detected_at: _ },
        conversation: Conversation { tickets: _, subject, channel, language, turns: _, from: _, until: _ },
        customer: Customer { name, email, tier },
        issue: Issue { category, summary, goal, blocker, product_area, page },
        attempts,
        mood,
        promises,
        open_question,
        given,
        facts,
        silent,
        lineage: _,
        left_out,
    } = fresh;
    let or = |known: &mut Stated<String>, new: Stated<String>| *known = known.clone().or(new);
    // What the AI agent says outright counts more than what was read from the conversation.
    match reason.proofs().iter().any(|proof| matches!(proof, Proof::Told { .. })) {
        true => package.handoff.reason = reason,
        false => or(&mut package.handoff.reason, reason),
    }
    or(&mut package.conversation.subject, subject);
    or(&mut package.conversation.channel, channel);
    or(&mut package.conversation.language, language);
    or(&mut package.customer.name, name);
    or(&mut package.customer.email, email);
    package.customer.tier = tier.or(package.customer.tier);
    or(&mut package.issue.category, category);
    // The last word of whoever handed it over counts.
    if summary.value().is_some() {
        package.issue.summary = summary;
    }
    or(&mut package.issue.goal, goal);
    or(&mut package.issue.blocker, blocker);
    or(&mut package.issue.product_area, product_area);
    or(&mut package.issue.page, page);
    or(&mut package.open_question, open_question);
    package.mood = package.mood.or(mood);
    package.promises = package.promises.or(promises);
    package.attempts = all_attempts(package.attempts, attempts);
    let known = package.given.clone();
    package.given.extend(given.into_iter().filter(|given| !known.contains(given)));
    package.facts = facts;
    package.silent = silent;
    for words in &left_out {
        if let Some((count, what)) = words.split_once(' ') {
            note_left_out(&mut package.left_out, what, count.parse().unwrap_or(1), false);
        }
    }
    bound(&mut package, bytes_max.max(PACKAGE_BYTES_MIN));
    package
}

/// The attempts of both, each once.
fn all_attempts(stored: Stated<Vec<Tried>>, fresh: Stated<Vec<Tried>>) -> Stated<Vec<Tried>> {
    let (Some(known), Some(new)) = (stored.value(), fresh.value()) else { return stored.or(fresh) };
    let all: Vec<Tried> = with_attempts(known, new);
    let proofs: Vec<_> = stored.proofs().iter().chain(fresh.proofs()).cloned().collect();
    Stated::known(all, proofs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        briefing::tests::full,
        model::{
            package::Given,
            turn::{Outcome, Party, Proof},
        },
    };

    fn event(id: String) -> Vec<Proof> {
        vec![Proof::Event { id, at: None }]
    }

    fn tried(number: usize) -> Tried {
        Tried {
            action: format!("look at thing {number}"),
            inputs: "with many words ".repeat(8),
            outcome: "nothing was found ".repeat(8),
            result: Outcome::Failed,
            by: Party::Bot { name: None },
            at: None,
            hop: 1,
            proofs: event(format!("e{number}, call_{number}")),
        }
    }

    fn big(from: usize) -> Package {
        let mut package = full();
        let all: Vec<Tried> = (from..from + 50).map(tried).collect();
        package.attempts = Stated::known(all, event("e".to_owned()));
        package.given = (from..from + 40)
            .map(|number| Given {
                topic: "order number".to_owned(),
                value: format!("{number} {}", "digits ".repeat(20)),
                proofs: event(format!("g{number}")),
            })
            .collect();
        package
    }

    #[test]
    fn a_package_with_news_keeps_its_bytes_and_names_what_went() {
        let bytes_max = 26 * 1024;
        let unbound = with_news(big(0), big(100), usize::MAX);
        assert!(serde_json::to_vec(&unbound).expect("it is JSON").len() > 32 * 1024, "this needs a bound");
        let package = with_news(big(0), big(100), bytes_max);
        let bytes = serde_json::to_vec(&package).expect("it is JSON").len();
        assert!(bytes <= bytes_max, "{bytes}");
        assert!(
            package.left_out.iter().any(|what| what.contains("things that the customer gave")),
            "{:?}",
            package.left_out
        );
        let newest = package.attempts.value().and_then(|all| all.last()).map(|last| last.action.as_str());
        assert_eq!(newest, Some("look at thing 149"));
    }

    #[test]
    fn a_summary_and_a_subject_that_came_late_are_kept() {
        let said = |text: &str| Stated::known(text.to_owned(), event("state".to_owned()));
        let mut fresh = full();
        fresh.issue.summary = said("Two charges, one is to go back.");
        fresh.conversation.subject = said("Charged twice");
        let mut stored = full();
        stored.conversation.subject = Stated::unknown("the ticket shows no subject");
        let summaries = [Stated::unknown("nobody gave a summary"), said("An older summary.")];
        for summary in summaries {
            stored.issue.summary = summary;
            let package = with_news(stored.clone(), fresh.clone(), usize::MAX);
            assert_eq!(package.issue.summary, fresh.issue.summary);
            assert_eq!(package.conversation.subject, fresh.conversation.subject);
        }
        fresh.issue.summary = Stated::unknown("nobody gave a summary");
        let package = with_news(stored.clone(), fresh, usize::MAX);
        assert_eq!(package.issue.summary, stored.issue.summary, "what was said stays");
    }
}
