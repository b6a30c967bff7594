//! Layers, and errors that name file, line and key.

use std::{fmt, path::Path};

use toml::{Table, Value, de::DeTable, de::DeValue};

use super::Config;

/// The embedded defaults.
pub const DEFAULTS: &str = include_str!("../../config/default.toml");

/// A configuration that cannot be used.
#[derive(Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The file or variable.
    pub file: String,
    /// The line in the file, from 1; `None` when it is no file or the key is nowhere in it.
    pub line: Option<usize>,
    /// The key, in dots; empty when the text is no TOML.
    pub key: String,
    /// What is wrong and what to write instead.
    pub why: String,
}

impl std::error::Error for ConfigError {}

impl fmt::Display for ConfigError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(out, ":{line}")?;
        }
        if !self.key.is_empty() {
            write!(out, ": {}", self.key)?;
        }
        write!(out, ": {}", self.why)
    }
}

/// Reads a file over the defaults, under the `HANDOFFD_*` variables given.
pub fn load_file(path: &Path, variables: &[(String, String)]) -> Result<Config, ConfigError> {
    let file = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|why| ConfigError {
        file: file.clone(),
        line: None,
        key: String::new(),
        why: format!("the file cannot be read: {why}"),
    })?;
    load_text(&file, &text, variables)
}

/// Reads a text over the defaults, under the `HANDOFFD_*` variables given.
/// `HANDOFFD_SERVER__PUBLIC_LISTEN=…` sets `server.public_listen`.
pub fn load_text(file: &str, text: &str, variables: &[(String, String)]) -> Result<Config, ConfigError> {
    let source = Source { file, text };
    let mut table: Table = DEFAULTS.parse().expect("the embedded defaults are TOML");
    let written: Table = text.parse().map_err(|error: toml::de::Error| ConfigError {
        file: file.to_owned(),
        line: error.span().map(|span| line_of(text, span.start)),
        key: String::new(),
        why: format!("this is no TOML: {}", error.message()),
    })?;
    merge(&mut table, written);
    let mut from_variables = Vec::new();
    for (name, value) in variables {
        if let Some(path) = variable_path(name) {
            set(&mut table, &path, variable_value(value));
            from_variables.push((path.join("."), name.clone()));
        }
    }
    let config: Config = serde_path_to_error::deserialize(Value::Table(table)).map_err(|error| {
        let path = error.path().to_string();
        source.explain(&path, error.inner().message(), &from_variables)
    })?;
    config.validate().map_err(|(key, why)| source.at(&key, why, &from_variables))?;
    Ok(config)
}

/// Where a key stands in a file, as `file:line`; the file alone when it is nowhere in it.
pub fn place_of_key(path: &Path, key: &str) -> String {
    let line = std::fs::read_to_string(path).ok().and_then(|text| line_of_key(&text, key));
    match line {
        Some(line) => format!("{}:{line}", path.display()),
        None => path.display().to_string(),
    }
}

struct Source<'a> {
    file: &'a str,
    text: &'a str,
}

impl Source<'_> {
    /// Turns serde's words into ours; an unknown key gets the nearest known name.
    fn explain(&self, path: &str, message: &str, variables: &[(String, String)]) -> ConfigError {
        let message = message.trim();
        let Some(rest) = message.strip_prefix("unknown field `") else {
            return self.at(path, message.to_owned(), variables);
        };
        let (unknown, known) = rest.split_once('`').unwrap_or((rest, ""));
        let known: Vec<&str> = known.split('`').skip(1).step_by(2).collect();
        let key = if path.is_empty() || path == "." || path == unknown {
            unknown.to_owned()
        } else if path.ends_with(&format!(".{unknown}")) {
            path.to_owned()
        } else {
            format!("{path}.{unknown}")
        };
        self.at(&key, unknown_key(unknown, &known), variables)
    }

    fn at(&self, key: &str, why: String, variables: &[(String, String)]) -> ConfigError {
        if let Some((_, name)) = variables.iter().find(|(path, _)| path == key) {
            return ConfigError { file: format!("variable {name}"), line: None, key: key.to_owned(), why };
        }
        let line = line_of_key(self.text, key);
        ConfigError { file: self.file.to_owned(), line, key: key.to_owned(), why }
    }
}

fn unknown_key(unknown: &str, known: &[&str]) -> String {
    let nearest = known
        .iter()
        .map(|name| (strsim::damerau_levenshtein(unknown, name), *name))
        .min()
        .filter(|(distance, name)| *distance <= 3.max(name.len() / 2));
    match nearest {
        Some((_, name)) => format!("there is no such key; did you mean `{name}`?"),
        None => format!("there is no such key; known here: {}", known.join(", ")),
    }
}

fn merge(under: &mut Table, over: Table) {
    for (key, value) in over {
        match (under.get_mut(&key), value) {
            (Some(Value::Table(under)), Value::Table(over)) => merge(under, over),
            (_, value) => {
                under.insert(key, value);
            }
        }
    }
}

fn variable_path(name: &str) -> Option<Vec<String>> {
    let path = name.strip_prefix("HANDOFFD_")?;
    // A single word is no path into the configuration: HANDOFFD_CONFIG and secrets of the admin's own naming.
    path.contains("__").then(|| path.split("__").map(str::to_lowercase).collect())
}

fn variable_value(text: &str) -> Value {
    let parsed: Result<Table, _> = format!("value = {text}").parse();
    parsed.ok().and_then(|mut table| table.remove("value")).unwrap_or_else(|| Value::String(text.to_owned()))
}

fn set(table: &mut Table, path: &[String], value: Value) {
    let Some((first, rest)) = path.split_first() else { return };
    if rest.is_empty() {
        table.insert(first.clone(), value);
        return;
    }
    let entry = table.entry(first.clone()).or_insert_with(|| Value::Table(Table::new()));
    if !entry.is_table() {
        *entry = Value::Table(Table::new());
    }
    if let Value::Table(inner) = entry {
        set(inner, rest, value);
    }
}

fn line_of(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1
}

/// The line of a key, or of the nearest part of its path that is in the text.
fn line_of_key(text: &str, key: &str) -> Option<usize> {
    let parsed = DeTable::parse(text).ok()?;
    let mut found = None;
    let mut table: &DeTable<'_> = parsed.get_ref();
    for part in key.split('.') {
        let name = part.split('[').next().unwrap_or(part);
        let Some((at, value)) = table.iter().find(|(at, _)| at.get_ref().as_ref() == name) else { break };
        found = Some(at.span().start);
        let mut value = value.get_ref();
        for index in part.split('[').skip(1) {
            let index: usize = index.trim_end_matches(']').parse().ok()?;
            let DeValue::Array(items) = value else { break };
            let Some(item) = items.get(index) else { break };
            found = Some(item.span().start);
            value = item.get_ref();
        }
        match value {
            DeValue::Table(inner) => table = inner,
            _ => break,
        }
    }
    found.map(|at| line_of(text, at))
}
