//! Keys and passwords.

use super::{Instead, Span, Unsafe};

/// How keys of well-known issuers begin.
const PREFIXES: [&str; 42] = [
    "sk_",
    "pk_",
    "rk_",
    "sk-",
    "pk-",
    "whsec_",
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "ghr_",
    "github_pat_",
    "glpat-",
    "xoxb-",
    "xoxp-",
    "xoxa-",
    "xoxr-",
    "xoxs-",
    "xoxe-",
    "xapp-",
    "akia",
    "asia",
    "aiza",
    "pat-na1-",
    "pat-eu1-",
    "lin_api_",
    "phx_",
    "phc_",
    "shpat_",
    "shpss_",
    "sg.",
    "npm_",
    "pypi-",
    "dop_v1_",
    "ya29.",
    "hf_",
    "eyj",
    "sqp_",
    "key-",
    "rpa_",
    "dapi",
    "atatt3x",
];

/// How ids of well-known systems begin: random, and no secret.
const ID_PREFIXES: [&str; 18] = [
    "cus_",
    "in_",
    "sub_",
    "ch_",
    "pi_",
    "price_",
    "prod_",
    "evt_",
    "il_",
    "si_",
    "txn_",
    "po_",
    "re_",
    "cs_",
    "pm_",
    "call_",
    "msg_",
    "chatcmpl-",
];

/// Words behind which a password stands.
const PASSWORD_WORDS: &[&str] = &[
    "mdp",
    "motdepasse",
    "пароль",
    "пароля",
    "hasło",
    "heslo",
    "lösenord",
    "adgangskode",
    "passord",
    "salasana",
    "jelszó",
    "parolă",
    "parola",
    "şifre",
    "clave",
    "κωδικός",
    "密码",
    "密碼",
    "パスワード",
    "비밀번호",
    "passwörter",
    "zugangsdaten",
    "cvv",
    "pwort",
    "password",
    "passwort",
    "passwd",
    "passphrase",
    "passcode",
    "pwd",
    "pass",
    "pw",
    "kennwort",
    "pin",
    "otp",
    "secret",
    "token",
    "apikey",
    "api_key",
    "api-key",
    "key",
    "credential",
    "credentials",
    "contraseña",
    "senha",
    "wachtwoord",
    "mot de passe",
    "access code",
];

/// Words that join one to it.
const JOINING: [&str; 9] = ["is", "was", "ist", "lautet", "war", "est", "es", "equals", "are"];

/// What may be said of a password without saying it.
const INNOCENT: [&str; 42] = [
    "wrong",
    "not",
    "incorrect",
    "expired",
    "invalid",
    "reset",
    "too",
    "no",
    "the",
    "being",
    "required",
    "missing",
    "never",
    "still",
    "forgotten",
    "correct",
    "right",
    "changed",
    "weak",
    "rejected",
    "refused",
    "locked",
    "a",
    "an",
    "unknown",
    "falsch",
    "nicht",
    "abgelaufen",
    "ungültig",
    "vergessen",
    "gesperrt",
    "zu",
    "kein",
    "my",
    "your",
    "working",
    "needed",
    "always",
    "incorrecte",
    "oublié",
    "and",
    "or",
];

fn is_token(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '+' | '/' | '=' | '~' | '%' | '$' | '!' | ':')
}

/// Keys by how they begin, whole PEM blocks, tokens behind "Bearer", and passwords in addresses.
pub(super) fn keys(chars: &[char]) -> Vec<Span> {
    let lower: Vec<char> = chars.iter().map(char::to_ascii_lowercase).collect();
    let mut spans = Vec::new();
    for at in 0..lower.len() {
        let starts = at == 0 || !lower[at - 1].is_ascii_alphanumeric();
        let rest = &lower[at..];
        if begins(rest, "-----begin") {
            spans.push(removed(at, pem_end(&lower, at), "[secret]"));
        } else if begins(rest, "://") {
            spans.extend(password_in_address(&lower, at + 3));
        } else if starts && ["bearer ", "basic ", "bearer\n"].iter().any(|word| begins(rest, word)) {
            let from = at + rest.iter().take_while(|c| c.is_alphabetic()).count() + 1;
            let to = token_end(&lower, from);
            spans.extend((to - from >= 8).then(|| removed(from, to, "[secret]")));
        } else if starts && let Some(prefix) = PREFIXES.iter().find(|prefix| begins(rest, prefix)) {
            let to = token_end(&lower, at);
            let body = to - at - prefix.chars().count();
            let random = lower[at..to].iter().any(char::is_ascii_digit) || body >= 24;
            let first = prefix.chars().next_back().is_some_and(char::is_alphanumeric);
            let enough = if first { body >= 12 } else { body >= 6 };
            spans.extend((enough && (random || body >= 16)).then(|| removed(at, to, "[secret]")));
        }
    }
    spans
}

fn removed(from: usize, to: usize, what: &'static str) -> Span {
    Span { from, to, instead: Instead::Removed(what) }
}

fn begins(chars: &[char], word: &str) -> bool {
    let mut chars = chars.iter();
    word.chars().all(|c| chars.next() == Some(&c))
}

/// Where a token ends. One that runs into a line break goes on behind it if the next line begins
/// with something as random.
fn token_end(chars: &[char], from: usize) -> usize {
    let end = from + chars[from..].iter().take_while(|c| is_token(**c)).count();
    if chars.get(end) != Some(&'\n') {
        return end;
    }
    let next = chars[end + 1..].iter().take_while(|c| is_token(**c)).count();
    let line = &chars[end + 1..end + 1 + next];
    match next >= 8 && line.iter().any(char::is_ascii_digit) {
        true => end + 1 + next,
        false => end,
    }
}

/// A block of PEM goes to its end, or takes everything that follows.
fn pem_end(chars: &[char], from: usize) -> usize {
    let end = (from + 1..chars.len()).find(|at| begins(&chars[*at..], "-----end"));
    match end {
        None => chars.len(),
        Some(at) => {
            let dashes = (at + 8..chars.len()).find(|at| begins(&chars[*at..], "-----"));
            dashes.map_or(chars.len(), |at| at + 5)
        }
    }
}

/// `user:password@` behind `://`.
fn password_in_address(chars: &[char], from: usize) -> Option<Span> {
    let len =
        chars[from..].iter().take_while(|c| !c.is_whitespace() && !matches!(c, '/' | '?' | '#')).count();
    let host = &chars[from..from + len];
    let at = host.iter().rposition(|c| *c == '@')?;
    host[..at].contains(&':').then(|| removed(from, from + at, "[secret]"))
}

/// What was found of passwords.
#[derive(Default)]
pub(super) struct Passwords {
    /// What is one.
    pub spans: Vec<Span>,
    /// Where words begin that may be one: unless something else is known of them, the text stays.
    pub may_be: Vec<usize>,
}

/// What stands behind "password:" and the like.
pub(super) fn passwords(chars: &[char]) -> Result<Passwords, Unsafe> {
    let lower: Vec<char> = chars.iter().map(|c| c.to_lowercase().next().unwrap_or(*c)).collect();
    let mut found = Passwords::default();
    for at in 0..lower.len() {
        let rest = &lower[at..];
        let longest =
            PASSWORD_WORDS.iter().filter(|word| begins(rest, word)).map(|word| word.chars().count()).max();
        let Some(len) = longest else { continue };
        // Scripts without spaces know no beginning of a word.
        if at > 0 && lower[at - 1].is_alphanumeric() && lower[at].is_ascii() {
            continue;
        }
        let Some(end) = ending(&lower, at + len) else { continue };
        match password_behind(&lower, end)? {
            Some(span) => found.spans.push(span),
            None => found.may_be.extend(may_be_password(&lower, end)),
        }
    }
    Ok(found)
}

/// Where the word ends with its plural or possessive, if it ends.
fn ending(chars: &[char], at: usize) -> Option<usize> {
    let ends = |len: usize| chars.get(at + len).is_none_or(|c| !c.is_ascii_alphabetic()).then_some(at + len);
    let suffixes = ["", "'s", "’s", "s'", "s", "es", "e", "er", "en"];
    suffixes
        .iter()
        .filter(|suffix| begins(&chars[at..], suffix))
        .filter_map(|suffix| ends(suffix.chars().count()))
        .max()
}

/// How many words behind "password" are looked at where no mark announces it.
const WORDS_BEHIND: usize = 4;

/// Which of the words behind may be the password: those with a digit or a sign, and those behind
/// a colon.
fn may_be_password(chars: &[char], from: usize) -> Vec<usize> {
    let mut found = Vec::new();
    let mut at = from;
    let mut announced = false;
    for _ in 0..WORDS_BEHIND {
        at += chars[at..].iter().take_while(|c| !c.is_alphanumeric() && !is_sign(**c)).count();
        let len = chars[at..].iter().take_while(|c| !c.is_whitespace()).count();
        let word = &chars[at..at + len];
        let bare = word.iter().rposition(|c| c.is_alphanumeric() || is_sign(*c)).map_or(0, |last| last + 1);
        let text: String = word[..bare].iter().collect();
        let telling = word[..bare].iter().any(|c| c.is_numeric() || is_sign(*c));
        let said = announced && !INNOCENT.contains(&text.as_str());
        if bare > 0 && (telling || said) {
            found.push(at);
        }
        announced = word.contains(&':') || word.ends_with(&['>']) || JOINING.contains(&text.as_str());
        at += len;
    }
    found
}

/// Signs that stand in passwords rather than between words.
fn is_sign(c: char) -> bool {
    matches!(c, '$' | '%' | '#' | '&' | '+' | '=' | '_' | '^' | '~' | '|' | '\\' | '*' | '{' | '}')
}

fn password_behind(chars: &[char], from: usize) -> Result<Option<Span>, Unsafe> {
    let skip = |mut at: usize, over: &dyn Fn(char) -> bool| {
        while chars.get(at).is_some_and(|c| over(*c)) {
            at += 1;
        }
        at
    };
    let gap = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '“' | '”' | '`' | '*');
    let mark = |c: char| matches!(c, ':' | '：' | '=' | '>' | '→');
    let mut at = skip(from, &gap);
    // A dash on its own joins; one within a word is the word's.
    let dash =
        chars.get(at) == Some(&'-') && at > from && chars.get(at + 1).is_some_and(|c| c.is_whitespace());
    let marked = dash || chars.get(at).is_some_and(|c| mark(*c));
    if marked {
        // Behind a mark everything to the end of the line may belong to it.
        at = skip(at, &|c| gap(c) || mark(c) || c == '-');
        let end = skip(at, &|c| c != '\n');
        return Ok((end > at).then(|| removed(at, end, "[secret]")));
    }
    let word = |at: usize| -> String { chars[at..].iter().take_while(|c| c.is_alphanumeric()).collect() };
    if !JOINING.contains(&word(at).as_str()) {
        return Ok(None);
    }
    at = skip(skip(at, &char::is_alphanumeric), &|c| gap(c) || mark(c));
    let end = skip(at, &|c| !c.is_whitespace());
    if at == end {
        return Ok(None);
    }
    let said = word(at);
    let behind = at + said.chars().count();
    // What is said of a password ends the clause or goes on with a small word; "right horse" may be one.
    let closes = skip(behind, &|c| c == ' ');
    let next = word(closes);
    let clause = closes == chars.len()
        || matches!(chars[closes], ',' | '.' | ';' | '!' | '?' | '\n' | ')')
        || matches!(next.as_str(), "and" | "und" | "or" | "oder" | "but" | "aber" | "et" | "y");
    if INNOCENT.contains(&said.as_str()) && clause && !chars.get(behind).is_some_and(|c| is_sign(*c)) {
        return Ok(None);
    }
    let value = &chars[at..end];
    let telling = value.iter().any(|c| !c.is_alphabetic() && !matches!(c, '.' | ',' | '”' | '"' | '\''));
    match telling {
        true => Ok(Some(removed(at, end, "[secret]"))),
        false => Err(Unsafe::LooksLikePassword),
    }
}

/// Whether a word that nothing covers looks as random as a key.
pub(super) fn has_unknown_key(chars: &[char], covered: impl Fn(usize) -> bool) -> bool {
    let part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '+' | '=');
    let random = |from: usize, to: usize, test: fn(&[char]) -> bool| {
        !(from..to).all(&covered) && test(&chars[from..to])
    };
    let mut at = 0;
    while at < chars.len() {
        let word = at + chars[at..].iter().take_while(|c| !c.is_whitespace()).count();
        let text: String = chars[at..word].iter().collect();
        // The parts of a path are names of things; a key may have slashes too.
        let is_path = text.contains("://") || text.starts_with('/');
        let mut from = at;
        while from < word {
            let whole =
                chars[from..word].iter().take_while(|c| part(**c) || (!is_path && **c == '/')).count();
            if whole >= 32 && random(from, from + whole, mixes_all) {
                return true;
            }
            let len = chars[from..word].iter().take_while(|c| part(**c)).count();
            if len >= 20 && random(from, from + len, looks_random) {
                return true;
            }
            from += len.max(1);
        }
        at = word.max(at + 1);
    }
    false
}

/// Small and capital letters and digits in one long word.
fn mixes_all(word: &[char]) -> bool {
    let text: String = word.iter().collect();
    let known = ID_PREFIXES.iter().any(|prefix| text.starts_with(prefix)) || is_uuid(&text);
    let has = |is: fn(&char) -> bool| word.iter().any(is);
    !known && has(char::is_ascii_lowercase) && has(char::is_ascii_uppercase) && has(char::is_ascii_digit)
}

fn looks_random(word: &[char]) -> bool {
    let text: String = word.iter().collect();
    let lower = text.to_ascii_lowercase();
    if ID_PREFIXES.iter().any(|prefix| lower.starts_with(prefix)) || is_uuid(&text) {
        return false;
    }
    let digits = word.iter().filter(|c| c.is_ascii_digit()).count();
    let letters = word.iter().filter(|c| c.is_ascii_alphabetic()).count();
    // Words joined by hyphens or underscores, with a number at one end, are names of things.
    let parts: Vec<&str> = text.split(['-', '_']).filter(|part| !part.is_empty()).collect();
    let mixed = |part: &&str| {
        part.chars().any(|c| c.is_ascii_digit())
            && part.chars().any(|c| c.is_ascii_alphabetic())
            && part.len() >= 8
    };
    digits >= 3 && letters >= 3 && parts.iter().any(mixed)
}

fn is_uuid(text: &str) -> bool {
    let parts: Vec<usize> = text.split('-').map(str::len).collect();
    parts == [8, 4, 4, 4, 12] && text.chars().all(|c| c.is_ascii_hexdigit() || c == '-')
}
