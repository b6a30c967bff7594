//! Text as it reads: no hidden characters, digits and Latin letters in their plain form.

use crate::briefing::text::is_hiding;

/// The zeros of scripts whose ten digits follow each other (Unicode, general category Nd).
const ZEROS: [u32; 41] = [
    0x0660, 0x06F0, 0x07C0, 0x0966, 0x09E6, 0x0A66, 0x0AE6, 0x0B66, 0x0BE6, 0x0C66, 0x0CE6, 0x0D66, 0x0DE6,
    0x0E50, 0x0ED0, 0x0F20, 0x1040, 0x1090, 0x17E0, 0x1810, 0x1946, 0x19D0, 0x1A80, 0x1A90, 0x1B50, 0x1BB0,
    0x1C40, 0x1C50, 0xA620, 0xA8D0, 0xA900, 0xA9D0, 0xA9F0, 0xAA50, 0xABF0, 0xFF10, 0x1_04A0, 0x1_1066,
    0x1_10F0, 0x1_1136, 0x1_FBF0,
];

/// The text as it reads. Line breaks stay.
pub(super) fn normal(text: &str) -> String {
    let visible = |c: &char| {
        !is_hiding(*c)
            && !matches!(c, '\u{200C}' | '\u{200D}' | '\u{FE00}'..='\u{FE0F}' | '\u{034F}' | '\u{0300}'..='\u{036F}' | '\u{20D0}'..='\u{20FF}')
    };
    at_signs(text.chars().filter(visible).map(plain).collect())
}

/// How an at sign is written in addresses of pages and in HTML.
const ENCODED_AT: [&str; 6] = ["%40", "&#64;", "&#064;", "&#x40;", "&#X40;", "&commat;"];

/// The text with encoded at signs as themselves.
fn at_signs(text: String) -> String {
    ENCODED_AT.iter().fold(text, |text, at| if text.contains(at) { text.replace(at, "@") } else { text })
}

/// Letters with marks, in lower case, by the letter without.
const MARKED: [(char, &str); 24] = [
    ('a', "àáâãäåāăąǎạảấầẩẫậắằẳẵặ"),
    ('c', "çćĉċč"),
    ('d', "ďđ"),
    ('e', "èéêëēĕėęěẹẻẽếềểễệ"),
    ('g', "ĝğġģǧ"),
    ('h', "ĥħ"),
    ('i', "ìíîïĩīĭįǐịỉı"),
    ('j', "ĵ"),
    ('k', "ķǩ"),
    ('l', "ĺļľŀł"),
    ('n', "ñńņňǹ"),
    ('o', "òóôõöøōŏőǒọỏốồổỗộớờởỡợơ"),
    ('r', "ŕŗř"),
    ('s', "śŝşšș"),
    ('t', "ţťŧț"),
    ('u', "ùúûüũūŭůűųǔụủứừửữựư"),
    ('w', "ŵẁẃẅ"),
    ('y', "ýÿŷỳỵỷỹ"),
    ('z', "źżž"),
    ('и', "йѝ"),
    ('е', "ёѐ"),
    ('і', "ї"),
    ('г', "ѓ"),
    ('к', "ќ"),
];

/// A character in lower case and without marks: names are the same with and without.
pub(super) fn bare(c: char) -> char {
    let lower = c.to_lowercase().next().unwrap_or(c);
    MARKED.iter().find(|(_, marked)| marked.contains(lower)).map_or(lower, |(letter, _)| *letter)
}

/// A character in its plain form.
fn plain(c: char) -> char {
    let code = u32::from(c);
    let digit = |value: u32| char::from_digit(value, 10).unwrap_or(c);
    let letter = |at: u32| char::from_u32(at).unwrap_or(c);
    match code {
        0x00B2 | 0x00B3 => digit(code - 0x00B0),
        0x00B9 => '1',
        0x2070..=0x2079 => digit(code - 0x2070),
        0x2080..=0x2089 => digit(code - 0x2080),
        0x2460..=0x2468 => digit(code - 0x2460 + 1),
        0x24EA => '0',
        0x2776..=0x277E => digit(code - 0x2776 + 1),
        0x1D7CE..=0x1D7FF => digit((code - 0x1D7CE) % 10),
        0xFF01..=0xFF5E => letter(code - 0xFF01 + 0x21),
        0x24B6..=0x24CF => letter(code - 0x24B6 + u32::from('A')),
        0x24D0..=0x24E9 => letter(code - 0x24D0 + u32::from('a')),
        0x1D400..=0x1D6A3 => match (code - 0x1D400) % 52 {
            at @ 0..26 => letter(u32::from('A') + at),
            at => letter(u32::from('a') + at - 26),
        },
        0x2010..=0x2015 | 0x2212 | 0xFE58 | 0xFE63 => '-',
        0xFE6B => '@',
        _ if c == '\n' => c,
        _ if c.is_whitespace() || c.is_control() => ' ',
        _ => match ZEROS.iter().find(|zero| (**zero..**zero + 10).contains(&code)) {
            Some(zero) => digit(code - zero),
            None => c,
        },
    }
}

/// So many digits in scripts that are not read that they could be a number of somebody's.
pub(super) fn has_unread_digits(text: &str) -> bool {
    text.chars().filter(|c| c.is_numeric() && !c.is_ascii_digit()).count() >= 6
}

/// Whether one of these words stands in the characters right before `at`.
pub(super) fn follows(chars: &[char], at: usize, within: usize, words: &[&str]) -> bool {
    let before: String = chars[at.saturating_sub(within)..at].iter().collect();
    let before = before.to_lowercase();
    words.iter().any(|word| {
        before
            .match_indices(word)
            .any(|(found, _)| !before[..found].chars().next_back().is_some_and(char::is_alphanumeric))
    })
}
