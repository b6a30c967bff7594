//! The safe expressions: a fixed list of operations on one value. None of them can
//! look at anything but the value, fail, or run long.

use std::collections::BTreeSet;

use handoffd_core::Value;

/// The most operations of one transform.
pub const OPS_MAX: usize = 16;

/// The longest argument of an operation, in characters.
pub const ARG_CHARS_MAX: usize = 200;

/// The longest text between two operations, in characters: longer than any field.
const CHARS_MAX: usize = 4_000;

/// What a transform works on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Text: a subject, a custom text.
    Text,
    /// A set of texts: tags, addresses in copy.
    Set,
    /// A decimal number.
    Number,
}

/// One operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// White space around it goes.
    Trim,
    /// Lower case.
    Lower,
    /// Upper case.
    Upper,
    /// What comes after the first line goes.
    FirstLine,
    /// It is cut to this many characters.
    Truncate(usize),
    /// This comes before it, unless it does already.
    Prefix(String),
    /// This goes, if it begins so.
    StripPrefix(String),
    /// This comes after it, unless it does already.
    Suffix(String),
    /// This goes, if it ends so.
    StripSuffix(String),
    /// Each of the first becomes the second.
    Replace(String, String),
    /// Of a set only these travel; the others stay where they are.
    Only(BTreeSet<String>),
    /// Of a set these do not travel: they stay where they are.
    Without(BTreeSet<String>),
    /// It is rounded to so many decimals, half away from zero.
    Round(usize),
}

/// The names of the operations.
pub const NAMES: [&str; 13] = [
    "trim",
    "lower",
    "upper",
    "first_line",
    "truncate",
    "prefix",
    "strip_prefix",
    "suffix",
    "strip_suffix",
    "replace",
    "only",
    "without",
    "round",
];

impl Op {
    /// Reads `name` or `name:argument`. The error says what to write.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (name, arg) = match text.split_once(':') {
            Some((name, arg)) => (name, Some(arg)),
            None => (text, None),
        };
        if arg.is_some_and(|arg| arg.chars().count() > ARG_CHARS_MAX) {
            return Err(format!("the argument of {name} is longer than {ARG_CHARS_MAX} characters"));
        }
        let plain = |op: Self| match arg {
            None => Ok(op),
            Some(_) => Err(format!("{name} takes no argument: write \"{name}\"")),
        };
        match name {
            "trim" => plain(Self::Trim),
            "lower" => plain(Self::Lower),
            "upper" => plain(Self::Upper),
            "first_line" => plain(Self::FirstLine),
            "round" => match arg.unwrap_or("0").parse() {
                Ok(decimals) if decimals <= 10 => Ok(Self::Round(decimals)),
                _ => Err("write \"round\" or \"round:2\", at most 10 decimals".to_owned()),
            },
            "truncate" => match arg.and_then(|arg| arg.parse().ok()).filter(|count| *count > 0) {
                Some(count) => Ok(Self::Truncate(count)),
                None => Err("write how many characters are kept, for instance \"truncate:80\"".to_owned()),
            },
            "replace" => {
                match arg.and_then(|arg| arg.split_once("=>")).filter(|(from, _)| !from.is_empty()) {
                    Some((from, to)) => Ok(Self::Replace(from.to_owned(), to.to_owned())),
                    None => Err("write what becomes what, for instance \"replace:_=>-\"".to_owned()),
                }
            }
            "prefix" | "strip_prefix" | "suffix" | "strip_suffix" => Self::parse_affix(name, arg),
            "only" | "without" => Self::parse_set(name, arg),
            _ => Err(unknown(name)),
        }
    }

    fn parse_affix(name: &str, arg: Option<&str>) -> Result<Self, String> {
        let Some(text) = arg.filter(|arg| !arg.is_empty()).map(str::to_owned) else {
            return Err(format!("write the text, for instance \"{name}:[ACME] \""));
        };
        Ok(match name {
            "prefix" => Self::Prefix(text),
            "strip_prefix" => Self::StripPrefix(text),
            "suffix" => Self::Suffix(text),
            _ => Self::StripSuffix(text),
        })
    }

    fn parse_set(name: &str, arg: Option<&str>) -> Result<Self, String> {
        let parts = arg.unwrap_or_default().split(',').map(str::trim).filter(|part| !part.is_empty());
        let parts: BTreeSet<String> = parts.map(str::to_owned).collect();
        match (parts.is_empty(), name) {
            (true, _) => Err(format!("write the tags, for instance \"{name}:internal,vip\"")),
            (false, "only") => Ok(Self::Only(parts)),
            (false, _) => Ok(Self::Without(parts)),
        }
    }

    /// Whether it can work on such values.
    pub fn fits(&self, shape: Shape) -> bool {
        match self {
            Self::Only(_) | Self::Without(_) => shape == Shape::Set,
            Self::Round(_) => shape == Shape::Number,
            _ => matches!(shape, Shape::Text | Shape::Set),
        }
    }

    /// What becomes of a text, or of one element of a set.
    fn apply(&self, text: &str) -> String {
        match self {
            Self::Trim => text.trim().to_owned(),
            Self::Lower => text.to_lowercase(),
            Self::Upper => text.to_uppercase(),
            Self::FirstLine => text.lines().next().unwrap_or_default().to_owned(),
            Self::Truncate(count) => text.chars().take(*count).collect::<String>().trim_end().to_owned(),
            Self::Prefix(start) if !text.starts_with(start.as_str()) => format!("{start}{text}"),
            Self::StripPrefix(start) => text.strip_prefix(start.as_str()).unwrap_or(text).to_owned(),
            Self::Suffix(end) if !text.ends_with(end.as_str()) => format!("{text}{end}"),
            Self::StripSuffix(end) => text.strip_suffix(end.as_str()).unwrap_or(text).to_owned(),
            Self::Replace(from, to) => text.replace(from.as_str(), to),
            Self::Prefix(_) | Self::Suffix(_) | Self::Only(_) | Self::Without(_) => text.to_owned(),
            Self::Round(decimals) => round(text, *decimals),
        }
    }
}

fn unknown(name: &str) -> String {
    let nearest = NAMES.into_iter().map(|known| (strsim::damerau_levenshtein(name, known), known)).min();
    match nearest.filter(|(distance, known)| *distance <= 3.max(known.len() / 2)) {
        Some((_, known)) => format!("there is no operation `{name}`; did you mean `{known}`?"),
        None => format!("there is no operation `{name}`; known: {}", NAMES.join(", ")),
    }
}

/// What the operations make of a text, in order.
pub fn apply(ops: &[Op], text: &str) -> String {
    ops.iter().fold(text.to_owned(), |text, op| op.apply(&text).chars().take(CHARS_MAX).collect())
}

/// Whether an element of a set, by the link group's word, travels.
pub fn travels<'a>(ops: impl IntoIterator<Item = &'a Op>, element: &str) -> bool {
    ops.into_iter().all(|op| match op {
        Op::Only(those) => those.contains(element),
        Op::Without(those) => !those.contains(element),
        _ => true,
    })
}

/// A decimal number in its shortest form, rounded half away from zero.
fn round(number: &str, decimals: usize) -> String {
    let (sign, digits) = number.strip_prefix('-').map_or(("", number), |digits| ("-", digits));
    let Some((whole, part)) = digits.split_once('.') else { return number.to_owned() };
    if part.len() <= decimals || !part.is_ascii() {
        return number.to_owned();
    }
    let up = part.as_bytes().get(decimals).is_some_and(|digit| *digit >= b'5');
    let mut kept: Vec<u8> = format!("{whole}{}", &part[..decimals]).into_bytes();
    if up {
        add_one(&mut kept);
    }
    let kept = String::from_utf8(kept).unwrap_or_default();
    let point = kept.len() - decimals;
    let rounded = format!("{sign}{}.{}", &kept[..point], &kept[point..]);
    match Value::number(&rounded) {
        Some(Value::Typed(Some(typed))) => typed.to_string(),
        _ => number.to_owned(),
    }
}

/// One more at the last digit.
fn add_one(digits: &mut Vec<u8>) {
    for digit in digits.iter_mut().rev() {
        if *digit < b'9' {
            *digit += 1;
            return;
        }
        *digit = b'0';
    }
    digits.insert(0, b'1');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(ops: &[&str], text: &str) -> String {
        let ops: Vec<Op> = ops.iter().map(|op| Op::parse(op).expect("an operation")).collect();
        apply(&ops, text)
    }

    #[test]
    fn operations_do_what_they_say() {
        let rows: &[(&[&str], &str, &str)] = &[
            (&["trim"], "  a b ", "a b"),
            (&["lower", "strip_prefix:[acme] "], "[ACME] Hi", "hi"),
            (&["upper"], "Straße", "STRASSE"),
            (&["first_line"], "one\ntwo", "one"),
            (&["truncate:4"], "abc def", "abc"),
            (&["truncate:2"], "äöü", "äö"),
            (&["prefix:[A] "], "x", "[A] x"),
            (&["prefix:[A] "], "[A] x", "[A] x"),
            (&["suffix:!"], "x", "x!"),
            (&["strip_suffix:!"], "x!", "x"),
            (&["strip_suffix:!"], "x", "x"),
            (&["replace:_=>-"], "a_b_c", "a-b-c"),
            (&["replace:x=>"], "axb", "ab"),
            (&["round"], "2.5", "3"),
            (&["round"], "-2.5", "-3"),
            (&["round:1"], "9.96", "10"),
            (&["round:2"], "1.005", "1.01"),
            (&["round"], "0.4", "0"),
            (&["round"], "-0.4", "0"),
            (&["round:2"], "7", "7"),
        ];
        for (ops, text, expected) in rows {
            assert_eq!(run(ops, text), *expected, "{ops:?} of {text:?}");
        }
    }

    #[test]
    fn what_is_no_operation_is_refused_with_the_nearest_name() {
        let rows = [
            ("lowr", "did you mean `lower`?"),
            ("exec:rm", "there is no operation `exec`"),
            ("truncate", "truncate:80"),
            ("truncate:0", "truncate:80"),
            ("trim:x", "takes no argument"),
            ("prefix:", "write the text"),
            ("replace:a", "what becomes what"),
            ("only:", "write the tags"),
            ("round:99", "at most 10"),
        ];
        for (text, why) in rows {
            let error = Op::parse(text).expect_err("no operation");
            assert!(error.contains(why), "{text}: {error}");
        }
        assert!(Op::parse(&format!("prefix:{}", "x".repeat(201))).is_err());
        for name in NAMES {
            let known = Op::parse(name).err().is_none_or(|why| !why.contains("there is no operation"));
            assert!(known, "{name}");
        }
    }

    #[test]
    fn sets_are_filtered() {
        let ops = [Op::parse("only:a,b").expect("one"), Op::parse("without: b").expect("one")];
        let kept: Vec<&str> = ["a", "b", "c"].into_iter().filter(|tag| travels(&ops, tag)).collect();
        assert_eq!(kept, ["a"]);
    }
}
