//! Words of any script, folded so that spelling variants meet.

/// The longest word that is looked at, in characters; longer ones are no words.
const WORD_CHARS_MAX: usize = 64;

/// French words that stand before an apostrophe: `j'ai` is two words.
const ELIDED: [&str; 12] = ["j", "l", "d", "n", "s", "c", "m", "t", "qu", "jusqu", "lorsqu", "puisqu"];

/// Contractions that are often written without their apostrophe.
const WITHOUT_APOSTROPHE: [(&str, &str); 14] = [
    ("dont", "don't"),
    ("doesnt", "doesn't"),
    ("didnt", "didn't"),
    ("cant", "can't"),
    ("couldnt", "couldn't"),
    ("wont", "won't"),
    ("isnt", "isn't"),
    ("wasnt", "wasn't"),
    ("arent", "aren't"),
    ("hasnt", "hasn't"),
    ("havent", "haven't"),
    ("wouldnt", "wouldn't"),
    ("thats", "that's"),
    ("youre", "you're"),
];

/// The words of a text: lower case, without accents, apostrophes kept inside. A question mark
/// at the end is a word of its own.
pub fn words(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut word = String::new();
    let mut length = 0;
    for c in text.chars() {
        match c {
            '\'' | '\u{2019}' | '\u{02BC}' | '\u{00B4}' | '`' => take_apostrophe(&mut word, &mut out),
            '\u{0300}'..='\u{036F}' => {}
            c if c.is_alphanumeric() || c == '_' || c == '#' => {
                length = if word.is_empty() { 1 } else { length + 1 };
                if length <= WORD_CHARS_MAX {
                    fold_into(c, &mut word);
                }
            }
            '-' | '\u{2011}' if word == "e" => {}
            _ => finish(&mut word, &mut out),
        }
    }
    finish(&mut word, &mut out);
    if text.trim_end_matches(|c: char| c.is_whitespace() || "!)\"*".contains(c)).ends_with(['?', '\u{FF1F}'])
    {
        out.push("?".to_owned());
    }
    out
}

fn take_apostrophe(word: &mut String, out: &mut Vec<String>) {
    match ELIDED.contains(&word.as_str()) {
        true => finish(word, out),
        false if word.is_empty() => {}
        false => word.push('\''),
    }
}

fn finish(word: &mut String, out: &mut Vec<String>) {
    let whole = word.trim_end_matches('\'');
    if !whole.is_empty() {
        let meant = WITHOUT_APOSTROPHE.iter().find(|(bare, _)| *bare == whole);
        out.push(meant.map_or(whole, |(_, full)| full).to_owned());
    }
    word.clear();
}

/// The letter in lower case without its accent.
fn fold_into(c: char, word: &mut String) {
    for c in c.to_lowercase() {
        match c {
            'à'..='å' => word.push('a'),
            'ç' => word.push('c'),
            'è'..='ë' => word.push('e'),
            'ì'..='ï' => word.push('i'),
            'ñ' => word.push('n'),
            'ò'..='ö' | 'ø' => word.push('o'),
            'ù'..='ü' => word.push('u'),
            'ý' | 'ÿ' => word.push('y'),
            'ß' => word.push_str("ss"),
            'œ' => word.push_str("oe"),
            'æ' => word.push_str("ae"),
            '\u{0300}'..='\u{036F}' => {}
            c => word.push(c),
        }
    }
}

/// What two forms of one word have in common, roughly: its first letters, without the `ge` of a
/// German participle.
pub fn stem(word: &str) -> &str {
    let word = word.strip_prefix("ge").filter(|rest| rest.len() >= 5).unwrap_or(word);
    let letters = match word.chars().count() {
        0..=5 => 4,
        6..=8 => 5,
        _ => 6,
    };
    word.char_indices().nth(letters).map_or(word, |(at, _)| &word[..at])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spelling_variants_are_one_word() {
        assert_eq!(words("J’ai déjà ESSAYÉ"), ["j", "ai", "deja", "essaye"]);
        assert_eq!(
            words("I'll re-send the e-mail, dont worry"),
            ["i'll", "re", "send", "the", "email", "don't", "worry"]
        );
        assert_eq!(words("Zurückgesetzt? Straße?"), ["zuruckgesetzt", "strasse", "?"]);
        assert_eq!(words("e\u{301}te\u{301} 'quoted'"), ["ete", "quoted"]);
        assert_eq!(words("!!! ... ---"), Vec::<String>::new());
    }

    #[test]
    fn forms_of_a_word_share_a_stem() {
        for (one, other) in [
            ("refund", "refunded"),
            ("reset", "resetting"),
            ("escalate", "escalating"),
            ("schicken", "geschickt"),
        ] {
            assert_eq!(stem(one), stem(other), "{one} {other}");
        }
        assert_ne!(stem("refund"), stem("reset"));
    }
}
