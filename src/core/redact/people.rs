//! Addresses and names.

use super::{Instead, Kind, Span, Unsafe};

/// How an at sign is written so that machines do not find it.
const HIDDEN_AT: [&str; 8] = ["(at)", "[at]", "{at}", "<at>", "( at )", "[ at ]", "(ät)", "(@)"];

fn is_local(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '.' | '_' | '%' | '+' | '-' | '\'' | '!' | '#' | '&')
}

fn is_domain(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '.' | '-')
}

/// E-mail addresses.
pub(super) fn addresses(chars: &[char]) -> Result<Vec<Span>, Unsafe> {
    let text: String = chars.iter().collect::<String>().to_lowercase();
    let dotted = |c: &char| *c == '.';
    if HIDDEN_AT.iter().any(|at| text.contains(at)) || text.contains(" at ") && text.contains(" dot ") {
        return Err(Unsafe::LooksLikeAddress);
    }
    let mut spans = Vec::new();
    for (at, _) in chars.iter().enumerate().filter(|(_, c)| **c == '@') {
        let before = before_at(chars, at);
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

/// How many characters of a local part stand before an at sign; a space on its own is passed over
/// where the domain is a whole one.
fn before_at(chars: &[char], at: usize) -> usize {
    let count = |until: usize| chars[..until].iter().rev().take_while(|c| is_local(**c)).count();
    match count(at) {
        0 if at > 0 && chars[at - 1].is_whitespace() && domain_follows(chars, at) => 1 + count(at - 1),
        count => count,
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
    let lower: Vec<char> = chars.iter().map(|c| c.to_lowercase().next().unwrap_or(*c)).collect();
    let mut spans: Vec<Span> = Vec::new();
    for name in names {
        let name: Vec<char> = name.chars().collect();
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
