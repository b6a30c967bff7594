//! Numbers that are somebody's: cards, bank accounts, telephones.

use super::{Instead, Kind, Span, Unsafe, plain::follows};

/// Words that announce a card.
const CARD_WORDS: [&str; 9] =
    ["card", "visa", "mastercard", "amex", "kreditkarte", "karte", "kartennummer", "carte", "tarjeta"];

/// Words that announce the few digits of a card's check or of a sign-in.
const CODE_WORDS: [&str; 12] = [
    "cvv",
    "cvc",
    "cvv2",
    "cvc2",
    "security code",
    "prüfnummer",
    "prüfziffer",
    "pin",
    "otp",
    "passcode",
    "tan",
    "one-time code",
];

/// Words that announce a telephone.
const PHONE_WORDS: [&str; 14] = [
    "phone",
    "tel",
    "telephone",
    "call me",
    "call us",
    "mobile",
    "cell",
    "handy",
    "telefon",
    "whatsapp",
    "fax",
    "rufnummer",
    "téléphone",
    "teléfono",
];

/// Words that announce a bank account.
const IBAN_WORDS: [&str; 1] = ["iban"];

/// The most characters between two groups of a card's or an account's number.
const GAP_MAX: usize = 4;

/// How long accounts are, by country (registry of ISO 13616).
const IBAN_LENGTHS: [(&str, usize); 20] = [
    ("DE", 22),
    ("GB", 22),
    ("FR", 27),
    ("ES", 24),
    ("IT", 27),
    ("NL", 18),
    ("AT", 20),
    ("CH", 21),
    ("BE", 16),
    ("PL", 28),
    ("PT", 25),
    ("SE", 24),
    ("NO", 15),
    ("DK", 18),
    ("FI", 18),
    ("IE", 22),
    ("LU", 20),
    ("CZ", 24),
    ("HU", 28),
    ("GR", 27),
];

/// Digits with what stands between them.
struct Run {
    /// Where each digit stands.
    at: Vec<usize>,
    /// Which digits begin a group, by their place in `at`.
    groups: Vec<usize>,
}

impl Run {
    fn digits(&self, chars: &[char]) -> Vec<u32> {
        self.at.iter().filter_map(|at| chars[*at].to_digit(10)).collect()
    }

    fn span(&self, from: usize, to: usize, instead: Instead) -> Span {
        Span { from: self.at[from], to: self.at[to - 1] + 1, instead }
    }
}

fn is_phone_gap(c: char) -> bool {
    matches!(c, ' ' | '-' | '.' | '/' | '_' | '\n' | '(' | ')' | ',' | '·' | '|' | '*')
}

/// Anything that is no letter or digit; strokes that count as letters too.
fn is_gap(c: char) -> bool {
    !c.is_alphanumeric() || matches!(c, 'ー' | 'ｰ' | '一' | 'ㅡ')
}

/// Every run of digits. Up to `gap_max` separators may stand between two of them.
fn runs(chars: &[char], gap_max: usize, separator: fn(char) -> bool) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    let mut last: Option<usize> = None;
    for (at, c) in chars.iter().enumerate().filter(|(_, c)| c.is_ascii_digit()) {
        let _ = c;
        let gap = last.map(|last| &chars[last + 1..at]);
        match (gap, runs.last_mut()) {
            (Some([]), Some(run)) => run.at.push(at),
            (Some(gap), Some(run)) if gap.len() <= gap_max && gap.iter().all(|c| separator(*c)) => {
                run.groups.push(run.at.len());
                run.at.push(at);
            }
            _ => runs.push(Run { at: vec![at], groups: vec![0] }),
        }
        last = Some(at);
    }
    runs
}

/// Card numbers, by Luhn's check digit and the first digit; and the few digits behind "CVV" or "PIN".
pub(super) fn cards(chars: &[char]) -> Result<Vec<Span>, Unsafe> {
    let mut spans = Vec::new();
    for run in runs(chars, GAP_MAX, is_gap) {
        let digits = run.digits(chars);
        let found = card_windows(&run, &digits);
        let announced = follows(chars, run.at[0], 30, &CARD_WORDS);
        if found.is_empty() && announced && digits.len() >= 12 {
            return Err(Unsafe::LooksLikeAccount);
        }
        spans.extend(found.into_iter().map(|(from, to)| run.span(from, to, Instead::Removed("[card]"))));
    }
    for run in runs(chars, 0, is_gap) {
        let is_code = (3..=10).contains(&run.at.len()) && follows(chars, run.at[0], 18, &CODE_WORDS);
        spans.extend(is_code.then(|| run.span(0, run.at.len(), Instead::Removed("[code]"))));
    }
    Ok(spans)
}

/// Where cards stand in a run: from the start of a group, and anywhere within a longer group. What
/// is glued to the last digits goes with them.
fn card_windows(run: &Run, digits: &[u32]) -> Vec<(usize, usize)> {
    let ends: Vec<usize> = run.groups.iter().copied().skip(1).chain([digits.len()]).collect();
    let end_of = |to: usize| ends.iter().copied().find(|end| *end >= to).unwrap_or(to);
    let mut found: Vec<(usize, usize)> = Vec::new();
    for from in 0..digits.len() {
        let starts = run.groups.binary_search(&from).is_ok();
        let group_end = end_of(from + 1);
        let is_card = |to: &usize| digits.get(from..*to).is_some_and(|card| issued(card) && luhn(card));
        let windows: Vec<usize> = (13..=19).rev().map(|len| from + len).filter(is_card).collect();
        let aligned = windows.iter().find(|to| starts && ends.binary_search(to).is_ok());
        let Some(to) = aligned.or_else(|| windows.iter().find(|to| starts || **to <= group_end)) else {
            continue;
        };
        match found.last_mut().filter(|(_, end)| from < *end) {
            Some((_, end)) => *end = (*end).max(end_of(*to)),
            None => found.push((from, end_of(*to))),
        }
    }
    found
}

/// Whether an issuer's numbers begin so (ISO/IEC 7812).
fn issued(card: &[u32]) -> bool {
    let prefix = card[..4].iter().fold(0, |prefix, digit| prefix * 10 + digit);
    matches!(prefix, 2014 | 2149 | 2200..=2204 | 2221..=2720 | 3000..=6999 | 8000..=9999)
}

fn luhn(digits: &[u32]) -> bool {
    let doubled = |digit: u32| if digit > 4 { digit * 2 - 9 } else { digit * 2 };
    let weighed =
        digits.iter().rev().enumerate().map(|(at, digit)| if at % 2 == 1 { doubled(*digit) } else { *digit });
    weighed.sum::<u32>() % 10 == 0
}

/// Bank accounts by ISO 13616: country, two check digits, and the rest, mod 97.
pub(super) fn ibans(chars: &[char]) -> Result<Vec<Span>, Unsafe> {
    let mut spans: Vec<Span> = Vec::new();
    for at in 0..chars.len() {
        let starts = at == 0 || !chars[at - 1].is_ascii_alphanumeric();
        let covered = spans.last().is_some_and(|span| at < span.to);
        let glued = || {
            let first = chars.get(at..at + 4);
            first.is_some_and(|c| {
                c[..2].iter().all(char::is_ascii_alphabetic) && c[2..].iter().all(char::is_ascii_digit)
            })
        };
        if covered || !(starts || glued()) || !begins_iban(&chars[at..]) {
            continue;
        }
        match iban_end(&chars[at..]) {
            Some(len) => spans.push(Span { from: at, to: at + len, instead: Instead::Removed("[account]") }),
            None if follows(chars, at, 20, &IBAN_WORDS) => return Err(Unsafe::LooksLikeAccount),
            None => {}
        }
    }
    Ok(spans)
}

/// Two letters and two digits, separators left out.
fn begins_iban(chars: &[char]) -> bool {
    let mut first = chars.iter().filter(|c| !is_gap(**c)).take(4);
    let letters = chars.first().is_some_and(char::is_ascii_alphabetic)
        && first.by_ref().take(2).all(char::is_ascii_alphabetic);
    let digits: Vec<&char> = first.collect();
    letters && digits.len() == 2 && digits.iter().all(|c| c.is_ascii_digit())
}

/// How many characters the account takes: the longest that ends with a word and passes.
fn iban_end(chars: &[char]) -> Option<usize> {
    let mut kept = Vec::new();
    let mut end = None;
    let mut gap = 0;
    for (at, c) in chars.iter().enumerate() {
        if c.is_ascii_alphanumeric() {
            kept.push(c.to_ascii_uppercase());
            gap = 0;
        } else {
            gap += 1;
        }
        if gap > GAP_MAX || !(c.is_ascii_alphanumeric() || is_gap(*c)) {
            break;
        }
        if kept.len() > 34 {
            break;
        }
        let word_ends = !chars.get(at + 1).is_some_and(char::is_ascii_alphanumeric);
        let ends = word_ends || is_whole(&kept);
        if kept.len() >= 15 && c.is_ascii_alphanumeric() && ends && mod_97(&kept) == 1 {
            end = Some(at + 1);
        }
    }
    end
}

/// Whether an account is as long as its country's are.
fn is_whole(account: &[char]) -> bool {
    let of = |(country, len): &(&str, usize)| {
        *len == account.len() && country.chars().eq(account[..2].iter().copied())
    };
    IBAN_LENGTHS.iter().any(of)
}

fn mod_97(account: &[char]) -> u32 {
    let turned = account[4..].iter().chain(&account[..4]);
    turned.fold(0, |rest, c| match c.to_digit(36) {
        Some(value) if value >= 10 => (rest * 100 + value) % 97,
        Some(value) => (rest * 10 + value) % 97,
        None => rest,
    })
}

/// Telephone numbers: by their first digits, their groups, or the word before them; and addresses
/// of computers.
pub(super) fn phones(chars: &[char]) -> Vec<Span> {
    let mut spans = Vec::new();
    for run in runs(chars, 2, is_phone_gap) {
        let (count, first) = (run.at.len(), run.at[0]);
        let ends = run.groups.iter().copied().skip(1).chain([count]);
        let sizes: Vec<usize> = run.groups.iter().zip(ends).map(|(from, to)| to - from).collect();
        let dotted = chars[first..run.at[count - 1]].iter().all(|c| c.is_ascii_digit() || *c == '.');
        if sizes.len() == 4 && dotted && sizes.iter().all(|size| *size <= 3) {
            spans.push(run.span(0, count, Instead::StandIn(Kind::Place)));
            continue;
        }
        let plus = first > 0 && chars[first - 1] == '+' || first > 1 && chars[first - 2] == '+';
        let zero = chars[first] == '0' && (9..=15).contains(&count) && sizes[0] > 1;
        let national = sizes == [3, 3, 4] || sizes == [1, 3, 3, 4];
        let announced = (6..=15).contains(&count) && follows(chars, first, 25, &PHONE_WORDS);
        if plus && (7..=15).contains(&count) || zero || national || announced {
            spans.push(run.span(0, count, Instead::StandIn(Kind::Phone)));
        }
    }
    spans
}
