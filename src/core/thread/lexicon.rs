//! The words by which a conversation is read: one table a language, in `lexicon/`.
//!
//! A pattern is words in a row, as they are written; accents and case do not count. `a|b` is either, `a_b`
//! two words that stand for one there,
//! `word*` any word that begins so, `@class` any word of that section, `..` up to three words
//! and `...` up to eight that hold no negation, `^` and `$` the sentence's ends, `?` its question mark.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

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

/// The longest beginning of a word in a table, in characters.
const BEGINNING_CHARS_MAX: usize = 16;

static LEXICON: LazyLock<Lexicon> = LazyLock::new(Lexicon::read);

/// The patterns of all languages, found by their first word.
struct Lexicon {
    patterns: Vec<Pattern>,
    by_word: BTreeMap<String, Vec<usize>>,
    by_beginning: BTreeMap<String, Vec<usize>>,
    classes: BTreeMap<&'static str, BTreeMap<&'static str, Words>>,
}

/// Words in a row.
struct Pattern {
    section: &'static str,
    weight: i32,
    tokens: Vec<Token>,
}

enum Token {
    Start,
    End,
    Gap(usize),
    Word(Words),
}

/// Any of several words, and any word that begins in one of several ways.
#[derive(Clone, Default)]
struct Words {
    whole: BTreeSet<String>,
    beginnings: BTreeSet<String>,
}

impl Words {
    fn read<'a>(list: impl IntoIterator<Item = &'a str>) -> Self {
        let mut read = Self::default();
        for word in list {
            match word.strip_suffix('*') {
                Some(beginning) => read.beginnings.insert(words(beginning).concat()),
                None if word == "?" => read.whole.insert(word.to_owned()),
                None => read.whole.insert(words(word).concat()),
            };
        }
        read
    }

    fn fit(&self, word: &str) -> bool {
        self.whole.contains(word)
            || !self.beginnings.is_empty()
                && beginnings(word).any(|beginning| self.beginnings.contains(beginning))
    }
}

/// What a word may begin with, as far as a table says so.
fn beginnings(word: &str) -> impl Iterator<Item = &str> {
    let ends = word.char_indices().map(|(at, c)| at + c.len_utf8());
    ends.skip(1).take(BEGINNING_CHARS_MAX).map(|end| &word[..end])
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

fn listed<'a>(lines: &[&'a str]) -> impl Iterator<Item = &'a str> {
    lines.iter().flat_map(|line| line.split_whitespace())
}

impl Lexicon {
    fn read() -> Self {
        let mut patterns = Vec::new();
        let mut classes: BTreeMap<_, BTreeMap<_, Words>> = BTreeMap::new();
        for (language, table) in TABLES {
            let sections = sections(table);
            for (name, lines) in &sections {
                classes.entry(*name).or_default().insert(language, Words::read(listed(lines)));
                let plain = lines.iter().flat_map(|line| unfolded(line));
                patterns.extend(plain.map(|line| Pattern::read(&line, name, &sections)));
            }
        }
        let (mut by_word, mut by_beginning): (BTreeMap<_, Vec<_>>, BTreeMap<_, Vec<_>>) = Default::default();
        for (number, first) in
            patterns.iter().enumerate().filter_map(|(number, it)| Some((number, it.first()?)))
        {
            for word in &first.whole {
                by_word.entry(word.clone()).or_default().push(number);
            }
            for beginning in &first.beginnings {
                by_beginning.entry(beginning.clone()).or_default().push(number);
            }
        }
        Self { patterns, by_word, by_beginning, classes }
    }

    /// Patterns that may begin with the word.
    fn beginning_with<'a>(&'a self, word: &'a str) -> impl Iterator<Item = (usize, &'a Pattern)> {
        let whole = self.by_word.get(word).into_iter();
        let begun = beginnings(word).filter_map(|beginning| self.by_beginning.get(beginning));
        whole.chain(begun).flatten().map(|number| (*number, &self.patterns[*number]))
    }
}

impl Pattern {
    fn read(line: &str, section: &'static str, sections: &BTreeMap<&str, Vec<&str>>) -> Self {
        let (weight, line) = match section {
            "mood" => line.split_once(' ').unwrap_or((line, "")),
            _ => ("0", line),
        };
        let tokens = line.split_whitespace().map(|token| match token {
            "^" => Token::Start,
            "$" => Token::End,
            ".." => Token::Gap(NEAR),
            "..." => Token::Gap(FAR),
            token => Token::Word(Words::read(token.split('|').flat_map(|one| alternatives(one, sections)))),
        });
        Self { section, tokens: tokens.collect(), weight: weight.parse().unwrap_or(0) }
    }

    /// The word that it begins with.
    fn first(&self) -> Option<&Words> {
        match &self.tokens[..] {
            [Token::Word(first), ..] | [Token::Start, Token::Word(first), ..] => Some(first),
            _ => None,
        }
    }
}

/// The line without `_`: of `i_will|we'll` two lines.
fn unfolded(line: &str) -> Vec<String> {
    let Some(token) = line.split(' ').find(|token| token.contains('_')) else { return vec![line.to_owned()] };
    let (double, single): (Vec<&str>, Vec<&str>) = token.split('|').partition(|one| one.contains('_'));
    let single = (!single.is_empty()).then(|| single.join("|"));
    let each = double.iter().map(|one| one.replace('_', " ")).chain(single);
    each.flat_map(|one| unfolded(&line.replacen(token, &one, 1))).collect()
}

fn alternatives<'a>(one: &'a str, sections: &BTreeMap<&str, Vec<&'a str>>) -> Vec<&'a str> {
    match one.strip_prefix('@').and_then(|class| sections.get(class)) {
        Some(lines) => listed(lines).collect(),
        None => vec![one],
    }
}

/// Where the tokens end if they fit from here on. The gaps are few and short: bounded work.
fn fit(tokens: &[Token], words: &[String], at: usize) -> Option<usize> {
    let Some((token, rest)) = tokens.split_first() else { return Some(at) };
    match token {
        Token::Start => (at == 0).then(|| fit(rest, words, at)).flatten(),
        Token::End => {
            let over = words.get(at).is_none_or(|word| word == "?");
            over.then(|| fit(rest, words, at)).flatten()
        }
        Token::Word(any) => any.fit(words.get(at)?).then(|| fit(rest, words, at + 1)).flatten(),
        Token::Gap(most) => {
            let gap = words[at.min(words.len())..].iter().take(*most).take_while(|word| !is_negation(word));
            (0..=gap.count()).find_map(|skip| fit(rest, words, at + skip))
        }
    }
}

/// Words that turn what follows into its opposite, in the languages of the tables.
pub fn is_negation(word: &str) -> bool {
    word.ends_with("n't") || in_class("negation", word)
}

/// What fits a row of words.
#[derive(Default)]
pub struct Hits {
    sections: BTreeMap<&'static str, (usize, usize)>,
    moods: BTreeMap<usize, (usize, i32)>,
}

impl Hits {
    /// Looks for all patterns of all languages at once.
    pub fn of(words: &[String]) -> Self {
        let mut hits = Self::default();
        for (at, word) in words.iter().enumerate() {
            for (number, pattern) in LEXICON.beginning_with(word) {
                if hits.may_add(number, pattern, at)
                    && let Some(until) = fit(&pattern.tokens, words, at)
                {
                    hits.add(number, pattern, (at, until));
                }
            }
        }
        hits
    }

    fn may_add(&self, number: usize, pattern: &Pattern, at: usize) -> bool {
        match pattern.section {
            "mood" => !self.moods.contains_key(&number),
            section => self.sections.get(section).is_none_or(|(from, _)| *from == at),
        }
    }

    fn add(&mut self, number: usize, pattern: &Pattern, place: (usize, usize)) {
        if pattern.section == "mood" {
            self.moods.insert(number, (place.0, pattern.weight));
        } else {
            let known = self.sections.entry(pattern.section).or_insert(place);
            *known = (*known).min(place);
        }
    }

    /// Where the first pattern of a section fits: from and behind.
    pub fn find(&self, section: &str) -> Option<(usize, usize)> {
        self.sections.get(section).copied()
    }

    /// The weights of the moods, each with where it begins; each pattern once.
    pub fn moods(&self) -> impl Iterator<Item = (usize, i32)> {
        self.moods.values().copied()
    }
}

/// Whether there is a table for the language.
pub fn has_table(code: &str) -> bool {
    TABLES.iter().any(|(language, _)| *language == code)
}

/// Whether the word is in a section that lists words, in any language.
pub fn in_class(section: &str, word: &str) -> bool {
    LEXICON.classes.get(section).is_some_and(|languages| languages.values().any(|class| class.fit(word)))
}

/// How many of the words are in a section, by language.
pub fn votes(section: &str, words: &[String]) -> BTreeMap<&'static str, usize> {
    let count = |class: &Words| words.iter().filter(|word| class.fit(word)).count();
    let languages = LEXICON.classes.get(section).into_iter().flatten();
    languages.map(|(language, class)| (*language, count(class))).collect()
}

/// The sections whose name begins so, with what follows in it.
pub fn kinds(prefix: &str) -> impl Iterator<Item = (&'static str, &'static str)> {
    LEXICON.classes.keys().filter_map(move |name| Some((*name, name.strip_prefix(prefix)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Those that only help the patterns of their own table may differ.
    #[test]
    fn every_language_has_every_section() {
        let names = |table| sections(table).into_keys().collect::<Vec<_>>();
        let english = names(TABLES[0].1);
        for (language, table) in TABLES {
            let helps = |name: &&&str| TABLES[0].1.contains(&format!("@{name}"));
            let has = names(table);
            let missing: Vec<_> = english.iter().filter(|name| !has.contains(name) && !helps(name)).collect();
            assert!(missing.is_empty(), "{language} lacks {missing:?}");
            let used = |name: &&str| english.contains(name) || table.contains(&format!("@{name}"));
            let unused: Vec<_> = names(table).into_iter().filter(|name| !used(name)).collect();
            assert!(unused.is_empty(), "{language}: nothing uses {unused:?}");
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
        assert!(Hits::of(&words("We have now fully reset it")).find("did").is_some());
        assert!(Hits::of(&words("We have not reset it")).find("did").is_none());
    }

    #[test]
    fn two_words_may_stand_for_one() {
        assert_eq!(unfolded("i'll|i_will|we_will .. go"), ["i will .. go", "we will .. go", "i'll .. go"]);
    }

    #[test]
    fn every_pattern_begins_with_a_word() {
        for pattern in &LEXICON.patterns {
            let first = pattern.first().expect("a word");
            let long =
                first.beginnings.iter().any(|beginning| beginning.chars().count() > BEGINNING_CHARS_MAX);
            assert!(!long, "{}: a beginning is too long", pattern.section);
            assert!(first.beginnings.iter().all(|beginning| beginning.chars().count() >= 2));
        }
    }
}
