//! What must not leave is taken out of text before it goes to a model or a chat.
//!
//! Secrets and card numbers go for good. People, addresses and telephone numbers get stand-ins
//! that only this process can turn back. What looks like a secret and cannot be told from one
//! keeps the whole text here.

mod numbers;
mod people;
mod plain;
mod secrets;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use crate::model::{package::Package, turn::Party};

/// The longest text that is looked through, in bytes.
const TEXT_BYTES_MAX: usize = 64 * 1024;

/// Names of people that are known: they get stand-ins like addresses.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Names {
    people: BTreeSet<String>,
}

impl fmt::Debug for Names {
    /// Names never reach a log.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Names({})", self.people.len())
    }
}

impl Names {
    /// These names.
    pub fn new(people: impl IntoIterator<Item = String>) -> Self {
        // Brackets and quotation marks are no part of a name: turned back, they could pass for ours.
        let marks = |c: char| "[](){}<>\"“”„‟«»‹›「」『』＂［］".contains(c);
        let people = people.into_iter().map(|name| name.replace(marks, " ").trim().to_owned());
        Self { people: people.filter(|name| !name.is_empty()).collect() }
    }

    /// The names that a package knows: the customer's, and those of people who owned it.
    pub fn of(package: &Package) -> Self {
        let tries = package.attempts.value().map_or(&[][..], Vec::as_slice);
        let promises = package.promises.value().map_or(&[][..], Vec::as_slice);
        let hops = package.lineage.iter().flat_map(|hop| [&hop.from, &hop.to]);
        let parties = [&package.handoff.from, &package.handoff.to]
            .into_iter()
            .chain(hops)
            .chain(tries.iter().map(|one| &one.by))
            .chain(promises.iter().map(|one| &one.by));
        let people = parties.filter_map(|party| match party {
            Party::Human { name, .. } => name.clone(),
            Party::Customer | Party::Bot { .. } | Party::Nobody => None,
        });
        Self::new(people.chain(package.customer.name.value().cloned()))
    }
}

/// Which stand-in means what. Never stored, never logged, never sent.
#[derive(Default)]
pub struct Pseudonyms {
    /// Names and their parts, in lower case, by length.
    names: Vec<String>,
    /// What a stand-in means.
    meanings: BTreeMap<String, String>,
    /// The stand-in of a value, by the value in lower case.
    stand_ins: BTreeMap<String, String>,
}

impl fmt::Debug for Pseudonyms {
    /// What they mean never reaches a log.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Pseudonyms({})", self.meanings.len())
    }
}

/// What a stand-in is for.
#[derive(Clone, Copy)]
enum Kind {
    Address,
    Name,
    Phone,
    Place,
}

impl Pseudonyms {
    /// None yet; people of these names get theirs when they are met.
    pub fn new(known: &Names) -> Self {
        let mut names: BTreeSet<String> = BTreeSet::new();
        for name in &known.people {
            let name = plain::normal(name).to_lowercase();
            names.extend(name.split_whitespace().filter(|part| part.chars().count() > 1).map(str::to_owned));
            names.insert(name.trim().to_owned());
        }
        let mut names: Vec<String> = names.into_iter().filter(|name| !name.is_empty()).collect();
        names.sort_by_key(|name| std::cmp::Reverse(name.len()));
        Self { names, ..Self::default() }
    }

    /// The text with its stand-ins replaced by what they mean.
    pub fn restore(&self, text: &str) -> String {
        let mut restored = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(|c: char| c.is_ascii_alphanumeric()) {
            restored.push_str(&rest[..at]);
            rest = &rest[at..];
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
            let word = &rest[..end];
            let whole = format!("{word}@redacted");
            match (rest.starts_with(&whole), self.meanings.get(&whole), self.meanings.get(word)) {
                (true, Some(meaning), _) => {
                    restored.push_str(meaning);
                    rest = &rest[whole.len()..];
                    continue;
                }
                (_, _, Some(meaning)) => restored.push_str(meaning),
                _ => restored.push_str(word),
            }
            rest = &rest[end..];
        }
        restored + rest
    }

    /// The same stand-in for the same value, whatever its case.
    fn stand_in(&mut self, kind: Kind, value: &str) -> String {
        let key = value.to_lowercase();
        if let Some(known) = self.stand_ins.get(&key) {
            return known.clone();
        }
        let number = self.meanings.len() + 1;
        let stand_in = match kind {
            Kind::Address => format!("person{number}@redacted"),
            Kind::Name => format!("Person{number}"),
            Kind::Phone => format!("Phone{number}"),
            Kind::Place => format!("Host{number}"),
        };
        self.stand_ins.insert(key, stand_in.clone());
        self.meanings.insert(stand_in.clone(), value.to_owned());
        stand_in
    }
}

/// A text from which everything was taken that must not leave.
#[derive(Clone, PartialEq, Eq)]
pub struct Redacted(String);

impl Redacted {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Redacted {
    /// It is still somebody's words.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Redacted({} bytes)", self.0.len())
    }
}

/// Why a text may not leave. It names no part of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsafe {
    /// It is too long to be looked through.
    #[error("the text is too long to be looked through")]
    TooLong,
    /// A word looks as random as a key, and is of no kind that is known.
    #[error("a word in it looks like a key of an unknown kind")]
    LooksLikeKey,
    /// It speaks of a password, and what follows may be one.
    #[error("it speaks of a password or code, and what follows may be one")]
    LooksLikePassword,
    /// It speaks of a card or account, and the number is none that can be told.
    #[error("it speaks of a card or account whose number cannot be told")]
    LooksLikeAccount,
    /// An address is written in a way that hides it.
    #[error("an address in it is written so that it cannot be told")]
    LooksLikeAddress,
    /// It holds what looks like a stand-in of ours.
    #[error("it holds words that look like our own stand-ins")]
    LooksLikeStandIn,
    /// It has digits in a script that cannot be read.
    #[error("it has digits that cannot be read")]
    UnreadDigits,
}

/// A part of a text, in characters, with what stands for it.
struct Span {
    from: usize,
    to: usize,
    instead: Instead,
}

enum Instead {
    /// It is gone for good.
    Removed(&'static str),
    /// A stand-in of this kind.
    StandIn(Kind),
}

/// The text without what must not leave. It comes back in plain digits and visible characters.
pub fn redact(text: &str, pseudonyms: &mut Pseudonyms) -> Result<Redacted, Unsafe> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(Unsafe::TooLong);
    }
    let text = plain::normal(text);
    if plain::has_unread_digits(&text) {
        return Err(Unsafe::UnreadDigits);
    }
    if has_stand_in(&text) {
        return Err(Unsafe::LooksLikeStandIn);
    }
    let chars: Vec<char> = text.chars().collect();
    // Earlier ones win where spans overlap: what is gone for good before what can be turned back.
    let mut spans = secrets::keys(&chars);
    let passwords = secrets::passwords(&chars)?;
    spans.extend(passwords.spans);
    spans.extend(numbers::ibans(&chars)?);
    spans.extend(people::addresses(&chars)?);
    spans.extend(numbers::cards(&chars)?);
    spans.extend(numbers::phones(&chars));
    spans.extend(people::names(&chars, &pseudonyms.names));
    let spans = apart(spans);
    let covered = |at: usize| spans.iter().any(|span| span.from <= at && at < span.to);
    if !passwords.may_be.iter().all(|at| covered(*at)) {
        return Err(Unsafe::LooksLikePassword);
    }
    if chars.iter().enumerate().any(|(at, c)| *c == '@' && !covered(at)) {
        return Err(Unsafe::LooksLikeAddress);
    }
    if secrets::has_unknown_key(&chars, covered) {
        return Err(Unsafe::LooksLikeKey);
    }
    Ok(Redacted(replaced(&chars, &spans, pseudonyms)))
}

fn has_stand_in(text: &str) -> bool {
    let ours = |word: &str| {
        ["Person", "Phone", "Host"].iter().any(|kind| {
            word.strip_prefix(kind)
                .is_some_and(|rest| !rest.is_empty() && rest.chars().all(|c| c.is_ascii_digit()))
        })
    };
    text.contains("@redacted") || text.split(|c: char| !c.is_ascii_alphanumeric()).any(ours)
}

/// The spans in order; one that overlaps an earlier one goes, and the earlier one grows over it.
fn apart(spans: Vec<Span>) -> Vec<Span> {
    let mut kept: Vec<Span> = Vec::new();
    for span in spans {
        match kept.iter_mut().find(|other| other.from < span.to && span.from < other.to) {
            // What is gone for good takes in what it touches; a stand-in must mean what it stood for.
            Some(other) if matches!(other.instead, Instead::Removed(_)) => {
                other.from = other.from.min(span.from);
                other.to = other.to.max(span.to);
            }
            Some(other) if matches!(span.instead, Instead::Removed(_)) => {
                other.from = other.from.min(span.from);
                other.to = other.to.max(span.to);
                other.instead = span.instead;
            }
            Some(_) => {}
            None => kept.push(span),
        }
    }
    kept.sort_by_key(|span| span.from);
    kept
}

fn replaced(chars: &[char], spans: &[Span], pseudonyms: &mut Pseudonyms) -> String {
    let mut text = String::new();
    let mut at = 0;
    for span in spans {
        if span.to <= at {
            continue;
        }
        let from = span.from.max(at);
        text.extend(&chars[at..from]);
        match span.instead {
            Instead::Removed(what) => text.push_str(what),
            Instead::StandIn(kind) => {
                let value: String = chars[from..span.to].iter().collect();
                text.push_str(&pseudonyms.stand_in(kind, &value));
            }
        }
        at = span.to;
    }
    text.extend(&chars[at..]);
    text
}
