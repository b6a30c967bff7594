//! Reads JSON that somebody sent so that nothing is wrong or lost in silence: every place that is
//! wrong is named, not only the first, and every value that found no home can be told.

use std::collections::{BTreeMap, BTreeSet};

use handoffd_core::{Timestamp, briefing::text};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How many kinds of places a loss report names.
const LOSSES_MAX: usize = 100;
/// How many places are named as wrong.
const WRONGS_MAX: usize = 100;
/// The longest path in an answer, in characters.
const PATH_CHARS_MAX: usize = 200;

/// A place whose value is missing or wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Wrong {
    /// The path, for instance `attempts[0].action`.
    pub(super) path: String,
    /// What has to be there. Values stay out of it.
    pub(super) message: String,
}

/// A value that found no home, or not all of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Loss {
    /// The path; `[]` stands for all places of a list where several are alike.
    pub(super) path: String,
    /// Why.
    pub(super) why: String,
    /// At how many places, where several are alike.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) times: Option<usize>,
}

/// A value with its path. One that is `null` is not there.
#[derive(Clone)]
pub(super) struct Place<'a> {
    pub(super) value: Option<&'a Value>,
    pub(super) path: String,
}

impl<'a> Place<'a> {
    /// The whole.
    pub(super) fn root(value: &'a Value) -> Self {
        Self { value: Some(value).filter(|value| !value.is_null()), path: String::new() }
    }

    /// A field of an object.
    pub(super) fn at(&self, key: &str) -> Self {
        let value = self.value.and_then(|value| value.get(key)).filter(|value| !value.is_null());
        Self { value, path: joined(&self.path, key) }
    }

    /// The first of the fields that is there; else the first.
    pub(super) fn any(&self, keys: &[&str]) -> Self {
        let there = keys.iter().find(|key| self.at(key).is_there());
        self.at(there.or(keys.first()).copied().unwrap_or_default())
    }

    pub(super) fn is_there(&self) -> bool {
        self.value.is_some()
    }

    pub(super) fn is_object(&self) -> bool {
        self.value.is_some_and(Value::is_object)
    }

    /// The text as it is, without noting anything.
    pub(super) fn peek(&self) -> Option<&'a str> {
        self.value.and_then(Value::as_str)
    }

    /// The entries of a list; none where there is no list.
    pub(super) fn entries(&self) -> Vec<Self> {
        let items = self.value.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let entry = |(at, value): (usize, &'a Value)| Self {
            value: Some(value),
            path: format!("{}[{at}]", self.path),
        };
        items.iter().enumerate().map(entry).collect()
    }

    /// The fields of an object by name; none where there is no object.
    pub(super) fn fields(&self) -> Vec<(&'a str, Self)> {
        let fields = self.value.and_then(Value::as_object).into_iter().flatten();
        fields.map(|(key, _)| (key.as_str(), self.at(key))).collect()
    }

    /// Whether there is any value in it that is no list and no object.
    pub(super) fn has_leaf(&self) -> bool {
        fn within(value: &Value) -> bool {
            match value {
                Value::Null => false,
                Value::Array(items) => items.iter().any(within),
                Value::Object(fields) => fields.values().any(within),
                Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
            }
        }
        self.value.is_some_and(within)
    }

    /// The paths of all values in it that are no list and no object.
    #[cfg(test)]
    pub(super) fn leaves(&self) -> Vec<String> {
        match self.value {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Array(_)) => self.entries().iter().flat_map(Self::leaves).collect(),
            Some(Value::Object(_)) => self.fields().iter().flat_map(|(_, field)| field.leaves()).collect(),
            Some(_) => vec![self.path.clone()],
        }
    }
}

/// The path of a field within a place.
fn joined(path: &str, key: &str) -> String {
    let plain = |key: &str| {
        !key.is_empty() && key.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-' || c == '$')
    };
    match (path, plain(key)) {
        ("", true) => key.to_owned(),
        (path, true) => format!("{path}.{key}"),
        (path, false) => format!("{path}[{key:?}]"),
    }
}

/// What is known of a body while it is read.
#[derive(Default)]
pub(super) struct Form {
    /// Places that were read, each with all that is in it.
    taken: BTreeSet<String>,
    /// Of lists that were too long: how many of the first entries were not read.
    cut_off: BTreeMap<String, usize>,
    pub(super) wrongs: Vec<Wrong>,
    lost: BTreeMap<String, String>,
}

impl Form {
    /// Notes that a value, with all that is in it, has been read.
    pub(super) fn take(&mut self, place: &Place<'_>) {
        if place.is_there() {
            self.taken.insert(place.path.clone());
        }
    }

    /// Whether a value has been read.
    pub(super) fn has_taken(&self, place: &Place<'_>) -> bool {
        self.taken.contains(&place.path)
    }

    /// Notes that something is wrong.
    pub(super) fn wrong(&mut self, path: &str, message: impl Into<String>) {
        if self.wrongs.len() < WRONGS_MAX {
            self.wrongs.push(Wrong { path: short(path), message: message.into() });
        }
    }

    /// Notes that a value, or a part of it, has no home.
    pub(super) fn lose(&mut self, path: &str, why: impl Into<String>) {
        self.lost.entry(path.to_owned()).or_insert(why.into());
    }

    /// One line of text, shortened; what is cut off is told.
    pub(super) fn line(&mut self, place: &Place<'_>, chars_max: usize) -> Option<String> {
        let line = text::one_line(&self.words(place)?);
        self.cut(place, line, chars_max)
    }

    /// Text with its line breaks, shortened; what is cut off is told.
    pub(super) fn text(&mut self, place: &Place<'_>, chars_max: usize) -> Option<String> {
        let words = self.words(place)?;
        self.cut(place, words.trim().to_owned(), chars_max)
    }

    /// Text that has to be there.
    pub(super) fn needed(&mut self, place: &Place<'_>, chars_max: usize) -> Option<String> {
        let known = self.wrongs.len();
        let line = self.line(place, chars_max);
        if line.is_none() && self.wrongs.len() == known {
            self.missing(place);
        }
        line
    }

    /// Notes that a value is missing.
    pub(super) fn missing(&mut self, place: &Place<'_>) {
        let name = place.path.rsplit('.').next().unwrap_or_default().to_owned();
        self.wrong(&place.path, format!("`{}` is missing", short(&name)));
    }

    fn words(&mut self, place: &Place<'_>) -> Option<String> {
        let value = place.value?;
        self.take(place);
        match value {
            Value::String(words) => Some(words.clone()),
            Value::Number(number) => Some(number.to_string()),
            Value::Bool(word) => Some(word.to_string()),
            Value::Null | Value::Array(_) | Value::Object(_) => {
                self.wrong(&place.path, "has to be text");
                None
            }
        }
    }

    fn cut(&mut self, place: &Place<'_>, words: String, chars_max: usize) -> Option<String> {
        if words.chars().count() > chars_max {
            self.lose(&place.path, format!("is longer than {chars_max} characters and was shortened"));
            return Some(text::shortened(&words, chars_max));
        }
        Some(words).filter(|words| !words.is_empty())
    }

    /// An id: a text or a number, of bounded length and without control characters.
    pub(super) fn id(&mut self, place: &Place<'_>, bytes_max: usize) -> Option<String> {
        let id = self.words(place)?.trim().to_owned();
        if id.is_empty() || id.len() > bytes_max || id.contains(char::is_control) {
            self.wrong(&place.path, format!("has to be an id of 1 to {bytes_max} bytes"));
            return None;
        }
        Some(id)
    }

    /// A moment, as RFC 3339 has it.
    pub(super) fn time(&mut self, place: &Place<'_>) -> Option<Timestamp> {
        let value = place.value?;
        self.take(place);
        let read = value.as_str().and_then(|words| Timestamp::parse(words).ok());
        if read.is_none() {
            self.wrong(&place.path, "has to be a moment such as 2026-01-31T08:00:00Z");
        }
        read
    }

    /// Yes or no.
    pub(super) fn flag(&mut self, place: &Place<'_>) -> Option<bool> {
        let value = place.value?;
        self.take(place);
        if !value.is_boolean() {
            self.wrong(&place.path, "has to be true or false");
        }
        value.as_bool()
    }

    /// A number that is not negative; parts are dropped.
    pub(super) fn count(&mut self, place: &Place<'_>) -> Option<u64> {
        let value = place.value?;
        self.take(place);
        let parts = value.as_f64().filter(|number| number.is_finite() && *number >= 0.0);
        if parts.is_none() {
            self.wrong(&place.path, "has to be a number that is not negative");
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "checked above; it saturates"
        )]
        parts.map(|number| number as u64)
    }

    /// Text as it is; of anything else its JSON. Shortened; what is cut off is told.
    pub(super) fn any(&mut self, place: &Place<'_>, chars_max: usize) -> Option<String> {
        let words = match place.value? {
            Value::String(words) => words.clone(),
            value => value.to_string(),
        };
        self.take(place);
        self.cut(place, words, chars_max)
    }

    /// The entries of a list, the newest `entries_max` of them.
    pub(super) fn list<'a>(&mut self, place: &Place<'a>, entries_max: usize) -> Vec<Place<'a>> {
        if place.value.is_some_and(|value| !value.is_array()) {
            self.take(place);
            self.wrong(&place.path, "has to be a list");
        }
        let entries = place.entries();
        let too_many = entries.len().saturating_sub(entries_max);
        if too_many > 0 {
            self.cut_off.insert(place.path.clone(), too_many);
        }
        entries.into_iter().skip(too_many).collect()
    }

    /// An object, or nothing; anything else is wrong.
    pub(super) fn object(&mut self, place: &Place<'_>) {
        if place.value.is_some_and(|value| !value.is_object()) {
            self.take(place);
            self.wrong(&place.path, "has to be an object");
        }
    }

    /// Names every field that nobody read as wrong.
    pub(super) fn refuse_rest(&mut self, root: &Place<'_>) {
        for place in self.rest(root) {
            let name = place.rsplit('.').next().unwrap_or_default().to_owned();
            self.wrong(&place, format!("`{}` is not known here", short(&name)));
        }
    }

    /// Notes every value that nobody read as lost, a whole object or list as one.
    pub(super) fn lose_rest(&mut self, root: &Place<'_>, why: &str) {
        for place in self.rest(root) {
            self.lose(&place, why);
        }
    }

    /// The outermost places of which nothing was read or told yet.
    fn rest(&self, place: &Place<'_>) -> Vec<String> {
        if !place.has_leaf() || self.is_told(&place.path) {
            return Vec::new();
        }
        if !place.path.is_empty() && !self.has_told_within(&place.path) {
            return vec![place.path.clone()];
        }
        let fields = place.fields().into_iter().map(|(_, field)| field);
        let cut_off = self.cut_off.get(&place.path).copied().unwrap_or_default();
        place.entries().into_iter().skip(cut_off).chain(fields).flat_map(|inner| self.rest(&inner)).collect()
    }

    fn is_told(&self, path: &str) -> bool {
        self.taken.contains(path) || self.lost.contains_key(path)
    }

    fn has_told_within(&self, path: &str) -> bool {
        let (dot, bracket) = (format!("{path}."), format!("{path}["));
        let any = |start: &String| {
            let taken = self.taken.range(start.clone()..).next().is_some_and(|at| at.starts_with(start));
            let mut lost = self.lost.range(start.clone()..);
            taken || lost.next().is_some_and(|(at, _)| at.starts_with(start))
        };
        any(&dot) || any(&bracket) || self.cut_off.contains_key(path)
    }

    /// Whether a value, or what it is in, was read or is told as lost.
    #[cfg(test)]
    pub(super) fn accounts_for(&self, leaf: &str) -> bool {
        let within = |place: &String| {
            leaf.strip_prefix(place.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        let cut_off = |(list, below): (&String, &usize)| {
            let rest = leaf.strip_prefix(list.as_str()).and_then(|rest| rest.strip_prefix('['));
            let number = rest.and_then(|rest| rest.split_once(']')?.0.parse::<usize>().ok());
            number.is_some_and(|number| number < *below)
        };
        self.taken.iter().any(within) || self.lost.keys().any(within) || self.cut_off.iter().any(cut_off)
    }

    /// What found no home. Places of a list that are alike are one line; never too long for an answer.
    pub(super) fn losses(&self) -> Vec<Loss> {
        let mut alike: BTreeMap<(String, &str), Vec<&str>> = BTreeMap::new();
        for (path, why) in &self.lost {
            alike.entry((without_numbers(path), why)).or_default().push(path);
        }
        let kinds = alike.len();
        let line = |((general, why), paths): ((String, &str), Vec<&str>)| match paths.as_slice() {
            [one] => Loss { path: short(one), why: why.to_owned(), times: None },
            many => Loss { path: short(&general), why: why.to_owned(), times: Some(many.len()) },
        };
        let cut_off = |(path, times): (&String, &usize)| Loss {
            path: short(&format!("{}[]", without_numbers(path))),
            why: "only the newest entries are read".to_owned(),
            times: Some(*times),
        };
        let mut losses: Vec<Loss> = self.cut_off.iter().take(LOSSES_MAX).map(cut_off).collect();
        losses.extend(alike.into_iter().take(LOSSES_MAX).map(line));
        if kinds > LOSSES_MAX {
            let why = format!("{} more kinds of fields found no home", kinds - LOSSES_MAX);
            losses.push(Loss { path: String::new(), why, times: None });
        }
        losses
    }
}

fn without_numbers(path: &str) -> String {
    let mut general = String::new();
    let mut rest = path;
    while let Some((before, after)) = rest.split_once('[') {
        general.push_str(before);
        general.push('[');
        let digits = after.trim_start_matches(|c: char| c.is_ascii_digit());
        rest = if digits.starts_with(']') { digits } else { after };
    }
    general + rest
}

fn short(path: &str) -> String {
    text::shortened(path, PATH_CHARS_MAX)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn everything_that_is_wrong_is_named() {
        let body = json!({ "a": [1], "b": { "c": "no time" }, "d": { "e": null }, "on": "yes", "x y": 1 });
        let (root, mut form) = (Place::root(&body), Form::default());
        form.line(&root.at("a"), 10);
        form.time(&root.at("b").at("c"));
        form.needed(&root.at("d").at("e"), 10);
        form.flag(&root.at("on"));
        form.refuse_rest(&root);
        let paths: Vec<&str> = form.wrongs.iter().map(|wrong| wrong.path.as_str()).collect();
        assert_eq!(paths, ["a", "b.c", "d.e", "on", "[\"x y\"]"]);
        assert_eq!(form.wrongs[2].message, "`e` is missing");
    }

    #[test]
    fn what_nobody_read_is_lost_at_its_outermost_place() {
        let body = json!({ "a": { "b": 1, "c": { "d": 2, "e": 3 } }, "f": [{ "g": 1, "h": 2 }, { "g": 1, "h": 2 }], "i": {} });
        let (root, mut form) = (Place::root(&body), Form::default());
        form.line(&root.at("a").at("b"), 10);
        for entry in form.list(&root.at("f"), 10) {
            form.line(&entry.at("g"), 10);
        }
        form.lose_rest(&root, "has no home");
        let losses = form.losses();
        let lines: Vec<(&str, Option<usize>)> =
            losses.iter().map(|loss| (loss.path.as_str(), loss.times)).collect();
        assert_eq!(lines, [("a.c", None), ("f[].h", Some(2))]);
        assert!(root.leaves().iter().all(|leaf| form.accounts_for(leaf)));
        assert!(!form.accounts_for("a.cc"));
    }

    #[test]
    fn text_that_is_too_long_is_shortened_and_told() {
        let body = json!({ "a": "abcdefghij klmnop", "list": [1, 2, 3] });
        let (root, mut form) = (Place::root(&body), Form::default());
        let line = form.line(&root.at("a"), 8).expect("text");
        assert!(line.chars().count() <= 8, "{line}");
        assert_eq!(form.list(&root.at("list"), 2).len(), 2);
        let paths: Vec<String> = form.losses().into_iter().map(|loss| loss.path).collect();
        assert_eq!(paths, ["list[]", "a"]);
    }
}
