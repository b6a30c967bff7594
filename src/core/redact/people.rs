//! Addresses and names.

use super::{Instead, Kind, Span, Unsafe, plain::bare};

/// How an at sign is written so that machines do not find it.
const HIDDEN_AT: [&str; 13] =
    ["(at)", "[at]", "{at}", "<at>", "( at )", "[ at ]", "(ät)", "(@)", "[@]", "{@}", "(a)", "[a]", "{a}"];

/// How a dot is.
const HIDDEN_DOT: [&str; 6] = [" dot ", "(dot)", "[dot]", "{dot}", " punkt ", "(punkt)"];

fn is_local(c: char) -> bool {
    // RFC 5322, section 3.2.3.
    c.is_alphanumeric() || c == '.' || "!#$%&'*+-/=?^_`{|}~".contains(c)
}

fn is_domain(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '.' | '-' | '_')
}

/// E-mail addresses.
pub(super) fn addresses(chars: &[char]) -> Result<Vec<Span>, Unsafe> {
    let text: String = chars.iter().collect::<String>().to_lowercase();
    let dotted = |c: &char| *c == '.';
    let words: Vec<&str> = text.split_whitespace().collect();
    let text = words.join(" ");
    let dots = || HIDDEN_DOT.iter().any(|dot| text.contains(dot));
    let spoken = |pair: &[&str]| matches!(pair[0], "at" | "ät" | "arroba") && (is_host(pair[1]) || dots());
    if HIDDEN_AT.iter().any(|at| text.contains(at)) || words.windows(2).any(spoken) {
        return Err(Unsafe::LooksLikeAddress);
    }
    let mut spans = Vec::new();
    for (at, _) in chars.iter().enumerate().filter(|(_, c)| **c == '@') {
        let before = quoted_before(chars, at).unwrap_or_else(|| before_at(chars, at));
        let after = after_at(chars, at);
        let from = at - before;
        let mut to = at + 1 + after;
        while to > at + 1 && dotted(&chars[to - 1]) {
            to -= 1;
        }
        if before > 0 && to > at + 1 {
            spans.push(Span { from, to, instead: Instead::StandIn(Kind::Address) });
        }
    }
    Ok(spans)
}

/// Whether a word is the name of a computer: it has a dot with letters behind it.
fn is_host(word: &str) -> bool {
    let word = word.trim_matches(|c: char| !c.is_alphanumeric());
    let end = word.rsplit_once('.').map(|(_, end)| end);
    end.is_some_and(|end| end.chars().count() > 1 && end.chars().all(char::is_alphabetic))
}

/// The length of a local part in quotation marks.
fn quoted_before(chars: &[char], at: usize) -> Option<usize> {
    let end = at.checked_sub(1).filter(|end| chars[*end] == '"')?;
    chars[end.saturating_sub(64)..end].iter().rev().position(|c| *c == '"').map(|len| len + 2)
}

/// How many characters of a local part stand before an at sign; spaces are passed over where the
/// domain is a whole one.
fn before_at(chars: &[char], at: usize) -> usize {
    let count = |until: usize| chars[..until].iter().rev().take_while(|c| is_local(**c)).count();
    let spaces = chars[..at].iter().rev().take_while(|c| c.is_whitespace()).count();
    match count(at - spaces) {
        0 => 0,
        _ if spaces > 0 && !domain_follows(chars, at) => 0,
        count => spaces + count,
    }
}

fn after_at(chars: &[char], at: usize) -> usize {
    let gap = usize::from(chars.get(at + 1).is_some_and(|c| c.is_whitespace()) && domain_follows(chars, at));
    let domain = chars.get(at + 1 + gap..).unwrap_or_default();
    let len = domain.iter().take_while(|c| is_domain(**c)).count();
    // An address broken by a line break goes on behind it.
    let end = at + 1 + gap + len;
    let broken = len > 0 && chars.get(end) == Some(&'\n') && chars[end - 1] == '.';
    match broken {
        true => gap + len + 1 + chars[end + 1..].iter().take_while(|c| is_domain(**c)).count(),
        false => gap + len,
    }
}

/// Whether a domain with a dot stands behind an at sign, maybe behind a space.
fn domain_follows(chars: &[char], at: usize) -> bool {
    let rest = chars.get(at + 1..).unwrap_or_default();
    let rest = if rest.first().is_some_and(|c| c.is_whitespace()) { &rest[1..] } else { rest };
    let domain: String = rest.iter().take_while(|c| is_domain(**c)).collect();
    domain.trim_end_matches('.').contains('.')
}

/// Names that are known, longest first, as whole words.
pub(super) fn names(chars: &[char], names: &[String]) -> Vec<Span> {
    let lower: Vec<char> = chars.iter().map(|c| bare(*c)).collect();
    let mut spans: Vec<Span> = Vec::new();
    for name in names {
        let name: Vec<char> = name.chars().map(bare).collect();
        for at in 0..lower.len().saturating_sub(name.len() - 1) {
            let to = at + name.len();
            let whole = (at == 0 || !lower[at - 1].is_alphanumeric())
                && !lower.get(to).is_some_and(|c| c.is_alphanumeric());
            // A short part of a name may be a word of the language; written large it is the name.
            let shown = name.len() > 3 || chars[at].is_uppercase();
            let free = !spans.iter().any(|span| span.from < to && at < span.to);
            if whole && shown && free && lower[at..to] == name[..] {
                spans.push(Span { from: at, to, instead: Instead::StandIn(Kind::Name) });
            }
        }
    }
    spans
}
