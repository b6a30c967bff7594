//! Lines of a briefing in a model's words: what is offered, and what of it is accepted.
//!
//! A model is not believed. A rewrite may leave out and put in order, and join what is left with
//! small words; every number, identifier, name and other word that carries meaning must stand in
//! the line's sources, and what is denied must stay denied.

#[cfg(test)]
mod tests;
mod words;

use std::{collections::BTreeSet, fmt};

use crate::{
    briefing::{LineId, Template, draft_lines, text::is_hiding},
    model::package::Package,
};
use words::{denial, is_joining, is_number_word, is_unit, knows_denials, same_stem};

/// The longest rewrite in characters.
const CHARS_MAX: usize = 320;

/// How many words a rewrite may have beyond the draft.
const WORDS_BEYOND: usize = 4;

/// A line of the head that may be put into better words.
#[derive(Clone, PartialEq, Eq)]
pub struct Draft {
    /// Which line.
    pub line: LineId,
    /// What it says without a model.
    pub text: String,
    /// What it says it from.
    pub sources: Vec<String>,
}

impl fmt::Debug for Draft {
    /// What somebody said never reaches a log.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Draft({}, {} bytes)", self.line, self.text.len())
    }
}

/// Why a rewrite is not used. It names no word of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    /// It says nothing.
    #[error("it is empty")]
    Empty,
    /// It is longer than what it stands for.
    #[error("it is longer than the line that it stands for")]
    TooLong,
    /// It has several lines.
    #[error("it has several lines")]
    SeveralLines,
    /// It has characters that hide or reorder text.
    #[error("it has hidden characters")]
    Hidden,
    /// It has marks that only our own text has, or a markup.
    #[error("it has brackets or marks of a markup")]
    Markup,
    /// It quotes somebody in words that nobody said.
    #[error("it quotes what nobody said")]
    Quotation,
    /// A number stands in no source.
    #[error("a number in it stands in no source")]
    Number,
    /// An identifier, address or link stands in no source.
    #[error("an identifier, address or link in it stands in no source")]
    Identifier,
    /// A name stands in no source.
    #[error("a name in it stands in no source")]
    Name,
    /// A word that carries meaning stands in no source.
    #[error("a word in it stands in no source")]
    Word,
    /// It denies what was not denied, or the other way round.
    #[error("it denies what was said, or says what was denied")]
    Negation,
}

impl Rejected {
    /// The word for it in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::TooLong => "too_long",
            Self::SeveralLines => "several_lines",
            Self::Hidden => "hidden",
            Self::Markup => "markup",
            Self::Quotation => "quotation",
            Self::Number => "number",
            Self::Identifier => "identifier",
            Self::Name => "name",
            Self::Word => "word",
            Self::Negation => "negation",
        }
    }
}

/// The fields whose lines say what was done and how it ended: they stay in our words.
const KEPT: [&str; 2] = ["attempts", "promises"];

/// The lines that may be put into better words: those of which everything is known, that tell of
/// nothing done or promised, in a language whose denials are known.
pub fn offer(package: &Package, template: &Template) -> Vec<Draft> {
    if !package.conversation.language.value().is_some_and(|language| knows_denials(language)) {
        return Vec::new();
    }
    let kept = |id: &LineId| {
        let lines = template.lines().iter().filter(|line| line.id == *id);
        lines.flat_map(|line| &line.fields).any(|field| KEPT.contains(&field.as_str()))
    };
    let draft =
        |line: crate::briefing::DraftLine| Draft { line: line.id, text: line.text, sources: line.sources };
    let lines = draft_lines(package, template).into_iter().filter(|line| !kept(&line.id));
    lines.map(draft).filter(|draft| is_readable(&draft.text)).collect()
}

/// Whether a text is in Latin letters, and not plainly in a language whose denials are unknown.
fn is_readable(text: &str) -> bool {
    let latin = text.chars().all(|c| !c.is_alphabetic() || c <= '\u{024F}');
    let language = whatlang::detect(text).filter(whatlang::Info::is_reliable);
    latin && language.is_none_or(|info| knows_denials(info.lang().code()))
}

/// The rewrite of a line, if everything in it stands in the draft's sources.
pub fn accept(draft: &Draft, proposal: &str) -> Result<String, Rejected> {
    let text = proposal.trim();
    form(draft, text)?;
    let known = Known::of(draft);
    quotations(&known, text)?;
    for word in words_of(text) {
        known.has(word)?;
    }
    if !numbers(text).is_subset(&known.numbers) {
        return Err(Rejected::Number);
    }
    match denials(text) == denials(&draft.text) {
        true => Ok(text.to_owned()),
        false => Err(Rejected::Negation),
    }
}

/// Whether a rewrite has the form of one with its stand-ins turned back: what they mean may hold
/// marks that a line must not have. The draft is the one before anything was taken out.
pub fn check_restored(draft: &Draft, restored: &str) -> Result<(), Rejected> {
    form(draft, restored)?;
    quotations(&Known::of(draft), restored)
}

/// One line of visible characters, not longer than the draft, without brackets.
fn form(draft: &Draft, text: &str) -> Result<(), Rejected> {
    if text.is_empty() {
        return Err(Rejected::Empty);
    }
    if text.chars().any(is_hiding) {
        return Err(Rejected::Hidden);
    }
    if text.chars().any(|c| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')) {
        return Err(Rejected::SeveralLines);
    }
    let words_max = draft.text.split_whitespace().count() + WORDS_BEYOND;
    if text.chars().count() > CHARS_MAX || text.split_whitespace().count() > words_max {
        return Err(Rejected::TooLong);
    }
    let markup = |c: char| matches!(c, '[' | ']' | '{' | '}' | '`' | '*' | '|' | '\\' | '~' | '^');
    match text.chars().any(markup) || text.contains("](") || text.starts_with(['#', '>', '-']) {
        true => Err(Rejected::Markup),
        false => Ok(()),
    }
}

/// The words of a draft's sources.
struct Known {
    whole: String,
    /// All words, in lower case.
    words: BTreeSet<String>,
    /// Those that stand somewhere without a capital: only these may change their form.
    common: BTreeSet<String>,
    numbers: BTreeSet<Counted>,
}

/// A number with the unit before it and the unit behind it.
type Counted = (String, Option<String>, Option<String>);

impl Known {
    fn of(draft: &Draft) -> Self {
        let texts = || draft.sources.iter().map(String::as_str).chain([draft.text.as_str()]);
        let words = texts().flat_map(words_of).map(folded).collect();
        let whole = texts().map(plain_quotes).collect::<Vec<_>>().join("\n");
        let common = texts().flat_map(words_of).filter(|word| !is_capitalised(word)).map(folded).collect();
        let numbers = texts().flat_map(numbers).collect();
        Self { whole, words, common, numbers }
    }

    /// Whether the word may stand in a rewrite.
    fn has(&self, word: &str) -> Result<(), Rejected> {
        let bare = folded(word);
        if bare.is_empty() || self.words.contains(&bare) {
            return Ok(());
        }
        if bare.chars().any(char::is_numeric) || is_number_word(&bare) {
            return Err(Rejected::Number);
        }
        if bare.contains(['@', '/', '_', '#', '=', ':', '.', '<', '>', '&', '%', '$', '€', '£', '+']) {
            return Err(Rejected::Identifier);
        }
        if is_joining(&bare) {
            return Ok(());
        }
        if is_capitalised(word) {
            let owner = bare.strip_suffix("'s").or_else(|| bare.strip_suffix('s'));
            let said = owner.is_some_and(|owner| self.words.contains(owner));
            return if said || denial(&bare).is_some() { Ok(()) } else { Err(Rejected::Name) };
        }
        // What denies is held against the draft later; each part of a word must stand in the source.
        let parts = || bare.split(['-', '\'']).filter(|part| !part.is_empty());
        let fits = |part: &str| part == "s" || denial(part).is_some() || self.has_stem(part);
        match denial(&bare).is_some() || parts().all(|part| is_joining(part) || fits(part)) {
            true => Ok(()),
            false => Err(Rejected::Word),
        }
    }

    fn has_stem(&self, word: &str) -> bool {
        self.words.contains(word) || self.common.iter().any(|known| same_stem(known, word))
    }
}

fn is_capitalised(word: &str) -> bool {
    word.chars().find(|c| c.is_alphanumeric()).is_some_and(char::is_uppercase)
}

/// What a text denies: each denial with the word of its clause that it goes with.
fn denials(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for clause in text.split(ends_clause) {
        let bare: Vec<String> = words_of(clause).map(folded).collect();
        let parts: Vec<&str> = bare.iter().flat_map(|word| word.split('-')).collect();
        let content = |part: &&&str| !part.is_empty() && denial(part).is_none() && !is_joining(part);
        for (at, part) in parts.iter().enumerate() {
            let Some(denial) = denial(part) else { continue };
            let next = parts[at + 1..].iter().find(content);
            let of = next.or_else(|| parts[..at].iter().rev().find(content));
            found.push((denial.to_owned(), of.map_or_else(String::new, |word| (*word).to_owned())));
        }
    }
    found.sort();
    found
}

fn ends_clause(c: char) -> bool {
    matches!(c, ',' | ';' | ':' | '.' | '!' | '?' | '(' | ')' | '—' | '–' | '…' | '\n')
}

/// The numbers of a text with what they count.
fn numbers(text: &str) -> BTreeSet<Counted> {
    let words: Vec<&str> = words_of(text).collect();
    let unit = |at: Option<usize>| {
        let word = at.and_then(|at| words.get(at))?;
        let bare = word.trim_matches([',', '.', '!', '?', ':']);
        let code = (2..=4).contains(&bare.len()) && bare.chars().all(|c| c.is_ascii_uppercase());
        let bare = bare.to_lowercase();
        (code || is_unit(&bare)).then_some(bare)
    };
    let of = |(at, word): (usize, &&str)| {
        let bare = folded(word);
        // What ends a clause parts a number from the word behind it.
        let behind = (!word.ends_with([',', ';', ':', '!', '?'])).then_some(at + 1);
        let before = at.checked_sub(1).filter(|at| !words[*at].ends_with([',', ';', '!', '?', '.']));
        let counts = bare.chars().any(char::is_numeric) || is_number_word(&bare);
        counts.then(|| (bare, unit(before), unit(behind)))
    };
    words.iter().enumerate().filter_map(of).collect()
}

/// What stands in quotation marks was said so.
fn quotations(known: &Known, text: &str) -> Result<(), Rejected> {
    let text = plain_quotes(text);
    let parts: Vec<&str> = text.split('"').collect();
    if parts.len().is_multiple_of(2) {
        return Err(Rejected::Quotation);
    }
    let said = |quoted: &&str| !quoted.trim().is_empty() && known.whole.contains(quoted.trim());
    match parts.iter().skip(1).step_by(2).all(said) {
        true => Ok(()),
        false => Err(Rejected::Quotation),
    }
}

/// Every kind of quotation mark as one.
fn plain_quotes(text: &str) -> String {
    let quotes = |c: char| match c {
        '“' | '”' | '„' | '‟' | '«' | '»' | '‹' | '›' | '「' | '」' | '『' | '』' | '〝' | '〞' | '＂' => {
            '"'
        }
        c => c,
    };
    text.chars().map(quotes).collect()
}

fn words_of(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| {
        c.is_whitespace() || matches!(c, '—' | '–' | '…' | ';' | '(' | ')' | '"' | '“' | '”' | '‑' | '‐')
    })
    .filter(|word| !word.is_empty())
}

/// A word without what stands around it, in lower case, with one kind of apostrophe. What changes
/// a number's value stays with it.
fn folded(word: &str) -> String {
    let one = |c: char| if matches!(c, '’' | '‘' | 'ʼ' | '´' | '＇' | '′') { '\'' } else { c };
    let word: String = word.chars().map(one).collect();
    let quote = |c: char| matches!(c, '\'' | '„' | '‟' | '«' | '»' | '‹' | '›');
    let around = |c: char| quote(c) || matches!(c, ',' | '.' | '!' | '?' | ':' | '<' | '>' | '/');
    let bare = word.trim_end_matches(around).trim_start_matches(quote);
    let trimmed = bare.trim_start_matches(around);
    let changes = trimmed.starts_with(|c: char| c.is_numeric())
        && bare[..bare.len() - trimmed.len()].contains(['<', '>', '.', '/']);
    if changes { bare.to_lowercase() } else { trimmed.to_lowercase() }
}
