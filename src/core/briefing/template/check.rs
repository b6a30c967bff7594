//! What a line may be, found out before any handoff needs it.

use super::TemplateLine;
use crate::briefing::{
    fields::FIELDS,
    lines::{Scope, rendered},
};

/// The longest text of a line in bytes.
const TEXT_BYTES_MAX: usize = 2_000;

/// The fewest words of a line: the label's, one of the value's, the evidence.
fn words_min(line: &TemplateLine) -> usize {
    line.label.split_whitespace().count() + line.fields.len() + 2
}

/// At least one field, all of them known, none twice.
pub(super) fn fields(line: &TemplateLine) -> Result<(), String> {
    if line.fields.is_empty() {
        return Err("a line names at least one field: it is what its evidence comes from".to_owned());
    }
    for (at, name) in line.fields.iter().enumerate() {
        if !FIELDS.contains(&name.as_str()) {
            return Err(format!("there is no field {name:?}; fields: {}", FIELDS.join(", ")));
        }
        if line.fields[..at].contains(name) {
            return Err(format!("names {name:?} twice"));
        }
    }
    Ok(())
}

/// Enough words to say something.
pub(super) fn words(line: &TemplateLine) -> Result<(), String> {
    match line.words >= words_min(line) {
        true => Ok(()),
        false => Err(format!("at least {} for the label, the fields and the evidence", words_min(line))),
    }
}

/// Text that can be rendered whatever is known, that shows every field it names, and no other.
pub(super) fn text(line: &TemplateLine) -> Result<(), String> {
    if line.text.len() > TEXT_BYTES_MAX {
        return Err(format!("is longer than {TEXT_BYTES_MAX} bytes"));
    }
    statements(&line.text)?;
    let environment = crate::briefing::lines::environment();
    let template = environment.template_from_str(&line.text).map_err(|error| words_of(&error))?;
    let mut seen: Vec<String> = template.undeclared_variables(false).into_iter().collect();
    seen.sort();
    if let Some(other) = seen.iter().find(|name| !line.fields.contains(name)) {
        return Err(format!("uses {other:?}, which `fields` does not name"));
    }
    if let Some(unused) = line.fields.iter().find(|name| !seen.contains(name)) {
        return Err(format!("does not show {unused:?}, which `fields` names"));
    }
    for value in ["", "word", "“several words of somebody else”", "unknown (nobody said it)"] {
        let scope: Scope<'_> = line.fields.iter().map(|name| (name.as_str(), value.to_owned())).collect();
        rendered(&line.text, &scope).map_err(|why| format!("cannot be rendered: {why}"))?;
    }
    Ok(())
}

/// Only `if`: no loop, no variable, nothing that grows text.
fn statements(text: &str) -> Result<(), String> {
    for (at, _) in text.match_indices("{%") {
        let inside = text[at + 2..].trim_start_matches(['-', '+']).trim_start();
        let word: String = inside.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        if !matches!(word.as_str(), "if" | "elif" | "else" | "endif") {
            return Err(format!("{word:?} is no statement here; there is if, elif, else, endif"));
        }
    }
    if text.contains('*') {
        return Err("has a *, which could multiply text without end".to_owned());
    }
    Ok(())
}

fn words_of(error: &minijinja::Error) -> String {
    let detail = error.detail().map(|detail| format!(": {detail}")).unwrap_or_default();
    format!("{}{detail}", error.kind())
}
