//! Words, lines and amounts, made safe to stand on one line of a note.

use crate::model::time::Timestamp;

/// The text on one line: white space folded, control characters and the
/// invisible ones that reorder or hide text taken out.
pub fn one_line(text: &str) -> String {
    let visible: String = text
        .chars()
        .filter(|c| !is_hiding(*c))
        .map(|c| if c.is_control() || c == '\u{2028}' || c == '\u{2029}' { ' ' } else { c })
        .collect();
    crate::model::comment::fold_text(&visible)
}

/// Marks that change how the text around them reads and show nothing themselves.
pub(crate) fn is_hiding(c: char) -> bool {
    matches!(c,
        '\u{00AD}' | '\u{061C}' | '\u{115F}' | '\u{1160}' | '\u{2800}' | '\u{3164}' | '\u{FFA0}' | '\u{180E}' | '\u{200B}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}'
        | '\u{2060}'..='\u{2064}' | '\u{2066}'..='\u{2069}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}'
        | '\u{E0000}'..='\u{E007F}')
}

/// At most `chars_max` characters, cut behind a word where there is one, with `…` for the rest.
pub fn shortened(text: &str, chars_max: usize) -> String {
    let Some((cut_at, _)) = text.char_indices().nth(chars_max) else { return text.to_owned() };
    let room = text.char_indices().nth(chars_max.saturating_sub(1)).map_or(cut_at, |(at, _)| at);
    let head = &text[..room];
    let whole_words = match text[room..].starts_with(char::is_whitespace) {
        true => head,
        false => head.rfind(char::is_whitespace).filter(|at| *at * 2 > room).map_or(head, |at| &head[..at]),
    };
    format!("{}…", whole_words.trim_end_matches(|c: char| c.is_whitespace() || c == ','))
}

/// At most `words_max` words and `chars_max` characters, with `…` for the rest.
pub(super) fn clipped(line: &str, words_max: usize, chars_max: usize) -> String {
    let mut words = line.split_whitespace();
    let kept: Vec<&str> = words.by_ref().take(words_max).collect();
    let mut clipped = kept.join(" ");
    if words.next().is_some() {
        clipped = format!("{}…", clipped.trim_end_matches(['…', ',', ';', '.']));
    }
    shortened(&clipped, chars_max)
}

/// Somebody else's words in quotation marks, so that no word of theirs reads as one of ours.
pub(super) fn quoted(text: &str) -> String {
    format!("“{}”", unquoted(text))
}

/// Somebody else's words without the marks that [`quoted`] adds.
pub(super) fn unquoted(text: &str) -> String {
    one_line(text).replace(['“', '”', '"', '„', '‟', '＂', '〝', '〞'], "'")
}

/// How many digits of a currency's minor unit stand behind the point (ISO 4217).
fn minor_digits(currency: &str) -> usize {
    match currency {
        "BIF" | "CLP" | "DJF" | "GNF" | "ISK" | "JPY" | "KMF" | "KRW" | "PYG" | "RWF" | "UGX" | "UYI"
        | "VND" | "VUV" | "XAF" | "XOF" | "XPF" => 0,
        "BHD" | "IQD" | "JOD" | "KWD" | "LYD" | "OMR" | "TND" => 3,
        "CLF" | "UYW" => 4,
        _ => 2,
    }
}

/// An amount in minor units (ISO 4217) as people write it: `588.00 EUR`, `5800 JPY`.
pub fn money_text(minor: i64, currency: &str) -> String {
    let currency = currency.to_ascii_uppercase();
    let digits = minor_digits(&currency);
    let sign = if minor < 0 { "-" } else { "" };
    let amount = minor.unsigned_abs();
    let unit = 10_u64.pow(u32::try_from(digits).unwrap_or(2));
    match digits {
        0 => format!("{sign}{amount} {currency}"),
        _ => format!("{sign}{}.{:0digits$} {currency}", amount / unit, amount % unit),
    }
}

/// The day of a moment, UTC: `2026-11-22`.
pub fn day_text(at: Timestamp) -> String {
    at.to_rfc3339_secs().chars().take_while(|c| *c != 'T').collect()
}

/// How long ago a moment was, in its largest whole unit: `4 s`, `2 h`.
pub(super) fn age_text(now: Timestamp, at: Timestamp) -> String {
    let secs = now.since(at).as_secs();
    match secs {
        0..60 => format!("{secs} s"),
        60..3_600 => format!("{} min", secs / 60),
        3_600..86_400 => format!("{} h", secs / 3_600),
        _ => format!("{} d", secs / 86_400),
    }
}
