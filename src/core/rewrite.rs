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
use words::{is_joining, is_negation, is_number_word, same_stem};

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

/// The lines that may be put into better words: those of which everything is known.
pub fn offer(package: &Package, template: &Template) -> Vec<Draft> {
    let draft =
        |line: crate::briefing::DraftLine| Draft { line: line.id, text: line.text, sources: line.sources };
    draft_lines(package, template).into_iter().map(draft).collect()
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
    let denials = |text: &str| words_of(text).filter(|word| is_negation(&folded(word))).count();
    match denials(text) == denials(&draft.text) {
        true => Ok(text.to_owned()),
        false => Err(Rejected::Negation),
    }
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
    words: BTreeSet<String>,
}

impl Known {
    fn of(draft: &Draft) -> Self {
        let texts = || draft.sources.iter().map(String::as_str).chain([draft.text.as_str()]);
        let words = texts().flat_map(words_of).map(folded).collect();
        let whole = texts().map(plain_quotes).collect::<Vec<_>>().join("\n");
        Self { whole, words }
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
        if word.chars().find(|c| c.is_alphanumeric()).is_some_and(char::is_uppercase) && !self.has_stem(&bare)
        {
            return Err(Rejected::Name);
        }
        // What denies is counted; a word made of several must have each of its parts.
        let parts = || bare.split(['-', '\'', '’']).filter(|part| !part.is_empty());
        let fits = |part: &str| is_negation(part) || is_joining(part) || self.has_stem(part);
        match is_negation(&bare) || parts().all(fits) {
            true => Ok(()),
            false => Err(Rejected::Word),
        }
    }

    fn has_stem(&self, word: &str) -> bool {
        self.words.contains(word) || self.words.iter().any(|known| same_stem(known, word))
    }
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
        c.is_whitespace() || matches!(c, '—' | '–' | '…' | ';' | '(' | ')' | '"' | '“' | '”')
    })
    .filter(|word| !word.is_empty())
}

/// A word without what stands around it, in lower case.
fn folded(word: &str) -> String {
    let around = |c: char| {
        matches!(
            c,
            ',' | '.'
                | '!'
                | '?'
                | ':'
                | '\''
                | '‘'
                | '’'
                | '„'
                | '‟'
                | '«'
                | '»'
                | '‹'
                | '›'
                | '<'
                | '>'
                | '/'
        )
    };
    word.trim_matches(around).to_lowercase()
}
