//! What an element's attributes say about how its content looks, and whether
//! it is seen at all.

use super::model::{EM, STRONG, STRUCK, UNDER};

/// What an element changes for its content.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Style {
    /// Neither it nor anything in it is seen.
    pub gone: bool,
    /// Whether it is invisible; what is in it may be visible again.
    pub invisible: Option<bool>,
    /// Whether its letters have no size; letters in it may have one again.
    pub sizeless: Option<bool>,
    /// Spaces and line ends are kept.
    pub exact: bool,
    /// Marks it sets.
    pub marks: u8,
    /// Letters are of ordinary weight, whatever the element says.
    pub light: bool,
}

/// What a `style` attribute says. Of two rules for the same the last wins, or
/// the important one.
pub fn of(style: &str) -> Style {
    let mut found = Style::default();
    let mut rules: Vec<(String, String, bool)> = Vec::new();
    for rule in uncommented(style).to_lowercase().split(';').take(RULES_MAX) {
        let Some((name, value)) = rule.split_once(':') else { continue };
        let value = value.trim();
        let important = value.strip_suffix("important").and_then(|value| value.trim_end().strip_suffix('!'));
        let known = rules.iter().position(|(known, ..)| *known == name.trim());
        let rule =
            (name.trim().to_owned(), important.unwrap_or(value).trim().to_owned(), important.is_some());
        match known.and_then(|at| rules.get_mut(at)) {
            Some(before) if before.2 && !rule.2 => {}
            Some(before) => *before = rule,
            None => rules.push(rule),
        }
    }
    let value =
        |sought: &str| rules.iter().find(|(name, ..)| name == sought).map(|(_, value, _)| value.as_str());
    for (name, value, _) in &rules {
        apply(&mut found, name, value);
    }
    let cut = matches!(value("overflow"), Some("hidden" | "clip"));
    let flat =
        ["height", "max-height", "width", "max-width"].iter().any(|side| value(side).is_some_and(is_zero));
    found.gone |= cut && flat;
    found
}

/// More rules than any element has: each is compared with those before.
const RULES_MAX: usize = 100;

fn apply(style: &mut Style, name: &str, value: &str) {
    match (name, value) {
        ("display", "none") | ("mso-hide", "all") => style.gone = true,
        ("opacity", value) => style.gone |= is_zero(value),
        ("visibility", "hidden" | "collapse") => style.invisible = Some(true),
        ("visibility", "visible") => style.invisible = Some(false),
        ("font-size", value) => style.sizeless = size(value),
        ("font", value) => {
            let sizes = value.split_whitespace().map(|part| part.split('/').next().unwrap_or(part));
            style.sizeless =
                sizes.filter(|part| part.starts_with(|c: char| c.is_ascii_digit())).find_map(size);
        }
        (
            "white-space" | "white-space-collapse",
            "pre" | "pre-wrap" | "pre-line" | "break-spaces" | "preserve",
        ) => {
            style.exact = true;
        }
        ("font-weight", "bold" | "bolder" | "600" | "700" | "800" | "900") => style.marks |= STRONG,
        ("font-weight", "normal" | "400") => style.light = true,
        ("font-style", "italic" | "oblique") => style.marks |= EM,
        ("text-decoration" | "text-decoration-line", value) => {
            for word in value.split_whitespace() {
                style.marks |= match word {
                    "underline" => UNDER,
                    "line-through" => STRUCK,
                    _ => 0,
                };
            }
        }
        _ => {}
    }
}

/// Whether letters of this size are nothing; `None` leaves it as it was:
/// a part of nothing is nothing.
fn size(value: &str) -> Option<bool> {
    let relative = ["em", "%", "inherit", "smaller", "larger", "unset"];
    if is_zero(value) {
        Some(true)
    } else if value.is_empty()
        || (relative.iter().any(|unit| value.ends_with(unit)) && !value.ends_with("rem"))
    {
        None
    } else {
        Some(false)
    }
}

/// Whether this length or share is nothing, whatever its unit.
pub fn is_zero(value: &str) -> bool {
    let value = value.trim();
    let digits = value.trim_end_matches(|c: char| c.is_ascii_alphabetic() || c == '%');
    digits.parse::<f64>().is_ok_and(|number| number <= 0.0)
}

fn uncommented(style: &str) -> String {
    let mut kept = String::with_capacity(style.len());
    let mut rest = style;
    while let Some((before, comment)) = rest.split_once("/*") {
        kept.push_str(before);
        rest = comment.split_once("*/").map_or("", |(_, after)| after);
    }
    kept.push_str(rest);
    kept
}
