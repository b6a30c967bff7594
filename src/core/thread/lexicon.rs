//! The words by which a conversation is read: one table a language, in `lexicon/`.
//!
//! A pattern is words in a row, as they are written; accents and case do not count. `a|b` is either,
//! `word*` any word that begins so, `@class` any word of that section, `..` up to three words
//! and `...` up to eight that hold no negation, `^` and `$` the sentence's ends, `?` its question mark.

use std::{collections::BTreeMap, sync::LazyLock};

use super::words::words;

/// The languages that have a table, ISO 639-1, with it.
const TABLES: [(&str, &str); 4] = [
    ("en", include_str!("lexicon/en.txt")),
    ("de", include_str!("lexicon/de.txt")),
    ("fr", include_str!("lexicon/fr.txt")),
    ("es", include_str!("lexicon/es.txt")),
];

/// How many words `..` stands for at most.
const NEAR: usize = 3;

/// How many words `...` stands for at most.
const FAR: usize = 8;

static LEXICON: LazyLock<Lexicon> = LazyLock::new(Lexicon::read);

/// The patterns of all languages by section.
pub struct Lexicon {
    patterns: BTreeMap<&'static str, Vec<Pattern>>,
    classes: BTreeMap<&'static str, Vec<(&'static str, Vec<Alternative>)>>,
}

/// Words in a row.
pub struct Pattern {
    tokens: Vec<Token>,
    weight: i32,
}

enum Token {
    Start,
    End,
    Gap(usize),
    Word(Vec<Alternative>),
}

#[derive(Clone)]
struct Alternative {
    text: String,
    begins: bool,
}

impl Alternative {
    fn read(text: &str) -> Self {
        let folded = words(text.trim_end_matches('*')).concat();
        Self { text: folded, begins: text.ends_with('*') }
    }

    fn fits(&self, word: &str) -> bool {
        match self.begins {
            true => word.starts_with(&self.text),
            false => word == self.text,
        }
    }
}

/// The sections of one table, by name, with their lines.
fn sections(table: &'static str) -> BTreeMap<&'static str, Vec<&'static str>> {
    let mut found: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut name = "";
    for line in table.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("# ")) {
        match line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            Some(section) => name = section,
            None => found.entry(name).or_default().push(line),
        }
    }
    found
}

impl Lexicon {
    fn read() -> Self {
        let mut read = Self { patterns: BTreeMap::new(), classes: BTreeMap::new() };
        for (language, table) in TABLES {
            let sections = sections(table);
            for (name, lines) in &sections {
                let list = lines.iter().flat_map(|line| line.split_whitespace()).map(Alternative::read);
                read.classes.entry(name).or_default().push((language, list.collect()));
                let patterns = lines.iter().map(|line| Pattern::read(line, name, &sections));
                read.patterns.entry(name).or_default().extend(patterns);
            }
        }
        read
    }
}

impl Pattern {
    fn read(line: &str, section: &str, sections: &BTreeMap<&str, Vec<&str>>) -> Self {
        let (weight, line) = match section {
            "mood" => line.split_once(' ').unwrap_or((line, "")),
            _ => ("0", line),
        };
        let tokens = line.split_whitespace().map(|token| match token {
            "^" => Token::Start,
            "$" => Token::End,
            ".." => Token::Gap(NEAR),
            "..." => Token::Gap(FAR),
            token => Token::Word(token.split('|').flat_map(|one| alternatives(one, sections)).collect()),
        });
        Self { tokens: tokens.collect(), weight: weight.parse().unwrap_or(0) }
    }

    /// Where the words fit, first place first: from and behind.
    fn find(&self, words: &[String]) -> Option<(usize, usize)> {
        (0..words.len()).find_map(|from| fit(&self.tokens, words, from, from).map(|until| (from, until)))
    }
}

fn alternatives(one: &str, sections: &BTreeMap<&str, Vec<&str>>) -> Vec<Alternative> {
    match one.strip_prefix('@').and_then(|class| sections.get(class)) {
        Some(lines) => lines.iter().flat_map(|line| line.split_whitespace()).map(Alternative::read).collect(),
        None if one == "?" => vec![Alternative { text: "?".to_owned(), begins: false }],
        None => vec![Alternative::read(one)],
    }
}

/// Where the tokens end if they fit from here on. The gaps are few and short: bounded work.
fn fit(tokens: &[Token], words: &[String], first: usize, at: usize) -> Option<usize> {
    let Some((token, rest)) = tokens.split_first() else { return Some(at) };
    match token {
        Token::Start => (at == 0).then(|| fit(rest, words, first, at)).flatten(),
        Token::End => {
            let over = words.get(at).is_none_or(|word| word == "?");
            over.then(|| fit(rest, words, first, at)).flatten()
        }
        Token::Word(any) => {
            let word = words.get(at)?;
            any.iter().any(|one| one.fits(word)).then(|| fit(rest, words, first, at + 1)).flatten()
        }
        Token::Gap(most) => {
            let gap = words[at.min(words.len())..].iter().take(*most).take_while(|word| !is_negation(word));
            (0..=gap.count()).find_map(|skip| fit(rest, words, first, at + skip))
        }
    }
}

/// Words that turn what follows into its opposite, in the languages of the tables.
pub fn is_negation(word: &str) -> bool {
    matches!(
        word,
        "not"
            | "never"
            | "no"
            | "cannot"
            | "without"
            | "nicht"
            | "nie"
            | "kein"
            | "keine"
            | "keinen"
            | "ohne"
            | "pas"
            | "jamais"
            | "aucun"
            | "aucune"
            | "sans"
            | "nunca"
            | "ningun"
            | "ninguna"
            | "sin"
    ) || word.ends_with("n't")
}

/// Whether any pattern of a section fits the words, in any language.
pub fn has(section: &str, words: &[String]) -> bool {
    find(section, words).is_some()
}

/// Where the first pattern of a section fits, of those that begin earliest: from and behind.
pub fn find(section: &str, words: &[String]) -> Option<(usize, usize)> {
    patterns(section).iter().filter_map(|pattern| pattern.find(words)).min()
}

/// The weights of all patterns of a section that fit, each with where it begins.
pub fn weights<'a>(section: &str, words: &'a [String]) -> impl Iterator<Item = (usize, i32)> + 'a {
    patterns(section)
        .iter()
        .filter_map(move |pattern| pattern.find(words).map(|(from, _)| (from, pattern.weight)))
}

fn patterns(section: &str) -> &'static [Pattern] {
    LEXICON.patterns.get(section).map_or(&[], Vec::as_slice)
}

/// Whether the word is in a section that lists words, in any language.
pub fn in_class(section: &str, word: &str) -> bool {
    LEXICON
        .classes
        .get(section)
        .is_some_and(|languages| languages.iter().any(|(_, class)| class.iter().any(|one| one.fits(word))))
}

/// How many of the words are in a section, by language.
pub fn votes(section: &str, words: &[String]) -> BTreeMap<&'static str, usize> {
    let languages = LEXICON.classes.get(section).map_or(&[][..], Vec::as_slice);
    let count =
        |class: &[Alternative]| words.iter().filter(|word| class.iter().any(|one| one.fits(word))).count();
    languages.iter().map(|(language, class)| (*language, count(class))).collect()
}

/// The sections whose name begins so, without the beginning.
pub fn kinds(prefix: &str) -> impl Iterator<Item = (&'static str, &'static str)> {
    LEXICON.patterns.keys().filter_map(move |name| Some((*name, name.strip_prefix(prefix)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sections that a language may do without.
    const OPTIONAL: [&str; 1] = ["month"];

    #[test]
    fn every_language_has_every_section() {
        let names = |table| sections(table).into_keys().collect::<Vec<_>>();
        let english = names(TABLES[0].1);
        for (language, table) in TABLES {
            let missing: Vec<_> = english
                .iter()
                .filter(|name| !names(table).contains(name) && !OPTIONAL.contains(name))
                .collect();
            assert!(missing.is_empty(), "{language} lacks {missing:?}");
            assert!(
                names(table).iter().all(|name| english.contains(name)),
                "{language} has a section too many"
            );
        }
    }

    #[test]
    fn classes_that_patterns_name_exist() {
        for (language, table) in TABLES {
            let sections = sections(table);
            for word in sections.values().flatten().flat_map(|line| line.split([' ', '|'])) {
                let known = word.strip_prefix('@').is_none_or(|class| sections.contains_key(class));
                assert!(known, "{language}: {word} names no section");
            }
        }
    }

    #[test]
    fn moods_have_weights() {
        for (language, table) in TABLES {
            for line in &sections(table)["mood"] {
                let weight = line.split(' ').next().and_then(|weight| weight.parse::<i32>().ok());
                assert!(weight.is_some_and(|weight| weight != 0), "{language}: {line}");
            }
        }
    }

    #[test]
    fn gaps_hold_no_negation() {
        assert!(has("did", &words("We have now fully reset it")));
        assert!(!has("did", &words("We have not reset it")));
    }
}
