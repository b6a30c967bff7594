//! A conversation taken apart: turns, their sentences, their words.

use unicode_segmentation::UnicodeSegmentation;

use super::{
    ThreadRules, lexicon,
    words::{self, words},
};
use crate::{
    briefing::{one_line, shortened},
    model::turn::{Party, Turn},
};

/// A line from which on it may go on in the next: mail is wrapped near here.
const WRAPPED_CHARS_MIN: usize = 50;

/// Abbreviations whose full stop ends no sentence.
const ABBREVIATED: [&str; 22] = [
    "mr", "mrs", "ms", "dr", "st", "nr", "no", "num", "e.g", "i.e", "z.b", "bzw", "ca", "tel", "sr", "sra",
    "m", "mme", "vs", "etc", "approx", "inkl",
];

/// One sentence of a turn.
pub struct Sentence {
    /// What it says, on one line, without marks of a list.
    pub text: String,
    /// Its words, see [`words`].
    pub words: Vec<String>,
}

impl Sentence {
    /// One from text on one line.
    pub fn new(text: &str) -> Self {
        let text = text.replace(['*', '`'], "");
        let text = text.trim_start_matches(|c: char| c.is_whitespace() || "-•–#>".contains(c)).trim_end();
        Self { text: text.to_owned(), words: words(text) }
    }

    /// Whether it asks, by its mark.
    pub fn asks(&self) -> bool {
        self.words.last().is_some_and(|word| word == "?")
    }

    /// Whether a pattern of the section fits.
    pub fn has(&self, section: &str) -> bool {
        lexicon::has(section, &self.words)
    }

    /// How many words it has.
    pub fn len(&self) -> usize {
        self.words.len() - usize::from(self.asks())
    }

    /// Whether it is a greeting, thanks or a farewell and nothing else.
    pub fn is_ceremony(&self) -> bool {
        let said = self.words.iter().filter(|word| *word != "?");
        self.len() <= 16 && said.clone().all(|word| lexicon::in_class("ceremony", word))
            || self.text.starts_with("###")
    }

    /// Words that carry its meaning, as stems.
    pub fn stems(&self) -> impl Iterator<Item = &str> {
        meaningful(&self.words)
    }

    /// What it says, without a greeting before it, no longer than the rules allow.
    pub fn excerpt(&self, rules: &ThreadRules) -> String {
        shortened(&without_greeting(&self.text), rules.excerpt_chars_max)
    }
}

/// The stems of words that are no mere function words.
pub fn meaningful(words: &[String]) -> impl Iterator<Item = &str> {
    words
        .iter()
        .filter(|word| word.chars().count() > 2 && !lexicon::in_class("function", word))
        .map(|word| words::stem(word))
}

/// `Hi there, I want...` without its greeting.
fn without_greeting(text: &str) -> String {
    let Some((greeting, rest)) = text.split_once([',', '!', '–', '—']) else { return text.to_owned() };
    let greets = words(greeting).iter().all(|word| lexicon::in_class("ceremony", word));
    let rest = rest.trim_start();
    if !greets || greeting.chars().count() > 40 || rest.split_whitespace().nth(2).is_none() {
        return text.to_owned();
    }
    let mut letters = rest.chars();
    let first = letters.next().map(|c| c.to_uppercase().collect::<String>()).unwrap_or_default();
    without_greeting(&format!("{first}{}", letters.as_str()))
}

/// Who speaks, as far as it matters for reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The customer.
    Customer,
    /// An AI agent.
    Bot,
    /// A person of the company.
    Human,
}

/// One turn that somebody said, in sentences.
pub struct Said<'a> {
    /// The turn.
    pub turn: &'a Turn,
    /// Its place among all turns, from 0.
    pub place: usize,
    /// Who speaks.
    pub role: Role,
    /// What they say.
    pub sentences: Vec<Sentence>,
}

impl Said<'_> {
    /// Whether a sentence has a pattern of the section.
    pub fn has(&self, section: &str) -> bool {
        self.sentences.iter().any(|sentence| sentence.has(section))
    }

    /// Whether the customer wrote it.
    pub fn is_customer(&self) -> bool {
        self.role == Role::Customer
    }

    /// Whether it answers the customer: somebody else wrote it, and they can read it.
    pub fn is_answer(&self) -> bool {
        !self.is_customer() && self.turn.public
    }
}

/// What was said, in order. Calls of tools and what nobody said are left out.
pub fn said(turns: &[Turn]) -> Vec<Said<'_>> {
    turns
        .iter()
        .enumerate()
        .filter_map(|(place, turn)| {
            let role = role(&turn.by)?;
            let sentences = sentences(&turn.text);
            (!sentences.is_empty()).then_some(Said { turn, place, role, sentences })
        })
        .collect()
}

/// Who speaks; none for a machine that is no AI agent.
pub fn role(by: &Party) -> Option<Role> {
    match by {
        Party::Customer => Some(Role::Customer),
        Party::Bot { .. } => Some(Role::Bot),
        Party::Human { .. } => Some(Role::Human),
        Party::Nobody => None,
    }
}

/// The sentences of a text: what is quoted of an earlier mail and what stands below a signature's mark
/// is left out, lines that were wrapped are put together.
pub fn sentences(text: &str) -> Vec<Sentence> {
    let mut found = Vec::new();
    for paragraph in paragraphs(text) {
        let mut open = String::new();
        for part in paragraph.split_sentence_bounds() {
            open.push_str(part);
            if !ends_abbreviated(part) {
                push(&mut found, &open);
                open.clear();
            }
        }
        push(&mut found, &open);
    }
    found
}

fn push(found: &mut Vec<Sentence>, text: &str) {
    let sentence = Sentence::new(&one_line(text));
    if sentence.len() > 0 {
        found.push(sentence);
    }
}

fn ends_abbreviated(part: &str) -> bool {
    let Some(word) = part.trim_end().strip_suffix('.').and_then(|part| part.split_whitespace().next_back())
    else {
        return false;
    };
    word.len() <= 6 && ABBREVIATED.contains(&word.to_lowercase().trim_start_matches('('))
}

/// Lines that belong together, as one each.
fn paragraphs(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut goes_on = false;
    for line in text.split(['\n', '\r', '\u{2028}', '\u{2029}']).map(str::trim) {
        if line == "--" || is_quote_header(line) {
            break;
        }
        if line.is_empty() || line.starts_with('>') {
            goes_on = false;
            continue;
        }
        match found
            .last_mut()
            .filter(|_| goes_on && line.starts_with(char::is_alphanumeric) && !is_item(line))
        {
            Some(last) => {
                last.push(' ');
                last.push_str(line);
            }
            None => found.push(line.to_owned()),
        }
        goes_on = line.chars().nth(WRAPPED_CHARS_MIN).is_some() && !line.ends_with(['.', '!', '?', ':', ';']);
    }
    found
}

/// `1. ` and the like begin an item of a list.
fn is_item(line: &str) -> bool {
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    (1..=3).contains(&digits) && line[digits..].starts_with(['.', ')'])
}

fn is_quote_header(line: &str) -> bool {
    const BEGINS: [&str; 4] = ["-----Original", "-----Urspr", "-----Message d", "-----Mensaje"];
    const ENDS: [&str; 4] = ["wrote:", "schrieb:", "a écrit :", "escribió:"];
    BEGINS.iter().any(|mark| line.starts_with(mark)) || ENDS.iter().any(|mark| line.ends_with(mark))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<String> {
        sentences(text).into_iter().map(|sentence| sentence.text).collect()
    }

    #[test]
    fn sentences_end_where_they_end() {
        assert_eq!(texts("It broke. Why? Tell Mr. Smith!"), ["It broke.", "Why?", "Tell Mr. Smith!"]);
        assert_eq!(texts("- **one** thing\n- another"), ["one thing", "another"]);
        assert_eq!(texts("Version 2.4.1 fails, e.g. here."), ["Version 2.4.1 fails, e.g. here."]);
    }

    #[test]
    fn wrapped_lines_are_one_sentence_and_quotes_none() {
        let mail = "I have been waiting for my parcel with the\nnumber 5 for two long weeks and nobody tells me\n\
                    anything.\n\nOn Monday Ann wrote:\n> Hello";
        let read = texts(mail);
        assert_eq!(read.len(), 3, "{read:?}");
        let long = "I have been waiting for my parcel with the number 77123\nfor two weeks.";
        assert_eq!(texts(long).len(), 1);
        assert_eq!(texts("> quoted\nNew.\n--\nAnn, Sales"), ["New."]);
    }

    #[test]
    fn greetings_are_told_apart() {
        let ceremony = |text: &str| Sentence::new(text).is_ceremony();
        for text in [
            "Hi there!",
            "Thank you so much for your help!",
            "Viele Grüße",
            "Merci beaucoup !",
            "Hola, buenos días",
        ] {
            assert!(ceremony(text), "{text}");
        }
        for text in ["Hi, my app crashes", "Thanks, but it fails"] {
            assert!(!ceremony(text), "{text}");
        }
        let rules = ThreadRules {
            transfer_prefixes: Vec::new(),
            inner_tools: std::collections::BTreeSet::new(),
            excerpt_chars_max: 80,
            hop: 1,
        };
        assert_eq!(Sentence::new("Hi there, my app crashes").excerpt(&rules), "My app crashes");
    }
}
