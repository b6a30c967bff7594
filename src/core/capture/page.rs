//! Addresses of pages without their secrets, and the parts of the product they belong to.
//!
//! What cannot be read as an address is not shown: it fails closed.

use crate::briefing::{one_line, shortened};

/// What stands for an address that cannot be read.
const NOT_SHOWN: &str = "(address not shown)";

/// What stands for a part that may be a secret.
const MASK: &str = "*";

/// The longest address that is kept, in characters.
const PAGE_CHARS_MAX: usize = 200;

/// Longer addresses are not read.
const INPUT_BYTES_MAX: usize = 8 * 1024;

/// How many names of a query are kept.
const QUERY_NAMES_MAX: usize = 6;

/// Names of a query whose plain values say where somebody is, and nothing else.
const HARMLESS_NAMES: [&str; 11] =
    ["lang", "locale", "mode", "order", "page", "section", "sort", "step", "tab", "theme", "view"];

/// Parts of a route behind which a secret stands.
const SECRET_COMES: [&str; 16] = [
    "activate",
    "auth",
    "callback",
    "confirm",
    "invite",
    "join",
    "key",
    "login",
    "magic",
    "password",
    "reset",
    "session",
    "share",
    "token",
    "unsubscribe",
    "verify",
];

/// What well-known keys begin with.
const KEY_PREFIXES: [&str; 17] = [
    "sk_",
    "sk-",
    "pk_",
    "rk_",
    "whsec_",
    "ghp_",
    "gho_",
    "ghs_",
    "github_pat_",
    "glpat-",
    "xox",
    "akia",
    "asia",
    "eyj",
    "aiza",
    "ya29",
    "shpat_",
];

/// The address of a page, its route or its screen's name, without secrets: no user, no values of a
/// query but harmless ones, nothing that looks like a token or an e-mail address.
pub fn redacted_page(page: &str) -> String {
    if page.len() > INPUT_BYTES_MAX {
        return NOT_SHOWN.to_owned();
    }
    let page = one_line(page).replace('\\', "/");
    if page.is_empty() || page == NOT_SHOWN {
        return page;
    }
    let redacted = match page.contains(' ') {
        true => page.split(' ').map(word).collect::<Vec<_>>().join(" "),
        false => address(&page).unwrap_or_else(|| NOT_SHOWN.to_owned()),
    };
    // A cut may join what was told apart: what is too long is cut behind a whole part.
    cut(&redacted)
}

fn cut(page: &str) -> String {
    let short = shortened(page, PAGE_CHARS_MAX);
    match short.strip_suffix('…') {
        Some(head) if short != page => match head.rfind(['/', ' ', '?', '&']) {
            Some(at) if at > 0 => head[..at].trim_end().to_owned(),
            _ => NOT_SHOWN.to_owned(),
        },
        _ => short,
    }
}

/// One word of a screen's name.
fn word(word: &str) -> String {
    if word.contains(['/', '?', '#', '&', '=', ';']) && word.chars().any(char::is_alphanumeric) {
        return address(word).unwrap_or_else(|| MASK.to_owned());
    }
    if is_secret(word) { MASK.to_owned() } else { word.to_owned() }
}

fn address(text: &str) -> Option<String> {
    let (rest, fragment) = match text.split_once('#') {
        Some((rest, fragment)) => (rest, Some(fragment)),
        None => (text, None),
    };
    let (rest, query) = match rest.split_once('?') {
        Some((rest, query)) => (rest, Some(query)),
        None => (rest, None),
    };
    let (origin, path) = origin_and_path(rest)?;
    let mut out = origin;
    out.push_str(&route(path));
    out.push_str(&query.map(self::query).unwrap_or_default());
    out.push_str(&fragment.map(self::fragment).unwrap_or_default());
    Some(out)
}

/// The scheme and host, and what follows. A scheme without a host (`data:`, `mailto:`) is no page.
fn origin_and_path(text: &str) -> Option<(String, &str)> {
    let (scheme, rest) = match text.split_once("://") {
        Some((scheme, rest)) => (scheme, rest),
        None => match text.strip_prefix("//") {
            Some(rest) => ("", rest),
            None if text.split('/').next().is_some_and(|first| first.contains(':')) => return None,
            None => return Some((String::new(), text)),
        },
    };
    let scheme_fits = scheme.len() <= 30
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
        && (scheme.is_empty() || scheme.starts_with(|c: char| c.is_ascii_alphabetic()));
    if !scheme_fits || scheme.eq_ignore_ascii_case("file") || is_secret(scheme) {
        return None;
    }
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = host(authority)?;
    Some((if scheme.is_empty() { format!("//{host}") } else { format!("{scheme}://{host}") }, path))
}

/// The host with its port, without the user.
fn host(authority: &str) -> Option<String> {
    let host = authority.rsplit('@').next().unwrap_or_default();
    let fits = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '[' | ']' | '*');
    if host.len() > 253 || !host.chars().all(fits) {
        return None;
    }
    let labels = host.split('.').map(|label| if looks_random(label) { MASK } else { label });
    Some(labels.collect::<Vec<_>>().join("."))
}

fn route(path: &str) -> String {
    let mut out = Vec::new();
    let mut secret_comes = false;
    for whole in path.split('/') {
        let part = whole.split(';').next().unwrap_or_default();
        let shown = segment(part, secret_comes);
        secret_comes = announces_secret(part);
        out.push(shown);
    }
    out.join("/")
}

fn segment(part: &str, secret_comes: bool) -> String {
    let suspicious = secret_comes && (part.chars().count() > 16 || part.chars().any(|c| c.is_ascii_digit()));
    match decoded(part) {
        Some(plain) if !suspicious && is_plain(&plain) && !is_secret(&plain) => part.to_owned(),
        _ => MASK.to_owned(),
    }
}

fn announces_secret(part: &str) -> bool {
    let part = part.to_ascii_lowercase();
    part.split(['-', '_', '.']).any(|word| SECRET_COMES.contains(&word))
}

/// Nothing but what routes and names are made of.
fn is_plain(text: &str) -> bool {
    text.chars().all(|c| c.is_alphanumeric() || " -_.,~!'()+*&…>".contains(c))
}

/// The text with `%` sequences read, once. `None` for what is no such text or hides another layer.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, others)) = rest.split_first() {
        rest = others;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let digits = std::str::from_utf8(others.get(..2)?).ok()?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        rest = others.get(2..)?;
    }
    String::from_utf8(bytes).ok().filter(|text| !text.contains('%') && !text.chars().any(char::is_control))
}

/// The names of a query; values only where they are harmless.
fn query(query: &str) -> String {
    let mut shown: Vec<String> = Vec::new();
    for pair in query.split(['&', ';', '?']) {
        let Some((name, value)) = pair.split_once('=') else { continue };
        let fits = (1..=32).contains(&name.len())
            && name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
            && !is_secret(name);
        if !fits || shown.len() == QUERY_NAMES_MAX {
            continue;
        }
        let harmless = HARMLESS_NAMES.contains(&name.to_ascii_lowercase().as_str())
            && value.len() <= 32
            && value.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
            && !is_secret(value);
        shown.push(format!("{name}={}", if harmless { value } else { MASK }));
    }
    if shown.is_empty() { String::new() } else { format!("?{}", shown.join("&")) }
}

/// A fragment that is a route of the page, or a plain name; nothing else.
fn fragment(fragment: &str) -> String {
    let bare = fragment.trim_start_matches('!');
    if bare.starts_with('/') {
        let (path, inner) = bare.split_once('?').map_or((bare, None), |(path, query)| (path, Some(query)));
        let path = route(path.split('#').next().unwrap_or_default());
        return format!("#{path}{}", inner.map(self::query).unwrap_or_default());
    }
    let is_name = (1..=40).contains(&bare.len())
        && bare.starts_with(|c: char| c.is_ascii_alphabetic())
        && bare.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    if is_name && !is_secret(bare) { format!("#{bare}") } else { String::new() }
}

/// Whether a text may be a secret or name a person. In doubt it may.
fn is_secret(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    text.contains('@')
        || lower.contains("%40")
        || KEY_PREFIXES.iter().any(|prefix| lower.starts_with(prefix) && text.len() >= prefix.len() + 6)
        || text.chars().filter(char::is_ascii_digit).count() >= 11
        || looks_random(text)
        || text.split(['-', '_', '.', ',', ' ', '~', '+', '(', ')']).any(looks_random)
}

/// Whether nobody would write this as a word: long, or letters and digits mixed without an order.
fn looks_random(text: &str) -> bool {
    let count = |fits: fn(&char) -> bool| text.chars().filter(fits).count();
    let (length, digits) = (text.chars().count(), count(char::is_ascii_digit));
    let (upper, lower) = (count(|c| c.is_uppercase()), count(|c| c.is_lowercase()));
    let letters = count(|c| c.is_alphabetic());
    let bends = bends(text);
    let hex = length >= 16 && text.chars().all(|c| c.is_ascii_hexdigit() || c == '-') && digits > 0;
    hex || (text.is_ascii() && length >= 32 && !text.contains(['-', '_', '.', ' ']))
        || length >= 64
        || (length >= 10 && digits >= 2 && letters >= 2 && bends >= 4)
        || (length >= 16 && digits >= 1 && upper >= 2 && lower >= 2)
        || (length >= 16 && digits == 0 && bends * 3 >= length)
        || (length >= 16 && digits >= 1 && letters > 0 && !text.contains(['-', '_', '.', ' ']))
}

/// How often letters turn into digits, or small ones into capitals, and back.
fn bends(text: &str) -> usize {
    let kind = |c: char| match c {
        c if c.is_ascii_digit() => 0,
        c if c.is_uppercase() => 1,
        c if c.is_lowercase() => 2,
        _ => 3,
    };
    let kinds: Vec<u8> = text.chars().filter(|c| c.is_alphanumeric()).map(kind).collect();
    kinds.windows(2).filter(|pair| pair[0] != pair[1]).count()
}

/// The part of the product that a page belongs to: that of the longest route that begins it, whole
/// segments compared without case; `*` in a route stands for any one segment. A screen's name is
/// compared in the same way.
pub fn area_of(page: &str, areas: &[(String, String)]) -> Option<String> {
    let routes = routes_of(page);
    let longest = areas
        .iter()
        .filter(|(route, area)| !area.is_empty() && routes.iter().any(|page| begins(route, page)))
        .max_by_key(|(route, _)| segments(route).len());
    longest.map(|(_, area)| area.clone())
}

/// The route behind `#`, where a page has one, and the path.
fn routes_of(page: &str) -> Vec<String> {
    let (rest, fragment) = page.split_once('#').unwrap_or((page, ""));
    let rest = rest.split('?').next().unwrap_or_default();
    let path = match rest.split_once("://") {
        Some((scheme, behind)) if !scheme.starts_with("http") => behind,
        Some((_, behind)) => behind.find('/').map_or("", |at| &behind[at..]),
        None => rest,
    };
    let inner = fragment.trim_start_matches('!').split('?').next().unwrap_or_default();
    [inner, path].into_iter().filter(|route| !route.is_empty()).map(str::to_owned).collect()
}

fn segments(route: &str) -> Vec<String> {
    route.split(['/', '>']).map(|part| part.trim().to_lowercase()).filter(|part| !part.is_empty()).collect()
}

fn begins(route: &str, page: &str) -> bool {
    let (route, page) = (segments(route), segments(page));
    !route.is_empty()
        && route.len() <= page.len()
        && route.iter().zip(&page).all(|(route, page)| route == "*" || route == page)
}
