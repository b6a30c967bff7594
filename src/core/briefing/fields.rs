//! The fields of a package as lines see them.

use super::{
    text::{clipped, money_text, one_line, quoted, unquoted},
    wording::Wording,
};
use crate::model::{
    fact::{Fact, FactKey, FactValue, Sensitivity},
    package::{Mood, Package, Promise, Stated, Tried},
    turn::{Party, Proof},
};

/// The names of fields, for templates.
pub(super) const FIELDS: [&str; 19] = [
    "attempts",
    "billing",
    "blocker",
    "category",
    "channel",
    "customer",
    "email",
    "facts",
    "goal",
    "language",
    "mood",
    "name",
    "open_question",
    "page",
    "product_area",
    "promises",
    "reason",
    "summary",
    "tier",
];

/// The longest value in characters, for words without spaces.
const VALUE_CHARS_MAX: usize = 200;

/// How much of a name is shown, in words.
const NAME_WORDS_MAX: usize = 5;

/// How many attempts a line names.
const ATTEMPTS_SHOWN: usize = 3;

/// How many facts a line names.
const FACTS_SHOWN: usize = 4;

/// A field as a line sees it.
#[derive(Clone, Debug)]
pub(super) struct Shown {
    what: What,
    /// Where it can be checked; empty where nothing is known.
    pub proofs: Vec<Proof>,
}

#[derive(Clone, Debug)]
enum What {
    /// Our own words, or a source's.
    Plain(String),
    /// Somebody else's.
    Quote(String),
    /// A name and an address.
    Person(Option<String>, Option<String>),
    /// What was tried, oldest first.
    Tries(Vec<Tried>),
    /// What was promised, oldest first.
    Promises(Vec<Promise>),
    /// Nothing to say, and nothing that must be said.
    Nothing,
    Unknown(String),
    NotApplicable(String),
}

impl Shown {
    fn of<T>(stated: &Stated<T>, what: impl Fn(&T) -> What) -> Self {
        match stated {
            Stated::Known(known) => Self { what: what(known.value()), proofs: known.proofs().to_vec() },
            Stated::Unknown { why } => Self { what: What::Unknown(why.clone()), proofs: Vec::new() },
            Stated::NotApplicable { why } => {
                Self { what: What::NotApplicable(why.clone()), proofs: Vec::new() }
            }
        }
    }

    /// It has a value with a proof.
    pub(super) fn is_known(&self) -> bool {
        !self.proofs.is_empty()
    }

    /// It says that something is not known, or cannot be.
    pub(super) fn is_missing(&self) -> bool {
        matches!(self.what, What::Unknown(_) | What::NotApplicable(_))
    }

    /// It in at most so many words, but never in fewer than one.
    pub(super) fn text(&self, words_max: usize, wording: &Wording) -> String {
        let words_max = words_max.max(1);
        match &self.what {
            What::Plain(text) => {
                clipped(&one_line(text).replace('[', "(").replace(']', ")"), words_max, VALUE_CHARS_MAX)
            }
            What::Quote(text) => quote(text, words_max),
            What::Person(name, email) => person(name.as_deref(), email.as_deref(), words_max),
            What::Tries(tries) => tried(tries, words_max, wording),
            What::Promises(promises) => promised(promises, words_max, wording),
            What::Nothing => String::new(),
            What::Unknown(why) => reasoned(wording.unknown, why, words_max),
            What::NotApplicable(why) => reasoned(wording.not_applicable, why, words_max),
        }
    }

    /// What a rewrite may take its words from.
    pub(super) fn source(&self, wording: &Wording) -> String {
        match &self.what {
            What::Tries(tries) => {
                let lines: Vec<String> = tries.iter().map(|one| whole_try(one, wording)).collect();
                lines.join("\n")
            }
            What::Promises(promises) => {
                promises.iter().map(|one| one.text.as_str()).collect::<Vec<_>>().join("\n")
            }
            What::Plain(text) | What::Quote(text) => text.clone(),
            _ => self.text(usize::MAX, wording),
        }
    }
}

/// The field of this name; `None` when there is none of the name.
pub(super) fn field(name: &str, package: &Package, wording: &Wording) -> Option<Shown> {
    let quote = |stated: &Stated<String>| Shown::of(stated, |text| What::Quote(text.clone()));
    let told = |stated: &Stated<String>| Shown::of(stated, |text| plain_if_ours(text, stated.proofs()));
    let word = |stated: &Stated<String>| Shown::of(stated, |text| What::Plain(unmarked(text)));
    let issue = &package.issue;
    Some(match name {
        "attempts" => Shown::of(&package.attempts, |tries| What::Tries(tries.clone())),
        "billing" => facts(package, &[FactKey::OpenInvoice, FactKey::FailedPayment], wording),
        "blocker" => quote(&issue.blocker),
        "category" => told(&issue.category),
        "channel" => told(&package.conversation.channel),
        "customer" => customer(package),
        "email" => Shown::of(&package.customer.email, |email| What::Person(None, Some(email.clone()))),
        "facts" => facts(package, &ALL_KEYS, wording),
        "goal" => quote(&issue.goal),
        "language" => told(&package.conversation.language),
        "mood" => Shown::of(&package.mood, |mood| What::Plain(mood_text(mood, wording))),
        "name" => quote(&package.customer.name),
        "open_question" => quote(&package.open_question),
        "page" => Shown::of(&issue.page, |page| page_text(page)),
        "product_area" => told(&issue.product_area),
        "promises" => Shown::of(&package.promises, |promises| What::Promises(promises.clone())),
        "reason" => quote(&package.handoff.reason),
        "summary" => quote(&issue.summary),
        "tier" => {
            match package.customer.tier.proofs().iter().any(|proof| matches!(proof, Proof::Fact { .. })) {
                true => word(&package.customer.tier),
                false => told(&package.customer.tier),
            }
        }
        _ => return None,
    })
}

const ALL_KEYS: [FactKey; 5] =
    [FactKey::Customer, FactKey::Plan, FactKey::OpenInvoice, FactKey::FailedPayment, FactKey::CustomerSince];

/// One word of letters and digits is a word of a list; more may be anybody's.
fn plain_if_ours(text: &str, proofs: &[Proof]) -> What {
    let ours = proofs.iter().all(|proof| matches!(proof, Proof::Fact { .. } | Proof::Ticket { .. }));
    let one_word = text.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-');
    match ours || one_word {
        true => What::Plain(unmarked(text)),
        false => What::Quote(text.to_owned()),
    }
}

/// An address is one word; anything else is somebody's words.
fn page_text(page: &str) -> What {
    let address = page.starts_with('/') || page.starts_with("https://") || page.starts_with("http://");
    match address && !page.chars().any(char::is_whitespace) {
        true => What::Plain(unmarked(page)),
        false => What::Quote(page.to_owned()),
    }
}

/// Name and address together; what is missing of them is left out, if one is there.
fn customer(package: &Package) -> Shown {
    let who = &package.customer;
    match (who.name.value(), who.email.value()) {
        (None, None) => Shown::of(&who.name, |name| What::Quote(name.clone())),
        (name, email) => {
            let proofs = who.name.proofs().iter().take(1).chain(who.email.proofs().iter().take(1));
            Shown { what: What::Person(name.cloned(), email.cloned()), proofs: proofs.cloned().collect() }
        }
    }
}

/// Facts of these kinds that agents may see; nothing when there are none.
fn facts(package: &Package, keys: &[FactKey], wording: &Wording) -> Shown {
    let may = |fact: &&Fact| fact.sensitivity == Sensitivity::Agents;
    let mut found: Vec<&Fact> =
        package.facts.iter().filter(may).filter(|fact| keys.contains(&fact.key)).collect();
    found.sort_by_key(|fact| fact.key);
    if found.is_empty() {
        return Shown { what: What::Nothing, proofs: Vec::new() };
    }
    let more = found.len().saturating_sub(FACTS_SHOWN);
    let mut texts: Vec<String> =
        found.iter().take(FACTS_SHOWN).map(|fact| short_fact(fact, wording)).collect();
    if more > 0 {
        texts.push(format!("+{more}"));
    }
    let proofs = found.iter().map(|fact| Proof::Fact {
        source: fact.source.clone(),
        record: fact.record.clone(),
        at: fact.fetched_at,
    });
    Shown { proofs: proofs.collect(), what: What::Plain(texts.join(", ")) }
}

fn short_fact(fact: &Fact, wording: &Wording) -> String {
    match fact.key {
        FactKey::OpenInvoice => format!("{} {}", wording.open_invoice, fact_text(fact)),
        FactKey::FailedPayment => format!("{} {}", wording.failed_payment, fact_text(fact)),
        _ => fact_text(fact),
    }
}

/// A fact's value with the words that explain it.
pub(super) fn fact_text(fact: &Fact) -> String {
    let value = match &fact.value {
        FactValue::Text(text) if fact.key == FactKey::Customer => quoted(text),
        FactValue::Text(text) => unmarked(text),
        FactValue::Count(count) => count.to_string(),
        FactValue::Money { minor, currency } => money_text(*minor, &unmarked(currency)),
        FactValue::Time(at) => super::day_text(*at),
    };
    match fact.detail.as_deref().map(unquoted).filter(|detail| !detail.is_empty()) {
        Some(detail) => format!("{value} ({})", quoted(&detail)),
        None => value,
    }
}

/// Somebody else's words that are not quoted, without what would pass for a mark of evidence.
fn unmarked(text: &str) -> String {
    unquoted(text).replace('[', "(").replace(']', ")")
}

fn mood_text(mood: &Mood, wording: &Wording) -> String {
    let now = wording.mood(mood.now);
    let first = mood.course.first().copied().unwrap_or_default();
    let last = mood.course.last().copied().unwrap_or_default();
    match i16::from(last) - i16::from(first) {
        i16::MIN..=-30 => format!("{now}, {}", wording.falling),
        30.. => format!("{now}, {}", wording.rising),
        _ => now.to_owned(),
    }
}

/// Somebody else's words, cut inside their quotation marks.
fn quote(text: &str, words_max: usize) -> String {
    quoted(&clipped(&unquoted(text), words_max, VALUE_CHARS_MAX))
}

fn reasoned(word: &str, why: &str, words_max: usize) -> String {
    let own = word.split_whitespace().count();
    let why = unquoted(why).replace(['(', ')'], "'");
    let why = clipped(&why, words_max.saturating_sub(own).max(1), VALUE_CHARS_MAX);
    format!("{word} ({why})")
}

fn person(name: Option<&str>, email: Option<&str>, words_max: usize) -> String {
    let email = email.map(|email| {
        let email: String = unquoted(email).split_whitespace().collect();
        format!("<{}>", super::shortened(&email.replace(['<', '>'], "'"), 80))
    });
    let left = words_max.saturating_sub(usize::from(email.is_some())).clamp(1, NAME_WORDS_MAX);
    let name = name.map(|name| quoted(&clipped(&unquoted(name), left, 60)));
    [name, email].into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// The last attempts with what came of each; the rest is counted.
fn tried(tries: &[Tried], words_max: usize, wording: &Wording) -> String {
    if tries.is_empty() {
        return wording.none.to_owned();
    }
    // Fewer are named where there is no room to say what came of them.
    let shown = ATTEMPTS_SHOWN.min(tries.len()).min((words_max / 5).max(1));
    let earlier = tries.len() - shown;
    let tail = if earlier > 0 { format!(" {}", before(earlier, wording)) } else { String::new() };
    let each = words_max.saturating_sub(tail.split_whitespace().count()) / shown;
    let texts: Vec<String> = tries[earlier..].iter().map(|one| try_text(one, each.max(2), wording)).collect();
    format!("{}{tail}", texts.join("; "))
}

fn before(count: usize, wording: &Wording) -> String {
    wording.before.replace("{}", &count.to_string())
}

/// What was done is named by its tool or in the words of who did it; what came of it is quoted.
fn try_text(one: &Tried, words_max: usize, wording: &Wording) -> String {
    let result = wording.result(one.result);
    let left = words_max.saturating_sub(result.split_whitespace().count());
    let action_words = if one.outcome.is_empty() { left } else { left.div_ceil(2) };
    let who = actor(one, wording);
    let action_words = action_words.saturating_sub(words_in(&who));
    let action = match who.is_empty() {
        true => tried_text(one, action_words),
        false => format!("{who} {}", tried_text(one, action_words)),
    };
    let left = left.saturating_sub(words_in(&action));
    match one.outcome.is_empty() || left == 0 {
        true => format!("{action}: {result}"),
        false => {
            format!("{action}: {result} {}", quoted(&clipped(&unquoted(&one.outcome), left, 60)))
        }
    }
}

fn words_in(text: &str) -> usize {
    text.split_whitespace().count()
}

/// Who did it, where it was not an AI agent.
fn actor(one: &Tried, wording: &Wording) -> String {
    match &one.by {
        Party::Customer => wording.customer.to_owned(),
        Party::Human { name: Some(name), .. } => quoted(&clipped(&unquoted(name), 2, 40)),
        Party::Human { name: None, .. } => wording.agent.to_owned(),
        Party::Bot { .. } | Party::Nobody => String::new(),
    }
}

/// A tool that an AI agent called is plain; everything else is somebody's words.
pub(super) fn tried_text(one: &Tried, words_max: usize) -> String {
    let called = matches!(one.by, Party::Bot { .. }) && !one.action.trim_end().ends_with('.');
    match called && matches!(one.proofs.first(), Some(Proof::Event { .. })) {
        true => action_text(&one.action, words_max),
        false => quoted(&clipped(&unquoted(&one.action), words_max.max(1), 60)),
    }
}

/// A tool's name is plain; a sentence is somebody's.
pub(super) fn action_text(action: &str, words_max: usize) -> String {
    let clean = unquoted(action);
    let is_name = clean.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ' '))
        && clean.split_whitespace().count() <= 4;
    let clean = clipped(&clean, words_max.max(1), 60);
    match is_name && !clean.is_empty() {
        true => clean,
        false => quoted(&clean),
    }
}

/// The newest promise; the rest is counted.
fn promised(promises: &[Promise], words_max: usize, wording: &Wording) -> String {
    let Some(last) = promises.last() else { return wording.none.to_owned() };
    let tail = match promises.len() {
        1 => String::new(),
        several => format!(" {}", before(several - 1, wording)),
    };
    let left = words_max.saturating_sub(tail.split_whitespace().count());
    format!("{}{tail}", quote(&last.text, left.max(1)))
}

fn whole_try(one: &Tried, wording: &Wording) -> String {
    format!("{} {} {} {}", one.action, one.inputs, wording.result(one.result), one.outcome)
}
