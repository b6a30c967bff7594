//! Which language the customer writes.

use super::{lexicon, sentences::Said};
use crate::model::{package::Stated, turn::Proof};

/// How much of the customer's text is looked at, in characters.
const CHARS_MAX: usize = 4_000;

/// How many more words of one language than of any other settle it.
const LEAD_MIN: usize = 2;

/// The language of the customer's messages.
pub fn language(said: &[Said<'_>]) -> Stated<String> {
    let mut text = String::new();
    let mut words: Vec<String> = Vec::new();
    let mut proofs: Vec<Proof> = Vec::new();
    for turn in said.iter().filter(|said| said.is_customer()) {
        proofs.push(turn.turn.proof.clone());
        for sentence in &turn.sentences {
            text.push_str(&sentence.text);
            text.push(' ');
            words.extend(sentence.words.iter().cloned());
        }
        if text.len() > CHARS_MAX {
            break;
        }
    }
    let text: String = text.chars().take(CHARS_MAX).collect();
    words.truncate(CHARS_MAX);
    match by_words(&words).or_else(|| by_letters(&text)) {
        Some(code) => Stated::known(code.to_owned(), proofs.into_iter().take(1)),
        None if proofs.is_empty() => Stated::unknown("the customer wrote nothing that was read"),
        None => Stated::unknown("the customer wrote too little to tell"),
    }
}

/// By small words, of which even a short message has some.
fn by_words(words: &[String]) -> Option<&'static str> {
    let mut votes: Vec<(usize, &str)> =
        lexicon::votes("function", words).into_iter().map(|(language, count)| (count, language)).collect();
    votes.sort_unstable();
    let (most, language) = votes.pop()?;
    let second = votes.pop().map_or(0, |(count, _)| count);
    let known = most * 6 >= words.len() && most >= second * 2;
    (known && most >= second + LEAD_MIN).then_some(language)
}

/// By letters: any of the languages that `whatlang` knows.
fn by_letters(text: &str) -> Option<&'static str> {
    let found = whatlang::detect(text).filter(whatlang::Info::is_reliable)?;
    let (_, two) = CODES.iter().find(|(three, _)| *three == found.lang().code())?;
    Some(two)
}

/// ISO 639-3, as `whatlang` names languages, and ISO 639-1.
const CODES: [(&str, &str); 70] = [
    ("afr", "af"),
    ("aka", "ak"),
    ("amh", "am"),
    ("ara", "ar"),
    ("aze", "az"),
    ("bel", "be"),
    ("ben", "bn"),
    ("bul", "bg"),
    ("cat", "ca"),
    ("ces", "cs"),
    ("cmn", "zh"),
    ("cym", "cy"),
    ("dan", "da"),
    ("deu", "de"),
    ("ell", "el"),
    ("eng", "en"),
    ("epo", "eo"),
    ("est", "et"),
    ("fin", "fi"),
    ("fra", "fr"),
    ("guj", "gu"),
    ("heb", "he"),
    ("hin", "hi"),
    ("hrv", "hr"),
    ("hun", "hu"),
    ("hye", "hy"),
    ("ind", "id"),
    ("ita", "it"),
    ("jav", "jv"),
    ("jpn", "ja"),
    ("kan", "kn"),
    ("kat", "ka"),
    ("khm", "km"),
    ("kor", "ko"),
    ("lat", "la"),
    ("lav", "lv"),
    ("lit", "lt"),
    ("mal", "ml"),
    ("mar", "mr"),
    ("mkd", "mk"),
    ("mya", "my"),
    ("nep", "ne"),
    ("nld", "nl"),
    ("nob", "nb"),
    ("ori", "or"),
    ("pan", "pa"),
    ("pes", "fa"),
    ("pol", "pl"),
    ("por", "pt"),
    ("ron", "ro"),
    ("rus", "ru"),
    ("sin", "si"),
    ("slk", "sk"),
    ("slv", "sl"),
    ("sna", "sn"),
    ("spa", "es"),
    ("srp", "sr"),
    ("swe", "sv"),
    ("tam", "ta"),
    ("tel", "te"),
    ("tgl", "tl"),
    ("tha", "th"),
    ("tuk", "tk"),
    ("tur", "tr"),
    ("ukr", "uk"),
    ("urd", "ur"),
    ("uzb", "uz"),
    ("vie", "vi"),
    ("yid", "yi"),
    ("zul", "zu"),
];

#[cfg(test)]
mod tests {
    use super::CODES;

    #[test]
    fn every_language_of_the_detector_has_a_code() {
        for language in whatlang::Lang::all() {
            assert!(CODES.iter().any(|(three, _)| *three == language.code()), "{}", language.code());
        }
    }
}
